"""The data matrix: dense, sparse, or only the observed entries. Storage is known here alone.

Above this file nobody asks "is it sparse?": a `DataMatrix` offers products and half-steps, and
picks the kernel and the layout itself. `.T` is the same data seen from the other side, built
once and kept. Units are harmless: where the mean entry is so large or small that squares could
overflow, the stored values are X·2⁻ᵉ with an even e, and `exponent` remembers e.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Literal, cast

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from nonneg.core import kernels
from nonneg.core.kernels import (
    ONE_SWEEP,
    CsrKernel,
    EntryRun,
    FloatArray,
    GramRun,
    Layout,
    NativeLoss,
    StepResult,
    Sweeps,
    Terms,
)

__all__ = ["DataMatrix", "Dense", "LowRank", "Observed", "Sparse", "row_slices"]

_NO_TERMS = Terms()
# Bytes of dense rows that are made or summed at a time.
_BLOCK_BYTES = 1 << 21
# Rows of dense data whose cross products are made at a time.
_BLOCK_ROWS = 8192


class DataMatrix:
    """Base of all storages; every sum is over observed entries and in float64.

    Attributes
    ----------
    shape : tuple of int
        Rows and columns.
    dtype : numpy dtype
        float32 or float64; factors share it.
    exponent : int
        The stored values are X·2^−exponent.
    n_threads : int
        Threads of its kernels.
    """

    has_holes = False

    def __init__(
        self, shape: tuple[int, int], dtype: np.dtype, exponent: int, n_threads: int
    ) -> None:
        self.shape = shape
        self.dtype = dtype
        self.exponent = exponent
        self.n_threads = n_threads
        self._transposed: DataMatrix | None = None

    @property
    def T(self) -> DataMatrix:
        """The transpose; `X.T.T is X`."""
        if self._transposed is None:
            self._transposed = self._transpose()
            self._transposed._transposed = self
        return self._transposed

    @property
    def scale_factor(self) -> float:
        """Stored value of an entry 1 of X."""
        return math.ldexp(1.0, -self.exponent)

    @property
    def n_observed(self) -> int:
        """Number of observed entries."""
        return self.shape[0] * self.shape[1]

    @property
    def n_stored(self) -> int:
        """Number of entries that a pass over X touches."""
        raise NotImplementedError

    @cached_property
    def unit(self) -> float:
        """Mean observed entry (stored scale): the size of a typical value."""
        return self.power_sum(1.0) / max(self.weight_sum, np.finfo(float).tiny)

    @property
    def weight_sum(self) -> float:
        """Sum of the entry weights."""
        return float(self.n_observed)

    @cached_property
    def square_sum(self) -> float:
        """Σ x² over observed entries."""
        return self.power_sum(2.0)

    @property
    def n_zero(self) -> int:
        """Number of observed zeros."""
        raise NotImplementedError

    def power_sum(self, power: float) -> float:
        """Return Σ weight · x^power over the observed entries (zeros add nothing)."""
        raise NotImplementedError

    def transpose_bytes(self, gram_form: bool) -> int:
        """Return what a fit still has to allocate to read X from its other side as well."""
        raise NotImplementedError

    def row_counts(self) -> NDArray[np.int64]:
        """Return the number of observed entries of each row."""
        return np.full(self.shape[0], self.shape[1], dtype=np.int64)

    def row_square_sums(self) -> NDArray[np.float64]:
        """Return Σ x² of each row."""
        raise NotImplementedError

    def row(self, i: int) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Return row i, densely, and which of its entries are observed."""
        raise NotImplementedError

    def part(self, rows: NDArray[np.integer], columns: NDArray[np.integer]) -> DataMatrix:
        """Return a copy of some rows and columns, in the same unit."""
        raise NotImplementedError

    def cross(self, F: FloatArray) -> FloatArray:
        """Return X F (rows × k); missing entries count as zero."""
        raise NotImplementedError

    def gram_steps(
        self, runs: Sequence[GramRun], terms: Terms, *, exact: bool = False
    ) -> list[StepResult]:
        """Gram-form half-steps of many runs, each on its W in place.

        `exact` solves each row's problem (bounds aside).
        """
        raise NotImplementedError

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
        """Entry-form half-step on W in place, or the measurement of the loss alone."""
        rows, layout = self._entry_rows(nonzeros_suffice)
        return kernels.entry_step(
            rows,
            F,
            W,
            loss=loss,
            update=update,
            layout=layout,
            terms=terms,
            sweeps=sweeps,
            n_threads=self.n_threads,
            column_weights=column_weights,
            cautious=cautious,
            measure=measure,
        )

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
        """Entry-form half-steps of many runs, each on its W in place."""
        rows, layout = self._entry_rows(nonzeros_suffice)
        return kernels.entry_steps(
            rows,
            runs,
            loss=loss,
            update=update,
            layout=layout,
            terms=terms,
            n_threads=self.n_threads,
            cautious=cautious,
            measure=measure,
            abreast=abreast,
        )

    def residual_norms(self, W: FloatArray, F: FloatArray) -> NDArray[np.float64]:
        """Return ‖xᵢ − F wᵢ‖ of each row over its observed entries."""
        norms = np.empty(self.shape[0])
        for rows, X, root_weights in self._dense_blocks():
            # A start that overflows gives an infinite norm, which the loop refuses by name.
            with np.errstate(over="ignore", invalid="ignore"):
                R = X - W[rows] @ F.T
                if root_weights is not None:
                    R *= root_weights
                norms[rows] = np.sqrt(np.einsum("ij,ij->i", R, R, dtype=np.float64))
        return norms

    def _transpose(self) -> DataMatrix:
        raise NotImplementedError

    def _entry_rows(self, nonzeros_suffice: bool) -> tuple[CsrKernel | FloatArray, Layout]:
        raise NotImplementedError

    def _dense_block(self, rows: slice) -> tuple[FloatArray, FloatArray | None]:
        """Return the rows densely and, where there are holes, the square root of the weights."""
        raise NotImplementedError

    def _dense_blocks(self) -> Iterator[tuple[slice, FloatArray, FloatArray | None]]:
        step = max(1, _BLOCK_BYTES // (8 * max(1, self.shape[1])))
        for start in range(0, self.shape[0], step):
            rows = slice(start, min(start + step, self.shape[0]))
            yield rows, *self._dense_block(rows)


class Dense(DataMatrix):
    """Every entry stored and observed."""

    def __init__(self, values: FloatArray, exponent: int, n_threads: int) -> None:
        super().__init__(cast(tuple[int, int], values.shape), values.dtype, exponent, n_threads)
        self.values = values

    @property
    def n_stored(self) -> int:
        return self.values.size

    @cached_property
    def n_zero(self) -> int:
        return self.values.size - int(np.count_nonzero(self.values))

    def power_sum(self, power: float) -> float:
        return sum(_power_sum(self.values[rows], power) for rows in row_slices(self.values.shape))

    def transpose_bytes(self, gram_form: bool) -> int:
        # BLAS reads either order; the entry kernels want whole rows, of X and of its transpose.
        return 0 if gram_form else self.values.nbytes

    def row_square_sums(self) -> NDArray[np.float64]:
        squares = np.einsum("ij,ij->i", self.values, self.values, dtype=np.float64)
        return cast("NDArray[np.float64]", squares)

    def row(self, i: int) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        return self.values[i].astype(np.float64), np.ones(self.shape[1], dtype=bool)

    def part(self, rows: NDArray[np.integer], columns: NDArray[np.integer]) -> Dense:
        chosen = np.ascontiguousarray(self.values[np.ix_(rows, columns)])
        return Dense(cast(FloatArray, chosen), self.exponent, self.n_threads)

    def cross(self, F: FloatArray) -> FloatArray:
        return self.values @ F

    def gram_steps(
        self, runs: Sequence[GramRun], terms: Terms, *, exact: bool = False
    ) -> list[StepResult]:
        if exact:
            return [
                kernels.pivot_step_cross(self.cross(r.F), r.gram, r.W, terms, self.n_threads)
                for r in runs
            ]
        parts: list[list[StepResult]] = [[] for _ in runs]
        wide = runs[0].F if len(runs) == 1 else np.concatenate([r.F for r in runs], axis=1)
        # Blocks of rows depend on the shape of X alone, and so do the bits of each run's sums.
        for start in range(0, self.shape[0], _BLOCK_ROWS):
            rows = slice(start, start + _BLOCK_ROWS)
            cross = np.ascontiguousarray(self.values[rows] @ wide)
            here = [GramRun(r.F, r.gram, r.W[rows], r.sweeps) for r in runs]
            fixed = None if terms.fixed is None else terms.fixed[rows]
            results = kernels.gram_steps_cross(
                cross, here, replace(terms, fixed=fixed), self.n_threads
            )
            for part, result in zip(parts, results, strict=True):
                part.append(result)
        return [_merge(part) for part in parts]

    def _transpose(self) -> Dense:
        return Dense(self.values.T, self.exponent, self.n_threads)

    @cached_property
    def _contiguous(self) -> FloatArray:
        return cast(FloatArray, np.ascontiguousarray(self.values))

    def _entry_rows(self, nonzeros_suffice: bool) -> tuple[CsrKernel | FloatArray, Layout]:
        return self._contiguous, "full"

    def _dense_block(self, rows: slice) -> tuple[FloatArray, FloatArray | None]:
        return self.values[rows], None


class LowRank(DataMatrix):
    """L Rᵀ, never multiplied out: what a dense X is nearly equal to. Gram form only."""

    def __init__(self, L: FloatArray, R: FloatArray, exponent: int, n_threads: int) -> None:
        super().__init__((L.shape[0], R.shape[0]), L.dtype, exponent, n_threads)
        self.L, self.R = L, R

    @property
    def n_stored(self) -> int:
        return self.L.size + self.R.size

    def power_sum(self, power: float) -> float:
        assert power == 2
        left, right = (side.T.astype(np.float64) @ side for side in (self.L, self.R))
        return float(np.sum(left * right))

    def row(self, i: int) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        return (self.R @ self.L[i]).astype(np.float64), np.ones(self.shape[1], dtype=bool)

    def cross(self, F: FloatArray) -> FloatArray:
        return np.ascontiguousarray(self.L @ (self.R.T @ F))

    def gram_steps(
        self, runs: Sequence[GramRun], terms: Terms, *, exact: bool = False
    ) -> list[StepResult]:
        del exact
        return [
            kernels.gram_steps_cross(self.cross(run.F), [run], terms, self.n_threads)[0]
            for run in runs
        ]

    def _transpose(self) -> LowRank:
        return LowRank(self.R, self.L, self.exponent, self.n_threads)


class Sparse(DataMatrix):
    """Stored entries; all others are observed zeros."""

    def __init__(
        self,
        shape: tuple[int, int],
        indptr: NDArray[np.integer],
        indices: NDArray[np.integer],
        values: FloatArray,
        exponent: int,
        n_threads: int,
        weights: FloatArray | None = None,
    ) -> None:
        super().__init__(shape, values.dtype, exponent, n_threads)
        if values.size <= np.iinfo(indices.dtype).max:
            # Of two integer types scipy would take the wider, and copy all indices into it.
            indptr = indptr.astype(indices.dtype, copy=False)
        self.indptr, self.indices, self.values, self.weights = indptr, indices, values, weights
        self.kernel = kernels.csr_kernel(shape, indptr, indices, values, weights)

    @property
    def n_stored(self) -> int:
        return self.values.size

    @property
    def n_zero(self) -> int:
        return self.n_observed - int(np.count_nonzero(self.values))

    def power_sum(self, power: float) -> float:
        return sum(
            _power_sum(
                self.values[part], power, None if self.weights is None else self.weights[part]
            )
            for part in row_slices((self.values.size, 1))
        )

    def transpose_bytes(self, gram_form: bool) -> int:
        if self._transposed is not None:
            return 0
        arrays = [self.values, self.indices, *([] if self.weights is None else [self.weights])]
        # The kernel keeps row pointers of its own, of 8 bytes each.
        pointers = (self.shape[1] + 1) * (8 + self.indptr.itemsize)
        return sum(array.nbytes for array in arrays) + pointers

    def row_square_sums(self) -> NDArray[np.float64]:
        sums = np.empty(self.shape[0])
        for rows in row_slices((self.shape[0], 1 + self.values.size // self.shape[0])):
            counts = np.diff(self.indptr[rows.start : rows.stop + 1])
            stored = slice(self.indptr[rows.start], self.indptr[rows.start] + counts.sum())
            squares = self.values[stored].astype(np.float64) ** 2
            if self.weights is not None:
                squares *= self.weights[stored]
            owner = np.repeat(np.arange(counts.size), counts)
            sums[rows] = np.bincount(owner, squares, minlength=counts.size)
        return sums

    def row(self, i: int) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        x = np.zeros(self.shape[1])
        stored = slice(self.indptr[i], self.indptr[i + 1])
        x[self.indices[stored]] = self.values[stored]
        return x, np.ones(self.shape[1], dtype=bool)

    def rows(self, chosen: NDArray[np.integer]) -> Sparse:
        """Return a copy of some rows, without their weights, in the same unit."""
        part = sp.csr_array((self.values, self.indices, self.indptr), self.shape)[chosen]
        return Sparse(
            part.shape, part.indptr, part.indices, part.data, self.exponent, self.n_threads
        )

    def part(self, rows: NDArray[np.integer], columns: NDArray[np.integer]) -> Sparse:
        def cut(entries: FloatArray) -> sp.csr_array:
            whole = sp.csr_array((entries, self.indices, self.indptr), self.shape)
            return sp.csr_array(whole[rows][:, columns])

        chosen = cut(self.values)
        chosen.sort_indices()
        weights = None
        if self.weights is not None:
            # Cut and sorted alike, since that depends on the indices alone.
            cut_weights = cut(self.weights)
            cut_weights.sort_indices()
            weights = cut_weights.data
        return type(self)(
            chosen.shape,
            chosen.indptr,
            chosen.indices,
            chosen.data,
            self.exponent,
            self.n_threads,
            weights,
        )

    def cross(self, F: FloatArray) -> FloatArray:
        return kernels.times(self.kernel, F, self.shape[0], self.n_threads)

    def gram_steps(
        self, runs: Sequence[GramRun], terms: Terms, *, exact: bool = False
    ) -> list[StepResult]:
        if exact:
            return [
                kernels.pivot_step_cross(self.cross(r.F), r.gram, r.W, terms, self.n_threads)
                for r in runs
            ]
        return kernels.gram_steps(self.kernel, runs, terms, self.n_threads)

    def _transpose(self) -> Sparse:
        indptr, indices, values, weights = self._transposed_arrays()
        shape = (self.shape[1], self.shape[0])
        return type(self)(shape, indptr, indices, values, self.exponent, self.n_threads, weights)

    def _transposed_arrays(
        self,
    ) -> tuple[NDArray[np.integer], NDArray[np.integer], FloatArray, FloatArray | None]:
        other = sp.csr_array((self.values, self.indices, self.indptr), self.shape).tocsc()
        weights = None
        if self.weights is not None:
            # The order of the entries depends on the indices alone, so weights move like values.
            moved = sp.csr_array((self.weights, self.indices, self.indptr), self.shape).tocsc()
            weights = moved.data
        return other.indptr, other.indices, other.data, weights

    def _entry_rows(self, nonzeros_suffice: bool) -> tuple[CsrKernel | FloatArray, Layout]:
        return self.kernel, "nonzero" if nonzeros_suffice else "full"

    def _dense_block(self, rows: slice) -> tuple[FloatArray, FloatArray | None]:
        return self._spread(rows, self.values), None

    def _spread(self, rows: slice, values: FloatArray) -> FloatArray:
        stored = slice(self.indptr[rows.start], self.indptr[rows.stop])
        block = sp.csr_array(
            (
                values[stored],
                self.indices[stored],
                self.indptr[rows.start : rows.stop + 1] - self.indptr[rows.start],
            ),
            (rows.stop - rows.start, self.shape[1]),
        )
        return cast(FloatArray, block.toarray())


class Observed(Sparse):
    """Only the stored entries are observed, each with a weight if weights are given."""

    has_holes = True

    @property
    def n_observed(self) -> int:
        return int(self.values.size)

    @cached_property
    def weight_sum(self) -> float:
        if self.weights is None:
            return float(self.values.size)
        return float(self.weights.sum(dtype=np.float64))

    @property
    def n_zero(self) -> int:
        return self.values.size - int(np.count_nonzero(self.values))

    def row_counts(self) -> NDArray[np.int64]:
        return np.diff(self.indptr).astype(np.int64)

    def row(self, i: int) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        x, _ = super().row(i)
        seen = np.zeros(self.shape[1], dtype=bool)
        seen[self.indices[self.indptr[i] : self.indptr[i + 1]]] = True
        return x, seen

    def without(self, u: NDArray[np.float64], v: NDArray[np.float64]) -> Sparse:
        """Return the observed entries less the rank-one model u vᵀ, as a sparse matrix."""
        rest = np.empty_like(self.values)
        for rows in row_slices((self.shape[0], 1 + self.values.size // self.shape[0])):
            counts = np.diff(self.indptr[rows.start : rows.stop + 1])
            stored = slice(self.indptr[rows.start], self.indptr[rows.start] + counts.sum())
            model = np.repeat(u[rows], counts) * v[self.indices[stored]]
            rest[stored] = self.values[stored] - model
        return Sparse(self.shape, self.indptr, self.indices, rest, self.exponent, self.n_threads)

    def _entry_rows(self, nonzeros_suffice: bool) -> tuple[CsrKernel | FloatArray, Layout]:
        return self.kernel, "stored"

    def _dense_block(self, rows: slice) -> tuple[FloatArray, FloatArray | None]:
        weights = np.ones_like(self.values) if self.weights is None else np.sqrt(self.weights)
        return self._spread(rows, self.values), self._spread(rows, cast(FloatArray, weights))


def row_slices(shape: tuple[int, ...]) -> Iterator[slice]:
    """Yield blocks of rows, of 2 MiB in float64 (the last may end beyond the rows)."""
    step = max(1, _BLOCK_BYTES // (8 * max(1, shape[1])))
    for start in range(0, shape[0], step):
        yield slice(start, start + step)


def _power_sum(values: FloatArray, power: float, weights: FloatArray | None = None) -> float:
    if power == 1:
        terms = values
    elif power == 2:
        flat = values.ravel()
        if weights is None and values.dtype == np.float64:
            return float(flat @ flat)
        terms = values.astype(np.float64) ** 2
    else:
        terms = np.where(values > 0, values, 1.0).astype(np.float64) ** power * (values > 0)
    if weights is not None:
        return float(np.einsum("i,i->", terms, weights, dtype=np.float64))
    return float(terms.sum(dtype=np.float64))


def _merge(parts: list[StepResult]) -> StepResult:
    if len(parts) == 1:
        return parts[0]
    return StepResult(
        sum(p.cross for p in parts),
        sum(p.loss for p in parts),
        sum(p.residual for p in parts),
        cast("NDArray[np.float64]", sum(p.gram for p in parts)),
    )
