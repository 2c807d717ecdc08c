"""Rows of names and numbers into a file that people and programs read."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nonneg.errors import InputError
from nonneg.io.files import PathLike, atomic_write, format_suffix

__all__ = ["check_suffix", "write_records"]

_SUFFIXES = (".csv", ".tsv", ".json", ".jsonl")


def check_suffix(path: PathLike) -> None:
    """Raise `InputError` unless `write_records` knows the suffix."""
    if format_suffix(path) not in _SUFFIXES:
        raise InputError(
            f"cannot write '{path}': its suffix names no format for rows. "
            f"Use {', '.join(_SUFFIXES)} (each also as .gz)."
        )


def write_records(
    path: PathLike, records: Sequence[Mapping[str, Any]], *, force: bool = False
) -> Path:
    r"""Write rows that all have the same fields.

    Parameters
    ----------
    path : str or path
        `.csv`, `.tsv`, `.json` (a list of objects) or `.jsonl` (an object a line), each also as
        `.gz`. UTF-8; numbers in full.
    records : sequence of dict
        Texts, numbers, booleans or None, which is an empty cell. At least one.
    force : bool, default=False
        Replace an existing file.

    Returns
    -------
    Path

    Raises
    ------
    OutputExistsError
        There is a file already and `force` is false.
    InputError
        The suffix is unknown, or the folder cannot be written.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from nonneg.io.records import write_records
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = write_records(pathlib.Path(folder, "a.csv"), [{"word": "cat", "weight": 0.5}])
    ...     path.read_text()
    'word,weight\ncat,0.5\n'
    """
    check_suffix(path)
    suffix = format_suffix(path)
    text = io.StringIO(newline="")
    if suffix == ".json":
        json.dump(list(records), text, indent=1, ensure_ascii=False, allow_nan=False)
        text.write("\n")
    elif suffix == ".jsonl":
        for record in records:
            text.write(json.dumps(record, ensure_ascii=False, allow_nan=False) + "\n")
    else:
        writer = csv.DictWriter(
            text,
            list(records[0]),
            delimiter="," if suffix == ".csv" else "\t",
            lineterminator="\n",
        )
        writer.writeheader()
        writer.writerows(records)
    data = text.getvalue().encode("utf-8", "replace")
    if Path(path).name.lower().endswith(".gz"):
        data = gzip.compress(data, mtime=0)  # no time inside: the same rows give the same bytes
    with atomic_write(path, force=force) as stream:
        stream.write(data)
    return Path(path)
