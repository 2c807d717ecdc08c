"""Classes over several ranks: which class of rank k goes where at rank k + 1.

Classes are numbered so that a class keeps its number as long as most of it stays together: those
of the next rank are matched with those before by the samples they share (Hungarian matching), and
what is new gets the next number. So the flow from rank to rank reads as a tree of subclasses.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import scipy.optimize
from numpy.typing import NDArray

__all__ = ["Flow", "Level", "aligned_orders", "flows"]


@dataclass(frozen=True, eq=False)
class Level:
    """The classes of one rank.

    Attributes
    ----------
    n_components : int
    classes : ndarray of int (n_samples,)
    sizes : ndarray of int (n_components,)
        Samples of each class; 0 where it is empty.
    relative_error : float
    cophenetic, dispersion : float or None
        Of the consensus over the runs; None with a single run.
    """

    n_components: int
    classes: NDArray[np.intp]
    sizes: NDArray[np.int64]
    relative_error: float
    cophenetic: float | None = None
    dispersion: float | None = None


@dataclass(frozen=True)
class Flow:
    """Samples that go from a class of one rank to a class of the next.

    Attributes
    ----------
    from_rank, from_class, to_rank, to_class : int
        Classes from 0.
    n_samples : int
    share : float
        Of the class they come from.
    """

    from_rank: int
    from_class: int
    to_rank: int
    to_class: int
    n_samples: int
    share: float


def aligned_orders(classes: Sequence[NDArray[np.intp]], ranks: Sequence[int]) -> list[list[int]]:
    """Return for each rank the order of its components in which classes keep their numbers.

    Parameters
    ----------
    classes : sequence of ndarray (n_samples,)
        Of each rank, in ascending order of the ranks.
    ranks : sequence of int

    Returns
    -------
    list of list of int
        ``order[new] = old``. At the first rank the largest class comes first.

    Examples
    --------
    >>> two, three = np.array([1, 1, 0, 0, 0]), np.array([0, 0, 2, 1, 1])
    >>> aligned_orders([two, three], [2, 3])
    [[0, 1], [1, 0, 2]]
    """
    orders: list[list[int]] = []
    for level, (found, k) in enumerate(zip(classes, ranks, strict=True)):
        sizes = np.bincount(found, minlength=k)
        by_size = np.argsort(-sizes, kind="stable").tolist()
        if level == 0:
            orders.append(by_size)
            continue
        before = np.argsort(orders[-1])[classes[level - 1]]
        shared = np.zeros((ranks[level - 1], k), dtype=np.int64)
        np.add.at(shared, (before, found), 1)
        rows, columns = scipy.optimize.linear_sum_assignment(shared, maximize=True)
        order = columns[np.argsort(rows)].tolist()
        orders.append(order + [t for t in by_size if t not in order])
    return orders


def flows(levels: Sequence[Level]) -> tuple[Flow, ...]:
    """Return the flow between each two neighbouring levels, the largest of each class first."""
    found = []
    for before, after in pairwise(levels):
        shared = np.zeros((before.n_components, after.n_components), dtype=np.int64)
        np.add.at(shared, (before.classes, after.classes), 1)
        for i, row in enumerate(shared):
            found += [
                Flow(
                    before.n_components,
                    i,
                    after.n_components,
                    int(j),
                    int(row[j]),
                    float(row[j] / row.sum()),
                )
                for j in np.argsort(-row, kind="stable")
                if row[j]
            ]
    return tuple(found)
