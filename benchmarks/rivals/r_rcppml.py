"""The R package RcppML (DeBruine et al. 2021): its `nmf`, tol as the task says or its own 1e-4."""

from __future__ import annotations

from task import Answer, Matrix, Task

from rivals.r_bridge import r_versions, run_script

NAME = "RcppML"
HOME = "R"


def prepare() -> dict[str, str]:
    """Ask R."""
    return r_versions("RcppML")


def run(task: Task, data: Matrix) -> Answer:
    """Fit once; its seed must not be 0, which it takes for no seed."""
    return run_script(
        "r_rcppml.R", task, data, {"tol": 1e-4, **task.settings, "seed": task.seed + 1}
    )
