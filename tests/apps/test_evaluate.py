"""Protocols: the folds are Surprise's, measures are what they are called, yardsticks are there."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from nonneg.apps.averages import fit_averages
from nonneg.apps.evaluate import evaluate, surprise_folds
from nonneg.apps.recommend import Recommender
from nonneg.errors import InputError
from nonneg.io.ratings import Ratings

from .test_recommend import planted, rmse, triplets


def make(train: Ratings) -> Recommender:
    return Recommender(3, n_models=2, random_state=0).fit(train)


@pytest.fixture(scope="module")
def ratings() -> Ratings:
    return planted(80, 60)[0]


def test_folds_are_those_of_surprise():
    n = 13
    data = triplets(np.arange(n), np.arange(n), np.ones(n))
    order = np.arange(n)
    np.random.RandomState(0).shuffle(order)
    expected, start = [], 0
    for fold in range(5):  # as surprise.model_selection.split.KFold has it
        stop = start + n // 5 + (fold < n % 5)
        expected.append(order[start:stop].tolist())
        start = stop
    assert [test.users.tolist() for _, test in surprise_folds(data)] == expected
    for train, test in surprise_folds(data):
        assert sorted([*train.users, *test.users]) == list(range(n))


def test_five_folds(ratings):
    facts = evaluate(ratings, make)
    assert facts["n_test"] == len(ratings)
    names = [method["name"] for method in facts["methods"]]
    assert names == ["recommender", "averages of user and item", "global mean"]
    errors = [
        rmse(
            np.clip(
                fit_averages(train).estimate(test.users, test.items),
                train.values.min(),
                train.values.max(),
            ),
            test.values,
        )
        for train, test in surprise_folds(ratings)
    ]
    found = [method["measures"]["RMSE"] for method in facts["methods"]]
    assert found[1]["value"] == pytest.approx(np.mean(errors))
    assert found[0]["value"] < found[1]["value"] < found[2]["value"]
    for measure in found:
        low, high = measure["interval"]
        assert low <= measure["value"] <= high
    assert facts == evaluate(ratings, make)


def test_split_with_unknown_names(ratings):
    other = triplets([0, 1, 2], [0, 1, 0], [1.0, 5.0, 3.0], [3, 4, 999], [5, 888])
    facts = evaluate(ratings, make, "split", test=other)
    assert facts["n_test"] == 3
    assert all(np.isfinite(m["measures"]["RMSE"]["value"]) for m in facts["methods"])
    model = make(ratings)
    expected = rmse(model.predict([3, 4, 999], [5, 888, 5]), other.values)
    assert facts["methods"][0]["measures"]["RMSE"]["value"] == pytest.approx(expected)


def test_leave_last_takes_the_latest_of_each(ratings):
    stamps = np.random.default_rng(0).permutation(len(ratings))
    seen = []

    def watched(train: Ratings) -> Recommender:
        seen.append(train)
        return make(train)

    facts = evaluate(dataclasses.replace(ratings, timestamps=stamps), watched, "leave-last")
    assert facts["n_test"] == 80
    for user in (0, 33):
        latest = stamps[ratings.users == user].max()
        kept = seen[0].timestamps[seen[0].users == user]
        assert kept.max() < latest


def test_top_n_beats_popularity_where_tastes_differ():
    rng = np.random.default_rng(0)
    rows = []
    for user in range(60):
        group = user % 2
        rows += [(user, 2 * i + group, 5.0) for i in rng.choice(20, 10, replace=False)]
        rows += [(user, 2 * i + 1 - group, 1.0) for i in rng.choice(20, 3, replace=False)]
    users, items, values = (np.array(column) for column in zip(*rows, strict=True))
    facts = evaluate(triplets(users, items, values), make, "topn")
    ours, liked, popular = facts["methods"]
    assert liked["name"] == "averages of items"
    assert popular["name"] == "popularity"
    assert set(ours["measures"]) == {"NDCG@10", "Recall@20", "MAP@20", "novelty", "coverage"}
    assert ours["measures"]["NDCG@10"]["value"] > popular["measures"]["NDCG@10"]["value"]
    assert 0 < ours["measures"]["coverage"]["value"] <= 1


def test_top_n_of_few_items():
    """A list is as long as there are unseen items: nothing that was seen fills it up."""
    users, items = (part.ravel() for part in np.indices((4, 6)))
    facts = evaluate(triplets(users, items, 1.0 + (users + items) % 5), make, "topn")
    for method in facts["methods"]:
        assert method["measures"]["Recall@20"]["value"] == 1
        assert method["measures"]["NDCG@10"]["value"] == 1
        assert method["measures"]["coverage"]["value"] < 1


def test_what_cannot_be_evaluated(ratings):
    with pytest.raises(InputError, match="protocol"):
        evaluate(ratings, make, "ten-fold")
    with pytest.raises(InputError, match="second set"):
        evaluate(ratings, make, "split")
    few = triplets([0, 1, 2], [0, 1, 2], [1, 2, 3])
    with pytest.raises(InputError, match="five"):
        evaluate(few, make)
    with pytest.raises(InputError, match="two ratings"):
        evaluate(few, make, "leave-last")
    with pytest.raises(InputError, match="nobody has 5"):
        evaluate(few, make, "topn")
