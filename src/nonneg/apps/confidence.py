"""Counts as confidence: the least squares of implicit feedback, by the kernels for stored entries.

    minimise ½ Σ_ui c_ui (p_ui − wᵤ·hᵢ)² + ½·ridge·(|W|² + |H|²),   W, H ≥ 0

over all cells, where p is 1 and c = 1 + e for what was used, and p is 0 and c = 1 for everything
else (Hu, Koren & Volinsky 2008). The cells without use are never visited: with a square root R of
FᵀF, what a row w costs is, up to a constant,

    Σ over its own entries  e ((1 + e)/e − w·fᵢ)²  +  Σ over the k rows of R  (0 − w·r)²

so a half-step is one on stored, weighted entries, k more a row, and the factor [F; R].
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from nonneg.core.data import Observed
from nonneg.core.factorize import make_problem
from nonneg.core.kernels import FloatArray, default_threads
from nonneg.core.problem import Factor
from nonneg.core.solvers import choose_solver

__all__ = ["ConfidenceRuns", "solve_rows", "with_background"]


class ConfidenceRuns:
    """Runs from different random starts on the same counts.

    Parameters
    ----------
    extra : csr_array (n_users, n_items)
        e > 0, absent where there is no use.
    k, n_models : int
    """

    def __init__(
        self,
        extra: sp.csr_array,
        k: int,
        n_models: int,
        *,
        n_threads: int | None,
        rng: np.random.Generator,
    ) -> None:
        self._extra = extra
        by_item = sp.csr_array(extra.T)
        by_item.sort_indices()
        self._sides = [_stored(side, k, n_threads) for side in (extra, by_item)]
        m, n = extra.shape
        # Products are about what the mean preference is, the sides of about one size.
        size = np.sqrt(np.sqrt(max(extra.nnz, 1) / (m * n)) / k)
        self._lefts = [_start(rng, m, k, size) for _ in range(n_models)]
        self.rights = [_start(rng, n, k, size) for _ in range(n_models)]

    def advance(self, ridge: float, n_iter: int) -> None:
        """Improve users and items in turn."""
        for _ in range(n_iter):
            _half_steps(self._sides[0], self._lefts, self._backed(self.rights), ridge)
            _half_steps(self._sides[1], self.rights, self._backed(self._lefts), ridge)

    def settle(self, ridge: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return W (users) and F (items) of all runs, the users' at their optimum given F."""
        W = solve_rows(self._extra, self._backed(self.rights), ridge, data=self._sides[0])
        return W, np.concatenate(self.rights, axis=1)

    @staticmethod
    def _backed(rights: Sequence[FloatArray]) -> list[FloatArray]:
        return [with_background(F) for F in rights]


def with_background(F: FloatArray, chosen: NDArray[np.integer] | None = None) -> FloatArray:
    """Return F, or its `chosen` rows, on top of R with RᵀR = FᵀF."""
    sizes, directions = np.linalg.eigh(F.T.astype(np.float64) @ F)
    R = np.sqrt(np.maximum(sizes, 0.0))[:, None] * directions.T
    rows = F if chosen is None else F[chosen]
    return np.ascontiguousarray(np.concatenate([rows, R.astype(np.float32)]))


def solve_rows(
    extra: sp.csr_array,
    backed: Sequence[FloatArray],
    ridge: float,
    *,
    data: Observed | None = None,
) -> NDArray[np.float32]:
    """Return the optimal W of each run, side by side and divided by their number.

    `backed` holds each run's factor of the columns with its background (`with_background`).
    """
    k = backed[0].shape[1]
    stored = _stored(extra, k, 1) if data is None else data
    lefts: list[FloatArray] = [np.zeros((extra.shape[0], k), np.float32) for _ in backed]
    _half_steps(stored, lefts, backed, ridge, exact=True)
    side_by_side = np.concatenate(lefts, axis=1).astype(np.float32)
    return np.asarray(side_by_side / np.float32(len(backed)), dtype=np.float32)


def _stored(extra: sp.csr_array, k: int, n_threads: int | None) -> Observed:
    """The entries of each row, ascending, and behind them the k of the background."""
    m, n = extra.shape
    counts = np.diff(extra.indptr)
    size = extra.nnz + k * m
    own = np.arange(extra.nnz) + k * np.repeat(np.arange(m), counts)
    background = np.ones(size, dtype=bool)
    background[own] = False
    indices = np.empty(size, np.int32)
    values, weights = np.zeros(size, np.float32), np.ones(size, np.float32)
    indices[own], weights[own] = extra.indices, extra.data
    values[own] = (1 + extra.data) / extra.data
    indices[background] = np.tile(n + np.arange(k), m)
    indptr = extra.indptr + k * np.arange(m + 1)
    threads = default_threads() if n_threads is None else n_threads
    return Observed((m, n + k), indptr, indices, values, 0, threads, weights)


def _half_steps(
    data: Observed,
    lefts: Sequence[FloatArray],
    backed: Sequence[FloatArray],
    ridge: float,
    *,
    exact: bool = False,
) -> None:
    """Improve each W in place."""
    # `make_problem` multiplies alpha_W by the number of columns, those of the background included.
    alpha = ridge / data.shape[1]
    problem = make_problem(data, "frobenius", lefts[0].shape[1], alpha_W=alpha, alpha_H=0.0)
    pairs = [(Factor(W), Factor(F)) for W, F in zip(lefts, backed, strict=True)]
    choose_solver("auto", problem).half_steps(problem, pairs, exact=exact, measure=False)


def _start(rng: np.random.Generator, rows: int, k: int, size: float) -> NDArray[np.float32]:
    return (np.abs(rng.standard_normal((rows, k))) * size).astype(np.float32)
