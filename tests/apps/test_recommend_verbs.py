"""Ensembles, somebody new, updates, similar things, intervals, counterfactuals."""

from __future__ import annotations

import dataclasses

import narwhals.stable.v1 as nw
import numpy as np
import pandas as pd
import pytest

from nonneg.apps.recommend import Recommender
from nonneg.errors import InputError, UnknownNameError

from .test_recommend import planted, rmse, triplets


@pytest.fixture(scope="module")
def fitted() -> Recommender:
    return Recommender(4, n_models=5, random_state=0).fit(planted()[0])


def rated(model: Recommender, user: int) -> dict[int, float]:
    own = model.ratings_.users == user
    pairs = zip(
        model.ratings_.items[own].tolist(), model.ratings_.values[own].tolist(), strict=True
    )
    return dict(pairs)


def test_the_order_of_the_lines_makes_no_difference():
    train, _ = planted(80, 50)
    frame = pd.DataFrame({"user": train.users, "item": train.items, "rating": train.values})
    models = [
        Recommender(3, n_models=2, random_state=0).fit(one)
        for one in (frame, frame.sample(frac=1, random_state=1))
    ]
    users, items = np.divmod(np.arange(80 * 50), 50)
    first, second = (model.predict(users, items) for model in models)
    assert np.array_equal(first, second)
    assert models[0].recommend(3) == models[1].recommend(3)


def test_an_ensemble_is_more_accurate_than_a_run():
    train, (users, items, values) = planted(seed=1)

    def error(n_models: int, seed: int) -> float:
        model = Recommender(6, n_models=n_models, ridge=0.03, damping=0, random_state=seed)
        return rmse(model.fit(train).predict(users, items), values)

    assert error(8, 0) < np.mean([error(1, seed) for seed in range(6)])


def test_components_of_all_runs_are_grouped_one_of_each(fitted):
    assert fitted.groups_.shape == (4 * 5,)
    assert np.bincount(fitted.groups_).tolist() == [5] * 4
    assert sorted(fitted.groups_[:4]) == [0, 1, 2, 3]


def test_signed_factors_for_comparison():
    train, (users, items, values) = planted()
    fitted = Recommender(4, nonneg=False, n_models=3, random_state=0).fit(train)
    assert fitted.item_factors_.min() < 0
    assert rmse(fitted.predict(users, items), values) < 0.4
    why = fitted.explain(3, 4)
    assert sum(part.contribution for part in why.contributions) == pytest.approx(why.estimate)


def test_somebody_new_with_the_ratings_of_a_user_gets_that_users_estimates(fitted):
    for user in (0, 17, 123):
        new = fitted.fold_in(rated(fitted, user))
        scores = fitted.scale_.clip(fitted.model_.scores(new, np.arange(120)))
        np.testing.assert_allclose(scores, fitted.predict(user, np.arange(120)), atol=2e-5)
        best = fitted.recommend_for(rated(fitted, user), 5)
        assert [one.item for one in best] == [one.item for one in fitted.recommend(user, 5)]


def test_who_has_rated_nothing_gets_the_averages(fitted):
    found = fitted.recommend_for({}, 120)
    averages = fitted.averages_
    at = [one.item for one in found]
    expected = fitted.scale_.clip(averages.mean + averages.items[at])
    np.testing.assert_allclose([one.score for one in found], expected)


def test_reasons_for_somebody_new(fitted):
    why = fitted.explain_for({3: 5.0, 7: 1.0, 9: 4.0}, 11)
    assert why.user == "you"
    assert why.n_ratings == 3
    assert sum(part.contribution for part in why.contributions) == pytest.approx(why.estimate)


@pytest.mark.parametrize(
    ("ratings", "word"),
    [({3: 9.0}, "scale"), ({3: float("nan")}, "rating"), ({3: 2.0, "3": 2.0}, "twice")],
)
def test_ratings_of_somebody_new_that_cannot_be(fitted, ratings, word):
    with pytest.raises(InputError, match=word):
        fitted.recommend_for(ratings)


def test_unknown_items_of_somebody_new(fitted):
    with pytest.raises(UnknownNameError, match="item 1000"):
        fitted.recommend_for({1000: 3.0})


def test_among_some_items(fitted):
    some = [5, 9, 11, 40]
    found = fitted.recommend(2, 10, among=some, exclude_seen=False)
    assert sorted(one.item for one in found) == some
    assert fitted.recommend(2, 10, among=list(rated(fitted, 2))) == []
    with pytest.raises(UnknownNameError):
        fitted.recommend(2, among=[5, "nothing"])
    with pytest.raises(InputError, match="among"):
        fitted.recommend(2, among="5")


def test_similar(fitted):
    found = fitted.similar_items(5, 4)
    assert len(found) == 4
    assert 5 not in [one.name for one in found]
    values = [one.similarity for one in found]
    assert values == sorted(values, reverse=True)
    assert 0 <= values[-1] <= values[0] <= 1
    rows = fitted.item_factors_.astype(float)
    cosine = rows[5] @ rows[found[0].name]
    cosine /= np.linalg.norm(rows[5]) * np.linalg.norm(rows[found[0].name])
    assert values[0] == pytest.approx(cosine)
    assert len(fitted.similar_users(5, 1000)) == 299
    with pytest.raises(UnknownNameError):
        fitted.similar_items("nothing")


@pytest.mark.parametrize("backend", ["pandas", "polars", "pyarrow"])
def test_rankings_are_frames_where_one_is_wanted(fitted, backend):
    found = fitted.recommend(2, 3)
    frame = nw.from_native(found.to_frame(backend))
    assert frame.implementation.value == backend
    assert frame.rows() == [(one.item, one.score) for one in found]
    assert nw.from_native(fitted.recommend(2, among=[]).to_frame(backend)).shape == (0, 2)
    similar = nw.from_native(fitted.similar_items(3, 2).to_frame(backend))
    assert similar.columns == ["name", "similarity"]


def test_rankings_as_frames_of_no_library(fitted, monkeypatch):
    found = fitted.recommend(2, 3)
    with pytest.raises(InputError, match="backend='excel'"):
        found.to_frame("excel")

    def absent(*_, **__):
        raise ModuleNotFoundError("No module named 'polars'")

    monkeypatch.setattr(nw, "from_dict", absent)
    with pytest.raises(InputError, match="not installed"):
        found.to_frame("polars")


def test_unknown_can_be_an_error(fitted):
    assert np.isfinite(fitted.predict([1, "nobody"], 3)).all()
    with pytest.raises(UnknownNameError, match="1 of the users"):
        fitted.predict([1, "nobody"], 3, unknown="error")
    with pytest.raises(InputError, match="unknown="):
        fitted.predict(1, 3, unknown="maybe")


# --- updates -----------------------------------------------------------------------------------


def test_update_is_a_fold_in_for_who_rated(fitted):
    train, _ = planted()
    known = train.part(train.users < 290)
    small = dataclasses.replace(known, user_ids=np.arange(290))
    model = Recommender(4, n_models=5, random_state=0).fit(small)
    before = model.predict(np.arange(290), 7)
    rest = train.part(train.users >= 290)
    frame = pd.DataFrame({"user": rest.users, "item": rest.items, "rating": rest.values})
    expected = model.recommend_for(
        dict(
            zip(
                rest.items[rest.users == 295].tolist(),
                rest.values[rest.users == 295].tolist(),
                strict=True,
            )
        )
    )
    assert model.update(frame) is model
    assert model.ratings_.n_users == 300
    found = model.recommend(295)
    assert [one.item for one in found] == [one.item for one in expected]
    np.testing.assert_allclose([o.score for o in found], [o.score for o in expected], atol=2e-5)
    assert np.array_equal(model.predict(np.arange(290), 7), before)


def test_update_with_a_new_item_and_a_new_rating_of_an_old_pair():
    train, _ = planted()
    known = train.part(train.items < 119)
    model = Recommender(3, n_models=3, random_state=0).fit(
        dataclasses.replace(known, item_ids=np.arange(119))
    )
    new = train.part(train.items == 119)
    half = np.arange(len(new)) % 2 == 0
    model.update(new.part(half))
    users, values = new.users[~half], new.values[~half]
    errors = rmse(model.predict(users, 119), values)
    assert errors < 0.8 * rmse(np.full(values.size, new.values[half].mean()), values)
    user = int(model.ratings_.users[0])
    item = int(model.ratings_.items[0])
    n = len(model.ratings_)
    model.update(triplets([0], [0], [5.0], [user], [item]))
    assert len(model.ratings_) == n
    assert model.explain(user, item).rated == 5.0


def test_update_outside_of_the_scale_changes_nothing(fitted):
    n = len(fitted.ratings_)
    with pytest.raises(InputError, match="scale"):
        fitted.update(triplets([0], [0], [50.0]))
    assert len(fitted.ratings_) == n


# --- reasons -----------------------------------------------------------------------------------


def test_the_interval_holds_four_in_five(fitted):
    _, (users, items, values) = planted()
    estimates = fitted.predict(users, items)
    low, high = fitted.choice_.spread
    inside = (values >= estimates + low) & (values <= estimates + high)
    assert 0.74 < inside.mean() < 0.86
    why = fitted.explain(int(users[0]), int(items[0]))
    assert why.interval[0] <= why.estimate <= why.interval[1]
    assert why.interval[0] >= fitted.scale_.low
    assert why.interval[1] <= fitted.scale_.high


def test_counterfactuals_are_what_a_fold_in_without_the_rating_says(fitted):
    why = fitted.explain(10, 20)
    assert why.counterfactuals
    ratings = rated(fitted, 10)
    for change in why.counterfactuals:
        assert ratings[change.item] == change.rating
        rest = {item: value for item, value in ratings.items() if item != change.item}
        without = fitted.explain_for(rest, 20).estimate
        assert change.estimate == pytest.approx(without, abs=1e-4)
    assert any("would be" in said for said in why.sentences)


def test_own_ratings_contribute(fitted):
    why = fitted.explain(10, 20)
    own = [part for part in why.contributions if part.item is not None]
    assert {part.item for part in own} <= set(rated(fitted, 10))
    sizes = [abs(part.contribution) for part in own]
    assert sizes == sorted(sizes, reverse=True)


# --- labels of items ---------------------------------------------------------------------------


def with_kinds(
    seed: int = 0,
) -> tuple[pd.DataFrame, tuple[np.ndarray, np.ndarray, np.ndarray], dict[int, list[str]]]:
    """Ratings by who likes which kind of item, few a person, so that kinds tell a lot."""
    rng = np.random.default_rng(seed)
    m, n, kinds = 400, 200, 6
    kind = rng.integers(kinds, size=n)
    taste = rng.normal(size=(m, kinds))
    users, items = np.nonzero(rng.random((m, n)) < 0.06)
    values = np.clip(3 + taste[users, kind[items]] + 0.4 * rng.normal(size=users.size), 1, 5)
    kept = rng.random(users.size) < 0.8
    frame = pd.DataFrame({"user": users, "item": items, "rating": values})
    labels = {item: [f"kind {kind[item]}", "film"] for item in range(n)}
    return frame[kept], (users[~kept], items[~kept], values[~kept]), labels


def test_labels_help_where_they_tell_something_and_else_do_no_harm():
    frame, (users, items, values), labels = with_kinds()
    rng = np.random.default_rng(1)
    shuffled = dict(zip(labels, rng.permutation(list(labels.values())).tolist(), strict=True))

    def error(**about) -> float:
        model = Recommender(4, n_models=2, random_state=0).fit(frame, **about)
        why = model.explain(int(users[0]), int(items[0]))
        assert sum(part.contribution for part in why.contributions) == pytest.approx(why.estimate)
        return rmse(model.predict(users, items), values)

    plain = error()
    assert error(item_labels=labels) < 0.9 * plain
    assert error(item_labels=shuffled) < 1.02 * plain


@pytest.mark.parametrize(
    ("labels", "word"),
    [
        ({0: "Drama"}, "has a list of labels"),
        ({0: float("nan")}, "has a list of labels"),
        ({"somewhere": ["else"]}, "none of the labels"),
        ({item: [f"{item} {at}" for at in range(9)] for item in range(200)}, "room for 512"),
    ],
)
def test_labels_that_cannot_be(labels, word):
    frame, _, _ = with_kinds()
    with pytest.raises(InputError, match=word):
        Recommender(2, n_models=1).fit(frame, item_labels=labels)
