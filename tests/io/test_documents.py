"""Documents from folders, tables and lines: what is taken, what is left out, what is said."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nonneg.errors import FileFormatError, InputError
from nonneg.io.documents import read_documents

LONG = "the rain in Spain stays mainly in the plain"


def write(path: Path, content: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_a_folder(tmp_path: Path) -> None:
    write(tmp_path / "sport/b.txt", "second")
    write(tmp_path / "sport/a.txt", "first")
    write(tmp_path / "law/deep/c", "third")
    write(tmp_path / "law/d.txt.gz", gzip.compress(b"fourth"))
    write(tmp_path / "law/empty.txt", " \n")
    write(tmp_path / "law/picture.png", b"\x89PNG\0\0\0")
    write(tmp_path / ".git/config", "hidden")
    write(tmp_path / "latin.txt", "caf\u00e9".encode("latin-1"))
    (tmp_path / "broken").symlink_to(tmp_path / "nowhere")
    docs = read_documents(tmp_path)
    assert docs.names == ("latin.txt", "law/d.txt.gz", "law/deep/c", "sport/a.txt", "sport/b.txt")
    assert docs.texts == ("caf\u00e9", "fourth", "third", "first", "second")
    assert docs.labels == (None, "law", "law", "sport", "sport")
    assert docs.left_out == {"empty": 1, "not text": 1, "not readable": 1}
    assert docs.notes == ("1 file is not UTF-8: read as Latin-1",)
    assert read_documents(tmp_path, label="folder").labels == docs.labels


@pytest.mark.parametrize("column", ["text", "time"])
def test_a_folder_has_no_columns(tmp_path: Path, column: str) -> None:
    write(tmp_path / "a.txt", "first")
    with pytest.raises(InputError, match="have no columns"):
        read_documents(tmp_path, **{column: "text"})
    with pytest.raises(InputError, match="no sub-folders"):
        read_documents(tmp_path, label="folder")


def test_folders_without_documents(tmp_path: Path) -> None:
    with pytest.raises(FileFormatError, match="no document is in it"):
        read_documents(tmp_path)
    write(tmp_path / "a.csv", "text\nx\n")
    with pytest.raises(InputError, match="name the file"):
        read_documents(tmp_path)


def test_lines(tmp_path: Path) -> None:
    docs = read_documents(write(tmp_path / "a.txt", "one, two\n\nthree\n\n"))
    assert docs.texts == ("one, two", "three")
    assert docs.names == ("1", "3")
    assert docs.left_out == {"empty": 2}
    assert docs.labels is None
    utf16 = write(tmp_path / "b.txt", "caf\u00e9\nth\u00e9".encode("utf-16"))
    assert read_documents(utf16).texts == ("caf\u00e9", "th\u00e9")


TABLE = {"id": [7, 8, 9, 10], "kind": ["a", "b", None, "a"], "body": [LONG, "", LONG + " x", "y"]}


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".csv.gz", ".jsonl", ".json", ".parquet"])
def test_the_same_from_every_format(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"docs{suffix}"
    frame = pd.DataFrame(TABLE)
    if ".csv" in suffix or ".tsv" in suffix:
        frame.to_csv(path, index=False, sep="\t" if "tsv" in suffix else ",")
    elif suffix == ".parquet":
        frame.to_parquet(path)
    else:
        frame.to_json(path, orient="records", lines=suffix == ".jsonl")
    docs = read_documents(path, label="kind", time="id")
    assert docs.texts == (LONG, LONG + " x", "y")
    assert docs.names == ("1", "3", "4")
    assert docs.labels == ("a", None, "a")
    assert docs.times == (7.0, 9.0, 10.0)
    assert docs.left_out == {"empty": 1}
    by_place = read_documents(path, text=3, label="2")
    assert (by_place.texts, by_place.labels) == (docs.texts, docs.labels)


def test_quotes_in_tabbed_texts_are_letters(tmp_path: Path) -> None:
    path = write(tmp_path / "sms.tsv", 'ham\t"Go" he said, and "went home\nspam\tWin a prize now\n')
    docs = read_documents(path, label=1)
    assert docs.texts == ('"Go" he said, and "went home', "Win a prize now")
    assert docs.labels == ("ham", "spam")
    assert "no header" in docs.notes[0]


def test_quoted_cells_hold_line_ends_and_delimiters(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", 'text,label\n"one,\ntwo ""three""",x\n"four\tfive",y\n')
    assert read_documents(path).texts == ('one,\ntwo "three"', "four\tfive")
    path = write(tmp_path / "a.tsv", 'text\tlabel\n"one\ntwo"\tx\nthree\ty\n')
    assert read_documents(path).texts == ("one\ntwo", "three")


def test_huge_documents(tmp_path: Path) -> None:
    huge = "word " * 300_000
    docs = read_documents(write(tmp_path / "a.csv", f"text,label\n{huge},x\nshort,y\n"))
    assert docs.texts == (huge, "short")
    assert "document '1' has 1,500,000 characters" in docs.notes[0]


def test_tags(tmp_path: Path) -> None:
    path = write(tmp_path / "movies.dat", "1::Heat and dust::Drama|War\n2::Up and away::\n")
    assert read_documents(path, text=2, label=3, separator="|").labels == (("Drama", "War"), None)
    records = [{"text": LONG, "tags": ["b", "a", "b"]}, {"text": LONG, "tags": []}]
    path = write(tmp_path / "a.json", json.dumps(records))
    assert read_documents(path, label="tags").labels == (("b", "a"), None)


def test_classes_that_are_numbers(tmp_path: Path) -> None:
    frame = pd.DataFrame({"text": [LONG, LONG, "z"], "label": [1.0, None, 0.0]})
    frame.to_parquet(tmp_path / "a.parquet")
    assert read_documents(tmp_path / "a.parquet", label="label").labels == ("1", None, "0")


def test_times(tmp_path: Path) -> None:
    frame = pd.DataFrame({"text": ["a", "b"], "when": pd.to_datetime(["2020-01-02", None])})
    frame.to_parquet(tmp_path / "a.parquet")
    docs = read_documents(tmp_path / "a.parquet", time="when")
    assert docs.times == ("2020-01-02T00:00:00", None)
    path = write(tmp_path / "a.csv", "text,when\na,2020-01-02\nb,\n")
    assert read_documents(path, time="when").times == ("2020-01-02", None)


def test_tokens_and_plain_texts_of_json(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", '"one"\n"two"\n')
    assert read_documents(path).texts == ("one", "two")
    path = write(tmp_path / "a.json", '{"text": [["a", "b"], {"no": 1}, null, 3]}')
    docs = read_documents(path)
    assert docs.texts == ("a b", "3")
    assert docs.left_out == {"not text": 1, "empty": 1}
    path = write(tmp_path / "b.json", '{"text": "one"}\n{"text": "two \\ud800"}\n')
    assert read_documents(path).texts == ("one", "two ?")


def test_the_column_is_guessed_only_where_one_can_be_meant(tmp_path: Path) -> None:
    both = f"title,summary,year\n{LONG},{LONG},1999\n{LONG},{LONG},2000\n"
    path = write(tmp_path / "a.csv", both)
    with pytest.raises(InputError, match=r"it has title \(9 words\), summary .* year \(numbers\)"):
        read_documents(path)
    assert len(read_documents(path, text="title")) == 2
    path = write(tmp_path / "b.csv", both.replace("summary", "Text"))
    assert read_documents(path).notes[0].startswith("1 of 2 documents repeat")
    path = write(tmp_path / "c.csv", "a,b\n1,2\n3,4\n")
    with pytest.raises(InputError, match="no column of texts"):
        read_documents(path)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", b"", "empty"),
        ("a.txt", b"\n \n", "no document is in it"),
        ("a.csv", b"text,year\n,1\n,2\n", "no document is in it .2 empty"),
        ("a.csv", b"\x1f\x8bno gzip", "gzip"),
        ("a.csv", b"PK\x03\x04\0\0", "not text"),
        ("a.csv", b"text,label\nx,a\ny\n", "line 3 has 1 cells"),
        ("a.json", b"[1, 2]", "neither a list of objects"),
        ("a.json", b"{oops", "not JSON"),
        ("a.jsonl", b'{"text": "x"}\n{"text', "line 2 is not JSON"),
        ("a.json", b'{"text": ["x"], "label": []}', "different lengths"),
        ("a.parquet", b"no parquet", "as Parquet"),
        ("a.docx", b"x", "says no format"),
        ("noname", b"x", "says no format"),
    ],
)
def test_what_cannot_be_read(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_documents(write(tmp_path / name, content))


def test_columns_that_are_not_there_or_no_texts(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", f"text,year\n{LONG},1999\n")
    with pytest.raises(InputError, match="no column 'body' · it has text"):
        read_documents(path, text="body")
    with pytest.raises(InputError, match="no column 'tag'"):
        read_documents(path, label="tag")
    with pytest.raises(InputError, match="holds numbers, such as 1999"):
        read_documents(path, text="year")
    with pytest.raises(InputError, match="no such file"):
        read_documents(tmp_path / "none.csv")


cells = st.text(st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp")), max_size=20)


@given(st.lists(st.tuples(cells, cells), min_size=1))
def test_what_is_written_is_read(tmp_path_factory: pytest.TempPathFactory, rows: list) -> None:
    """Every row is a document or counted, and each text is what it was."""
    path = tmp_path_factory.mktemp("d") / "a.jsonl"
    path.write_text("".join(json.dumps({"text": t, "label": k}) + "\n" for t, k in rows))
    kept = [(t, k.strip() or None) for t, k in rows if t.strip()]
    if not kept or all(t.strip().replace(".", "").isdecimal() for t, _ in kept):
        return
    docs = read_documents(path, text="text", label="label")
    assert len(docs) + sum(docs.left_out.values()) == len(rows)
    assert list(zip(docs.texts, docs.labels or (), strict=True)) == kept


@pytest.mark.shared_data
@pytest.mark.parametrize(
    ("name", "columns", "number", "labels"),
    [
        ("20newsgroups/20newsgroups.parquet", {"label": "group"}, 18_846, 20),
        ("bbc-octis/corpus.tsv.gz", {"label": 3}, 2_225, 5),
        ("movietweetings-100k/movies.dat.gz", {"text": 2}, 10_506, 0),
    ],
)
def test_real_documents(
    shared_data: Path, name: str, columns: dict, number: int, labels: int
) -> None:
    docs = read_documents(shared_data / name, **columns)
    assert len(docs) + sum(docs.left_out.values()) == number
    assert len(set(docs.labels or ())) == labels
