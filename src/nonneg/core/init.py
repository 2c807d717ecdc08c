"""Starting factors: random, and the NNDSVD family from a truncated SVD.

NNDSVD (Boutsidis & Gallopoulos 2008) takes the positive parts of the leading singular pairs;
`nndsvda` fills its zeros with the mean of X, `nndsvdar` with small random values. The SVD is
randomised (Halko, Martinsson & Tropp 2011) except for small matrices; where entries are
missing, it is that of the observed entries with a rank-one model in the gaps.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from nonneg.core.data import DataMatrix, Observed, row_slices
from nonneg.core.kernels import FloatArray

__all__ = ["INITS", "MOST_OVERSAMPLING", "Init", "Triplets", "leading_svd", "starting_factors"]

Init = Literal["random", "nndsvd", "nndsvda", "nndsvdar"]
INITS = ("random", "nndsvd", "nndsvda", "nndsvdar")

Array: TypeAlias = FloatArray
# Left singular vectors, singular values, right singular vectors; vectors in columns.
Triplets: TypeAlias = tuple[Array, NDArray[np.float64], Array]
Product = Callable[[Array], Array]

_EXACT_SIDE = 100
# Columns of the randomised SVD beyond the rank: at least, and at most.
_OVERSAMPLING, MOST_OVERSAMPLING = 4, 10
_POWER_ITERATIONS = 2
_FLOOR = 1e-30


def starting_factors(
    data: DataMatrix, k: int, init: Init, rng: np.random.Generator, svd: Triplets | None = None
) -> tuple[FloatArray, FloatArray]:
    """Return W (rows × k) and F (columns × k) to start from, in the dtype of the data.

    `svd` saves the nndsvd family the work, where the caller has it.
    """
    if init == "random":
        size = math.sqrt(max(data.unit, np.finfo(float).tiny) / k)
        W: Array = np.abs(rng.standard_normal((data.shape[0], k))) * size
        F: Array = np.abs(rng.standard_normal((data.shape[1], k))) * size
    else:
        W, F = _nndsvd(leading_svd(data, k, rng) if svd is None else svd, k)
        # scikit-learn fills with the mean of X itself, which makes the start depend on its unit.
        fill = math.sqrt(max(data.unit, np.finfo(float).tiny) / k)
        if init == "nndsvda":
            W[W == 0] = F[F == 0] = fill
        elif init == "nndsvdar":
            for factor in (W, F):
                empty = factor == 0
                factor[empty] = np.abs(fill * rng.standard_normal(int(empty.sum())) / 100)
    return (
        np.ascontiguousarray(W, dtype=data.dtype),
        np.ascontiguousarray(F, dtype=data.dtype),
    )


def _nndsvd(svd: Triplets, k: int) -> tuple[Array, Array]:
    U, S, V = (part[..., :k] for part in svd)
    positive = _norms(np.maximum(U, 0)), _norms(np.maximum(V, 0))
    negative = _norms(np.minimum(U, 0)), _norms(np.minimum(V, 0))
    flip = negative[0] * negative[1] > positive[0] * positive[1]
    norms = [np.where(flip, n, p) for n, p in zip(negative, positive, strict=True)]
    # The pair of unit vectors is weighed by √(singular value · mass), mass the product of norms.
    sizes = [np.sqrt(S * norms[1 - side] / np.maximum(norms[side], _FLOOR)) for side in (0, 1)]
    sign = np.where(flip, -1.0, 1.0)
    factors = []
    for vectors, size in ((U, sizes[0]), (V, sizes[1])):
        factor = np.zeros((vectors.shape[0], k), vectors.dtype)
        part = factor[:, : S.size]
        np.multiply(vectors, (sign * size).astype(vectors.dtype), out=part)
        np.maximum(part, 0, out=part)
        if S.size:
            # The leading pair has one sign (Perron–Frobenius).
            part[:, 0] = np.abs(vectors[:, 0]) * np.sqrt(S[0])
        # Rounding noise of the SVD is not structure; relative, so that units do not matter.
        factor[factor < 1e-6 * factor.max(initial=0.0)] = 0
        factors.append(factor)
    return factors[0], factors[1]


def _norms(part: Array) -> NDArray[np.float64]:
    """Return the norms of the columns, added up in float64."""
    return np.asarray(np.sqrt(np.einsum("ij,ij->j", part, part, dtype=np.float64)))


def leading_svd(data: DataMatrix, k: int, rng: np.random.Generator) -> Triplets:
    """Return k singular triplets or a few more, the largest first, fewer where X has fewer."""
    m, n = data.shape
    if n > m:
        V, S, U = leading_svd(data.T, k, rng)
        return U, S, V
    times, times_T = _products(data)
    if n <= _EXACT_SIDE:
        U, S, Vt = np.linalg.svd(times(np.eye(n)).astype(np.float64), full_matrices=False)
        return U, S, Vt.T
    # Whole groups of eight columns: the kernels read X once for each group they are cut into.
    width = min(-(-(k + _OVERSAMPLING) // 8) * 8, k + MOST_OVERSAMPLING, n)
    Q: Array = rng.standard_normal((n, width), dtype=np.float32)
    for _ in range(_POWER_ITERATIONS):
        Q = _orthonormal(times_T(times(Q)))
    B = times(Q)
    squares, V = np.linalg.eigh(_gram(B))
    order = np.argsort(squares)[::-1]
    S = np.sqrt(np.maximum(squares[order], 0.0))
    known = 1e-7 * S[0] < S
    order, S = order[known], S[known]
    V = V[:, order]
    return B @ (V / S).astype(B.dtype), S, Q @ V.astype(Q.dtype)


def _orthonormal(B: Array) -> Array:
    """Return an orthonormal basis of the span of B's columns.

    By the small Gram matrix: LAPACK's threaded QR of a tall matrix was the slowest part of the
    start (0.4 s for 13,714 × 30 on a busy machine), and the power iterations forgive the digits
    that squaring loses.
    """
    values, vectors = np.linalg.eigh(_gram(B))
    known = values > 1e-14 * values[-1]
    return np.asarray(B @ (vectors[:, known] / np.sqrt(values[known])).astype(B.dtype))


def _gram(B: Array) -> NDArray[np.float64]:
    """Return BᵀB in float64: the weakest direction may be 1e-5 of the strongest."""
    total = np.zeros((B.shape[1], B.shape[1]))
    for rows in row_slices(B.shape):
        block = B[rows].astype(np.float64)
        total += block.T @ block
    return total


def _products(data: DataMatrix) -> tuple[Product, Product]:
    """Return F → X F and F → Xᵀ F, gaps filled by a rank-one model."""
    if isinstance(data, Observed):
        u, v = _rank_one(data)
        rest = data.without(u, v)

        def times(F: Array) -> Array:
            return _product(rest, F) + np.outer(u, v @ F)

        def times_T(F: Array) -> Array:
            return _product(rest.T, F) + np.outer(v, u @ F)

        return times, times_T
    return (lambda F: _product(data, F)), (lambda F: _product(data.T, F))


def _product(data: DataMatrix, F: Array) -> Array:
    return data.cross(np.ascontiguousarray(F, dtype=data.dtype))


def _rank_one(data: Observed) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return u, v ≥ 0 with u vᵀ near X: row means times column means over the mean."""
    ones = np.ones((data.shape[1], 1), data.dtype), np.ones((data.shape[0], 1), data.dtype)
    row_means = data.cross(ones[0]).ravel() / np.maximum(data.row_counts(), 1)
    column_means = data.T.cross(ones[1]).ravel() / np.maximum(data.T.row_counts(), 1)
    mean = max(float(data.values.mean(dtype=np.float64)), np.finfo(float).tiny)
    return row_means.astype(np.float64), column_means.astype(np.float64) / mean
