"""The model of a rating: averages, components of taste, and echoes of a person's own ratings.

    rating ≈ (1 − share) · averages + share · (low + Σ wᵤₜ hᵢₜ) + lift · trust + echo(u, i)
    share = weight · trust,  trust = nᵤ/(nᵤ + damping) · nᵢ/(nᵢ + damping)

with W, H ≥ 0 from the ratings that exist, the components of several runs side by side, and averages
≥ low, the lowest rating: low plus parts ≥ 0. The echo (`echoes.py`) is a sum over the ratings of
the person; the lift is what the ridge takes off the factors' estimates. The weight goes to the
averages where a person or an item has few ratings, and who has none gets them alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from nonneg.apps.averages import Averages, Codes, fit_averages
from nonneg.apps.echoes import Echoes, describe_items
from nonneg.apps.ensemble import Ensemble, grouped, solve_one
from nonneg.apps.pairs import row_products
from nonneg.apps.shortlist import Shortlist
from nonneg.apps.tuning import Choice, Scale, Settings, leftovers, one_sided_trust
from nonneg.io.ratings import Ratings

__all__ = ["Parts", "Person", "RatingModel", "TasteModel", "fit_tastes"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Person:
    """Somebody to estimate for: one of the users, or somebody new.

    Attributes
    ----------
    items, values : ndarray (n,)
        Codes of the rated items, ascending, and the ratings.
    offset : float
        What they give beyond the mean and the items' offsets.
    factors : ndarray (k · n_models,)
    leaning : ndarray (r,)
        Towards the directions of `Echoes`.
    code : int
        −1 for somebody new.
    """

    items: NDArray[np.intp]
    values: Array
    offset: float
    factors: NDArray[np.float32]
    leaning: Array = field(default_factory=lambda: np.zeros(1))
    code: int = -1


@dataclass(frozen=True, eq=False)
class Parts:
    """One estimate, not cut to the scale: start + averages + Σ components + Σ echoes.

    Attributes
    ----------
    start : float
        The lowest rating, where components are measured from.
    averages : float
        What the averages add to it, and the lift.
    components : ndarray (k,)
    sources : ndarray (n,)
        Codes of the rated items that the echoes are from, or of users where `people`.
    echoes : ndarray (n,)
    people : bool
        Whether the sources are other users' ratings of the same item.
    """

    start: float
    averages: float
    components: Array
    sources: NDArray[np.intp]
    echoes: Array
    people: bool = False

    @property
    def total(self) -> float:
        """Their sum."""
        parts = float(self.components.sum() + self.echoes.sum())
        return self.start + self.averages + parts


class RatingModel(Protocol):
    """What a way of estimating ratings has to answer; −1 is the code of somebody unknown."""

    @property
    def scale(self) -> Scale:
        """Lowest and highest rating."""

    @property
    def averages(self) -> Averages:
        """Mean and offsets."""

    @property
    def choice(self) -> Choice:
        """What was chosen on held-out ratings, and their error."""

    @property
    def matrix(self) -> sp.csr_array:
        """The ratings, users × items."""

    @property
    def user_counts(self) -> NDArray[np.intp]:
        """Ratings of each user."""

    @property
    def item_counts(self) -> NDArray[np.intp]:
        """Ratings of each item."""

    @property
    def user_factors(self) -> NDArray[np.float32]:
        """Factors of the users, all runs side by side."""

    @property
    def item_factors(self) -> NDArray[np.float32]:
        """Factors of the items, all runs side by side."""

    @property
    def groups(self) -> NDArray[np.intp]:
        """Which component each column of the factors belongs to."""

    def estimate(self, users: Codes, items: Codes) -> Array:
        """Return estimates of pairs, not cut to the scale."""

    def person(self, user: int) -> Person:
        """Return a user of the fit."""

    def fold_in(self, items: NDArray[np.intp], values: Array) -> Person:
        """Return what is learned of somebody with these ratings, the items' part given."""

    def scores(self, person: Person, items: Codes) -> Array:
        """Return the estimates of one person, not cut to the scale."""

    def rough_scores(self, person: Person, items: Codes) -> tuple[Array, Array]:
        """Return them as fast as possible, and how far each may be off."""

    def parts(self, person: Person, item: int) -> Parts:
        """Return what one estimate consists of."""


@dataclass(frozen=True, eq=False)
class TasteModel:
    """Fitted numbers, by codes of users and items; −1 is somebody unknown.

    Attributes
    ----------
    scale : Scale
    choice : Choice
        What it was fitted with; its starts are dropped.
    averages : Averages
    user_factors, item_factors : ndarray (n_users, k · n_models), (n_items, k · n_models), float32
        ≥ 0. ratings − low ≈ user_factors @ item_factors.T.
    groups : ndarray (k · n_models,)
        Which component each column belongs to.
    echoes : Echoes
    leanings : ndarray (n_users, r)
    matrix : csr_array (n_users, n_items)
        The ratings, where there are any.
    signed : bool
        Whether factors may be negative.
    """

    scale: Scale
    choice: Choice
    averages: Averages
    user_factors: NDArray[np.float32]
    item_factors: NDArray[np.float32]
    groups: NDArray[np.intp]
    echoes: Echoes
    leanings: Array
    matrix: sp.csr_array
    signed: bool = False

    @cached_property
    def user_counts(self) -> NDArray[np.intp]:
        """Ratings of each user."""
        return np.diff(self.matrix.indptr).astype(np.intp)

    @cached_property
    def item_counts(self) -> NDArray[np.intp]:
        """Ratings of each item."""
        return np.bincount(self.matrix.indices, minlength=self.matrix.shape[1]).astype(np.intp)

    @property
    def n_models(self) -> int:
        """Runs side by side."""
        return int((self.groups == 0).sum())

    def estimate(self, users: Codes, items: Codes) -> Array:
        """Return estimates of pairs, not cut to the scale; one code goes with all of the other."""
        users, items = np.broadcast_arrays(users, items)
        averages = self.scale.clip(self.averages.estimate(users, items))
        known = np.flatnonzero((users >= 0) & (items >= 0))
        u, i = users[known], items[known]
        tastes = row_products(self.user_factors, self.item_factors, u, i)
        echoes = row_products(self.leanings, self.echoes.features, u, i)
        out = np.array(averages)
        out[known] = self._mixed(self.user_counts[u], i, averages[known], tastes, echoes)
        return out

    def person(self, user: int) -> Person:
        """Return a user of the fit."""
        own = slice(self.matrix.indptr[user], self.matrix.indptr[user + 1])
        return Person(
            self.matrix.indices[own].astype(np.intp),
            self.matrix.data[own],
            float(self.averages.users[user]),
            self.user_factors[user],
            self.leanings[user],
            user,
        )

    def fold_in(self, items: NDArray[np.intp], values: Array) -> Person:
        """Return what is learned of somebody with these ratings, the items' part given."""
        order = np.argsort(items, kind="stable")
        items, values = np.asarray(items, np.intp)[order], np.asarray(values, np.float64)[order]
        offset = self.averages.offset(items, values)
        factors = np.zeros(self.item_factors.shape[1], np.float32)
        if items.size:
            ridge, units = self.scale.ridge_per_entry(self.choice.ridge), self.scale.units(values)
            rows = self.item_factors[items]
            solved = solve_one(units, rows, self.n_models, ridge, signed=self.signed)
            factors = solved * np.float32(self.scale.span)
        person = Person(items, values, offset, factors)
        return Person(items, values, offset, factors, self._solve(person)[1])

    def scores(self, person: Person, items: Codes) -> Array:
        """Return the estimates of one person, not cut to the scale."""
        tastes = np.einsum("ij,j->i", self.item_factors[items], person.factors, dtype=np.float64)
        echoes = self.echoes.features[items] @ person.leaning
        n, averages = np.array([person.items.size]), self._averages(person, items)
        return self._mixed(n, items, averages, tastes, echoes)

    def rough_scores(self, person: Person, items: Codes) -> tuple[Array, Array]:
        """Return them as fast as possible, and how far each may be off."""
        tastes, tastes_off = self._tastes.products(person.factors)
        echoes, echoes_off = self._heard.products(person.leaning)
        n, every = np.array([person.items.size]), slice(None)
        mixed = self._mixed(n, every, self._averages(person, every), tastes, echoes)
        off = self.choice.factors * self._trust(n, every) * tastes_off
        off += self.choice.echoes * echoes_off
        return mixed[items], off[items]

    @cached_property
    def _tastes(self) -> Shortlist:
        return Shortlist(self.item_factors)

    @cached_property
    def _heard(self) -> Shortlist:
        return Shortlist(self.echoes.features)

    def _mixed(
        self,
        n_user: NDArray[np.integer],
        items: Codes | slice,
        averages: Array,
        tastes: NDArray[np.floating],
        echoes: NDArray[np.floating],
    ) -> Array:
        by_factors = self.choice.factors * (self.scale.low + tastes - averages) + self.choice.lift
        mixed = averages + self._trust(n_user, items) * by_factors + self.choice.echoes * echoes
        return np.asarray(mixed, dtype=np.float64)

    def parts(self, person: Person, item: int) -> Parts:
        """Return what one estimate consists of."""
        at = np.array([item])
        trusted = float(self._trust(np.array([person.items.size]), at)[0])
        share = self.choice.factors * trusted
        averages = float(self._averages(person, at)[0])
        products = person.factors.astype(np.float64) * self.item_factors[item].astype(np.float64)
        similar = self.echoes.features[person.items] @ self.echoes.features[item]
        return Parts(
            self.scale.low,
            (1 - share) * (averages - self.scale.low) + self.choice.lift * trusted,
            np.asarray(share * np.bincount(self.groups, products), dtype=np.float64),
            person.items,
            np.asarray(self.choice.echoes * similar * self._solve(person)[0]),
        )

    def _solve(self, person: Person) -> tuple[Array, Array]:
        usual = self._averages(person, person.items)
        return self.echoes.solve(person.items, person.values - usual)

    def _averages(self, person: Person, items: Codes | slice) -> Array:
        mean = self.averages.mean + person.offset
        return self.scale.clip(mean + self.averages.items[items])

    def _trust(self, n_user: NDArray[np.integer], items: Codes | slice) -> Array:
        return one_sided_trust(n_user, self.choice.damping) * self._item_trust[items]

    @cached_property
    def _item_trust(self) -> Array:
        return one_sided_trust(self.item_counts, self.choice.damping)


def fit_tastes(
    ratings: Ratings, choice: Choice, *, settings: Settings, rng: np.random.Generator
) -> TasteModel:
    """Fit all ratings as was chosen, from its factors on."""
    scale = Scale.of(ratings.values)
    ensemble = Ensemble(
        scale.matrix(ratings),
        choice.starts or (settings.k, settings.n_models),
        signed=settings.signed,
        n_threads=settings.n_threads,
        rng=rng,
    )
    ridge = scale.ridge_per_entry(choice.ridge)
    ensemble.advance(ridge, settings.rule, rng)
    W, F = ensemble.settle(ridge)
    averages = fit_averages(ratings)
    matrix = leftovers(ratings, slice(None), np.zeros(len(ratings)))
    echoes = Echoes(np.zeros((ratings.n_items, 1)))
    leanings = np.zeros((ratings.n_users, 1))
    if choice.echoes:
        echoes = describe_items(ratings, slice(None), rng)
        if settings.labels is not None:
            echoes = echoes.labelled(settings.labels, choice.labels)
        usual = scale.clip(averages.estimate(ratings.users, ratings.items))
        leanings = echoes.leanings(leftovers(ratings, slice(None), usual), settings.n_threads)
    return TasteModel(
        scale,
        choice.settled(),
        averages,
        W * np.float32(scale.span),
        F,
        grouped(F, settings.n_models),
        echoes,
        leanings,
        matrix,
        settings.signed,
    )
