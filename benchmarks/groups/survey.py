"""Many runs of several ranks: how long, how good, how stable."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from harness import Bench, Outcome, name_of
from scipy.cluster.hierarchy import cophenet, linkage
from scipy.spatial.distance import squareform
from sets import load
from task import Task

FILE = "survey"
ABOUT = (
    "Ranks 2 to 5, the same number of runs from random starts each (Brunet et al. 2004); ours and "
    "the rivals each with their own defaults and stopping rules. R's NMF and nimfa use one core, "
    "as they come. ratio = rival's total seconds / ours. Consensus of the samples by the largest "
    "entry of their column of H; cophenetic correlation of average linkage on 1 − consensus. Where "
    "a rival made fewer runs of a rank than ours, its time is scaled up by the number of runs; its "
    "cophenetic correlation, of few runs, is coarse."
)
TARGET = 100.0
RIVALS = (("r_nmf", {}), ("nimfa", {"method": "Nmf"}))


def run(bench: Bench) -> Iterator[dict[str, object]]:
    """One row a loss and solver."""
    name = "small dense" if bench.tiny else "ALL-AML"
    n_runs = 50 if bench.full else 3
    # Runs of a rival take about as long as each other: a few tell the time of many.
    rival_runs = 5 if bench.full else 1 if bench.tiny else 3
    ranks = (2, 3, 4, 5) if not bench.tiny else (2,)
    losses = ("kullback-leibler",) if bench.tiny else ("kullback-leibler", "frobenius")
    head = {"data": name, "n_runs": n_runs}
    try:
        X = load(name, bench.data)
    except FileNotFoundError as absent:
        yield {**head, "missing": str(absent)}
        return
    for loss in losses:
        ours: float | None = None
        for solver, settings in (("ours", {}), *RIVALS):
            timed = n_runs if solver == "ours" else rival_runs
            row = {**head, "loss": loss, "solver": name_of(solver), "settings": settings}
            row["runs_timed"] = timed
            if not bench.has(solver):
                yield {**row, "missing": bench.missing[name_of(solver)]}
                continue
            outcomes = [
                bench.run(
                    name,
                    X,
                    Task(
                        solver,
                        n_components=rank,
                        loss=loss,
                        n_runs=timed,
                        threads=bench.threads,
                        settings=settings,
                    ),
                )
                for rank in ranks
            ]
            failed = next((outcome.failure for outcome in outcomes if outcome.failure), None)
            if failed:
                yield {**row, "failed": failed}
                continue
            total = sum(outcome.answer.seconds for outcome in outcomes) * n_runs / timed
            row |= {"seconds": total, "ranks": [_rank(outcome) for outcome in outcomes]}
            if solver == "ours":
                ours = total
            elif ours is not None:
                row |= {"ratio": total / ours, "target": TARGET}
                row["target_met"] = total / ours >= TARGET
            yield row


def _rank(outcome: Outcome) -> dict[str, object]:
    assert outcome.answer is not None
    return {
        "n_components": outcome.task.n_components,
        "seconds": outcome.answer.seconds,
        "mean_objective": float(np.mean(outcome.objectives)),
        "best_objective": min(outcome.objectives),
        "cophenetic": cophenetic([H for _, H in outcome.answer.fits]),
    }


def cophenetic(factors: list[np.ndarray]) -> float:
    """Return how well the consensus of the runs is a tree: 1 where every run agrees."""
    labels = np.array([H.argmax(axis=0) for H in factors])
    apart = 1 - np.mean(labels[:, :, None] == labels[:, None, :], axis=0)
    distances = squareform(apart, checks=False)
    if not distances.any():
        return 1.0
    return float(cophenet(linkage(distances, "average"), distances)[0])
