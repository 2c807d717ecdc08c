"""Ratings in, recommendations with reasons out: `Recommender`.

Empty cells stay empty: the factors see only ratings that exist (low-rank matrix completion with
nonnegative parts), and the parts of an estimate add up to it, so that the reasons are the model
itself. `rating_model.py` has the formula, `tuning.py` what is chosen on held-out ratings.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from functools import cached_property
from numbers import Integral, Real
from typing import Any, Literal, Self, cast

import numpy as np
from numpy.typing import NDArray

from nonneg.apps.averages import Averages
from nonneg.apps.explanation import Contribution, Explanation, Neighbor, Verdict
from nonneg.apps.neighbors import cosine_similarity, neighbor_estimate
from nonneg.apps.rating_model import RatingModel, fit_model
from nonneg.apps.recommender_record import from_parts, to_parts
from nonneg.apps.tuning import DAMPINGS, RIDGES, Scale, choose
from nonneg.core.alternate import Rule
from nonneg.core.factorize import RandomState, as_generator
from nonneg.errors import InputError
from nonneg.io.ratings import Ratings, read_ratings

__all__ = ["Recommendation", "Recommender"]

# Φ(0.43) = 2/3. Held-out ratings of MovieLens 100k, 1M and MovieTweetings: of the recommended 83 to
# 85 % were above what the person usually gives, of the others 74 to 76 % below it.
_TWO_TO_ONE = 0.43
# Ratings' worth of the mean in what a person usually gives: who rated one film, with a 5, has
# not said that a 4 is bad.
_USUAL_DAMPING = 5.0
# Estimates that differ by rounding alone are ties.
_TIE_DIGITS = 9
_NAME_ITEMS = 3


@dataclass(frozen=True)
class Recommendation:
    """An item and the rating that the person is expected to give it, on the scale of the data."""

    item: Hashable
    score: float


class Recommender:
    """Learn taste from ratings; predict, recommend, explain.

    Parameters
    ----------
    n_components : int ≥ 1, default 20
        Components of taste; at most as many as there are users or items are used.
    ridge : float ≥ 0 or "auto"
        ``½·ridge·(Σ nᵤ|wᵤ|² + Σ nᵢ|hᵢ|²)``, n counting the ratings (Zhou et al. 2008), in units of
        the ratings' standard deviation. "auto" chooses from .022 to .125 on held-out ratings.
    damping : float ≥ 0 or "auto"
        Ratings' worth of the averages in an estimate: the factors have the weight
        nᵤ/(nᵤ + damping) · nᵢ/(nᵢ + damping). "auto" chooses from 0 to 80 on held-out ratings.
    max_iter : int ≥ 1, default 6
        Iterations at each step of the ridge path, and on all ratings at the end. Few are better
        than many: stopping early is regularisation, too.
    tol : float, default 1e-4
        As in `factorize`, within these iterations.
    random_state : int, Generator, RandomState or None
        An int makes the fit repeatable, bit for bit.
    n_threads : int, optional
        Default: all cores. The result has the same bits for any number.

    Attributes
    ----------
    ratings_ : Ratings
        What it was fitted to.
    model_ : RatingModel
        The fitted numbers by code; the next ones are shortcuts into it.
    n_components_ : int
    damping_ : float
    scale_ : Scale
        Lowest and highest rating seen.
    averages_ : Averages
    user_factors_ : ndarray (n_users, n_components_), float32
    item_factors_ : ndarray (n_items, n_components_), float32
        ratings − lowest ≈ user_factors_ @ item_factors_.T, both ≥ 0.
    ridge_ : float
    error_ : float
        Root mean squared error on the held-out ratings (fewer than 5 ratings: their deviation).

    Examples
    --------
    >>> from nonneg.apps.talk import observed_ratings
    >>> model = Recommender(2, random_state=0).fit(observed_ratings())
    >>> bool(model.predict("PB", "Modern Family")[0] > model.predict("PB", "Quantico")[0])
    True
    >>> why = model.explain("Jai", "Black Mirror")
    >>> bool(abs(sum(part.contribution for part in why.contributions) - why.estimate) < 1e-9)
    True
    """

    ratings_: Ratings
    model_: RatingModel
    ridge_: float
    error_: float

    def __init__(
        self,
        n_components: int = 20,
        *,
        ridge: float | Literal["auto"] = "auto",
        damping: float | Literal["auto"] = "auto",
        max_iter: int = 6,
        tol: float = 1e-4,
        random_state: RandomState = None,
        n_threads: int | None = None,
    ) -> None:
        self.n_components = n_components
        self.ridge = ridge
        self.damping = damping
        self.max_iter = max_iter
        self.tol = tol
        self.random_state = random_state
        self.n_threads = n_threads

    def __repr__(self) -> str:
        if "model_" not in vars(self):
            return f"Recommender({self.n_components}, not fitted)"
        return (
            f"Recommender({self.n_components}, fitted to {len(self.ratings_)} ratings: "
            f"{self.ratings_.n_users} users × {self.ratings_.n_items} items, "
            f"held-out error {self.error_:.3g})"
        )

    def fit(self, ratings: object) -> Self:
        """Fit to ratings.

        Parameters
        ----------
        ratings : Ratings, data frame or path
            Frames and files are read by `read_ratings`, which see for columns and formats.

        Returns
        -------
        Recommender
            Itself.

        Raises
        ------
        InputError
            Ratings or parameters that cannot be used.
        """
        asked = _whole("n_components", self.n_components)
        ridges = _choices("ridge", self.ridge, RIDGES)
        dampings = _choices("damping", self.damping, DAMPINGS)
        rule = Rule(_whole("max_iter", self.max_iter), _number("tol", self.tol))
        rng, _ = as_generator(self.random_state)
        given = ratings if isinstance(ratings, Ratings) else read_ratings(ratings)
        if not len(given):
            raise InputError("there are no ratings · nothing can be learned · pass at least one")
        k = min(asked, given.n_users, given.n_items)
        threads = self.n_threads
        choice = choose(given, k, ridges, dampings, rule=rule, n_threads=threads, rng=rng)
        model = fit_model(given, k, choice, rule=rule, n_threads=threads, rng=rng)
        return self._adopt(given, model, choice.ridge, choice.error)

    def predict(self, users: object, items: object) -> NDArray[np.float64]:
        """Estimate ratings.

        Parameters
        ----------
        users, items : id, or sequence of ids
            Pairs; one id goes with all of the other side.

        Returns
        -------
        ndarray (n_pairs,)
            On the scale of the ratings seen, never NaN. For somebody unknown, the mean and the
            other side's offset; for two unknown, the mean.

        Raises
        ------
        InputError
            The two sides have different lengths.
        """
        model = self._fitted()
        user_codes = self.ratings_.user_codes(users)
        item_codes = self.ratings_.item_codes(items)
        if user_codes.size != item_codes.size and 1 not in (user_codes.size, item_codes.size):
            raise InputError(
                f"{user_codes.size} users and {item_codes.size} items do not make pairs · give as "
                "many of both, or one of either"
            )
        return model.scale.clip(model.estimate(*np.broadcast_arrays(user_codes, item_codes)))

    def recommend(
        self, user: Hashable, n: int = 10, *, exclude_seen: bool = True
    ) -> list[Recommendation]:
        """Return the items that the user is expected to like best.

        Parameters
        ----------
        user : id
        n : int ≥ 1, default 10
            Fewer come back where fewer are left.
        exclude_seen : bool, default True
            Leave out what the user has rated.

        Returns
        -------
        list of Recommendation
            Best first; ties in the order in which the items first appear in the ratings.

        Raises
        ------
        UnknownNameError
            There is no such user; the message names the nearest ones.
        """
        model = self._fitted()
        n = _whole("n", n)
        code = self.ratings_.user_code(user)
        candidates = np.arange(self.ratings_.n_items)
        if exclude_seen:
            candidates = np.delete(candidates, self._rated_by(code)[0])
        estimates = model.estimate(np.array([code]), candidates)
        # By the estimate before it is cut to the scale, where the best would all be ties.
        keys = np.round(estimates, _TIE_DIGITS)
        reach = np.arange(keys.size)
        if n < keys.size:
            reach = np.flatnonzero(keys >= np.partition(keys, keys.size - n)[keys.size - n])
        order = reach[np.argsort(-keys[reach], kind="stable")][:n]
        scores = model.scale.clip(estimates[order])
        return [
            Recommendation(self._item_name(int(candidates[at])), float(score))
            for at, score in zip(order, scores, strict=True)
        ]

    def explain(self, user: Hashable, item: Hashable, n_neighbors: int = 3) -> Explanation:
        """Say why: the parts of the estimate, and what the user thinks of similar items.

        Parameters
        ----------
        user, item : id
        n_neighbors : int ≥ 1, default 3
            Rated items that are most like this one (cosine of their factors).

        Returns
        -------
        Explanation
            Its contributions add up to its estimate, which is that of `predict`.

        Raises
        ------
        UnknownNameError
            There is no such user or item; the message names the nearest ones.
        """
        model = self._fitted()
        n_neighbors = _whole("n_neighbors", n_neighbors)
        user_code, item_code = self.ratings_.user_code(user), self.ratings_.item_code(item)
        contributions, estimate = self._contributions(user_code, item_code)
        rated, values = self._rated_by(user_code)
        prior = _USUAL_DAMPING * model.averages.mean
        usual = float((values.sum() + prior) / (values.size + _USUAL_DAMPING))
        n_item_ratings = int(model.item_counts[item_code])
        neighbors, by_neighbors = self._neighbors(rated, values, item_code, n_neighbors)
        own = values[rated == item_code]
        return Explanation(
            user=self._user_name(user_code),
            item=self._item_name(item_code),
            estimate=estimate,
            verdict=self._verdict(estimate - usual, values.size, n_item_ratings),
            contributions=contributions,
            usual=usual,
            error=self.error_,
            scale=(model.scale.low, model.scale.high),
            neighbors=neighbors,
            neighbor_estimate=by_neighbors,
            n_ratings=int(values.size),
            n_item_ratings=n_item_ratings,
            rated=float(own[0]) if own.size else None,
        )

    def component_items(self, n: int = _NAME_ITEMS) -> list[tuple[Hashable, ...]]:
        """Return the n items most typical of each component: what it is called after."""
        codes = self._fitted().typical_items[: _whole("n", n)]
        return [tuple(self._item_name(int(code)) for code in column) for column in codes.T]

    @property
    def n_components_(self) -> int:
        """Components in use."""
        return int(self._fitted().item_factors.shape[1])

    @property
    def damping_(self) -> float:
        """What "auto" became."""
        return self._fitted().damping

    @property
    def scale_(self) -> Scale:
        """Lowest and highest rating seen."""
        return self._fitted().scale

    @property
    def averages_(self) -> Averages:
        """Mean and offsets."""
        return self._fitted().averages

    @property
    def user_factors_(self) -> NDArray[np.float32]:
        """How much each user likes each component."""
        return self._fitted().user_factors

    @property
    def item_factors_(self) -> NDArray[np.float32]:
        """How much each item has of each component."""
        return self._fitted().item_factors

    def to_record(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Return everything a fitted recommender consists of: plain values, and arrays.

        A random state that is no whole number is left out.
        """
        meta, arrays = to_parts(self.ratings_, self._fitted())
        parameters = {name: value for name, value in vars(self).items() if name in _PARAMETERS}
        seed = self.random_state
        parameters["random_state"] = int(seed) if isinstance(seed, Integral) else None
        for name in ("n_components", "max_iter", "n_threads"):
            if parameters[name] is not None:
                parameters[name] = int(parameters[name])
        for name in ("ridge", "damping", "tol"):
            if not isinstance(parameters[name], str):
                parameters[name] = float(parameters[name])
        return {
            **meta,
            "parameters": parameters,
            "ridge": self.ridge_,
            "error": self.error_,
        }, arrays

    @classmethod
    def from_record(cls, meta: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Rebuild a fitted recommender from `to_record`; its answers are the same.

        Raises
        ------
        KeyError, TypeError, ValueError
            The record is not one of a recommender, or its parts contradict one another.
        """
        recommender = cls(**meta["parameters"])
        ratings, model = from_parts(meta, arrays)
        ridge, error = (_number(name, meta[name]) for name in ("ridge", "error"))
        return recommender._adopt(ratings, model, ridge, error)

    def _contributions(self, user: int, item: int) -> tuple[tuple[Contribution, ...], float]:
        """The parts of one estimate, and their sum: the estimate, cut to the scale."""
        model = self._fitted()
        low = model.scale.low
        parts = model.parts(user, item)
        unclipped = float(model.estimate(np.array([user]), np.array([item]))[0])
        estimate = float(np.clip(unclipped, low, model.scale.high))
        named: list[tuple[str, float, int | None]] = [
            ("start of the scale", low, None),
            ("averages", parts.averages, None),
        ]
        named += [
            (self._component_names[t], float(parts.components[t]), int(t))
            for t in np.argsort(-parts.components, kind="stable")
        ]
        if estimate != unclipped:
            named.append(("end of the scale", estimate - unclipped, None))
        whole = estimate or 1.0
        contributions = tuple(
            Contribution(name, value, value / whole, component) for name, value, component in named
        )
        return contributions, estimate

    def _verdict(self, above_usual: float, n_ratings: int, n_item_ratings: int) -> Verdict:
        if not n_ratings or not n_item_ratings:
            return "not sure"
        margin = _TWO_TO_ONE * self.error_
        if above_usual > margin:
            return "recommend"
        return "don't recommend" if above_usual < -margin else "not sure"

    def _neighbors(
        self, rated: NDArray[np.intp], values: NDArray[np.float64], item: int, k: int
    ) -> tuple[tuple[Neighbor, ...], float | None]:
        """The rated items nearest to one, and the talk's estimate from them."""
        others = rated != item
        if not others.any():
            return (), None
        rows = np.append(rated[others], item)
        similarity = cosine_similarity(self.item_factors_[rows], of=rows.size - 1)
        found = neighbor_estimate(values[others], similarity[:-1], k, blanks="missing")
        neighbors = tuple(
            Neighbor(self._item_name(int(rows[index])), similar, weight, rating)
            for index, similar, weight, rating in zip(
                found.indices, found.similarities, found.weights, found.ratings, strict=True
            )
        )
        return neighbors, found.estimate

    def _rated_by(self, user: int) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        """Codes and ratings of what a user rated, by code."""
        order, starts = self._by_user
        at = order[starts[user] : starts[user + 1]]
        return self.ratings_.items[at].astype(np.intp), self.ratings_.values[at]

    @cached_property
    def _by_user(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        order = np.lexsort((self.ratings_.items, self.ratings_.users))
        return order, np.concatenate([[0], np.cumsum(self.model_.user_counts)])

    @cached_property
    def _component_names(self) -> list[str]:
        return [", ".join(map(str, items)) for items in self.component_items()]

    def _user_name(self, code: int) -> Hashable:
        return cast(Hashable, self.ratings_.user_ids[code : code + 1].tolist()[0])

    def _item_name(self, code: int) -> Hashable:
        return cast(Hashable, self.ratings_.item_ids[code : code + 1].tolist()[0])

    def _adopt(self, ratings: Ratings, model: RatingModel, ridge: float, error: float) -> Self:
        """Take over a fit, and drop what was derived from an earlier one."""
        for name in ("_by_user", "_component_names"):
            vars(self).pop(name, None)
        self.ratings_, self.model_, self.ridge_, self.error_ = ratings, model, ridge, error
        return self

    def _fitted(self) -> RatingModel:
        if "model_" not in vars(self):
            raise InputError(
                "this Recommender has learned nothing yet · its answers need ratings · call "
                "fit(ratings) first"
            )
        return self.model_


_PARAMETERS = (
    "n_components",
    "ridge",
    "damping",
    "max_iter",
    "tol",
    "random_state",
    "n_threads",
)


def _whole(name: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, Integral) or value < 1:
        raise InputError(f"{name}={value!r} · it must be a whole number from 1 · change it")
    return int(value)


def _number(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, Real) or not 0 <= float(value) < math.inf:
        raise InputError(f"{name}={value!r} · it must be a finite number from 0 · change it")
    return float(value)


def _choices(name: str, value: object, choices: tuple[float, ...]) -> tuple[float, ...]:
    """The candidates of a parameter: what was asked, or all."""
    if isinstance(value, str):
        if value != "auto":
            raise InputError(f'{name}={value!r} · it is a number from 0, or "auto" · change it')
        return choices
    return (_number(name, value),)
