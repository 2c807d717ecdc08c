"""Figures of groups: consensus map with tree, structure plot, topic map, flows over the ranks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nonneg.report.facts import Facts
from nonneg.report.figures.style import (
    PALETTE,
    SCALE,
    Figure,
    axis_names,
    clip,
    colour,
    figure,
    height_for,
    ink_on,
    number,
    pattern,
    text,
    texts,
)

_LEGEND = 20  # so many topics have their names below the map

__all__ = ["class_flows", "consensus_map", "structure", "topic_flows", "topic_map"]


def consensus_map(facts: Facts, *, cut: float | None = None) -> Figure:
    """The consensus matrix in the order of its tree, the tree above, the classes on the left.

    Parameters
    ----------
    facts : dict
        From `consensus_facts`.
    cut : float, optional
        A height, 1 − consensus, at which to draw a line through the tree.
    """
    matrix, names = facts["matrix"], facts["names"]
    n = len(names)
    data: list[Figure] = [
        {
            "type": "heatmap",
            "z": matrix,
            "zmin": 0,
            "zmax": 1,
            "colorscale": [list(stop) for stop in SCALE],
            "colorbar": {"thickness": 12, "outlinewidth": 0, "len": 0.78, "y": 0.39},
            "text": [[f"{a} · {b}" for b in texts(names, 30)] for a in texts(names, 30)]
            if n <= 120
            else None,
            "hovertemplate": ("%{text}<br>" if n <= 120 else "")
            + "together in %{z:.0%}<extra></extra>",
            "xgap": 0.5 if n <= 24 else 0,
            "ygap": 0.5 if n <= 24 else 0,
        },
        {
            "type": "scatter",
            "mode": "lines",
            # A gap between the brackets.
            "x": [x for merge in facts["tree"] for x in (*merge["x"], None)],
            "y": [y for merge in facts["tree"] for y in (*merge["y"], None)],
            "line": {"color": PALETTE[6], "width": 1.2},
            "hoverinfo": "skip",
            "xaxis": "x",
            "yaxis": "y2",
        },
        _class_band(facts["classes"]),
    ]
    data[0] = {key: value for key, value in data[0].items() if value is not None}
    tops = [max(merge["y"]) for merge in facts["tree"]]
    shapes: list[Figure] = []
    if cut is not None:
        line = {"color": PALETTE[1], "width": 2, "dash": "dash"}
        across = {"xref": "x domain", "x0": 0, "x1": 1, "yref": "y2", "y0": cut, "y1": cut}
        shapes = [{"type": "line", **across, "line": line}]
    said = [
        f"cophenetic correlation {number(facts['cophenetic'], 4)}",
        f"dispersion {number(facts['dispersion'])}",
        f"{facts['n_runs']} runs",
        *([facts["note"]] if facts["note"] else []),
    ]
    named = axis_names(names, most=50, limit=18)
    return figure(
        data,
        title=f"Consensus at rank {facts['rank']}",
        note=", ".join(said),
        least=520 if n <= 50 else 320,
        height=max(460, 110 + 17 * n) if n <= 50 else 640,
        xaxis={
            "domain": [0.05, 1],
            "range": [-0.5, n - 0.5],
            "showticklabels": False,
            "showgrid": False,
            "zeroline": False,
        },
        yaxis={"domain": [0, 0.78], "range": [n - 0.5, -0.5], **named, "anchor": "x3"},
        yaxis2={
            "domain": [0.8, 1],
            "range": [0, 1.04 * max([cut or 0.0, *tops], default=1.0) or 1.0],
            "anchor": "x",
            "nticks": 3,
            "zeroline": False,
            "showgrid": False,
        },
        xaxis3={"domain": [0, 0.035], "anchor": "y3", "visible": False, "fixedrange": True},
        yaxis3={"domain": [0, 0.78], "matches": "y", "anchor": "x3", "visible": False},
        annotations=_class_names(facts["classes"]),
        shapes=shapes,
    )


def _class_band(classes: Sequence[int]) -> Figure:
    k = max(classes, default=1)
    stops = [[edge / k, colour(t)] for t in range(k) for edge in (t, t + 1)]
    return {
        "type": "heatmap",
        "z": [[one] for one in classes],
        "zmin": 0.5,
        "zmax": k + 0.5,
        "colorscale": stops,
        "showscale": False,
        "xaxis": "x3",
        "yaxis": "y3",
        "hovertemplate": "class %{z}<extra></extra>",
    }


def _class_names(classes: Sequence[int]) -> list[Figure]:
    """The number of each class in the middle of its longest stretch, where there is room."""
    found: dict[int, tuple[int, float]] = {}
    start = 0
    for i in range(1, len(classes) + 1):
        if i == len(classes) or classes[i] != classes[start]:
            length = i - start
            if length > found.get(classes[start], (0, 0.0))[0]:
                found[classes[start]] = (length, (start + i - 1) / 2)
            start = i
    return [
        {
            "text": f"<b>{one}</b>",
            "x": 0,
            "xref": "x3",
            "y": middle,
            "yref": "y",
            "showarrow": False,
            "font": {"color": ink_on(colour(one - 1)), "size": 12},
        }
        for one, (length, middle) in found.items()
        if length * 40 >= len(classes)
    ]


def structure(facts: Facts, *, title: str = "") -> Figure:
    """A bar of shares for each row, alike ones together: of what it is made, and how mixed."""
    values = np.array(facts["values"], dtype=np.float64).reshape(-1, len(facts["components"]))
    names = texts(facts["names"], 40)
    bars = len(values)
    data: list[Figure] = [
        {
            "type": "bar",
            "x": list(range(bars)),
            "y": values[:, t].tolist(),
            "name": text(clip(name, 18)),
            "hovertext": names,
            "hovertemplate": "%{hovertext}: %{y:.0%}<extra>" + text(clip(name, 40)) + "</extra>",
            "marker": {
                "color": colour(t),
                "line": {"width": 0},
                **({"pattern": pattern(t)} if bars <= 120 else {}),
            },
        }
        for t, name in enumerate(facts["components"])
    ]
    what, n = facts["what"], facts["n"]
    lines = -(-len(facts["components"]) // 2)  # two fit side by side on a telephone
    return figure(
        data,
        title=title or f"Of what each {what} is made",
        note=facts["note"],
        height=346 + 22 * lines,
        annotations=_group_numbers(facts["groups"], bars),
        margin={"t": 36},
        barmode="stack",
        bargap=0 if bars > 60 else 0.08,
        showlegend=True,
        legend={"orientation": "h", "yanchor": "top", "y": -0.16, "x": 0, "traceorder": "normal"},
        xaxis={
            "title": {"text": f"{n:,} {what}s"},
            "showticklabels": False,
            "showgrid": False,
            "range": [-0.5, bars - 0.5],
        },
        yaxis={"range": [0, 1], "tickformat": ".0%", "nticks": 5},
    )


def _group_numbers(groups: Sequence[Facts], bars: int) -> list[Figure]:
    """The number of each component above the bars that it leads, where there is room."""
    return [
        {
            "text": f"<b>{t + 1}</b>",
            "x": group["first"] + (group["bars"] - 1) / 2,
            "y": 1,
            "yanchor": "bottom",
            "showarrow": False,
        }
        for t, group in enumerate(groups)
        if group["bars"] * 30 >= bars
    ]


def topic_map(facts: Facts) -> Figure:
    """Topics as discs, large where documents hold much of them, near where words are shared."""
    topics = facts["topics"]
    largest = max((topic["share"] for topic in topics), default=1.0) or 1.0
    hover = [
        f"<b>{text(topic['name'], 50)}</b><br>{topic['share']:.1%} of all, "
        f"{topic['documents']:,} documents<br>{text(', '.join(topic['words']), 80)}"
        for topic in topics
    ]
    data: list[Figure] = [
        {
            "type": "scatter",
            "mode": "markers+text",
            "x": [topic["x"]],
            "y": [topic["y"]],
            "name": f"{topic['number']}: {text(topic['name'], 28)}",
            "text": [f"<b>{topic['number']}</b>"],
            "textfont": {"color": ink_on(colour(t)), "size": 12},
            "hovertext": hover[t],
            "hovertemplate": "%{hovertext}<extra></extra>",
            "marker": {
                "size": (22 + 36 * (topic["share"] / largest) ** 0.5) * facts["crowding"],
                "color": colour(t),
                "opacity": 1,
                "line": {"color": "#ffffff", "width": 1.5},
            },
            "cliponaxis": False,
        }
        for t, topic in enumerate(topics)
    ]
    bare = {"showticklabels": False, "zeroline": True}
    named = len(topics) <= _LEGEND
    return figure(
        data,
        title="Topics: near ones have words in common",
        note=f"two dimensions hold {facts['kept']:.0%} of the squared distances",
        height=440 + (16 * len(topics) if named else 0),
        showlegend=named,
        legend={"orientation": "h", "yanchor": "top", "y": -0.04, "x": 0, "itemsizing": "constant"},
        xaxis={**bare, **_room([topic["x"] for topic in topics])},
        yaxis={**bare, **_room([topic["y"] for topic in topics])},
    )


def _room(values: Sequence[float]) -> Figure:
    low, high = min(values, default=0.0), max(values, default=0.0)
    margin = 0.16 * (high - low) or 1.0
    return {"range": [low - margin, high + margin]}


def class_flows(facts: Facts) -> Figure:
    """How the classes of a rank go over into those of the next, as `class_facts` has it."""
    nodes = [
        ((level["rank"], t + 1), f"class {t + 1} ({size:,})", t)
        for level in facts["ranks"]
        for t, size in enumerate(level["sizes"])
        if size
    ]
    links = [
        (
            (flow["from_rank"], flow["from_class"]),
            (flow["to_rank"], flow["to_class"]),
            flow["n_samples"],
            f"{flow['n_samples']:,} samples, {flow['share']:.0%} of class "
            f"{flow['from_rank']}.{flow['from_class']}",
        )
        for flow in facts["flows"]
    ]
    return _sankey(nodes, links, "rank {}", "From rank to rank: where the samples of each class go")


def topic_flows(flows: Sequence[Facts]) -> Figure:
    """How the documents of k topics go over into those of the next number: `flow_facts`."""
    found: dict[tuple[int, int], str] = {}
    for flow in flows:
        found.setdefault((flow["n_topics"], flow["topic"]), flow["name"])
        found.setdefault((flow["n_next"], flow["next_topic"]), flow["next_name"])
    # Names of the last level stand on its left, where those of the level before it end.
    close = set(sorted({level for level, _ in found})[-2:])
    nodes = [
        (
            (level, topic),
            clip(name.partition(",")[0], 11) if level in close else clip(name, 18),
            topic - 1,
        )
        for (level, topic), name in sorted(found.items())
    ]
    links = [
        (
            (flow["n_topics"], flow["topic"]),
            (flow["n_next"], flow["next_topic"]),
            flow["documents"],
            f"{flow['documents']:,} documents",
        )
        for flow in flows
    ]
    drawn = _sankey(nodes, links, "{} topics", "From few topics to many: where the documents go")
    drawn["data"][0]["node"] |= {
        "customdata": texts([name for _, name in sorted(found.items())], 60),
        "hovertemplate": "%{customdata}<extra></extra>",
    }
    return drawn


_LEVEL = 140  # pixels from one number of groups to the next, for the names between them
_Place = tuple[int, int]


def _sankey(
    nodes: Sequence[tuple[_Place, str, int]],
    links: Sequence[tuple[_Place, _Place, int, str]],
    level_name: str,
    title: str,
) -> Figure:
    at = {place: i for i, (place, _, _) in enumerate(nodes)}
    columns: dict[int, int] = {}
    for (level, _), _, _ in nodes:
        columns[level] = columns.get(level, 0) + 1
    most = max(columns.values(), default=1)
    data: list[Figure] = [
        {
            "type": "sankey",
            "arrangement": "snap",
            "node": {
                "label": [text(label) for _, label, _ in nodes],
                "color": [colour(t) for _, _, t in nodes],
                "pad": 18,
                "thickness": 16,
                "line": {"width": 0},
                "hovertemplate": "%{label}<extra></extra>",
            },
            "link": {
                "source": [at[source] for source, _, _, _ in links],
                "target": [at[target] for _, target, _, _ in links],
                "value": [value for _, _, value, _ in links],
                "customdata": [told for _, _, _, told in links],
                "color": "rgba(120,130,140,0.35)",
                "hovertemplate": "%{customdata}<extra></extra>",
            },
            "textfont": {"size": 12},
        }
    ]
    levels = sorted(columns)
    heads = [
        {
            "text": f"<b>{level_name.format(level)}</b>",
            "x": i / max(len(levels) - 1, 1),
            "xanchor": "left" if i == 0 else "right" if i == len(levels) - 1 else "center",
            "xref": "paper",
            "y": 1,
            "yref": "paper",
            "yanchor": "bottom",
            "yshift": 6,
            "showarrow": False,
        }
        for i, level in enumerate(levels)
    ]
    return figure(
        data,
        title=title,
        height=height_for(2 * most) + 80,
        least=_LEVEL * len(levels),
        annotations=heads,
        margin={"t": 44},
    )
