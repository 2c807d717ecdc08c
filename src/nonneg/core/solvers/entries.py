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

from nonneg.core.kernels import ONE_SWEEP, EntryRun, FloatArray, Sweeps
from nonneg.core.losses import BetaLoss, L21Loss
from nonneg.core.problem import Factor, Problem
from nonneg.core.solvers.base import HalfStep, Solver

__all__ = ["Coordinate", "Multiplicative"]

_MAX_PASSES = 50


class Coordinate(Solver):
    """Cyclic coordinate descent on the entries that count."""

    name = "ccd"
    multiplicative = False

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
        gentle: Sequence[bool] = (),
        cautious: bool = False,
        measure: bool = True,
    ) -> list[HalfStep]:
        """Improve the left factors by a few sweeps, or to their optima."""
        robust = not isinstance(problem.loss, BetaLoss)
        sweeps = Sweeps(3 if robust else 2, 0.1)
        if exact:
            sweeps = Sweeps(10, 1e-2) if robust else Sweeps(200, 1e-6)
        if not (exact and robust):
            each = [ONE_SWEEP if single else sweeps for single in gentle] or [sweeps] * len(pairs)
            # Runs that need care are few, and rows reach their optima one sooner, one later: both
            # would leave most of a register idle.
            abreast = problem.abreast and not (cautious or exact)
            return _entry_steps(problem, pairs, "descend", each, cautious, measure, abreast=abreast)
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
            step = _entry_steps(problem, [pair], "descend", [sweeps], cautious, measure)[0]
            if step.residual <= 1e-14 * problem.size:
                break
        return step


class Multiplicative(Solver):
    """Multiplicative updates for any β."""

    name = "mu"
    multiplicative = True

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
        gentle: Sequence[bool] = (),
        cautious: bool = False,
        measure: bool = True,
    ) -> list[HalfStep]:
        """Improve the left factors by one update, or by many."""
        del gentle, cautious  # every update is a majorise-minimise step
        sweeps = Sweeps(300, 1e-5) if exact else ONE_SWEEP
        return _entry_steps(problem, pairs, "multiply", [sweeps] * len(pairs), False, measure)


def _entry_steps(
    problem: Problem,
    pairs: Sequence[tuple[Factor, Factor]],
    update: Literal["descend", "multiply"],
    sweeps: Sequence[Sweeps],
    cautious: bool,
    measure: bool,
    *,
    abreast: bool = False,
) -> list[HalfStep]:
    loss, data = problem.loss, problem.data
    by_columns = isinstance(loss, L21Loss) and not loss.samples_are_rows
    runs = [
        EntryRun(
            right.values,
            left.values,
            of_run,
            _column_weights(problem, left, right) if by_columns else None,
        )
        for (left, right), of_run in zip(pairs, sweeps, strict=True)
    ]
    results = data.entry_steps(
        runs,
        loss.kernel(data),
        update,
        nonzeros_suffice=loss.nonzeros_suffice,
        terms=problem.left.terms(),
        cautious=cautious,
        measure=measure,
        abreast=abreast,
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
