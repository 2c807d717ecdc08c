"""Names of rows and columns: read from a list, and matched between a model and a new table."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import scipy.sparse

from nonneg.errors import FileFormatError, InputError
from nonneg.io.cells import first_twice
from nonneg.io.files import PathLike, numbered_rows, read_text, sniff_delimiter
from nonneg.io.table import Table
from nonneg.io.text_table import Matrix

__all__ = ["align_columns", "read_labels", "read_names", "read_titles"]

# The genres of MovieLens 100k's u.item, whose columns have no names.
_U_ITEM = [
    "unknown",
    "Action",
    "Adventure",
    "Animation",
    "Children's",
    "Comedy",
    "Crime",
    "Documentary",
    "Drama",
    "Fantasy",
    "Film-Noir",
    "Horror",
    "Musical",
    "Mystery",
    "Romance",
    "Sci-Fi",
    "Thriller",
    "War",
    "Western",
]
_LABEL_COLUMNS = {"genre", "genres", "label", "labels", "tag", "tags", "category", "categories"}
_YEAR = re.compile(r"\((\d{3})\d\)\s*$")
_NO_LABELS = {"", "unknown", "(no genres listed)"}


def read_names(path: PathLike, size: int, side: str) -> tuple[str, ...]:
    """Read the names of a side of a table from a text file (also .gz), one a line.

    Parameters
    ----------
    path : str or path
    size : int
        How many names there must be.
    side : str
        "row" or "column", for messages.

    Raises
    ------
    FileFormatError
        The file has another number of lines, or is empty or not UTF-8.
    """
    lines = read_text(path).rstrip("\r\n").splitlines()
    if len(lines) != size:
        raise FileFormatError(
            f"'{path}' has {len(lines)} names · the table has {size} {side}s · give one name a "
            f"line for each {side}, and no header"
        )
    return tuple(line.strip() for line in lines)


def read_titles(path: PathLike) -> dict[str, str]:
    """Read what items are called: a delimited text (also .gz) with id and title in columns 1, 2.

    Further columns are left alone; the first title of an id counts, and ids keep their spelling.
    A file that is not UTF-8 is read as Latin-1, as MovieLens' movies.dat and u.item are.

    Returns
    -------
    dict of str to str
        Titles by id. Whether they belong to the items at hand is for the caller to see: they do
        not where ``titles.keys().isdisjoint(map(str, ratings.item_ids))``.

    Raises
    ------
    FileFormatError
        A line has no second column, or the file is empty or UTF-16.
    """
    text = read_text(path, fallback="latin-1")
    titles: dict[str, str] = {}
    for line, row in numbered_rows(text, sniff_delimiter(text), path):
        if len(row) < 2:
            raise FileFormatError(
                f"cannot read '{path}': line {line} has no title · the first two columns must be "
                "the id and the title · check the delimiter"
            )
        titles.setdefault(row[0].strip(), row[1].strip())
    return titles


def read_labels(path: PathLike) -> dict[str, tuple[str, ...]]:
    """Read what items are labelled with, from the file that has their titles.

    Labels stand in a column called genres, tags, labels or categories, or in the third of three
    columns, with | between them; MovieLens' u.item has a column of 0 and 1 for each. A title that
    ends with a year in brackets has the decade as a label.

    Returns
    -------
    dict of str to tuple of str
        Labels by id; nothing for items that have none.

    Raises
    ------
    FileFormatError
        The file is empty or UTF-16.
    """
    text = read_text(path, fallback="latin-1")
    rows = [row for _, row in numbered_rows(text, sniff_delimiter(text), path)]
    names = [name.strip().casefold() for name in rows[0]] if rows else []
    place = next((at for at, name in enumerate(names) if name in _LABEL_COLUMNS), None)
    found: dict[str, tuple[str, ...]] = {}
    for row in rows:
        flags = row[-len(_U_ITEM) :]
        if len(row) == 5 + len(_U_ITEM) and set(flags) <= {"0", "1"}:
            labels = [name for name, flag in zip(_U_ITEM, flags, strict=True) if flag == "1"]
        elif place is not None or len(row) == 3:
            at = 2 if place is None else place
            labels = row[at].split("|") if at < len(row) else []
        else:
            labels = []
        labels = [label.strip() for label in labels if label.strip() not in _NO_LABELS]
        year = _YEAR.search(row[1]) if len(row) > 1 else None
        if year:
            labels.append(f"{year[1]}0s")
        if labels:
            found.setdefault(row[0].strip(), tuple(labels))
    return found


def align_columns(table: Table, n_columns: int, names: Sequence[str] | None) -> Table:
    """Return the table with the columns `names`, in this order.

    Where the table or the model has no names, columns are taken by their place. Columns that the
    model does not know are left out with a note. A column that is missing is an error in a
    dense table; in a sparse one it is a column without entries, since triplets name only what
    there is.

    Parameters
    ----------
    table : Table
    n_columns : int
        How many columns the model has.
    names : sequence of str, optional
        How the model calls them.

    Raises
    ------
    InputError
        Columns are missing, names occur twice, or the number of columns differs.
    """
    width = table.values.shape[1]
    if names is None or table.column_names is None or tuple(names) == table.column_names:
        if width != n_columns:
            raise InputError(
                f"'{table.source}' has {width} columns · the model was fitted to {n_columns} · "
                "give a table with the same columns"
            )
        return table
    for who, given in (("the model", names), (f"'{table.source}'", table.column_names)):
        count, first = first_twice(given)
        if count:
            raise InputError(
                f"{who} has the column {first!r} more than once · columns in another order are "
                "matched by name · make the names differ"
            )
    place = {name: j for j, name in enumerate(table.column_names)}
    missing = [name for name in names if name not in place]
    sparse = isinstance(table.values, scipy.sparse.csr_array)
    if len(missing) == len(names) or (missing and not sparse):
        raise InputError(
            f"'{table.source}' lacks {len(missing)} of the {len(names)} columns of the model, "
            f"{missing[0]!r} first · give a table with these columns, or one without names"
        )
    notes = list(table.notes)
    if missing:
        notes.append(
            f"{len(missing)} of the {len(names)} columns of the model are not in the table, "
            f"{missing[0]!r} first: taken as columns without entries"
        )
    extra = width - (len(names) - len(missing))
    if extra:
        known = set(names)
        first = next(name for name in table.column_names if name not in known)
        notes.append(
            f"left out {extra} of {width} columns that the model does not know, {first!r} first"
        )
    values = _take(table.values, [place.get(name, -1) for name in names])
    return replace(table, values=values, column_names=tuple(names), notes=tuple(notes))


def _take(values: Matrix, places: list[int]) -> Matrix:
    """The columns at `places`; −1 is an empty one."""
    known = np.array([j for j in places if j >= 0])
    if len(known) == len(places):
        return values[:, known]
    target = np.array([t for t, j in enumerate(places) if j >= 0])
    taken = scipy.sparse.coo_array(values[:, known])
    row, column = taken.coords
    return scipy.sparse.csr_array(
        (taken.data, (row, target[column])), shape=(values.shape[0], len(places))
    )
