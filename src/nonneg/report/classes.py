"""Facts about metagenes and classes, and the folder of tables that a user of cNMF recognises."""

from __future__ import annotations

from dataclasses import asdict
from numbers import Integral
from pathlib import Path
from typing import Any

import numpy as np

from nonneg.apps.agreement import Agreement
from nonneg.apps.metagenes import Metagenes
from nonneg.io.files import PathLike
from nonneg.io.rows import fresh_folder, write_json, write_rows
from nonneg.report.facts import Facts

__all__ = ["agreement_facts", "class_facts", "steps_told", "write_class_folder"]


def class_facts(model: Metagenes, *, top: int = 10, agreement: Agreement | None = None) -> Facts:
    """The facts of metagenes and classes. Classes and components count from 1.

    Parameters
    ----------
    model : Metagenes
        A fitted one.
    top : int, default 10
        How many marker genes of each metagene to name.
    agreement : Agreement, optional
        With known labels.

    Returns
    -------
    dict
        `n_samples`, `n_genes`, `rank`, `loss`, `runs`, `combine`, `smoothing`, `resample`, `seed`,
        `steps` (the preparation), `relative_error`; `cophenetic` and `dispersion` of the runs, or
        None; `classes`: number, n_samples, share of all usage, median margin, stability, n_markers,
        `markers` (gene, score, weight), and `leading`, the genes that exceed all other metagenes
        by most, whether they are markers or not; `samples`: name, class, share, margin, silhouette;
        `ranks` and `flows` of the tree of subclasses; `agreement` or None.
    """
    usage = model.usages_.sum(axis=0, dtype=np.float64)
    shares = usage / (usage.sum() or 1.0)
    every = model.markers()
    listed = model.markers(top) if top else [() for _ in every]
    level = next(one for one in model.levels_ if one.n_components == model.n_components)
    seed = model.random_state
    leading = _leading(model, top)
    classes = []
    for t, markers in enumerate(listed):
        inside = model.classes_ == t
        classes.append(
            {
                "number": t + 1,
                "n_samples": int(inside.sum()),
                "share": float(shares[t]),
                "margin": float(np.median(model.margins_[inside])) if inside.any() else None,
                "stability": None if model.stability_ is None else float(model.stability_[t]),
                "n_markers": len(every[t]),
                "markers": [asdict(marker) for marker in markers],
                "leading": leading[t],
            }
        )
    widths = model.silhouettes_
    samples = [
        {
            "name": name,
            "class": int(model.classes_[i]) + 1,
            "share": float(model.memberships_[i, model.classes_[i]]),
            "margin": float(model.margins_[i]),
            "silhouette": None if widths is None else float(widths[i]),
        }
        for i, name in enumerate(model.samples_)
    ]
    return {
        "n_samples": len(model.samples_),
        "n_genes": len(model.genes_),
        "rank": model.n_components,
        "loss": model.factorization_.loss,
        "runs": int(model.n_runs),
        "combine": model.combine,
        "smoothing": float(model.smoothing),
        "resample": None if model.resample is None else float(model.resample),
        "seed": int(seed) if isinstance(seed, Integral) else None,
        "steps": steps_told(model.steps_),
        "status": model.factorization_.status.name.lower(),
        "relative_error": model.relative_error_,
        "cophenetic": level.cophenetic,
        "dispersion": level.dispersion,
        "classes": classes,
        "samples": samples,
        "ranks": [
            {
                "rank": one.n_components,
                "sizes": one.sizes.tolist(),
                "relative_error": one.relative_error,
                "cophenetic": one.cophenetic,
                "dispersion": one.dispersion,
            }
            for one in model.levels_
        ],
        "flows": [
            {
                "from_rank": flow.from_rank,
                "from_class": flow.from_class + 1,
                "to_rank": flow.to_rank,
                "to_class": flow.to_class + 1,
                "n_samples": flow.n_samples,
                "share": flow.share,
            }
            for flow in model.flows_
        ],
        "agreement": None if agreement is None else agreement_facts(agreement),
    }


def _leading(model: Metagenes, top: int) -> list[list[str]]:
    H = model.components_.astype(np.float64)
    found = []
    for t, row in enumerate(H):
        excess = row - np.delete(H, t, axis=0).max(axis=0, initial=0.0)
        best = np.argsort(-excess, kind="stable")[:top]
        found.append([model.genes_[j] for j in best if excess[j] > 0])
    return found


def agreement_facts(agreement: Agreement) -> Facts:
    """The facts of classes against labels: measures, and the `confusion` class by class."""
    return {
        "labels": list(agreement.labels),
        "confusion": agreement.confusion.tolist(),
        "purity": agreement.purity,
        "entropy": agreement.entropy,
        "adjusted_rand": agreement.adjusted_rand,
        "nmi": agreement.nmi,
        "n_errors": agreement.n_errors,
        "n_samples": agreement.n_samples,
        "n_unlabelled": agreement.n_unlabelled,
    }


def steps_told(steps: tuple[dict[str, Any], ...]) -> list[str]:
    """Each step of the preparation with its number, in words."""
    told = []
    for step in steps:
        word = str(step["step"])
        if word == "size-factors":
            word = f"size-factors={step['sum']:g}"
        elif word == "variable":
            word = f"variable={step['genes']} (by {step['by']})"
        told.append(word)
    return told


def write_class_folder(
    model: Metagenes,
    path: PathLike,
    *,
    agreement: Agreement | None = None,
    force: bool = False,
) -> list[Path]:
    """Write everything as tables, under names that a user of cNMF recognises.

    NAME being the folder's name and K the rank: NAME.usages.k_K.consensus.txt (samples ×
    metagenes), NAME.spectra.k_K.consensus.txt (metagenes × genes), NAME.gene_scores.k_K.txt,
    and as CSV NAME.classes, .markers, .ranks, .flows, .confusion (with labels) and .consensus
    (samples × samples in the order of the tree, where there is one); NAME.facts.json.

    Raises
    ------
    OutputExistsError
        The folder has something in it and `force` is false.
    """
    folder = fresh_folder(path, force=force)
    name, k = folder.name, model.n_components
    facts = class_facts(model, agreement=agreement)
    numbers = [t + 1 for t in range(k)]

    def table(file: str, header: list[Any], rows: Any) -> Path:
        return write_rows(folder / f"{name}.{file}", header, rows, force=force)

    usages, spectra = model.usages_.tolist(), model.components_.tolist()
    scores = model.gene_scores().tolist()
    written = [
        table(
            f"usages.k_{k}.consensus.txt",
            ["", *numbers],
            ([s, *row] for s, row in zip(model.samples_, usages, strict=True)),
        ),
        table(
            f"spectra.k_{k}.consensus.txt",
            ["", *model.genes_],
            ([t, *row] for t, row in zip(numbers, spectra, strict=True)),
        ),
        table(
            f"gene_scores.k_{k}.txt",
            ["gene", "score"],
            zip(model.genes_, scores, strict=True),
        ),
        _dicts(table, "classes.csv", facts["samples"]),
        table(
            "markers.csv",
            ["class", "gene", "score", "weight"],
            (
                [t + 1, marker.gene, marker.score, marker.weight]
                for t, markers in enumerate(model.markers())
                for marker in markers
            ),
        ),
        _dicts(
            table,
            "ranks.csv",
            [
                {**row, "sizes": " ".join(str(size) for size in row["sizes"])}
                for row in facts["ranks"]
            ],
        ),
    ]
    if facts["flows"]:
        written.append(_dicts(table, "flows.csv", facts["flows"]))
    if agreement is not None:
        rows = zip(numbers, agreement.confusion.tolist(), strict=True)
        header = ["class", *agreement.labels]
        written.append(table("confusion.csv", header, ([t, *row] for t, row in rows)))
    if model.consensus_ is not None:
        order = model.consensus_.order
        names = [model.samples_[i] for i in order]
        matrix = model.consensus_.matrix[np.ix_(order, order)].tolist()
        rows_of = ([s, *row] for s, row in zip(names, matrix, strict=True))
        written.append(table("consensus.csv", ["", *names], rows_of))
    target = folder / f"{name}.facts.json"
    return [*written, write_json(target, facts, force=force)]


def _dicts(table: Any, file: str, rows: list[Facts]) -> Path:
    header = list(rows[0]) if rows else []
    path: Path = table(file, header, ([row[key] for key in header] for row in rows))
    return path
