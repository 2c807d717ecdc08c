"""Nobody comes in but by the link, on any route and any kind of connection."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

pytest.importorskip("fastapi")
from starlette.testclient import TestClient

from nonneg.web.app import make_app
from nonneg.web.guard import Door

from .conftest import ORIGIN, PORT, Visitor

DOOR = Door(PORT, token="the-token-of-the-link", secret="the-secret-of-the-cookie")
GUARD, _ = make_app(DOOR)
APP = GUARD._app._app


def routes() -> list[tuple[str, str]]:
    """Every method and path that the application has, mounted files and unknown paths included."""
    found = [("GET", "/static/explore.js"), ("GET", "/openapi.json"), ("GET", "/nowhere")]
    for path, methods in APP.openapi()["paths"].items():
        found += [(method.upper(), path.replace("{number}", "1")) for method in methods]
    for route in APP.routes:
        for method in getattr(route, "methods", None) or ():
            found.append((method, route.path.replace("{number}", "1")))
    return sorted(set(found))


@pytest.fixture(scope="module")
def stranger() -> Any:
    return TestClient(GUARD, base_url=ORIGIN)


@pytest.mark.parametrize(("method", "path"), routes())
def test_every_route_is_closed_to_strangers(stranger: Any, method: str, path: str) -> None:
    refused = stranger.request(method, path, headers={"origin": ORIGIN})
    assert refused.status_code == 403
    assert "script-src 'self'" in refused.headers["content-security-policy"]
    with_cookie = {"cookie": f"{DOOR.cookie}={DOOR.secret}"}
    other = {"origin": "http://evil.example", **with_cookie}
    assert stranger.request(method, path, headers=other).status_code == 403
    assert (
        stranger.request(method, path, headers={"origin": "null", **with_cookie}).status_code == 403
    )
    rebound = {"host": f"evil.example:{PORT}", "origin": ORIGIN, **with_cookie}
    assert stranger.request(method, path, headers=rebound).status_code == 421
    if method not in ("GET", "HEAD", "OPTIONS"):
        assert stranger.request(method, path, headers=with_cookie).status_code == 403


def test_there_are_many_routes() -> None:
    paths = {path for _, path in routes()}
    assert {"/", "/open", "/paste", "/open/1/why.json", "/jobs/1/cancel"} & paths
    assert len(paths) > 20


@pytest.mark.parametrize(
    "path", ["/enter", "/enter?token=", "/enter?token=x", "/enter?token=%C3%A9", "/enter?tok=1"]
)
def test_a_wrong_token_gets_no_cookie(stranger: Any, path: str) -> None:
    refused = stranger.get(path)
    assert refused.status_code == 403
    assert "set-cookie" not in refused.headers


def test_the_token_is_for_a_get_only_and_becomes_a_strict_cookie(stranger: Any) -> None:
    link = f"/enter?token={DOOR.token}"
    assert stranger.post(link, headers={"origin": ORIGIN}).status_code == 403
    entered = TestClient(GUARD, base_url=ORIGIN).get(link)
    cookie = entered.headers["set-cookie"]
    assert DOOR.token not in cookie
    assert {"HttpOnly", "SameSite=strict", "Path=/"} <= {part.strip() for part in cookie.split(";")}


def test_wrong_cookies(stranger: Any) -> None:
    for cookie in ("x", DOOR.secret[:-1], DOOR.secret + "0", DOOR.token, "é"):
        headers = [(b"cookie", f"{DOOR.cookie}={cookie}".encode())]
        assert stranger.get("/", headers=headers).status_code == 403


@pytest.mark.parametrize("cookie", [None, "wrong", DOOR.secret])
@pytest.mark.parametrize("origin", [None, "http://evil.example", ORIGIN])
def test_websockets_meet_the_same_guard(cookie: str | None, origin: str | None) -> None:
    headers = [(b"host", f"127.0.0.1:{PORT}".encode())]
    if cookie is not None:
        headers.append((b"cookie", f"{DOOR.cookie}={cookie}".encode()))
    if origin is not None:
        headers.append((b"origin", origin.encode()))
    scope = {"type": "websocket", "path": "/live", "query_string": b"", "headers": headers}
    passed: list[str] = []

    async def inside(scope: Any, receive: Any, send: Any) -> None:
        passed.append(scope["path"])

    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    guard = type(GUARD)(inside, DOOR, body_bytes=1, upload_bytes=1, uploads=())
    asyncio.run(guard(scope, receive, send))
    if cookie == DOOR.secret and origin == ORIGIN:
        assert passed == ["/live"]
    else:
        assert not passed
        assert sent == [{"type": "websocket.close", "code": 1008}]


def test_a_kind_of_connection_that_nobody_knows_is_refused() -> None:
    with pytest.raises(RuntimeError, match="unknown"):
        asyncio.run(GUARD({"type": "webtransport"}, None, None))  # type: ignore[arg-type]


def test_two_hosts_or_two_origins_are_refused(stranger: Any) -> None:
    good = [("cookie", f"{DOOR.cookie}={DOOR.secret}"), ("origin", ORIGIN)]
    assert stranger.get("/nowhere", headers=good).status_code == 404
    assert stranger.get("/", headers=[*good, ("origin", "http://evil.example")]).status_code == 403


def test_bodies_are_limited_whether_they_say_their_length_or_not(visitor: Visitor) -> None:
    data = b"text=" + b"x" * (9 * 2**20)
    headers = {"origin": ORIGIN, "content-type": "application/x-www-form-urlencoded"}
    assert visitor.client.post("/paste", content=data, headers=headers).status_code == 413
    chunks = (data[i : i + 65536] for i in range(0, len(data), 65536))
    assert visitor.client.post("/paste", content=chunks, headers=headers).status_code == 413


def test_headers_on_every_answer(visitor: Visitor) -> None:
    for path in ("/", "/index.json", "/static/explore.css", "/nowhere", "/jobs/77"):
        headers = visitor.client.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        script = policy.split("script-src")[1].split(";")[0]
        assert script.strip() == "'self'"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert "access-control-allow-origin" not in headers
        assert "no-" in headers["cache-control"]
