"""Rows into files, and back by other readers."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from nonneg.errors import InputError, OutputExistsError
from nonneg.io.records import write_records

ROWS = [
    {"name": 'a, "b"\nc', "share": 0.1 + 0.2, "mixed": True, "second": None},
    {"name": "\u00e9\t", "share": 1e-9, "mixed": False, "second": 3},
]


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".csv.gz", ".tsv.gz"])
def test_tables(tmp_path: Path, suffix: str) -> None:
    path = write_records(tmp_path / f"a{suffix}", ROWS)
    separator = "\t" if "tsv" in suffix else ","
    frame = pd.read_csv(path, sep=separator, float_precision="round_trip")
    assert frame["name"].tolist() == [row["name"] for row in ROWS]
    assert frame["share"].tolist() == [row["share"] for row in ROWS]
    assert frame["second"].isna().tolist() == [True, False]
    assert path.read_bytes() == write_records(path, ROWS, force=True).read_bytes()


def test_json(tmp_path: Path) -> None:
    assert json.loads(write_records(tmp_path / "a.json", ROWS).read_text("utf-8")) == ROWS
    lines = write_records(tmp_path / "a.jsonl", ROWS).read_text("utf-8").splitlines()
    assert [json.loads(line) for line in lines] == ROWS


def test_what_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="names no format"):
        write_records(tmp_path / "a.xlsx", ROWS)
    (tmp_path / "a.csv").write_text("mine")
    with pytest.raises(OutputExistsError):
        write_records(tmp_path / "a.csv", ROWS)
    assert (tmp_path / "a.csv").read_text() == "mine"
