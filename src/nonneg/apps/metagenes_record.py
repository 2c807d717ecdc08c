"""Fitted metagenes as plain values and arrays, and back, with every part checked."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Integral
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from nonneg.apps.subclasses import Level, flows
from nonneg.core.alternate import Status
from nonneg.core.factorize import Factorization
from nonneg.errors import InputError

if TYPE_CHECKING:
    from nonneg.apps.metagenes import Metagenes

__all__ = ["KeptRuns", "from_parts", "to_parts"]

_NUMBERS = ("max_iter", "tol", "smoothing", "n_components", "n_runs")
_FIT_WORDS = ("solver", "init")
_FIT_NUMBERS = ("objective", "error", "relative_error")


@dataclass(frozen=True, eq=False)
class KeptRuns:
    """What a file has of the runs: enough to build their consensus again.

    Attributes
    ----------
    labels : ndarray of int (n_runs, n_samples)
        The largest component of each sample.
    objectives : ndarray of float64 (n_runs,)
    seeds : tuple of int or None
    n_identical : int
    silhouettes : dict of str to float or None
        Mean silhouettes of the best run by its `coefficients` and its `basis`.
    """

    labels: NDArray[np.intp]
    objectives: NDArray[np.float64]
    seeds: tuple[int | None, ...]
    n_identical: int
    silhouettes: dict[str, float | None]


Record = tuple[dict[str, Any], dict[str, NDArray[Any]]]


def to_parts(model: Metagenes) -> Record:
    """Return what a model file holds."""
    fit = model.factorization_
    if not isinstance(model.loss, str | int | float):
        raise InputError(
            f"cannot save Metagenes with loss={model.loss!r} · a model file holds numbers and "
            "words only · save model.factorization_"
        )
    seed = model.random_state
    parameters = {name: getattr(model, name) for name in _NUMBERS}
    parameters["resample"] = None if model.resample is None else float(model.resample)
    parameters |= {"loss": model.loss, "combine": model.combine, "n_threads": model.n_threads}
    parameters["ranks"] = [int(k) for k in model.ranks]
    parameters["random_state"] = int(seed) if isinstance(seed, Integral) else None
    facts: dict[str, Any] = {name: getattr(fit, name) for name in (*_FIT_WORDS, *_FIT_NUMBERS)}
    facts |= {"status": fit.status.name, "n_iter": fit.n_iter, "seed": fit.seed}
    facts |= {"n_observed": fit.n_observed, "loss": fit.loss}
    meta = {
        "parameters": parameters,
        "fit": facts,
        "samples": list(model.samples_),
        "genes": list(model.genes_),
        "source": model.source_,
        "notes": list(model.notes_),
        "steps": [dict(step) for step in model.steps_],
        "levels": [
            [level.n_components, level.relative_error, level.cophenetic, level.dispersion]
            for level in model.levels_
        ],
    }
    arrays: dict[str, NDArray[Any]] = {
        "W": fit.W,
        "H": fit.H,
        "order": np.asarray(model._order, dtype=np.int64),
        "level_classes": np.array([level.classes for level in model.levels_], dtype=np.int32),
    }
    if model.stability_ is not None:
        arrays["stability"] = model.stability_
    if model.silhouettes_ is not None:
        arrays["silhouettes"] = model.silhouettes_
    agreed = model.consensus_
    if agreed is not None:
        # Not its matrix, which follows from them and has a number for each pair of samples.
        meta["consensus"] = {
            "seeds": list(agreed.seeds),
            "n_identical": agreed.n_identical,
            "silhouettes": {
                "coefficients": agreed.silhouette_coefficients,
                "basis": agreed.silhouette_basis,
            },
        }
        arrays["run_labels"] = agreed.run_labels.astype(np.int32)
        arrays["run_objectives"] = agreed.objectives
    return meta, arrays


def from_parts(
    meta: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]
) -> tuple[dict[str, Any], dict[str, Any], NDArray[np.intp]]:
    """Return the parameters, the attributes and the order of the components.

    Raises
    ------
    KeyError, TypeError, ValueError
        A part is missing, or the parts contradict one another.
    """
    W, H = arrays["W"], arrays["H"]
    samples, genes = _texts(meta["samples"]), _texts(meta["genes"])
    if W.ndim != 2 or H.ndim != 2 or W.dtype != H.dtype or W.dtype not in (np.float32, np.float64):
        raise ValueError("W and H are no matrices of float32 or float64")
    k = H.shape[0]
    if W.shape != (len(samples), k) or H.shape[1] != len(genes):
        raise ValueError("W and H do not fit the names")
    if not (np.isfinite(W).all() and np.isfinite(H).all()) or W.min() < 0 or H.min() < 0:
        raise ValueError("W and H are not finite and ≥ 0")
    order = np.asarray(arrays["order"], dtype=np.intp)
    if sorted(order.tolist()) != list(range(k)):
        raise ValueError("the order of the metagenes is none")
    parameters = dict(meta["parameters"])
    if parameters["n_components"] != k:
        raise ValueError("n_components does not fit the factors")
    facts = meta["fit"]
    numbers = {name: float(facts[name]) for name in _FIT_NUMBERS}
    if not all(map(math.isfinite, numbers.values())):
        raise ValueError("the errors are not finite")
    fit = Factorization(
        W=W,
        H=H,
        status=Status[facts["status"]],
        n_iter=int(facts["n_iter"]),
        history=(),
        loss=facts["loss"],
        n_observed=int(facts["n_observed"]),
        seed=None if facts["seed"] is None else int(facts["seed"]),
        row_names=samples,
        column_names=genes,
        solver=str(facts["solver"]),
        init=str(facts["init"]),
        objective=numbers["objective"],
        error=numbers["error"],
        relative_error=numbers["relative_error"],
    )
    levels = _levels(meta["levels"], np.asarray(arrays["level_classes"]), len(samples))
    optional = {}
    for name, size in (("stability", k), ("silhouettes", len(samples))):
        values = arrays.get(name)
        if values is not None and (values.shape != (size,) or not np.isfinite(values).all()):
            raise ValueError(f"{name} has another size than the model")
        optional[f"{name}_"] = values
    attributes = {
        "factorization_": fit,
        "samples_": samples,
        "genes_": genes,
        "source_": str(meta["source"]),
        "notes_": _texts(meta["notes"]),
        "steps_": tuple(dict(step) for step in meta["steps"]),
        "levels_": levels,
        "flows_": flows(levels),
        "_kept_runs": _runs(meta.get("consensus"), arrays, fit),
        **optional,
    }
    return parameters, attributes, order


def _runs(told: Any, arrays: Mapping[str, NDArray[Any]], fit: Factorization) -> KeptRuns | None:
    """What a consensus is built from; files of before 0.2, and of single runs, have nothing."""
    if told is None:
        return None
    labels, objectives = arrays["run_labels"], arrays["run_objectives"]
    seeds = tuple(None if seed is None else int(seed) for seed in told["seeds"])
    n_runs, k = len(seeds), fit.n_components
    if labels.shape != (n_runs, len(fit.W)) or objectives.shape != (n_runs,) or n_runs < 2:
        raise ValueError("the classes of the runs do not fit the samples")
    if labels.dtype.kind != "i" or labels.min() < 0 or labels.max() >= k:
        raise ValueError("a class of a run is beyond the rank")
    if not np.isfinite(objectives).all() or not 0 <= int(told["n_identical"]) < n_runs:
        raise ValueError("the runs contradict one another")
    silhouettes = {
        name: None if (mean := told["silhouettes"][name]) is None else float(mean)
        for name in ("coefficients", "basis")
    }
    n_identical = int(told["n_identical"])
    return KeptRuns(labels.astype(np.intp), objectives, seeds, n_identical, silhouettes)


def _levels(listed: Any, classes: NDArray[Any], m: int) -> tuple[Level, ...]:
    if classes.shape != (len(listed), m) or classes.min(initial=0) < 0:
        raise ValueError("the classes of the ranks do not fit the samples")
    levels = []
    for (k, error, cophenetic, dispersion), found in zip(listed, classes, strict=True):
        if found.max(initial=0) >= int(k):
            raise ValueError("a class is beyond its rank")
        sizes = np.bincount(found, minlength=int(k))
        levels.append(
            Level(int(k), found.astype(np.intp), sizes, float(error), cophenetic, dispersion)
        )
    return tuple(levels)


def _texts(listed: Any) -> tuple[str, ...]:
    if not isinstance(listed, list) or not all(isinstance(text, str) for text in listed):
        raise ValueError("names are no list of texts")
    return tuple(cast("list[str]", listed))
