"""Facts that were sent before are sent again, before any route is looked at.

What a page shows of a thing that is open never changes, so its bytes are kept under its address.
Without this, matching routes and reading parameters is most of what a request costs.
"""

from __future__ import annotations

import re

from starlette.types import ASGIApp, Receive, Scope, Send

from nonneg.web.store import Store

__all__ = ["Answers"]

_OPEN = re.compile(r"/open/(\d{1,9})/")


class Answers:
    """An ASGI application in front of another one.

    Parameters
    ----------
    app : ASGI application
    store : Store
        Its entries hold what was sent.
    """

    def __init__(self, app: ASGIApp, store: Store) -> None:
        self._app, self._store = app, store

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer what is known, and hand on the rest."""
        known = self._known(scope)
        if known is None:
            await self._app(scope, receive, send)
            return
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(known)).encode()),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": known})

    def _known(self, scope: Scope) -> bytes | None:
        if scope["type"] != "http" or scope["method"] != "GET":
            return None
        number = _OPEN.match(scope["path"])
        entry = self._store.find(int(number[1])) if number else None
        return entry.sent(scope["path"], scope["query_string"]) if entry else None
