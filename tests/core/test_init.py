"""Starts from the randomised SVD: near the exact one, blind to storage, side and threads."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from nonneg.core.init import leading_svd, starting_factors
from nonneg.core.intake import as_data

RANK = 6


def planted(shape: tuple[int, int], dtype: str, rank: int = RANK, noise: float = 0.05):
    rng = np.random.default_rng(0)
    X = rng.gamma(0.3, size=(shape[0], rank)) @ rng.gamma(0.3, size=(rank, shape[1]))
    return np.maximum(X * (1 + noise * rng.standard_normal(shape)), 0).astype(dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [(300, 120), (120, 300)])
def test_the_leading_singular_triplets(shape, dtype):
    X = planted(shape, dtype)
    triplets = leading_svd(as_data(X), RANK, np.random.default_rng(1))
    U, S, V = (part[..., :RANK] for part in triplets)
    exact = np.linalg.svd(X.astype(float), compute_uv=False)[:RANK]
    np.testing.assert_allclose(S, exact, rtol=1e-4)
    for basis in (U, V):
        np.testing.assert_allclose(basis.T @ basis, np.eye(RANK), atol=1e-5)
    np.testing.assert_allclose((U.T @ X @ V).diagonal(), S, rtol=1e-5)


def test_weak_directions_are_not_lost_in_float32():
    # Singular values from 1 down to 1e-3: squared once by XᵀX and again by the Gram matrix.
    rng = np.random.default_rng(0)
    U, V = (np.linalg.qr(rng.standard_normal((side, RANK)))[0] for side in (400, 200))
    exact = np.logspace(0, -3, RANK)
    X = ((U * exact) @ V.T).astype(np.float32)
    found = leading_svd(as_data(np.abs(X)), RANK, np.random.default_rng(1))[1][:RANK]
    wanted = np.linalg.svd(np.abs(X).astype(float), compute_uv=False)[:RANK]
    np.testing.assert_allclose(found, wanted, rtol=0.05)


@pytest.mark.parametrize("init", ["nndsvd", "nndsvda", "nndsvdar"])
def test_storage_and_threads_make_no_difference(init):
    X = planted((500, 150), "float32")
    X[X < 0.5] = 0

    def start(form, n_threads):
        data = as_data(form(X), n_threads=n_threads)
        return starting_factors(data, RANK, init, np.random.default_rng(1))

    one, two, dense = start(sp.csr_array, 1), start(sp.csr_array, 2), start(np.asarray, 2)
    for a, b, c in zip(one, two, dense, strict=True):
        np.testing.assert_array_equal(a, b)
        if init == "nndsvd":
            # Fills go where the zeros are, and rounding may move one.
            np.testing.assert_allclose(a, c, atol=1e-3 * a.max())
        assert a.dtype == np.float32
        assert np.isfinite(a).all()
        assert a.min() >= 0


def test_the_start_of_the_transpose_is_the_transposed_start():
    X = sp.csr_array(planted((500, 150), "float64"))
    W, F = starting_factors(as_data(X), RANK, "nndsvd", np.random.default_rng(1))
    F_of_T, W_of_T = starting_factors(as_data(X.T), RANK, "nndsvd", np.random.default_rng(1))
    np.testing.assert_allclose(W, W_of_T, atol=1e-9 * W.max())
    np.testing.assert_allclose(F, F_of_T, atol=1e-9 * F.max())


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("side", [40, 200])
def test_components_beyond_the_rank_of_x_are_empty(side, dtype):
    X = planted((300, side), dtype, rank=2, noise=0.0)
    W, F = starting_factors(as_data(X), RANK, "nndsvd", np.random.default_rng(1))
    assert np.isfinite(W).all()
    assert np.isfinite(F).all()
    strength = np.linalg.norm(W, axis=0) * np.linalg.norm(F, axis=0)
    assert (strength[2:] <= 1e-5 * strength[0]).all()


def test_rows_without_entries_get_zeros():
    X = planted((300, 200), "float32")
    X[7], X[:, 11] = 0, 0
    W, F = starting_factors(as_data(X), RANK, "nndsvd", np.random.default_rng(1))
    assert not W[7].any()
    assert not F[11].any()
