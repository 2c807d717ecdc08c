"""Time to a rival's own objective."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import scipy.sparse as sp
from harness import Bench, Outcome, name_of
from objective import Matrix
from task import Task

from groups.cases import FROBENIUS, KL, Case, loaded

FILE = "speed"
ABOUT = (
    "A rival runs with its own defaults, seed 0; ours runs until its objective is at most the "
    "rival's final one. Both objectives are recomputed in float64 by one function. ratio = rival's "
    "median seconds / our median seconds; initialisation and checks included, imports not. A run "
    "of ours that settles first has missed the goal; beside is where it ended."
)
# What float32 leaves open when two objectives are compared.
SLACK = 1e-6
# A rival that takes less than this is timed three times, and the median counts.
SHORT_SECONDS = 10.0


@dataclass(frozen=True)
class Race(Case):
    """A rival with its settings on a set, and the ratio that is wanted."""

    rival: str
    target: float | None = None
    settings: dict[str, object] = field(default_factory=dict)


RACES = (
    Race("20 newsgroups counts", KL, 20, "scikit_learn", 150),
    Race("pbmc3k counts", KL, 20, "scikit_learn", 200, quick=False),
    Race("20 newsgroups tf-idf", FROBENIUS, 20, "scikit_learn", 15),
    Race("pbmc3k counts", FROBENIUS, 20, "scikit_learn", 12),
    Race("ORL faces", FROBENIUS, 40, "scikit_learn", 12),
    Race("CBCL faces", FROBENIUS, 49, "scikit_learn", 10),
    Race("CBCL faces", FROBENIUS, 49, "nimfa", 50),
    Race("dense synthetic", FROBENIUS, 40, "scikit_learn", 6),
    Race("20 newsgroups tf-idf", FROBENIUS, 20, "r_rcppml", 3, {"tol": 1e-6}),
    Race("20 newsgroups tf-idf", FROBENIUS, 20, "r_rcppml", 3, {"tol": 1e-4}),
    Race("pbmc3k counts", FROBENIUS, 20, "r_rcppml", 3, {"tol": 1e-6}),
    Race("pbmc3k counts", FROBENIUS, 20, "r_rcppml", 3, {"tol": 1e-4}),
    Race("20 newsgroups tf-idf", FROBENIUS, 20, "gensim"),
)
TINY = (
    Race("small dense", FROBENIUS, 5, "scikit_learn"),
    Race("small dense", KL, 5, "scikit_learn"),
    Race("small sparse", FROBENIUS, 5, "scikit_learn"),
    Race("small sparse", KL, 5, "scikit_learn"),
    Race("small dense", FROBENIUS, 5, "nimfa"),
    Race("small dense", KL, 5, "nimfa"),
    Race("small sparse", FROBENIUS, 5, "r_rcppml", None, {"tol": 1e-4}),
    Race("small sparse", FROBENIUS, 5, "gensim"),
)


def run(bench: Bench) -> Iterator[dict[str, object]]:
    """One row a race."""
    for race, head, X in loaded(bench, RACES, TINY):
        row = head | {"rival": name_of(race.rival), "settings": race.settings}
        row["target"] = race.target
        if X is None:
            yield row
            continue
        nnz = X.nnz if sp.issparse(X) else int(np.count_nonzero(X))
        row |= {"shape": list(X.shape), "nnz": int(nnz)}
        if bench.has(race.rival):
            yield row | _raced(bench, race, X)
        else:
            yield {**row, "missing": bench.missing[name_of(race.rival)]}


def _raced(bench: Bench, race: Race, X: Matrix) -> dict[str, object]:
    common = {
        "n_components": race.n_components,
        "loss": race.loss,
        "threads": bench.threads,
    }
    asked = Task(race.rival, settings=race.settings, **common)
    theirs = [bench.run(race.data, X, asked)]
    repeats = 1 if bench.tiny else 3
    while theirs[0].answer and theirs[0].answer.seconds < SHORT_SECONDS and len(theirs) < repeats:
        theirs.append(bench.run(race.data, X, asked))
    failed = next((outcome.failure for outcome in theirs if outcome.failure), None)
    if failed:
        return {"failed": failed}
    goal = theirs[0].objective
    ours = [
        bench.run(
            race.data, X, Task("ours", seed=seed, settings={"tol": 1e-8}, goal=goal, **common)
        )
        for seed in range(bench.n_seeds)
    ]
    failed = next((outcome.failure for outcome in ours if outcome.failure), None)
    if failed:
        return {"failed": f"nonneg: {failed}"}
    null = bench.run(race.data, X, Task("null", **common))
    rows = [
        outcome.told()
        | {
            "above_goal": outcome.objective / goal - 1,
            "met": outcome.objective <= goal * (1 + SLACK),
        }
        for outcome in ours
    ]
    missed = sum(not row["met"] for row in rows)
    ratio = seconds(theirs) / seconds(ours)
    return {
        "ratio": ratio,
        "missed": missed,
        "worst_above_goal": max(row["above_goal"] for row in rows),
        "target_met": None if race.target is None else ratio >= race.target and missed == 0,
        "theirs": {"median_seconds": seconds(theirs), "runs": [run.told() for run in theirs]},
        "ours": {"median_seconds": seconds(ours), "runs": rows},
        "null": null.told() | {"overhead": null.overhead},
    }


def seconds(outcomes: list[Outcome]) -> float:
    """Return the median time of the fits."""
    return statistics.median(outcome.answer.seconds for outcome in outcomes if outcome.answer)
