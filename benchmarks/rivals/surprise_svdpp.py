"""Surprise's SVD++ with its defaults; the building of its training set is not timed."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import numpy as np
from task import Answer, Task, Triplets

NAME = "Surprise SVD++"
HOME = "rivals"


def prepare() -> dict[str, str]:
    """Import it."""
    import surprise

    return {"scikit-surprise": surprise.__version__, "numpy": np.__version__}


def run(task: Task, data: Triplets) -> Answer:
    """Fit and estimate the wanted ratings."""
    import surprise

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ratings.txt"
        np.savetxt(path, np.c_[data.users, data.items, data.values], fmt=["%d", "%d", "%g"])
        scale = (float(data.values.min()), float(data.values.max()))
        reader = surprise.Reader(line_format="user item rating", sep=" ", rating_scale=scale)
        train = surprise.Dataset.load_from_file(str(path), reader).build_full_trainset()
    model = surprise.SVDpp(n_factors=task.n_components, random_state=task.seed, **task.settings)
    started = time.perf_counter()
    model.fit(train)
    seconds = time.perf_counter() - started
    pairs = zip(data.wanted_users.tolist(), data.wanted_items.tolist(), strict=True)
    estimates = np.array([model.predict(str(u), str(i)).est for u, i in pairs])
    return Answer(seconds, estimates=estimates)
