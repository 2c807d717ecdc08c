"""Hard and impossible input: the same exact zeros, scales and messages through both doors.

Every message says what was asked, what is true and what to do; no result is ever NaN.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import NotFittedError

from nonneg import NMF, Factorization, factorize
from nonneg.core.factorize import solve_left
from nonneg.errors import InputError, NonnegError, TooLargeError

Fit = Callable[..., Factorization]


def by_function(X, n_components=2, **options) -> Factorization:
    """Fit by `factorize`."""
    return factorize(X, n_components, **{"random_state": 0, **options})


def by_estimator(X, n_components=2, *, weights=None, **options) -> Factorization:
    """Fit by `NMF`."""
    model = NMF(n_components, **{"random_state": 0, **options})
    return model.fit(X, weights=weights).factorization_


@pytest.fixture(params=[by_function, by_estimator], ids=["factorize", "NMF"])
def fit(request) -> Fit:
    """Return each of the two doors to the engine."""
    return request.param


@pytest.fixture
def X() -> np.ndarray:
    """Return a table of rank 3 and a little noise, every entry above 0."""
    rng = np.random.default_rng(0)
    parts = rng.gamma(0.5, 1.0, (40, 3)), rng.gamma(0.5, 1.0, (3, 25))
    return parts[0] @ parts[1] + 0.05 * rng.random((40, 25))


def with_cell(X: np.ndarray, value: float) -> np.ndarray:
    """Return a copy of X with one other cell, at row 7 and column 3."""
    other = X.copy()
    other[7, 3] = value
    return other


# --- values that no fit can have ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "options", "message"),
    [
        (
            np.nan,
            {"solver": "hals"},
            'solver="hals" needs every entry observed and unweighted: use "ccd"',
        ),
        (
            np.nan,
            {"solver": "anls-bpp"},
            'solver="anls-bpp" needs every entry observed and unweighted: use "ccd"',
        ),
        (np.inf, {}, "contains infinity: 1 cells, the first at row 7, column 3"),
        (-np.inf, {}, "contains infinity: 1 cells, the first at row 7, column 3"),
        (0.0, {"loss": "itakura-saito"}, "needs values above 0: 1 observed entries are 0"),
        (0.0, {"loss": -1.0}, "needs values above 0: 1 observed entries are 0"),
        (-1.5, {}, "1 cells of X, the smallest -1.5 at row 7, column 3"),
    ],
)
def test_values_that_cannot_be_fitted(fit, X, value, options, message):
    with pytest.raises(InputError) as caught:
        fit(with_cell(X, value), **options)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "holder",
    [np.asarray, np.asfortranarray, sp.csr_array, sp.csc_array, sp.coo_matrix, lambda X: X[:, :]],
)
def test_negative_values_are_counted_and_located(fit, X, holder):
    other = with_cell(X, -1.5)
    other[1, 1] = other[39, 24] = -0.5
    with pytest.raises(InputError, match=r"3 cells of X, the smallest -1.5 at row 7, column 3"):
        fit(holder(other))


def test_negative_values_beside_holes_are_located(fit, X):
    other = with_cell(X, -1.5)
    other[0] = np.nan
    with pytest.raises(InputError, match=r"1 cells of X, the smallest -1.5 at row 7, column 3"):
        fit(other)


def test_negative_values_under_a_hole_do_not_matter(fit, X):
    weights = np.ones_like(X)
    weights[7, 3] = 0
    negative, other = (fit(with_cell(X, v), weights=weights, tol=0.01) for v in (-1.5, np.nan))
    assert_array_equal(negative.H, other.H)


@pytest.mark.parametrize(
    ("empty", "message"),
    [
        (np.zeros((0, 3)), "while a minimum of 1 is required"),
        (np.zeros((3, 0)), "while a minimum of 1 is required"),
        (sp.csr_array((0, 3)), "while a minimum of 1 is required"),
        (np.zeros((3, 3)), "all 9 observed entries of X are 0"),
        (sp.csr_array((3, 3)), "all 9 observed entries of X are 0"),
        (np.full((3, 3), np.nan), "no observed entry"),
    ],
)
def test_nothing_to_factorize(fit, empty, message):
    with pytest.raises(InputError, match=message):
        fit(empty)


def test_zeros_that_are_missing_leave_nothing(fit):
    for empty in (np.zeros((3, 3)), sp.csr_array((3, 3))):
        with pytest.raises(InputError, match="no observed entry"):
            fit(empty, missing_values=0)


# --- rows and columns of zeros -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("loss", "missing_values"),
    [
        ("frobenius", np.nan),
        ("frobenius", 0),
        ("kullback-leibler", np.nan),
        ("kullback-leibler", 0),
        ("l1", np.nan),
        ("l1", 0),
        ("huber", np.nan),
        ("l21", np.nan),
        ("itakura-saito", 0),
        (1.5, np.nan),
    ],
)
@pytest.mark.parametrize("holder", [np.asarray, sp.csr_array])
def test_a_row_and_a_column_of_zeros_get_exact_zeros(fit, X, loss, missing_values, holder):
    X[5], X[:, 3] = 0, 0
    result = fit(holder(X), 3, loss=loss, missing_values=missing_values, tol=1e-3)
    assert_array_equal(result.W[5], 0)
    assert_array_equal(result.H[:, 3], 0)
    assert np.isfinite(result.W).all()
    assert np.isfinite(result.H).all()
    assert np.isfinite([result.objective, result.error, result.relative_error]).all()


def test_a_row_and_a_column_without_values_get_exact_zeros(fit, X):
    X[5], X[:, 3], X[0, 0] = np.nan, np.nan, np.nan
    result = fit(X)
    assert_array_equal(result.W[5], 0)
    assert_array_equal(result.H[:, 3], 0)
    assert np.isfinite(result.W).all()


# --- the rank ----------------------------------------------------------------------------------


@pytest.mark.parametrize("rank", [0, -1, 2.0, 2.5, True, "3", np.float64(2), [2]])
def test_ranks_that_are_none(fit, X, rank):
    with pytest.raises(InputError, match=r"n_components=.* it must be a whole number from 1"):
        fit(X, rank)


def test_any_kind_of_whole_number_is_a_rank(fit, X):
    assert fit(X, np.int8(2)).n_components == 2


def test_a_function_needs_a_rank(X):
    with pytest.raises(InputError, match=r"n_components is missing .* from 1 to 25"):
        factorize(X)


def test_a_rank_above_the_smaller_side_warns_and_works(fit, X):
    with pytest.warns(UserWarning, match=r"n_components=30 is more than the smaller side .*\(25\)"):
        result = fit(X, 30, tol=1e-2)
    assert result.n_components == 30
    assert result.relative_error < 0.1


@pytest.mark.filterwarnings("ignore:n_components=30")
def test_a_rank_above_the_smaller_side_has_no_svd(fit, X):
    with pytest.raises(InputError, match=r'n_components=30 needs at most 25 .* init="random"'):
        fit(X, 30, init="nndsvd")


def test_a_rank_that_no_memory_holds(fit, X):
    with pytest.raises(TooLargeError, match=r"would need \d+\.\d GB · this machine has \d+"):
        fit(X, 10**9)
    with pytest.raises(MemoryError):
        fit(X, 10**9)


# --- the unit of the table ---------------------------------------------------------------------


@pytest.mark.parametrize("loss", ["frobenius", "kullback-leibler", "itakura-saito", "huber", 1.5])
@pytest.mark.parametrize("unit", [1e200, 1e-200])
def test_extreme_units(fit, X, loss, unit):
    plain, scaled = fit(X, 3, loss=loss), fit(X * unit, 3, loss=loss)
    assert_allclose(scaled.relative_error, plain.relative_error, rtol=1e-9)
    assert_allclose((scaled.W / unit) @ scaled.H, plain.W @ plain.H, rtol=1e-6, atol=1e-9)
    assert np.isfinite(scaled.W).all()
    assert np.isfinite(scaled.H).all()
    assert np.isfinite(scaled.objective)


@pytest.mark.parametrize("loss", ["frobenius", "kullback-leibler", "itakura-saito", "l1", "l21"])
@pytest.mark.parametrize("unit", [4, 1000, 1e-3, 65535])
def test_the_answer_is_in_the_unit_of_the_question(fit, X, loss, unit):
    plain, scaled = fit(X, 3, loss=loss), fit(X * unit, 3, loss=loss)
    # Coordinate descent on |x − y| amplifies the last bits of a unit that is no power of 2.
    tolerance = 2e-2 if loss == "l1" else 1e-9
    assert_allclose(scaled.W @ scaled.H / unit, plain.W @ plain.H, atol=tolerance)
    assert_allclose(scaled.relative_error, plain.relative_error, rtol=1e-3)


@pytest.mark.parametrize("loss", ["frobenius", "kullback-leibler", "itakura-saito", "l1", "l21"])
@pytest.mark.parametrize("unit", [4.0, 4.0**-3, 4.0**12, 4.0**-20])
def test_powers_of_4_change_no_iteration(fit, X, loss, unit):
    plain, scaled = fit(X, 3, loss=loss), fit(X * unit, 3, loss=loss)
    assert scaled.n_iter == plain.n_iter
    assert_allclose(scaled.relative_error, plain.relative_error, rtol=1e-12)


# --- types -------------------------------------------------------------------------------------

PROMOTION = {
    np.bool_: np.float32,
    np.int8: np.float32,
    np.uint8: np.float32,
    np.int16: np.float32,
    np.uint16: np.float32,
    np.float16: np.float32,
    np.float32: np.float32,
    np.int32: np.float64,
    np.uint32: np.float64,
    np.int64: np.float64,
    np.uint64: np.float64,
    np.float64: np.float64,
    np.longdouble: np.float64,
}


@pytest.mark.parametrize("given", PROMOTION)
def test_promotion(fit, X, given):
    counts = np.clip(X * 20, 0, 100).astype(int).astype(given)
    result = fit(counts, 3)
    assert result.W.dtype == result.H.dtype == PROMOTION[given]
    same = fit(counts.astype(PROMOTION[given]), 3)
    assert_array_equal(result.H, same.H)


def test_promotion_of_sparse(fit, X):
    for given in (np.uint8, np.int64, bool):
        counts = sp.csr_array(np.clip(X * 20, 0, 100).astype(int).astype(given))
        assert fit(counts, 3).H.dtype == PROMOTION[np.dtype(given).type]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (np.ones((3, 3)) + 0j, "Complex data not supported"),
        (sp.csr_array(np.ones((3, 3)) + 0j), "Complex data not supported"),
        (np.full((3, 3), "a"), "only numbers can be factorized"),
        (np.ones((3, 3), "M8[s]"), "only numbers can be factorized"),
        (np.array([[1, "a"], [2, 3]], dtype=object), "only numbers can be factorized"),
        (np.array([[1, None], [2, {}]], dtype=object), "only numbers can be factorized"),
        (np.array([[1, 1j], [2, 3]], dtype=object), "only numbers can be factorized"),
    ],
)
def test_types_that_are_no_numbers(fit, given, message):
    with pytest.raises(InputError, match=message):
        fit(given)


@pytest.mark.parametrize("shape", [(), (25,), (2, 3, 4)])
def test_tables_have_two_dimensions(fit, shape):
    with pytest.raises(InputError, match=f"Expected 2D array, got {len(shape)}D array"):
        fit(np.ones(shape))


def test_sparse_tables_have_two_dimensions(fit):
    with pytest.raises(InputError, match="Expected 2D array, got 1D array"):
        fit(sp.coo_array(np.ones(4)))


def test_ragged_rows_are_no_table():
    with pytest.raises(InputError, match="every row needs the same number of values"):
        NMF(1).fit([[1, 2], [3]])
    with pytest.raises(InputError, match="Expected 2D array, got 0D array"):
        NMF(1).fit(None)


# --- corrupt sparse structure ------------------------------------------------------------------

CORRUPTIONS = {
    "decreasing": ("indptr", [0, 3, 2, 5], "indptr decreases"),
    "not from 0": ("indptr", [1, 2, 4, 5], "does not start at 0"),
    "beyond the end": ("indptr", [0, 2, 4, 999], "ends beyond the stored entries"),
    "too long": ("indptr", [0, 2, 4, 5, 5], "one entry more than there are rows"),
    "too short": ("indptr", [0, 2, 5], "one entry more than there are rows"),
    "index too large": ("indices", [0, 1, 9, 2, 0], "lies outside the matrix"),
    "index negative": ("indices", [0, 1, -1, 2, 0], "lies outside the matrix"),
    "too few values": ("data", [1.0, 2.0], "ends beyond the stored entries"),
}


def corrupt(kind: str, holder: type) -> sp.csr_array:
    """Return a compressed matrix with 5 entries and one of its arrays replaced."""
    arrays = (np.arange(1.0, 6), np.array([0, 1, 0, 2, 0]), np.array([0, 2, 4, 5]))
    matrix = holder(arrays, shape=(3, 3))
    name, values, _ = CORRUPTIONS[kind]
    setattr(matrix, name, np.asarray(values, dtype=getattr(matrix, name).dtype))
    return matrix


@pytest.mark.parametrize("holder", [sp.csr_array, sp.csr_matrix, sp.csc_array])
@pytest.mark.parametrize("kind", CORRUPTIONS)
def test_corrupt_structure_raises_and_never_crashes(fit, kind, holder):
    with pytest.raises(InputError, match=f"structure is corrupt: .*{CORRUPTIONS[kind][2]}"):
        fit(corrupt(kind, holder))


def test_corrupt_structure_in_transform():
    model = NMF(1, random_state=0).fit(np.ones((3, 3)))
    with pytest.raises(InputError, match="structure is corrupt"):
        model.transform(corrupt("index negative", sp.csr_array))


# --- weights -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (np.ones((3, 3)), r"weights have shape \(3, 3\) · X has shape \(40, 25\)"),
        (np.ones((25, 40)), r"weights have shape \(25, 40\)"),
        (-np.ones((40, 25)), "weights contain negative or non-finite"),
        (np.full((40, 25), np.nan), "weights contain negative or non-finite"),
        (np.full((40, 25), np.inf), "weights contain negative or non-finite"),
        (np.ones((40, 25)) + 0j, "weights have dtype complex"),
        (np.zeros((40, 25)), "no observed entry"),
        (np.ones(40), "weights"),
        (3.0, "weights"),
        ("heavy", "weights"),
    ],
)
def test_weights_that_cannot_be_used(fit, X, weights, message):
    with pytest.raises(InputError, match=message):
        fit(X, weights=weights)


@pytest.mark.parametrize("missing_values", [np.nan, 0])
def test_weights_that_do_not_fit_a_sparse_table(fit, X, missing_values):
    with pytest.raises(InputError, match=r"weights have shape \(3, 3\)"):
        fit(sp.csr_array(X), weights=np.ones((3, 3)), missing_values=missing_values)


# --- parameters --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"missing_values": 1}, "missing_values=1 · only nan and 0"),
        ({"missing_values": -1.0}, "missing_values=-1.0 · only nan and 0"),
        ({"missing_values": "nan"}, "missing_values='nan' · only nan and 0"),
        ({"missing_values": None}, "missing_values=None · only nan and 0"),
        ({"loss": "frobenious"}, "loss='frobenious' is unknown · the losses are frobenius"),
        ({"loss": None}, "loss=None is neither a name nor a float"),
        ({"loss": np.nan}, "β must be finite"),
        ({"solver": "cd"}, "solver='cd' is unknown · the solvers are auto, hals, ccd"),
        ({"solver": None}, "solver=None is unknown"),
        ({"init": "svd"}, "init='svd' is unknown · the inits are auto, random"),
        ({"init": "given"}, "none was given · pass both"),
        ({"alpha_W": -1}, "alpha_W=-1 · it must be a finite number from 0"),
        ({"alpha_W": np.inf}, "alpha_W=inf · it must be a finite number from 0"),
        ({"alpha_W": "same"}, "alpha_W='same' · it must be a finite number from 0"),
        ({"alpha_H": -0.5}, "alpha_H=-0.5 · it must be a finite number from 0"),
        ({"alpha_H": "none"}, "alpha_H='none' · it must be a finite number from 0"),
        ({"l1_ratio": 1.5}, "l1_ratio=1.5 · it is a share between 0"),
        ({"l1_ratio": -0.1}, "l1_ratio=-0.1 · it must be a finite number from 0"),
        ({"tol": -1e-4}, "tol=-0.0001 · it must be a finite number from 0"),
        ({"tol": np.nan}, "tol=nan · it must be a finite number from 0"),
        ({"max_iter": 0}, "max_iter=0 · it must be a whole number from 1"),
        ({"max_iter": 10.5}, "max_iter=10.5 · it must be a whole number from 1"),
        ({"n_init": 0}, "n_init=0 · it must be a whole number from 1"),
        ({"max_seconds": -1}, "max_seconds=-1 · it must be a finite number from 0"),
        ({"n_threads": 0}, "n_threads=0 · it must be a whole number from 1"),
        ({"n_threads": 1.5}, "n_threads=1.5 · it must be a whole number from 1"),
        ({"random_state": "a"}, "random_state='a' is no seed"),
        ({"random_state": -1}, "random_state=-1 is no seed"),
        ({"random_state": 1.5}, "random_state=1.5 is no seed"),
    ],
)
def test_parameters_outside_their_range(fit, X, options, message):
    with pytest.raises(InputError) as caught:
        fit(X, **options)
    assert message in str(caught.value)


@pytest.mark.parametrize("verbose", [-1, "loud"])
def test_verbose_is_a_level(X, verbose):
    with pytest.raises(InputError, match=r"verbose=.* it must be 0, 1 or 2"):
        NMF(2, verbose=verbose).fit(X)


@pytest.mark.parametrize(
    ("solver", "loss", "reason"),
    [
        ("hals", "kullback-leibler", "minimises the frobenius loss only: use"),
        ("anls-bpp", "l1", "minimises the frobenius loss only: use"),
        ("ccd", 1.5, 'has no step for β = 1.5 (only 1 and 2): use "mu"'),
        ("ccd", "itakura-saito", 'has no step for β = 0 (only 1 and 2): use "mu"'),
        ("mu", "l21", 'minimises β-divergences only: use "ccd" for l21'),
    ],
)
def test_a_solver_that_cannot_says_which_can(fit, X, solver, loss, reason):
    with pytest.raises(InputError) as caught:
        fit(X, loss=loss, solver=solver)
    assert f'solver="{solver}" {reason}' in str(caught.value)


@pytest.mark.parametrize(
    ("start", "message"),
    [
        ({"W": np.ones((3, 2))}, r"W has shape \(3, 2\) · the start must be \(40, 2\)"),
        ({"H": np.ones((2, 3))}, r"H has shape \(2, 3\) · the start must be \(2, 25\)"),
        ({"W": -np.ones((40, 2))}, "W holds values that are no finite numbers"),
        ({"H": np.full((2, 25), np.nan)}, "H holds values that are no finite numbers"),
    ],
)
def test_starts_that_cannot_be_used(X, start, message):
    with pytest.raises(InputError, match=message):
        factorize(X, 2, **start)
    with pytest.raises(InputError, match=message):
        NMF(2).fit_transform(X, **start)


def test_a_start_that_the_init_would_ignore(X):
    with pytest.raises(InputError, match=r"init='random' ignores W and H"):
        NMF(2, init="random").fit_transform(X, W=np.ones((40, 2)), H=np.ones((2, 25)))


# --- transform ---------------------------------------------------------------------------------


def test_transform_before_fit(X):
    for call in (NMF().transform, NMF().inverse_transform, NMF().score):
        with pytest.raises(NotFittedError):
            call(X)
    with pytest.raises(NotFittedError):
        NMF().get_feature_names_out()


def test_transform_of_other_features(X):
    model = NMF(2, random_state=0).fit(X)
    for call in (model.transform, model.score):
        with pytest.raises(ValueError, match="X has 5 features, but NMF is expecting 25 features"):
            call(X[:, :5])
    with pytest.raises(InputError, match=r"X has 5 features · H has 25"):
        solve_left(X[:, :5], model.components_)


def test_inverse_transform_of_other_components(X):
    model = NMF(2, random_state=0).fit(X)
    with pytest.raises(InputError, match=r"W has shape \(40, 25\) · this model has 2 components"):
        model.inverse_transform(X)


@pytest.mark.parametrize("value", [-1.0, np.inf])
def test_transform_of_impossible_values(X, value):
    model = NMF(2, random_state=0).fit(X)
    with pytest.raises(InputError, match="row 7, column 3"):
        model.transform(with_cell(X, value))


def test_every_error_is_of_this_library(fit, X):
    with pytest.raises(NonnegError):
        fit(X, 0)
    with pytest.raises(ValueError, match="n_components"):
        fit(X, 0)
