"""The one objective by which every solver is judged: the loss in float64.

½‖X − WH‖² for frobenius and Σ x log(x/y) − x + y, y = (WH), for kullback-leibler, over all entries
or over the observed ones. It shares no code with the library, so it is a second witness too.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.special import kl_div

# Entries looked at together: enough to be fast, few enough to need no memory.
_BLOCK = 200_000
# In the place of an exact zero of WH under a count, where the divergence is infinite.
_TINY = 1e-300

Matrix = np.ndarray | sp.csr_array


def objective(X: Matrix, W: NDArray, H: NDArray, loss: str, *, missing: bool = False) -> float:
    """Return the loss of WH; with `missing`, NaN cells and absent entries do not count."""
    W, H = np.asarray(W, dtype=np.float64), np.asarray(H, dtype=np.float64)
    if missing:
        return sum(float(_terms(x, y, loss).sum()) for x, y in _observed(X, W, H))
    if not sp.issparse(X):
        rows = max(1, _BLOCK // X.shape[1])
        parts = (slice(start, start + rows) for start in range(0, X.shape[0], rows))
        return sum(float(_terms(X[p].astype(np.float64), W[p] @ H, loss).sum()) for p in parts)
    if loss == "frobenius":
        squares = sum(float(x @ x) for x, _ in _observed(X, W[:, :0], H[:0]))
        cross = float(np.sum(W * (X @ H.T)))
        return 0.5 * squares - cross + 0.5 * float(np.sum((W.T @ W) * (H @ H.T)))
    total = float(W.sum(axis=0) @ H.sum(axis=1))
    return total + sum(float((_terms(x, y, loss) - y).sum()) for x, y in _observed(X, W, H))


def _terms(x: NDArray, y: NDArray, loss: str) -> NDArray:
    if loss == "frobenius":
        return 0.5 * (x - y) ** 2
    return kl_div(x, np.maximum(y, _TINY))


def _observed(X: Matrix, W: NDArray, H: NDArray) -> Iterator[tuple[NDArray, NDArray]]:
    """Observed entries and the model there, block by block."""
    if sp.issparse(X):
        right = np.ascontiguousarray(H.T)
        for start in range(0, X.nnz, _BLOCK):
            stop = min(start + _BLOCK, X.nnz)
            rows = np.searchsorted(X.indptr, np.arange(start, stop), side="right") - 1
            y = np.einsum("ij,ij->i", W[rows], right[X.indices[start:stop]])
            yield X.data[start:stop].astype(np.float64), y
        return
    for row, left in zip(X, W, strict=True):
        seen = ~np.isnan(row)
        yield row[seen].astype(np.float64), (left @ H)[seen]
