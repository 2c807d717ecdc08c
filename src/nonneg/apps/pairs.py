"""Products of rows of two tables, pair by pair."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["row_products"]

# Pairs at a time, so that the gathered rows stay in tens of megabytes.
_CHUNK = 16_384


def row_products(
    A: NDArray[np.floating],
    B: NDArray[np.floating],
    rows: NDArray[np.integer],
    others: NDArray[np.integer],
) -> NDArray[np.float64]:
    """Return Σₜ A[rows, t] · B[others, t], added in float64.

    Examples
    --------
    >>> row_products(np.eye(2), np.array([[3.0, 4.0]]), np.array([0, 1]), np.array([0, 0]))
    array([3., 4.])
    """
    out = np.empty(rows.size)
    for at in range(0, rows.size, _CHUNK):
        part = slice(at, at + _CHUNK)
        out[part] = np.einsum("ij,ij->i", A[rows[part]], B[others[part]], dtype=np.float64)
    return out
