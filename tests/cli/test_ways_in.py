"""The same ratings as a frame, a file and a query, in Python and on the command line.

Whatever they are, the three agree, and the answer is a finite number or one line that says why not.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from nonneg.apps.recommend import Recommender
from nonneg.errors import InputError
from nonneg.io.ratings import read_ratings

from .conftest import Run

Rows = list[tuple[Any, Any, float]]


def grid(
    user: Callable[[int], Any], item: Callable[[int], Any], value: Callable[..., float]
) -> Rows:
    pairs = [(u, i) for u in range(6) for i in range(5) if (u + i) % 4]
    return [(user(u), item(i), value(u, i)) for u, i in pairs]


def stars(u: int, i: int) -> float:
    return 1.0 + (u * i) % 5


GOOD = {
    "ids of 10^18": grid(lambda u: 10**18 + u, lambda i: 9 * 10**18 + i, stars),
    "ids below 0": grid(lambda u: -u, int, stars),
    "texts": grid(lambda u: f"u {u}é", lambda i: f'"i",{i}', stars),
    "mixed": grid(lambda u: u if u % 2 else f"u{u}", lambda i: i if i % 2 else f"i{i}", stars),
    "constant": grid(int, int, lambda u, i: 3.0),
    "zeros": grid(int, int, lambda u, i: 0.0),
    "one": [(1, 1, 4.0)],
    "one user": [(1, i, float(i)) for i in range(1, 6)],
    "one item": [(u, 1, float(u)) for u in range(1, 6)],
}
BAD = {
    "negative": (grid(int, int, lambda u, i: -1.0), "negative"),
    "NaN": (grid(int, int, lambda u, i: float("nan") if u == i else 2.0), "missing"),
    "infinite": (grid(int, int, lambda u, i: float("inf") if u == i else 2.0), "not finite"),
    "none": ([], "empty|only a header|no rows"),
    "tiny": (grid(int, int, lambda u, i: 1e-300 * (1 + i)), "multiply the ratings"),
    "huge": (grid(int, int, lambda u, i: 1e300 * (1 + i)), "divide the ratings"),
}


def ways(rows: Rows, folder: Path) -> dict[str, tuple[Any, dict[str, str], list[str]]]:
    """Source, options of `read_ratings` and arguments of a command, of each way in."""
    frame = pd.DataFrame(rows, columns=["user", "item", "rating"])
    file, database = folder / "ratings.csv", folder / "ratings.db"
    frame.to_csv(file, index=False)
    with sqlite3.connect(database) as connection:
        connection.execute("create table r (user, item, rating)")
        connection.executemany("insert into r values (?, ?, ?)", rows)
    connection.close()
    query, url = "select user, item, rating from r", f"sqlite:///{database}"
    return {
        "frame": (frame, {}, []),
        "file": (str(file), {}, [str(file)]),
        "sql": (url, {"query": query}, ["--from", url, "--query", query]),
    }


@pytest.mark.parametrize("name", GOOD)
def test_all_ways_agree(name: str, run: Run, tmp_path: Path) -> None:
    rows = GOOD[name]
    found = []
    for source, options, arguments in ways(rows, tmp_path).values():
        ratings = read_ratings(source, **options)
        model = Recommender(2, n_models=1, random_state=0).fit(ratings)
        estimates = model.predict([u for u, _, _ in rows], [i for _, i, _ in rows])
        assert np.isfinite(estimates).all()
        found.append(estimates)
        if name != "mixed":
            assert ratings.user_ids.dtype == (object if name == "texts" else np.int64)
        if not arguments:
            continue
        command = ["recommend", *arguments, "--models", 1, "-k", 2, f"--user={rows[0][0]}"]
        facts = run(*command, f"--item={rows[0][1]}", "--json").json
        assert facts["estimate"] == pytest.approx(estimates[0], rel=1e-9)
        run(*command)
    if name != "mixed":  # there a file has texts only, which are in another order
        for estimates in found[1:]:
            np.testing.assert_array_equal(estimates, found[0])


@pytest.mark.parametrize("name", BAD)
def test_one_line_says_why_not(name: str, fails: Callable[..., str], tmp_path: Path) -> None:
    rows, words = BAD[name]
    for source, options, arguments in ways(rows, tmp_path).values():
        with pytest.raises(InputError, match=words) as caught:
            Recommender(2, n_models=1, random_state=0).fit(read_ratings(source, **options))
        assert "\n" not in str(caught.value)
        if arguments:
            assert caught.value.args[0][:20] in fails("recommend", *arguments, "--user", 1)
            fails("evaluate", *arguments)


@pytest.mark.parametrize(("policy", "value"), [("last", 5.0), ("mean", 3.0), ("error", None)])
def test_duplicates(
    policy: str, value: float | None, run: Run, fails: Callable[..., str], tmp_path: Path
) -> None:
    rows = [(1, 1, 1.0), (1, 1, 5.0), (2, 1, 3.0), (2, 2, 4.0)]
    for source, options, arguments in ways(rows, tmp_path).values():
        asked = ["recommend", *arguments, "--user", 2, "--models", 1, "--duplicates", policy]
        if value is None:
            with pytest.raises(InputError, match="user 1 and item 1"):
                read_ratings(source, duplicates="error", **options)
            assert not arguments or "user 1 and item 1" in fails(*asked)
        else:
            ratings = read_ratings(source, duplicates=policy, **options)
            assert sorted(ratings.values) == sorted([value, 3.0, 4.0])
            assert not arguments or json.loads(run(*asked, "--json").out)["n_ratings"] == 3


def test_an_answer_shows_no_password(run: Run, monkeypatch, tmp_path: Path) -> None:
    from nonneg.io import ratings

    frame, _, _ = ways(GOOD["constant"], tmp_path)["frame"]
    read = ratings.read_ratings
    monkeypatch.setattr(ratings, "read_ratings", lambda *_, **__: read(frame))
    for command in (["recommend", "--user", 1], ["evaluate"]):
        url = "postgresql://me:s3cret@host/shop?sslpassword=s3cret"
        outcome = run(*command, "--from", url, "--query", "select", "--json", "--models", 1)
        assert "s3cret" not in outcome.out + outcome.err
        assert outcome.json["source"] == "postgresql://me:***@host/shop"
