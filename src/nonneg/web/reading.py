"""Opening files: what a file holds is found out, read, and checked against the limits.

It happens in the process of a job: a table that is too large, or a file that was made to harm,
ends that process and not the pages.
"""

from __future__ import annotations

import contextlib
import math
import statistics
import zipfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

import scipy.sparse

from nonneg.errors import InputError, NonnegError
from nonneg.io.pictures import SUFFIXES, Choices, as_pictures, picture_sizes
from nonneg.web.store import Limits, Opened
from nonneg.web.tasks import Say

__all__ = ["OpenFile"]

_PEEK = 60  # lines that decide what a text holds
_FEW_RATINGS = 21  # different values of a column of ratings, 0 to 10 in halves
_MANY_WORDS = 4.0  # mean words of a cell in a column of texts
_BLOCK = 1 << 20
_SIDE = 128  # pixels; larger pictures are made smaller
_SQUARE = 1.05  # a shape that differs by more is stretched visibly


@dataclass(frozen=True)
class OpenFile:
    """Read a file or a folder, whatever it holds.

    Attributes
    ----------
    path : str
        Where the server put it, or what the command line named.
    name : str
        What the person calls it, for messages.
    holds : str
        "auto", "table", "ratings", "texts", "pictures" or "model".
    titles : str or None
        A file with what items are called.
    names : dict of str to str
        Of a folder that the server made: what the person calls the files and folders in it.
    """

    path: str
    name: str
    holds: str = "auto"
    titles: str | None = None
    names: dict[str, str] = field(default_factory=dict)

    def run(self, say: Say, limits: Limits) -> Opened:
        """Read, check against the limits, and say what it is."""
        say.phase(f"reading {self.name}")
        try:
            _check_size(self.path, limits)
            holds = _what(self.path) if self.holds == "auto" else self.holds
            return _READERS[holds](self, limits)
        except NonnegError as error:
            # Where the server keeps its files is nobody's business.
            told = str(error).replace(self.path, self.name)
            for kept, called in self.names.items():
                told = told.replace(kept, called) if "." in kept else told
            raise InputError(told) from None

    def called(self, name: str) -> str:
        """Return what the person calls a file or a folder."""
        return self.names.get(name, name)


def _check_size(path: str, limits: Limits) -> None:
    """Raise before unpacking what would be too long."""
    size = Path(path).stat().st_size if Path(path).is_file() else 0
    if path.endswith(".gz"):
        import gzip

        size = 0
        with contextlib.suppress(OSError, EOFError), gzip.open(path) as stream:
            while size <= limits.file_bytes and (block := stream.read(_BLOCK)):
                size += len(block)
    elif path.endswith(".npz"):
        with contextlib.suppress(zipfile.BadZipFile), zipfile.ZipFile(path) as archive:
            size = sum(member.file_size for member in archive.infolist())
    if size > limits.file_bytes:
        raise InputError(
            f"'{path}' holds more than {limits.file_bytes // 2**20} MB · the explorer reads no "
            "more · use the command line for it"
        )


def _what(path: str) -> str:
    """Find out what a file holds."""
    from nonneg.io.files import format_suffix, numbered_rows, read_any_text, sniff_delimiter
    from nonneg.models import is_model_file

    if is_model_file(path):
        return "model"
    suffix = format_suffix(path)
    if Path(path).is_dir():
        inside = (file.suffix.lower() for file in Path(path).rglob("*"))
        return "pictures" if any(one in SUFFIXES for one in inside) else "texts"
    if suffix == ".zip":
        raise InputError(
            f"'{path}' is an archive · what is in it is not looked at · unpack it, and open the "
            "file or the folder"
        )
    if suffix in SUFFIXES or _is_stack(path, suffix):
        return "pictures"
    if suffix in (".json", ".jsonl", ".ndjson"):
        return "texts"
    if suffix in (".npy", ".npz", ".mtx", ".parquet"):
        return "table"
    text, _ = read_any_text(path)
    delimiter = sniff_delimiter(text)
    rows = [row for _, row in islice(numbered_rows(text, delimiter, path), _PEEK)]
    if _has_ratings(rows):
        return "ratings"
    return "texts" if _has_texts(rows[1:] or rows) else "table"


def _is_stack(path: str, suffix: str) -> bool:
    """Whether it is an array of more than two dimensions, as pictures are saved."""
    from nonneg.io.matrix_files import read_arrays

    if suffix not in (".npy", ".npz"):
        return False
    with contextlib.suppress(NonnegError):
        return any(array.ndim > 2 for array in read_arrays(path).values())
    return False


def _has_ratings(rows: list[list[str]]) -> bool:
    """Whether they are user, item, rating: by their header, or as MovieLens has them without."""
    from nonneg.io.cells import is_number
    from nonneg.io.rating_sources import find_columns

    with contextlib.suppress(InputError):
        find_columns(rows[0], None, "it")
        return True
    if len(rows) < _PEEK or len(rows[0]) not in (3, 4):
        return False
    if not all(len(row) == len(rows[0]) and is_number(row[2]) for row in rows):
        return False
    ratings = {row[2] for row in rows}
    pairs = {(row[0], row[1]) for row in rows}
    names = all(row[0].strip().isalnum() and row[1].strip().isalnum() for row in rows)
    return names and len(ratings) <= _FEW_RATINGS and len(pairs) == len(rows)


def _has_texts(rows: list[list[str]]) -> bool:
    words = [max(len(cell.split()) for cell in row) for row in rows if row]
    return bool(words) and sum(words) / len(words) >= _MANY_WORDS


def _table(task: OpenFile, limits: Limits) -> Opened:
    from nonneg.io.table import read_table

    table = read_table(task.path)
    values: Any = table.values
    rows, columns = values.shape
    sparse = scipy.sparse.issparse(values)
    cells = int(values.nnz) if sparse else rows * columns
    if rows > limits.rows or columns > limits.columns or cells > limits.cells:
        raise InputError(
            f"'{task.name}' has {rows:,} rows, {columns:,} columns and {cells:,} cells · the "
            f"explorer takes {limits.rows:,}, {limits.columns:,} and {limits.cells:,} · use the "
            "command line for it"
        )
    return Opened("table", replace(table, source=task.name))


def _ratings(task: OpenFile, limits: Limits) -> Opened:
    from nonneg.io.names import read_labels, read_titles
    from nonneg.io.ratings import read_ratings

    ratings = read_ratings(task.path)
    if max(ratings.n_users, ratings.n_items) > limits.rows or len(ratings) > limits.cells:
        raise InputError(
            f"'{task.name}' has {len(ratings):,} ratings · the explorer takes {limits.cells:,} · "
            "use the command line for it"
        )
    about: dict[str, Any] = {"titles": None, "labels": None}
    if task.titles is not None:
        about["titles"] = read_titles(task.titles)
        about["labels"] = read_labels(task.titles) or None
    return Opened("ratings", ratings, about)


def _texts(task: OpenFile, limits: Limits) -> Opened:
    from nonneg.io.documents import read_documents

    documents = read_documents(task.path)
    if len(documents) > limits.rows:
        raise InputError(
            f"'{task.name}' has {len(documents):,} texts · the explorer takes {limits.rows:,} · "
            "use the command line for it"
        )
    named = replace(documents, names=tuple(map(task.called, documents.names)))
    return Opened("texts", named)


def _pictures(task: OpenFile, limits: Limits) -> Opened:
    sizes = picture_sizes(task.path)
    if sizes.total() == 1:
        raise InputError(
            f"'{task.name}' is one picture · parts are what many pictures share · open the folder "
            "that it is in"
        )
    size = _smaller(sizes, limits)
    found = as_pictures(task.path, choices=Choices(size=size))
    labels = None if found.labels is None else tuple(map(task.called, found.labels))
    skipped = tuple(replace(one, name=task.called(one.name)) for one in found.skipped)
    names = tuple(map(task.called, found.names))
    named = replace(found, names=names, labels=labels, skipped=skipped)
    return Opened("pictures", named, {"notes": _resizing(sizes, size)})


def _smaller(sizes: Counter[tuple[int, int]], limits: Limits) -> tuple[int, int] | None:
    """The size (height, width) that all pictures are brought to, None where they have it."""
    if not sizes:  # which reading them will say better
        return None
    height, width = (statistics.median_low(side) for side in zip(*sizes.elements(), strict=True))
    side = min(_SIDE, math.isqrt(limits.cells // sizes.total()))
    scale = min(1.0, side / max(height, width))
    if scale == 1.0 and len(sizes) == 1:
        return None
    return max(1, round(scale * height)), max(1, round(scale * width))


def _resizing(sizes: Counter[tuple[int, int]], size: tuple[int, int] | None) -> list[str]:
    """What was done to the pictures, to be said on their page."""
    if size is None:
        return []
    height, width = size
    shape = width / height
    stretched = sum(
        count
        for (tall, wide), count in sizes.items()
        if not 1 / _SQUARE < wide / tall / shape < _SQUARE
    )
    notes = [
        f"Every picture was brought to {width} × {height} pixels: parts need one size, and more "
        f"than {_SIDE} a side would only be slower. `nonneg images` keeps every pixel."
    ]
    if stretched:
        notes.append(f"{stretched:,} of them have another shape and were stretched.")
    return notes


def _model(task: OpenFile, limits: Limits) -> Opened:
    from nonneg.io.names import read_titles
    from nonneg.models import load

    model: Any = load(task.path)
    kind = _MODELS[type(model).__name__]
    if kind == "factors":
        return Opened(kind, getattr(model, "factorization_", model))
    titles = None if task.titles is None else read_titles(task.titles)
    return Opened(kind, model, {"titles": titles, "labels": None})


_READERS: dict[str, Callable[[OpenFile, Limits], Opened]] = {
    "table": _table,
    "ratings": _ratings,
    "texts": _texts,
    "pictures": _pictures,
    "model": _model,
}
_MODELS = {
    "Factorization": "factors",
    "NMF": "factors",
    "Recommender": "recommender",
    "TopicModel": "topics",
    "TopicClassifier": "classifier",
    "ImageParts": "images",
    "Metagenes": "classes",
    "Signatures": "signatures",
}
