"""Ratings: only the observed ones count; held-out error and time beside two recommenders."""

from __future__ import annotations

import statistics
from collections.abc import Iterator

import numpy as np
from harness import Bench, name_of
from sets import movielens
from task import Task

FILE = "masked"
ABOUT = (
    "MovieLens 1M, one random 80:20 split (" + movielens.PROTOCOL + "). Rank 20, else each "
    "library's own defaults; estimates are cut to the scale, an unknown one is the mean. Ours over "
    "several seeds (medians), one run without echoes and the default of 16 with them; each rival "
    "once. ratio = rival's seconds / those of our one run. implicit fits preferences, so it has a "
    "time and no error."
)
# One run, which rivals' times are compared with, and the default.
OURS = (
    ("ours_recommender", {"n_models": 1, "echoes": False}, None, True),
    ("ours_recommender", {}, None, True),
)
# Rival, its settings, the ratio that is wanted at a lower error, whether it takes under a minute.
RIVALS = (
    ("cmfrec", {}, 3.0, True),
    ("cmfrec", {"nonneg": True}, None, True),
    ("implicit_als", {}, None, True),
    ("surprise_svdpp", {}, 200.0, False),
)


def run(bench: Bench) -> Iterator[dict[str, object]]:
    """One row a solver, ours first."""
    name = "generated" if bench.tiny else "MovieLens 1M"
    head = {"data": name, "n_components": 20}
    try:
        data, truth = movielens.generated() if bench.tiny else movielens.ml_1m(bench.data)
    except FileNotFoundError as absent:
        yield {**head, "missing": str(absent)}
        return
    ours: dict[str, object] = {}
    solvers = [*OURS, *RIVALS]
    for solver, settings, target, quick in solvers:
        if not (quick or bench.full or bench.tiny):
            continue
        row = {**head, "solver": name_of(solver), "settings": settings}
        if not bench.has(solver):
            yield {**row, "missing": bench.missing[name_of(solver)]}
            continue
        seeds = range(bench.n_seeds if solver == "ours_recommender" else 1)
        outcomes = [
            bench.run(
                name, data, Task(solver, 20, seed=s, threads=bench.threads, settings=settings)
            )
            for s in seeds
        ]
        failed = next((outcome.failure for outcome in outcomes if outcome.failure), None)
        if failed:
            yield {**row, "failed": failed}
            continue
        runs = []
        for outcome in outcomes:
            told = outcome.told()
            if outcome.answer.estimates is not None:
                low, high, mean = data.values.min(), data.values.max(), data.values.mean()
                estimates = np.nan_to_num(outcome.answer.estimates, nan=mean).clip(low, high)
                told |= movielens.errors(estimates, truth)
            runs.append(told)
        row |= {
            key: statistics.median(run[key] for run in runs)
            for key in ("seconds", "rmse", "mae")
            if key in runs[0]
        }
        row["runs"] = runs
        if solver == "ours_recommender":
            ours = ours or row
        elif ours:
            row["ratio"] = row["seconds"] / ours["seconds"]
            if target is not None:
                row["target"] = target
                row["target_met"] = row["ratio"] >= target and ours["rmse"] < row["rmse"]
        yield row
