"""`ccd` and `mu`: half-steps for losses that are sums over entries, some perhaps missing.

ccd  Cyclic coordinate descent (Hsieh & Dhillon 2011; Yu et al. 2012): masked or weighted
     quadratic, Kullback–Leibler, and huber, l1, l21 as reweighted quadratics.
mu   Multiplicative updates for any β-divergence (Févotte & Idier 2011). Slow and safe: monotone,
     but an entry that is zero once stays zero.
"""

from __future__ import annotations

from typing import Literal, cast

import numpy as np

from nonneg.core.kernels import FloatArray, Sweeps
from nonneg.core.losses import BetaLoss, L21Loss
from nonneg.core.problem import Factor, Problem
from nonneg.core.solvers.base import HalfStep

__all__ = ["Coordinate", "Multiplicative"]


class Coordinate:
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

    def half_step(
        self,
        problem: Problem,
        left: Factor,
        right: Factor,
        *,
        exact: bool = False,
        cautious: bool = False,
        measure: bool = True,
    ) -> HalfStep:
        """Improve `left` by a few sweeps, or to its optimum."""
        robust = not isinstance(problem.loss, BetaLoss)
        # A robust loss gets new weights with each pass, so one exact pass is not its optimum.
        passes = 50 if exact and robust else 1
        sweeps = self._fixed_sweeps or Sweeps(3 if robust else 2, 0.1)
        if exact:
            sweeps = Sweeps(10, 1e-2) if robust else Sweeps(200, 1e-6)
        step = HalfStep(None, 0.0)
        for _ in range(passes):
            step = _entry_step(problem, left, right, "descend", sweeps, cautious, measure)
            if step.residual <= 1e-14 * problem.size:
                break
        return step


class Multiplicative:
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

    def half_step(
        self,
        problem: Problem,
        left: Factor,
        right: Factor,
        *,
        exact: bool = False,
        cautious: bool = False,
        measure: bool = True,
    ) -> HalfStep:
        """Improve `left` by one update, or by many."""
        del cautious  # every update is a majorise-minimise step
        return _entry_step(
            problem,
            left,
            right,
            "multiply",
            Sweeps(300, 1e-5) if exact else Sweeps(1),
            False,
            measure,
        )


def _entry_step(
    problem: Problem,
    left: Factor,
    right: Factor,
    update: Literal["descend", "multiply"],
    sweeps: Sweeps,
    cautious: bool,
    measure: bool,
) -> HalfStep:
    loss, data = problem.loss, problem.data
    column_weights = None
    kernel_loss = loss.kernel(data)
    if isinstance(loss, L21Loss) and not loss.samples_are_rows:
        norms = data.T.residual_norms(right.values, left.values)
        weights = 1 / np.maximum(norms, loss.norm_width(data))
        column_weights = cast(FloatArray, weights.astype(data.dtype))
    result = data.entry_step(
        right.values,
        left.values,
        kernel_loss,
        update,
        nonzeros_suffice=loss.nonzeros_suffice,
        terms=problem.left.terms(),
        sweeps=sweeps,
        column_weights=column_weights,
        cautious=cautious,
        measure=measure,
    )
    left.gram = None
    known = measure and column_weights is None
    return HalfStep(result.loss if known else None, result.residual)
