"""The command line as tests call it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.cells import cell_len
from typer.testing import CliRunner

from nonneg.cli.app import app

WIDTH = 80


@dataclass
class Outcome:
    """What a command did."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        return json.loads(self.out)


Run = Callable[..., Outcome]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command in this process; every line of its answer fits 80 columns."""
    monkeypatch.setenv("COLUMNS", str(WIDTH))
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE", "CLICOLOR_FORCE", "PY_COLORS"):
        monkeypatch.delenv(name, raising=False)

    def call(*arguments: object, code: int = 0) -> Outcome:
        result = CliRunner().invoke(app, [str(argument) for argument in arguments])
        outcome = Outcome(result.exit_code, result.stdout, result.stderr)
        told = f"{result.output}\n{result.exception!r}"
        assert outcome.code == code, told
        assert result.exception is None or isinstance(result.exception, SystemExit), told
        assert "Traceback" not in result.output
        assert "\x1b" not in result.output, "colour codes without a terminal"
        if "--json" not in arguments:
            wide = [line for line in outcome.out.splitlines() if cell_len(line) > WIDTH]
            assert not [line for line in wide if not line.startswith(("Wrote ", "/"))]
        return outcome

    return call


@pytest.fixture
def fails(run: Run) -> Callable[..., str]:
    """Run a command that must end with exit code 2, one message and nothing on stdout."""

    def call(*arguments: object) -> str:
        outcome = run(*arguments, code=2)
        assert outcome.out == ""
        lines = [line for line in outcome.err.splitlines() if not line.startswith("note: ")]
        assert len(lines) == 1, outcome.err
        assert lines[0].startswith("error: ")
        message = lines[0].removeprefix("error: ")
        # What is true, and then what to do.
        assert re.search(r"[·.:;] *\S", message), message
        return message

    return call


@pytest.fixture
def counts(tmp_path: Path) -> Path:
    """A small table with names: two groups of words in six documents."""
    path = tmp_path / "counts.csv"
    path.write_text(
        "name,goal,match,team,vote,law,[bold]party[/bold]\n"
        "sport1,9,8,7,0,1,0\n"
        "sport2,8,9,6,1,0,0\n"
        "sport3,4,5,4,0,0,0\n"
        "politics1,0,1,0,9,8,7\n"
        "politics2,0,0,1,5,4,4\n"
        "both,4,4,4,4,4,4\n"
    )
    return path


@pytest.fixture
def model(run: Run, counts: Path, tmp_path: Path) -> Path:
    """The counts in two components, saved."""
    path = tmp_path / "counts.nonneg"
    run("fit", counts, "-k", 2, "-o", path)
    return path


@pytest.fixture
def count_values(counts: Path) -> np.ndarray:
    return np.loadtxt(counts, delimiter=",", skiprows=1, usecols=range(1, 7))
