"""Fitted parts of pictures as plain values and arrays, and back, with every part checked.

The pictures stay out of it: what they hold of each part, and their names, are kept.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from numbers import Integral
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nonneg.apps.image_recognition import learn_metric
from nonneg.apps.image_repair import Prior
from nonneg.core.alternate import Status
from nonneg.io.pictures import Choices

if TYPE_CHECKING:
    from nonneg.apps.images import ImageParts

__all__ = ["from_parts", "to_parts"]

_PARAMETERS = (
    "n_parts", "variant", "overlap", "sparseness", "smoothness", "loss", "grey", "size", "scaling",
    "n_init", "max_iter", "tol", "random_state", "n_threads",
)  # fmt: skip


def to_parts(model: ImageParts) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Return what a model file holds of a fitted model."""
    parameters = {name: getattr(model, name) for name in _PARAMETERS}
    if not isinstance(model.random_state, Integral | None):
        parameters["random_state"] = None
    parameters["loss"] = model.loss if isinstance(model.loss, str) else "huber"
    parameters["size"] = None if model.size is None else [int(side) for side in model.size]
    meta = {
        "parameters": {
            name: value.item() if isinstance(value, np.generic) else value
            for name, value in parameters.items()
        },
        "shape": [int(side) for side in model.shape_],
        "names": list(model.names_),
        "labels": None if model.labels_ is None else list(model.labels_),
        "choices": asdict(model.choices_),
        "limit": None if math.isinf(model.limit_) else model.limit_,
        "ridge": model.ridge_,
        "delta": model.delta_,
        "relative_error": model.relative_error_,
        "status": model.status_.name,
        "n_iter": model.n_iter_,
    }
    arrays = {"W": model.coefficients_, "H": model.components_, "errors": model.errors_}
    if model.prior_ is not None:
        arrays |= {"mean": model.prior_.mean, "precision": model.prior_.precision}
    return meta, arrays


def from_parts(
    meta: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the parameters and the fitted attributes.

    Raises
    ------
    KeyError, TypeError, ValueError
        A part is missing, or the parts contradict one another.
    """
    parameters = dict(meta["parameters"])
    if parameters["size"] is not None:
        parameters["size"] = tuple(parameters["size"])
    W, H, errors = arrays["W"], arrays["H"], arrays["errors"]
    height, width, channels = (int(side) for side in meta["shape"])
    names, labels = meta["names"], meta["labels"]
    if W.ndim != 2 or H.shape != (W.shape[1], height * width * channels):
        raise ValueError("the parts do not have the shape of the images")
    if min(W.min(), H.min()) < 0 or W.dtype != H.dtype:
        raise ValueError("the factors hold negative values")
    for listed in (names, errors, names if labels is None else labels):
        if len(listed) != len(W):
            raise ValueError("names, labels or errors are not as many as the images")
    stored = dict(meta["choices"])
    if stored["size"] is not None:
        stored["size"] = tuple(int(side) for side in stored["size"])
    choices = Choices(**stored)
    choices.check()
    prior = None
    if "precision" in arrays:
        mean, precision = arrays["mean"], arrays["precision"]
        if mean.shape != (len(H),) or precision.shape != (len(H), len(H)):
            raise ValueError("the prior does not fit the parts")
        prior = Prior(mean, precision)
    told = None if labels is None else tuple(str(label) for label in labels)
    attributes = {
        "components_": H,
        "coefficients_": W,
        "errors_": errors,
        "shape_": (height, width, channels),
        "names_": tuple(str(name) for name in names),
        "labels_": told,
        "choices_": choices,
        "skipped_": (),
        "limit_": math.inf if meta["limit"] is None else float(meta["limit"]),
        "ridge_": float(meta["ridge"]),
        "delta_": None if meta["delta"] is None else float(meta["delta"]),
        "relative_error_": float(meta["relative_error"]),
        "status_": Status[meta["status"]],
        "n_iter_": int(meta["n_iter"]),
        "prior_": prior,
        "metric_": learn_metric(W, H, told),
    }
    return parameters, attributes
