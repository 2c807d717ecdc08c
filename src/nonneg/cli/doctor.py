"""`nonneg doctor`: whether this installation is in order."""

from __future__ import annotations

from typing import Annotated

import typer

from nonneg.cli.console import Work, answer
from nonneg.cli.options import AsJson

__all__ = ["doctor"]


def doctor(
    bench: Annotated[
        bool, typer.Option("--bench", help="Measure this machine and the kernels, too (10 s).")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show versions, BLAS and threads, and test the compiled kernels.

    Exits with code 1 if a test fails.
    """
    from nonneg.cli import draw
    from nonneg.report.doctor import doctor_facts

    facts = doctor_facts()
    if bench:
        from nonneg.report.machine import machine_facts

        with Work() as work:
            facts["bench"] = machine_facts(progress=work.phase)
    answer(facts, as_json, lambda: draw.doctor(facts))
    if not facts["healthy"]:
        raise typer.Exit(1)
