"""Read anything that holds one matrix into values with names, and write it back.

What a file looks like is decided by its suffix and its cells, by fixed rules that the docstring
of `read_table` states; what was decided on thin evidence is said in `Table.notes`.
"""

from __future__ import annotations

import gzip
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np
import scipy.sparse
from numpy.typing import ArrayLike, NDArray

from nonneg.errors import FileFormatError, InputError, TooLargeError
from nonneg.io.cells import Duplicates, check_choice, first_twice
from nonneg.io.files import PathLike, atomic_write, format_suffix
from nonneg.io.matrix_files import read_mtx, read_npy, read_npz, read_parquet_table
from nonneg.io.text_table import Content, Matrix, is_long_header, read_text_table, wide_layout

__all__ = ["Layout", "Table", "read_table", "write_table"]

Layout = Literal["auto", "wide", "long"]

_TEXT = (".csv", ".tsv", ".tab", ".txt", ".dat", ".data")
_KNOWN = ".csv, .tsv, .tab, .txt, .dat, .data, .mtx (each also as .gz), .npy, .npz or .parquet"


@dataclass(frozen=True)
class Table:
    """A matrix as it stands in a file.

    Attributes
    ----------
    values : ndarray or csr_array, shape (n_rows, n_columns)
        float32 where the file says so, else float64. Empty cells of a wide file are NaN; cells
        that triplets do not name are absent from the csr_array.
    row_names, column_names : tuple of str, or None
        As in the file, duplicates included; None where the file has none.
    source : str
        The path, for messages.
    notes : tuple of str
        What was decided or repaired while reading; empty when nothing was.
    """

    values: Matrix
    row_names: tuple[str, ...] | None
    column_names: tuple[str, ...] | None
    source: str
    notes: tuple[str, ...] = ()


def read_table(
    path: PathLike, *, layout: Layout = "auto", duplicates: Duplicates = "last"
) -> Table:
    r"""Read a matrix with its names from a file; the suffix says how.

    Parameters
    ----------
    path : str or path
        `.csv .tsv .tab .txt .dat .data` (UTF-8; delimiter `,` tab `;` `|` or `::`, found by
        counting) and `.mtx` (Matrix Market), each also as `.gz`; `.npy`; `.npz` with one matrix,
        dense or of `scipy.sparse.save_npz`; `.parquet` (needs `nonneg[parquet]`).
    layout : {"auto", "wide", "long"}, default="auto"
        Of text and Parquet. "wide": one line a row. "long": three columns row, column, value,
        with or without a header. "auto" is long only for exactly three columns under a header
        like row,column,value, user,item,rating or i,j,x, else wide.
    duplicates : {"last", "mean", "error"}, default="last"
        What to do with a cell that triplets give more than once; the count goes to the notes.

    Returns
    -------
    Table

    Raises
    ------
    InputError
        There is no such file, or an option is unknown or does not fit the format.
    FileFormatError
        The content is not what it should be; the message has line and column where there are any.

    Notes
    -----
    In a wide text the first line is a header if a cell after its first is no number. It is one
    in spite of numbers if its first cell is a label (below) or a word above numbers; if its first
    cell is empty before increasing whole numbers, such as years; if it is a word before three or
    more of them, unless the lines below begin with the same word and another number (r1 over r2,
    r3); and if all of it is 0, 1, 2, … or 1, 2, 3, …. Where it could have been meant the other
    way, a note says how it was read. A header one cell shorter than the lines below it has no
    first cell, as R writes it. The first column holds names if it has a header and its
    label is empty or is id, index, name, row, user or sample (also user_id), or if at least half
    of its cells are no numbers. Empty cells, NA, N/A, NaN and null are missing and become NaN; in
    triplets they stay as stored NaN. Lines at the end that have neither a name nor a number,
    which spreadsheets leave behind, are dropped with a note.

    Examples
    --------
    >>> from nonneg.io.table import read_table
    >>> import tempfile, pathlib
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "scores.csv")
    ...     _ = path.write_text("name,Heat,Alien\nAnn,5,\nBob,1,4\n")
    ...     table = read_table(path)
    >>> table.column_names, table.row_names
    (('Heat', 'Alien'), ('Ann', 'Bob'))
    >>> table.values
    array([[ 5., nan],
           [ 1.,  4.]])
    """
    check_choice("layout", layout, Layout)
    check_choice("duplicates", duplicates, Duplicates)
    suffix = format_suffix(path)
    source = os.fspath(path)
    if suffix not in (*_TEXT, ".parquet") and layout == "long":
        raise InputError(f'layout="long" is for text and Parquet files, not {suffix}: drop it.')
    try:
        if suffix in _TEXT:
            content = read_text_table(source, layout, duplicates)
        elif suffix == ".parquet":
            content = read_parquet_table(source, layout, duplicates)
        elif suffix == ".npy":
            content = read_npy(source)
        elif suffix == ".npz":
            content = read_npz(source)
        elif suffix == ".mtx":
            content = read_mtx(source)
        else:
            raise InputError(f"cannot read '{path}': '{suffix}' is no known suffix. Use {_KNOWN}.")
    except MemoryError:
        raise TooLargeError(
            f"cannot read '{path}': it does not fit into memory. Use fewer rows or columns, or "
            "a sparse format (.npz, .mtx)."
        ) from None
    return _checked(content, source)


def _checked(content: Content, source: str) -> Table:
    """Refuse an empty matrix and infinite values; note duplicate names."""
    values = content.values
    if 0 in values.shape:
        raise FileFormatError(
            f"cannot read '{source}': it has {values.shape[0]} rows and {values.shape[1]} columns "
            "of numbers. Check that it holds data below the header."
        )
    stored = values.data if isinstance(values, scipy.sparse.csr_array) else values
    if np.isinf(stored).any():
        where = "a stored value"
        if isinstance(values, np.ndarray):
            row, column = np.argwhere(np.isinf(values))[0] + 1
            where = f"row {row}, column {column}"
        raise FileFormatError(
            f"cannot read '{source}': {where} is infinite. Correct it, or use NaN if unknown."
        )
    notes = list(content.notes)
    sides = (("row", content.row_names), ("column", content.column_names))
    for (side, names), size in zip(sides, values.shape, strict=True):
        if names is not None and len(names) != size:  # only npz keeps them apart
            raise FileFormatError(
                f"cannot read '{source}': {len(names)} {side} names for {size} {side}s. "
                "Save it again with as many."
            )
        count, first = first_twice(names or ())
        if count:
            notes.append(f"{count} {side} names repeat an earlier one, the first is {first!r}")
    return Table(values, content.row_names, content.column_names, source, tuple(notes))


def write_table(
    path: PathLike,
    values: ArrayLike | scipy.sparse.sparray | scipy.sparse.spmatrix[Any],
    *,
    row_names: Sequence[str] | None = None,
    column_names: Sequence[str] | None = None,
    force: bool = False,
) -> Path:
    """Write a matrix with its names so that `read_table` gives the same back.

    Parameters
    ----------
    path : str or path
        `.csv`, `.tsv` (each also as `.gz`), `.npz` (with names) or `.npy` (without).
    values : array_like or sparse, shape (n_rows, n_columns)
        Finite or NaN. A sparse matrix goes to text as triplets row,column,value, since an absent
        cell is not a zero; rows and columns without a name are then called 1, 2, 3, …
    row_names, column_names : sequence of str, optional
        Where one is missing in a text, and the other alone could be taken for data (because the
        names are numbers, say), 1, 2, 3, … are written for it.
    force : bool, default=False
        Replace an existing file.

    Returns
    -------
    Path
        Where it was written.

    Raises
    ------
    OutputExistsError
        There is a file already and `force` is false.
    InputError
        The suffix, the shape, a value or the names cannot be written.
    """
    suffix = format_suffix(path)
    matrix = _matrix(values)
    rows = _name_list(row_names, "row", matrix)
    columns = _name_list(column_names, "column", matrix)
    zipped = Path(path).name.lower().endswith(".gz")
    if suffix not in (".csv", ".tsv") and (zipped or suffix not in (".npy", ".npz")):
        raise InputError(
            f"cannot write '{path}': its suffix says no format. "
            "Use .csv, .tsv (each also as .gz), .npz or .npy."
        )
    if suffix == ".npy" and (isinstance(matrix, scipy.sparse.csr_array) or rows or columns):
        raise InputError(
            f"cannot write '{path}': .npy holds neither names nor sparse matrices. Use .npz."
        )
    if suffix in (".csv", ".tsv") and rows and _ends_blank(matrix, rows):
        raise InputError(
            f"cannot write '{path}': the last row has neither a name nor a value and would be lost "
            "as text · name it, or use .npz"
        )
    with atomic_write(path, force=force) as stream:
        if suffix == ".npy":
            np.save(stream, np.asarray(matrix), allow_pickle=False)
        elif suffix == ".npz":
            np.savez_compressed(stream, allow_pickle=False, **_npz_arrays(matrix, rows, columns))
        elif zipped:
            # No name and no time inside: the same table gives the same bytes.
            with gzip.GzipFile("", "wb", fileobj=stream, mtime=0) as packed:
                _write_text(packed, matrix, rows, columns, "," if suffix == ".csv" else "\t")
        else:
            _write_text(stream, matrix, rows, columns, "," if suffix == ".csv" else "\t")
    return Path(path)


def _ends_blank(matrix: NDArray[Any] | scipy.sparse.csr_array[Any], rows: Sequence[str]) -> bool:
    """Whether a reader takes the last line for the blank one that spreadsheets leave behind."""
    if rows[-1].strip() or not isinstance(matrix, np.ndarray):
        return False
    return bool(np.isnan(matrix[-1].astype(np.float64)).all())


def _matrix(values: Any) -> NDArray[Any] | scipy.sparse.csr_array[Any]:
    matrix: NDArray[Any] | scipy.sparse.csr_array[Any]
    dense = not scipy.sparse.issparse(values)
    matrix = np.asarray(values) if dense else scipy.sparse.csr_array(values)
    if matrix.dtype.kind not in "biuf" or len(matrix.shape) != 2 or 0 in matrix.shape:
        raise InputError(
            f"cannot write values of shape {matrix.shape} and type {matrix.dtype}: "
            "give a matrix of real numbers with at least one row and one column."
        )
    if np.isinf(matrix.data if isinstance(matrix, scipy.sparse.csr_array) else matrix).any():
        raise InputError("cannot write an infinite value: use NaN where a value is unknown.")
    return matrix


def _name_list(names: Sequence[str] | None, side: str, matrix: Any) -> list[str] | None:
    if names is None:
        return None
    size = matrix.shape[0 if side == "row" else 1]
    listed = [str(name) for name in names]
    if len(listed) != size:
        raise InputError(f"{side}_names has {len(listed)} names for {size} {side}s: give {size}.")
    try:
        "".join(listed).encode()
    except UnicodeEncodeError:
        raise InputError(f"{side}_names holds half a surrogate pair: correct it.") from None
    return listed


def _npz_arrays(
    matrix: Any, row_names: list[str] | None, column_names: list[str] | None
) -> dict[str, Any]:
    """Return the arrays of `scipy.sparse.save_npz`, or the matrix as X; with the names."""
    arrays: dict[str, Any] = {"X": matrix}
    if isinstance(matrix, scipy.sparse.csr_array):
        arrays = {"format": b"csr", "shape": matrix.shape, "_is_array": True, "data": matrix.data}
        arrays |= {"indices": matrix.indices, "indptr": matrix.indptr}
    for key, names in (("row_names", row_names), ("column_names", column_names)):
        if names is not None:
            if any(name.endswith("\0") for name in names):  # numpy would drop it
                raise InputError(f"cannot write {key} that end in a NUL: correct them.")
            arrays[key] = np.array(names, dtype=np.str_)
    return arrays


_PLAIN = re.compile(r"[^\s,;|:\"]+(?: [^\s,;|:\"]+)*")


def _quoted(name: str) -> str:
    """Write a name as a cell, in quotes if its delimiters or spaces could mislead a reader."""
    if _PLAIN.fullmatch(name):
        return name
    return '"' + name.replace('"', '""') + '"'


def _counted(size: int) -> list[str]:
    return [str(i + 1) for i in range(size)]


def _write_text(
    stream: BinaryIO | gzip.GzipFile,
    matrix: Any,
    row_names: list[str] | None,
    column_names: list[str] | None,
    delimiter: str,
) -> None:
    if isinstance(matrix, scipy.sparse.csr_array):
        rows = _triplets(matrix, row_names, column_names)
    else:
        rows = _wide(matrix, row_names, column_names)
    for number, row in enumerate(rows):
        line = delimiter.join(row) + "\n"
        if number == 0 and line.startswith("\ufeff"):
            line = "\ufeff" + line  # a reader takes the first for a byte order mark
        stream.write(line.encode())


def _triplets(
    matrix: scipy.sparse.csr_array[Any], row_names: list[str] | None, column_names: list[str] | None
) -> Iterator[list[str]]:
    rows = [_quoted(name) for name in row_names or _counted(matrix.shape[0])]
    columns = [_quoted(name) for name in column_names or _counted(matrix.shape[1])]
    yield ["row", "column", "value"]
    for i, row in enumerate(rows):
        here = slice(matrix.indptr[i], matrix.indptr[i + 1])
        for j, cell in zip(matrix.indices[here], _cells(matrix.data[here]), strict=True):
            yield [row, columns[j], cell]


def _wide(
    matrix: NDArray[Any], row_names: list[str] | None, column_names: list[str] | None
) -> Iterator[list[str]]:
    first = column_names or _cells(matrix[0])
    if row_names is not None and column_names is None:
        first = [row_names[0], *first]
    below = (row_names or _cells(matrix[:, 0]))[0 if column_names else 1 :]
    named = row_names is not None
    if named and column_names is not None:
        first = ["name", *first]
    # Ask the reader: if it would take the names for data, write both sides.
    layout = wide_layout(first, below)
    misread = (layout.header, layout.named) != (column_names is not None, named)
    if (row_names, column_names) == (None, None):
        if misread:  # 0, 1, 2, … would be taken for names, 0.0 is not
            first = _cells(matrix[0].astype(np.float64))
        yield first
        matrix = matrix[1:]
    elif misread or is_long_header(first):
        row_names = row_names or _counted(matrix.shape[0])
        column_names = column_names or _counted(matrix.shape[1])
    if column_names is not None:
        yield [*(["name"] if row_names is not None else []), *map(_quoted, column_names)]
    for i, row in enumerate(matrix):
        label = [_quoted(row_names[i])] if row_names is not None else []
        yield label + _cells(row)


def _cells(values: NDArray[Any]) -> list[str]:
    """Write numbers as the shortest text that reads back as the same number of their type."""
    if values.dtype == np.float64 or values.dtype.kind in "iu":
        cells = [repr(number) for number in values.tolist()]
    elif values.dtype.kind == "b":
        cells = ["1" if value else "0" for value in values]
    else:
        cells = values.astype(np.str_).tolist()
    return ["NaN" if cell == "nan" else cell for cell in cells]
