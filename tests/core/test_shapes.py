"""Kernels and whole fits on the shapes and memory that real tables come in.

One row of a million entries among short ones, ranks on both sides of every register block, blocks
of empty rows and columns, single cells, strided, Fortran-ordered, unaligned and read-only arrays.
"""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import scipy.sparse as sp

from nonneg import factorize
from nonneg.core import kernels, reference
from nonneg.core.kernels import NativeLoss, Sweeps, Terms
from nonneg.core.losses import make_loss
from nonneg.core.solvers import SOLVERS
from nonneg.errors import InputError, TooLargeError

RANKS = [1, 2, 3, 7, 8, 9, 64, 200]
DTYPES = [np.float32, np.float64]
TYPES = [(np.float32, np.int32), (np.float64, np.int64)]
TOLERANCE = {np.float32: 5e-4, np.float64: 1e-9}
FITS = [
    *[(name, "frobenius") for name in SOLVERS],
    *[("ccd", loss) for loss in ("kullback-leibler", "huber", "l1", "l21")],
    *[("mu", loss) for loss in ("kullback-leibler", 1.5)],
]
"""Every solver with each loss that it knows and that allows zeros."""

QUADRATIC = NativeLoss()
KL = NativeLoss("beta", beta=1.0, floor=1e-9)
STEPS = {
    "quadratic": (QUADRATIC, "stored", "descend"),
    "quadratic, full": (QUADRATIC, "full", "descend"),
    "huber": (NativeLoss("huber", delta=0.5, scale=2.0), "stored", "descend"),
    "row-norm": (NativeLoss("row-norm", delta=0.1), "stored", "descend"),
    "kl": (KL, "nonzero", "descend"),
    "kl, stored": (KL, "stored", "descend"),
    "mu": (NativeLoss("beta", beta=1.5, floor=1e-9), "full", "multiply"),
    "mu kl": (KL, "nonzero", "multiply"),
}


def lopsided(n_columns: int, dtype: type, index: type, seed: int = 0) -> sp.csr_array:
    """Rows of 0, 1, every and a few entries; blocks of empty rows and of empty columns."""
    rng = np.random.default_rng(seed)
    few = [np.sort(rng.choice(n_columns // 2, 5, replace=False)) for _ in range(6)]
    rows = [[], [3], np.arange(n_columns), *few[:3], *[[]] * 100, [n_columns - 1], *few[3:], []]
    indptr = np.concatenate([[0], np.cumsum([len(row) for row in rows])])
    indices = np.concatenate([np.asarray(row, dtype=index) for row in rows])
    values = rng.uniform(0.5, 3, len(indices)).astype(dtype)
    matrix = sp.csr_array((values, indices, indptr.astype(index)), (len(rows), n_columns))
    # scipy narrows the indices to int32 where it can; the kernels get them as asked for.
    matrix.indptr, matrix.indices = indptr.astype(index), indices
    return matrix


def empty_columns(X: sp.csr_array, first: int, n: int) -> sp.csr_array:
    """Return X without the entries of `n` consecutive columns."""
    keep = (X.indices < first) | (X.indices >= first + n)
    kept = np.concatenate([[0], np.cumsum(keep)])
    indptr = kept[X.indptr].astype(X.indptr.dtype)
    out = sp.csr_array((X.data[keep], X.indices[keep], indptr), X.shape)
    out.indptr, out.indices = indptr, X.indices[keep]
    return out


def factors(shape: tuple[int, int], k: int, dtype: type) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    W, F = (rng.uniform(0.1, 1, (side, k)) * (rng.random((side, k)) < 0.8) for side in shape)
    return W.astype(dtype), F.astype(dtype)


def kernel_of(X: sp.csr_array) -> kernels.CsrKernel:
    return kernels.csr_kernel(X.shape, X.indptr, X.indices, X.data)


def reckoned(X: np.ndarray, fit, loss: str | float) -> float:
    """Return the objective of a fit without penalties, from its factors alone."""
    model = fit.W.astype(float) @ fit.H.astype(float)
    term = make_loss(loss)
    if loss == "huber":
        term = type(term)(fit.delta)
    return term.value(X, model if loss == "frobenius" else np.maximum(model, 1e-9 * X.mean()))


def assert_sound(X: np.ndarray, fit, loss: str | float) -> None:
    """Finite, nonnegative, and the objective is what the factors say."""
    for factor in (fit.W, fit.H):
        assert np.isfinite(factor).all()
        assert factor.min() >= 0
    # l1 and l21 are rounded off near zero by a thousandth of the mean entry.
    rounding = 1e-3 * X.mean() * X.size if loss in ("l1", "l21") else 0.0
    exact = 1e-4 if fit.W.dtype == np.float32 else 1e-7
    unit = exact * X.size * make_loss(loss).value(X.max(keepdims=True), X.max(keepdims=True) / 2)
    unit += rounding
    assert fit.objective == pytest.approx(reckoned(X, fit, loss), rel=exact, abs=unit)


# --- kernels against their twins ----------------------------------------------------------------


@pytest.mark.parametrize(("dtype", "index"), TYPES)
@pytest.mark.parametrize("k", RANKS)
def test_gram_form_on_lopsided_rows_equals_the_reference(k, dtype, index):
    X = empty_columns(lopsided(700, dtype, index), 400, 100)
    W, F = factors(X.shape, k, dtype)
    gram = F.T.astype(float) @ F
    exact = W.astype(float)
    dense = X.toarray().astype(float)
    product = kernels.times(kernel_of(X), F, X.shape[0], 2)
    np.testing.assert_allclose(product, dense @ F, rtol=1e-4, atol=1e-3)
    got = kernels.gram_step(kernel_of(X), F, gram, W, Terms(l1=0.1), Sweeps(2), 2)
    expected = reference.gram_step(dense, F.astype(float), gram, exact, Terms(l1=0.1), Sweeps(2))
    tol = TOLERANCE[dtype]
    np.testing.assert_allclose(W, exact, rtol=tol, atol=tol * exact.max())
    assert got.cross == pytest.approx(expected.cross, rel=tol)
    assert got.residual == pytest.approx(expected.residual, rel=tol)


@pytest.mark.parametrize(("dtype", "index"), TYPES)
@pytest.mark.parametrize("k", RANKS)
@pytest.mark.parametrize("name", STEPS)
def test_entry_form_on_lopsided_rows_equals_the_reference(name, k, dtype, index):
    loss, layout, update = STEPS[name]
    X = empty_columns(lopsided(180, dtype, index), 50, 100)
    W, F = factors(X.shape, k, dtype)
    exact, dense = W.astype(float), X.toarray().astype(float)
    stored = X.toarray() != 0
    options = {"loss": loss, "layout": layout, "update": update, "terms": Terms()}
    got = kernels.entry_step(kernel_of(X), F, W, sweeps=Sweeps(1), n_threads=2, **options)
    expected = reference.entry_step(
        dense, F.astype(float), exact, stored=stored, sweeps=Sweeps(1), **options
    )
    tol = TOLERANCE[dtype]
    np.testing.assert_allclose(W, exact, rtol=tol, atol=tol * exact.max())
    assert got.loss == pytest.approx(expected.loss, rel=tol)
    assert got.residual == pytest.approx(expected.residual, rel=2 * tol)


@pytest.mark.parametrize("k", RANKS[:-1])
def test_pivoting_at_every_rank_equals_the_reference(k):
    X = lopsided(180, np.float64, np.int32)
    W, F = factors(X.shape, k, np.float64)
    F += np.eye(*F.shape)
    gram, cross = F.T @ F, X @ F
    exact = W.copy()
    kernels.pivot_step_cross(cross, gram, W, Terms(), 2)
    reference.pivot_step_cross(cross, gram, exact, Terms())
    np.testing.assert_allclose(W, exact, rtol=1e-6, atol=1e-7 * exact.max())


@pytest.mark.parametrize(("dtype", "index"), TYPES)
@pytest.mark.parametrize("name", ["quadratic", "kl", "huber"])
def test_a_row_of_a_million_entries_equals_the_reference(name, dtype, index):
    loss, layout, update = STEPS[name]
    n, k = 1_000_000, 3
    X = lopsided(n, dtype, index)
    W, F = factors(X.shape, k, dtype)
    start = W.astype(float)
    options = {"loss": loss, "layout": layout, "update": update, "terms": Terms()}
    got = kernels.entry_step(kernel_of(X), F, W, sweeps=Sweeps(1), n_threads=2, **options)
    assert np.isfinite([got.loss, got.residual]).all()
    tol = 5e-3 if dtype == np.float32 else 1e-8
    for i in (0, 1, 2, 3, 50, 106):
        x, exact = np.zeros((1, n)), start[[i]]
        mine = slice(X.indptr[i], X.indptr[i + 1])
        x[0, X.indices[mine]] = X.data[mine]
        reference.entry_step(x, F.astype(float), exact, stored=x != 0, sweeps=Sweeps(1), **options)
        np.testing.assert_allclose(W[i], exact[0], rtol=tol, atol=tol, err_msg=f"row {i}")
    product = kernels.times(kernel_of(X), F, X.shape[0], 2)
    whole = slice(X.indptr[2], X.indptr[3])
    np.testing.assert_allclose(product[2], X.data[whole].astype(float) @ F, rtol=5e-4)


# --- whole fits ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("solver", "loss"), FITS)
def test_fits_of_a_row_of_a_million_entries_among_short_ones(solver, loss):
    touches_every_cell = solver == "mu" or loss not in ("frobenius", "kullback-leibler")
    n = 20_000 if touches_every_cell else 1_000_000
    X = lopsided(n, np.float32, np.int32)
    if solver == "ccd" and loss == "frobenius":
        fit = factorize(X, 2, missing_values=0, solver=solver, max_iter=3, random_state=0)
    else:
        fit = factorize(X, 2, loss=loss, solver=solver, init="random", max_iter=3, random_state=0)
    assert np.isfinite(fit.objective)
    assert min(fit.W.min(), fit.H.min()) >= 0
    assert np.isfinite(fit.H).all()
    if loss != 1.5:
        # Three iterations may leave rounding.
        assert fit.W[6:106].max() <= 1e-6 * fit.W.max()


@pytest.mark.parametrize("k", RANKS)
@pytest.mark.parametrize(("solver", "loss"), FITS)
@pytest.mark.filterwarnings("ignore:n_components=")
def test_fits_at_every_rank_are_sound(solver, loss, k):
    X = empty_columns(lopsided(140, np.float64, np.int32), 20, 100)
    dense = X.toarray()
    options = {"loss": loss, "solver": solver, "init": "random", "max_iter": 3}
    for held in (X,) if k > 9 else (X, dense):
        assert_sound(dense, factorize(held, k, random_state=0, **options), loss)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("k", [1, 2, 9])
@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (2, 2)])
@pytest.mark.parametrize(("solver", "loss"), FITS)
@pytest.mark.filterwarnings("ignore:n_components=")
def test_the_smallest_tables_are_fitted(solver, loss, shape, k, dtype):
    X = np.random.default_rng(0).uniform(0.5, 2, shape).astype(dtype)
    for held in (X, sp.csr_array(X)):
        fit = factorize(
            held, k, loss=loss, solver=solver, init="random", random_state=0, max_iter=200
        )
        assert_sound(X.astype(float), fit, loss)


# --- memory as it comes -------------------------------------------------------------------------


def odd(a: np.ndarray) -> np.ndarray:
    """The same array one byte off its natural alignment."""
    out = np.frombuffer(bytearray(a.nbytes + 1), np.uint8)[1:].view(a.dtype).reshape(a.shape)
    out[...] = a
    return out


def strided(a: np.ndarray) -> np.ndarray:
    """The same array as every second row and column of a larger one."""
    out = np.zeros([2 * n for n in a.shape], a.dtype)[tuple(slice(None, None, 2) for _ in a.shape)]
    out[...] = a
    return out


def backwards(a: np.ndarray) -> np.ndarray:
    """The same array with negative strides."""
    return np.ascontiguousarray(a[(slice(None, None, -1),) * a.ndim])[
        (slice(None, None, -1),) * a.ndim
    ]


def read_only(a: np.ndarray) -> np.ndarray:
    out = a.copy()
    out.flags.writeable = False
    return out


def swapped(a: np.ndarray) -> np.ndarray:
    """The same array with its bytes in the other order."""
    return a.astype(a.dtype.newbyteorder())


LAYOUTS = {
    "Fortran": np.asfortranarray,
    "strided": strided,
    "backwards": backwards,
    "odd": odd,
    "read-only": read_only,
    "swapped": swapped,
    "memoryview": lambda a: memoryview(np.ascontiguousarray(a)),
}


def by_parts(X: sp.csr_array, hold) -> sp.csr_array:
    """Return X with its arrays held otherwise; scipy's constructor might copy them."""
    out = X.copy()
    out.data, out.indices, out.indptr = (hold(a) for a in (X.data, X.indices, X.indptr))
    return out


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("solver", "loss"), FITS)
def test_how_a_table_lies_in_memory_makes_no_difference(solver, loss, layout, dtype):
    X = lopsided(40, dtype, np.int32).toarray() + dtype(0.01)
    held = LAYOUTS[layout](X)
    options = {"loss": loss, "solver": solver, "init": "random", "random_state": 0, "max_iter": 5}
    other = factorize(held, 3, **options)
    assert other.W.dtype == dtype
    plain = factorize(X.astype(other.W.dtype), 3, **options)
    # BLAS sums in another order where the memory runs the other way.
    tol = 2e-3 if dtype == np.float32 else 1e-9
    np.testing.assert_allclose(other.W @ other.H, plain.W @ plain.H, rtol=tol, atol=tol)
    np.testing.assert_array_equal(np.asarray(held), X)


def test_float32_of_either_byte_order_is_computed_in_float32():
    X = lopsided(40, np.float32, np.int32).toarray()
    assert factorize(swapped(X), 2, random_state=0).W.dtype == np.float32


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("solver", SOLVERS)
def test_the_objective_of_a_long_row_is_that_of_its_factors(solver, dtype):
    X = lopsided(20_000, dtype, np.int32)
    fit = factorize(X, 2, solver=solver, init="random", max_iter=30, random_state=0)
    exact = 0.5 * np.sum((X.toarray() - fit.W.astype(float) @ fit.H.astype(float)) ** 2)
    # The cross products of a long row are summed in the dtype of the data, and the objective is a
    # small rest of large sums. So it is true to a share of ½‖X‖², not of itself: this fit leaves
    # 1/600 of ½‖X‖², and its objective in float32 is off by up to .8 %.
    off = {np.float32: 3e-5, np.float64: 1e-12}[dtype] * 0.5 * np.sum(X.data.astype(float) ** 2)
    assert fit.objective == pytest.approx(exact, rel=0, abs=off)
    assert fit.objective <= fit.history[-1].objective + off


@pytest.mark.parametrize("index", [np.int32, np.int64])
@pytest.mark.parametrize("layout", [x for x in LAYOUTS if x not in ("Fortran", "memoryview")])
@pytest.mark.parametrize("missing_values", [np.nan, 0])
def test_how_a_sparse_table_lies_in_memory_makes_no_difference(missing_values, layout, index):
    X = lopsided(40, np.float64, index)
    held = by_parts(X, LAYOUTS[layout])
    options = {"missing_values": missing_values, "random_state": 0, "max_iter": 5}
    plain, other = factorize(X, 3, **options), factorize(held, 3, **options)
    np.testing.assert_allclose(other.W @ other.H, plain.W @ plain.H, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("form", ["csr", "csc", "coo", "bsr", "lil", "dok", "dia"])
@pytest.mark.parametrize(("solver", "loss"), FITS)
def test_a_fit_leaves_its_inputs_as_they_were(solver, loss, form):
    X = lopsided(40, np.float64, np.int32).toarray()
    start = {"W": factors(X.shape, 3, np.float64)[0], "H": factors(X.shape, 3, np.float64)[1].T}
    held = sp.csr_array(X).asformat(form)
    before = held.copy()
    for a in start.values():
        a.flags.writeable = False
    kept = {name: a.copy() for name, a in start.items()}
    for name in ("data", "indices", "indptr", "offsets"):
        part = getattr(held, name, None)
        if isinstance(part, np.ndarray) and part.dtype != object:
            part.flags.writeable = False
    dense = read_only(X)
    for table in (held, dense):
        factorize(table, loss=loss, solver=solver, max_iter=4, **start)
    if solver == "ccd" or solver == "mu":
        weights = read_only(np.where(X > 1, 0.5, 1.0))
        factorize(dense, loss=loss, solver=solver, weights=weights, max_iter=4, **start)
        np.testing.assert_array_equal(weights, np.where(X > 1, 0.5, 1.0))
    np.testing.assert_array_equal(held.toarray(), before.toarray())
    np.testing.assert_array_equal(dense, X)
    for name, a in start.items():
        np.testing.assert_array_equal(a, kept[name])


def test_a_sparse_table_with_unsorted_or_double_cells_is_left_as_it_was():
    arrays = np.array([1.0, 2.0, 3.0, 4.0]), np.array([2, 0, 1, 1]), np.array([0, 2, 4])
    X = sp.csr_array(arrays, shape=(2, 3))
    fit = factorize(X, 2, random_state=0, tol=1e-8, max_iter=2000)
    for part, given in zip((X.data, X.indices, X.indptr), arrays, strict=True):
        np.testing.assert_array_equal(part, given)
    np.testing.assert_allclose(fit.W @ fit.H, [[2, 0, 1], [0, 7, 0]], atol=1e-2)


# --- what cannot be fitted, however it is stored ------------------------------------------------


@pytest.mark.parametrize("missing_values", [np.nan, 0])
@pytest.mark.parametrize("form", ["csr", "csc", "coo", "bsr", "lil", "dok", "dia"])
@pytest.mark.parametrize("value", [np.inf, -np.inf, -1.0])
def test_impossible_values_in_any_sparse_format_are_refused(form, value, missing_values):
    X = np.diag(np.arange(1.0, 7))
    X[4, 4] = value
    with pytest.raises(InputError, match="row 4, column 4"):
        factorize(sp.csr_array(X).asformat(form), 2, missing_values=missing_values)


@pytest.mark.parametrize("form", ["csr", "csc", "coo", "bsr", "lil", "dok", "dia"])
def test_nan_in_any_sparse_format_is_refused_or_missing(form):
    X = np.diag(np.arange(1.0, 7))
    X[4, 4] = np.nan
    held = sp.csr_array(X).asformat(form)
    with pytest.raises(InputError, match="contains NaN: 1 cells, the first at row 4, column 4"):
        factorize(held, 2)
    assert factorize(held, 2, missing_values=0, random_state=0).n_observed == 5


@pytest.mark.parametrize("dtype", DTYPES)
def test_double_cells_that_sum_to_infinity_are_refused(dtype):
    top = np.finfo(dtype).max
    X = sp.coo_array((np.array([top, top, 1], dtype), ([0, 0, 1], [0, 0, 1])), (2, 2))
    with pytest.raises(InputError, match="contains infinity: 1 cells, the first at row 0"):
        factorize(X, 1)


@pytest.mark.parametrize("value", [2**31 - 1, -(2**31), 2**30])
@pytest.mark.parametrize("part", ["indptr", "indices"])
@pytest.mark.parametrize("index", [np.int32, np.int64])
def test_a_structure_whose_numbers_overflowed_is_refused(index, part, value):
    for holder in (sp.csr_array, sp.csc_array):
        X = holder(np.ones((6, 5)))
        X.indices, X.indptr = X.indices.astype(index), X.indptr.astype(index)
        for where in (0, 2, -1):
            broken = X.copy()
            getattr(broken, part)[where] = value
            with pytest.raises(InputError, match="structure is corrupt"):
                factorize(broken, 2)


@pytest.mark.parametrize("value", [np.nan, np.inf, -1.0])
@pytest.mark.parametrize("held", ["dense", "sparse"])
def test_impossible_weights_beside_a_sparse_table_are_refused(held, value):
    X = sp.csr_array(np.ones((6, 5)))
    weights = np.ones((6, 5))
    weights[2, 3] = value
    if held == "sparse":
        weights = sp.csr_array(weights)
    for options in ({}, {"missing_values": 0}):
        with pytest.raises(InputError, match="weights contain negative or non-finite"):
            factorize(X, 2, weights=weights, **options)


# --- broken input: each must end in an error of this library --------------------------------------

R = np.random.default_rng(0).random((6, 5))


def long_index_in_lists() -> sp.lil_array:
    X = sp.lil_array(R)
    X.rows[2], X.data[2] = [9, 1], [1.0, 2.0]
    return X


def short_values_in_lists() -> sp.lil_array:
    X = sp.lil_array(R)
    X.data[2] = [1.0]
    return X


def fractional(part: str) -> sp.csr_array:
    X = sp.csr_array(R)
    setattr(X, part, getattr(X, part).astype(float))
    return X


def values_in_a_table() -> sp.csr_array:
    X = sp.csr_array(R)
    X.data = X.data.reshape(5, 6)
    return X


@pytest.mark.parametrize(
    "broken",
    [
        long_index_in_lists,
        short_values_in_lists,
        lambda: fractional("indices"),
        lambda: fractional("indptr"),
        values_in_a_table,
    ],
    ids=["list index", "list values", "fractional indices", "fractional indptr", "values 2-D"],
)
def test_a_broken_structure_of_any_format_is_an_error_of_this_library(broken):
    with pytest.raises(InputError, match="structure is corrupt"):
        factorize(broken(), 2)


BROKEN_DIAGONALS = """
import gc
import numpy as np, scipy.sparse as sp
from nonneg import factorize
from nonneg.errors import InputError, TooLargeError
for _ in range(200):
    X = sp.dia_array(np.random.default_rng(0).random((6, 5)))
    X.offsets = X.offsets[:2]
    try:
        factorize(X, 2)
    except InputError:
        pass
    gc.collect()
"""


def test_diagonals_without_offsets_do_not_crash():
    ended = subprocess.run([sys.executable, "-c", BROKEN_DIAGONALS], capture_output=True)
    assert ended.returncode == 0


@pytest.mark.parametrize(
    ("X", "options"),
    [
        (R, {"weights": np.full(R.shape, 1e308)}),
        (R.astype(np.float32), {"weights": np.full(R.shape, 1e300)}),
        (R.astype(np.float32), {"W": np.full((6, 2), 1e300), "H": np.ones((2, 5))}),
    ],
    ids=["sum of weights", "weights in float32", "start in float32"],
)
def test_numbers_that_overflow_are_an_error_of_this_library(X, options):
    with pytest.raises(InputError, match="·"):
        factorize(X, 2, random_state=0, **options)


def test_more_rows_than_memory_holds_is_an_error_of_this_library():
    with pytest.raises(TooLargeError):
        factorize(sp.coo_array((np.ones(1), ([5], [0])), (10**13, 2)), 1)
