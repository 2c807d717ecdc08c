"""Figures of curves: how the iterations went, what the criteria say of each rank."""

from __future__ import annotations

import math

from nonneg.report.facts import Facts
from nonneg.report.figures.style import PALETTE, Figure, figure

__all__ = ["convergence", "rank_curves"]


def convergence(facts: Facts) -> Figure:
    """Objective (top) and scale-free KKT residual (bottom, logarithmic) by iteration."""
    steps = facts["steps"]
    at = [step["n_iter"] for step in steps]
    lines = [
        ([step["objective"] for step in steps], "objective", "", 0),
        ([step["residual"] for step in steps], "residual", "2", 1),
    ]
    data = [
        {
            "type": "scatter",
            "mode": "lines+markers" if len(steps) <= 60 else "lines",
            "x": at,
            "y": values,
            "customdata": [step["seconds"] for step in steps],
            "hovertemplate": "iteration %{x}, %{customdata:.3g} s<br>"
            f"{name} %{{y:.6g}}<extra></extra>",
            "line": {"color": PALETTE[t], "width": 2},
            "marker": {"size": 4},
            "xaxis": "x",
            "yaxis": f"y{axis}",
        }
        for values, name, axis, t in lines
    ]
    seconds = steps[-1]["seconds"] if steps else 0.0
    positive = [step["residual"] for step in steps if step["residual"] > 0] or [1.0]
    decades = math.log10(max(positive) / min(positive))
    told = facts["status"].replace("_", " ")
    return figure(
        data,
        title=f"{told} after {at[-1] if at else 0} iterations, {seconds:.2g} s",
        height=420,
        xaxis={"title": {"text": "iteration"}, "anchor": "y2"},
        yaxis={"title": {"text": "objective"}, "domain": [0.54, 1], "tickformat": ".4~g"},
        yaxis2={
            "title": {"text": "residual"},
            "domain": [0, 0.46],
            "type": "log",
            "exponentformat": "power",
            "dtick": max(1, math.ceil(decades / 5)),
            "tickfont": {"size": 11},
        },
    )


def rank_curves(facts: Facts) -> Figure:
    """A curve a criterion over the ranks; a ring marks the rank that it prefers.

    Dashed lines are the same on permuted data, in which there is nothing to find.
    """
    curves = facts["curves"]
    ranks = [row["rank"] for row in facts["rows"]]
    data: list[Figure] = []
    layout: Figure = {}
    notes: list[Figure] = []
    count = max(len(curves), 1)
    for i, curve in enumerate(curves):
        at = "" if i == 0 else str(i + 1)
        high = 1 - i / count - 0.05
        low = 1 - (i + 1) / count + 0.03
        data += _curve(curve, ranks, at)
        layout[f"xaxis{at}"] = {
            "anchor": f"y{at}",
            "tickvals": ranks if len(ranks) <= 20 else None,
            "showticklabels": i == count - 1,
            "title": {"text": "rank"} if i == count - 1 else None,
            "matches": None if i == 0 else "x",
        }
        layout[f"yaxis{at}"] = {
            "anchor": f"x{at}",
            "domain": [max(low, 0), high],
            "nticks": 4,
            "tickformat": ".3~g",
        }
        preferred = curve["preferred"]
        told = "prefers no rank" if preferred is None else f"prefers {preferred}"
        notes.append(
            {
                "text": f"<b>{curve['label']}</b>, {curve['better']} is better: {told}",
                "x": 0,
                "xref": "paper",
                "xanchor": "left",
                "y": high,
                "yref": "paper",
                "yanchor": "bottom",
                "showarrow": False,
            }
        )
    agreed = facts["agreed"]
    title = (
        "The criteria do not agree on a rank" if agreed is None else f"They agree on rank {agreed}"
    )
    return figure(
        data,
        title=title,
        note=facts["note"],
        height=90 + 165 * count,
        annotations=notes,
        **_without_none(layout),
    )


def _curve(curve: Facts, ranks: list[int], at: str) -> list[Figure]:
    data: list[Figure] = []
    place = {"type": "scatter", "xaxis": f"x{at}", "yaxis": f"y{at}"}
    if curve["baseline"] is not None:
        data.append(
            {
                **place,
                "mode": "lines",
                "x": ranks,
                "y": curve["baseline"],
                "line": {"color": PALETTE[6], "dash": "dash", "width": 1.5},
                "hovertemplate": "rank %{x}, permuted data: %{y:.4g}<extra></extra>",
            }
        )
    line: Figure = {
        **place,
        "mode": "lines+markers",
        "x": ranks,
        "y": curve["values"],
        "line": {"color": PALETTE[0], "width": 2},
        "marker": {"size": 7},
        "hovertemplate": "rank %{x}: %{y:.4g}<extra></extra>",
    }
    if curve["errors"] is not None:
        line["error_y"] = {
            "type": "data",
            "array": curve["errors"],
            "color": PALETTE[0],
            "width": 4,
        }
    data.append(line)
    if curve["preferred"] in ranks:
        where = ranks.index(curve["preferred"])
        data.append(
            {
                **place,
                "mode": "markers",
                "x": [ranks[where]],
                "y": [curve["values"][where]],
                "marker": {
                    "size": 17,
                    "symbol": "circle-open",
                    "color": PALETTE[1],
                    "line": {"width": 3},
                },
                "hoverinfo": "skip",
            }
        )
    return data


def _without_none(layout: Figure) -> Figure:
    return {
        name: {key: value for key, value in axis.items() if value is not None}
        for name, axis in layout.items()
    }
