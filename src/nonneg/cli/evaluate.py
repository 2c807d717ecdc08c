"""`nonneg evaluate`: how good recommendations are, by protocols that others use."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from nonneg.cli.console import Work, answer
from nonneg.cli.options import AsJson, Seed, Threads
from nonneg.cli.rating_options import (
    Columns,
    FromUrl,
    Implicit,
    Method,
    Models,
    Query,
    Rank,
    Repeats,
    Titles,
    labels_of,
    learner,
    read,
)
from nonneg.errors import InputError

if TYPE_CHECKING:
    from nonneg.apps.evaluate import Protocol

__all__ = ["evaluate"]


def evaluate(
    ratings: Annotated[
        Path | None,
        typer.Argument(
            metavar="RATINGS",
            show_default=False,
            help="user, item, rating in CSV, TSV, :: (also .gz) or Parquet.",
        ),
    ] = None,
    protocol: Annotated[
        str,
        typer.Option(metavar="NAME", help="surprise-5fold, split:FILE, leave-last or topn."),
    ] = "surprise-5fold",
    source: FromUrl = None,
    query: Query = None,
    columns: Columns = None,
    titles: Titles = None,
    duplicates: Repeats = "last",
    method: Method = "factors",
    implicit: Implicit = False,
    rank: Rank = None,
    models: Models = 16,
    seed: Seed = 0,
    threads: Threads = None,
    as_json: AsJson = False,
) -> None:
    """Measure a recommender on ratings held out, beside plain yardsticks.

    Example: nonneg evaluate ratings.csv --protocol leave-last
    """
    name, _, path = protocol.partition(":")
    if (name == "split") != bool(path):
        raise InputError(
            f"--protocol {protocol} · split names the file to estimate, the others none · as "
            "--protocol split:test.csv"
        )
    if implicit and name != "topn":
        raise InputError(
            f"--implicit with --protocol {protocol} · counts are no ratings to be estimated · add "
            "--protocol topn"
        )
    with Work() as work:
        work.phase("loading")
        from nonneg.apps.evaluate import evaluate as measure
        from nonneg.cli import draw_taste
        from nonneg.io.sql import without_password

        data = read(work, ratings, source, query, columns, duplicates)
        test = read(work, Path(path), None, None, columns, duplicates) if path else None
        found = measure(
            data,
            learner(method, rank, models, seed, threads, labels_of(titles), implicit=implicit),
            cast("Protocol", name),
            test=test,
            random_state=seed,
            progress=work.phase,
        )
        told = without_password(str(source)) if ratings is None else str(ratings)
        facts = {"source": told, **found}
    answer(facts, as_json, lambda: draw_taste.evaluation(facts))
