"""`nonneg demo`: the example of the talk, from the question to the answer, and further ones."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from nonneg.cli.console import Work, answer
from nonneg.cli.options import AsJson
from nonneg.errors import InputError

__all__ = ["demo"]


def demo(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="talk (ratings) or images (digits).")
    ] = "talk",
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="FOLDER",
            help="Of images: where to write pictures.",
            show_default="a new temporary one",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Walk through an example: five people, seven shows, one question.

    Start here if you never saw a nonnegative matrix factorization.
    """
    if name not in _DEMOS:
        raise InputError(
            f"there is no demo {name!r} · the demos are {', '.join(_DEMOS)} · name one of them"
        )
    facts, draw = _DEMOS[name](output)
    answer(facts, as_json, lambda: draw(facts))


Facts = dict[str, Any]
Shown = tuple[Facts, Callable[[Facts], Iterator[Any]]]


def _talk(output: Path | None) -> Shown:
    from nonneg.cli import draw_demo
    from nonneg.report.demo import demo_facts

    del output
    return demo_facts(), draw_demo.demo


def _images(output: Path | None) -> Shown:
    with Work() as work:
        work.phase("finding the parts of digits")
        from nonneg.cli import draw_images
        from nonneg.report.image_demo import image_demo_facts

        if output is None:
            output = Path(tempfile.mkdtemp(prefix="nonneg-demo-"))
        return image_demo_facts(output), draw_images.demo


_DEMOS: dict[str, Callable[[Path | None], Shown]] = {"talk": _talk, "images": _images}
