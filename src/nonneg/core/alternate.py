"""The one iteration loop: alternate half-steps, extrapolate, restart, stop, record.

It advances many runs on one problem in step, so that each half-step of all of them is one call
of the kernels; a single fit is the batch of one. A run never sees its company: it keeps its own
factors, momentum, random numbers and record, and leaves when it has settled.

Each iteration starts both half-steps from a point extrapolated along the last move (as Ang &
Gillis 2019 do for NMF and Mitchell, Ye & De Sterck 2020 for alternating least squares). The
objective is measured at the factors that come out, so a move that raised it is taken back and
repeated without extrapolation: the recorded objective never rises.
"""

from __future__ import annotations

import enum
import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import cast

import numpy as np

from nonneg.core import kernels
from nonneg.core.problem import Factor, Problem
from nonneg.core.solvers import HalfStep, Solver
from nonneg.errors import InputError

__all__ = ["Callback", "Rule", "Run", "Status", "Step", "alternate", "alternate_runs"]

# Extrapolation: where it starts, how it grows after success and shrinks after failure.
_MOMENTUM, _GROWTH, _CAP_GROWTH, _SHRINK = 0.5, 1.05, 1.01, 1.5
# What rounding alone moves the objective by, relative to the loss's unit.
_NOISE = {np.dtype(np.float32): 1e-9, np.dtype(np.float64): 1e-14}
_MAX_REVIVALS = 5
# A run goes gently, as the textbook does, while an iteration lowers the objective by more than this
# share, and for at most so many iterations: there it is decided which optimum it ends in.
_FALL, _GENTLE_ITERATIONS = 0.01, 20
# How far the ratio of a multiplicative update may be extrapolated: entries near zero stay there.
_RATIOS = 0.5, 10.0
_HEAD_ROWS = 64


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


class Run:
    """One factorization under way: its best factors so far and how it goes.

    Parameters
    ----------
    left, right : Factor
        The start, inside the bounds.
    rng : numpy Generator
        Where components that die get their new rows from.
    gentle : bool, default True
        Begin with single sweeps and no extrapolation, while the objective falls fast.

    Attributes
    ----------
    left, right : Factor
        The best factors so far.
    objective : float
        At them; infinite before the first iteration.
    status : Status or None
        None while it goes on.
    n_iter : int
        Iterations so far, those taken back included.
    history : list of Step
    """

    def __init__(
        self, left: Factor, right: Factor, rng: np.random.Generator, *, gentle: bool = True
    ) -> None:
        self.left, self.right, self.rng = left, right, rng
        self.objective = math.inf
        self.status: Status | None = None
        self.n_iter = 0
        self.history: list[Step] = []
        self._earlier = left, right
        self._momentum, self._cap = _MOMENTUM, 1.0
        self._plain = True
        self._revivals = 0
        self.cautious, self.gentle = False, gentle

    @property
    def reach(self) -> float:
        """How far the next iteration extrapolates."""
        return 0.0 if self._plain else self._momentum

    @property
    def move(self) -> tuple[tuple[Factor, Factor], tuple[Factor, Factor]]:
        """The left factor now and before, and the right one."""
        return (self.left, self._earlier[0]), (self.right, self._earlier[1])

    def take(self, left: Factor, right: Factor, objective: float, rule: Rule) -> None:
        """Accept an iteration that did not raise the objective."""
        if self.reach:
            self._momentum = min(self._cap, self._momentum * _GROWTH)
            self._cap = min(1.0, self._cap * _CAP_GROWTH)
        falls_fast = self.objective - objective > _FALL * objective
        self.gentle = self.gentle and falls_fast and len(self.history) < _GENTLE_ITERATIONS
        self._plain = not rule.accelerate or self.gentle
        self._earlier = self.left, self.right
        self.left, self.right, self.objective = left, right, objective

    def take_back(self) -> None:
        """Refuse an iteration that raised the objective: repeat it with less daring."""
        if self.reach:
            self._cap, self._momentum = self._momentum, self._momentum / _SHRINK
            self._plain = True
        elif not self.cautious:
            self.cautious = True
        else:
            # Not even a monotone step lowers it: rounding has the last word.
            self.status = Status.CONVERGED

    def settle(self, reach: float) -> None:
        """End a run that hardly moved with this reach, once a plain iteration confirms it."""
        if reach:
            self._plain = True
        else:
            self.status = Status.CONVERGED

    def revive(self, problem: Problem, solver: Solver) -> bool:
        """Give dead components something to do; whether any got it."""
        if self._revivals >= _MAX_REVIVALS:
            return False
        if not _revive(problem, self.left, self.right, solver, self.rng):
            return False
        self._revivals += 1
        self._plain = True
        return True


def alternate(
    problem: Problem,
    left: Factor,
    right: Factor,
    solver: Solver,
    rule: Rule,
    *,
    rng: np.random.Generator,
) -> Run:
    """Run from one start until settled, out of iterations or time, or interrupted."""
    return alternate_runs(problem, [Run(left, right, rng)], solver, rule)[0]


def alternate_runs(
    problem: Problem,
    runs: Iterable[Run],
    solver: Solver,
    rule: Rule,
    *,
    width: int = 1,
    callback: Callable[[int, Step], bool | None] | None = None,
    started: float | None = None,
) -> list[Run]:
    """Iterate every run until it has settled or is out of iterations or time.

    Parameters
    ----------
    runs : iterable of Run
        Taken one by one, whenever there is room.
    width : int, default 1
        Runs that are under way at the same time.
    callback : callable(run, Step) -> bool or None, optional
        Called after each accepted iteration with the number of the run (from 0); a true value
        stops them all.
    started : float, optional
        Where the clock of `rule.max_seconds` started; default: now.

    Returns
    -------
    list of Run
        Those that were begun, in order. All of them, unless time ran out, the callback said
        stop, or Ctrl-C came: then runs under way say so in their status, and no new one is begun.
    """
    loop = _Loop(problem, solver, rule, callback, started)
    waiting = iter(runs)
    live: list[Run] = []
    try:
        while True:
            while len(live) < width and not (loop.closed or loop.late):
                run = next(waiting, None)
                if run is None:
                    break
                loop.begun.append(run)
                live.append(run)
            if not live:
                break
            loop.iterate(live)
            live = [run for run in live if run.status is None]
    except KeyboardInterrupt:
        if not loop.begun:
            raise
        loop.end(Status.INTERRUPTED)
    return loop.begun


class _Loop:
    """What all runs of a batch share."""

    def __init__(
        self,
        problem: Problem,
        solver: Solver,
        rule: Rule,
        callback: Callable[[int, Step], bool | None] | None,
        started: float | None,
    ) -> None:
        self.problem, self.turned = problem, problem.T
        self.solver, self.rule, self.callback = solver, rule, callback
        self.started = time.perf_counter() if started is None else started
        self.size = problem.size
        self.noise = _NOISE[problem.data.dtype] * self.size
        self.penalised = problem.left.shrinks or problem.right.shrinks
        self.begun: list[Run] = []
        self.closed = self.late = False

    def end(self, status: Status) -> None:
        """End every run that is under way, and begin no new one."""
        self.closed = True
        for run in self.begun:
            run.status = run.status or status

    def iterate(self, live: list[Run]) -> None:
        """Do one iteration of each run."""
        moves = [(run.move, run.reach) for run in live]
        lefts = _extrapolated(self.problem, [(*m[0], reach) for m, reach in moves], self.solver)
        rights = _extrapolated(self.turned, [(*m[1], reach) for m, reach in moves], self.solver)
        firsts = self._half_steps(self.problem, live, lefts, rights, measure=False)
        seconds = self._half_steps(self.turned, live, rights, lefts, measure=True)
        for number, run in enumerate(live):
            first, second = firsts[number], seconds[number]
            run.n_iter += 1
            self._judge(run, lefts[number], rights[number], first.residual, second)
            if self.closed:
                return
            if run.status is None and run.n_iter >= self.rule.max_iter:
                run.status = Status.MAX_ITER

    def _half_steps(
        self,
        problem: Problem,
        live: list[Run],
        lefts: list[Factor],
        rights: list[Factor],
        *,
        measure: bool,
    ) -> list[HalfStep]:
        steps: list[HalfStep | None] = [None] * len(live)
        for cautious in sorted({run.cautious for run in live}):
            chosen = [i for i, run in enumerate(live) if run.cautious == cautious]
            done = self.solver.half_steps(
                problem,
                [(lefts[i], rights[i]) for i in chosen],
                gentle=[live[i].gentle or not self.rule.accelerate for i in chosen],
                cautious=cautious,
                measure=measure,
            )
            for i, step in zip(chosen, done, strict=True):
                steps[i] = step
        return cast("list[HalfStep]", steps)

    def _judge(
        self, run: Run, left: Factor, right: Factor, first_residual: float, second: HalfStep
    ) -> None:
        """Accept or refuse what an iteration found, and see whether the run has ended."""
        rule, noise = self.rule, self.noise
        objective = second.loss
        if objective is None:
            objective = self.problem.loss_value(left, right)
        if self.penalised:
            objective += self.problem.penalty_value(left, right)
        if not math.isfinite(objective) and not run.history:
            raise InputError(
                f"the objective of the start is {objective} · values, weights or the given "
                "factors overflow · scale them down"
            )
        # A plain step that gains nothing has settled; an extrapolated one was too daring.
        if not objective <= run.objective + (0.0 if run.reach else noise):
            run.take_back()
            return
        residual = math.sqrt(max(first_residual + second.residual, 0.0) / self.size)
        decrease, reach = run.objective - objective, run.reach
        run.take(left, right, objective, rule)
        seconds = time.perf_counter() - self.started
        step = Step(run.n_iter, objective, residual, seconds, reach)
        run.history.append(step)
        if self.callback is not None and self.callback(self.begun.index(run), step):
            self.end(Status.STOPPED)
            return
        if run.revive(self.problem, self.solver):
            return
        if _settled(decrease, objective, residual, noise, rule.tol):
            run.settle(reach)
        elif rule.max_seconds is not None and seconds >= rule.max_seconds:
            run.status = Status.TIME_LIMIT
            self.late = True


def _settled(decrease: float, objective: float, residual: float, noise: float, tol: float) -> bool:
    return decrease <= max(tol * 0.02 * objective, noise) or residual <= tol * 0.1


def _extrapolated(
    problem: Problem, moves: list[tuple[Factor, Factor, float]], solver: Solver
) -> list[Factor]:
    """Return for each (now, before, reach) a new left factor beyond `now`, inside its bounds."""
    if solver.multiplicative:
        return [_along_the_ratio(problem, *move) if move[2] else move[0].copy() for move in moves]
    # Fixed entries have not moved, so the bounds are all that has to be kept.
    moved = iter(
        kernels.extrapolate_runs(
            [(now.values, before.values, reach) for now, before, reach in moves if reach],
            problem.left.lower,
            problem.left.upper,
            problem.data.n_threads,
        )
    )
    return [Factor(*next(moved)) if reach else now.copy() for now, _, reach in moves]


def _along_the_ratio(problem: Problem, now: Factor, before: Factor, reach: float) -> Factor:
    """Extrapolate the ratio instead of the difference.

    No entry is moved to zero, where a multiplicative update would leave it for good.
    """
    tiny = np.finfo(now.values.dtype).tiny
    ratio = now.values / np.maximum(before.values, tiny)
    np.clip(ratio, *_RATIOS, out=ratio)
    moved = Factor(now.values * ratio ** now.values.dtype.type(reach))
    problem.left.project(moved.values)
    return moved


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
    dead = sorted(_empty_columns(left) | _empty_columns(right))
    revived = False
    m = problem.data.shape[0]
    for t in dead:
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


def _empty_columns(factor: Factor) -> set[int]:
    """Return the components that are zero everywhere."""
    # Nearly always the first rows tell; looking at all took a tenth of a fit.
    head = factor.values[:_HEAD_ROWS].max(axis=0)
    if head.all():
        return set()
    return {int(t) for t in np.flatnonzero(head == 0) if not factor.values[:, t].any()}
