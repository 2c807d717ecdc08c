"""How strongly to regularise, and how far to trust each part: chosen on ratings held out.

A tenth of the ratings is held out (small sets: five folds, so that each rating is held out once)
and the ridge goes down a path, each fit starting from the one before. Few iterations a step are
early stopping; the first step down that predicts worse ends the path. How much of the factors and
of the echoes goes into an estimate, and how far the ridge has pulled it down, is least squares on
the held-out ratings. What is left over there is the error, and gives the interval, that estimates
are quoted with.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.optimize import lsq_linear

from nonneg.apps.averages import fit_averages
from nonneg.apps.echoes import LABEL_WEIGHTS, describe_items
from nonneg.apps.ensemble import Ensemble, Start
from nonneg.apps.pairs import row_products
from nonneg.core.alternate import Rule
from nonneg.errors import InputError
from nonneg.io.ratings import Ratings

__all__ = [
    "DAMPINGS",
    "RIDGES",
    "Choice",
    "Scale",
    "Settings",
    "can_hold_out",
    "choose",
    "held_out_parts",
    "leftovers",
    "spread",
    "trust",
]

# In units of the standard deviation of the ratings, so that the unit of the scale is no matter.
RIDGES = (0.125, 0.088, 0.0625, 0.044, 0.031, 0.022)
DAMPINGS = (0.0, 1.0, 2.0, 5.0, 10.0, 20.0, 40.0, 80.0)
# What is used where there are too few ratings to hold any out.
_PLAIN_RIDGE, _PLAIN_DAMPING, _FEWEST = 0.088, 10.0, 5

# From here on there is enough to tell how the parts should be weighted.
_WEIGHED = 1_000
# The interval leaves out this share of the held-out ratings on either side.
_TAIL = 0.1

_SHARE = 0.1
# From here on one share held out measures the error to about 2 % (σ/√(2n)).
_ONE_SHARE = 2_000
_N_FOLDS = 5
# The smallest rating becomes this much of the scale: an exact 0 would be a cell without a rating.
_SMALLEST = 1e-4
# Beyond these, factors in float32 overflow or vanish.
_LARGEST, _NARROWEST = 1e30, 1e-30


@dataclass(frozen=True)
class Scale:
    """The scale of the ratings seen, and its unit for the factors: (rating − low) / span.

    Attributes
    ----------
    low, high : float
    deviation : float
        Standard deviation of the ratings.
    """

    low: float
    high: float
    deviation: float

    @classmethod
    def of(cls, values: NDArray[np.float64]) -> Scale:
        """Return the scale that these ratings use.

        Raises
        ------
        InputError
            Their size or their span is outside of what float32 factors can hold.
        """
        low, high = float(values.min()), float(values.max())
        if max(-low, high) > _LARGEST:
            raise InputError(
                f"the scale of the ratings is {low:g} to {high:g} · factors hold numbers up to "
                f"{_LARGEST:g} · divide the ratings by a constant"
            )
        if 0 < high - low < _NARROWEST:
            raise InputError(
                f"the scale of the ratings is {low:g} to {high:g} · factors tell ratings apart "
                f"that differ by {_NARROWEST:g} or more · multiply the ratings by a constant"
            )
        return cls(low, high, float(values.std()))

    @property
    def span(self) -> float:
        """From the lowest rating to the highest; 1 where all are the same."""
        return self.high - self.low or 1.0

    def matrix(
        self, ratings: Ratings, chosen: NDArray[np.bool_] | slice = slice(None)
    ) -> sp.csr_array:
        """Return users × items in the unit of the factors, absent where there is no rating."""
        return sp.csr_array(
            (self.units(ratings.values[chosen]), (ratings.users[chosen], ratings.items[chosen])),
            shape=(ratings.n_users, ratings.n_items),
        )

    def units(self, values: NDArray[np.float64]) -> NDArray[np.float32]:
        """Return ratings in the unit of the factors, none of them 0."""
        return np.maximum((values - self.low) / self.span, _SMALLEST).astype(np.float32)

    def ridge_per_entry(self, ridge: float) -> float:
        """Return the ridge of the engine for one in standard deviations."""
        return ridge * self.deviation / self.span

    def clip(self, estimates: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the estimates, cut to the scale."""
        return np.clip(estimates, self.low, self.high)


class Settings(NamedTuple):
    """What the fits of one recommender have in common.

    Attributes
    ----------
    k, n_models : int
    rule : Rule
    signed : bool
        Whether the factors may be negative.
    n_threads : int or None
    labels : ndarray (n_items, f) or None
        What the items are labelled with, as of `label_table`.
    echoes : bool
        Whether there are any.
    """

    k: int
    n_models: int
    rule: Rule
    signed: bool
    n_threads: int | None
    labels: NDArray[np.float64] | None = None
    echoes: bool = True


@dataclass(frozen=True, eq=False)
class Choice:
    """What to fit all ratings with.

    Attributes
    ----------
    ridge, damping : float
    factors, echoes : float ≥ 0
        Weights of the two parts of an estimate; that of the factors is at most 1.
    lift : float ≥ 0
        What is added where the factors are trusted: the ridge takes off as much.
    error : float
        Root mean squared error on the held-out ratings; the deviation of all where none could
        be held out (`can_hold_out`).
    spread : (float, float)
        Between which four in five held-out ratings lie, seen from their estimates.
    labels : float ≥ 0
        What the items' labels count for in their descriptions.
    starts : list of (W, F) or None
        Factors to start from, in the unit of `Scale`.
    """

    ridge: float
    damping: float
    factors: float
    echoes: float
    lift: float
    error: float
    spread: tuple[float, float]
    labels: float = 0.0
    starts: list[Start] | None = None

    def settled(self) -> Choice:
        """Return it without factors to start from."""
        return replace(self, starts=None)


def trust(
    user_counts: NDArray[np.integer], item_counts: NDArray[np.integer], damping: float
) -> NDArray[np.float64]:
    """Return the weight of the factors against the averages: n/(n + damping) of both sides.

    Examples
    --------
    >>> trust(np.array([0, 10, 30]), np.array([10, 10, 10]), 10.0)
    array([0.   , 0.25 , 0.375])
    """
    return one_sided_trust(user_counts, damping) * one_sided_trust(item_counts, damping)


def one_sided_trust(counts: NDArray[np.integer], damping: float) -> NDArray[np.float64]:
    """Return n/(n + damping)."""
    n = np.asarray(counts, dtype=np.float64)
    return np.divide(n, n + damping, out=np.zeros_like(n), where=n > 0)


def can_hold_out(n_ratings: int, scale: Scale) -> bool:
    """Whether so many ratings can tell an error: there are five or more, and not all the same."""
    return n_ratings >= _FEWEST and scale.low < scale.high


def choose(
    ratings: Ratings,
    ridges: Sequence[float],
    dampings: Sequence[float],
    *,
    settings: Settings,
    rng: np.random.Generator,
) -> Choice:
    """Go down the path and return where the held-out ratings are predicted best."""
    scale = Scale.of(ratings.values)
    if not can_hold_out(len(ratings), scale):
        ridge = ridges[0] if len(ridges) == 1 else _PLAIN_RIDGE
        damping = dampings[0] if len(dampings) == 1 else _PLAIN_DAMPING
        wide = scale.deviation
        return Choice(ridge, damping, 1.0, 0.0, 0.0, wide, (-wide, wide))
    weighed = len(ratings) >= _WEIGHED
    folds = [
        _Fold(ratings, held_out, scale, settings, rng, echoing=weighed and settings.echoes)
        for held_out in held_out_parts(len(ratings), rng)
    ]
    values = np.concatenate([fold.values for fold in folds])
    averages = np.concatenate([fold.averages for fold in folds])
    label_weight, echoes = _best_echoes(folds, values - averages)
    best: Choice | None = None
    for ridge in ridges:
        for fold in folds:
            fold.advance(ridge, settings.rule, rng)
        better = None
        for damping in dampings:
            tastes, trusted = (
                np.concatenate(each)
                for each in zip(*(fold.tastes(damping) for fold in folds), strict=True)
            )
            parts = np.stack([tastes, echoes, scale.span * trusted], axis=1)
            weights = (
                _weights(parts / scale.span, (values - averages) / scale.span)
                if weighed
                else np.array([1.0, 0.0, 0.0])
            )
            off = values - scale.clip(averages + parts @ weights)
            error = math.sqrt(float(off @ off) / off.size)
            if error < (math.inf if better is None else better.error):
                factors, echoing, lift = (float(weight) for weight in weights)
                lift *= scale.span
                better = Choice(
                    ridge, damping, factors, echoing, lift, error, spread(off), label_weight
                )
        if better is None or (best is not None and better.error >= best.error):
            break
        best = replace(better, starts=folds[0].ensemble.starts)
    assert best is not None
    return best


def _best_echoes(
    folds: Sequence[_Fold], rest: NDArray[np.float64]
) -> tuple[float, NDArray[np.float64]]:
    """Return what labels should count for, and the echoes of the held-out ratings then."""
    candidates = {
        weight: np.concatenate([fold.echoes[weight] for fold in folds])
        for weight in folds[0].echoes
    }

    def explained(weight: float) -> float:
        echoes = candidates[weight]
        size = float(echoes @ echoes)
        return float(echoes @ rest) ** 2 / size if size else 0.0

    best = max(candidates, key=explained)
    return best, candidates[best]


def spread(off: NDArray[np.float64]) -> tuple[float, float]:
    """Return between which two numbers four in five of the leftovers lie."""
    low, high = np.quantile(off, [_TAIL, 1 - _TAIL], method="inverted_cdf")
    return min(float(low), 0.0), max(float(high), 0.0)


def _weights(parts: NDArray[np.float64], rest: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return what the parts count for: least squares, none below 0, the first at most 1."""
    # Not from the normal equations, whose residual is another norm: it matters at the bounds.
    Q, R = np.linalg.qr(parts)
    found = lsq_linear(R, Q.T @ rest, bounds=([0, 0, 0], [1, np.inf, np.inf]))
    # Of a part that is nothing any weight would do.
    return np.where(parts.any(axis=0), found.x, 0.0)


def held_out_parts(n: int, rng: np.random.Generator) -> list[NDArray[np.bool_]]:
    """Return which ratings each fold holds out."""
    order = rng.permutation(n)
    one = n * _SHARE >= _ONE_SHARE
    parts = [order[: math.ceil(n * _SHARE)]] if one else np.array_split(order, _N_FOLDS)
    masks = []
    for part in parts:
        mask = np.zeros(n, dtype=bool)
        mask[part] = True
        masks.append(mask)
    return masks


def leftovers(
    ratings: Ratings, chosen: NDArray[np.bool_] | slice, baseline: NDArray[np.float64]
) -> sp.csr_array:
    """Return users × items of what the ratings are beyond a baseline."""
    rest = ratings.values[chosen] - baseline
    where = (ratings.users[chosen], ratings.items[chosen])
    return sp.csr_array((rest, where), shape=(ratings.n_users, ratings.n_items))


class _Fold:
    """Factors of the ratings that are not held out, and estimates of those that are."""

    def __init__(
        self,
        ratings: Ratings,
        held_out: NDArray[np.bool_],
        scale: Scale,
        settings: Settings,
        rng: np.random.Generator,
        *,
        echoing: bool,
    ) -> None:
        kept = ~held_out
        self._scale = scale
        self.ensemble = Ensemble(
            scale.matrix(ratings, kept),
            (settings.k, settings.n_models),
            signed=settings.signed,
            n_threads=settings.n_threads,
            rng=rng,
        )
        users, items = self._users, self._items = ratings.users[held_out], ratings.items[held_out]
        self.values = ratings.values[held_out]
        fitted = fit_averages(ratings, kept)
        self.averages = scale.clip(fitted.estimate(users, items))
        data = self.ensemble.data
        self._counts = data.row_counts()[users], data.T.row_counts()[items]
        self._factors = np.zeros(self.values.size)
        self.echoes = {0.0: np.zeros(self.values.size)}
        if echoing:
            described = describe_items(ratings, kept, rng)
            usual = scale.clip(fitted.estimate(ratings.users[kept], ratings.items[kept]))
            rest = leftovers(ratings, kept, usual)
            for weight in LABEL_WEIGHTS if settings.labels is not None else (0.0,):
                labels = np.zeros((0, 0)) if settings.labels is None else settings.labels
                echoes = described.labelled(labels, weight)
                leanings = echoes.leanings(rest, settings.n_threads)
                self.echoes[weight] = row_products(leanings, echoes.features, users, items)

    def advance(self, ridge: float, rule: Rule, rng: np.random.Generator) -> None:
        """Go on from the factors so far with this ridge."""
        self.ensemble.advance(self._scale.ridge_per_entry(ridge), rule, rng)
        products = self.ensemble.estimate(self._users, self._items)
        self._factors = self._scale.low + self._scale.span * products

    def tastes(self, damping: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return what the factors add to the averages of the held-out ratings, and their trust."""
        trusted = trust(*self._counts, damping)
        return trusted * (self._factors - self.averages), trusted
