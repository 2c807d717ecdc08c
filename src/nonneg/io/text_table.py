"""Delimited text into a matrix with names: wide (one line a row) or long (triplets).

Rows are converted a line (wide) or a block of lines (long) at a time by numpy; places are only
looked up when a conversion fails, for the message.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from string import digits
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from nonneg.errors import FileFormatError
from nonneg.io.cells import (
    ITEM_NAMES,
    RATING_NAMES,
    USER_NAMES,
    Coder,
    Duplicates,
    is_number,
    merge_duplicates,
    not_a_number,
    to_floats,
)
from nonneg.io.files import column_blocks, numbered_rows, ragged, read_text, sniff_delimiter

__all__ = [
    "Content",
    "Matrix",
    "WideLayout",
    "is_long_header",
    "long_content",
    "read_text_table",
    "wide_layout",
]

Matrix = NDArray[np.float64] | NDArray[np.float32] | scipy.sparse.csr_array[Any]

# A header of exactly three columns is that of triplets if each name is in its set.
_TRIPLE = (
    {"row", "i", *USER_NAMES},
    {"column", "col", "j", *ITEM_NAMES},
    {"x", "count", *RATING_NAMES},
)
# A first column under one of these holds names, even where they are numbers.
_NAME_LABELS = {"id", "index", "name", "row", "user", "userid", "user_id", "sample", "unnamed: 0"}
# Two numbers rise by chance, and a line 0, 1 or 1, 2 is common in data.
_FEWEST_COUNTED = 3
_MOST_DIGITS = 18


class Content(NamedTuple):
    """What a reader found: the fields of `Table` without the source."""

    values: Matrix
    row_names: tuple[str, ...] | None = None
    column_names: tuple[str, ...] | None = None
    notes: tuple[str, ...] = ()


class WideLayout(NamedTuple):
    """How a wide text is to be read; `doubtful` where its first line could be the other thing."""

    header: bool
    named: bool
    doubtful: bool = False


def is_long_header(cells: Sequence[str]) -> bool:
    """Whether these are the three names of a file of triplets."""
    return len(cells) == 3 and all(
        cell.strip().casefold() in names for cell, names in zip(cells, _TRIPLE, strict=True)
    )


def wide_layout(first: Sequence[str], below: Sequence[str]) -> WideLayout:
    """Tell whether a wide text has a header and row names, and how surely.

    Parameters
    ----------
    first : sequence of str
        The cells of the first line.
    below : sequence of str
        The first cells of all other lines.
    """
    corner, others = first[0].strip(), [cell.strip() for cell in first[1:]]
    if not others:
        return WideLayout(not is_number(corner), False)
    if corner.casefold() in _NAME_LABELS:
        return WideLayout(True, True)
    worded = sum(not is_number(cell) for cell in below)
    filled = sum(cell.strip() != "" for cell in below)
    mostly_words = bool(worded and 2 * worded >= filled)
    if not all(map(is_number, others)):
        return WideLayout(True, corner == "" or mostly_words)
    # Numbers only, but for the corner: names such as years, or the first line of the data.
    if not below:
        return WideLayout(False, not is_number(corner))
    if corner == "":
        header = _counts_up(others) or (len(others) > 1 and _increases(others))
        return WideLayout(header, header or mostly_words, doubtful=header)
    if is_number(corner):
        row = [corner, *others]
        header = len(row) >= _FEWEST_COUNTED and _counts_up(row)
        return WideLayout(header, mostly_words, doubtful=_increases(row))
    names_numbers = bool(filled and not worded)  # a word over numbers
    increases = _increases(others)
    header = names_numbers or (
        increases and len(others) >= _FEWEST_COUNTED and not _numbered_alike(corner, below)
    )
    return WideLayout(header, True, doubtful=header or increases)


def _counts_up(cells: Sequence[str]) -> bool:
    """Whether these count up, from 0 or from 1."""
    return any(cells == [str(start + i) for i in range(len(cells))] for start in (0, 1))


def _increases(cells: Sequence[str]) -> bool:
    """Whether these are whole numbers, each above the one before."""
    if not all(cell.isdecimal() and len(cell) <= _MOST_DIGITS for cell in cells):
        return False
    return all(int(a) < int(b) for a, b in pairwise(cells))


def _numbered_alike(corner: str, below: Sequence[str]) -> bool:
    """Whether the first cells are names of one kind with running numbers, as r1 over r2, r3."""
    prefix = corner.rstrip(digits)
    return prefix != corner and all(cell.strip().rstrip(digits) == prefix for cell in below if cell)


def read_text_table(source: str, layout: str, duplicates: Duplicates) -> Content:
    """Read the matrix in a text file; `layout` is "auto", "wide" or "long"."""
    text = read_text(source)
    delimiter = sniff_delimiter(text)
    first = next(numbered_rows(text, delimiter, source))[1]
    long_header = is_long_header(first)
    if layout == "wide" or (layout == "auto" and not long_header):
        return _read_wide(numbered_rows(text, delimiter, source), source)
    if len(first) != 3:
        raise FileFormatError(
            f"cannot read '{source}' as triplets: it has {len(first)} columns, not the 3 of row, "
            'column, value. Use layout="wide", or keep those three columns.'
        )
    header = long_header or not is_number(first[2])
    rows, columns = Coder(), Coder()
    parts = []
    for block in column_blocks(text, delimiter, source, skip=int(header)):
        try:
            values = to_floats(block[2])
            if np.isinf(values).any():
                raise ValueError
        except ValueError:
            raise _bad_triplet(numbered_rows(text, delimiter, source), header, source) from None
        parts.append((rows.encode(block[0]), columns.encode(block[1]), values))
    if not parts:
        raise FileFormatError(f"cannot read '{source}': it has only a header. Add the data.")
    coded = [np.concatenate(part) for part in zip(*parts, strict=True)]
    return long_content(coded, (rows, columns), duplicates, source)


def _bad_triplet(
    lines: Iterator[tuple[int, list[str]]], header: bool, source: str
) -> FileFormatError:
    for line, row in list(lines)[int(header) :]:
        if not is_number(row[2]) or np.isinf(to_floats(row[2:])).any():
            return FileFormatError(
                f"cannot read '{source}': line {line}, column 3: {not_a_number(row[2])}"
            )
    raise AssertionError("a block failed, but none of its cells")


def long_content(
    coded: Sequence[NDArray[Any]], coders: tuple[Coder, Coder], policy: Duplicates, source: str
) -> Content:
    """Build a matrix of triplets: `coded` are row codes, column codes and values, n of each."""
    rows, columns, values = coded
    kept, merged, n_merged = merge_duplicates(rows, columns, values, policy)
    names = [tuple(map(str, coder.names)) for coder in coders]
    notes: tuple[str, ...] = ()
    if n_merged and policy == "error":
        lost = np.setdiff1d(np.arange(len(rows)), kept)[0]
        cell = f"row {names[0][rows[lost]]!r}, column {names[1][columns[lost]]!r}"
        raise FileFormatError(
            f"cannot read '{source}': {n_merged} cells are given more than once, the first is "
            f'{cell}. Correct them, or use duplicates="last" or "mean".'
        )
    if n_merged:
        done = "the last one was kept" if policy == "last" else "their mean was taken"
        notes = (f"{n_merged} duplicate cells: {done}",)
    matrix = scipy.sparse.csr_array(
        (merged, (rows[kept], columns[kept])), shape=(len(names[0]), len(names[1]))
    )
    return Content(matrix, names[0], names[1], notes)


def _read_wide(lines: Iterator[tuple[int, list[str]]], source: str) -> Content:
    first_line, first = next(lines)
    width, shift = len(first), 0  # shift: R's header lacks the corner
    numbers: list[int] = []
    labels: list[str] = []
    parts: list[NDArray[np.float64]] = []
    for line, row in lines:
        if not parts and len(row) == width + 1 and not all(map(is_number, first)):
            width, shift, first_line = width + 1, 1, line
        if len(row) != width:
            raise ragged(source, line, len(row), first_line, width)
        numbers.append(line)
        labels.append(row[0])
        parts.append(_numbers(row[1:], line, 2, source))
    layout = WideLayout(True, True) if shift else wide_layout(first, labels)
    header, named, doubtful = layout
    if not header:
        numbers.insert(0, first_line)
        labels.insert(0, first[0])
        parts.insert(0, _numbers(first[1:], first_line, 2, source))
    if not parts:
        raise FileFormatError(f"cannot read '{source}': it has only a header. Add the data.")
    notes: list[str] = []
    if doubtful and header:
        notes.append(
            f"line {first_line} was read as the names of the columns, though they are numbers; "
            "if it is data, put a line with names above it"
        )
    elif doubtful:
        notes.append(
            f"line {first_line} was read as data: it holds numbers only"
            f"{' after its first cell' if named else ''}; if they name the columns, "
            "head the first column with 'name' or change them to words"
        )
    elif header and not shift and first[0].strip() and is_number(first[0]):
        notes.append(f"line {first_line} was taken as the header, though it begins with a number")
    if named and not labels[-1].strip() and np.isnan(parts[-1]).all() and len(labels) > 1:
        # Spreadsheets leave such lines behind; a row that has a name is kept.
        filled = len(labels)
        while filled > 1 and not labels[filled - 1].strip() and np.isnan(parts[filled - 1]).all():
            filled -= 1
        notes.append(f"{len(labels) - filled} empty lines at the end were left out")
        del labels[filled:], parts[filled:]
    values = np.array(parts, dtype=np.float64)
    if not named:
        values = np.column_stack([_column(labels, numbers, source), values])
    column_names = None
    if header:
        column_names = tuple(first if shift or not named else first[1:])
    return Content(values, tuple(labels) if named else None, column_names, tuple(notes))


def _numbers(cells: Sequence[str], line: int, column: int, source: str) -> NDArray[np.float64]:
    """Read one line's cells as numbers, the first of them in `column`."""
    try:
        values = to_floats(cells)
    except ValueError:
        values = np.array([np.inf])
    if np.isinf(values).any():
        for place, cell in enumerate(cells, start=column):
            if not is_number(cell) or np.isinf(to_floats([cell]))[0]:
                raise FileFormatError(
                    f"cannot read '{source}': line {line}, column {place}: {not_a_number(cell)}"
                ) from None
    return values


def _column(cells: list[str], lines: list[int], source: str) -> NDArray[np.float64]:
    """Read the first column of a file without row names as numbers."""
    try:
        return to_floats(cells)
    except ValueError:
        line, cell = next(
            (line, c) for line, c in zip(lines, cells, strict=True) if not is_number(c)
        )
    raise FileFormatError(
        f"cannot read '{source}': line {line}, column 1: {not_a_number(cell)} If the first column "
        "holds names, head it with 'name'."
    )
