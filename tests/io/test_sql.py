"""Ratings from databases: SQLite always, PostgreSQL where a server can be started."""

from __future__ import annotations

import gc
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

from nonneg.apps.recommend import Recommender
from nonneg.errors import InputError
from nonneg.io.ratings import read_ratings

sqlalchemy = pytest.importorskip("sqlalchemy")

ROWS = [
    ("Ann", "Heat", 5.0, 10),
    ("Bob", "Heat", 2.0, 11),
    ("Bob", "Alien", 4.0, 12),
    ("Ann", "Up", 3.0, 13),
    ("Ann", "Heat", 4.0, 14),
]
SELECT = "select who as user, what as item, stars as rating from seen order by at"


@pytest.fixture
def sqlite(tmp_path: Path) -> str:
    path = tmp_path / "shop.db"
    with sqlite3.connect(path) as connection:
        connection.execute("create table seen (who text, what text, stars real, at integer)")
        connection.executemany("insert into seen values (?, ?, ?, ?)", ROWS)
    connection.close()
    return f"sqlite:///{path}"


def as_set(ratings):
    return {
        (ratings.user_ids[u], ratings.item_ids[i], v)
        for u, i, v in zip(ratings.users, ratings.items, ratings.values, strict=True)
    }


EXPECTED = {("Ann", "Heat", 4.0), ("Bob", "Heat", 2.0), ("Bob", "Alien", 4.0), ("Ann", "Up", 3.0)}


def test_a_query(sqlite):
    ratings = read_ratings(sqlite, query=SELECT)
    assert as_set(ratings) == EXPECTED
    assert ratings.timestamps is None
    assert any("1 duplicate" in note for note in ratings.notes)
    assert Recommender(1, random_state=0).fit(ratings).recommend("Bob")[0].item == "Up"


def test_columns_by_place_name_and_order(sqlite):
    by_order = read_ratings(sqlite, query="select who, what, stars, at from seen order by at")
    assert as_set(by_order) == EXPECTED
    assert by_order.timestamps.tolist() == [11, 12, 13, 14]
    named = read_ratings(
        sqlite, query="select * from seen order by at", columns=("who", "what", "stars")
    )
    assert as_set(named) == EXPECTED


def test_whole_number_ids_and_many_blocks(tmp_path, monkeypatch):
    from nonneg.io import sql

    monkeypatch.setattr(sql, "_BLOCK", 7)
    path = tmp_path / "big.db"
    with sqlite3.connect(path) as connection:
        connection.execute("create table r (user integer, item integer, rating integer)")
        connection.executemany(
            "insert into r values (?, ?, ?)",
            [(10**17 + n % 20, n // 20, n % 5) for n in range(100)],
        )
    connection.close()
    ratings = read_ratings(f"sqlite:///{path}", query="select * from r")
    assert len(ratings) == 100
    assert ratings.user_ids.dtype == np.int64
    assert ratings.user_ids.min() == 10**17


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("select * from nowhere", "no such table"),
        ("selec * from seen", "syntax error"),
        ("select who, what from seen", "no column rating"),
        ("select who, what, stars from seen where stars > 9", "no rows"),
        ("create table t (a text)", "selects nothing"),
        ("select who, what, 'good' as rating from seen", "row 1.*not a number"),
        ("select who, what, null as rating from seen", "row 1.*missing"),
        ("select who, what, -stars as rating from seen", "row 1.*negative"),
        (
            "select null as user, what as item, stars as rating from seen",
            "row 1: the user is empty",
        ),
    ],
)
def test_queries_that_give_no_ratings(sqlite, query, words):
    with pytest.raises(InputError, match=words):
        read_ratings(sqlite, query=query)


def test_addresses_that_lead_nowhere(tmp_path):
    with pytest.raises(InputError, match="not there"):
        read_ratings(f"sqlite:///{tmp_path}/none.db", query=SELECT)
    assert not (tmp_path / "none.db").exists()
    with pytest.raises(InputError, match="address"):
        read_ratings("nonsense", query=SELECT)
    with pytest.raises(InputError, match="address"):
        read_ratings("fancydb://host/name", query=SELECT)


def test_without_sqlalchemy(monkeypatch, sqlite):
    monkeypatch.setitem(sys.modules, "sqlalchemy", None)
    with pytest.raises(InputError, match=r"nonneg\[sql\]"):
        read_ratings(sqlite, query=SELECT)


# --- a real server -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def server():
    """A PostgreSQL of our own, on a free port, gone afterwards."""
    pytest.importorskip("psycopg")
    initdb, ctl = shutil.which("initdb"), shutil.which("pg_ctl")
    if initdb is None or ctl is None:
        pytest.skip("PostgreSQL is not installed")
    # The server refuses to run as root, and nobody may not enter the folders of pytest.
    user = "nobody" if os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp())
    if user:
        shutil.chown(folder, user)
    data = folder / "data"

    def call(*command: object, check: bool = True) -> None:
        words = [str(word) for word in command]
        quiet = subprocess.DEVNULL
        subprocess.run(words, check=check, user=user, cwd=folder, stdout=quiet, stderr=quiet)

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    call(initdb, "-D", data, "-U", "tester", "-A", "trust")
    options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"
    call(ctl, "-D", data, "-o", options, "-w", "-l", folder / "log", "start")
    url = f"postgresql+psycopg://tester@127.0.0.1:{port}/postgres"
    try:
        engine = sqlalchemy.create_engine(url)
        with engine.begin() as connection:
            connection.execute(
                sqlalchemy.text(
                    "create table seen (who text, what text, stars numeric, at integer)"
                )
            )
            for who, what, stars, at in ROWS:
                connection.execute(
                    sqlalchemy.text("insert into seen values (:who, :what, :stars, :at)"),
                    {"who": who, "what": what, "stars": stars, "at": at},
                )
        engine.dispose()
        yield url, lambda: call(ctl, "-D", data, "-m", "immediate", "stop")
    finally:
        call(ctl, "-D", data, "-m", "immediate", "stop", check=False)
        shutil.rmtree(folder)


def test_postgresql(server):
    url, _ = server
    query = 'select who as "user", what as item, stars as rating from seen order by at'
    assert as_set(read_ratings(url, query=query)) == EXPECTED
    with pytest.raises(InputError, match="does not exist"):
        read_ratings(url, query="select * from nowhere")


def test_a_database_that_goes_away_half_way(server, monkeypatch):
    url, stop = server
    from nonneg.io import sql

    monkeypatch.setattr(sql, "_BLOCK", 1000)
    encode = sql.Coder.encode
    stopped = []

    def stopping(self, cells):
        if not stopped:
            stopped.append(True)
            stop()
        return encode(self, cells)

    monkeypatch.setattr(sql.Coder, "encode", stopping)
    query = 'select g % 1000 as "user", g as item, 1 as rating from generate_series(1, 2000000) g'
    with pytest.raises(InputError, match="nothing was kept"):
        read_ratings(url, query=query)


def test_nothing_is_left_open(server):
    gc.collect()  # a cursor that was forgotten would warn, and warnings are errors
