"""Titles: decoration, so that a wrong letter does no harm."""

from __future__ import annotations

import pytest

from nonneg.errors import FileFormatError
from nonneg.io.names import read_labels, read_titles


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("movies.dat", "1::Misérables, Les (1995)::Drama\n 2 ::Heat (1995)::Action\n"),
        ("u.item", "1|Misérables, Les (1995)|01-Jan-1995||0|1\n2|Heat (1995)|01-Jan-1995||1|0\n"),
    ],
)
def test_titles_of_movielens(tmp_path, encoding, name, text):
    path = tmp_path / name
    path.write_bytes(text.encode(encoding))
    titles = read_titles(path)
    assert titles == {"1": "Misérables, Les (1995)", "2": "Heat (1995)"}
    assert titles.keys().isdisjoint(map(str, [7, 8]))


def test_titles_that_are_missing(tmp_path):
    path = tmp_path / "titles.csv"
    path.write_bytes(b"1\n")
    with pytest.raises(FileFormatError, match="line 1 has no title"):
        read_titles(path)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("7::Heat (1995)::Crime|Drama\n8::Up::(no genres listed)\n", ("Crime", "Drama", "1990s")),
        ("movieId,title,year,genres\n7,Heat,1995,Crime|Drama\n8,Up,2009,\n", ("Crime", "Drama")),
        ("7|Heat (1995)|01-Jan-1995||u" + "|0" * 6 + "|1" + "|0" * 12 + "\n", ("Crime", "1990s")),
        ("7,Heat\n8,Up\n", None),
    ],
)
def test_labels(tmp_path, text, expected):
    path = tmp_path / "items.csv"
    path.write_text(text)
    found = read_labels(path)
    assert found.get("7") == expected
    assert "8" not in found
