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


def grown(size: int, n_items: int | None = None) -> Ratings:
    """Return about so many made-up ratings, 145 a user; items grow with the square root."""
    rng = np.random.default_rng(0)
    m, n = size // 145, n_items or int(6 * size**0.5)
    busy = np.cumsum(rng.lognormal(sigma=0.9, size=m))
    popular = np.cumsum(rng.lognormal(sigma=1.5, size=n))
    users = np.searchsorted(busy, rng.random(int(1.15 * size)) * busy[-1])
    items = np.searchsorted(popular, rng.random(users.size) * popular[-1])
    users, items = np.divmod(rng.permutation(np.unique(users * n + items))[:size], n)
    W, H = rng.gamma(0.7, size=(m, 5)), rng.gamma(0.7, size=(n, 5))
    taste = np.einsum("ij,ij->i", W[users], H[items]) + rng.normal(size=users.size)
    values = np.clip(np.round(2 * (1.5 + taste)) / 2, 0.5, 5.0)
    codes = users.astype(np.int32), items.astype(np.int32)
    return Ratings(*codes, values, np.arange(m), np.arange(n))


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
