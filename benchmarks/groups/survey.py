"""Many runs of several ranks: how long, how good, how stable."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from harness import Bench, Outcome, name_of
from sets import load
from task import Task

from nonneg.selection.measures import average_tree, consensus_matrix, cophenetic_correlation

FILE = "survey"
ABOUT = (
    "Ranks 2 to 5, the same number of runs from random starts each (Brunet et al. 2004); ours and "
    "the rivals each with their own defaults and stopping rules. R's NMF and nimfa use one core, "
    "as they come. ratio = rival's total seconds / ours at our defaults; at its quality = the same "
    "with the quickest of our settings (float64 by default; float32 with tol 1e-3, 1e-2, 1e-1, or "
    "ten iterations) at which the mean objective of each of our ranks is at or below the rival's. "
    "Consensus of the samples by their largest component (by its share of WH, for all solvers); "
    "cophenetic correlation of average linkage on 1 − consensus. Where a rival made fewer runs of "
    "a rank than ours, its time is scaled up by the number of runs; its cophenetic correlation, of "
    "few runs, is coarse."
)
# Solver, settings, and how many times as fast ours should be.
RIVALS = (("r_nmf", {}, 100.0), ("nimfa", {"method": "Nmf"}, 50.0))
OURS = (
    ("ours", {}, None),
    *(("ours", {"tol": tol}, None) for tol in (1e-3, 1e-2, 1e-1)),
    ("ours", {"max_iter": 10}, None),
)


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
        ours: list[dict[str, object]] = []
        for solver, settings, target in (*OURS, *RIVALS):
            single = solver == "ours" and bool(settings)
            timed = n_runs if solver == "ours" else rival_runs
            row = {**head, "loss": loss, "solver": name_of(solver), "settings": settings}
            row |= {"runs_timed": timed, "dtype": "float32" if single else "float64"}
            if not bench.has(solver):
                yield {**row, "missing": bench.missing[name_of(solver)]}
                continue
            outcomes = [
                bench.run(
                    f"{name} in float32" if single else name,
                    X.astype(np.float32) if single else X,
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
            if target is None:
                ours.append(row)
            elif len(ours) == len(OURS):
                row |= _compared(row, ours, target)
            yield row


def _compared(
    row: dict[str, object], ours: list[dict[str, object]], target: float
) -> dict[str, object]:
    def as_good(mine: dict[str, object]) -> bool:
        return all(
            here["mean_objective"] <= there["mean_objective"]
            for here, there in zip(mine["ranks"], row["ranks"], strict=True)
        )

    good = [mine for mine in ours if as_good(mine)]
    quickest = min(good, key=lambda mine: mine["seconds"], default=None)
    ratio = row["seconds"] / ours[0]["seconds"]
    equal = None if quickest is None else row["seconds"] / quickest["seconds"]
    return {
        "ratio": ratio,
        "ratio_at_its_quality": equal,
        "settings_at_its_quality": None if quickest is None else quickest["settings"],
        "target": target,
        # By the protocol: until our objective is the rival's.
        "target_met": equal is not None and equal >= target,
    }


def _rank(outcome: Outcome) -> dict[str, object]:
    assert outcome.answer is not None
    return {
        "n_components": outcome.task.n_components,
        "seconds": outcome.answer.seconds,
        "mean_objective": float(np.mean(outcome.objectives)),
        "best_objective": min(outcome.objectives),
        "cophenetic": cophenetic(outcome.answer.fits),
    }


def cophenetic(fits: list[tuple[np.ndarray, np.ndarray]]) -> float:
    """Return how well the consensus of the runs is a tree: 1 where every run agrees."""
    labels = np.array([(H * W.sum(axis=0)[:, None]).argmax(axis=0) for W, H in fits])
    return cophenetic_correlation(*average_tree(consensus_matrix(labels)))
