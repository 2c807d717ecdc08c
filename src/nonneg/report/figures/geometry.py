"""Figures of the geometric view: the cone in the plane or in space, and the simplex."""

from __future__ import annotations

import math
from collections.abc import Sequence

from nonneg.report.facts import Facts
from nonneg.report.figures.style import (
    DASHES,
    SYMBOLS,
    Figure,
    colour,
    figure,
    ink_on,
    plain,
    text,
    texts,
)

__all__ = ["cone", "simplex"]

_NAMED = 12  # so few points have their names beside them
_ARC = 0.92
_PLOT = 380  # pixels of the plane's height, about
_LEGEND = {"orientation": "h", "xanchor": "center", "x": 0.5, "yanchor": "top", "y": -0.1}


def cone(facts: Facts) -> Figure:
    """The points of `cone_facts` and the directions of the components around them."""
    reach = max((math.hypot(*point) for point in facts["points"]), default=1.0) or 1.0
    draw = _plane if facts["dimensions"] == 2 else _space
    return draw(facts, 1.12 * reach)


def _note(facts: Facts) -> str:
    said = [facts["note"]] if facts["note"] else []
    if facts["inside"] is not None:
        said.append(f"{facts['inside']:.0%} of ΣX² lies in what is drawn")
    if facts["agreement"]:
        least = min(facts["agreement"])
        said.append(f"{len(facts['runs'])} other runs (dashed), mean cosine from {least:.3f}")
    return "; ".join(said)


def _title(facts: Facts) -> str:
    what = "Rows" if facts["side"] == "rows" else "Columns"
    of = "of X" if facts["given"] else "of WH"
    return f"{what} {of} in the cone of the components"


def _plane(facts: Facts, reach: float) -> Figure:
    data: list[Figure] = []
    first, second = facts["directions"]
    data.append(
        {
            "type": "scatter",
            "mode": "lines",
            "x": [reach * first[0], 0, reach * second[0]],
            "y": [reach * first[1], 0, reach * second[1]],
            "fill": "toself",
            "fillcolor": "rgba(107,174,214,0.16)",
            "line": {"width": 0},
            "showlegend": False,
            "hoverinfo": "skip",
        }
    )
    for run in facts["runs"]:
        for t, (x, y) in enumerate(run):
            data.append(
                {
                    "type": "scatter",
                    "mode": "lines",
                    "x": [0, reach * x],
                    "y": [0, reach * y],
                    "line": {"color": colour(t), "width": 1.5, "dash": "dash"},
                    "opacity": 0.75,
                    "showlegend": False,
                    "hoverinfo": "skip",
                }
            )
    notes: list[Figure] = []
    for t, (x, y) in enumerate(facts["directions"]):
        data.append(
            {
                "type": "scatter",
                "mode": "lines",
                "x": [0, reach * x],
                "y": [0, reach * y],
                "line": {"color": colour(t), "width": 3, "dash": DASHES[t]},
                "name": f"component {facts['components'][t]}",
                "showlegend": True,
                "hoverinfo": "skip",
            }
        )
        # A disc at the tip, beyond all points, has the number.
        notes.append(
            {
                "text": f"<b>{facts['components'][t]}</b>",
                "x": reach * x,
                "y": reach * y,
                "bgcolor": colour(t),
                "font": {"color": ink_on(colour(t)), "size": 13},
                "borderpad": 3,
                "showarrow": False,
            }
        )
    data.append(_points(facts, "scatter"))
    axes = facts["axes"]
    low = min([0.0, *(min(point) for point in facts["points"])])
    least = 1.08 * low if low < 0 else -0.03 * reach
    bounds = [least, 1.1 * reach]
    return figure(
        data,
        title=_title(facts),
        note=_note(facts),
        height=560,
        annotations=notes,
        showlegend=True,
        legend=_LEGEND,
        xaxis={
            "title": {"text": text(axes[0], 40) if axes else ""},
            "range": bounds,
            "zeroline": True,
            "constrain": "domain",
        },
        yaxis={
            "title": {"text": text(axes[1], 40) if axes else ""},
            "range": bounds,
            "zeroline": True,
            "scaleanchor": "x",
            "constrain": "domain",
        },
    )


def _points(facts: Facts, kind: str) -> Figure:
    points, shares, names = facts["points"], facts["shares"], facts["names"]
    leading = [0 if one is None else max(range(len(one)), key=one.__getitem__) for one in shares]
    few = len(points) <= _NAMED
    made: Figure = {
        "type": kind,
        "showlegend": False,
        "mode": "markers+text" if few else "markers",
        "x": [point[0] for point in points],
        "y": [point[1] for point in points],
        "hovertext": [_hover(name, one, facts) for name, one in zip(names, shares, strict=True)],
        "hovertemplate": "%{hovertext}<extra></extra>",
        "marker": {
            "color": [colour(t) for t in leading],
            "symbol": [SYMBOLS[t] for t in leading],
            "size": 9 if few else 6,
            "line": {"color": "#ffffff", "width": 1},
            "opacity": 0.9,
        },
    }
    if few:
        made["text"] = texts(names, 16)
        reach = max(math.hypot(*point) for point in points) or 1.0
        made["textposition"] = _sides(points, made["text"], facts["directions"], reach)
        made["cliponaxis"] = False
    return made


def _hover(name: str, shares: Sequence[float] | None, facts: Facts) -> str:
    if shares is None:
        return f"{text(name, 60)}: in none of these components"
    parts = ", ".join(
        f"{share:.0%} component {t}" for share, t in zip(shares, facts["components"], strict=True)
    )
    return f"{text(name, 60)}<br>{parts}"


# Where a name may go, as Plotly says it, and where its box is then: left, bottom in its own size.
_PLACES = (
    ("top right", 0.0, 0.0),
    ("top left", -1.0, 0.0),
    ("bottom right", 0.0, -1.0),
    ("bottom left", -1.0, -1.0),
    ("middle right", 0.0, -0.5),
    ("middle left", -1.0, -0.5),
    ("top center", -0.5, 0.0),
    ("bottom center", -0.5, -1.0),
)
_LETTER, _LINE, _APART = 7.2, 15.0, 8.0  # pixels: of a letter, of a line, from point to name


def _sides(
    points: Sequence[Sequence[float]],
    names: Sequence[str],
    directions: Sequence[Sequence[float]],
    reach: float,
) -> list[str]:
    """Where each name goes so that it covers no point, no ray and no other name, if that can be.

    One after another, each takes the place with the least under it.
    """
    scale = _PLOT / (1.15 * reach)  # pixels of a unit
    dots = [(scale * x, scale * y) for x, y, *_ in points]
    rays = [
        (scale * reach * step / 60 * x, scale * reach * step / 60 * y)
        for x, y, *_ in directions
        for step in range(61)
    ]
    taken: list[_Box] = []
    found = []
    for (x, y), name in zip(dots, names, strict=True):
        wide = _LETTER * len(name)
        boxes = [_box(x, y, wide, across, up) for _, across, up in _PLACES]
        costs = [
            10.0 * sum(_overlap(box, other) for other in taken)
            + 3.0 * sum(_inside(box, dot) for dot in dots)
            + 0.5 * sum(_inside(box, ray) for ray in rays)
            for box in boxes
        ]
        best = costs.index(min(costs))
        taken.append(boxes[best])
        found.append(_PLACES[best][0])
    return found


_Box = tuple[float, float, float, float]


def _box(x: float, y: float, wide: float, across: float, up: float) -> _Box:
    """The box of a name at a point: left, bottom, right, top."""
    left = x + across * wide + (_APART if across == 0 else -_APART if across == -1 else 0.0)
    low = y + up * _LINE + (_APART / 2 if up == 0 else -_APART / 2 if up == -1 else 0.0)
    return left, low, left + wide, low + _LINE


def _overlap(one: _Box, other: _Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _inside(box: _Box, dot: tuple[float, float]) -> bool:
    return box[0] < dot[0] < box[2] and box[1] < dot[1] < box[3]


def _space(facts: Facts, reach: float) -> Figure:
    tips = [[reach * value for value in direction] for direction in facts["directions"]]
    data: list[Figure] = [
        {
            "type": "mesh3d",
            "x": [0, *(tip[0] for tip in tips)],
            "y": [0, *(tip[1] for tip in tips)],
            "z": [0, *(tip[2] for tip in tips)],
            "i": [0, 0, 0],
            "j": [1, 2, 3],
            "k": [2, 3, 1],
            "color": "#6baed6",
            "opacity": 0.14,
            "hoverinfo": "skip",
        }
    ]
    for run in facts["runs"]:
        data += [
            _ray([_ARC * reach * v for v in way], t, "", 2, "dash") for t, way in enumerate(run)
        ]
    data += [_ray(tip, t, str(facts["components"][t]), 6, "solid") for t, tip in enumerate(tips)]
    points = _points(facts, "scatter3d")
    points["z"] = [point[2] for point in facts["points"]]
    # Few of the symbols of the plane exist in space.
    points["marker"] |= {
        "symbol": [{"triangle-up": "diamond"}.get(s, s) for s in points["marker"]["symbol"]],
        "size": 4,
        "line": {"width": 0},
    }
    if "text" in points:
        points["text"] = [plain(name, 16) for name in facts["names"]]
    if "textposition" in points:
        points["textposition"] = "top center"
        points.pop("cliponaxis")
    data.append(points)
    axes = facts["axes"] or ["", "", ""]
    named = {
        key: {"title": {"text": plain(name, 24)}, "showticklabels": False}
        for key, name in zip(("xaxis", "yaxis", "zaxis"), axes, strict=True)
    }
    return figure(
        data,
        title=_title(facts),
        note=_note(facts),
        height=540,
        showlegend=True,
        legend=_LEGEND,
        scene={
            **named,
            "aspectmode": "data",
            "camera": {"eye": {"x": 1.6, "y": 1.2, "z": 0.95}, "center": {"z": -0.1}},
        },
    )


def _ray(tip: Sequence[float], t: int, name: str, width: int, dash: str) -> Figure:
    return {
        "type": "scatter3d",
        "mode": "lines+text" if name else "lines",
        "x": [0, tip[0]],
        "y": [0, tip[1]],
        "z": [0, tip[2]],
        "text": ["", f"<b>{name}</b>"],
        "textfont": {"size": 16},
        "name": f"component {name}",
        "showlegend": bool(name),
        "line": {"color": colour(t), "width": width, "dash": dash},
        "hoverinfo": "skip",
    }


def simplex(facts: Facts) -> Figure:
    """Three components as a triangle: pure points in its corners, by their shares."""
    kept = [i for i, one in enumerate(facts["shares"]) if one is not None]
    picked = {
        **facts,
        "points": [[0.0, 0.0] for _ in kept],
        "shares": [facts["shares"][i] for i in kept],
        "names": [facts["names"][i] for i in kept],
    }
    points = _points(picked, "scatterternary")
    for key in ("x", "y", "text", "textposition"):
        points.pop(key, None)
    points |= {"mode": "markers", "cliponaxis": False}
    for key, t in (("a", 0), ("b", 1), ("c", 2)):
        points[key] = [one[t] for one in picked["shares"]]
    names = [f"<b>{number}</b>" for number in facts["components"]]
    axes = {
        key: {
            "title": {"text": name, "font": {"size": 15}},
            "tickformat": ".0%",
            "tickvals": [0.25, 0.5, 0.75],
            "tickfont": {"size": 11},
            "min": 0,
        }
        for key, name in zip(("aaxis", "baxis", "caxis"), names, strict=True)
    }
    return figure(
        [points],
        title="The simplex: numbers in the corners are components",
        note=facts["note"],
        height=460,
        ternary={"sum": 1, **axes},
        margin={"l": 36, "r": 36, "t": 40, "b": 40},
    )
