"""`nonneg explore`: tables and models in the browser, on this machine only."""

from __future__ import annotations

import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from nonneg.errors import MissingLibraryError

__all__ = ["explore"]


def explore(
    files: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[MODEL|TABLE]...", help="What to open: tables, ratings, texts, saved models."
        ),
    ] = None,
    titles: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="What the items of ratings are called: id, title."),
    ] = None,
    port: Annotated[
        int,
        typer.Option(metavar="N", help="Port of 127.0.0.1.", show_default="any", min=0, max=65535),
    ] = 0,
    no_browser: Annotated[
        bool, typer.Option("--no-browser", help="Print the link, and open no browser.")
    ] = False,
) -> None:
    """Open tables and models in the browser: fit, look, rate, ask why.

    Only this machine can reach it, and only with the link. Ctrl-C ends it.

    Example: nonneg explore ratings.csv
    """
    try:
        from nonneg.web.serve import serve
    except ImportError as error:
        raise MissingLibraryError(
            f"nonneg explore needs {error.name}, which is not installed · it comes with the extra "
            "explore · pip install 'nonneg[explore]'"
        ) from None

    def ready(link: str) -> None:
        typer.echo(link)
        typer.echo("Ctrl-C ends it.", err=True)
        if not no_browser:
            webbrowser.open(link)

    serve(files or [], port=port, titles=titles, ready=ready)
