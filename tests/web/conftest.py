"""The explorer as tests reach it: in this process behind its guard, and as a person starts it."""

from __future__ import annotations

import contextlib
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

pytest.importorskip("fastapi")
from starlette.testclient import TestClient

from nonneg.web.app import make_app
from nonneg.web.guard import Door
from nonneg.web.store import Limits
from nonneg.web.views import Explorer

PORT = 8123
ORIGIN = f"http://127.0.0.1:{PORT}"


@dataclass
class Visitor:
    """Somebody who came in by the link."""

    client: TestClient
    door: Door
    explorer: Explorer

    def post(self, path: str, **given: Any) -> Any:
        """Send a form as a page of the explorer does, and wait for what comes of it."""
        headers = {"origin": ORIGIN}
        answer = self.client.post(path, headers=headers, follow_redirects=False, **given)
        while re.match(r"/jobs/\d+$", answer.headers.get("location", "")):
            job = self.client.get(answer.headers["location"] + ".json").json()
            if job["state"] in ("failed", "cancelled"):
                return job
            if job["page"]:
                return job["page"]
            time.sleep(0.05)
        return answer.headers["location"] if answer.status_code == 303 else answer

    def get(self, path: str) -> Any:
        """Facts, from a path that ends in .json."""
        answer = self.client.get(path)
        assert answer.status_code == 200, answer.text
        return answer.json()


def application() -> Any:
    """The routes alone, for what they say of themselves."""
    guard, _ = make_app(Door(PORT))
    return guard._app._app


@contextlib.contextmanager
def visit(limits: Limits | None = None) -> Iterator[Visitor]:
    """Open an explorer of one's own."""
    door = Door(PORT)
    guard, explorer = make_app(door, limits)
    with TestClient(guard, base_url=ORIGIN) as client:
        assert client.get(f"/enter?token={door.token}").status_code == 200
        yield Visitor(client, door, explorer)


@pytest.fixture(scope="package")
def visitor() -> Iterator[Visitor]:
    """An explorer that the tests of a run share."""
    with visit() as someone:
        yield someone


@pytest.fixture(scope="package")
def talk(visitor: Visitor) -> str:
    """The address of the talk's example, without its page."""
    page: str = visitor.post("/examples/talk")
    return page.rsplit("/", 1)[0]


@pytest.fixture
def small() -> Iterator[Callable[..., Visitor]]:
    """Explorers with limits of their own."""
    with contextlib.ExitStack() as stack:
        yield lambda **limits: stack.enter_context(visit(Limits(**limits)))


@pytest.fixture(scope="session")
def link() -> Iterator[str]:
    """The link that `nonneg explore` prints, as long as it runs."""
    command = [sys.executable, "-m", "nonneg", "explore", "--no-browser"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        told = process.stdout.readline().strip()
        assert told.startswith("http://127.0.0.1:")
        yield told
        process.terminate()
        process.wait(10)
