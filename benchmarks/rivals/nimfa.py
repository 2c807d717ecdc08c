"""nimfa's Lsnmf (frobenius) and Nmf (Brunet's updates, kullback-leibler), 30 iterations as given.

nimfa 1.4.0 uses `numpy.matrix` by a name that numpy 2 no longer has, hence its own environment.
"""

from __future__ import annotations

import time

import numpy as np
from task import Answer, Matrix, Task

NAME = "nimfa"
HOME = "rivals"


def prepare() -> dict[str, str]:
    """Import it."""
    import nimfa

    return {"nimfa": nimfa.__version__, "numpy": np.__version__}


def run(task: Task, data: Matrix) -> Answer:
    """Fit each run with a seed of its own."""
    import nimfa

    settings = {**task.settings}
    method = settings.pop("method", "Lsnmf" if task.loss == "frobenius" else "Nmf")
    if method == "Nmf" and task.loss == "frobenius":
        settings |= {"update": "euclidean", "objective": "fro"}
    elif method == "Nmf":
        settings |= {"update": "divergence", "objective": "div"}
    X = np.asarray(data, dtype=np.float64)
    fits = []
    started = time.perf_counter()
    for seed in range(task.seed, task.seed + task.n_runs):
        np.random.seed(seed)  # noqa: NPY002 (nimfa draws from the global state)
        fits.append(getattr(nimfa, method)(X, rank=task.n_components, **settings)())
    seconds = time.perf_counter() - started
    factors = [(np.asarray(fit.basis()), np.asarray(fit.coef())) for fit in fits]
    return Answer(seconds, factors, n_iter=int(fits[-1].fit.n_iter))
