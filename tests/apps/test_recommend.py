"""Recommender: reasons that add up, answers that repeat, ids as people have them, odd ratings."""

from __future__ import annotations

import dataclasses
import io
import json
import re

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from nonneg.apps.averages import fit_averages
from nonneg.apps.rankings import Recommendation
from nonneg.apps.recommend import Recommender
from nonneg.apps.tuning import Scale, trust
from nonneg.cli import draw_taste
from nonneg.errors import InputError, UnknownNameError
from nonneg.io.ratings import Ratings, read_ratings
from nonneg.report.taste import explanation_facts, recommender_facts


def triplets(users, items, values, user_ids=None, item_ids=None) -> Ratings:
    users, items = np.asarray(users, np.int32), np.asarray(items, np.int32)
    user_ids = np.arange(users.max() + 1) if user_ids is None else np.asarray(user_ids)
    item_ids = np.arange(items.max() + 1) if item_ids is None else np.asarray(item_ids)
    return Ratings(users, items, np.asarray(values, np.float64), user_ids, item_ids)


def planted(n_users=300, n_items=120, k=3, share=0.3, seed=0, low=1.0, high=5.0):
    """Ratings of few tastes with noise, and those held out."""
    rng = np.random.default_rng(seed)
    truth = rng.dirichlet(np.full(k, 0.2), n_users) @ rng.uniform(0, 1, (k, n_items))
    noisy = truth + 0.05 * rng.standard_normal(truth.shape)
    values = np.clip(low + (high - low) * noisy, low, high)
    users, items = np.nonzero(rng.random(truth.shape) < share)
    held_out = rng.random(users.size) < 0.2
    kept = ~held_out
    train = triplets(
        users[kept], items[kept], values[users, items][kept], range(n_users), range(n_items)
    )
    return train, (users[held_out], items[held_out], values[users, items][held_out])


@pytest.fixture(scope="module")
def model() -> Recommender:
    return Recommender(5, random_state=0).fit(planted()[0])


def rmse(estimates, values) -> float:
    return float(np.sqrt(np.mean((estimates - values) ** 2)))


# --- estimates ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("low", "high"), [(1, 5), (0, 10), (0, 1e6), (0, 1e-6)])
def test_planted_tastes_are_found(low, high):
    train, (users, items, values) = planted(low=low, high=high)
    fitted = Recommender(5, random_state=0).fit(train)
    error = rmse(fitted.predict(users, items), values)
    averages = rmse(fit_averages(train).estimate(users, items), values)
    assert error < 0.6 * averages
    assert fitted.error_ == pytest.approx(error, rel=0.2)


def test_unit_of_the_scale_does_not_matter(model):
    train, (users, items, _) = planted()
    other = Recommender(5, random_state=0).fit(
        dataclasses.replace(train, values=train.values * 64.0)
    )
    assert other.ridge_ == model.ridge_
    assert other.damping_ == model.damping_
    np.testing.assert_allclose(
        other.predict(users, items), 64 * model.predict(users, items), rtol=1e-5
    )


def test_estimates_stay_on_the_scale(model):
    estimates = model.predict(np.repeat(np.arange(300), 120), np.tile(np.arange(120), 300))
    assert np.isfinite(estimates).all()
    assert estimates.min() >= model.scale_.low
    assert estimates.max() <= model.scale_.high


def test_factors_are_nonnegative_and_the_model_is_what_it_says(model):
    W, H = model.user_factors_, model.item_factors_
    assert W.shape == (300, model.n_components_ * model.n_models)
    assert H.shape == (120, model.n_components_ * model.n_models)
    assert W.min() >= 0
    assert H.min() >= 0
    users, items = np.array([0, 5, 9]), np.array([1, 2, 3])
    share = trust(model.model_.user_counts[users], model.model_.item_counts[items], model.damping_)
    baseline = model.scale_.clip(model.averages_.estimate(users, items))
    share *= model.choice_.factors
    factors = model.scale_.low + (W[users].astype(float) * H[items]).sum(axis=1)
    echoes = (model.model_.leanings[users] * model.model_.echoes.features[items]).sum(axis=1)
    expected = (1 - share) * baseline + share * factors + model.choice_.echoes * echoes
    expected += model.choice_.lift * share / model.choice_.factors
    np.testing.assert_allclose(model.predict(users, items), model.scale_.clip(expected), rtol=1e-12)


def test_pairs(model):
    both = model.predict([3, 4], [7, 8])
    assert both.shape == (2,)
    assert model.predict(3, 7).shape == (1,)
    assert model.predict(3, [7, 8])[0] == both[0]
    assert model.predict([3, 4], 8)[1] == both[1]
    assert model.predict(pd.Series([3, 4]), np.array([7, 8])).tolist() == both.tolist()
    assert model.predict([], []).shape == (0,)
    with pytest.raises(InputError, match="3 users and 2 items"):
        model.predict([1, 2, 3], [1, 2])


def test_unknown_in_predict_falls_back_to_the_averages(model):
    averages = model.averages_
    assert model.predict("nobody", 3)[0] == pytest.approx(averages.mean + averages.items[3])
    assert model.predict(3, "nothing")[0] == pytest.approx(averages.mean + averages.users[3])
    assert model.predict("nobody", "nothing")[0] == pytest.approx(averages.mean)
    assert model.predict([["no id"]], 3)[0] == pytest.approx(averages.mean + averages.items[3])


# --- lists -------------------------------------------------------------------------------------


def test_same_seed_same_list(model):
    again = Recommender(5, random_state=0, n_threads=1).fit(planted()[0])
    for user in (0, 17, 299):
        assert again.recommend(user) == model.recommend(user)
    assert np.array_equal(again.item_factors_, model.item_factors_)


def test_lists_are_the_best_of_all(model):
    for exclude in (True, False):
        items = np.arange(120)
        if exclude:
            items = np.setdiff1d(items, model.ratings_.items[model.ratings_.users == 4])
        scores = np.sort(model.predict(4, items))[::-1]
        found = model.recommend(4, 7, exclude_seen=exclude)
        assert all(isinstance(one, Recommendation) for one in found)
        assert [one.score for one in found] == pytest.approx(scores[:7].tolist())
        assert model.predict(4, [one.item for one in found]).tolist() == pytest.approx(
            [one.score for one in found]
        )


def test_seen_items_are_left_out_or_not(model):
    seen = set(model.ratings_.items[model.ratings_.users == 4].tolist())
    rest = [one.item for one in model.recommend(4, 1000)]
    assert len(rest) == 120 - len(seen)
    assert seen.isdisjoint(rest)
    assert len(model.recommend(4, 1000, exclude_seen=False)) == 120


def test_who_has_seen_everything_gets_nothing():
    fitted = Recommender(1, random_state=0).fit(triplets([0, 0, 1], [0, 1, 0], [5, 3, 4]))
    assert fitted.recommend(0) == []
    assert [one.item for one in fitted.recommend(1)] == [1]


def test_ties_keep_the_order_of_the_items():
    users = [0, 0, 0, 0, 0, 0, 1, 1, 1]
    items = [5, 4, 3, 2, 1, 0, 0, 1, 2]
    names = [f"item {i}" for i in range(6)]
    fitted = Recommender(1, random_state=0).fit(
        triplets(users, items, [3.0] * 9, ["Ann", "Bob"], names)
    )
    assert [one.item for one in fitted.recommend("Bob")] == names[3:]
    assert [one.item for one in fitted.recommend("Bob", 2)] == names[3:5]
    assert [one.item for one in fitted.recommend("Ann", exclude_seen=False)] == names


# --- reasons -----------------------------------------------------------------------------------


def test_contributions_add_up_to_the_estimate(model):
    rng = np.random.default_rng(1)
    for user, item in zip(rng.integers(0, 300, 60), rng.integers(0, 120, 60), strict=True):
        why = model.explain(user, item)
        total = sum(part.contribution for part in why.contributions)
        assert total == pytest.approx(why.estimate, abs=1e-6)
        assert sum(part.share for part in why.contributions) == pytest.approx(1, abs=1e-6)
        assert why.estimate == pytest.approx(model.predict(user, item)[0], abs=1e-6)
        parts = [part for part in why.contributions if part.component is not None]
        assert len(parts) == model.n_components_
        assert {part.component for part in parts} == set(range(model.n_components_))
        values = [part.contribution for part in parts]
        assert values == sorted(values, reverse=True)
        assert min(values) >= 0


def test_an_estimate_beyond_the_scale_is_cut_and_says_so(model):
    users, items = np.divmod(np.arange(300 * 120), 120)
    unclipped = model.model_.estimate(users, items)
    at = int(unclipped.argmax())
    assert unclipped[at] > model.scale_.high
    why = model.explain(users[at], items[at])
    assert why.estimate == model.scale_.high
    assert why.contributions[-1].name == "end of the scale"
    assert why.contributions[-1].contribution < 0
    assert sum(part.contribution for part in why.contributions) == pytest.approx(why.estimate)


def test_components_are_named_by_their_items(model):
    names = model.component_items(4)
    assert len(names) == model.n_components_
    assert all(len(set(items)) == 4 for items in names)
    top = model.explain(0, 0).contributions[2]
    assert top.name == ", ".join(map(str, names[top.component][:3]))


def test_neighbors_are_rated_items_with_the_weights_of_the_talk(model):
    why = model.explain(10, 20)
    rated = dict(
        zip(
            model.ratings_.items[model.ratings_.users == 10].tolist(),
            model.ratings_.values[model.ratings_.users == 10].tolist(),
            strict=True,
        )
    )
    assert [near.weight for near in why.neighbors] == pytest.approx([5 / 12, 4 / 12, 3 / 12])
    assert all(rated[near.item] == near.rating for near in why.neighbors)
    assert 20 not in [near.item for near in why.neighbors]
    assert why.neighbor_estimate == pytest.approx(
        sum(near.weight * near.rating for near in why.neighbors)
    )
    similar = [near.similarity for near in why.neighbors]
    assert similar == sorted(similar, reverse=True)
    assert len(model.explain(10, 20, n_neighbors=5).neighbors) == 5


def test_verdicts_follow_their_rule(model):
    seen = set()
    for user in range(40):
        for item in range(0, 120, 7):
            why = model.explain(user, item)
            distance = (why.estimate - why.usual) / why.error
            expected = (
                "recommend"
                if distance > 0.43
                else "don't recommend"
                if distance < -0.43
                else "not sure"
            )
            assert why.verdict == expected
            seen.add(why.verdict)
    assert len(seen) == 3


def test_sentences_and_json(model):
    item = int(model.ratings_.items[model.ratings_.users == 10][0])
    why = model.explain(10, item)
    assert why.rated is not None
    text = " ".join(why.sentences)
    assert f"10 rated it already: {why.rated:g}" in text
    assert why.verdict in text
    assert f"{why.n_ratings} ratings by 10" in text
    assert "nan" not in text
    assert f"about {why.estimate:.1f} (1 to 5)" in text
    assert json.loads(json.dumps(dataclasses.asdict(why)))["estimate"] == why.estimate


@pytest.mark.parametrize(("low", "high", "shown"), [(0, 10, 1), (0, 1e6, 0), (0, 1e-6, 8)])
def test_sentences_suit_the_scale(low, high, shown):
    why = Recommender(3, random_state=0).fit(planted(60, 40, low=low, high=high)[0]).explain(1, 2)
    assert f"about {why.estimate:.{shown}f} (" in why.sentences[0]


def test_the_sum_in_words_adds_up(model):
    for user in range(0, 300, 20):
        why = model.explain(user, 11)
        (said,) = [one for one in why.sentences if one.startswith("The estimate is")]
        numbers = re.findall(r"(−?) ?(\d+\.\d\d) from", said)
        total = sum(-float(number) if sign else float(number) for sign, number in numbers)
        assert total == pytest.approx(why.estimate, abs=0.04)


# --- names -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("users", "items"),
    [
        ([1, 2, 3, 4], [10, 20, 30, 40]),
        ([10**18 + i for i in range(4)], [-5, 0, 7, 2**62]),
        ([10**20 + i for i in range(4)], ["a", "b", "c", "d"]),
        (["Ann", "Bøb", "猫", " x"], ["Heat (1995)", "Alien", "7", "7.0"]),
        ([1, "one", 2.5, "2"], [("a"), 3, "b", "c"]),
    ],
)
def test_ids_come_back_as_they_are(users, items):
    rows = [(u, i, 1.0 + (a * b) % 5) for a, u in enumerate(users) for b, i in enumerate(items)]
    rows.pop()
    frame = pd.DataFrame(rows, columns=["user", "item", "rating"]).astype(
        {"user": object, "item": object}
    )
    fitted = Recommender(2, random_state=0).fit(frame)
    best = fitted.recommend(users[-1])
    assert [one.item for one in best] == [items[-1]]
    assert type(best[0].item) is type(items[-1])
    assert fitted.recommend(str(users[-1])) == best
    why = fitted.explain(users[-1], str(items[-1]))
    assert (why.user, why.item) == (users[-1], items[-1])
    assert fitted.predict(users[-1], items[-1])[0] == best[0].score
    assert fitted.predict(str(users[-1]), str(items[-1]))[0] == best[0].score
    meta, arrays = fitted.to_record()
    loaded = Recommender.from_record(json.loads(json.dumps(meta)), arrays)
    assert loaded.recommend(users[-1]) == best
    assert type(loaded.recommend(users[-1])[0].item) is type(items[-1])


def test_unknown_names_get_near_matches():
    frame = pd.DataFrame(
        {"user": ["Alice", "Bob"], "item": ["Black Mirror", "GoT"], "rating": [5, 3]}
    )
    fitted = Recommender(1, random_state=0).fit(frame)
    with pytest.raises(UnknownNameError, match="did you mean Alice"):
        fitted.recommend("Alicia")
    with pytest.raises(UnknownNameError, match="did you mean Black Mirror"):
        fitted.explain("Bob", "black miror")
    with pytest.raises(UnknownNameError, match="swapped"):
        fitted.explain("GoT", "Bob")


# --- odd ratings -------------------------------------------------------------------------------


def test_one_rating():
    fitted = Recommender(random_state=0).fit(triplets([0], [0], [4.0]))
    assert fitted.predict(0, 0).tolist() == [4.0]
    why = fitted.explain(0, 0)
    assert why.estimate == 4.0
    assert why.verdict == "not sure"
    assert why.neighbors == ()
    assert why.neighbor_estimate is None
    assert sum(part.contribution for part in why.contributions) == pytest.approx(4.0)
    assert "1 rating by 0" in " ".join(why.sentences)


@pytest.mark.parametrize("value", [0.0, 3.0, 1e6])
@pytest.mark.parametrize("n", [3, 40])
def test_constant_ratings(value, n):
    rng = np.random.default_rng(0)
    users, items = np.divmod(rng.choice(64, n, replace=False), 8)
    fitted = Recommender(2, random_state=0).fit(
        triplets(users, items, np.full(n, value), range(8), range(8))
    )
    assert fitted.error_ == 0
    estimates = fitted.predict(np.repeat(np.arange(8), 8), np.tile(np.arange(8), 8))
    np.testing.assert_allclose(estimates, value)
    why = fitted.explain(0, 7)
    assert why.verdict == "not sure"
    assert sum(part.contribution for part in why.contributions) == pytest.approx(value)


def test_a_user_and_an_item_without_ratings():
    train, _ = planted(60, 40)
    more = dataclasses.replace(train, user_ids=np.arange(61), item_ids=np.arange(41))
    fitted = Recommender(3, random_state=0).fit(more)
    assert len(fitted.recommend(60)) == 10
    why = fitted.explain(60, 3)
    assert why.verdict == "not sure"
    assert why.n_ratings == 0
    assert why.neighbors == ()
    assert why.estimate == pytest.approx(fitted.averages_.mean + fitted.averages_.items[3])
    assert fitted.explain(3, 40).verdict == "not sure"
    assert np.isfinite(fitted.predict([60, 60, 3], [40, 3, 40])).all()


def test_a_rating_of_0_is_a_rating():
    """An item that everybody rates 0 is the worst, not an unrated one."""
    rng = np.random.default_rng(0)
    users, items = np.divmod(rng.choice(400, 250, replace=False), 20)
    values = rng.integers(4, 11, 250).astype(float)
    values[items == 5] = 0
    fitted = Recommender(2, random_state=0).fit(triplets(users, items, values))
    assert fitted.scale_.low == 0
    assert fitted.predict(np.arange(20), 5).max() < 3
    assert fitted.recommend(0, 100, exclude_seen=False)[-1].item == 5


def test_more_components_than_users():
    fitted = Recommender(50, random_state=0).fit(triplets([0, 1, 2], [0, 1, 2], [1, 2, 3]))
    assert fitted.n_components_ == 3


def test_frames_and_files_and_a_second_fit(tmp_path):
    path = tmp_path / "r.csv"
    path.write_text("user,item,rating\nAnn,Heat,5\nBob,Heat,2\nBob,Alien,4\nAnn,Up,3\n")
    by_path = Recommender(2, random_state=0).fit(path)
    by_frame = Recommender(2, random_state=0).fit(pd.read_csv(path))
    by_ratings = Recommender(2, random_state=0).fit(read_ratings(path))
    expected = by_path.recommend("Ann")
    assert by_frame.recommend("Ann") == by_ratings.recommend("Ann") == expected
    refit = Recommender(2, random_state=0).fit(planted(30, 20)[0])
    refit.explain(0, 0)
    refit.predict(0, 0)
    refit.recommend(0)
    assert refit.fit(path).recommend("Ann") == expected
    assert refit.explain("Ann", "Heat").user == "Ann"


# --- parameters --------------------------------------------------------------------------------


def test_fixed_regularisation_is_kept():
    fitted = Recommender(3, ridge=0.05, damping=7, random_state=0).fit(planted(60, 40)[0])
    assert fitted.ridge_ == 0.05
    assert fitted.damping_ == 7
    assert fitted.error_ > 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"n_components": 0},
        {"n_components": 2.5},
        {"ridge": -1},
        {"ridge": "strong"},
        {"ridge": np.nan},
        {"damping": np.inf},
        {"damping": "much"},
        {"max_iter": 0},
        {"tol": -1},
        {"random_state": "x"},
        {"n_threads": 0},
    ],
)
def test_parameters_that_cannot_be_used(wrong):
    with pytest.raises(InputError, match=next(iter(wrong))):
        Recommender(**wrong).fit(
            triplets([0, 0, 1, 1, 2, 2], [0, 1, 0, 1, 0, 1], [1, 2, 3, 4, 5, 1])
        )


def test_questions_that_cannot_be_answered(model):
    with pytest.raises(InputError, match="fit"):
        Recommender().predict(0, 0)
    with pytest.raises(InputError, match="n=0"):
        model.recommend(0, 0)
    with pytest.raises(InputError, match="n_neighbors=0"):
        model.explain(0, 0, n_neighbors=0)
    with pytest.raises(InputError, match="at least one"):
        Recommender().fit(Ratings(*(np.zeros(0),) * 3, np.arange(2), np.arange(2)))


def test_repr(model):
    assert "not fitted" in repr(Recommender())
    assert "300 users × 120 items" in repr(model)


# --- records -----------------------------------------------------------------------------------


def test_record_gives_the_same_answers(model):
    meta, arrays = model.to_record()
    loaded = Recommender.from_record(json.loads(json.dumps(meta)), arrays)
    users, items = np.divmod(np.arange(300 * 120), 120)
    assert np.array_equal(loaded.predict(users, items), model.predict(users, items))
    assert loaded.recommend(7) == model.recommend(7)
    assert loaded.explain(7, 8) == model.explain(7, 8)
    assert (loaded.ridge_, loaded.damping_, loaded.error_) == (
        model.ridge_,
        model.damping_,
        model.error_,
    )
    assert loaded.n_components == 5
    assert loaded.random_state == 0
    assert loaded.fit(model.ratings_).recommend(7) == model.recommend(7)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda meta, arrays: meta.pop("mean"),
        lambda meta, arrays: meta.update(mean="high"),
        lambda meta, arrays: meta["choice"].update(damping=-1.0),
        lambda meta, arrays: meta["choice"].update(error=-1.0),
        lambda meta, arrays: meta.update(user_ids=[1]),
        lambda meta, arrays: meta.update(user_ids="abc"),
        lambda meta, arrays: meta["parameters"].update(colour="red"),
        lambda meta, arrays: meta["scale"].update(low=9.0),
        lambda meta, arrays: arrays.pop("values"),
        lambda meta, arrays: arrays.update(items=arrays["items"] + 1000),
        lambda meta, arrays: arrays.update(users=arrays["users"][:-1]),
        lambda meta, arrays: arrays.update(item_factors=arrays["item_factors"][:, :-1]),
        lambda meta, arrays: arrays.update(item_factors=arrays["user_offsets"]),
        lambda meta, arrays: arrays.update(user_factors=-arrays["user_factors"]),
        lambda meta, arrays: arrays.update(user_offsets=arrays["user_offsets"] * np.nan),
    ],
)
def test_records_that_contradict_themselves(model, spoil):
    meta, arrays = model.to_record()
    meta = json.loads(json.dumps(meta))
    arrays = dict(arrays)
    spoil(meta, arrays)
    with pytest.raises((KeyError, TypeError, ValueError)):
        Recommender.from_record(meta, arrays)


def test_ids_that_no_file_can_hold():
    frame = pd.DataFrame({"user": [(1, 2), (3, 4)], "item": ["a", "b"], "rating": [1, 2]})
    fitted = Recommender(1, random_state=0).fit(frame)
    with pytest.raises(InputError, match="is a tuple"):
        fitted.to_record()


# --- real ratings ------------------------------------------------------------------------------


@pytest.mark.shared_data
def test_movielens_100k_is_predicted_better_than_by_averages(shared_data):
    ratings = read_ratings(shared_data / "ml-100k" / "u.data.gz")
    order = np.random.default_rng(0).permutation(len(ratings))
    train, test = np.split(order, [80_000])
    kept = dataclasses.replace(
        ratings,
        users=ratings.users[train],
        items=ratings.items[train],
        values=ratings.values[train],
        timestamps=None,
    )
    fitted = Recommender(random_state=0).fit(kept)
    users, items = ratings.user_ids[ratings.users[test]], ratings.item_ids[ratings.items[test]]
    error = rmse(fitted.predict(users, items), ratings.values[test])
    # Measured .888; averages .9415.
    assert error < 0.895
    assert fitted.error_ == pytest.approx(error, abs=0.025)
    usual = np.array([fitted.explain(user, items[0]).usual for user in users[:300]])
    above = ratings.values[test][:300] > usual
    distance = (fitted.predict(users[:300], items[:300]) - usual) / fitted.error_
    assert above[distance > 0.43].mean() > 2 / 3
    assert (~above[distance < -0.43]).mean() > 2 / 3


def test_scale():
    scale = Scale.of(np.array([1.0, 3.0, 5.0]))
    assert (scale.low, scale.high, scale.span) == (1, 5, 4)
    assert Scale.of(np.array([2.0])).span == 1


# --- scales and sizes at the edge --------------------------------------------------------------


@pytest.mark.parametrize(
    ("factor", "what_to_do"), [(1e100, "divide"), (-1e100, "divide"), (1e-170, "multiply")]
)
def test_ratings_beyond_float32_are_refused(factor, what_to_do):
    ratings = planted()[0]
    scaled = dataclasses.replace(ratings, values=ratings.values * factor)
    with pytest.raises(InputError, match=f"the scale of the ratings is .* · {what_to_do}"):
        Recommender(2, random_state=0).fit(scaled)


@pytest.mark.parametrize("factor", [1e29, 1e-29])
def test_ratings_within_float32_are_learned(factor):
    ratings = planted()[0]
    scaled = dataclasses.replace(ratings, values=ratings.values * factor)
    fitted = Recommender(2, random_state=0).fit(scaled)
    assert np.isfinite(fitted.user_factors_).all()
    assert fitted.error_ < ratings.values.std() * factor
    assert fitted.predict(0, 0)[0] > 0


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([4.0], "unknown: too few ratings to hold any out"),
        ([4.0, 2.0, 5.0], "unknown: too few ratings to hold any out"),
        ([4.0] * 8, "unknown: all ratings are the same"),
        ([4.0, 2.0, 5.0, 1.0, 3.0], "on ratings held out"),
    ],
)
def test_an_error_without_ratings_held_out_is_not_called_one(values, words):
    n = len(values)
    fitted = Recommender(2, random_state=0).fit(triplets(range(n), [0] * n, values))
    facts = recommender_facts(fitted) | {"source": "r.csv"}
    why = fitted.explain(0, 0)
    known = words.startswith("on")
    assert facts["held_out_error"] == (fitted.error_ if known else None)
    about = facts | explanation_facts(why, model=fitted)
    assert about["held_out_error"] == facts["held_out_error"]
    console = Console(file=io.StringIO(), width=80)
    for part in draw_taste.explanation(about):
        console.print(part)
    text = " ".join(console.file.getvalue().split())
    assert words in text
    assert ("A usual error is unknown." in text) == (not known)
