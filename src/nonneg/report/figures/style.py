"""How all figures look: one palette, one grey scale, texts from data as texts.

Colours are those of Okabe & Ito (2008), which people with any colour vision tell apart; bars and
lines carry a pattern or a dash besides, and heat maps go from light to dark only, so that a black
and white print says the same. Colours that depend on the page (texts, grids) are in the template
alone: `themed` swaps it for a dark one.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from typing import Any

__all__ = [
    "DASHES",
    "INK",
    "PALETTE",
    "PATTERNS",
    "SCALE",
    "SYMBOLS",
    "Figure",
    "axis_names",
    "bare",
    "broken",
    "clip",
    "colour",
    "figure",
    "height_for",
    "ink_on",
    "number",
    "pattern",
    "plain",
    "text",
    "texts",
    "themed",
]

Figure = dict[str, Any]

# Okabe & Ito's, the darker ones first; the yellow is left out, which no print shows.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#6B6B6B")
# For an eighth component and on, where numbers have to help: seen on white and on black.
_FURTHER = ("#8F8F2A", "#6A51C4", "#8C564B", "#A3315F", "#2E8B8B", "#C9A66B", "#A6A6A6")
PATTERNS = ("", "/", ".", "x", "-", "\\", "|", "+")
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "x", "star")
# Lightness falls evenly from white to dark blue.
SCALE = ((0.0, "#f7fbff"), (0.25, "#c6dbef"), (0.5, "#6baed6"), (0.75, "#2171b5"), (1.0, "#08306b"))
INK = {"light": "#1b1f24", "dark": "#e6edf3"}
_GRID = {"light": "#d9dee3", "dark": "#3a424b"}
_HOLE = {"light": "#ececec", "dark": "#2a2f36"}
_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"

_LONGEST = 32
_ROW = 18  # pixels of a line of a heat map with a name
_CONTROLS = re.compile(r"[\x00-\x1f\x7f\u2028\u2029\u202a-\u202e\u2066-\u2069]+")


def _template(theme: str) -> Figure:
    ink, grid = INK[theme], _GRID[theme]
    axis = {
        "gridcolor": grid,
        "linecolor": grid,
        "zerolinecolor": grid,
        "ticks": "",
        "automargin": True,
        "title": {"standoff": 8, "font": {"size": 13}},
        "tickfont": {"size": 12},
    }
    return {
        "layout": {
            "font": {"family": _FONT, "size": 13, "color": ink},
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "colorway": list(PALETTE),
            "xaxis": axis,
            "yaxis": axis,
            "scene": {
                key: {"gridcolor": grid, "color": ink, "showbackground": False}
                for key in ("xaxis", "yaxis", "zaxis")
            },
            "ternary": {
                "bgcolor": "rgba(0,0,0,0)",
                **{
                    key: {"gridcolor": grid, "linecolor": grid}
                    for key in ("aaxis", "baxis", "caxis")
                },
            },
            "modebar": {"bgcolor": "rgba(0,0,0,0)", "color": grid, "activecolor": ink},
            "hoverlabel": {"align": "left", "namelength": -1},
        }
    }


def figure(
    data: Sequence[Figure],
    *,
    title: str = "",
    height: int = 420,
    note: str = "",
    least: int = 300,
    margin: Figure | None = None,
    **layout: Any,
) -> Figure:
    """Return traces and layout as a figure.

    Parameters
    ----------
    data : sequence of dict
    title : str
        What is shown.
    height : int
        In pixels; the width is that of the page.
    note : str
        What was left out or put together. Both are in ``layout.meta`` as well.
    least : int
        The width in pixels below which a page should let it be moved sideways.
    margin : dict, optional
        Of Plotly's layout, where it differs; `t` without what title and note need.
    **layout
        Further keys of Plotly's layout.
    """
    head = (26 if title else 0) + (20 if note else 0)
    around = {"l": 10, "r": 16, "t": 20, "b": 10, **(margin or {})}
    made: Figure = {
        "template": _template("light"),
        "height": height,
        "margin": {**around, "t": around["t"] + head},
        "showlegend": False,
        "meta": {"title": title, "note": note, "head": head, "least": least},
        **layout,
    }
    if title:
        made["title"] = {
            "text": title,
            "x": 0.004,
            "xref": "container",
            "xanchor": "left",
            "y": 1,
            "yref": "container",
            "yanchor": "top",
            "pad": {"t": 8},
            "font": {"size": 15},
        }
        if note:
            made["title"]["subtitle"] = {"text": note, "font": {"size": 12}}
    return {"data": list(data), "layout": made}


def themed(shown: Figure, theme: str) -> Figure:
    """Return the figure for a page that is "light" or "dark"; the data are the same."""
    return {**shown, "layout": {**shown["layout"], "template": _template(theme)}}


def bare(shown: Figure) -> Figure:
    """Return the figure without its title and note, for a page that has them as text.

    They stay in ``layout.meta``.
    """
    layout = {key: value for key, value in shown["layout"].items() if key != "title"}
    head = layout["meta"]["head"]
    margin = {**layout["margin"], "t": layout["margin"]["t"] - head}
    return {**shown, "layout": {**layout, "margin": margin, "height": layout["height"] - head}}


def plain(value: object, limit: int | None = None) -> str:
    """Return text from data for pictures in space, which know tags but no entities.

    What would begin a tag is shown by its nearest likeness.
    """
    shown = _CONTROLS.sub(" ", str(value)).replace("<", "‹").replace(">", "›")
    return shown if limit is None else clip(shown, limit)


def text(value: object, limit: int | None = None) -> str:
    """Return text from data so that Plotly shows it as it is: markup, formulas and all.

    Plotly takes a handful of HTML tags in every text for markup, and entities for characters.
    """
    shown = _CONTROLS.sub(" ", str(value))
    if limit is not None:
        shown = clip(shown, limit)
    # A space of no width keeps "$…$" from being set as a formula where a page has MathJax.
    shown = shown.replace("$", "\u200b$\u200b")
    return shown.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def texts(values: Sequence[object], limit: int | None = None) -> list[str]:
    """Return `text` of each."""
    return [text(value, limit) for value in values]


def broken(value: object, limit: int, lines: int) -> str:
    """Return text from data in a few lines, broken between words where that can be."""
    shown = _CONTROLS.sub(" ", str(value))
    parts = textwrap.wrap(shown, limit, max_lines=lines, placeholder="…") if lines > 1 else [shown]
    return "<br>".join(text(part, limit) for part in parts)


def clip(words: str, limit: int = _LONGEST) -> str:
    """Cut a long text and say so by an ellipsis."""
    return words if len(words) <= limit else words[: limit - 1].rstrip() + "…"


def number(value: float | None, digits: int = 3) -> str:
    """Return a number for people: so many significant digits."""
    if value is None:
        return "–"
    size = f"{value:.{digits}g}"
    if "e" not in size:
        return size
    short, power = size.split("e")
    return f"{value:,.0f}" if 1 <= abs(value) < 1e4 else f"{short}e{int(power)}"


def axis_names(
    names: Sequence[object], *, most: int = 60, limit: int = _LONGEST, lines: int = 1
) -> Figure:
    """Return an axis that has a name at each place, 0, 1, …, or none where they would overlap.

    A name is cut after `limit` characters, or broken into so many lines of that length.
    """
    if len(names) > most:
        return {"showticklabels": False, "showgrid": False, "zeroline": False}
    return {
        "tickmode": "array",
        "tickvals": list(range(len(names))),
        "ticktext": [broken(name, limit, lines) for name in names],
        "showgrid": False,
        "zeroline": False,
    }


def height_for(n_rows: int, *, least: int = 260, most: int = 1400) -> int:
    """Return the height in which so many named lines can be read."""
    return max(least, min(most, 110 + _ROW * n_rows))


def colour(index: int) -> str:
    """The colour of a component, from 0; after fourteen they repeat, with another pattern."""
    colours = (*PALETTE, *_FURTHER)
    return colours[index % len(colours)]


def ink_on(background: str) -> str:
    """The colour, dark or white, in which a text on a colour can be read (WCAG's luminance)."""
    parts = [int(background[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    light = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return "#ffffff" if 1.05 / (light + 0.05) >= (light + 0.05) / 0.057 else INK["light"]


def pattern(index: int) -> Figure:
    """The pattern of a component's bars."""
    shape = PATTERNS[(index // len(PALETTE) + index) % len(PATTERNS)]
    return {"shape": shape, "fillmode": "overlay", "fgcolor": "#ffffff", "size": 7, "solidity": 0.2}
