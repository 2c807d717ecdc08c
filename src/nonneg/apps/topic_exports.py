"""A topic model in the words of other tools: pyLDAvis, topicwizard, and plain rows.

Viewers made for LDA expect distributions: rows that add up to 1, and no document or word without
any. A factorization gives neither by itself, which is why they refuse it; what is handed over here
is normalized, and documents without a known word are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypedDict

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from nonneg.apps.topic_results import DocumentTopics
from nonneg.apps.topic_source import texts_of
from nonneg.apps.topics import TopicModel
from nonneg.errors import InputError

__all__ = [
    "PyLDAvis",
    "TopicData",
    "document_rows",
    "to_pyldavis",
    "to_topicwizard",
    "word_rows",
]

_TRACE = 1e-9  # of the corpus in each topic: pyLDAvis takes logarithms of all weights


class PyLDAvis(TypedDict):
    """The arguments of `pyLDAvis.prepare`.

    Attributes
    ----------
    topic_term_dists : ndarray (n_topics, n_words)
        Positive; each row adds up to 1.
    doc_topic_dists : ndarray (n_documents, n_topics)
        Of the documents with a known word; each row adds up to 1.
    doc_lengths : ndarray of int (n_documents,)
    vocab : list of str
    term_frequency : ndarray (n_words,)
    """

    topic_term_dists: NDArray[np.float64]
    doc_topic_dists: NDArray[np.float64]
    doc_lengths: NDArray[Any]
    vocab: list[str]
    term_frequency: NDArray[np.float64]


def to_pyldavis(model: TopicModel) -> PyLDAvis:
    """Return what `pyLDAvis.prepare` takes: `pyLDAvis.prepare(**to_pyldavis(model))`.

    Parameters
    ----------
    model : TopicModel
        Fitted, or loaded.

    Returns
    -------
    PyLDAvis
        A dict of its five arguments. Topics are in the order of the model only with
        `sort_topics=False`.

    Examples
    --------
    >>> from nonneg import TopicModel
    >>> from nonneg.apps.topic_exports import to_pyldavis
    >>> docs = ["cats purr", "cats and dogs", "dogs bark"] * 3 + ["rain falls", "rain and snow"] * 3
    >>> arguments = to_pyldavis(TopicModel(2, random_state=0).fit(docs))
    >>> arguments["topic_term_dists"].sum(axis=1).round(6).tolist()
    [1.0, 1.0]
    """
    counts = np.maximum(np.asarray(model.word_counts_, dtype=np.float64), _TRACE)
    topics = np.asarray(model.topic_words_) + _TRACE * counts / counts.sum()
    shares = np.asarray(model.document_topics_)
    known = shares.sum(axis=1) > 0
    return {
        "topic_term_dists": topics / topics.sum(axis=1, keepdims=True),
        "doc_topic_dists": shares[known] / shares[known].sum(axis=1, keepdims=True),
        "doc_lengths": np.asarray(model.n_words_in_)[known],
        "vocab": [str(word) for word in model.vocabulary_],
        "term_frequency": counts,
    }


class TopicData(TypedDict):
    """What topicwizard shows, under the names of its `TopicData`.

    The matrices are `csr_matrix`, since its map of documents takes no `csr_array`. Positions are
    left to topicwizard, which computes those that it does not find.
    """

    corpus: list[str]
    vocab: NDArray[Any]
    document_term_matrix: scipy.sparse.csr_matrix[Any]
    document_topic_matrix: NDArray[np.float64]
    topic_term_matrix: NDArray[np.float64]
    document_representation: scipy.sparse.csr_matrix[Any]
    transform: Callable[[Any], NDArray[np.float64]]
    topic_names: list[str]


def to_topicwizard(model: TopicModel, documents: object) -> TopicData:
    """Return topicwizard's `TopicData`: `topicwizard.visualize(topic_data=...)`.

    Parameters
    ----------
    model : TopicModel
        Fitted, not loaded from a file, which does not hold the matrix.
    documents : Documents or sequence of str
        The texts that it was fitted to. Those without a known word are left out.

    Raises
    ------
    InputError
        The model was loaded, or was fitted to other documents.
    """
    texts = texts_of(documents)
    counts, matrix = model.counts_, model.matrix_
    if counts is None or matrix is None:
        raise InputError(
            "this TopicModel was loaded from a file · a file does not hold the counts of words "
            "that topicwizard shows · fit it again"
        )
    if len(texts) != counts.shape[0]:
        raise InputError(
            f"{len(texts)} documents · the model was fitted to {counts.shape[0]} · give the same"
        )
    known = np.flatnonzero(model.document_topics_.any(axis=1)).tolist()
    return {
        "corpus": [texts[row] for row in known],
        "vocab": np.array([str(word) for word in model.vocabulary_]),
        "document_term_matrix": scipy.sparse.csr_matrix(counts[known]),
        "document_topic_matrix": model.document_topics_[known],
        "topic_term_matrix": model.topic_words_,
        "document_representation": scipy.sparse.csr_matrix(matrix[known]),
        "transform": model.transform,
        "topic_names": list(model.topic_names_),
    }


def document_rows(
    topics: DocumentTopics,
    shares: NDArray[np.float64],
    groups: NDArray[np.intp],
    labels: Sequence[object] | None = None,
) -> list[dict[str, Any]]:
    """Return a row for each document, as a table has it; topics are numbered from 1.

    Parameters
    ----------
    topics : DocumentTopics
        Of a fit, or of `assign`.
    shares : ndarray (n_documents, n_topics)
    groups : ndarray of int (n_documents,)
        Of `TopicModel.groups`.
    labels : sequence, optional
        What was predicted; tags are joined by "|".
    """
    rows = []
    for at, found in enumerate(topics):
        row: dict[str, Any] = {
            "document": found.document if topics.documents is not None else at + 1,
            "topic": found.topic + 1 if found.topic >= 0 else None,
            "name": found.name or None,
            "share": found.share,
            "margin": found.margin,
            "second": found.second + 1 if found.second >= 0 else None,
            "mixed": found.mixed,
            "group": int(groups[at]) + 1 if groups[at] >= 0 else None,
        }
        if labels is not None:
            label = labels[at]
            row["label"] = "|".join(label) if isinstance(label, tuple) else str(label)
        row |= {f"topic {t + 1}": float(share) for t, share in enumerate(shares[at])}
        rows.append(row)
    return rows


def word_rows(model: TopicModel, n: int = 50) -> list[dict[str, Any]]:
    """Return the n most relevant words of each topic as rows; topics are numbered from 1."""
    return [
        {
            "topic": topic + 1,
            "name": name,
            "rank": rank,
            "word": found.word,
            "weight": found.weight,
            "relevance": found.relevance,
            "lift": found.lift,
        }
        for topic, name in enumerate(model.topic_names_)
        for rank, found in enumerate(model.top_words(topic, n), start=1)
    ]
