"""Neighbours as a model: the talk's numbers through the same verbs, and every way of weighing."""

from __future__ import annotations

import json

import numpy as np
import pytest

from nonneg.apps.averages import fit_averages
from nonneg.apps.neighbor_model import Neighbors
from nonneg.apps.recommend import Recommender
from nonneg.apps.talk import observed_ratings
from nonneg.errors import InputError

from .test_recommend import planted, rmse

WAYS = [
    Neighbors(),
    Neighbors(10, "similarity"),
    Neighbors(10, "similarity", centered=False),
    Neighbors(10, "rank"),
    Neighbors(5, "rank", "zero", centered=False),
    Neighbors(20, "regression", by="users"),
    Neighbors(20, "rank", by="users", centered=False),
    Neighbors(10, "similarity", "zero", by="users"),
]


def test_the_number_of_the_talk():
    how = Neighbors.of_the_talk()
    fitted = Recommender(2, method=how, random_state=0).fit(observed_ratings())
    assert fitted.predict("Jai", "Black Mirror")[0] == pytest.approx(1.175, abs=1e-12)
    why = fitted.explain("Jai", "Black Mirror")
    assert why.estimate == pytest.approx(1.175)
    # The two blanks add nothing, TBBT its 4.7 · 3/12.
    assert [(part.item, part.contribution) for part in why.contributions if part.item] == [
        ("TBBT", pytest.approx(1.175))
    ]
    assert why.verdict == "don't recommend"


@pytest.mark.parametrize("how", WAYS, ids=str)
def test_every_way_adds_up(how):
    train, _ = planted(80, 50)
    fitted = Recommender(3, method=how, n_models=3, random_state=0).fit(train)
    users, items = np.divmod(np.arange(80 * 50), 50)
    estimates = fitted.predict(users, items)
    assert np.isfinite(estimates).all()
    rng = np.random.default_rng(0)
    for at in rng.choice(estimates.size, 15, replace=False):
        why = fitted.explain(int(users[at]), int(items[at]))
        assert why.estimate == pytest.approx(estimates[at], abs=1e-9)
        total = sum(part.contribution for part in why.contributions)
        assert total == pytest.approx(why.estimate, abs=1e-9)
        assert len([p for p in why.contributions if p.item or p.user]) <= how.n
    meta, arrays = fitted.to_record()
    loaded = Recommender.from_record(json.loads(json.dumps(meta)), arrays)
    assert np.array_equal(loaded.predict(users, items), estimates)
    assert loaded.method == how
    assert fitted.recommend(4, 5) == loaded.recommend(4, 5)


@pytest.mark.parametrize("how", [way for way in WAYS if way.centered and way.blanks == "missing"])
def test_centred_neighbours_beat_the_averages(how):
    train, (users, items, values) = planted()
    fitted = Recommender(3, method=how, n_models=4, random_state=0).fit(train)
    averages = rmse(fit_averages(train).estimate(users, items), values)
    assert rmse(fitted.predict(users, items), values) < 0.9 * averages


def test_too_few_neighbours_give_the_averages():
    train, _ = planted(60, 40)
    how = Neighbors(10, "similarity", min_neighbors=1000)
    fitted = Recommender(3, method=how, n_models=2, random_state=0).fit(train)
    averages = fitted.scale_.clip(fitted.averages_.estimate(np.arange(60), np.zeros(60, int)))
    np.testing.assert_allclose(fitted.predict(np.arange(60), 0), averages)


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        ({"n": 0}, "n=0"),
        ({"weights": "equal"}, "weights"),
        ({"blanks": "ignored"}, "blanks"),
        ({"by": "genres"}, "by"),
        ({"min_neighbors": 0}, "min_neighbors"),
        ({"centered": False}, "regression"),
    ],
)
def test_ways_that_are_none(wrong, word):
    with pytest.raises(InputError, match=word):
        Neighbors(**wrong)


def test_method_that_is_none():
    with pytest.raises(InputError, match="method"):
        Recommender(method="magic").fit(observed_ratings())
