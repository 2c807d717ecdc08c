"""What is asked of parts is kept, and no iteration raises the objective."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import scipy.optimize
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import nonneg
from nonneg.apps.image_sparseness import Wishes, fit_wishes, project_sparseness
from nonneg.errors import InputError

targets = hnp.arrays(np.float64, st.integers(3, 30), elements=st.floats(-3, 3, width=32))


@settings(max_examples=40)
@given(targets, st.floats(0.05, 0.95))
def test_the_projection_has_the_sparseness_asked_for(tau, sparseness):
    assume(tau.max() > 1e-3)
    h = project_sparseness(tau, sparseness)
    assert (h >= 0).all()
    if not h.any():  # of a dense vector the negative entries may weigh more
        assert tau.min() < 0
        return
    assert nonneg.hoyer_sparseness(h) == pytest.approx(sparseness, abs=1e-6)


@settings(max_examples=40)
@given(targets, st.floats(0.1, 0.9), st.integers(0, 100))
def test_no_vector_of_this_sparseness_is_nearer(tau, sparseness, seed):
    assume(tau.max() > 1e-3)
    near = np.sum((project_sparseness(tau, sparseness) - tau) ** 2)
    rng = np.random.default_rng(seed)
    for start in rng.standard_normal((8, tau.size)):
        other = project_sparseness(tau + start, sparseness)
        best = other * max(0.0, other @ tau) / max(other @ other, 1e-300)
        assert np.sum((best - tau) ** 2) >= near - 1e-9


def test_the_projection_agrees_with_a_general_solver():
    rng = np.random.default_rng(0)
    for _ in range(5):
        tau, s = rng.standard_normal(6), 0.6
        near = project_sparseness(tau, s)
        ratio = np.sqrt(6) - s * (np.sqrt(6) - 1)
        found = scipy.optimize.minimize(
            lambda h, tau=tau: np.sum((h - tau) ** 2),
            near + 0.05,
            bounds=[(0, None)] * 6,
            constraints={
                "type": "eq",
                "fun": lambda h, ratio=ratio: h.sum() - ratio * np.linalg.norm(h),
            },
        )
        assert np.sum((near - tau) ** 2) <= found.fun + 1e-5


def test_targets_without_a_positive_entry_become_zero():
    assert not project_sparseness(np.array([-1.0, 0.0, -2.0]), 0.5).any()


def images(seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    W, H = rng.gamma(0.5, size=(30, 4)), rng.gamma(0.3, size=(4, 35))
    return W @ H + 0.01 * rng.random((30, 35))


@pytest.mark.parametrize(
    "wishes",
    [
        Wishes(),
        Wishes(sparseness=0.3),
        Wishes(sparseness=0.8),
        Wishes("local", 0.1),
        Wishes("orthogonal"),
        Wishes(smoothness=0.5),
        Wishes("local", 0.05, 0.6, 0.2),
    ],
)
@pytest.mark.parametrize("holes", [False, True])
@pytest.mark.parametrize("delta", [None, 0.1])
def test_the_objective_never_rises(wishes, holes, delta):
    X = images()
    weights = (np.random.default_rng(1).random(X.shape) > 0.2).astype(float) if holes else None
    rng = np.random.default_rng(2)
    W, H = rng.random((30, 4)), rng.random((4, 35))
    W, H, _, history = fit_wishes(
        X, weights, W, H, (5, 7, 1), wishes, delta=delta, max_iter=25, tol=0.0
    )
    objectives = [step.objective for step in history]
    assert all(b <= a * (1 + 1e-9) + 1e-12 for a, b in itertools.pairwise(objectives))
    assert min(W.min(), H.min()) >= 0
    if wishes.sparseness is not None:
        np.testing.assert_allclose(nonneg.hoyer_sparseness(H, axis=1), wishes.sparseness, atol=1e-6)
    if wishes.variant == "orthogonal":
        assert ((H > 0).sum(axis=0) <= 1).all()


def test_what_is_missing_cannot_change_the_fit():
    X = images()
    weights = (np.random.default_rng(1).random(X.shape) > 0.2).astype(float)
    rng = np.random.default_rng(2)
    start = rng.random((30, 4)), rng.random((4, 35))
    other = np.where(weights > 0, X, 77.0)
    one = fit_wishes(X, weights, *start, (5, 7, 1), Wishes(sparseness=0.5), max_iter=9)
    two = fit_wishes(other, weights, *start, (5, 7, 1), Wishes(sparseness=0.5), max_iter=9)
    np.testing.assert_array_equal(one[1], two[1])


def test_smoother_parts_are_smoother():
    X = images()
    rng = np.random.default_rng(2)
    start = rng.random((30, 4)), rng.random((4, 35))

    def roughness(smoothness: float) -> float:
        H = fit_wishes(X, None, *start, (5, 7, 1), Wishes(smoothness=smoothness), max_iter=100)[1]
        parts = (H / np.linalg.norm(H, axis=1, keepdims=True)).reshape(4, 5, 7)
        steps = np.diff(parts, axis=1), np.diff(parts, axis=2)
        return float(sum(np.square(step).sum() for step in steps))

    assert roughness(0.0) > 1.2 * roughness(0.3) > roughness(3.0)


def test_overlap_costs_nothing_where_there_is_none():
    rng = np.random.default_rng(0)
    H = np.kron(np.eye(3), np.ones((1, 4)))
    W = rng.random((20, 3))
    found = fit_wishes(W @ H, None, W, H, (3, 4, 1), Wishes("local", 1.0), max_iter=5)
    assert found[3][-1].objective < 1e-20


@pytest.mark.parametrize(
    ("wishes", "message"),
    [
        (Wishes("odd"), "variant"),
        (Wishes(sparseness=1.0), "sparseness"),
        (Wishes(sparseness=True), "sparseness"),
        (Wishes("local", -1.0), "overlap"),
        (Wishes(smoothness=float("nan")), "smoothness"),
        (Wishes("orthogonal", sparseness=0.5), "orthogonal"),
    ],
)
def test_wishes_that_make_no_sense(wishes, message):
    with pytest.raises(InputError, match=message):
        wishes.check()
