"""Documents in, topics that a person can name out: `TopicModel`.

Words × documents as in the talk, the matrix being a document-term matrix X ≈ W H: each row of H is
a topic, each row of W says how much of every topic a document holds. `topic_words.py` has the way
from texts to X, `topic_fit.py` the runs, `topic_results.py` what comes out.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from nonneg.apps.rankings import Ranking
from nonneg.apps.topic_company import company_of, group_evidence, grouped
from nonneg.apps.topic_fit import (
    Fitted,
    Guides,
    Matrix,
    by_size,
    check_number,
    fit_topics,
    guides_of,
    one_blas_thread,
)
from nonneg.apps.topic_groups import class_shares, flows, period_shares
from nonneg.apps.topic_measures import npmi
from nonneg.apps.topic_number import candidates, weigh_numbers
from nonneg.apps.topic_record import from_parts, to_parts
from nonneg.apps.topic_results import (
    DocumentTopics,
    DocumentWord,
    Flow,
    GroupShare,
    NumberEvidence,
    Representative,
    Topic,
    TopicWord,
    largest,
)
from nonneg.apps.topic_source import TopicSource, check_settings, left_out, open_source
from nonneg.apps.topic_words import COMPANY_WORDS, Order, WordRanks, word_ranks
from nonneg.core.factorize import RandomState, as_generator, solve_left, whole_number
from nonneg.errors import InputError, UnknownNameError
from nonneg.io.documents import Documents
from nonneg.shown import Shown

__all__ = ["TopicModel"]

# Known words' worth of doubt about a document that is to stand for a topic.
_SHORT = 20.0
# Levels of a topic tree, unless asked otherwise.
_LEVELS = 10


class TopicModel(Shown, TransformerMixin, BaseEstimator):  # type: ignore[misc]
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
        The first starts from the singular value decomposition, without any random number, and is
        what is kept: the same topics on every run, whatever the random state. The others start at
        random and say how stable each topic is. With seeds or pins all start at random, and the
        best is kept.
    relevance : float in [0, 1], default 0.6
        λ of Sievert & Shirley (2014), by which words are ranked: 1 is by weight, 0 by lift. The
        twenty most relevant words are then ordered by the company they keep (see `top_words`).
    random_state : int, Generator, RandomState or None, default 0
        Concerns the random starts: stability, evidence for a number, seeded topics.
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
        How often each word occurs in the corpus, against which lift is taken.
    company_ : ndarray (n_topics_, n_words)
        Of the most relevant words: how much each occurs in the same documents as the first ten.
    evidence_of_words_ : ndarray (n_components, n_words)
        What each word says for each group, for `groups`.
    counts_, matrix_ : sparse (n_documents, n_words) or None
        The counts, and what was factorized; both None in a loaded model.
    components_ : ndarray (n_components, n_words)
        H, and groups_ (n_components,) the topic of each row: merged topics have several.
    weights_ : ndarray (n_documents, n_components)
        W.
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
    source_: TopicSource
    components_: NDArray[np.float64]
    weights_: NDArray[np.float64]
    groups_: NDArray[np.intp]
    n_words_in_: NDArray[np.int64]
    word_counts_: NDArray[np.float64]
    company_: NDArray[np.float64]
    evidence_of_words_: NDArray[np.float64]
    counts_: Matrix | None
    matrix_: Matrix | None
    labels_: Sequence[object] | None
    times_: Sequence[object] | None
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
        random_state: RandomState = 0,
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
            Texts; or counts (n_documents, n_words), which need the vocabulary. A matrix with
            fractions is taken as weighted already.
        y : ignored
        vocabulary : sequence of str, optional
            The word of each column of a matrix.
        names : sequence of str, optional
            A name for each document.

        Returns
        -------
        TopicModel
            Itself. The order of the documents makes no difference but for rounding.

        Raises
        ------
        InputError
            Documents or settings that cannot be used; the message says what to do.
        """
        check_settings(self)
        rng, _ = as_generator(self.random_state)
        corpus = open_source(documents, self, vocabulary)
        source, counts = corpus.source, corpus.counts
        if not counts.nnz:
            raise InputError(
                f"none of the {counts.shape[0]} document(s) has a word of the vocabulary · nothing "
                "can be learned · pass other documents"
            )
        X = source.weighted(counts)
        known = X[np.flatnonzero(np.diff(X.indptr))]
        guides = guides_of(self.seeds, self.pinned, source.vocabulary)
        self.evidence_ = []
        if isinstance(self.n_topics, str):
            numbers = [k for k in candidates(*known.shape) if k >= guides.n_topics]
            with one_blas_thread():
                self.evidence_ = weigh_numbers(
                    known,
                    numbers or [guides.n_topics],
                    loss=self.loss,
                    rng=rng,
                    n_threads=self.n_threads,
                )
            n_topics = next(one.n_topics for one in self.evidence_ if one.chosen)
        else:
            n_topics = self.n_topics
        check_number(n_topics, known.shape, guides)
        fitted = self._fitted(X, n_topics, guides, rng)
        self.source_ = source
        self.vocabulary_ = source.vocabulary
        self.counts_, self.matrix_ = counts, X
        self.n_words_in_ = np.asarray(counts.sum(axis=1)).ravel().astype(np.int64)
        self.word_counts_ = np.asarray(counts.sum(axis=0)).ravel()
        self._texts = corpus.texts
        self._remember(documents, names, counts.shape[0])
        self.left_out_ = left_out(documents, corpus)
        n_guided = guides.n_topics
        order = np.concatenate(
            [np.arange(n_guided), n_guided + by_size(fitted.W[:, n_guided:])]
        ).astype(np.intp)
        # In one layout, that of model files: another rounds sums otherwise.
        self.components_ = np.ascontiguousarray(fitted.H[order])
        self.weights_ = np.ascontiguousarray(fitted.W[:, order])
        self.groups_ = np.arange(n_topics)
        self.stability_ = None if fitted.stability is None else fitted.stability[order]
        self.topic_names_ = [*guides.names, *[""] * (n_topics - n_guided)]
        self._settle()
        self.evidence_of_words_ = group_evidence(X, self.documents_.topic, n_topics)
        return self

    def transform(self, documents: object) -> NDArray[np.float64]:
        """Return the shares of the topics in documents, new or old, (n_documents, n_topics_).

        Each row adds up to 1, or is 0 where no word is known. Fitted documents get the shares of
        the fit.

        Parameters
        ----------
        documents : as for `fit`
            A matrix needs the columns of the fit.

        Raises
        ------
        NotFittedError
            Before `fit`.
        InputError
            They are no documents, or the matrix has other columns.
        """
        return self._shares(self.weigh(documents))

    def weigh(self, documents: object) -> NDArray[np.float64]:
        """Return W of documents, (n_documents, n_components): X ≈ W `components_` at its optimum.

        `transform` turns it into shares of topics.
        """
        check_is_fitted(self)
        return self._solve(self.source_.weighted(self.source_.counts(documents)))

    def assign(self, documents: object) -> DocumentTopics:
        """Return the topic of each document with its margin, as `documents_` is for the fitted."""
        shares = self.transform(documents)
        names = documents.names if isinstance(documents, Documents) else None
        return largest(shares, self.topic_names_, names)

    def topics(self, n_words: int = 10) -> Ranking[Topic]:
        """Return the table of topics; `.to_frame()` makes it a frame.

        Examples
        --------
        >>> from nonneg import TopicModel
        >>> model = TopicModel(1).fit(["cats purr", "cats sleep"])
        >>> model.topics(1)[0].words
        ('cats',)
        """
        check_is_fitted(self)
        n_words = whole_number("n_words", n_words)
        mass = self.document_topics_.sum(axis=0)
        found = self.documents_
        rows = [
            Topic(
                topic=t,
                name=self.topic_names_[t],
                words=self._words(t, n_words, "company"),
                by_weight=self._words(t, n_words, "weight"),
                by_lift=self._words(t, n_words, "lift"),
                documents=int((found.topic == t).sum()),
                mixed=int((found.mixed & (found.topic == t)).sum()),
                share=float(mass[t] / max(mass.sum(), 1e-300)),
                coherence=float(self.coherence_[t]),
                stability=None if self.stability_ is None else float(self.stability_[t]),
            )
            for t in range(self.n_topics_)
        ]
        return Ranking(rows, Topic)

    def top_words(
        self, topic: int | str, n: int = 10, *, by: Order = "company"
    ) -> Ranking[TopicWord]:
        """Return the words of a topic (its number or name), best first.

        Parameters
        ----------
        topic : int or str
        n : int ≥ 1, default 10
            Only words that the topic holds are listed: fewer where it holds fewer.
        by : {"company", "relevance", "weight", "lift"}
            "company" (default): of the twenty most relevant words, those first that occur in the
            same documents as the others; then the rest by relevance. "relevance": that of Sievert &
            Shirley (2014) alone. "lift": only words with at least a tenth of the weight of the
            topic's hundredth word, or all would be rare ones.

        Raises
        ------
        UnknownNameError
            There is no such topic.
        """
        check_is_fitted(self)
        if by not in ("company", "relevance", "weight", "lift"):
            raise InputError(
                f'by={by!r} · it is "company", "relevance", "weight" or "lift" · choose one'
            )
        t = self._number(topic)
        ranks = self._ranks(t)
        best = ranks.best(by, whole_number("n", n))
        rows = [
            TopicWord(
                str(self.vocabulary_[w]),
                float(self.topic_words_[t, w]),
                float(ranks.relevance[w]),
                float(ranks.lift[w]),
            )
            for w in best
        ]
        return Ranking(rows, TopicWord)

    def word_weights(self, topic: int | str) -> dict[str, float]:
        """Return the weights of the words of a topic, as `pinned` takes them; they add up to 1."""
        check_is_fitted(self)
        row = self.topic_words_[self._number(topic)]
        return {str(self.vocabulary_[w]): float(row[w]) for w in np.flatnonzero(row)}

    def representatives(self, topic: int | str, n: int = 3) -> Ranking[Representative]:
        """Return the fitted documents that stand for a topic, best first.

        They are ranked by the topic's share of them, less for documents of few words. The texts are
        there where texts were fitted, and the model was not loaded from a file.
        """
        check_is_fitted(self)
        t = self._number(topic)
        mine = np.flatnonzero(self.documents_.topic == t)
        length = self.n_words_in_[mine]
        share = self.document_topics_[mine, t]
        order = np.argsort(-share * length / (length + _SHORT), kind="stable")
        rows = [
            Representative(
                self.documents_[int(j)].document,
                float(self.document_topics_[j, t]),
                None if self._texts is None else self._texts[j],
            )
            for j in mine[order[: whole_number("n", n)]]
        ]
        return Ranking(rows, Representative)

    def words_of(
        self, document: int | str, topic: int | str | None = None, n: int | None = 10
    ) -> Ranking[DocumentWord]:
        """Return the words of a document that carry its topic, the strongest first.

        At the optimum the weight of a topic in a document is a sum over the document's words: with
        frobenius each adds x·h, with kullback-leibler x·w·h/(WH), the word's probability of coming
        from the topic; in units of the document's share of the topic.

        Parameters
        ----------
        document : int or str
            The position of a fitted document, or a text.
        topic : int or str, optional
            Default: the document's largest topic.
        n : int or None, default 10
            None: all; their contributions add up to the document's share of the topic.

        Raises
        ------
        InputError
            No such document; or a position, and the model was loaded from a file, which holds no
            documents.
        """
        check_is_fitted(self)
        x, w = self._document(document)
        shares = self._shares(w)[0]
        if not x.nnz:
            return Ranking([], DocumentWord)
        t = int(np.argmax(shares)) if topic is None else self._number(topic)
        inside = self.groups_ == t
        parts = w[0, inside] @ self.components_[inside][:, x.indices]
        # Frobenius weighs a word by what the topic makes of it, Kullback–Leibler by its part in
        # what all topics make of it.
        carried = x.data * parts
        if self.loss == "kullback-leibler":
            whole = w[0] @ self.components_[:, x.indices]
            carried = np.divide(carried, whole, out=np.zeros_like(carried), where=whole > 0)
        total = carried.sum()
        carried = carried * (shares[t] / total) if total > 0 else np.zeros_like(carried)
        order = [at for at in np.argsort(-carried, kind="stable") if carried[at] > 0]
        if n is not None:
            order = order[: whole_number("n", n)]
        rows = [
            DocumentWord(str(self.vocabulary_[x.indices[at]]), float(carried[at])) for at in order
        ]
        return Ranking(rows, DocumentWord)

    def groups(self, documents: object = None) -> NDArray[np.intp]:
        """Return one group for each document, when it has to be in exactly one.

        Groups begin as the largest topics and are then told apart by all words, also by small ones
        that a topic does not mind: complement naive Bayes, until no document moves. They agree
        better with classes that people made than the largest share alone, which is about how much
        of a document a topic carries.

        Parameters
        ----------
        documents : as for `transform`, optional
            Default: those of the fit.

        Returns
        -------
        ndarray of int (n_documents,)
            Numbers of topics; -1 where no word of the document is known.

        Raises
        ------
        InputError
            Without documents, of a model that was loaded from a file, which holds none.

        References
        ----------
        Rennie, J. D. M. et al. (2003), Tackling the poor assumptions of naive Bayes text
        classifiers, ICML; Celeux, G. & Govaert, G. (1992), A classification EM algorithm for
        clustering and two stochastic versions, CSDA 14.
        """
        check_is_fitted(self)
        if documents is not None:
            X = self.source_.weighted(self.source_.counts(documents))
        elif self.matrix_ is None:
            raise self._no_documents("groups without documents")
        else:
            X = self.matrix_
        found = grouped(X, self.evidence_of_words_)
        return np.where(found >= 0, self.groups_[found], -1)

    def by_class(self, labels: Sequence[object] | None = None) -> Ranking[GroupShare]:
        """Return the mean share of each topic among the documents of each label.

        Labels default to those of the `Documents` that were fitted.
        """
        check_is_fitted(self)
        given = self.labels_ if labels is None else list(labels)
        if given is None:
            raise InputError(
                "the documents came without labels · there are no classes to tell apart · pass "
                "labels=, one for each document"
            )
        return class_shares(self.document_topics_, self.topic_names_, given)

    def over_time(
        self, times: Sequence[object] | None = None, *, n_periods: int = 10
    ) -> Ranking[GroupShare]:
        """Return the mean share of each topic in each of n periods of equal length.

        Times (numbers, dates, or texts that are ISO dates) default to those of the `Documents`.
        Periods are named by their starts; those without documents are left out.
        """
        check_is_fitted(self)
        given = self.times_ if times is None else list(times)
        if given is None:
            raise InputError(
                "the documents came without times · there are no periods to tell apart · pass "
                "times=, one for each document"
            )
        n_periods = whole_number("n_periods", n_periods)
        return period_shares(self.document_topics_, self.topic_names_, given, n_periods)

    def merge(self, topics: Sequence[int | str], name: str | None = None) -> TopicModel:
        """Return a model in which these topics are one; nothing else changes.

        A document's share of the new topic is the sum of its shares of the old ones, new documents
        included. It takes the place of the first of them.
        """
        check_is_fitted(self)
        together = sorted({self._number(topic) for topic in topics})
        if len(together) < 2:
            raise InputError(
                f"merge was given {len(together)} different topic(s) · it takes two or more · name "
                "them by number or name"
            )
        first, others = together[0], together[1:]
        kept = [t for t in range(self.n_topics_) if t not in others]
        place = np.array([kept.index(first if t in others else t) for t in range(self.n_topics_)])
        model = copy.copy(self)
        model.groups_ = place[self.groups_]
        model.topic_names_ = [
            ("" if name is None else name) if t == first else self.topic_names_[t] for t in kept
        ]
        at = kept.index(first)
        if self.stability_ is not None:
            model.stability_ = self.stability_[kept]
            model.stability_[at] = self.stability_[together].mean()
        if self.matrix_ is not None:
            model._settle()
        else:
            # Without the documents, what is known of the parts.
            model.coherence_, model.company_ = self.coherence_[kept], self.company_[kept]
            model.coherence_[at] = self.coherence_[together].mean()
            model.company_[at] = self.company_[together].max(axis=0)
            model._derive()
        return model

    def rename(self, topic: int | str, name: str) -> Self:
        """Call a topic by another name."""
        check_is_fitted(self)
        if not isinstance(name, str) or not name.strip():
            raise InputError(f"name={name!r} · a topic is called by a text · give one")
        self.topic_names_[self._number(topic)] = name
        self._derive()
        return self

    def tree(self, n_topics: Sequence[int] | None = None) -> Ranking[Flow]:
        """Return how documents go from k topics to the next larger number, a row for each flow.

        Each number of topics is fitted by itself, as this model was.

        Parameters
        ----------
        n_topics : sequence of int, optional
            In rising order. Default: 2 to n_topics_, at most ten steps.

        Raises
        ------
        InputError
            The model was loaded from a file, which holds no documents.
        """
        check_is_fitted(self)
        X = self.matrix_
        if X is None:
            raise self._no_documents("tree")
        last = max(self.n_topics_, 2)
        numbers = list(range(2, last + 1))[-_LEVELS:] if n_topics is None else list(n_topics)
        if sorted(set(numbers)) != numbers or not numbers:
            raise InputError(
                f"n_topics={numbers} · a tree goes from few topics to many · give rising numbers"
            )
        guides = guides_of(self.seeds, self.pinned, self.vocabulary_)
        levels = []
        for k in numbers:
            if k == self.n_topics_:
                levels.append((self.documents_.topic, list(self.topic_names_)))
                continue
            level = copy.copy(self)
            rng, _ = as_generator(copy.deepcopy(self.random_state))
            check_number(k, X.shape, guides)
            fitted = self._fitted(X, k, guides, rng)
            level.components_, level.weights_ = fitted.H, fitted.W
            level.groups_ = np.arange(k)
            level.topic_names_ = [*guides.names, *[""] * (k - guides.n_topics)]
            level._settle()
            levels.append((level.documents_.topic, level.topic_names_))
        return flows(levels)

    def to_record(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Return what a model file holds: settings and vocabulary; topics and shares.

        The documents themselves stay out of it.

        Raises
        ------
        InputError
            It is not fitted, or has a vectorizer of your own, which only unpickling could restore.
        """
        return to_parts(self)

    @classmethod
    def from_record(cls, meta: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> TopicModel:
        """Return the model of a record.

        Raises
        ------
        KeyError, TypeError, ValueError
            A part is missing, or the parts contradict one another.
        """
        model = from_parts(cls, meta, arrays)
        model._derive()
        return model

    # --- what the fit and the verbs share -------------------------------------------------------

    def _fitted(self, X: Matrix, n_topics: int, guides: Guides, rng: np.random.Generator) -> Fitted:
        return fit_topics(
            X,
            n_topics,
            loss=self.loss,
            n_runs=self.n_runs,
            guides=guides,
            rng=rng,
            n_threads=self.n_threads,
        )

    def _remember(self, documents: object, names: Sequence[str] | None, n: int) -> None:
        """Keep what is known of the documents besides their words."""
        read = documents if isinstance(documents, Documents) else None
        self.labels_ = None if read is None else read.labels
        self.times_ = None if read is None else read.times
        if names is None:
            names = None if read is None else read.names
        if names is not None and len(names) != n:
            raise InputError(
                f"{len(names)} names were given · there are {n} documents · give one for each"
            )
        self.document_names_ = None if names is None else tuple(str(name) for name in names)

    def _settle(self) -> None:
        """Work out all that follows from topics and documents, which are there."""
        self._weigh_words()
        no_company = np.zeros(self.topic_words_.shape)
        ranked = [
            word_ranks(words, self.word_counts_, self.relevance, none).best(
                "relevance", COMPANY_WORDS
            )
            for words, none in zip(self.topic_words_, no_company, strict=True)
        ]
        self.company_ = company_of(self.matrix_, ranked)
        self._derive()
        listed = [self._words(t, 10, "company") for t in range(self.n_topics_)]
        self.coherence_ = npmi(listed, self.counts_, window=None, vocabulary=list(self.vocabulary_))

    def _weigh_words(self) -> None:
        """Work out the words of the topics; merged ones have those of their parts by size."""
        mass = self.weights_.sum(axis=0) * self.components_.sum(axis=1)
        # A topic without documents still has words.
        mass = np.where(mass > 0, mass, 1e-12)
        phi = self.components_ / np.maximum(self.components_.sum(axis=1, keepdims=True), 1e-300)
        words = np.zeros((len(self.topic_names_), phi.shape[1]))
        np.add.at(words, self.groups_, phi * mass[:, None])
        self.topic_words_ = words / np.maximum(words.sum(axis=1, keepdims=True), 1e-300)

    def _derive(self) -> None:
        """Work out all that follows from components, weights, groups, names and company."""
        self._weigh_words()
        self.n_topics_ = len(self.topic_names_)
        shares = self._shares(self.weights_)
        taken = set(self.topic_names_)
        for t, name in enumerate(self.topic_names_):
            if not name:
                said = ", ".join(self._words(t, 3, "company")) or "no words"
                again = 2
                name = said
                while name in taken:
                    name, again = f"{said} ({again})", again + 1
                self.topic_names_[t] = name
                taken.add(name)
        self.document_topics_ = shares
        self.documents_ = largest(shares, self.topic_names_, self.document_names_)

    def _shares(self, W: NDArray[np.float64]) -> NDArray[np.float64]:
        shares = np.zeros((len(W), len(self.topic_names_)))
        np.add.at(shares.T, self.groups_, W.T)
        total = shares.sum(axis=1, keepdims=True)
        return np.asarray(np.divide(shares, total, out=shares, where=total > 0))

    def _solve(self, X: Matrix) -> NDArray[np.float64]:
        W = np.zeros((X.shape[0], len(self.components_)))
        known = np.flatnonzero(np.diff(X.indptr))
        if known.size:
            with one_blas_thread():
                W[known] = solve_left(
                    X[known], self.components_, loss=self.loss, n_threads=self.n_threads
                )
        return W

    def _document(self, document: int | str) -> tuple[Matrix, NDArray[np.float64]]:
        """Return the row of one document, and its weights."""
        if isinstance(document, str):
            x = self.source_.weighted(self.source_.counts([document]))
            return x, self._solve(x)
        if self.matrix_ is None:
            raise self._no_documents("words_of a position")
        n = self.matrix_.shape[0]
        if isinstance(document, bool) or not isinstance(document, (int, np.integer)):
            raise InputError(
                f"document={document!r} · it is a position or a text · give one of these"
            )
        if not -n <= document < n:
            raise InputError(
                f"document={document} · positions go from 0 to {n - 1} · give one of these, or a "
                "text"
            )
        at = int(document) % n
        return self.matrix_[[at]], self.weights_[[at]]

    def _no_documents(self, what: str) -> InputError:
        return InputError(
            f"{what} needs the documents · this model was loaded from a file, which holds none · "
            "pass a text, or fit again"
        )

    def _words(self, t: int, n: int, by: Order) -> tuple[str, ...]:
        return tuple(str(self.vocabulary_[w]) for w in self._ranks(t).best(by, n))

    def _ranks(self, t: int) -> WordRanks:
        return word_ranks(self.topic_words_[t], self.word_counts_, self.relevance, self.company_[t])

    def _number(self, topic: int | str) -> int:
        if isinstance(topic, str):
            if topic in self.topic_names_:
                return self.topic_names_.index(topic)
            raise UnknownNameError(
                f"there is no topic {topic!r} · they are {'; '.join(self.topic_names_[:5])}"
                f"{' …' if self.n_topics_ > 5 else ''} · use one of these, or a number"
            )
        if isinstance(topic, bool) or not isinstance(topic, (int, np.integer)):
            raise InputError(f"topic={topic!r} · it is a number or a name · give one of these")
        if not 0 <= topic < self.n_topics_:
            raise UnknownNameError(
                f"there is no topic {topic} · their numbers go from 0 to {self.n_topics_ - 1}"
            )
        return int(topic)
