"""`nonneg demo`: an example from the question to the answer; the talk's, if none is named."""

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

Drawn = tuple[dict[str, Any], Callable[[dict[str, Any]], Iterator[Any]]]


def _ratings(work: Work) -> Drawn:
    from nonneg.cli import draw_demo
    from nonneg.report.demo import demo_facts

    return demo_facts(), draw_demo.demo


def _topics(work: Work) -> Drawn:
    from nonneg.cli import draw_topics
    from nonneg.report.demo import topics_demo_facts

    return topics_demo_facts(work.phase), draw_topics.demo


def _classes(work: Work) -> Drawn:
    from nonneg.cli import draw_demo_classes
    from nonneg.report.demo_classes import class_demo_facts

    return class_demo_facts(), draw_demo_classes.demo


def _images(work: Work) -> Drawn:
    from nonneg.cli import draw_images
    from nonneg.report.image_demo import image_demo_facts

    folder = Path(tempfile.mkdtemp(prefix="nonneg-demo-"))
    return image_demo_facts(folder), draw_images.demo


_DEMOS = {"ratings": _ratings, "topics": _topics, "images": _images, "classes": _classes}


def demo(
    name: Annotated[
        str,
        typer.Argument(
            metavar="[NAME]", help="Which: ratings, topics, images or classes.", show_default=False
        ),
    ] = "ratings",
    as_json: AsJson = False,
) -> None:
    """Walk through an example: five people, seven shows, one question.

    Start here if you never saw a nonnegative matrix factorization. Other examples find topics of
    texts that every machine has (nonneg demo topics), parts of handwritten digits (nonneg demo
    images) and classes of tumours (nonneg demo classes).
    """
    if name not in _DEMOS:
        raise InputError(f"there is no example {name!r} · there are {', '.join(_DEMOS)} · name one")
    with Work() as work:
        work.phase("working")
        facts, draw = _DEMOS[name](work)
    answer(facts, as_json, lambda: draw(facts))
