"""The R package NMF (Gaujoux & Seoighe 2010): brunet or lee, on one core as it comes."""

from __future__ import annotations

from task import Answer, Matrix, Task

from rivals.r_bridge import r_versions, run_script

NAME = "R NMF"
HOME = "R"


def prepare() -> dict[str, str]:
    """Ask R."""
    return r_versions("NMF")


def run(task: Task, data: Matrix) -> Answer:
    """Fit all runs in one call."""
    return run_script("r_nmf.R", task, data, dict(task.settings))
