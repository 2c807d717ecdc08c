"""Lists from counts of use, beside popularity, EASE, and implicit's ALS and BM25, on one split.

    python benchmarks/topn.py --data user_artists.dat.gz --name lastfm-hetrec --rivals FOLDER

The split is that of `nonneg evaluate --protocol topn`, seed 0. What a method leaves open (see
`EASE`, `ALS`, `BM25`, `COMPONENTS`) is chosen by NDCG@10 on a fifth held out of the training part
the same way (seed 1), ours as theirs. `FOLDER/venv` is the rivals' environment, as `bench.py`
builds it. The record is printed and written to `results/topn-NAME.json`.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from machine import machine, today, versions, write
from rivals.environment import interpreter, reason

from nonneg.apps.evaluate import list_measures, topn_split
from nonneg.apps.recommend import Recommender
from nonneg.io.ratings import Ratings, read_ratings

RESULTS = Path(__file__).parent / "results"
SCRIPT = Path(__file__).parent / "rivals" / "implicit_lists.py"
# λ is in units of the mean square of the entries.
EASE = [
    {"weights": weights, "ridge": ridge}
    for weights, ridge in itertools.product(("binary", "log"), (50.0, 100.0, 200.0, 400.0))
]
BM25 = [
    {"weights": "raw", "K": K, "K1": K1, "B": B}
    for K, (K1, B) in itertools.product((20, 100, 200), ((1.2, 0.75), (100, 0.8)))
]
ALS = [
    {"weights": weights, "factors": factors, "regularization": ridge, "alpha": alpha}
    for weights, factors, (ridge, alpha) in itertools.product(
        ("raw", "bm25", "log", "binary"), (32, 64), ((0.05, 1), (5, 2), (5, 10))
    )
]
COMPONENTS = [{"n_components": k} for k in (20, 50)]

Lists = list[np.ndarray]
# Fits each of the settings to ratings: lists of users, and seconds, of each.
Fits = Callable[[Ratings, np.ndarray, Sequence[dict[str, Any]]], tuple[list[Lists], list[float]]]


def main() -> None:
    """Measure all methods and write the record."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="a file of counts")
    parser.add_argument("--name", required=True, help="of the data set, for the record")
    parser.add_argument("--rivals", type=Path, default=Path("build/bench/rivals"))
    parser.add_argument("--output", type=Path, default=RESULTS, help="folder of the records")
    asked = parser.parse_args()
    counts = read_ratings(asked.data)
    train, test = topn_split(counts, 0)
    methods: list[tuple[str, Fits, list[dict[str, Any]]]] = [
        ("nonneg", ours, COMPONENTS),
        ("popularity", popularity, [{}]),
        ("EASE", ease, EASE),
    ]
    missing = {}
    python = interpreter(asked.rivals)
    for name, settings in (("ALS", ALS), ("BM25", BM25)):
        if python.exists():
            methods.append((f"implicit {name}", rival(python, name), settings))
        else:
            missing[f"implicit {name}"] = reason(asked.rivals, "")
    rows = []
    for name, fits, settings in methods:
        rows += measured(name, fits, settings, train, test, every=name == "nonneg")
    record = {
        "benchmark": "top-n lists from counts of use",
        "date": today(),
        "data": {
            "name": asked.name,
            "counts": len(counts),
            "users": counts.n_users,
            "items": counts.n_items,
            "held_out": len(test),
        },
        "protocol": "a fifth of the items of each user with five or more, seed 0; all unseen items "
        "are ranked; settings chosen within the training part, seed 1",
        "rows": rows,
        "missing": missing,
        "machine": machine(),
        "versions": versions(),
    }
    write(asked.output / f"topn-{asked.name}.json", record)
    print(json.dumps(record, indent=1, ensure_ascii=False))


def measured(
    name: str,
    fits: Fits,
    settings: list[dict[str, Any]],
    train: Ratings,
    test: Ratings,
    *,
    every: bool,
) -> list[dict[str, Any]]:
    """Return the row of the settings that are best within the training part, or of `every`."""
    inner, wanted = topn_split(train, 1)
    trials = fits(inner, np.unique(wanted.users), settings)[0]
    tried = [list_measures(lists, inner, wanted, 0)["NDCG@10"]["value"] for lists in trials]
    best = int(np.argmax(tried))
    chosen = range(len(settings)) if every else [best]
    found, seconds = fits(train, np.unique(test.users), [settings[at] for at in chosen])
    return [
        {
            "method": name,
            "settings": settings[at],
            "settings_tried": len(settings),
            "chosen": at == best,
            "inner_ndcg": round(tried[at], 4),
            "fit_seconds": spent,
            "measures": list_measures(lists, train, test, 0),
        }
        for at, lists, spent in zip(chosen, found, seconds, strict=True)
    ]


def ours(
    train: Ratings, who: np.ndarray, settings: Sequence[dict[str, Any]]
) -> tuple[list[Lists], list[float]]:
    """Recommender(feedback="implicit")."""
    found, seconds = [], []
    every = np.arange(train.n_items)
    for asked in settings:
        started = time.perf_counter()
        fitted = Recommender(feedback="implicit", random_state=0, **asked).fit(train)
        seconds.append(round(time.perf_counter() - started, 3))
        model = fitted.model_
        scores = (model.scores(model.person(int(user)), every) for user in who)
        found.append(best_unseen(train, who, scores))
    return found, seconds


def popularity(
    train: Ratings, who: np.ndarray, settings: Sequence[dict[str, Any]]
) -> tuple[list[Lists], list[float]]:
    """The items that most people used."""
    popular = np.bincount(train.items, minlength=train.n_items).astype(np.float64)
    return [best_unseen(train, who, (popular for _ in who)) for _ in settings], [0.0]


def ease(
    train: Ratings, who: np.ndarray, settings: Sequence[dict[str, Any]]
) -> tuple[list[Lists], list[float]]:
    """Each item's ridge regression on all others (Steck 2019), in closed form.

    B = I − P/diag(P) with P = (XᵀX + λI)⁻¹. With XXᵀ = U S Uᵀ and Z = XᵀU (S + λ)^-½, λP = I − ZZᵀ.
    """
    found, seconds = [], []
    for asked in settings:
        started = time.perf_counter()
        values = np.log1p(train.values) if asked["weights"] == "log" else np.ones(len(train))
        X = np.zeros((train.n_users, train.n_items))
        X[train.users, train.items] = values
        S, U = np.linalg.eigh(X @ X.T)
        Z = (X.T @ U) / np.sqrt(S + asked["ridge"] * np.mean(values**2))
        scores = (X[who] @ Z) @ Z.T / (1 - np.einsum("ij,ij->i", Z, Z))
        seconds.append(round(time.perf_counter() - started, 3))
        found.append(best_unseen(train, who, iter(scores)))
    return found, seconds


def rival(python: Path, name: str) -> Fits:
    """What implicit lists, in an environment of its own."""

    def fits(
        train: Ratings, who: np.ndarray, settings: Sequence[dict[str, Any]]
    ) -> tuple[list[Lists], list[float]]:
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            threads = len(os.sched_getaffinity(0))
            task = {"model": name, "settings": list(settings), "threads": threads}
            (folder / "task.json").write_text(json.dumps(task))
            np.savez(
                folder / "train.npz",
                users=train.users,
                items=train.items,
                values=train.values,
                shape=[train.n_users, train.n_items],
                who=who,
            )
            # Without this implicit warns that BLAS's own threads get in the way of its own.
            calm = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": ""}
            subprocess.run([python, SCRIPT, folder], check=True, env=calm)
            told = json.loads((folder / "seconds.json").read_text())
            with np.load(folder / "lists.npz") as lists:
                found = [list(lists[str(number)]) for number in range(len(settings))]
        return found, told["seconds"]

    return fits


def best_unseen(train: Ratings, who: np.ndarray, scores: Any) -> Lists:
    """The twenty best of what each has not used, ties in the order of the items."""
    starts = np.searchsorted(train.users, np.arange(train.n_users + 1))
    lists = []
    for user, own in zip(who, scores, strict=True):
        left = np.array(own, dtype=np.float64)
        left[train.items[starts[user] : starts[user + 1]]] = -np.inf
        lists.append(np.argsort(-left, kind="stable")[:20])
    return lists


if __name__ == "__main__":
    main()
