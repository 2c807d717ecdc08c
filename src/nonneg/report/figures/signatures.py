"""Figures of mutational signatures: profiles, cosines with known ones, stability by rank."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nonneg.report.facts import Facts
from nonneg.report.figures.factors import heat
from nonneg.report.figures.style import (
    PALETTE,
    Figure,
    axis_names,
    colour,
    figure,
    height_for,
    text,
    texts,
)

__all__ = ["matches", "profiles", "signature_ranks"]


def profiles(
    names: Sequence[str], channels: Sequence[str], values: Sequence[Sequence[float]]
) -> Figure:
    """Each signature as bars over its channels, coloured by the kind of mutation.

    Parameters
    ----------
    names : sequence of str (n_signatures,)
    channels : sequence of str (n_channels,)
    values : sequence (n_signatures, n_channels)
        Shares: each adds up to 1.
    """
    order = sorted(range(len(channels)), key=lambda j: (_kind(channels[j]), channels[j]))
    kinds = list(dict.fromkeys(_kind(channels[j]) for j in order))
    count = max(len(names), 1)
    data: list[Figure] = []
    layout: Figure = {}
    notes: list[Figure] = []
    for t, name in enumerate(names):
        at = "" if t == 0 else str(t + 1)
        high, low = 1 - t / count - 0.2 / count, 1 - (t + 1) / count + 0.06 / count
        data.append(
            {
                "type": "bar",
                "x": list(range(len(order))),
                "y": [float(values[t][j]) for j in order],
                "hovertext": texts([channels[j] for j in order]),
                "hovertemplate": "%{hovertext}: %{y:.1%}<extra></extra>",
                "marker": {"color": [colour(kinds.index(_kind(channels[j]))) for j in order]},
                "xaxis": "x",
                "yaxis": f"y{at}",
            }
        )
        layout[f"yaxis{at}"] = {"domain": [max(low, 0.0), high], "tickformat": ".0%", "nticks": 3}
        notes.append(
            {
                "text": f"<b>{text(name, 30)}</b>",
                "x": 0,
                "xref": "paper",
                "xanchor": "left",
                "y": high,
                "yref": "paper",
                "yanchor": "bottom",
                "showarrow": False,
            }
        )
    middles = [
        sum(i for i, j in enumerate(order) if _kind(channels[j]) == kind)
        / sum(1 for j in order if _kind(channels[j]) == kind)
        for kind in kinds
    ]
    named = len(kinds) <= 12
    layout["xaxis"] = {
        "anchor": f"y{count}" if count > 1 else "y",
        "tickvals": middles if named else [],
        "ticktext": texts(kinds, 12) if named else [],
        "showgrid": False,
        "range": [-0.6, len(order) - 0.4],
    }
    return figure(
        data,
        title=f"{_signatures(len(names))} over {len(channels)} channels",
        height=80 + 130 * count,
        annotations=notes,
        bargap=0.15,
        **layout,
    )


def matches(facts: Facts, *, most: int = 40) -> Figure:
    """The cosines of `match_facts` as a map: signatures across, the nearest known ones downwards.

    Parameters
    ----------
    facts : dict
    most : int, default 40
        Known signatures, of which the nearest are shown.
    """
    known, found = facts["known"][:most], [one["told"] for one in facts["signatures"]]
    values = np.array([one["cosines"] for one in known])
    names = [one["name"] for one in known]
    shown = heat(values, values, names, found, "", "cosine")
    if len(found) <= 12:
        shown["text"] = [[f"{value:.2f}" for value in row] for row in values.tolist()]
        shown["texttemplate"] = "%{text}"
    return figure(
        [shown],
        title=f"Cosines with {text(facts['against'], 90)}",
        note=f"the {most} nearest are shown" if most < len(facts["known"]) else "",
        height=height_for(len(names)) + 30,
        least=140 + 60 * len(found),
        margin={"t": 50},
        xaxis={"side": "top", "fixedrange": True, **axis_names(found, limit=14, lines=2)},
        yaxis={**axis_names(names, limit=20), "autorange": "reversed"},
    )


def _signatures(n: int) -> str:
    return "1 signature" if n == 1 else f"{n} signatures"


def _kind(channel: str) -> str:
    """The mutation of a channel: C>A of A[C>A]G, AC>NN of AC>CA, else its first part."""
    if "[" in channel and "]" in channel:
        return channel[channel.index("[") + 1 : channel.index("]")]
    if ">" in channel:
        return f"{channel.split('>')[0]}>"
    return ":".join(channel.split(":")[:3]) if ":" in channel else "all"


def signature_ranks(facts: Facts) -> Figure:
    """Mean and least stability of the signatures of each number, beside the error."""
    rows = facts["ranks"]
    ranks = [row["rank"] for row in rows]
    lines = (
        ("mean stability", "mean_stability", "solid", "", 0),
        ("least stability", "least_stability", "dash", "", 2),
        ("relative error", "relative_error", "dot", "2", 1),
    )
    data: list[Figure] = [
        {
            "type": "scatter",
            "mode": "lines+markers",
            "x": ranks,
            "y": [row[key] for row in rows],
            "name": name,
            "line": {"color": PALETTE[tone], "dash": dash, "width": 2},
            "marker": {"size": 7, "symbol": ("circle", "square", "diamond")[tone]},
            "yaxis": f"y{at}",
            "hovertemplate": f"{name} %{{y:.3f}}<extra></extra>",
        }
        for name, key, dash, at, tone in lines
    ]
    return figure(
        data,
        title=f"{_signatures(facts['rank'])} {'was' if facts['rank'] == 1 else 'were'} taken",
        height=320,
        showlegend=True,
        legend={"orientation": "h", "yanchor": "top", "y": -0.2, "x": 0},
        xaxis={"title": {"text": "number of signatures"}, "tickvals": ranks},
        yaxis={"title": {"text": "stability"}},
        yaxis2={
            "title": {"text": "relative error"},
            "overlaying": "y",
            "side": "right",
            "showgrid": False,
            "rangemode": "tozero",
            "tickmode": "auto",
            "nticks": 4,
        },
    )
