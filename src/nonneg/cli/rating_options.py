"""What `recommend` and `evaluate` share: where ratings come from, and how they are learned from."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from nonneg.cli.console import Work, note
from nonneg.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from nonneg.apps.recommend import Recommender
    from nonneg.io.cells import Duplicates
    from nonneg.io.ratings import Ratings

__all__ = [
    "Columns",
    "FromUrl",
    "Implicit",
    "Method",
    "Models",
    "Query",
    "Rank",
    "Repeats",
    "Titles",
    "labels_of",
    "learner",
    "read",
]

Columns = Annotated[
    str | None,
    typer.Option(metavar="NAMES", help="The columns of user,item,rating, by name or place from 1."),
]
FromUrl = Annotated[
    str | None,
    typer.Option(
        "--from", metavar="URL", help="Read from this database instead: sqlite:///file.db, …"
    ),
]
Query = Annotated[
    str | None, typer.Option(metavar="SQL", help="What to select from it: user, item, rating.")
]
Repeats = Annotated[
    str, typer.Option(metavar="last|mean|error", help="What to do with an item rated twice.")
]
Method = Annotated[
    str,
    typer.Option(
        metavar="factors|signed|neighbors|talk",
        help="Estimate by components of taste, of any sign, by similar items, or as the talk does.",
    ),
]
Titles = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="What items are called: columns id, title and, if any, genres, which also help to "
        "estimate.",
    ),
]
Implicit = Annotated[
    bool,
    typer.Option("--implicit", help="The numbers are counts of use (plays, purchases)."),
]
Rank = Annotated[
    int | None,
    typer.Option(
        "-k",
        "--components",
        metavar="K",
        help="Components of taste.",
        show_default="20; 50 with --implicit",
    ),
]
Models = Annotated[int, typer.Option(metavar="N", help="Runs whose estimates are averaged.", min=1)]


def read(
    work: Work,
    path: Path | None,
    url: str | None,
    query: str | None,
    columns: str | None,
    duplicates: str,
) -> Ratings:
    """Read the ratings of a file, or of a database."""
    from nonneg.io.ratings import read_ratings
    from nonneg.io.sql import without_password

    if (path is None) == (url is None):
        raise InputError(
            "ratings come from one place · "
            + ("none was named" if path is None else "a file and a database were")
            + " · name a file, or use --from URL --query SQL"
        )
    if (url is None) != (query is None):
        raise InputError(
            "--from and --query go together · the one says where, the other what · give both"
        )
    work.phase(f"reading {without_password(url or '') if path is None else path.name}")
    named = None if columns is None else [_column(word) for word in columns.split(",")]
    source: Any = url if path is None else path
    data = read_ratings(
        source, query=query, columns=named, duplicates=cast("Duplicates", duplicates)
    )
    for text in data.notes:
        note(text)
    return data


def learner(
    method: str,
    rank: int | None,
    models: int,
    seed: int,
    threads: int | None,
    labels: Mapping[Any, Iterable[str]] | None,
    *,
    implicit: bool = False,
) -> Callable[[Ratings], Recommender]:
    """Return what fits a recommender to ratings."""
    from nonneg.apps.neighbor_model import Neighbors
    from nonneg.apps.recommend import Recommender

    how: Any = {"talk": Neighbors.of_the_talk(), "signed": "factors"}.get(method, method)
    if how not in ("factors", "neighbors") and method != "talk":
        raise InputError(
            f"--method {method} · it is factors, signed, neighbors or talk · choose one"
        )
    model = Recommender(
        "auto" if rank is None else rank,
        method=how,
        feedback="implicit" if implicit else "explicit",
        n_models=models,
        nonneg=method != "signed",
        random_state=seed,
        n_threads=threads,
    )
    return partial(model.fit, item_labels=None if implicit else labels)


def labels_of(titles: Path | None) -> dict[str, tuple[str, ...]] | None:
    """Read what items are labelled with, where the file says it."""
    from nonneg.io.names import read_labels

    return None if titles is None else read_labels(titles) or None


def _column(word: str) -> str | int:
    """A column by name, or by its place where it is a number."""
    return int(word) if word.strip().isdecimal() else word.strip()
