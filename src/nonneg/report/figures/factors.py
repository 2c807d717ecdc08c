"""Figures of a factorization: component cards, W and H, X beside WH, likeness, parts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nonneg.report.facts import Facts
from nonneg.report.figures.style import (
    SCALE,
    Figure,
    axis_names,
    broken,
    colour,
    figure,
    height_for,
    number,
    pattern,
    text,
    texts,
)

Numbers = NDArray[np.float64]

__all__ = ["approximation", "cards", "factors", "heat", "parts", "similarity"]

_FEW_CELLS = 160  # so many have their number written into them
_FEW_LINES = 48  # a side, with a gap between cells
_NAMED_CELLS = 5000  # so many say their row and column; names take most of a figure's bytes
_NAMED = 60  # so many lines have their names beside them
# Pictures of a gallery: side by side; pixels of one, and of the least; its name, in widths.
_ACROSS, _PICTURE, _LEAST, _LABEL = 8, 112, 84, 0.36
_CARD_ROW, _CARD_GAP, _CARD_NAME = 20, 62, 24


def cards(components: Sequence[Facts], *, title: str = "", side: str = "columns") -> Figure:
    """Component cards: of each component its largest entries as bars, its share and sparseness.

    Parameters
    ----------
    components : list of dict
        Each with `number`, and `entries` (a list of `name` and `weight`); `name`, `share` and
        `sparseness` (a number) where they are known. `factorization_facts(fit)["components"]` does
        as well: then the entries are those of a `side`, "rows" or "columns".
    """
    data: list[Figure] = []
    layout: Figure = {}
    notes: list[Figure] = []
    n_lines = [len(_entries(one, side)) for one in components]
    names = [entry["name"] for one in components for entry in _entries(one, side)]
    # The names of the bars stand left of the plot, and titles begin where the longest name does.
    longest = min(_CARD_NAME, max((len(str(name)) for name in names), default=0))
    total = sum(_CARD_ROW * max(n, 1) + _CARD_GAP for n in n_lines) or 1
    above = 0
    for t, one in enumerate(components):
        entries = _entries(one, side)
        at = "" if t == 0 else str(t + 1)
        high = 1 - (above + _CARD_GAP - 26) / total
        low = 1 - (above + _CARD_GAP - 26 + _CARD_ROW * max(len(entries), 1)) / total
        above += _CARD_ROW * max(len(entries), 1) + _CARD_GAP
        data.append(
            {
                "type": "bar",
                "orientation": "h",
                "x": [entry["weight"] for entry in entries],
                "y": list(range(len(entries))),
                "text": [number(entry["weight"]) for entry in entries],
                "textposition": "outside",
                "textfont": {"size": 12},
                "hovertext": texts([entry["name"] for entry in entries]),
                "hovertemplate": "%{hovertext}: %{x:.4g}<extra></extra>",
                "marker": {"color": colour(t), "pattern": pattern(0)},
                "xaxis": f"x{at}",
                "yaxis": f"y{at}",
                "cliponaxis": False,
            }
        )
        layout[f"xaxis{at}"] = {
            "anchor": f"y{at}",
            "visible": False,
            # Room for the number behind the longest bar.
            "range": [0, 1.12 * (max((entry["weight"] for entry in entries), default=0) or 1)],
            "fixedrange": True,
        }
        layout[f"yaxis{at}"] = {
            "anchor": f"x{at}",
            "domain": [max(low, 0.0), min(high, 1.0)],
            **axis_names([entry["name"] for entry in entries], limit=_CARD_NAME),
            "range": [max(len(entries), 1) - 0.5, -0.5],
            "fixedrange": True,
        }
        notes.append(
            {
                "text": _card_title(one),
                "x": 0,
                "xref": "paper",
                "xanchor": "left",
                "xshift": -round(5.5 * longest),
                "y": min(high, 1.0),
                "yref": "paper",
                "yanchor": "bottom",
                "showarrow": False,
                "font": {"size": 13},
            }
        )
    return figure(data, title=title, height=total + 60, annotations=notes, bargap=0.25, **layout)


def _entries(one: Facts, side: str) -> list[Facts]:
    return list(one["entries"] if "entries" in one else one[side])


def _card_title(one: Facts) -> str:
    name = one.get("name")
    said = [f"<b>{text(name, 40)}</b>" if name else f"<b>component {one['number']}</b>"]
    if one.get("share") is not None:
        said.append(f"share {one['share']:.0%}")
    sparse = one.get("sparseness")
    if isinstance(sparse, dict):
        sparse = sparse["columns"]
    if sparse is not None:
        said.append(f"sparseness {sparse:.2f}")
    return " · ".join(said)


def factors(facts: Facts) -> Figure:
    """W (left) and H (right) of `factor_facts` as heat maps, each component scaled to its largest.

    Both have rows or columns of the data downwards, so that names can be read.
    """
    rows, columns, names = facts["rows"], facts["columns"], facts["components"]
    data = [_factor(rows, names, "", "W"), _factor(columns, names, "2", "H")]
    tall = max(_height(len(rows["names"])), _height(len(columns["names"])))
    note = "; ".join(part for part in (rows["note"], columns["note"]) if part)
    shared = {"fixedrange": True, "side": "top", **axis_names(names, limit=14)}
    if len(names) > 6 or max(map(len, names)) > 3:
        shared["tickangle"] = -90 if max(map(len, names)) > 2 else 0
    return figure(
        data,
        title="W (left: rows) and H (right: columns)",
        least=440,
        note=note,
        height=tall + 30,
        margin={"t": 50},  # title and names of the components, which are above
        xaxis={"domain": [0, 0.49], "title": {"text": "W: component"}, **shared},
        yaxis={**axis_names(rows["names"], limit=18), "autorange": "reversed"},
        xaxis2={
            "domain": [0.51, 1],
            "anchor": "y2",
            "title": {"text": "H: component"},
            **shared,
        },
        yaxis2={
            **axis_names(columns["names"], limit=18),
            "autorange": "reversed",
            "anchor": "x2",
            "side": "right",
        },
    )


def _factor(side: Facts, components: Sequence[str], at: str, letter: str) -> Figure:
    values = np.array(side["values"], dtype=np.float64).reshape(-1, len(components))
    largest = np.array(side["largest"], dtype=np.float64)
    shares = values / np.where(largest > 0, largest, 1.0)
    return heat(
        shares,
        values,
        side["names"],
        [f"component {name}" if name.isdigit() else name for name in components],
        at,
        letter,
    )


def heat(
    shades: Numbers,
    values: Numbers,
    rows: Sequence[str],
    columns: Sequence[str],
    at: str,
    what: str,
) -> Figure:
    """A heat map; its cells have their numbers where they are few, their names if not too many."""
    gap = 1 if max(shades.shape) <= _FEW_LINES else 0  # more would be a mesh on a dark page
    shown: Figure = {
        "type": "heatmap",
        "z": _json(shades),
        "zmin": 0,
        "zmax": 1,
        "colorscale": [list(stop) for stop in SCALE],
        "showscale": False,
        "xgap": gap,
        "ygap": gap,
        "customdata": _json(values),
        "hoverongaps": False,
        "hovertemplate": f"{what}: %{{customdata:.4g}}<extra></extra>",
        "xaxis": f"x{at}",
        "yaxis": f"y{at}",
    }
    if shades.size <= _NAMED_CELLS:
        across = texts(columns, 60)
        shown["hovertext"] = [[f"{row} · {column}" for column in across] for row in texts(rows, 60)]
        shown["hovertemplate"] = "%{hovertext}<br>" + shown["hovertemplate"]
    if shades.size <= _FEW_CELLS:
        largest = float(np.nanmax(values)) if np.isfinite(values).any() else 0.0
        shown["text"] = [[_cell(value, largest) for value in row] for row in values]
        shown["texttemplate"] = "%{text}"
    return shown


def _height(n_rows: int) -> int:
    """Of a heat map: room for names, if they are there."""
    return height_for(n_rows) if n_rows <= _NAMED else 560


def _cell(value: float, largest: float) -> str:
    if not np.isfinite(value):
        return ""
    return number(float(value), 2) if value > 0.005 * largest else "0"


def _json(values: Numbers) -> list[list[float | None]]:
    """Numbers to four digits, which a picture does not exceed."""
    return [[float(f"{v:.4g}") if np.isfinite(v) else None for v in row] for row in values]


def approximation(facts: Facts) -> Figure:
    """X beside WH on one scale of colours; cells of X that nobody knows stay empty."""
    rows, columns = facts["rows"], facts["columns"]
    tables = [
        np.array([[np.nan if cell is None else cell for cell in row] for row in facts[key]])
        for key in ("X", "WH")
    ]
    highest, least = _darkest(np.concatenate(tables), facts["highest"] or 1.0)
    data = [
        heat(np.minimum(table / highest, 1.0), table, rows["names"], columns["names"], at, what)
        for table, at, what in zip(tables, ("", "2"), ("X", "WH"), strict=True)
    ]
    data[1] |= {
        "showscale": True,
        "colorbar": {
            "thickness": 12,
            "outlinewidth": 0,
            "tickvals": [0, 0.5, 1],
            "ticktext": ["0", number(highest / 2), least + number(highest)],
        },
    }
    note = "; ".join(part for part in (rows["note"], columns["note"]) if part)
    across = {**axis_names(columns["names"], most=24, limit=16), "tickangle": -90}
    return figure(
        data,
        title=f"X (left), WH (right), relative error {number(facts['relative_error'])}",
        note=note,
        height=_height(len(rows["names"])) + 80,
        least=560,
        xaxis={"domain": [0, 0.48], **across},
        xaxis2={"domain": [0.52, 1], "anchor": "y2", **across},
        yaxis={**axis_names(rows["names"], limit=20), "autorange": "reversed"},
        yaxis2={"anchor": "x2", "matches": "y", "showticklabels": False, "showgrid": False},
    )


def _darkest(table: Numbers, highest: float) -> tuple[float, str]:
    """What has the darkest colour, and its sign: a few huge cells do not make all others pale."""
    usual = float(np.nanquantile(table, 0.995)) if np.isfinite(table).any() else highest
    return (usual, "≥ ") if 0 < 2 * usual < highest else (highest, "")


def similarity(facts: Facts, *, title: str = "How alike: cosine of the factors") -> Figure:
    """The cosines of `similarity_facts` as a map, alike ones side by side."""
    values, names = np.array(facts["values"]), facts["names"]
    across = {**axis_names(names, limit=16), "tickangle": -90, "constrain": "domain"}
    shown = heat(values, values, names, names, "", "cosine")
    # From the least cosine on, so that differences can be seen where all are alike.
    least = float(np.floor(10 * values.min(initial=1.0)) / 10)
    shown |= {
        "zmin": min(least, 0.9),
        "showscale": True,
        "colorbar": {"thickness": 12, "outlinewidth": 0, "nticks": 5},
    }
    return figure(
        [shown],
        title=title,
        note=facts["note"],
        height=height_for(len(names)) + 80,
        least=min(720, 220 + (40 if shown.get("texttemplate") else 14) * len(names)),
        xaxis=across,
        yaxis={**axis_names(names, limit=22), "autorange": "reversed"},
    )


def parts(facts: Facts) -> Figure:
    """A gallery of pictures with their names below.

    Parameters
    ----------
    facts : dict
        `pictures`, all of one size (each a list of rows of grey values, or of [r, g, b], from 0 to
        255; None where nothing is known), `names`, `title` and `note`.
    """
    pictures, names = facts["pictures"], facts["names"]
    rows, columns = len(pictures[0]), len(pictures[0][0])
    grey = not any(isinstance(cell, list) for one in pictures for row in one for cell in row)
    # As many side by side as leave the last row fullest.
    n = len(names)
    fewest = min(_ACROSS, math.ceil(math.sqrt(n)))
    across = min(range(fewest, min(_ACROSS, n) + 1), key=lambda wide: (-n % wide, -wide))
    beside, below = max(1, round(0.08 * columns)), math.ceil(_LABEL * columns)
    tall, wide = rows + below, columns + beside
    down = math.ceil(n / across)
    page: list[list[Any]] = [[None] * (across * wide) for _ in range(down * tall)]
    notes: list[Figure] = []
    for t, (picture, name) in enumerate(zip(pictures, names, strict=True)):
        top, left = t // across * tall, t % across * wide
        for i, row in enumerate(picture):
            page[top + i][left : left + columns] = row
        notes.append(
            {
                "text": broken(name, 14, 2),
                "x": left + (columns - 1) / 2,
                "y": top + rows - 0.5,
                "yanchor": "top",
                "showarrow": False,
                "font": {"size": 11},
            }
        )
    shown: Figure = {"type": "heatmap", "z": page, "zmin": 0, "zmax": 255, "showscale": False}
    shown["colorscale"] = [[0.0, "#000000"], [1.0, "#ffffff"]]
    if not grey:
        clear = [0, 0, 0, 0]
        cells = [[clear if cell is None else [*cell, 255] for cell in row] for row in page]
        shown = {"type": "image", "z": cells, "colormodel": "rgba256"}
    bare = {"visible": False, "fixedrange": True, "constrain": "domain"}
    upward = {"constraintoward": "top", "scaleanchor": "x"}
    return figure(
        [{**shown, "hoverinfo": "skip"}],
        title=facts["title"],
        note=facts["note"],
        height=60 + round(down * _PICTURE * tall / wide),
        least=_LEAST * across,
        annotations=notes,
        xaxis={**bare, "range": [-0.5, across * wide - 0.5]},
        yaxis={**bare, "range": [down * tall - 0.5, -0.5], **upward},
    )
