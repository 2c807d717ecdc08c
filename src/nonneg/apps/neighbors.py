"""The talk's neighbour method: an unknown rating is a weighted mean of those of similar items.

Items are similar as the rows of their factor are (cosine), and the K nearest are weighted by rank,
as in item-based collaborative filtering (Sarwar et al. 2001). `blanks` says what an empty cell
among the neighbours is: a rating of 0, the talk's naive version, or no rating at all.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nonneg.errors import InputError

__all__ = [
    "NeighborEstimate",
    "cosine_similarity",
    "nearest",
    "neighbor_estimate",
    "rank_weights",
]

Blanks = Literal["zero", "missing"]

# Cosines that differ by rounding alone are ties.
_DIGITS = 12


@dataclass(frozen=True)
class NeighborEstimate:
    """The K nearest neighbours of an item, nearest first, and what they say.

    Attributes
    ----------
    indices : tuple of int
    similarities : tuple of float
    weights : tuple of float
        They sum to 1.
    ratings : tuple of float
        0 where an empty cell was taken for a rating of 0.
    estimate : float
        Σ weight · rating.
    """

    indices: tuple[int, ...]
    similarities: tuple[float, ...]
    weights: tuple[float, ...]
    ratings: tuple[float, ...]
    estimate: float

    @property
    def contributions(self) -> tuple[float, ...]:
        """What each neighbour adds to the estimate."""
        return tuple(w * r for w, r in zip(self.weights, self.ratings, strict=True))


def cosine_similarity(F: ArrayLike, of: int | None = None) -> NDArray[np.float64]:
    """Return the cosine similarities of the rows of F.

    Parameters
    ----------
    F : array (rows, k)
        Values ≥ 0, such as W of the talk's shows × categories.
    of : int, optional
        The one row to compare with all rows. Default: every row.

    Returns
    -------
    ndarray (rows, rows), or (rows,) with `of`
        In [0, 1]. A row of zeros is similar to no other row (0), every row to itself (1).

    Examples
    --------
    >>> cosine_similarity([[1, 0], [1, 1], [0, 0]]).round(3)
    array([[1.   , 0.707, 0.   ],
           [0.707, 1.   , 0.   ],
           [0.   , 0.   , 1.   ]])
    """
    rows = np.asarray(F, dtype=np.float64)
    if rows.ndim != 2 or not np.isfinite(rows).all() or (rows < 0).any():
        raise InputError(
            f"the similarity of rows needs a table of finite numbers ≥ 0 · this one has shape "
            f"{rows.shape}"
            + (" and negative or non-finite values" if rows.ndim == 2 else "")
            + " · pass a factor (items × components)"
        )
    largest = rows.max(axis=1, initial=0.0, keepdims=True)
    rows = rows / np.where(largest > 0, largest, 1.0)  # squares of 1e-200 would vanish
    norms = np.sqrt(np.einsum("ij,ij->i", rows, rows))
    rows /= np.where(norms > 0, norms, 1.0)[:, None]
    if of is None:
        table: NDArray[np.float64] = np.minimum(rows @ rows.T, 1.0)
        np.fill_diagonal(table, 1.0)
        return table
    similarity: NDArray[np.float64] = np.minimum(rows @ rows[of], 1.0)
    similarity[of] = 1.0
    return similarity


def rank_weights(k: int) -> NDArray[np.float64]:
    """Return the weights of the ranks 1 … k: (1 − rank/Σ ranks) / (k − 1).

    Parameters
    ----------
    k : int ≥ 1
        Neighbours. One neighbour has all the weight.

    Returns
    -------
    ndarray (k,)
        Descending, of sum 1.

    Examples
    --------
    >>> rank_weights(3) * 12
    array([5., 4., 3.])
    """
    k = _count(k)
    if k == 1:
        return np.ones(1)
    ranks = np.arange(1, k + 1)
    return np.asarray((1 - ranks / ranks.sum()) / (k - 1), dtype=np.float64)


def nearest(
    similarity_row: ArrayLike, k: int, *, among: NDArray[np.bool_] | None = None
) -> NDArray[np.intp]:
    """Return the indices of the k largest similarities, ties in the order of the indices.

    Examples
    --------
    >>> nearest([0.2, 1.0, 0.5, 1.0], 3)
    array([1, 3, 2])
    """
    similarity = np.round(np.asarray(similarity_row, dtype=np.float64), _DIGITS)
    candidates = np.arange(similarity.size) if among is None else np.flatnonzero(among)
    order = np.argsort(-similarity[candidates], kind="stable")
    return candidates[order[: _count(k)]]


def neighbor_estimate(
    ratings_of_user: Sequence[float] | NDArray[np.float64],
    similarity_row: ArrayLike,
    k: int = 3,
    blanks: Blanks = "zero",
    *,
    item: int | None = None,
    missing_values: float = math.nan,
) -> NeighborEstimate:
    """Estimate a rating from those that the same person gave to similar items.

    Parameters
    ----------
    ratings_of_user : array (n_items,)
        `missing_values` where there is no rating.
    similarity_row : array (n_items,)
        Similarity of each item to the one in question.
    k : int ≥ 1, default 3
        Neighbours; fewer where there are fewer.
    blanks : {"zero", "missing"}, default "zero"
        "zero" is the talk's naive version: the nearest items count, rated or not, and an empty cell
        is a rating of 0. "missing" looks for neighbours among the rated items only.
    item : int, optional
        The item in question: it is not its own neighbour.
    missing_values : nan or 0, default nan
        What marks an empty cell.

    Returns
    -------
    NeighborEstimate

    Raises
    ------
    InputError
        No neighbour is left, or the arguments do not fit together.

    Examples
    --------
    >>> jai = [4.8, 4.7, 0, 4.6, 0, 0, 2.1]
    >>> to_black_mirror = [0.45, 0.722, 1, 0, 1, 0.995, 0.64]
    >>> naive = neighbor_estimate(jai, to_black_mirror, item=2, missing_values=0)
    >>> naive.indices, round(naive.estimate, 3)
    ((4, 5, 1), 1.175)
    >>> rated = neighbor_estimate(jai, to_black_mirror, blanks="missing", item=2, missing_values=0)
    >>> rated.indices, round(rated.estimate, 3)
    ((1, 6, 0), 3.858)
    """
    ratings = np.asarray(ratings_of_user, dtype=np.float64)
    similarity = np.asarray(similarity_row, dtype=np.float64)
    if ratings.ndim != 1 or ratings.shape != similarity.shape:
        raise InputError(
            f"ratings have shape {ratings.shape}, similarities {similarity.shape} · both need one "
            "number an item · pass one person's ratings and one item's similarities"
        )
    if blanks not in ("zero", "missing"):
        raise InputError(f'blanks={blanks!r} · an empty cell is "zero" or "missing" · choose one')
    empty = np.isnan(ratings) if math.isnan(missing_values) else ratings == missing_values
    eligible = ~empty if blanks == "missing" else np.ones(ratings.size, dtype=bool)
    if item is not None:
        eligible[item] = False
    chosen = nearest(similarity, k, among=eligible)
    if not chosen.size:
        raise InputError(
            "no neighbour has a rating · this person rated nothing else · ask about somebody with "
            'ratings, or use blanks="zero"'
        )
    weights = rank_weights(chosen.size)
    values = np.where(empty, 0.0, ratings)[chosen]
    return NeighborEstimate(
        tuple(chosen.tolist()),
        tuple(similarity[chosen].tolist()),
        tuple(weights.tolist()),
        tuple(values.tolist()),
        float(weights @ values),
    )


def _count(k: object) -> int:
    if isinstance(k, bool) or not isinstance(k, Integral) or k < 1:
        raise InputError(f"k={k!r} neighbours · it must be a whole number from 1 · change it")
    return int(k)
