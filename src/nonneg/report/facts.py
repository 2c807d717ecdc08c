"""Facts about fitted things as plain dicts: what `--json` prints and what the tables show.

Everything in a dict is JSON: strings, finite numbers, booleans, None, lists and dicts. Numbers
keep their full precision; rounding is the business of whoever shows them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nonneg.core.factorize import Factorization
from nonneg.core.kernels import FloatArray
from nonneg.metrics import hoyer_sparseness

__all__ = ["Facts", "factorization_facts", "transform_facts"]

Facts = dict[str, Any]


def factorization_facts(fit: Factorization, *, top: int = 10) -> Facts:
    """The facts of X ≈ WH and of each component.

    Parameters
    ----------
    fit : Factorization
        Its row and column names are used where it has them; else rows and columns are called by
        their place from 1.
    top : int, default=10
        How many rows and columns of each component to name.

    Returns
    -------
    dict
        `shape`, `n_observed`, `rank`, `loss`, `solver`, `init`, `seed`, `status`, `advice`,
        `n_iter`, `seconds`, `objective`, `error`, `relative_error`, and `components`: for each
        its `number` from 1, its `share` of the sum of WH, the Hoyer `sparseness` of its column of
        W and its row of H, and its largest `rows` and `columns` as name, weight (the entry of W
        or H) and share (of the component).
    """
    m, n = fit.W.shape[0], fit.H.shape[1]
    left, right = fit.W.sum(axis=0, dtype=np.float64), fit.H.sum(axis=1, dtype=np.float64)
    shares = _shares(left, right)
    sparse_w = np.atleast_1d(hoyer_sparseness(fit.W, axis=0)).tolist()
    sparse_h = np.atleast_1d(hoyer_sparseness(fit.H, axis=1)).tolist()
    components = [
        {
            "number": t + 1,
            "share": shares[t],
            "sparseness": {"rows": sparse_w[t], "columns": sparse_h[t]},
            "rows": _largest(fit.W[:, t], fit.row_names, "row", top),
            "columns": _largest(fit.H[t], fit.column_names, "column", top),
        }
        for t in range(fit.n_components)
    ]
    return {
        "shape": [m, n],
        "n_observed": fit.n_observed,
        "rank": fit.n_components,
        "dtype": fit.W.dtype.name,
        "loss": fit.loss,
        "solver": fit.solver,
        "init": fit.init,
        "seed": fit.seed,
        "status": fit.status.name.lower(),
        "advice": fit.status.value,
        "n_iter": fit.n_iter,
        "seconds": fit.history[-1].seconds if fit.history else 0.0,
        "objective": fit.objective,
        "error": fit.error,
        "relative_error": fit.relative_error,
        "components": components,
    }


def transform_facts(W: FloatArray) -> Facts:
    """The facts of the weights that a model gives to the rows of a new table.

    Returns
    -------
    dict
        `shape`; `zero_rows`, how many rows hold no component; and for each component its `number`,
        its `share` of all weights and how many rows it is the `largest` of.
    """
    weights = W.astype(np.float64)
    sizes = weights.sum(axis=0) / (weights.max() or 1.0)
    total = float(sizes.sum()) or 1.0
    holds = weights.any(axis=1)
    largest = np.bincount(weights[holds].argmax(axis=1), minlength=W.shape[1])
    return {
        "shape": list(W.shape),
        "zero_rows": int((~holds).sum()),
        "components": [
            {"number": t + 1, "share": float(sizes[t]) / total, "largest": int(largest[t])}
            for t in range(W.shape[1])
        ],
    }


def _shares(left: NDArray[np.float64], right: NDArray[np.float64]) -> list[float]:
    """The share of each component in the sum of WH; sizes are taken out first, against overflow."""
    parts = (left / (left.max() or 1.0)) * (right / (right.max() or 1.0))
    total = parts.sum()
    return [float(part) for part in (parts / total if total else parts)]


def _largest(factor: FloatArray, names: Sequence[str] | None, side: str, top: int) -> list[Facts]:
    """The largest positive entries, largest first; equal ones in their order."""
    values = factor.astype(np.float64)
    relative = values / (values.max() or 1.0)
    total = float(relative.sum()) or 1.0
    return [
        {
            "name": names[i] if names is not None else f"{side} {i + 1}",
            "index": int(i),
            "weight": float(values[i]),
            "share": float(relative[i]) / total,
        }
        for i in np.argsort(-values, kind="stable")[:top]
        if values[i] > 0
    ]
