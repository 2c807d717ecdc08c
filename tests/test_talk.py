"""Every number of the talk, and the same question answered with its empty cells left empty."""

from __future__ import annotations

import numpy as np
import pytest

from nonneg.apps.neighbors import cosine_similarity, neighbor_estimate, rank_weights
from nonneg.apps.recommend import Recommender
from nonneg.apps.talk import (
    RATINGS,
    SHOWS,
    USERS,
    naive_answer,
    observed_ratings,
    right_answer,
    talk_factors,
    talk_similarity,
)
from nonneg.core.factorize import factorize
from nonneg.io.ratings import Ratings

# The printed table, transposed: a row a show, a column a user.
TABLE = {
    "FRIENDS": [4.8, 4, 0, 4.9, 2.1],
    "TBBT": [4.7, 4.1, 3.5, 4, 4.4],
    "Black Mirror": [0, 4.8, 4, 0, 4.7],
    "Modern Family": [4.6, 0, 0, 0, 0],
    "Sacred Games": [0, 4.9, 0, 0, 0],
    "GoT": [0, 4.7, 4.6, 4.4, 4.9],
    "Quantico": [2.1, 1.5, 2.5, 0, 0],
}
W = [
    [0.971, 1.929],
    [1.699, 1.626],
    [1.872, 0],
    [0, 1.317],
    [0.77, 0],
    [2.219, 0.232],
    [0.452, 0.543],
]
H = [[0, 2.53, 1.898, 1.09, 2.217], [2.853, 0.312, 0, 1.314, 0.045]]
SIMILARITY = [
    [1, 0.942, 0.45, 0.893, 0.45, 0.54, 0.974],
    [0.942, 1, 0.722, 0.691, 0.722, 0.79, 0.994],
    [0.45, 0.722, 1, 0, 1, 0.995, 0.64],
    [0.893, 0.691, 0, 1, 0, 0.104, 0.769],
    [0.45, 0.722, 1, 0, 1, 0.995, 0.64],
    [0.54, 0.79, 0.995, 0.104, 0.995, 1, 0.716],
    [0.974, 0.994, 0.64, 0.769, 0.64, 0.716, 1],
]


def test_ratings():
    assert list(TABLE) == list(SHOWS)
    assert USERS == ("Jai", "PB", "Arnab", "Abhi", "Diya")
    assert np.array_equal(RATINGS.T, list(TABLE.values()))


def test_ratings_are_not_changed_by_accident():
    with pytest.raises(ValueError):
        RATINGS[0, 0] = 1


def test_factors():
    fit = talk_factors()
    assert fit.W.shape == (7, 2)
    assert fit.H.shape == (2, 5)
    np.testing.assert_allclose(fit.W, W, atol=5e-4)
    np.testing.assert_allclose(fit.H, H, atol=5e-4)
    assert fit.row_names == SHOWS
    assert fit.column_names == USERS


def test_zeros_were_fitted_as_zeros():
    fit = talk_factors()
    error = np.linalg.norm(RATINGS.T - fit.W @ fit.H)
    assert error == pytest.approx(6.3505, abs=5e-5)
    assert fit.error == pytest.approx(error, rel=1e-9)


def test_scikit_learn_gives_the_same_factors():
    from sklearn.decomposition import NMF

    rival = NMF(2, init="nndsvd", tol=1e-8, max_iter=5000)
    their_W = rival.fit_transform(RATINGS.T)
    np.testing.assert_allclose(talk_factors().W, their_W, atol=5e-4)
    np.testing.assert_allclose(talk_factors().H, rival.components_, atol=5e-4)


def test_similarity():
    # TBBT and GoT are .7906; the talk prints .79, which is that of its rounded W (.7904).
    assert talk_similarity()[1, 5] == pytest.approx(0.7906, abs=5e-5)
    np.testing.assert_allclose(talk_similarity(), SIMILARITY, atol=6e-4)
    assert (np.abs(talk_similarity() - SIMILARITY) > 5e-4).sum() == 2


def test_similarity_of_the_printed_factors():
    np.testing.assert_allclose(cosine_similarity(W), SIMILARITY, atol=5.1e-4)


def test_weights_of_three_neighbors():
    np.testing.assert_allclose(rank_weights(3), [5 / 12, 4 / 12, 3 / 12], rtol=1e-15)


def test_naive_answer():
    answer = naive_answer("Jai", "Black Mirror")
    assert [near.item for near in answer.neighbors] == ["Sacred Games", "GoT", "TBBT"]
    assert [near.rating for near in answer.neighbors] == [0, 0, 4.7]
    assert [near.weight for near in answer.neighbors] == pytest.approx([5 / 12, 4 / 12, 3 / 12])
    assert answer.estimate == pytest.approx(1.175, abs=1e-12)
    assert not answer.recommended


def test_naive_answer_by_hand():
    found = neighbor_estimate(RATINGS[0], SIMILARITY[2], item=2, missing_values=0)
    assert [SHOWS[index] for index in found.indices] == ["Sacred Games", "GoT", "TBBT"]
    assert found.estimate == pytest.approx(1.175, abs=1e-12)


def test_naive_method_can_recommend():
    assert naive_answer("PB", "Black Mirror").recommended


# --- the right way -----------------------------------------------------------------------------


def test_observed_ratings_are_the_cells_with_a_rating():
    ratings = observed_ratings()
    assert len(ratings) == np.count_nonzero(RATINGS) == 21
    assert ratings.values.min() > 0
    assert np.array_equal(ratings.matrix().toarray(), RATINGS)


def test_what_lies_in_an_empty_cell_changes_nothing():
    """The talk: "if we leave that cell empty, then NMF algorithm would crash"."""
    empty = np.where(RATINGS == 0, np.nan, RATINGS)
    expected = factorize(empty, 2, random_state=0)
    assert np.isfinite(expected.W).all()
    assert expected.error < talk_factors().error / 10
    observed = (RATINGS > 0).astype(float)
    for content in (0.0, 1.0, 5.0, 1e6):
        filled = np.where(RATINGS == 0, content, RATINGS)
        found = factorize(filled, 2, weights=observed, random_state=0)
        np.testing.assert_array_equal(found.W, expected.W)
        np.testing.assert_array_equal(found.H, expected.H)


def test_right_answer_is_no_longer_dragged_down_by_empty_cells():
    """All three who rated Black Mirror gave it 4 to 4.8; nothing speaks for 1.175."""
    why = right_answer("Jai", "Black Mirror")
    assert why.estimate > 3.5
    assert why.verdict != "don't recommend"
    assert why.n_ratings == 4
    assert why.n_item_ratings == 3
    assert {why.neighbors[0].item, why.neighbors[1].item} == {"TBBT", "Modern Family"}


@pytest.mark.parametrize("user", USERS)
@pytest.mark.parametrize("show", SHOWS)
def test_contributions_add_up(user, show):
    why = right_answer(user, show)
    assert sum(part.contribution for part in why.contributions) == pytest.approx(
        why.estimate, abs=1e-6
    )
    assert sum(part.share for part in why.contributions) == pytest.approx(1, abs=1e-6)


def reordered(ratings: Ratings, seed: int) -> Ratings:
    """The same ratings with users, shows and lines in another order."""
    rng = np.random.default_rng(seed)
    users, shows, lines = (
        rng.permutation(size) for size in (ratings.n_users, ratings.n_items, len(ratings))
    )
    return Ratings(
        np.argsort(users)[ratings.users][lines].astype(np.int32),
        np.argsort(shows)[ratings.items][lines].astype(np.int32),
        ratings.values[lines],
        ratings.user_ids[users],
        ratings.item_ids[shows],
    )


@pytest.mark.parametrize("seed", range(5))
def test_the_order_of_the_ratings_is_no_part_of_the_problem(seed):
    """With nothing left to chance: ridge and damping given, one component, its optimum reached.

    Factors are float32 and the fit stops near the optimum, so not bit for bit; 0.005 is half of
    the last digit that is printed.
    """
    ratings = observed_ratings()
    options = {"ridge": 0.125, "damping": 2.0, "max_iter": 500, "tol": 1e-10, "random_state": 0}
    model = Recommender(1, **options).fit(ratings)
    again = Recommender(1, **options).fit(reordered(ratings, seed))
    for user in USERS:
        np.testing.assert_allclose(
            again.predict(user, list(SHOWS)), model.predict(user, list(SHOWS)), rtol=0, atol=0.005
        )


@pytest.mark.parametrize("seed", range(5))
def test_the_verdict_stands_in_any_order_of_the_ratings(seed):
    """The order decides what is held out and where the fit starts; of 21 ratings, that shows."""
    ratings = reordered(observed_ratings(), seed)
    why = Recommender(2, random_state=0).fit(ratings).explain("Jai", "Black Mirror")
    assert why.verdict == right_answer("Jai", "Black Mirror").verdict == "recommend"
    assert why.estimate > 4
