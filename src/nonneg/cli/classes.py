"""`nonneg classes`: metagenes, classes and subclasses of an expression table."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from nonneg.cli.console import Work, answer, check_place, note, wrote
from nonneg.cli.options import AsJson, Force, Report, Seed, Sides, Threads, loss_value, rank_span
from nonneg.cli.report import check_report
from nonneg.cli.report import write as write_report

if TYPE_CHECKING:
    from nonneg.apps.agreement import Agreement
    from nonneg.apps.metagenes import Combine, Metagenes
    from nonneg.core.alternate import Step
    from nonneg.io.expression import Expression
    from nonneg.io.expression import Orientation as Side

__all__ = ["classes"]

# With more samples a tree that nobody asked for would take minutes.
_TREE_SAMPLES = 1000


def classes(
    table: Annotated[
        Path,
        typer.Argument(
            metavar="TABLE",
            help="CSV, TSV, GCT, Matrix Market, .npz, .h5ad, or a 10x folder.",
        ),
    ],
    rank: Annotated[
        int, typer.Option("-k", "--components", metavar="K", help="How many metagenes to find.")
    ],
    orientation: Sides = None,
    prepare: Annotated[
        str,
        typer.Option(
            metavar="STEPS",
            help="Steps before the fit, with commas: size-factors, log1p, variable=2000, "
            "unit-variance.",
        ),
    ] = "",
    layer: Annotated[
        str | None, typer.Option(metavar="NAME", help="Of .h5ad: this layer instead of X.")
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Known labels to compare with: sample,label, or one a line; of .h5ad also a "
            "column of obs.",
        ),
    ] = None,
    ranks: Annotated[
        str | None,
        typer.Option(
            metavar="A..B",
            help="Ranks of the tree of subclasses.",
            show_default="2 to K, up to 1000 samples",
        ),
    ] = None,
    loss: Annotated[
        str, typer.Option(metavar="NAME", help="kullback-leibler or frobenius.")
    ] = "kullback-leibler",
    runs: Annotated[
        int, typer.Option(metavar="N", help="Runs of each rank, from different starts.", min=1)
    ] = 20,
    combine: Annotated[
        str,
        typer.Option(
            metavar="best|median",
            help="The run with the lowest error, or the median of all runs, as cNMF has it.",
        ),
    ] = "best",
    smoothing: Annotated[
        float, typer.Option(metavar="T", help="nsNMF: from 0 (none) to below 1.")
    ] = 0.0,
    resample: Annotated[
        float | None,
        typer.Option(
            metavar="SHARE",
            help="Of the samples that each run sees, such as 0.8: how sure the classes are.",
            show_default="all samples, from other starts",
        ),
    ] = None,
    seed: Seed = 0,
    max_iter: Annotated[int, typer.Option(metavar="N", help="Most iterations of a run.")] = 500,
    tol: Annotated[
        float, typer.Option(metavar="TOL", help="Smaller fits longer and closer.")
    ] = 1e-4,
    threads: Threads = None,
    top: Annotated[
        int, typer.Option(metavar="N", help="Marker genes to show of each metagene.", min=0)
    ] = 10,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="OUT",
            help="A model (.nonneg), an AnnData (.h5ad), or a folder of tables.",
        ),
    ] = None,
    report: Report = None,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Find metagenes, classes of samples and subclasses in an expression table.

    Example: nonneg classes leukemia.csv -k 3 --labels labels.csv
    """
    check_place(output, force, (".nonneg", ".h5ad"), table)
    check_report(report, force, table)
    listed = rank_span(ranks, "--ranks") if ranks else []
    with Work() as work:
        work.phase(f"reading {table.name}")
        from nonneg.apps.expression_steps import prepare as prepared
        from nonneg.apps.metagenes import Metagenes
        from nonneg.cli import draw_classes
        from nonneg.io.expression import read_expression
        from nonneg.report.classes import class_facts

        data = read_expression(table, orientation=cast("Side | None", orientation), layer=layer)
        for text in data.notes:
            note(text)
        if prepare:
            work.phase("preparing")
            data = prepared(data, prepare.split(","))
        known = None if labels is None else _read_labels(labels, data, table)
        if not ranks and len(data.samples) <= _TREE_SAMPLES:
            listed = list(range(2, rank + 1))
        total = runs * len({*listed, rank})

        work.phase(f"fitting {total} runs")

        def step(number: int, one: Step) -> None:
            work.phase(f"run {number + 1} of {total}, iteration {one.n_iter}", number / total)

        model = Metagenes(
            rank,
            loss=loss_value(loss),
            n_runs=runs,
            ranks=listed,
            combine=cast("Combine", combine),
            smoothing=smoothing,
            resample=resample,
            max_iter=max_iter,
            tol=tol,
            random_state=seed,
            n_threads=threads,
            callback=step,
        ).fit(data)
        if model.consensus_ is not None and model.consensus_.warning:
            note(model.consensus_.warning)
        agreement = None if known is None else model.agreement(known)
        facts: dict[str, Any] = {"source": str(table)}
        facts |= class_facts(model, top=top, agreement=agreement)
        facts["saved"] = None if output is None else str(output)
        if output is not None:
            work.phase("writing")
            _save(model, data, output, agreement, force, table)
    answer(facts, as_json, lambda: draw_classes.classes(facts))
    write_report(model, report, force, as_json)
    if output is not None:
        wrote(output, as_json)


def _read_labels(path: Path, data: Expression, table: Path) -> Any:
    """Labels by sample, or one a line, or a column of obs."""
    from nonneg.apps.agreement import labels_of_samples
    from nonneg.errors import FileFormatError
    from nonneg.io.expression import read_obs
    from nonneg.io.names import read_names, read_titles

    if table.suffix == ".h5ad" and not path.exists():
        known: Any = read_obs(table, str(path))
    else:
        try:
            known = read_titles(path)
        except FileFormatError:  # no second column
            known = read_names(path, len(data.samples), "sample")
    return labels_of_samples(known, data.samples)


def _save(
    model: Metagenes,
    data: Expression,
    output: Path,
    agreement: Agreement | None,
    force: bool,
    table: Path,
) -> None:
    from nonneg.apps.anndata_nmf import write_h5ad
    from nonneg.models import save
    from nonneg.report.classes import write_class_folder

    if output.suffix == ".nonneg":
        save(model, output, force=force)
    elif output.suffix == ".h5ad":
        write_h5ad(model, data, output, source=table if table.suffix == ".h5ad" else None)
    else:
        write_class_folder(model, output, agreement=agreement, force=force)
