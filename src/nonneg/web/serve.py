"""Start the explorer: a socket of this machine only, a server, and the link that opens it."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import uvicorn

from nonneg.errors import InputError
from nonneg.web.app import make_app
from nonneg.web.guard import Door
from nonneg.web.jobs import Jobs
from nonneg.web.reading import OpenFile

__all__ = ["open_all", "serve"]

_HOST = "127.0.0.1"
_WARM = 1.0  # seconds


def serve(
    paths: Sequence[Path],
    *,
    port: int = 0,
    titles: Path | None = None,
    ready: Callable[[str], None] = print,
) -> None:
    """Serve the explorer until it is interrupted.

    Parameters
    ----------
    paths : sequence of Path
        Tables, ratings, texts or models to open.
    port : int, default 0
        0: any that is free.
    titles : Path, optional
        What the items of ratings are called.
    ready : callable(str)
        Called with the link that lets in, once the server listens.

    Raises
    ------
    InputError
        The port is taken, or a path does not exist.
    """
    for path in paths:
        if not path.exists():
            raise InputError(f"there is no '{path}' · nothing can be opened · check the path")
    with contextlib.closing(_listen(port)) as listener:
        door = Door(listener.getsockname()[1])
        guard, explorer = make_app(door)
        opening = threading.Thread(
            target=open_all, args=(explorer.jobs, paths, titles), daemon=True
        )
        opening.start()
        # Long connections of a browser should not hold up the end.
        config = uvicorn.Config(
            guard,
            log_level="warning",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=2,
            ws="none",
        )
        server = _Server(config, lambda: ready(door.link))
        # Not at once: a browser that opens the start page needs the processor first.
        warm = threading.Timer(_WARM, explorer.jobs.warm_up)
        warm.daemon = True
        warm.start()
        server.run(sockets=[listener])


def open_all(jobs: Jobs, paths: Sequence[Path], titles: Path | None = None) -> None:
    """Open files one after the other, however many work may go on at the same time."""
    named = None if titles is None else str(titles)
    for path in paths:
        called = path.resolve().name
        jobs.start(called, OpenFile(str(path), called, titles=named)).ended.wait()


def _listen(port: int) -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((_HOST, port))
    except (OSError, OverflowError) as error:
        listener.close()
        raise InputError(
            f"--port {port} cannot be used ({error}) · another program may have it · choose "
            "another, or leave it out"
        ) from None
    return listener


class _Server(uvicorn.Server):
    """A server that says when it listens."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and say so."""
        await super().startup(sockets)
        if self.started:
            self._ready()
