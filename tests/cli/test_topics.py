"""`nonneg topics`, `topics-of`, `show` and `demo topics`, and every odd input."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rich.cells import cell_len
from rich.console import Console

import nonneg
from nonneg.apps.topic_measures import topic_diversity
from nonneg.cli import draw_topics
from nonneg.io.documents import read_documents

from .conftest import Run

Fails = Callable[..., str]

WORDS = {
    "sport": ["goal", "match", "team", "win", "player", "cup", "league", "coach"],
    "law": ["court", "judge", "trial", "law", "appeal", "verdict", "lawyer", "jury"],
    "food": ["soup", "bread", "cheese", "salt", "pepper", "oven", "recipe", "cook"],
}


@pytest.fixture
def mail(tmp_path: Path) -> Path:
    """Texts about three subjects, with label, year and tags."""
    rng = np.random.default_rng(0)
    lines = ["kind,year,tags,text"]
    for i in range(90):
        kind = list(WORDS)[i % 3]
        text = " ".join(rng.choice(WORDS[kind], 10))
        lines.append(f"{kind},{2000 + i // 9},{kind}{'|even' if i % 2 else ''},{text}")
    path = tmp_path / "mail.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def saved(run: Run, mail: Path, tmp_path: Path) -> Path:
    path = tmp_path / "mail.nonneg"
    run("topics", mail, "-k", 3, "--label", "kind", "-o", path)
    return path


def test_the_table(run: Run, mail: Path) -> None:
    facts = run("topics", mail, "-k", 3, "--json").json
    model = nonneg.TopicModel(3, random_state=0).fit(read_documents(mail))
    assert facts["n_documents"] == 90
    assert facts["n_topics"] == len(facts["topics"]) == 3
    assert [t["number"] for t in facts["topics"]] == [1, 2, 3]
    for t, topic in enumerate(facts["topics"]):
        words = [word["word"] for word in topic["words"]]
        assert words == [word.word for word in model.top_words(t, 10)]
        assert set(words[:6]) <= set(next(k for k in WORDS.values() if words[0] in k))
        assert topic["documents"] == 30 == (model.documents_.topic == t).sum()
        assert topic["examples"][0]["document"] == model.representatives(t, 1)[0].document
    tops = [[word.word for word in model.top_words(t, 10)] for t in range(3)]
    assert facts["diversity"] == topic_diversity(tops)
    assert facts["left_out"] == {}
    assert facts["seed"] == 0
    assert facts["saved"] is None
    outcome = run("topics", mail, "-k", 3)
    assert "90 documents in 3 topics" in outcome.out
    assert "Documents that are typical of them" in outcome.out
    assert "add -o MODEL" in outcome.err
    assert "typical" not in run("topics", mail, "-k", 3, "--examples", 0).out


def test_the_same_command_gives_the_same_answer(run: Run, mail: Path) -> None:
    command = ("topics", mail, "-k", 3, "--json")
    assert run(*command).out == run(*command).out
    assert run(*command, "--threads", 1).json == run(*command, "--threads", 2).json


def test_labels(run: Run, mail: Path) -> None:
    facts = run("topics", mail, "-k", 3, "--label", "kind", "--json").json
    assert [row["by"] for row in facts["grouping"]] == ["largest topic", "all words"]
    assert [row["matched_accuracy"] for row in facts["grouping"]] == [1, 1]
    assert {label["label"]: label["documents"] for label in facts["labels"]} == dict.fromkeys(
        WORDS, 30
    )
    for label in facts["labels"]:
        assert sum(label["shares"]) == pytest.approx(1)
    evaluation = facts["classifier"]["evaluation"]
    assert [method["accuracy"] for method in evaluation["methods"]] == pytest.approx([1, 1, 1 / 3])
    assert evaluation["confusion"] == [[30, 0, 0], [0, 30, 0], [0, 0, 30]]
    out = run("topics", mail, "-k", 3, "--label", "kind").out
    assert "Labels told from topics" in out
    assert "most frequent label" in out
    assert "Confusion" in out


def test_tags(run: Run, mail: Path) -> None:
    command = ("topics", mail, "-k", 3, "--label", "tags", "--separator", "|")
    facts = run(*command, "--json").json
    assert facts["grouping"] == []
    assert facts["classifier"]["multilabel"]
    assert facts["classifier"]["names"] == ["even", "food", "law", "sport"]
    assert facts["classifier"]["evaluation"]["confusion"] is None
    assert "all tags right" in run(*command).out


def test_time(run: Run, mail: Path) -> None:
    facts = run("topics", mail, "-k", 3, "--time", "year", "--json").json
    assert sum(period["documents"] for period in facts["periods"]) == 90
    for period in facts["periods"]:
        assert sum(period["shares"]) == pytest.approx(1)
    assert "Through time" in run("topics", mail, "-k", 3, "--time", "year").out


def test_new_documents(run: Run, saved: Path, tmp_path: Path) -> None:
    new = tmp_path / "new.txt"
    new.write_text("the judge and the jury\nxyzzy\n\nsoup with cheese\n")
    out = tmp_path / "out.csv"
    facts = run("topics-of", saved, new, "-o", out, "--json").json
    assert facts["n_documents"] == 3
    assert facts["unknown"] == 1
    assert facts["left_out"] == {"empty": 1}
    assert [row["label"] for row in facts["documents"]] == ["law", None, "food"]
    assert [row["document"] for row in facts["documents"]] == ["1", "2", "4"]
    assert facts["documents"][1]["topic"] is None
    frame = pd.read_csv(out)
    assert frame["topic"].isna().tolist() == [False, True, False]
    np.testing.assert_allclose(
        frame[["topic 1", "topic 2", "topic 3"]], [row["shares"] for row in facts["documents"]]
    )
    text = run("topics-of", saved, new).out
    assert "no known word" in text
    assert "law" in text
    assert "and 2 more" in run("topics-of", saved, new, "-n", 1).out


def test_show(run: Run, saved: Path, mail: Path, tmp_path: Path) -> None:
    facts = run("show", saved, "--json").json
    fitted = run("topics", mail, "-k", 3, "--label", "kind", "--examples", 0, "--json").json
    for key in ("topics", "coherence", "diversity", "stability", "classifier", "n_documents"):
        assert facts[key] == fitted[key], key
    out = run("show", saved).out
    assert "Topics, largest first" in out
    assert "Labels told from topics" in out
    plain = tmp_path / "plain.nonneg"
    run("topics", mail, "-k", 3, "-o", plain)
    assert run("show", plain, "--json").json["topics"] == facts["topics"]


def test_files_of_rows(run: Run, mail: Path, tmp_path: Path) -> None:
    documents, words = tmp_path / "d.csv", tmp_path / "w.json"
    outcome = run("topics", mail, "-k", 3, "--documents", documents, "--words", words)
    assert f"Wrote {documents}" in outcome.out
    assert f"Wrote {words}" in outcome.out
    assert len(pd.read_csv(documents)) == 90
    assert {row["topic"] for row in json.loads(words.read_text())} == {1, 2, 3}


def test_settings_reach_the_model(run: Run, mail: Path, tmp_path: Path) -> None:
    stop = tmp_path / "stop.txt"
    stop.write_text("goal\nmatch\n")
    command = ("topics", mail, "-k", 3, "--json", "--examples", 0)
    facts = run(*command, "--stop-words", stop, "--min-df", 2, "--max-df", 0.9).json
    assert "goal" not in {word["word"] for topic in facts["topics"] for word in topic["words"]}
    assert facts["n_words"] == 22
    assert run(*command, "--max-words", 9).json["n_words"] == 9
    assert run(*command, "--bigrams").json["n_words"] > 24
    facts = run(*command, "--loss", "kullback-leibler", "--stop-words", "none").json
    assert (facts["loss"], facts["weighting"]) == ("kullback-leibler", "counts")
    facts = run(*command, "--look-for", "justice=court,judge", "--weighting", "counts").json
    assert facts["topics"][0]["name"] == "justice"
    assert facts["topics"][0]["words"][0]["word"] in WORDS["law"]


def test_auto_and_tree(run: Run, mail: Path) -> None:
    facts = run("topics", mail, "-k", "auto", "--json").json
    assert sum(tried["chosen"] for tried in facts["evidence"]) == 1
    assert facts["n_topics"] in [t["n_topics"] for t in facts["evidence"] if t["chosen"]]
    drawn = run("topics", mail, "-k", "auto").out
    assert "what was tried" in drawn
    assert "Stability" in facts["preferences"]
    assert facts["preferences"] in " ".join(drawn.split())
    facts = run("topics", mail, "-k", 3, "--tree", "--json").json
    assert {(flow["n_topics"], flow["n_next"]) for flow in facts["tree"]} == {(2, 3)}
    # Two topics of three subjects without a common word leave the third without any.
    assert sum(flow["documents"] for flow in facts["tree"]) in (60, 90)
    assert "How topics split" in run("topics", mail, "-k", 3, "--tree").out


def test_a_folder(run: Run, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    for kind, words in WORDS.items():
        for i in range(12):
            path = tmp_path / "docs" / kind / f"{i}.txt"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(" ".join(rng.choice(words, 12)))
    (tmp_path / "docs" / "empty.txt").write_text("")
    (tmp_path / "docs" / "photo.jpg").write_bytes(b"\xff\xd8\0\0")
    facts = run("topics", tmp_path / "docs", "-k", 3, "--label", "folder", "--json").json
    assert facts["left_out"] == {"empty": 1, "not text": 1}
    assert facts["classifier"]["names"] == sorted(WORDS)
    assert facts["topics"][0]["examples"][0]["document"].endswith(".txt")
    assert "1 document (empty)" in run("topics", tmp_path / "docs", "-k", 3).out


# --- odd input -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "arguments", "message"),
    [
        ("", (), "no document is in it"),
        ("\n\n", (), "no document is in it"),
        ("just one document\n", ("-k", 2), "document"),
        ("a b\nc d\n", ("-k", 5), "word"),
        ("the and of\nthe of to\nand to in\n", ("-k", 2), "word"),
        ("123 456\n7 8\n9 10\n", ("-k", 2), "word"),
    ],
)
def test_texts_without_topics(
    fails: Fails, tmp_path: Path, content: str, arguments: tuple, message: str
) -> None:
    path = tmp_path / "a.txt"
    path.write_text(content)
    assert message in fails("topics", path, *arguments, "-o", tmp_path / "m.nonneg")
    assert not (tmp_path / "m.nonneg").exists()


def test_odd_texts_that_have_topics(run: Run, tmp_path: Path) -> None:
    """Duplicates, a huge text, a wrong encoding, markup and control characters."""
    lines = ["goal match team"] * 20 + ["court judge \x1b[31mtrial [bold]law[/bold]"] * 20
    lines += ["goal " * 300_000, "caf\u00e9 court judge \ud83d".replace("\ud83d", "")]
    path = tmp_path / "a.txt"
    path.write_bytes("\n".join(lines).encode("latin-1"))
    outcome = run("topics", path, "-k", 2)
    assert "read as Latin-1" in outcome.err
    assert "documents repeat an earlier one" in outcome.err
    assert "1,500,000 characters" in outcome.err
    assert "42 documents in 2 topics" in outcome.out


def test_what_is_asked_wrongly(fails: Fails, mail: Path, saved: Path, tmp_path: Path) -> None:
    assert "give 1 or more, or auto" in fails("topics", mail, "-k", 0)
    assert "give 1 or more, or auto" in fails("topics", mail, "-k", "many")
    assert "--text COLUMN" in fails("topics", mail, "--text", "body")
    assert "holds numbers" in fails("topics", mail, "--text", "year")
    assert "--label COLUMN" in fails("topics", mail, "--label", "team")
    assert "NAME=WORDS" in fails("topics", mail, "--look-for", "sport")
    assert "--min-df few" in fails("topics", mail, "--min-df", "few")
    assert "names no format" in fails("topics", mail, "--documents", tmp_path / "d.xlsx")
    assert "no such file" in fails("topics", mail, "--stop-words", tmp_path / "none.txt")
    assert "loss" in fails("topics", mail, "--loss", "poisson")
    assert "the command reads it" in fails("topics", mail, "-o", mail, "--force")
    assert "nonneg topics-of" in fails("topics", saved)
    assert "column of classes" in fails("topics", mail, "--label", "text", "--text", "tags")
    assert "is no model" in fails("topics-of", mail, mail)
    fit = tmp_path / "fit.nonneg"
    nonneg.save(nonneg.factorize([[1.0, 2.0], [2.0, 4.0]], 1), fit)
    assert "knows no topics" in fails("topics-of", fit, mail)
    assert "nonneg topics-of" in fails("transform", saved, mail, "-o", tmp_path / "w.csv")
    assert "no example 'films'" in fails("demo", "films")


def test_new_documents_of_unknown_words_only(run: Run, saved: Path, tmp_path: Path) -> None:
    new = tmp_path / "new.txt"
    new.write_text("xyzzy\nplugh\n")
    facts = run("topics-of", saved, new, "--json").json
    assert facts["unknown"] == 2
    assert [row["label"] for row in facts["documents"]] == [None, None]
    assert run("topics-of", saved, new).out.count("no known word") == 2


def test_demo(run: Run) -> None:
    facts = run("demo", "topics", "--json").json
    assert facts["n_topics"] == 12
    assert facts["n_documents"] > 1000
    words = [{word["word"] for word in topic["words"]} for topic in facts["topics"]]
    for pair in ({"logger", "handler"}, {"thread", "lock"}, {"future", "loop"}):
        assert any(pair <= found for found in words), pair
    console = Console(width=80, file=io.StringIO(), record=True)
    for part in draw_topics.demo(facts):
        console.print(part)
    lines = [line.rstrip() for line in console.export_text().splitlines()]
    assert lines[0] == "What does Python's standard library talk about?"
    assert "Try next" in lines
    assert max(map(cell_len, lines)) <= 80


@pytest.mark.shared_data
@pytest.mark.parametrize(
    ("name", "arguments", "words"),
    [
        ("bbc-octis/corpus.tsv.gz", (), {"film", "match"}),
        ("movietweetings-100k/movies.dat.gz", ("--text", 2), set()),
    ],
)
def test_real_documents(
    run: Run, shared_data: Path, name: str, arguments: tuple, words: set
) -> None:
    facts = run("topics", shared_data / name, "-k", 5, *arguments, "--json").json
    assert len(facts["topics"]) == 5
    found = {word["word"] for topic in facts["topics"] for word in topic["words"]}
    assert words <= found
