"""Ratings in, recommendations with reasons out: `Recommender`.

Empty cells stay empty: the factors see only ratings that exist (low-rank matrix completion with
nonnegative parts), and the parts of an estimate add up to it, so that the reasons are the model
itself. `rating_model.py` has the formula, `tuning.py` what is chosen on held-out ratings.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import asdict
from functools import cached_property, partial
from numbers import Integral
from typing import Any, Literal, Self, cast

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from nonneg.apps.averages import Averages
from nonneg.apps.echoes import label_table
from nonneg.apps.explanation import (
    Contribution,
    Counterfactual,
    Explanation,
    Neighbor,
    UseExplanation,
    Verdict,
)
from nonneg.apps.implicit_model import PENALTIES, WORTHS, ImplicitModel, fit_uses
from nonneg.apps.neighbor_model import Neighbors, choose_neighbors, unit_rows
from nonneg.apps.neighbors import neighbor_estimate
from nonneg.apps.rankings import Ranking, Recommendation, Similar
from nonneg.apps.rating_model import Person, RatingModel, fit_tastes
from nonneg.apps.recommender_record import from_parts, modernized, to_parts
from nonneg.apps.recommender_settings import (
    PARAMETERS,
    as_neighbors,
    candidates,
    is_implicit,
    n_tastes,
)
from nonneg.apps.shortlist import best_items
from nonneg.apps.tuning import DAMPINGS, RIDGES, Choice, Scale, Settings, choose
from nonneg.apps.update import merged, updated
from nonneg.core.alternate import Rule
from nonneg.core.factorize import RandomState, as_generator, finite_number, whole_number
from nonneg.errors import InputError, UnknownNameError
from nonneg.io.ratings import Ratings, read_ratings
from nonneg.shown import Shown

__all__ = ["Recommender"]

# Φ(0.43) = 2/3. Held-out ratings of MovieLens 100k, 1M and MovieTweetings: of the recommended 83 to
# 85 % were above what the person usually gives, of the others 74 to 76 % below it.
_TWO_TO_ONE = 0.43
# Ratings' worth of the mean in what a person usually gives: who rated one film, with a 5, has
# not said that a 4 is bad.
_USUAL_DAMPING = 5.0
# Estimates that differ by rounding alone are ties.
_TIE_DIGITS = 9
_NAME_ITEMS = 3
# Ratings' worth of doubt about an item that is to stand for a component.
_KNOWN = 10.0
# Ratings whose loss is tried out in an explanation.
_COUNTERFACTUALS = 3


class Recommender(Shown):
    """Learn taste from ratings; predict, recommend, explain.

    Parameters
    ----------
    n_components : int ≥ 1 or "auto"
        Components of taste; at most as many as there are users or items are used. "auto"
        (default) is 20 for ratings and 50 for counts of use, where lists get better with more.
    method : {"factors", "neighbors"} or Neighbors
        "factors" (default): components of taste and echoes of the person's own ratings.
        "neighbors": the talk's weighted mean of the ratings of similar items, as `Neighbors` says.
    feedback : {"explicit", "implicit"}
        What the numbers are. "explicit" (default): ratings. "implicit": counts of use (plays,
        purchases, visits); all that was not used counts too, as a weak no, and scores are
        preferences in [0, 1].
    confidence : float > 0, default 10
        With implicit feedback: how much more certain the average use is than a no. The weight is
        1 + confidence · log(1 + count) / its mean (Hu, Koren & Volinsky 2008).
    n_models : int ≥ 1, default 16
        Runs from different starts whose estimates are averaged: the more, the more accurate, and
        the slower. Their factors stand side by side, so that reasons stay exact.
    nonneg : bool, default True
        False fits factors of any sign: low-rank matrix completion, for comparison. Its reasons add
        up, too, but cancel one another.
    echoes : bool, default True
        False leaves the echoes of the person's own ratings out: components alone, faster.
    ridge : float ≥ 0 or "auto"
        ``½·ridge·(Σ nᵤ|wᵤ|² + Σ nᵢ|hᵢ|²)``, n counting the ratings (Zhou et al. 2008), in units of
        the ratings' standard deviation. "auto" chooses from .022 to .125 on held-out ratings.
        With implicit feedback ``½·ridge·(|W|² + |H|²)``, and "auto" chooses from 5 to 40.
    damping : float ≥ 0 or "auto"
        Ratings' worth of the averages in an estimate: the factors have the weight
        nᵤ/(nᵤ + damping) · nᵢ/(nᵢ + damping). "auto" chooses from 0 to 80 on held-out ratings.
        With implicit feedback: the ridge of the echoes, in users' worth; "auto": 50 to 400.
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
    user_factors_ : ndarray (n_users, n_components_ · n_models), float32
    item_factors_ : ndarray (n_items, n_components_ · n_models), float32
        ratings − lowest ≈ user_factors_ @ item_factors_.T, both ≥ 0.
    groups_ : ndarray (n_components_ · n_models,)
        Which component each of their columns belongs to: similar ones of all runs.
    ridge_ : float
    error_ : float
        Root mean squared error on the held-out ratings (fewer than 5 ratings: their deviation).
        With implicit feedback: the mean percentile rank of held-out uses among all that is unused,
        0 at best; .5 is chance.

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

    def __init__(
        self,
        n_components: int | Literal["auto"] = "auto",
        *,
        method: Literal["factors", "neighbors"] | Neighbors = "factors",
        feedback: Literal["explicit", "implicit"] = "explicit",
        confidence: float = 10.0,
        n_models: int = 16,
        nonneg: bool = True,
        echoes: bool = True,
        ridge: float | Literal["auto"] = "auto",
        damping: float | Literal["auto"] = "auto",
        max_iter: int = 6,
        tol: float = 1e-4,
        random_state: RandomState = None,
        n_threads: int | None = None,
    ) -> None:
        self.n_components = n_components
        self.method = method
        self.feedback = feedback
        self.confidence = confidence
        self.n_models = n_models
        self.nonneg = nonneg
        self.echoes = echoes
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

    def fit(
        self, ratings: object, *, item_labels: Mapping[Any, Iterable[str]] | None = None
    ) -> Self:
        """Fit to ratings.

        Parameters
        ----------
        ratings : Ratings, data frame or path
            Frames and files are read by `read_ratings`, which see for columns and formats.
        item_labels : mapping of item to labels, optional
            What is known of items, such as genres, at most 512 different ones. They count among
            the reasons why items are alike, if held-out ratings are estimated better then.

        Returns
        -------
        Recommender
            Itself. The order of the ratings makes no difference.

        Raises
        ------
        InputError
            Ratings or parameters that cannot be used.
        """
        n_models = whole_number("n_models", self.n_models)
        implicit = is_implicit(self.feedback)
        asked = n_tastes(self.n_components, implicit=implicit)
        ridges = candidates("ridge", self.ridge, PENALTIES if implicit else RIDGES)
        dampings = candidates("damping", self.damping, WORTHS if implicit else DAMPINGS)
        rule = Rule(whole_number("max_iter", self.max_iter), finite_number("tol", self.tol))
        how = as_neighbors(self.method)
        rng, _ = as_generator(self.random_state)
        given = ratings if isinstance(ratings, Ratings) else read_ratings(ratings)
        if not len(given):
            raise InputError("there are no ratings · nothing can be learned · pass at least one")
        given = given.sorted()
        k = min(asked, given.n_users, given.n_items)
        labels = None if item_labels is None else label_table(item_labels, given.item_ids.tolist())
        settings = Settings(
            k, n_models, rule, not self.nonneg, self.n_threads, labels, bool(self.echoes)
        )
        # Its products are small: two threads of BLAS mostly wait for one another.
        with threadpool_limits(1, user_api="blas"):
            if implicit:
                confidence = finite_number("confidence", self.confidence)
                if how is not None or not self.nonneg or not confidence or labels is not None:
                    raise InputError(
                        'feedback="implicit" · it has nonnegative factors, a confidence above 0 '
                        'and no labels · use it with method="factors", nonneg=True, confidence=10 '
                        "and without item_labels"
                    )
                model: RatingModel = fit_uses(
                    given, ridges, dampings, confidence=confidence, settings=settings, rng=rng
                )
                return self._adopt(given.part(given.values > 0), model)
            choice = choose(given, ridges, dampings, settings=settings, rng=rng)
            learn = fit_tastes if how is None else partial(choose_neighbors, how=how)
            model = learn(given, choice=choice, settings=settings, rng=rng)
        return self._adopt(given, model)

    def update(self, ratings: object) -> Self:
        """Take in further ratings without a full fit.

        Who gave them gets new factors, at their optimum given the items'; so do new items, from
        those of the users known before. Other items keep what was learned of them: fit again when
        a good part of the ratings is new. A new rating of a pair replaces the old one.

        Parameters
        ----------
        ratings : Ratings, data frame or path

        Returns
        -------
        Recommender
            Itself.

        Raises
        ------
        InputError
            A rating is outside of the scale of the fit. Nothing has changed then.
        """
        model = self._fitted()
        new = ratings if isinstance(ratings, Ratings) else read_ratings(ratings)
        low, high = self._range()
        if len(new) and not low <= new.values.min() <= new.values.max() <= high:
            raise InputError(
                f"the new ratings go from {new.values.min():g} to {new.values.max():g} · the scale "
                f"of the fit is {low:g} to {high:g} · correct them, or fit again to all ratings"
            )
        together, touched = merged(self.ratings_, new)
        if isinstance(model, ImplicitModel):
            together = together.part(together.values > 0)
        return self._adopt(together, updated(model, together, touched))

    def predict(
        self, users: object, items: object, *, unknown: Literal["averages", "error"] = "averages"
    ) -> NDArray[np.float64]:
        """Estimate ratings.

        Parameters
        ----------
        users, items : id, or sequence of ids
            Pairs; one id goes with all of the other side.
        unknown : {"averages", "error"}
            Of somebody unknown: estimate by the averages (default), or raise.

        Returns
        -------
        ndarray (n_pairs,)
            On the scale of the ratings seen, never NaN. For somebody unknown, the mean and the
            other side's offset; for two unknown, the mean.

        Raises
        ------
        InputError
            The two sides have different lengths.
        UnknownNameError
            Somebody is unknown, with unknown="error".
        """
        model = self._fitted()
        if unknown not in ("averages", "error"):
            raise InputError(f'unknown={unknown!r} · it is "averages" or "error" · choose one')
        user_codes = self.ratings_.user_codes(users)
        item_codes = self.ratings_.item_codes(items)
        if user_codes.size != item_codes.size and 1 not in (user_codes.size, item_codes.size):
            raise InputError(
                f"{user_codes.size} users and {item_codes.size} items do not make pairs · give as "
                "many of both, or one of either"
            )
        if unknown == "error":
            for kind, codes in (("user", user_codes), ("item", item_codes)):
                if (codes < 0).any():
                    raise UnknownNameError(
                        f"{int((codes < 0).sum())} of the {kind}s are not among those of the fit · "
                        "there is nothing but averages to go by · leave them out, or use "
                        'unknown="averages"'
                    )
        return model.scale.clip(model.estimate(*np.broadcast_arrays(user_codes, item_codes)))

    def recommend(
        self,
        user: Hashable,
        n: int = 10,
        *,
        exclude_seen: bool = True,
        among: Iterable[Hashable] | None = None,
    ) -> Ranking[Recommendation]:
        """Return the items that the user is expected to like best.

        Parameters
        ----------
        user : id
        n : int ≥ 1, default 10
            Fewer come back where fewer are left.
        exclude_seen : bool, default True
            Leave out what the user has rated.
        among : iterable of ids, optional
            The items to choose from. Default: all.

        Returns
        -------
        Ranking of Recommendation
            A list, best first; ties in the order of the items' ids. Its `to_frame()` has the
            columns item and score.

        Raises
        ------
        UnknownNameError
            There is no such user or item; the message names the nearest ones.
        """
        model = self._fitted()
        person = model.person(self.ratings_.user_code(user))
        return self._best(person, n, exclude_seen, among)

    def recommend_for(
        self,
        ratings: Mapping[Hashable, float],
        n: int = 10,
        *,
        exclude_seen: bool = True,
        among: Iterable[Hashable] | None = None,
    ) -> Ranking[Recommendation]:
        """Return what somebody with these ratings is expected to like best, as `recommend` does.

        Parameters
        ----------
        ratings : mapping of item to rating
            Of somebody who need not be a user of the fit, which does not change.

        Raises
        ------
        UnknownNameError
            There is no such item; the message names the nearest ones.
        InputError
            A rating is outside of the scale.
        """
        return self._best(self.fold_in(ratings), n, exclude_seen, among)

    def fold_in(self, ratings: Mapping[Hashable, float]) -> Person:
        """Return what is learned of somebody with these ratings, the items' part given.

        It is exact: the factors are at their optimum, as those of the users of the fit are.
        """
        model = self._fitted()
        codes = self._item_codes(ratings)
        values = np.array([finite_number("a rating", value) for value in ratings.values()])
        if np.unique(codes).size < codes.size:
            raise InputError("an item is rated twice · there is one rating an item · keep one")
        low, high = self._range()
        if codes.size and not low <= values.min() <= values.max() <= high:
            raise InputError(
                f"the ratings go from {values.min():g} to {values.max():g} · the scale of the fit "
                f"is {low:g} to {high:g} · give ratings on it"
            )
        return model.fold_in(codes, values)

    def similar_items(self, item: Hashable, n: int = 10) -> Ranking[Similar]:
        """Return the items most like one: the talk's cosine of the rows of the item factors.

        Raises
        ------
        UnknownNameError
            There is no such item; the message names the nearest ones.
        """
        code = self.ratings_.item_code(item) if self._fitted() else 0
        return self._alike(self.item_factors_, code, n, self._item_name)

    def similar_users(self, user: Hashable, n: int = 10) -> Ranking[Similar]:
        """Return the users whose tastes are most like those of one.

        Raises
        ------
        UnknownNameError
            There is no such user; the message names the nearest ones.
        """
        code = self.ratings_.user_code(user) if self._fitted() else 0
        return self._alike(self.user_factors_, code, n, self._user_name)

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
        code = self.ratings_.user_code(user)
        return self._explained(self._user_name(code), model.person(code), item, n_neighbors)

    def explain_for(
        self, ratings: Mapping[Hashable, float], item: Hashable, n_neighbors: int = 3
    ) -> Explanation:
        """Say why for somebody with these ratings, called "you", as `explain` does."""
        return self._explained("you", self.fold_in(ratings), item, n_neighbors)

    def component_items(self, n: int = _NAME_ITEMS) -> list[tuple[Hashable, ...]]:
        """Return the n items most typical of each component: what it is called after."""
        self._fitted()
        codes = self._typical_items[: whole_number("n", n)]
        return [tuple(self._item_name(int(code)) for code in column) for column in codes.T]

    @property
    def n_components_(self) -> int:
        """Components in use."""
        return int(self._fitted().groups.max()) + 1

    @property
    def groups_(self) -> NDArray[np.intp]:
        """Which component each column of the factors belongs to."""
        return self._fitted().groups

    @property
    def choice_(self) -> Choice:
        """What was chosen on held-out ratings."""
        return self._fitted().choice

    @property
    def ridge_(self) -> float:
        """What "auto" became."""
        return self.choice_.ridge

    @property
    def damping_(self) -> float:
        """What "auto" became."""
        return self.choice_.damping

    @property
    def error_(self) -> float:
        """Root mean squared error on held-out ratings."""
        return self.choice_.error

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
        parameters = {name: value for name, value in vars(self).items() if name in PARAMETERS}
        seed = self.random_state
        parameters["random_state"] = int(seed) if isinstance(seed, Integral) else None
        parameters["nonneg"], parameters["echoes"] = bool(self.nonneg), bool(self.echoes)
        how = as_neighbors(self.method)
        if how is not None and not isinstance(self.method, str):
            parameters["method"] = asdict(how)
        for name in ("n_components", "n_models", "max_iter", "n_threads"):
            if not isinstance(parameters[name], str | None):
                parameters[name] = int(parameters[name])
        for name in ("ridge", "damping", "tol", "confidence"):
            if not isinstance(parameters[name], str):
                parameters[name] = float(parameters[name])
        return {**meta, "parameters": parameters}, arrays

    @classmethod
    def from_record(cls, meta: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Rebuild a fitted recommender from `to_record`; its answers are the same.

        Raises
        ------
        KeyError, TypeError, ValueError
            The record is not one of a recommender, or its parts contradict one another.
        """
        meta, arrays = modernized(meta, arrays)
        parameters = dict(meta["parameters"])
        if isinstance(parameters.get("method"), dict):
            parameters["method"] = Neighbors(**parameters["method"])
        recommender = cls(**parameters)
        return recommender._adopt(*from_parts(meta, arrays, as_neighbors(recommender.method)))

    def _best(
        self, person: Person, n: int, exclude_seen: bool, among: Iterable[Hashable] | None
    ) -> Ranking[Recommendation]:
        model = self._fitted()
        n = whole_number("n", n)
        wanted = np.ones(self.ratings_.n_items, dtype=bool)
        if among is not None:
            if isinstance(among, str):
                raise InputError(f"among={among!r} is one text · it is the items to choose from")
            wanted[:] = False
            wanted[self._item_codes(among)] = True
        if exclude_seen:
            wanted[person.items] = False
        candidates = np.flatnonzero(wanted)
        if not candidates.size:
            return Ranking([], Recommendation)
        best, estimates = best_items(model, person, candidates, n)
        scores = model.scale.clip(estimates)
        found = [
            Recommendation(self._item_name(int(code)), float(score))
            for code, score in zip(best, scores, strict=True)
        ]
        return Ranking(found, Recommendation)

    def _alike(
        self,
        factors: NDArray[np.float32],
        code: int,
        n: int,
        name: Callable[[int], Hashable],
    ) -> Ranking[Similar]:
        rows = unit_rows(factors)
        similar = np.round(np.minimum(rows @ rows[code], 1.0), _TIE_DIGITS)
        similar[code] = -math.inf
        order = np.argsort(-similar, kind="stable")[: min(whole_number("n", n), similar.size - 1)]
        found = [Similar(name(int(at)), float(similar[at])) for at in order]
        return Ranking(found, Similar)

    def _explained(
        self, user: Hashable, person: Person, item: Hashable, n_neighbors: int
    ) -> Explanation:
        model = self._fitted()
        n_neighbors = whole_number("n_neighbors", n_neighbors)
        code = self.ratings_.item_code(item)
        if isinstance(model, ImplicitModel):
            return self._use_explained(model, user, person, code)
        contributions, unclipped, estimate = self._contributions(person, code)
        rated, values = person.items, person.values
        prior = _USUAL_DAMPING * model.averages.mean
        usual = float((values.sum() + prior) / (values.size + _USUAL_DAMPING))
        n_item_ratings = int(model.item_counts[code])
        neighbors, by_neighbors = self._neighbors(rated, values, code, n_neighbors)
        own = values[rated == code]
        low, high = model.choice.spread
        interval = model.scale.clip(np.array([estimate + low, estimate + high]))
        return Explanation(
            user=user,
            item=self._item_name(code),
            estimate=estimate,
            verdict=self._verdict(estimate - usual, values.size, n_item_ratings),
            interval=(float(interval[0]), float(interval[1])),
            contributions=contributions,
            counterfactuals=self._counterfactuals(person, code, unclipped, contributions),
            usual=usual,
            error=self.error_,
            scale=(model.scale.low, model.scale.high),
            neighbors=neighbors,
            neighbor_estimate=by_neighbors,
            n_ratings=int(values.size),
            n_item_ratings=n_item_ratings,
            rated=float(own[0]) if own.size else None,
        )

    def _use_explained(
        self, model: ImplicitModel, user: Hashable, person: Person, item: int
    ) -> UseExplanation:
        contributions, unclipped, estimate = self._contributions(person, item)
        place = model.place(person, item)
        own = person.values[person.items == item]
        return UseExplanation(
            user=user,
            item=self._item_name(item),
            estimate=estimate,
            verdict=place.verdict,
            interval=place.interval,
            contributions=contributions,
            counterfactuals=self._counterfactuals(person, item, unclipped, contributions),
            usual=place.interval[1],
            error=self.error_,
            scale=(model.scale.low, model.scale.high),
            neighbors=(),
            neighbor_estimate=None,
            n_ratings=int(person.items.size),
            n_item_ratings=int(model.item_counts[item]),
            rated=float(own[0]) if own.size else None,
            rank=place.rank,
            n_ranked=place.n_ranked,
        )

    def _contributions(
        self, person: Person, item: int
    ) -> tuple[tuple[Contribution, ...], float, float]:
        """The parts of one estimate; their sum before and after it is cut to the scale."""
        model = self._fitted()
        parts = model.parts(person, item)
        unclipped = float(model.scores(person, np.array([item]))[0])
        estimate = float(model.scale.clip(np.array([unclipped]))[0])
        whole = estimate or 1.0

        def part(name: str, value: float, **about: Any) -> Contribution:
            return Contribution(name, float(value), float(value) / whole, **about)

        found = [part("start of the scale", parts.start)] if parts.start else []
        found += [part("averages", parts.averages)]
        found += [
            part(self._component_names[t], parts.components[t], component=int(t))
            for t in np.argsort(-parts.components, kind="stable")
        ]
        for at in np.argsort(-np.abs(parts.echoes), kind="stable"):
            if not parts.echoes[at]:
                continue
            code = int(parts.sources[at])
            source = self._user_name(code) if parts.people else self._item_name(code)
            about = {"user": source} if parts.people else {"item": source}
            found.append(part(str(source), parts.echoes[at], **about))
        if estimate != unclipped:
            end = "end of the scale" if estimate < unclipped else "start of the scale again"
            found.append(part(end, estimate - unclipped))
        return tuple(found), unclipped, estimate

    def _counterfactuals(
        self,
        person: Person,
        item: int,
        unclipped: float,
        contributions: tuple[Contribution, ...],
    ) -> tuple[Counterfactual, ...]:
        """What the estimate would be without the ratings that it owes most to."""
        model = self._fitted()
        if person.items.size < 2:
            return ()
        owed = [part.item for part in contributions if part.item is not None]
        codes = [self.ratings_.item_code(name) for name in owed[:_COUNTERFACTUALS]]
        if not codes:
            rows = self._fitted().item_factors
            near = unit_rows(rows[person.items]) @ unit_rows(rows[item][None])[0]
            order = np.argsort(-np.round(near, _TIE_DIGITS), kind="stable")
            codes = person.items[order[:_COUNTERFACTUALS]].tolist()
        at = np.array([item])
        # Both sides folded in, so that nothing but the rating differs.
        whole = float(model.scores(model.fold_in(person.items, person.values), at)[0])
        found = []
        for code in codes:
            kept = person.items != code
            without = model.fold_in(person.items[kept], person.values[kept])
            estimate = unclipped + float(model.scores(without, at)[0]) - whole
            rating = float(person.values[~kept][0])
            clipped = float(model.scale.clip(np.array([estimate]))[0])
            found.append(Counterfactual(self._item_name(code), rating, clipped))
        return tuple(found)

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
        directions = unit_rows(self.item_factors_[rows])
        similarity = np.minimum(directions @ directions[-1], 1.0)
        found = neighbor_estimate(values[others], similarity[:-1], k, blanks="missing")
        neighbors = tuple(
            Neighbor(self._item_name(int(rows[index])), similar, weight, rating)
            for index, similar, weight, rating in zip(
                found.indices, found.similarities, found.weights, found.ratings, strict=True
            )
        )
        return neighbors, found.estimate

    @cached_property
    def _typical_items(self) -> NDArray[np.intp]:
        """Codes of items, a column a component, the most typical first.

        Typical is an item that loads on the component, mostly on it, and is known: loading times
        its share in the item's loadings times n/(n + 10) for n ratings.
        """
        model = self._fitted()
        # What a column is worth depends on both factors.
        sizes = np.abs(model.user_factors).mean(axis=0, dtype=np.float64)
        member = np.eye(self.n_components_)[model.groups]
        loadings = (np.abs(model.item_factors) * sizes) @ member
        mass = loadings.sum(axis=1, keepdims=True)
        share = np.divide(loadings, mass, out=np.zeros_like(loadings), where=mass > 0)
        known = model.item_counts / (model.item_counts + _KNOWN)
        return np.argsort(-loadings * share * known[:, None], axis=0, kind="stable")

    @cached_property
    def _component_names(self) -> list[str]:
        return [", ".join(map(str, items)) for items in self.component_items()]

    def _item_codes(self, items: Iterable[Hashable]) -> NDArray[np.intp]:
        """Codes of known items."""
        listed = list(items)
        codes = self.ratings_.item_codes(listed)
        for at in np.flatnonzero(codes < 0):
            self.ratings_.item_code(listed[at])  # says which names are near
        return codes

    def _user_name(self, code: int) -> Hashable:
        return cast(Hashable, self.ratings_.user_ids[code : code + 1].tolist()[0])

    def _item_name(self, code: int) -> Hashable:
        return cast(Hashable, self.ratings_.item_ids[code : code + 1].tolist()[0])

    def _adopt(self, ratings: Ratings, model: RatingModel) -> Self:
        """Take over a fit, and drop what was derived from an earlier one."""
        for name in ("_typical_items", "_component_names"):
            vars(self).pop(name, None)
        self.ratings_, self.model_ = ratings, model
        return self

    def _range(self) -> tuple[float, float]:
        """What ratings may be: on the scale of the fit, or any count."""
        model = self._fitted()
        if isinstance(model, ImplicitModel):
            return 0.0, math.inf
        return model.scale.low, model.scale.high

    def _fitted(self) -> RatingModel:
        if "model_" not in vars(self):
            raise InputError(
                "this Recommender has learned nothing yet · its answers need ratings · call "
                "fit(ratings) first"
            )
        return self.model_
