"""Binary and exchange formats of matrices: npy, npz, Matrix Market and Parquet.

Nothing is ever unpickled, and a header that promises more than the file holds is found before
memory is taken for it.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from typing import Any

import numpy as np
import scipy.io
import scipy.sparse
from numpy.typing import NDArray

from nonneg.errors import FileFormatError
from nonneg.io.cells import Coder, Duplicates
from nonneg.io.files import format_suffix, read_bytes, read_parquet
from nonneg.io.text_table import Content, is_long_header, long_content

__all__ = ["read_arrays", "read_mtx", "read_npy", "read_npz", "read_parquet_table"]

# Arrays of an npz file that hold names, not values.
_NAMES = ("row_names", "column_names")
_SPARSE_FORMATS = ("csr", "csc", "coo", "bsr", "dia")
_DAMAGED = (ValueError, OSError, EOFError, KeyError, zipfile.BadZipFile, zlib.error)


def _float_type(dtype: np.dtype[Any]) -> type[np.float32 | np.float64]:
    # Of either byte order; integers may need more digits than float32 has.
    return np.float32 if dtype.kind == "f" and dtype.itemsize <= 4 else np.float64


def _numbers(values: NDArray[Any], source: str) -> NDArray[np.float64] | NDArray[np.float32]:
    """Return a matrix as float32 if it holds floats of up to 32 bits, else as float64."""
    if values.dtype.kind not in "biuf":
        raise FileFormatError(
            f"cannot read '{source}': it holds {values.dtype}, not numbers. Save real numbers."
        )
    if values.ndim != 2:
        raise FileFormatError(
            f"cannot read '{source}': the array has shape {values.shape}, not two dimensions. "
            "Save it as one row a sample, for instance X.reshape(len(X), -1)."
        )
    floats: NDArray[Any] = np.ascontiguousarray(values, dtype=_float_type(values.dtype))
    return floats


def _damaged(source: str, kind: str, error: Exception) -> FileFormatError:
    if "allow_pickle" in str(error) or "Object arrays" in str(error):
        return FileFormatError(
            f"cannot read '{source}': it holds Python objects, and those are never unpickled. "
            "Save an array of numbers, for instance X.astype(float)."
        )
    why = (str(error).splitlines() or [type(error).__name__])[0]
    return FileFormatError(
        f"cannot read '{source}' as {kind}: {why}. Save it again or check its suffix."
    )


def _load_npy(data: bytes, source: str) -> NDArray[Any]:
    """Read the array in the bytes of an npy file, its size checked against its header first."""
    stream = io.BytesIO(data)
    try:
        version = np.lib.format.read_magic(stream)
        if version == (1, 0):
            header = np.lib.format.read_array_header_1_0(stream)
        else:
            header = np.lib.format.read_array_header_2_0(stream)
        shape, _, dtype = header
        if not dtype.hasobject:
            count = 1
            for side in shape:
                count *= int(side)
            if count < 0 or count * dtype.itemsize != len(data) - stream.tell():
                raise ValueError(
                    f"its header promises {count} values of {dtype}, "
                    f"but {len(data) - stream.tell()} bytes follow"
                )
        stream.seek(0)
        values: NDArray[Any] = np.load(stream, allow_pickle=False)
    except _DAMAGED as error:
        raise _damaged(source, "npy", error) from None
    return values


def read_npy(source: str) -> Content:
    """Read the array of an npy file."""
    return Content(_numbers(_load_npy(read_bytes(source), source), source))


def read_arrays(source: str) -> dict[str, NDArray[Any]]:
    """Read the arrays of an npy or npz file, of any number of dimensions, by name."""
    if format_suffix(source) == ".npy":
        return {"values": _load_npy(read_bytes(source), source)}
    arrays = _load_npz(source)
    if not arrays:
        raise FileFormatError(f"cannot read '{source}': it holds no array. Save one in it.")
    return arrays


def _load_npz(source: str) -> dict[str, NDArray[Any]]:
    try:
        with zipfile.ZipFile(io.BytesIO(read_bytes(source))) as archive:
            return {
                name.removesuffix(".npy"): _load_npy(archive.read(name), source)
                for name in archive.namelist()
            }
    except (*_DAMAGED, NotImplementedError, RuntimeError) as error:
        if isinstance(error, FileFormatError):
            raise
        raise _damaged(source, "npz", error) from None


def read_npz(source: str) -> Content:
    """Read the sparse matrix or the only array of an npz file, with `row_names`, `column_names`."""
    arrays = _load_npz(source)
    rows, columns = (_names(arrays.pop(key, None), key, source) for key in _NAMES)
    if "format" in arrays and "shape" in arrays:
        values = _sparse(arrays, source)
    elif len(arrays) == 1:
        return Content(_numbers(next(iter(arrays.values())), source), rows, columns)
    else:
        raise FileFormatError(
            f"cannot read '{source}': it holds {len(arrays)} arrays "
            f"({', '.join(arrays) or 'none'}), not one. Save the one that is wanted alone."
        )
    return Content(values, rows, columns)


def _names(values: NDArray[Any] | None, key: str, source: str) -> tuple[str, ...] | None:
    if values is None:
        return None
    if values.dtype.kind != "U" or values.ndim != 1:
        raise FileFormatError(f"cannot read '{source}': {key} is not a list of strings. Drop it.")
    return tuple(values.tolist())


def _sparse(arrays: dict[str, NDArray[Any]], source: str) -> scipy.sparse.csr_array[Any]:
    """Build what `scipy.sparse.save_npz` wrote; indices are checked before they are used."""
    try:
        kind = arrays["format"].item()
        kind = kind.decode("ascii") if isinstance(kind, bytes) else str(kind)
        shape = tuple(int(side) for side in arrays["shape"])
        data = arrays["data"]
        if kind not in _SPARSE_FORMATS or data.dtype.kind not in "biuf" or len(shape) != 2:
            raise ValueError(f"format {kind}, {data.dtype}, shape {shape} is not supported")
        data = data.astype(_float_type(data.dtype))
        matrix: Any
        if kind == "coo":
            matrix = scipy.sparse.coo_array((data, (arrays["row"], arrays["col"])), shape=shape)
        elif kind == "dia":
            matrix = scipy.sparse.dia_array((data, arrays["offsets"]), shape=shape)
        else:
            build = getattr(scipy.sparse, f"{kind}_array")
            matrix = build((data, arrays["indices"], arrays["indptr"]), shape=shape)
            matrix.check_format(full_check=True)
        return scipy.sparse.csr_array(matrix)
    except (ValueError, TypeError, KeyError, IndexError, OverflowError) as error:
        raise _damaged(source, "a sparse npz", error) from None


def read_mtx(source: str) -> Content:
    """Read a Matrix Market file: "array" gives a dense, "coordinate" a sparse matrix."""
    data = read_bytes(source)
    try:
        matrix = scipy.io.mmread(io.BytesIO(data))
    except (ValueError, OverflowError, TypeError, EOFError) as error:
        raise _damaged(source, "Matrix Market", error) from None
    if isinstance(matrix, np.ndarray):
        return Content(_numbers(matrix, source))
    if matrix.dtype.kind not in "biuf":
        raise FileFormatError(
            f"cannot read '{source}': it holds {matrix.dtype}, not numbers. Save real numbers."
        )
    sparse = scipy.sparse.csr_array(matrix.astype(np.float64))
    merged = matrix.nnz - sparse.nnz
    notes = (f"{merged} duplicate cells: they were added up",) if merged else ()
    return Content(sparse, notes=notes)


def read_parquet_table(source: str, layout: str, duplicates: Duplicates) -> Content:
    """Read a Parquet file as a matrix: wide with names, or long."""
    frame = read_parquet(source)
    names = [str(name) for name in frame.column_names]
    columns = [column.to_numpy() for column in frame.columns]
    if layout == "long" or (layout == "auto" and is_long_header(names)):
        if len(names) != 3:
            raise FileFormatError(
                f"cannot read '{source}' as triplets: it has {len(names)} columns, not the 3 of "
                'row, column, value. Use layout="wide", or keep those three columns.'
            )
        coders = Coder(), Coder()
        coded = [coder.encode(list(map(str, columns[i]))) for i, coder in enumerate(coders)]
        return long_content(
            [*coded, _parquet_column(columns[2], names[2], source)], coders, duplicates, source
        )
    # pandas keeps a named index as the last column __index_level_0__.
    labels = [i for i, name in enumerate(names) if name.startswith("__index_level_")]
    if not labels and columns and columns[0].dtype.kind in "OU":
        labels = [0]
    row_names = tuple(map(str, columns[labels[0]])) if labels else None
    kept = [i for i in range(len(names)) if i not in labels]
    if not kept:
        raise FileFormatError(f"cannot read '{source}': it has no column of numbers. Add some.")
    values = [_parquet_column(columns[i], names[i], source) for i in kept]
    return Content(
        _numbers(np.column_stack(values), source), row_names, tuple(names[i] for i in kept)
    )


def _parquet_column(values: NDArray[Any], name: str, source: str) -> NDArray[Any]:
    """Return one column as floats; nulls, which pyarrow gives as None or NaN, as NaN."""
    if values.dtype.kind == "O":
        bad = [v for v in values if not isinstance(v, (bool, int, float, type(None)))]
        if bad:
            raise FileFormatError(
                f"cannot read '{source}': column {name!r} holds {bad[0]!r}, not a number. "
                "Drop the column or correct it."
            )
    elif values.dtype.kind not in "biuf":
        raise FileFormatError(
            f"cannot read '{source}': column {name!r} holds {values.dtype}, not numbers. Drop it."
        )
    return values.astype(_float_type(values.dtype))
