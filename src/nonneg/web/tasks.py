"""What a job does in its process: read a file, load an example, fit. Each is one small class.

A task is sent to the process as it stands here; what comes back is an `Opened`, or one sentence
that says what was wrong. Files are read here, too: a table that is too large, or a file that was
made to harm, ends this process and not the pages.
"""

from __future__ import annotations

import contextlib
import math
import os
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import islice
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import scipy.sparse

from nonneg.core.alternate import Step
from nonneg.errors import InputError, NonnegError
from nonneg.io.documents import Documents
from nonneg.io.expression import unique_names
from nonneg.io.pictures import Pictures
from nonneg.io.ratings import Ratings
from nonneg.io.table import Table
from nonneg.web.store import Limits, Opened

__all__ = [
    "EXAMPLES",
    "ChooseRank",
    "Example",
    "FitClasses",
    "FitFactors",
    "FitParts",
    "FitRecommender",
    "FitTopics",
    "OpenFile",
    "Say",
    "Task",
    "run_task",
]

_PEEK = 60  # lines that decide what a text holds
_FEW_RATINGS = 21  # different values of a column of ratings, 0 to 10 in halves
_MANY_WORDS = 4.0  # mean words of a cell in a column of texts
_BLOCK = 1 << 20
_DEMO_TOPICS = 12
# Parts of digits, how many digits they are found in, and the first of the others that is shown: it
# is repaired about as well as most.
_STROKES, _LEARNED, _FIRST = 25, 1500, 1701
_PICTURES = 500  # that can be looked at


class Say:
    """The way back: what is being done, and each step of a fit."""

    def __init__(self, sink: Connection) -> None:
        self._sink = sink

    def phase(self, text: str, share: float = 0.0) -> None:
        """Say what is being done, and which share of it is done, if that is known."""
        self._sink.send(("phase", (text, share)))

    def step(self, step: Step) -> None:
        """Say where the objective is; a callback of `factorize`."""
        self._sink.send(("step", (step.n_iter, step.objective)))


class Task(Protocol):
    """A piece of work that can be sent to another process."""

    def run(self, say: Say, limits: Limits) -> Opened:
        """Do it."""
        ...


def run_task(sink: Connection, task: Task, limits: Limits) -> None:
    """Do a task and send what came of it."""
    _limit_memory()
    try:
        sink.send(("done", task.run(Say(sink), limits)))
    except (NonnegError, UnicodeError) as error:
        sink.send(("failed", str(error)))
    except MemoryError:
        sink.send(("failed", "no memory is left · this machine cannot hold that much · use less"))
    except BrokenPipeError:
        pass  # nobody listens any more
    finally:
        sink.close()


def _limit_memory() -> None:
    """Let this process fail rather than the machine."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        there = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        resource.setrlimit(resource.RLIMIT_DATA, (there, there))


@dataclass(frozen=True)
class OpenFile:
    """Read a file, whatever it holds.

    Attributes
    ----------
    path : str
        Where the server put it, or what the command line named.
    name : str
        What the person calls it, for messages.
    holds : str
        "auto", "table", "ratings", "texts" or "model".
    titles : str or None
        A file with what items are called.
    """

    path: str
    name: str
    holds: str = "auto"
    titles: str | None = None

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
            raise InputError(told) from None


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
    if Path(path).is_dir() or suffix in (".json", ".jsonl", ".ndjson"):
        return "texts"
    if suffix in (".npy", ".npz", ".mtx", ".parquet"):
        return "table"
    text, _ = read_any_text(path)
    delimiter = sniff_delimiter(text)
    rows = [row for _, row in islice(numbered_rows(text, delimiter, path), _PEEK)]
    if _has_ratings(rows):
        return "ratings"
    return "texts" if _has_texts(rows[1:] or rows) else "table"


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
    return Opened("texts", documents)


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


@dataclass(frozen=True)
class Example:
    """Load an example by its name in EXAMPLES."""

    name: str

    def run(self, say: Say, limits: Limits) -> Opened:
        """Make it from data that every machine has."""
        say.phase("preparing the example")
        return EXAMPLES[self.name].make(say)


@dataclass(frozen=True)
class _Made:
    title: str
    told: str
    make: Callable[[Say], Opened]


def _talk(say: Say) -> Opened:
    from nonneg.apps import talk
    from nonneg.apps.recommend import Recommender

    model = Recommender(talk.N_CATEGORIES, random_state=0).fit(talk.observed_ratings())
    about: dict[str, Any] = {"titles": None, "labels": None}
    about |= {"factors": talk.talk_factors(), "X": talk.RATINGS.T.copy()}
    about |= {"user": "Jai", "item": "Black Mirror"}  # the talk's question
    return Opened("talk", model, about)


def _library(say: Say) -> Opened:
    from nonneg.apps.docstrings import library_documents

    documents = library_documents(say.phase)
    return FitTopics(documents, _DEMO_TOPICS).run(say, Limits())


def _digits(say: Say) -> Opened:
    from sklearn.datasets import load_digits

    from nonneg.apps.images import ImageParts
    from nonneg.io.pictures import as_pictures

    data: Any = load_digits()
    names = tuple(f"digit {i + 1}, a {t}" for i, t in enumerate(data.target.tolist()))
    pictures = replace(as_pictures(data.images / 16.0, data.target), names=names)
    say.phase(f"finding {_STROKES} parts")
    model = ImageParts(_STROKES, smoothness=0.1, random_state=0, callback=say.step)
    model.fit(_some(pictures, slice(0, _LEARNED)))
    model.callback = None  # which belongs to this process
    return Opened("images", model, {"pictures": _some(pictures, slice(_FIRST, None))})


def _some(pictures: Pictures, which: slice) -> Pictures:
    return replace(
        pictures,
        pixels=pictures.pixels[which],
        names=pictures.names[which],
        labels=None if pictures.labels is None else pictures.labels[which],
    )


def _tumours(say: Say) -> Opened:
    from nonneg.apps.metagenes import Metagenes
    from nonneg.report.demo_classes import find_leukemia

    found = find_leukemia()
    if found is None:
        from nonneg.report.demo_classes import tumours

        found, _ = tumours()
    say.phase("finding classes in many runs")
    model = Metagenes(3, ranks=(2, 3, 4), n_runs=10, random_state=0).fit(found)
    return Opened("classes", model)


EXAMPLES = {
    "talk": _Made(
        "The talk: five people, seven shows",
        "Why is Black Mirror not recommended to Jai? Taste as two components.",
        _talk,
    ),
    "topics": _Made(
        "Topics of a library",
        "What the standard library of Python says about itself, in twelve topics.",
        _library,
    ),
    "images": _Made(
        "Images in parts",
        "Handwritten digits as sums of strokes; hide pixels, and see them repaired.",
        _digits,
    ),
    "classes": _Made(
        "Classes of samples",
        "Leukemia where it is installed, else breast tumours: classes that many runs agree on.",
        _tumours,
    ),
}


@dataclass(frozen=True)
class FitFactors:
    """Find components of a table."""

    table: Table
    rank: int
    loss: str = "frobenius"
    missing: str = "nan"
    seed: int = 0

    def run(self, say: Say, limits: Limits) -> Opened:
        """Fit, telling each iteration."""
        from nonneg.core.factorize import factorize

        say.phase(f"finding {self.rank} components")
        fit = factorize(
            self.table.values,
            self.rank,
            loss=self.loss,
            missing_values=math.nan if self.missing == "nan" else 0.0,
            random_state=self.seed,
            callback=say.step,
        )
        named = replace(fit, row_names=self.table.row_names, column_names=self.table.column_names)
        return Opened("factors", named)


@dataclass(frozen=True)
class FitRecommender:
    """Learn taste from ratings."""

    data: Ratings | Table
    about: dict[str, Any]
    rank: int = 20
    models: int = 16
    implicit: bool = False
    seed: int = 0

    def run(self, say: Say, limits: Limits) -> Opened:
        """Fit."""
        from nonneg.apps.recommend import Recommender

        ratings = _as_ratings(self.data)
        say.phase(f"learning from {len(ratings):,} ratings")
        model = Recommender(
            self.rank,
            n_models=self.models,
            feedback="implicit" if self.implicit else "explicit",
            random_state=self.seed,
        )
        model.fit(ratings, item_labels=None if self.implicit else self.about["labels"])
        return Opened("recommender", model, self.about)


def _as_ratings(data: Ratings | Table) -> Ratings:
    """Ratings as they are, or of a table with people in rows, whose empty cells are unknown."""
    if isinstance(data, Ratings):
        return data
    X: Any = data.values
    sparse = scipy.sparse.issparse(X)
    cells = X.tocoo() if sparse else None
    rows, columns = np.nonzero(~np.isnan(X)) if cells is None else (cells.row, cells.col)
    values = X[rows, columns] if cells is None else cells.data
    if (values < 0).any():
        raise InputError("a rating is below 0 · ratings are from 0 up · correct the table")
    names = [
        unique_names(given or [f"{side} {i + 1}" for i in range(size)])
        for given, side, size in zip(
            (data.row_names, data.column_names), ("row", "column"), X.shape, strict=True
        )
    ]
    return Ratings(
        rows.astype(np.int32),
        columns.astype(np.int32),
        np.asarray(values, dtype=np.float64),
        np.array(names[0], dtype=object),
        np.array(names[1], dtype=object),
    )


@dataclass(frozen=True)
class FitParts:
    """Find parts of pictures that are the rows of a table."""

    table: Table
    width: int
    rank: int = 25
    smoothness: float = 0.0
    seed: int = 0

    def run(self, say: Say, limits: Limits) -> Opened:
        """Fit, telling each iteration."""
        from nonneg.apps.images import ImageParts
        from nonneg.io.pictures import as_pictures

        X: Any = self.table.values
        sparse = scipy.sparse.issparse(X)
        rows, columns = X.shape
        if columns % self.width:
            raise InputError(
                f"pictures {self.width} pixels wide · {columns} columns are not whole lines of "
                "that · say how wide they are"
            )
        values = (X.toarray() if sparse else X).reshape(rows, -1, self.width)
        pictures = as_pictures(values)
        if self.table.row_names is not None:
            pictures = replace(pictures, names=self.table.row_names)
        say.phase(f"finding {self.rank} parts of {rows:,} pictures")
        model = ImageParts(
            self.rank, smoothness=self.smoothness, random_state=self.seed, callback=say.step
        )
        model.fit(pictures)
        model.callback = None  # which belongs to this process
        return Opened("images", model, {"pictures": _some(pictures, slice(0, _PICTURES))})


@dataclass(frozen=True)
class FitTopics:
    """Find topics of texts; 0 topics: as many as the texts say."""

    documents: Documents
    rank: int
    seed: int = 0

    def run(self, say: Say, limits: Limits) -> Opened:
        """Fit."""
        from nonneg.apps.topics import TopicModel

        say.phase(f"finding topics in {len(self.documents):,} texts")
        model = TopicModel(self.rank or "auto", random_state=self.seed).fit(self.documents)
        return Opened("topics", model, {"texts": self.documents.texts})


@dataclass(frozen=True)
class FitClasses:
    """Find classes of the rows of a table by many runs."""

    table: Table
    rank: int
    runs: int = 20
    turned: bool = False
    seed: int = 0

    def run(self, say: Say, limits: Limits) -> Opened:
        """Fit this rank and its neighbours."""
        from nonneg.apps.metagenes import Metagenes
        from nonneg.io.expression import Expression

        X: Any = self.table.values
        sides = [
            unique_names(names or [f"{side} {i + 1}" for i in range(size)])
            for names, side, size in zip(
                (self.table.row_names, self.table.column_names),
                ("row", "column"),
                X.shape,
                strict=True,
            )
        ]
        if self.turned:
            X, sides = X.T, sides[::-1]
        data: Any = Expression(X, sides[0], sides[1], self.table.source)
        ranks = [k for k in (self.rank - 1, self.rank, self.rank + 1) if 2 <= k < len(sides[0])]
        say.phase(f"finding {self.rank} classes in {self.runs} runs")

        def told(run: int, step: Step) -> None:
            say.phase(f"run {run + 1}, iteration {step.n_iter}")

        model = Metagenes(
            self.rank, ranks=ranks, n_runs=self.runs, random_state=self.seed, callback=told
        )
        model.fit(data)
        model.callback = None  # which belongs to this process
        return Opened("classes", model)


@dataclass(frozen=True)
class ChooseRank:
    """Say how many components a table has."""

    table: Table
    first: int
    last: int
    runs: int = 10
    loss: str = "frobenius"
    missing: str = "nan"
    seed: int = 0

    def run(self, say: Say, limits: Limits) -> Opened:
        """Measure the ranks by every criterion."""
        from nonneg.selection.rank import select_rank

        chosen = select_rank(
            self.table.values,
            range(self.first, self.last + 1),
            n_runs=self.runs,
            loss=self.loss,
            missing_values=math.nan if self.missing == "nan" else 0.0,
            random_state=self.seed,
            progress=say.phase,
        )
        # Its matrices are samples × samples for each rank, and no page shows them.
        return Opened("rank", replace(chosen, consensuses={}, stable={}))
