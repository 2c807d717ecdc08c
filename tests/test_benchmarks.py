"""The harness of the benchmarks works on generated data: what is recorded, never how fast."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

GROUPS = ("startup", "speed", "survey", "masked", "curves", "memory", "growth", "plain")


@pytest.fixture(scope="module")
def records(repository, tmp_path_factory):
    folder = tmp_path_factory.mktemp("bench")
    command = [sys.executable, str(repository / "benchmarks/bench.py"), "--tiny", "--seeds", "1"]
    places = ["--output", str(folder), "--rivals", str(folder / "no-rivals")]
    done = subprocess.run([*command, *places], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.parametrize("group", GROUPS)
def test_a_record_says_what_where_and_with_which_versions(records, group):
    record = json.loads((records / f"{group}.json").read_text())
    assert record["rows"]
    assert record["about"]
    assert record["machine"]["cores"] >= 1
    assert record["machine"]["instruction_set"]
    assert record["versions"]["numpy"]
    assert record["settings"] == "tiny"


def test_a_race_ends_at_the_objective_of_the_rival(records):
    rows = json.loads((records / "speed.json").read_text())["rows"]
    raced = [row for row in rows if row["rival"] == "scikit-learn"]
    assert len(raced) == 4
    for row in raced:
        goal = row["theirs"]["runs"][0]["objective"]
        run = row["ours"]["runs"][0]
        # Another optimum may be a little higher; an objective of another loss would be far off.
        assert run["objective"] <= goal * 1.05
        assert run["met"] == (run["objective"] <= goal * (1 + 1e-6))
        assert row["missed"] == (not run["met"])
        assert row["null"]["objective"] > goal


def test_a_rival_that_is_missing_is_in_the_record_with_the_reason(records):
    record = json.loads((records / "speed.json").read_text())
    rows = [row for row in record["rows"] if row["rival"] == "nimfa"]
    assert rows
    assert all("not built" in row["missing"] for row in rows)
    assert "not built" in record["solvers"]["cmfrec"]["missing"]


def test_the_page_is_made_from_the_records(repository, records):
    page = records / "page" / "speed.md"
    page.parent.mkdir()
    page.write_text((repository / "docs/explanation/speed.md").read_text())
    script = str(repository / "benchmarks/report.py")
    command = [sys.executable, script, "--results", str(records), "--page", str(page)]
    subprocess.run(command, check=True, capture_output=True)
    text = page.read_text()
    assert "| small dense | kullback-leibler, 5 | scikit-learn |" in text
    assert "missing: its environment was not built" in text
    pictures = list((page.parent / "pictures").glob("*.svg"))
    # The curves of a set, growth with the entries and with the rank.
    assert len(pictures) == 3
    assert all(f"pictures/{picture.name}" in text for picture in pictures)
