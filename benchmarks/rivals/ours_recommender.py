"""nonneg's `Recommender`: factors of the observed ratings only, its ridge chosen within the fit."""

from __future__ import annotations

import time

import numpy as np
from task import Answer, Task, Triplets

import nonneg
from nonneg.io.ratings import Ratings

NAME = "nonneg recommender"
HOME = "here"


def prepare() -> dict[str, str]:
    """Import what the first call would import."""
    assert nonneg.Recommender
    return {"nonneg": nonneg.__version__}


def run(task: Task, data: Triplets) -> Answer:
    """Fit and estimate the wanted ratings."""
    n_users, n_items = data.shape
    ratings = Ratings(data.users, data.items, data.values, np.arange(n_users), np.arange(n_items))
    started = time.perf_counter()
    model = nonneg.Recommender(
        task.n_components, random_state=task.seed, n_threads=task.threads, **task.settings
    ).fit(ratings)
    seconds = time.perf_counter() - started
    return Answer(seconds, estimates=model.predict(data.wanted_users, data.wanted_items))
