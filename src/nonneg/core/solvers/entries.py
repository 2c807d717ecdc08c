"""`ccd` and `mu`: half-steps for losses that are sums over entries, some perhaps missing.

ccd  Cyclic coordinate descent (Hsieh & Dhillon 2011; Yu et al. 2012): masked or weighted
     quadratic, Kullback–Leibler, and huber, l1, l21 as reweighted quadratics.
mu   Multiplicative updates for any β-divergence (Févotte & Idier 2011). Slow and safe: monotone,
     but an entry that is zero once stays zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, cast

import numpy as np

from nonneg.core.kernels import EntryRun, FloatArray, Sweeps
from nonneg.core.losses import BetaLoss, L21Loss
from nonneg.core.problem import Factor, Problem
from nonneg.core.solvers.base import HalfStep, Solver

__all__ = ["Coordinate", "Multiplicative"]

_MAX_PASSES = 50


class Coordinate(Solver):
    """Cyclic coordinate descent on the entries that count."""

    name = "ccd"
    multiplicative = False

    def __init__(self, sweeps: Sweeps | None = None) -> None:
        self._fixed_sweeps = sweeps

    def plain(self) -> Coordinate:
        """Return coordinate descent with one sweep a half-step."""
        return Coordinate(Sweeps(1))

    def supports(self, problem: Problem) -> str | None:
        """Return why it cannot solve `problem`, or None."""
        loss = problem.loss
        if isinstance(loss, BetaLoss) and loss.beta not in (1, 2):
            return f'solver="ccd" has no step for β = {loss.beta:g} (only 1 and 2): use "mu"'
        return None

    def half_steps(
        self,
        problem: Problem,
        pairs: Sequence[tuple[Factor, Factor]],
        *,
        exact: bool = False,
        cautious: bool = False,
        measure: bool = True,
    ) -> list[HalfStep]:
        """Improve the left factors by a few sweeps, or to their optima."""
        robust = not isinstance(problem.loss, BetaLoss)
        sweeps = self._fixed_sweeps or Sweeps(3 if robust else 2, 0.1)
        if exact:
            sweeps = Sweeps(10, 1e-2) if robust else Sweeps(200, 1e-6)
        if not (exact and robust):
            return _entry_steps(problem, pairs, "descend", sweeps, cautious, measure)
        # A robust loss gets new weights with each pass, so one exact pass is not its optimum.
        return [self._repeated(problem, pair, sweeps, cautious, measure) for pair in pairs]

    @staticmethod
    def _repeated(
        problem: Problem,
        pair: tuple[Factor, Factor],
        sweeps: Sweeps,
        cautious: bool,
        measure: bool,
    ) -> HalfStep:
        step = HalfStep(None, 0.0)
        for _ in range(_MAX_PASSES):
            step = _entry_steps(problem, [pair], "descend", sweeps, cautious, measure)[0]
            if step.residual <= 1e-14 * problem.size:
                break
        return step


class Multiplicative(Solver):
    """Multiplicative updates for any β."""

    name = "mu"
    multiplicative = True

    def plain(self) -> Multiplicative:
        """Return itself: a half-step is one update."""
        return self

    def supports(self, problem: Problem) -> str | None:
        """Return why it cannot solve `problem`, or None."""
        if not isinstance(problem.loss, BetaLoss):
            return f'solver="mu" minimises β-divergences only: use "ccd" for {problem.loss.name}'
        return None

    def half_steps(
        self,
        problem: Problem,
        pairs: Sequence[tuple[Factor, Factor]],
        *,
        exact: bool = False,
        cautious: bool = False,
        measure: bool = True,
    ) -> list[HalfStep]:
        """Improve the left factors by one update, or by many."""
        del cautious  # every update is a majorise-minimise step
        sweeps = Sweeps(300, 1e-5) if exact else Sweeps(1)
        return _entry_steps(problem, pairs, "multiply", sweeps, False, measure)


def _entry_steps(
    problem: Problem,
    pairs: Sequence[tuple[Factor, Factor]],
    update: Literal["descend", "multiply"],
    sweeps: Sweeps,
    cautious: bool,
    measure: bool,
) -> list[HalfStep]:
    loss, data = problem.loss, problem.data
    by_columns = isinstance(loss, L21Loss) and not loss.samples_are_rows
    runs = [
        EntryRun(
            right.values, left.values, _column_weights(problem, left, right) if by_columns else None
        )
        for left, right in pairs
    ]
    results = data.entry_steps(
        runs,
        loss.kernel(data),
        update,
        nonzeros_suffice=loss.nonzeros_suffice,
        terms=problem.left.terms(),
        sweeps=sweeps,
        cautious=cautious,
        measure=measure,
    )
    for left, _ in pairs:
        left.gram = None
    known = measure and not by_columns
    return [HalfStep(r.loss if known else None, r.residual) for r in results]


def _column_weights(problem: Problem, left: Factor, right: Factor) -> FloatArray:
    """Return what turns `l21` with samples in columns into a weighted quadratic."""
    loss, data = cast(L21Loss, problem.loss), problem.data
    norms = data.T.residual_norms(right.values, left.values)
    weights = 1 / np.maximum(norms, loss.norm_width(data))
    return cast(FloatArray, weights.astype(data.dtype))
