"""What `factorize` promises: laws of the loop, and witnesses from other libraries."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_digits
from sklearn.decomposition import NMF as SklearnNMF
from sklearn.exceptions import ConvergenceWarning

from nonneg import HuberLoss, Status, factorize
from nonneg.core.factorize import solve_left
from nonneg.errors import InputError, TooLargeError

LOSSES = ["frobenius", "kullback-leibler", "itakura-saito", 1.5, 3.0, "huber", "l1", "l21"]


def planted(m=60, n=40, k=4, seed=0, noise=0.2):
    rng = np.random.default_rng(seed)
    X = rng.gamma(0.7, size=(m, k)) @ rng.gamma(0.7, size=(k, n))
    return X * rng.uniform(1 - noise, 1 + noise, X.shape) + 1e-3


@pytest.fixture(scope="module")
def digits():
    return load_digits().data


@pytest.fixture(params=LOSSES, ids=str)
def loss(request):
    return request.param


def test_history_never_rises_and_ends_where_the_factors_are(loss):
    X = planted()
    fit = factorize(X, 4, loss=loss, random_state=0)
    objectives = [step.objective for step in fit.history]
    assert np.diff(objectives).max() <= 1e-12 * objectives[0]
    assert fit.objective <= objectives[-1] * (1 + 1e-9)
    assert fit.W.min() >= 0
    assert fit.H.min() >= 0
    assert [step.n_iter for step in fit.history] == sorted({step.n_iter for step in fit.history})


@pytest.mark.parametrize("seed", range(5))
def test_acceleration_never_ends_worse_than_the_plain_run(loss, seed):
    X = planted(seed=seed)
    options = {"loss": loss, "init": "random", "random_state": seed, "tol": 1e-6, "max_iter": 3000}
    fast = factorize(X, 4, **options)
    plain = factorize(X, 4, **options, accelerate=False)
    # Nonconvex and robust problems have several optima close by; 2 % tells them from failure.
    slack = 1.02 if loss in ("l1", 3.0, "itakura-saito") else 1.0005
    assert fast.objective <= plain.objective * slack


@pytest.mark.parametrize("shape", [(300, 200), (900, 7)])
def test_same_bits_for_any_number_of_threads(loss, shape):
    X = planted(*shape)
    fits = [factorize(X, 4, loss=loss, random_state=3, max_iter=4, n_threads=n) for n in (1, 2, 5)]
    for other in fits[1:]:
        np.testing.assert_array_equal(fits[0].W, other.W)
        np.testing.assert_array_equal(fits[0].H, other.H)
        assert fits[0].objective == other.objective


def test_same_seed_same_answer_and_another_seed_another():
    X = planted()
    one, two, three = (factorize(X, 4, init="random", random_state=s) for s in (5, 5, 6))
    np.testing.assert_array_equal(one.H, two.H)
    assert not np.array_equal(one.H, three.H)
    drawn = factorize(X, 4, init="random")
    np.testing.assert_array_equal(
        factorize(X, 4, init="random", random_state=drawn.seed).W, drawn.W
    )


@settings(max_examples=15)
@given(power=st.integers(-300, 300))
def test_the_unit_of_X_makes_no_difference(power):
    X = planted(20, 12)
    base = factorize(X, 3, random_state=0)
    scaled = factorize(np.ldexp(X, 2 * (power // 2)), 3, random_state=0)
    assert scaled.n_iter == base.n_iter
    np.testing.assert_allclose(
        np.ldexp(scaled.W, -(power // 2)) @ np.ldexp(scaled.H, -(power // 2)),
        base.W @ base.H,
        rtol=1e-9,
    )


@pytest.mark.parametrize("factor", [1e200, 1e-200, 1000.0, 65535.0, 1e-3])
def test_scale_equivariance(loss, factor):
    X = planted(20, 12)
    options = {"random_state": 0, "max_iter": 30}
    base = factorize(X, 3, loss=loss, **options)
    scaled = factorize(X * factor, 3, loss=loss, **options)
    assert np.isfinite([scaled.error, scaled.relative_error, scaled.objective]).all()
    tolerance = 1e-1 if loss in ("l1", 3.0) else 1e-6
    assert scaled.relative_error == pytest.approx(base.relative_error, rel=tolerance)


def test_what_lies_under_a_mask_cannot_change_the_fit():
    X = planted()
    seen = np.random.default_rng(0).random(X.shape) < 0.7
    weights = seen.astype(float)
    one = factorize(np.where(seen, X, np.nan), 4, random_state=0)
    two = factorize(np.where(seen, X, 1e6), 4, weights=weights, random_state=0)
    three = factorize(np.where(seen, X, 0), 4, missing_values=0, random_state=0)
    four = factorize(sp.csr_array(np.where(seen, X, 0)), 4, missing_values=0, random_state=0)
    for other in (two, three, four):
        np.testing.assert_allclose(other.W @ other.H, one.W @ one.H, rtol=1e-8)
    assert one.n_observed == seen.sum()
    hidden = (one.W @ one.H)[~seen]
    assert np.abs(hidden - X[~seen]).mean() < 0.5 * np.abs(X[~seen] - X.mean()).mean()


@pytest.mark.parametrize("loss", ["frobenius", "kullback-leibler", 1.5, "huber"])
def test_weights_count_entries(loss):
    X = planted(30, 20)
    W0 = np.random.default_rng(1).random((30, 3)) + 0.1
    H0 = np.random.default_rng(2).random((3, 20)) + 0.1
    options = {"loss": loss, "W": W0, "H": H0, "max_iter": 20, "solver": "auto"}
    once = factorize(X, weights=np.ones(X.shape), **options)
    twice = factorize(X, weights=np.full(X.shape, 2.0), **options)
    np.testing.assert_allclose(twice.W @ twice.H, once.W @ once.H, rtol=1e-6)
    assert twice.objective == pytest.approx(2 * once.objective, rel=1e-6)


def test_objective_is_at_most_scikit_learns(digits):
    for loss, options in (("frobenius", {}), ("kullback-leibler", {"solver": "mu"})):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            rival = SklearnNMF(
                16, beta_loss=loss, init="nndsvda", max_iter=200, random_state=0, **options
            ).fit(digits)
        ours = factorize(digits, 16, loss=loss, random_state=0)
        assert ours.error <= rival.reconstruction_err_ * 1.0005


@pytest.mark.parametrize("loss", ["frobenius", "kullback-leibler", 1.5])
def test_error_is_scikit_learns_measure(loss):
    X = planted(30, 20)
    fit = factorize(X, 3, loss=loss, random_state=0)
    solver = "cd" if loss == "frobenius" else "mu"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        rival = SklearnNMF(3, beta_loss=loss, init="custom", solver=solver, tol=0, max_iter=1)
        rival.fit_transform(X, W=fit.W.copy(), H=fit.H.copy())
    # One more iteration from our optimum hardly moves, so the errors are comparable.
    assert fit.error == pytest.approx(rival.reconstruction_err_, rel=1e-3)


def test_all_solvers_find_the_same_optimum():
    X = planted(noise=0.05)
    errors = {
        solver: factorize(X, 4, solver=solver, tol=1e-7, max_iter=20_000, random_state=0).error
        for solver in ("hals", "anls-bpp", "ccd", "mu")
    }
    assert max(errors.values()) <= min(errors.values()) * 1.01


def test_exact_factorization_is_found_to_rounding():
    rng = np.random.default_rng(0)
    X = rng.random((50, 5)) @ rng.random((5, 30))
    fit = factorize(X, 5, solver="anls-bpp", tol=1e-12, max_iter=5000, random_state=0)
    assert fit.relative_error < 1e-5
    one = factorize(np.outer(np.arange(1.0, 6), np.arange(3.0)), 1)
    assert one.relative_error < 1e-12


@pytest.mark.parametrize("loss", [x for x in LOSSES if x not in ("itakura-saito", 3.0)], ids=str)
def test_transform_of_the_training_rows_is_W(loss):
    """Where the half-problem is convex: every loss but β outside [1, 2]."""
    X = planted()
    fit = factorize(X, 4, loss=loss, alpha_W=1e-4, random_state=0)
    again = solve_left(X, fit.H, loss=loss, alpha_W=1e-4)
    tolerance = 1e-5 if loss == "frobenius" else 5e-2
    np.testing.assert_allclose(again, fit.W, rtol=tolerance, atol=tolerance * fit.W.max())


@pytest.mark.parametrize("loss", ["frobenius", "kullback-leibler", "l1", 1.5])
@pytest.mark.parametrize("form", [np.asarray, sp.csr_array])
def test_zero_rows_and_columns_get_exact_zeros(loss, form):
    X = planted()
    X[3] = 0
    X[:, 5] = 0
    fit = factorize(form(X), 4, loss=loss, random_state=0)
    model = fit.W @ fit.H
    assert np.isfinite(model).all()
    if loss != 1.5:
        assert not fit.W[3].any()
        assert not fit.H[:, 5].any()
    assert model[3].max() <= 1e-6 * model.max()


def test_more_components_than_the_data_have_die_quietly():
    X = np.outer(np.arange(1.0, 9), np.arange(1.0, 7))
    fit = factorize(X, 3, init="random", random_state=0)
    assert np.isfinite(fit.W).all()
    assert fit.relative_error < 1e-4


def test_a_dead_component_is_revived():
    X = planted(noise=0.0)
    H0 = np.random.default_rng(0).random((4, 40))
    H0[2] = 0
    W0 = np.random.default_rng(1).random((60, 4))
    fit = factorize(X, W=W0, H=H0, tol=1e-6, max_iter=3000)
    assert (fit.W.any(axis=0) & fit.H.any(axis=1)).all()
    three = factorize(X, 3, tol=1e-6, max_iter=3000)
    assert fit.error < 0.7 * three.error


def test_statuses_and_what_stops_a_fit():
    X = planted()
    assert factorize(X, 4).status is Status.CONVERGED
    few = factorize(X, 4, max_iter=2)
    assert (few.status, few.n_iter) == (Status.MAX_ITER, 2)
    assert "raise max_iter" in few.status.value
    assert factorize(X, 4, max_seconds=0.0).status is Status.TIME_LIMIT
    seen = []
    stopped = factorize(X, 4, callback=lambda step: seen.append(step) or len(seen) == 3)
    assert stopped.status is Status.STOPPED
    assert stopped.history == tuple(seen)


def test_interrupt_returns_the_best_so_far():
    X = planted()
    calls = []

    def press_ctrl_c(step):
        calls.append(step)
        if len(calls) == 4:
            raise KeyboardInterrupt

    fit = factorize(X, 4, callback=press_ctrl_c)
    assert fit.status is Status.INTERRUPTED
    assert fit.objective <= calls[-1].objective * (1 + 1e-9)


def test_more_starts_are_never_worse():
    X = planted(noise=0.6)
    one = factorize(X, 4, init="random", random_state=0)
    many = factorize(X, 4, init="random", random_state=0, n_init=5)
    assert many.objective <= one.objective


def test_fixed_components_and_bounds():
    X = planted()
    fixed = np.full((4, 40), np.nan)
    fixed[1] = X[0]
    fit = factorize(X, 4, fixed_H=fixed, upper_W=2.0, random_state=0)
    np.testing.assert_allclose(fit.H[1], X[0])
    assert fit.W.max() <= 2.0
    scaled = factorize(X * 4.0**30, 4, fixed_H=fixed * 4.0**30, upper_W=2.0, random_state=0)
    np.testing.assert_allclose(scaled.H[1], X[0] * 4.0**30)
    assert scaled.relative_error == pytest.approx(fit.relative_error, rel=1e-3)


def test_penalties_use_scikit_learns_scaling(digits):
    X = digits[:200]
    options = {"alpha_W": 0.01, "alpha_H": 0.02, "l1_ratio": 0.5}
    fit = factorize(X, 5, **options, random_state=0, tol=1e-7, max_iter=3000)
    rival = SklearnNMF(5, **options, init="nndsvda", tol=1e-7, max_iter=3000)
    W = rival.fit_transform(X)

    def objective(W, H):
        value = 0.5 * np.linalg.norm(X - W @ H) ** 2
        value += 0.01 * X.shape[1] * (0.5 * W.sum() + 0.25 * (W**2).sum())
        return value + 0.02 * X.shape[0] * (0.5 * H.sum() + 0.25 * (H**2).sum())

    assert fit.objective == pytest.approx(objective(fit.W, fit.H), rel=1e-9)
    assert fit.objective <= objective(W, rival.components_) * 1.001


def test_robust_losses_are_not_pulled_by_outliers():
    X = planted(150, 80, noise=0.0)
    dirty = X.copy()
    places = np.random.default_rng(0).random(X.shape) < 0.02
    dirty[places] = 3 * X.max()
    errors = {}
    for loss in ("frobenius", "l1", HuberLoss(0.1)):
        fit = factorize(dirty, 4, loss=loss, random_state=0, max_iter=2000, n_init=3)
        errors[str(loss)] = np.linalg.norm((fit.W @ fit.H - X)[~places]) / np.linalg.norm(X)
    assert errors["l1"] < 0.1 * errors["frobenius"]
    assert errors[str(HuberLoss(0.1))] < 0.1 * errors["frobenius"]


def test_memory_is_refused_before_it_is_taken():
    with pytest.raises(TooLargeError, match=r"n_components=10{9}\d* would need .* GB · this"):
        factorize(planted(), 10**9, init="random")


@pytest.mark.parametrize("init", ["nndsvd", "nndsvda", "nndsvdar"])
@pytest.mark.parametrize("form", ["dense", "sparse", "holes"])
def test_nndsvd_starts_near_the_data(init, form):
    X = planted(150, 130)
    held = {"dense": X, "sparse": sp.csr_array(X)}.get(form)
    if held is None:
        held = np.where(np.random.default_rng(0).random(X.shape) < 0.2, np.nan, X)
    start = factorize(held, 4, init=init, random_state=0, max_iter=1)
    chance = factorize(held, 4, init="random", random_state=0, max_iter=1)
    assert start.history[0].objective < chance.history[0].objective


def test_a_given_start_at_the_optimum_stays_there():
    X = planted()
    fit = factorize(X, 4, tol=1e-8, max_iter=5000)
    again = factorize(X, W=fit.W, H=fit.H)
    assert again.init == "given"
    assert again.n_iter <= 3
    np.testing.assert_allclose(again.W, fit.W, rtol=1e-3, atol=1e-3)


def test_wrong_starts_are_refused():
    X = planted()
    W0, H0 = np.ones((60, 4)), np.ones((4, 40))
    for options, words in (
        ({"init": "given"}, "none was given"),
        ({"W": W0, "H": H0, "init": "random"}, "ignores W and H"),
        ({"W": W0[:5], "H": H0}, "must be"),
        ({"W": -W0, "H": H0}, "finite numbers"),
        ({"init": "svd"}, "unknown"),
    ):
        with pytest.raises(InputError, match=words):
            factorize(X, 4, **options)
    with pytest.raises(InputError, match=r"needs at most 40"):
        factorize(X, 41, init="nndsvd")
