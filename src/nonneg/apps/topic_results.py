"""What a topic model says: topics, their words, the topic of each document, with what margin.

Plain values by column, which become frames where one is wanted.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from nonneg.apps.rankings import Backend, as_frame

__all__ = [
    "DocumentTopic",
    "DocumentTopics",
    "DocumentWord",
    "Flow",
    "GroupShare",
    "NumberEvidence",
    "Representative",
    "Topic",
    "TopicWord",
    "largest",
]

# A document is mixed where the second topic carries at least this part of what the first does.
_MIXED = 0.5


@dataclass(frozen=True)
class TopicWord:
    """A word of a topic.

    Attributes
    ----------
    word : str
    weight : float
        Its share of the topic's words; those of all words add up to 1.
    relevance : float
        λ·log(weight) + (1 − λ)·log(lift) (Sievert & Shirley 2014).
    lift : float
        weight over the word's share of the whole corpus: 1 is as frequent as anywhere.
    """

    word: str
    weight: float
    relevance: float
    lift: float


@dataclass(frozen=True)
class Topic:
    """A topic as a row of a table.

    Attributes
    ----------
    topic : int
        Its number, from 0; topics go from the largest to the smallest.
    name : str
        As it was named, else its three most relevant words.
    words : tuple of str
        The most relevant words, best first.
    by_weight, by_lift : tuple of str
        The same number of words, by weight and by lift.
    documents : int
        How many documents have it as their largest topic.
    mixed : int
        How many of these have a second topic nearly as large.
    share : float
        Its share of all documents' weight, in [0, 1].
    coherence : float
        Mean NPMI of the pairs of its ten most relevant words over the documents, in [-1, 1].
    stability : float or None
        How surely other runs find it again: mean cosine with its counterparts, in [0, 1]. None
        where only one run was asked for.
    """

    topic: int
    name: str
    words: tuple[str, ...]
    by_weight: tuple[str, ...]
    by_lift: tuple[str, ...]
    documents: int
    mixed: int
    share: float
    coherence: float
    stability: float | None


@dataclass(frozen=True)
class DocumentTopic:
    """The topic of one document.

    Attributes
    ----------
    document : int or str
        Its name where the documents have names, else its position.
    topic : int
        The largest entry of its row of shares; -1 where no word of it is known.
    name : str
        Of the topic; "" where there is none.
    share : float
        The part of the document that the topic carries, in [0, 1].
    margin : float
        share less that of the second topic: 0 is a tie, 1 is nothing but this topic.
    second : int
        The second topic; -1 where there is none.
    mixed : bool
        The second topic carries at least half as much as the first.
    """

    document: int | str
    topic: int
    name: str
    share: float
    margin: float
    second: int
    mixed: bool


@dataclass(frozen=True, eq=False)
class DocumentTopics(Sequence[DocumentTopic]):
    """The topic of each document, in the order of the documents; a sequence of `DocumentTopic`.

    Attributes
    ----------
    topic, second : ndarray of int (n_documents,)
    share, margin : ndarray of float (n_documents,)
    mixed, unknown : ndarray of bool (n_documents,)
        unknown: no word of the document is in the vocabulary, so it has no topic.
    """

    topic: NDArray[np.intp]
    second: NDArray[np.intp]
    share: NDArray[np.float64]
    margin: NDArray[np.float64]
    mixed: NDArray[np.bool_]
    topic_names: tuple[str, ...]
    documents: tuple[str, ...] | None = None

    @property
    def unknown(self) -> NDArray[np.bool_]:
        """Which documents have no known word."""
        return self.topic < 0

    def __len__(self) -> int:
        return self.topic.size

    @overload
    def __getitem__(self, at: int) -> DocumentTopic: ...
    @overload
    def __getitem__(self, at: slice) -> list[DocumentTopic]: ...
    def __getitem__(self, at: int | slice) -> DocumentTopic | list[DocumentTopic]:
        if isinstance(at, slice):
            return [self._row(j) for j in range(*at.indices(len(self)))]
        return self._row(range(len(self))[at])

    def __iter__(self) -> Iterator[DocumentTopic]:
        return (self._row(j) for j in range(len(self)))

    def _row(self, j: int) -> DocumentTopic:
        topic = int(self.topic[j])
        return DocumentTopic(
            j if self.documents is None else self.documents[j],
            topic,
            self.topic_names[topic] if topic >= 0 else "",
            float(self.share[j]),
            float(self.margin[j]),
            int(self.second[j]),
            bool(self.mixed[j]),
        )

    def to_frame(self, backend: Backend = "pandas") -> Any:
        """Return a frame of "pandas", "polars" or "pyarrow" with a row for each document.

        Raises
        ------
        InputError
            There is no such library, or it is not installed.
        """
        return as_frame(list(self), DocumentTopic, backend)


@dataclass(frozen=True)
class Representative:
    """A document that stands for a topic: the topic carries much of it, and it is not short."""

    document: int | str
    share: float
    text: str | None


@dataclass(frozen=True)
class DocumentWord:
    """A word of a document and what it adds to the weight of a topic there, ≥ 0.

    The contributions of all words of a document add up to its share of the topic.
    """

    word: str
    contribution: float


@dataclass(frozen=True)
class GroupShare:
    """How large a topic is among the documents of a class or a period: its mean share of them.

    The shares of all topics in a group add up to 1, where a document of it has a known word.
    """

    group: Any
    topic: int
    name: str
    share: float
    documents: int


@dataclass(frozen=True)
class Flow:
    """How many documents go from a topic among k to one among the next larger number."""

    n_topics: int
    topic: int
    name: str
    n_next: int
    next_topic: int
    next_name: str
    documents: int


@dataclass(frozen=True)
class NumberEvidence:
    """What speaks for a number of topics.

    Attributes
    ----------
    n_topics : int
    stability : float
        Mean over topics of the cosine with their counterparts in other runs, in [0, 1].
    held_out : float
        How well topics learned on half of the words of each document foretell the others: squared
        cosine, 1 is exactly up to scale, 0 not at all.
    coherence : float
        Mean over topics of the NPMI of their ten most relevant words over the documents.
    chosen : bool
    """

    n_topics: int
    stability: float
    held_out: float
    coherence: float
    chosen: bool


def largest(
    shares: NDArray[np.float64], topic_names: Sequence[str], documents: Sequence[str] | None
) -> DocumentTopics:
    """Return the topic of each document: the largest of its shares, the first among equals."""
    n = len(shares)
    known = shares.any(axis=1)
    first = np.where(known, shares.argmax(axis=1), -1)
    rows = np.arange(n)
    share = np.where(known, shares[rows, first], 0.0)
    rest = shares.copy()
    rest[rows, first] = 0.0
    second = rest.argmax(axis=1)
    next_share = rest[rows, second]
    return DocumentTopics(
        topic=first.astype(np.intp),
        second=np.where(known & (next_share > 0), second, -1).astype(np.intp),
        share=share,
        margin=np.where(known, share - next_share, 0.0),
        mixed=known & (next_share >= _MIXED * share),
        topic_names=tuple(topic_names),
        documents=None if documents is None else tuple(documents),
    )
