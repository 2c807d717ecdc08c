"""Ratings split at random, in the order of the file: 80 % to fit, 20 % to be estimated."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from task import Triplets

from nonneg.io.ratings import Ratings, read_ratings
from sets.paths import source

TRAIN_SHARE = 0.8
PROTOCOL = "numpy default_rng(0).permutation, first 80 % train; clipped to the scale of the train"


def ml_1m(folder: Path | None) -> tuple[Triplets, NDArray]:
    """Return the task of MovieLens 1M and the true ratings of its test part."""
    return as_task(*split(read_ratings(source(folder, "ml-1m", "ratings.csv.gz"))))


def generated(n_ratings: int = 4000) -> tuple[Triplets, NDArray]:
    """Return a small made-up task of the same form."""
    rng = np.random.default_rng(0)
    n_users, n_items = 120, 80
    cells = rng.choice(n_users * n_items, n_ratings, replace=False)
    users, items = np.divmod(cells.astype(np.int32), np.int32(n_items))
    taste = rng.gamma(1.0, size=(n_users, 2)) @ rng.gamma(1.0, size=(2, n_items))
    values = np.clip(np.round(1 + 2 * taste[users, items]), 1, 5).astype(float)
    ratings = Ratings(users, items, values, np.arange(n_users), np.arange(n_items))
    return as_task(*split(ratings))


def split(ratings: Ratings) -> tuple[Ratings, Ratings]:
    """Return train and test, each with all names."""
    order = np.random.default_rng(0).permutation(len(ratings))
    n_train = round(TRAIN_SHARE * len(ratings))
    return part(ratings, order[:n_train]), part(ratings, order[n_train:])


def part(ratings: Ratings, rows: NDArray) -> Ratings:
    """Some of the ratings, with all names."""
    return replace(
        ratings,
        users=ratings.users[rows],
        items=ratings.items[rows],
        values=ratings.values[rows],
        timestamps=None,
    )


def as_task(train: Ratings, test: Ratings) -> tuple[Triplets, NDArray]:
    """Return what a solver may see, and what it may not."""
    shape = (train.n_users, train.n_items)
    seen = Triplets(train.users, train.items, train.values, test.users, test.items, shape)
    return seen, test.values


def errors(estimates: NDArray, values: NDArray) -> dict[str, float]:
    """RMSE and MAE."""
    off = estimates - values
    return {
        "rmse": round(float(np.sqrt(np.mean(off**2))), 4),
        "mae": round(float(np.mean(np.abs(off))), 4),
    }
