"""The solvers by name; each is a published algorithm, and all share one protocol."""

from __future__ import annotations

from nonneg.core.problem import Problem
from nonneg.core.solvers.base import HalfStep, Solver
from nonneg.core.solvers.entries import Coordinate, Multiplicative
from nonneg.core.solvers.gram import Hals, Pivoting
from nonneg.errors import InputError

__all__ = ["SOLVERS", "HalfStep", "Solver", "choose_solver"]

SOLVERS: dict[str, Solver] = {
    solver.name: solver for solver in (Hals(), Coordinate(), Pivoting(), Multiplicative())
}


def choose_solver(name: str, problem: Problem) -> Solver:
    """Return the solver called `name`; "auto" takes the first of hals, ccd, mu that fits.

    Raises
    ------
    InputError
        If there is no such solver, or it cannot solve `problem`.
    """
    if name == "auto":
        for candidate in ("hals", "ccd", "mu"):
            if SOLVERS[candidate].supports(problem) is None:
                return SOLVERS[candidate]
    if not isinstance(name, str) or name not in SOLVERS:
        raise InputError(
            f"solver={name!r} is unknown · the solvers are auto, {', '.join(SOLVERS)} · choose one"
        )
    reason = SOLVERS[name].supports(problem)
    if reason is not None:
        raise InputError(reason)
    return SOLVERS[name]
