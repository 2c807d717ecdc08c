"""The measures against their formulas, their limits and their units."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose, assert_array_equal

from nonneg import factorize
from nonneg.errors import InputError
from nonneg.metrics import (
    explained_share,
    explained_variance,
    hoyer_sparseness,
    match_components,
    relative_error,
)

LOSSES = ("frobenius", "kullback-leibler", "itakura-saito", "huber", "l1", "l21", 1.5, 3.0)
numbers = st.floats(0, 1e150) | st.floats(0, 1e-150)


@pytest.fixture
def X() -> np.ndarray:
    """Return a table above 0."""
    return np.random.default_rng(0).gamma(0.7, 1.0, (12, 9)) + 0.01


@pytest.fixture
def factors() -> tuple[np.ndarray, np.ndarray]:
    """Return any W and H of rank 2."""
    rng = np.random.default_rng(1)
    return rng.random((12, 2)), rng.random((2, 9))


# --- sparseness --------------------------------------------------------------------------------


def test_sparseness_has_the_limits_of_its_definition():
    assert hoyer_sparseness(np.ones(7)) == pytest.approx(0, abs=1e-12)
    assert hoyer_sparseness([0, 0, 2, 0]) == 1
    assert hoyer_sparseness(np.zeros(5)) == 0
    assert hoyer_sparseness([3.0]) == 0


def test_sparseness_is_the_formula_of_the_paper():
    x = np.array([1.0, 2, 0, 4, 0.5])
    root = math.sqrt(5)
    expected = (root - x.sum() / np.linalg.norm(x)) / (root - 1)
    assert hoyer_sparseness(x) == pytest.approx(expected)
    assert hoyer_sparseness(-x) == pytest.approx(expected)


def test_sparseness_along_an_axis():
    x = np.random.default_rng(0).random((4, 6)) * np.array([[1.0], [0], [1], [1]])
    rows, columns = hoyer_sparseness(x, axis=1), hoyer_sparseness(x, axis=0)
    assert_allclose(rows, [hoyer_sparseness(row) for row in x])
    assert_allclose(columns, [hoyer_sparseness(column) for column in x.T])
    assert_allclose(hoyer_sparseness(x, axis=-1), rows)
    assert rows[1] == 0
    assert hoyer_sparseness(x) == pytest.approx(hoyer_sparseness(x.ravel()))


@given(arrays(float, st.tuples(st.integers(1, 6), st.integers(1, 6)), elements=numbers))
def test_sparseness_is_a_share_and_never_nan(x):
    for axis in (0, 1):
        sparseness = hoyer_sparseness(x, axis=axis)
        assert ((sparseness >= 0) & (sparseness <= 1)).all()


def test_sparseness_has_no_unit():
    x = np.array([1.0, 2, 0, 4])
    for unit in (1e-300, 1e-5, 1e300):
        assert hoyer_sparseness(x * unit) == pytest.approx(hoyer_sparseness(x))


@pytest.mark.parametrize(
    ("x", "axis", "message"),
    [
        ([], None, "nothing to measure"),
        ([1.0, np.nan], None, "NaN or infinity"),
        ([1.0, np.inf], None, "NaN or infinity"),
        (["a"], None, "must hold numbers"),
        ([1.0, 2.0], 1, "axis=1 · x has 1 dimension"),
    ],
)
def test_sparseness_of_what_has_none(x, axis, message):
    with pytest.raises(InputError, match=message):
        hoyer_sparseness(x, axis=axis)


# --- errors ------------------------------------------------------------------------------------


def test_explained_variance_is_evar(X, factors):
    W, H = factors
    expected = 1 - np.sum((X - W @ H) ** 2) / np.sum(X**2)
    assert explained_variance(X, W, H) == pytest.approx(expected)
    assert explained_variance(X, W, np.zeros_like(H)) == pytest.approx(0)
    assert explained_variance(W @ H, W, H) == pytest.approx(1)
    assert explained_variance(X, 100 * W, H) < 0


def test_relative_error_is_the_formula(X, factors):
    W, H = factors
    Y = W @ H
    expected = {
        "frobenius": np.linalg.norm(X - Y) / np.linalg.norm(X),
        "kullback-leibler": math.sqrt(np.sum(X * np.log(X / Y) - X + Y) / X.sum()),
        "itakura-saito": math.sqrt(np.mean(X / Y - np.log(X / Y) - 1)),
    }
    for loss, value in expected.items():
        assert relative_error(X, W, H, loss=loss) == pytest.approx(value, rel=1e-6)
    # The norms are rounded off within a thousandth of the mean entry.
    norms = {
        "l1": np.abs(X - Y).sum() / X.sum(),
        "l21": np.linalg.norm(X - Y, axis=1).sum() / np.linalg.norm(X, axis=1).sum(),
    }
    for loss, value in norms.items():
        assert relative_error(X, W, H, loss=loss) == pytest.approx(value, rel=1e-3)


@pytest.mark.parametrize("loss", LOSSES)
def test_share_and_error_tell_the_same(X, factors, loss):
    error = relative_error(X, *factors, loss=loss)
    is_norm = loss in ("huber", "l1", "l21")
    assert explained_share(X, *factors, loss=loss) == pytest.approx(
        1 - (error if is_norm else error**2)
    )


@pytest.mark.parametrize("loss", ["frobenius", "kullback-leibler", "itakura-saito", 1.5, 3.0])
def test_relative_error_is_that_of_the_fit(X, loss):
    fit = factorize(X, 3, loss=loss, tol=1e-3, random_state=0)
    assert relative_error(X, fit.W, fit.H, loss=loss) == pytest.approx(fit.relative_error)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("unit", [1e-150, 1e-9, 1e9, 1e150])
def test_the_unit_of_the_table_does_not_matter(X, factors, loss, unit):
    W, H = factors
    expected = relative_error(X, W, H, loss=loss)
    assert relative_error(X * unit, W * unit, H, loss=loss) == pytest.approx(expected, rel=1e-6)


def test_missing_cells_and_weights(X, factors):
    W, H = factors
    seen = np.random.default_rng(2).random(X.shape) < 0.7
    rest, total = np.sum((X - W @ H)[seen] ** 2), np.sum(X[seen] ** 2)
    holed = np.where(seen, X, np.nan)
    assert explained_variance(holed, W, H) == pytest.approx(1 - rest / total)
    for data in (np.where(seen, X, 0), sp.csr_array(np.where(seen, X, 0))):
        assert explained_variance(data, W, H, missing_values=0) == pytest.approx(1 - rest / total)
    assert explained_variance(X, W, H, weights=seen) == pytest.approx(1 - rest / total)
    assert explained_variance(X, W, H, weights=2.0 * seen) == pytest.approx(1 - rest / total)


def test_a_sparse_table_is_its_dense_one(X, factors):
    counts = np.floor(X)
    for loss in ("frobenius", "kullback-leibler", "l1"):
        assert relative_error(sp.csc_array(counts), *factors, loss=loss) == pytest.approx(
            relative_error(counts, *factors, loss=loss)
        )


def test_a_table_of_zeros_is_explained_by_zeros_only():
    X, W, H = np.zeros((2, 3)), np.ones((2, 1)), np.ones((1, 3))
    assert relative_error(X, W, 0 * H) == 0
    assert explained_variance(X, W, 0 * H) == 1
    assert relative_error(X, W, H) == math.inf
    for share in (explained_variance, explained_share):
        assert share(X, W, 0 * H) == 1
        with pytest.raises(InputError, match="X has only zeros"):
            share(X, W, H)
    assert explained_variance(sp.csr_array((2, 3)), W, 0 * H, missing_values=0) == 1


@pytest.mark.parametrize(
    ("W", "H", "message"),
    [
        (np.ones((12, 2)), np.ones((3, 9)), r"W must be \(12, k\) and H \(k, 9\)"),
        (np.ones((5, 2)), np.ones((2, 9)), r"W must be \(12, k\)"),
        (np.ones(12), np.ones((2, 9)), r"W must be \(12, k\)"),
        (np.full((12, 2), np.nan), np.ones((2, 9)), "W holds NaN or infinity"),
        (np.ones((12, 2), dtype=object), np.ones((2, 9)), "W has dtype object"),
    ],
)
def test_factors_that_do_not_fit(X, W, H, message):
    with pytest.raises(InputError, match=message):
        relative_error(X, W, H)


def test_losses_outside_their_domain():
    with pytest.raises(InputError, match="needs values above 0"):
        relative_error(np.array([[0.0, 1.0]]), [[1.0]], [[1.0, 1.0]], loss="itakura-saito")


# --- matching ----------------------------------------------------------------------------------


def test_matching_finds_a_permutation_whatever_the_scales():
    rng = np.random.default_rng(0)
    H = rng.gamma(0.3, 1.0, (5, 40))
    order = rng.permutation(5)
    scales = 10.0 ** rng.integers(-200, 150, (5, 1))
    shuffled = np.empty_like(H)
    shuffled[order] = H * scales
    match = match_components(H, shuffled)
    assert_array_equal(match.permutation, order)
    assert_allclose(match.cosines, 1)
    assert_allclose(shuffled[match.permutation] / scales, H)


def test_matching_maximises_the_sum_not_each_pair():
    first = np.array([[1.0, 0], [0.8, 0.6]])
    second = np.array([[0.95, math.sqrt(1 - 0.95**2)], [0.0, 1.0]])
    match = match_components(first, second)
    assert match.permutation.tolist() == [0, 1]
    assert_allclose(match.cosines, [0.95, 0.6])


def test_matching_a_smaller_factorization_with_a_larger_one():
    match = match_components([[0, 1.0]], [[1.0, 0], [0, 3.0], [1, 1]])
    assert match.permutation.tolist() == [1]
    with pytest.raises(InputError, match="H1 has 3 components · H2 has only 1"):
        match_components([[1.0, 0], [0, 3.0], [1, 1]], [[0, 1.0]])


def test_components_of_zeros_match_with_cosine_0():
    match = match_components([[0.0, 0], [1, 0]], [[1, 0], [0, 0]])
    assert match.permutation.tolist() == [1, 0]
    assert match.cosines.tolist() == [0, 1]


def test_only_components_over_the_same_features_match():
    with pytest.raises(InputError, match="H1 has 2 features · H2 has 3"):
        match_components(np.ones((1, 2)), np.ones((1, 3)))
    with pytest.raises(InputError, match=r"H1 has 1 dimension"):
        match_components(np.ones(2), np.ones((1, 2)))


def test_two_fits_of_one_structure_match():
    rng = np.random.default_rng(3)
    H = np.kron(np.eye(3), np.ones(4)) + 0.01
    X = rng.gamma(0.5, 1.0, (60, 3)) @ H
    fits = [factorize(X, 3, init="random", random_state=seed, tol=1e-8) for seed in (0, 1)]
    assert match_components(fits[0].H, fits[1].H).cosines.min() > 0.99
