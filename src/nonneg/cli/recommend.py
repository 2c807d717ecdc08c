"""`nonneg recommend`: what somebody may like, and why."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from nonneg.cli.console import Work, answer, check_output, note, wrote
from nonneg.cli.options import AsJson, Force, Seed, Threads
from nonneg.errors import InputError

if TYPE_CHECKING:
    from nonneg.apps.recommend import Recommender
    from nonneg.io.cells import Duplicates

__all__ = ["recommend"]


# What is decided when a recommender learns, by parameter: a saved one has learned already.
_LEARNING = {
    "columns": "--columns",
    "duplicates": "--duplicates",
    "rank": "-k",
    "seed": "--seed",
}


def recommend(
    ctx: typer.Context,
    ratings: Annotated[
        Path,
        typer.Argument(
            metavar="RATINGS",
            help="user, item, rating in CSV, TSV, :: (also .gz) or Parquet; or a model that -o "
            "saved.",
        ),
    ],
    user: Annotated[
        str | None, typer.Option("--user", "-u", metavar="U", help="Whom to recommend to.")
    ] = None,
    item: Annotated[
        str | None,
        typer.Option("--item", "-i", metavar="I", help="Estimate this item, and say why."),
    ] = None,
    n: Annotated[int, typer.Option("-n", metavar="N", help="How many to recommend.", min=1)] = 10,
    rated: Annotated[
        bool, typer.Option("--rated", help="Include what the user has rated already.")
    ] = False,
    titles: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="What items are called: columns id, title."),
    ] = None,
    columns: Annotated[
        str | None,
        typer.Option(
            metavar="NAMES", help="The columns of user,item,rating, by name or place from 1."
        ),
    ] = None,
    duplicates: Annotated[
        str,
        typer.Option(metavar="last|mean|error", help="What to do with an item rated twice."),
    ] = "last",
    rank: Annotated[
        int, typer.Option("-k", "--components", metavar="K", help="Components of taste.")
    ] = 20,
    seed: Seed = 0,
    threads: Threads = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="MODEL", help="Save the recommender here."),
    ] = None,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Recommend items to a user, or say why one item is or is not for them.

    Example: nonneg recommend ratings.csv --user Ann --item Heat
    """
    if user is None and (output is None or item is not None):
        raise InputError(
            "no user is named · recommendations are made for one person · add --user U"
        )
    check_output(output, force, ratings)
    with Work() as work:
        work.phase("loading")
        from nonneg.cli import draw_taste
        from nonneg.io.names import read_titles
        from nonneg.models import is_model_file, save
        from nonneg.report.taste import (
            explanation_facts,
            recommendation_facts,
            recommender_facts,
        )

        names = None if titles is None else read_titles(titles)
        if is_model_file(ratings):
            model = _load(ratings)
            _check_unasked(ctx, ratings)
        else:
            model = _fit(work, ratings, columns, duplicates, rank, seed, threads)
        facts = {"source": str(ratings), **recommender_facts(model)}
        drawing = draw_taste.recommender
        if item is not None:
            facts |= explanation_facts(model.explain(user, item), model=model, titles=names)
            drawing = draw_taste.explanation
        elif user is not None:
            facts |= recommendation_facts(model, user, n, exclude_seen=not rated, titles=names)
            drawing = draw_taste.recommendations
        facts["saved"] = None if output is None else str(save(model, output, force=force))
    answer(facts, as_json, lambda: drawing(facts))
    if output is not None:
        wrote(output, as_json)


def _load(path: Path) -> Recommender:
    from nonneg.apps.recommend import Recommender
    from nonneg.models import load

    model = load(path)
    if not isinstance(model, Recommender):
        raise InputError(
            f"'{path}' is a saved {type(model).__name__} · recommending needs ratings, or a model "
            "that nonneg recommend -o saved · name one of these"
        )
    return model


def _check_unasked(ctx: typer.Context, path: Path) -> None:
    """Refuse options that a saved recommender cannot follow any more."""
    asked = []
    for name, option in _LEARNING.items():
        source = ctx.get_parameter_source(name)
        if source is not None and source.name == "COMMANDLINE":
            asked.append(option)
    if asked:
        raise InputError(
            f"cannot apply {', '.join(asked)} · '{path}' is a saved recommender, which has learned "
            f"already · leave {'it' if len(asked) == 1 else 'them'} out, or name the file of "
            "ratings to learn again"
        )


def _fit(
    work: Work,
    path: Path,
    columns: str | None,
    duplicates: str,
    rank: int,
    seed: int,
    threads: int | None,
) -> Recommender:
    from nonneg.apps.recommend import Recommender
    from nonneg.io.ratings import read_ratings

    work.phase(f"reading {path.name}")
    named = None if columns is None else [_column(word) for word in columns.split(",")]
    data = read_ratings(path, columns=named, duplicates=cast("Duplicates", duplicates))
    for text in data.notes:
        note(text)
    work.phase(f"learning from {len(data):,} ratings")
    return Recommender(rank, random_state=seed, n_threads=threads).fit(data)


def _column(word: str) -> str | int:
    """A column by name, or by its place where it is a number."""
    return int(word) if word.strip().isdecimal() else word.strip()
