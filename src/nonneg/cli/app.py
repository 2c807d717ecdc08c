"""The application: every command in the order of the help, and the version."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

import nonneg
from nonneg.cli import (
    classes,
    demo,
    doctor,
    evaluate,
    explore,
    fit,
    images,
    rank,
    recommend,
    report,
    show,
    signatures,
    topics,
)
from nonneg.cli.console import Commands

__all__ = ["app", "run"]

app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"nonneg {nonneg.__version__}")
        raise typer.Exit


@app.callback(help="Nonnegative matrix factorization: from a table with holes to readable parts.")
def _options(
    version: Annotated[
        bool,
        typer.Option("--version", help="Show the version.", callback=_version, is_eager=True),
    ] = False,
) -> None:
    del version


app.command("demo")(demo.demo)
app.command("fit")(fit.fit)
app.command("transform")(fit.transform)
app.command("show")(show.show)
app.command("report")(report.report)
app.command("rank")(rank.rank)
app.command("recommend")(recommend.recommend)
app.command("evaluate")(evaluate.evaluate)
app.command("topics")(topics.topics)
app.command("topics-of")(topics.topics_of)
app.command("images")(images.images)
app.command("images-of")(images.images_of)
app.command("classes")(classes.classes)
app.command("signatures")(signatures.signatures)
app.command("explore")(explore.explore)
app.command("doctor")(doctor.doctor)


def run() -> None:
    """Run with the arguments of this process."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot print · or × should not end a command.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    app()
