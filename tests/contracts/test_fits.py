"""Laws of whole fits, for every solver, loss and kind of data that go together."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import scipy.sparse as sp

from nonneg import factorize
from nonneg.core.factorize import make_problem
from nonneg.core.intake import as_data
from nonneg.core.losses import LOSSES
from nonneg.core.solvers import SOLVERS

K = 3
BETAS = (0.5, 1.5, 3.0)
KINDS = ("dense", "sparse", "holes", "sparse holes", "weights")


def table(kind: str, loss: str | float, shape: tuple[int, int] = (24, 15)) -> tuple:
    """Return a table of this kind and the options of `factorize` that go with it."""
    rng = np.random.default_rng(7)
    m, n = shape
    X = rng.gamma(1.0, size=(m, K)) @ rng.gamma(1.0, size=(K, n)) * rng.uniform(0.7, 1.3, shape)
    seen = rng.random(shape) < 0.5
    if kind == "sparse":
        return sp.csr_array(X * seen), {}
    if kind == "holes":
        return np.where(seen, X, np.nan), {}
    if kind == "sparse holes":
        return sp.csr_array(X * seen), {"missing_values": 0}
    if kind == "weights":
        return X, {"weights": np.where(seen, rng.uniform(0.5, 2, shape), 0)}
    # Zeros among the rest, but not where the loss is infinite there.
    return (X if loss == "itakura-saito" else X * (rng.random(shape) < 0.9)), {}


def every_case():
    for name, loss, kind in product(SOLVERS, [*LOSSES, *BETAS], KINDS):
        if loss == "itakura-saito" and kind == "sparse":
            continue  # zeros are outside its domain
        X, options = table(kind, loss)
        if SOLVERS[name].supports(make_problem(as_data(X, **options), loss, K)) is None:
            yield name, loss, kind


CASES = list(every_case())
each_case = pytest.mark.parametrize(
    ("solver", "loss", "kind"), CASES, ids=lambda part: str(part).replace(" ", "_")
)


def fitted(X, solver, loss, **options):
    options = {"init": "random", "random_state": 0, "tol": 0.0, **options}
    return factorize(X, K, solver=solver, loss=loss, **options)


def test_every_solver_loss_and_kind_of_data_is_in_a_case():
    assert {case[0] for case in CASES} == set(SOLVERS)
    assert {case[1] for case in CASES} == {*LOSSES, *BETAS}
    assert {case[2] for case in CASES} == set(KINDS)


@each_case
@pytest.mark.parametrize("accelerate", [True, False])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_recorded_objective_never_rises(solver, loss, kind, accelerate, dtype):
    X, options = table(kind, loss)
    fit = fitted(X.astype(dtype), solver, loss, accelerate=accelerate, max_iter=30, **options)
    objectives = np.array([step.objective for step in fit.history])
    # What rounding alone is worth, in the loss's own unit: see `alternate.py`.
    noise = 3e-7 if dtype == np.float32 else 1e-14
    unit = make_problem(as_data(X, **options), loss, K).size
    assert np.diff(objectives).max(initial=0) <= 1.01 * noise * unit
    assert fit.objective <= objectives[-1] * (1 + 1e-5)


@each_case
@pytest.mark.parametrize("unit", [4.0**9, 4.0**-30])
def test_a_unit_that_is_a_power_of_4_changes_no_iteration(solver, loss, kind, unit):
    X, options = table(kind, loss)
    plain = fitted(X, solver, loss, max_iter=30, tol=1e-4, **options)
    scaled = fitted(X * unit, solver, loss, max_iter=30, tol=1e-4, **options)
    assert scaled.n_iter == plain.n_iter
    assert scaled.relative_error == pytest.approx(plain.relative_error, rel=1e-9)
    model = plain.W @ plain.H
    np.testing.assert_allclose((scaled.W / unit) @ scaled.H, model, atol=1e-9 * model.max())


@each_case
@pytest.mark.parametrize("unit", [1000.0, 1e-200, 1e150])
def test_the_unit_of_the_table_is_the_unit_of_the_answer(solver, loss, kind, unit):
    X, options = table(kind, loss)
    # Few iterations: the last bits that another unit rounds off have no time to grow.
    plain = fitted(X, solver, loss, max_iter=3, **options)
    scaled = fitted(X * unit, solver, loss, max_iter=3, **options)
    tolerance = 1e-3 if loss in ("l1", 3.0) else 1e-6
    assert scaled.relative_error == pytest.approx(plain.relative_error, rel=tolerance)
    model = plain.W @ plain.H
    np.testing.assert_allclose(
        (scaled.W / unit) @ scaled.H, model, atol=10 * tolerance * model.max()
    )


@each_case
def test_same_bits_for_any_number_of_threads(solver, loss, kind):
    X, options = table(kind, loss, (600, 80))
    fits = [fitted(X, solver, loss, max_iter=2, n_threads=n, **options) for n in (1, 3)]
    np.testing.assert_array_equal(fits[0].W, fits[1].W)
    np.testing.assert_array_equal(fits[0].H, fits[1].H)
    assert fits[0].objective == fits[1].objective


@pytest.mark.parametrize(
    ("solver", "loss"), sorted({case[:2] for case in CASES if case[2] == "sparse"}, key=str)
)
def test_dense_equals_sparse(solver, loss):
    X, _ = table("sparse", loss)
    # The plain form: how many sweeps the fast one makes depends on the stored entries.
    options = {"accelerate": False, "max_iter": 10}
    fits = [
        fitted(held, solver, loss, **options)
        for held in (X, X.toarray(), X.tocsc(), np.asfortranarray(X.toarray()))
    ]
    for other in fits[1:]:
        np.testing.assert_allclose(other.W @ other.H, fits[0].W @ fits[0].H, rtol=1e-5, atol=1e-7)
        assert other.objective == pytest.approx(fits[0].objective, rel=1e-9)


@pytest.mark.parametrize(
    ("solver", "loss"), sorted({case[:2] for case in CASES if case[2] == "holes"}, key=str)
)
def test_nan_equals_absent_equals_weight_zero(solver, loss):
    X, _ = table("holes", loss)
    seen = ~np.isnan(X)
    stored = sp.csr_array(np.where(seen, X, 0))
    fits = [
        fitted(held, solver, loss, max_iter=10, **options)
        for held, options in (
            (X, {}),
            (stored, {"missing_values": 0}),
            (stored.tocsc(), {"missing_values": 0}),
            (np.where(seen, X, 7.0), {"weights": seen.astype(float)}),
            (np.ma.masked_array(X, ~seen), {}),
        )
    ]
    for other in fits[1:]:
        np.testing.assert_allclose(other.W @ other.H, fits[0].W @ fits[0].H, rtol=1e-6, atol=1e-8)
        assert other.objective == pytest.approx(fits[0].objective, rel=1e-9)
