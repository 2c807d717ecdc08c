"""Held-out error and fitting time of the recommender on one random split, beside its yardsticks.

    python benchmarks/ratings.py --data FILE --name ml-1m

The ratings, in the order of the file, are split 80 : 20 by `default_rng(0).permutation`; estimates
are cut to the scale of the training ratings. The yardsticks are the global mean, and mean plus
damped user and item offsets. The record is printed and written to `results/ratings-NAME.json`.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
from machine import machine, versions, write
from sets.movielens import PROTOCOL, errors, split

from nonneg.apps.averages import fit_averages
from nonneg.apps.recommend import Recommender
from nonneg.io.ratings import Ratings, read_ratings

RESULTS = Path(__file__).parent / "results"


def main() -> None:
    """Run one data set and write its record."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="a file of ratings")
    parser.add_argument("--name", required=True, help="of the data set, for the record")
    parser.add_argument("--components", type=int, default=20)
    parser.add_argument("--seeds", type=int, default=3, help="fits with random_state 0, 1, …")
    parser.add_argument("--output", type=Path, default=RESULTS, help="folder of the records")
    arguments = parser.parse_args()
    record = measure(arguments.data, arguments.name, arguments.components, arguments.seeds)
    write(arguments.output / f"ratings-{arguments.name}.json", record)
    print(json.dumps(record, indent=1, ensure_ascii=False))


def measure(path: Path, name: str, n_components: int, n_seeds: int) -> dict[str, object]:
    """Return what was measured on one file."""
    started = time.perf_counter()
    ratings = read_ratings(path)
    read_seconds = time.perf_counter() - started
    train, test = split(ratings)
    users, items = ratings.user_ids[test.users], ratings.item_ids[test.items]
    fits = [fit_once(train, users, items, test.values, n_components, s) for s in range(n_seeds)]
    low, high = train.values.min(), train.values.max()
    offsets = fit_averages(train).estimate(test.users, test.items)
    return {
        "benchmark": "ratings, one random 80:20 split",
        "data": {
            "name": name,
            "ratings": len(ratings),
            "users": ratings.n_users,
            "items": ratings.n_items,
            "scale": [float(ratings.values.min()), float(ratings.values.max())],
        },
        "protocol": PROTOCOL,
        "n_components": n_components,
        "recommender": {
            "rmse": round(float(np.median([fit["rmse"] for fit in fits])), 4),
            "mae": round(float(np.median([fit["mae"] for fit in fits])), 4),
            "fit_seconds": round(float(np.median([fit["fit_seconds"] for fit in fits])), 3),
        },
        "fits": fits,
        "yardsticks": {
            "global mean": errors(np.full(len(test), train.values.mean()), test.values),
            "mean and offsets": errors(np.clip(offsets, low, high), test.values),
        },
        "read_seconds": round(read_seconds, 3),
        "machine": machine(),
        "versions": versions(),
    }


def fit_once(
    train: Ratings,
    users: np.ndarray,
    items: np.ndarray,
    values: np.ndarray,
    n_components: int,
    seed: int,
) -> dict[str, float]:
    """One fit with the defaults: its errors, time, and what it chose."""
    started, busy = time.perf_counter(), time.process_time()
    fitted = Recommender(n_components, random_state=seed).fit(train)
    seconds, busy = time.perf_counter() - started, time.process_time() - busy
    return {
        "random_state": seed,
        **errors(fitted.predict(users, items), values),
        "fit_seconds": round(seconds, 3),
        "fit_processor_seconds": round(busy, 3),
        "ridge": fitted.ridge_,
        "damping": fitted.damping_,
        "held_out_error": round(fitted.error_, 4),
    }


if __name__ == "__main__":
    main()
