"""How strongly to regularise, and how far to trust factors: chosen on ratings held out.

A tenth of the ratings is held out (small sets: five folds, so that each rating is held out once)
and the ridge goes down a path, each fit starting from the one before. Few iterations a step are
early stopping; the first step down that predicts worse ends the path. What is left over on the
held-out ratings is the error that estimates are quoted with.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from nonneg.apps.averages import fit_averages
from nonneg.core.alternate import Rule, Status, alternate
from nonneg.core.factorize import make_problem
from nonneg.core.init import starting_factors
from nonneg.core.intake import as_data
from nonneg.core.kernels import FloatArray
from nonneg.core.problem import Factor
from nonneg.core.solvers import choose_solver
from nonneg.errors import InputError
from nonneg.io.ratings import Ratings

__all__ = ["DAMPINGS", "RIDGES", "Choice", "Scale", "can_hold_out", "choose", "trust"]

# In units of the standard deviation of the ratings, so that the unit of the scale is no matter.
RIDGES = (0.125, 0.088, 0.0625, 0.044, 0.031, 0.022)
DAMPINGS = (0.0, 1.0, 2.0, 5.0, 10.0, 20.0, 40.0, 80.0)
# What is used where there are too few ratings to hold any out.
_PLAIN_RIDGE, _PLAIN_DAMPING, _FEWEST = 0.088, 10.0, 5

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
        values = (ratings.values[chosen] - self.low) / self.span
        values = np.maximum(values, _SMALLEST).astype(np.float32)
        return sp.csr_array(
            (values, (ratings.users[chosen], ratings.items[chosen])),
            shape=(ratings.n_users, ratings.n_items),
        )

    def ridge_per_entry(self, ridge: float) -> float:
        """Return the ridge of the engine for one in standard deviations."""
        return ridge * self.deviation / self.span

    def clip(self, estimates: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the estimates, cut to the scale."""
        return np.clip(estimates, self.low, self.high)


@dataclass(frozen=True, eq=False)
class Choice:
    """What to fit all ratings with.

    Attributes
    ----------
    ridge, damping : float
    error : float
        Root mean squared error on the held-out ratings; the deviation of all where none could
        be held out (`can_hold_out`).
    W, H : ndarray or None
        Factors to start from, in the unit of `Scale`.
    """

    ridge: float
    damping: float
    error: float
    W: FloatArray | None
    H: FloatArray | None


def trust(
    user_counts: NDArray[np.integer], item_counts: NDArray[np.integer], damping: float
) -> NDArray[np.float64]:
    """Return the weight of the factors against the averages: n/(n + damping) of both sides.

    Examples
    --------
    >>> trust(np.array([0, 10, 30]), np.array([10, 10, 10]), 10.0)
    array([0.   , 0.25 , 0.375])
    """
    shares = []
    for counts in (user_counts, item_counts):
        n = np.asarray(counts, dtype=np.float64)
        shares.append(np.divide(n, n + damping, out=np.zeros_like(n), where=n > 0))
    return cast("NDArray[np.float64]", shares[0] * shares[1])


def can_hold_out(n_ratings: int, scale: Scale) -> bool:
    """Whether so many ratings can tell an error: there are five or more, and not all the same."""
    return n_ratings >= _FEWEST and scale.low < scale.high


def choose(
    ratings: Ratings,
    k: int,
    ridges: Sequence[float],
    dampings: Sequence[float],
    *,
    rule: Rule,
    n_threads: int | None,
    rng: np.random.Generator,
) -> Choice:
    """Go down the path and return where the held-out ratings are predicted best."""
    scale = Scale.of(ratings.values)
    if not can_hold_out(len(ratings), scale):
        ridge = ridges[0] if len(ridges) == 1 else _PLAIN_RIDGE
        damping = dampings[0] if len(dampings) == 1 else _PLAIN_DAMPING
        return Choice(ridge, damping, scale.deviation, None, None)
    folds = [
        _Fold(ratings, held_out, k, scale, n_threads, rng)
        for held_out in _held_out(len(ratings), rng)
    ]
    n_held_out = sum(fold.values.size for fold in folds)
    best: Choice | None = None
    for ridge in ridges:
        total = np.zeros(len(dampings))
        for fold in folds:
            fold.advance(ridge, rule, rng)
            total += [fold.squared_error(damping) for damping in dampings]
        errors = np.sqrt(total / n_held_out)
        at = int(errors.argmin())
        if best is not None and errors[at] >= best.error:
            break
        best = Choice(ridge, dampings[at], float(errors[at]), folds[0].left, folds[0].right.T)
    assert best is not None
    return best


def _held_out(n: int, rng: np.random.Generator) -> list[NDArray[np.bool_]]:
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


class _Fold:
    """Factors of the ratings that are not held out, and their errors on those that are."""

    def __init__(
        self,
        ratings: Ratings,
        held_out: NDArray[np.bool_],
        k: int,
        scale: Scale,
        n_threads: int | None,
        rng: np.random.Generator,
    ) -> None:
        kept = ~held_out
        self._scale = scale
        self._data = as_data(scale.matrix(ratings, kept), missing_values=0.0, n_threads=n_threads)
        self.left, self.right = starting_factors(self._data, k, "random", rng)
        self._users, self._items = ratings.users[held_out], ratings.items[held_out]
        self.values = ratings.values[held_out]
        averages = fit_averages(ratings, kept)
        self._averages = scale.clip(averages.estimate(self._users, self._items))
        self._counts = self._data.row_counts()[self._users], self._data.T.row_counts()[self._items]
        self._factors = np.zeros(self.values.size)

    def advance(self, ridge: float, rule: Rule, rng: np.random.Generator) -> None:
        """Go on from the factors so far with this ridge."""
        problem = make_problem(
            self._data,
            "frobenius",
            self.left.shape[1],
            ridge_per_entry=self._scale.ridge_per_entry(ridge),
        )
        solver = choose_solver("auto", problem)
        found = alternate(problem, Factor(self.left), Factor(self.right), solver, rule, rng=rng)
        if found.status is Status.INTERRUPTED:
            raise KeyboardInterrupt
        self.left, self.right = found.left.values, found.right.values
        products = np.einsum("ij,ij->i", self.left[self._users], self.right[self._items])
        self._factors = self._scale.low + self._scale.span * products.astype(np.float64)

    def squared_error(self, damping: float) -> float:
        """Return the sum of the squared errors on the held-out ratings."""
        share = trust(*self._counts, damping)
        estimates = self._averages + share * (self._factors - self._averages)
        errors = self._scale.clip(estimates) - self.values
        return float(errors @ errors)
