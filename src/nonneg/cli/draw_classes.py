"""Classes, subclasses and metagenes as tables for a terminal of 80 columns."""

from __future__ import annotations

from collections.abc import Sequence

from rich.padding import Padding
from rich.text import Text

from nonneg.cli.draw import Drawing, Facts, Flow, clean, count, grid, heading, number_table, percent

__all__ = ["agreement_table", "classes"]

_MOST_UNSURE = 5
_UNSURE = 0.1
_MOST_LABELS = 5
_LABEL_WIDTH = 10


def classes(facts: Facts) -> Drawing:
    """The classes, what marks them, the tree, and the agreement with labels."""
    yield clean(facts["source"], None)
    yield Text(
        f"{count(facts['n_samples'], 'sample')} × {count(facts['n_genes'], 'gene')} in "
        f"{count(facts['rank'], 'metagene')}",
        style="bold",
    )
    yield grid(_about(facts))
    yield heading("Classes")
    yield _class_table(facts["classes"])
    yield from _unsure(facts["samples"])
    yield heading("Marker genes")
    for one in facts["classes"]:
        yield from _markers(one)
    if len(facts["ranks"]) > 1:
        yield from _tree(facts)
    if facts["agreement"]:
        yield from _agreement(facts["agreement"])


def _about(facts: Facts) -> list[tuple[str, str]]:
    runs = count(facts["runs"], "run")
    how = (
        f"{facts['loss']}, {facts['combine']} of {runs}"
        if facts["runs"] > 1
        else (f"{facts['loss']}, {runs}")
    )
    if facts["smoothing"]:
        how += f", smoothing {facts['smoothing']:g}"
    if facts["resample"] is not None:
        how += f" on {percent(facts['resample'])} of the samples"
    how += "" if facts["seed"] is None else f", seed {facts['seed']}"
    rows = [("prepared", ", then ".join(facts["steps"]) or "not at all"), ("fit", how)]
    rows.append(("error", f"{facts['relative_error']:.4f}, relative (0 is exact)"))
    if facts["cophenetic"] is not None:
        rows.append(
            (
                "agreement",
                f"cophenetic {facts['cophenetic']:.4f}, dispersion {facts['dispersion']:.4f} of "
                "the runs (1: all alike)",
            )
        )
    return rows


def _class_table(rows: Sequence[Facts]) -> Padding:
    table = number_table("class", "samples", "of all usage", "margin", "stability")
    for one in rows:
        table.add_row(
            str(one["number"]),
            str(one["n_samples"]) if one["n_samples"] else "none",
            percent(one["share"]),
            "" if one["margin"] is None else f"{one['margin']:.2f}",
            "" if one["stability"] is None else f"{one['stability']:.2f}",
        )
    return Padding(table, (0, 0, 0, 2))


def _unsure(samples: Sequence[Facts]) -> Drawing:
    """The samples that could as well be in another class."""
    doubtful = sorted(
        (one for one in samples if one["margin"] < _UNSURE), key=lambda one: float(one["margin"])
    )
    if not doubtful:
        return
    shown = [
        clean(one["name"], 20).append(f" {one['margin']:.2f}", "dim")
        for one in doubtful[:_MOST_UNSURE]
    ]
    rest = len(doubtful) - len(shown)
    if rest:
        shown.append(Text(f"{rest:,} more"))
    yield Padding(grid([(f"margin below {_UNSURE:g}", Flow(shown))], indent=0), (1, 0, 0, 2))


def _markers(one: Facts) -> Drawing:
    names = [clean(marker["gene"], 18) for marker in one["markers"]]
    rest = one["n_markers"] - len(names)
    if rest > 0:
        names.append(Text(f"{rest:,} more", "dim"))
    if not names:
        names = [clean(gene, 22) for gene in one["leading"]]
        names.append(Text("(none is its alone)", "dim"))
    yield grid([(str(one["number"]), Flow(names))])


def _tree(facts: Facts) -> Drawing:
    yield heading("From rank to rank")
    table = number_table("rank", "error", "cophenetic", "dispersion")
    table.add_column("samples of each class", overflow="fold")
    for row in facts["ranks"]:
        table.add_row(
            str(row["rank"]),
            f"{row['relative_error']:.4f}",
            *(
                "" if row[key] is None else f"{row[key]:.4f}"
                for key in ("cophenetic", "dispersion")
            ),
            " ".join(str(size) for size in row["sizes"]),
        )
    yield Padding(table, (0, 0, 1, 2))
    lines: list[tuple[str, Flow]] = []
    sources: dict[tuple[int, int], list[Facts]] = {}
    for flow in facts["flows"]:
        sources.setdefault((flow["from_rank"], flow["from_class"]), []).append(flow)
    for (rank, number), parts in sources.items():
        texts = [
            Text(f"{part['to_class']}").append(f" ({part['n_samples']:,})", "dim") for part in parts
        ]
        lines.append((f"{number} of {rank} → of {parts[0]['to_rank']}", Flow(texts)))
    yield grid(lines)


def _agreement(agreement: Facts) -> Drawing:
    yield heading("Against the labels")
    yield agreement_table(agreement)
    rows = [
        ("purity", f"{agreement['purity']:.4f}, entropy {agreement['entropy']:.4f}"),
        ("Rand index", f"{agreement['adjusted_rand']:.4f}, adjusted (0: chance, 1: the same)"),
        ("information", f"{agreement['nmi']:.4f}, normalised mutual"),
        (
            "left over",
            f"{agreement['n_errors']:,} of {agreement['n_samples']:,}, one label a class",
        ),
    ]
    if agreement["n_unlabelled"]:
        rows.append(("no label", count(agreement["n_unlabelled"], "sample")))
    yield grid(rows)


def agreement_table(agreement: Facts) -> Padding:
    """How many samples of each class have each label."""
    labels, confusion = agreement["labels"], agreement["confusion"]
    order = sorted(range(len(labels)), key=lambda j: -sum(row[j] for row in confusion))
    shown = order if len(labels) <= _MOST_LABELS + 1 else order[:_MOST_LABELS]
    table = number_table("class", *(clean(labels[j], _LABEL_WIDTH).plain for j in shown))
    if len(shown) < len(labels):
        table.add_column("others", justify="right")
    for number, row in enumerate(confusion, start=1):
        cells = [str(row[j]) if row[j] else "·" for j in shown]
        if len(shown) < len(labels):
            cells.append(str(sum(row) - sum(row[j] for j in shown)))
        table.add_row(str(number), *cells)
    return Padding(table, (0, 0, 1, 2))
