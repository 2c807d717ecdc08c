"""scikit-learn's `NMF`: `cd` for frobenius, `mu` for kullback-leibler, its own start and tol."""

from __future__ import annotations

import time

from task import Answer, Matrix, Task

NAME = "scikit-learn"
HOME = "here"


def prepare() -> dict[str, str]:
    """Import it."""
    import sklearn
    import sklearn.decomposition

    assert sklearn.decomposition.NMF
    return {"scikit-learn": sklearn.__version__}


def run(task: Task, data: Matrix) -> Answer:
    """Fit; `passes` becomes max_iter without a tolerance."""
    from sklearn.decomposition import NMF

    solver = "cd" if task.loss == "frobenius" else "mu"
    stop = {} if task.passes is None else {"max_iter": task.passes, "tol": 0.0}
    model = NMF(
        task.n_components,
        beta_loss=task.loss,
        solver=solver,
        random_state=task.seed,
        **{**stop, **task.settings},
    )
    started = time.perf_counter()
    W = model.fit_transform(data)
    seconds = time.perf_counter() - started
    return Answer(seconds, [(W, model.components_)], n_iter=int(model.n_iter_))
