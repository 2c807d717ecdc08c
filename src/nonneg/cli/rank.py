"""`nonneg rank`: how many components a table has, by several criteria."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from nonneg.cli.console import Work, answer, note
from nonneg.cli.options import (
    AsJson,
    Force,
    Layout,
    Report,
    Seed,
    Sides,
    TablePath,
    Threads,
    loss_value,
    missing_value,
    rank_span,
)
from nonneg.cli.report import check_report
from nonneg.cli.report import write as write_report

if TYPE_CHECKING:
    from nonneg.io.expression import Expression, Orientation
    from nonneg.io.table import Layout as LayoutWord
    from nonneg.io.table import Table

__all__ = ["rank"]


def rank(
    table: TablePath,
    ranks: Annotated[
        str, typer.Option(metavar="A..B", help="Ranks to try: 2..8, or a list: 2,4,8.")
    ] = "2..8",
    criteria: Annotated[
        str | None,
        typer.Option(
            metavar="NAMES",
            help="Some of held-out, cross-validation, consensus, stability and "
            "explained-variance, with commas.",
            show_default="all",
        ),
    ] = None,
    runs: Annotated[
        int, typer.Option(metavar="N", help="Runs of each rank from random starts.", min=1)
    ] = 20,
    repeats: Annotated[
        int, typer.Option(metavar="N", help="How often cells are held out.", min=1)
    ] = 3,
    resample: Annotated[
        float | None,
        typer.Option(
            metavar="SHARE",
            help="Of the samples that each run of consensus and stability sees, such as 0.8.",
            show_default="all samples, from other starts",
        ),
    ] = None,
    loss: Annotated[
        str,
        typer.Option(metavar="NAME", help="As for fit; kullback-leibler for counts."),
    ] = "frobenius",
    missing: Annotated[
        str,
        typer.Option(
            metavar="nan|0",
            help="What is missing: empty cells (nan), or zeros and absent entries too (0).",
        ),
    ] = "nan",
    layout: Layout = "auto",
    orientation: Sides = None,
    seed: Seed = 0,
    threads: Threads = None,
    report: Report = None,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Say how many components a table has, by several criteria, and whether they agree.

    Rows are the samples. Tables of expression are read as by nonneg classes, if they are GCT, .h5ad
    or a 10x folder, or --orientation is said.

    Example: nonneg rank genes.csv --orientation genes-by-samples --ranks 2..6
    """
    tried = rank_span(ranks, "--ranks")
    missing_values = missing_value(missing)
    check_report(report, force, table)
    with Work() as work:
        work.phase("loading")
        from nonneg.cli import draw_rank
        from nonneg.report.rank import rank_facts
        from nonneg.selection.rank import CRITERIA, select_rank

        work.phase(f"reading {table.name}")
        data = _read(table, layout, orientation)
        selection = select_rank(
            data.values,
            tried,
            criteria=CRITERIA if criteria is None else criteria.replace(" ", "").split(","),
            n_runs=runs,
            n_repeats=repeats,
            resample=resample,
            loss=loss_value(loss),
            missing_values=missing_values,
            n_threads=threads,
            random_state=seed,
            progress=work.phase,
        )
    facts = {"source": data.source, "shape": list(data.values.shape), **rank_facts(selection)}
    answer(facts, as_json, lambda: draw_rank.rank(facts))
    write_report(selection, report, force, as_json)


def _read(path: Path, layout: str, orientation: str | None) -> Table | Expression:
    """Read a table of samples × anything, or of expression, which need not lie that way."""
    from nonneg.io.expression import genes_in_rows, read_expression
    from nonneg.io.files import format_suffix
    from nonneg.io.table import read_table

    is_expression = path.is_dir() or format_suffix(path) in (".gct", ".h5ad")
    if is_expression or orientation is not None:
        found = read_expression(path, orientation=cast("Orientation | None", orientation))
        for text in found.notes:
            note(text)
        return found
    table = read_table(path, layout=cast("LayoutWord", layout))
    for text in table.notes:
        note(text)
    if why := genes_in_rows(table.row_names, table.column_names):
        note(f"{why}, and rows are taken for samples: say --orientation genes-by-samples")
    return table
