"""Which figures each kind of thing has: facts, drawn by `report.figures` for a theme."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from nonneg.errors import UnknownNameError
from nonneg.report import figures
from nonneg.report.facts import Facts
from nonneg.web.pages import Query, cone_of, cut_labels, data_of, factors_of, why_facts
from nonneg.web.store import Entry

__all__ = ["picture"]

_CARDS = 6  # entries of a component
_MOST_CARDS = 12


def picture(entry: Entry, name: str, query: Query, theme: str) -> Facts:
    """Return a figure as Plotly's JSON has it; raise UnknownNameError where there is none."""
    there = _PICTURES.get(entry.kind, {})
    if name not in there:
        raise UnknownNameError(
            f"'{entry.name}' has no picture {name!r} · it has {', '.join(there) or 'none'} · "
            "choose one"
        )
    return figures.themed(there[name](entry, query), theme)


def _factors(entry: Entry, query: Query) -> Facts:
    from nonneg.report.factors import factor_facts

    fit = factors_of(entry)
    return figures.factors(factor_facts(fit.W, fit.H, fit.row_names, fit.column_names))


def _cards(entry: Entry, query: Query) -> Facts:
    from nonneg.report.facts import factorization_facts

    fit = factors_of(entry)
    side = "rows" if entry.kind == "talk" else "columns"
    components = factorization_facts(fit, top=_CARDS)["components"][:_MOST_CARDS]
    return figures.cards(components, side=side)


def _approximation(entry: Entry, query: Query) -> Facts:
    from nonneg.report.factors import approximation_facts

    data = data_of(entry)
    if data is None:
        raise UnknownNameError(
            f"'{entry.name}' was opened without its table · X cannot be drawn · open the table, "
            "and fit it here"
        )
    return figures.approximation(approximation_facts(factors_of(entry), data))


def _convergence(entry: Entry, query: Query) -> Facts:
    from nonneg.report.factors import convergence_facts

    return figures.convergence(convergence_facts(factors_of(entry)))


def _cone(entry: Entry, query: Query) -> Facts:
    return figures.cone(cone_of(entry))


def _simplex(entry: Entry, query: Query) -> Facts:
    return figures.simplex(cone_of(entry))


def _waterfall(entry: Entry, query: Query) -> Facts:
    return figures.waterfall(why_facts(entry, query))


def _consensus(entry: Entry, query: Query) -> Facts:
    from nonneg.report.grouping import consensus_facts

    model = entry.opened.thing
    agreed = replace(model.consensus_, labels=cut_labels(model, query))
    heights = agreed.tree[:, 2]
    k = min(query.cut or model.n_components, len(heights) + 1)
    # Between the merge that leaves k classes and the next one.
    above = float(heights[-(k - 1)]) if k > 1 else float(heights[-1])
    below = float(heights[-k]) if k <= len(heights) else 0.0
    cut = None if k == 1 else (above + below) / 2
    return figures.consensus_map(consensus_facts(agreed, model.samples_), cut=cut)


def _own(kind: str) -> Callable[[Entry, Query], Any]:
    """A figure that the thing draws itself."""

    def draw(entry: Entry, query: Query) -> Any:
        return entry.opened.thing.figure(kind)

    return draw


_OF_FACTORS: dict[str, Callable[[Entry, Query], Any]] = {
    "factors": _factors,
    "cards": _cards,
    "approximation": _approximation,
    "convergence": _convergence,
    "cone": _cone,
    "simplex": _simplex,
}
_PICTURES: dict[str, dict[str, Callable[[Entry, Query], Any]]] = {
    "factors": _OF_FACTORS,
    "talk": _OF_FACTORS | {"waterfall": _waterfall},
    "recommender": {"waterfall": _waterfall},
    "topics": {"topic-map": _own("map"), "structure": _own("structure")},
    "classifier": {"topic-map": _own("map"), "structure": _own("structure")},
    "classes": {"consensus": _consensus, "structure": _own("structure"), "flows": _own("flows")},
    "signatures": {kind: _own(kind) for kind in ("profiles", "structure", "ranks")},
    "rank": {"rank": _own("curves")},
}
