"""Bad input through the command line: one message, exit code 2, and nothing is lost."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse

from nonneg.io import table as table_module

from .conftest import Run

Fails = Callable[..., str]


def test_no_such_file(fails: Fails, counts: Path, tmp_path: Path) -> None:
    message = fails("fit", tmp_path / "count.csv", "-k", 2)
    assert "there is no such file; did you mean" in message
    assert str(counts) in message
    assert "no such file" in fails("show", tmp_path / "none.nonneg")
    assert "it is a directory" in fails("fit", tmp_path, "-k", 2) or "suffix" in fails(
        "fit", tmp_path, "-k", 2
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"name,a,b\nx,1,2\ny,3\n", "line 3 has 2 cells"),
        (b"name,a,b\nx,1,2\ny,\xe9,3\n", "line 3, byte 3 (0xe9) is not UTF-8"),
        (b"", "it is empty"),
        (b"name,a,b\n", "only a header"),
        (b"name,a,b\nx,1,oops\ny,3,4\n", "oops"),
        (b"name,a,b\nx,1,inf\ny,3,4\n", "'inf' is not a finite number"),
        (b"name,a,b\nx,1,-2\ny,3,-4\n", "the smallest -4 at row 1, column 1"),
        (b"name,a,b\nx,0,0\ny,0,0\n", "0"),
        (b"name,a,b\nx,,\ny,,\n", "no observed entry"),
        (b'name,a,b\nx,"1,2\n', "quote"),
    ],
)
def test_bad_tables(fails: Fails, tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes(content)
    out = tmp_path / "m.nonneg"
    assert message in fails("fit", path, "-k", 1, "-o", out)
    assert not out.exists()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["table.csv"]


def test_a_loss_that_cannot_have_the_data(fails: Fails, counts: Path) -> None:
    assert "itakura-saito" in fails("fit", counts, "-k", 2, "--loss", "itakura-saito")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["-k", 0], "-k 0"),
        (["-k", -3], "-k -3"),
        (["-k", 10**14], "GB"),
        (["-k", 2, "--loss", "euclid"], "the losses are"),
        (["-k", 2, "--loss", "nan"], "loss"),
        (["-k", 2, "--solver", "newton"], "newton"),
        (["-k", 2, "--solver", "hals", "--loss", "kullback-leibler"], "hals"),
        (["-k", 2, "--init", "given"], "given"),
        (["-k", 7, "--init", "nndsvd"], "at most 6"),
        (["-k", 2, "--missing", "-1"], "nan or 0"),
        (["-k", 2, "--layout", "tall"], '"wide"'),
        (["-k", 2, "--max-iter", 0], "max_iter=0"),
        (["-k", 2, "--tol", "-1"], "tol=-1"),
        (["-k", 2, "--n-init", 0], "n_init=0"),
        (["-k", 2, "--max-seconds", -1], "max_seconds"),
    ],
)
def test_bad_options(fails: Fails, counts: Path, options: list[object], message: str) -> None:
    assert message in fails("fit", counts, *options)


@pytest.mark.parametrize("options", [["-k", "two"], ["-k", "2.5"], [], ["-k", 2, "--threads", 0]])
def test_what_the_parser_refuses(run: Run, counts: Path, options: list[object]) -> None:
    outcome = run("fit", counts, *options, code=2)
    assert outcome.out == ""
    assert "Error" in outcome.err


def test_unknown_commands(run: Run) -> None:
    assert "No such command" in run("fitt", code=2).err


@pytest.mark.parametrize(
    ("problem", "message"),
    [
        (OSError(28, "No space left on device", "X.csv"), "'X.csv': No space left on device"),
        (OSError("the disk is gone"), "the disk is gone"),
        (MemoryError(), "no memory is left"),
    ],
)
def test_what_the_system_refuses(
    fails: Fails,
    counts: Path,
    monkeypatch: pytest.MonkeyPatch,
    problem: BaseException,
    message: str,
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise problem

    monkeypatch.setattr(table_module, "read_table", fail)
    assert message in fails("fit", counts, "-k", 2)


# --- outputs ------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["fit", "transform"])
def test_an_existing_output_is_refused_before_the_work(
    fails: Fails, run: Run, model: Path, counts: Path, tmp_path: Path, command: str
) -> None:
    out = tmp_path / "out.csv"
    out.write_text("mine")
    missing = tmp_path / "no such table.csv"  # never reached
    given = ["fit", missing, "-k", 2] if command == "fit" else ["transform", model, missing]
    message = fails(*given, "-o", out)
    assert "exists already" in message
    assert "--force" in message
    assert out.read_text() == "mine"
    assert "no such file" in fails(*given, "-o", out, "--force")
    assert out.read_text() == "mine"
    given[given.index(missing)] = counts
    run(*given, "-o", out, "--force")
    assert out.read_bytes() != b"mine"


def test_folders_that_cannot_be_written(fails: Fails, model: Path, tmp_path: Path) -> None:
    table = tmp_path / "no such table.csv"  # never reached
    blocked = tmp_path / "file"
    blocked.write_text("")
    for out in (tmp_path / "none" / "m.csv", blocked / "m.csv"):
        for given in (["fit", table, "-k", 2], ["transform", model, table]):
            message = fails(*given, "-o", out)
            assert "there is no folder" in message or "not writable" in message
    assert "it is a directory" in fails("fit", table, "-k", 2, "-o", tmp_path)


def test_an_output_without_format(fails: Fails, model: Path, counts: Path, tmp_path: Path) -> None:
    message = fails("transform", model, counts, "-o", tmp_path / "W.xlsx")
    assert ".csv, .tsv, .npz, .npy" in message


# --- model files --------------------------------------------------------------------------------


def test_damaged_models(fails: Fails, model: Path, counts: Path, tmp_path: Path) -> None:
    data = model.read_bytes()
    damaged = tmp_path / "damaged.nonneg"
    altered = bytearray(data)
    altered[-1] ^= 1
    for content in (data[:-7], data[:40], b"", bytes(altered), b"name,a\nx,1\n"):
        damaged.write_bytes(content)
        for given in (["show", damaged], ["transform", damaged, counts, "-o", tmp_path / "W.csv"]):
            assert "cannot load" in fails(*given)


def test_a_pickle_is_never_opened(fails: Fails, tmp_path: Path) -> None:
    path = tmp_path / "object.npy"
    np.save(path, np.array([{}], dtype=object), allow_pickle=True)
    assert "object" in fails("fit", path, "-k", 1)


def test_a_corrupt_sparse_file(fails: Fails, tmp_path: Path) -> None:
    path = tmp_path / "corrupt.npz"
    X = scipy.sparse.random(5, 4, 0.5, "csr", random_state=0)
    X.indices[0] = 99
    np.savez(path, format=b"csr", shape=X.shape, data=X.data, indices=X.indices, indptr=X.indptr)
    assert "corrupt.npz" in fails("fit", path, "-k", 1)


def test_an_input_is_never_overwritten(fails: Fails, run: Run, tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    table.write_text("name,a,b\nx,1,2\ny,3,4\nz,5,1\n")
    ratings = tmp_path / "r.csv"
    ratings.write_text("user,item,rating\nu,i,3\nu,j,4\nv,i,5\n")
    model = tmp_path / "m.nonneg"
    run("fit", table, "-k", 1, "-o", model)
    before = {path: path.read_bytes() for path in (table, ratings, model)}
    link = tmp_path / "link.csv"
    link.symlink_to(table)
    for command in (
        ("fit", table, "-k", 1, "-o", table, "--force"),
        ("fit", table, "-k", 1, "-o", link, "--force"),
        ("transform", model, table, "-o", table, "--force"),
        ("recommend", ratings, "--user", "u", "-o", ratings, "--force"),
    ):
        assert "the command reads it" in fails(*command)
    assert {path: path.read_bytes() for path in before} == before
