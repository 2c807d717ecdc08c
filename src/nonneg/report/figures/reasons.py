"""Figures of a recommendation: its reasons as a waterfall that ends at the estimate, and a list."""

from __future__ import annotations

import math
from collections.abc import Sequence

from nonneg.report.facts import Facts
from nonneg.report.figures.style import PALETTE, Figure, axis_names, figure, number, text, texts

__all__ = ["recommendations", "waterfall"]


def waterfall(facts: Facts) -> Figure:
    """The parts of an estimate, from the start of the scale to the estimate, which they sum to.

    Parameters
    ----------
    facts : dict
        From `explanation_facts`, whose `steps` are the bars.
    """
    steps = [(step["name"], step["contribution"]) for step in facts["steps"]]
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
            f"dotted: what {text(facts['person'], 24)} usually gives, {number(facts['usual'])}"
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
        title=f"Why {text(item, 40)} for {text(facts['person'], 28)}",
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
