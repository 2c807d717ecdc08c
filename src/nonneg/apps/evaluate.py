"""How good are the estimates, and the lists? Protocols that others use, beside plain yardsticks.

surprise-5fold  Rows in the order of the file, shuffled by ``RandomState(0)``, five consecutive
                blocks, estimates cut to the scale: what Surprise publishes. RMSE and MAE are means
                over the folds.
split           Fit to one set of ratings, estimate those of another.
leave-last      Each user's last rating (by timestamp, else by place) is held out.
topn            A fifth of the items of each user with five or more is held out, at random from one
                seed; all unseen items are ranked. NDCG@10, Recall@20, MAP@20, and of the lists of
                ten: coverage (share of the items ever listed) and novelty (mean −log₂ share of
                users who have the item).

Intervals hold 95 % of bootstrap samples of users (of ratings, where estimates are judged).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from nonneg.apps.averages import fit_averages
from nonneg.apps.recommend import Recommender
from nonneg.apps.shortlist import best_items
from nonneg.errors import InputError
from nonneg.io.ratings import Ratings

__all__ = [
    "Estimator",
    "Protocol",
    "evaluate",
    "list_measures",
    "surprise_folds",
    "topn_split",
]

Protocol = Literal["surprise-5fold", "split", "leave-last", "topn"]
Estimator = Callable[[Ratings], Recommender]
Progress = Callable[[str, float], object]
Array = NDArray[np.float64]

_N_FOLDS = 5
# Bootstrap samples; fewer where there is so much that they differ little.
_SAMPLES, _FEWER, _MUCH = 1000, 200, 50_000
_SHOWN, _LONG = 10, 20
_TOPN_SHARE, _TOPN_FEWEST = 0.2, 5


@dataclass(frozen=True)
class _Case:
    """Ratings to fit to, and those to be estimated; both with all names."""

    train: Ratings
    test: Ratings


def evaluate(
    ratings: Ratings,
    make: Estimator,
    protocol: Protocol = "surprise-5fold",
    *,
    test: Ratings | None = None,
    random_state: int = 0,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Measure a recommender by a protocol.

    Parameters
    ----------
    ratings : Ratings
        In the order of their source, which the folds depend on.
    make : callable(Ratings) -> Recommender
        Fits one to some of the ratings. It sees nothing of those held out.
    protocol : {"surprise-5fold", "split", "leave-last", "topn"}
    test : Ratings, optional
        What to estimate, of "split".
    random_state : int, default 0
        Of the top-n split and of the bootstrap; Surprise's folds have their own.
    progress : callable(str, float), optional
        Told what is being done and which share of all is done.

    Returns
    -------
    dict
        `protocol`, `n_ratings`, `n_test`, and `methods`, the recommender first and then its
        yardsticks: each with its `name` and, in `measures`, for each measure its `value`,
        `interval` (lower, upper) and, where there are several, that of each of the `folds`.

    Raises
    ------
    InputError
        There are too few ratings for the protocol.
    """
    say = progress or (lambda *_: None)
    if protocol == "topn":
        return _topn(ratings, make, random_state, say)
    if protocol == "surprise-5fold":
        cases = [_Case(*pair) for pair in surprise_folds(ratings)]
    elif protocol == "split":
        if test is None:
            raise InputError("there is nothing to estimate · split needs a second set · give one")
        cases = [_together(ratings, test)]
    elif protocol == "leave-last":
        cases = [_without_last(ratings)]
    else:
        raise InputError(
            f"protocol={protocol!r} is unknown · they are surprise-5fold, split, leave-last, topn "
            "· choose one"
        )
    estimates: dict[str, list[Array]] = {}
    truths = []
    for number, case in enumerate(cases):
        say(f"fit {number + 1} of {len(cases)}", number / len(cases))
        for name, values in _estimates(case, make).items():
            estimates.setdefault(name, []).append(values)
        truths.append(case.test.values)
    rng = np.random.default_rng(random_state)
    methods = [
        {"name": name, "measures": _errors(values, truths, rng)}
        for name, values in estimates.items()
    ]
    return {
        "protocol": protocol,
        "n_ratings": len(ratings),
        "n_test": sum(truth.size for truth in truths),
        "methods": methods,
    }


def surprise_folds(ratings: Ratings) -> Iterator[tuple[Ratings, Ratings]]:
    """Yield train and test of each of Surprise's five folds (`KFold(5, random_state=0)`)."""
    n = len(ratings)
    if n < _N_FOLDS:
        raise InputError(f"there are {n} ratings · five folds need five · use more ratings")
    order = np.arange(n)
    np.random.RandomState(0).shuffle(order)
    # The first folds are larger by one where n is no multiple of five, as in Surprise.
    for block in np.array_split(order, _N_FOLDS):
        held_out = np.zeros(n, dtype=bool)
        held_out[block] = True
        yield ratings.part(~held_out), ratings.part(block)


def _together(train: Ratings, test: Ratings) -> _Case:
    """Give the test ratings the codes of the others; who is unknown there has −1."""
    users, items = train.user_codes(test.user_ids), train.item_codes(test.item_ids)
    coded = Ratings(
        users[test.users].astype(np.int32),
        items[test.items].astype(np.int32),
        test.values,
        train.user_ids,
        train.item_ids,
    )
    return _Case(train, coded)


def _without_last(ratings: Ratings) -> _Case:
    when = np.arange(len(ratings)) if ratings.timestamps is None else ratings.timestamps
    order = np.lexsort((np.arange(len(ratings)), when, ratings.users))
    ends = np.flatnonzero(np.diff(ratings.users[order], append=-1))
    last = order[ends]
    counts = np.bincount(ratings.users, minlength=ratings.n_users)
    last = last[counts[ratings.users[last]] > 1]
    if not last.size:
        raise InputError("nobody has two ratings · the last one needs others before it · use split")
    held_out = np.zeros(len(ratings), dtype=bool)
    held_out[last] = True
    return _Case(ratings.part(~held_out), ratings.part(held_out))


def _estimates(case: _Case, make: Estimator) -> dict[str, Array]:
    train, test = case.train, case.test
    low, high = float(train.values.min()), float(train.values.max())
    model = make(train)
    if model.feedback == "implicit":
        raise InputError(
            "a recommender of implicit feedback estimates no ratings · its lists can be judged · "
            'use protocol="topn"'
        )
    # By code, so that ids are looked up once.
    to_user = np.append(model.ratings_.user_codes(train.user_ids), -1)
    to_item = np.append(model.ratings_.item_codes(train.item_ids), -1)
    users, items = to_user[test.users], to_item[test.items]
    averages = fit_averages(train).estimate(test.users, test.items)
    return {
        "recommender": model.scale_.clip(model.model_.estimate(users, items)),
        "averages of user and item": np.clip(averages, low, high),
        "global mean": np.full(len(test), train.values.mean()),
    }


def _errors(values: list[Array], truths: list[Array], rng: np.random.Generator) -> dict[str, Any]:
    offs = [value - truth for value, truth in zip(values, truths, strict=True)]
    everything = np.concatenate(offs)
    measures = {}
    for name, of in (("RMSE", lambda off: off**2), ("MAE", np.abs)):
        root = math.sqrt if name == "RMSE" else float
        means = [root(float(of(off).mean())) for off in offs]
        each = of(everything)
        samples = _sampled_means(each, rng)
        if name == "RMSE":
            samples = np.sqrt(samples)
        measures[name] = _measure(float(np.mean(means)), samples)
        if len(means) > 1:
            measures[name]["folds"] = means
    return measures


def topn_split(ratings: Ratings, seed: int) -> tuple[Ratings, Ratings]:
    """Return what "topn" fits to and what it holds out, both with all names and sorted."""
    ordered = ratings.sorted()
    rng = np.random.default_rng(seed)
    held_out = np.zeros(len(ordered), dtype=bool)
    starts = np.searchsorted(ordered.users, np.arange(ordered.n_users + 1))
    for first, last in itertools.pairwise(starts):
        n = int(last - first)
        if n >= _TOPN_FEWEST:
            held_out[first + rng.permutation(n)[: max(1, round(_TOPN_SHARE * n))]] = True
    if not held_out.any():
        raise InputError(
            f"nobody has {_TOPN_FEWEST} items · some have to be held out and some kept · use "
            "another protocol"
        )
    return ordered.part(~held_out), ordered.part(held_out)


def list_measures(
    lists: list[NDArray[np.intp]], train: Ratings, test: Ratings, seed: int
) -> dict[str, Any]:
    """Return the measures of "topn" of lists of 20 codes of items, one for each user of `test`."""
    starts = np.searchsorted(test.users, np.arange(test.n_users + 1))
    wanted = [test.items[a:b] for a, b in itertools.pairwise(starts) if b > a]
    popularity = np.bincount(train.items, minlength=train.n_items)
    share = np.maximum(popularity, 1) / train.n_users
    return _list_measures(lists, wanted, share, np.random.default_rng(seed))


def _topn(ratings: Ratings, make: Estimator, seed: int, say: Progress) -> dict[str, Any]:
    train, test = topn_split(ratings, seed)
    say("fit", 0.0)
    model = make(train)
    popularity = np.bincount(train.items, minlength=train.n_items)
    train_starts = np.searchsorted(train.users, np.arange(train.n_users + 1))
    users = np.unique(test.users)
    # The user's own offset and the mean order nothing: averages are those of the items.
    liked = fit_averages(train).items
    lists: dict[str, list[NDArray[np.intp]]] = {
        "recommender": [],
        "averages of items": [],
        "popularity": [],
    }
    for number, user in enumerate(users):
        if number % 200 == 0:
            say("ranking", number / users.size)
        unseen = np.ones(train.n_items, dtype=bool)
        unseen[train.items[train_starts[user] : train_starts[user + 1]]] = False
        candidates = np.flatnonzero(unseen)
        person = model.model_.person(int(user))
        lists["recommender"].append(best_items(model.model_, person, candidates, _LONG)[0])
        for name, scores in (("averages of items", liked), ("popularity", popularity)):
            order = np.argsort(-scores[candidates], kind="stable")[:_LONG]
            lists[name].append(candidates[order])
    methods = [
        {"name": name, "measures": list_measures(found, train, test, seed)}
        for name, found in lists.items()
    ]
    return {
        "protocol": "topn",
        "n_ratings": len(ratings),
        "n_test": len(test),
        "methods": methods,
    }


def _list_measures(
    lists: list[NDArray[np.intp]],
    wanted: list[NDArray[np.int32]],
    share: Array,
    rng: np.random.Generator,
) -> dict[str, Any]:
    discounts = 1 / np.log2(np.arange(2, _SHOWN + 2))
    found = []
    for ranked, items in zip(lists, wanted, strict=True):
        hits = np.isin(ranked, items)
        shown = hits[:_SHOWN]
        gain = float(discounts[: shown.size][shown].sum() / discounts[: items.size].sum())
        precision = np.cumsum(hits) / np.arange(1, hits.size + 1)
        found.append(
            (
                gain,
                hits.sum() / items.size,
                float(precision[hits].sum()) / min(items.size, _LONG),
                float(-np.log2(share[ranked[:_SHOWN]]).mean()),
            )
        )
    table = np.array(found)
    listed = np.unique(np.concatenate([ranked[:_SHOWN] for ranked in lists]))
    names = (f"NDCG@{_SHOWN}", f"Recall@{_LONG}", f"MAP@{_LONG}", "novelty")
    measures = {
        name: _measure(float(column.mean()), _sampled_means(column, rng))
        for name, column in zip(names, table.T, strict=True)
    }
    measures["coverage"] = {"value": listed.size / share.size, "interval": None}
    return measures


def _sampled_means(each: Array, rng: np.random.Generator) -> Array:
    """Means of bootstrap samples."""
    n = each.size
    means = np.empty(_SAMPLES if n < _MUCH else _FEWER)
    for sample in range(means.size):
        means[sample] = each[rng.integers(n, size=n)].mean()
    return means


def _measure(value: float, samples: Array) -> dict[str, Any]:
    low, high = np.quantile(samples, [0.025, 0.975])
    return {"value": value, "interval": [float(low), float(high)]}
