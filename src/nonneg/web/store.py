"""What is open in this session: tables, models, and answers that were computed once.

Everything lives in memory and in one temporary folder; closing the explorer forgets it. Answers are
kept as the JSON they are sent as, so that a page that many look at costs one computation.
"""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from nonneg.errors import InputError, UnknownNameError
from nonneg.report.facts import Facts

__all__ = ["Entry", "Limits", "Opened", "Store"]

_ANSWERS = 200  # of each entry


@dataclass(frozen=True)
class Limits:
    """What one session may hold.

    Attributes
    ----------
    file_bytes, pasted_chars : int
        Of what is opened; unpacked, where it is packed.
    rows, columns, cells : int
        Of a table; the cells that are stored, where it is sparse.
    files : int
        Of a folder.
    entries, jobs : int
        Things open, and fits under way, at the same time.
    """

    file_bytes: int = 256 * 2**20
    pasted_chars: int = 4 * 2**20
    rows: int = 2_000_000
    columns: int = 200_000
    cells: int = 50_000_000
    files: int = 20_000
    entries: int = 40
    jobs: int = 3


@dataclass(frozen=True)
class Opened:
    """What a job brings back.

    Attributes
    ----------
    kind : str
        "table", "ratings", "texts", "pictures", or what was fitted: "factors", "recommender",
        "topics", "classifier", "images", "classes", "signatures", "rank", "talk".
    thing : object
        The data or the model itself.
    about : dict
        What else the pages need: titles of items, texts, how it was fitted.
    """

    kind: str
    thing: Any
    about: dict[str, Any] = field(default_factory=dict)


@dataclass
class Entry:
    """Something open, under the number that its pages have."""

    number: int
    name: str
    opened: Opened
    parent: Entry | None = None
    _answers: OrderedDict[str, bytes] = field(default_factory=OrderedDict, repr=False)
    _sent: OrderedDict[tuple[str, bytes], bytes] = field(default_factory=OrderedDict, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @property
    def kind(self) -> str:
        """What it is."""
        return self.opened.kind

    def known(self, key: str) -> bytes | None:
        """Return an answer that was computed before."""
        return self._answers.get(key)

    def sent(self, path: str, query: bytes) -> bytes | None:
        """Return what was sent to this address before."""
        return self._sent.get((path, query))

    def note(self, path: str, query: bytes, answer: bytes) -> None:
        """Keep what is sent to an address; the bytes are those of the answer."""
        self._sent[path, query] = answer
        while len(self._sent) > _ANSWERS:
            self._sent.popitem(last=False)

    def answer(self, key: str, compute: Callable[[], Facts]) -> bytes:
        """Return the facts as JSON, computed at the first time."""
        found = self._answers.get(key)
        if found is not None:
            return found
        with self._lock:  # the others wait for the first
            found = self._answers.get(key)
            if found is None:
                found = json.dumps(compute(), ensure_ascii=False, allow_nan=False).encode()
                self._answers[key] = found
                while len(self._answers) > _ANSWERS:
                    self._answers.popitem(last=False)
        return found


class Store:
    """The entries of this session by number."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._entries: dict[int, Entry] = {}
        self._next = 1
        self._lock = threading.Lock()

    def add(self, name: str, opened: Opened, parent: Entry | None = None) -> Entry:
        """Keep something, and number it."""
        with self._lock:
            self.check_room(len(self._entries))
            entry = Entry(self._next, name, opened, parent)
            self._entries[self._next] = entry
            self._next += 1
        return entry

    def check_room(self, taken: int | None = None) -> None:
        """Raise InputError where nothing more may be opened."""
        if (len(self._entries) if taken is None else taken) >= self._limits.entries:
            raise InputError(
                f"{self._limits.entries} things are open · that is as many as there may be · "
                "close one on the start page"
            )

    def get(self, number: int) -> Entry:
        """Return an entry; raise UnknownNameError where there is none."""
        entry = self._entries.get(number)
        if entry is None:
            raise UnknownNameError(
                f"nothing is open under number {number} · it was closed, or the explorer was "
                "started again · go to the start page"
            )
        return entry

    def find(self, number: int) -> Entry | None:
        """Return an entry, or None."""
        return self._entries.get(number)

    def remove(self, number: int) -> None:
        """Forget an entry."""
        self.get(number)
        with self._lock:
            self._entries.pop(number, None)

    def __iter__(self) -> Any:
        return iter(list(self._entries.values()))
