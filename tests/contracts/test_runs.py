"""Laws of batched runs, over every solver, loss, penalty and kind of data: batch equals alone."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from nonneg import Status, factorize, factorize_runs
from nonneg.core import alternate
from nonneg.core.factorize import make_problem
from nonneg.core.intake import as_data
from nonneg.core.losses import LOSSES
from nonneg.core.problem import Factor
from nonneg.core.solvers import SOLVERS
from nonneg.errors import InputError

RANKS = (2, 4)
KINDS = ("dense", "fortran", "sparse", "holes")
PENALTIES = {"none": {}, "l1": {"alpha_W": 0.01, "l1_ratio": 1.0}, "bound": {"upper_H": 1.5}}


def matrix(kind, dtype=np.float64):
    rng = np.random.default_rng(3)
    X = rng.gamma(0.8, size=(70, 4)) @ rng.gamma(0.8, size=(4, 23)) + 0.01
    X = X.astype(dtype)
    if kind == "fortran":
        return np.asfortranarray(X)
    if kind == "sparse":
        return sp.csr_array(X * (rng.random(X.shape) < 0.4))
    if kind == "holes":
        X[rng.random(X.shape) < 0.3] = np.nan
    return X


def supported(kind, loss, solver, penalty):
    if loss == "itakura-saito" and kind == "sparse":
        return False  # zeros are outside its domain
    problem = make_problem(as_data(matrix(kind)), loss, 2, **PENALTIES[penalty])
    return SOLVERS[solver].supports(problem) is None


CASES = [
    (kind, loss, solver, penalty)
    for kind in KINDS
    for loss in (*LOSSES, 1.5)
    for solver in SOLVERS
    for penalty in PENALTIES
    if supported(kind, loss, solver, penalty)
]


def assert_same_run(got, expected, *, bits=True):
    assert (got.n_components, got.seed) == (expected.n_components, expected.seed)
    if bits:
        np.testing.assert_array_equal(got.W, expected.W)
        np.testing.assert_array_equal(got.H, expected.H)
        assert got.objective == expected.objective
        assert (got.status, got.n_iter) == (expected.status, expected.n_iter)
    else:
        np.testing.assert_allclose(got.W @ got.H, expected.W @ expected.H, rtol=1e-6, atol=1e-9)


def by_blas(kind, solver):
    # Wide products may add up in another order than narrow ones.
    return kind in ("dense", "fortran") and solver == "hals"


@pytest.mark.parametrize("case", CASES, ids=lambda case: "-".join(map(str, case)))
def test_a_run_in_a_batch_is_the_run_alone(case):
    kind, loss, solver, penalty = case
    X = matrix(kind)
    options = {"loss": loss, "solver": solver, "max_iter": 12, **PENALTIES[penalty]}
    fits = factorize_runs(X, RANKS, n_runs=3, random_state=1, **options)
    assert [fit.n_components for fit in fits] == [2, 2, 2, 4, 4, 4]
    for fit in fits:
        alone = factorize(X, fit.n_components, random_state=fit.seed, init="random", **options)
        assert_same_run(fit, alone, bits=not by_blas(kind, solver))
        assert [s.objective for s in fit.history] == pytest.approx(
            [s.objective for s in alone.history], rel=1e-9
        )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("loss", [*LOSSES, 1.5])
def test_same_bits_for_any_number_of_threads(loss, kind):
    if not supported(kind, loss, "mu" if loss in ("itakura-saito", 1.5) else "ccd", "none"):
        pytest.skip("zeros are outside the domain")
    X = matrix(kind, np.float32)
    X = sp.vstack([X] * 9).tocsr() if kind == "sparse" else np.vstack([X] * 9)
    options = {"n_runs": 3, "loss": loss, "max_iter": 4, "random_state": 2}
    fits = [factorize_runs(X, RANKS, n_threads=n, **options) for n in (1, 2, 5)]
    for other in fits[1:]:
        for one, two in zip(fits[0], other, strict=True):
            assert_same_run(one, two)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("kind", ["dense", "sparse"])
def test_half_steps_of_many_pairs_are_the_half_steps_of_each(kind, solver):
    problem = make_problem(as_data(matrix(kind)), "frobenius", 3)
    pairs = []
    for k in (3, 1, 6):
        rng = np.random.default_rng(k)
        left, right = rng.random((70, k)), rng.random((23, k))
        pairs.append((Factor(left), Factor(right)))
    alone = [(left.copy(), right.copy()) for left, right in pairs]
    together = SOLVERS[solver].half_steps(problem, pairs)
    for (left, _), (own, right), step in zip(pairs, alone, together, strict=True):
        expected = SOLVERS[solver].half_step(problem, own, right)
        if by_blas(kind, solver):
            np.testing.assert_allclose(left.values, own.values, rtol=1e-10, atol=1e-12)
            assert step.loss == pytest.approx(expected.loss, rel=1e-10)
        else:
            np.testing.assert_array_equal(left.values, own.values)
            assert step == expected


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_runs_abreast_do_not_depend_on_the_company(dtype):
    X = matrix("sparse", dtype)
    options = {"loss": "kullback-leibler", "random_state": 1}
    many = factorize_runs(X, RANKS, n_runs=20, **options)
    more = factorize_runs(X, (4, 2), n_runs=40, n_threads=1, **options)
    for at in range(len(RANKS)):
        others = more[40 * (1 - at) :]
        for fit, same in zip(many[20 * at : 20 * at + 20], others, strict=False):
            assert_same_run(fit, same)
    assert len({fit.n_iter for fit in many}) > 1  # they left the batch at different times


def test_a_run_abreast_settles_where_the_one_alone_does():
    X = matrix("sparse")
    options = {"loss": "kullback-leibler", "tol": 1e-6, "max_iter": 2000}
    for fit in factorize_runs(X, 2, n_runs=8, random_state=0, **options):
        alone = factorize(X, 2, random_state=fit.seed, init="random", **options)
        # Not always in the same optimum.
        assert fit.objective == pytest.approx(alone.objective, rel=2e-3)


def test_seeds_differ_repeat_and_do_not_depend_on_the_company():
    X = matrix("holes")
    few = factorize_runs(X, 3, n_runs=3, random_state=0, max_iter=5)
    assert len({fit.seed for fit in few}) == 3
    assert len({fit.objective for fit in few}) == 3
    assert {fit.init for fit in few} == {"random"}
    again = factorize_runs(X, [2, 3], n_runs=5, random_state=0, max_iter=5)
    for fit, same in zip(few, again[5:8], strict=True):
        assert_same_run(fit, same)
    other = factorize_runs(X, 3, n_runs=3, random_state=1, max_iter=5)
    assert {fit.seed for fit in few}.isdisjoint(fit.seed for fit in other)


def test_narrow_batches_give_the_same_runs(monkeypatch):
    X = matrix("sparse")
    options = {"n_runs": 7, "loss": "kullback-leibler", "random_state": 0}
    wide = factorize_runs(X, 3, **options)
    monkeypatch.setattr("nonneg.core.runs.batch_width", lambda *_: 2)
    for one, two in zip(wide, factorize_runs(X, 3, **options), strict=True):
        assert_same_run(one, two)
    assert len({fit.n_iter for fit in wide}) > 1  # they left the batch at different times


def test_a_run_that_dies_early_does_not_disturb_the_others(monkeypatch):
    X = matrix("holes")
    starting = alternate.Run.__init__

    def kill(run, left, right, rng, **options):
        killed.append(run)
        if len(killed) == 2:
            left.values[:] = 0
            right.values[:] = 0
        starting(run, left, right, rng, **options)

    killed = []
    plain = factorize_runs(X, 3, n_runs=4, random_state=0)
    monkeypatch.setattr(alternate.Run, "__init__", kill)
    fits = factorize_runs(X, 3, n_runs=4, random_state=0)
    for r in (0, 2, 3):
        assert_same_run(fits[r], plain[r])
    assert np.isfinite(fits[1].objective)


def test_callback_sees_every_step_and_can_stop():
    X = matrix("dense")
    seen = []
    fits = factorize_runs(
        X, [2, 3], n_runs=2, random_state=0, callback=lambda r, s: seen.append((r, s))
    )
    for r, fit in enumerate(fits):
        assert [step for run, step in seen if run == r] == list(fit.history)
    stopped = factorize_runs(
        X, [2, 3], n_runs=2, tol=0, callback=lambda r, s: r == 1 and s.n_iter >= 3
    )
    assert {fit.status for fit in stopped} == {Status.STOPPED}
    assert all(np.isfinite(fit.objective) for fit in stopped)


def test_ctrl_c_returns_what_is_there(monkeypatch):
    X = matrix("holes")
    monkeypatch.setattr("nonneg.core.runs.batch_width", lambda *_: 2)

    def interrupt(run, step):
        if run == 3 and step.n_iter == 2:
            raise KeyboardInterrupt

    fits = factorize_runs(X, 3, n_runs=6, random_state=0, callback=interrupt)
    assert 4 <= len(fits) < 6
    assert fits[0].status is Status.CONVERGED
    assert fits[3].status is Status.INTERRUPTED
    plain = factorize_runs(X, 3, n_runs=6, random_state=0)
    assert_same_run(fits[0], plain[0])


def test_no_run_is_begun_after_the_time_is_over(monkeypatch):
    monkeypatch.setattr("nonneg.core.runs.batch_width", lambda *_: 2)
    fits = factorize_runs(matrix("dense"), 3, n_runs=6, max_seconds=0.0, tol=0)
    assert len(fits) == 2
    assert {fit.status for fit in fits} == {Status.TIME_LIMIT}


def test_n_init_keeps_the_best_of_its_runs():
    X = matrix("holes")
    one = factorize(X, 4, random_state=0)
    best = factorize(X, 4, random_state=0, n_init=6)
    assert best.objective <= one.objective
    assert best.seed == 0
    watched = factorize(X, 4, random_state=0, n_init=6, callback=lambda _: None)
    assert_same_run(best, watched)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_components": []}, "holds no rank"),
        ({"n_components": 0}, "n_components=0"),
        ({"n_components": "3"}, "n_components='3'"),
        ({"n_components": [2, 2.5]}, "n_components=2.5"),
        ({"n_components": 2, "n_runs": 0}, "n_runs=0"),
        ({"n_components": 2, "init": "nndsvd"}, "init='nndsvd' does not give many runs"),
        ({"n_components": 99, "init": "nndsvdar"}, "needs at most 23"),
        ({"n_components": [2, 3], "fixed_H": np.ones((2, 23))}, "have one rank"),
        ({"n_components": 2, "callback": 3}, "cannot be called"),
    ],
)
@pytest.mark.filterwarnings("ignore:n_components=99")
def test_what_cannot_be_run_is_refused_with_advice(arguments, message):
    with pytest.raises(InputError, match=message):
        factorize_runs(matrix("dense"), **arguments)
