"""How well each rank predicts cells it has not seen: held-out entries and bi-cross-validation.

Both fit the ranks in ascending order, and each rank starts twice: from the factors of the rank
before with new small components, and at random; the fit with the lower objective is the one that is
judged. The new rank is thus never worse on what it has seen, and what it gains elsewhere is not
an accident of its start.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import cast

import numpy as np

from nonneg.core.alternate import Rule, Run, Status, alternate_runs
from nonneg.core.data import DataMatrix
from nonneg.core.factorize import start_run
from nonneg.core.held_out import Rest, deal, held_out_parts
from nonneg.core.init import starting_factors
from nonneg.core.kernels import FloatArray
from nonneg.core.losses import Loss
from nonneg.core.penalties import Penalty
from nonneg.core.problem import Factor, Problem
from nonneg.core.solvers import choose_solver
from nonneg.core.starts import flat_start
from nonneg.selection.measures import Matrix

__all__ = ["N_GROUPS", "bi_cross_validation", "held_out_errors", "path"]

# One cell in ten is held out.
N_GROUPS = 10
# New components of a warm start are this small beside those of a random start.
_SMALL = 0.1
# Ridge, relative to what the data weigh: a component that lives on held-out cells alone meets no
# data, and without any it can grow without bound (held-out errors of 40 where others are .12).
_RIDGE = 1e-2

Progress = Callable[[float], None]


def path(
    problem: Problem, ranks: Sequence[int], rng: np.random.Generator, rule: Rule
) -> Iterator[tuple[int, Run]]:
    """Yield the better of a warm and a random start for each rank, the ranks ascending.

    Raises
    ------
    KeyboardInterrupt
        After Ctrl-C: half a path tells nothing.
    """
    solver = choose_solver("auto", problem)
    best: Run | None = None
    m, n = problem.data.shape
    for k in sorted(ranks):
        curvature = problem.data.unit ** (problem.loss.degree - 1) / k
        problem = replace(
            problem,
            left=Penalty(l2=_RIDGE * n * curvature),
            right=Penalty(l2=_RIDGE * m * curvature),
        )
        starts = [start_run(problem, k, "random", rng)]
        if best is not None:
            starts.append(_warm(problem, best, k, rng))
        runs = alternate_runs(problem, starts, solver, rule, width=2)
        if any(run.status is Status.INTERRUPTED for run in runs):
            raise KeyboardInterrupt
        best = min(runs, key=lambda run: run.objective)
        yield k, best


def _warm(problem: Problem, before: Run, k: int, rng: np.random.Generator) -> Run:
    missing = k - before.left.values.shape[1]
    new = starting_factors(problem.data, missing, "random", rng)
    left, right = (
        cast(FloatArray, np.hstack([factor.values, _SMALL * added]).astype(added.dtype))
        for factor, added in zip((before.left, before.right), new, strict=True)
    )
    return Run(Factor(left), Factor(right), rng)


def held_out_errors(
    data: DataMatrix,
    loss: Loss,
    ranks: Sequence[int],
    seeds: Sequence[int],
    rule: Rule,
    progress: Progress,
) -> Matrix:
    """Return the loss of held-out cells per unit, one row a seed, one column a rank.

    A tenth of the cells is held out at a time (more where X has fewer than ten rows or columns);
    the unit is that of the loss on the held-out cells: 0 is a perfect prediction, and for frobenius
    1 is what a prediction of zeros would get.
    """
    n_groups = min(N_GROUPS, *data.shape)
    order = sorted(ranks)
    errors = np.empty((len(seeds), len(ranks)))
    for i, seed in enumerate(seeds):
        groups = [deal(n, n_groups, [seed, side]) for side, n in enumerate(data.shape)]
        problem = Problem(Rest(data, groups[0], groups[1], n_groups), loss)
        hidden = list(held_out_parts(data, groups[0], groups[1], n_groups))
        size = sum(loss.size(part.data) for part in hidden)
        rng = np.random.default_rng([seed, 2])
        for k, run in path(problem, ranks, rng, rule):
            missed = sum(
                Problem(part.data, loss).loss_value(
                    _chosen(run.left, part.rows), _chosen(run.right, part.columns)
                )
                for part in hidden
            )
            errors[i, list(ranks).index(k)] = missed / max(size, np.finfo(float).tiny)
            progress((i * len(order) + order.index(k) + 1) / errors.size)
    return errors


def bi_cross_validation(
    data: DataMatrix,
    loss: Loss,
    ranks: Sequence[int],
    seeds: Sequence[int],
    rule: Rule,
    progress: Progress,
) -> Matrix:
    """Return the loss of held-out blocks per unit, one row a seed, one column a rank.

    Owen & Perry (2009), 2 × 2 folds: half of the rows and of the columns are left out together;
    the rest is factorized, the left-out rows get their weights from the columns that are
    left, the left-out columns theirs from the rows that are left, and the product predicts the
    block that neither has seen.
    """
    order = sorted(ranks)
    errors = np.zeros((len(seeds), len(ranks)))
    done = 0
    for i, seed in enumerate(seeds):
        halves = [deal(n, 2, [seed, side]) for side, n in enumerate(data.shape)]
        total = 0.0
        for row_half in (0, 1):
            for column_half in (0, 1):
                rows = [np.flatnonzero((halves[0] == row_half) == out) for out in (True, False)]
                columns = [
                    np.flatnonzero((halves[1] == column_half) == out) for out in (True, False)
                ]
                block = data.part(rows[0], columns[0])
                seen = data.part(rows[1], columns[1])
                beside = data.part(rows[0], columns[1])
                above = data.part(rows[1], columns[0])
                total += loss.size(block)
                rng = np.random.default_rng([seed, 2, row_half, column_half])
                for k, run in path(Problem(seen, loss), ranks, rng, rule):
                    left = _solved(Problem(beside, loss), run.right)
                    right = _solved(Problem(above, loss).T, run.left)
                    missed = Problem(block, loss).loss_value(left, right)
                    errors[i, list(ranks).index(k)] += missed
                    done += 1
                    progress(done / (4 * len(seeds) * len(order)))
        errors[i] /= max(total, np.finfo(float).tiny)
    return errors


def _chosen(factor: Factor, rows: np.ndarray) -> Factor:
    return Factor(cast(FloatArray, factor.values[rows]))


def _solved(problem: Problem, right: Factor) -> Factor:
    """Return the left factor at its optimum for a given right one."""
    left = Factor(flat_start(problem.data, right))
    choose_solver("auto", problem).half_steps(problem, [(left, right)], exact=True)
    return left
