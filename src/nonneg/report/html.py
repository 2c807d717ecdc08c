"""One HTML file with everything: figures, what to read from them, and the methods text.

The file holds Plotly's script, taken once from the installed package, and asks no network for
anything: a policy in its head forbids it. Text from data is escaped where it becomes HTML (Jinja2)
and where it becomes part of a figure (`figures.style.text`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from html import unescape
from importlib import import_module
from pathlib import Path
from typing import Any

from nonneg.errors import InputError, MissingLibraryError
from nonneg.io.files import PathLike, atomic_write
from nonneg.report.cards import cards_html, heading
from nonneg.report.facts import Facts
from nonneg.report.figures import bare
from nonneg.report.methods import methods_text
from nonneg.report.views import class_name, views_of, wanted

__all__ = ["report_facts", "report_html", "write_report"]

_TITLES = {
    "Factorization": "A table in parts",
    "NMF": "A table in parts",
    "Recommender": "Ratings, tastes and reasons",
    "Explanation": "Why this estimate",
    "TopicModel": "Topics of documents",
    "TopicClassifier": "Topics and labels of documents",
    "Metagenes": "Metagenes and classes",
    "ImageParts": "Parts of pictures",
    "Signatures": "Mutational signatures",
    "RankSelection": "How many components",
    "Consensus": "On what many runs agree",
}
_HEADINGS = {
    "factors": "The factors",
    "approximation": "The table and what the factors make of it",
    "cone": "The cone",
    "simplex": "The simplex",
    "convergence": "Convergence",
    "similarity": "What is alike",
    "recommendations": "Recommendations",
    "waterfall": "Why",
    "map": "Topic map",
    "structure": "Of what each is made",
    "flows": "Classes over the ranks",
    "consensus": "Consensus",
    "parts": "Parts",
    "steps": "Step by step",
    "profiles": "Profiles",
    "ranks": "How many",
    "curves": "How many",
}


def report_facts(shown: object, *, title: str | None = None, **given: Any) -> Facts:
    """Everything that a report says, as a plain dict.

    Parameters
    ----------
    shown : a fitted object
    title : str, optional
    **given
        Options of the figures, such as X, or user and item: figures that need them are drawn then.

    Returns
    -------
    dict
        `title`, `heading` (the object in a line), `sections` (`id`, `heading`, `says`, `caption`,
        `figure` without its title, and `cards`: what is shown in its place as text, or None, and
        below them a `table`, or None) and `methods` (paragraphs).

    Raises
    ------
    InputError
        No figure of this object takes an option that was given.
    """
    name, views = class_name(shown), views_of(shown)
    unknown = set(given) - {word for view in views.values() for word in wanted(view)[1]}
    if unknown:
        raise InputError(
            f"{', '.join(sorted(unknown))} · no figure of a {name} takes that · leave it out"
        )
    sections = []
    for kind, view in views.items():
        needed, known = wanted(view)
        if view.in_report and set(needed) <= set(given):
            options = {word: given[word] for word in known if word in given}
            drawn = view.draw(shown, **options)
            told = drawn["layout"]["meta"]
            # A note says what a figure leaves out: cards and table have it.
            said = [told["title"], *([told["note"]] if view.cards is None else [])]
            sections.append(
                {
                    "id": kind,
                    "heading": view.heading or _HEADINGS[kind],
                    "says": view.says,
                    "caption": unescape(" · ".join(filter(None, said))),
                    "figure": bare(drawn),
                    "cards": None if view.cards is None else view.cards(shown, **options),
                    "table": None if view.table is None else view.table(shown, **options),
                }
            )
    return {
        "title": title or _TITLES[name],
        "heading": heading(shown, name),
        "sections": sections,
        "methods": methods_text(shown, name, given),
    }


def report_html(shown: object, *, title: str | None = None, **given: Any) -> str:
    """Return the report as one HTML page.

    Parameters
    ----------
    shown, title, **given
        As for `report_facts`.

    Raises
    ------
    MissingLibraryError
        Plotly or Jinja2 is not installed.
    """
    try:
        jinja2 = import_module("jinja2")
        script: str = import_module("plotly.offline").get_plotlyjs()
    except ImportError as error:
        raise MissingLibraryError(
            f"a report is made with plotly and jinja2 · {error.name} is not installed · pip "
            "install 'nonneg[report]'"
        ) from None
    facts = report_facts(shown, title=title, **given)
    pages = jinja2.Environment(
        loader=jinja2.PackageLoader("nonneg.report"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    cards = {
        section["id"]: cards_html({"heading": "", "cards": section["cards"]})
        for section in facts["sections"]
        if section["cards"] is not None
    }
    drawn = [section for section in facts["sections"] if section["cards"] is None]
    page: str = pages.get_template("report.html").render(
        facts=facts, cards=cards, script=script, figures=_json(drawn)
    )
    return page


def _json(sections: list[Mapping[str, Any]]) -> str:
    """The figures as JSON that cannot end the script element around it."""
    figures = {section["id"]: section["figure"] for section in sections}
    text = json.dumps(figures, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def write_report(
    shown: object, path: PathLike, *, title: str | None = None, force: bool = False, **given: Any
) -> Path:
    """Write the report; see `nonneg.shown.Shown.write_report`."""
    page = report_html(shown, title=title, **given)
    with atomic_write(path, force=force) as stream:
        stream.write(page.encode("utf-8", "replace"))
    return Path(path)
