"""Peak memory of a fit."""

from __future__ import annotations

from collections.abc import Iterator

import scipy.sparse as sp
from harness import Bench, name_of
from objective import Matrix
from sets import load
from task import Task

FILE = "memory"
ABOUT = (
    "A fresh process loads X, sets its highest mark of resident memory back, fits, and reads the "
    "mark: peak_mb is what the fit added to X. The target is X transposed once, the factors, and "
    "64 MB. Megabytes are 10^6 bytes."
)
ALLOWANCE_MB = 64.0
CASES = (
    ("20 newsgroups tf-idf", "frobenius", 20, True),
    ("20 newsgroups counts", "kullback-leibler", 20, True),
    ("ORL faces", "frobenius", 40, True),
    ("dense synthetic", "frobenius", 40, True),
    ("CBCL faces", "frobenius", 49, True),
    ("pbmc3k counts", "frobenius", 20, False),
    ("pbmc3k counts", "kullback-leibler", 20, False),
)


def run(bench: Bench) -> Iterator[dict[str, object]]:
    """One row a set and solver."""
    tiny = [("small sparse", "frobenius", 5, True), ("small dense", "kullback-leibler", 5, True)]
    for name, loss, n_components, quick in tiny if bench.tiny else CASES:
        if not (quick or bench.full):
            continue
        row: dict[str, object] = {"data": name, "loss": loss, "n_components": n_components}
        try:
            X = load(name, bench.data)
        except FileNotFoundError as absent:
            yield {**row, "missing": str(absent)}
            continue
        size = megabytes(X)
        factors = n_components * sum(X.shape) * X.dtype.itemsize / 1e6
        row |= {"x_mb": round(size, 1), "factors_mb": round(factors, 1)}
        row["target_mb"] = round(size + factors + ALLOWANCE_MB, 1)
        for solver in ("ours", "scikit_learn"):
            # Where the peak is, is known after a few iterations.
            asked = Task(solver, n_components, loss, threads=bench.threads, passes=8)
            outcome = bench.run(name, X, asked)
            one = row | {"solver": name_of(solver)} | outcome.told()
            if solver == "ours" and "peak_mb" in one:
                one["target_met"] = one["peak_mb"] <= row["target_mb"]
            yield one


def megabytes(X: Matrix) -> float:
    """Return the size of a matrix."""
    arrays = (X.data, X.indices, X.indptr) if sp.issparse(X) else (X,)
    return sum(array.nbytes for array in arrays) / 1e6
