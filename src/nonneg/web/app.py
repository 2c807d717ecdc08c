"""The application: routes behind the guard, a store and jobs of its own, and how errors look."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException

import nonneg
from nonneg.errors import InputError, NonnegError, UnknownNameError
from nonneg.web.answers import Answers
from nonneg.web.guard import Door, Guard
from nonneg.web.jobs import Jobs
from nonneg.web.store import Limits, Store
from nonneg.web.views import UPLOADS, Explorer, page_error, router

__all__ = ["make_app"]

_HERE = Path(__file__).parent
_BODY = 8 * 2**20  # of what is no file


def make_app(door: Door, limits: Limits | None = None) -> tuple[Guard, Explorer]:
    """Make the application, with the guard around it, and the session that it serves.

    Parameters
    ----------
    door : Door
        Whom to let in.
    limits : Limits, optional
        What the session may hold.

    Returns
    -------
    guard : Guard
        An ASGI application.
    explorer : Explorer
        Its store and jobs.
    """
    limits = limits or Limits()
    store = Store(limits)
    explorer = Explorer(store, Jobs(store, limits), limits)

    @contextlib.asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        yield
        explorer.close()

    app = FastAPI(
        title="nonneg explore",
        version=nonneg.__version__,
        docs_url=None,
        redoc_url=None,
        lifespan=life,
        redirect_slashes=False,
    )
    app.state.explorer = explorer
    app.include_router(router)
    app.add_api_route("/static/plotly.min.js", _plotly, include_in_schema=False)
    app.mount("/static", StaticFiles(directory=_HERE / "static"))
    app.add_exception_handler(NonnegError, _told)
    app.add_exception_handler(RequestValidationError, _unreadable)
    app.add_exception_handler(HTTPException, _missing)
    guard = Guard(
        Answers(app, store),
        door,
        body_bytes=_BODY,
        upload_bytes=limits.file_bytes + _BODY,
        uploads=UPLOADS,
    )
    return guard, explorer


def _plotly() -> FileResponse:
    """Plotly's script, as the installed package has it."""
    import plotly

    script = Path(plotly.__file__).parent / "package_data" / "plotly.min.js"
    return FileResponse(script, media_type="text/javascript")


def _told(request: Request, error: Any) -> Response:
    status = 404 if isinstance(error, UnknownNameError) else 400
    if not isinstance(error, InputError):
        status = 409
    return _error(request, status, str(error))


def _unreadable(request: Request, error: Any) -> Response:
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"][1:]) or "the request"
    return _error(request, 422, f"{where}: {first['msg']} · correct it")


def _missing(request: Request, error: Any) -> Response:
    return _error(request, error.status_code, f"{error.detail} · go to the start page")


def _error(request: Request, status: int, message: str) -> Response:
    if request.url.path.endswith(".json"):
        return JSONResponse({"error": message}, status)
    return page_error(request, status, message)
