"""Least-squares parts of pictures with holes, at the cost of pictures without.

A missing pixel takes the model's value: X becomes Z = Y + M ∘ (X − Y) for Y = WH and M = 1 where a
pixel is known. ½‖Z − WH‖² lies on or above the squared error of the known pixels and touches it at
the model, so a half-step on Z never raises it (EM; Zhang, Wang, Ford & Makedon 2006). Its cross
product is M ∘ (X − Y) F + W FᵀF: products that BLAS does, where coordinate descent on the known
pixels sums over them for each part.

Such steps are as short as pixels are few. The curvature of a row with n of N pixels known is not
FᵀF but near n/N of it, and for pixels missing at random no more than (1 + √(k/n))² of that
(Marchenko & Pastur 1967); half of the largest is enough to descend. So the step is longer by that,
and an iteration that raises the objective all the same is taken back by the core's loop, which
extrapolates, too, and asks for cautious steps, those of EM, where that did not help.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property, partial
from itertools import repeat
from typing import cast

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from nonneg.core import kernels
from nonneg.core.alternate import Run, Status, Step, alternate_runs
from nonneg.core.data import DataMatrix
from nonneg.core.factorize import Factorization, as_generator, draw_seed, factorize, make_rule
from nonneg.core.kernels import ONE_SWEEP, FloatArray, GramRun, Sweeps, Terms
from nonneg.core.losses import BetaLoss
from nonneg.core.penalties import Penalty
from nonneg.core.problem import Factor, Problem
from nonneg.core.solvers.base import HalfStep, Solver

__all__ = ["factorize_holes"]

# Bytes of a block of rows: what is done to it one after another stays in the cache.
_BLOCK_BYTES = 1 << 21
# Sweeps over the parts in a half-step: more would settle on what is only the model's.
_SWEEPS = Sweeps(2, 0.1)
# Iterations on pictures whose holes are filled with the mean one, before the fit. From random
# parts: ½‖·‖² of CBCL, 30 % missing, k = 100, after 80 iterations 1638; from their SVD 1665.
_START_ITERATIONS = 10


class Holes(DataMatrix):
    """Dense pictures, some pixels of which are missing.

    Parameters
    ----------
    values : ndarray (rows, columns)
        0 where a pixel is missing.
    known : ndarray (rows, columns) of the same dtype
        1 where a pixel is known, else 0.
    """

    has_holes = True

    def __init__(self, values: FloatArray, known: FloatArray, n_threads: int) -> None:
        super().__init__(cast("tuple[int, int]", values.shape), values.dtype, 0, n_threads)
        self.values, self.known = values, known

    @property
    def n_observed(self) -> int:
        return int(np.count_nonzero(self.known))

    @property
    def n_stored(self) -> int:
        return self.values.size

    def power_sum(self, power: float) -> float:
        return float(np.sum(np.power(self.values, power), dtype=np.float64, where=self.known > 0))

    def row_counts(self) -> NDArray[np.int64]:
        return self._counts

    @cached_property
    def _counts(self) -> NDArray[np.int64]:
        return np.asarray(np.count_nonzero(self.known, axis=1))

    def curvature(self, k: int) -> FloatArray:
        """Share of FᵀF that is enough for each row of k coefficients (rows,)."""
        known = np.maximum(self._counts, 1)
        share = known / self.shape[1]
        at_random = 0.5 * share * (1 + np.sqrt(k / known)) ** 2
        return cast(FloatArray, np.clip(at_random, share, 1.0).astype(self.dtype))

    def row(self, i: int) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        return self.values[i].astype(np.float64), self.known[i] > 0

    def map_rests(
        self, left: FloatArray, right: FloatArray, use: Callable[[slice, FloatArray], float]
    ) -> float:
        """Call `use` with M ∘ (X − Y), some rows at a time in several threads; return the sum."""
        step = max(1, _BLOCK_BYTES // (self.values.itemsize * self.shape[1]))
        turned = right.T

        def one(start: int) -> float:
            rows = slice(start, start + step)
            rest = left[rows] @ turned
            np.subtract(self.values[rows], rest, out=rest)
            rest *= self.known[rows]
            return use(rows, cast(FloatArray, rest))

        with ThreadPoolExecutor(self.n_threads) as pool:
            return sum(pool.map(one, range(0, self.shape[0], step)))

    def _transpose(self) -> Holes:
        values, known = (np.ascontiguousarray(side.T) for side in (self.values, self.known))
        return Holes(cast(FloatArray, values), cast(FloatArray, known), self.n_threads)


class Completing(Solver):
    """HALS on pictures completed with the model."""

    name = "hals-em"
    multiplicative = False

    def supports(self, problem: Problem) -> str | None:
        """Return why it cannot solve `problem`, or None."""
        return None if isinstance(problem.data, Holes) else "completion is for pictures with holes"

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
        """Improve the left factors by a few sweeps on the completed pictures."""
        del exact
        data = problem.data
        assert isinstance(data, Holes)
        ridge, width = problem.left.l2_per_entry, data.shape[1]
        steps = []
        for (left, right), single in zip(pairs, gentle or repeat(False), strict=False):
            W, F = left.values, right.values
            share = data.curvature(W.shape[1]) if not cautious else np.ones(len(W), W.dtype)
            # A row pays the ridge for each known pixel; the kernels have one ridge for all rows.
            paid = data.row_counts() / share
            cross = np.asarray(W @ right.gram.astype(W.dtype))
            cross += (ridge * (width - paid)).astype(W.dtype)[:, None] * np.asarray(W)
            data.map_rests(W, F, partial(_add, cross, F, share))
            run = GramRun(F, right.gram, W, ONE_SWEEP if single else _SWEEPS)
            result = kernels.gram_steps_cross(
                cast(FloatArray, cross), [run], Terms(l2=ridge * width), data.n_threads
            )[0]
            left.gram = result.gram
            loss = half_squares(data, left, right) if measure else None
            steps.append(HalfStep(loss, result.residual))
        return steps


def _add(
    cross: FloatArray, F: FloatArray, share: FloatArray, rows: slice, rest: FloatArray
) -> float:
    cross[rows] += (rest @ F) / share[rows, None]
    return 0.0


def half_squares(data: Holes, left: Factor, right: Factor) -> float:
    """½‖M ∘ (X − Y)‖² in float64."""

    def squares(rows: slice, rest: FloatArray) -> float:
        del rows
        return float(np.einsum("ij,ij->i", rest, rest).sum(dtype=np.float64))

    return 0.5 * data.map_rests(left.values, right.values, squares)


def factorize_holes(
    X: FloatArray,
    k: int,
    *,
    ridge_per_entry: float,
    n_init: int = 1,
    max_iter: int = 500,
    tol: float = 1e-4,
    random_state: np.random.Generator | int,
    n_threads: int | None = None,
    callback: Callable[[Step], bool | None] | None = None,
) -> Factorization:
    """Return the least-squares parts of pictures (rows), some of whose pixels are NaN.

    Parameters are those of `factorize`, and so is the objective.
    """
    known = ~np.isnan(X)
    values = cast(FloatArray, np.where(known, X, X.dtype.type(0)))
    threads = kernels.default_threads() if n_threads is None else n_threads
    data = Holes(values, cast(FloatArray, known.astype(X.dtype)), threads)
    side = Penalty(l2_per_entry=ridge_per_entry)
    problem = Problem(data, BetaLoss(2), side, side)
    rng, seed = as_generator(random_state)
    filled = with_mean_picture(data)

    def starts() -> Iterator[Run]:
        for _ in range(n_init):
            first = factorize(
                filled, k, ridge_per_entry=ridge_per_entry, init="random", tol=tol,
                max_iter=_START_ITERATIONS, n_threads=n_threads, random_state=draw_seed(rng),
            )  # fmt: skip
            if first.status is Status.INTERRUPTED:
                raise KeyboardInterrupt  # what it fits is not yet the known pixels
            right = Factor(cast(FloatArray, np.ascontiguousarray(first.H.T)))
            yield Run(Factor(first.W), right, rng, gentle=False)

    # Blocks of rows go side by side: threads of BLAS within each would only wait for one another.
    with threadpool_limits(1, user_api="blas"):
        runs = alternate_runs(
            problem,
            starts(),
            Completing(),
            make_rule(max_iter, tol, None, True),
            callback=None if callback is None else lambda _, step: callback(step),
        )
        best = min(runs, key=lambda run: run.objective)
        loss = half_squares(data, best.left, best.right)
    last = runs[-1].status
    status = last if last in (Status.INTERRUPTED, Status.STOPPED) else best.status
    assert status is not None
    return Factorization(
        W=best.left.values,
        H=cast(FloatArray, np.ascontiguousarray(best.right.values.T)),
        status=status,
        n_iter=best.n_iter,
        history=tuple(best.history),
        objective=loss + problem.penalty_value(best.left, best.right),
        error=problem.loss.error(loss),
        relative_error=math.sqrt(loss / problem.size),
        loss=problem.loss.name,
        solver=Completing.name,
        init="random",
        n_observed=data.n_observed,
        seed=seed,
    )


def with_mean_picture(data: Holes) -> FloatArray:
    """Fill missing pixels with the mean picture, as bright as the known ones say."""
    seen = data.known.sum(axis=0, dtype=np.float64)
    total = data.values.sum(axis=0, dtype=np.float64)
    mean = np.where(seen > 0, total / np.maximum(seen, 1), total.sum() / seen.sum())
    usual = data.known @ mean.astype(data.dtype)
    bright = np.where(usual > 0, data.values.sum(axis=1) / np.where(usual > 0, usual, 1), 1)
    filled = np.where(data.known > 0, data.values, np.outer(bright, mean).astype(data.dtype))
    return cast(FloatArray, filled)
