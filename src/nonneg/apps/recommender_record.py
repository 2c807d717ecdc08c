"""A fitted recommender as plain values and arrays, and back, with every part checked."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nonneg.apps.averages import Averages
from nonneg.apps.echoes import Echoes
from nonneg.apps.implicit_model import ImplicitModel
from nonneg.apps.neighbor_model import NeighborModel, Neighbors
from nonneg.apps.rating_model import RatingModel, TasteModel
from nonneg.apps.tuning import Choice, Scale, leftovers
from nonneg.errors import InputError
from nonneg.io.ratings import Ratings

__all__ = ["from_parts", "modernized", "to_parts"]

_CHOICE = ("ridge", "damping", "factors", "echoes", "lift", "error")

# Of a normal distribution, in deviations.
_FOUR_IN_FIVE = 1.28

Record = tuple[dict[str, Any], dict[str, NDArray[Any]]]


def to_parts(ratings: Ratings, model: RatingModel) -> Record:
    """Return what a model file holds of ratings and model."""
    meta: dict[str, Any] = {
        "scale": asdict(model.scale),
        "choice": {name: getattr(model.choice, name) for name in _CHOICE},
        "spread": list(model.choice.spread),
        "mean": model.averages.mean,
        "signed": isinstance(model, TasteModel) and model.signed,
        "user_ids": _storable("user", ratings.user_ids),
        "item_ids": _storable("item", ratings.item_ids),
    }
    arrays: dict[str, NDArray[Any]] = {
        "user_factors": model.user_factors,
        "item_factors": model.item_factors,
        "groups": model.groups,
        "user_offsets": model.averages.users,
        "item_offsets": model.averages.items,
        "users": ratings.users,
        "items": ratings.items,
        "values": ratings.values,
    }
    if isinstance(model, TasteModel):
        arrays |= {"features": model.echoes.features, "leanings": model.leanings}
    if isinstance(model, ImplicitModel):
        meta["uses"] = {"confidence": model.confidence, "unit": model.unit}
        arrays["features"] = model.features
    return meta, arrays


def modernized(
    meta: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]
) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Return a record as it is written now; those of one run without echoes lack some parts."""
    meta, arrays = dict(meta), dict(arrays)
    if "choice" in meta:
        return meta, arrays
    error = _finite("error", meta["error"])
    meta["parameters"] = {**meta["parameters"], "n_models": 1}
    meta["choice"] = {
        "ridge": meta["ridge"],
        "damping": meta["damping"],
        "factors": 1.0,
        "echoes": 0.0,
        "lift": 0.0,
        "error": error,
    }
    meta["spread"] = [-_FOUR_IN_FIVE * error, _FOUR_IN_FIVE * error]
    meta["signed"] = False
    arrays["groups"] = np.arange(arrays["item_factors"].shape[-1])
    arrays["features"] = np.zeros((len(meta["item_ids"]), 1))
    arrays["leanings"] = np.zeros((len(meta["user_ids"]), 1))
    return meta, arrays


def from_parts(
    meta: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]], how: Neighbors | None
) -> tuple[Ratings, RatingModel]:
    """Return the ratings and the model of a record; `how` neighbours estimate, if they do.

    Raises
    ------
    KeyError, TypeError, ValueError
        A part is missing, or the parts contradict one another.
    """
    ratings = Ratings(
        np.asarray(arrays["users"], dtype=np.int32),
        np.asarray(arrays["items"], dtype=np.int32),
        np.asarray(arrays["values"], dtype=np.float64),
        _ids("user_ids", meta["user_ids"]),
        _ids("item_ids", meta["item_ids"]),
    )
    signed = meta["signed"] is True
    uses = meta.get("uses")
    echoing = ("features",) if uses else ("features", "leanings")
    _check_arrays(ratings, arrays, signed=signed, echoing=echoing if how is None else ())
    scale = Scale(*(_finite(name, meta["scale"][name]) for name in ("low", "high", "deviation")))
    if scale.high < scale.low:
        raise ValueError("the scale ends before it starts")
    numbers = {name: _finite(name, meta["choice"][name]) for name in _CHOICE}
    for name, value in numbers.items():
        if value < 0:
            raise ValueError(f"{name} is negative")
    low, high = (_finite("spread", value) for value in meta["spread"])
    choice = Choice(
        numbers["ridge"],
        numbers["damping"],
        numbers["factors"],
        numbers["echoes"],
        numbers["lift"],
        numbers["error"],
        (low, high),
    )
    averages = Averages(
        _finite("mean", meta["mean"]),
        np.asarray(arrays["user_offsets"], dtype=np.float64),
        np.asarray(arrays["item_offsets"], dtype=np.float64),
    )
    W = np.asarray(arrays["user_factors"], dtype=np.float32)
    F = np.asarray(arrays["item_factors"], dtype=np.float32)
    groups = np.asarray(arrays["groups"], dtype=np.intp)
    matrix = leftovers(ratings, slice(None), np.zeros(len(ratings)))
    if uses is not None:
        confidence, unit = (_finite(name, uses[name]) for name in ("confidence", "unit"))
        if confidence <= 0 or unit <= 0:
            raise ValueError("confidence and unit are not above 0")
        Z = np.asarray(arrays["features"], dtype=np.float32)
        return ratings, ImplicitModel(choice, confidence, unit, W, F, groups, Z, matrix)
    if how is not None:
        return ratings, NeighborModel(how, scale, choice, averages, W, F, groups, matrix)
    echoes = Echoes(np.asarray(arrays["features"], dtype=np.float64))
    leanings = np.asarray(arrays["leanings"], dtype=np.float64)
    return ratings, TasteModel(
        scale, choice, averages, W, F, groups, echoes, leanings, matrix, signed
    )


def _check_arrays(
    ratings: Ratings, arrays: Mapping[str, NDArray[Any]], *, signed: bool, echoing: Sequence[str]
) -> None:
    m, n = ratings.n_users, ratings.n_items
    for name, codes, size in (("users", ratings.users, m), ("items", ratings.items, n)):
        if codes.ndim != 1 or not codes.size or codes.min() < 0 or codes.max() >= size:
            raise ValueError(f"{name} are no codes from 0 to {size - 1}")
    if arrays["item_factors"].ndim != 2:
        raise ValueError("item_factors are no table")
    k = arrays["item_factors"].shape[1]
    shapes: dict[str, tuple[int, ...]] = {
        "user_factors": (m, k),
        "item_factors": (n, k),
        "groups": (k,),
        "user_offsets": (m,),
        "item_offsets": (n,),
        "items": ratings.users.shape,
        "values": ratings.users.shape,
    }
    if echoing:
        r = arrays["features"].shape[-1]
        both = {"features": (n, r), "leanings": (m, r)}
        shapes |= {name: both[name] for name in echoing}
    for name, shape in shapes.items():
        if arrays[name].shape != shape:
            raise ValueError(f"{name} has shape {arrays[name].shape} instead of {shape}")
        if not np.isfinite(arrays[name]).all():
            raise ValueError(f"{name} is not finite")
    for name in ("values",) if signed else ("user_factors", "item_factors", "values"):
        if (arrays[name] < 0).any():
            raise ValueError(f"{name} has negative entries")
    sizes = np.bincount(arrays["groups"]) if k else np.zeros(0)
    if not sizes.size or (sizes != sizes[0]).any():
        raise ValueError("groups are not of one size")


def _finite(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ValueError(f"{name} is no finite number")
    return float(value)


def _storable(kind: str, ids: NDArray[Any]) -> list[Any]:
    """Ids as JSON keeps them."""
    listed: list[Any] = ids.tolist()
    for name in listed:
        if isinstance(name, (str, int)) or (isinstance(name, float) and math.isfinite(name)):
            continue
        raise InputError(
            f"the {kind} id {name!r} is a {type(name).__name__} · model files keep ids that are "
            "texts or numbers · convert the column to text and fit again"
        )
    return listed


def _ids(name: str, listed: object) -> NDArray[Any]:
    """Ids as `read_ratings` holds them: int64 where all are, else objects."""
    if not isinstance(listed, list) or len(set(listed)) != len(listed):
        raise ValueError(f"{name} is no list of different ids")
    if listed and all(type(one) is int and -(2**63) <= one < 2**63 for one in listed):
        return np.array(listed, dtype=np.int64)
    ids = np.empty(len(listed), dtype=object)
    ids[:] = listed
    return ids
