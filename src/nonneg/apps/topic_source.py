"""Where the document-term matrix comes from, and how new documents get into it.

Three sources: our own words from texts, somebody else's vectorizer, a matrix with its vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.base import clone

from nonneg.apps.topic_words import WordCounter, as_texts, inverse_frequencies, weigh
from nonneg.core.factorize import whole_number
from nonneg.errors import InputError
from nonneg.io.documents import Documents

__all__ = ["Corpus", "TopicSource", "check_settings", "left_out", "open_source"]

Matrix = Any  # scipy sparse CSR (n_documents, n_words)


@dataclass(frozen=True, eq=False)
class TopicSource:
    """What turns documents into rows of the matrix.

    Attributes
    ----------
    vocabulary : ndarray of str (n_words,)
    idf : ndarray (n_words,) or None
        None: counts, or whatever the vectorizer gives, are used as they are.
    words : WordCounter or None
        How texts are counted; None where a vectorizer of the user's does it.
    vectorizer : fitted scikit-learn vectorizer or None
    """

    vocabulary: NDArray[Any]
    idf: NDArray[np.float64] | None
    words: WordCounter | None
    vectorizer: Any = None

    def counts(self, documents: object) -> Matrix:
        """Return the rows of documents before they are weighted.

        Raises
        ------
        InputError
            They are no texts, or a matrix with another number of words.
        """
        if sp.issparse(documents):
            return checked_matrix(documents, len(self.vocabulary))
        texts = texts_of(documents)
        if self.words is not None:
            return self.words.count(texts)
        return checked_matrix(self.vectorizer.transform(texts), len(self.vocabulary))

    def weighted(self, counts: Matrix) -> Matrix:
        """Return what is factorized."""
        return weigh(counts, self.idf)


@dataclass(frozen=True, eq=False)
class Corpus:
    """The documents of a fit: how they are read, the matrix before weighting, the texts if any."""

    source: TopicSource
    counts: Matrix
    texts: Sequence[str] | None


class Settings(Protocol):
    """The settings of a `TopicModel`."""

    n_topics: Any
    n_runs: Any
    relevance: Any
    weighting: Any
    loss: Any
    stop_words: Any
    bigrams: bool
    min_df: Any
    max_df: Any
    max_words: int | None
    vectorizer: Any


def open_source(documents: object, settings: Settings, vocabulary: Sequence[str] | None) -> Corpus:
    """Read the documents of a fit.

    Raises
    ------
    InputError
        Documents or settings that cannot be used.
    """
    if settings.weighting not in ("auto", "tfidf", "counts"):
        raise InputError(
            f'weighting={settings.weighting!r} · it is "auto", "tfidf" or "counts" · choose one'
        )
    if sp.issparse(documents):
        return _matrix(documents, settings, vocabulary)
    if vocabulary is not None:
        raise InputError(
            "vocabulary= goes with a sparse matrix · documents are texts · leave it out, or pass "
            "vectorizer=CountVectorizer(vocabulary=…)"
        )
    texts = texts_of(documents)
    if not texts:
        raise InputError("there are no documents · nothing can be learned · pass some texts")
    if settings.vectorizer is not None:
        return _vectorized(texts, settings)
    words, counts = WordCounter.learn(
        texts,
        stop_words=settings.stop_words,
        bigrams=settings.bigrams,
        min_df=settings.min_df,
        max_df=settings.max_df,
        max_words=settings.max_words,
    )
    idf = inverse_frequencies(counts) if _by_tfidf(settings) else None
    return Corpus(TopicSource(words.vocabulary, idf, words), counts, texts)


def texts_of(documents: object) -> Sequence[str]:
    """Return the texts of `Documents`, or of whatever else holds texts."""
    return documents.texts if isinstance(documents, Documents) else as_texts(documents)


def checked_matrix(matrix: Any, n_words: int) -> Matrix:
    """Return a matrix of words as CSR without stored zeros.

    Raises
    ------
    InputError
        It has another number of columns, or entries that are negative or not finite.
    """
    X = sp.csr_array(matrix, dtype=np.float64, copy=True)
    X.sum_duplicates()
    X.eliminate_zeros()
    if X.shape[1] != n_words:
        raise InputError(
            f"the matrix has {X.shape[1]} columns · the vocabulary has {n_words} words · pass one "
            "column for each word, in the same order"
        )
    if X.nnz and not (np.isfinite(X.data).all() and X.data.min() > 0):
        raise InputError(
            "the matrix has entries that are negative, NaN or infinite · words are counted, or "
            "weighted from 0 · correct them"
        )
    return X


def _by_tfidf(settings: Settings) -> bool:
    if settings.weighting == "auto":
        return bool(settings.loss == "frobenius")
    return bool(settings.weighting == "tfidf")


def _matrix(documents: Any, settings: Settings, vocabulary: Sequence[str] | None) -> Corpus:
    if settings.vectorizer is not None:
        raise InputError(
            "vectorizer= makes a matrix of texts · documents are a matrix already · leave one out"
        )
    if vocabulary is None:
        raise InputError(
            "a sparse matrix was given without its vocabulary · topics are told by words · pass "
            "vocabulary=, as from vectorizer.get_feature_names_out()"
        )
    listed = [str(word) for word in vocabulary]
    if len(set(listed)) < len(listed):
        raise InputError("vocabulary names a word twice · each column has its own · rename one")
    counts = checked_matrix(documents, len(listed))
    if not counts.nnz:
        raise InputError("the matrix has only zeros · nothing can be learned · check its making")
    # Fractions are somebody's weights already.
    is_counts = bool((counts.data == np.floor(counts.data)).all())
    wanted = _by_tfidf(settings) and (is_counts or settings.weighting == "tfidf")
    if wanted and counts.data.min() < 1:
        raise InputError(
            'weighting="tfidf" takes counts · the matrix has fractions · use weighting="counts" to '
            "take them as they are"
        )
    idf = inverse_frequencies(counts) if wanted else None
    words = WordCounter(listed, frozenset(), bigrams=any(" " in word for word in listed))
    return Corpus(TopicSource(words.vocabulary, idf, words), counts, None)


_OWN_SETTINGS: dict[str, object] = {
    "weighting": "auto",
    "stop_words": "auto",
    "bigrams": False,
    "min_df": "auto",
    "max_df": "auto",
    "max_words": None,
}


def _vectorized(texts: Sequence[str], settings: Settings) -> Corpus:
    changed = [name for name, usual in _OWN_SETTINGS.items() if getattr(settings, name) != usual]
    if changed:
        raise InputError(
            f"vectorizer= was given together with {', '.join(changed)} · the vectorizer alone says "
            "which words count, and how much · set that in the vectorizer"
        )
    vectorizer = clone(settings.vectorizer)
    try:
        matrix = vectorizer.fit_transform(texts)
    except ValueError as error:
        raise InputError(
            f"the vectorizer cannot take these documents ({error}) · change its settings, or leave "
            "it out"
        ) from error
    names = cast("Callable[[], Iterable[str]]", vectorizer.get_feature_names_out)()
    vocabulary = np.array([str(name) for name in names], dtype=object)
    counts = checked_matrix(matrix, len(vocabulary))
    return Corpus(TopicSource(vocabulary, None, None, vectorizer), counts, texts)


def check_settings(settings: Settings) -> None:
    """Refuse settings that say nothing, before any work."""
    if settings.loss not in ("frobenius", "kullback-leibler"):
        raise InputError(
            f'loss={settings.loss!r} · topics are found with "frobenius" or "kullback-leibler" · '
            "choose one"
        )
    whole_number("n_runs", settings.n_runs)
    for name in ("n_topics", "max_words"):
        value = getattr(settings, name)
        if not (value is None and name == "max_words") and not (
            value == "auto" and name == "n_topics"
        ):
            whole_number(name, value)
    is_number = isinstance(settings.relevance, (int, float)) and not isinstance(
        settings.relevance, bool
    )
    if not is_number or not 0 <= settings.relevance <= 1:
        raise InputError(
            f"relevance={settings.relevance!r} · it is λ, from 0 (by lift) to 1 (by weight)"
        )


def left_out(documents: object, corpus: Corpus) -> dict[str, int]:
    """Count what has no part in the topics, by reason."""
    found = dict(documents.left_out) if isinstance(documents, Documents) else {}
    nothing = int((np.diff(corpus.counts.indptr) == 0).sum())
    empty = 0 if corpus.texts is None else sum(not text.strip() for text in corpus.texts)
    for reason, number in (("empty", empty), ("no known word", nothing - empty)):
        if number:
            found[reason] = found.get(reason, 0) + number
    return found
