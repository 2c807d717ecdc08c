"""The talk's neighbour method: laws of similarity, weights and estimate."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from nonneg.apps.neighbors import cosine_similarity, nearest, neighbor_estimate, rank_weights
from nonneg.errors import InputError

tables = arrays(
    np.float64,
    st.tuples(st.integers(1, 6), st.integers(1, 4)),
    elements=st.one_of(st.just(0.0), st.floats(1e-80, 1e80)),
)


@given(tables)
def test_similarity_is_symmetric_and_between_0_and_1(F):
    S = cosine_similarity(F)
    assert S.shape == (len(F), len(F))
    assert ((S >= 0) & (S <= 1)).all()
    np.testing.assert_allclose(S, S.T, atol=1e-15)
    assert (np.diag(S) == 1).all()
    empty = ~F.any(axis=1)
    off_diagonal = S - np.diag(np.diag(S))
    assert not off_diagonal[empty].any()


@given(tables, st.floats(1e-200, 1e200))
def test_similarity_has_no_unit(F, unit):
    np.testing.assert_allclose(cosine_similarity(F * unit), cosine_similarity(F), atol=1e-12)


@given(tables, st.data())
def test_similarity_of_one_row_is_that_row(F, data):
    row = data.draw(st.integers(0, len(F) - 1))
    np.testing.assert_allclose(cosine_similarity(F, of=row), cosine_similarity(F)[row], atol=1e-15)


@pytest.mark.parametrize("F", [[1.0, 2.0], [[1.0, -1.0]], [[np.nan, 1.0]], [[np.inf, 1.0]]])
def test_similarity_refuses(F):
    with pytest.raises(InputError, match="finite numbers ≥ 0"):
        cosine_similarity(F)


@pytest.mark.parametrize("k", [1, 2, 3, 4, 10, 100])
def test_weights_descend_and_sum_to_1(k):
    weights = rank_weights(k)
    assert weights.shape == (k,)
    assert weights.sum() == pytest.approx(1)
    assert (np.diff(weights) < 0).all()
    assert (weights > 0).all()


def test_weights_of_few():
    assert rank_weights(1).tolist() == [1.0]
    assert rank_weights(2) == pytest.approx([2 / 3, 1 / 3])


@pytest.mark.parametrize("k", [0, -1, 1.5, True, "3", None])
def test_k_is_a_whole_number(k):
    with pytest.raises(InputError, match="whole number from 1"):
        rank_weights(k)


def test_ties_keep_the_order_of_the_items():
    assert nearest([1.0, 0.5, 1.0, 0.5 + 1e-15, 1.0], 5).tolist() == [0, 2, 4, 1, 3]


def test_an_item_is_not_its_own_neighbor():
    found = neighbor_estimate([5.0, 1.0, 3.0], [1.0, 1.0, 1.0], 2, item=0)
    assert found.indices == (1, 2)


def test_blanks_as_zeros_or_left_out():
    ratings, similarity = [np.nan, 4.0, 2.0, np.nan], [1.0, 0.9, 0.1, 0.95]
    naive = neighbor_estimate(ratings, similarity, 2, item=0)
    assert naive.indices == (3, 1)
    assert naive.ratings == (0.0, 4.0)
    assert naive.estimate == pytest.approx(4 / 3)
    right = neighbor_estimate(ratings, similarity, 2, "missing", item=0)
    assert right.indices == (1, 2)
    assert right.estimate == pytest.approx(4 * 2 / 3 + 2 / 3)
    assert sum(right.contributions) == pytest.approx(right.estimate)


def test_a_rating_of_0_is_one_unless_it_marks_a_blank():
    ratings, similarity = [0.0, 4.0], [0.9, 0.8]
    assert neighbor_estimate(ratings, similarity, 1, "missing").estimate == 0
    found = neighbor_estimate(ratings, similarity, 1, "missing", missing_values=0)
    assert found.estimate == 4


def test_fewer_neighbors_than_asked_for():
    found = neighbor_estimate([np.nan, 2.0, 4.0], [1.0, 0.5, 0.2], 7, "missing")
    assert found.weights == pytest.approx((2 / 3, 1 / 3))


def test_nobody_to_ask():
    with pytest.raises(InputError, match="no neighbour"):
        neighbor_estimate([np.nan, np.nan], [1.0, 0.5], 2, "missing")


def test_refusals():
    with pytest.raises(InputError, match="one number an item"):
        neighbor_estimate([1.0, 2.0], [1.0], 1)
    with pytest.raises(InputError, match="blanks='no'"):
        neighbor_estimate([1.0], [1.0], 1, "no")
