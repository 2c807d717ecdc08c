"""Terms and constraints on one factor: L1, L2, bounds, fixed entries.

Row w of a factor costs ``l1·Σw + ½·(l2 + n·l2_per_entry)·|w|²``, n being the observed entries
of its row of X: a ridge that grows with the evidence suits ratings, where rows have from one
to thousands of entries (Zhou et al. 2008).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nonneg.core.kernels import FloatArray, Terms

__all__ = ["Penalty"]


@dataclass(frozen=True)
class Penalty:
    """Everything that is asked of one factor besides fitting the data.

    Parameters
    ----------
    l1, l2, l2_per_entry : float ≥ 0
        Weights of the terms above.
    lower, upper : float
        Bounds of every entry. Default 0 and infinity.
    fixed : ndarray (rows, k), optional
        Values that entries must keep; NaN where they are free.
    """

    l1: float = 0.0
    l2: float = 0.0
    l2_per_entry: float = 0.0
    lower: float = 0.0
    upper: float = float("inf")
    fixed: NDArray[np.float64] | None = None

    @property
    def bounded(self) -> bool:
        """Whether there is any constraint besides nonnegativity."""
        return self.lower != 0 or np.isfinite(self.upper) or self.fixed is not None

    @property
    def shrinks(self) -> bool:
        """Whether it pulls entries towards zero."""
        return self.l1 > 0 or self.l2 > 0 or self.l2_per_entry > 0

    def terms(self) -> Terms:
        """Return the form the kernels take."""
        fixed = None
        if self.fixed is not None:
            fixed = np.ascontiguousarray(~np.isnan(self.fixed)).astype(np.uint8)
        return Terms(self.l1, self.l2, self.l2_per_entry, self.lower, self.upper, fixed)

    def project(self, F: FloatArray) -> None:
        """Move F (in place) into the bounds and onto the fixed entries."""
        np.clip(F, self.lower, self.upper, out=F)
        if self.fixed is not None:
            np.copyto(F, self.fixed, where=~np.isnan(self.fixed), casting="same_kind")

    def value(self, F: FloatArray, row_counts: NDArray[np.int64] | None = None) -> float:
        """Return the penalty of F in float64."""
        total = 0.0
        if self.l1:
            total += self.l1 * float(F.sum(dtype=np.float64))
        if self.l2 or self.l2_per_entry:
            squares = np.einsum("ij,ij->i", F, F, dtype=np.float64)
            total += 0.5 * self.l2 * float(squares.sum())
            if self.l2_per_entry and row_counts is not None:
                total += 0.5 * self.l2_per_entry * float(squares @ row_counts)
        return total

    def step(
        self, w: NDArray[np.float64], gradient: NDArray[np.float64], curvature: float
    ) -> NDArray[np.float64]:
        """Return the minimiser over w' of ``g·(w'−w) + ½c|w'−w|²`` + the terms, in the bounds."""
        target = (curvature * w - gradient - self.l1) / (curvature + self.l2)
        return np.clip(target, self.lower, self.upper)

    def scaled(self, l1: float, l2: float, size: float) -> Penalty:
        """Return it for a factor measured in other units (1 new unit = `size` old ones)."""
        return Penalty(
            self.l1 * l1,
            self.l2 * l2,
            self.l2_per_entry * l2,
            self.lower / size,
            self.upper / size,
            None if self.fixed is None else self.fixed / size,
        )
