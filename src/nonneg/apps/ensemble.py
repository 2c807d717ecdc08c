"""Many runs on the same ratings, side by side: the talk's non-uniqueness turned into accuracy.

Each run ends at other factors, and the mean of their estimates is better than any of them. It is
itself a nonnegative factorization, of all the runs' components: W = [W₁ … W_M]/M, H = [H₁ … H_M].
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from nonneg.apps.pairs import row_products
from nonneg.core.alternate import Rule, Run, Status, alternate_runs
from nonneg.core.data import DataMatrix
from nonneg.core.factorize import batch_width, make_problem
from nonneg.core.init import starting_factors
from nonneg.core.intake import as_data, observed_row
from nonneg.core.kernels import FloatArray
from nonneg.core.problem import Factor, Problem
from nonneg.core.solvers import choose_solver

__all__ = ["Ensemble", "Start", "grouped", "solve_one", "solve_users"]

Start = tuple[FloatArray, FloatArray]


class Ensemble:
    """Runs under way on one set of ratings.

    Parameters
    ----------
    matrix : csr_array (n_users, n_items), float32
        Values > 0; absent where there is no rating.
    starts : sequence of (W, F), or (k, n_models)
        F is Hᵀ.
    signed : bool
        Whether factors may be negative: matrix completion without the sign constraint.
    """

    def __init__(
        self,
        matrix: sp.csr_array,
        starts: list[Start] | tuple[int, int],
        *,
        signed: bool,
        n_threads: int | None,
        rng: np.random.Generator,
    ) -> None:
        self.data = as_data(matrix, missing_values=0.0, n_threads=n_threads)
        self._signed = signed
        if isinstance(starts, tuple):
            k, n_models = starts
            starts = [starting_factors(self.data, k, "random", rng) for _ in range(n_models)]
        self.starts = starts

    def advance(self, ridge: float, rule: Rule, rng: np.random.Generator) -> None:
        """Go on from the factors so far with this ridge per entry.

        Raises
        ------
        KeyboardInterrupt
        """
        k = self.starts[0][0].shape[1]
        problem = _problem(self.data, k, ridge, self._signed)
        runs = [Run(Factor(W), Factor(F), rng) for W, F in self.starts]
        done = alternate_runs(
            problem, runs, choose_solver("auto", problem), rule, width=batch_width(problem, k)
        )
        if done[-1].status is Status.INTERRUPTED:
            raise KeyboardInterrupt
        self.starts = [(run.left.values, run.right.values) for run in done]

    def estimate(
        self, users: NDArray[np.integer], items: NDArray[np.integer]
    ) -> NDArray[np.float64]:
        """Return the mean over the runs of (WH) at pairs, with the factors so far."""
        total = np.zeros(users.size)
        for W, F in self.starts:
            total += row_products(W, F, users, items)
        return total * 2.0**self.data.exponent / len(self.starts)

    def settle(self, ridge: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return W (users) and F (items) of all runs, the users' at their optimum given F."""
        rights = [F for _, F in self.starts]
        lefts = solve_users(self.data, rights, ridge, signed=self._signed)
        return lefts, np.concatenate(rights, axis=1)


def solve_users(
    data: DataMatrix, rights: Sequence[FloatArray], ridge: float, *, signed: bool
) -> NDArray[np.float32]:
    """Return the optimal W of each run, side by side and divided by their number."""
    problem = _problem(data, rights[0].shape[1], ridge, signed)
    pairs = [(Factor(np.zeros((data.shape[0], F.shape[1]), data.dtype)), Factor(F)) for F in rights]
    choose_solver("auto", problem).half_steps(problem, pairs, exact=True, measure=False)
    lefts = np.concatenate([left.values for left, _ in pairs], axis=1)
    return np.asarray(lefts * np.float32(2.0**data.exponent / len(rights)), dtype=np.float32)


def solve_one(
    values: NDArray[np.float32],
    factors: NDArray[np.float32],
    n_models: int,
    ridge: float,
    *,
    signed: bool,
) -> NDArray[np.float32]:
    """Return the same (k · n_models,) of one row of values > 0, each with its row of factors."""
    n, width = factors.shape
    rights = factors.reshape(n, n_models, width // n_models).transpose(1, 0, 2)
    data = observed_row(values)
    solved = solve_users(data, list(np.ascontiguousarray(rights)), ridge, signed=signed)
    return np.asarray(solved[0], dtype=np.float32)


def grouped(items: NDArray[np.float32], n_models: int) -> NDArray[np.intp]:
    """Return for each component of all runs which one of the first run it is like.

    Components of a run are matched one to one by the cosine of their items, so that each group has
    one of every run and can be read as one.
    """
    k = items.shape[1] // n_models
    norms = np.linalg.norm(items, axis=0)
    unit = items / np.where(norms > 0, norms, 1.0)
    groups = np.empty(items.shape[1], dtype=np.intp)
    for run in range(n_models):
        own = slice(run * k, (run + 1) * k)
        first, second = linear_sum_assignment(-(unit[:, :k].T @ unit[:, own]))
        groups[own][second] = first
    return groups


def _problem(data: DataMatrix, k: int, ridge: float, signed: bool) -> Problem:
    problem = make_problem(data, "frobenius", k, ridge_per_entry=ridge)
    if not signed:
        return problem
    free = -np.inf
    return replace(
        problem, left=replace(problem.left, lower=free), right=replace(problem.right, lower=free)
    )
