"""The curves of the record as small SVG pictures, in colours that colour-blind eyes keep apart."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import matplotlib as mpl

mpl.use("svg")
import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullFormatter

# Okabe and Ito's colours; line style and marker tell the same.
_STYLES = (("#0072B2", "-", None), ("#D55E00", "--", "o"))
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
_MARKERS = "osD^vP"


def draw(row: dict[str, object], path: Path) -> None:
    """Draw objective against time: how far above the lowest value that any solver reached."""
    curves: dict[str, list[list[float]]] = row["curves"]
    lowest = min(point[2] for curve in curves.values() for point in curve)
    title = f"{row['data']}, {row['loss']}, rank {row['n_components']}"
    with _page(title, "seconds, start included", "% above the lowest objective", path) as axes:
        for (name, curve), (colour, line, marker) in zip(curves.items(), _STYLES, strict=True):
            times = [seconds for _, seconds, _ in curve]
            above = [max(100 * (value / lowest - 1), 1e-4) for _, _, value in curve]
            axes.plot(times, above, line, color=colour, marker=marker, markersize=4, label=name)
        axes.legend(frameon=False)


def draw_growth(lines: dict[str, list[tuple[float, float]]], axis: str, path: Path) -> None:
    """Draw seconds an iteration against a size, a line a set and loss, beside linear growth."""
    with _page(f"One iteration against {axis}", axis, "seconds", path) as axes:
        for i, (name, points) in enumerate(lines.items()):
            style = {"color": _COLOURS[i % 6], "marker": _MARKERS[i % 6], "markersize": 4}
            axes.plot(*zip(*points, strict=True), label=name, **style)
        points = sorted(point for line in lines.values() for point in line)
        sizes = (points[0][0], points[-1][0])
        floor = 0.5 * points[0][1]
        linear = [floor * size / sizes[0] for size in sizes]
        axes.plot(sizes, linear, ":", color="#555555", label="linear growth")
        axes.legend(frameon=False, fontsize=8)
        # Sizes a decade or a doubling apart: each has its tick.
        axes.xaxis.set_major_locator(FixedLocator(sorted({size for size, _ in points})))


@contextmanager
def _page(title: str, across: str, up: str, path: Path) -> Iterator[Axes]:
    """Give axes in logarithms, and write them when they are filled."""
    with mpl.rc_context({"svg.hashsalt": "nonneg", "font.size": 10}):
        figure, axes = plt.subplots(figsize=(6, 3.6), layout="constrained")
        axes.set(xscale="log", yscale="log", xlabel=across, ylabel=up)
        axes.set_title(title, fontsize=10)
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(visible=True, which="major", color="#dddddd", linewidth=0.6)
        yield axes
        for line in (axes.xaxis, axes.yaxis):
            _number(line)
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, metadata={"Date": None})
        plt.close(figure)


def _number(line: Axis) -> None:
    """Label a logarithmic axis with few plain numbers, whether it spans one decade or eight."""
    low, high = line.get_view_interval()
    if isinstance(line.get_major_locator(), LogLocator):
        subs = (1.0, 2.0, 5.0) if high < 300 * low else (1.0,)
        line.set_major_locator(LogLocator(subs=subs))
    line.set_major_formatter(FuncFormatter(_digits))
    line.set_minor_formatter(NullFormatter())


def _digits(value: float, _: int | None = None) -> str:
    """Return .005 and 64 as they are, a million as 10⁶."""
    if 1e-4 <= value < 1e5:
        return f"{value:g}"
    front, power = f"{value:e}".split("e")
    times = "" if float(front) == 1 else f"{float(front):g}·"
    return f"${times}10^{{{int(power)}}}$"
