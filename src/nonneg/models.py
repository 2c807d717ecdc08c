"""Save and load fitted models of every kind, in one file each.

The container (`io/model_file.py`) vouches for the bytes; this module says what each kind puts
into it, and checks that what comes out is a model: shapes that agree, values ≥ 0, known words.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib import import_module
from numbers import Integral, Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from nonneg.core.alternate import Status, Step
from nonneg.core.factorize import Factorization
from nonneg.core.losses import HuberLoss
from nonneg.errors import InputError, ModelFileError
from nonneg.io.files import PathLike
from nonneg.io.model_file import ModelRecord, read_record, write_record

if TYPE_CHECKING:
    from nonneg.apps.images import ImageParts
    from nonneg.apps.metagenes import Metagenes
    from nonneg.apps.recommend import Recommender
    from nonneg.apps.signatures import Signatures
    from nonneg.apps.topic_labels import TopicClassifier
    from nonneg.apps.topics import TopicModel
    from nonneg.estimators import NMF

    Application = Recommender | TopicModel | TopicClassifier | ImageParts | Metagenes | Signatures

__all__ = ["is_model_file", "load", "name_features", "save"]

Arrays = Mapping[str, NDArray[Any]]
_STEP_FIELDS = ("n_iter", "objective", "residual", "seconds", "step")
# The kinds that turn themselves into a record and back (`to_record`, `from_record`).
_APPLICATIONS = {
    "recommender": ("nonneg.apps.recommend", "Recommender"),
    "topics": ("nonneg.apps.topics", "TopicModel"),
    "topic_classifier": ("nonneg.apps.topic_labels", "TopicClassifier"),
    "images": ("nonneg.apps.images", "ImageParts"),
    "metagenes": ("nonneg.apps.metagenes", "Metagenes"),
    "signatures": ("nonneg.apps.signatures", "Signatures"),
}


def save(model: Factorization | NMF | Application, path: PathLike, *, force: bool = False) -> Path:
    """Write a fitted model to one file.

    Parameters
    ----------
    model : NMF, Factorization, or a fitted model of an application
        An estimator must be fitted. Its `callback` is left out; a random state that is no whole
        number becomes the seed that was drawn from it.
    path : str or path
        Any name; `.nonneg` is customary.
    force : bool, default=False
        Replace an existing file.

    Returns
    -------
    Path
        Where it was written.

    Raises
    ------
    OutputExistsError
        There is a file already and `force` is false.
    InputError
        The object is no model, is not fitted, or the folder cannot be written.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import numpy as np
    >>> import nonneg
    >>> fit = nonneg.factorize(np.array([[1.0, 2.0], [2.0, 4.0]]), 1, random_state=0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = nonneg.save(fit, pathlib.Path(folder, "small.nonneg"))
    ...     again = nonneg.load(path)
    >>> bool(np.array_equal(again.W, fit.W))
    True
    """
    return write_record(_record(model), path, force=force)


def load(path: PathLike) -> Factorization | NMF | Application:
    """Read a model that `save` wrote: the same factors, bit for bit.

    Everything is checked before it is used, and nothing in the file is ever run.

    Parameters
    ----------
    path : str or path

    Returns
    -------
    NMF, Factorization, Recommender, TopicModel, TopicClassifier, ImageParts, Metagenes, Signatures
        Whatever was saved. An estimator is fitted and can `transform`.

    Raises
    ------
    ModelFileError
        The file is no model, is truncated or altered, or a newer version wrote it.
    InputError
        There is no such file, or it may not be read.
    """
    record = read_record(path)
    source = os.fspath(path)
    fields = _Fields(record.meta, source)
    if record.kind == "factorization":
        return _factorization(fields, record.arrays)
    if record.kind == "nmf":
        return _nmf(fields, record.arrays)
    if record.kind in _APPLICATIONS:
        module, name = _APPLICATIONS[record.kind]
        application: type[Application] = getattr(import_module(module), name)
        try:
            return application.from_record(record.meta, record.arrays)
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
            raise fields.broken(f"it is no {record.kind} ({error})") from None
    known = ", ".join(["nmf", "factorization", *_APPLICATIONS])
    raise ModelFileError(
        f"cannot load '{source}': its kind is {record.kind!r} · this version knows {known} · "
        "update nonneg, or save the model again"
    )


def is_model_file(path: PathLike) -> bool:
    """Return whether a file begins as those do that `save` writes; False where there is none.

    A model file starts with the length of its header, 8 bytes of which the last are zero, and the
    header's "{". No text does.
    """
    try:
        with open(path, "rb") as stream:
            start = stream.read(9)
    except OSError:
        return False
    return start[5:] == b"\0\0\0{"


def name_features(model: NMF, names: Sequence[str] | None) -> NMF:
    """Tell a fitted estimator what its features are called, as if it had been fitted to a frame.

    Frames with other columns, or the same in another order, are refused from then on.

    Parameters
    ----------
    model : NMF
        Changed in place.
    names : sequence of str, optional
        One for each column of H; without, nothing happens.

    Returns
    -------
    NMF
        The same object.
    """
    if names is not None:
        model.factorization_ = replace(model.factorization_, column_names=tuple(names))
        model.feature_names_in_ = np.array(names, dtype=object)
    return model


# --- to records --------------------------------------------------------------------------------


def _record(model: object) -> ModelRecord:
    if isinstance(model, Factorization):
        return ModelRecord("factorization", _facts(model), _arrays(model))
    # By name, so that saving a Factorization needs neither scikit-learn nor the applications.
    kind = {c.__name__ for c in type(model).__mro__ if c.__module__.startswith("nonneg.")}
    if "NMF" in kind:
        return _nmf_record(cast("NMF", model))
    for word, (_, name) in _APPLICATIONS.items():
        if name in kind:
            return ModelRecord(word, *cast("Application", model).to_record())
    known = ", ".join(name for _, name in _APPLICATIONS.values())
    raise InputError(
        f"cannot save a {type(model).__name__} · a model file holds an NMF, a Factorization or one "
        f"of {known} · pass one of these"
    )


def _facts(fit: Factorization) -> dict[str, Any]:
    return {
        "status": fit.status.name,
        "n_iter": fit.n_iter,
        "objective": fit.objective,
        "error": fit.error,
        "relative_error": fit.relative_error,
        "loss": fit.loss,
        "delta": fit.delta,
        "solver": fit.solver,
        "init": fit.init,
        "n_observed": fit.n_observed,
        "seed": fit.seed,
        "row_names": None if fit.row_names is None else list(fit.row_names),
        "column_names": None if fit.column_names is None else list(fit.column_names),
    }


def _arrays(fit: Factorization) -> dict[str, NDArray[Any]]:
    history = [[float(getattr(step, name)) for name in _STEP_FIELDS] for step in fit.history]
    return {
        "W": fit.W,
        "H": fit.H,
        "history": np.array(history, dtype=np.float64).reshape(-1, len(_STEP_FIELDS)),
    }


def _nmf_record(model: NMF) -> ModelRecord:
    fit = getattr(model, "factorization_", None)
    if fit is None:
        raise InputError("this NMF is not fitted · there is nothing to save · call fit first")
    params = dict(model.get_params(deep=False))
    params.pop("callback", None)
    if not isinstance(params.get("random_state"), Integral | None):
        params["random_state"] = fit.seed
    names = getattr(model, "feature_names_in_", None)
    if names is not None and fit.column_names is None:
        fit = replace(fit, column_names=tuple(str(name) for name in names))
    meta = {
        "params": {name: _plain(name, value) for name, value in params.items()},
        "named_features": names is not None,
        "factorization": _facts(fit),
    }
    return ModelRecord("nmf", meta, _arrays(fit))


def _plain(name: str, value: object) -> object:
    """A parameter as JSON can hold it; `_param` is the way back."""
    if isinstance(value, HuberLoss):
        return {"huber": value.delta}
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real):
        return "nan" if math.isnan(value) else float(value)
    raise InputError(
        f"cannot save an NMF with {name}={value!r} · a model file holds numbers and words only · "
        f"set {name} to one before saving, or save model.factorization_"
    )


# --- from records ------------------------------------------------------------------------------


class _Fields:
    """The settings of a file, taken out one by one under a check."""

    def __init__(self, meta: object, source: str) -> None:
        self.source = source
        if not isinstance(meta, dict):
            raise self.broken("a group of its settings is missing")
        self._meta = meta

    def broken(self, problem: str) -> ModelFileError:
        return ModelFileError(
            f"cannot load '{self.source}': {problem}. The file was not written by this library: "
            "save the model again."
        )

    def get(self, name: str, *types: type) -> Any:
        value = self._meta.get(name)
        # bool is an int to isinstance, but never what was meant.
        known = type(value) in types or (float in types and type(value) is int)
        if name not in self._meta or not known:
            raise self.broken(f"its setting {name!r} is missing or of the wrong type")
        return value

    def group(self, name: str) -> _Fields:
        return _Fields(self.get(name, dict), self.source)

    def names(self, name: str, size: int) -> tuple[str, ...] | None:
        value = self.get(name, list, type(None))
        if value is None:
            return None
        if len(value) != size or not all(type(item) is str for item in value):
            raise self.broken(f"its {name} are not {size} texts")
        return tuple(value)


def _factorization(fields: _Fields, arrays: Arrays) -> Factorization:
    W, H, steps = (arrays.get(name) for name in ("W", "H", "history"))
    if W is None or H is None or steps is None:
        raise fields.broken("W, H or the history is missing")
    for name, factor in (("W", W), ("H", H)):
        if factor.ndim != 2 or 0 in factor.shape or factor.dtype not in (np.float32, np.float64):
            raise fields.broken(f"{name} is no matrix of float32 or float64")
        if factor.min() < 0:
            raise fields.broken(f"{name} holds negative values")
    if W.shape[1] != H.shape[0] or W.dtype != H.dtype:
        raise fields.broken(f"W ({W.shape}, {W.dtype}) and H ({H.shape}, {H.dtype}) do not match")
    if steps.ndim != 2 or steps.shape[1] != len(_STEP_FIELDS) or steps.dtype != np.float64:
        raise fields.broken("its history is no table of iterations")
    status = fields.get("status", str)
    if status not in Status.__members__:
        raise fields.broken(f"its status {status[:20]!r} is unknown")
    return Factorization(
        W=W,
        H=H,
        status=Status[status],
        n_iter=fields.get("n_iter", int),
        history=tuple(Step(int(row[0]), *row[1:]) for row in steps.tolist()),
        objective=float(fields.get("objective", float)),
        error=float(fields.get("error", float)),
        relative_error=float(fields.get("relative_error", float)),
        loss=fields.get("loss", str, float),
        delta=fields.get("delta", float, type(None)),
        solver=fields.get("solver", str),
        init=fields.get("init", str),
        n_observed=fields.get("n_observed", int),
        seed=fields.get("seed", int, type(None)),
        row_names=fields.names("row_names", W.shape[0]),
        column_names=fields.names("column_names", H.shape[1]),
    )


def _nmf(fields: _Fields, arrays: Arrays) -> NMF:
    estimator = import_module("nonneg.estimators").NMF
    fit = _factorization(fields.group("factorization"), arrays)
    stored = fields.get("params", dict)
    known = estimator._get_param_names()
    strange = sorted(set(stored) - set(known))
    if strange:
        raise fields.broken(f"it has a parameter {strange[0][:40]!r} that NMF does not")
    params = {name: _param(fields, name, value) for name, value in stored.items()}
    return _fitted(estimator(**params), fit, fields.get("named_features", bool))


def _param(fields: _Fields, name: str, value: object) -> object:
    if isinstance(value, dict):
        delta = value.get("huber")
        if set(value) != {"huber"} or not isinstance(delta, int | float | None):
            raise fields.broken(f"its parameter {name[:40]!r} is unknown")
        return HuberLoss(delta)
    if isinstance(value, list):
        raise fields.broken(f"its parameter {name[:40]!r} is a list")
    return math.nan if name == "missing_values" and value == "nan" else value


def _fitted(model: NMF, fit: Factorization, named: bool) -> NMF:
    """Give an estimator what its `fit` would have set."""
    model.factorization_ = fit
    model.components_ = fit.H
    model.n_components_ = fit.n_components
    model.n_iter_ = fit.n_iter
    model.reconstruction_err_ = fit.error
    model.status_ = fit.status
    model.history_ = fit.history
    model.n_features_in_ = fit.H.shape[1]
    return name_features(model, fit.column_names) if named else model
