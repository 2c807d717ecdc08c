"""Reading and fitting in a process of its own, so that pages stay quick and a click ends it.

Processes come from a server that has loaded the libraries once and never ran anything: a job starts
in milliseconds where the system can fork, and nothing it does to memory touches the pages.
"""

from __future__ import annotations

import contextlib
import itertools
import multiprocessing
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from nonneg.errors import InputError, UnknownNameError
from nonneg.report.facts import Facts
from nonneg.web.store import Entry, Limits, Opened, Store
from nonneg.web.tasks import Task, run_task

__all__ = ["Job", "Jobs"]

_KEPT = 50  # finished jobs whose page can still be seen
_CURVE = 400  # points of a curve that are sent at a time
_ENDING = 2.0  # seconds that a process has to end by itself


class Job:
    """One piece of work under way.

    Attributes
    ----------
    number : int
    name : str
        What it will be called when it is done.
    state : str
        "running", "done", "failed" or "cancelled".
    """

    def __init__(self, number: int, name: str, process: Any, parent: Entry | None) -> None:
        self.number, self.name, self.parent = number, name, parent
        self.state, self.phase, self.share, self.message = "running", "starting", 0.0, ""
        self.entry: int | None = None
        self.ended = threading.Event()
        self._began = self._until = time.monotonic()
        self._process = process
        self._curve: list[tuple[int, float]] = []
        self._lock = threading.Lock()

    def facts(self, since: int = 0) -> Facts:
        """How it goes.

        Returns
        -------
        dict
            `number`, `name`, `state`, `phase`, `share` (of the phase, 0 to 1), `message` (of a
            failure), `seconds`, `entry` (its number when done, else None), and `curve`: iteration
            and objective from point `since` on, and `points`, how many there are.
        """
        until = time.monotonic() if self.state == "running" else self._until
        curve = self._curve[since : since + _CURVE]
        return {
            "number": self.number,
            "name": self.name,
            "state": self.state,
            "phase": self.phase,
            "share": self.share,
            "message": self.message,
            "seconds": until - self._began,
            "entry": self.entry,
            "curve": [list(point) for point in curve],
            "points": since + len(curve),
        }

    def cancel(self) -> None:
        """End it now; nothing of it is kept."""
        self._end("cancelled", "cancelled: nothing was kept")
        self._process.terminate()

    def follow(self, source: Connection, keep: Callable[[Opened], Entry]) -> None:
        """Listen to the process until it ends."""
        try:
            while True:
                word, told = source.recv()
                if word == "step":
                    self._curve.append(told)
                elif word == "phase":
                    self.phase, self.share = told
                elif word == "failed":
                    self._end("failed", told)
                elif self.state == "running":
                    self.entry = keep(told).number
                    self._end("done", "")
        except (EOFError, OSError):
            self._end(
                "failed",
                "the process ended without an answer · most likely memory ran out · try fewer "
                "rows, or fewer components",
            )
        except InputError as error:  # there is no room for it
            self._end("failed", str(error))
        finally:
            source.close()
            self._process.join(_ENDING)
            if self._process.is_alive():
                self._process.kill()
                self._process.join()

    def _end(self, state: str, message: str) -> None:
        with self._lock:
            if self.state == "running":
                self._until = time.monotonic()
                self.state, self.message = state, message
        self.ended.set()


class Jobs:
    """The work of this session."""

    def __init__(self, store: Store, limits: Limits) -> None:
        self._store, self._limits = store, limits
        self._jobs: dict[int, Job] = {}
        self._numbers = itertools.count(1)
        methods = multiprocessing.get_all_start_methods()
        self._context: Any = multiprocessing.get_context(
            "forkserver" if "forkserver" in methods else "spawn"
        )
        self._context.set_forkserver_preload(["nonneg.web.loaded"])

    def warm_up(self) -> None:
        """Have the libraries loaded before the first job."""
        process = self._context.Process(target=_nothing, daemon=True)
        process.start()
        process.join()

    def start(self, name: str, task: Task, parent: Entry | None = None) -> Job:
        """Begin a task; its answer becomes an entry of the store."""
        running = [job for job in self._jobs.values() if job.state == "running"]
        if len(running) >= self._limits.jobs:
            raise InputError(
                f"{len(running)} fits are under way · this machine does no more at a time · wait "
                "for one, or cancel one"
            )
        self._store.check_room()
        source, sink = self._context.Pipe(duplex=False)
        process = self._context.Process(
            target=run_task, args=(sink, task, self._limits), daemon=True
        )
        process.start()
        sink.close()
        job = Job(next(self._numbers), name, process, parent)
        self._jobs[job.number] = job
        for old in list(self._jobs)[:-_KEPT]:
            if self._jobs[old].state != "running":
                del self._jobs[old]

        def keep(opened: Opened) -> Entry:
            return self._store.add(name, opened, parent)

        threading.Thread(target=job.follow, args=(source, keep), daemon=True).start()
        return job

    def get(self, number: int) -> Job:
        """Return a job; raise UnknownNameError where there is none."""
        if number not in self._jobs:
            raise UnknownNameError(
                f"there is no work of number {number} · it was forgotten, or the explorer was "
                "started again · go to the start page"
            )
        return self._jobs[number]

    def running(self) -> list[Job]:
        """Those under way."""
        return [job for job in self._jobs.values() if job.state == "running"]

    def unopened(self) -> list[Job]:
        """What was to be opened and could not."""
        return [job for job in self._jobs.values() if job.state == "failed" and not job.parent]

    def close(self) -> None:
        """End all of it."""
        for job in self.running():
            with contextlib.suppress(OSError):
                job.cancel()


def _nothing() -> None:
    """What a process does that is started for its libraries."""
