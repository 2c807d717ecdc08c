"""`nonneg demo`: the example of the talk, from the question to the answer."""

from __future__ import annotations

from nonneg.cli.console import answer
from nonneg.cli.options import AsJson

__all__ = ["demo"]


def demo(as_json: AsJson = False) -> None:
    """Walk through an example: five people, seven shows, one question.

    Start here if you never saw a nonnegative matrix factorization.
    """
    from nonneg.cli import draw_demo
    from nonneg.report.demo import demo_facts

    facts = demo_facts()
    answer(facts, as_json, lambda: draw_demo.demo(facts))
