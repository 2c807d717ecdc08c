"""The choice of a rank in 80 columns: a table, a small curve a criterion, a sentence."""

from __future__ import annotations

from collections.abc import Sequence

from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from nonneg.cli.draw import Drawing, Facts, clean, count, heading, number_table

__all__ = ["rank"]

_BARS = "▁▂▃▄▅▆▇█"
# Curves with a scale of their own: from least to most, .9988 would look like nothing beside 1.
_SCALES = {"consensus": (0.5, 1.0), "stability": (0.0, 1.0)}
_HEADERS = {
    "held-out": "held-out",
    "cross-validation": "bi-cross",
    "consensus": "cophenetic",
    "stability": "stability",
    "explained-variance": "explained",
}


def rank(facts: Facts) -> Drawing:
    """What each criterion measured, and what it prefers."""
    ranks = [row["rank"] for row in facts["rows"]]
    yield clean(facts["source"], None)
    rows, columns = facts["shape"]
    loss = facts["loss"] if isinstance(facts["loss"], str) else f"β = {facts['loss']:g}"
    yield Text(f"{count(rows, 'row')} × {count(columns, 'column')}, {loss}", "bold")
    if facts["note"]:
        yield Text(facts["note"])
    yield Padding(_table(facts, ranks), (1, 0, 0, 2))
    yield heading(f"From {ranks[0]} to {count(ranks[-1], 'component')}")
    yield Padding(_curves(facts, ranks), (0, 0, 1, 2))
    yield Text(facts["sentence"])
    for warning in facts["warnings"]:
        yield Text(f"Mind: {warning}.", "yellow")


def _table(facts: Facts, ranks: Sequence[int]) -> Table:
    table = number_table("rank", *(_HEADERS[curve["name"]] for curve in facts["curves"]))
    for i, k in enumerate(ranks):
        cells = []
        for curve in facts["curves"]:
            value = curve["values"][i]
            text = Text("–" if value is None else f"{value:.4f}")
            if curve["preferred"] == k:
                text = Text.assemble("▸", (text.plain, "bold green"))
            cells.append(text)
        table.add_row(str(k), *cells)
    return table


def _curves(facts: Facts, ranks: Sequence[int]) -> Table:
    table = Table.grid(padding=(0, 2))
    for curve in facts["curves"]:
        prefers = "none of them" if curve["preferred"] is None else str(curve["preferred"])
        table.add_row(
            curve["label"],
            _bars(curve["values"], curve["preferred"], ranks, _scale(curve)),
            Text(f"{curve['better']} is better", "dim"),
            Text.assemble("prefers ", (prefers, "bold")),
        )
        if curve["baseline"] is not None:
            # On one scale with the curve above it.
            drawn = _bars(curve["baseline"], None, ranks, _scale(curve))
            table.add_row(Text("  permuted data", "dim"), drawn, "", "")
    return table


def _scale(curve: Facts) -> tuple[float, float]:
    """The values that the lowest and the highest bar stand for."""
    drawn = [*curve["values"], *(curve["baseline"] or [])]
    known = [value for value in drawn if value is not None]
    return _SCALES.get(curve["name"], (min(known, default=0.0), max(known, default=0.0)))


def _bars(
    values: Sequence[float | None],
    preferred: int | None,
    ranks: Sequence[int],
    scale: tuple[float, float],
) -> Text:
    low, high = scale
    text = Text()
    for value, k in zip(values, ranks, strict=True):
        if value is None:
            text.append("· ", "dim")
            continue
        level = min(max((value - low) / (high - low), 0.0), 1.0) if high > low else 1.0
        bar = _BARS[min(int(level * len(_BARS)), len(_BARS) - 1)]
        text.append(bar, "bold green" if k == preferred else "cyan")
        text.append(" ")
    return text
