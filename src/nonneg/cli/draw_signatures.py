"""Mutational signatures as tables for a terminal of 80 columns."""

from __future__ import annotations

from rich.padding import Padding
from rich.text import Text

from nonneg.cli.draw import Drawing, Facts, Flow, clean, count, grid, heading, number_table, percent

__all__ = ["refit", "signatures"]

_CANDIDATES = 5
_MOST_SAMPLES = 30


def signatures(facts: Facts) -> Drawing:
    """The number of signatures, each of them, and what it is like."""
    yield clean(facts["source"], None)
    yield Text(
        f"{count(facts['n_samples'], 'sample')} × {count(facts['n_channels'], 'channel')}, "
        f"{facts['n_mutations']:,.0f} mutations: {count(facts['rank'], 'signature')}",
        style="bold",
    )
    runs = f"{count(facts['runs'], 'run')} of each number"
    runs += ", each on counts drawn anew" if facts["resampled"] else ""
    runs += "" if facts["seed"] is None else f", seed {facts['seed']}"
    yield grid([("fit", runs), ("number", facts["reason"])])
    if len(facts["ranks"]) > 1:
        yield heading("How many")
        table = number_table("number", "stability", "lowest", "error", "cosine", "stable")
        for row in facts["ranks"]:
            mark = "→ " if row["rank"] == facts["rank"] else ""
            table.add_row(
                f"{mark}{row['rank']}",
                f"{row['mean_stability']:.2f}",
                f"{row['least_stability']:.2f}",
                f"{row['relative_error']:.4f}",
                f"{row['mean_cosine']:.4f}",
                "yes" if row["stable"] else "no",
            )
        yield Padding(table, (0, 0, 0, 2))
    yield heading("Signatures")
    for one in facts["signatures"]:
        yield from _signature(one)


def _signature(one: Facts) -> Drawing:
    title = clean(one["name"])
    title.stylize("bold cyan")
    title.append(
        f" · {percent(one['share'])} of the mutations, in {count(one['n_samples'], 'sample')}, "
        f"stability {one['stability']:.2f}",
        style="not bold default",
    )
    yield Padding(title, (0, 0, 0, 2))
    rows: list[tuple[str, Flow | str]] = [
        ("channels", Flow([_share(part) for part in one["channels"]]))
    ]
    if one["matches"]:
        rows.append(("name", one["verdict"]))
        near = [
            clean(match["name"], 20).append(f" {match['cosine']:.3f}", "dim")
            for match in one["matches"][:_CANDIDATES]
        ]
        rows.append(("cosines", Flow(near)))
        parts = [_share(part) for part in one["mixture"]["parts"]]
        together = Text(f"together {one['mixture']['cosine']:.3f}", "dim")
        rows.append(("mixture", Flow([*parts, together])))
    yield grid(rows, indent=4)


def refit(facts: Facts) -> Drawing:
    """Known signatures in each sample, with intervals."""
    yield clean(facts["source"], None)
    yield Text(
        f"{count(facts['n_samples'], 'sample')}, {facts['n_mutations']:,.0f} mutations by "
        f"{count(len(facts['signatures']), 'known signature')}",
        style="bold",
    )
    table = number_table("share", "samples")
    table.add_column("signature")
    for one in facts["signatures"][:_MOST_SAMPLES]:
        table.add_row(percent(one["share"]), str(one["n_samples"]), clean(one["name"]))
    yield Padding(table, (0, 0, 0, 2))
    yield heading("Samples: mutations, and what holds 95 % of the refits to resampled counts")
    for one in facts["samples"][:_MOST_SAMPLES]:
        parts = [
            clean(part["name"], 16)
            .append(f" {part['mutations']:,.0f}")
            .append(f" [{part['low']:,.0f}, {part['high']:,.0f}]", "dim")
            for part in one["parts"]
        ]
        title = clean(one["name"]).append(f" · cosine {one['cosine']:.3f}", "dim")
        yield Padding(title, (0, 0, 0, 2))
        yield Padding(Flow(parts), (0, 0, 0, 4))
    rest = len(facts["samples"]) - _MOST_SAMPLES
    if rest > 0:
        yield Text(f"  and {count(rest, 'more sample')}: -o FOLDER, or --json, has all")


def _share(part: Facts) -> Text:
    return clean(part["name"], 20).append(f" {percent(part['share'])}", "dim")
