"""How the model files of format version 1 beside this script were made (nonneg 0.1.0).

They stay as they are for good: every later version must read them. Run it only to add a kind.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

import nonneg
from nonneg.io.ratings import Ratings

HERE = Path(__file__).parent


def factorization() -> nonneg.Factorization:
    return nonneg.Factorization(
        W=np.array([[1.0, 0.0], [0.5, 2.0], [0.0, 0.1]]),
        H=np.array([[3.0, 0.0], [0.25, 1.0]]),
        status=nonneg.Status.MAX_ITER,
        n_iter=2,
        history=(nonneg.Step(1, 5.5, 0.25, 0.001, 0.0), nonneg.Step(2, 4.5, 0.125, 0.002, 0.5)),
        objective=4.5,
        error=3.0,
        relative_error=0.75,
        loss="huber",
        delta=0.25,
        solver="ccd",
        init="random",
        n_observed=6,
        seed=7,
        row_names=("Ann", "Bøb", "猫"),
        column_names=("Heat", "Alien"),
    )


def nmf() -> nonneg.NMF:
    X = np.array([[1.0, 2.0, 0.0], [2.0, 4.0, 0.0], [0.0, 0.0, 3.0], [np.nan, 1.0, 3.0]])
    model = nonneg.NMF(2, loss="kullback-leibler", tol=1e-8, random_state=0, n_threads=1)
    return model.fit(X)


def recommender() -> nonneg.Recommender:
    ratings = Ratings(
        users=np.array([0, 0, 1, 1, 2, 2, 3], dtype=np.int32),
        items=np.array([0, 1, 0, 2, 1, 2, 0], dtype=np.int32),
        values=np.array([5.0, 4.0, 4.5, 1.0, 5.0, 2.0, 3.0]),
        user_ids=np.array(["Ann", "Bøb", "Cem", "猫"], dtype=object),
        item_ids=np.array([7, 11, 13], dtype=np.int64),
    )
    return nonneg.Recommender(2, random_state=0, n_threads=1).fit(ratings)


if __name__ == "__main__":
    for make in (factorization, nmf, recommender):
        path = HERE / f"{make.__name__}.nonneg"
        if not path.exists():
            print(nonneg.save(make(), path))
