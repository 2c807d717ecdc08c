"""`nonneg signatures`: what made the mutations of many tumours."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from nonneg.cli.console import Work, answer, check_place, note, wrote
from nonneg.cli.options import AsJson, Force, Report, Seed, Threads, rank_span
from nonneg.cli.report import check_report
from nonneg.cli.report import write as write_report
from nonneg.errors import InputError

if TYPE_CHECKING:
    from nonneg.io.catalogue import ChannelSide

__all__ = ["signatures"]


def signatures(
    catalogue: Annotated[
        Path,
        typer.Argument(
            metavar="CATALOGUE", help="Counts of mutations: channels × samples, or turned."
        ),
    ],
    reference: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Known signatures to compare with, such as COSMIC's."),
    ] = None,
    only: Annotated[
        str | None,
        typer.Option(
            metavar="NAMES",
            help="Of the reference these only, with commas.",
            show_default="all",
        ),
    ] = None,
    refit: Annotated[
        bool,
        typer.Option(
            "--refit", help="Find none; say how much of those in --reference is in each sample."
        ),
    ] = False,
    ranks: Annotated[
        str,
        typer.Option(
            "-k",
            "--components",
            metavar="K|A..B",
            help="How many signatures, or numbers to choose from.",
        ),
    ] = "2..8",
    runs: Annotated[
        int, typer.Option(metavar="N", help="Runs of each number, or resamples of --refit.", min=2)
    ] = 50,
    as_they_are: Annotated[
        bool,
        typer.Option("--no-resample", help="Do not draw the counts of each run anew (Poisson)."),
    ] = False,
    orientation: Annotated[
        str | None,
        typer.Option(
            metavar="channels-by-samples|samples-by-channels",
            help="What the rows of CATALOGUE are.",
            show_default="by the names of the channels",
        ),
    ] = None,
    seed: Seed = 0,
    threads: Threads = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", metavar="OUT", help="A model (.nonneg), or a folder of tables."
        ),
    ] = None,
    report: Report = None,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Extract mutational signatures, or refit known ones.

    Example: nonneg signatures breast.csv --reference COSMIC_v3.4_SBS_GRCh37.txt
    """
    if refit and reference is None:
        raise InputError(
            "--refit asks how much of known signatures is in each sample · none are named · add "
            "--reference FILE"
        )
    is_model = check_place(output, force, (".nonneg",), catalogue)
    if is_model and refit:
        raise InputError("--refit fits no model · there are tables only · name a folder after -o")
    if refit and report is not None:
        raise InputError(
            "--refit fits no model · a report shows a model · leave out --report, or --refit"
        )
    check_report(report, force, catalogue)
    listed = rank_span(ranks, "-k")
    with Work() as work:
        work.phase(f"reading {catalogue.name}")
        from nonneg.apps.signatures import Signatures, refit_signatures
        from nonneg.cli import draw_signatures
        from nonneg.io.catalogue import filled, named, read_catalogue, with_channels
        from nonneg.models import save
        from nonneg.report.signatures import (
            refit_facts,
            signature_facts,
            write_refit_folder,
            write_signature_folder,
        )

        data = read_catalogue(catalogue, orientation=cast("ChannelSide | None", orientation))
        data = filled(data)
        known = None
        if reference is not None:
            known = with_channels(read_catalogue(reference), data.channels)
            if only is not None:
                known = named(known, [name.strip() for name in only.split(",")])
        for text in (*data.notes, *(() if known is None else known.notes)):
            note(text)

        def progress(done: int, total: int) -> None:
            work.phase(f"{'sample' if refit else 'run'} {done} of {total}", done / total)

        work.phase("refitting" if refit else "fitting")
        facts: dict[str, Any] = {"source": str(catalogue)}
        if refit:
            found = refit_signatures(
                data,
                known,
                n_bootstrap=runs,
                random_state=seed,
                n_threads=threads,
                callback=progress,
            )
            facts |= refit_facts(found)
            if output is not None:
                write_refit_folder(found, output, force=force)
        else:
            model = Signatures(
                listed if len(listed) > 1 else listed[0],
                n_runs=runs,
                resample=not as_they_are,
                random_state=seed,
                n_threads=threads,
                callback=progress,
            ).fit(data)
            match = None if known is None else model.match(known)
            facts |= signature_facts(model, match)
            if output is not None and is_model:
                save(model, output, force=force)
            elif output is not None:
                write_signature_folder(model, output, match=match, force=force)
        facts["saved"] = None if output is None else str(output)
    drawing = draw_signatures.refit if refit else draw_signatures.signatures
    answer(facts, as_json, lambda: drawing(facts))
    if not refit:
        write_report(model, report, force, as_json, **({} if match is None else {"match": match}))
    if output is not None:
        wrote(output, as_json)
