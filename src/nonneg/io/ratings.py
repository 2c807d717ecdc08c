"""Who rated what with how much: from a file or a data frame to codes and values.

Long format under its common names, MovieLens files with and without a header, and pandas, polars
and pyarrow tables through narwhals. Codes count users and items in the order in which they first
appear; ids are kept so that people can ask with what they know.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from nonneg.errors import FileFormatError, InputError, UnknownNameError
from nonneg.io.cells import Duplicates, check_choice, merge_duplicates
from nonneg.io.files import format_suffix, read_parquet
from nonneg.io.rating_sources import Raw, from_frame, from_text

__all__ = ["Ratings", "read_ratings"]

_NOT_TEXT = (".npy", ".npz", ".mtx", ".xlsx", ".xls", ".h5", ".h5ad", ".zip", ".mat")
# Seconds since 1970 exceed this from March 1973 on; hardly any rating or count does.
_TIMESTAMP = 1e8


@dataclass(frozen=True, eq=False)
class Ratings:
    """Ratings as triplets, one for each (user, item).

    Attributes
    ----------
    users, items : ndarray of int32, shape (n,)
        Codes from 0, in the order of the source.
    values : ndarray of float64, shape (n,)
        Finite and not negative.
    user_ids, item_ids : ndarray, shape (n_users,) and (n_items,)
        The id of each code: int64, or objects (strings, or what the frame held).
    timestamps : ndarray, shape (n,), or None
        int64 or float64 from files; as they are from frames.
    notes : tuple of str
        What was decided or looked odd while reading.
    """

    users: NDArray[np.int32]
    items: NDArray[np.int32]
    values: NDArray[np.float64]
    user_ids: NDArray[Any]
    item_ids: NDArray[Any]
    timestamps: NDArray[Any] | None = None
    notes: tuple[str, ...] = ()

    @property
    def n_users(self) -> int:
        """Number of users."""
        return len(self.user_ids)

    @property
    def n_items(self) -> int:
        """Number of items."""
        return len(self.item_ids)

    def __len__(self) -> int:
        return len(self.values)

    def matrix(self) -> scipy.sparse.csr_array[Any]:
        """Users × items; a rating of 0 is a stored 0, no rating is an absent entry."""
        return scipy.sparse.csr_array(
            (self.values, (self.users, self.items)), shape=(self.n_users, self.n_items)
        )

    def part(self, chosen: NDArray[np.bool_] | NDArray[np.integer]) -> Ratings:
        """Return some of the ratings, with all names."""
        return replace(
            self,
            users=self.users[chosen],
            items=self.items[chosen],
            values=self.values[chosen],
            timestamps=None if self.timestamps is None else self.timestamps[chosen],
        )

    def sorted(self) -> Ratings:
        """Return the same in an order that does not depend on that of the source.

        Ids ascend (numbers before texts), ratings ascend by user and item.
        """
        (user_ids, new_users), (item_ids, new_items) = (
            _ascending(ids) for ids in (self.user_ids, self.item_ids)
        )
        users, items = new_users[self.users], new_items[self.items]
        order = np.lexsort((items, users))
        stamps = None if self.timestamps is None else self.timestamps[order]
        return Ratings(
            users[order], items[order], self.values[order], user_ids, item_ids, stamps, self.notes
        )

    def user_code(self, user: Hashable) -> int:
        """Return the code of a user, given the id or its `str`.

        Raises
        ------
        UnknownNameError
            No user has this id; the message names the nearest ones.
        """
        return _code("user", user, self._user_index, "item", self._item_index)

    def item_code(self, item: Hashable) -> int:
        """Return the code of an item, given the id or its `str`.

        Raises
        ------
        UnknownNameError
            No item has this id; the message names the nearest ones.
        """
        return _code("item", item, self._item_index, "user", self._user_index)

    def user_codes(self, users: object) -> NDArray[np.intp]:
        """Return the codes of one user or several, by id or its `str`; −1 where unknown."""
        return _codes(users, self._user_index)

    def item_codes(self, items: object) -> NDArray[np.intp]:
        """Return the codes of one item or several, by id or its `str`; −1 where unknown."""
        return _codes(items, self._item_index)

    @cached_property
    def _user_index(self) -> dict[Hashable, int]:
        return _index(self.user_ids)

    @cached_property
    def _item_index(self) -> dict[Hashable, int]:
        return _index(self.item_ids)


def _ascending(ids: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.int32]]:
    """Return ids in ascending order, and the new code of each old one."""
    if ids.dtype == object:
        listed = ids.tolist()
        order = np.array(
            sorted(range(len(listed)), key=lambda at: _rank(listed[at])), dtype=np.intp
        )
    else:
        order = np.argsort(ids, kind="stable")
    codes = np.empty(len(ids), dtype=np.int32)
    codes[order] = np.arange(len(ids), dtype=np.int32)
    return ids[order], codes


def _rank(name: object) -> tuple[bool, Any, str]:
    """What mixed ids are sorted by."""
    if isinstance(name, (int, float)):
        return False, name, type(name).__name__
    return True, str(name), type(name).__name__


def _index(ids: NDArray[Any]) -> dict[Hashable, int]:
    """Ids and their strings to codes; where a string is another id, the id wins."""
    listed = ids.tolist()
    index: dict[Hashable, int] = {str(name): code for code, name in enumerate(listed)}
    index.update((name, code) for code, name in enumerate(listed))
    return index


def _find(index: dict[Hashable, int], name: Hashable) -> int | None:
    try:
        found = index.get(name)
    except TypeError:  # not hashable: no id
        return None
    return index.get(str(name).strip()) if found is None else found


def _codes(names: object, index: dict[Hashable, int]) -> NDArray[np.intp]:
    single = isinstance(names, str) or not isinstance(names, Iterable)
    listed = [names] if single else list(cast("Iterable[Any]", names))
    found = [_find(index, name) for name in listed]
    return np.array([-1 if code is None else code for code in found], dtype=np.intp)


def _code(
    kind: str,
    name: Hashable,
    index: dict[Hashable, int],
    other: str,
    others: dict[Hashable, int],
) -> int:
    found = _find(index, name)
    if found is not None:
        return found
    words = [key for key in index if isinstance(key, str)]
    near = difflib.get_close_matches(str(name), words, n=3)
    message = f"{kind} {name!r} is not among the {len(set(index.values()))} {kind}s"
    message += f": did you mean {' or '.join(near)}?" if near else ": check the id."
    if _find(others, name) is not None:
        message += (
            f" There is such an {other}." if other == "item" else f" There is such a {other}."
        )
        message += " If the two columns are swapped, name them with columns=(user, item, rating)."
    raise UnknownNameError(message)


def read_ratings(
    source: object,
    *,
    query: str | None = None,
    columns: Sequence[str | int] | None = None,
    duplicates: Duplicates = "last",
) -> Ratings:
    """Read ratings from a file, a data frame or a database.

    Parameters
    ----------
    source : str, path, or pandas, polars or pyarrow table
        A text file (UTF-8, plain or gzip) with delimiter `,` tab `;` `|` or `::`, a Parquet file
        (needs `nonneg[parquet]`), or a table in memory. A text without a header has the columns
        user, item, rating and, if there is a fourth of numbers, timestamp. With `query` it is the
        address of a database as SQLAlchemy has it (needs `nonneg[sql]`): sqlite:///file.db.
    query : str, optional
        The SQL that selects user, item, rating and, if wanted, timestamp: by name, or in this
        order.
    columns : sequence of str or int, optional
        The columns of user, item, rating and, if wanted, timestamp: names, or places from 1. By
        default they are found by name, in any order and case: user, userId, user_id, uid; item,
        itemId, movieId, iid, artistID, book, product (also with _id); rating, score, value,
        stars, weight; timestamp, time, ts.
    duplicates : {"last", "mean", "error"}, default="last"
        What to do with several ratings of one item by one user; the count goes to the notes.
        "mean" keeps the place and the timestamp of the last.

    Returns
    -------
    Ratings

    Raises
    ------
    FileFormatError
        A rating is no number, not finite or negative, an id is empty, a line has another number
        of cells (line and column are named), or the file is empty or not UTF-8.
    InputError
        A column is missing, the file does not exist, or the source is of an unknown type.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"user": ["Ann", "Bob"], "item": ["Heat", "Heat"], "rating": [5, 3]})
    >>> ratings = read_ratings(frame)
    >>> ratings.n_users, ratings.n_items, ratings.user_code("Bob")
    (2, 1, 1)
    """
    check_choice("duplicates", duplicates, Duplicates)
    if isinstance(columns, str):
        columns = columns.split(",")
    if query is not None:
        from nonneg.io.sql import from_sql

        raw, name = from_sql(cast("str", source), query, columns)
    elif re.match(r"[a-z0-9+_]{3,}:/", str(source) if isinstance(source, (str, Path)) else ""):
        raise InputError(
            "that is the address of a database, without a query · what to read from it is not said "
            '· add query="select user, item, rating from …"'
        )
    elif isinstance(source, (str, os.PathLike)):
        name = f"'{os.fspath(source)}'"
        suffix = format_suffix(source)
        if suffix in _NOT_TEXT:
            raise InputError(
                f"cannot read ratings from {name}: {suffix} is not a list of ratings. "
                "Save columns user, item, rating as .csv or .parquet."
            )
        if suffix == ".parquet":
            raw = from_frame(read_parquet(source), columns, name, FileFormatError)
        else:
            raw = from_text(source, columns)
    else:
        name = f"the {type(source).__name__}"
        raw = from_frame(source, columns, name, InputError)
    return _finish(raw, duplicates, name)


def _finish(raw: Raw, duplicates: Duplicates, name: str) -> Ratings:
    notes = raw.notes
    kept, values, n_merged = merge_duplicates(raw.users, raw.items, raw.values, duplicates)
    if n_merged and duplicates == "error":
        lost = np.setdiff1d(np.arange(len(raw.users)), kept)[0]
        pair = f"user {raw.user_ids[raw.users[lost]]} and item {raw.item_ids[raw.items[lost]]}"
        raise InputError(
            f"{name} holds {n_merged} ratings of an item that the user rates again, the first by "
            f'{pair}. Correct them, or use duplicates="last" or "mean".'
        )
    if n_merged:
        done = "the last one was kept" if duplicates == "last" else "their mean was taken"
        notes.append(f"{n_merged} duplicate ratings: {done}")
    if raw.values.min() >= _TIMESTAMP and np.unique(raw.values).size > 1000:
        notes.append(
            "the ratings look like timestamps (more than 1000 different numbers, none below "
            f"{_TIMESTAMP:.0e}): if so, name the columns with columns=(user, item, rating)"
        )
    stamps = None if raw.timestamps is None else raw.timestamps[kept]
    return Ratings(
        raw.users[kept],
        raw.items[kept],
        values,
        raw.user_ids,
        raw.item_ids,
        stamps,
        tuple(notes),
    )
