"""Classes, programs of cells and mutational signatures on real data, by what is known of them.

    python benchmarks/classes.py --data folder

The folder has `all-aml/all_aml.csv.gz`, `mutational-catalogues/breast21_wgs_sbs96.csv.gz` and
`119breast_wgs_sbs96.csv.gz`, `cosmic-signatures/COSMIC_v3.4_SBS_GRCh37.txt.gz`, and `pbmc3k/` with
`counts.npz` and `cell_type.txt.gz`. scikit-learn's KL runs beside ours on pbmc3k. One record a set.
"""

from __future__ import annotations

import argparse
import gzip
import os
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse
from machine import machine, versions, write
from sklearn.decomposition import NMF

from nonneg import Metagenes, consensus
from nonneg.apps.agreement import compare_classes
from nonneg.apps.signatures import Signatures
from nonneg.io.catalogue import read_catalogue
from nonneg.io.expression import read_expression

RESULTS = Path(__file__).parent / "results"
SEEDS = (0, 1, 2)
EXPECTED = ("SBS1", "SBS2", "SBS3", "SBS8", "SBS13")
# Errors at most, by rank; cosines at least.
MOST_ERRORS = {2: 1, 3: 2}
LEAST_COSINE = 0.9
# A hundred runs on pbmc3k, two cores.
MOST_SECONDS = 60.0


def leukemia(data: Path) -> dict[str, Any]:
    """ALL-AML, all genes, 50 runs of the ranks 2 to 5."""
    table = read_expression(data / "all-aml" / "all_aml.csv.gz", orientation="genes-by-samples")
    three = [_leukemia(name) for name in table.samples]
    labels = {2: [name[:3] for name in three], 3: three}
    rows = []
    for loss in ("kullback-leibler", "frobenius"):
        for seed in SEEDS:
            for k, most in MOST_ERRORS.items():
                started = time.perf_counter()
                model = Metagenes(k, loss=loss, n_runs=50, ranks=range(2, 6), random_state=seed)
                model.fit(table)
                found = model.agreement(labels[k])
                rows.append(
                    {
                        "loss": loss,
                        "seed": seed,
                        "k": k,
                        "errors": found.n_errors,
                        "target_met": found.n_errors <= most,
                        "purity": found.purity,
                        "confusion": found.confusion.tolist(),
                        "cophenetic": {
                            level.n_components: level.cophenetic for level in model.levels_
                        },
                        "seconds_all_ranks": time.perf_counter() - started,
                    }
                )
                print(rows[-1], flush=True)
    return {"runs": 50, "most_errors": MOST_ERRORS, "rows": rows}


def stability(data: Path) -> dict[str, Any]:
    """ALL-AML: consensus of 20 runs from other starts, and on four fifths of the samples."""
    table = read_expression(data / "all-aml" / "all_aml.csv.gz", orientation="genes-by-samples")
    three = [_leukemia(name) for name in table.samples]
    labels = {2: [name[:3] for name in three], 3: three}
    rows = []
    for loss in ("kullback-leibler", "frobenius"):
        for resample in (None, 0.8):
            for seed in SEEDS:
                found = {
                    k: consensus(
                        table.values, k, n_runs=20, loss=loss, resample=resample, random_state=seed
                    )
                    for k in range(2, 6)
                }
                rows.append(
                    {
                        "loss": loss,
                        "resample": resample,
                        "seed": seed,
                        "cophenetic": {k: agreed.cophenetic for k, agreed in found.items()},
                        "dispersion": {k: agreed.dispersion for k, agreed in found.items()},
                        "errors_of_consensus_classes": {
                            k: compare_classes(found[k].labels, known, k).n_errors
                            for k, known in labels.items()
                        },
                    }
                )
                print(rows[-1], flush=True)
    return {"runs": 20, "rows": rows}


def _leukemia(sample: str) -> str:
    return "AML" if sample.startswith("AML") else f"ALL-{sample[-6]}"


def breast(data: Path) -> dict[str, Any]:
    """Catalogues of 21 and 119 breast cancers against COSMIC v3.4."""
    reference = read_catalogue(data / "cosmic-signatures" / "COSMIC_v3.4_SBS_GRCh37.txt.gz")
    sets = {}
    for name in ("breast21_wgs_sbs96", "119breast_wgs_sbs96"):
        catalogue = read_catalogue(data / "mutational-catalogues" / f"{name}.csv.gz")
        started = time.perf_counter()
        model = Signatures(range(2, 9), n_runs=100, random_state=0).fit(catalogue)
        seconds = time.perf_counter() - started
        match = model.match(reference)
        _print_table(name, match.signatures, match.references, match.cosines)
        expected = {}
        for signature in EXPECTED:
            cosines = match.cosines[:, match.references.index(signature)]
            expected[signature] = {
                "cosine": float(cosines.max()),
                "named": signature in match.names,
                "target_met": bool(cosines.max() >= LEAST_COSINE),
                "in_mixtures_of": [
                    found
                    for found, mixed in zip(match.signatures, match.mixtures, strict=True)
                    if signature in mixed.names
                ],
            }
        sets[name] = {
            "samples": len(model.samples_),
            "mutations": float(catalogue.values.sum()),
            "k": model.n_components_,
            "reason": model.reason_,
            "seconds": seconds,
            "ranks": [
                {
                    "k": found.n_components,
                    "stability": found.stability.tolist(),
                    "relative_error": found.relative_error,
                    "mean_cosine": float(found.cosines.mean()),
                }
                for found in model.solutions_
            ],
            "expected": expected,
            "mixtures": [
                {
                    "signature": found,
                    "names": list(mixed.names),
                    "shares": list(mixed.shares),
                    "cosine": mixed.cosine,
                }
                for found, mixed in zip(match.signatures, match.mixtures, strict=True)
            ],
            "references": list(match.references),
            "cosines": np.round(match.cosines, 6).tolist(),
        }
        print(
            {key: sets[name][key] for key in ("k", "seconds", "expected", "mixtures")}, flush=True
        )
    return {"runs": 100, "least_cosine": LEAST_COSINE, "sets": sets}


def _print_table(
    name: str, rows: tuple[str, ...], columns: tuple[str, ...], values: np.ndarray
) -> None:
    print(f"{name}: cosine of each signature with each of COSMIC v3.4")
    print("        " + " ".join(f"{row[-1:]:>5}" for row in rows))
    for j, column in enumerate(columns):
        print(f"{column:>7} " + " ".join(f"{value:5.3f}" for value in values[:, j]))


def cells(data: Path) -> dict[str, Any]:
    """pbmc3k counts, genes in 3 cells or more, k = 10, KL: ours beside scikit-learn's."""
    X = _pbmc3k(data)
    with gzip.open(data / "pbmc3k" / "cell_type.txt.gz", "rt") as stream:
        labels = [line.rstrip("\n") for line in stream]
    rows = []

    def add(who: str, fit: Callable[[], np.ndarray], **about: Any) -> None:
        started = time.perf_counter()
        classes = fit()
        seconds = time.perf_counter() - started
        found = compare_classes(classes, labels, 10)
        rows.append(
            {
                "who": who,
                **about,
                "seconds": seconds,
                "nmi": found.nmi,
                "adjusted_rand": found.adjusted_rand,
                "purity": found.purity,
            }
        )
        print(rows[-1], flush=True)

    for n_runs, combine in ((1, "best"), (10, "best"), (10, "median")):
        for seed in SEEDS:
            model = Metagenes(10, n_runs=n_runs, combine=combine, random_state=seed)
            add(
                "nonneg",
                lambda model=model: model.fit(X).classes_,
                runs=n_runs,
                combine=combine,
                seed=seed,
            )
    theirs = scipy.sparse.csr_matrix(X)
    for init in ("nndsvda", "random"):
        for seed in SEEDS[:1] if init == "nndsvda" else SEEDS:
            add("scikit-learn", lambda i=init, s=seed: _sklearn(theirs, i, s), init=init, seed=seed)
    return {"k": 10, "rows": rows}


def many_runs(data: Path) -> dict[str, Any]:
    """pbmc3k as above: the consensus of a hundred runs, by default and with a looser tolerance."""
    X = _pbmc3k(data)
    rows = []
    for tol in (1e-4, 1e-3):
        started = time.perf_counter()
        agreed = consensus(X, 10, n_runs=100, loss="kullback-leibler", tol=tol, random_state=0)
        rows.append(
            {
                "tol": tol,
                "seconds": time.perf_counter() - started,
                "mean_objective": float(agreed.objectives.mean()),
                "best_objective": float(agreed.objectives.min()),
                "cophenetic": agreed.cophenetic,
            }
        )
        rows[-1]["target_met"] = rows[-1]["seconds"] < MOST_SECONDS
        print(rows[-1], flush=True)
    return {"k": 10, "runs": 100, "most_seconds": MOST_SECONDS, "rows": rows}


def _pbmc3k(data: Path) -> scipy.sparse.csr_array:
    counts = scipy.sparse.csr_array(scipy.sparse.load_npz(data / "pbmc3k" / "counts.npz"))
    in_cells = np.asarray((counts > 0).sum(axis=0)).ravel()
    return counts[:, in_cells >= 3].astype(np.float32)


def _sklearn(X: Any, init: str, seed: int) -> np.ndarray:
    model = NMF(10, init=init, solver="mu", beta_loss="kullback-leibler", random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of 200 iterations
        W = model.fit_transform(X)
    return np.argmax(W * model.components_.sum(axis=1), axis=1)


SETS = {
    "leukemia": leukemia,
    "stability": stability,
    "breast": breast,
    "cells": cells,
    "many-runs": many_runs,
}


def main() -> None:
    """Measure the sets asked for, and write their records."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, default=os.environ.get("NONNEG_DATA"))
    parser.add_argument("--only", nargs="*", choices=SETS, default=list(SETS))
    parser.add_argument("--output", type=Path, default=RESULTS, help="folder of the records")
    asked = parser.parse_args()
    for name in asked.only:
        found = SETS[name](asked.data)
        record = {"benchmark": f"classes, {name}", **found}
        record |= {"machine": machine(), "versions": versions()}
        write(asked.output / f"classes-{name}.json", record)


if __name__ == "__main__":
    main()
