"""`NMF` keeps scikit-learn's contract, and its own: the same answer whatever holds the table."""

from __future__ import annotations

import pickle

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import parametrize_with_checks

from nonneg import NMF, HuberLoss, Status, Step, factorize
from nonneg.errors import InputError
from nonneg.metrics import explained_share, explained_variance

N_SAMPLES, N_FEATURES, RANK = 40, 25, 3
LOSSES = ("frobenius", "kullback-leibler", "huber", "l21")


@pytest.fixture
def X() -> np.ndarray:
    """Return a table of rank 3 and a little noise, every entry above 0."""
    rng = np.random.default_rng(0)
    parts = rng.gamma(0.5, 1.0, (N_SAMPLES, RANK)), rng.gamma(0.5, 1.0, (RANK, N_FEATURES))
    return parts[0] @ parts[1] + 0.05 * rng.random((N_SAMPLES, N_FEATURES))


@pytest.fixture
def holed(X) -> np.ndarray:
    """Return the same table with a fifth of its cells missing."""
    rng = np.random.default_rng(1)
    return np.where(rng.random(X.shape) < 0.2, np.nan, X)


def some_nmf(**options) -> NMF:
    """Return an estimator that is quick and repeatable."""
    return NMF(**{"n_components": RANK, "random_state": 0, "n_threads": 2, **options})


def product(model: NMF) -> np.ndarray:
    """Return the W H of a fit."""
    return model.factorization_.W @ model.components_


# --- scikit-learn's own checks -----------------------------------------------------------------


def expected_failures(estimator: NMF) -> dict[str, str]:
    """Return the checks that cannot pass, and why."""
    if estimator.solver == "anls-bpp":
        return {
            "check_estimators_pickle": "it puts NaN into X because NMF takes them, but this solver "
            "needs every entry and says so"
        }
    return {}


# Some of the checks fit noise from an unseeded start, which may take its iterations.
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@parametrize_with_checks(
    [
        NMF(),
        NMF(2),
        NMF(2, missing_values=0),
        NMF(2, alpha_W=0.01, l1_ratio=0.5),
        NMF(2, solver="ccd"),
        NMF(2, solver="anls-bpp"),
        NMF(2, loss="kullback-leibler"),
        NMF(2, loss="itakura-saito", missing_values=0),
        NMF(2, loss=HuberLoss(delta=0.5)),
        NMF(2, loss="l21"),
        NMF(2, init="random", n_init=2),
    ],
    expected_failed_checks=expected_failures,
)
def test_scikit_learn_contract(estimator, check):
    check(estimator)


def test_tags_say_what_is_taken():
    tags = get_tags(NMF())
    assert tags.input_tags.positive_only
    assert tags.input_tags.sparse
    assert tags.input_tags.allow_nan
    assert tags.transformer_tags.preserves_dtype == ["float64", "float32"]
    assert get_tags(NMF(missing_values=0)).input_tags.allow_nan


def test_parameters_survive_clone_and_set_params():
    model = NMF(4, loss="l1", alpha_W=0.5, n_init=3)
    copy = clone(model)
    assert copy.get_params() == model.get_params()
    assert copy.set_params(loss="huber", tol=0.1).get_params()["loss"] == "huber"


# --- what a fit stores -------------------------------------------------------------------------


def test_attributes(X):
    model = some_nmf().fit(X)
    assert model.components_ is model.factorization_.H
    assert model.components_.shape == (RANK, N_FEATURES)
    assert model.factorization_.W.shape == (N_SAMPLES, RANK)
    assert model.n_components_ == RANK
    assert model.n_features_in_ == N_FEATURES
    assert model.status_ is Status.CONVERGED
    assert model.n_iter_ == model.factorization_.n_iter >= len(model.history_) > 0
    assert all(isinstance(step, Step) for step in model.history_)
    assert_allclose(model.reconstruction_err_, np.linalg.norm(X - product(model)))
    assert not hasattr(model, "feature_names_in_")
    assert model.factorization_.row_names is None
    assert model.factorization_.column_names is None


def test_it_is_factorize_and_nothing_else(X):
    model = some_nmf(loss="kullback-leibler", alpha_W=0.01).fit(X)
    plain = factorize(X, RANK, loss="kullback-leibler", alpha_W=0.01, random_state=0, n_threads=2)
    assert_array_equal(model.components_, plain.H)
    assert_array_equal(model.factorization_.W, plain.W)
    assert model.reconstruction_err_ == plain.error


@pytest.mark.parametrize(("shape", "rank"), [((40, 25), 10), ((40, 4), 4), ((3, 25), 3)])
def test_default_rank(shape, rank):
    X = np.random.default_rng(0).random(shape) + 0.1
    assert NMF(random_state=0, tol=0.01).fit(X).n_components_ == rank


def test_default_rank_is_that_of_a_given_start(X):
    H = np.random.default_rng(0).random((2, N_FEATURES))
    model = NMF(random_state=0)
    model.fit_transform(X, H=H)
    assert model.n_components_ == 2
    assert model.factorization_.init == "given"


def test_a_good_start_needs_few_iterations(X):
    first = some_nmf(tol=1e-8).fit(X)
    again = some_nmf()
    W = again.fit_transform(X, W=first.factorization_.W, H=first.components_)
    assert again.n_iter_ < first.n_iter_
    assert_allclose(W @ again.components_, product(first), atol=1e-3)


def test_feature_names_out(X):
    model = some_nmf().fit(X)
    assert model.get_feature_names_out().tolist() == ["nmf0", "nmf1", "nmf2"]


def test_the_same_seed_gives_the_same_result(X):
    one, two = (some_nmf(init="random", random_state=5).fit(X) for _ in range(2))
    assert_array_equal(one.components_, two.components_)
    other = some_nmf(init="random", random_state=6).fit(X)
    assert not np.array_equal(one.components_, other.components_)


@pytest.mark.parametrize(
    "seed", [np.random.RandomState(0), np.random.default_rng(0), np.int64(3), None]
)
def test_every_kind_of_random_state(X, seed):
    assert some_nmf(init="random", random_state=seed).fit(X).score(X) > 0.99


def test_n_init_keeps_the_lowest_objective(X):
    runs = [
        some_nmf(init="random", n_components=6, tol=0.01, n_init=n).fit(X).factorization_.objective
        for n in (1, 2, 4)
    ]
    assert runs[0] >= runs[1] >= runs[2]


# --- transform, inverse_transform, score -------------------------------------------------------


@pytest.mark.parametrize("alpha", [0.0, 0.01])
@pytest.mark.parametrize("with_holes", [False, True])
@pytest.mark.parametrize("loss", LOSSES)
def test_transform_of_the_fitted_rows_is_what_fit_transform_returned(
    X, holed, loss, with_holes, alpha
):
    data = holed if with_holes else X
    model = some_nmf(loss=loss, alpha_W=alpha, l1_ratio=0.5)
    W = model.fit_transform(data)
    assert_allclose(model.transform(data), W, atol=1e-5 * W.max())


def test_transform_follows_weights(X):
    weights = np.random.default_rng(2).random(X.shape)
    model = some_nmf()
    W = model.fit_transform(X, weights=weights)
    assert_allclose(model.transform(X, weights=weights), W, atol=1e-5 * W.max())


def test_transform_takes_one_row_at_a_time(X):
    model = some_nmf().fit(X)
    one_by_one = np.vstack([model.transform(row[None, :]) for row in X[:5]])
    assert_allclose(one_by_one, model.transform(X)[:5], rtol=1e-6, atol=1e-10)


def test_transform_takes_holes_where_the_fit_had_none(X, holed):
    for solver in ("hals", "anls-bpp"):
        model = some_nmf(solver=solver).fit(X)
        assert_allclose(model.transform(holed), model.transform(X), atol=0.2)


def test_a_new_sample_gets_its_own_mixture(X):
    model = some_nmf(tol=1e-8).fit(X)
    mixture = np.array([[1.0, 0.0, 2.0], [0.0, 3.0, 0.0]])
    assert_allclose(model.transform(mixture @ model.components_), mixture, atol=1e-6)


def test_rows_of_zeros_and_rows_without_values_get_zeros(X):
    model = some_nmf().fit(X)
    assert_array_equal(model.transform(np.zeros((2, N_FEATURES))), 0)
    rows = np.vstack([np.full(N_FEATURES, np.nan), X[0]])
    assert_array_equal(model.transform(rows)[0], 0)


def test_inverse_transform_fills_the_holes(X, holed):
    model = some_nmf()
    W = model.fit_transform(holed)
    filled = model.inverse_transform(W)
    assert_allclose(filled, W @ model.components_)
    hidden = np.isnan(holed)
    assert np.linalg.norm((filled - X)[hidden]) < 0.05 * np.linalg.norm(X[hidden])


def test_inverse_transform_takes_what_set_output_made(X):
    model = some_nmf().set_output(transform="pandas")
    W = model.fit_transform(X)
    assert_allclose(model.inverse_transform(W), W.to_numpy() @ model.components_)


def test_score_is_the_explained_variance(X, holed):
    model = some_nmf().fit(X)
    assert_allclose(model.score(X), explained_variance(X, model.transform(X), model.components_))
    assert_allclose(model.score(X), 1 - np.sum((X - product(model)) ** 2) / np.sum(X**2), rtol=1e-9)
    seen = ~np.isnan(holed)
    rest = (X - model.transform(holed) @ model.components_)[seen]
    assert_allclose(model.score(holed), 1 - np.sum(rest**2) / np.sum(X[seen] ** 2), rtol=1e-9)


@pytest.mark.parametrize("loss", [*LOSSES, "itakura-saito", "l1", 1.5])
def test_score_is_higher_for_a_better_fit(X, loss):
    poor = some_nmf(n_components=1, loss=loss, tol=1e-3).fit(X)
    good = some_nmf(loss=loss, tol=1e-3).fit(X)
    assert poor.score(X) < good.score(X) <= 1
    W = good.transform(X)
    assert_allclose(good.score(X), explained_share(X, W, good.components_, loss=loss))


# --- missing values and weights ----------------------------------------------------------------


def test_what_lies_in_a_hole_cannot_change_the_fit(X, holed):
    weights = (~np.isnan(holed)).astype(float)
    other = np.where(weights > 0, X, 1e6)
    by_nan = some_nmf(init="random").fit(holed)
    by_weight = some_nmf(init="random").fit(other, weights=weights)
    assert_allclose(by_weight.components_, by_nan.components_)
    assert by_nan.factorization_.n_observed == weights.sum()


def test_zeros_may_be_missing(X, holed):
    zeroed = np.nan_to_num(holed)
    by_nan = some_nmf().fit(holed)
    for data in (zeroed, sp.csr_array(zeroed), sp.coo_matrix(zeroed)):
        model = some_nmf(missing_values=0).fit(data)
        assert_allclose(model.components_, by_nan.components_)
        assert_allclose(model.transform(data), by_nan.transform(holed))


def test_weights_pull_the_fit_towards_heavy_cells(X):
    weights = np.ones_like(X)
    weights[:5] = 1000.0
    plain = some_nmf(n_components=1).fit(X)
    pulled = some_nmf(n_components=1).fit(X, weights=weights)
    assert np.linalg.norm((X - product(pulled))[:5]) < np.linalg.norm((X - product(plain))[:5])


def test_weights_may_be_sparse_or_a_frame(X):
    weights = np.random.default_rng(3).random(X.shape).round()
    plain = some_nmf().fit(X, weights=weights)
    for other in (sp.csr_array(weights), pd.DataFrame(weights), weights.astype(bool)):
        assert_allclose(some_nmf().fit(X, weights=other).components_, plain.components_)


def test_weights_with_other_names_are_refused(X):
    table = pd.DataFrame(X).add_prefix("f")
    with pytest.raises(InputError, match="weights name their columns differently"):
        some_nmf().fit(table, weights=pd.DataFrame(np.ones_like(X)).add_prefix("g"))


def test_masked_cells_are_missing(X, holed):
    masked = np.ma.masked_array(X, mask=np.isnan(holed))
    assert_array_equal(some_nmf().fit(masked).components_, some_nmf().fit(holed).components_)


# --- every holder of a table -------------------------------------------------------------------

NAMES = [f"f{j}" for j in range(N_FEATURES)]
FRAMES = {
    "pandas": lambda values: pd.DataFrame(values, columns=NAMES),
    "pandas-nullable": lambda values: pd.DataFrame(values, columns=NAMES).convert_dtypes(),
    "polars": lambda values: pl.DataFrame(values, schema=NAMES),
    "pyarrow": lambda values: pa.table(dict(zip(NAMES, values.T, strict=True))),
}


@pytest.mark.parametrize("kind", FRAMES)
def test_a_frame_is_its_array(kind, X, holed):
    for values in (X, holed):
        model, plain = some_nmf(), some_nmf().fit(values)
        W = model.fit_transform(FRAMES[kind](values))
        assert_allclose(W, plain.factorization_.W)
        assert_allclose(model.transform(FRAMES[kind](values)), plain.transform(values))
        assert model.feature_names_in_.tolist() == NAMES
        assert model.factorization_.column_names == tuple(NAMES)
        assert model.factorization_.row_names is None


@pytest.mark.parametrize("kind", FRAMES)
def test_features_in_another_order_are_refused(kind, X):
    model = some_nmf().fit(FRAMES[kind](X))
    frame = FRAMES[kind](X)
    turned = frame[NAMES[::-1]] if kind != "pyarrow" else frame.select(NAMES[::-1])
    with pytest.raises(ValueError, match="feature names should match"):
        model.transform(turned)


def test_nulls_are_missing(holed):
    nulls = pl.DataFrame(holed, schema=NAMES).fill_nan(None)
    plain = some_nmf().fit(holed).components_
    for frame in (nulls, nulls.to_arrow(), nulls.to_pandas().convert_dtypes()):
        assert_allclose(some_nmf().fit(frame).components_, plain)


def test_the_index_of_pandas_names_the_rows(X):
    table = pd.DataFrame(X, columns=NAMES, index=[f"s{i}" for i in range(N_SAMPLES)])
    model = some_nmf().fit(table)
    assert model.factorization_.row_names == tuple(table.index)
    assert some_nmf().fit(pd.DataFrame(X)).factorization_.row_names is None
    assert some_nmf().fit(pd.DataFrame(X)).factorization_.column_names is None
    numbered = some_nmf().fit(table.set_index(np.arange(N_SAMPLES) + 100))
    assert numbered.factorization_.row_names[:2] == ("100", "101")


def test_small_columns_stay_small(X):
    counts = (X * 20).astype(np.uint8)
    for frame in (pd.DataFrame(counts), pl.DataFrame(counts), pa.table({"a": counts[:, 0]})):
        assert some_nmf(n_components=1, tol=0.1).fit(frame).components_.dtype == np.float32
    mixed = pl.DataFrame({"a": counts[:, 0], "b": counts[:, 1].astype(np.int32)})
    assert some_nmf(n_components=1, tol=0.1).fit(mixed).components_.dtype == np.float64


def test_booleans_decimals_and_empty_columns():
    frame = pl.DataFrame(
        {
            "flag": [True, None, False, True],
            "price": pl.Series(["1.5", None, "2.0", "0.5"]).cast(pl.Decimal(10, 2)),
            "nothing": [None] * 4,
            "count": pl.Series([1, 2, 3, 4], dtype=pl.UInt8),
        }
    )
    model = NMF(1, random_state=0).fit(frame)
    assert model.factorization_.n_observed == 10
    assert_array_equal(model.components_[:, 2], 0)


def test_columns_that_are_no_numbers_are_named():
    columns = {
        "a": [1.0, 2.0],
        "city": ["Graz", "Wien"],
        "day": np.array(["2020", "2021"], "M8[ms]"),
    }
    for frame in (pd.DataFrame(columns), pl.DataFrame(columns), pa.table(columns)):
        with pytest.raises(InputError, match=r"2 column\(s\) that are not numeric: city .*day"):
            NMF(1).fit(frame)


def test_columns_of_the_same_name_are_named(X):
    table = pd.DataFrame(X[:, :3], columns=["a", "b", "a"])
    with pytest.raises(InputError, match="columns of the same name: a"):
        NMF(1).fit(table)


def test_sparse_frames_stay_sparse(X):
    counts = np.floor(X * 3)
    table = pd.DataFrame(counts, columns=NAMES).astype(pd.SparseDtype(float, 0.0))
    model = some_nmf().fit(table)
    assert_array_equal(model.components_, some_nmf().fit(sp.csr_array(counts)).components_)
    assert model.factorization_.column_names == tuple(NAMES)


@pytest.mark.parametrize("loss", ["frobenius", "kullback-leibler"])
@pytest.mark.parametrize("kind", ["csr", "csc", "coo", "lil", "dok", "bsr", "dia"])
@pytest.mark.parametrize("holder", [sp.coo_array, sp.coo_matrix])
def test_every_sparse_format_is_its_dense_table(X, holder, kind, loss):
    # Sums in another order let the paths part by a little, so both go to the end.
    counts = np.floor(X * 3)
    dense = some_nmf(loss=loss, tol=1e-8).fit(counts)
    data = holder(counts).asformat(kind)
    model = some_nmf(loss=loss, tol=1e-8).fit(data)
    assert_allclose(product(model), product(dense), atol=1e-5 * counts.max())
    assert_allclose(dense.transform(data), dense.transform(counts), rtol=1e-5, atol=1e-8)
    assert_allclose(dense.score(data), dense.score(counts), rtol=1e-9)


def test_nested_lists_and_objects():
    rows = [[1, 2, 3], [2, 4, 6], [1, 0, 1]]
    plain = NMF(2, random_state=0).fit(np.array(rows, float))
    for data in (rows, np.array(rows, dtype=object)):
        assert_allclose(NMF(2, random_state=0).fit(data).components_, plain.components_)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_dtype_of_floats_is_kept(X, dtype, order):
    data = np.asarray(X, dtype=dtype, order=order)
    model = some_nmf()
    W = model.fit_transform(data)
    outputs = (W, model.components_, model.transform(data), model.inverse_transform(W))
    assert {output.dtype for output in outputs} == {np.dtype(dtype)}
    assert_allclose(model.score(X), some_nmf().fit(X).score(X), atol=1e-5)


def test_the_input_is_left_as_it_was(X, holed):
    for data in (X, holed, sp.csr_array(np.floor(X))):
        before = data.copy()
        data = data if sp.issparse(data) else data.view()
        if not sp.issparse(data):
            data.flags.writeable = False
        some_nmf().fit(data).transform(data)
        if sp.issparse(data):
            assert (before != data).nnz == 0
        else:
            assert_array_equal(before, data)


# --- living with the rest of scikit-learn ------------------------------------------------------


def test_set_output(X):
    table = pd.DataFrame(X, columns=NAMES, index=range(100, 100 + N_SAMPLES))
    model = some_nmf().set_output(transform="pandas")
    for W in (model.fit_transform(table), model.transform(table)):
        assert isinstance(W, pd.DataFrame)
        assert list(W.columns) == ["nmf0", "nmf1", "nmf2"]
        assert list(W.index) == list(table.index)
    polars = some_nmf().set_output(transform="polars").fit_transform(X)
    assert isinstance(polars, pl.DataFrame)
    assert polars.columns == ["nmf0", "nmf1", "nmf2"]
    assert_allclose(polars.to_numpy(), W)


@pytest.mark.parametrize("store", ["pickle", "joblib"])
def test_a_fitted_model_can_be_stored(X, store, tmp_path):
    model = some_nmf(loss="kullback-leibler").fit(pd.DataFrame(X, columns=NAMES))
    if store == "pickle":
        again = pickle.loads(pickle.dumps(model))
    else:
        joblib.dump(model, tmp_path / "model.joblib")
        again = joblib.load(tmp_path / "model.joblib")
    table = pd.DataFrame(X, columns=NAMES)
    assert_array_equal(again.transform(table), model.transform(table))
    assert again.status_ is model.status_
    assert again.history_ == model.history_


def test_grid_search_in_a_pipeline(X):
    pipeline = make_pipeline(MaxAbsScaler(), some_nmf(tol=1e-3))
    search = GridSearchCV(pipeline, {"nmf__n_components": [1, 2, 3]}, cv=3).fit(X)
    assert search.best_params_ == {"nmf__n_components": 3}
    assert search.best_score_ > 0.95
    assert search.transform(X).shape == (N_SAMPLES, 3)


# --- stopping, warnings and progress -----------------------------------------------------------


def test_running_out_of_iterations_warns_with_advice(X):
    model = some_nmf(max_iter=2)
    with pytest.warns(ConvergenceWarning, match="raise max_iter"):
        model.fit(X)
    assert model.status_ is Status.MAX_ITER
    assert model.n_iter_ == 2


def test_running_out_of_time_warns_with_advice(X):
    model = some_nmf(max_seconds=0.0)
    with pytest.warns(ConvergenceWarning, match="allow more time"):
        model.fit(X)
    assert model.status_ is Status.TIME_LIMIT


def test_a_callback_sees_every_step_and_may_stop(X):
    seen: list[Step] = []

    def third(step: Step) -> bool:
        seen.append(step)
        return len(seen) == 3

    model = some_nmf(callback=third).fit(X)
    assert model.status_ is Status.STOPPED
    assert model.history_ == tuple(seen)
    assert seen[0].objective >= seen[1].objective >= seen[2].objective


def test_ctrl_c_keeps_the_best_so_far(X):
    def interrupt(step: Step) -> None:
        if step.n_iter >= 3:
            raise KeyboardInterrupt

    model = some_nmf(callback=interrupt)
    with pytest.warns(ConvergenceWarning, match="best factors so far"):
        W = model.fit_transform(X)
    assert model.status_ is Status.INTERRUPTED
    assert np.isfinite(W).all()
    assert model.score(X) > 0.5


@pytest.mark.parametrize(("verbose", "every"), [(1, 10), (2, 1), (True, 10)])
def test_verbose_prints_lines(X, verbose, every, capsys):
    model = some_nmf(verbose=verbose).fit(X)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(model.history_[::every]) + 1
    assert "objective" in lines[0]
    assert "converged" in lines[-1]


def test_silence_is_the_default(X, capsys):
    some_nmf().fit(X).transform(X)
    assert capsys.readouterr() == ("", "")


def test_verbose_and_callback_together(X, capsys):
    model = some_nmf(verbose=2, callback=lambda step: step.n_iter >= 2).fit(X)
    assert model.status_ is Status.STOPPED
    assert len(capsys.readouterr().out.splitlines()) == 3
