"""How long a fitted recommender takes to answer: one person at a time, one thread.

    python benchmarks/answers.py

Generated ratings of 50,000 items; one run of k = 32, the default (16 runs of 20), and 16 runs of
32; medians of 200 calls. The record is printed and written to `results/recommender-answers.json`.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from machine import machine, versions, write
from sets.movielens import grown
from threadpoolctl import threadpool_limits

from nonneg.apps.recommend import Recommender

RESULTS = Path(__file__).parent / "results"
CALLS = 200
RATINGS = 1_000_000
ITEMS = 50_000
# Milliseconds: somebody new with 100 ratings, and the top 10 of all items.
TARGETS = {"fold_in": 1.0, "recommend": 5.0}


def main() -> None:
    """Measure one run and the default, and write the record."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--output", type=Path, default=RESULTS, help="folder of the record")
    asked = parser.parse_args()
    ratings = grown(RATINGS, n_items=ITEMS)
    rows = []
    for k, n_models in ((32, 1), (20, 16), (32, 16)):
        model = Recommender(k, n_models=n_models, random_state=0).fit(ratings)
        with threadpool_limits(1):
            found = answers(model)
        met = all(found[name] <= most for name, most in TARGETS.items())
        rows.append(
            {"n_components": k, "n_models": n_models, "milliseconds": found, "targets_met": met}
        )
        print(rows[-1], flush=True)
    record = {
        "benchmark": "recommender, answers",
        "data": {"ratings": len(ratings), "users": ratings.n_users, "items": ratings.n_items},
        "targets": TARGETS,
        "rows": rows,
        "machine": machine(),
        "versions": versions(),
    }
    write(asked.output / "recommender-answers.json", record)
    print(json.dumps(record, indent=1))


def answers(model: Recommender) -> dict[str, float]:
    """Median milliseconds of each question."""
    rng = np.random.default_rng(1)
    people = rng.integers(model.ratings_.n_users, size=CALLS).tolist()
    known = np.flatnonzero(model.model_.item_counts)
    new = [
        dict(zip(rng.choice(known, 100, replace=False).tolist(), values.tolist(), strict=True))
        for values in rng.choice(np.unique(model.ratings_.values), size=(CALLS, 100))
    ]
    return {
        "fold_in": median(lambda at: model.fold_in(new[at])),
        "recommend": median(lambda at: model.recommend(people[at], 10)),
        "recommend_for": median(lambda at: model.recommend_for(new[at], 10)),
        "explain": median(lambda at: model.explain(people[at], int(known[at]))),
    }


def median(question: Callable[[int], object]) -> float:
    """Milliseconds of one call; the first, which prepares what all need, does not count."""
    question(0)
    taken = []
    for at in range(CALLS):
        started = time.perf_counter()
        question(at)
        taken.append(time.perf_counter() - started)
    return round(1e3 * statistics.median(taken), 3)


if __name__ == "__main__":
    main()
