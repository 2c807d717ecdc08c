"""implicit's ALS with its defaults but for the rank.

It fits preferences (rated or not), not ratings: its time is comparable, its estimates are not, so
it returns none.
"""

from __future__ import annotations

import time

import numpy as np
import scipy.sparse as sp
from task import Answer, Task, Triplets

NAME = "implicit ALS"
HOME = "rivals"


def prepare() -> dict[str, str]:
    """Import it."""
    import implicit
    import implicit.als

    return {"implicit": implicit.__version__, "numpy": np.__version__}


def run(task: Task, data: Triplets) -> Answer:
    """Fit."""
    from implicit.als import AlternatingLeastSquares

    X = sp.csr_matrix((data.values, (data.users, data.items)), shape=data.shape, dtype=np.float32)
    model = AlternatingLeastSquares(
        factors=task.n_components,
        random_state=task.seed,
        num_threads=task.threads,
        use_gpu=False,
        **task.settings,
    )
    started = time.perf_counter()
    model.fit(X, show_progress=False)
    return Answer(time.perf_counter() - started)
