"""The model of a rating: averages, and components of taste as far as there are ratings to tell.

    rating ≈ (1 − trust) · averages + trust · (low + Σ wᵤₜ hᵢₜ)
    trust = nᵤ/(nᵤ + damping) · nᵢ/(nᵢ + damping)

with W, H ≥ 0 from the ratings that exist and averages ≥ low, the lowest rating: so an estimate is
low plus parts ≥ 0. The weight goes to the averages where a person or an item has few ratings, and
who has none gets them alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from nonneg.apps.averages import Averages, Codes, fit_averages
from nonneg.apps.tuning import Choice, Scale, trust
from nonneg.core.alternate import Rule, Status
from nonneg.core.factorize import factorize
from nonneg.io.ratings import Ratings

__all__ = ["Parts", "RatingModel", "fit_model"]

# Ratings' worth of doubt about an item that is to stand for a component.
_KNOWN = 10.0


@dataclass(frozen=True, eq=False)
class Parts:
    """One estimate: low + averages + Σ components, not cut to the scale.

    Attributes
    ----------
    averages : float
        What the averages add to the lowest rating.
    components : ndarray (k,)
    """

    averages: float
    components: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class RatingModel:
    """Fitted numbers, by codes of users and items; −1 is somebody unknown.

    Attributes
    ----------
    scale : Scale
    damping : float
    averages : Averages
    user_factors, item_factors : ndarray (n_users, k), (n_items, k), float32 ≥ 0
    user_counts, item_counts : ndarray (n_users,), (n_items,)
        Ratings of each.
    """

    scale: Scale
    damping: float
    averages: Averages
    user_factors: NDArray[np.float32]
    item_factors: NDArray[np.float32]
    user_counts: NDArray[np.intp]
    item_counts: NDArray[np.intp]

    def estimate(self, users: Codes, items: Codes) -> NDArray[np.float64]:
        """Return estimates of pairs, not cut to the scale; one code goes with all of the other."""
        averages = self.scale.clip(self.averages.estimate(users, items))
        W, H = self.user_factors[users], self.item_factors[items]
        parts = np.einsum("ij,ij->i", W, H, dtype=np.float64)
        return np.asarray(
            averages + self._trust(users, items) * (self.scale.low + parts - averages)
        )

    def parts(self, user: int, item: int) -> Parts:
        """Return what one estimate consists of."""
        users, items = np.array([user]), np.array([item])
        share = float(self._trust(users, items)[0])
        averages = float(self.scale.clip(self.averages.estimate(users, items))[0])
        w = self.user_factors[user].astype(np.float64)
        h = self.item_factors[item].astype(np.float64)
        return Parts((1 - share) * (averages - self.scale.low), share * (w * h))

    @cached_property
    def typical_items(self) -> NDArray[np.intp]:
        """Codes of items, a column a component, the most typical first.

        Typical is an item that loads on the component, mostly on it, and is known: loading times
        its share in the item's loadings times n/(n + 10) for n ratings.
        """
        H = self.item_factors.astype(np.float64)
        mass = H.sum(axis=1, keepdims=True)
        typical = H * np.divide(H, mass, out=np.zeros_like(H), where=mass > 0)
        known = self.item_counts / (self.item_counts + _KNOWN)
        return np.argsort(-typical * known[:, None], axis=0, kind="stable")

    def _trust(self, users: Codes, items: Codes) -> NDArray[np.float64]:
        n_user = np.where(users >= 0, self.user_counts[users], 0)
        n_item = np.where(items >= 0, self.item_counts[items], 0)
        return trust(n_user, n_item, self.damping)


def fit_model(
    ratings: Ratings,
    k: int,
    choice: Choice,
    *,
    rule: Rule,
    n_threads: int | None,
    rng: np.random.Generator,
) -> RatingModel:
    """Fit all ratings with the ridge and damping of `choice`, from its factors on."""
    scale = Scale.of(ratings.values)
    fitted = factorize(
        scale.matrix(ratings),
        k,
        missing_values=0.0,
        ridge_per_entry=scale.ridge_per_entry(choice.ridge),
        W=choice.W,
        H=choice.H,
        max_iter=rule.max_iter,
        tol=rule.tol,
        n_threads=n_threads,
        random_state=rng,
    )
    if fitted.status is Status.INTERRUPTED:
        raise KeyboardInterrupt
    return RatingModel(
        scale,
        choice.damping,
        fit_averages(ratings),
        np.asarray(fitted.W * np.float32(scale.span), dtype=np.float32),
        np.ascontiguousarray(fitted.H.T, dtype=np.float32),
        np.bincount(ratings.users, minlength=ratings.n_users),
        np.bincount(ratings.items, minlength=ratings.n_items),
    )
