"""The curves of the record as small SVG pictures, in colours that colour-blind eyes keep apart."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl

mpl.use("svg")
import matplotlib.pyplot as plt

# Two of Okabe and Ito's colours; line style and marker tell the same.
_STYLES = (("#0072B2", "-", None), ("#D55E00", "--", "o"))


def draw(row: dict[str, object], path: Path) -> None:
    """Draw objective against time: how far above the lowest value that any solver reached."""
    curves: dict[str, list[list[float]]] = row["curves"]
    lowest = min(point[2] for curve in curves.values() for point in curve)
    with mpl.rc_context({"svg.hashsalt": "nonneg", "font.size": 10}):
        figure, axes = plt.subplots(figsize=(6, 3.6), layout="constrained")
        for (name, curve), (colour, line, marker) in zip(curves.items(), _STYLES, strict=True):
            times = [seconds for _, seconds, _ in curve]
            above = [max(100 * (value / lowest - 1), 1e-4) for _, _, value in curve]
            axes.plot(times, above, line, color=colour, marker=marker, markersize=4, label=name)
        axes.set(xscale="log", yscale="log", xlabel="seconds, start included")
        axes.set_ylabel("% above the lowest objective")
        axes.set_title(f"{row['data']}, {row['loss']}, rank {row['n_components']}", fontsize=10)
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(visible=True, which="major", color="#dddddd", linewidth=0.6)
        axes.legend(frameon=False)
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, metadata={"Date": None})
        plt.close(figure)
