"""`nonneg doctor`: whether this installation is in order."""

from __future__ import annotations

import typer

from nonneg.cli.console import answer
from nonneg.cli.options import AsJson

__all__ = ["doctor"]


def doctor(as_json: AsJson = False) -> None:
    """Show versions, BLAS and threads, and test the compiled kernels.

    Exits with code 1 if a test fails.
    """
    from nonneg.cli import draw
    from nonneg.report.doctor import doctor_facts

    facts = doctor_facts()
    answer(facts, as_json, lambda: draw.doctor(facts))
    if not facts["healthy"]:
        raise typer.Exit(1)
