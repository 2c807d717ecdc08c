"""Held-out error and fitting time of the recommender, beside its yardsticks.

    python benchmarks/ratings.py --data FILE --name ml-1m
    python benchmarks/ratings.py --data FILE --name ml-1m --protocol surprise-5fold --models 32

The default protocol splits the ratings, in the order of the file, 80 : 20 by
`default_rng(0).permutation`; estimates are cut to the scale of the training ratings. The others are
those of `nonneg evaluate`. Yardsticks are the global mean, and mean plus damped user and item
offsets. The record is printed and written to `results/ratings-NAME.json`, or
`results/ratings-PROTOCOL-NAME.json`; a method and a number of models of one's own are in the name.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from machine import machine, versions, write
from sets.movielens import PROTOCOL, errors, split

from nonneg.apps.averages import fit_averages
from nonneg.apps.evaluate import evaluate
from nonneg.apps.recommend import Recommender
from nonneg.io.names import read_labels
from nonneg.io.ratings import Ratings, read_ratings

RESULTS = Path(__file__).parent / "results"
RANDOM = "random-split"

Fit = Callable[[Ratings, int], Recommender]


def main() -> None:
    """Run one data set and write its record."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="a file of ratings")
    parser.add_argument("--name", required=True, help="of the data set, for the record")
    parser.add_argument(
        "--protocol", choices=(RANDOM, "surprise-5fold", "leave-last", "topn"), default=RANDOM
    )
    parser.add_argument("--method", choices=("factors", "neighbors"), default="factors")
    parser.add_argument("--components", type=int, default=20)
    parser.add_argument("--models", type=int, default=16)
    parser.add_argument("--titles", type=Path, help="a file with genres, to be learned from, too")
    parser.add_argument("--signed", action="store_true", help="without the sign constraint")
    parser.add_argument("--seeds", type=int, default=3, help="fits with random_state 0, 1, …")
    parser.add_argument("--output", type=Path, default=RESULTS, help="folder of the records")
    asked = parser.parse_args()
    labels = None if asked.titles is None else read_labels(asked.titles)

    def fit(ratings: Ratings, seed: int) -> Recommender:
        return Recommender(
            asked.components,
            method=asked.method,
            n_models=asked.models,
            nonneg=not asked.signed,
            random_state=seed,
        ).fit(ratings, item_labels=labels)

    words = ["ratings"]
    if asked.protocol == RANDOM:
        record = measure(asked.data, asked.name, fit, asked.seeds)
    else:
        words.append(asked.protocol)
        record = by_protocol(asked.data, asked.name, fit, asked.protocol)
    record |= {
        "method": asked.method,
        "n_components": asked.components,
        "n_models": asked.models,
        "nonneg": not asked.signed,
        "labelled": labels is not None,
        "machine": machine(),
        "versions": versions(),
    }
    words += [asked.method] if asked.method != "factors" else []
    words += [f"{asked.models}-models"] if asked.models != 16 else []
    words += ["signed"] if asked.signed else []
    words += ["labelled"] if labels is not None else []
    write(asked.output / f"{'-'.join([*words, asked.name])}.json", record)
    print(json.dumps(record, indent=1, ensure_ascii=False))


def by_protocol(path: Path, name: str, fit: Fit, protocol: Any) -> dict[str, Any]:
    """Return what `nonneg evaluate` measures, and the time of each fit."""
    ratings = read_ratings(path)
    seconds = []

    def timed(train: Ratings) -> Recommender:
        started = time.perf_counter()
        fitted = fit(train, 0)
        seconds.append(round(time.perf_counter() - started, 3))
        return fitted

    found = evaluate(ratings, timed, protocol)
    return {"benchmark": f"ratings, {protocol}", "data": {"name": name}, **found} | {
        "fit_seconds": seconds
    }


def measure(path: Path, name: str, fit: Fit, n_seeds: int) -> dict[str, Any]:
    """Return what was measured on one random split of a file."""
    started = time.perf_counter()
    ratings = read_ratings(path)
    read_seconds = time.perf_counter() - started
    train, test = split(ratings)
    users, items = ratings.user_ids[test.users], ratings.item_ids[test.items]
    fits = [fit_once(fit, train, users, items, test.values, seed) for seed in range(n_seeds)]
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
    }


def fit_once(
    fit: Fit,
    train: Ratings,
    users: np.ndarray,
    items: np.ndarray,
    values: np.ndarray,
    seed: int,
) -> dict[str, float]:
    """One fit: its errors, time, and what it chose."""
    started, busy = time.perf_counter(), time.process_time()
    fitted = fit(train, seed)
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
