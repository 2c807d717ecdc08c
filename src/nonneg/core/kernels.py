"""The only importer of the compiled module: settles dtype and layout, then calls.

Two families of half-steps update `W` (rows × k) in place while the other factor `F`
(columns × k) is fixed. Both factors are C-contiguous and share the dtype of the data, float32
or float64; what is measured comes back in float64. `reference.py` has each kernel again in
plain numpy, and a test holds the two together.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Literal, NamedTuple, Protocol, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

# Untyped on purpose: the generated stub tells float32 from float64 arrays, as overloads, and
# numpy's annotations cannot say "the same one for all arguments".
_native: Any = import_module("nonneg.core._native")

__all__ = [
    "ONE_SWEEP",
    "CsrKernel",
    "EntryRun",
    "Float",
    "FloatArray",
    "GramRun",
    "Layout",
    "NativeLoss",
    "StepResult",
    "Sweeps",
    "Terms",
    "byte_products",
    "csr_kernel",
    "default_threads",
    "entry_step",
    "entry_steps",
    "extrapolate_runs",
    "gram_step",
    "gram_steps",
    "gram_steps_cross",
    "instruction_set",
    "pivot_step_cross",
    "side_by_side",
    "times",
]

Float: TypeAlias = np.float32 | np.float64
FloatArray: TypeAlias = NDArray[np.float32] | NDArray[np.float64]
Layout = Literal["stored", "nonzero", "full"]


class CsrKernel(Protocol):
    """A sparse matrix by rows whose structure has been checked; it keeps its arrays alive."""

    def times(self, F: FloatArray, out: FloatArray, n_threads: int) -> None: ...

    def gram_steps(
        self, *args: object
    ) -> list[tuple[float, float, float, NDArray[np.float64]]]: ...

    def entry_steps(
        self, *args: object
    ) -> list[tuple[float, float, float, NDArray[np.float64]]]: ...


@dataclass(frozen=True)
class Terms:
    """Penalty and bounds on the factor that a half-step updates.

    Row w is penalised by ``l1·Σw + ½(l2 + n·l2_per_entry)·|w|²`` with n its observed entries,
    and kept in ``[lower, upper]``; entries where `fixed` (rows × k, uint8) is set keep their value.
    """

    l1: float = 0.0
    l2: float = 0.0
    l2_per_entry: float = 0.0
    lower: float = 0.0
    upper: float = float("inf")
    fixed: NDArray[np.uint8] | None = None


@dataclass(frozen=True)
class Sweeps:
    """At most `max_sweeps`, fewer once one moves less than `tolerance` times the first."""

    max_sweeps: int = 1
    tolerance: float = 0.0


ONE_SWEEP = Sweeps()


@dataclass(frozen=True)
class NativeLoss:
    """A data term as the entry kernels know it: see `native/include/nonneg/beta.hpp`."""

    kind: Literal["quadratic", "beta", "huber", "row-norm"] = "quadratic"
    beta: float = 2.0
    delta: float = 0.0
    scale: float = 1.0
    floor: float = 0.0


@dataclass(frozen=True)
class StepResult:
    """What one half-step measured.

    Attributes
    ----------
    cross : float
        ⟨X F, W⟩ at the new W (Gram form).
    loss : float
        The data term at the new W (entry form, when measured).
    residual : float
        Σ curvature · move² over the first sweep, in the unit of the objective (for a
        multiplicative step Σ −gradient · move): zero exactly where W is optimal.
    gram : ndarray (k, k)
        WᵀW (Gram form), else empty.
    """

    cross: float
    loss: float
    residual: float
    gram: NDArray[np.float64]


class GramRun(NamedTuple):
    """What one run of a batch brings to a half-step in Gram form."""

    F: FloatArray
    gram: NDArray[np.float64]
    W: FloatArray
    sweeps: Sweeps


class EntryRun(NamedTuple):
    """What one run of a batch brings to a half-step in entry form."""

    F: FloatArray
    W: FloatArray
    sweeps: Sweeps
    column_weights: FloatArray | None = None


_KINDS = {"quadratic": 0, "beta": 1, "huber": 2, "row-norm": 3}
_UPDATES = {"descend": 0, "multiply": 1, "measure": 2}


# Rows beside each other: groups of them at least, so that few lanes are empty, and the length from
# which their entries and model values would not stay in cache.
_FEWEST_GROUPS, _LONGEST_ROW = 2, 1 << 14


def side_by_side(X: FloatArray, run: EntryRun, loss: NativeLoss, update: str, terms: Terms) -> bool:
    """Whether the kernels take as many rows of dense X at a time as a register has lanes.

    Then nothing is folded between two passes over the entries, but no row can leave a component at
    zero out. For Kullback–Leibler without weights or fixed entries.
    """
    rows, columns = X.shape
    return (
        loss.kind == "beta"
        and loss.beta == 1
        and update != "multiply"
        and terms.fixed is None
        and run.column_weights is None
        and rows >= _FEWEST_GROUPS * 64 // X.itemsize
        and 0 < columns <= _LONGEST_ROW
    )


def default_threads() -> int:
    """Return the number of cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def instruction_set() -> str:
    """Return which clone of the kernels this processor runs."""
    return cast(str, _native.instruction_set())


def csr_kernel(
    shape: Sequence[int],
    indptr: NDArray[np.integer],
    indices: NDArray[np.integer],
    values: FloatArray,
    weights: FloatArray | None = None,
) -> CsrKernel:
    """Check a CSR structure (O(nnz)) and hand it to the kernels without copying its entries.

    Raises
    ------
    ValueError
        If an index is out of range, `indptr` decreases, or lengths disagree.
    """
    wanted = indices.dtype if indices.dtype in (np.int32, np.int64) else np.int64
    return cast(
        CsrKernel,
        _native.csr(
            int(shape[0]),
            int(shape[1]),
            np.ascontiguousarray(indptr, dtype=np.int64),
            np.ascontiguousarray(indices, dtype=wanted),
            np.ascontiguousarray(values),
            None if weights is None else np.ascontiguousarray(weights, dtype=values.dtype),
        ),
    )


def times(X: CsrKernel, F: FloatArray, n_rows: int, n_threads: int) -> FloatArray:
    """Return X F (n_rows × k)."""
    out = np.empty((n_rows, F.shape[1]), F.dtype)
    X.times(F, out, n_threads)
    return cast(FloatArray, out)


def byte_products(rows: NDArray[np.int8], vector: NDArray[np.int16]) -> NDArray[np.int32]:
    """Return rows @ vector (n,), exactly; a quarter of what float32 rows would read.

    Raises
    ------
    ValueError
        The lengths disagree, or a sum might not fit: 128 Σ|vector| must be below 2³¹.
    """
    out = np.empty(len(rows), np.int32)
    _native.byte_products(rows, vector, out)
    return out


def pivot_step_cross(
    cross: FloatArray, gram: NDArray[np.float64], W: FloatArray, terms: Terms, n_threads: int
) -> StepResult:
    """Exact nonnegative least squares of each row from cross products X F (rows × k).

    Of the terms only l1 and l2 count; everything is done in float64.
    """
    return StepResult(
        *_native.pivot_step_cross(
            cross, np.ascontiguousarray(gram, dtype=np.float64), W, terms.l1, terms.l2, n_threads
        )
    )


# --- Half-steps of many runs on one matrix: each gets the bits it would get alone, or abreast -----


def gram_steps(
    X: CsrKernel, runs: Sequence[GramRun], terms: Terms, n_threads: int
) -> list[StepResult]:
    """Gram-form half-steps of many runs on sparse rows."""
    tasks = [
        (r.gram.astype(r.F.dtype), r.W, r.sweeps.max_sweeps, r.sweeps.tolerance, r.F) for r in runs
    ]
    results = X.gram_steps(
        tasks, terms.l1, terms.l2, terms.lower, terms.upper, terms.fixed, n_threads
    )
    return [StepResult(*result) for result in results]


def gram_steps_cross(
    cross: FloatArray, runs: Sequence[GramRun], terms: Terms, n_threads: int
) -> list[StepResult]:
    """Gram-form half-steps from the cross products X F of all runs, side by side."""
    call = (
        _native.gram_steps_cross_f32 if cross.dtype == np.float32 else _native.gram_steps_cross_f64
    )
    tasks = [(r.gram.astype(r.W.dtype), r.W, r.sweeps.max_sweeps, r.sweeps.tolerance) for r in runs]
    results = call(
        cross, tasks, terms.l1, terms.l2, terms.lower, terms.upper, terms.fixed, n_threads
    )
    return [StepResult(*result) for result in results]


def extrapolate_runs(
    moves: Sequence[tuple[FloatArray, FloatArray, float]],
    lower: float,
    upper: float,
    n_threads: int,
) -> list[tuple[FloatArray, NDArray[np.float64]]]:
    """Return for each (now, before, reach) a new factor and its Gram matrix.

    The factor is ``now + reach·(now − before)``, moved into the bounds.
    """
    if not moves:
        return []
    single = moves[0][0].dtype == np.float32
    call = _native.extrapolate_runs_f32 if single else _native.extrapolate_runs_f64
    tasks = [(now, before, reach, np.empty_like(now)) for now, before, reach in moves]
    results = call(tasks, lower, upper, n_threads)
    return [(task[3], result[3]) for task, result in zip(tasks, results, strict=True)]


def entry_steps(
    X: CsrKernel | FloatArray,
    runs: Sequence[EntryRun],
    *,
    loss: NativeLoss,
    update: Literal["descend", "multiply", "measure"],
    layout: Layout,
    terms: Terms,
    n_threads: int,
    cautious: bool = False,
    measure: bool = True,
    abreast: bool = False,
) -> list[StepResult]:
    """Entry-form half-steps, or only the measurements of the loss (`update="measure"`).

    `layout` says which entries count: those ``stored`` (all others are missing), the stored
    ones as the ``nonzero`` ones of a matrix whose other entries are observed zeros
    (Kullback–Leibler), or every column (``full``; dense data, or sparse rows spread out).
    `abreast` takes as many runs at a time as a register has lanes: of layout ``nonzero``, without
    weights or fixed entries.
    """
    rows_abreast = isinstance(X, np.ndarray) and all(
        side_by_side(X, run, loss, update, terms) for run in runs
    )
    extras = [(None, None) if rows_abreast else _entry_extras(r.F, layout) for r in runs]
    tasks = [
        (r.F, *extra, r.column_weights, r.W, r.sweeps.max_sweeps, r.sweeps.tolerance)
        for r, extra in zip(runs, extras, strict=True)
    ]
    options = (
        tasks,
        _KINDS[loss.kind],
        loss.beta,
        loss.delta,
        loss.scale,
        loss.floor,
        _UPDATES[update],
        cautious,
        measure,
        terms.l1,
        terms.l2,
        terms.l2_per_entry,
        terms.lower,
        terms.upper,
        terms.fixed,
        n_threads,
    )
    if isinstance(X, np.ndarray):
        single = X.dtype == np.float32
        call = _native.entry_steps_dense_f32 if single else _native.entry_steps_dense_f64
        results = call(X, *options, rows_abreast)
    else:
        results = X.entry_steps(*options, abreast)
    return [StepResult(*result) for result in results]


def _entry_extras(
    F: FloatArray, layout: Layout
) -> tuple[FloatArray | None, NDArray[np.floating] | None]:
    """Return what besides F the layout needs: its transpose, or its column sums."""
    if layout == "full":
        return cast(FloatArray, np.ascontiguousarray(F.T)), None
    if layout == "nonzero":
        return None, np.asarray(F.sum(axis=0, dtype=np.float64), dtype=F.dtype)
    return None, None


# --- The same of one run -------------------------------------------------------------------------


def gram_step(
    X: CsrKernel,
    F: FloatArray,
    gram: NDArray[np.float64],
    W: FloatArray,
    terms: Terms,
    sweeps: Sweeps,
    n_threads: int,
) -> StepResult:
    """Gram-form half-step on sparse rows; `gram` is FᵀF in float64."""
    return gram_steps(X, [GramRun(F, gram, W, sweeps)], terms, n_threads)[0]


def entry_step(
    X: CsrKernel | FloatArray,
    F: FloatArray,
    W: FloatArray,
    *,
    loss: NativeLoss,
    update: Literal["descend", "multiply", "measure"],
    layout: Layout,
    terms: Terms,
    sweeps: Sweeps,
    n_threads: int,
    column_weights: FloatArray | None = None,
    cautious: bool = False,
    measure: bool = True,
) -> StepResult:
    """Entry-form half-step, or only the measurement of the loss; see `entry_steps`."""
    return entry_steps(
        X,
        [EntryRun(F, W, sweeps, column_weights)],
        loss=loss,
        update=update,
        layout=layout,
        terms=terms,
        n_threads=n_threads,
        cautious=cautious,
        measure=measure,
    )[0]
