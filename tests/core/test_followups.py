"""What review of the engine found: each was wrong once."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal

from nonneg import NMF, factorize
from nonneg.errors import InputError


@pytest.fixture
def X():
    rng = np.random.default_rng(0)
    parts = rng.gamma(0.5, 1.0, (40, 3)), rng.gamma(0.5, 1.0, (3, 25))
    return parts[0] @ parts[1] + 0.05 * rng.random((40, 25))


@pytest.mark.parametrize(
    ("loss", "solver"),
    [
        (2.0, "hals"),
        (2.0, "ccd"),
        (2.0, "anls-bpp"),
        (2.0, "mu"),
        (1.0, "ccd"),
        (1.0, "mu"),
        (2.5, "mu"),
    ],
)
def test_components_that_a_penalty_wants_dead_stay_dead(loss, solver):
    X = np.abs(np.random.RandomState(42).randn(20, 15))
    options = {"loss": loss, "solver": solver, "alpha_W": 0.1, "l1_ratio": 0.5, "random_state": 0}
    fit = factorize(X, 10, init="random", max_iter=3000, tol=1e-8, **options)
    assert fit.objective <= fit.history[-1].objective * (1 + 1e-9)
    W, H, before = fit.W + 0.1, fit.H + 0.1, np.inf
    for _ in range(15):
        fit = factorize(X, 10, W=W, H=H, max_iter=1, tol=0, **options)
        assert fit.objective <= before * (1 + 1e-9)
        W, H, before = fit.W, fit.H, fit.objective


def test_l1_errors_have_the_documented_unit(X):
    fit = factorize(X, 3, loss="l1", random_state=0)
    assert_allclose(fit.relative_error, np.abs(X - fit.W @ fit.H).sum() / X.sum(), rtol=0.05)
    far = factorize(X * 2.0**100, 3, loss="l1", random_state=0)
    assert_allclose(far.error / 2.0**100, fit.error)


@pytest.mark.parametrize("options", [{"solver": "mu"}, {"loss": 1.5}, {"loss": 3.0}])
def test_multiplicative_fits_end_at_the_optimum_of_w(options):
    X = np.abs(np.random.RandomState(0).randn(50, 7))
    model = NMF(7, random_state=0, tol=1e-3, **options)
    W = model.fit_transform(X)
    assert_allclose(model.transform(X), W, atol=1e-5 * W.max())


def test_masked_cells_are_missing_for_the_function_too(X):
    masked = np.ma.masked_array(X, mask=X < 0.3)
    assert factorize(masked, 2, random_state=0).n_observed == np.sum(X >= 0.3)


def test_a_sample_without_values_gets_zeros(X):
    model = NMF(2, random_state=0).fit(X)
    assert_array_equal(model.transform(np.full((1, 25), np.nan)), 0)


def corrupt_coo(index):
    matrix = sp.coo_array(np.eye(4))
    matrix.coords[0][2] = index
    return matrix


def corrupt_bsr(name, value):
    matrix = sp.bsr_array(np.eye(4), blocksize=(2, 2))
    getattr(matrix, name)[1] = value
    return matrix


@pytest.mark.parametrize(
    "matrix",
    [
        corrupt_coo(10**8),
        corrupt_coo(-1),
        corrupt_bsr("indptr", 10**8),
        corrupt_bsr("indices", -(10**6)),
    ],
)
def test_corrupt_coordinates_and_blocks(matrix):
    with pytest.raises(InputError, match="structure is corrupt"):
        factorize(matrix, 2)
