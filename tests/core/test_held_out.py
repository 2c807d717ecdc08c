"""Held-out cells without a mask are the same cells as missing ones."""

import numpy as np
import pytest
import scipy.sparse as sp

from nonneg.core.held_out import Rest, deal, held_out_parts
from nonneg.core.intake import as_data
from nonneg.core.losses import make_loss
from nonneg.core.problem import Factor, Problem
from nonneg.core.solvers import choose_solver

N = 4


def pair(sparse=False, holes=False, weighted=False, shape=(23, 17), seed=0):
    """Return the data less what is held out, and the same with NaN instead."""
    rng = np.random.default_rng(seed)
    X = rng.poisson(1.5, size=shape).astype(float)
    groups = [deal(n, N, [seed, side]) for side, n in enumerate(shape)]
    hidden = (groups[0][:, None] + groups[1]) % N == 0
    if holes:
        X[rng.random(shape) < 0.2] = np.nan
    weights = rng.uniform(0.5, 2, size=shape) if weighted else None
    data = as_data(sp.csr_array(X) if sparse else X, weights=weights)
    masked = np.where(hidden, np.nan, X)
    return data, groups, hidden, as_data(masked, weights=weights)


CASES = [
    ("dense", {}),
    ("sparse", {"sparse": True}),
    ("holes", {"holes": True}),
    ("weighted", {"weighted": True}),
]


@pytest.mark.parametrize(("name", "how"), CASES)
def test_sums_and_counts(name, how):
    data, groups, _, masked = pair(**how)
    rest = Rest(data, *groups, N)
    for ours, expected in ((rest, masked), (rest.T, masked.T)):
        assert ours.n_observed == expected.n_observed
        assert ours.n_zero == expected.n_zero
        assert ours.square_sum == pytest.approx(expected.square_sum)
        assert ours.weight_sum == pytest.approx(expected.weight_sum)
        assert np.array_equal(ours.row_counts(), expected.row_counts())
        assert ours.row_square_sums() == pytest.approx(expected.row_square_sums())
        x, seen = ours.row(3)
        y, known = expected.row(3)
        assert np.array_equal(seen, known)
        assert np.array_equal(x[seen], y[known])
    assert rest.T.T is rest


@pytest.mark.parametrize(("name", "how"), CASES)
@pytest.mark.parametrize("loss", ["kullback-leibler", "huber", "l21", 1.5])
def test_half_steps_are_those_of_missing_cells(name, how, loss):
    data, groups, _, masked = pair(**how)
    term, rng = make_loss(loss), np.random.default_rng(1)
    W, F = rng.random((23, 3)), rng.random((17, 3))
    ours, expected = Problem(Rest(data, *groups, N), term), Problem(masked, term)
    for problem, other, left, right in ((ours, expected, W, F), (ours.T, expected.T, F, W)):
        here, there = Factor(left.copy()), Factor(left.copy())
        choose_solver("auto", problem).half_steps(problem, [(here, Factor(right))])
        choose_solver("auto", other).half_steps(other, [(there, Factor(right))])
        assert here.values == pytest.approx(there.values, abs=1e-9)
        assert problem.loss_value(here, Factor(right)) == pytest.approx(
            other.loss_value(there, Factor(right))
        )


@pytest.mark.parametrize(("name", "how"), CASES)
def test_exact_quadratic_half_steps_reach_the_same_optimum(name, how):
    data, groups, _, masked = pair(**how)
    term, rng = make_loss("frobenius"), np.random.default_rng(1)
    W, right = rng.random((23, 3)), Factor(rng.random((17, 3)))
    ours, expected = Problem(Rest(data, *groups, N), term), Problem(masked, term)
    losses = []
    for problem in (ours, expected):
        left = Factor(W.copy())
        for _ in range(200):
            (step,) = choose_solver("auto", problem).half_steps(problem, [(left, right)])
        assert step.loss == pytest.approx(problem.loss_value(left, right))
        losses.append(step.loss)
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)


def test_parts_are_the_cells_that_are_hidden():
    data, groups, hidden, _ = pair(sparse=True)
    covered = np.zeros_like(hidden, dtype=int)
    for part in held_out_parts(data, *groups, N):
        covered[np.ix_(part.rows, part.columns)] += 1
        assert part.data.shape == (part.rows.size, part.columns.size)
    assert np.array_equal(covered, hidden.astype(int))
    share = hidden.mean()
    assert abs(share - 1 / N) < 0.02
    # Every row and every column keeps most of its cells.
    assert hidden.mean(axis=1).max() < 0.4
    assert hidden.mean(axis=0).max() < 0.4
