"""Laws that every loss obeys."""

from __future__ import annotations

import numpy as np
import pytest

from nonneg.core.data import Dense
from nonneg.core.losses import LOSSES, BetaLoss, HuberLoss, make_loss
from nonneg.errors import InputError

ALL = {**LOSSES, "β=1.5": BetaLoss(1.5), "β=3": BetaLoss(3.0), "β=-1": BetaLoss(-1.0)}
ALL["huber δ=.3"] = HuberLoss(0.3)


@pytest.fixture(params=list(ALL), ids=str)
def loss(request):
    return ALL[request.param]


@pytest.fixture
def pair():
    rng = np.random.default_rng(3)
    return rng.gamma(2.0, size=(7, 5)) + 0.1, rng.gamma(2.0, size=(7, 5)) + 0.1


def test_gradient_is_the_finite_difference(loss, pair):
    X, Y = pair
    direction = np.random.default_rng(1).standard_normal(Y.shape)
    step = 1e-6
    slope = (loss.value(X, Y + step * direction) - loss.value(X, Y - step * direction)) / (2 * step)
    assert slope == pytest.approx(np.sum(loss.gradient(X, Y) * direction), rel=1e-5)


def test_zero_exactly_at_the_data(loss, pair):
    X, Y = pair
    assert loss.value(X, X.copy()) == pytest.approx(0, abs=1e-12)
    assert loss.value(X, Y) > 0


def test_degree_of_homogeneity(loss, pair):
    X, Y = pair
    scaled = HuberLoss(4 * loss.delta) if getattr(loss, "delta", None) else loss
    if loss.name == "huber" and loss.delta is None:
        scaled, loss = HuberLoss(4.0), HuberLoss(1.0)
    assert scaled.value(4 * X, 4 * Y) == pytest.approx(4**loss.degree * loss.value(X, Y))


def test_transposed_view_has_the_same_value(loss, pair):
    X, Y = pair
    assert loss.T.value(X.T, Y.T) == pytest.approx(loss.value(X, Y))
    assert loss.T.T == loss


def test_kernel_measures_the_same_value(loss, pair):
    X, _ = pair
    rng = np.random.default_rng(2)
    W, F = rng.random((7, 3)) + 0.1, rng.random((5, 3)) + 0.1
    data = Dense(X, 0, 1)
    measured = data.entry_step(F, W, loss.kernel(data), "measure").loss
    reference = loss
    if loss.name == "huber" and loss.delta is None:
        reference = HuberLoss(data.unit)
    # l1 and l21 are rounded off near zero by a thousandth of the mean entry.
    rounding = {"l1": X.size, "l21": X.shape[0] * np.sqrt(X.shape[1])}.get(loss.name, 0)
    expected = reference.value(X, W @ F.T)
    assert measured == pytest.approx(expected, rel=1e-9, abs=1e-12 + 1e-3 * data.unit * rounding)


def test_size_and_error_are_finite_and_positive(loss, pair):
    X, Y = pair
    assert 0 < loss.size(Dense(X, 0, 1)) < np.inf
    assert 0 < loss.error(loss.value(X, Y)) < np.inf


def test_names_come_back(loss):
    if loss in LOSSES.values() or isinstance(loss, BetaLoss):
        assert make_loss(loss.name) == loss


@pytest.mark.parametrize("spec", ["euclid", float("nan"), float("inf"), None, object()])
def test_unknown_losses_are_refused(spec):
    with pytest.raises(InputError, match="loss="):
        make_loss(spec)


def test_itakura_saito_refuses_zeros():
    with pytest.raises(InputError, match="2 observed entries are 0"):
        make_loss("itakura-saito").check(Dense(np.array([[1.0, 0.0], [0.0, 2.0]]), 0, 1))
