"""The one iteration loop: alternate half-steps, extrapolate, restart, stop, record.

Each iteration starts both half-steps from a point extrapolated along the last move (as Ang &
Gillis 2019 do for NMF and Mitchell, Ye & De Sterck 2020 for alternating least squares). The
objective is measured at the factors that come out, so a move that raised it is taken back and
repeated without extrapolation: the recorded objective never rises.
"""

from __future__ import annotations

import enum
import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from nonneg.core import kernels
from nonneg.core.problem import Factor, Problem
from nonneg.core.solvers import Solver
from nonneg.errors import InputError

__all__ = ["Callback", "Outcome", "Rule", "Status", "Step", "alternate"]

# Extrapolation: where it starts, how it grows after success and shrinks after failure.
_MOMENTUM, _GROWTH, _CAP_GROWTH, _SHRINK = 0.5, 1.05, 1.01, 1.5
# What rounding alone moves the objective by, relative to the loss's unit.
_NOISE = {np.dtype(np.float32): 1e-9, np.dtype(np.float64): 1e-14}
_MAX_REVIVALS = 5


class Status(enum.Enum):
    """Why the iterations ended; the value is the advice."""

    CONVERGED = "The factors have settled: more iterations would hardly lower the objective."
    MAX_ITER = (
        "Stopped at max_iter before the factors settled: raise max_iter, or tol if this fit is "
        "good enough."
    )
    TIME_LIMIT = (
        "Stopped at max_seconds before the factors settled: allow more time, or raise tol if "
        "this fit is good enough."
    )
    INTERRUPTED = "Interrupted: these are the best factors so far; fit again to go on."
    STOPPED = "Stopped by the callback: these are the best factors so far."


@dataclass(frozen=True)
class Step:
    """One accepted iteration.

    Attributes
    ----------
    n_iter : int
        Iterations done so far, those taken back included.
    objective : float
        Loss plus penalties, in float64.
    residual : float
        Scale-free distance from a stationary point: the root of what the coordinate moves of this
        iteration were worth, relative to the loss's own unit (½‖X‖² for frobenius).
    seconds : float
        Since the start of the fit.
    step : float
        How far the iteration extrapolated (0: not at all).
    """

    n_iter: int
    objective: float
    residual: float
    seconds: float
    step: float


Callback = Callable[[Step], "bool | None"]


@dataclass(frozen=True)
class Rule:
    """When to stop."""

    max_iter: int
    tol: float
    max_seconds: float | None = None
    accelerate: bool = True


@dataclass(frozen=True)
class Outcome:
    """The best factors of one run and how it went."""

    left: Factor
    right: Factor
    objective: float
    status: Status
    n_iter: int
    history: tuple[Step, ...]


def alternate(
    problem: Problem,
    left: Factor,
    right: Factor,
    solver: Solver,
    rule: Rule,
    *,
    rng: np.random.Generator,
    callback: Callback | None = None,
    started: float | None = None,
) -> Outcome:
    """Run until settled, out of iterations or time, stopped by `callback`, or interrupted."""
    started = time.perf_counter() if started is None else started
    size = problem.size
    noise = _NOISE[problem.data.dtype] * size
    objective = math.inf
    earlier_left, earlier_right = left, right
    momentum, cap, plain, cautious = _MOMENTUM, 1.0, True, False
    solver = solver if rule.accelerate else solver.plain()
    history: list[Step] = []
    revivals = 0
    status = Status.MAX_ITER
    n_iter = 0
    try:
        while n_iter < rule.max_iter:
            n_iter += 1
            reach = 0.0 if plain else momentum
            new_left = _extrapolated(problem, left, earlier_left, reach, solver)
            new_right = _extrapolated(problem.T, right, earlier_right, reach, solver)
            first = solver.half_step(problem, new_left, new_right, cautious=cautious, measure=False)
            second = solver.half_step(problem.T, new_right, new_left, cautious=cautious)
            loss = second.loss
            if loss is None:
                loss = problem.loss_value(new_left, new_right)
            new_objective = loss + problem.penalty_value(new_left, new_right)
            if not math.isfinite(new_objective) and not history:
                raise InputError(
                    f"the objective of the start is {new_objective} · values, weights or the given "
                    "factors overflow · scale them down"
                )
            if not new_objective <= objective + noise:
                if reach:
                    cap, momentum, plain = momentum, momentum / _SHRINK, True
                    continue
                if not cautious:
                    cautious = True
                    continue
                # Not even a monotone step lowers it: rounding has the last word.
                status = Status.CONVERGED
                break
            residual = math.sqrt(max(first.residual + second.residual, 0.0) / size)
            decrease = objective - new_objective
            earlier_left, earlier_right = left, right
            left, right, objective = new_left, new_right, new_objective
            if reach:
                momentum = min(cap, momentum * _GROWTH)
                cap = min(1.0, cap * _CAP_GROWTH)
            plain = not rule.accelerate
            step = Step(n_iter, objective, residual, time.perf_counter() - started, reach)
            history.append(step)
            if callback is not None and callback(step):
                status = Status.STOPPED
                break
            if revivals < _MAX_REVIVALS and _revive(problem, left, right, solver, rng):
                revivals += 1
                plain = True
                continue
            if _settled(decrease, objective, residual, noise, rule.tol):
                status = Status.CONVERGED
                break
            if rule.max_seconds is not None and step.seconds >= rule.max_seconds:
                status = Status.TIME_LIMIT
                break
    except KeyboardInterrupt:
        status = Status.INTERRUPTED
    return Outcome(left, right, objective, status, n_iter, tuple(history))


def _settled(decrease: float, objective: float, residual: float, noise: float, tol: float) -> bool:
    return decrease <= max(tol * 0.02 * objective, noise) or residual <= tol * 0.1


def _extrapolated(
    problem: Problem, now: Factor, before: Factor, reach: float, solver: Solver
) -> Factor:
    """Return a new left factor beyond `now` along the last move, inside its bounds."""
    if reach == 0:
        return now.copy()
    if solver.multiplicative:
        # Along the ratio instead of the difference, so that no entry is moved to zero, where a
        # multiplicative update would leave it for good.
        tiny = np.finfo(now.values.dtype).tiny
        ratio = now.values / np.maximum(before.values, tiny)
        np.clip(ratio, 0.1, 10.0, out=ratio)
        moved = Factor(now.values * ratio ** now.values.dtype.type(reach))
        problem.left.project(moved.values)
        return moved
    # Fixed entries have not moved, so the bounds are all that has to be kept.
    return Factor(
        *kernels.extrapolate(
            now.values,
            before.values,
            reach,
            problem.left.lower,
            problem.left.upper,
            problem.data.n_threads,
        )
    )


def _revive(
    problem: Problem, left: Factor, right: Factor, solver: Solver, rng: np.random.Generator
) -> bool:
    """Give components that died what the worst-fitted rows leave over; the objective stays.

    A component is dead when its column is zero in either factor. Its right column becomes the
    positive residual of a badly fitted row and its left one zero, so that WH is unchanged and the
    next half-step may use it.
    """
    if problem.left.fixed is not None or problem.right.fixed is not None:
        return False
    if solver.multiplicative:
        return False  # it could not leave the zeros of the new left column
    if problem.left.shrinks or problem.right.shrinks:
        # A penalty may want it dead, and the new column would cost without fitting anything.
        return False
    dead = ~(left.values.any(axis=0) & right.values.any(axis=0))
    if not dead.any():
        return False
    revived = False
    m = problem.data.shape[0]
    for t in np.flatnonzero(dead):
        candidates = rng.choice(m, size=min(m, 16), replace=False)
        rests = []
        for i in candidates:
            x, seen = problem.data.row(int(i))
            model = right.values.astype(np.float64) @ left.values[i].astype(np.float64)
            rests.append(np.where(seen, np.maximum(x - model, 0.0), 0.0))
        rest = max(rests, key=lambda r: float(r @ r))
        if not rest.any():
            continue
        right.values[:, t] = rest
        left.values[:, t] = 0
        problem.right.project(right.values)
        left.gram = right.gram = None
        revived = True
    return revived
