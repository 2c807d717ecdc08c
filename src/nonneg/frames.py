"""From whatever holds a table to a matrix with names: the only place that knows frames.

pandas, polars and pyarrow frames are read through narwhals, none of them being imported here.
Nulls become NaN, which `core/intake.py` takes as missing; everything else about the values
(signs, infinities, promotion of types) is checked there.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple, cast

import narwhals.stable.v1 as nw
import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from nonneg.core.intake import MatrixLike, working_dtype
from nonneg.core.kernels import FloatArray
from nonneg.errors import InputError

__all__ = ["NamedMatrix", "as_named_matrix", "is_frame"]

# Column types that float32 holds exactly; all others become float64 (see `core/intake.py`).
_SMALL = {"Boolean", "Int8", "Int16", "UInt8", "UInt16", "Float16", "Float32"}


class NamedMatrix(NamedTuple):
    """A matrix, and the names of its columns and rows where what it came from had any."""

    values: MatrixLike
    column_names: tuple[str, ...] | None = None
    row_names: tuple[str, ...] | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return cast("NDArray[Any]", self.values).shape


def as_named_matrix(X: object, name: str = "X") -> NamedMatrix:
    """Turn a frame, an array, a sparse matrix or nested lists into a matrix with names.

    Parameters
    ----------
    X : pandas, polars or pyarrow frame, scipy sparse, or anything `numpy.asarray` takes
        Nulls and masked cells become NaN, arrays of Python objects float64.
    name : str, default "X"
        What messages call it.

    Returns
    -------
    NamedMatrix
        Column names of a frame, and the index of a pandas frame, as str; None for plain numbering
        (0, 1, 2, …).

    Raises
    ------
    InputError
        Columns that are not numeric (by name), column names that occur twice, nothing at all, or
        anything that has not two dimensions.
    """
    if is_frame(X):
        matrix = _from_frame(X, name)
    elif sp.issparse(X):
        matrix = NamedMatrix(cast(MatrixLike, X))
    else:
        matrix = NamedMatrix(_unmasked(X) if isinstance(X, np.ma.MaskedArray) else _array(X, name))
    shape: tuple[int, ...] = matrix.shape
    if len(shape) != 2:
        raise InputError(
            f"{name}: Expected 2D array, got {len(shape)}D array ({type(X).__name__} of shape "
            f"{shape}) · {name} is n_samples × n_features. Reshape your data: X.reshape(1, -1) for "
            "one sample, X.reshape(-1, 1) for one feature"
        )
    if 0 in shape:
        side = "sample" if shape[0] == 0 else "feature"
        raise InputError(
            f"{name} has 0 {side}(s) (shape={shape}) while a minimum of 1 is required · an empty "
            "table cannot be factorized · check how it was read"
        )
    return matrix


class _NotNumbersError(InputError, TypeError):
    """Objects that float() refuses: scikit-learn's users expect its TypeError."""


def _array(X: object, name: str) -> NDArray[Any]:
    try:
        array = np.asarray(X)
    except ValueError as error:
        raise InputError(
            f"{name} is no table: {error} · every row needs the same number of values · use nan "
            "for what is missing"
        ) from None
    if array.dtype.kind != "O":
        return array
    try:
        return array.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise _NotNumbersError(
            f"{name} holds objects that are not numbers: {error} · only numbers can be factorized "
            "· encode or drop them, and use nan for what is missing"
        ) from None


def _unmasked(X: np.ma.MaskedArray[tuple[int, ...], np.dtype[np.generic]]) -> FloatArray:
    """Return its values, NaN where they are masked."""
    values = np.asarray(X.data, dtype=working_dtype(X.dtype))
    return cast(FloatArray, np.where(np.ma.getmaskarray(X), values.dtype.type(np.nan), values))


def is_frame(X: object) -> bool:
    """Return whether X is an eager frame, with named columns."""
    return bool(nw.dependencies.is_into_dataframe(X))


def _from_frame(X: object, name: str) -> NamedMatrix:
    if nw.dependencies.is_pandas_dataframe(X):
        names, rows = _names(X.columns), _names(X.index)
        if len(X.columns) and all(getattr(dtype, "fill_value", None) == 0 for dtype in X.dtypes):
            return NamedMatrix(X.sparse.to_coo(), names, rows)
        repeated = X.columns[X.columns.duplicated()].unique()
        if len(repeated):
            raise InputError(
                f"{name} has columns of the same name: {_listed(repeated)} · features are told "
                "apart by their names · rename them, or pass its to_numpy()"
            )
        kinds = list(X.dtypes.unique())
        if all(isinstance(kind, np.dtype) and kind.kind in "biuf" for kind in kinds):
            # One block, not column by column: 300 × 20,000 take 0.04 s instead of 6.5 s.
            dtype = np.result_type(*(working_dtype(kind) for kind in kinds or [np.dtype(float)]))
            return NamedMatrix(X.to_numpy(dtype=dtype), names, rows)
        frame = nw.from_native(X, eager_only=True)
    else:
        frame = nw.from_native(X, eager_only=True, pass_through=False)
        names, rows = tuple(frame.columns), None
    return NamedMatrix(_numeric(frame, name), names, rows)


def _numeric(frame: nw.DataFrame[Any], name: str) -> FloatArray:
    """Return the columns side by side, nulls as NaN, in the narrowest dtype that holds them."""
    columns, strange = [], []
    for label in frame.columns:
        column = frame.get_column(label)
        values = _column(column)
        if values is None:
            strange.append(f"{column.name} ({column.dtype})")
        else:
            columns.append(values)
    if strange:
        raise InputError(
            f"{name} has {len(strange)} column(s) that are not numeric: {_listed(strange)} · only "
            "numbers can be factorized · drop or encode them"
        )
    dtype = np.result_type(np.float32, *columns)
    out = np.empty(frame.shape, dtype=dtype)
    for j, values in enumerate(columns):
        out[:, j] = values
    return cast(FloatArray, out)


def _column(column: nw.Series[Any]) -> FloatArray | None:
    """Return its numbers, or None where it has others than numbers."""
    kind = column.dtype
    if column.null_count() == len(column):
        return np.full(len(column), np.nan, dtype=np.float32)
    if kind.is_numeric() or kind == nw.Boolean:
        if column.null_count() and (kind == nw.Boolean or kind.is_decimal()):
            column = column.cast(nw.Float64)  # as objects they would hold None
        dtype = np.dtype(np.float32 if str(kind) in _SMALL else np.float64)
        return cast(FloatArray, column.to_numpy().astype(dtype))
    if kind == nw.Unknown:
        values = column.to_numpy()
        if values.dtype.kind in "biuf":
            return cast(FloatArray, values.astype(working_dtype(values.dtype)))
    return None


def _names(labels: Iterable[object]) -> tuple[str, ...] | None:
    """Return the labels as str, or None where they only count from 0."""
    names = list(labels)
    if all(isinstance(name, int) for name in names) and names == list(range(len(names))):
        return None
    return tuple(str(name) for name in names)


def _listed(names: Iterable[object], most: int = 5) -> str:
    shown = [str(name) for name in names]
    rest = len(shown) - most
    return ", ".join(shown[:most]) + (f" and {rest} more" if rest > 0 else "")
