"""Held-out error and fitting time of the recommender on one random split, beside its yardsticks.

    python benchmarks/ratings.py --data FILE --name ml-1m

The ratings, in the order of the file, are split 80 : 20 by `default_rng(0).permutation`; estimates
are cut to the scale of the training ratings. The yardsticks are the global mean, and mean plus
damped user and item offsets. The record is printed and written to `results/ratings-NAME.json`.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import numpy as np

from nonneg.apps.averages import fit_averages
from nonneg.apps.recommend import Recommender
from nonneg.io.ratings import Ratings, read_ratings

RESULTS = Path(__file__).parent / "results"
TRAIN_SHARE = 0.8


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
    text = json.dumps(record, indent=2, ensure_ascii=False) + "\n"
    arguments.output.mkdir(parents=True, exist_ok=True)
    (arguments.output / f"ratings-{arguments.name}.json").write_text(text, encoding="utf-8")
    print(text, end="")


def measure(path: Path, name: str, n_components: int, n_seeds: int) -> dict[str, object]:
    """Return what was measured on one file."""
    started = time.perf_counter()
    ratings = read_ratings(path)
    read_seconds = time.perf_counter() - started
    order = np.random.default_rng(0).permutation(len(ratings))
    n_train = round(TRAIN_SHARE * len(ratings))
    train, test = part(ratings, order[:n_train]), part(ratings, order[n_train:])
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
        "protocol": "numpy default_rng(0).permutation, first 80 % train; clipped to the scale",
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
        "versions": {
            "python": platform.python_version(),
            **{package: version(package) for package in ("nonneg", "numpy", "scipy")},
        },
    }


def part(ratings: Ratings, rows: np.ndarray) -> Ratings:
    """Some of the ratings, with all names."""
    return replace(
        ratings,
        users=ratings.users[rows],
        items=ratings.items[rows],
        values=ratings.values[rows],
        timestamps=None,
    )


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


def errors(estimates: np.ndarray, values: np.ndarray) -> dict[str, float]:
    """RMSE and MAE."""
    off = estimates - values
    return {
        "rmse": round(float(np.sqrt(np.mean(off**2))), 4),
        "mae": round(float(np.mean(np.abs(off))), 4),
    }


def machine() -> dict[str, object]:
    """The processor and how many of its cores this process may use."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return {
        "processor": names[0] if names else platform.processor(),
        "cores": cores,
        "load_average": round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None,
    }


if __name__ == "__main__":
    main()
