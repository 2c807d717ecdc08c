"""Arguments and options that several commands share."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Annotated

import typer

from nonneg.errors import InputError

__all__ = [
    "AsJson",
    "Force",
    "Layout",
    "ModelPath",
    "Report",
    "Seed",
    "Sides",
    "TablePath",
    "Threads",
    "loss_value",
    "missing_value",
    "rank_span",
]

AsJson = Annotated[bool, typer.Option("--json", help="Print the answer as JSON.")]
Force = Annotated[bool, typer.Option("--force", help="Replace an existing file.")]
Layout = Annotated[
    str,
    typer.Option(
        metavar="auto|wide|long",
        help="Of text: one line a row (wide), or triplets row, column, value (long).",
    ),
]
Sides = Annotated[
    str | None,
    typer.Option(
        "--orientation",
        metavar="genes-by-samples|samples-by-genes",
        help="What the rows of TABLE are.",
        show_default="by format, names and shape, and said",
    ),
]
ModelPath = Annotated[Path, typer.Argument(metavar="MODEL", help="A saved model.")]
Report = Annotated[
    Path | None,
    typer.Option("--report", metavar="FILE", help="Write figures and methods here, as HTML."),
]
Seed = Annotated[int, typer.Option(metavar="N", help="Seed of the random start.", min=0)]
TablePath = Annotated[
    Path,
    typer.Argument(
        metavar="TABLE", help="CSV or TSV (also .gz), .npy, .npz, Matrix Market or Parquet."
    ),
]
Threads = Annotated[
    int | None,
    typer.Option(metavar="N", help="Threads to use.", show_default="all cores", min=1),
]


def missing_value(word: str) -> float:
    """Return what `--missing` marks as missing."""
    if word not in ("nan", "0"):
        raise InputError(
            f"--missing {word} · missing cells are empty ones (nan) or zeros (0) · choose nan or 0"
        )
    return math.nan if word == "nan" else 0.0


def loss_value(word: str) -> str | float:
    """Return the name of a loss, or β where the word is a number."""
    try:
        return float(word)
    except ValueError:
        return word


def rank_span(text: str, option: str) -> list[int]:
    """Return the ranks of a span (2..8) or a list (2,4,8)."""
    if span := re.fullmatch(r"\s*(\d+)\s*(?:\.\.|-|:)\s*(\d+)\s*", text):
        first, last = int(span[1]), int(span[2])
        if first < last:
            return list(range(first, last + 1))
    elif re.fullmatch(r"\s*\d+(\s*,\s*\d+)*\s*", text):
        return [int(word) for word in text.split(",")]
    raise InputError(
        f"{option} {text} · the ranks to try are a span or a list of whole numbers · as {option} "
        f"2..8 or {option} 2,4,8"
    )
