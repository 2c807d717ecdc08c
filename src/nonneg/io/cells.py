"""Cells of text into numbers, names into codes, and what to do with a cell given twice.

The three steps that the readers of tables and of ratings share. Numbers are converted a whole
column or row at a time; only when that fails are the cells looked at one by one.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from nonneg.errors import InputError

__all__ = [
    "ITEM_NAMES",
    "MISSING",
    "RATING_NAMES",
    "TIME_NAMES",
    "USER_NAMES",
    "Coder",
    "Duplicates",
    "check_choice",
    "find_column",
    "first_twice",
    "is_number",
    "merge_duplicates",
    "not_a_number",
    "to_floats",
]

Duplicates = Literal["last", "mean", "error"]

#: What the columns of triplets are called, in lower case.
USER_NAMES = frozenset({"user", "userid", "user_id", "uid"})
ITEM_NAMES = frozenset(
    {"item", "itemid", "item_id", "iid", "movie", "movieid", "movie_id", "artistid", "artist_id"}
    | {"book", "bookid", "book_id", "product", "productid", "product_id"}
)
RATING_NAMES = frozenset({"rating", "score", "value", "stars", "weight"})
TIME_NAMES = frozenset({"timestamp", "time", "ts"})

#: Cells that stand for "not measured", in any case and with spaces around them.
MISSING = frozenset({"", "na", "nan", "n/a", "null"})


def check_choice(name: str, value: str, choices: object) -> None:
    """Raise `InputError` unless `value` is one of the strings of the Literal `choices`."""
    known = get_args(choices)
    if value not in known:
        words = ", ".join(f'"{choice}"' for choice in known)
        raise InputError(f'{name}="{value}" is not known: choose one of {words}.')


def _to_float(cell: str) -> float:
    if cell.strip().casefold() in MISSING:
        return np.nan
    if "_" in cell:  # Python reads 1_2 as 12; in a table it is a name
        raise ValueError(cell)
    return float(cell)


def is_number(cell: str) -> bool:
    """Whether a cell is a number or missing."""
    try:
        _to_float(cell)
    except ValueError:
        return False
    return True


def to_floats(cells: Sequence[str]) -> NDArray[np.float64]:
    """Return the cells as float64, missing ones as NaN; ValueError where one is no number."""
    try:
        values = np.array(cells, dtype=np.float64)
    except ValueError:
        return np.array([_to_float(cell) for cell in cells], dtype=np.float64)
    if "_" in "".join(cells):
        raise ValueError("a cell contains '_'")
    return values


def not_a_number(cell: str) -> str:
    """Say what is wrong with a cell that is no finite number, and what to do."""
    shown = repr(cell if len(cell) <= 40 else cell[:37] + "...")
    if "," in cell and is_number(cell.replace(",", ".", 1)):
        return f"{shown} is not a number. Write the decimal point as '.'."
    if cell.split() != [cell] and all(is_number(part) for part in cell.split()):
        return f"{shown} is not a number. Separate the cells by , or ; or | or :: or tab."
    if is_number(cell):
        return f"{shown} is not a finite number. Correct it, or leave the cell empty if unknown."
    return f"{shown} is not a number. Correct it, or leave the cell empty if it is unknown."


class Coder:
    """Names to codes 0, 1, 2, … in the order of their first appearance, over several blocks.

    Parameters
    ----------
    strip : bool, default=False
        Drop white space around the names, which then must be strings.
    """

    def __init__(self, *, strip: bool = False) -> None:
        self._strip = strip
        self._names: dict[Hashable, int] = {}
        self._seen: dict[Hashable, int] = {} if strip else self._names

    @property
    def names(self) -> list[Hashable]:
        """The names so far, the one with code 0 first."""
        return list(self._names)

    def encode(self, cells: Sequence[Hashable]) -> NDArray[np.int32]:
        """Return the codes of `cells`, in their order."""
        seen, names = self._seen, self._names
        for cell in dict.fromkeys(cells):
            if cell not in seen:
                name = str(cell).strip() if self._strip else cell
                seen[cell] = names.setdefault(name, len(names))
        return np.fromiter(map(seen.__getitem__, cells), dtype=np.int32, count=len(cells))


def merge_duplicates(
    rows: NDArray[np.int32],
    columns: NDArray[np.int32],
    values: NDArray[np.float64],
    policy: Duplicates,
) -> tuple[NDArray[np.intp], NDArray[np.float64], int]:
    """One value for each (row, column): where it stands, the values, and how many went.

    Parameters
    ----------
    rows, columns : ndarray of int32, shape (n,)
        Codes from 0.
    values : ndarray of float64, shape (n,)
    policy : {"last", "mean", "error"}
        "error" is as "last": the caller has the words for it and raises when the count is not 0.

    Returns
    -------
    kept : ndarray of intp
        Positions of the last value of each cell, ascending.
    merged : ndarray of float64
        The value at each position of `kept`.
    n_merged : int
        How many values were not kept: n − len(kept).
    """
    width = int(columns.max(initial=-1)) + 1
    keys = rows.astype(np.int64) * width + columns
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    is_last = np.append(ordered[1:] != ordered[:-1], True)[: len(keys)]
    last = np.flatnonzero(is_last)
    if len(last) == len(keys):
        return np.arange(len(keys)), values, 0
    kept = order[last]
    merged = values[kept]
    if policy == "mean":
        starts = np.append(0, last[:-1] + 1)
        merged = np.add.reduceat(values[order], starts) / (last - starts + 1)
    place = np.argsort(kept)
    return kept[place], merged[place], len(keys) - len(kept)


def find_column(names: Sequence[str], column: str | int) -> int | None:
    """Find a column: a number is a place from 1; a text is a name, or else such a number."""
    wanted = str(column).strip()
    if isinstance(column, str):
        if wanted in names:
            return list(names).index(wanted)
        folded = [name.strip().casefold() for name in names]
        if folded.count(wanted.casefold()) == 1:
            return folded.index(wanted.casefold())
    if wanted.isascii() and wanted.isdecimal() and 1 <= int(wanted) <= len(names):
        return int(wanted) - 1
    return None


def first_twice(names: Iterable[str]) -> tuple[int, str]:
    """How many names repeat an earlier one, and the first that does ("" if none)."""
    seen: set[str] = set()
    count, first = 0, ""
    for name in names:
        if name in seen:
            first = first if count else name
            count += 1
        seen.add(name)
    return count, first
