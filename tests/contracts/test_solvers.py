"""Laws that every solver obeys on every problem it says it supports."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp

from nonneg.core.factorize import make_problem
from nonneg.core.intake import as_data
from nonneg.core.problem import Factor
from nonneg.core.solvers import SOLVERS, choose_solver
from nonneg.errors import InputError

K = 3
LOSSES = ["frobenius", "kullback-leibler", "itakura-saito", 1.5, 3.0, "huber", "l1", "l21"]
PENALTIES = {
    "none": {},
    "l2": {"alpha_W": 0.01},
    "l1": {"alpha_W": 0.01, "l1_ratio": 1.0},
    "bound": {"upper_W": 1.0, "upper_H": 1.5},
}


def matrix(kind, dtype):
    rng = np.random.default_rng(7)
    X = (
        rng.gamma(1.0, size=(24, K))
        @ rng.gamma(1.0, size=(K, 15))
        * rng.uniform(0.7, 1.3, (24, 15))
    )
    X = X.astype(dtype)
    if kind == "sparse":
        return sp.csr_array(X * (rng.random(X.shape) < 0.4))
    if kind == "holes":
        X[rng.random(X.shape) < 0.3] = np.nan
    return X


def start(data, seed=0):
    rng = np.random.default_rng(seed)
    left = rng.random((data.shape[0], K)).astype(data.dtype) + data.dtype.type(0.1)
    right = rng.random((data.shape[1], K)).astype(data.dtype) + data.dtype.type(0.1)
    return Factor(left), Factor(right)


def objective(problem, left, right):
    return problem.loss_value(left, right) + problem.penalty_value(left, right)


def make(kind, loss, penalty, dtype=np.float64):
    return make_problem(as_data(matrix(kind, dtype)), loss, K, **PENALTIES[penalty])


def every_case():
    for kind, loss, penalty in itertools.product(["dense", "sparse", "holes"], LOSSES, PENALTIES):
        if loss == "itakura-saito" and kind == "sparse":
            continue  # zeros are outside its domain
        for name in SOLVERS:
            yield name, kind, loss, penalty


SUPPORTED = [c for c in every_case() if SOLVERS[c[0]].supports(make(*c[1:])) is None]
REFUSED = [c for c in every_case() if c not in SUPPORTED]


@pytest.fixture(params=SUPPORTED, ids=lambda case: "-".join(map(str, case)))
def case(request):
    return request.param


@pytest.fixture
def solver(case):
    return SOLVERS[case[0]]


@pytest.fixture
def problem(case):
    return make(*case[1:])


def test_each_solver_is_refused_with_advice_where_it_does_not_fit():
    assert {case[0] for case in SUPPORTED} == set(SOLVERS)
    for name, *rest in REFUSED:
        with pytest.raises(InputError, match=f'solver="{name}" .*use "'):
            choose_solver(name, make(*rest))
    for case in SUPPORTED:
        assert choose_solver("auto", make(*case[1:])).supports(make(*case[1:])) is None


def test_half_steps_keep_the_bounds_and_never_raise_the_objective(solver, problem):
    left, right = start(problem.data)
    problem.left.project(left.values)
    problem.right.project(right.values)
    before = objective(problem, left, right)
    for _ in range(6):
        for side, a, b in ((problem, left, right), (problem.T, right, left)):
            # Kullback–Leibler's fast step may overshoot; the loop repeats it cautiously then.
            step = solver.half_step(side, a, b, cautious=True)
            assert a.values.min() >= 0
            assert a.values.max() <= side.left.upper
            after = objective(problem, left, right)
            assert after <= before * (1 + 1e-10)
            if step.loss is not None:
                assert step.loss + side.penalty_value(a, b) == pytest.approx(after, rel=1e-8)
            before = after


def test_residual_vanishes_at_the_optimum_of_the_half_problem(solver, problem):
    left, right = start(problem.data)
    problem.left.project(left.values)
    for _ in range(40 if solver.multiplicative else 8):
        solver.half_step(problem, left, right, exact=True)
    step = solver.half_step(problem, left, right)
    assert 0 <= step.residual <= 1e-7 * problem.size


@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("kind", ["dense", "sparse"])
@pytest.mark.parametrize(
    ("name", "loss"),
    [
        ("hals", "frobenius"),
        ("anls-bpp", "frobenius"),
        ("ccd", "frobenius"),
        ("ccd", "kullback-leibler"),
    ],
)
def test_exact_half_step_satisfies_kkt(name, loss, kind, penalty):
    """A certificate from the losses' own gradient, without the kernels."""
    problem = make(kind, loss, penalty)
    if (name, penalty) == ("anls-bpp", "bound"):
        penalty = "none"
        problem = make(kind, loss, penalty)
    left, right = start(problem.data)
    problem.left.project(left.values)
    for _ in range(3):
        SOLVERS[name].half_step(problem, left, right, exact=True)
    X = np.array([problem.data.row(i)[0] for i in range(problem.data.shape[0])])
    Y = np.maximum(left.values @ right.values.T, np.finfo(float).tiny)
    slope = problem.loss.gradient(X, Y) @ right.values
    slope += problem.left.l1 + problem.left.l2 * left.values
    size = np.abs(X).sum() / X.shape[0]
    at_zero = left.values <= 1e-8
    at_top = left.values >= problem.left.upper - 1e-8
    assert np.abs(slope[~at_zero & ~at_top]).max(initial=0) <= 1e-5 * size
    assert slope[at_zero].min(initial=0) >= -1e-5 * size
    assert slope[at_top].max(initial=0) <= 1e-5 * size


def test_a_half_step_on_the_transpose_is_the_other_half_step(solver, case):
    _, kind, loss, penalty = case
    problem = make(kind, loss, penalty)
    X = matrix(kind, np.float64)
    other_sides = {"alpha_W": "alpha_H", "upper_W": "upper_H", "upper_H": "upper_W"}
    options = {other_sides.get(key, key): value for key, value in PENALTIES[penalty].items()}
    if "alpha_H" in options:
        # alpha_H is "same" here; the scaling by rows and columns swaps with the sides.
        options["alpha_W"] = options["alpha_H"]
    turned = make_problem(as_data(X.T), loss, K, **options)
    left, right = start(problem.data)
    problem.left.project(left.values)
    problem.right.project(right.values)
    ours, theirs = right.copy(), right.copy()
    solver.half_step(problem.T, ours, left)
    if loss == "l21":
        turned = replace(turned, loss=turned.loss.T)  # samples are the columns of Xᵀ
    solver.half_step(turned, theirs, left)
    np.testing.assert_allclose(ours.values, theirs.values, rtol=1e-9, atol=1e-12)


def test_float32_is_near_float64(solver, case):
    results = []
    for dtype in (np.float64, np.float32):
        problem = make(*case[1:], dtype=dtype)
        left, right = start(problem.data)
        problem.left.project(left.values)
        for _ in range(3):
            solver.half_step(problem, left, right)
        assert left.values.dtype == dtype
        results.append(objective(problem, left, right))
    assert results[1] == pytest.approx(results[0], rel=1e-4)


@pytest.mark.parametrize(
    ("name", "loss"),
    [
        ("hals", "frobenius"),
        ("anls-bpp", "frobenius"),
        ("ccd", "frobenius"),
        ("ccd", "kullback-leibler"),
        ("mu", "frobenius"),
        ("mu", "kullback-leibler"),
        ("mu", 1.5),
        ("ccd", "huber"),
    ],
)
def test_dense_equals_sparse_equals_observed(name, loss):
    X = matrix("sparse", np.float64)
    results = []
    for held in (
        as_data(X),
        as_data(X.toarray()),
        as_data(X.toarray(), weights=np.ones(X.shape)),
    ):
        problem = make_problem(held, loss, K)
        if SOLVERS[name].supports(problem) is not None:
            continue  # hals and anls-bpp refuse weights
        left, right = start(held)
        for _ in range(20):
            # The plain form: how many sweeps the fast one makes depends on the stored entries.
            SOLVERS[name].half_steps(problem, [(left, right)], gentle=[True])
        results.append(left.values)
    assert len(results) >= 2
    for other in results[1:]:
        np.testing.assert_allclose(other, results[0], rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("loss", ["frobenius", "kullback-leibler", "huber", 1.5])
def test_fixed_entries_do_not_move(loss):
    X = matrix("dense", np.float64)
    fixed_H = np.full((K, X.shape[1]), np.nan)
    fixed_H[1] = 0.5
    fixed_W = np.full((X.shape[0], K), np.nan)
    fixed_W[3, 2] = 0.25
    problem = make_problem(as_data(X), loss, K, fixed_H=fixed_H, fixed_W=fixed_W)
    chosen = choose_solver("auto", problem)
    left, right = start(problem.data)
    problem.left.project(left.values)
    problem.right.project(right.values)
    before = objective(problem, left, right)
    for _ in range(10):
        chosen.half_step(problem, left, right)
        chosen.half_step(problem.T, right, left)
    np.testing.assert_array_equal(right.values[:, 1], 0.5)
    assert left.values[3, 2] == 0.25
    assert objective(problem, left, right) < before
