"""cmfrec's CMF by alternating least squares, its defaults but for the rank."""

from __future__ import annotations

import time
from importlib.metadata import version

import numpy as np
import scipy.sparse as sp
from task import Answer, Task, Triplets

NAME = "cmfrec"
HOME = "rivals"


def prepare() -> dict[str, str]:
    """Import it."""
    import cmfrec

    assert cmfrec.CMF
    return {"cmfrec": version("cmfrec"), "numpy": np.__version__}


def run(task: Task, data: Triplets) -> Answer:
    """Fit and estimate the wanted ratings."""
    import cmfrec

    X = sp.coo_matrix((data.values, (data.users, data.items)), shape=data.shape)
    model = cmfrec.CMF(
        k=task.n_components,
        random_state=task.seed,
        nthreads=task.threads,
        verbose=False,
        **task.settings,
    )
    started = time.perf_counter()
    model.fit(X)
    seconds = time.perf_counter() - started
    return Answer(seconds, estimates=model.predict(data.wanted_users, data.wanted_items))
