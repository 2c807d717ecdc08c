"""Saved models come back as they were, and what was not written by `save` is refused."""

from __future__ import annotations

import math
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import nonneg
from nonneg.errors import InputError, ModelFileError, OutputExistsError
from nonneg.io.model_file import ModelRecord, read_record, write_record
from nonneg.models import is_model_file

GOLDEN = Path(__file__).parent / "data" / "formats" / "v1"
X = np.array([[1.0, 2.0, 0.5], [2.0, 4.0, 0.0], [0.0, 0.5, 3.0], [1.0, 1.0, 3.0]])


def assert_same_factorization(a: nonneg.Factorization, b: nonneg.Factorization) -> None:
    for field in fields(a):
        one, two = getattr(a, field.name), getattr(b, field.name)
        if isinstance(one, np.ndarray):
            assert one.dtype == two.dtype
            assert one.tobytes() == two.tobytes(), field.name
        else:
            assert one == two, field.name


names = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)


@settings(deadline=None, max_examples=25)
@given(st.data())
def test_factorization_comes_back(tmp_path_factory: Any, data: st.DataObject) -> None:
    m, n, k = (data.draw(st.integers(1, 4), label=side) for side in "mnk")
    dtype = data.draw(st.sampled_from([np.float32, np.float64]))
    rng = np.random.default_rng(data.draw(st.integers(0, 9)))
    numbers = st.floats(0, 1e300)
    fit = nonneg.Factorization(
        W=rng.random((m, k)).astype(dtype),
        H=rng.random((k, n)).astype(dtype),
        status=data.draw(st.sampled_from(list(nonneg.Status))),
        n_iter=data.draw(st.integers(0, 1000)),
        history=tuple(
            nonneg.Step(i + 1, *row)
            for i, row in enumerate(data.draw(st.lists(st.tuples(*[numbers] * 4), max_size=3)))
        ),
        objective=data.draw(numbers),
        error=data.draw(numbers),
        relative_error=data.draw(numbers),
        loss=data.draw(st.sampled_from(["frobenius", "l21", 1.5, 3.0])),
        delta=data.draw(st.one_of(st.none(), numbers)),
        solver="mu",
        init="random",
        n_observed=m * n,
        seed=data.draw(st.one_of(st.none(), st.integers(0, 2**64))),
        row_names=data.draw(st.one_of(st.none(), st.tuples(*[names] * m))),
        column_names=data.draw(st.one_of(st.none(), st.tuples(*[names] * n))),
    )
    path = tmp_path_factory.mktemp("models") / "fit.nonneg"
    assert nonneg.save(fit, path) == path
    again = nonneg.load(path)
    assert isinstance(again, nonneg.Factorization)
    assert_same_factorization(fit, again)


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"loss": "kullback-leibler", "alpha_W": 0.01, "l1_ratio": 0.5},
        {"loss": 1.5, "max_iter": 1000},
        {"loss": nonneg.HuberLoss(0.5)},
        {"loss": nonneg.HuberLoss()},
        {"missing_values": 0, "alpha_H": 0.1, "n_threads": 1, "tol": 0.01},
        {"max_seconds": 100, "tol": np.float32(1e-3), "n_init": np.int64(2)},
    ],
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_nmf_comes_back_fitted(tmp_path: Path, params: dict[str, Any], dtype: type) -> None:
    model = nonneg.NMF(2, random_state=3, callback=lambda step: None, **params)
    model.fit(X.astype(dtype))
    again = nonneg.load(nonneg.save(model, tmp_path / "model.nonneg"))
    assert isinstance(again, nonneg.NMF)
    assert_same_factorization(model.factorization_, again.factorization_)
    for name in ("n_components_", "n_iter_", "reconstruction_err_", "status_", "history_"):
        assert getattr(again, name) == getattr(model, name)
    assert again.callback is None
    before, after = model.get_params(), again.get_params()
    for name in set(before) - {"callback", "missing_values"}:
        assert after[name] == before[name], name
    assert math.isnan(before["missing_values"]) == math.isnan(after["missing_values"])
    new = X[::-1].astype(dtype) * 2
    np.testing.assert_array_equal(again.transform(new), model.transform(new))
    np.testing.assert_array_equal(again.get_feature_names_out(), model.get_feature_names_out())


def test_names_of_a_frame_come_back(tmp_path: Path) -> None:
    frame = pd.DataFrame(X, columns=["a", "b", "c"], index=["w", "x", "y", "z"])
    model = nonneg.NMF(2, random_state=0).fit(frame)
    again = nonneg.load(nonneg.save(model, tmp_path / "model.nonneg"))
    assert isinstance(again, nonneg.NMF)
    assert again.feature_names_in_.tolist() == ["a", "b", "c"]
    assert again.factorization_.column_names == ("a", "b", "c")
    assert again.factorization_.row_names == model.factorization_.row_names
    np.testing.assert_array_equal(again.transform(frame), model.transform(frame))


def test_a_generator_becomes_the_seed_or_none(tmp_path: Path) -> None:
    model = nonneg.NMF(2, random_state=np.random.RandomState(0)).fit(X)
    again = nonneg.load(nonneg.save(model, tmp_path / "model.nonneg"))
    assert isinstance(again, nonneg.NMF)
    assert again.random_state == model.factorization_.seed


def test_what_cannot_be_saved(tmp_path: Path) -> None:
    path = tmp_path / "model.nonneg"
    with pytest.raises(InputError, match="not fitted"):
        nonneg.save(nonneg.NMF(2), path)
    with pytest.raises(InputError, match="cannot save a dict"):
        nonneg.save({}, path)  # type: ignore[arg-type]
    fitted = nonneg.NMF(2, random_state=0).fit(X)
    fitted.loss = object()
    with pytest.raises(InputError, match="loss="):
        nonneg.save(fitted, path)
    assert not path.exists()


def test_an_existing_file_is_kept(tmp_path: Path) -> None:
    fit = nonneg.factorize(X, 1, random_state=0)
    path = tmp_path / "model.nonneg"
    path.write_text("mine")
    with pytest.raises(OutputExistsError):
        nonneg.save(fit, path)
    assert path.read_text() == "mine"
    nonneg.save(fit, path, force=True)
    assert_same_factorization(fit, nonneg.load(path))


# --- damaged or foreign content, in a container that is in order --------------------------------


def _factorization_record(tmp_path: Path) -> ModelRecord:
    path = tmp_path / "good.nonneg"
    nonneg.save(nonneg.factorize(X, 2, random_state=0), path, force=True)
    return read_record(path)


@pytest.mark.parametrize(
    ("meta", "message"),
    [
        ({"status": "HAPPY"}, "status"),
        ({"status": 1}, "status"),
        ({"n_iter": 1.5}, "n_iter"),
        ({"n_iter": True}, "n_iter"),
        ({"objective": "1"}, "objective"),
        ({"loss": None}, "loss"),
        ({"delta": "wide"}, "delta"),
        ({"row_names": ["one"]}, "row_names"),
        ({"column_names": [1, 2, 3]}, "column_names"),
    ],
)
def test_wrong_settings_are_refused(tmp_path: Path, meta: dict[str, Any], message: str) -> None:
    record = _factorization_record(tmp_path)
    path = write_record(replace(record, meta=record.meta | meta), tmp_path / "bad.nonneg")
    with pytest.raises(ModelFileError, match=message):
        nonneg.load(path)


@pytest.mark.parametrize(
    "arrays",
    [
        {"W": -np.ones((4, 2))},
        {"W": np.ones((4, 3))},
        {"W": np.ones((4, 2), np.float32)},
        {"W": np.ones((4, 2), np.int64)},
        {"W": np.ones(4)},
        {"H": np.ones((2, 0))},
        {"history": np.ones((3, 4))},
        {"history": np.ones((3, 5), np.int32)},
    ],
)
def test_wrong_arrays_are_refused(tmp_path: Path, arrays: dict[str, Any]) -> None:
    record = _factorization_record(tmp_path)
    path = write_record(replace(record, arrays=record.arrays | arrays), tmp_path / "bad.nonneg")
    with pytest.raises(ModelFileError, match=r"bad\.nonneg"):
        nonneg.load(path)
    del record.arrays[next(iter(arrays))]
    path = write_record(record, path, force=True)
    with pytest.raises(ModelFileError, match="missing"):
        nonneg.load(path)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"colour": "red"}, "colour"),
        ({"loss": {"huber": "wide"}}, "loss"),
        ({"loss": {"other": 1.0}}, "loss"),
        ({"tol": [1]}, "tol"),
    ],
)
def test_wrong_parameters_are_refused(tmp_path: Path, params: dict[str, Any], message: str) -> None:
    path = tmp_path / "model.nonneg"
    record = read_record(nonneg.save(nonneg.NMF(2, random_state=0).fit(X), path))
    record.meta["params"] |= params
    write_record(record, path, force=True)
    with pytest.raises(ModelFileError, match=message):
        nonneg.load(path)
    del record.meta["factorization"]
    write_record(record, path, force=True)
    with pytest.raises(ModelFileError, match="factorization"):
        nonneg.load(path)


def test_an_unknown_kind_is_refused(tmp_path: Path) -> None:
    path = write_record(ModelRecord("tree", {}, {}), tmp_path / "tree.nonneg")
    with pytest.raises(ModelFileError, match="kind is 'tree'"):
        nonneg.load(path)


def test_something_else_is_no_recommender(tmp_path: Path) -> None:
    path = write_record(ModelRecord("recommender", {}, {}), tmp_path / "r.nonneg")
    with pytest.raises(ModelFileError, match=r"r\.nonneg"):
        nonneg.load(path)


# --- files of version 1, forever ----------------------------------------------------------------


def test_golden_factorization() -> None:
    fit = nonneg.load(GOLDEN / "factorization.nonneg")
    assert isinstance(fit, nonneg.Factorization)
    assert fit.W.tolist() == [[1.0, 0.0], [0.5, 2.0], [0.0, 0.1]]
    assert fit.H.tolist() == [[3.0, 0.0], [0.25, 1.0]]
    assert fit.status is nonneg.Status.MAX_ITER
    assert fit.history == (
        nonneg.Step(1, 5.5, 0.25, 0.001, 0.0),
        nonneg.Step(2, 4.5, 0.125, 0.002, 0.5),
    )
    assert (fit.n_iter, fit.n_observed, fit.seed) == (2, 6, 7)
    assert (fit.objective, fit.error, fit.relative_error) == (4.5, 3.0, 0.75)
    assert (fit.loss, fit.delta) == ("huber", 0.25)
    assert (fit.solver, fit.init) == ("ccd", "random")
    assert fit.row_names == ("Ann", "Bøb", "猫")
    assert fit.column_names == ("Heat", "Alien")


def test_golden_nmf() -> None:
    model = nonneg.load(GOLDEN / "nmf.nonneg")
    assert isinstance(model, nonneg.NMF)
    assert model.loss == "kullback-leibler"
    assert (model.n_components, model.random_state, model.n_threads) == (2, 0, 1)
    assert math.isnan(model.missing_values)
    shares = model.components_ / model.components_.sum(axis=1, keepdims=True)
    order = np.argsort(shares[:, 2])
    np.testing.assert_allclose(
        shares[order], [[1 / 3, 2 / 3, 0.0], [0.0, 0.0, 1.0]], rtol=0, atol=2e-3
    )
    W = model.transform(np.array([[1.0, 2.0, 0.0], [0.0, 1.0, 3.0]]))
    expected = [[1, 2, 0], [1 / 3, 2 / 3, 3]]
    np.testing.assert_allclose(W @ model.components_, expected, rtol=0, atol=5e-3)


def test_golden_recommender() -> None:
    model = nonneg.load(GOLDEN / "recommender.nonneg")
    assert isinstance(model, nonneg.Recommender)
    assert model.ratings_.user_ids.tolist() == ["Ann", "Bøb", "Cem", "猫"]
    assert model.ratings_.item_ids.tolist() == [7, 11, 13]
    assert model.ratings_.values.tolist() == [5.0, 4.0, 4.5, 1.0, 5.0, 2.0, 3.0]
    assert (model.scale_.low, model.scale_.high) == (1.0, 5.0)
    assert model.n_components_ == 2
    found = model.predict(["Ann", "猫"], [13, 11])
    np.testing.assert_allclose(found, [2.812193, 3.572762], rtol=0, atol=1e-6)


def test_recommender_comes_back(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    users, items = np.divmod(rng.choice(600, 200, replace=False), 20)
    path = tmp_path / "ratings.csv"
    rows = zip(users, items, rng.integers(1, 6, 200), strict=True)
    path.write_text("user,item,rating\n" + "".join(f"u{u},{i},{r}\n" for u, i, r in rows))
    model = nonneg.Recommender(4, random_state=0).fit(path)
    again = nonneg.load(nonneg.save(model, tmp_path / "model.nonneg"))
    assert isinstance(again, nonneg.Recommender)
    assert again.user_factors_.tobytes() == model.user_factors_.tobytes()
    assert again.item_factors_.tobytes() == model.item_factors_.tobytes()
    user = f"u{users[0]}"
    assert again.recommend(user) == model.recommend(user)
    assert again.explain(user, int(items[1])) == model.explain(user, int(items[1]))


def test_what_a_model_file_looks_like(tmp_path: Path) -> None:
    assert is_model_file(GOLDEN / "nmf.nonneg")
    assert not is_model_file(Path(__file__))
    assert not is_model_file(tmp_path / "none")
    assert not is_model_file(tmp_path)
