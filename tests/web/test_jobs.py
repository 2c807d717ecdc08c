"""Work in processes of its own: progress, cancelling, crashes, limits."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass

import numpy as np
import pytest

pytest.importorskip("fastapi")

from nonneg.io.table import Table
from nonneg.web.jobs import Job
from nonneg.web.store import Limits, Opened
from nonneg.web.tasks import FitFactors, Say

from .conftest import Visitor


@dataclass(frozen=True)
class Endless:
    """Work that never ends."""

    def run(self, say: Say, limits: Limits) -> Opened:
        say.phase("for ever", 0.5)
        while True:
            time.sleep(0.01)


@dataclass(frozen=True)
class Dying:
    """Work that takes its process with it."""

    def run(self, say: Say, limits: Limits) -> Opened:
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError


def started(visitor: Visitor, task) -> Job:
    return visitor.explorer.jobs.start("a test", task)


def test_a_cancelled_fit_ends_at_once_and_keeps_nothing(visitor: Visitor) -> None:
    before = len(list(visitor.explorer.store))
    job = started(visitor, Endless())
    while job.facts()["phase"] != "for ever":
        time.sleep(0.01)
    assert job.facts()["share"] == 0.5
    assert "for ever" in visitor.client.get(f"/jobs/{job.number}").text
    visitor.post(f"/jobs/{job.number}/cancel")
    assert job.facts()["state"] == "cancelled"
    job._process.join(5)
    assert not job._process.is_alive()
    assert len(list(visitor.explorer.store)) == before


def test_a_process_that_dies_is_told(visitor: Visitor) -> None:
    job = started(visitor, Dying())
    assert job.ended.wait(30)
    assert job.facts()["state"] == "failed"
    assert "memory" in job.facts()["message"]


def test_the_curve_is_the_history(visitor: Visitor) -> None:
    X = np.random.default_rng(0).gamma(1.0, size=(40, 30))
    job = started(visitor, FitFactors(Table(X, None, None, "x"), 5))
    assert job.ended.wait(60)
    entry = visitor.explorer.store.get(job.entry)
    history = [[step.n_iter, step.objective] for step in entry.opened.thing.history]
    assert job.facts()["curve"] == history[:400]
    whole, since = [], 0
    while (part := job.facts(since))["curve"]:
        whole += part["curve"]
        since = part["points"]
    assert whole == history


def test_no_more_fits_than_the_machine_takes(small) -> None:
    someone = small(jobs=1)
    job = started(someone, Endless())
    refused = someone.post("/examples/talk")
    assert refused.status_code == 400
    assert "under way" in refused.text
    job.cancel()
