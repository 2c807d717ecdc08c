"""`nonneg recommend`: what somebody may like, and why."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nonneg.cli.console import Work, answer, check_output, wrote
from nonneg.cli.options import AsJson, Force, Report, Seed, Threads
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
from nonneg.cli.report import check_report
from nonneg.cli.report import write as write_report
from nonneg.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Hashable

    from nonneg.apps.recommend import Recommender

__all__ = ["recommend"]


# What is decided when a recommender learns, by parameter: a saved one has learned already.
_LEARNING = {
    "columns": "--columns",
    "duplicates": "--duplicates",
    "method": "--method",
    "implicit": "--implicit",
    "rank": "-k",
    "models": "--models",
    "seed": "--seed",
}


def recommend(
    ctx: typer.Context,
    ratings: Annotated[
        Path | None,
        typer.Argument(
            metavar="RATINGS",
            show_default=False,
            help="user, item, rating in CSV, TSV, :: (also .gz) or Parquet; or a model that -o "
            "saved.",
        ),
    ] = None,
    user: Annotated[
        str | None, typer.Option("--user", "-u", metavar="U", help="Whom to recommend to.")
    ] = None,
    like: Annotated[
        list[str] | None,
        typer.Option(
            "--like",
            metavar="ITEM=R",
            help="A rating of somebody new, by id or title; may be given often.",
        ),
    ] = None,
    item: Annotated[
        str | None,
        typer.Option("--item", "-i", metavar="I", help="Estimate this item, and say why."),
    ] = None,
    n: Annotated[int, typer.Option("-n", metavar="N", help="How many to recommend.", min=1)] = 10,
    rated: Annotated[
        bool, typer.Option("--rated", help="Include what the user has rated already.")
    ] = False,
    titles: Titles = None,
    source: FromUrl = None,
    query: Query = None,
    columns: Columns = None,
    duplicates: Repeats = "last",
    method: Method = "factors",
    implicit: Implicit = False,
    rank: Rank = None,
    models: Models = 16,
    seed: Seed = 0,
    threads: Threads = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="MODEL", help="Save the recommender here."),
    ] = None,
    report: Report = None,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Recommend items to a user, or say why one item is or is not for them.

    Example: nonneg recommend ratings.csv --user Ann --item Heat
    """
    asked = user is not None or bool(like)
    if not asked and ((output is None and report is None) or item is not None):
        raise InputError(
            "no user is named · recommendations are made for one person · add --user U, or "
            "--like ITEM=RATING for somebody new"
        )
    if user is not None and like:
        raise InputError(
            "--user and --like name two people · recommendations are made for one · leave one out"
        )
    check_output(output, force, *([] if ratings is None else [ratings]))
    check_report(report, force, *([] if ratings is None else [ratings]))
    with Work() as work:
        work.phase("loading")
        from nonneg.cli import draw_taste
        from nonneg.io.names import read_titles
        from nonneg.io.sql import without_password
        from nonneg.models import is_model_file, save
        from nonneg.report.taste import (
            explanation_facts,
            find_item,
            recommendation_facts,
            recommender_facts,
        )

        names = None if titles is None else read_titles(titles)
        labels = labels_of(titles)
        if ratings is not None and source is None and is_model_file(ratings):
            model = _load(ratings)
            _check_unasked(ctx, ratings)
        else:
            data = read(work, ratings, source, query, columns, duplicates)
            work.phase(f"learning from {len(data):,} ratings")
            model = learner(method, rank, models, seed, threads, labels, implicit=implicit)(data)
        told = without_password(str(source)) if ratings is None else str(ratings)
        facts = {"source": told, **recommender_facts(model)}
        liked = dict(_liked(word, model, names) for word in like or [])
        who = liked or user
        pictured: dict[str, Any] = {"user": who, "titles": names} if asked else {"titles": names}
        drawing = draw_taste.recommender
        if item is not None:
            code = find_item(model, item, names)
            why = model.explain_for(liked, code) if liked else model.explain(user, code)
            facts |= explanation_facts(why, model=model, titles=names)
            pictured["item"] = code
            drawing = draw_taste.explanation
        elif who is not None:
            facts |= recommendation_facts(
                model, who, n, exclude_seen=not rated, titles=names, labels=labels
            )
            drawing = draw_taste.recommendations
        facts["saved"] = None if output is None else str(save(model, output, force=force))
    answer(facts, as_json, lambda: drawing(facts))
    write_report(model, report, force, as_json, **pictured)
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


def _liked(word: str, model: Recommender, titles: dict[str, str] | None) -> tuple[Hashable, float]:
    """An item and its rating from ITEM=R."""
    from nonneg.report.taste import find_item

    name, equals, rating = word.rpartition("=")
    try:
        value = float(rating)
    except ValueError:
        equals = ""
    if not equals or not name.strip():
        raise InputError(
            f'--like {word!r} is no item with a rating · the form is ITEM=R · as --like "Heat=5"'
        )
    return find_item(model, name.strip(), titles), value
