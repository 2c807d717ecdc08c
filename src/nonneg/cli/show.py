"""`nonneg show`: what a saved model of any kind found."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from nonneg.cli.console import answer
from nonneg.cli.options import AsJson, ModelPath
from nonneg.errors import InputError

__all__ = ["show"]

Shown = tuple[dict[str, Any], Callable[[dict[str, Any]], Iterator[Any]]]


def show(
    model: ModelPath,
    top: Annotated[
        int, typer.Option(metavar="N", help="Names to show of each component.", min=0)
    ] = 10,
    titles: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="What items of a recommender are called: id, title."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show what a saved model found: the top of each component, taste, topic or class.

    Example: nonneg show genes.nonneg --top 20
    """
    from nonneg.models import load

    loaded = load(model)
    kind = type(loaded).__name__
    if titles is not None and kind != "Recommender":
        raise InputError(f"--titles is for recommenders · '{model}' is none · leave it out")
    facts, draw = _KINDS.get(kind, _factorization)(loaded, top, titles)
    told = {"source": str(model), **facts}
    answer(told, as_json, lambda: draw(told))


def _factorization(model: Any, top: int, titles: Path | None) -> Shown:
    from nonneg.cli import draw
    from nonneg.report.facts import factorization_facts

    fit = getattr(model, "factorization_", model)
    return factorization_facts(fit, top=top), draw.factorization


def _recommender(model: Any, top: int, titles: Path | None) -> Shown:
    from nonneg.cli import draw_taste
    from nonneg.io.names import read_titles
    from nonneg.report.taste import taste_facts

    names = None if titles is None else read_titles(titles)
    return taste_facts(model, top=top, titles=names), draw_taste.tastes


def _topics(model: Any, top: int, titles: Path | None) -> Shown:
    from nonneg.cli import draw_topics
    from nonneg.report.topics import saved_facts

    return saved_facts(model, top=top), draw_topics.topics


def _images(model: Any, top: int, titles: Path | None) -> Shown:
    from nonneg.cli import draw_images
    from nonneg.report.images import image_facts

    return image_facts(model), draw_images.parts


def _classes(model: Any, top: int, titles: Path | None) -> Shown:
    from nonneg.cli import draw_classes
    from nonneg.report.classes import class_facts

    return class_facts(model, top=top), draw_classes.classes


def _signatures(model: Any, top: int, titles: Path | None) -> Shown:
    from nonneg.cli import draw_signatures
    from nonneg.report.signatures import signature_facts

    return signature_facts(model), draw_signatures.signatures


# By the name of the class, so that showing one kind does not import the others.
_KINDS = {
    "Recommender": _recommender,
    "TopicModel": _topics,
    "TopicClassifier": _topics,
    "ImageParts": _images,
    "Metagenes": _classes,
    "Signatures": _signatures,
}
