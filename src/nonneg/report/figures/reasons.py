"""Figures of a recommendation: its reasons as a waterfall that ends at the estimate, and a list."""

from __future__ import annotations

import math
from collections.abc import Sequence

from nonneg.report.facts import Facts
from nonneg.report.figures.style import PALETTE, Figure, axis_names, figure, number, text, texts

__all__ = ["recommendations", "waterfall"]

_MOST_PARTS = 10


def waterfall(facts: Facts, *, most: int = _MOST_PARTS) -> Figure:
    """The parts of an estimate, from the start of the scale to the estimate, which they sum to.

    Parameters
    ----------
    facts : dict
        From `explanation_facts`.
    most : int, default 10
        Bars at most, without the estimate: the smallest tastes and ratings are put together.
    """
    steps = _steps(facts["parts"], most)
    item = facts["title"] or facts["item"]
    low, high = facts["scale"]
    # Enough to tell a thousandth of the scale: 2 for a scale from 1 to 5.
    digits = max(0, math.ceil(2.5 - math.log10(high - low))) if high > low else 2
    names = [*(name for name, _ in steps), "estimate"]
    values = [*(value for _, value in steps), None]
    bars: Figure = {
        "type": "waterfall",
        "orientation": "h",
        "y": list(range(len(names))),
        "x": values,
        "measure": [*["relative"] * len(steps), "total"],
        "text": [
            *(_signed(value, digits) for _, value in steps),
            f"{facts['estimate']:.{digits}f}",
        ],
        "textposition": "outside",
        "cliponaxis": False,
        "hovertext": texts(names),
        "hovertemplate": "%{hovertext}: %{text}<extra></extra>",
        "increasing": {"marker": {"color": PALETTE[0]}},
        "decreasing": {"marker": {"color": PALETTE[1]}},
        "totals": {"marker": {"color": PALETTE[6]}},
        "connector": {"line": {"color": PALETTE[6], "width": 1, "dash": "dot"}},
    }
    ends = _ends(steps)
    said = [f"verdict: {facts['verdict']}"]
    shapes: list[Figure] = []
    if facts["usual"] is not None:
        said.append(
            f"dotted: what user {text(facts['user'], 20)} usually gives, {number(facts['usual'])}"
        )
        shapes = [
            {
                "type": "line",
                "x0": facts["usual"],
                "x1": facts["usual"],
                "y0": 0,
                "y1": 1,
                "yref": "paper",
                "line": {"color": PALETTE[1], "width": 1.5, "dash": "dot"},
            }
        ]
    left, right = min(0.0, *ends), max(*ends, facts["usual"] or 0.0)
    wide = (right - left) or 1.0
    return figure(
        [bars],
        title=f"Why {text(item, 40)} for user {text(facts['user'], 24)}",
        note="; ".join(said),
        height=130 + 34 * len(names),
        margin={"r": 52},
        xaxis={
            "range": [left - 0.02 * wide, right + 0.02 * wide],
            "zeroline": True,
            "title": {"text": "estimate, part by part"},
        },
        yaxis={**axis_names(names, limit=22, lines=2), "autorange": "reversed"},
        shapes=shapes,
    )


def _steps(parts: Sequence[Facts], most: int) -> list[tuple[str, float]]:
    """The parts in their order, the smallest of each kind as one where they are too many."""
    rests = sorted({_KINDS[kind] for part in parts if (kind := _kind(part))})
    standing = sum(not _kind(part) for part in parts)
    room = len(parts) if len(parts) <= most else max(most - len(rests), standing)
    order = sorted(range(len(parts)), key=lambda i: (bool(_kind(parts[i])), -_size(parts[i])))
    kept = set(order[:room])
    steps = [(_reason(part), part["contribution"]) for i, part in enumerate(parts) if i in kept]
    for what in rests:
        rest = [
            part["contribution"]
            for i, part in enumerate(parts)
            if i not in kept and _KINDS.get(_kind(part)) == what
        ]
        steps += [(f"{len(rest):,} {what}", sum(rest))] if rest else []
    return steps


# What the smaller parts of a kind are called together.
_KINDS = {
    "component": "further tastes",
    "item": "further own ratings",
    "user": "further like-minded people",
}


def _kind(part: Facts) -> str:
    """Of what a part tells; "" of the start of the scale and of averages, which always stand."""
    return next((kind for kind in _KINDS if part[kind] is not None), "")


def _size(part: Facts) -> float:
    return abs(float(part["contribution"]))


def _reason(part: Facts) -> str:
    if part["component"] is not None:
        return f"taste {part['component']}: {part['name']}"
    if part["item"] is not None:
        return f"rating of {part['name']}"
    return f"like-minded {part['name']}" if part["user"] is not None else str(part["name"])


def _signed(value: float, digits: int) -> str:
    return f"{'−' if value < 0 else '+'}{abs(value):.{digits}f}"


def _ends(steps: Sequence[tuple[str, float]]) -> list[float]:
    ends, at = [0.0], 0.0
    for _, value in steps:
        at += value
        ends.append(at)
    return ends


def recommendations(facts: Facts) -> Figure:
    """A list of recommendations as bars, best first."""
    items = facts["items"]
    names = [item["title"] or item["item"] for item in items]
    values = [item["estimate"] for item in items]
    counts = [item["n_ratings"] for item in items]
    data: list[Figure] = [
        {
            "type": "bar",
            "orientation": "h",
            "x": values,
            "y": list(range(len(items))),
            "text": [f"{value:.2f}" for value in values],
            "textposition": "outside",
            "cliponaxis": False,
            "customdata": counts,
            "hovertext": texts(names),
            "hovertemplate": "%{hovertext}: %{x:.3f}, rated by %{customdata:,}<extra></extra>",
            "marker": {"color": PALETTE[0]},
        }
    ]
    return figure(
        data,
        title=f"For user {text(facts['user'], 30)}",
        height=110 + 34 * max(len(items), 1),
        margin={"r": 52},
        xaxis={"rangemode": "tozero", "title": {"text": "estimate"}},
        yaxis={**axis_names(names, limit=24, lines=2), "autorange": "reversed"},
    )
