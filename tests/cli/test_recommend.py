"""`nonneg recommend`: lists, reasons, and names that are not in the data."""

from __future__ import annotations

import gzip
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nonneg
from nonneg.apps import ensemble
from nonneg.io.ratings import read_ratings

from .conftest import Run

Fails = Callable[..., str]


@pytest.fixture
def ratings(tmp_path: Path) -> Path:
    """Two tastes: users below 20 like odd items, the others even ones."""
    rng = np.random.default_rng(0)
    lines = ["user,item,rating,timestamp"]
    for user in range(40):
        for item in rng.choice(30, 12, replace=False):
            liked = (item % 2 == 1) == (user < 20)
            lines.append(f"u{user},{item},{rng.choice([4, 5] if liked else [1, 2])},{user}")
    path = tmp_path / "ratings.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def titles(tmp_path: Path) -> Path:
    path = tmp_path / "movies.dat"
    path.write_text("".join(f"{i}::Movie [{i}] (19{50 + i})::Drama\n" for i in range(30)))
    return path


def test_a_list(run: Run, ratings: Path) -> None:
    facts = run("recommend", ratings, "--user", "u3", "-n", 4, "-k", 2, "--json").json
    model = nonneg.Recommender(2, random_state=0).fit(ratings)
    expected = model.recommend("u3", 4)
    assert [found["item"] for found in facts["items"]] == [found.item for found in expected]
    assert [found["estimate"] for found in facts["items"]] == [found.score for found in expected]
    assert all(found["item"] % 2 == 1 for found in facts["items"])
    assert facts["user"] == "u3"
    assert facts["n_rated"] == 12
    assert (facts["n_users"], facts["n_items"], facts["n_ratings"]) == (40, 30, 480)
    assert facts["scale"] == [1, 5]
    assert facts["held_out_error"] == model.error_
    data = read_ratings(ratings)
    first = facts["items"][0]
    assert first["n_ratings"] == int((data.items == data.item_code(first["item"])).sum())
    assert first["title"] is None
    assert facts["saved"] is None


def test_the_same_command_gives_the_same_answer(run: Run, ratings: Path) -> None:
    command = ("recommend", ratings, "--user", "u25", "--json")
    assert run(*command).out == run(*command).out
    assert run(*command, "--threads", 1).json == run(*command, "--threads", 2).json


def test_the_lines_of_a_list(run: Run, ratings: Path, titles: Path) -> None:
    outcome = run("recommend", ratings, "--user", "u3", "-n", 3, "--titles", titles)
    assert "480 ratings by 40 users of 30 items" in outcome.out
    assert "For u3" in outcome.out
    assert "Movie [" in outcome.out
    assert "(19" in outcome.out
    numbered = [line.split()[0] for line in outcome.out.splitlines() if "Movie" in line]
    assert numbered == ["1", "2", "3"]


def test_reasons(run: Run, ratings: Path) -> None:
    model = nonneg.Recommender(2, random_state=0).fit(ratings)
    item = model.recommend("u3")[0].item
    why = model.explain("u3", item)
    command = ("recommend", ratings, "--user", "u3", "--item", item, "-k", 2)
    facts = run(*command, "--json").json
    assert facts["item"] == item
    assert facts["estimate"] == why.estimate
    assert facts["verdict"] == why.verdict == "recommend"
    assert sum(part["contribution"] for part in facts["parts"]) == pytest.approx(why.estimate)
    assert [near["item"] for near in facts["neighbors"]] == [near.item for near in why.neighbors]
    assert sum(near["contribution"] for near in facts["neighbors"]) == pytest.approx(
        facts["neighbor_estimate"]
    )
    outcome = run(*command)
    assert f"Would u3 like item {item}?" in outcome.out
    assert "verdict   recommended" in outcome.out
    assert "a taste for" in outcome.out
    assert "5/12" in outcome.out


def test_reasons_speak_of_titles(run: Run, ratings: Path, titles: Path) -> None:
    command = ("recommend", ratings, "--user", "u3", "--item", 8, "-k", 2, "--titles", titles)
    facts = run(*command, "--json").json
    assert facts["title"] == "Movie [8] (1958)"
    assert facts["verdict"] == "don't recommend"
    tastes = [part for part in facts["parts"] if part["component"] is not None]
    assert all(part["name"].startswith("Movie [") for part in tastes)
    assert all(near["title"].startswith("Movie [") for near in facts["neighbors"])
    outcome = run(*command)
    assert "Would u3 like Movie [8] (1958)?" in outcome.out
    assert "not recommended" in outcome.out


def test_what_is_rated_already(run: Run, ratings: Path) -> None:
    data = read_ratings(ratings)
    own = data.items[data.users == data.user_code("u3")]
    item = int(data.item_ids[own[0]])
    facts = run("recommend", ratings, "--user", "u3", "--item", item, "--json").json
    assert facts["rated"] in (1, 2, 4, 5)
    assert "is what u3 gave already" in run("recommend", ratings, "--user", "u3", "-i", item).out
    everything = run("recommend", ratings, "-u", "u3", "-n", 99, "--rated", "--json").json["items"]
    assert len(everything) == 30
    assert len(run("recommend", ratings, "-u", "u3", "-n", 99, "--json").json["items"]) == 18


def test_nothing_is_left(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "all.csv"
    path.write_text("user,item,rating\na,x,1\na,y,2\nb,x,3\n")
    outcome = run("recommend", path, "--user", "a")
    assert "Nothing is left to recommend" in outcome.out


def test_a_saved_recommender_answers_alike(run: Run, ratings: Path, tmp_path: Path) -> None:
    path = tmp_path / "taste.nonneg"
    outcome = run("recommend", ratings, "-o", path)
    assert outcome.out.splitlines()[-1] == f"Wrote {path}"
    asked = ("--user", "u7", "--json")
    fresh, saved = (run("recommend", source, *asked).json for source in (ratings, path))
    assert fresh.pop("source") != saved.pop("source")
    assert fresh == saved
    facts = run("show", path, "--top", 3, "--json").json
    assert facts["n_ratings"] == 480
    assert [len(component["items"]) for component in facts["components"]] == [3] * 20
    assert "480 ratings by 40 users" in run("show", path).out


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["-k", 20], "apply -k ·"),
        (["--components", 3, "--seed", 0], "apply -k, --seed ·"),
        (["--columns", "a,b,c", "--duplicates", "mean"], "apply --columns, --duplicates ·"),
    ],
)
def test_a_saved_recommender_has_learned_already(
    run: Run, fails: Fails, ratings: Path, tmp_path: Path, options: list[object], told: str
) -> None:
    path = tmp_path / "taste.nonneg"
    run("recommend", ratings, "-k", 2, "-o", path)
    message = fails("recommend", path, "--user", "u7", *options)
    assert told in message
    assert "has learned already" in message
    run("recommend", path, "--user", "u7", "--threads", 1)


def test_an_interrupted_fit_is_no_answer(
    run: Run, ratings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alternate_runs = ensemble.alternate_runs

    def pressed(*arguments: Any, **options: Any) -> list[Any]:
        runs = alternate_runs(*arguments, **options)
        runs[-1].status = nonneg.Status.INTERRUPTED
        return runs

    monkeypatch.setattr(ensemble, "alternate_runs", pressed)
    path = tmp_path / "taste.nonneg"
    outcome = run("recommend", ratings, "-o", path, code=130)
    assert outcome.err == "interrupted: nothing was written\n"
    assert not path.exists()
    with pytest.raises(KeyboardInterrupt):
        nonneg.Recommender(2, random_state=0).fit(ratings)


def test_a_model_of_another_kind(fails: Fails, model: Path) -> None:
    assert "is a saved NMF" in fails("recommend", model, "--user", "u1")


def test_a_recommender_has_no_table(
    fails: Fails, run: Run, ratings: Path, counts: Path, tmp_path: Path
) -> None:
    path = tmp_path / "taste.nonneg"
    run("recommend", ratings, "-o", path)
    message = fails("transform", path, counts, "-o", tmp_path / "W.csv")
    assert "is a saved Recommender" in message


@pytest.mark.parametrize(
    ("name", "lines", "user"),
    [
        ("u.data.gz", ["196\t242\t3\t881250949", "186\t302\t3\t891717742"], "196"),
        ("ratings.dat", ["1::1193::5::978300760", "2::661::3::978302109"], "2"),
        ("ml.csv", ["userId,movieId,rating", "7,x,4.5", "8,y,1"], "7"),
    ],
)
def test_formats(run: Run, tmp_path: Path, name: str, lines: list[str], user: str) -> None:
    path = tmp_path / name
    text = "\n".join(lines).encode()
    path.write_bytes(gzip.compress(text) if name.endswith(".gz") else text)
    facts = run("recommend", path, "--user", user, "--json").json
    assert len(facts["items"]) == 1
    assert str(facts["user"]) == user


def test_columns_by_name_and_place(run: Run, fails: Fails, tmp_path: Path) -> None:
    path = tmp_path / "odd.csv"
    path.write_text("grade,who,what\n5,a,x\n2,a,y\n4,b,x\n")
    message = fails("recommend", path, "--user", "a")
    assert "Say which they are with --columns user,item,rating." in message
    for columns in ("who,what,grade", "2,3,1"):
        facts = run("recommend", path, "--user", "b", "--columns", columns, "--json").json
        assert [found["item"] for found in facts["items"]] == ["y"]


def test_duplicates_are_counted(run: Run, fails: Fails, tmp_path: Path) -> None:
    path = tmp_path / "twice.csv"
    path.write_text("user,item,rating\na,x,1\na,x,5\nb,y,3\n")
    assert "1 duplicate ratings" in run("recommend", path, "--user", "a").err
    message = fails("recommend", path, "--user", "a", "--duplicates", "error")
    assert "user a and item x" in message
    assert '"last"' in fails("recommend", path, "--user", "a", "--duplicates", "first")


# --- what is not there --------------------------------------------------------------------------


def test_unknown_names(fails: Fails, ratings: Path) -> None:
    message = fails("recommend", ratings, "--user", "u333")
    assert "did you mean" in message
    assert "u33" in message
    assert "is not among the 30 items" in fails("recommend", ratings, "-u", "u3", "-i", "99")


def test_swapped_columns_are_hinted_at(fails: Fails, ratings: Path) -> None:
    message = fails("recommend", ratings, "--user", "17")
    assert "There is such an item" in message
    assert "swapped, name them with --columns user,item,rating." in message


def test_nobody_is_asked_for(fails: Fails, ratings: Path, tmp_path: Path) -> None:
    assert "add --user" in fails("recommend", ratings)
    assert "add --user" in fails("recommend", ratings, "--item", 3, "-o", tmp_path / "m.nonneg")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty"),
        (b"user,item,rating\na,x,good\n", "good"),
        (b"user,item,rating\na,x,-1\n", "-1"),
        (b"user,item,rating\na,x,nan\n", "line 2, column 3: the rating is missing"),
        (b"user,item,rating\na,x\n", "2 cells"),
        (b"user,item,rating\na,\xff,3\n", "UTF-8"),
        (b"user,item\na,x\n", "rating"),
        (b"\x1f\x8b\x08broken", "gzip"),
    ],
)
def test_bad_ratings(fails: Fails, tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "ratings.csv"
    path.write_bytes(content)
    assert message in fails("recommend", path, "--user", "a", "-o", tmp_path / "m.nonneg")
    assert not (tmp_path / "m.nonneg").exists()


def test_bad_titles(fails: Fails, ratings: Path, tmp_path: Path) -> None:
    path = tmp_path / "titles.csv"
    path.write_text("1\n2\n")
    assert "line 1 has no title" in fails("recommend", ratings, "-u", "u3", "--titles", path)


def test_an_existing_output_is_refused_before_the_work(fails: Fails, tmp_path: Path) -> None:
    out = tmp_path / "m.nonneg"
    out.write_text("mine")
    message = fails("recommend", tmp_path / "none.csv", "--user", "a", "-o", out)
    assert "exists already" in message
    assert out.read_text() == "mine"


@pytest.mark.shared_data
@pytest.mark.parametrize(
    ("name", "user", "titles"),
    [
        ("ml-100k/u.data.gz", "196", None),
        ("movietweetings-100k/ratings.dat.gz", "5", "movietweetings-100k/movies.dat.gz"),
    ],
)
def test_real_ratings(
    run: Run, shared_data: Path, name: str, user: str, titles: str | None
) -> None:
    named = [] if titles is None else ["--titles", shared_data / titles]
    facts = run("recommend", shared_data / name, "-u", user, "-n", 10, *named, "--json").json
    assert len(facts["items"]) == 10
    assert facts["n_ratings"] == 100_000
    assert all((found["title"] is None) == (titles is None) for found in facts["items"])


# --- somebody new, titles, databases, methods ----------------------------------------------------


def test_somebody_new(run: Run, ratings: Path, titles: Path) -> None:
    liked = ("--like", "Movie [3]=5", "--like", "5=4", "--like", "Movie [4] (1954)=1")
    command = ("recommend", ratings, *liked, "--titles", titles, "-n", 5, "-k", 2)
    facts = run(*command, "--json").json
    assert facts["user"] == "you"
    assert facts["n_rated"] == 3
    model = nonneg.Recommender(2, random_state=0).fit(ratings)
    expected = model.recommend_for({3: 5.0, 5: 4.0, 4: 1.0}, 5)
    assert [found["item"] for found in facts["items"]] == [found.item for found in expected]
    assert "For you" in run(*command).out
    why = run(*command, "--item", "Movie [7]", "--json").json
    assert why["item"] == 7
    assert sum(part["contribution"] for part in why["parts"]) == pytest.approx(why["estimate"])
    assert why["interval"][0] <= why["estimate"] <= why["interval"][1]


def test_likes_that_cannot_be(fails: Fails, ratings: Path, titles: Path) -> None:
    assert "ITEM=R" in fails("recommend", ratings, "--like", "3")
    assert "two people" in fails("recommend", ratings, "--like", "3=4", "--user", "u1")
    message = fails("recommend", ratings, "--titles", titles, "--like", "Moovie [3]=4")
    assert "did you mean Movie [3" in " ".join(message.split())
    assert "scale" in fails("recommend", ratings, "--like", "3=40")


def test_ratings_from_a_database(run: Run, fails: Fails, ratings: Path, tmp_path: Path) -> None:
    pytest.importorskip("sqlalchemy")
    path = tmp_path / "r.db"
    rows = [line.split(",")[:3] for line in ratings.read_text().splitlines()[1:]]
    with sqlite3.connect(path) as connection:
        connection.execute("create table r (user text, item integer, rating real)")
        connection.executemany("insert into r values (?, ?, ?)", rows)
    connection.close()
    base = ("recommend", "--from", f"sqlite:///{path}", "--user", "u3", "-k", 2, "--json")
    facts = run(*base, "--query", "select * from r").json
    by_file = run("recommend", ratings, "--user", "u3", "-k", 2, "--json").json
    assert facts["items"] == by_file["items"]
    assert "go together" in fails(*base)
    assert "one place" in fails("recommend", ratings, *base[1:], "--query", "select 1")
    assert "one place" in fails("recommend", "--user", "u3")


@pytest.mark.parametrize("method", ["signed", "neighbors", "talk"])
def test_methods(run: Run, fails: Fails, ratings: Path, method: str) -> None:
    command = ("recommend", ratings, "--user", "u3", "--method", method, "-k", 2)
    assert len(run(*command, "--json").json["items"]) == 10
    assert "Where the estimate comes from" in run(*command, "--item", 3).out
    assert "--method" in fails("recommend", ratings, "--user", "u3", "--method", "magic")


def test_evaluate(run: Run, fails: Fails, ratings: Path) -> None:
    command = ("evaluate", ratings, "-k", 2, "--models", 2)
    facts = run(*command, "--json").json
    assert facts["protocol"] == "surprise-5fold"
    ours, averages, mean = (m["measures"]["RMSE"]["value"] for m in facts["methods"])
    assert ours < averages <= mean * 1.1
    outcome = run(*command, "--protocol", "leave-last")
    assert "40 ratings held out of 480 ratings" in outcome.out
    assert "RMSE" in outcome.out
    assert "global mean" in outcome.out
    assert "NDCG@10" in run(*command, "--protocol", "topn").out
    assert run(*command, "--protocol", f"split:{ratings}", "--json").json["n_test"] == 480
    assert "split names the file" in fails(*command, "--protocol", "split")
    assert "unknown" in fails(*command, "--protocol", "guess")


def test_show_speaks_of_titles(
    run: Run, fails: Fails, tmp_path: Path, ratings: Path, titles: Path
) -> None:
    model = tmp_path / "taste.nonneg"
    run("recommend", ratings, "--user", "u3", "-k", 2, "-o", model)
    shown = run("show", model, "--titles", titles, "--top", 3)
    assert shown.out.count("Movie [") == 6
    components = run("show", model, "--titles", titles, "--json").json["components"]
    for component in components:
        for item, title in zip(component["items"], component["titles"], strict=True):
            assert title.startswith(f"Movie [{item}]")
    table = tmp_path / "table.nonneg"
    nonneg.save(nonneg.factorize([[1.0, 2.0], [2.0, 4.0]], 1, random_state=0), table)
    assert "--titles is for recommenders" in fails("show", table, "--titles", titles)
