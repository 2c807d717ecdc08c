"""Facts about a recommender: the model, a list of recommendations, an estimate with reasons."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np

from nonneg.apps.explanation import Explanation, Neighbor
from nonneg.apps.recommend import Recommender
from nonneg.apps.tuning import can_hold_out
from nonneg.report.facts import Facts

__all__ = [
    "explanation_facts",
    "neighbor_facts",
    "recommendation_facts",
    "recommender_facts",
    "taste_facts",
]

Titles = Mapping[str, str]


def recommender_facts(model: Recommender) -> Facts:
    """The facts of a fitted recommender.

    Returns
    -------
    dict
        `n_users`, `n_items`, `n_ratings`, `scale` (lowest, highest), `mean`, `rank`, `ridge`,
        `damping`, `seed` and `held_out_error`, the root mean squared error on held-out ratings,
        None where none could be held out: there are too few, or all are the same.
    """
    ratings = model.ratings_
    seed = model.random_state
    return {
        "n_users": ratings.n_users,
        "n_items": ratings.n_items,
        "n_ratings": len(ratings),
        "scale": [model.scale_.low, model.scale_.high],
        "mean": model.averages_.mean,
        "rank": model.n_components_,
        "ridge": model.ridge_,
        "damping": model.damping_,
        "seed": seed if isinstance(seed, int) else None,
        "held_out_error": _held_out_error(model),
    }


def taste_facts(model: Recommender, *, top: int = 10) -> Facts:
    """The facts of a recommender, and in `components` the `items` that tell most about each."""
    named = model.component_items(top) if top else [()] * model.n_components_
    return recommender_facts(model) | {
        "components": [
            {"number": t + 1, "items": [_plain(item) for item in items]}
            for t, items in enumerate(named)
        ]
    }


def recommendation_facts(
    model: Recommender,
    user: Hashable,
    n: int = 10,
    *,
    exclude_seen: bool = True,
    titles: Titles | None = None,
) -> Facts:
    """What a user is expected to like best.

    Returns
    -------
    dict
        `user`, `n_rated` (how many ratings are theirs), `mean_rating`, and `items`, best first:
        `item`, `title` (None without one), `estimate` and `n_ratings` of the item by anybody.
    """
    ratings = model.ratings_
    code = ratings.user_code(user)
    own = ratings.values[ratings.users == code]
    counts = np.bincount(ratings.items, minlength=ratings.n_items)
    return {
        "user": _plain(ratings.user_ids[code : code + 1].tolist()[0]),
        "n_rated": int(own.size),
        "mean_rating": float(own.mean()) if own.size else None,
        "items": [
            {
                "item": _plain(found.item),
                "title": _title(found.item, titles),
                "estimate": found.score,
                "n_ratings": int(counts[ratings.item_code(found.item)]),
            }
            for found in model.recommend(user, n, exclude_seen=exclude_seen)
        ],
    }


def explanation_facts(
    why: Explanation, *, model: Recommender | None = None, titles: Titles | None = None
) -> Facts:
    """One estimate, its parts and its neighbours.

    Parameters
    ----------
    why : Explanation
    model : Recommender, optional
        Needed to call the components by the titles of their items, and to know whether the error
        is one on held-out ratings.
    titles : dict of str to str, optional
        What items are called.

    Returns
    -------
    dict
        `user`, `item`, `title`, `estimate`, `verdict`, `scale`, `usual`, `rated`, `parts` (`name`,
        `component`, `contribution`, `share`; they add up to the estimate), `neighbors` (`rank`,
        `item`, `title`, `similarity`, `weight`, `rating`, `contribution`), `neighbor_estimate`,
        `n_rated`, `n_item_ratings` and `held_out_error`.
    """
    tastes = [] if model is None or titles is None else model.component_items()
    named = [", ".join(_title(item, titles) or str(item) for item in items) for items in tastes]
    return {
        "user": _plain(why.user),
        "item": _plain(why.item),
        "title": _title(why.item, titles),
        "estimate": why.estimate,
        "verdict": why.verdict,
        "scale": list(why.scale),
        "usual": why.usual,
        "rated": why.rated,
        "parts": [
            {
                "name": part.name if part.component is None or not named else named[part.component],
                "component": None if part.component is None else part.component + 1,
                "contribution": part.contribution,
                "share": part.share,
            }
            for part in why.contributions
        ],
        "neighbors": neighbor_facts(why.neighbors, titles),
        "neighbor_estimate": why.neighbor_estimate,
        "n_rated": why.n_ratings,
        "n_item_ratings": why.n_item_ratings,
        "held_out_error": why.error if model is None else _held_out_error(model),
    }


def neighbor_facts(neighbors: Sequence[Neighbor], titles: Titles | None = None) -> list[Facts]:
    """Neighbours in order, with what each adds to their weighted mean."""
    return [
        {
            "rank": rank,
            "item": _plain(near.item),
            "title": _title(near.item, titles),
            "similarity": near.similarity,
            "weight": near.weight,
            "rating": near.rating,
            "contribution": near.weight * near.rating,
        }
        for rank, near in enumerate(neighbors, start=1)
    ]


def _held_out_error(model: Recommender) -> float | None:
    return model.error_ if can_hold_out(len(model.ratings_), model.scale_) else None


def _plain(name: Hashable) -> Any:
    """An id as JSON can hold it."""
    return name if isinstance(name, str | int | float) else str(name)


def _title(item: Hashable, titles: Titles | None) -> str | None:
    return None if titles is None else titles.get(str(item))
