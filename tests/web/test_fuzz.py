"""Whatever is sent to any route that the OpenAPI text names: an answer or a reason, never a crash.

The numbers of things are turned into those that are open, so that what lies behind them is reached.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, settings

pytest.importorskip("fastapi")
pytest.importorskip("schemathesis", reason="schemathesis is missing")
import schemathesis

from .conftest import ORIGIN, Visitor, application, visit

TABLE = "name,a,b,c\nu,1,2,\nv,3,1,4\nw,2,2,1\nx,5,1,2\n"
TEXTS = "text\n" + "goal team match\nvote law party\n" * 6


@pytest.fixture(scope="module")
def filled() -> Iterator[Visitor]:
    """An explorer in which something of each kind is open, from number 1 on."""
    with visit() as someone:
        someone.post("/examples/talk")
        someone.post("/paste", data={"text": TABLE})
        someone.post("/paste", data={"text": TEXTS, "holds": "texts"})
        someone.post("/open/2/fit/factors", data={"rank": 2})
        someone.post("/open/2/fit/recommender", data={"rank": 1, "models": 1})
        someone.post("/open/2/fit/classes", data={"rank": 2, "runs": 2})
        someone.post("/open/2/fit/rank", data={"first": 1, "last": 2, "runs": 2})
        someone.post("/open/3/fit/topics", data={"rank": 2})
        someone.post("/open/2/fit/parts", data={"rank": 2, "width": 1})
        stack = io.BytesIO()
        np.save(stack, np.random.default_rng(0).random((6, 4, 4)))
        someone.post("/open", files={"file": ("stack.npy", stack.getvalue())})
        yield someone


schema = schemathesis.openapi.from_dict(application().openapi())
KEEP = "/open/{number}/close"


@schema.parametrize()
@settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_any_request_is_answered(case: Any, filled: Visitor) -> None:
    if "number" in case.path_parameters and case.path != KEEP:
        number = str(case.path_parameters["number"])
        case.path_parameters["number"] = 1 + sum(map(ord, number)) % 10
    sent = case.as_transport_kwargs(base_url=ORIGIN)
    sent["headers"]["origin"] = ORIGIN
    sent.pop("cookies", None)  # the client has the one that counts
    if isinstance(sent.get("data"), bytes | str):
        sent["content"] = sent.pop("data")
    if isinstance(sent.get("files"), list):  # a number is no body of a part
        sent["files"] = [
            (name, (called, part if isinstance(part, bytes | str) else str(part)))
            for name, (called, part) in sent["files"]
        ]
    answer = filled.client.request(**sent, follow_redirects=False)
    assert answer.status_code < 500, answer.text
    assert "script-src 'self'" in answer.headers["content-security-policy"]
    if answer.status_code >= 400 and answer.request.url.path.endswith(".json"):
        assert answer.json()["error"]
    if answer.headers.get("content-type") == "application/json":
        answer.json()
