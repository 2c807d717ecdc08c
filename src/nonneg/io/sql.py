"""Ratings from a database, by a query: any that SQLAlchemy speaks to (the extra `sql`).

Rows are fetched in blocks and coded as they come, so that what the database sends need never be in
memory at once. Nothing is returned unless everything came. PostgreSQL and SQLite are told to refuse
changes; no other is told to keep any. No message shows a password.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

import numpy as np

from nonneg.errors import InputError
from nonneg.io.cells import Coder
from nonneg.io.rating_sources import Raw, find_columns, frame_ids, rating_problem

__all__ = ["from_sql", "without_password"]

_BLOCK = 50_000
# Drivers whose package has another name than their module.
_PACKAGES = {"MySQLdb": "mysqlclient", "ibm_db_dbi": "ibm_db"}


def without_password(url: str) -> str:
    """Return an address fit to be shown: without password and options.

    Examples
    --------
    >>> without_password("postgresql+psycopg://me:secret@localhost/shop?sslpassword=secret")
    'postgresql+psycopg://me:***@localhost/shop'
    """
    return re.sub(r"(://[^:/@]*):.*@", r"\1:***@", url).partition("?")[0]


def from_sql(url: str, query: str, columns: Sequence[str | int] | None) -> tuple[Raw, str]:
    """Read the ratings that a query selects; returns them and what to call the source.

    Raises
    ------
    InputError
        SQLAlchemy or the driver is not installed, the database cannot be reached or goes away,
        the query fails or selects nothing, or a cell is no id or rating.
    """
    if not isinstance(url, str) or not isinstance(query, str):
        raise InputError(
            "address and query of a database are texts · other things were given · as "
            'read_ratings("sqlite:///file.db", query="select user, item, rating from seen")'
        )
    try:
        import sqlalchemy
        from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError
    except ModuleNotFoundError:
        raise InputError(
            "reading from a database needs SQLAlchemy · it is not installed · "
            "pip install 'nonneg[sql]'"
        ) from None
    try:
        address = sqlalchemy.make_url(url)
        if "@" in (address.host or ""):
            raise ArgumentError("a password with an unescaped @")
        engine = sqlalchemy.create_engine(address)
    except (ArgumentError, NoSuchModuleError, ValueError):
        raise InputError(
            "cannot read that address of a database · it has the form dialect://user@host/name, "
            "as sqlite:///file.db or postgresql+psycopg://me@localhost/shop, an @ in a password "
            "being %40 · correct it"
        ) from None
    except ModuleNotFoundError as error:
        raise InputError(
            f"the driver {error.name} is not installed · the database needs one · "
            f"pip install {_PACKAGES.get(str(error.name), error.name)}"
        ) from None
    name = f"'{without_password(url)}'"
    backend = address.get_backend_name()
    options: dict[str, Any] = {"stream_results": True}
    if backend == "sqlite":
        _check_file(address.database, name)
    elif backend == "postgresql":
        options["postgresql_readonly"] = True
    # A colon is a colon: there are no parameters to be filled in.
    statement = sqlalchemy.text(query.replace(":", r"\:"))
    try:
        with engine.connect().execution_options(**options) as connection:
            if backend == "sqlite":
                connection.exec_driver_sql("pragma query_only = on")
            result = connection.execute(statement)
            with contextlib.closing(result):
                if not result.returns_rows:
                    raise InputError(
                        f"the query selects nothing from {name} · ratings have columns user, "
                        "item, rating · start it with select"
                    )
                return _coded(list(result.keys()), result.partitions(_BLOCK), columns, name), name
    except SQLAlchemyError as error:
        reason = " ".join(str(getattr(error, "orig", None) or error).split())
        raise InputError(
            f"cannot read ratings from {name}: {reason[:300]} · nothing was kept · check that "
            "the database runs and that the query is one select that it knows, and read again"
        ) from None
    finally:
        engine.dispose()


def _ids(cells: Sequence[Any]) -> Sequence[Any]:
    """Ids as they are; whole numbers of the type numeric as int."""
    if not any(isinstance(cell, Decimal) for cell in cells):
        return cells
    return [
        int(cell) if isinstance(cell, Decimal) and cell == cell.to_integral_value() else cell
        for cell in cells
    ]


def _check_file(database: str | None, name: str) -> None:
    """SQLite would create a file that is not there."""
    from pathlib import Path

    if database and not database.startswith("file:") and not Path(database).exists():
        raise InputError(
            f"{name} is not there · a database to read from has to exist · check the path"
        )


def _coded(
    keys: Sequence[str],
    blocks: Iterator[Sequence[Any]],
    columns: Sequence[str | int] | None,
    name: str,
) -> Raw:
    names = [str(key) for key in keys]
    try:
        places = find_columns(names, columns, name)
    except InputError:
        if columns is not None or len(names) not in (3, 4):
            raise
        places = list(range(len(names)))  # what else would three columns be?
    users, items = Coder(), Coder()
    parts: list[tuple[Any, ...]] = []
    row = 0
    for block in blocks:
        listed = list(zip(*block, strict=True))
        for place, role in zip(places[:2], ("user", "item"), strict=True):
            empty = next((at for at, cell in enumerate(listed[place]) if cell in (None, "")), None)
            if empty is not None:
                raise InputError(
                    f"{name}: row {row + empty + 1}: the {role} is empty · every rating is by "
                    "somebody and of something · leave such rows out of the query"
                )
        try:
            values = np.array(listed[places[2]], dtype=np.float64)
        except (TypeError, ValueError):
            values = np.full(len(block), np.nan)
        if not ((values >= 0).all() and np.isfinite(values).all()):
            for at, cell in enumerate(listed[places[2]], start=row + 1):
                problem = rating_problem("" if cell is None else str(cell))
                if problem:
                    raise InputError(f"{name}: row {at}: {problem}")
        stamps = np.array(listed[places[3]]) if len(places) > 3 else None
        try:
            codes = users.encode(_ids(listed[places[0]])), items.encode(_ids(listed[places[1]]))
        except TypeError:
            raise InputError(
                f"{name}: in the rows from {row + 1} users or items are lists or documents · ids "
                "are texts or numbers · select such columns"
            ) from None
        parts.append((*codes, values, stamps))
        row += len(block)
    if not parts:
        raise InputError(
            f"the query finds no rows in {name} · nothing can be learned from none · widen it"
        )
    coded = [np.concatenate(part) for part in zip(*(part[:3] for part in parts), strict=True)]
    stamps = None if len(places) < 4 else np.concatenate([part[3] for part in parts])
    ids = frame_ids(users), frame_ids(items)
    return Raw(coded[0], coded[1], coded[2], *ids, stamps, [])
