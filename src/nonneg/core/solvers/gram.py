"""`hals` and `anls-bpp`: half-steps for the quadratic loss with every entry observed.

hals      Coordinate descent against the k × k Gram matrix, several sweeps for each pass over X
          (Cichocki & Phan 2009; Gillis & Glineur 2012). The default: fastest to a given error.
anls-bpp  Each row's nonnegative least squares problem exactly, by block principal pivoting
          (Kim & Park 2011). For ill-conditioned or nearly exact problems, where coordinate descent
          crawls, and as a witness for the others; costs O(k³) a row.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import repeat

import numpy as np

from nonneg.core.kernels import ONE_SWEEP, GramRun, StepResult, Sweeps
from nonneg.core.losses import BetaLoss
from nonneg.core.problem import Factor, Problem
from nonneg.core.solvers.base import HalfStep, Solver

__all__ = ["Hals", "Pivoting"]

_EXACT = Sweeps(max_sweeps=2000, tolerance=1e-9)
# A sweep costs k² a row, the cross product nnz·k/rows: more sweeps where they are cheap beside it.
_MIN_SWEEPS, _MAX_SWEEPS = 2, 8
_INNER_TOLERANCE = 0.1


class Hals(Solver):
    """Hierarchical alternating least squares with repeated sweeps."""

    name = "hals"
    multiplicative = False

    def supports(self, problem: Problem) -> str | None:
        """Return why it cannot solve `problem`, or None."""
        return _needs_gram_form(self.name, problem)

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
        del cautious, measure  # every step is a descent step, and the loss comes for free
        if exact and not problem.left.bounded:
            return Pivoting().half_steps(problem, pairs)
        runs = [
            GramRun(
                right.values,
                right.gram,
                left.values,
                _EXACT if exact else ONE_SWEEP if single else _sweeps(problem, left),
            )
            for (left, right), single in zip(pairs, gentle or repeat(False), strict=False)
        ]
        return _finish(problem, pairs, problem.data.gram_steps(runs, problem.left.terms()))


class Pivoting(Solver):
    """Alternating nonnegative least squares by block principal pivoting."""

    name = "anls-bpp"
    multiplicative = False

    def supports(self, problem: Problem) -> str | None:
        """Return why it cannot solve `problem`, or None."""
        if problem.left.bounded or problem.right.bounded:
            return 'solver="anls-bpp" takes no upper bounds and no fixed entries: use "hals"'
        return _needs_gram_form(self.name, problem)

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
        """Move the left factors to their optima."""
        del exact, gentle, cautious, measure
        runs = [GramRun(right.values, right.gram, left.values, ONE_SWEEP) for left, right in pairs]
        results = problem.data.gram_steps(runs, problem.left.terms(), exact=True)
        return _finish(problem, pairs, results)


def _sweeps(problem: Problem, left: Factor) -> Sweeps:
    rows, k = left.values.shape
    ratio = problem.data.n_stored / max(rows * k, 1)
    return Sweeps(max(_MIN_SWEEPS, min(_MAX_SWEEPS, int(1 + 0.5 * ratio))), _INNER_TOLERANCE)


def _needs_gram_form(name: str, problem: Problem) -> str | None:
    if not problem.loss.quadratic:
        others = (
            '"mu"' if isinstance(problem.loss, BetaLoss) and problem.loss.beta != 1 else '"ccd"'
        )
        return (
            f'solver="{name}" minimises the frobenius loss only: use {others} for '
            f"{problem.loss.name}"
        )
    if problem.data.has_holes:
        return f'solver="{name}" needs every entry observed and unweighted: use "ccd"'
    return None


def _finish(
    problem: Problem, pairs: Sequence[tuple[Factor, Factor]], results: Sequence[StepResult]
) -> list[HalfStep]:
    half = 0.5 * problem.data.square_sum
    steps = []
    for (left, right), result in zip(pairs, results, strict=True):
        left.gram = result.gram
        loss = half - result.cross + 0.5 * float(np.vdot(right.gram, result.gram))
        steps.append(HalfStep(max(loss, 0.0), result.residual))
    return steps
