"""Further ratings without a full fit: new users and items, and new ratings of known ones."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from nonneg.apps.averages import Averages
from nonneg.apps.echoes import Echoes
from nonneg.apps.ensemble import solve_one
from nonneg.apps.implicit_model import ImplicitModel
from nonneg.apps.rating_model import RatingModel, TasteModel
from nonneg.apps.tuning import leftovers
from nonneg.io.ratings import Ratings

__all__ = ["merged", "updated"]

_DOUBT = 2.0


def merged(old: Ratings, new: Ratings) -> tuple[Ratings, NDArray[np.intp]]:
    """Return the ratings of both, codes of the old ones kept, and the codes of who gave new ones.

    A new rating of a pair replaces the old one.
    """
    user_ids, users = _extended(old.user_ids, old.user_codes(new.user_ids), new.user_ids)
    item_ids, items = _extended(old.item_ids, old.item_codes(new.item_ids), new.item_ids)
    new_users, new_items = users[new.users], items[new.items]
    all_users = np.concatenate([new_users, old.users]).astype(np.int32)
    all_items = np.concatenate([new_items, old.items]).astype(np.int32)
    values = np.concatenate([new.values, old.values])
    cells = all_users.astype(np.int64) * len(item_ids) + all_items
    _, first = np.unique(cells, return_index=True)  # sorted by user and item, the new ones win
    together = Ratings(all_users[first], all_items[first], values[first], user_ids, item_ids)
    return together, np.unique(new_users)


def updated(model: RatingModel, ratings: Ratings, touched: NDArray[np.intp]) -> RatingModel:
    """Return the model of `ratings`, of which those by the `touched` users are new."""
    if isinstance(model, ImplicitModel):
        return _updated_uses(model, ratings, touched)
    m, n = ratings.n_users, ratings.n_items
    known = model.matrix.shape
    matrix = leftovers(ratings, slice(None), np.zeros(len(ratings)))
    offsets = model.averages
    averages = Averages(offsets.mean, _longer(offsets.users, m), _longer(offsets.items, n))
    users, items = _longer(model.user_factors, m), _longer(model.item_factors, n)
    by_item = sp.csr_array(matrix.T)
    for item in range(known[1], n):
        own = slice(by_item.indptr[item], by_item.indptr[item + 1])
        who, values = by_item.indices[own], by_item.data[own]
        rest = values - averages.mean - averages.users[who]
        averages.items[item] = rest.sum() / (rest.size + _DOUBT)
        before = who < known[0]
        if before.any():
            items[item] = _item_factors(model, users[who[before]], values[before])
    changes: dict[str, Any] = {
        "averages": averages,
        "user_factors": users,
        "item_factors": items,
        "matrix": matrix,
    }
    if isinstance(model, TasteModel):
        changes["echoes"] = Echoes(_longer(model.echoes.features, n))
        changes["leanings"] = _longer(model.leanings, m)
    found = replace(cast(TasteModel, model), **changes)
    for user in touched:
        own = slice(matrix.indptr[user], matrix.indptr[user + 1])
        person = found.fold_in(matrix.indices[own].astype(np.intp), matrix.data[own])
        averages.users[user], users[user] = person.offset, person.factors
        if isinstance(found, TasteModel):
            found.leanings[user] = person.leaning
    return found


def _updated_uses(
    model: ImplicitModel, ratings: Ratings, touched: NDArray[np.intp]
) -> ImplicitModel:
    """The same for counts; a new item has no part in the echoes."""
    m, n = ratings.n_users, ratings.n_items
    known = model.matrix.shape
    matrix = leftovers(ratings, slice(None), np.zeros(len(ratings)))
    users, items = _longer(model.user_factors, m), _longer(model.item_factors, n)
    by_item = sp.csr_array(matrix.T)
    for item in range(known[1], n):
        own = slice(by_item.indptr[item], by_item.indptr[item + 1])
        who, values = by_item.indices[own], by_item.data[own]
        before = who < known[0]
        if before.any():
            items[item] = model.fold_in_item(model.user_factors, who[before], values[before])
    features = _longer(model.features, n)
    found = replace(model, user_factors=users, item_factors=items, features=features, matrix=matrix)
    for user in touched:
        own = slice(matrix.indptr[user], matrix.indptr[user + 1])
        users[user] = found.fold_in(matrix.indices[own].astype(np.intp), matrix.data[own]).factors
    return found


def _item_factors(
    model: RatingModel, users: NDArray[np.float32], values: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Return the factors of an item that these users rated, at their optimum given the users'."""
    n_models = int((model.groups == 0).sum())
    rows = users * np.float32(n_models / model.scale.span)
    ridge = model.scale.ridge_per_entry(model.choice.ridge)
    signed = isinstance(model, TasteModel) and model.signed
    solved = solve_one(model.scale.units(values), rows, n_models, ridge, signed=signed)
    return np.asarray(solved * np.float32(n_models), dtype=np.float32)


def _longer(values: NDArray[Any], size: int) -> NDArray[Any]:
    """A copy with rows of zeros up to the size."""
    out = np.zeros((size, *values.shape[1:]), values.dtype)
    out[: len(values)] = values
    return out


def _extended(
    ids: NDArray[Any], found: NDArray[np.intp], new_ids: NDArray[Any]
) -> tuple[NDArray[Any], NDArray[np.intp]]:
    """Return the ids with the unknown ones of the new behind them, and the codes of the new."""
    unknown = np.flatnonzero(found < 0)
    codes = found.copy()
    codes[unknown] = len(ids) + np.arange(unknown.size)
    more = new_ids[unknown]
    if ids.dtype == more.dtype:
        return np.concatenate([ids, more]), codes
    both = np.empty(len(ids) + unknown.size, dtype=object)
    both[:] = ids.tolist() + more.tolist()
    return both, codes
