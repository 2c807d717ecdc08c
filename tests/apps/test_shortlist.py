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


@pytest.mark.parametrize(("k", "runs"), [(4, 1), (20, 4), (32, 8), (97, 1), (70, 40)])
@pytest.mark.parametrize("noise", [0.0, 0.1, 3.0])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_products_are_within_their_bounds(k, runs, noise, dtype):
    F = alike(300, k, runs, noise).astype(dtype)
    rng = np.random.default_rng(1)
    F *= rng.choice([-1, 1], F.shape)
    F[::7], F[1::7], F[2::7] = 0, F[1::7] * 1e-30, F[2::7] * 1e30
    single = np.zeros(F.shape[1])
    single[-1] = 1e-12
    for vector in (rng.random(F.shape[1]), rng.normal(size=F.shape[1]), single, 0 * single):
        about, off = Shortlist(F).products(vector)
        exact = F.astype(np.float64) @ vector
        assert (np.abs(about - exact) <= off).all()


@pytest.mark.parametrize("noise", [0.0, 0.1, 3.0])
def test_the_bounds_are_close(noise):
    """Else the shortlist would be a long one."""
    F = alike(500, 20, 8, noise)
    vector = np.tile(np.random.default_rng(1).random(20), 8)
    about, off = Shortlist(F).products(vector)
    assert off.max() < 0.03 * np.abs(about).max()


def test_few_are_scored_in_full():
    model = Recommender(8, n_models=16, random_state=0).fit(planted()[0]).model_
    every = np.arange(len(model.item_factors))
    shares = []
    for user in range(0, 300, 23):
        rough, off = model.rough_scores(model.person(user), every)
        tenth = np.sort(rough - off)[-10]
        shares.append((rough + off >= tenth).mean())
    assert np.mean(shares) < 0.3


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
