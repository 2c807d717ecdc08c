"""Documents in, topics that a person can name out: `TopicModel`.

Words × documents as in the talk, the matrix being a document-term matrix X ≈ W H: each row of H is
a topic, each row of W says how much of every topic a document holds. `topic_words.py` has the way
from texts to X, `topic_fit.py` the runs, `topic_results.py` what comes out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin

from nonneg.apps.rankings import Ranking
from nonneg.apps.topic_results import (
    DocumentTopics,
    DocumentWord,
    Flow,
    GroupShare,
    NumberEvidence,
    Representative,
    Topic,
    TopicWord,
)
from nonneg.core.factorize import RandomState

__all__ = ["TopicModel"]

Order = Literal["relevance", "weight", "lift"]


class TopicModel(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Find topics in documents, the same on every run.

    Parameters
    ----------
    n_topics : int ≥ 1 or "auto", default "auto"
        "auto" tries several numbers and keeps the evidence for each in `evidence_`.
    loss : {"frobenius", "kullback-leibler"}
        "frobenius" (default) on tf-idf gives the topics that people find clearest. With
        "kullback-leibler" on counts the model is probabilistic latent semantic analysis (Hofmann
        1999; the equivalence: Gaussier & Goutte 2005, Ding, Li & Peng 2008).
    weighting : {"auto", "tfidf", "counts"}
        "tfidf": (1 + log count) · idf, documents of length 1. "counts": the talk's term
        frequencies. "auto" (default): tfidf for frobenius, counts for kullback-leibler.
    stop_words : {"auto", "english", None} or iterable of str
        Words to leave out. "auto" (default): English ones if the documents look English, else none
        (max_df deals with them).
    bigrams : bool, default False
        Pairs of neighbouring words count as words, too.
    min_df, max_df : "auto", int or float
        Words in fewer (more) documents are left out; a float is a share of the documents. "auto"
        (default) adapts to the size of the corpus: see `topic_words.limits`.
    max_words : int ≥ 1, optional
        Keep the most frequent ones only. Default: all.
    vectorizer : scikit-learn vectorizer, optional
        Makes the matrix instead; the five settings above must then be left at their defaults. Such
        a model cannot be saved to a file.
    seeds : mapping of name to words, optional
        Topics to look for, first in order: each is drawn to its words, and may take up others.
    pinned : mapping of name to {word: weight}, optional
        Topics that stay as they are; `word_weights` of another model gives such weights.
    n_runs : int ≥ 1, default 10
        Runs from different starts; their consensus is what is refined and kept.
    relevance : float in [0, 1], default 0.6
        λ of Sievert & Shirley (2014), by which words are ranked: 1 is by weight, 0 by lift.
    random_state : int, Generator, RandomState or None
    n_threads : int, optional
        Default: all cores. The result has the same bits for any number.

    Attributes
    ----------
    n_topics_ : int
    topic_names_ : list of str
        Topics are in order of size, seeded and pinned ones first.
    vocabulary_ : ndarray of str (n_words,)
    topic_words_ : ndarray (n_topics_, n_words)
        Each row adds up to 1.
    document_topics_ : ndarray (n_documents, n_topics_)
        Shares: each row adds up to 1, or is 0 where no word of the document is known.
    documents_ : DocumentTopics
        The topic of each document: the largest of its shares, the margin to the second, whether
        that is mixed. Nobody is dropped as an outlier.
    document_names_ : tuple of str or None
    n_words_in_ : ndarray of int (n_documents,)
        Known words of each document, repetitions counted.
    word_counts_ : ndarray of float (n_words,)
        How often each word occurs in the corpus.
    matrix_ : sparse (n_documents, n_words) or None
        What was factorized, and `counts_` the same as counts; both None in a loaded model.
    stability_ : ndarray (n_topics_,) or None
        Mean cosine of each topic with its counterparts in the runs.
    coherence_ : ndarray (n_topics_,)
        Mean NPMI of its ten most relevant words over the documents.
    evidence_ : list of NumberEvidence
        With n_topics="auto", one entry for each number that was tried.
    left_out_ : dict of str to int
        What was left out, with the number of documents: "empty", "no known word".

    Examples
    --------
    >>> from nonneg import TopicModel
    >>> docs = ["cats purr", "cats and dogs", "dogs bark"] * 3 + ["rain falls", "rain and snow"] * 3
    >>> model = TopicModel(2, random_state=0).fit(docs)
    >>> [model.documents_[j].topic for j in (0, 1, 9)]
    [0, 0, 1]
    >>> model.top_words(1, 1)[0].word
    'rain'
    """

    n_topics_: int
    topic_names_: list[str]
    vocabulary_: NDArray[Any]
    topic_words_: NDArray[np.float64]
    document_topics_: NDArray[np.float64]
    documents_: DocumentTopics
    document_names_: tuple[str, ...] | None
    stability_: NDArray[np.float64] | None
    coherence_: NDArray[np.float64]
    evidence_: list[NumberEvidence]
    left_out_: dict[str, int]

    def __init__(
        self,
        n_topics: int | Literal["auto"] = "auto",
        *,
        loss: Literal["frobenius", "kullback-leibler"] = "frobenius",
        weighting: Literal["auto", "tfidf", "counts"] = "auto",
        stop_words: Literal["auto", "english"] | Iterable[str] | None = "auto",
        bigrams: bool = False,
        min_df: float | Literal["auto"] = "auto",
        max_df: float | Literal["auto"] = "auto",
        max_words: int | None = None,
        vectorizer: Any = None,
        seeds: Mapping[str, Iterable[str]] | None = None,
        pinned: Mapping[str, Mapping[str, float]] | None = None,
        n_runs: int = 10,
        relevance: float = 0.6,
        random_state: RandomState = None,
        n_threads: int | None = None,
    ) -> None:
        self.n_topics = n_topics
        self.loss = loss
        self.weighting = weighting
        self.stop_words = stop_words
        self.bigrams = bigrams
        self.min_df = min_df
        self.max_df = max_df
        self.max_words = max_words
        self.vectorizer = vectorizer
        self.seeds = seeds
        self.pinned = pinned
        self.n_runs = n_runs
        self.relevance = relevance
        self.random_state = random_state
        self.n_threads = n_threads

    def fit(
        self,
        documents: object,
        y: object = None,
        *,
        vocabulary: Sequence[str] | None = None,
        names: Sequence[str] | None = None,
    ) -> Self:
        """Find the topics of documents.

        Parameters
        ----------
        documents : Documents, list of str, series, frame with one column, or sparse matrix
            Texts; or counts (n_documents, n_words), which need the vocabulary.
        y : ignored
        vocabulary : sequence of str, optional
            The word of each column of a matrix.
        names : sequence of str, optional
            A name for each document.

        Raises
        ------
        InputError
            Documents or settings that cannot be used; the message says what to do.
        """
        raise NotImplementedError

    def transform(self, documents: object) -> NDArray[np.float64]:
        """Return the shares of the topics in documents, new or old, (n_documents, n_topics_).

        Each row adds up to 1, or is 0 where no word is known. Fitted documents get the shares of
        the fit, up to the tolerance of its last step.
        """
        raise NotImplementedError

    def assign(self, documents: object) -> DocumentTopics:
        """Return the topic of each document with its margin, as `documents_` is for the fitted."""
        raise NotImplementedError

    def topics(self, n_words: int = 10) -> Ranking[Topic]:
        """Return the table of topics, largest first; `.to_frame()` makes it a frame."""
        raise NotImplementedError

    def top_words(
        self, topic: int | str, n: int = 10, *, by: Order = "relevance"
    ) -> Ranking[TopicWord]:
        """Return the words of a topic (its number or name), best first.

        Only words that the topic holds are listed: fewer than n where it holds fewer.

        Raises
        ------
        UnknownNameError
            There is no such topic.
        """
        raise NotImplementedError

    def word_weights(self, topic: int | str) -> dict[str, float]:
        """Return the weights of the words of a topic, as `pinned` takes them; they add up to 1."""
        raise NotImplementedError

    def representatives(self, topic: int | str, n: int = 3) -> Ranking[Representative]:
        """Return the fitted documents that the topic carries most."""
        raise NotImplementedError

    def words_of(
        self, document: int | str, topic: int | str | None = None, n: int | None = 10
    ) -> Ranking[DocumentWord]:
        """Return the words of a document that carry its topic, the strongest first.

        Parameters
        ----------
        document : int or str
            The position of a fitted document, or a text.
        topic : int or str, optional
            Default: the document's largest topic.
        n : int or None, default 10
            None: all; their contributions add up to the document's share of the topic.
        """
        raise NotImplementedError

    def by_class(self, labels: Sequence[object] | None = None) -> Ranking[GroupShare]:
        """Return the mean share of each topic among the documents of each label.

        Labels default to those of the `Documents` that were fitted.
        """
        raise NotImplementedError

    def over_time(
        self, times: Sequence[object] | None = None, *, n_periods: int = 10
    ) -> Ranking[GroupShare]:
        """Return the mean share of each topic in each of n periods of equal length.

        Times (numbers, dates, or texts that are ISO dates) default to those of the `Documents`.
        """
        raise NotImplementedError

    def merge(self, topics: Sequence[int | str], name: str | None = None) -> TopicModel:
        """Return a model in which these topics are one; nothing else changes.

        A document's share of the new topic is the sum of its shares of the old ones, new documents
        included.
        """
        raise NotImplementedError

    def rename(self, topic: int | str, name: str) -> Self:
        """Call a topic by another name."""
        raise NotImplementedError

    def tree(self, n_topics: Sequence[int] | None = None) -> Ranking[Flow]:
        """Return how documents go from k topics to the next larger number, a row for each flow.

        Numbers default to 2 … n_topics_. Needs the documents of the fit.
        """
        raise NotImplementedError

    def to_record(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Return what a model file holds: settings and vocabulary; topics and shares."""
        raise NotImplementedError

    @classmethod
    def from_record(
        cls, meta: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]
    ) -> TopicModel:
        """Return the model of a record."""
        raise NotImplementedError
