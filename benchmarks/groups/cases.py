"""Which sets, losses and ranks a group goes through, and the first columns of their rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

from harness import Bench
from sets import load
from task import Matrix

KL, FROBENIUS = "kullback-leibler", "frobenius"


@dataclass(frozen=True)
class Case:
    """A set, a loss and a rank; whether the quick record has it too."""

    data: str
    loss: str
    n_components: int
    quick: bool = field(default=True, kw_only=True)


C = TypeVar("C", bound="Case")


def loaded(
    bench: Bench, cases: Iterable[C], tiny: Iterable[C]
) -> Iterator[tuple[C, dict[str, object], Matrix | None]]:
    """Yield what was asked for: the case, the head of its rows, its data.

    Where the files of a set are missing the data are None, and the head is a whole row that says
    what is missing.
    """
    for case in tiny if bench.tiny else cases:
        if not (case.quick or bench.full or bench.tiny):
            continue
        row = {"data": case.data, "loss": case.loss, "n_components": case.n_components}
        try:
            X = load(case.data, bench.data)
        except FileNotFoundError as absent:
            yield case, {**row, "missing": str(absent)}, None
        else:
            yield case, row, X
