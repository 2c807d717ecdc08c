"""Ratings from databases: SQLite always, PostgreSQL where a server can be started."""

from __future__ import annotations

import contextlib
import gc
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
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
        ("", "selects nothing"),
        ("select 1; select 2", "one select"),
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


@pytest.mark.parametrize(
    "query",
    [
        "create table t (a text)",
        "drop table seen",
        "delete from seen",
        "insert into seen values ('Eve', 'Up', 1, 2) returning who, what, stars",
    ],
)
def test_a_query_of_sqlite_changes_nothing(sqlite, query):
    path = Path(sqlite.removeprefix("sqlite:///"))
    before = path.read_bytes()
    with pytest.raises(InputError, match="readonly"):
        read_ratings(sqlite, query=query)
    assert path.read_bytes() == before


@pytest.mark.parametrize("policy", ["last", "mean", "error"])
def test_duplicates(sqlite, policy):
    if policy == "error":
        with pytest.raises(InputError, match="user Ann and item Heat"):
            read_ratings(sqlite, query=SELECT, duplicates="error")
        return
    found = as_set(read_ratings(sqlite, query=SELECT, duplicates=policy))
    assert ("Ann", "Heat", {"last": 4.0, "mean": 4.5}[policy]) in found


def test_colons_and_percents_are_text(sqlite):
    query = (
        "select ' :x 5%' as user, '10:30::a' as item, stars as rating from seen where '%' <> ':y'"
    )
    ratings = read_ratings(sqlite, query=query)
    assert (ratings.user_ids.tolist(), ratings.item_ids.tolist()) == ([" :x 5%"], ["10:30::a"])


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("postgresql+psycopg://me:s3cret@127.0.0.1:port/shop", "address"),
        ("postgresql+psycopg://me:p@s3cret@127.0.0.1/shop", "%40"),
        ("me:s3cret@127.0.0.1", "address"),
        ("http://me:s3cret@127.0.0.1/", "address"),
        ("oracle+nothing://me:s3cret@127.0.0.1/", "address"),
        ("mysql+pymysql://me:s3cret@127.0.0.1:1/d", "driver|cannot read"),
    ],
)
def test_no_message_shows_a_password(url, words):
    with pytest.raises(InputError, match=words) as caught:
        read_ratings(url, query=SELECT)
    assert "s3cret" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_address_without_a_query():
    for source in ("postgresql://me:s3cret@host/shop", Path("sqlite+other://me:s3cret@host/")):
        with pytest.raises(InputError, match="without a query") as caught:
            read_ratings(source)
        assert "s3cret" not in str(caught.value)


def test_things_that_are_no_texts(sqlite):
    with pytest.raises(InputError, match="texts"):
        read_ratings(sqlite, query=5)
    with pytest.raises(InputError, match="texts"):
        read_ratings(Path("file.db"), query=SELECT)


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
def server(repository: Path):
    """The address of the PostgreSQL of NONNEG_TEST_POSTGRES, or of one of our own."""
    pytest.importorskip("psycopg")
    url = os.environ.get("NONNEG_TEST_POSTGRES")
    folder = Path(tempfile.mkdtemp())  # whom the server runs as may not enter those of pytest
    if url is None:
        if not (shutil.which("initdb") or [*Path("/usr/lib/postgresql").glob("*/bin/initdb")]):
            pytest.skip("PostgreSQL is not installed (NONNEG_TEST_POSTGRES may name a server)")
        folder.chmod(0o711)
        command = [repository / ".ci" / "postgres", "start", folder / "server"]
        started = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        url = started.stdout.strip()
    engine = sqlalchemy.create_engine(url)
    rows = [dict(zip(("who", "what", "stars", "at"), row, strict=True)) for row in ROWS]
    try:
        with engine.begin() as connection:
            connection.execute(sqlalchemy.text("drop table if exists seen"))
            connection.execute(sqlalchemy.text("create sequence if not exists counter"))
            connection.execute(
                sqlalchemy.text(
                    "create table seen (who text, what text, stars numeric, at integer)"
                )
            )
            connection.execute(
                sqlalchemy.text("insert into seen values (:who, :what, :stars, :at)"), rows
            )
        engine.dispose()
        yield url
    finally:
        engine.dispose()
        subprocess.run([repository / ".ci" / "postgres", "stop", folder / "server"], check=False)
        shutil.rmtree(folder)


def ask(url: str, query: str) -> list[tuple]:
    engine = sqlalchemy.create_engine(url)
    try:
        with engine.begin() as connection:
            return [tuple(row) for row in connection.execute(sqlalchemy.text(query))]
    finally:
        engine.dispose()


OTHERS = "from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()"


def test_postgresql(server):
    query = 'select who as "user", what as item, stars as rating from seen order by at'
    assert as_set(read_ratings(server, query=query)) == EXPECTED
    mean = read_ratings(server, query=query, duplicates="mean")
    assert as_set(mean) == (EXPECTED - {("Ann", "Heat", 4.0)}) | {("Ann", "Heat", 4.5)}
    with pytest.raises(InputError, match="does not exist"):
        read_ratings(server, query="select * from nowhere")
    with pytest.raises(InputError, match="syntax error"):
        read_ratings(server, query="selec 1")
    whole = read_ratings(server, query="select 7::numeric, at::numeric, stars from seen")
    assert whole.user_ids.dtype == whole.item_ids.dtype == np.int64
    with pytest.raises(InputError, match="lists or documents"):
        read_ratings(
            server, query="select array[1] as user, what as item, stars as rating from seen"
        )
    with pytest.raises(InputError, match="row 1: the rating is missing"):
        read_ratings(server, query="select who, what, null as rating from seen")


@pytest.mark.parametrize(
    "query",
    [
        "delete from seen returning who, what, stars",
        "insert into seen values ('Eve', 'Up', 1, 20) returning who, what, stars",
        "drop table seen",
        "select who, what, nextval('counter') from seen",
        "select 1; drop table seen",
    ],
)
def test_a_query_changes_nothing(server, query):
    before = ask(server, "select * from seen order by at")
    with pytest.raises(InputError, match=r"read-only|syntax error|multiple commands"):
        read_ratings(server, query=query)
    assert ask(server, "select * from seen order by at") == before


def test_the_answer_to_a_wrong_password_does_not_show_it(server):
    address = sqlalchemy.make_url(server).set(password="s3cret", database="none")
    shown = address.render_as_string(hide_password=False)
    for url in (shown, f"{shown}?password=s3cret"):
        with pytest.raises(InputError, match="does not exist") as caught:
            read_ratings(url, query="select 1")
        assert "s3cret" not in str(caught.value)


def test_a_server_that_is_not_there():
    url = "postgresql+psycopg://tester:s3cret@127.0.0.1:1/postgres"
    pytest.importorskip("psycopg")
    with pytest.raises(InputError, match="check that the database runs") as caught:
        read_ratings(url, query="select 1")
    assert "s3cret" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_database_that_goes_away_half_way(server, monkeypatch):
    from nonneg.io import sql

    monkeypatch.setattr(sql, "_BLOCK", 1000)
    encode = sql.Coder.encode
    blocks = []

    def ending(self, cells):
        if len(blocks) == 6:  # in the middle of the fourth block
            found = ask(server, f"select pg_terminate_backend(pid) {OTHERS}")
            assert found == [(True,)]
        blocks.append(len(cells))
        return encode(self, cells)

    monkeypatch.setattr(sql.Coder, "encode", ending)
    query = 'select g % 1000 as "user", g as item, 1 as rating from generate_series(1, 1200000) g'
    with pytest.raises(InputError, match="nothing was kept"):
        read_ratings(server, query=query)
    assert 6 < len(blocks) < 2 * 1200


def test_nothing_is_left_open(server):
    for query in (
        "select who, what, stars from seen",
        "select * from nowhere",
        "select who from seen",
    ):
        with contextlib.suppress(InputError):
            read_ratings(server, query=query)
    deadline = time.monotonic() + 5  # a backend takes a moment to leave
    while (left := ask(server, f"select query {OTHERS}")) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert left == []
    gc.collect()  # a cursor that was forgotten would warn, and warnings are errors
