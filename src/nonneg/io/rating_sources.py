"""Files and frames of ratings into checked, coded triplets: what `read_ratings` reads from.

Both ways end in a `Raw`, whose ratings are finite and not negative and whose ids are not empty.
The fast way looks at whole columns; the place of an error is looked up only once there is one.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import narwhals.stable.v1 as nw
import numpy as np
from numpy.typing import NDArray

from nonneg.errors import FileFormatError, InputError
from nonneg.io.cells import (
    ITEM_NAMES,
    MISSING,
    RATING_NAMES,
    TIME_NAMES,
    USER_NAMES,
    Coder,
    find_column,
    is_number,
    not_a_number,
    to_floats,
)
from nonneg.io.files import (
    PathLike,
    column_blocks,
    numbered_rows,
    ragged,
    read_text,
    sniff_delimiter,
)

__all__ = [
    "Raw",
    "file_ids",
    "find_columns",
    "frame_ids",
    "from_frame",
    "from_text",
    "rating_problem",
]

_ROLES = ("user", "item", "rating", "timestamp")
_SYNONYMS = (USER_NAMES, ITEM_NAMES, RATING_NAMES, TIME_NAMES)
_INTEGER = re.compile(r"-?[0-9]{1,19}")  # most of 19 digits fit int64


class Raw(NamedTuple):
    """Every line or row of the source, coded and checked, duplicates included."""

    users: NDArray[np.int32]
    items: NDArray[np.int32]
    values: NDArray[np.float64]
    user_ids: NDArray[Any]
    item_ids: NDArray[Any]
    timestamps: NDArray[Any] | None
    notes: list[str]


def find_columns(names: Sequence[str], columns: Sequence[str | int] | None, name: str) -> list[int]:
    """Find the places (from 0) of user, item, rating and, if there is one, timestamp."""
    asked: Sequence[object]
    if columns is not None:
        if len(columns) not in (3, 4):
            raise InputError(
                f"columns has {len(columns)} entries: give those of user, item, rating and, "
                "if wanted, timestamp."
            )
        asked = columns
        places = [find_column(names, column) for column in columns]
    else:
        asked = _ROLES
        folded = [column.strip().casefold() for column in names]
        places = [
            next((i for i, column in enumerate(folded) if column in known), None)
            for known in _SYNONYMS
        ]
        if places[3] is None:
            del places[3]
    missing = [str(asked[i]) for i, place in enumerate(places) if place is None]
    if missing:
        raise InputError(
            f"{name} has no column {' and no column '.join(missing)}; it has "
            f"{_listed(names)}. Say which they are with columns=(user, item, rating)."
        )
    found = [place for place in places if place is not None]
    if len(set(found)) < len(found):
        raise InputError(
            f"columns={tuple(columns or ())} names a column twice: give different ones."
        )
    return found


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - 10} more" if len(names) > 10 else ""
    return ", ".join(names[:10]) + more


def from_text(path: PathLike, columns: Sequence[str | int] | None) -> Raw:
    """Read the ratings in a text file."""
    text = read_text(path)
    delimiter = sniff_delimiter(text)
    lines = numbered_rows(text, delimiter, path)
    first, second = next(lines)[1], next(lines, (0, None))[1]
    if len(first) < 3:
        raise FileFormatError(
            f"cannot read '{path}': its first line has {len(first)} cells, not the three of user, "
            "item, rating. Separate the cells by , or ; or | or :: or tab."
        )
    header = _has_header(first, columns)
    notes: list[str] = []
    if header:
        places = find_columns(first, columns, f"'{path}'")
        if second is None:
            raise FileFormatError(f"cannot read '{path}': it has only a header. Add the data.")
    elif columns is not None:
        places = find_columns([str(i + 1) for i in range(len(first))], columns, f"'{path}'")
    else:
        places = [0, 1, 2]
        if len(first) > 3 and is_number(first[3]):
            places.append(3)
        if len(first) > 4:
            notes.append(f"no header: of {len(first)} columns the first {len(places)} were used")
    user_place, item_place, rating_place = places[:3]
    users, items = Coder(strip=True), Coder(strip=True)
    parts: list[tuple[NDArray[Any], ...]] = []
    stamps: list[NDArray[np.float64]] = []
    timed = len(places) == 4
    for block in column_blocks(text, delimiter, path, skip=int(header)):
        try:
            values = to_floats(block[rating_place])
        except ValueError:
            raise _bad_line(text, delimiter, path, places, header) from None
        parts.append((users.encode(block[user_place]), items.encode(block[item_place]), values))
        if timed:
            try:
                stamps.append(to_floats(block[places[3]]))
            except ValueError:
                timed = False
                notes.append("the timestamps are not all numbers: they were left out")
    coded = [np.concatenate(part) for part in zip(*parts, strict=True)]
    # NaN fails the first comparison.
    fine = (coded[2] >= 0).all() and np.isfinite(coded[2]).all()
    if not fine or "" in users.names or "" in items.names:
        raise _bad_line(text, delimiter, path, places, header)
    timestamps = _whole(np.concatenate(stamps)) if timed else None
    ids = file_ids(users), file_ids(items)
    return Raw(coded[0], coded[1], coded[2], *ids, timestamps, notes)


def _has_header(first: Sequence[str], columns: Sequence[str | int] | None) -> bool:
    """Tell a header: it has no numbers in it, or two of the names looked for."""
    cells = [cell.strip().casefold() for cell in first]
    if not any(is_number(cell) and cell not in MISSING for cell in cells):
        return True
    if columns is not None:
        wanted = {str(column).strip().casefold() for column in columns}
        return sum(cell in wanted and not is_number(cell) for cell in cells) > 1
    return sum(not known.isdisjoint(cells) for known in _SYNONYMS) > 1


def _bad_line(
    text: str, delimiter: str, path: PathLike, places: Sequence[int], header: bool
) -> FileFormatError:
    """Build the error for the first line that cannot be used; there must be one."""
    user, item, rating = places[:3]
    lines = numbered_rows(text, delimiter, path)
    first_line, width = 1, 0
    for number, (line, row) in enumerate(lines):
        if not number:
            first_line, width = line, len(row)
        if len(row) != width:
            return ragged(path, line, len(row), first_line, width)
        if header and not number:
            continue
        where = f"cannot read '{path}': line {line}, column"
        for place, role in ((user, "user"), (item, "item")):
            if not row[place].strip():
                return FileFormatError(f"{where} {place + 1}: the {role} is empty. Give its id.")
        problem = rating_problem(row[rating])
        if problem:
            return FileFormatError(f"{where} {rating + 1}: {problem}")
    raise AssertionError("a line was said to be bad, but none is")


def rating_problem(cell: str) -> str:
    """Say what is wrong with the rating in a cell and what to do; "" if nothing."""
    try:
        value = float(to_floats([cell])[0])
    except ValueError:
        return not_a_number(cell).replace("leave the cell empty", "drop the line")
    if np.isnan(value):
        return "the rating is missing. Drop the line: what is not rated need not be listed."
    if np.isinf(value):
        return f"the rating {cell.strip()} is not finite. Correct it or drop the line."
    if value < 0:
        return f"the rating {cell.strip()} is negative. Shift the scale so that it starts at 0."
    return ""


def file_ids(coder: Coder) -> NDArray[Any]:
    """int64 if every id is an integer in its plain spelling, else strings (0104257 keeps its 0)."""
    names = [str(name) for name in coder.names]
    if all(_INTEGER.fullmatch(name) and str(int(name)) == name for name in names):
        with contextlib.suppress(OverflowError):
            return np.array([int(name) for name in names], dtype=np.int64)
    return _objects(names)


def _objects(values: Sequence[object]) -> NDArray[Any]:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def _whole(values: NDArray[np.float64]) -> NDArray[Any]:
    """As int64 where that loses nothing."""
    small = np.abs(values) < 2.0**53  # false for NaN, too
    if small.all() and (values == np.floor(values)).all():
        return values.astype(np.int64)
    return values


def from_frame(
    source: Any,
    columns: Sequence[str | int] | None,
    name: str,
    error: Callable[[str], InputError],
) -> Raw:
    """Read the ratings in a table that narwhals knows; `error` is what bad cells raise."""
    try:
        frame = nw.from_native(source)
        table = frame.collect() if isinstance(frame, nw.LazyFrame) else frame
    except TypeError:
        raise InputError(
            f"cannot read ratings from {name}: give a path or a pandas, polars or pyarrow table."
        ) from None
    except ValueError as why:  # narwhals: two columns have one name
        raise InputError(
            f"cannot read ratings from {name}: {' '.join(str(why).split())}. "
            "Rename or drop columns."
        ) from None
    names = [str(column) for column in table.columns]
    places = find_columns(names, columns, name)
    series = [table[:, place] for place in places]  # names need not be unique or text
    if not len(table):
        raise error(f"{name} is empty: give at least one rating.")
    users, user_ids = _frame_codes(series[0], names[places[0]], name, error)
    items, item_ids = _frame_codes(series[1], names[places[1]], name, error)
    values = _frame_values(series[2], names[places[2]], name, error)
    stamps = series[3].to_numpy() if len(series) > 3 else None
    return Raw(users, items, values, user_ids, item_ids, stamps, [])


def _frame_codes(
    series: Any, column: str, name: str, error: Callable[[str], InputError]
) -> tuple[NDArray[np.int32], NDArray[Any]]:
    empty = series.is_null().to_list()
    listed = series.to_list()
    coder = Coder()
    try:
        codes = coder.encode(listed)
    except TypeError:
        raise error(
            f"{name}: column {column!r} holds lists, not ids. Give names or numbers."
        ) from None
    # Floats of polars may be NaN without being null.
    if any(empty) or any(one == "" or one != one for one in coder.names):
        row = next(i for i, v in enumerate(listed) if empty[i] or v == "" or v != v)
        raise error(f"{name}: row {row + 1}, column {column!r}: the id is empty. Give it.")
    return codes, frame_ids(coder)


def frame_ids(coder: Coder) -> NDArray[Any]:
    """int64 if every id is a whole number that fits, else the ids as they are."""
    ids = coder.names
    if all(type(value) is int for value in ids):
        with contextlib.suppress(OverflowError):
            return np.array(ids, dtype=np.int64)
    return _objects(ids)


def _frame_values(
    series: Any, column: str, name: str, error: Callable[[str], InputError]
) -> NDArray[np.float64]:
    listed = series.to_list()
    try:
        values = np.array(listed, dtype=np.float64)  # None becomes NaN
    except (TypeError, ValueError):
        values = np.full(len(listed), np.nan)
    if not ((values >= 0).all() and np.isfinite(values).all()):
        for row, value in enumerate(listed, start=1):
            problem = rating_problem("" if value is None else str(value))
            if problem:
                raise error(f"{name}: row {row}, column {column!r}: {problem}")
    return values
