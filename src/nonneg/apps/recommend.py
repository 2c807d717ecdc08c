"""Ratings in, recommendations with reasons out.

An estimate is the start of the scale, plus a share from the averages (mean, person, item), plus
one part ≥ 0 for each component of a masked nonnegative factorization: the empty cells stay empty
(low-rank matrix completion, not a table full of zeros). The parts add up to the estimate, so the
reasons are the model itself. Few ratings mean more weight on the averages.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from numbers import Integral, Real
from typing import Any, Literal, Self, cast

import numpy as np
from numpy.typing import NDArray

from nonneg.apps.averages import Averages, fit_averages
from nonneg.apps.explanation import Contribution, Explanation, Neighbor, Verdict
from nonneg.apps.neighbors import cosine_similarity, neighbor_estimate
from nonneg.apps.tuning import DAMPINGS, RIDGES, Scale, choose, trust
from nonneg.core.alternate import Rule
from nonneg.core.factorize import RandomState, as_generator, factorize
from nonneg.errors import InputError
from nonneg.io.ratings import Ratings, read_ratings

__all__ = ["Recommendation", "Recommender"]

# Φ(0.43) = 2/3: so far from what the person usually gives, in units of the held-out error, the
# odds are two to one that their own rating will fall on the same side.
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
        the ratings' standard deviation. "auto" chooses between .022 and .125 on held-out ratings.
    damping : float ≥ 0 or "auto"
        Ratings' worth of the averages in an estimate: the factors have the weight
        nᵤ/(nᵤ + damping) · nᵢ/(nᵢ + damping). "auto" chooses between 0 and 80 on held-out ratings.
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
    n_components_ : int
    ridge_, damping_ : float
        What "auto" became.
    error_ : float
        Root mean squared error on the held-out ratings (fewer than 5 ratings: their deviation).
    scale_ : Scale
        Lowest and highest rating seen.
    averages_ : Averages
    user_factors_ : ndarray (n_users, n_components_), float32
    item_factors_ : ndarray (n_items, n_components_), float32
        ratings − lowest ≈ user_factors_ @ item_factors_.T, both ≥ 0.

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
    ridge_: float
    damping_: float
    error_: float
    scale_: Scale
    averages_: Averages
    user_factors_: NDArray[np.float32]
    item_factors_: NDArray[np.float32]

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
        fitted = vars(self).get("ratings_")
        about = (
            "not fitted"
            if fitted is None
            else (
                f"{fitted.n_users} users × {fitted.n_items} items, {len(fitted)} ratings, "
                f"held-out error {self.error_:.3g}"
            )
        )
        return f"Recommender({self.n_components}: {about})"

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
        choice = choose(given, k, ridges, dampings, rule=rule, n_threads=self.n_threads, rng=rng)
        scale = Scale.of(given.values)
        fitted = factorize(
            scale.matrix(given),
            k,
            missing_values=0.0,
            ridge_per_entry=scale.ridge_per_entry(choice.ridge),
            W=choice.W,
            H=choice.H,
            max_iter=rule.max_iter,
            tol=rule.tol,
            n_threads=self.n_threads,
            random_state=rng,
        )
        self.ratings_ = given
        self.scale_ = scale
        self.ridge_, self.damping_, self.error_ = choice.ridge, choice.damping, choice.error
        self.averages_ = fit_averages(given)
        self.user_factors_ = np.asarray(fitted.W * np.float32(scale.span), dtype=np.float32)
        self.item_factors_ = np.ascontiguousarray(fitted.H.T, dtype=np.float32)
        self._forget()
        return self

    @property
    def n_components_(self) -> int:
        """Components in use."""
        self._check_fitted()
        return int(self.item_factors_.shape[1])

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
        self._check_fitted()
        user_codes = _codes(users, self._user_index)
        item_codes = _codes(items, self._item_index)
        if user_codes.size != item_codes.size and 1 not in (user_codes.size, item_codes.size):
            raise InputError(
                f"{user_codes.size} users and {item_codes.size} items do not make pairs · give as "
                "many of both, or one of either"
            )
        return self.scale_.clip(self._estimate(*np.broadcast_arrays(user_codes, item_codes)))

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
        self._check_fitted()
        n = _whole("n", n)
        code = self.ratings_.user_code(user)
        candidates = np.arange(self.ratings_.n_items)
        if exclude_seen:
            candidates = np.delete(candidates, self._rated_by(code)[0])
        estimates = self._estimate(np.array([code]), candidates)
        keys = np.round(estimates, _TIE_DIGITS)
        if n < keys.size:
            worst = np.partition(keys, keys.size - n)[keys.size - n]
            reach = np.flatnonzero(keys >= worst)
        else:
            reach = np.arange(keys.size)
        order = reach[np.argsort(-keys[reach], kind="stable")][:n]
        scores = self.scale_.clip(estimates[order])
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
        self._check_fitted()
        n_neighbors = _whole("n_neighbors", n_neighbors)
        user_code, item_code = self.ratings_.user_code(user), self.ratings_.item_code(item)
        contributions, estimate = self._contributions(user_code, item_code)
        rated, values = self._rated_by(user_code)
        usual = (values.sum() + _USUAL_DAMPING * self.averages_.mean) / (
            values.size + _USUAL_DAMPING
        )
        n_item_ratings = int(self._item_counts[item_code])
        neighbors, by_neighbors = self._neighbors(rated, values, item_code, n_neighbors)
        own = values[rated == item_code]
        return Explanation(
            user=self._user_name(user_code),
            item=self._item_name(item_code),
            estimate=estimate,
            verdict=self._verdict(estimate - usual, values.size, n_item_ratings),
            contributions=contributions,
            usual=float(usual),
            error=self.error_,
            scale=(self.scale_.low, self.scale_.high),
            neighbors=neighbors,
            neighbor_estimate=by_neighbors,
            n_ratings=int(values.size),
            n_item_ratings=n_item_ratings,
            rated=float(own[0]) if own.size else None,
        )

    def component_items(self, n: int = _NAME_ITEMS) -> list[tuple[Hashable, ...]]:
        """Return the n items that tell most about each component.

        Items are ranked by how strongly they load on the component, times how much of their
        loading is on it, times n/(n + 10) for n ratings: well known, and typical of it.
        """
        self._check_fitted()
        H = self.item_factors_.astype(np.float64)
        mass = H.sum(axis=1, keepdims=True)
        typical = H * np.divide(H, mass, out=np.zeros_like(H), where=mass > 0)
        known = self._item_counts / (self._item_counts + 10.0)
        order = np.argsort(-typical * known[:, None], axis=0, kind="stable")[: _whole("n", n)]
        return [tuple(self._item_name(int(i)) for i in column) for column in order.T]

    # --- saving ----------------------------------------------------------------------------------

    def to_record(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Return everything a fitted recommender consists of: plain values, and arrays."""
        self._check_fitted()
        seed = self.random_state
        meta: dict[str, Any] = {
            "parameters": {
                "n_components": int(self.n_components),
                "ridge": self.ridge if self.ridge == "auto" else float(self.ridge),
                "damping": self.damping if self.damping == "auto" else float(self.damping),
                "max_iter": int(self.max_iter),
                "tol": float(self.tol),
                "random_state": int(seed) if isinstance(seed, Integral) else None,
                "n_threads": None if self.n_threads is None else int(self.n_threads),
            },
            "ridge": self.ridge_,
            "damping": self.damping_,
            "error": self.error_,
            "scale": asdict(self.scale_),
            "mean": self.averages_.mean,
            "user_ids": _storable("user", self.ratings_.user_ids),
            "item_ids": _storable("item", self.ratings_.item_ids),
        }
        arrays: dict[str, NDArray[Any]] = {
            "user_factors": self.user_factors_,
            "item_factors": self.item_factors_,
            "user_offsets": self.averages_.users,
            "item_offsets": self.averages_.items,
            "users": self.ratings_.users,
            "items": self.ratings_.items,
            "values": self.ratings_.values,
        }
        return meta, arrays

    @classmethod
    def from_record(cls, meta: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Rebuild a fitted recommender from `to_record`; its answers are the same.

        Raises
        ------
        KeyError, TypeError, ValueError
            The record is not one of a recommender, or its parts contradict one another.
        """
        model = cls(**meta["parameters"])
        ratings = Ratings(
            np.asarray(arrays["users"], dtype=np.int32),
            np.asarray(arrays["items"], dtype=np.int32),
            np.asarray(arrays["values"], dtype=np.float64),
            _ids(meta["user_ids"]),
            _ids(meta["item_ids"]),
        )
        m, n = ratings.n_users, ratings.n_items
        k = int(arrays["item_factors"].shape[1])
        shapes = {
            "user_factors": (m, k),
            "item_factors": (n, k),
            "user_offsets": (m,),
            "item_offsets": (n,),
            "items": ratings.users.shape,
            "values": ratings.users.shape,
        }
        for name, shape in shapes.items():
            if arrays[name].shape != shape:
                raise ValueError(f"{name} has shape {arrays[name].shape} instead of {shape}")
        for name, codes, size in (("users", ratings.users, m), ("items", ratings.items, n)):
            if codes.ndim != 1 or not codes.size or codes.min() < 0 or codes.max() >= size:
                raise ValueError(f"{name} are no codes from 0 to {size - 1}")
        for name in ("user_factors", "item_factors"):
            if not (arrays[name] >= 0).all():
                raise ValueError(f"{name} has negative entries")
        model.ratings_ = ratings
        model.scale_ = Scale(**{name: float(value) for name, value in meta["scale"].items()})
        model.ridge_, model.damping_ = float(meta["ridge"]), float(meta["damping"])
        model.error_ = float(meta["error"])
        model.averages_ = Averages(
            float(meta["mean"]), arrays["user_offsets"], arrays["item_offsets"]
        )
        model.user_factors_ = np.asarray(arrays["user_factors"], dtype=np.float32)
        model.item_factors_ = np.asarray(arrays["item_factors"], dtype=np.float32)
        return model

    # --- the model -------------------------------------------------------------------------------

    def _estimate(self, users: NDArray[np.intp], items: NDArray[np.intp]) -> NDArray[np.float64]:
        """Estimates of pairs of codes, not cut to the scale; a negative code is unknown."""
        averages = self.scale_.clip(self.averages_.estimate(users, items))
        W, H = self.user_factors_[users], self.item_factors_[items]
        parts = np.einsum("ij,ij->i", W, H, dtype=np.float64)
        share = trust(
            np.where(users >= 0, self._user_counts[users], 0),
            np.where(items >= 0, self._item_counts[items], 0),
            self.damping_,
        )
        return np.asarray(averages + share * (self.scale_.low + parts - averages))

    def _contributions(self, user: int, item: int) -> tuple[tuple[Contribution, ...], float]:
        """The parts of one estimate and the estimate, cut to the scale: their sum."""
        users, items = np.array([user]), np.array([item])
        low = self.scale_.low
        share = float(trust(self._user_counts[users], self._item_counts[items], self.damping_)[0])
        averages = float(self.scale_.clip(self.averages_.estimate(users, items))[0])
        W = self.user_factors_[user].astype(np.float64)
        parts = share * W * self.item_factors_[item].astype(np.float64)
        unclipped = float(self._estimate(users, items)[0])
        estimate = float(self.scale_.clip(np.array([unclipped]))[0])
        named: list[tuple[str, float, int | None]] = [
            ("start of the scale", low, None),
            ("averages", (1 - share) * (averages - low), None),
        ]
        for t in np.argsort(-parts, kind="stable"):
            named.append((self._component_names[t], float(parts[t]), int(t)))
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
        return order, np.concatenate([[0], np.cumsum(self._user_counts)])

    @cached_property
    def _user_counts(self) -> NDArray[np.intp]:
        return np.bincount(self.ratings_.users, minlength=self.ratings_.n_users)

    @cached_property
    def _item_counts(self) -> NDArray[np.intp]:
        return np.bincount(self.ratings_.items, minlength=self.ratings_.n_items)

    @cached_property
    def _component_names(self) -> list[str]:
        return [", ".join(map(str, items)) for items in self.component_items()]

    @cached_property
    def _user_index(self) -> dict[Hashable, int]:
        return _index(self.ratings_.user_ids)

    @cached_property
    def _item_index(self) -> dict[Hashable, int]:
        return _index(self.ratings_.item_ids)

    def _user_name(self, code: int) -> Hashable:
        return cast(Hashable, self.ratings_.user_ids[code : code + 1].tolist()[0])

    def _item_name(self, code: int) -> Hashable:
        return cast(Hashable, self.ratings_.item_ids[code : code + 1].tolist()[0])

    def _forget(self) -> None:
        """Drop what was derived from an earlier fit."""
        for name, member in vars(type(self)).items():
            if isinstance(member, cached_property):
                vars(self).pop(name, None)

    def _check_fitted(self) -> None:
        if "ratings_" not in vars(self):
            raise InputError(
                "this Recommender has learned nothing yet · predict, recommend and explain need "
                "ratings · call fit(ratings) first"
            )


def _whole(name: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, Integral) or value < 1:
        raise InputError(f"{name}={value!r} · it must be a whole number from 1 · change it")
    return int(value)


def _number(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, Real) or not 0 <= value < math.inf:
        raise InputError(f"{name}={value!r} · it must be a finite number from 0 · change it")
    return float(value)


def _choices(name: str, value: object, choices: tuple[float, ...]) -> tuple[float, ...]:
    """The candidates of a parameter: what was asked, or all."""
    if isinstance(value, str):
        if value != "auto":
            raise InputError(f'{name}={value!r} · it is a number from 0, or "auto" · change it')
        return choices
    return (_number(name, value),)


def _index(ids: NDArray[Any]) -> dict[Hashable, int]:
    """Ids and their strings to codes, as `Ratings.user_code` takes them."""
    listed = ids.tolist()
    index: dict[Hashable, int] = {str(name): code for code, name in enumerate(listed)}
    index.update((name, code) for code, name in enumerate(listed))
    return index


def _codes(ids: object, index: Mapping[Hashable, int]) -> NDArray[np.intp]:
    """Codes of one id or several; −1 where it is unknown."""
    single = isinstance(ids, str) or not isinstance(ids, Iterable)
    listed = [ids] if single else list(cast("Iterable[Any]", ids))
    found = [index.get(name, -1) for name in listed]
    for at, (code, name) in enumerate(zip(found, listed, strict=True)):
        if code < 0:
            found[at] = index.get(str(name).strip(), -1)
    return np.array(found, dtype=np.intp)


def _storable(kind: str, ids: NDArray[Any]) -> list[Any]:
    """Ids as JSON keeps them."""
    listed: list[Any] = ids.tolist()
    for name in listed:
        plain = isinstance(name, (str, int)) or (isinstance(name, float) and math.isfinite(name))
        if not plain:
            raise InputError(
                f"the {kind} id {name!r} is a {type(name).__name__} · model files keep ids that are "
                "texts or numbers · convert the column with str and fit again"
            )
    return listed


def _ids(listed: list[Any]) -> NDArray[Any]:
    """Ids as `read_ratings` holds them: int64 where all are, else objects."""
    if listed and all(type(name) is int and -(2**63) <= name < 2**63 for name in listed):
        return np.array(listed, dtype=np.int64)
    ids = np.empty(len(listed), dtype=object)
    ids[:] = listed
    return ids
