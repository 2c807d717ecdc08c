"""Lists with the best first, as people go through them and as frames."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal, TypeVar

import narwhals.stable.v1 as nw

from nonneg.errors import InputError

__all__ = ["Backend", "Ranking", "Recommendation", "Similar", "as_frame"]

Backend = Literal["pandas", "polars", "pyarrow"]


@dataclass(frozen=True)
class Recommendation:
    """An item and the rating that the person is expected to give it, on the scale of the data.

    With implicit feedback the score is about the preference, in [0, 1].
    """

    item: Hashable
    score: float


@dataclass(frozen=True)
class Similar:
    """An item like another, or a user: the cosine of their factors, in [0, 1]."""

    name: Hashable
    similarity: float


T = TypeVar("T")


class Ranking(list[T]):
    """A list, best first, that is a frame where one is wanted.

    Examples
    --------
    >>> Ranking([Recommendation("Heat", 4.5)], Recommendation).to_frame("pandas")
       item  score
    0  Heat    4.5
    """

    def __init__(self, entries: list[T], kind: type[T]) -> None:
        super().__init__(entries)
        self._kind = kind

    def to_frame(self, backend: Backend = "pandas") -> Any:
        """Return it as a frame of this library: "pandas", "polars" or "pyarrow".

        Returns
        -------
        frame (n, fields)
            A column for each field of the entries, such as item and score; they are there with no
            rows, too.

        Raises
        ------
        InputError
            There is no such library, or it is not installed.
        """
        return as_frame(self, self._kind, backend)


def as_frame(entries: Sequence[Any], kind: type[Any], backend: Backend) -> Any:
    """Return dataclasses of one kind as a frame, as `Ranking.to_frame` does; lists become text."""
    if backend not in ("pandas", "polars", "pyarrow"):
        raise InputError(f"backend={backend!r} · it is pandas, polars or pyarrow · choose one")
    columns = {
        field.name: [_cell(getattr(entry, field.name)) for entry in entries]
        for field in fields(kind)
    }
    try:
        return nw.from_dict(columns, backend=backend).to_native()
    except ImportError as error:
        raise InputError(
            f"{backend} is not installed · a frame needs its library · pip install {backend}, "
            "or go through the list itself"
        ) from error


def _cell(value: object) -> object:
    return ", ".join(map(str, value)) if isinstance(value, tuple) else value
