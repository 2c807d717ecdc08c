"""Laws that every penalty obeys."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nonneg.core.penalties import Penalty

PENALTIES = [
    Penalty(),
    Penalty(l1=0.7),
    Penalty(l2=1.3),
    Penalty(l1=0.2, l2=0.5),
    Penalty(upper=0.8),
    Penalty(l1=0.1, l2=0.1, upper=2.0),
]
numbers = st.floats(0, 10, allow_subnormal=False)


@pytest.mark.parametrize("penalty", PENALTIES, ids=repr)
@given(w=numbers, gradient=st.floats(-10, 10), curvature=st.floats(0.1, 10), other=numbers)
def test_step_is_the_minimiser(penalty, w, gradient, curvature, other):
    def model(v):
        move = v - w
        return gradient * move + 0.5 * curvature * move**2 + penalty.value(np.array([[v]]))

    best = float(penalty.step(np.array([w]), np.array([gradient]), curvature)[0])
    assert penalty.lower <= best <= penalty.upper
    assert model(best) <= model(np.clip(other, penalty.lower, penalty.upper)) + 1e-9


@pytest.mark.parametrize("penalty", PENALTIES, ids=repr)
def test_project_is_feasible_and_idempotent(penalty):
    F = np.random.default_rng(0).standard_normal((6, 3))
    penalty.project(F)
    assert F.min() >= penalty.lower
    assert F.max() <= penalty.upper
    again = F.copy()
    penalty.project(again)
    np.testing.assert_array_equal(F, again)


def test_fixed_entries_are_kept_and_the_rest_is_free():
    fixed = np.array([[1.0, np.nan], [np.nan, 0.0]])
    penalty = Penalty(fixed=fixed)
    F = np.full((2, 2), 5.0)
    penalty.project(F)
    np.testing.assert_array_equal(F, [[1.0, 5.0], [5.0, 0.0]])
    np.testing.assert_array_equal(penalty.terms().fixed, [[1, 0], [0, 1]])
    assert penalty.bounded


def test_ridge_per_entry_counts_the_entries_of_each_row():
    F = np.array([[1.0, 2.0], [3.0, 0.0]])
    value = Penalty(l2_per_entry=0.5).value(F, np.array([10, 2]))
    assert value == pytest.approx(0.5 * 0.5 * (10 * 5 + 2 * 9))
