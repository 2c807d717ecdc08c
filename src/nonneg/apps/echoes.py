"""What a person's own ratings say of another item: echoes, stronger the more alike the items.

Who rated an item, whatever the rating, tells a lot about it (the implicit feedback of SVD++, Koren
2008). Items are described by the leading directions of the matrix of who rated what; the kernel
K is the cosine of the descriptions. What a person's ratings leave over beyond the averages is
predicted by kernel ridge regression on K, person by person:

    echo(i) = Σ_j K(i, j) c_j over the rated items j,   (K + noise · I) c = ratings − averages

so it is a sum over the person's own ratings, exactly. Labels of items, such as genres, are further
directions where they help.
"""

from __future__ import annotations

import os
from collections.abc import Hashable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.linalg.lapack
import scipy.sparse as sp
import scipy.sparse.linalg
from numpy.typing import NDArray

from nonneg.errors import InputError
from nonneg.io.ratings import Ratings

__all__ = ["LABEL_WEIGHTS", "Echoes", "describe_items", "label_table", "leading_directions"]

# On ratings held out within the training part of a fold, 32, 64, 128, 256 directions gave .8367,
# .8360, .8348, .8344 on MovieLens 1M and .897 each on 100k; noise from 1 to 4 differs by .0005.
_DIRECTIONS = 128
_NOISE = 2.0
# Ratings' worth of doubt about the description of an item.
_KNOWN = 7.5

# What labels count for in a description, chosen on held-out ratings. From .7 to 1 the error differs
# by .0005 (MovieLens 100k, genres and decades; docs/adr/0012).
LABEL_WEIGHTS = (0.0, 0.5)
_MOST_LABELS = 512
# What a thread takes at once.
_USERS_AT_A_TIME = 256

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Echoes:
    """Descriptions of the items.

    Attributes
    ----------
    features : ndarray (n_items, r)
        K = features @ features.T; a row's square is n/(n + 7.5) for n ratings, and more with
        labels.
    """

    features: Array

    def labelled(self, labels: Array, weight: float) -> Echoes:
        """Return descriptions that also have the labels (n_items, f), rows of length 1 or 0."""
        return Echoes(np.hstack([self.features, weight * labels])) if weight else self

    def solve(self, items: NDArray[np.integer], rest: Array) -> tuple[Array, Array]:
        """Return the coefficients c of a person's rated items, and their sum in features."""
        A = self.features[items]
        n, r = A.shape
        if not n:
            return np.zeros(0), np.zeros(r)
        if n <= r:
            c = _solved(A @ A.T, rest)
            return c, c @ A
        leaning = _solved(A.T @ A, rest @ A)
        return (rest - A @ leaning) / _NOISE, leaning

    def leanings(self, matrix_rest: sp.csr_array, n_threads: int | None = None) -> Array:
        """Return the leaning of each user (n_users, r), from users × items of what is left over."""
        indptr, indices, rest = matrix_rest.indptr, matrix_rest.indices, matrix_rest.data
        out = np.zeros((matrix_rest.shape[0], self.features.shape[1]))

        def solve_some(users: NDArray[np.intp]) -> None:
            for user in users:
                own = slice(indptr[user], indptr[user + 1])
                out[user] = self.solve(indices[own], rest[own])[1]

        users = np.flatnonzero(np.diff(indptr))
        parts = np.array_split(users, max(1, users.size // _USERS_AT_A_TIME))
        with ThreadPoolExecutor(n_threads or os.cpu_count()) as pool:
            list(pool.map(solve_some, parts))
        return out


def _solved(gram: Array, right: Array) -> Array:
    """Return (gram + noise · I)⁻¹ right."""
    gram.flat[:: len(gram) + 1] += _NOISE
    _, found, _ = scipy.linalg.lapack.dposv(gram, right, lower=1, overwrite_a=1)
    return np.asarray(found, dtype=np.float64)


def label_table(labels: Mapping[Any, Iterable[str]], item_ids: Iterable[Hashable]) -> Array:
    """Return which labels each item has (n_items, f), rows of length 1, or 0 without any.

    Raises
    ------
    InputError
        A text stands where several labels are expected, there are more than 512 different ones, or
        none belongs to an item.
    """
    by_name = {str(item): found for item, found in labels.items()}
    rows = []
    for item in item_ids:
        found = by_name.get(str(item), ())
        if isinstance(found, str) or not isinstance(found, Iterable):
            raise InputError(
                f"the labels of {item!r} are {found!r} · an item has a list of labels · "
                'give ["Drama", "Crime"], for instance with found.split("|")'
            )
        rows.append(sorted({str(label) for label in found}))
    names = sorted({label for row in rows for label in row})
    if not names:
        raise InputError(
            "none of the labels belongs to an item of the ratings · labels are found by the id of "
            "the item · give a mapping from ids to lists of labels"
        )
    if len(names) > _MOST_LABELS:
        raise InputError(
            f"there are {len(names)} different labels · descriptions have room for {_MOST_LABELS} "
            "· leave out the rare ones"
        )
    place = {name: at for at, name in enumerate(names)}
    table = np.zeros((len(rows), len(names)))
    for at, row in enumerate(rows):
        table[at, [place[label] for label in row]] = 1 / np.sqrt(max(len(row), 1))
    return table


def describe_items(
    ratings: Ratings, chosen: NDArray[np.bool_] | slice, rng: np.random.Generator
) -> Echoes:
    """Describe items by who rated them: users count less the more they rate."""
    users, items = ratings.users[chosen], ratings.items[chosen]
    m, n = ratings.n_users, ratings.n_items
    by_user, by_item = np.bincount(users, minlength=m), np.bincount(items, minlength=n)
    rated = sp.csr_array((1 / np.sqrt(by_user[users]), (users, items)), shape=(m, n))
    sizes, directions = leading_directions(rated, _DIRECTIONS, rng)
    features = directions * sizes
    norms = np.linalg.norm(features, axis=1)
    # An item that nobody rated has a description of rounding errors.
    scale = np.sqrt(by_item / (by_item + _KNOWN)) / np.where(norms > 0, norms, 1.0)
    return Echoes(features * scale[:, None])


def leading_directions(
    matrix: sp.csr_array, most: int, rng: np.random.Generator
) -> tuple[Array, Array]:
    """Return the largest singular values (r,), at most so many, and their columns' side (n, r).

    At most one fewer than rows and columns; where that is none, one of size 0.
    """
    m, n = matrix.shape
    r = min(most, m - 1, n - 1)
    if r < 1:
        return np.zeros(1), np.zeros((n, 1))
    start = rng.standard_normal(min(m, n))
    _, sizes, directions = scipy.sparse.linalg.svds(matrix, k=r, v0=start)
    return np.asarray(sizes, np.float64), np.asarray(directions.T, np.float64)
