"""Which words keep company, and which group each document belongs to, once topics are known.

Both look at the documents again. A factorization of squares minds the words with the largest
weights; what it leaves unsaid is which of a topic's words occur in the same documents, and that
many small words together tell one group from another.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from nonneg.apps.topic_fit import Matrix

__all__ = ["company_of", "group_evidence", "grouped"]

# How many of a topic's words are what the others are to keep company with.
_CORE = 10
_MAX_ROUNDS = 50
# What words say for a group without documents. Not infinite: model files hold numbers.
_NEVER = -1e6


def company_of(X: Matrix, ranked: Sequence[Sequence[int]]) -> NDArray[np.float64]:
    """Return how much each listed word of a topic occurs in the documents of its first ten words.

    Parameters
    ----------
    X : sparse (n_documents, n_words)
    ranked : sequence of sequence of int
        Columns, best first, of each topic.

    Returns
    -------
    ndarray (n_topics, n_words)
        Mean cosine of the word's column with those of the ten, itself left out; 0 for others.
    """
    columns = sp.csc_array(X)
    found = np.zeros((len(ranked), X.shape[1]))
    for t, words in enumerate(ranked):
        if len(words) < 2:
            continue
        listed = np.array(words)
        own = columns[:, listed]
        inner = (own.T @ own).toarray()
        lengths = np.sqrt(inner.diagonal())
        cosines = inner / np.outer(lengths, lengths)
        np.fill_diagonal(cosines, 0.0)
        core = min(_CORE, len(words))
        others = np.where(np.arange(len(words)) < core, core - 1, core)
        found[t, listed] = cosines[:, :core].sum(axis=1) / others
    return found


def group_evidence(X: Matrix, first: NDArray[np.intp], n_groups: int) -> NDArray[np.float64]:
    """Return what each word says for each group, (n_groups, n_words), from a first grouping.

    Complement naive Bayes (Rennie et al. 2003): a word speaks for a group as far as the documents
    outside have it less. Documents then go to the group for which their words say most, and so on
    until none moves (classification EM: Celeux & Govaert 1992).

    Parameters
    ----------
    X : sparse (n_documents, n_words)
    first : ndarray of int (n_documents,)
        The group of each document, -1 for none. Groups that have none stay without.
    n_groups : int
    """
    known = np.flatnonzero(first >= 0)
    X, groups = X[known], first[known]
    total = np.asarray(X.sum(axis=0)).ravel()
    alive = np.bincount(groups, minlength=n_groups) > 0
    evidence = np.zeros((n_groups, X.shape[1]))
    for _ in range(_MAX_ROUNDS):
        member = sp.csr_array(
            (np.ones(len(groups)), (groups, np.arange(len(groups)))),
            shape=(n_groups, len(groups)),
        )
        outside = total - (member @ X).toarray() + 1.0
        evidence = -np.log(outside / outside.sum(axis=1, keepdims=True))
        # Less what a word says for all: only differences count, and large ones lose no digits.
        evidence -= evidence.mean(axis=0)
        evidence[~alive] = _NEVER
        before, groups = groups, grouped(X, evidence)
        if np.array_equal(before, groups):
            break
    return evidence


def grouped(X: Matrix, evidence: NDArray[np.float64]) -> NDArray[np.intp]:
    """Return the group for which the words of each document say most, -1 where none is known."""
    scores = X @ evidence.T
    return np.where(np.diff(X.indptr) > 0, scores.argmax(axis=1), -1).astype(np.intp)
