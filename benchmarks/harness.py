"""Runs tasks in processes of their own, judges what comes back, and says what was missing."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Self

from objective import objective
from rivals import environment
from task import Answer, Matrix, Task, Triplets, load_answer, save_data, save_task

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Outcome:
    """How one task went.

    Attributes
    ----------
    task : Task
    answer : Answer or None
        None where it failed.
    objectives : list of float
        Of each fit, recomputed in float64 (empty for ratings).
    failure : str or None
    overhead : float
        Seconds of the process beyond the fit: start, imports, reading and writing.
    """

    task: Task
    answer: Answer | None
    objectives: list[float] = field(default_factory=list)
    failure: str | None = None
    overhead: float = 0.0

    @property
    def objective(self) -> float:
        """The objective of the only fit."""
        return self.objectives[0]

    def told(self) -> dict[str, object]:
        """What the record keeps of one fit."""
        if self.answer is None:
            return {"seed": self.task.seed, "failed": self.failure}
        kept: dict[str, object] = {"seed": self.task.seed, "seconds": self.answer.seconds}
        if self.answer.n_iter is not None:
            kept["n_iter"] = self.answer.n_iter
        if self.objectives:
            kept["objective"] = self.objective
        return kept | self.answer.facts


@dataclass
class Bench:
    """What all groups share: options, a scratch folder, the solvers that are there.

    Attributes
    ----------
    data : Path or None
        Folder of the real data.
    cache : Path
        Where the rivals' environment lies.
    full : bool
        Everything, or minutes.
    tiny : bool
        Generated data only: whether the harness works, not how fast anything is.
    n_seeds : int
        Of ours.
    threads : int
    timeout : float
        Seconds that one process may take.
    """

    data: Path | None
    cache: Path
    full: bool = False
    tiny: bool = False
    n_seeds: int = 3
    threads: int = 2
    timeout: float = 1800.0
    found: dict[str, dict[str, str]] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    _shelf: dict[str, Path] = field(default_factory=dict)
    _jobs: int = 0

    def __enter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory(prefix="nonneg-bench-")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._folder.cleanup()

    @cached_property
    def scratch(self) -> Path:
        """Folder of this run's data and jobs."""
        return Path(self._folder.name)

    def has(self, solver: str) -> bool:
        """Return whether a solver can run; why not is kept for the record."""
        name = name_of(solver)
        if name not in self.found and name not in self.missing:
            command = [str(HERE / "worker.py"), "--probe", solver]
            python = self._python(solver)
            if not python.exists():
                self.missing[name] = environment.reason(self.cache, "")
                return False
            done = self._process([str(python), *command])
            if done.returncode:
                last = (done.stderr.strip().splitlines() or ["no message"])[-1]
                rival = importlib.import_module(f"rivals.{solver}").HOME == "rivals"
                self.missing[name] = environment.reason(self.cache, last) if rival else last
            else:
                self.found[name] = json.loads(done.stdout.strip().splitlines()[-1])
        return name in self.found

    def run(
        self, name: str, data: Matrix | Triplets, task: Task, *, judged: bool = True
    ) -> Outcome:
        """Run one task on the data called `name`, and recompute the objective of what it found."""
        folder = self.scratch / f"job{self._jobs}"
        self._jobs += 1
        save_task(folder, task, self._stored(name, data))
        started = time.perf_counter()
        try:
            done = self._process(
                [str(self._python(task.solver)), str(HERE / "worker.py"), str(folder)],
                task.threads,
            )
        except subprocess.TimeoutExpired:
            return Outcome(task, None, failure=f"took more than {self.timeout:.0f} s")
        wall = time.perf_counter() - started
        if done.returncode:
            last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
            return Outcome(task, None, failure=last)
        answer = load_answer(folder)
        for path in folder.glob("*.npy"):
            path.unlink()
        values = [objective(data, W, H, task.loss) for W, H in answer.fits if judged]
        return Outcome(task, answer, values, overhead=wall - answer.seconds)

    def forget(self, name: str) -> None:
        """Remove the stored copy of a large data set."""
        for path in self._shelf.pop(name).glob("*.npy"):
            path.unlink()

    def _stored(self, name: str, data: Matrix | Triplets) -> Path:
        if name not in self._shelf:
            folder = self.scratch / f"set{self._jobs}"
            save_data(folder, data)
            self._shelf[name] = folder
        return self._shelf[name]

    def _python(self, solver: str) -> Path:
        if importlib.import_module(f"rivals.{solver}").HOME == "rivals":
            return environment.interpreter(self.cache)
        return Path(sys.executable)

    def _process(
        self, command: list[str], threads: int | None = None
    ) -> subprocess.CompletedProcess[str]:
        count = str(threads or self.threads)
        names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
        return subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            timeout=self.timeout,
            env=os.environ | dict.fromkeys(names, count),
        )


def name_of(solver: str) -> str:
    """What the record calls a solver."""
    return str(importlib.import_module(f"rivals.{solver}").NAME)
