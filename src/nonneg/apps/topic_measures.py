"""How coherent topics are, how different from one another, and how a grouping agrees with labels.

Coherence is that of Röder, Both & Hinneburg (2015): NPMI and C_V over windows that slide along the
texts, and UMass (Mimno et al. 2011) over documents. The numbers are those of gensim's
CoherenceModel to rounding, its way of sliding included (see `_presence`), but words are looked at
as intervals of windows: 50 topics on 2,225 news items take .3 s
instead of 9. Words that occur nowhere are left
out, and what cannot be measured is 0, so that nothing here is ever NaN.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
import scipy.optimize
import scipy.sparse
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score
from sklearn.metrics.cluster import contingency_matrix

from nonneg.errors import InputError

__all__ = [
    "GroupingScores",
    "c_v",
    "grouping_scores",
    "matched_accuracy",
    "npmi",
    "purity",
    "topic_diversity",
    "u_mass",
]

Topics = Sequence[Sequence[str]]
Tokens = Any  # sequence of sequence of str, or a sparse matrix
FloatVector = NDArray[np.float64]

_SMALL = 1e-12  # what is added to a probability before its logarithm is taken, as in the paper


def npmi(
    topics: Topics,
    documents: Tokens,
    *,
    window: int | None = 10,
    vocabulary: Sequence[str] | None = None,
) -> FloatVector:
    """Normalized pointwise mutual information of each topic's words, the mean over its pairs.

    Parameters
    ----------
    topics : sequence of sequence of str
        The top words of each topic, usually ten.
    documents : sequence of sequence of str, or scipy sparse (n_documents, n_words)
        The tokens of each document in their order; or how often each word is in each document,
        with `vocabulary`.
    window : int or None, default=10
        Two words occur together where both are in a window of so many tokens; None takes whole
        documents, as a matrix always does.
    vocabulary : sequence of str, optional
        What the columns of a matrix stand for.

    Returns
    -------
    ndarray of float64, shape (n_topics,)
        From −1 (never together) to 1 (always together); 0 is chance, and stands where fewer than
        two words of a topic occur at all.

    Raises
    ------
    InputError
        There are no topics or documents, or the vocabulary and the matrix do not go together.

    References
    ----------
    Bouma, G. (2009). Normalized (pointwise) mutual information in collocation extraction. GSCL.

    Röder, M., Both, A., Hinneburg, A. (2015). Exploring the space of topic coherence measures.
    WSDM, 399-408.

    Examples
    --------
    >>> from nonneg.apps.topic_measures import npmi
    >>> texts = [["cat", "dog"], ["dog", "cat"], ["tax", "law"], ["law", "tax"]]
    >>> npmi([["cat", "dog"], ["cat", "tax"]], texts).round(3).tolist()
    [1.0, -0.95]
    """
    together = _count(topics, documents, window, vocabulary)
    values = np.zeros(len(topics))
    for t, words in enumerate(together.words):
        if len(words) > 1:
            pairs = _npmi_matrix(together, t)
            values[t] = pairs[np.triu_indices(len(words), 1)].mean()
    return values


def c_v(
    topics: Topics,
    documents: Tokens,
    *,
    window: int | None = 110,
    vocabulary: Sequence[str] | None = None,
) -> FloatVector:
    """Coherence C_V of each topic: whether its words keep the same company.

    A word's company is its NPMI with each word of the topic, itself included; C_V is the mean
    cosine between the company of a word and that of all together.

    Parameters
    ----------
    topics, documents, vocabulary
        As of `npmi`.
    window : int or None, default=110
        As of `npmi`.

    Returns
    -------
    ndarray of float64, shape (n_topics,)
        From 0 to 1 in practice; 0 also where fewer than two words of a topic occur at all.

    Raises
    ------
    InputError
        As `npmi`.

    References
    ----------
    Röder, M., Both, A., Hinneburg, A. (2015). Exploring the space of topic coherence measures.
    WSDM, 399-408.

    Examples
    --------
    >>> from nonneg.apps.topic_measures import c_v
    >>> texts = [["cat", "dog"], ["dog", "cat"], ["tax", "law"], ["law", "tax"]]
    >>> c_v([["cat", "dog"], ["cat", "tax"]], texts).round(3).tolist()
    [1.0, 0.026]
    """
    together = _count(topics, documents, window, vocabulary)
    values = np.zeros(len(topics))
    for t, words in enumerate(together.words):
        if len(words) > 1:
            company = _npmi_matrix(together, t)
            whole = company.sum(axis=0)
            lengths = np.linalg.norm(company, axis=1) * np.linalg.norm(whole)
            cosines = np.zeros(len(words))
            np.divide(company @ whole, lengths, out=cosines, where=lengths > 0)
            values[t] = cosines.mean()
    return values


def u_mass(
    topics: Topics, documents: Tokens, *, vocabulary: Sequence[str] | None = None
) -> FloatVector:
    """Coherence UMass of each topic: log P(a word | one ranked above it), over documents.

    Parameters
    ----------
    topics, documents, vocabulary
        As of `npmi`; the words of a topic from the most important down.

    Returns
    -------
    ndarray of float64, shape (n_topics,)
        At most 0 but for rounding; the nearer to 0, the more coherent. 0 also where fewer than two
        words of a topic occur at all.

    Raises
    ------
    InputError
        As `npmi`.

    References
    ----------
    Mimno, D. et al. (2011). Optimizing semantic coherence in topic models. EMNLP, 262-272.

    Examples
    --------
    >>> from nonneg.apps.topic_measures import u_mass
    >>> texts = [["cat", "dog"], ["cat"], ["tax", "law"], ["law", "tax"]]
    >>> u_mass([["cat", "dog"], ["tax", "law"]], texts).round(3).tolist()
    [-0.693, 0.0]
    """
    together = _count(topics, documents, None, vocabulary)
    values = np.zeros(len(topics))
    for t, words in enumerate(together.words):
        if len(words) > 1:
            joint = together.pairs[t] / together.n_windows
            above, below = np.triu_indices(len(words), 1)
            alone = np.diag(joint)[above]
            values[t] = np.log((joint[above, below] + _SMALL) / alone).mean()
    return values


def topic_diversity(topics: Topics) -> float:
    """Share of the topics' top words that are of one topic only counted once: 1 is no overlap.

    Parameters
    ----------
    topics : sequence of sequence of str
        The top words of each topic.

    Returns
    -------
    float
        Different words / all words, above 0 and at most 1; 1 where there are no words at all.

    References
    ----------
    Dieng, A. B., Ruiz, F. J. R., Blei, D. M. (2020). Topic modeling in embedding spaces. TACL 8,
    439-453.

    Examples
    --------
    >>> from nonneg.apps.topic_measures import topic_diversity
    >>> topic_diversity([["cat", "dog"], ["dog", "law"]])
    0.75
    """
    words = list(chain.from_iterable(topics))
    return len(set(words)) / len(words) if words else 1.0


# --- groups against labels -----------------------------------------------------------------------


class GroupingScores(NamedTuple):
    """How groups agree with labels; 1 is perfect agreement.

    Attributes
    ----------
    purity : float
        Share of documents that have the most frequent label of their group.
    nmi_max, nmi_arithmetic : float
        Mutual information, divided by the larger entropy of the two and by their mean.
    ari : float
        Adjusted Rand index: 0 is chance, and below 0 worse than chance.
    matched_accuracy : float
        Share of documents with the label of their group when each group stands for one label of
        its own, matched as well as possible (Hungarian algorithm).
    """

    purity: float
    nmi_max: float
    nmi_arithmetic: float
    ari: float
    matched_accuracy: float


def grouping_scores(groups: ArrayLike, labels: ArrayLike) -> GroupingScores:
    """Measure a grouping against labels in all the usual ways.

    Parameters
    ----------
    groups : array_like, shape (n_documents,)
        The group of each document, such as the number of its topic.
    labels : array_like, shape (n_documents,)
        The true class of each.

    Returns
    -------
    GroupingScores

    Raises
    ------
    InputError
        They are not of one length, or empty.

    Examples
    --------
    >>> from nonneg.apps.topic_measures import grouping_scores
    >>> scores = grouping_scores([0, 0, 1, 1], ["sport", "sport", "law", "sport"])
    >>> scores.purity, scores.matched_accuracy, round(scores.nmi_max, 3)
    (0.75, 0.75, 0.311)
    """
    found, true = _codes(groups, labels)
    return GroupingScores(
        purity(found, true),
        float(normalized_mutual_info_score(true, found, average_method="max")),
        float(normalized_mutual_info_score(true, found, average_method="arithmetic")),
        float(adjusted_rand_score(true, found)),
        matched_accuracy(found, true),
    )


def purity(groups: ArrayLike, labels: ArrayLike) -> float:
    """Return the share of documents that have the most frequent label of their group.

    Parameters
    ----------
    groups, labels : array_like, shape (n_documents,)

    Raises
    ------
    InputError
        They are not of one length, or empty.

    Examples
    --------
    >>> from nonneg.apps.topic_measures import purity
    >>> purity([0, 0, 1, 1], ["sport", "sport", "law", "sport"])
    0.75
    """
    found, true = _codes(groups, labels)
    return float(contingency_matrix(true, found).max(axis=0).sum() / len(true))


def matched_accuracy(groups: ArrayLike, labels: ArrayLike) -> float:
    """Return the accuracy when each group stands for one label, matched as well as possible.

    Parameters
    ----------
    groups, labels : array_like, shape (n_documents,)

    Raises
    ------
    InputError
        They are not of one length, or empty.

    References
    ----------
    Kuhn, H. W. (1955). The Hungarian method for the assignment problem. NRLQ 2, 83-97.

    Examples
    --------
    >>> from nonneg.apps.topic_measures import matched_accuracy
    >>> matched_accuracy([1, 1, 0, 0], ["sport", "sport", "law", "sport"])
    0.75
    """
    found, true = _codes(groups, labels)
    table = contingency_matrix(true, found)
    rows, columns = scipy.optimize.linear_sum_assignment(table, maximize=True)
    return float(table[rows, columns].sum() / len(true))


def _codes(groups: ArrayLike, labels: ArrayLike) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    found, true = (np.unique(np.asarray(side), return_inverse=True)[1] for side in (groups, labels))
    if len(found) != len(true) or not len(found):
        raise InputError(
            f"{len(found)} groups for {len(true)} labels · each document has one of both · give "
            "two lists of one length, not empty"
        )
    return found.astype(np.intp), true.astype(np.intp)


# --- which words occur where ---------------------------------------------------------------------


class _Together(NamedTuple):
    """In how many windows the words of each topic occur, two by two.

    `pairs[t]` is symmetric, with the windows of a single word on the diagonal.
    """

    words: list[list[str]]
    pairs: list[FloatVector]
    n_windows: int


def _npmi_matrix(together: _Together, t: int) -> FloatVector:
    joint = together.pairs[t] / together.n_windows
    alone = np.diag(joint)
    ratio = np.log((joint + _SMALL) / np.outer(alone, alone))
    matrix: FloatVector = ratio / -np.log(joint + _SMALL)
    return matrix


def _count(
    topics: Topics, documents: Tokens, window: int | None, vocabulary: Sequence[str] | None
) -> _Together:
    if isinstance(topics, str) or any(isinstance(topic, str) for topic in topics):
        raise InputError('topics are lists of words, not texts: give [["goal", "team"], …].')
    if window is not None and window < 1:
        raise InputError(f"window={window} · a window holds at least one token · use 1 or more")
    listed = list(dict.fromkeys(chain.from_iterable(topics)))
    if not listed or not _n_documents(documents):
        raise InputError(
            f"{len(topics)} topics of {len(listed)} words and {_n_documents(documents)} documents "
            "· coherence needs words and documents to look them up in · give both"
        )
    index = {word: code for code, word in enumerate(listed)}
    if scipy.sparse.issparse(documents):
        spans, n_windows = _columns(documents, vocabulary, index)
    else:
        spans, n_windows = _presence(documents, index, window)
    words = [[word for word in topic if len(spans[index[word]][0])] for topic in topics]
    pairs = [_overlaps([spans[index[word]] for word in topic]) for topic in words]
    return _Together(words, pairs, n_windows)


def _n_documents(documents: Tokens) -> int:
    sparse = scipy.sparse.issparse(documents)  # which has no length
    return int(documents.shape[0] if sparse else len(documents))


#: Where a word is: starts and ends of disjoint intervals of windows, ascending.
_Spans = tuple[NDArray[np.int64], NDArray[np.int64]]


def _columns(
    matrix: Any, vocabulary: Sequence[str] | None, index: dict[str, int]
) -> tuple[list[_Spans], int]:
    """Return the documents that hold each word, as intervals of length 1."""
    if vocabulary is None or len(vocabulary) != matrix.shape[1]:
        raise InputError(
            f"the matrix has {matrix.shape[1]} columns, the vocabulary "
            f"{0 if vocabulary is None else len(vocabulary)} words · each column is a word · give "
            "vocabulary with one word for each column"
        )
    columns = scipy.sparse.csc_array(matrix)
    place = {word: j for j, word in enumerate(vocabulary)}
    spans = []
    for word in index:
        rows = np.zeros(0, dtype=np.int64)
        if word in place:
            here = slice(columns.indptr[place[word]], columns.indptr[place[word] + 1])
            rows = np.sort(columns.indices[here][columns.data[here] > 0]).astype(np.int64)
        spans.append((rows, rows + 1))
    return spans, int(columns.shape[0])


def _presence(
    documents: Sequence[Sequence[str]], index: dict[str, int], window: int | None
) -> tuple[list[_Spans], int]:
    """Return in which windows each word is, all windows of all documents being counted through.

    A document of n tokens has n − s + 1 windows of s tokens, or one of all tokens if it is
    shorter. A word enters with the window whose last token it is. gensim then takes it out as soon
    as *any* of its occurrences leaves, until it occurs anew, although another one may still be
    inside. All published figures are made that way, so ours are: an occurrence counts from the
    window in which it comes in to the one in which the earliest occurrence beside it goes out.
    """
    lengths = np.fromiter(map(len, documents), dtype=np.int64, count=len(documents))
    size = np.full(len(lengths), window) if window else np.maximum(lengths, 1)
    n_windows = np.maximum(lengths - size + 1, 1)
    first = np.concatenate([[0], np.cumsum(n_windows)])
    starts = np.concatenate([[0], np.cumsum(lengths)])
    get = index.get
    codes = np.fromiter(
        (get(token, -1) for document in documents for token in document),
        dtype=np.int32,
        count=int(starts[-1]),
    )
    places = np.flatnonzero(codes >= 0)
    order = np.argsort(codes[places], kind="stable")
    places = places[order]
    bounds = np.searchsorted(codes[places], np.arange(len(index) + 1))
    spans = []
    for word in range(len(index)):
        at = places[bounds[word] : bounds[word + 1]]
        document = np.searchsorted(starts, at, side="right") - 1
        # The window whose last token this is starts so many tokens before it.
        enters = np.maximum(at - size[document] + 1, starts[document])
        earliest = at[np.searchsorted(at, enters)]
        shift = first[document] - starts[document]
        end = np.minimum(earliest + 1 + shift, first[document + 1])
        spans.append(_merged(enters + shift, end))
    return spans, int(first[-1])


def _merged(start: NDArray[np.int64], end: NDArray[np.int64]) -> _Spans:
    """Join intervals that overlap or touch; starts and ends must ascend."""
    inside = end > start
    start, end = start[inside], end[inside]
    apart = start[1:] > end[:-1]
    return start[np.append(True, apart)[: len(start)]], end[np.append(apart, True)[: len(end)]]


def _overlaps(spans: list[_Spans]) -> FloatVector:
    """In how many windows two words are, for all pairs."""
    n = len(spans)
    counts = np.zeros((n, n))
    for a, (start, end) in enumerate(spans):
        counts[a, a] = (end - start).sum()
        for b in range(a):
            covered = _covered(end, *spans[b]) - _covered(start, *spans[b])
            counts[a, b] = counts[b, a] = covered.sum()
    return counts


def _covered(
    at: NDArray[np.int64], start: NDArray[np.int64], end: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return how many windows before `at` are in the intervals."""
    before = np.concatenate([[0], np.cumsum(end - start)])
    known = np.searchsorted(start, at)
    whole: NDArray[np.int64] = before[known]
    # The last interval that has begun may reach beyond.
    last = np.maximum(known - 1, 0)
    beyond = np.where(known > 0, np.maximum(end[last] - at, 0), 0)
    return whole - beyond
