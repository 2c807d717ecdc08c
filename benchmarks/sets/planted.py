"""Generated data: a dense matrix of known rank with noise, and a sparse family of any size."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

_PER_ROW = 50
_BLOCK = 100_000


def dense(n_rows: int = 5000, n_columns: int = 3000, rank: int = 40) -> np.ndarray:
    """Return WH of gamma(.3) factors, each entry off by 20 %, as float32."""
    rng = np.random.default_rng(0)
    W = rng.gamma(0.3, size=(n_rows, rank)).astype(np.float32)
    H = rng.gamma(0.3, size=(rank, n_columns)).astype(np.float32)
    noise = rng.standard_normal((n_rows, n_columns), dtype=np.float32)
    return np.maximum(W @ H * (1 + np.float32(0.2) * noise), 0)


def sparse(nnz: int, n_columns: int = 20_000, n_topics: int = 20) -> sp.csr_array:
    """Return counts with 50 entries a row as CSR of float32 and int32, made block by block.

    The columns are cut into 50 strata and each row takes one column of each: indices come out
    sorted and distinct. Low columns of a stratum are common, which ones depends on the row's topic.
    """
    rng = np.random.default_rng(nnz)
    n_rows, width = nnz // _PER_ROW, n_columns // _PER_ROW
    indices = np.empty((n_rows, _PER_ROW), dtype=np.int32)
    data = np.empty((n_rows, _PER_ROW), dtype=np.float32)
    first = np.arange(_PER_ROW, dtype=np.int32) * width
    shifts = rng.random((n_topics, _PER_ROW), dtype=np.float32)
    for start in range(0, n_rows, _BLOCK):
        part = slice(start, min(start + _BLOCK, n_rows))
        size = (part.stop - part.start, _PER_ROW)
        place = rng.random(size, dtype=np.float32) ** 2
        place = (place + shifts[rng.integers(n_topics, size=size[0])]) % 1
        indices[part] = first + np.minimum((place * width).astype(np.int32), width - 1)
        data[part] = rng.geometric(0.5, size)
    indptr = np.arange(n_rows + 1, dtype=np.int32) * np.int32(_PER_ROW)
    return sp.csr_array((data.ravel(), indices.ravel(), indptr), shape=(n_rows, n_columns))
