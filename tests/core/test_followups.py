"""What review of the engine found: each was wrong once."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal

from nonneg import NMF, HuberLoss, Status, factorize, hoyer_sparseness
from nonneg.core.factorize import solve_left
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


def corrupt_csr():
    matrix = sp.csr_array(np.ones((40, 25)))
    matrix.indices[5] = 10**8
    return matrix


def test_corrupt_weights_are_refused(X):
    for data, options in ((X, {}), (sp.csr_array(X), {"missing_values": 0})):
        with pytest.raises(InputError, match="weights is a CSR matrix whose structure is corrupt"):
            factorize(data, 2, weights=corrupt_csr(), **options)
    with pytest.raises(InputError, match="structure is corrupt"):
        hoyer_sparseness(corrupt_csr())


def test_who_stops_a_fit_does_not_wait_for_the_last_polish(X, monkeypatch):
    def polish(*_):
        raise AssertionError("polished after the fit was stopped")

    monkeypatch.setattr("nonneg.core.factorize._polish", polish)
    for options in ({"callback": lambda _: True}, {"max_seconds": 0.0}):
        assert factorize(X, 3, loss="l1", **options).status in (Status.STOPPED, Status.TIME_LIMIT)


def test_ctrl_c_in_the_last_polish_keeps_the_fit(X, monkeypatch):
    def polish(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("nonneg.core.factorize._polish", polish)
    fit = factorize(X, 3, random_state=0)
    assert fit.status is Status.INTERRUPTED
    assert fit.relative_error < 0.2


@pytest.mark.parametrize("loss", ["frobenius", "kullback-leibler", "huber", "l1", "l21"])
def test_new_samples_of_zeros_get_zeros(X, loss):
    model = NMF(2, loss=loss, random_state=0).fit(X)
    assert_array_equal(model.transform(np.zeros((2, 25))), 0)
    assert np.isfinite(model.score(np.zeros((2, 25))))


@pytest.mark.parametrize("loss", ["frobenius", "kullback-leibler", "itakura-saito", "l1", "l21"])
def test_the_unit_of_the_weights_makes_no_difference(X, loss):
    weights = np.random.default_rng(1).random(X.shape) + 0.1
    options = {"loss": loss, "init": "random", "random_state": 0, "max_iter": 30}
    one = factorize(X, 3, weights=weights, **options)
    two = factorize(X, 3, weights=weights * 2.0**-20, **options)
    assert_allclose(two.relative_error, one.relative_error, rtol=1e-3)


@pytest.mark.parametrize("loss", ["frobenius", "kullback-leibler", "huber", "l1", "l21"])
def test_a_component_without_a_row_in_h_gets_no_weight(X, loss):
    H = factorize(X, 3, random_state=0).H
    W = solve_left(X, np.vstack([H, np.zeros(25)]), loss=loss)
    assert_array_equal(W[:, 3], 0)


def test_kullback_leibler_in_any_unit_of_h(X):
    H = factorize(X, 3, loss="kullback-leibler", random_state=0).H
    W = solve_left(X, H, loss="kullback-leibler")
    for size in (1e-12, 1e12):
        assert_allclose(solve_left(X, H * size, loss="kullback-leibler") * size, W, atol=1e-6)


@pytest.mark.parametrize("loss", ["huber", "l1", "l21"])
def test_a_start_that_overflows_is_refused(X, loss):
    start = {"W": np.full((40, 3), 1e200), "H": np.full((3, 25), 1e200)}
    with pytest.raises(InputError, match="overflow"):
        factorize(X, loss=loss, **start)


def test_the_kept_start_is_named(X):
    for seed in range(6):
        one = factorize(X, 4, random_state=seed, init="nndsvda")
        five = factorize(X, 4, random_state=seed, init="nndsvda", n_init=5)
        assert five.init == ("random" if five.objective < one.objective else "nndsvda")


def test_what_is_no_start_or_no_width_is_refused(X):
    for options in (
        {"W": np.ones(5)},
        {"n_components": 2, "fixed_H": "all"},
        {"n_components": 2, "loss": HuberLoss("a")},
        {"n_components": 2, "loss": HuberLoss(0.0)},
    ):
        with pytest.raises(InputError, match="·"):
            factorize(X, **options)


def test_duplicate_cells_of_small_integers_do_not_wrap_around():
    cells = sp.coo_array((np.array([200, 200, 7], np.uint8), ([0, 0, 1], [0, 0, 1])), (2, 2))
    fit = factorize(cells, 1, random_state=0)
    assert_allclose(fit.W @ fit.H, [[400, 0], [0, 0]], atol=1e-3)
