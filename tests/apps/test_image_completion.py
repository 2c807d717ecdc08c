"""Parts of pictures with holes: the objective is that of the core, and so are its optima."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_digits

from nonneg import factorize
from nonneg.apps.image_completion import factorize_holes
from nonneg.core.alternate import Status

RIDGE = 1e-3


def holed(kind: str, n: int = 120) -> np.ndarray:
    """Digits of which some pixels are missing."""
    X = (load_digits().images[:n] / 16).astype(np.float32)
    rng = np.random.default_rng(0)
    if kind == "square":
        for image in X:
            top, left = rng.integers(5, size=2)
            image[top : top + 4, left : left + 4] = np.nan
    else:
        X[rng.random(X.shape) < float(kind)] = np.nan
    return X.reshape(n, -1)


def objective(X: np.ndarray, W: np.ndarray, H: np.ndarray) -> float:
    known = ~np.isnan(X)
    W, H = W.astype(np.float64), H.astype(np.float64)
    rest = np.where(known, X - W @ H, 0.0)
    paid = known.sum(axis=1) @ np.square(W).sum(axis=1) + known.sum(axis=0) @ np.square(H).sum(0)
    return float(0.5 * np.square(rest).sum() + 0.5 * RIDGE * paid)


@pytest.mark.parametrize("kind", ["0.1", "0.4", "0.8", "square"])
def test_the_objective_never_rises_and_is_the_one_of_known_pixels(kind):
    X = holed(kind)
    fit = factorize_holes(X, 12, ridge_per_entry=RIDGE, max_iter=60, tol=1e-6, random_state=1)
    objectives = np.array([step.objective for step in fit.history])
    assert (np.diff(objectives) <= 1e-6 * objectives[0]).all()
    assert min(fit.W.min(), fit.H.min()) >= 0
    assert fit.objective == pytest.approx(objective(X, fit.W, fit.H), rel=1e-5)
    assert fit.n_observed == np.count_nonzero(~np.isnan(X))


@pytest.mark.parametrize("kind", ["0.3", "square"])
def test_coordinate_descent_on_known_pixels_finds_nothing_lower_nearby(kind):
    X = holed(kind)
    fit = factorize_holes(X, 6, ridge_per_entry=RIDGE, max_iter=5000, tol=1e-6, random_state=0)
    assert fit.status is Status.CONVERGED
    further = factorize(
        X.astype(np.float64), init="given", W=fit.W, H=fit.H, ridge_per_entry=RIDGE, max_iter=100
    )
    assert objective(X, further.W, further.H) > 0.995 * fit.objective
    alone = factorize(X, 6, ridge_per_entry=RIDGE, tol=1e-5, max_iter=500, random_state=0)
    assert fit.objective < 1.03 * objective(X, alone.W, alone.H)


def test_what_nobody_knows_leaves_the_fit_finite():
    X = holed("0.3")
    X[4] = np.nan
    X[:, 9] = np.nan
    fit = factorize_holes(X, 5, ridge_per_entry=RIDGE, max_iter=40, random_state=0)
    assert np.isfinite(fit.W).all()
    assert np.isfinite(fit.H).all()


def test_who_watches_can_stop_it_and_the_best_of_several_starts_is_kept():
    X = holed("0.3")
    stopped = factorize_holes(
        X, 5, ridge_per_entry=RIDGE, random_state=0, callback=lambda step: step.n_iter == 3
    )
    assert (stopped.status, stopped.n_iter) == (Status.STOPPED, 3)
    one, three = (
        factorize_holes(X, 9, ridge_per_entry=RIDGE, max_iter=40, n_init=n, random_state=2)
        for n in (1, 3)
    )
    assert three.objective <= one.objective
