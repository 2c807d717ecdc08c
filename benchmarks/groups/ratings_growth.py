"""How time and memory of the recommender grow with the ratings."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from harness import Bench
from sets import movielens
from task import Task

FILE = "ratings-growth"
ABOUT = (
    "Generated ratings: users have 145 on average, as MovieLens 20M's have, items grow with the "
    "square root, popularity is log-normal, tastes are five nonnegative components and noise, in "
    "half points. The recommender with its defaults, once a size. peak_mb is what fitting added to "
    "the ratings. slope is that of the straight line through the three largest sizes in "
    "logarithms: 1 is linear growth."
)
SIZES = (100_000, 300_000, 1_000_000, 4_000_000, 20_000_000)
SLOPE = 1.1


def run(bench: Bench) -> Iterator[dict[str, object]]:
    """One row a size, and the slopes."""
    sizes = (2_000, 4_000) if bench.tiny else SIZES if bench.full else SIZES[:3]
    rows = []
    for size in sizes:
        name = f"generated {size:,}"
        data, truth = movielens.as_task(*movielens.split(movielens.grown(size)))
        outcome = bench.run(name, data, Task("ours_recommender", 20, threads=bench.threads))
        bench.forget(name)
        row = {"kind": "size", "data": name, "ratings": data.values.size, **outcome.told()}
        if outcome.answer is not None:
            low, high = data.values.min(), data.values.max()
            row |= movielens.errors(outcome.answer.estimates.clip(low, high), truth)
            row["deviation"] = round(float(truth.std()), 4)
            rows.append(row)
        yield row
    for key in ("seconds", "peak_mb"):
        points = [row for row in rows if row.get(key)][-3:]
        if len(points) > 1:
            size, of = ([row[name] for row in points] for name in ("ratings", key))
            slope = float(np.polyfit(np.log(size), np.log(of), 1)[0])
            judged = {"slope": slope, "target": SLOPE, "target_met": slope <= SLOPE}
            yield {"kind": f"slope of {key}", "data": "generated", **judged}
