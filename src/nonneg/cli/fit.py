"""`nonneg fit` and `transform`: a table becomes a model, and a model takes new rows."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from nonneg.cli.console import Work, answer, check_output, note, wrote
from nonneg.cli.options import (
    AsJson,
    Force,
    Layout,
    ModelPath,
    Report,
    Seed,
    TablePath,
    Threads,
    loss_value,
    missing_value,
)
from nonneg.cli.report import check_report
from nonneg.cli.report import write as write_report
from nonneg.errors import InputError

if TYPE_CHECKING:
    from nonneg.core.kernels import FloatArray
    from nonneg.estimators import NMF
    from nonneg.io.table import Layout as LayoutWord
    from nonneg.io.table import Table

__all__ = ["fit", "transform"]

_OUT_SUFFIXES = (".csv", ".tsv", ".npz", ".npy")
# What to do with a model that is no `NMF`.
_USES = {
    "Recommender": "nonneg recommend MODEL --user U",
    "TopicModel": "nonneg topics-of MODEL NEWDOCS",
    "TopicClassifier": "nonneg topics-of MODEL NEWDOCS",
    "ImageParts": "nonneg images-of MODEL PICTURES",
    "Metagenes": "nonneg.load(MODEL).classify(table) in Python",
    "Signatures": "nonneg.load(MODEL).exposures(catalogue) in Python",
}


def fit(
    table: TablePath,
    rank: Annotated[
        int, typer.Option("-k", "--components", metavar="K", help="How many components to find.")
    ],
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="MODEL", help="Save the model here."),
    ] = None,
    loss: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="frobenius, kullback-leibler (counts), itakura-saito, huber, l1, l21 (outliers) "
            "or a number β.",
        ),
    ] = "frobenius",
    missing: Annotated[
        str,
        typer.Option(
            metavar="nan|0",
            help="What is missing: empty cells (nan), or zeros and absent entries too (0).",
        ),
    ] = "nan",
    layout: Layout = "auto",
    row_names: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Names of the rows, one a line.")
    ] = None,
    column_names: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Names of the columns, one a line.")
    ] = None,
    solver: Annotated[
        str, typer.Option(metavar="NAME", help="auto, hals, ccd, anls-bpp or mu.")
    ] = "auto",
    init: Annotated[
        str,
        typer.Option(
            metavar="NAME", help="auto, random, sampled, compressed, nndsvd, nndsvda or nndsvdar."
        ),
    ] = "auto",
    n_init: Annotated[int, typer.Option(metavar="N", help="Runs; the best is kept.")] = 1,
    seed: Seed = 0,
    max_iter: Annotated[int, typer.Option(metavar="N", help="Most iterations of a run.")] = 500,
    max_seconds: Annotated[
        float | None,
        typer.Option(metavar="S", help="Most seconds of all runs.", show_default="no limit"),
    ] = None,
    tol: Annotated[
        float, typer.Option(metavar="TOL", help="Smaller fits longer and closer.")
    ] = 1e-4,
    threads: Threads = None,
    top: Annotated[
        int, typer.Option(metavar="N", help="Names to show of each component.", min=0)
    ] = 5,
    report: Report = None,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Find K components of a table, show them, and save the model.

    Example: nonneg fit genes.csv -k 3 -o genes.nonneg
    """
    check_output(output, force, table)
    check_report(report, force, table)
    missing_values = missing_value(missing)
    with Work(max_iter, max_seconds) as work:
        work.phase("loading")
        from nonneg.cli import draw
        from nonneg.estimators import NMF
        from nonneg.models import name_features, save
        from nonneg.report.facts import factorization_facts

        data = _named(_read(work, table, layout), row_names, column_names)
        if missing_values != 0 and _is_triplets(data):
            note("cells that the triplets do not name count as zeros · add --missing 0 if unknown")
        work.phase("starting")
        model = NMF(
            rank,
            loss=loss_value(loss),
            solver=solver,
            init=init,
            missing_values=missing_values,
            n_init=n_init,
            max_iter=max_iter,
            max_seconds=max_seconds,
            tol=tol,
            n_threads=threads,
            random_state=seed,
            callback=work.step,
        )
        model.fit(data.values)
        model.factorization_ = replace(model.factorization_, row_names=data.row_names)
        fitted = name_features(model, data.column_names).factorization_
        if fitted.status.name == "INTERRUPTED" and not fitted.history:
            raise KeyboardInterrupt  # nothing better than the start was found
        saved = None if output is None else str(save(model, output, force=force))
    facts = {"source": data.source, **factorization_facts(fitted, top=top), "saved": saved}
    answer(facts, as_json, lambda: draw.factorization(facts))
    write_report(model, report, force, as_json, X=data.values, missing_values=missing_values)
    if output is not None:
        wrote(output, as_json)
    else:
        note("nothing was saved · add -o MODEL to keep the model")


def transform(
    model: ModelPath,
    table: TablePath,
    output: Annotated[
        Path,
        typer.Option(
            "-o", "--output", metavar="OUT", help="Where to: .csv, .tsv (also .gz), .npz, .npy."
        ),
    ],
    layout: Layout = "auto",
    threads: Threads = None,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Write how much of each component the rows of a table hold.

    Example: nonneg transform genes.nonneg new.csv -o weights.csv
    """
    from nonneg.io.files import format_suffix

    suffix = format_suffix(output)
    if suffix not in _OUT_SUFFIXES:
        raise InputError(
            f"cannot write '{output}' · its suffix names no format for the weights · use "
            f"{', '.join(_OUT_SUFFIXES)}"
        )
    check_output(output, force, model, table)
    with Work() as work:
        work.phase("loading")
        from nonneg.cli import draw
        from nonneg.io.names import align_columns
        from nonneg.io.table import write_table
        from nonneg.report.facts import transform_facts

        loaded = _load(model)
        fitted = loaded.factorization_
        data = _read(work, table, layout)
        aligned = align_columns(data, fitted.H.shape[1], fitted.column_names)
        for text in aligned.notes[len(data.notes) :]:
            note(text)
        work.phase("transforming")
        W = _weights(loaded, aligned, threads)
        named = suffix != ".npy"  # which holds numbers only
        write_table(
            output,
            W,
            row_names=data.row_names if named else None,
            column_names=[f"component {t + 1}" for t in range(W.shape[1])] if named else None,
            force=force,
        )
    facts = {
        "model": str(model),
        "source": data.source,
        **transform_facts(W),
        "saved": str(output),
    }
    answer(facts, as_json, lambda: draw.transformed(facts))
    wrote(output, as_json)


def _read(work: Work, path: Path, layout: str) -> Table:
    from nonneg.io.table import read_table

    work.phase(f"reading {path.name}")
    table = read_table(path, layout=cast("LayoutWord", layout))
    for text in table.notes:
        note(text)
    return table


def _named(table: Table, row_names: Path | None, column_names: Path | None) -> Table:
    """The table with names from files, where there are any."""
    from nonneg.io.names import read_names

    rows, columns = table.values.shape
    if row_names is not None:
        table = replace(table, row_names=read_names(row_names, rows, "row"))
    if column_names is not None:
        table = replace(table, column_names=read_names(column_names, columns, "column"))
    return table


def _is_triplets(table: Table) -> bool:
    """Whether the table came from triplets in a text, where an absent cell has two readings."""
    import scipy.sparse

    from nonneg.io.files import format_suffix

    return scipy.sparse.issparse(table.values) and format_suffix(table.source) not in (
        ".npz",
        ".mtx",
    )


def _load(path: Path) -> NMF:
    """The saved estimator, which knows the whole problem that new rows are to solve."""
    from nonneg.core.factorize import Factorization
    from nonneg.estimators import NMF
    from nonneg.models import load

    loaded = load(path)
    if isinstance(loaded, NMF):
        return loaded
    if isinstance(loaded, Factorization):
        raise InputError(
            f"cannot transform with '{path}', a saved factorization · it does not hold the "
            "penalties, bounds and missing values it was fitted with · fit with nonneg fit or "
            "nonneg.NMF, and save that"
        )
    kind = type(loaded).__name__
    raise InputError(
        f"'{path}' is a saved {kind} · it holds no factors of a table · use {_USES[kind]}"
    )


def _weights(model: NMF, table: Table, threads: int | None) -> FloatArray:
    if threads is not None:
        model.set_params(n_threads=threads)
    with warnings.catch_warnings():
        # The columns have been matched by name already.
        warnings.filterwarnings("ignore", message="X does not have valid feature names")
        return model.transform(table.values)
