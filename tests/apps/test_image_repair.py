"""Coefficients of pictures with holes, and what stands where nobody knows anything."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import nnls

from nonneg.apps.image_repair import Prior, from_around, solve_known


def pictures(missing: float) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    H = rng.random((6, 40)) * (rng.random((6, 40)) < 0.6)
    X = (rng.gamma(0.5, size=(15, 6)) @ H + 0.05 * rng.random((15, 40))).astype(np.float32)
    X[rng.random(X.shape) < missing] = np.nan
    return X, H


@pytest.mark.parametrize("missing", [0.1, 0.5, 0.9])
def test_known_pixels_are_fitted_as_a_general_solver_does(missing):
    X, H = pictures(missing)
    W = solve_known(X, H, ridge_per_entry=1e-2)
    for x, w in zip(X, W, strict=True):
        seen = ~np.isnan(x)
        A = np.vstack([H[:, seen].T, np.sqrt(1e-2 * seen.sum()) * np.eye(6)])
        b = np.concatenate([x[seen].astype(np.float64), np.zeros(6)])
        np.testing.assert_allclose(w, nnls(A, b)[0], atol=1e-8)


@pytest.mark.parametrize("missing", [0.2, 0.7, 1.0])
def test_the_most_probable_coefficients_are_those_of_a_general_solver(missing):
    X, H = pictures(missing)
    rng = np.random.default_rng(0)
    prior = Prior.of(rng.gamma(0.5, size=(50, 6)), 1e-2)
    root = np.linalg.cholesky(prior.precision).T
    for x, w in zip(X, prior.solve(X, H), strict=True):
        seen = ~np.isnan(x)
        A = np.vstack([H[:, seen].T, root])
        b = np.concatenate([x[seen].astype(np.float64), root @ prior.mean])
        np.testing.assert_allclose(w, nnls(A, b)[0], atol=1e-7)


def test_pixels_that_nobody_knows_are_the_mean_of_their_neighbours():
    seen = np.ones((6, 7, 2), dtype=bool)
    seen[0:3, 1:4, 1] = False
    H = np.random.default_rng(0).random((3, 84))
    found = from_around(H, seen).reshape(3, 6, 7, 2)
    given = H.reshape(3, 6, 7, 2)
    np.testing.assert_array_equal(found[:, seen], given[:, seen])
    np.testing.assert_allclose(
        found[:, 1, 2, 1],
        (found[:, 0, 2, 1] + found[:, 2, 2, 1] + found[:, 1, 1, 1] + found[:, 1, 3, 1]) / 4,
    )
    # In a corner of the hole at the border: three neighbours, two of them known.
    np.testing.assert_allclose(
        found[:, 0, 1, 1], (given[:, 0, 0, 1] + found[:, 1, 1, 1] + found[:, 0, 2, 1]) / 3
    )
    seen[:, :, 0] = False
    assert (from_around(H, seen).reshape(3, 6, 7, 2)[..., 0] == 0).all()


def test_a_ramp_goes_on_through_a_hole():
    ramp = np.add.outer(np.arange(8.0), 2 * np.arange(9.0))
    seen = np.ones((8, 9, 1), dtype=bool)
    seen[2:6, 3:7] = False
    H = np.where(seen[..., 0], ramp, 0.0).reshape(1, -1)
    np.testing.assert_allclose(from_around(H, seen).reshape(8, 9), ramp, atol=1e-8)
