"""From what users hold to a `DataMatrix`: the checks that every value passes once.

Promotion is fixed: float32 stays; bool, 8- and 16-bit integers and float16 become float32 (which
holds them exactly); all other real numbers become float64. Nothing is imputed: missing
cells are left out of every sum.
"""

from __future__ import annotations

import contextlib
import math
import os
from numbers import Real
from pathlib import Path
from typing import Any, TypeAlias, cast

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from nonneg.core import kernels
from nonneg.core.data import DataMatrix, Dense, Observed, Sparse, row_slices
from nonneg.core.kernels import FloatArray
from nonneg.errors import InputError, TooLargeError

__all__ = [
    "MatrixLike",
    "as_data",
    "available_memory",
    "check_fit_memory",
    "check_memory",
    "fit_memory",
    "is_count",
    "is_nan",
    "sound_csr",
    "working_dtype",
]

MatrixLike: TypeAlias = NDArray[Any] | sp.sparray | sp.spmatrix
# scipy's base classes of sparse matrices name neither `format` nor `data`.
_AnySparse: TypeAlias = Any

# Mean entries within 2^±20 need no scaling: squares and their sums stay inside float32.
_SAFE_EXPONENT = 20
_CGROUP = Path("/sys/fs/cgroup")
# To ask for the free memory takes longer than to allocate this little.
_SMALL_BYTES = 1 << 20
_FEWER = "pass it as such, or use fewer rows and columns"


def is_nan(value: object) -> bool:
    """Return whether `value` is a float NaN."""
    return isinstance(value, Real) and math.isnan(value)


def is_count(value: object, least: int) -> bool:
    """Return whether `value` is a whole number from `least` (True and False are none)."""
    whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    return whole and int(cast(int, value)) >= least


def working_dtype(dtype: np.dtype) -> np.dtype:
    """Return float32 or float64, whichever holds `dtype` as documented above.

    Raises
    ------
    InputError
        For complex, object, string and date types.
    """
    if dtype.kind == "c":
        raise InputError(
            "Complex data not supported · X is complex · nonnegative factors need real numbers: "
            "pass abs(X) or the power spectrum"
        )
    if dtype.kind not in "biuf":
        raise InputError(
            f"X has dtype {dtype} · only numbers can be factorized · encode or drop the columns "
            "that are not numeric"
        )
    small = dtype.itemsize < 4 or dtype.newbyteorder("=") == np.float32
    return np.dtype(np.float32 if small else np.float64)


def available_memory() -> float:
    """Return how many bytes this process may still allocate without swapping.

    What the system calls available (on Linux; else all of its memory), or what is left of the
    limit of the container, whichever is less; infinite where nothing is known.
    """
    found = [math.inf]
    with contextlib.suppress(OSError, ValueError, IndexError):
        text = Path("/proc/meminfo").read_text(encoding="ascii")
        found.append(float(text.split("MemAvailable:")[1].split()[0]) * 1024)
    with contextlib.suppress(OSError, ValueError, IndexError):
        # What the page cache holds for files is given up before the limit bites.
        limit, used, parts = (
            (_CGROUP / name).read_text(encoding="ascii")
            for name in ("memory.max", "memory.current", "memory.stat")
        )
        cached = float(parts.split("inactive_file ")[1].split()[0])
        found.append(float(limit) - float(used) + cached)
    if len(found) == 1:
        with contextlib.suppress(AttributeError, OSError, ValueError):
            found.append(float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")))
    return max(min(found), 0.0)


def check_memory(
    n_bytes: float,
    what: str,
    advice: str = "use fewer components or fewer rows and columns",
    *,
    share: str = "",
) -> None:
    """Raise `TooLargeError` before an allocation that this machine cannot hold.

    `share` says what the largest part of it is for.
    """
    if n_bytes < _SMALL_BYTES:
        return
    available = available_memory()
    if n_bytes > available:
        raise TooLargeError(
            f"{what} would need {n_bytes / 1e9:.1f} GB{share} · this machine has "
            f"{available / 1e9:.1f} GB free · {advice}"
        )


def fit_memory(data: DataMatrix, k: int, *, gram_form: bool) -> dict[str, float]:
    """Return the most bytes that a fit of rank k holds at once, beside `data`.

    `transpose`: X from its other side, if a copy is needed. `factors`: at first the start, up to
    three arrays of k + 10 columns a side, as if in float64: random numbers are drawn in it, but the
    SVD has the dtype of the data, so for float32 this is an upper bound. Later each factor four
    times (now, before, tried, the best of earlier runs) and a cross product in float64.
    `workspace`: Gram matrices, one for each of up to 64 chunks of rows.
    """
    sides, size = sum(data.shape), data.dtype.itemsize
    start = sides * (24.0 * (k + 10) + size * k)
    loop = sides * k * (4.0 * size + 8.0)
    return {
        "transpose": float(data.transpose_bytes(gram_form)),
        "factors": max(start, loop),
        "workspace": 68.0 * 8.0 * k * k,
    }


def check_fit_memory(data: DataMatrix, k: int, *, gram_form: bool) -> None:
    """Raise `TooLargeError` before the first allocation of a fit that will not end well."""
    parts = fit_memory(data, k, gram_form=gram_form)
    transpose = parts["transpose"]
    share = f", {transpose / 1e9:.1f} of it for the transpose of X" if transpose >= 5e7 else ""
    check_memory(sum(parts.values()), f"n_components={k}", share=share)


def as_data(
    X: MatrixLike,
    *,
    missing_values: float = math.nan,
    weights: MatrixLike | None = None,
    n_threads: int | None = None,
    allow_zero: bool = False,
) -> DataMatrix:
    """Check X and hold it as a data matrix.

    Parameters
    ----------
    X : ndarray or scipy sparse, shape (n_samples, n_features)
        Values ≥ 0, or missing.
    missing_values : nan or 0, default nan
        What marks a missing cell. NaN cells of a dense X are missing in any case; with 0, so are
        its zeros, and the absent (and NaN) entries of a sparse one.
    weights : ndarray or scipy sparse, same shape, optional
        Weight ≥ 0 of each cell; 0 means missing.
    n_threads : int, optional
        Threads of its kernels; default: all cores this process may use.
    allow_zero : bool, default False
        Whether a matrix without any positive entry passes (`transform` takes it).

    Raises
    ------
    InputError
        Negative, infinite, complex or non-numeric values, wrong dimensions, nothing observed,
        corrupt sparse structure.
    """
    if not is_nan(missing_values) and (isinstance(missing_values, bool) or missing_values != 0):
        raise InputError(
            f"missing_values={missing_values!r} · only nan and 0 can mark missing cells · replace "
            "the marker by nan first"
        )
    threads = _threads(n_threads)
    zero_is_missing = not is_nan(missing_values)
    if sp.issparse(X):
        data = _from_sparse(X, zero_is_missing, weights, threads)
    else:
        data = _from_dense(_unmasked(X), zero_is_missing, weights, threads)
    if not allow_zero and data.n_observed == 0:
        raise InputError(
            f"X with shape {data.shape} has no observed entry · there is nothing to factorize · "
            "check missing_values and weights"
        )
    if not allow_zero and data.power_sum(1.0) == 0:
        raise InputError(
            f"all {data.n_observed} observed entries of X are 0 · zero has no components · check "
            "that the right table was read"
        )
    return data


def observed_row(values: FloatArray) -> Observed:
    """Hold one row of finite values > 0, all observed: what `as_data` makes of it, unchecked."""
    exponent = _exponent(values, max(values.size, 1))
    indptr, indices = np.array([0, values.size]), np.arange(values.size, dtype=np.int32)
    shape = (1, values.size)
    return Observed(shape, indptr, indices, _rescaled(values, exponent), exponent, 1)


def _unmasked(X: MatrixLike) -> NDArray[np.generic]:
    """Return X as an array, masked cells as NaN."""
    if isinstance(X, np.ma.MaskedArray):
        values = np.asarray(X.data, dtype=working_dtype(X.dtype))
        return np.where(np.ma.getmaskarray(X), values.dtype.type(np.nan), values)
    return np.asarray(X)


def _threads(n_threads: int | None) -> int:
    if n_threads is None:
        return kernels.default_threads()
    if not is_count(n_threads, 1):
        raise InputError(
            f"n_threads={n_threads!r} · it must be a whole number from 1 · or None for all cores"
        )
    return int(n_threads)


def _check_shape(shape: tuple[int, ...]) -> tuple[int, int]:
    if len(shape) != 2:
        raise InputError(
            f"Expected 2D array, got {len(shape)}D array with shape {shape} · X is n_samples × "
            "n_features. Reshape your data: X.reshape(1, -1) for one sample, X.reshape(-1, 1) for "
            "one feature"
        )
    if shape[0] == 0 or shape[1] == 0:
        side = "sample" if shape[0] == 0 else "feature"
        raise InputError(
            f"X has shape {shape}: 0 {side}(s) while a minimum of 1 is required · an empty "
            "table cannot be factorized · check how it was read"
        )
    return shape[0], shape[1]


def _check_values(values: FloatArray, where: _Locator) -> None:
    """Refuse negative and infinite entries, naming how many, the worst and where it is."""
    low = values.min(initial=0.0)
    high = values.max(initial=0.0)
    if math.isnan(low) or math.isnan(high):
        at = int(np.flatnonzero(np.isnan(values))[0])
        raise InputError(
            f"Input X contains NaN: {int(np.isnan(values).sum())} cells, the first at {where(at)} "
            "· NaN cannot be fitted here · mark missing cells by missing_values=nan in a dense X, "
            "or leave them out of a sparse one and use missing_values=0"
        )
    if math.isinf(high) or math.isinf(low):
        at = int(np.flatnonzero(np.isinf(values))[0])
        raise InputError(
            f"Input X contains infinity: {int(np.isinf(values).sum())} cells, the first at "
            f"{where(at)} · no factorization has it · replace those cells or mark them as missing"
        )
    if low < 0:
        at = int(values.argmin())
        raise InputError(
            f"Negative values in data passed to NMF: {int((values < 0).sum())} cells of X, the "
            f"smallest {low:g} at {where(at)} · factors W, H ≥ 0 cannot sum to less than 0 · shift "
            "or clip the data, or mark those cells as missing"
        )


class _Locator:
    """Says "row i, column j" of a position in the stored values."""

    def __init__(
        self,
        n_columns: int,
        indptr: NDArray[np.integer] | None = None,
        indices: NDArray[np.integer] | None = None,
        by_columns: bool = False,
    ) -> None:
        self._n_columns, self._indptr, self._indices = n_columns, indptr, indices
        self._by_columns = by_columns

    def __call__(self, position: int) -> str:
        if self._indptr is None or self._indices is None:
            row, column = divmod(position, self._n_columns)
        else:
            row = int(np.searchsorted(self._indptr, position, side="right")) - 1
            column = int(self._indices[position])
        if self._by_columns:
            row, column = column, row
        return f"row {row}, column {column} (from 0)"


def _exponent(values: FloatArray, n_cells: int) -> int:
    """Return the even e that brings the mean entry near 1 where it is far from it, else 0."""
    peak = float(values.max(initial=0.0))
    if peak == 0:
        return 0
    flat = values.ravel(order="K")  # a view: whatever gets here is contiguous
    shares = (
        float(np.sum(flat[part] / peak, dtype=np.float64)) for part in row_slices((flat.size, 1))
    )
    mean = peak * (sum(shares) / n_cells)
    exponent = math.frexp(mean)[1] if mean > 0 else math.frexp(peak)[1]
    return 0 if abs(exponent) <= _SAFE_EXPONENT else 2 * round(exponent / 2)


def _rescaled(values: FloatArray, exponent: int) -> FloatArray:
    return cast(FloatArray, np.ldexp(values, -exponent)) if exponent else values


def _from_dense(
    X: NDArray[Any], zero_is_missing: bool, weights: MatrixLike | None, n_threads: int
) -> DataMatrix:
    shape = _check_shape(X.shape)
    # Long doubles become float64; one beyond its range turns into infinity, which is refused.
    dtype = working_dtype(X.dtype)
    if X.dtype != dtype or not (X.flags.c_contiguous or X.flags.f_contiguous):
        check_memory(X.size * dtype.itemsize, f"X as contiguous {dtype}", _FEWER)
    with np.errstate(over="ignore"):
        values = cast(FloatArray, np.asarray(X, dtype=dtype, order="K"))
    if not zero_is_missing and weights is None and not np.isnan(values.min()):
        _check_values(values, _Locator(shape[1]))
        if not (values.flags.c_contiguous or values.flags.f_contiguous):
            values = cast(FloatArray, np.ascontiguousarray(values))
        exponent = _exponent(values, values.size)
        return Dense(_rescaled(values, exponent), exponent, n_threads)
    dense_weights = None if weights is None else _dense_weights(weights, shape, values.dtype)

    def seen(rows: slice) -> NDArray[np.bool_]:
        cells = ~np.isnan(values[rows])
        if zero_is_missing:
            cells &= values[rows] != 0
        if dense_weights is not None:
            cells &= dense_weights[rows] > 0
        return cells

    # By blocks of rows, twice: the mask of the whole, and where it is set, would be larger than X.
    indptr = np.zeros(shape[0] + 1, dtype=np.int64)
    for rows in row_slices(shape):
        indptr[1:][rows] = np.count_nonzero(seen(rows), axis=1)
    np.cumsum(indptr, out=indptr)
    n_stored = int(indptr[-1])
    small = max(shape[1], n_stored) <= np.iinfo(np.int32).max
    columns = np.dtype(np.int32 if small else np.int64)
    width = columns.itemsize + dtype.itemsize * (1 if dense_weights is None else 2)
    check_memory(n_stored * width, f"the {n_stored} observed cells of X", _FEWER)
    indices = np.empty(n_stored, columns)
    stored = cast(FloatArray, np.empty(n_stored, dtype))
    chosen = None if dense_weights is None else np.empty_like(stored)
    for rows in row_slices(shape):
        cells = seen(rows)
        part = slice(indptr[rows.start], indptr[rows.start + len(cells)])
        indices[part] = np.nonzero(cells)[1]
        stored[part] = values[rows][cells]
        if chosen is not None and dense_weights is not None:
            chosen[part] = dense_weights[rows][cells]
    _check_values(stored, _Locator(shape[1], indptr, indices))
    exponent = _exponent(stored, max(stored.size, 1))
    return Observed(
        shape, indptr, indices, _rescaled(stored, exponent), exponent, n_threads, chosen
    )


def _dense_weights(weights: MatrixLike, shape: tuple[int, int], dtype: np.dtype) -> FloatArray:
    given = sound_csr(weights, "weights").toarray() if sp.issparse(weights) else np.asarray(weights)
    if given.shape != shape:
        raise InputError(
            f"weights have shape {given.shape} · X has shape {shape} · give one weight a cell"
        )
    _check_weights(given)
    return _narrow_weights(given, dtype)


def _narrow_weights(values: NDArray[np.generic], dtype: np.dtype) -> FloatArray:
    """Return weights in the dtype of X; their sum has to be finite in it."""
    with np.errstate(over="ignore"):
        narrow = values.astype(dtype, copy=False)
        total = narrow.sum(dtype=np.float64)
    if not (np.isfinite(total) and np.isfinite(narrow.max(initial=0.0))):
        raise InputError(
            f"weights up to {float(np.max(values)):g} · their sum overflows in {dtype} · divide "
            "them all by the largest: the unit of weights makes no difference"
        )
    return cast(FloatArray, narrow)


def _check_weights(values: NDArray[np.generic]) -> None:
    if values.dtype.kind not in "biuf":
        raise InputError(
            f"weights have dtype {values.dtype} · weights are numbers ≥ 0 · convert them"
        )
    if values.size and not (np.isfinite(values).all() and values.min() >= 0):
        raise InputError(
            "weights contain negative or non-finite values · a weight is a finite number ≥ 0 · "
            "use 0 for a cell that should not count"
        )


def _from_sparse(
    X: _AnySparse, zero_is_missing: bool, weights: MatrixLike | None, n_threads: int
) -> DataMatrix:
    shape = _check_shape(cast("tuple[int, ...]", X.shape))
    dtype = working_dtype(X.dtype)
    if weights is not None and not zero_is_missing:
        check_memory(shape[0] * shape[1] * 24.0, "weights on a sparse X whose zeros are observed")
        return _from_dense(sound_csr(X).toarray(), False, weights, n_threads)
    if X.format not in ("csr", "csc") or X.dtype != dtype:
        wide = X.nnz * (dtype.itemsize + 8.0)
        check_memory(wide, f"X by rows in {dtype}", "pass it as CSR of that type")
    # What is given by columns is the other side of X already: then the rows are made from it.
    by_columns = X.format == "csc" and weights is None
    X = sound_csr(X, by_columns=by_columns)
    values = cast(FloatArray, X.data.astype(dtype, copy=False))
    indptr, indices = X.indptr, X.indices
    if not zero_is_missing:
        _check_values(values, _Locator(shape[1], indptr, indices, by_columns))
        exponent = _exponent(values, shape[0] * shape[1])
        values = _rescaled(values, exponent)
        whole = Sparse(X.shape, indptr, indices, values, exponent, n_threads)
        return whole.T if by_columns else whole
    keep = (values != 0) & ~np.isnan(values)
    chosen = None
    if weights is not None:
        sparse = sp.issparse(weights)
        weight_csr = sound_csr(weights, "weights") if sparse else np.asarray(weights)
        if weight_csr.shape != shape:
            raise InputError(
                f"weights have shape {weight_csr.shape} · X has shape {shape} · give one weight a "
                "cell"
            )
        picked = cast(FloatArray, np.empty(values.size, dtype))
        for rows in row_slices((shape[0], 1 + values.size // shape[0])):
            counts = np.diff(indptr[rows.start : rows.stop + 1])
            owner = np.repeat(np.arange(rows.start, rows.start + counts.size), counts)
            part = slice(indptr[rows.start], indptr[rows.start] + owner.size)
            block = np.asarray(weight_csr[owner, indices[part]]).ravel()
            _check_weights(block)
            picked[part] = _narrow_weights(block, dtype)
        keep &= picked > 0
        chosen = cast(FloatArray, picked[keep])
    if not keep.all():
        indptr = indptr - np.searchsorted(np.flatnonzero(~keep), indptr)
        indices, values = indices[keep], cast(FloatArray, values[keep])
    _check_values(values, _Locator(shape[1], indptr, indices, by_columns))
    exponent = _exponent(values, max(values.size, 1))
    values = _rescaled(values, exponent)
    observed = Observed(X.shape, indptr, indices, values, exponent, n_threads, chosen)
    return observed.T if by_columns else observed


def sound_csr(X: _AnySparse, name: str = "X", *, by_columns: bool = False) -> _AnySparse:
    """Return X by rows without duplicates, its structure checked before scipy touches it.

    With `by_columns` it is the transpose that is returned by rows: of a CSC X, the same arrays.

    Raises
    ------
    InputError
        If indices lie outside the shape or the arrays disagree; scipy would crash on them.
    """
    if X.format in ("csr", "csc"):
        by_rows = X.shape if X.format == "csr" else X.shape[::-1]
        _check_structure(X, by_rows, X.data.size, name)
    elif X.format == "bsr":
        by_blocks = tuple(side // block for side, block in zip(X.shape, X.blocksize, strict=True))
        _check_structure(X, by_blocks, len(X.data), name)
    elif X.format == "dia" and (X.data.ndim != 2 or X.offsets.shape != X.data.shape[:1]):
        raise _corrupt(X, name, "its diagonals and their offsets differ in number")
    elif X.format == "lil" and any(len(c) != len(v) for c, v in zip(X.rows, X.data, strict=True)):
        raise _corrupt(X, name, "a row has more columns than values, or fewer")
    elif X.format == "coo":
        for side, places in zip(X.shape, (X.row, X.col), strict=True):
            if places.size and not (places.min() >= 0 and places.max() < side):
                raise _corrupt(X, name, "an index lies outside its shape")
    # Small integers would wrap around when duplicates are summed.
    wide = X.astype(working_dtype(X.dtype)) if X.dtype.kind in "biu" else X
    check_memory(8.0 * (X.shape[0] + 1), f"{name} by rows: one pointer for each of {X.shape[0]}")
    if by_columns:
        wide = wide.T
    try:
        csr = wide if wide.format == "csr" else wide.tocsr()
    except ValueError as error:
        raise _corrupt(X, name, error) from None
    if X.format == "lil":
        _check_structure(csr, csr.shape, csr.data.size, name)
    if not csr.has_canonical_format:
        csr = csr.copy()
        csr.sum_duplicates()
    return sp.csr_array((csr.data, csr.indices, csr.indptr), csr.shape)


def _check_structure(X: _AnySparse, shape: tuple[int, ...], n_stored: int, name: str) -> None:
    for part in (X.indptr, X.indices):
        if part.dtype.kind not in "iu" or part.ndim != 1:
            raise _corrupt(X, name, f"indices are {part.ndim}-D of {part.dtype}")
    if X.format != "bsr" and X.data.ndim != 1:
        raise _corrupt(X, name, f"values are {X.data.ndim}-D")
    try:
        kernels.csr_kernel(shape, X.indptr, X.indices, np.zeros(n_stored, np.float32))
    except (ValueError, TypeError) as error:
        raise _corrupt(X, name, error) from None


def _corrupt(X: _AnySparse, name: str, problem: object) -> InputError:
    return InputError(
        f"{name} is a {X.format.upper()} matrix whose structure is corrupt: {problem} · its arrays "
        "and its shape disagree · build it anew, for example from coordinates"
    )
