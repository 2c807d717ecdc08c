"""Tables of texts and numbers as CSV (or, under another suffix, with tabs), and folders of them."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from nonneg.errors import InputError, OutputExistsError
from nonneg.io.files import PathLike, write_bytes

_FILES = (".csv", ".tsv", ".txt", ".json", ".npz", ".npy", ".gz", ".xlsx", ".parquet", ".gct")

__all__ = ["fresh_folder", "write_json", "write_rows"]


def write_rows(
    path: PathLike, header: Sequence[object], rows: Iterable[Sequence[object]], *, force: bool
) -> Path:
    """Write a table; numbers keep all their digits, and cells with delimiters get quotes.

    Parameters
    ----------
    path : str or path
        `.csv` has commas; anything else has tabs. Its folder is made if it is not there.
    header : sequence
    rows : iterable of sequence
        None is an empty cell.
    force : bool
        Replace an existing file.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    text = io.StringIO(newline="")
    writer = csv.writer(
        text, delimiter="," if target.suffix == ".csv" else "\t", lineterminator="\n"
    )
    writer.writerow(header)
    for row in rows:
        writer.writerow(["" if cell is None else cell for cell in row])
    return write_bytes(target, text.getvalue().encode(), force=force)


def write_json(path: PathLike, facts: dict[str, Any], *, force: bool) -> Path:
    """Write facts as `--json` prints them."""
    text = json.dumps(facts, indent=2, ensure_ascii=False, allow_nan=False)
    return write_bytes(path, text.encode(), force=force)


def fresh_folder(path: PathLike, *, force: bool) -> Path:
    """Return a folder to write into: new, empty, or, with `force`, as it is.

    Raises
    ------
    OutputExistsError
        There is something in it already.
    InputError
        There is a file of that name, or no folder above.
    """
    folder = Path(path)
    if folder.suffix.lower() in _FILES and not folder.is_dir():
        raise InputError(
            f"cannot write into '{folder}': that is the name of a file · several tables are "
            "written · name a folder, without a suffix"
        )
    if folder.exists() and not folder.is_dir():
        raise InputError(f"cannot write into '{folder}': it is a file · choose another name")
    if not folder.parent.is_dir():
        raise InputError(
            f"cannot write into '{folder}': there is no folder '{folder.parent}' · create it, or "
            "choose another name"
        )
    if folder.is_dir() and any(folder.iterdir()) and not force:
        raise OutputExistsError(
            f"cannot write into '{folder}': it is not empty · choose another name, or add --force "
            "to replace what has the same name"
        )
    return folder
