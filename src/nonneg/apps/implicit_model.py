"""Counts of use, not ratings: `Recommender(feedback="implicit")`.

    score(u, i) = (1 − b) · Σ wᵤₜ hᵢₜ + b · Σ_j x_uj · (zⱼ·zᵢ)/(1 − |zᵢ|²),   j ≠ i used by u

about the preference for an item: 1 for what was used, 0 for all else. W, H ≥ 0 are fitted to all
cells, with the more confidence the more use there was (`confidence.py`), several runs side by side.
The second sum are echoes of the person's own items. It is EASE (Steck 2019), the ridge regression
of each item on all others, in the leading directions of users × items: with x = U S Vᵀ and
Z = V S (S² + λ)^-½ its coefficients are those above, exactly so if no direction is left out.

How often something was used counts as log(1 + count), divided by the mean of all: x. The confidence
is 1 + confidence · x. Who has used nothing gets what is popular: the share of users of each item.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from nonneg.apps.averages import Averages, Codes
from nonneg.apps.confidence import ConfidenceRuns, solve_rows, with_background
from nonneg.apps.echoes import leading_directions
from nonneg.apps.ensemble import grouped
from nonneg.apps.explanation import Verdict
from nonneg.apps.rating_model import Parts, Person
from nonneg.apps.shortlist import Shortlist
from nonneg.apps.tuning import Choice, Scale, Settings, held_out_parts, leftovers
from nonneg.core.kernels import FloatArray
from nonneg.errors import InputError
from nonneg.io.ratings import Ratings

__all__ = ["PENALTIES", "WORTHS", "ImplicitModel", "Place", "fit_uses", "used"]

Array = NDArray[np.float64]

# Candidates of the factors' ridge and of the echoes' λ (in mean squares of x), strongest first, and
# of the share b of the echoes.
PENALTIES = (40.0, 20.0, 10.0, 5.0)
WORTHS = (400.0, 200.0, 100.0, 50.0)
_SHARES = (0.0, 0.25, 0.5, 0.75)
# With fewer counts nothing is chosen, and these are used; with very few nothing is measured.
_ENOUGH, _FEWEST = 1_000, 5
_PLAIN_RIDGE, _PLAIN_WORTH, _PLAIN_SHARE = 5.0, 50.0, 0.5
# Runs of the trial, people that it is judged by, and cells of their table of scores.
_TRIAL_RUNS, _JUDGES, _CELLS = 4, 1_000, 20_000_000
# Places that count there.
_LISTED = 20
# On lastfm-hetrec (NDCG@10 of the echoes alone within the training part): 128, 256, 512 and all
# 1,892 directions gave .172, .177, .178, .178.
_DIRECTIONS = 256
# Mean percentile rank of a list in random order.
_CHANCE = 0.5
# Of |zᵢ|², which is below 1 but for rounding.
_LONGEST = 1 - 1e-6
# Scores that differ by rounding alone are ties.
_TIE_DIGITS = 9
# Half of the held-out uses rank at least so high, and nine in ten.
_QUANTILES = (0.5, 0.9)


class Place(NamedTuple):
    """Where an item ranks, from 1, of how many; the scores that divide the verdicts; and its own.

    `UseExplanation` says by what rule.
    """

    rank: int
    n_ranked: int
    interval: tuple[float, float]
    verdict: Verdict


@dataclass(frozen=True, eq=False)
class ImplicitModel:
    """Fitted numbers, by codes of users and items; −1 is somebody unknown.

    Attributes
    ----------
    choice : Choice
        `ridge`, `damping` (λ), `factors` (1 − b), `echoes` (b). Of the held-out uses `error` is
        the mean percentile rank (Hu et al. 2008; 0 is best, .5 is chance), and `spread` are its
        median and nine tenths.
    confidence : float
    unit : float
        Mean of log(1 + count) over the counts of the fit.
    user_factors, item_factors : ndarray (n_users, k · n_models), (n_items, k · n_models), float32
        ≥ 0. Their product is about the preference.
    groups : ndarray (k · n_models,)
        Which component each column belongs to.
    features : ndarray (n_items, r), float32
        Z.
    matrix : csr_array (n_users, n_items)
        The counts, where there are any.
    """

    choice: Choice
    confidence: float
    unit: float
    user_factors: NDArray[np.float32]
    item_factors: NDArray[np.float32]
    groups: NDArray[np.intp]
    features: NDArray[np.float32]
    matrix: sp.csr_array

    @property
    def scale(self) -> Scale:
        """From no preference to preference."""
        return Scale(0.0, 1.0, 1.0)

    @cached_property
    def averages(self) -> Averages:
        """The share of users of each item."""
        m, n = self.matrix.shape
        mean = self.matrix.nnz / (m * n)
        return Averages(mean, np.zeros(m), self.item_counts / m - mean)

    @cached_property
    def user_counts(self) -> NDArray[np.intp]:
        """Items that each user has used."""
        return np.diff(self.matrix.indptr).astype(np.intp)

    @cached_property
    def item_counts(self) -> NDArray[np.intp]:
        """Users of each item."""
        return np.bincount(self.matrix.indices, minlength=self.matrix.shape[1]).astype(np.intp)

    @property
    def n_models(self) -> int:
        """Runs side by side."""
        return int((self.groups == 0).sum())

    def estimate(self, users: Codes, items: Codes) -> Array:
        """Return scores of pairs, not cut to [0, 1]; one code goes with all of the other."""
        users, items = np.broadcast_arrays(users, items)
        out = self.averages.estimate(users, items)
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
        items, values = self.matrix.indices[own].astype(np.intp), self.matrix.data[own]
        return Person(
            items, values, 0.0, self.user_factors[user], self._leaning(items, values), user
        )

    def fold_in(self, items: NDArray[np.intp], values: Array) -> Person:
        """Return what is learned of somebody with these counts, the items' part given."""
        order = np.argsort(items, kind="stable")
        items, values = np.asarray(items, np.intp)[order], np.asarray(values, np.float64)[order]
        items, values = items[values > 0], values[values > 0]
        factors = np.zeros(self.item_factors.shape[1], np.float32)
        if items.size:
            k = self.item_factors.shape[1] // self.n_models
            backed = [
                np.concatenate([self.item_factors[items, k * run : k * run + k], R])
                for run, R in enumerate(self._backgrounds)
            ]
            row = self._row(values)
            factors = solve_rows(row, backed, self.choice.ridge)[0]
        return Person(items, values, 0.0, factors, self._leaning(items, values))

    def fold_in_item(self, users: NDArray[np.float32], who: Codes, values: Array) -> FloatArray:
        """Return the factors of an item that these of the users have used so often."""
        k, parts = users.shape[1] // self.n_models, []
        for at in range(0, users.shape[1], k):
            W = users[:, at : at + k] * np.float32(self.n_models)
            parts.append(with_background(W, np.asarray(who, np.intp)))
        found = solve_rows(self._row(values), parts, self.choice.ridge)[0]
        return np.asarray(found * np.float32(self.n_models))

    def scores(self, person: Person, items: Codes) -> Array:
        """Return the scores of one person, not cut to [0, 1]."""
        tastes = np.einsum("ij,j->i", self.item_factors[items], person.factors, dtype=np.float64)
        # Row by row, so that a score does not depend on what else is asked.
        echoes = np.einsum("ij,j->i", self.features[items], person.leaning, dtype=np.float64)
        return self._mixed(person, items, tastes, echoes)

    def rough_scores(self, person: Person, items: Codes) -> tuple[Array, Array]:
        """Return them as fast as possible, and how far each may be off."""
        tastes, tastes_off = self._tastes.products(person.factors)
        echoes, echoes_off = self._heard.products(person.leaning)
        mixed = self._mixed(person, items, tastes[items], echoes[items])
        off = self.choice.factors * tastes_off[items]
        return mixed, off + self.choice.echoes * echoes_off[items] / (1 - self._squares[items])

    @cached_property
    def _tastes(self) -> Shortlist:
        return Shortlist(self.item_factors)

    @cached_property
    def _heard(self) -> Shortlist:
        return Shortlist(self.features)

    def parts(self, person: Person, item: int) -> Parts:
        """Return what one score consists of."""
        if not person.items.size:
            popular = float(self.averages.estimate(np.array([-1]), np.array([item]))[0])
            k = int(self.groups.max()) + 1
            return Parts(0.0, popular, np.zeros(k), person.items, np.zeros(0))
        products = person.factors.astype(np.float64) * self.item_factors[item].astype(np.float64)
        others = person.items != item
        sources, x = person.items[others], used(person.values[others], self.unit)
        z = self.features[item].astype(np.float64)
        echoes = x * (self.features[sources] @ z) / (1 - self._squares[item])
        return Parts(
            0.0,
            0.0,
            np.asarray(self.choice.factors * np.bincount(self.groups, products), np.float64),
            sources,
            np.asarray(self.choice.echoes * echoes),
        )

    def place(self, person: Person, item: int) -> Place:
        """Return where an item ranks among all that the person has not used, and the verdict."""
        among = np.ones(self.matrix.shape[1], dtype=bool)
        among[person.items] = False
        among[item] = True
        codes = np.flatnonzero(among)
        scores = np.round(self.scores(person, codes), _TIE_DIGITS)
        ahead = int((scores > scores[np.searchsorted(codes, item)]).sum())
        # The scores where half and nine tenths of the held-out uses would rank in this list.
        half, most = self.choice.spread
        upper, lower = self.scale.clip(np.quantile(scores, [1 - half, 1 - most]))
        share = ahead / max(scores.size - 1, 1)
        verdict: Verdict = "not sure"
        if person.items.size and self.item_counts[item] and self.choice.error < _CHANCE:
            if share <= half:
                verdict = "recommend"
            elif share > most:
                verdict = "don't recommend"
        return Place(ahead + 1, scores.size, (float(lower), float(upper)), verdict)

    def _mixed(self, person: Person, items: Codes, tastes: Array, echoes: Array) -> Array:
        if not person.items.size:
            return self.averages.estimate(np.full(len(items), -1), items)
        own = np.zeros(self.matrix.shape[1])
        own[person.items] = used(person.values, self.unit)
        squares = self._squares[items]
        # What an item says of itself is left out, as in EASE.
        echoes = (echoes - own[items] * squares) / (1 - squares)
        return np.asarray(self.choice.factors * tastes + self.choice.echoes * echoes)

    def _leaning(self, items: NDArray[np.intp], values: Array) -> Array:
        leaning: Array = used(values, self.unit) @ self.features[items].astype(np.float64)
        return leaning

    def _row(self, values: Array) -> sp.csr_array:
        """One row of extra confidence, its columns those of the values."""
        extra = self.confidence * used(values, self.unit)
        places = np.arange(values.size)
        return sp.csr_array(
            (extra, places, np.array([0, values.size])), shape=(1, max(values.size, 1))
        )

    @cached_property
    def _squares(self) -> Array:
        squares = np.einsum("ij,ij->i", self.features, self.features, dtype=np.float64)
        return np.asarray(np.minimum(squares, _LONGEST), dtype=np.float64)

    @cached_property
    def _backgrounds(self) -> list[FloatArray]:
        k = self.item_factors.shape[1] // self.n_models
        none = np.zeros(0, np.intp)
        return [
            with_background(np.ascontiguousarray(self.item_factors[:, at : at + k]), none)
            for at in range(0, self.item_factors.shape[1], k)
        ]


def used(values: Array, unit: float) -> Array:
    """Return x, how much the counts say: 1 on average."""
    return np.asarray(np.log1p(values) / unit)


def fit_uses(
    ratings: Ratings,
    ridges: tuple[float, ...],
    worths: tuple[float, ...],
    *,
    confidence: float,
    settings: Settings,
    rng: np.random.Generator,
) -> ImplicitModel:
    """Choose on held-out uses, then fit all.

    Raises
    ------
    InputError
        A count is negative, or none is above 0.
    """
    values = ratings.values
    if values.min() < 0:
        raise InputError(
            f"the counts go down to {values.min():g} · a count says how often something was used · "
            'leave such rows out, or use feedback="explicit" for ratings'
        )
    ratings = ratings.part(values > 0)
    if not len(ratings):
        raise InputError("every count is 0 · nothing was used by anybody · pass counts above 0")
    if len(ratings) < _ENOUGH:
        ridges = ridges if len(ridges) == 1 else (_PLAIN_RIDGE,)
        worths = worths if len(worths) == 1 else (_PLAIN_WORTH,)
    share = _PLAIN_SHARE
    choice = Choice(ridges[0], worths[0], 1 - share, share, 0.0, _CHANCE, _QUANTILES)
    if len(ratings) >= _FEWEST:
        choice = _Trial(ratings, confidence, settings, rng).choose(choice, ridges, worths)
    unit = float(np.log1p(ratings.values).mean())
    matrix = leftovers(ratings, slice(None), np.zeros(len(ratings)))
    x = _share_of_use(matrix, unit)
    runs = ConfidenceRuns(
        sp.csr_array(confidence * x),
        settings.k,
        settings.n_models,
        n_threads=settings.n_threads,
        rng=rng,
    )
    runs.advance(choice.ridge, settings.rule.max_iter)
    W, F = runs.settle(choice.ridge)
    features = _Directions(x, rng).features(choice.damping)
    groups = grouped(F, settings.n_models)
    return ImplicitModel(choice, confidence, unit, W, F, groups, features, matrix)


class _Directions:
    """The leading directions of users × items."""

    def __init__(self, x: sp.csr_array, rng: np.random.Generator) -> None:
        self._sizes, self._directions = leading_directions(x, _DIRECTIONS, rng)
        self._mean_square = float(x.data @ x.data) / x.nnz

    def features(self, worth: float) -> NDArray[np.float32]:
        """Return Z for this λ."""
        ridge = max(worth * self._mean_square, 1e-6)
        scale = self._sizes / np.sqrt(self._sizes**2 + ridge)
        return np.ascontiguousarray(self._directions * scale, dtype=np.float32)


class _Trial:
    """A fit to most of the uses, judged by where it ranks the others among all that is unused."""

    def __init__(
        self,
        ratings: Ratings,
        confidence: float,
        settings: Settings,
        rng: np.random.Generator,
    ) -> None:
        held_out = held_out_parts(len(ratings), rng)[0]
        kept, wanted = ratings.part(~held_out), ratings.part(held_out)
        self._weighed = len(ratings) >= _ENOUGH
        self._max_iter = settings.rule.max_iter
        unit = float(np.log1p(kept.values).mean())
        x = _share_of_use(leftovers(kept, slice(None), np.zeros(len(kept))), unit)
        users = np.intersect1d(wanted.users, kept.users)
        most = max(1, min(_JUDGES, _CELLS // ratings.n_items))
        self._judges = np.sort(rng.permutation(users)[:most])
        self._x = x
        self._seen = [x.indices[x.indptr[u] : x.indptr[u + 1]] for u in self._judges]
        self._wanted = [wanted.items[wanted.users == u] for u in self._judges]
        self._directions = _Directions(x, rng)
        self._runs = ConfidenceRuns(
            sp.csr_array(confidence * x),
            settings.k,
            min(settings.n_models, _TRIAL_RUNS),
            n_threads=settings.n_threads,
            rng=rng,
        )

    def choose(self, plain: Choice, ridges: tuple[float, ...], worths: tuple[float, ...]) -> Choice:
        """Go down the paths of λ and of the ridge, each until the ranks get worse."""
        if not self._judges.size:
            return plain
        best_gain, worth, echoes = -np.inf, worths[0], np.zeros((0, 0), np.float32)
        for candidate in worths:
            scores = self._echo(candidate)
            gain = _gain(self._places(scores)[0])
            if gain <= best_gain:
                break
            best_gain, worth, echoes = gain, candidate, scores
        best_gain, best, shares = -np.inf, plain, _SHARES if self._weighed else (_PLAIN_SHARE,)
        for ridge in ridges:
            self._runs.advance(ridge, self._max_iter)
            W, F = self._runs.settle(ridge)
            tastes = W[self._judges] @ F.T
            before = best_gain
            for share in shares:
                mixed = np.float32(1 - share) * tastes + np.float32(share) * echoes
                places, percentiles = self._places(mixed)
                if _gain(places) > best_gain:
                    best_gain = _gain(places)
                    half, most = np.quantile(percentiles, _QUANTILES)
                    error = float(percentiles.mean())
                    best = Choice(
                        ridge, worth, 1 - share, share, 0.0, error, (float(half), float(most))
                    )
            if best_gain <= before:
                break
        return best

    def _echo(self, worth: float) -> NDArray[np.float32]:
        """Scores of the echoes for what the judges have not used."""
        Z = self._directions.features(worth)
        squares = np.minimum(np.einsum("ij,ij->i", Z, Z), np.float32(_LONGEST))
        leanings = (self._x[self._judges] @ Z).astype(np.float32)
        return np.asarray((leanings @ Z.T) / (1 - squares), np.float32)

    def _places(self, scores: NDArray[np.float32]) -> tuple[Array, Array]:
        """Place, from 1, of each held-out use among the unused; and as a share of them."""
        places, percentiles = [], []
        for row, seen, wanted in zip(scores, self._seen, self._wanted, strict=True):
            kept = row.copy()
            kept[seen] = -np.inf
            own = kept[wanted][:, None]
            # Ties share their places.
            found = ((kept > own).sum(axis=1) + (kept >= own).sum(axis=1) + 1) / 2
            places.append(found)
            percentiles.append((found - 1) / max(row.size - seen.size - 1, 1))
        return np.concatenate(places), np.concatenate(percentiles)


def _gain(places: Array) -> float:
    """The discounted gain of what is listed."""
    return float(np.mean(np.where(places <= _LISTED, 1 / np.log2(1 + places), 0.0)))


def _share_of_use(matrix: sp.csr_array, unit: float) -> sp.csr_array:
    return sp.csr_array((used(matrix.data, unit), matrix.indices, matrix.indptr), matrix.shape)
