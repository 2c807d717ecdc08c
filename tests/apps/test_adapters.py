"""Surprise's and LensKit's own protocols drive the recommender, and find what ours find.

Both libraries are large: where they are missing these tests skip. `.ci/run` installs them, and
sets NONNEG_REQUIRE, so that there a skip is a failure.
"""

from __future__ import annotations

import doctest
import gzip
import importlib
import pickle
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from nonneg.apps.evaluate import evaluate
from nonneg.apps.recommend import Recommender
from nonneg.errors import InputError, MissingLibraryError
from nonneg.io.ratings import Ratings, read_ratings

from .test_recommend import planted

SETTINGS: dict[str, Any] = {"n_components": 3, "n_models": 2, "random_state": 0}


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    """Ratings in whole numbers by 60 users of 40 items, so many that no fold lacks anybody."""
    ratings, _ = planted(60, 40)
    frame = pd.DataFrame({"user": ratings.users, "item": ratings.items, "rating": ratings.values})
    return frame.sample(frac=1, random_state=3).reset_index(drop=True)


def names_that_are_rated(train: Ratings) -> Ratings:
    """As a training set of Surprise: whoever has no rating in it is not there."""
    users, items = train.user_ids[train.users], train.item_ids[train.items]
    return read_ratings(pd.DataFrame({"user": users, "item": items, "rating": train.values}))


def ours(ratings: Ratings) -> dict[str, Any]:
    found = evaluate(
        ratings, lambda train: Recommender(**SETTINGS).fit(names_that_are_rated(train))
    )
    return found["methods"][0]["measures"]


@pytest.mark.parametrize("library", ["surprise", "lenskit"])
def test_without_the_library(monkeypatch, library):
    name = f"nonneg.apps.adapters.{library}"
    for module in [one for one in sys.modules if one.partition(".")[0] == library]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(MissingLibraryError, match=f"{library}.* is not installed · pip install"):
        importlib.import_module(name)


# --- Surprise ----------------------------------------------------------------------------------


@pytest.fixture
def surprise() -> Any:
    return pytest.importorskip("surprise")


def five_folds(surprise: Any, data: Any) -> dict[str, Any]:
    from surprise.model_selection import KFold, cross_validate

    from nonneg.apps.adapters.surprise import SurpriseRecommender

    model = SurpriseRecommender(**SETTINGS)
    return cross_validate(model, data, ["rmse", "mae"], cv=KFold(5, random_state=0))


def test_cross_validate_finds_what_our_protocol_finds(surprise, frame):
    data = surprise.Dataset.load_from_df(frame, surprise.Reader(rating_scale=(0, 9)))
    found = five_folds(surprise, data)
    ratings = read_ratings(frame)
    expected = evaluate(ratings, lambda train: Recommender(**SETTINGS).fit(train))
    measures = expected["methods"][0]["measures"]
    np.testing.assert_allclose(found["test_rmse"], measures["RMSE"]["folds"], rtol=1e-12)
    np.testing.assert_allclose(found["test_mae"], measures["MAE"]["folds"], rtol=1e-12)


@pytest.mark.shared_data
def test_cross_validate_of_movielens(surprise, shared_data: Path, tmp_path: Path):
    path = tmp_path / "u.data"
    path.write_bytes(gzip.decompress((shared_data / "ml-100k" / "u.data.gz").read_bytes()))
    reader = surprise.Reader(line_format="user item rating timestamp", sep="\t")
    found = five_folds(surprise, surprise.Dataset.load_from_file(str(path), reader))
    measures = ours(read_ratings(path))
    np.testing.assert_allclose(found["test_rmse"], measures["RMSE"]["folds"], rtol=1e-12)
    np.testing.assert_allclose(found["test_mae"], measures["MAE"]["folds"], rtol=1e-12)
    assert found["test_rmse"].mean() < 0.91


def test_one_prediction_is_as_many(surprise, frame):
    from nonneg.apps.adapters.surprise import SurpriseRecommender

    data = surprise.Dataset.load_from_df(frame, surprise.Reader(rating_scale=(0, 9)))
    model = SurpriseRecommender(**SETTINGS).fit(data.build_full_trainset())
    plain = Recommender(**SETTINGS).fit(frame)
    asked = [(3, 4, 2.0), (3, 999, 1.0), (888, 4, 5.0), (888, 999, 5.0)]
    many = model.test(asked)
    for (user, item, rating), one in zip(asked, many, strict=True):
        assert one.est == pytest.approx(plain.predict(user, item)[0], abs=1e-12)
        assert model.predict(user, item, rating).est == one.est
        assert (one.uid, one.iid, one.r_ui) == (user, item, rating)
        assert not one.details["was_impossible"]
    narrow = surprise.Dataset.load_from_df(frame, surprise.Reader(rating_scale=(2, 2.5)))
    cut = SurpriseRecommender(**SETTINGS).fit(narrow.build_full_trainset()).test(asked)
    assert all(2 <= one.est <= 2.5 for one in cut)


def test_grid_search(surprise, frame):
    from surprise.model_selection import GridSearchCV, KFold

    from nonneg.apps.adapters.surprise import SurpriseRecommender

    data = surprise.Dataset.load_from_df(frame, surprise.Reader(rating_scale=(0, 9)))
    grid = {"n_components": [1, 3], "n_models": [1], "random_state": [0]}
    search = GridSearchCV(SurpriseRecommender, grid, ["rmse"], cv=KFold(2, random_state=0))
    search.fit(data)
    assert search.best_params["rmse"]["n_components"] in (1, 3)
    with pytest.raises(TypeError, match="n_factors"):
        SurpriseRecommender(n_factors=3)
    with pytest.raises(InputError, match="n_components=0"):
        SurpriseRecommender(0).fit(data.build_full_trainset())


# --- LensKit -----------------------------------------------------------------------------------


@pytest.fixture
def lenskit() -> Any:
    return pytest.importorskip("lenskit")


@pytest.fixture
def dataset(lenskit, frame) -> Any:
    from lenskit.data import from_interactions_df

    return from_interactions_df(frame, user_col="user", item_col="item", rating_col="rating")


def test_a_list_is_that_of_recommend(dataset, frame):
    from lenskit.pipeline import topn_pipeline

    from nonneg.apps.adapters.lenskit import LensKitRecommender

    pipeline = topn_pipeline(LensKitRecommender(**SETTINGS), n=5)
    pipeline.train(dataset)
    plain = Recommender(**SETTINGS).fit(frame)
    for user in (0, 7, 33):
        found = pipeline.run("recommender", query=user)
        assert found.ids().tolist() == [one.item for one in plain.recommend(user, 5)]


def test_estimates_are_those_of_predict(dataset, frame):
    from lenskit.data import ItemList
    from lenskit.pipeline import predict_pipeline

    from nonneg.apps.adapters.lenskit import LensKitRecommender

    pipeline = predict_pipeline(LensKitRecommender(**SETTINGS, clip=True), fallback=False)
    pipeline.train(dataset)
    plain = Recommender(**SETTINGS).fit(frame)
    items = [5, 0, 999, 39]
    for user in (0, 7, 888):
        found = pipeline.run("rating-predictor", query=user, items=ItemList(items))
        scores = found.scores()
        np.testing.assert_allclose(scores, plain.predict(user, items), rtol=1e-6)  # float32


def test_who_brings_ratings_is_folded_in(dataset, frame):
    from lenskit.data import ItemList, RecQuery
    from lenskit.pipeline import predict_pipeline

    from nonneg.apps.adapters.lenskit import LensKitRecommender

    scorer = LensKitRecommender(**SETTINGS, clip=True)
    predict_pipeline(scorer).train(dataset)
    plain = Recommender(**SETTINGS).fit(frame)
    rated = {3: 4.0, 8: 1.0, 21: 3.0}
    person = plain.fold_in(rated)
    items = np.array([5, 0, 39])
    codes = plain.ratings_.item_codes(items)
    expected = plain.scale_.clip(plain.model_.scores(person, codes))
    # An item nobody knows tells nothing, and a rating beyond the scale is the highest on it.
    brought = ItemList([3, 999, 8, 21], rating=[4.0, 5.0, 1.0, 3.0])
    for query in (brought, RecQuery(888, brought), RecQuery(7, brought)):
        found = scorer(query, ItemList([5, 0, 39, 999])).scores()
        np.testing.assert_allclose(found[:3], expected, rtol=1e-6)
        assert np.isfinite(found[3])
    top = plain.scale_.high
    high = scorer(ItemList([3], rating=[top + 4]), ItemList(items)).scores()
    assert high.tolist() == scorer(ItemList([3], rating=[top]), ItemList(items)).scores().tolist()
    unrated = scorer(RecQuery(888, ItemList([3, 8])), ItemList(items)).scores()
    np.testing.assert_allclose(unrated, plain.predict(888, items), rtol=1e-6)


def test_training_options_pickling_and_data_without_ratings(dataset, frame):
    from lenskit.data import ItemList, from_interactions_df
    from lenskit.training import TrainingOptions

    from nonneg.apps.adapters.lenskit import LensKitRecommender

    scorer = LensKitRecommender(n_components=2, n_models=1)
    scorer.train(dataset, TrainingOptions(rng=5))
    first = scorer.recommender_
    scorer.train(dataset, TrainingOptions(retrain=False))
    assert scorer.recommender_ is first
    copy = pickle.loads(pickle.dumps(scorer))
    items = ItemList([1, 2, 3])
    assert copy(4, items).scores().tolist() == scorer(4, items).scores().tolist()
    scorer.train(dataset, TrainingOptions(rng=5))
    assert np.array_equal(scorer.recommender_.predict(4, [1, 2]), first.predict(4, [1, 2]))
    bare = from_interactions_df(frame[["user", "item"]], user_col="user", item_col="item")
    with pytest.raises(InputError, match="no ratings"):
        scorer.train(bare)


@pytest.mark.parametrize("library", ["surprise", "lenskit"])
def test_the_examples(library):
    pytest.importorskip(library)
    module = importlib.import_module(f"nonneg.apps.adapters.{library}")
    failed, tried = doctest.testmod(module, optionflags=doctest.NORMALIZE_WHITESPACE)
    assert tried
    assert not failed
