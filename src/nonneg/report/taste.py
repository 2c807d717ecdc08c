"""Facts about a recommender: the model, a list of recommendations, an estimate with reasons."""

from __future__ import annotations

import difflib
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from nonneg.apps.explanation import Contribution, Explanation, Neighbor, UseExplanation
from nonneg.apps.recommend import Recommender
from nonneg.apps.tuning import can_hold_out
from nonneg.errors import UnknownNameError
from nonneg.report.facts import Facts

__all__ = [
    "explanation_facts",
    "find_item",
    "neighbor_facts",
    "reason_steps",
    "reasoned_facts",
    "recommendation_facts",
    "recommender_facts",
    "taste_facts",
]

Titles = Mapping[str, str]
Labels = Mapping[str, Sequence[str]]
_MOST_STEPS = 10  # of a waterfall
_BECAUSE = 3  # reasons of an item in a list


def recommender_facts(model: Recommender) -> Facts:
    """The facts of a fitted recommender.

    Returns
    -------
    dict
        `feedback` (explicit or implicit), `n_users`, `n_items`, `n_ratings`, `scale` (lowest,
        highest), `mean`, `rank`, `ridge`, `damping`, `models` (runs side by side), `seed` and
        `held_out_error`, the root mean squared error on held-out ratings (implicit: the mean
        percentile rank), None where none could be held out: there are too few, or all are the same.
    """
    ratings = model.ratings_
    seed = model.random_state
    return {
        "feedback": model.feedback,
        "n_users": ratings.n_users,
        "n_items": ratings.n_items,
        "n_ratings": len(ratings),
        "scale": [model.scale_.low, model.scale_.high],
        "mean": model.averages_.mean,
        "rank": model.n_components_,
        "ridge": model.ridge_,
        "damping": model.damping_,
        "models": int((model.groups_ == 0).sum()),
        "seed": seed if isinstance(seed, int) else None,
        "held_out_error": _held_out_error(model),
    }


def taste_facts(model: Recommender, *, top: int = 10, titles: Titles | None = None) -> Facts:
    """The facts of a recommender, and in `components` the `items` that tell most about each.

    Each component has `number`, `items` and `titles` (None where an item has none).
    """
    named = model.component_items(top) if top else [()] * model.n_components_
    return recommender_facts(model) | {
        "components": [
            {
                "number": t + 1,
                "items": [_plain(item) for item in items],
                "titles": [_title(item, titles) for item in items],
            }
            for t, items in enumerate(named)
        ]
    }


def recommendation_facts(
    model: Recommender,
    user: Hashable | Mapping[Hashable, float],
    n: int = 10,
    *,
    exclude_seen: bool = True,
    titles: Titles | None = None,
    labels: Labels | None = None,
) -> Facts:
    """What a user, or somebody new with these ratings, is expected to like best.

    Returns
    -------
    dict
        `user`, `n_rated` (how many ratings are theirs), `mean_rating`, and `items`, best first:
        `item`, `title` (None without one), `labels`, `estimate`, and `n_ratings` by anybody.
    """
    ratings = model.ratings_
    name: Hashable = "you"
    if isinstance(user, Mapping):
        own = np.array(list(user.values()), dtype=np.float64)
        best = model.recommend_for(user, n, exclude_seen=exclude_seen)
    else:
        code = ratings.user_code(user)
        own = ratings.values[ratings.users == code]
        best = model.recommend(user, n, exclude_seen=exclude_seen)
        name = ratings.user_ids[code : code + 1].tolist()[0]
    counts = np.bincount(ratings.items, minlength=ratings.n_items)
    return {
        "user": _plain(name),
        "n_rated": int(own.size),
        "mean_rating": float(own.mean()) if own.size else None,
        "items": [
            {
                "item": _plain(found.item),
                "title": _title(found.item, titles),
                "labels": [] if labels is None else list(labels.get(str(found.item), ())),
                "estimate": found.score,
                "n_ratings": int(counts[ratings.item_code(found.item)]),
            }
            for found in best
        ],
    }


def reasoned_facts(
    model: Recommender,
    user: Hashable | Mapping[Hashable, float],
    n: int = 10,
    *,
    titles: Titles | None = None,
    labels: Labels | None = None,
) -> Facts:
    """`recommendation_facts`, and with each of its items a `because`.

    Returns
    -------
    dict
        As `recommendation_facts`; each item also has `verdict`, `usual` and `because`: what adds
        most to its estimate beyond the averages, at most three parts as `name`, `item` (None
        unless it is a rating of the person's own) and `contribution`.
    """
    facts = recommendation_facts(model, user, n, titles=titles, labels=labels)
    explain = model.explain_for if isinstance(user, Mapping) else model.explain
    for found in facts["items"]:
        why = explanation_facts(explain(user, found["item"]), model=model, titles=titles)  # type: ignore[arg-type]
        parts = [
            part
            for part in why["parts"]
            if part["contribution"] > 0 and (part["item"], part["component"]) != (None, None)
        ]
        own = [part for part in parts if part["item"] is not None]
        first = sorted(own, key=lambda part: -part["contribution"])[:_BECAUSE]
        chosen = first or parts[:1]
        found["verdict"], found["usual"] = why["verdict"], why["usual"]
        found["because"] = [
            {name: part[name] for name in ("name", "item", "contribution")} for part in chosen
        ]
    return facts


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
        `user`, `item`, `title`, `estimate`, `verdict`, `interval` (lower, upper), `scale`,
        `usual`, `rated`, `parts` (`name`, `component`, `item`, `user`, `contribution`, `share`;
        they add up to the estimate), `counterfactuals` (`item`, `title`, `rating`, `estimate`),
        `neighbors` (`rank`, `item`, `title`, `similarity`, `weight`, `rating`, `contribution`),
        `neighbor_estimate`, `n_rated`, `n_item_ratings` and `held_out_error`; `place` and
        `n_ranked`, the place of the item among what is unused, of implicit feedback, else None;
        `person`, the user in a sentence; `steps`, the parts with the smallest of each kind as one
        (see `reason_steps`); `sentences`.
    """
    tastes = [] if model is None or titles is None else model.component_items()
    named = [", ".join(_title(item, titles) or str(item) for item in items) for items in tastes]
    ranked = why if isinstance(why, UseExplanation) else None
    parts = [
        {
            "name": _part_name(part, named, titles),
            "component": None if part.component is None else part.component + 1,
            "item": None if part.item is None else _plain(part.item),
            "user": None if part.user is None else _plain(part.user),
            "contribution": part.contribution,
            "share": part.share,
        }
        for part in why.contributions
    ]
    return {
        "user": _plain(why.user),
        "person": _person(why.user),
        "item": _plain(why.item),
        "title": _title(why.item, titles),
        "estimate": why.estimate,
        "verdict": why.verdict,
        "interval": list(why.interval),
        "scale": list(why.scale),
        "usual": why.usual,
        "place": None if ranked is None else ranked.rank,
        "n_ranked": None if ranked is None else ranked.n_ranked,
        "rated": why.rated,
        "parts": parts,
        "steps": reason_steps(parts),
        "sentences": list(_with_titles(why, named, titles).sentences),
        "counterfactuals": [
            {
                "item": _plain(change.item),
                "title": _title(change.item, titles),
                "rating": change.rating,
                "estimate": change.estimate,
            }
            for change in why.counterfactuals
        ],
        "neighbors": neighbor_facts(why.neighbors, titles),
        "neighbor_estimate": why.neighbor_estimate,
        "n_rated": why.n_ratings,
        "n_item_ratings": why.n_item_ratings,
        "held_out_error": why.error if model is None else _held_out_error(model),
    }


def reason_steps(parts: Sequence[Facts], most: int = _MOST_STEPS) -> list[Facts]:
    """The parts of an estimate in their order, the smallest of each kind as one.

    Returns
    -------
    list of dict
        `name` and `contribution`; they add up to what the parts do.
    """
    rests = sorted({_KINDS[kind] for part in parts if (kind := _kind(part))})
    standing = sum(not _kind(part) for part in parts)
    room = len(parts) if len(parts) <= most else max(most - len(rests), standing)
    order = sorted(range(len(parts)), key=lambda i: (bool(_kind(parts[i])), -_size(parts[i])))
    kept = set(order[:room])
    steps = [
        {"name": _reason(part), "contribution": part["contribution"]}
        for i, part in enumerate(parts)
        if i in kept
    ]
    for what in rests:
        rest = [
            part["contribution"]
            for i, part in enumerate(parts)
            if i not in kept and _KINDS.get(_kind(part)) == what
        ]
        if rest:
            steps.append({"name": f"{len(rest):,} {what}", "contribution": sum(rest)})
    return steps


# What the smaller parts of a kind are called together.
_KINDS = {
    "component": "further tastes",
    "item": "further own ratings",
    "user": "further like-minded people",
}


def _kind(part: Facts) -> str:
    """Of what a part tells; "" of the start of the scale and of averages, which always stand."""
    return next((kind for kind in _KINDS if part[kind] is not None), "")


def _size(part: Facts) -> float:
    return abs(float(part["contribution"]))


def _reason(part: Facts) -> str:
    if part["component"] is not None:
        return f"taste {part['component']}: {part['name']}"
    if part["item"] is not None:
        return f"rating of {part['name']}"
    return f"like-minded {part['name']}" if part["user"] is not None else str(part["name"])


def find_item(model: Recommender, name: str, titles: Titles | None) -> Hashable:
    """Return the id of an item that was named by its id or, where there are titles, its title.

    Raises
    ------
    UnknownNameError
        There is none; the message names near titles or ids.
    """
    ratings = model.ratings_
    if titles is None or ratings.item_codes(name)[0] >= 0:
        return name
    known = {title.casefold(): item for item, title in titles.items()}
    here = {title: item for title, item in known.items() if ratings.item_codes(item)[0] >= 0}
    if name.casefold() in here:
        return here[name.casefold()]
    # A title often ends in a year that nobody remembers.
    starts = [title for title in here if title.rpartition(" (")[0] == name.casefold()]
    if len(starts) == 1:
        return here[starts[0]]
    near = starts or difflib.get_close_matches(name.casefold(), here, n=3, cutoff=0.5)
    told = " or ".join(titles[here[title]] for title in near)
    raise UnknownNameError(
        f"item {name!r} is no id and no title among the {ratings.n_items} items"
        + (f": did you mean {told}?" if told else ": check the title.")
    )


def _part_name(part: Contribution, named: Sequence[str], titles: Titles | None) -> str:
    if part.component is not None and named:
        return named[part.component]
    title = None if part.item is None else _title(part.item, titles)
    return part.name if title is None else title


def _with_titles(why: Explanation, named: Sequence[str], titles: Titles | None) -> Explanation:
    """The same with names that a sentence can say."""

    def called(item: Hashable) -> Hashable:
        return _title(item, titles) or item

    return replace(
        why,
        user=_person(why.user),
        item=called(why.item),
        contributions=tuple(
            replace(part, name=_part_name(part, named, titles)) for part in why.contributions
        ),
        counterfactuals=tuple(
            replace(change, item=called(change.item)) for change in why.counterfactuals
        ),
        neighbors=tuple(replace(near, item=called(near.item)) for near in why.neighbors),
    )


def _person(user: Hashable) -> str:
    """A user in a sentence: "user 7", but Jai."""
    return f"user {user}" if str(user).isdecimal() else str(user)


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
