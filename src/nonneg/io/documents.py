"""Texts from wherever they are: a folder, a column of a table, the lines of a file.

What cannot be a document (it is empty, or no text) is left out and counted; what was guessed or
looks odd is said in `Documents.notes`. Only a file that cannot be read at all, or a column that
could be one of several, is an error.
"""

from __future__ import annotations

import csv
import datetime
import json
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from nonneg.errors import FileFormatError, InputError
from nonneg.io.cells import MISSING, find_column, is_number
from nonneg.io.files import (
    PathLike,
    column_blocks,
    format_suffix,
    numbered_rows,
    read_any_text,
    read_parquet,
    sniff_delimiter,
)

__all__ = ["Documents", "Label", "read_documents"]

Label = str | tuple[str, ...] | None

_TABLES = (".csv", ".tsv", ".tab", ".dat", ".data")
_LINES = (".txt", ".text")
_KNOWN = (
    "a folder of text files, .txt (a document a line), .csv, .tsv, .tab, .dat, .data, .jsonl, "
    ".ndjson, .json (each also as .gz) or .parquet"
)
_TEXT_NAMES = {"text", "texts", "document", "documents", "content", "body", "message", "doc"}
_HEADER_WORDS = _TEXT_NAMES | {"label", "class", "category", "title", "id", "date", "sentiment"}
_FEWEST_WORDS = 4  # a cell, in the middle: below it, names and categories are as likely as texts
_SAMPLE = 1000  # cells that tell what a column holds
_LONGEST_NAME = 40
_HUGE = 1_000_000  # characters: longer than most books
_FIELD_LIMIT = 2**31 - 1  # of the csv module, whose own would refuse long documents


@dataclass(frozen=True, eq=False)
class Documents:
    """Texts, with what is known about each.

    Attributes
    ----------
    texts : tuple of str
        None of them empty.
    names : tuple of str
        The path in the folder, or the number of the row or line, from 1.
    labels : tuple of str, of tuple of str, or of None; or None
        The class of each document, or its tags; None for one that has none, and altogether where
        no labels were asked for.
    times : tuple of number or str, or None
        As in the source; None for one that has none.
    source : str
        Where they came from, for messages.
    left_out : dict of str to int
        How many documents were left out, by reason.
    notes : tuple of str
        What was guessed, or looks odd.
    """

    texts: tuple[str, ...]
    names: tuple[str, ...]
    labels: tuple[Label, ...] | None = None
    times: tuple[float | str | None, ...] | None = None
    source: str = "the documents"
    left_out: dict[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.texts)


def read_documents(
    path: PathLike,
    text: str | int | None = None,
    label: str | int | None = None,
    time: str | int | None = None,
    *,
    separator: str | None = None,
) -> Documents:
    r"""Read documents from a folder, a table, or the lines of a text.

    Parameters
    ----------
    path : str or path
        A folder, whose text files are the documents (those of its sub-folders, too; hidden ones are
        not); `.txt` with a document a line; `.csv .tsv .tab .dat .data` (delimiter `,` tab `;` `|`
        or `::`, found by counting), `.jsonl .ndjson .json` (objects, or plain texts), each also as
        `.gz`; `.parquet` (needs `nonneg[parquet]`). Texts that are not UTF-8 are read as Latin-1,
        and a note says so.
    text : str or int, optional
        The column of the texts, by name or place from 1. By default it is the only one called text,
        document, content, body, message or doc; or else the only one whose cells have four words
        or more in the middle; or else the only one that is not of numbers.
    label : str or int, optional
        The column of classes or tags. A folder's labels are the names of its sub-folders.
    time : str or int, optional
        The column of numbers or dates.
    separator : str, optional
        What separates several tags in one cell, as "|" does in Drama|War. Lists in JSON and Parquet
        need none.

    Returns
    -------
    Documents

    Raises
    ------
    InputError
        There is no such file or column, the column of the texts cannot be told, or it has numbers.
    FileFormatError
        The file is not what its suffix says, or no document is in it.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from nonneg.io.documents import read_documents
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "mail.csv")
    ...     _ = path.write_text("kind,text\nspam,Buy now\nham,See you at noon\nham,\n")
    ...     docs = read_documents(path, label="kind")
    >>> docs.texts, docs.labels, docs.left_out
    (('Buy now', 'See you at noon'), ('spam', 'ham'), {'empty': 1})
    """
    source = os.fspath(path)
    if Path(source).is_dir():
        return _read_folder(Path(source), text, label, time)
    suffix = format_suffix(source)
    asked = any(column is not None for column in (text, label, time))
    if suffix in _LINES and not asked:
        return _read_lines(source)
    if suffix in _TABLES or suffix in _LINES:
        table = _read_text_columns(source, (text, label, time))
    elif suffix in (".jsonl", ".ndjson", ".json"):
        table = _read_json(source, suffix)
    elif suffix == ".parquet":
        frame = read_parquet(source)
        cells: list[Callable[[], Sequence[object]]] = [
            column.to_pylist for column in frame.itercolumns()
        ]
        table = _Columns(list(frame.column_names), cells)
    else:
        if not Path(source).exists():
            read_any_text(source)  # raises, with names of similar files
        raise InputError(
            f"cannot read documents from '{source}': {suffix or 'its name'} says no format. "
            f"Use {_KNOWN}."
        )
    return _from_columns(table, source, text, label, time, separator)


class _Columns(NamedTuple):
    """A table by columns; the cells of one are made when they are asked for."""

    names: list[str]
    cells: list[Callable[[], Sequence[object]]]
    notes: tuple[str, ...] = ()


# --- folders and lines ---------------------------------------------------------------------------


def _read_folder(
    folder: Path, text: str | int | None, label: str | int | None, time: str | int | None
) -> Documents:
    if text is not None or time is not None or label not in (None, "folder"):
        raise InputError(
            f"'{folder}' is a folder · its files are the documents and have no columns; the labels "
            'are the names of its sub-folders · leave the column out, or use label="folder"'
        )
    paths = [
        Path(where, name)
        for where, _, names in _walk(folder)
        for name in sorted(names)
        if not name.startswith(".")
    ]
    if paths and all(format_suffix(p) in (*_TABLES, ".parquet", ".jsonl") for p in paths):
        raise InputError(
            f"'{folder}' holds tables, such as '{paths[0].name}' · a table has its documents in a "
            "column · name the file instead of the folder"
        )
    texts, names = [], []
    left_out: Counter[str] = Counter()
    latin = 0
    for path in paths:
        try:
            content, encoding = read_any_text(path)
        except FileFormatError:
            left_out["not text"] += 1
        except InputError:
            left_out["not readable"] += 1
        else:
            if content.strip():
                texts.append(content)
                names.append(_printable(path.relative_to(folder).as_posix()))
                latin += encoding == "Latin-1"
            else:
                left_out["empty"] += 1
    labels = [name.split("/", 1)[0] if "/" in name else None for name in names]
    if label is not None and not any(labels):
        raise InputError(
            f"'{folder}' has no sub-folders · they would be the labels · put the files of each "
            "class into a folder of its own"
        )
    notes = [f"{_files(latin)} not UTF-8: read as Latin-1"] if latin else []
    return _checked(
        texts, names, labels if any(labels) else None, None, str(folder), left_out, notes
    )


def _files(number: int) -> str:
    return "1 file is" if number == 1 else f"{number:,} files are"


def _walk(folder: Path) -> Iterator[tuple[str, list[str], list[str]]]:
    """Walk in the order of names, without hidden folders."""
    for where, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield where, folders, names


def _read_lines(source: str) -> Documents:
    content, encoding = read_any_text(source)
    lines = content.splitlines()
    kept = [number for number, line in enumerate(lines) if line.strip()]
    left_out = Counter({"empty": len(lines) - len(kept)})
    return _checked(
        [lines[number] for number in kept],
        [str(number + 1) for number in kept],
        None,
        None,
        source,
        left_out,
        _encoding_note(encoding),
    )


def _encoding_note(encoding: str) -> list[str]:
    if encoding != "Latin-1":
        return []
    return ["the file is not UTF-8: read as Latin-1; save it as UTF-8 if letters look wrong"]


# --- tables --------------------------------------------------------------------------------------


def _read_text_columns(source: str, asked: Sequence[str | int | None]) -> _Columns:
    """Read a delimited text, with a header or without."""
    content, encoding = read_any_text(source)
    if not content.strip():
        raise FileFormatError(f"cannot read '{source}': it is empty. Check that it was saved.")
    delimiter = sniff_delimiter(content)
    plain = _plain_columns(content) if delimiter == "\t" else None
    if plain is not None:
        columns = plain
    else:
        with _long_fields():
            blocks = list(column_blocks(content, delimiter, source))
            if not blocks:
                list(numbered_rows(content, delimiter, source))  # raises: no cells
        columns = [[cell for block in blocks for cell in block[j]] for j in range(len(blocks[0]))]
    notes = _encoding_note(encoding)
    if _has_header(columns, asked):
        names = [column[0].strip() or str(j + 1) for j, column in enumerate(columns)]
        columns = [column[1:] for column in columns]
    else:
        names = [str(j + 1) for j in range(len(columns))]
        notes.append(f"no header: the first line is a document, of {len(names)} columns")
    return _Columns(names, [_given(column) for column in columns], tuple(notes))


def _given(column: Sequence[object]) -> Callable[[], Sequence[object]]:
    return lambda: column


@contextmanager
def _long_fields() -> Iterator[None]:
    before = csv.field_size_limit(_FIELD_LIMIT)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def _plain_columns(content: str) -> list[list[str]] | None:
    """Split at tabs where each line has as many; quotes are then letters as any, as in speech."""
    rows = [line.split("\t") for line in content.split("\n") if line.strip()]
    if any(len(row) != len(rows[0]) for row in rows):
        return None
    return [[cell.rstrip("\r") for cell in column] for column in zip(*rows, strict=True)]


def _has_header(columns: Sequence[Sequence[str]], asked: Sequence[str | int | None]) -> bool:
    """Whether the first line names the columns: short, different, no numbers, not said again."""
    first = [column[0].strip() for column in columns]
    folded = [cell.casefold() for cell in first]
    if any(str(column).strip().casefold() in folded for column in asked if column is not None):
        return True
    if len(columns[0]) < 2:
        return not _HEADER_WORDS.isdisjoint(folded)
    if len(set(folded)) < len(folded) or any(is_number(cell) and cell for cell in first):
        return False
    if not _HEADER_WORDS.isdisjoint(folded) or any(_is_numbers(column[1:]) for column in columns):
        return True
    return all(
        len(cell) <= _LONGEST_NAME and cell not in {c.strip() for c in column[1:]}
        for cell, column in zip(first, columns, strict=True)
    ) and any(len(cell) > _LONGEST_NAME for column in columns for cell in column[1:])


def _read_json(source: str, suffix: str) -> _Columns:
    content, encoding = read_any_text(source)
    if not content.strip():
        raise FileFormatError(f"cannot read '{source}': it is empty. Check that it was saved.")
    records: object = None
    if suffix == ".json":
        try:
            records = json.loads(content)
        except (ValueError, RecursionError) as error:
            records = None
            if "Extra data" not in str(error):  # many of .json have an object a line
                raise FileFormatError(
                    f"cannot read '{source}': it is not JSON ({error}). Save it again, or name it "
                    ".txt if each line is a document."
                ) from None
    if records is None:
        records = [
            _json_line(line, number, source)
            for number, line in enumerate(content.split("\n"), start=1)
            if line.strip()
        ]
    notes = tuple(_encoding_note(encoding))
    if isinstance(records, dict) and records and all(isinstance(v, list) for v in records.values()):
        if len({len(column) for column in records.values()}) > 1:
            raise FileFormatError(
                f"cannot read '{source}': its columns are of different lengths. Save it again."
            )
        return _Columns(list(records), [_given(v) for v in records.values()], notes)
    if isinstance(records, list) and records and all(isinstance(r, dict) for r in records):
        names = list(dict.fromkeys(str(name) for record in records for name in record))
        columns = [[record.get(name) for record in records] for name in names]
        return _Columns(names, [_given(column) for column in columns], notes)
    if isinstance(records, list) and all(isinstance(record, str) for record in records):
        return _Columns(["text"], [_given(records)], notes)
    raise FileFormatError(
        f"cannot read documents from '{source}': it is neither a list of objects nor one of texts. "
        'Save it as [{"text": "…"}, …], or one object a line.'
    )


def _json_line(line: str, number: int, source: str) -> object:
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as error:
        raise FileFormatError(
            f"cannot read '{source}': line {number} is not JSON ({error}). Correct or drop it."
        ) from None


# --- from columns to documents -------------------------------------------------------------------


def _from_columns(
    table: _Columns,
    source: str,
    text: str | int | None,
    label: str | int | None,
    time: str | int | None,
    separator: str | None,
) -> Documents:
    places = [
        None if asked is None else _place(table, asked, role, source)
        for asked, role in ((text, "text"), (label, "label"), (time, "time"))
    ]
    notes = list(table.notes)
    place = places[0]
    if place is None:
        place = _text_column(table, [p for p in places if p is not None], source)
        if table.names[place].strip().casefold() not in _TEXT_NAMES:
            notes.append(f"the texts are those of column {table.names[place]!r}")
    cells = table.cells[place]()
    if text is not None and _is_numbers(cells):
        raise InputError(
            f"column {table.names[place]!r} of '{source}' holds numbers, such as "
            f"{_shown(cells)} · topics are found in texts · name another with text=COLUMN; it has "
            f"{_described(table)}"
        )
    labels = None if places[1] is None else _labels(table.cells[places[1]](), separator)
    times = None if places[2] is None else _times(table.cells[places[2]]())
    texts, rows = [], []
    left_out: Counter[str] = Counter()
    for row, cell in enumerate(cells):
        content = _text(cell)
        if content is None:
            left_out["not text"] += 1
        elif not content.strip():
            left_out["empty"] += 1
        else:
            texts.append(content)
            rows.append(row)
    return _checked(
        texts,
        [str(row + 1) for row in rows],
        None if labels is None else [labels[row] for row in rows],
        None if times is None else [times[row] for row in rows],
        source,
        left_out,
        notes,
    )


def _place(table: _Columns, asked: str | int, role: str, source: str) -> int:
    place = find_column(table.names, asked)
    if place is None:
        raise InputError(
            f"'{source}' has no column {str(asked)!r} · it has {_described(table)} · name one of "
            f"them with {role}=COLUMN"
        )
    return place


def _text_column(table: _Columns, taken: Sequence[int], source: str) -> int:
    """Find the column of the texts, where only one can be meant."""
    free = [j for j in range(len(table.names)) if j not in taken]
    named = [j for j in free if table.names[j].strip().casefold() in _TEXT_NAMES]
    if len(named) == 1 and not _is_numbers(table.cells[named[0]]()):
        return named[0]
    texts = [j for j in named or free if not _is_numbers(table.cells[j]())]
    wordy = [j for j in texts if _words(table.cells[j]()) >= _FEWEST_WORDS]
    for found in (wordy, texts):
        if len(found) == 1:
            return found[0]
    if not texts:
        raise InputError(
            f"'{source}' has no column of texts · it has {_described(table)} · topics are found "
            "in texts · pass a table with a column of them (numbers: nonneg fit)"
        )
    raise InputError(
        f"which column of '{source}' holds the texts cannot be told · it has "
        f"{_described(table)} · name it with text=COLUMN"
    )


def _described(table: _Columns) -> str:
    """The columns with what they hold."""
    told = []
    for name, cells in zip(table.names[:10], table.cells, strict=False):
        values = cells()
        words = _words(values)
        what = "numbers" if _is_numbers(values) else f"{words} word{'' if words == 1 else 's'}"
        told.append(f"{name} ({what})")
    more = f" and {len(table.names) - 10} more" if len(table.names) > 10 else ""
    return ", ".join(told) + more


def _sample(cells: Sequence[object]) -> list[str]:
    """Filled cells from all over a column, as texts."""
    step = max(len(cells) // _SAMPLE, 1)
    found = (_text(cell) for cell in cells[::step])
    return [text for text in found if text is not None and text.strip().casefold() not in MISSING]


def _is_numbers(cells: Sequence[object]) -> bool:
    """Whether nearly all of a column is numbers; a few marks for missing ones are not texts."""
    sample = _sample(cells)
    return bool(sample) and sum(map(is_number, sample)) > 0.9 * len(sample)


def _words(cells: Sequence[object]) -> int:
    """Return how many words a cell has, in the middle."""
    counts = sorted(len(text.split()) for text in _sample(cells))
    return counts[len(counts) // 2] if counts else 0


def _shown(cells: Sequence[object]) -> str:
    return ", ".join(_sample(cells)[:3])


def _text(cell: object) -> str | None:
    """A cell as a text, "" where it is missing, None where it can be none."""
    if isinstance(cell, str):
        return _printable(cell)
    if cell is None or cell != cell:
        return ""
    if isinstance(cell, list) and all(isinstance(token, str) for token in cell):
        return _printable(" ".join(cell))  # cut into words already
    if isinstance(cell, bool | int | float):
        return str(cell)
    return None


def _printable(text: str) -> str:
    """Replace halves of surrogate pairs, which JSON and file names may hold and nothing prints."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace").decode()
    return text


def _labels(cells: Sequence[object], separator: str | None) -> list[Label]:
    many = separator is not None or any(isinstance(cell, list | tuple) for cell in cells)
    labels: list[Label] = []
    for cell in cells:
        if many:
            parts = cell if isinstance(cell, list | tuple) else _word(cell).split(separator)
            tags = tuple(dict.fromkeys(word for word in map(_word, parts) if word))
            labels.append(tags or None)
        else:
            labels.append(_word(cell) or None)
    return labels


def _word(cell: object) -> str:
    """A label as a word; "" where it is missing."""
    if cell is None or cell != cell:
        return ""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))  # classes become floats where one is missing
    return _printable(str(cell).strip())


def _times(cells: Sequence[object]) -> list[float | str | None]:
    """Numbers where all are numbers, else dates as ISO has them, else the words."""
    if all(isinstance(c, str) for c in cells) and all(is_number(str(c)) for c in cells):
        return [float(str(c)) if str(c).strip().casefold() not in MISSING else None for c in cells]
    times: list[float | str | None] = []
    for cell in cells:
        if isinstance(cell, int | float) and cell == cell:
            times.append(float(cell))
        elif isinstance(cell, datetime.date | datetime.datetime):
            times.append(cell.isoformat())
        else:
            times.append(_word(cell) or None)
    return times


def _checked(
    texts: list[str],
    names: list[str],
    labels: Sequence[Label] | None,
    times: Sequence[float | str | None] | None,
    source: str,
    left_out: Counter[str],
    notes: list[str],
) -> Documents:
    """Refuse nothing at all; say what looks odd."""
    reasons = {reason: number for reason, number in left_out.items() if number}
    if not texts:
        told = ", ".join(f"{number:,} {reason}" for reason, number in reasons.items())
        raise FileFormatError(
            f"cannot read '{source}': no document is in it{f' ({told})' if told else ''}. "
            f"Documents come from {_KNOWN}."
        )
    again = len(texts) - len(set(texts))
    if again:
        notes.append(
            f"{again:,} of {len(texts):,} documents repeat an earlier one word for word: they count"
        )
    longest = max(range(len(texts)), key=lambda j: len(texts[j]))
    if len(texts[longest]) > _HUGE:
        notes.append(
            f"document {names[longest]!r} has {len(texts[longest]):,} characters: split long ones, "
            "by chapter say, if their topics change on the way"
        )
    return Documents(
        tuple(texts),
        tuple(names),
        None if labels is None else tuple(labels),
        None if times is None else tuple(times),
        source,
        reasons,
        tuple(notes),
    )
