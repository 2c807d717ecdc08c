"""`nonneg fit`, `show` and `transform`: the facts, the lines, and what they refuse."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.sparse

import nonneg
from nonneg.cli import fit as commands
from nonneg.io.table import read_table

from .conftest import Run

Fails = Callable[..., str]


def test_the_facts_of_a_fit(
    run: Run, counts: Path, count_values: np.ndarray, tmp_path: Path
) -> None:
    path = tmp_path / "m.nonneg"
    facts = run("fit", counts, "-k", 2, "-o", path, "--json").json
    model = nonneg.NMF(2, random_state=0).fit(count_values)
    assert facts["shape"] == [6, 6]
    assert facts["rank"] == 2
    assert facts["loss"] == "frobenius"
    assert facts["solver"] == "hals"
    assert facts["init"] == "nndsvda"
    assert facts["seed"] == 0
    assert facts["status"] == "converged"
    assert facts["advice"] == nonneg.Status.CONVERGED.value
    assert facts["n_observed"] == 36
    assert facts["error"] == model.reconstruction_err_
    assert facts["relative_error"] == pytest.approx(
        facts["error"] / np.linalg.norm(count_values), rel=1e-9
    )
    assert facts["saved"] == str(path)
    assert facts["source"] == str(counts)
    components = facts["components"]
    assert [c["number"] for c in components] == [1, 2]
    assert sum(c["share"] for c in components) == pytest.approx(1)
    for t, component in enumerate(components):
        h = model.components_[t]
        order = np.argsort(-h)
        assert [c["index"] for c in component["columns"]] == order[: len(h[h > 0])][:5].tolist()
        assert component["columns"][0]["weight"] == h.max()
        assert component["columns"][0]["share"] == pytest.approx(h.max() / h.sum())
        assert component["sparseness"]["columns"] == nonneg.hoyer_sparseness(h)
    tops = [{entry["name"] for entry in c["columns"][:3]} for c in components]
    assert {"goal", "match", "team"} in tops
    assert {"vote", "law", "[bold]party[/bold]"} in tops


def test_the_lines_of_a_fit(run: Run, counts: Path, tmp_path: Path) -> None:
    path = tmp_path / "m.nonneg"
    outcome = run("fit", counts, "-k", 2, "-o", path)
    lines = outcome.out.splitlines()
    assert lines[0] == str(counts)
    assert lines[1] == "6 rows × 6 columns in 2 components"
    assert lines[-1] == f"Wrote {path}"
    assert "[bold]party[/bold]" in outcome.out
    assert "converged after" in outcome.out
    assert not outcome.err


def test_without_output_nothing_is_saved(run: Run, counts: Path, tmp_path: Path) -> None:
    before = set(tmp_path.iterdir())
    outcome = run("fit", counts, "-k", 2)
    assert "nothing was saved" in outcome.err
    assert set(tmp_path.iterdir()) == before


def test_show_tells_what_fit_told(run: Run, counts: Path, model: Path) -> None:
    fitted = run("fit", counts, "-k", 2, "--top", 10, "--json").json
    shown = run("show", model, "--json").json
    for facts in (fitted, shown):
        for name in ("source", "saved", "seconds"):
            facts.pop(name, None)
    assert fitted == shown
    assert len(run("show", model, "--top", 1, "--json").json["components"][0]["rows"]) == 1
    assert "Component 2" in run("show", model).out


def test_show_of_a_factorization_without_names(run: Run, tmp_path: Path) -> None:
    fit = nonneg.factorize(np.eye(3) + 1, 2, random_state=0)
    path = nonneg.save(fit, tmp_path / "plain.nonneg")
    facts = run("show", path, "--json").json
    assert facts["components"][0]["rows"][0]["name"].startswith("row ")
    assert "column 1" in run("show", path).out


def test_options_reach_the_engine(run: Run, counts: Path, tmp_path: Path) -> None:
    options = ["--loss", 1.5, "--solver", "mu", "--init", "random", "--seed", 5, "--n-init", 2]
    options += ["--max-iter", 3, "--tol", 0, "--threads", 1, "--missing", 0, "--max-seconds", 60]
    path = tmp_path / "m.nonneg"
    outcome = run("fit", counts, "-k", 1, *options, "-o", path, "--json")
    facts = outcome.json
    assert (facts["loss"], facts["solver"], facts["init"]) == (1.5, "mu", "random")
    assert (facts["seed"], facts["status"], facts["n_iter"]) == (5, "max_iter", 3)
    assert facts["n_observed"] == 25  # zeros are missing
    assert outcome.err.startswith("note: Stopped at max_iter")
    loaded = nonneg.load(path)
    assert isinstance(loaded, nonneg.NMF)
    assert (loaded.n_init, loaded.n_threads, loaded.tol) == (2, 1, 0)
    assert loaded.missing_values == 0


def test_defaults_are_those_of_the_estimator() -> None:
    ours = inspect.signature(commands.fit).parameters
    theirs = inspect.signature(nonneg.NMF).parameters
    for name in ("loss", "solver", "init", "n_init", "max_iter", "max_seconds", "tol"):
        assert ours[name].default == theirs[name].default, name
    assert np.isnan(theirs["missing_values"].default)
    assert ours["missing"].default == "nan"


def test_empty_cells_stay_empty(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "holes.csv"
    path.write_text("name,a,b\nx,1,2\ny,2,\nz,,4\n")
    facts = run("fit", path, "-k", 1, "--json").json
    assert facts["n_observed"] == 4
    assert "4 of 6 cells (67 %)" in run("fit", path, "-k", 1).out


def test_sparse_stays_sparse_and_float32_stays(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "counts.npz"
    X = scipy.sparse.random(300, 200, 0.02, "csr", dtype=np.float32, random_state=0)
    scipy.sparse.save_npz(path, X)
    outcome = run("fit", path, "-k", 3, "--json")
    assert outcome.json["dtype"] == "float32"
    assert outcome.json["n_observed"] == 60_000
    assert "--missing" not in outcome.err
    assert run("fit", path, "-k", 3, "--missing", 0, "--json").json["n_observed"] == X.nnz


def test_triplets_say_how_absent_cells_were_taken(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "long.csv"
    path.write_text("row,column,value\nx,a,1\ny,a,2\ny,b,3\nz,b,4\n")
    outcome = run("fit", path, "-k", 1, "--json")
    assert outcome.json["n_observed"] == 6
    assert "add --missing 0" in outcome.err
    names = {entry["name"] for entry in outcome.json["components"][0]["rows"]}
    assert names <= {"x", "y", "z"}
    outcome = run("fit", path, "-k", 1, "--missing", 0, "--layout", "long", "--json")
    assert outcome.json["n_observed"] == 4
    assert "add --missing 0" not in outcome.err


def test_long_and_odd_names(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "odd.csv"
    path.write_text(f'name,{"x" * 200},"a\x1b[31mred",{"猫" * 50}\nr1,1,2,3\nr2,3,1,2\n')
    outcome = run("fit", path, "-k", 1)
    assert "x…" in outcome.out
    assert "猫猫猫 …" in outcome.out
    assert "a\N{REPLACEMENT CHARACTER}[31mred" in outcome.out


def test_a_rank_above_the_smaller_side_is_noted(run: Run, counts: Path) -> None:
    outcome = run("fit", counts, "-k", 7, "--json")
    assert "note: -k 7 is more than the smaller side of X (6)" in outcome.err
    assert outcome.json["rank"] == 7


# --- transform ----------------------------------------------------------------------------------


def test_transform_of_the_fitted_rows(run: Run, model: Path, counts: Path, tmp_path: Path) -> None:
    out = tmp_path / "W.csv"
    outcome = run("transform", model, counts, "-o", out)
    assert outcome.out.splitlines()[-1] == f"Wrote {out}"
    table = read_table(out)
    assert table.column_names == ("component 1", "component 2")
    assert table.row_names is not None
    assert table.row_names[0] == "sport1"
    fitted = nonneg.load(model)
    assert isinstance(fitted, nonneg.NMF)
    W = fitted.factorization_.W
    np.testing.assert_allclose(table.values, W, rtol=1e-5, atol=1e-6 * W.max())
    facts = run("transform", model, counts, "-o", tmp_path / "W.npy", "--json").json
    assert facts["shape"] == [6, 2]
    assert facts["zero_rows"] == 0
    assert sum(c["share"] for c in facts["components"]) == pytest.approx(1)
    assert sum(c["largest"] for c in facts["components"]) == 6
    np.testing.assert_array_equal(np.load(tmp_path / "W.npy"), table.values)


def test_a_plain_factorization_does_not_know_its_problem(
    fails: Fails, run: Run, counts: Path, count_values: np.ndarray, tmp_path: Path
) -> None:
    fit = nonneg.factorize(count_values, 2, alpha_W=0.1, random_state=0)
    model = nonneg.save(fit, tmp_path / "plain.nonneg")
    message = fails("transform", model, counts, "-o", tmp_path / "W.npz")
    assert "saved factorization · it does not hold the penalties" in message
    assert "fit with nonneg fit" in message
    assert not (tmp_path / "W.npz").exists()
    assert run("show", model, "--json").json["rank"] == 2


@pytest.mark.parametrize("threads", [[], ["--threads", 1]])
def test_transform_keeps_the_loss_of_the_fit(
    run: Run, counts: Path, tmp_path: Path, threads: list[object]
) -> None:
    model = tmp_path / "huber.nonneg"
    run("fit", counts, "-k", 2, "--loss", "huber", "--tol", 1e-6, "-o", model)
    run("transform", model, counts, "-o", tmp_path / "W.npz", *threads)
    W = np.load(tmp_path / "W.npz")["X"]
    fitted = nonneg.load(model).factorization_.W
    np.testing.assert_allclose(W, fitted, rtol=1e-5, atol=1e-6 * W.max())


@pytest.mark.parametrize("layout", ["wide", "long"])
def test_a_saved_fit_knows_its_features(
    run: Run, counts: Path, count_values: np.ndarray, tmp_path: Path, layout: str
) -> None:
    table, model = tmp_path / "table.csv", tmp_path / "m.nonneg"
    frame = pd.read_csv(counts, index_col=0)
    if layout == "long":
        frame.stack().reset_index().to_csv(table, index=False, header=["row", "column", "value"])
    else:
        frame.to_csv(table)
    run("fit", table, "-k", 2, "--layout", layout, "-o", model)
    fitted = nonneg.load(model)
    assert isinstance(fitted, nonneg.NMF)
    assert fitted.feature_names_in_.tolist() == frame.columns.tolist()
    W = fitted.transform(frame)
    np.testing.assert_array_equal(W.shape, (6, 2))
    with pytest.raises(ValueError, match="Feature names must be in the same order"):
        fitted.transform(frame[frame.columns[::-1]])


def test_a_table_without_names_has_no_features(run: Run, tmp_path: Path) -> None:
    np.save(tmp_path / "X.npy", np.eye(3) + 1)
    run("fit", tmp_path / "X.npy", "-k", 1, "-o", tmp_path / "m.nonneg")
    fitted = nonneg.load(tmp_path / "m.nonneg")
    assert not hasattr(fitted, "feature_names_in_")


def test_columns_are_matched_by_name(run: Run, model: Path, counts: Path, tmp_path: Path) -> None:
    run("transform", model, counts, "-o", tmp_path / "W.npy")
    lines = [line.split(",") for line in counts.read_text().splitlines()]
    shuffled = tmp_path / "shuffled.csv"
    shuffled.write_text("\n".join(",".join([r[0], *r[:0:-1], "9"]) for r in lines) + "\n")
    shuffled.write_text(shuffled.read_text().replace(",9\n", ",other\n", 1))
    outcome = run("transform", model, shuffled, "-o", tmp_path / "V.npy")
    assert "left out 1 of 7 columns that the model does not know, 'other' first" in outcome.err
    W, V = np.load(tmp_path / "W.npy"), np.load(tmp_path / "V.npy")
    np.testing.assert_allclose(V, W, rtol=1e-6)


def test_triplets_may_lack_columns(run: Run, model: Path, tmp_path: Path) -> None:
    table = tmp_path / "new.csv"
    table.write_text("row,column,value\nnew,law,4\nnew,vote,4\n")
    outcome = run("transform", model, table, "-o", tmp_path / "W.csv", "--json")
    assert outcome.json["shape"] == [1, 2]
    assert "4 of the 6 columns of the model are not in the table" in outcome.err
    wide = tmp_path / "wide.csv"
    wide.write_text("name,goal,match,team,vote,law,[bold]party[/bold]\nnew,0,0,0,4,4,0\n")
    run("transform", model, wide, "-o", tmp_path / "V.csv")
    W, V = (read_table(tmp_path / name).values for name in ("W.csv", "V.csv"))
    np.testing.assert_allclose(W, V, rtol=1e-9)


def test_rows_that_hold_nothing(run: Run, model: Path, tmp_path: Path) -> None:
    table = tmp_path / "new.csv"
    table.write_text("name,goal,match,team,vote,law,[bold]party[/bold]\nnew,0,0,0,0,0,0\n")
    outcome = run("transform", model, table, "-o", tmp_path / "W.csv")
    assert "1 row holds none of the components" in outcome.out


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name,goal,match\nnew,1,2\n", "lacks 4 of the 6 columns of the model, 'team' first"),
        ("5,2,3\n4,5,6\n", "has 3 columns · the model was fitted to 6"),
        ("name,goal,goal\nnew,1,2\n", "has the column 'goal' more than once"),
    ],
)
def test_columns_that_do_not_match(
    fails: Fails, model: Path, tmp_path: Path, text: str, message: str
) -> None:
    table = tmp_path / "new.csv"
    table.write_text(text)
    assert message in fails("transform", model, table, "-o", tmp_path / "W.csv")
    assert not (tmp_path / "W.csv").exists()


# --- names from files ---------------------------------------------------------------------------


def test_names_from_files(run: Run, fails: Fails, tmp_path: Path) -> None:
    table, rows, columns = (tmp_path / name for name in ("X.npy", "rows.txt", "columns.txt"))
    np.save(table, np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]))
    rows.write_text("first row\r\nsecond row\r\nthird row\r\n")
    columns.write_text("left\nright")
    given = ["fit", table, "-k", 1, "--row-names", rows, "--column-names", columns]
    component = run(*given, "--json").json["components"][0]
    assert [entry["name"] for entry in component["rows"]] == [
        "third row",
        "second row",
        "first row",
    ]
    assert component["columns"][0]["name"] == "right"
    columns.write_text("left\n")
    assert "has 1 names · the table has 2 columns" in fails(*given)


@pytest.mark.parametrize("unit", [1e200, 1e-200])
def test_any_unit(
    run: Run, counts: Path, count_values: np.ndarray, tmp_path: Path, unit: float
) -> None:
    table = tmp_path / "X.npy"
    np.save(table, count_values * unit)
    facts = run("fit", table, "-k", 2, "--json").json
    plain = run("fit", counts, "-k", 2, "--json").json
    assert facts["relative_error"] == pytest.approx(plain["relative_error"], rel=1e-6)
    for ours, theirs in zip(facts["components"], plain["components"], strict=True):
        assert ours["share"] == pytest.approx(theirs["share"], rel=1e-6)
        assert ours["columns"][0]["share"] == pytest.approx(theirs["columns"][0]["share"], rel=1e-6)
    run("fit", table, "-k", 2)


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int64", "float16", "float32"])
def test_any_real_type(run: Run, count_values: np.ndarray, tmp_path: Path, dtype: str) -> None:
    table = tmp_path / "X.npy"
    np.save(table, count_values.astype(dtype))
    facts = run("fit", table, "-k", 2, "--json").json
    assert facts["dtype"] in ("float32", "float64")
