"""One gate before everything: who may talk to the explorer, how much, and what a page may load.

The guard is the outermost ASGI application, for http and websocket alike. Whatever is not allowed
here is refused before any route is looked at: another Host (DNS rebinding), another Origin (a page
of the web that posts to this machine), no cookie, a body that is too long. The cookie is had for
the token of the link that the terminal prints.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["ENTRANCE", "Door", "Guard"]

ENTRANCE = "/enter"
_SAFE = ("GET", "HEAD", "OPTIONS")
# Plotly writes style elements and attributes; scripts are files of this server only, and no request
# leaves this machine.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; connect-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
_HEADERS = {
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
# Without a redirect: browsers keep a strict cookie from the requests that another site began.
_WELCOME = (
    '<!doctype html><html lang="en"><meta charset="utf-8">'
    '<meta http-equiv="refresh" content="0;url=/"><title>nonneg</title>'
    '<link rel="icon" href="/static/icon.svg" type="image/svg+xml">'
    '<p><a href="/">Open the explorer</a></p></html>'
)


@dataclass(frozen=True)
class Door:
    """What a visitor has to bring.

    Attributes
    ----------
    port : int
        Of the server: part of its hosts and origins, and of the cookie's name, since browsers
        share cookies between the ports of a machine.
    token, secret : str
        The token of the link, and the value of the cookie it is exchanged for.
    """

    port: int
    token: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    secret: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)

    @property
    def hosts(self) -> tuple[str, ...]:
        """Names under which this machine alone is reached."""
        return f"127.0.0.1:{self.port}", f"localhost:{self.port}"

    @property
    def cookie(self) -> str:
        """Name of the cookie."""
        return f"nonneg_{self.port}"

    @property
    def link(self) -> str:
        """The address that lets in."""
        return f"http://{self.hosts[0]}{ENTRANCE}?token={self.token}"


class _TooLongError(Exception):
    pass


class Guard:
    """Let in who comes through the door, and nobody else.

    Parameters
    ----------
    app : ASGI application
    door : Door
    body_bytes : int
        The longest body of a request.
    upload_bytes : int
        The longest body of a request to `uploads`.
    uploads : iterable of str
        Paths that take files.
    """

    def __init__(
        self,
        app: ASGIApp,
        door: Door,
        *,
        body_bytes: int,
        upload_bytes: int,
        uploads: Iterable[str],
    ) -> None:
        self._app, self._door = app, door
        self._body, self._upload, self._uploads = body_bytes, upload_bytes, frozenset(uploads)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or refuse."""
        kind = scope["type"]
        if kind == "lifespan":
            await self._app(scope, receive, send)
        elif kind == "http":
            await self._http(scope, receive, _with_headers(send, scope["path"]))
        elif kind == "websocket" and self._refusal(scope, changes=True) is None:
            await self._app(scope, receive, send)
        elif kind == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            raise RuntimeError(f"unknown kind of connection: {kind}")

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        refused = self._refusal(scope, changes=scope["method"] not in _SAFE)
        if refused is not None:
            await refused(scope, receive, send)
            return
        if scope["path"] == ENTRANCE:
            await self._welcome()(scope, receive, send)
            return
        limit = self._upload if scope["path"] in self._uploads else self._body
        body = _Body(scope, receive, limit)
        began = False

        async def watched(message: Message) -> None:
            nonlocal began
            if not body.too_long or began:
                began = True
                await send(message)

        # Said below; the application may have caught it and given another reason.
        with contextlib.suppress(_TooLongError):
            await self._app(scope, body.receive, watched)
        if body.too_long and not began:
            told = f"this request is longer than {limit:,} bytes · send less"
            await PlainTextResponse(told, 413)(scope, receive, send)

    def _refusal(self, scope: Scope, *, changes: bool) -> Response | None:
        """Why not, or None."""
        headers = Headers(scope=scope)
        if headers.getlist("host") not in ([host] for host in self._door.hosts):
            return PlainTextResponse("this is not the address of this explorer", 421)
        origins = headers.getlist("origin")
        ours = [[f"http://{host}"] for host in self._door.hosts]
        if origins not in ours and (origins or changes):
            return PlainTextResponse("requests of other pages are refused", 403)
        if scope["type"] == "http" and scope["path"] == ENTRANCE:
            given = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])
            if scope["method"] == "GET" and _same(given[0], self._door.token):
                return None
        elif any(_same(value, self._door.secret) for value in _cookies(headers, self._door.cookie)):
            return None
        return PlainTextResponse("open the link that nonneg explore printed in the terminal", 403)

    def _welcome(self) -> Response:
        page = HTMLResponse(_WELCOME)
        page.set_cookie(
            self._door.cookie, self._door.secret, httponly=True, samesite="strict", path="/"
        )
        return page


def _same(given: str, secret: str) -> bool:
    return secrets.compare_digest(given.encode(), secret.encode())


def _cookies(headers: Headers, name: str) -> list[str]:
    pairs = [part.strip().partition("=") for part in headers.get("cookie", "").split(";")]
    return [value for key, _, value in pairs if key == name]


class _Body:
    """A body that ends with an error as soon as it is too long, said or sent."""

    def __init__(self, scope: Scope, receive: Receive, limit: int) -> None:
        told = Headers(scope=scope).get("content-length", "0")
        self.too_long = not told.isdecimal() or int(told) > limit
        self._receive, self._left = receive, limit

    async def receive(self) -> Message:
        """Return the next part."""
        if not self.too_long:
            message = await self._receive()
            self._left -= len(message.get("body", b""))
            self.too_long = self._left < 0
        if self.too_long:
            raise _TooLongError
        return message


def _with_headers(send: Send, path: str) -> Send:
    kept = "no-cache" if path.startswith("/static/") else "no-store"

    async def with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(raw=message["headers"])
            headers.update({**_HEADERS, "cache-control": kept})
            message["headers"] = headers.raw
        await send(message)

    return with_headers
