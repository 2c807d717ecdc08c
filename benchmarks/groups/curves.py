"""Objective against time."""

from __future__ import annotations

from collections.abc import Iterator

from harness import Bench, name_of
from task import Task

from groups.cases import FROBENIUS, KL, Case, loaded

FILE = "curves"
ABOUT = (
    "Ours: the objective of every accepted iteration of one fit, seed 0, with the fit's clock. "
    "scikit-learn tells no curve, so it is run again for each number of iterations, tolerance off; "
    "these objectives are recomputed in float64. Initialisation included on both sides."
)
CASES = (
    Case("20 newsgroups tf-idf", FROBENIUS, 20),
    Case("CBCL faces", FROBENIUS, 49),
    Case("20 newsgroups counts", KL, 20, quick=False),
    Case("pbmc3k counts", KL, 20, quick=False),
    Case("pbmc3k counts", FROBENIUS, 20, quick=False),
)
TINY = (Case("small sparse", FROBENIUS, 5),)
PASSES = (1, 2, 5, 10, 20, 50, 100, 200)


def run(bench: Bench) -> Iterator[dict[str, object]]:
    """One row a set and loss."""
    counted = PASSES if bench.full else PASSES[:2] if bench.tiny else PASSES[:6]
    for case, row, X in loaded(bench, CASES, TINY):
        if X is None:
            yield row
            continue
        common = {"n_components": case.n_components, "loss": case.loss, "threads": bench.threads}
        settings = {"tol": 1e-8, "max_iter": 300}
        ours = bench.run(case.data, X, Task("ours", settings=settings, **common))
        if ours.answer is None:
            yield {**row, "failed": ours.failure}
            continue
        theirs = []
        for passes in counted:
            outcome = bench.run(case.data, X, Task("scikit_learn", passes=passes, **common))
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
