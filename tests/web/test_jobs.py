"""Work in processes of its own: progress, cancelling, crashes, limits."""

from __future__ import annotations

import html
import importlib
import time
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

pytest.importorskip("fastapi")

from nonneg.io.table import Table
from nonneg.web.jobs import Job
from nonneg.web.serve import open_all
from nonneg.web.tasks import FitFactors

from .conftest import Visitor


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Tasks that a process of its own can import, however pytest was started."""
    monkeypatch.syspath_prepend(Path(__file__).parent / "work")
    return importlib.import_module("work_for_tests")


def reached(job: Job, phase: str) -> None:
    """Wait until a job says so; one that ended before is an error."""
    while job.facts()["phase"] != phase:
        assert job.facts()["state"] == "running", job.facts()["message"]
        time.sleep(0.01)


def started(visitor: Visitor, task) -> Job:
    return visitor.explorer.jobs.start("a test", task)


def test_a_cancelled_fit_ends_at_once_and_keeps_nothing(visitor: Visitor, work: ModuleType) -> None:
    before = len(list(visitor.explorer.store))
    job = started(visitor, work.Endless())
    reached(job, "for ever")
    assert job.facts()["share"] == 0.5
    assert "for ever" in visitor.client.get(f"/jobs/{job.number}").text
    visitor.post(f"/jobs/{job.number}/cancel")
    assert job.facts()["state"] == "cancelled"
    job._process.join(5)
    assert not job._process.is_alive()
    assert len(list(visitor.explorer.store)) == before


def test_a_process_that_dies_is_told(visitor: Visitor, work: ModuleType) -> None:
    job = started(visitor, work.Dying())
    assert job.ended.wait(30)
    assert job.facts()["state"] == "failed"
    assert job.facts()["phase"] == "dying"
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


def test_what_is_odd_is_a_note_of_the_page(visitor: Visitor) -> None:
    rows = "\n".join(["5,5,5,5"] * 3 + ["1,2,3,4", "4,3,2,1"])
    at = visitor.post("/paste", data={"text": rows}).rsplit("/", 1)[0]
    page = visitor.post(f"{at}/fit/parts", data={"width": 2, "rank": 2})
    (note,) = visitor.get(f"{page}.json")["notes"]
    assert note.startswith("3 of 5 images are of one shade")
    assert note in html.unescape(visitor.client.get(page).text)


def test_many_files_are_opened_one_after_the_other(small, tmp_path: Path) -> None:
    someone = small(jobs=1)
    paths = [tmp_path / f"{i}.csv" for i in range(3)]
    for path in paths:
        path.write_text("a,b\n1,2\n3,4\n")
    (tmp_path / "1.csv").write_text("a,b\n1,red\n3,4\n")
    open_all(someone.explorer.jobs, paths)
    told = someone.get("/index.json")
    assert [one["name"] for one in told["open"]] == ["0.csv", "2.csv"]
    assert [one["name"] for one in told["unopened"]] == ["1.csv"]
    assert "was not opened" in someone.client.get("/").text


def test_no_more_fits_than_the_machine_takes(small, work: ModuleType) -> None:
    someone = small(jobs=1)
    job = started(someone, work.Endless())
    reached(job, "for ever")
    refused = someone.post("/examples/talk")
    assert refused.status_code == 400
    assert "under way" in refused.text
    job.cancel()
