"""The best of many items, found from bounds: the same as by scoring all."""

from __future__ import annotations

import numpy as np
import pytest

from nonneg.apps.recommend import Recommender
from nonneg.apps.shortlist import Shortlist, best_items

from .test_recommend import planted


def alike(n: int, k: int, runs: int, noise: float) -> np.ndarray:
    """Factors of runs that resemble one another."""
    rng = np.random.default_rng(0)
    base = rng.gamma(0.5, size=(n, k))
    return np.hstack([base + noise * rng.random((n, k)) for _ in range(runs)])


@pytest.mark.parametrize(("k", "runs"), [(4, 1), (20, 4), (32, 8), (96, 1), (97, 1)])
@pytest.mark.parametrize("noise", [0.0, 0.1, 3.0])
def test_products_are_within_their_bounds(k, runs, noise):
    F = alike(500, k, runs, noise).astype(np.float32)
    rng = np.random.default_rng(1)
    for vector in (rng.random(F.shape[1]), rng.normal(size=F.shape[1]), np.zeros(F.shape[1])):
        about, off = Shortlist(F).products(vector.astype(np.float32))
        exact = F.astype(np.float64) @ vector.astype(np.float32).astype(np.float64)
        assert (np.abs(about - exact) <= off).all()


def test_what_resembles_is_bounded_closely():
    """Else the shortlist would be a long one."""
    F = alike(500, 20, 8, 0.01)
    vector = np.tile(np.random.default_rng(1).random(20), 8)
    about, off = Shortlist(F).products(vector)
    assert off.max() < 0.05 * np.abs(about).max()


@pytest.mark.parametrize(
    "how",
    [
        {"n_models": 1},
        {"n_models": 16},
        {"n_models": 30, "nonneg": False},
        {"n_models": 8, "method": "neighbors"},
        {"n_models": 16, "feedback": "implicit"},
    ],
)
def test_the_best_are_those_of_all_scores(how):
    model = Recommender(8, random_state=0, **how).fit(planted()[0])
    every = np.arange(model.ratings_.n_items)
    for user in range(0, 300, 23):
        person = model.model_.person(user)
        exact = np.round(model.model_.scores(person, every), 9)
        order = np.argsort(-exact, kind="stable")
        for n in (1, 7, every.size):
            best, scores = best_items(model.model_, person, every, n)
            assert np.array_equal(best, order[:n])
            np.testing.assert_allclose(scores, exact[best], atol=1e-9)


def test_ties_are_in_the_order_of_the_candidates():
    class Level:
        def scores(self, person, items):
            return np.ones(len(items))

        def rough_scores(self, person, items):
            return np.ones(len(items)), np.full(len(items), 0.1)

    best, _ = best_items(Level(), None, np.array([5, 2, 9]), 2)
    assert best.tolist() == [5, 2]
