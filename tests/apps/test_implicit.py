"""Implicit feedback: counts of use as confidence, lists that add up, the same verbs."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.optimize import nnls

from nonneg.apps.confidence import solve_rows, with_background
from nonneg.apps.evaluate import evaluate, topn_split
from nonneg.apps.explanation import UseExplanation
from nonneg.apps.recommend import Recommender
from nonneg.errors import InputError
from nonneg.io.ratings import Ratings, read_ratings
from nonneg.models import load, save


def uses(n_users=150, n_items=70, k=4, seed=0) -> Ratings:
    """Counts of people who mostly use the items of one kind."""
    rng = np.random.default_rng(seed)
    likes = rng.integers(k, size=n_users)[:, None] == rng.integers(k, size=n_items)
    popular = rng.uniform(0.3, 1.7, n_items)
    users, items = np.nonzero(rng.random(likes.shape) < popular * np.where(likes, 0.35, 0.04))
    return Ratings(
        users.astype(np.int32),
        items.astype(np.int32),
        rng.geometric(0.05, users.size).astype(np.float64),
        np.array([f"u{user}" for user in range(n_users)], dtype=object),
        np.array([f"i{item}" for item in range(n_items)], dtype=object),
    )


def fitted(ratings: Ratings, **asked) -> Recommender:
    asked = {"n_models": 3, "random_state": 0, **asked}
    return Recommender(5, feedback="implicit", **asked).fit(ratings)


def own(model: Recommender, user: str) -> dict:
    person = model.model_.person(model.ratings_.user_code(user))
    names = model.ratings_.item_ids[person.items]
    return dict(zip(names.tolist(), person.values.tolist(), strict=True))


@pytest.fixture(scope="module")
def model() -> Recommender:
    return fitted(uses())


# --- the factors --------------------------------------------------------------------------------


@pytest.mark.parametrize("k", [1, 4])
def test_a_row_is_the_optimum_of_all_cells_weighted(k):
    rng = np.random.default_rng(k)
    F = rng.random((40, k)).astype(np.float32)
    extra = sp.random_array((6, 40), density=0.2, rng=rng, format="csr") * 20
    extra.sort_indices()
    found = solve_rows(extra, [with_background(F)], 2.0)
    for row in range(6):
        e = extra[[row]].toarray()[0]
        root = np.sqrt(1 + e)
        table = np.vstack([F * root[:, None], np.sqrt(2.0) * np.eye(k)])
        wanted, _ = nnls(table, np.append(root * (e > 0), np.zeros(k)))
        np.testing.assert_allclose(found[row], wanted, atol=1e-5)


def test_fold_in_of_the_own_counts_is_the_user(model):
    for user in ("u0", "u7", "u149"):
        known = model.model_.person(model.ratings_.user_code(user))
        new = model.fold_in(own(model, user))
        np.testing.assert_allclose(new.factors, known.factors, atol=1e-6)
        np.testing.assert_array_equal(new.leaning, known.leaning)
        assert model.recommend(user, 5) == model.recommend_for(own(model, user), 5)


def test_fold_in_is_hu_koren_volinsky_densely(model):
    inner = model.model_
    counts = own(model, "u3")
    values = np.zeros(model.ratings_.n_items)
    values[[model.ratings_.item_code(item) for item in counts]] = list(counts.values())
    c = 1 + model.confidence * np.log1p(values) / inner.unit
    k = inner.item_factors.shape[1] // inner.n_models
    parts = []
    for at in range(0, inner.item_factors.shape[1], k):
        F = inner.item_factors[:, at : at + k].astype(np.float64)
        table = np.vstack([F * np.sqrt(c)[:, None], np.sqrt(model.ridge_) * np.eye(k)])
        target = np.append(np.sqrt(c) * (values > 0), np.zeros(k))
        parts.append(nnls(table, target)[0] / inner.n_models)
    np.testing.assert_allclose(model.fold_in(counts).factors, np.concatenate(parts), atol=1e-5)


def test_factors_are_not_negative(model):
    assert model.user_factors_.min() >= 0
    assert model.item_factors_.min() >= 0
    assert model.n_components_ == 5


@pytest.mark.parametrize(("feedback", "k"), [("explicit", 20), ("implicit", 50)])
def test_counts_get_more_components_than_ratings(tmp_path, feedback, k):
    asked = Recommender(feedback=feedback, n_models=1, echoes=False, random_state=0)
    model = asked.fit(uses())
    assert model.n_components_ == k
    loaded = load(save(model, tmp_path / "auto.nonneg"))
    assert loaded.n_components == "auto"
    assert loaded.n_components_ == k


# --- the echoes ---------------------------------------------------------------------------------


def test_echoes_in_all_directions_are_ease():
    ratings = uses(n_users=90, n_items=50)
    model = fitted(ratings, n_models=1)
    inner = model.model_
    x = np.log1p(model.ratings_.matrix().toarray()) / inner.unit
    ridge = inner.choice.damping * np.mean(x[x > 0] ** 2)
    P = np.linalg.inv(x.T @ x + ridge * np.eye(50))
    B = np.eye(50) - P / np.diag(P)
    for user in (0, 11):
        person = inner.person(user)
        everything = np.arange(50)
        tastes = inner.item_factors @ person.factors * inner.choice.factors
        echoes = (inner.scores(person, everything) - tastes) / inner.choice.echoes
        # One direction is left out, the weakest.
        np.testing.assert_allclose(echoes, x[user] @ B, atol=0.02)


# --- answers ------------------------------------------------------------------------------------


def test_parts_add_up_to_the_score(model):
    for item in ("i0", next(iter(own(model, "u2")))):
        why = model.explain("u2", item)
        assert isinstance(why, UseExplanation)
        total = sum(part.contribution for part in why.contributions)
        assert total == pytest.approx(why.estimate, abs=1e-6)
        assert why.estimate == pytest.approx(model.predict("u2", item)[0], abs=1e-6)
        assert item not in [part.item for part in why.contributions]
        tastes = [part for part in why.contributions if part.component is not None]
        assert len(tastes) == 5
        assert min(part.contribution for part in tastes) >= 0


def test_the_verdict_goes_by_the_place(model):
    ranked = [found.item for found in model.recommend("u2", 100)]
    first, last = model.explain("u2", ranked[0]), model.explain("u2", ranked[-1])
    assert (first.rank, last.rank) == (1, len(ranked))
    assert first.n_ranked == last.n_ranked == len(ranked)
    assert (first.verdict, last.verdict) == ("recommend", "don't recommend")
    assert first.interval[0] <= first.usual == first.interval[1] <= first.estimate
    text = " ".join(first.sentences)
    assert f"number 1 of {len(ranked)}" in text
    assert "rate" not in text
    assert f"{len(own(model, 'u2'))} items that u2 used" in text


def test_what_was_used_is_told(model):
    item, count = next(iter(own(model, "u2").items()))
    why = model.explain("u2", item)
    assert why.rated == count
    assert f"used it already: {count:g} times" in " ".join(why.sentences)


def test_what_people_like_comes_first(model):
    measured = evaluate(uses(), lambda train: fitted(train), "topn")
    ours, _, popular = (method["measures"]["NDCG@10"]["value"] for method in measured["methods"])
    assert ours > 1.3 * popular
    assert model.error_ < 0.4


def test_other_verbs_answer(model):
    assert len(model.similar_items("i0", 3)) == 3
    assert len(model.similar_users("u0", 3)) == 3
    assert model.explain_for({"i1": 3, "i2": 8}, "i5").user == "you"
    np.testing.assert_array_equal(
        model.predict("u1", ["i1", "i2"]), [model.predict("u1", item)[0] for item in ("i1", "i2")]
    )


def test_who_used_nothing_gets_what_is_popular(model):
    counts = model.model_.item_counts
    listed = [found.item for found in model.recommend_for({}, 3)]
    assert listed == model.ratings_.item_ids[np.argsort(-counts, kind="stable")[:3]].tolist()
    assert model.predict("nobody", listed[0])[0] == pytest.approx(counts.max() / 150)
    assert model.explain_for({}, listed[0]).verdict == "not sure"


def test_a_seed_repeats_whatever_the_order_of_the_lines(model):
    ratings = uses()
    order = np.random.default_rng(5).permutation(len(ratings))
    other = fitted(ratings.part(order), n_threads=1)
    np.testing.assert_array_equal(other.item_factors_, model.item_factors_)
    assert other.recommend("u9", 20) == model.recommend("u9", 20)


def test_a_count_of_zero_is_no_use(model):
    ratings = uses()
    more = Ratings(
        np.append(ratings.users, 0).astype(np.int32),
        np.append(ratings.items, 69).astype(np.int32),
        np.append(ratings.values, 0.0),
        ratings.user_ids,
        ratings.item_ids,
    )
    assert not model.ratings_.matrix()[0, 69]
    assert fitted(more).recommend("u0", 9) == model.recommend("u0", 9)
    counts = own(model, "u0")
    assert model.recommend_for({**counts, "i69": 0.0}, 9) == model.recommend_for(counts, 9)


def test_updates_take_in_people_and_items():
    model = fitted(uses())
    before = model.recommend("u1", 5)
    new = {"user": ["new", "new", "u2", "u3"], "item": ["i3", "i4", "fresh", "fresh"]}
    import pandas as pd

    model.update(pd.DataFrame({**new, "rating": [5, 9, 30, 0]}))
    assert model.recommend("u1", 5) == before
    found = model.recommend("new", 3)
    assert found == model.recommend_for({"i3": 5, "i4": 9}, 3)
    assert model.item_factors_[model.ratings_.item_code("fresh")].max() > 0
    with pytest.raises(InputError, match="negative"):
        model.update(pd.DataFrame({"user": ["u1"], "item": ["i1"], "rating": [-1]}))


def test_saved_and_loaded_it_answers_the_same(model, tmp_path):
    path = save(model, tmp_path / "uses.nonneg")
    again = load(path)
    assert again.feedback == "implicit"
    assert again.recommend("u4", 9) == model.recommend("u4", 9)
    assert again.explain("u4", "i9") == model.explain("u4", "i9")


def test_many_sizes_and_odd_data():
    for m, n, k in ((1, 3, 1), (3, 1, 2), (2, 2, 5), (30, 6, 2)):
        users, items = np.nonzero(np.random.default_rng(m).random((m, n)) < 0.8)
        names = np.arange(m), np.arange(n)
        codes = users.astype(np.int32), items.astype(np.int32)
        ratings = Ratings(*codes, np.ones(users.size), *names)
        found = Recommender(k, feedback="implicit", n_models=2, random_state=0).fit(ratings)
        scores = found.predict(np.repeat(names[0], n), np.tile(names[1], m))
        assert np.isfinite(scores).all()
        assert 0 <= scores.min() <= scores.max() <= 1
        assert found.explain(int(users[0]), int(items[0])).sentences


# --- bad input ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"feedback": "counts"}, "explicit"),
        ({"confidence": 0}, "confidence above 0"),
        ({"confidence": -1}, "finite number from 0"),
        ({"method": "neighbors"}, "nonnegative factors"),
        ({"nonneg": False}, "nonnegative factors"),
    ],
)
def test_bad_parameters_are_named(asked, message):
    with pytest.raises(InputError, match=message):
        Recommender(**{"feedback": "implicit", **asked}).fit(uses())


def test_counts_are_not_negative_nor_all_zero():
    ratings = uses(20, 10)
    signed = Ratings(
        ratings.users, ratings.items, -ratings.values, ratings.user_ids, ratings.item_ids
    )
    with pytest.raises(InputError, match="how often something was used"):
        fitted(signed)
    nothing = Ratings(
        ratings.users, ratings.items, 0 * ratings.values, ratings.user_ids, ratings.item_ids
    )
    with pytest.raises(InputError, match="every count is 0"):
        fitted(nothing)
    with pytest.raises(InputError, match="finite number from 0"):
        fitted(ratings).recommend_for({"i1": -3})


def test_other_protocols_are_refused():
    with pytest.raises(InputError, match="topn"):
        evaluate(uses(), lambda train: fitted(train), "leave-last")


# --- the command line ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def counts_file(tmp_path_factory):
    # So few that the share of the echoes is not chosen, and is not 0.
    ratings = uses(90, 50)
    path = tmp_path_factory.mktemp("uses") / "plays.csv"
    lines = [
        f"{ratings.user_ids[user]},{ratings.item_ids[item]},{value:g}"
        for user, item, value in zip(ratings.users, ratings.items, ratings.values, strict=True)
    ]
    path.write_text("\n".join(["user,item,plays", *lines]) + "\n")
    return path


@pytest.fixture
def nonneg_command():
    from typer.testing import CliRunner

    from nonneg.cli.app import app

    def run(*words) -> str:
        asked = [str(word) for word in words]
        done = CliRunner().invoke(app, asked, catch_exceptions=False, env={"COLUMNS": "80"})
        assert done.exit_code == 0, done.output
        return done.stdout

    return run


def test_the_command_recommends_and_explains(nonneg_command, counts_file):
    base = ("recommend", counts_file, "--implicit", "--columns", "1,2,3", "-k", 4, "--models", 2)
    listed = nonneg_command(*base, "-u", "u2", "-n", 3)
    reasons = nonneg_command(*base, "-u", "u2", "-i", listed.split("  1  ")[1].split()[0])
    assert "preference" in listed
    assert "use of i" in reasons
    for line in (listed + reasons).splitlines():
        assert len(line) <= 80
    assert "rating" not in listed + reasons
    facts = json.loads(nonneg_command(*base, "-u", "u2", "-i", "i5", "--json"))
    assert facts["feedback"] == "implicit"
    assert facts["place"] >= 1
    total = sum(part["contribution"] for part in facts["parts"])
    assert total == pytest.approx(facts["estimate"], abs=1e-6)


def test_the_command_evaluates_lists(nonneg_command, counts_file):
    base = ("evaluate", counts_file, "--columns", "1,2,3", "-k", 4, "--models", 2, "--implicit")
    text = nonneg_command(*base, "--protocol", "topn")
    assert "popularity" in text
    assert max(map(len, text.splitlines())) <= 80
    facts = json.loads(nonneg_command(*base, "--protocol", "topn", "--json"))
    assert {"NDCG@10", "Recall@20", "coverage"} <= set(facts["methods"][0]["measures"])


# --- a real data set ----------------------------------------------------------------------------


@pytest.mark.shared_data
def test_listening_counts_are_ranked_as_well_as_by_ease(shared_data):
    counts = read_ratings(shared_data / "lastfm-hetrec" / "user_artists.dat.gz")
    # Some of the people and what they use, so that the test takes seconds.
    some = counts.part(counts.users < 400)
    known, items = np.unique(some.items, return_inverse=True)
    counts = replace(
        some,
        items=items.astype(np.int32),
        user_ids=some.user_ids[:400],
        item_ids=some.item_ids[known],
    )
    measured = evaluate(
        counts,
        Recommender(20, feedback="implicit", n_models=4, random_state=0).fit,
        "topn",
    )
    ours, _, popular = (method["measures"]["NDCG@10"]["value"] for method in measured["methods"])
    train, test = topn_split(counts, 0)
    X = (train.matrix() > 0).astype(np.float32).toarray()
    sizes, directions = np.linalg.eigh(X @ X.T)
    Z = (X.T @ directions) / np.sqrt(np.maximum(sizes, 0) + 100.0)
    scores = (X @ Z) @ Z.T / (1 - np.einsum("ij,ij->i", Z, Z))
    scores[X > 0] = -np.inf
    gains = []
    discounts = 1 / np.log2(np.arange(2, 12))
    for user in np.unique(test.users):
        wanted = test.items[test.users == user]
        hits = np.isin(np.argsort(-scores[user])[:10], wanted)
        gains.append(discounts[hits].sum() / discounts[: wanted.size].sum())
    assert ours > 1.5 * popular
    assert ours >= 0.97 * np.mean(gains)
