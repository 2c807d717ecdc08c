"""Topics by class, over time, and from one number of topics to the next."""

from __future__ import annotations

import datetime
import itertools
from collections.abc import Callable, Hashable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nonneg.apps.rankings import Ranking
from nonneg.apps.topic_results import Flow, GroupShare
from nonneg.errors import InputError

__all__ = ["class_shares", "flows", "period_shares"]


def class_shares(
    shares: NDArray[np.float64], names: Sequence[str], labels: Sequence[object]
) -> Ranking[GroupShare]:
    """Return the mean shares of the topics for each label, labels in order of their names.

    A document with several labels (a tuple, list or set) counts for each; one with None for none.
    """
    _check_length(len(labels), len(shares), "labels")
    members: dict[Hashable, list[int]] = {}
    for j, label in enumerate(labels):
        several = label if isinstance(label, (tuple, list, set, frozenset)) else [label]
        for one in several:
            if one is not None and one == one:
                one = one.item() if isinstance(one, np.generic) else one
                members.setdefault(one, []).append(j)
    order = sorted(members, key=str)
    return _rows(shares, names, [(label, np.array(members[label])) for label in order])


def period_shares(
    shares: NDArray[np.float64],
    names: Sequence[str],
    times: Sequence[object],
    n_periods: int,
) -> Ranking[GroupShare]:
    """Return the mean shares of the topics in periods of equal length, named by their starts."""
    _check_length(len(times), len(shares), "times")
    at, told = _on_one_scale(times)
    known = np.flatnonzero(~np.isnan(at))
    if not known.size:
        raise InputError("no document has a time · there is nothing to order by · pass times=")
    edges = np.linspace(at[known].min(), at[known].max(), n_periods + 1)
    period = np.clip(np.searchsorted(edges, at[known], side="right") - 1, 0, n_periods - 1)
    groups = [(told(edges[p]), known[period == p]) for p in range(n_periods)]
    return _rows(shares, names, [(start, who) for start, who in groups if who.size])


def flows(levels: Sequence[tuple[NDArray[np.intp], Sequence[str]]]) -> Ranking[Flow]:
    """Return how documents go from the topics of one level to those of the next.

    A level is the topic of each document (−1 for none) and the names of its topics.
    """
    found = []
    for (first, names), (second, next_names) in itertools.pairwise(levels):
        known = (first >= 0) & (second >= 0)
        table = np.zeros((len(names), len(next_names)), dtype=np.intp)
        np.add.at(table, (first[known], second[known]), 1)
        found += [
            Flow(len(names), t, names[t], len(next_names), u, next_names[u], int(table[t, u]))
            for t, u in np.argwhere(table).tolist()
        ]
    return Ranking(found, Flow)


def _rows(
    shares: NDArray[np.float64],
    names: Sequence[str],
    groups: Sequence[tuple[Any, NDArray[np.intp]]],
) -> Ranking[GroupShare]:
    rows = []
    for group, who in groups:
        # Documents without a known word have no shares to take part with.
        known = who[shares[who].any(axis=1)]
        means = shares[known].mean(axis=0) if known.size else np.zeros(len(names))
        rows += [
            GroupShare(group, t, names[t], float(means[t]), int(known.size))
            for t in range(len(names))
        ]
    return Ranking(rows, GroupShare)


def _check_length(given: int, n_documents: int, what: str) -> None:
    if given != n_documents:
        raise InputError(
            f"{given} {what} were given · the model was fitted to {n_documents} documents · give "
            "one for each, None where there is none"
        )


def _on_one_scale(
    times: Sequence[object],
) -> tuple[NDArray[np.float64], Callable[[float], Any]]:
    """Return times as numbers, NaN for none, and the way back to what a person reads."""
    present = [time for time in times if time is not None and time == time]
    if all(isinstance(time, (int, float, np.number)) for time in present):
        numbers = [float(t) if t is not None else np.nan for t in times]  # type: ignore[arg-type]
        return np.array(numbers), float
    moments = [_moment(time) for time in times]
    whole = all(m is None or m.time() == datetime.time() for m in moments)
    seconds = np.array([np.nan if m is None else m.timestamp() for m in moments])

    def told(at: float) -> str:
        moment = datetime.datetime.fromtimestamp(at, tz=datetime.UTC)
        return moment.date().isoformat() if whole else moment.isoformat(timespec="seconds")

    return seconds, told


def _moment(time: Any) -> datetime.datetime | None:
    """Return a date as a moment; without a zone it is UTC."""
    if time is None or time != time:
        return None
    try:
        moment = datetime.datetime.fromisoformat(str(time).strip())
    except ValueError:
        raise InputError(
            f"the time {str(time)[:30]!r} is no date · times are numbers or dates such as "
            "2024-05-31 · convert them"
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)
