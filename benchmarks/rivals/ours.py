"""nonneg's `factorize` and `factorize_runs`: to a goal, for some passes, or as they stop."""

from __future__ import annotations

import time

from task import Answer, Matrix, Task

import nonneg
from nonneg.selection.blas import calm_blas

NAME = "nonneg"
HOME = "here"


def prepare() -> dict[str, str]:
    """Import what the first call would import."""
    assert nonneg.factorize
    return {"nonneg": nonneg.__version__}


def run(task: Task, data: Matrix) -> Answer:
    """Fit once, or the runs of one rank."""
    if task.n_runs > 1:
        return _runs(task, data)

    def enough(step: nonneg.Step) -> bool:
        met = task.goal is not None and step.objective <= task.goal
        return met or (task.passes is not None and step.n_iter >= task.passes)

    started = time.perf_counter()
    fit = nonneg.factorize(
        data,
        task.n_components,
        loss=task.loss,
        random_state=task.seed,
        n_threads=task.threads,
        callback=enough,
        **task.settings,
    )
    seconds = time.perf_counter() - started
    curve = [[step.n_iter, step.seconds, step.objective] for step in fit.history]
    facts = {"init": fit.init, "status": fit.status.name}
    return Answer(seconds, [(fit.W, fit.H)], n_iter=fit.n_iter, curve=curve, facts=facts)


def _runs(task: Task, data: Matrix) -> Answer:
    """Return every run from a different random start, with the threads that `consensus` takes."""
    started = time.perf_counter()
    with calm_blas(data):
        fits = nonneg.factorize_runs(
            data,
            task.n_components,
            n_runs=task.n_runs,
            loss=task.loss,
            random_state=task.seed,
            n_threads=task.threads,
            **task.settings,
        )
    seconds = time.perf_counter() - started
    return Answer(seconds, [(fit.W, fit.H) for fit in fits])
