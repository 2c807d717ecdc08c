"""Starts that take half-steps of their own: they stand on the loop, `init` stands below it.

The sampled start fits a fifth of the rows first: most iterations of a fit with many rows go into
what any large sample of them tells about H. The compressed start fits the truncated SVD of X, whose
iterations cost the factors alone.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from nonneg.core.alternate import Rule, Run, Status, alternate_runs
from nonneg.core.data import DataMatrix, Dense, LowRank, Sparse
from nonneg.core.init import MOST_OVERSAMPLING, leading_svd, starting_factors
from nonneg.core.kernels import FloatArray
from nonneg.core.losses import BetaLoss
from nonneg.core.problem import Factor, Problem
from nonneg.core.solvers import Solver
from nonneg.core.solvers.entries import Coordinate
from nonneg.core.solvers.gram import Hals

__all__ = [
    "Deadline",
    "can_compress",
    "can_sample",
    "compressed_start",
    "flat_start",
    "sampled_start",
]

# Measured in docs/adr/0007: a fifth of the rows, a few iterations, and rows enough for that.
_SHARE, _ITERATIONS, _ROWS_PER_COMPONENT = 5, 5, 100
# What a column that no sampled row holds gets, relative to the mean of its component.
_UNSEEN = 1e-3
# Iterations on the compressed X, and how many times cheaper than those on X they have to be.
_COMPRESSED_ITERATIONS, _CHEAPER = 20, 4


class Deadline(NamedTuple):
    """The clock of the whole call: when it started (None: now), and its limit."""

    started: float | None = None
    max_seconds: float | None = None


_NEVER = Deadline()


def flat_start(data: DataMatrix, right: Factor) -> FloatArray:
    """Return W with equal entries in each row such that WH sums to X over the row."""
    ones = np.ones((data.shape[1], 1), data.dtype)
    row_sums = data.cross(ones).astype(np.float64)
    mass = float(right.values.sum(dtype=np.float64)) or 1.0
    seen = data.row_counts()[:, None] / data.shape[1]
    start = row_sums / (mass * np.maximum(seen, np.finfo(float).tiny))
    # A component without a row in H fits nothing: it starts, and stays, at zero.
    return np.ascontiguousarray(start * right.values.any(axis=0), dtype=data.dtype)


def can_sample(problem: Problem, k: int) -> bool:
    """Whether `sampled_start` applies: sparse counts under Kullback–Leibler, nothing else asked."""
    return (
        isinstance(problem.loss, BetaLoss)
        and problem.loss.beta == 1
        and type(problem.data) is Sparse
        and problem.data.weights is None
        and problem.data.shape[0] >= _ROWS_PER_COMPONENT * k
        and not any(side.bounded or side.shrinks for side in (problem.left, problem.right))
    )


def sampled_start(
    problem: Problem, k: int, rng: np.random.Generator, deadline: Deadline = _NEVER
) -> Run:
    """Return a run with flat W, and F from a few iterations on a sample of the rows."""
    data = problem.data
    assert isinstance(data, Sparse)
    m = data.shape[0]
    rows = np.sort(rng.choice(m, size=m // _SHARE, replace=False))
    sample = Problem(data.rows(rows), problem.loss)
    left, right = (Factor(values) for values in starting_factors(sample.data, k, "random", rng))
    run = Run(left, right, rng, gentle=False)
    F = _iterated(sample, run, _ITERATIONS, Coordinate(), deadline).right.values
    F += np.asarray(_UNSEEN * F.mean(axis=0, dtype=np.float64), dtype=F.dtype)
    right = Factor(F)
    return Run(Factor(flat_start(data, right)), right, rng, gentle=False)


def can_compress(problem: Problem, k: int, solver: Solver) -> bool:
    """Whether `compressed_start` applies: frobenius on dense X, nothing else asked, and cheaper."""
    m, n = problem.data.shape
    return (
        problem.in_gram_form
        and type(problem.data) is Dense
        and not solver.multiplicative
        and not any(side.bounded or side.shrinks for side in (problem.left, problem.right))
        and _CHEAPER * (m + n) * (k + MOST_OVERSAMPLING) <= m * n
    )


def compressed_start(
    problem: Problem, k: int, rng: np.random.Generator, deadline: Deadline = _NEVER
) -> Run:
    """Return a run from nndsvda and iterations on the truncated SVD of X instead of X.

    An iteration there costs (m + n)·k² instead of m·n·k (Zhou, Cichocki & Xie 2012).
    """
    data = problem.data
    svd = leading_svd(data, k, rng)
    U, S, V = svd
    # The SVD of a small side is made in float64.
    factors = ((U * S).astype(data.dtype), V.astype(data.dtype))
    small = LowRank(*factors, data.exponent, data.n_threads)
    left, right = (Factor(F) for F in starting_factors(data, k, "nndsvda", rng, svd))
    run = Run(left, right, rng, gentle=False)
    run = _iterated(Problem(small, problem.loss), run, _COMPRESSED_ITERATIONS, Hals(), deadline)
    return Run(run.left, run.right, rng, gentle=False)


def _iterated(problem: Problem, run: Run, n_iter: int, solver: Solver, deadline: Deadline) -> Run:
    """Return the run after some iterations, one at least.

    Ctrl-C ends them as it ends any other start: what they fit is not yet X.
    """
    rule = Rule(max_iter=n_iter, tol=0.0, max_seconds=deadline.max_seconds)
    alternate_runs(problem, [run], solver, rule, started=deadline.started)
    if run.status is Status.INTERRUPTED:
        raise KeyboardInterrupt
    return run
