"""Which items can be among the best: products with many rows, from bytes and a bound.

Reading the factors is what takes the time. Rows of bytes are a quarter of them; what rounding to
bytes leaves out is bounded by the lengths of both sides (Cauchy-Schwarz): no item is lost, and only
the few that may be among the best are scored in full.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from nonneg.core.kernels import byte_products

__all__ = ["Shortlist", "best_items"]

Array = NDArray[np.float64]

# Scores that differ by rounding alone are ties.
_TIE_DIGITS = 9
# Of a byte with sign; and of what vectors are rounded to, as far as sums fit into 32 bits.
_BYTE, _WORD, _SUM = 127, 2**15 - 1, 2**31 - 1
# Rows at a time, so that the copies in float64 stay in tens of megabytes.
_CHUNK = 4_096


class Shortlist:
    """Rows F (n, c), to be multiplied by one vector at a time.

    Attributes
    ----------
    rows : ndarray (n, c), int8
    scales : ndarray (n,)
        F is about rows · scales.
    remainders : ndarray (n,)
        How far the product with a vector of length 1 may be off.
    """

    def __init__(self, F: NDArray[np.floating]) -> None:
        n, c = F.shape
        self._levels = min(_WORD, _SUM // ((_BYTE + 1) * c))
        # A vector is off by half a level in each entry, and at least as long as all levels.
        blur = np.sqrt(c) / (2 * self._levels)
        self.rows = np.empty((n, c), np.int8)
        self.scales, self.remainders = np.empty(n), np.empty(n)
        for at in range(0, n, _CHUNK):
            part = slice(at, at + _CHUNK)
            exact = F[part].astype(np.float64)
            scales = np.abs(exact).max(axis=1) / _BYTE
            near = np.rint(exact / np.where(scales > 0, scales, 1.0)[:, None]).clip(-_BYTE, _BYTE)
            self.rows[part], self.scales[part] = near, scales
            near *= scales[:, None]
            left, length = np.linalg.norm(exact - near, axis=1), np.linalg.norm(near, axis=1)
            self.remainders[part] = left + blur * length

    def products(self, vector: NDArray[np.floating]) -> tuple[Array, Array]:
        """Return F @ vector about (n,), and how far each may be off."""
        v = np.asarray(vector, dtype=np.float64)
        step = float(np.abs(v).max()) / self._levels
        levels = np.rint(v / (step or 1.0)).clip(-self._levels, self._levels).astype(np.int16)
        about = byte_products(self.rows, levels) * self.scales
        about *= step
        return about, self.remainders * float(np.linalg.norm(v))


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
