"""`nonneg demo`: the talk's examples, from the question to the answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import typer

from nonneg.cli.console import Work, answer
from nonneg.cli.options import AsJson
from nonneg.errors import InputError

__all__ = ["demo"]


def demo(
    name: Annotated[
        str, typer.Argument(metavar="[NAME]", help="Which: ratings or topics.", show_default=False)
    ] = "ratings",
    as_json: AsJson = False,
) -> None:
    """Walk through an example: five people, seven shows, one question.

    Start here if you never saw a nonnegative matrix factorization. Another example finds the
    topics of texts that every machine has: nonneg demo topics
    """
    if name not in _DEMOS:
        raise InputError(f"demo {name!r} · there are {', '.join(_DEMOS)} · choose one of these")
    _DEMOS[name](as_json)


def _ratings(as_json: bool) -> None:
    from nonneg.cli import draw_demo
    from nonneg.report.demo import demo_facts

    facts = demo_facts()
    answer(facts, as_json, lambda: draw_demo.demo(facts))


def _topics(as_json: bool) -> None:
    with Work() as work:
        work.phase("loading")
        from nonneg.cli import draw_topics
        from nonneg.report.demo import topics_demo_facts

        facts: dict[str, Any] = topics_demo_facts(work.phase)
    answer(facts, as_json, lambda: draw_topics.demo(facts))


_DEMOS: dict[str, Callable[[bool], None]] = {"ratings": _ratings, "topics": _topics}
