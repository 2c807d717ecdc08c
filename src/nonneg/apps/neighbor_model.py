"""The talk's neighbour method as a model: `Recommender(method="neighbors")`.

An unknown rating is a weighted mean of ratings of the K most similar items by the same person, or
of the same item by the K most similar people; similar is the cosine of rows of the factors. The
talk's own version takes an empty cell for a rating of 0. Left out instead, with the averages taken
off first and weights that shrink with doubt, it comes near factor models (`docs/adr/0012`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from nonneg.apps.averages import Averages, Codes, fit_averages
from nonneg.apps.echoes import Echoes
from nonneg.apps.neighbors import rank_weights
from nonneg.apps.rating_model import Parts, Person, TasteModel, fit_tastes
from nonneg.apps.tuning import (
    Choice,
    Scale,
    Settings,
    can_hold_out,
    held_out_parts,
    leftovers,
    spread,
)
from nonneg.core.factorize import factorize
from nonneg.errors import InputError
from nonneg.io.ratings import Ratings

__all__ = ["NeighborModel", "Neighbors", "choose_neighbors", "unit_rows"]

Array = NDArray[np.float64]

# Of the similarity weights: how much more the most similar count, and a neighbour's worth of doubt.
_SHARPNESS, _DOUBT = 4.0, 1.0
# Of the regression weights, in ratings.
_NOISE = 2.0
# Cosines that differ by rounding alone are ties.
_DIGITS = 12
# Items estimated at a time, so that the tables of similarities stay small.
_CHUNK = 256


@dataclass(frozen=True)
class Neighbors:
    """How the neighbour method estimates.

    Parameters
    ----------
    n : int ≥ 1, default 40
        Neighbours, K.
    weights : {"regression", "similarity", "rank"}
        "rank" is the talk's (1 − k/Σk)/(K − 1); "similarity" is the fourth power of the cosine,
        with one neighbour's worth of doubt; "regression" (default) also sees how similar the
        neighbours are to each other: kernel ridge regression, the weights of kriging.
    blanks : {"missing", "zero"}
        What an empty cell is: no rating (default), or the talk's rating of 0, in the factors and
        among the neighbours.
    centered : bool, default True
        Whether the averages are taken off the ratings first, and added again.
    min_neighbors : int ≥ 1, default 1
        With fewer, the estimate is the averages.
    by : {"items", "users"}
        Whose neighbours.
    """

    n: int = 40
    weights: Literal["regression", "similarity", "rank"] = "regression"
    blanks: Literal["missing", "zero"] = "missing"
    centered: bool = True
    min_neighbors: int = 1
    by: Literal["items", "users"] = "items"

    def __post_init__(self) -> None:
        for name, allowed in (
            ("weights", ("regression", "similarity", "rank")),
            ("blanks", ("missing", "zero")),
            ("by", ("items", "users")),
        ):
            if getattr(self, name) not in allowed:
                raise InputError(
                    f"{name}={getattr(self, name)!r} · it is {' or '.join(allowed)} · choose one"
                )
        for name in ("n", "min_neighbors"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise InputError(f"{name}={value!r} · it must be a whole number from 1 · change it")
        if self.weights == "regression" and not self.centered:
            raise InputError(
                'weights="regression" with centered=False · its weights do not sum to 1, so what '
                'is missing has to be the averages · use centered=True, or "similarity" or "rank"'
            )

    @classmethod
    def of_the_talk(cls) -> Neighbors:
        """Return the talk's version: three neighbours, rated or not, weighted by rank."""
        return cls(3, "rank", "zero", centered=False)


@dataclass(frozen=True, eq=False)
class NeighborModel:
    """Ratings and similarities; −1 is the code of somebody unknown.

    Attributes
    ----------
    how : Neighbors
    scale : Scale
        From 0 where an empty cell is a rating of 0.
    choice : Choice
        Its error and spread are those of held-out ratings.
    averages : Averages
    user_factors, item_factors : ndarray (n_users, k), (n_items, k), float32
    groups : ndarray (k,)
    matrix : csr_array (n_users, n_items)
    """

    how: Neighbors
    scale: Scale
    choice: Choice
    averages: Averages
    user_factors: NDArray[np.float32]
    item_factors: NDArray[np.float32]
    groups: NDArray[np.intp]
    matrix: sp.csr_array

    @cached_property
    def user_counts(self) -> NDArray[np.intp]:
        """Ratings of each user."""
        return np.diff(self.matrix.indptr).astype(np.intp)

    @cached_property
    def item_counts(self) -> NDArray[np.intp]:
        """Ratings of each item."""
        return np.diff(self._by_item.indptr).astype(np.intp)

    def estimate(self, users: Codes, items: Codes) -> Array:
        """Return estimates of pairs, not cut to the scale; one code goes with all of the other."""
        users, items = np.broadcast_arrays(users, items)
        out = self.scale.clip(self.averages.estimate(users, items))
        known = np.flatnonzero((users >= 0) & (items >= 0))
        order = known[np.argsort(users[known], kind="stable")]
        starts = np.flatnonzero(np.diff(users[order], prepend=-1))
        for at in np.split(order, starts[1:]):
            if at.size:
                out[at] = self.scores(self.person(int(users[at[0]])), items[at])
        return out

    def person(self, user: int) -> Person:
        """Return a user of the fit."""
        own = slice(self.matrix.indptr[user], self.matrix.indptr[user + 1])
        return Person(
            self.matrix.indices[own].astype(np.intp),
            self.matrix.data[own],
            float(self.averages.users[user]),
            self.user_factors[user],
            code=user,
        )

    def fold_in(self, items: NDArray[np.intp], values: Array) -> Person:
        """Return what is learned of somebody with these ratings, the items' part given."""
        order = np.argsort(items, kind="stable")
        items, values = np.asarray(items, np.intp)[order], np.asarray(values, np.float64)[order]
        model = TasteModel(
            self.scale,
            self.choice,
            self.averages,
            self.user_factors,
            self.item_factors,
            self.groups,
            Echoes(np.zeros((self.matrix.shape[1], 1))),
            np.zeros((self.matrix.shape[0], 1)),
            self.matrix,
        )
        factors = model.fold_in(items, values).factors
        return Person(items, values, self.averages.offset(items, values), factors)

    def scores(self, person: Person, items: Codes) -> Array:
        """Return the estimates of one person, not cut to the scale."""
        items = np.atleast_1d(items)
        if self.how.by == "users":
            return np.array([self._by_people(person, int(item))[0] for item in items])
        out = np.empty(items.size)
        for at in range(0, items.size, _CHUNK):
            chunk = items[at : at + _CHUNK]
            chosen, weights = self._by_items(person, chunk)
            base, rest = self._base(person, chunk, weights), self._rest(person)
            out[at : at + _CHUNK] = base + np.einsum("ij,ij->i", weights, rest[chosen])
        return out

    def rough_scores(self, person: Person, items: Codes) -> tuple[Array, Array]:
        """Return the same: there is no faster way."""
        return self.scores(person, items), np.zeros(len(items))

    def parts(self, person: Person, item: int) -> Parts:
        """Return what one estimate consists of."""
        if self.how.by == "users":
            _, base, sources, echoes = self._by_people(person, item)
        else:
            at = np.array([item])
            chosen, weights = self._by_items(person, at)
            base = float(self._base(person, at, weights)[0])
            used = weights[0] != 0
            echoes = weights[0][used] * self._rest(person)[chosen[0][used]]
            sources = self._candidates(person)[chosen[0][used]]
        none = np.zeros(0)
        return Parts(0.0, base, none, sources, echoes, people=self.how.by == "users")

    @cached_property
    def _items(self) -> Array:
        return unit_rows(self.item_factors)

    @cached_property
    def _users(self) -> Array:
        return unit_rows(self.user_factors)

    @cached_property
    def _by_item(self) -> sp.csr_array:
        return sp.csr_array(self.matrix.T)

    def _candidates(self, person: Person) -> NDArray[np.intp]:
        """The items that may be neighbours."""
        return person.items if self.how.blanks == "missing" else np.arange(self.matrix.shape[1])

    def _rest(self, person: Person) -> Array:
        """What the candidates' ratings are beyond the averages, or the ratings."""
        values = person.values
        if self.how.blanks == "zero":
            values = np.zeros(self.matrix.shape[1])
            values[person.items] = person.values
        if not self.how.centered:
            return values
        return values - self._averages(person, self._candidates(person))

    def _averages(self, person: Person, items: Codes) -> Array:
        mean = self.averages.mean + person.offset
        return np.asarray(self.scale.clip(mean + self.averages.items[items]))

    def _base(self, person: Person, items: Codes, weights: Array) -> Array:
        """What the neighbours are added to: the averages, or nothing where there are neighbours."""
        averages = self._averages(person, items)
        if self.how.centered:
            return averages
        return np.where((weights != 0).any(axis=1), 0.0, averages)

    def _by_items(self, person: Person, items: Codes) -> tuple[NDArray[np.intp], Array]:
        """Return the places of the neighbours among the candidates (t, K), and their weights."""
        candidates = self._candidates(person)
        rows, targets = self._items[candidates], self._items[items]
        similar = np.asarray(np.round(np.minimum(targets @ rows.T, 1.0), _DIGITS), np.float64)
        similar[items[:, None] == candidates[None, :]] = -np.inf
        k = min(self.how.n, candidates.size)
        chosen = np.argsort(-similar, axis=1, kind="stable")[:, :k]
        near: Array = np.take_along_axis(similar, chosen, axis=1)
        return chosen, self._weigh(near, rows, chosen)

    def _by_people(self, person: Person, item: int) -> tuple[float, float, NDArray[np.intp], Array]:
        """Return the estimate from people who rated the item: base, who, and what each adds."""
        own = slice(self._by_item.indptr[item], self._by_item.indptr[item + 1])
        people = self._by_item.indices[own].astype(np.intp)
        values = self._by_item.data[own]
        if self.how.blanks == "zero":
            everybody = np.zeros(self.matrix.shape[0])
            everybody[people] = values
            people, values = np.arange(everybody.size), everybody
        kept = people != person.code
        people, values = people[kept], values[kept]
        if self.how.centered:
            usual = self.averages.estimate(people, np.full(people.size, item))
            values = values - self.scale.clip(usual)
        rows = self._users[people]
        similar = np.round(np.minimum(rows @ unit_rows(person.factors[None])[0], 1.0), _DIGITS)
        chosen = np.argsort(-similar, kind="stable")[: self.how.n]
        weights = self._weigh(similar[chosen][None], rows, chosen[None])
        base = float(self._base(person, np.array([item]), weights)[0])
        echoes = weights[0] * values[chosen]
        return base + float(echoes.sum()), base, people[chosen], echoes

    def _weigh(self, near: Array, rows: Array, chosen: NDArray[np.intp]) -> Array:
        """Return the weights of the neighbours, nearest first; all 0 where they are too few."""
        there = np.isfinite(near)
        near = np.where(there, near, 0.0)
        if self.how.weights == "rank":
            counts = there.sum(axis=1)
            weights = np.zeros_like(near)
            for n in np.unique(counts[counts > 0]):
                weights[counts == n, :n] = rank_weights(int(n))
        elif self.how.weights == "similarity":
            weights = near**_SHARPNESS
            total = weights.sum(axis=1, keepdims=True) + (_DOUBT if self.how.centered else 0.0)
            weights = np.divide(weights, total, out=np.zeros_like(near), where=total > 0)
        else:
            blocks = rows[chosen]
            gram = blocks @ blocks.transpose(0, 2, 1) + _NOISE * np.eye(near.shape[1])
            gram *= there[:, :, None] & there[:, None, :]
            gram += ~there[:, :, None] * np.eye(near.shape[1])
            weights = np.asarray(np.linalg.solve(gram, near[:, :, None])[:, :, 0], np.float64)
        enough = there.sum(axis=1) >= self.how.min_neighbors
        return np.where(enough[:, None], weights, 0.0)


def unit_rows(F: NDArray[np.floating]) -> Array:
    """Return the rows with length 1, or 0 where they are 0."""
    rows = np.asarray(F, dtype=np.float64)
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(norms > 0, norms, 1.0)


def choose_neighbors(
    ratings: Ratings,
    how: Neighbors,
    choice: Choice,
    *,
    settings: Settings,
    rng: np.random.Generator,
) -> NeighborModel:
    """Fit all ratings, and measure the error on a share of them held out before.

    `choice` says how the factors are regularised.
    """
    if can_hold_out(len(ratings), Scale.of(ratings.values)):
        held_out = held_out_parts(len(ratings), rng)[0]
        users, items = ratings.users[held_out], ratings.items[held_out]
        trial = _fit(ratings.part(~held_out), how, choice, settings, rng)
        off = ratings.values[held_out] - trial.scale.clip(trial.estimate(users, items))
        error = math.sqrt(float(off @ off) / off.size)
        choice = replace(choice, error=error, spread=spread(off))
    return _fit(ratings, how, choice, settings, rng)


def _fit(
    ratings: Ratings, how: Neighbors, choice: Choice, settings: Settings, rng: np.random.Generator
) -> NeighborModel:
    model = None
    scale, averages = Scale.of(ratings.values), fit_averages(ratings)
    matrix = leftovers(ratings, slice(None), np.zeros(len(ratings)))
    if how.blanks == "zero":
        # As the talk does: items are the rows of X, and its factors are those of NNDSVD.
        found = factorize(
            sp.csr_array(matrix.T),
            settings.k,
            init="nndsvd",
            accelerate=False,
            tol=1e-8,
            n_threads=settings.n_threads,
            random_state=rng,
        )
        scale = replace(scale, low=min(scale.low, 0.0))
        W, F = found.H.T.astype(np.float32), found.W.astype(np.float32)
        groups = np.arange(settings.k)
    else:
        model = fit_tastes(ratings, replace(choice, echoes=0.0), settings=settings, rng=rng)
        W, F, groups = model.user_factors, model.item_factors, model.groups
    return NeighborModel(how, scale, choice.settled(), averages, W, F, groups, matrix)
