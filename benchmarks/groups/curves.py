"""Objective against time."""

from __future__ import annotations

from collections.abc import Iterator

from harness import Bench, name_of
from sets import load
from task import Task

FILE = "curves"
ABOUT = (
    "Ours: the objective of every accepted iteration of one fit, seed 0, with the fit's clock. "
    "scikit-learn tells no curve, so it is run again for each number of iterations, tolerance off; "
    "these objectives are recomputed in float64. Initialisation included on both sides."
)
CASES = (
    ("20 newsgroups tf-idf", "frobenius", 20, True),
    ("CBCL faces", "frobenius", 49, True),
    ("20 newsgroups counts", "kullback-leibler", 20, False),
    ("pbmc3k counts", "kullback-leibler", 20, False),
    ("pbmc3k counts", "frobenius", 20, False),
)
PASSES = (1, 2, 5, 10, 20, 50, 100, 200)


def run(bench: Bench) -> Iterator[dict[str, object]]:
    """One row a set and loss."""
    tiny = [("small sparse", loss, 5, True) for loss in ("frobenius", "kullback-leibler")]
    for name, loss, n_components, quick in tiny if bench.tiny else CASES:
        if not (quick or bench.full):
            continue
        row: dict[str, object] = {"data": name, "loss": loss, "n_components": n_components}
        try:
            X = load(name, bench.data)
        except FileNotFoundError as absent:
            yield {**row, "missing": str(absent)}
            continue
        common = {"n_components": n_components, "loss": loss, "threads": bench.threads}
        settings = {"tol": 1e-8, "max_iter": 300}
        ours = bench.run(name, X, Task("ours", settings=settings, **common))
        if ours.answer is None:
            yield {**row, "failed": ours.failure}
            continue
        theirs = []
        for passes in PASSES if bench.full else PASSES[:6]:
            outcome = bench.run(name, X, Task("scikit_learn", passes=passes, **common))
            if outcome.answer is not None:
                theirs.append([passes, outcome.answer.seconds, outcome.objective])
        yield row | {
            "curves": {"nonneg": thinned(ours.answer.curve), name_of("scikit_learn"): theirs}
        }


def thinned(curve: list[list[float]], most: int = 60) -> list[list[float]]:
    """Return at most so many points, dense at the start where the curve bends."""
    last = len(curve) - 1
    kept = {round(last * (i / (most - 1)) ** 2) for i in range(most)}
    return [curve[i] for i in sorted(kept)]
