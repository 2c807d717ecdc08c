"""Which items can be among the best: products with many rows, from a few directions and a bound.

The runs of an ensemble resemble one another, so a few directions hold nearly all of their factors
side by side. What is left out is bounded by the lengths of both sides' remainders (Cauchy-Schwarz):
no item is lost, and only those that may be among the best are scored in full.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["Shortlist", "best_items"]

Array = NDArray[np.float64]

# From 50,000 items of 512 columns 48 directions are a tenth of what is read.
_DIRECTIONS = 48
# Beyond this share of the lengths the bounds let so many through that all products are faster.
_SHORT = 0.1
# Scores that differ by rounding alone are ties.
_TIE_DIGITS = 9
# Rounding of float32 products, as a share of the lengths of both sides.
_ROUNDING = 1e-5


class Shortlist:
    """Rows F (n, c), to be multiplied by one vector at a time.

    Attributes
    ----------
    rows : ndarray (n, q), float32
        F in its leading directions; F itself where it has few columns or they leave out much.
    remainders : ndarray (n,), float32
        Lengths of what that leaves out, and of rounding.
    """

    def __init__(self, F: NDArray[np.floating]) -> None:
        F = np.asarray(F, dtype=np.float32)
        lengths = np.sqrt(np.einsum("ij,ij->i", F, F, dtype=np.float64))
        self._directions: NDArray[np.float64] | None = None
        left = np.zeros(len(F))
        self.rows = F
        if F.shape[1] > 2 * _DIRECTIONS:
            _, vectors = np.linalg.eigh((F.T @ F).astype(np.float64))
            leading = vectors[:, -_DIRECTIONS:]
            rows = np.ascontiguousarray(F @ leading.astype(np.float32))
            held = np.einsum("ij,ij->i", rows, rows, dtype=np.float64)
            remaining = np.sqrt(np.maximum(lengths**2 - held, 0.0))
            if np.median(remaining) < _SHORT * np.median(lengths):
                self.rows, left, self._directions = rows, remaining, leading
        self._rounding = (_ROUNDING * lengths).astype(np.float32)
        self.remainders = (left + _ROUNDING * lengths).astype(np.float32)

    def products(
        self, vector: NDArray[np.floating]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return F @ vector about (n,), and how far each may be off."""
        v = np.asarray(vector, dtype=np.float64)
        length = float(np.linalg.norm(v))
        if self._directions is None:
            return self.rows @ v.astype(np.float32), self._rounding * np.float32(length)
        within = v @ self._directions
        left = np.sqrt(max(length**2 - float(within @ within), 0.0)) + _ROUNDING * length
        off = self.remainders * np.float32(left) + self._rounding * np.float32(length)
        return self.rows @ within.astype(np.float32), off


class _Scoring(Protocol):
    def scores(self, person: Any, items: NDArray[np.integer]) -> Array: ...
    def rough_scores(self, person: Any, items: NDArray[np.integer]) -> tuple[Array, Array]: ...


def best_items(
    model: _Scoring, person: Any, candidates: NDArray[np.intp], n: int
) -> tuple[NDArray[np.intp], Array]:
    """Return the n candidates with the highest scores, best first, and the scores.

    Scores that are the same to nine digits are ties, in the order of the candidates. They are
    compared before they are cut to a scale, where the best would all be ties.
    """
    if n < candidates.size:
        rough, off = model.rough_scores(person, candidates)
        sure = rough - off
        last = np.partition(sure, sure.size - n)[sure.size - n]
        candidates = candidates[rough + off >= last - 2 * 10.0**-_TIE_DIGITS]
    scores = model.scores(person, candidates)
    order = np.argsort(-np.round(scores, _TIE_DIGITS), kind="stable")[:n]
    return candidates[order], scores[order]
