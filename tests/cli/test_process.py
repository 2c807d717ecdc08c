"""The command line as a process: terminals, pipes, signals, and how soon it answers."""

from __future__ import annotations

import io
import json
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import nonneg
from nonneg.cli import console
from nonneg.io import table as table_module

from .conftest import Run

NONNEG = [sys.executable, "-m", "nonneg"]


def environment(**extra: str) -> dict[str, str]:
    drop = ("FORCE_COLOR", "NO_COLOR", "TTY_COMPATIBLE", "PYTHONWARNINGS")
    kept = {name: value for name, value in os.environ.items() if name not in drop}
    return kept | {"COLUMNS": "80", "TERM": "xterm-256color"} | extra


def execute(*arguments: object, **extra: str) -> subprocess.CompletedProcess[str]:
    command = [*NONNEG, *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, encoding="utf-8", env=environment(**extra)
    )


def test_version_and_help() -> None:
    assert execute("--version").stdout == f"nonneg {nonneg.__version__}\n"
    done = execute("--help")
    assert done.returncode == 0
    for command in ("demo", "fit", "transform", "show", "recommend", "doctor"):
        assert f" {command} " in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_no_traceback_and_exit_code_2(tmp_path: Path) -> None:
    done = execute("fit", tmp_path / "none.csv", "-k", "2")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("error: cannot read")
    assert done.stderr.count("\n") == 1


def test_json_is_all_of_stdout(counts: Path) -> None:
    done = execute("fit", counts, "-k", "2", "--json")
    assert json.loads(done.stdout)["rank"] == 2


def test_a_terminal_without_unicode(counts: Path) -> None:
    done = execute("fit", counts, "-k", "2", PYTHONIOENCODING="ascii")
    assert done.returncode == 0
    assert "6 columns in 2 components" in done.stdout
    assert "nothing was saved ? add" in done.stderr


def test_a_reader_that_stops_early(model: Path) -> None:
    process = subprocess.Popen(
        [*NONNEG, "show", str(model)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
    )
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    assert b"Traceback" not in process.stderr.read()
    process.stderr.close()
    process.wait(30)


# --- Ctrl-C -------------------------------------------------------------------------------------


def test_interrupted_fits_keep_the_best_so_far(
    run: Run, counts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def press(self: console.Work, step: nonneg.Step) -> None:
        if step.n_iter == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(console.Work, "step", press)
    path = tmp_path / "m.nonneg"
    outcome = run("fit", counts, "-k", 2, "--tol", 0, "-o", path, "--json")
    assert outcome.json["status"] == "interrupted"
    assert "note: Interrupted" in outcome.err
    assert isinstance(nonneg.load(path), nonneg.NMF)


def test_interrupted_before_there_is_anything(
    run: Run, counts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def press(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(table_module, "read_table", press)
    outcome = run("fit", counts, "-k", 2, "-o", tmp_path / "m.nonneg", code=130)
    assert outcome.err == "interrupted: nothing was written\n"
    assert not (tmp_path / "m.nonneg").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are POSIX")
def test_progress_on_a_terminal_and_a_real_ctrl_c(tmp_path: Path) -> None:
    table = tmp_path / "X.npy"
    np.save(table, np.random.default_rng(0).random((1500, 900)))
    model = tmp_path / "m.nonneg"
    parent, child = os.openpty()
    command = [*NONNEG, "fit", str(table), "-k", "20", "--tol", "0", "--max-iter", "100000000"]
    process = subprocess.Popen(
        [*command, "-o", str(model), "--json"],
        stdout=subprocess.PIPE,
        stderr=child,
        env=environment(),
        start_new_session=True,
    )
    os.close(child)
    seen, deadline = b"", time.monotonic() + 60
    while b"iteration" not in seen and time.monotonic() < deadline:
        if select.select([parent], [], [], 1)[0]:
            seen += os.read(parent, 4096)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    while select.select([parent], [], [], 0)[0]:
        try:
            seen += os.read(parent, 4096)
        except OSError:  # the other end is closed
            break
    os.close(parent)
    assert b"iteration" in seen
    assert b"objective" in seen
    assert b"Traceback" not in seen
    assert process.returncode == 0
    assert json.loads(out)["status"] == "interrupted"
    assert model.exists()


def test_a_colour_terminal_gets_colour(model: Path) -> None:
    assert "\x1b[" in execute("show", model, FORCE_COLOR="1").stdout
    assert "\x1b[" not in execute("show", model).stdout


class FakeTerminal(io.StringIO):
    """A stderr that says it is a terminal."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def test_the_bar_comes_late_and_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "80")
    terminal = FakeTerminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with console.Work(10) as work:
        work.phase("quick")
    assert terminal.getvalue() == ""
    monkeypatch.setattr(console, "_PROGRESS_AFTER", 0.01)
    with console.Work(10, max_seconds=2) as work:
        work.phase("reading [table].csv")
        deadline = time.monotonic() + 30
        while "reading" not in terminal.getvalue() and time.monotonic() < deadline:
            time.sleep(0.01)
        for run, n_iter in ((1, 1), (1, 9), (2, 1)):
            work.step(nonneg.Step(n_iter, 1.5 / run, 0.1, 0.5, 0.0))
        console.note("said meanwhile")
    shown = terminal.getvalue()
    assert "reading [table].csv" in shown
    assert "run 2, iteration 1, objective 0.75" in shown
    assert "note: said meanwhile" in shown
    assert console._bar is None
