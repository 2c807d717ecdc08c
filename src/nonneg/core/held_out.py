"""A data matrix with some cells held out, without a mask.

Rows and columns are dealt into `n_groups` groups each by (index, seed), and a cell is held out
where the groups of its row and its column add up to 0 modulo their number. So all rows of a group
miss the same columns, and a half-step is a half-step on each group of rows without those columns:
no loss, layout or kernel needs to know, the zeros of sparse data stay unstored, and quadratic
losses keep their Gram form. Every row and column keeps all but one in n_groups of its cells. (Owen
& Perry 2009 call scattered cells Wold holdouts; these are scattered by the shuffle, but fall into
n_groups rectangles: docs/adr/0014.)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nonneg.core.data import DataMatrix
from nonneg.core.kernels import (
    ONE_SWEEP,
    EntryRun,
    FloatArray,
    GramRun,
    NativeLoss,
    StepResult,
    Sweeps,
    Terms,
)

__all__ = ["Part", "Rest", "deal", "held_out_parts"]

Groups = NDArray[np.intp]

_NO_TERMS = Terms()
# Below this share of ½ΣX² the loss is not a difference of large numbers any more.
_CANCELLATION = {np.dtype(np.float32): 1e-3, np.dtype(np.float64): 1e-7}


class Part(NamedTuple):
    """Some rows and columns of a matrix, and their cells."""

    rows: Groups
    columns: Groups
    data: DataMatrix


def deal(n: int, n_groups: int, seed: Sequence[int]) -> Groups:
    """Return the group of each of n rows or columns: groups of equal size, or nearly."""
    return np.asarray(np.random.default_rng(seed).permutation(n) % n_groups, dtype=np.intp)


def held_out_parts(
    data: DataMatrix, row_groups: Groups, column_groups: Groups, n_groups: int
) -> Iterator[Part]:
    """Yield the cells that are held out, one rectangle a group of rows."""
    for group in range(n_groups):
        rows = np.flatnonzero(row_groups == group)
        columns = np.flatnonzero((column_groups + group) % n_groups == 0)
        yield Part(rows, columns, data.part(rows, columns))


class Rest(DataMatrix):
    """What is not held out."""

    has_holes = True

    def __init__(
        self, data: DataMatrix, row_groups: Groups, column_groups: Groups, n_groups: int
    ) -> None:
        super().__init__(data.shape, data.dtype, data.exponent, data.n_threads)
        self._data, self._groups, self._n_groups = data, (row_groups, column_groups), n_groups
        self.parts = []
        for group in range(n_groups):
            rows = np.flatnonzero(row_groups == group)
            columns = np.flatnonzero((column_groups + group) % n_groups)
            self.parts.append(Part(rows, columns, data.part(rows, columns)))

    @property
    def n_observed(self) -> int:
        return sum(part.data.n_observed for part in self.parts)

    @property
    def n_stored(self) -> int:
        return sum(part.data.n_stored for part in self.parts)

    @property
    def n_zero(self) -> int:
        return sum(part.data.n_zero for part in self.parts)

    @property
    def weight_sum(self) -> float:
        return sum(part.data.weight_sum for part in self.parts)

    def power_sum(self, power: float) -> float:
        return sum(part.data.power_sum(power) for part in self.parts)

    def transpose_bytes(self, gram_form: bool) -> int:
        return sum(part.data.transpose_bytes(gram_form) for part in self.parts)

    def row_counts(self) -> NDArray[np.int64]:
        counts = np.empty(self.shape[0], dtype=np.int64)
        for part in self.parts:
            counts[part.rows] = part.data.row_counts()
        return counts

    def row_square_sums(self) -> NDArray[np.float64]:
        sums = np.empty(self.shape[0])
        for part in self.parts:
            sums[part.rows] = part.data.row_square_sums()
        return sums

    def row(self, i: int) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        x, seen = self._data.row(i)
        row_groups, column_groups = self._groups
        return x, seen & ((row_groups[i] + column_groups) % self._n_groups != 0)

    def residual_norms(self, W: FloatArray, F: FloatArray) -> NDArray[np.float64]:
        norms = np.empty(self.shape[0])
        for part in self.parts:
            norms[part.rows] = part.data.residual_norms(W[part.rows], F[part.columns])
        return norms

    def entry_step(
        self,
        F: FloatArray,
        W: FloatArray,
        loss: NativeLoss,
        update: Literal["descend", "multiply", "measure"],
        *,
        nonzeros_suffice: bool = False,
        terms: Terms = _NO_TERMS,
        sweeps: Sweeps = ONE_SWEEP,
        column_weights: FloatArray | None = None,
        cautious: bool = False,
        measure: bool = True,
    ) -> StepResult:
        found = []
        for part in self.parts:
            here = _gathered(EntryRun(F, W, sweeps, column_weights), part)
            found.append(
                part.data.entry_step(
                    here.F,
                    here.W,
                    loss,
                    update,
                    nonzeros_suffice=nonzeros_suffice,
                    terms=_gathered_terms(terms, part),
                    sweeps=sweeps,
                    column_weights=here.column_weights,
                    cautious=cautious,
                    measure=measure,
                )
            )
            W[part.rows] = here.W
        return _added(found)

    def entry_steps(
        self,
        runs: Sequence[EntryRun],
        loss: NativeLoss,
        update: Literal["descend", "multiply"],
        *,
        nonzeros_suffice: bool,
        terms: Terms,
        cautious: bool,
        measure: bool,
        abreast: bool = False,
    ) -> list[StepResult]:
        found: list[list[StepResult]] = []
        for part in self.parts:
            here = [_gathered(run, part) for run in runs]
            local = _gathered_terms(terms, part)
            plain = loss.kind == "quadratic" and update == "descend" and not part.data.has_holes
            if plain and all(run.column_weights is None for run in runs):
                found.append(_gram_steps(part.data, here, local))
            else:
                found.append(
                    part.data.entry_steps(
                        here,
                        loss,
                        update,
                        nonzeros_suffice=nonzeros_suffice,
                        terms=local,
                        cautious=cautious,
                        measure=measure,
                        abreast=abreast,
                    )
                )
            for run, moved in zip(runs, here, strict=True):
                run.W[part.rows] = moved.W
        return [_added([results[r] for results in found]) for r in range(len(runs))]

    def _transpose(self) -> Rest:
        row_groups, column_groups = self._groups
        return Rest(self._data.T, column_groups, row_groups, self._n_groups)


def _gathered(run: EntryRun, part: Part) -> EntryRun:
    weights = None if run.column_weights is None else run.column_weights[part.columns]
    return EntryRun(run.F[part.columns], run.W[part.rows], run.sweeps, weights)


def _gathered_terms(terms: Terms, part: Part) -> Terms:
    return terms if terms.fixed is None else replace(terms, fixed=terms.fixed[part.rows])


def _gram_steps(data: DataMatrix, runs: Sequence[EntryRun], terms: Terms) -> list[StepResult]:
    """Quadratic half-steps where nothing is missing: Gram form, which leaves zeros alone."""
    grams = [(run.F.T @ run.F).astype(np.float64) for run in runs]
    tasks = [GramRun(run.F, gram, run.W, run.sweeps) for run, gram in zip(runs, grams, strict=True)]
    half = 0.5 * data.square_sum
    results = []
    for run, gram, step in zip(runs, grams, data.gram_steps(tasks, terms), strict=True):
        loss = half - step.cross + 0.5 * float(np.vdot(gram, step.gram))
        if loss <= _CANCELLATION[data.dtype] * half:
            loss = data.entry_step(run.F, run.W.copy(), NativeLoss(), "measure").loss
        results.append(replace(step, loss=loss))
    return results


def _added(found: Sequence[StepResult]) -> StepResult:
    return StepResult(
        0.0, sum(r.loss for r in found), sum(r.residual for r in found), np.empty((0, 0))
    )
