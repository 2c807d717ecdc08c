"""Facts for the pictures of a factorization: factors in order, X beside WH, the way, likeness.

Every table here has a bound on what it holds (`most`), however large the data: rows in order are
put together in groups of equal size and averaged, and `note` says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.cluster.hierarchy import leaves_list, linkage

from nonneg.apps.neighbors import cosine_similarity
from nonneg.core.factorize import Factorization
from nonneg.core.kernels import FloatArray
from nonneg.errors import InputError
from nonneg.frames import as_named_matrix
from nonneg.report.facts import Facts

__all__ = [
    "approximation_facts",
    "component_order",
    "convergence_facts",
    "factor_facts",
    "names_of",
    "similarity_facts",
]

_MOST = 200
_MOST_CELLS = 120  # a side, of which X and WH have the square
_MOST_POINTS = 500
Numbers = NDArray[np.float64]


def names_of(names: Sequence[object] | None, n: int, side: str) -> list[str]:
    """Return the names, or the places from 1 where there are none."""
    return [f"{side} {i + 1}" for i in range(n)] if names is None else [str(name) for name in names]


def component_order(weights: FloatArray) -> NDArray[np.intp]:
    """Return rows ordered by their largest component, within it by how much they lean to it.

    Parameters
    ----------
    weights : ndarray (n, n_components)
        On a scale on which components can be compared, such as shares of WH.
    """
    values = np.asarray(weights, dtype=np.float64)
    total = values.sum(axis=1)
    best = values.argmax(axis=1)
    lean = values[np.arange(len(values)), best] / np.where(total > 0, total, 1.0)
    best = np.where(total > 0, best, values.shape[1])  # those of no component come last
    return np.lexsort((np.arange(len(values)), -lean, best)).astype(np.intp)


def factor_facts(
    W: FloatArray,
    H: FloatArray,
    row_names: Sequence[object] | None = None,
    column_names: Sequence[object] | None = None,
    component_names: Sequence[str] | None = None,
    *,
    most: int = _MOST,
) -> Facts:
    """W and H with rows and columns in the order of their components.

    Parameters
    ----------
    W : ndarray (n_samples, n_components)
    H : ndarray (n_components, n_features)
    row_names, column_names, component_names : sequence, optional
        Default: their places from 1.
    most : int, default 200
        Groups of rows or columns at most.

    Returns
    -------
    dict
        `components` (names), and `rows` and `columns`, each with `n`, `names` (of a group: the
        first and how many), `order` (places from 0), `values` (by group, then component: means of
        the entries of W or H), `largest` (of each component) and `note` ("" if nothing was put
        together).
    """
    k = H.shape[0]
    left, right = W.sum(axis=0, dtype=np.float64), H.sum(axis=1, dtype=np.float64)
    return {
        "components": [f"{t + 1}" for t in range(k)]
        if component_names is None
        else [str(name) for name in component_names],
        "rows": _side(W, W * right, names_of(row_names, len(W), "row"), "rows", most),
        "columns": _side(
            H.T, H.T * left, names_of(column_names, H.shape[1], "column"), "columns", most
        ),
    }


def _side(factor: FloatArray, shares: FloatArray, names: list[str], what: str, most: int) -> Facts:
    order = component_order(shares)
    groups = np.array_split(order, min(len(order), most))
    values = [factor[group].mean(axis=0, dtype=np.float64).tolist() for group in groups]
    return {
        "n": len(order),
        "names": [_group_name(names, group) for group in groups],
        "order": order.tolist(),
        "values": values,
        "largest": np.max(values, axis=0, initial=0.0).tolist(),
        "note": _note(len(order), len(groups), what),
    }


def _group_name(names: Sequence[str], group: NDArray[np.intp]) -> str:
    first = names[group[0]]
    return first if len(group) == 1 else f"{first} and {len(group) - 1} more"


def _note(n: int, shown: int, what: str) -> str:
    return "" if n == shown else f"{n:,} {what}, shown as the means of {shown} groups in order"


def approximation_facts(
    fit: Factorization, X: object, *, missing_values: float = np.nan, most: int = _MOST_CELLS
) -> Facts:
    """X beside WH, rows and columns in the order of their components.

    Parameters
    ----------
    fit : Factorization
    X : array, sparse matrix or frame (n_samples, n_features)
        What was factorized.
    missing_values : nan or 0, default nan
        As for `factorize`.
    most : int, default 120
        Groups of rows and of columns at most.

    Returns
    -------
    dict
        `rows` and `columns` (`names`, `n`, `note`), `X` and `WH` (group by group; means over the
        cells of X that are known, None where none is, and over all cells of WH), `highest` (of
        both) and `relative_error`.

    Raises
    ------
    InputError
        X has another shape than WH.
    """
    given = as_named_matrix(X)
    m, n = fit.W.shape[0], fit.H.shape[1]
    if given.shape != (m, n):
        raise InputError(
            f"X has shape {given.shape} · the factors make a table of {m} × {n} · pass the X that "
            "was factorized"
        )
    left, right = fit.W.sum(axis=0, dtype=np.float64), fit.H.sum(axis=1, dtype=np.float64)
    rows = _groups(fit.W * right, most)
    columns = _groups(fit.H.T * left, most)
    sums, known = _known(given.values, missing_values)
    A, B = _averaging(rows, m), _averaging(columns, n)
    cells = _both(A, known, B)
    with np.errstate(invalid="ignore", divide="ignore"):
        shown = np.where(cells > 0, _both(A, sums, B) / cells, np.nan)
    made = (A @ fit.W.astype(np.float64)) @ (B @ fit.H.T.astype(np.float64)).T
    sizes = np.outer([len(group) for group in rows], [len(group) for group in columns])
    made = made / sizes
    row_names = names_of(fit.row_names or given.row_names, m, "row")
    column_names = names_of(fit.column_names or given.column_names, n, "column")
    highest = max(float(np.nanmax(shown)) if cells.any() else 0.0, float(made.max(initial=0.0)))
    return {
        "rows": {
            "names": [_group_name(row_names, group) for group in rows],
            "n": m,
            "note": _note(m, len(rows), "rows"),
        },
        "columns": {
            "names": [_group_name(column_names, group) for group in columns],
            "n": n,
            "note": _note(n, len(columns), "columns"),
        },
        "X": [[None if np.isnan(cell) else float(cell) for cell in row] for row in shown],
        "WH": made.tolist(),
        "highest": highest,
        "relative_error": fit.relative_error,
    }


def _groups(shares: FloatArray, most: int) -> list[NDArray[np.intp]]:
    order = component_order(shares)
    return np.array_split(order, min(len(order), most))


def _averaging(groups: Sequence[NDArray[np.intp]], n: int) -> sp.csr_array:
    """The matrix that adds up the members of each group."""
    which = np.repeat(np.arange(len(groups)), [len(group) for group in groups])
    return sp.csr_array((np.ones(n), (which, np.concatenate(groups))), shape=(len(groups), n))


def _known(X: Any, missing_values: float) -> tuple[Any, Any]:
    """X with 0 where a cell is missing, and 1 where it is not."""
    if sp.issparse(X):
        given: Any = X
        values = sp.csr_array(given, dtype=np.float64)
        if missing_values != 0:
            return values, None
        known = values.copy()
        known.data = (values.data != 0).astype(np.float64)
        return values, known
    dense = np.asarray(X, dtype=np.float64)
    there = ~np.isnan(dense)
    if missing_values == 0:
        there &= dense != 0
    return np.where(there, dense, 0.0), there.astype(np.float64)


def _both(A: sp.csr_array, X: Any, B: sp.csr_array) -> Numbers:
    if X is None:  # every cell is known
        return np.outer(A.sum(axis=1), B.sum(axis=1)).astype(np.float64)
    found: Any = A @ X @ B.T
    return np.asarray(found.toarray() if sp.issparse(X) else found, dtype=np.float64)


def convergence_facts(fit: Factorization) -> Facts:
    """The way of the iterations, thinned to some 500 of them.

    Returns
    -------
    dict
        `steps`: `n_iter`, `objective`, `residual`, `seconds` of each; `status`, `advice`, `loss`.
    """
    history = fit.history
    stride = max(1, -(-len(history) // _MOST_POINTS))
    shown = [step for i, step in enumerate(history) if i % stride == 0 or step is history[-1]]
    return {
        "steps": [
            {
                "n_iter": step.n_iter,
                "objective": float(step.objective),
                "residual": float(step.residual) if np.isfinite(step.residual) else None,
                "seconds": float(step.seconds),
            }
            for step in shown
        ],
        "status": fit.status.name.lower(),
        "advice": fit.status.value,
        "loss": fit.loss,
    }


def similarity_facts(
    factor: FloatArray,
    names: Sequence[object],
    *,
    most: int = 40,
    weights: NDArray[Any] | None = None,
    what: str = "items",
) -> Facts:
    """How alike items are: the cosines of their rows in a factor, alike ones side by side.

    Parameters
    ----------
    factor : ndarray (n_items, n_components)
    names : sequence (n_items,)
    most : int, default 40
        Items at most: those of the largest weight.
    weights : ndarray (n_items,), optional
        Default: the length of each row.
    what : str, default "items"
        What they are called in the note.

    Returns
    -------
    dict
        `names`, `values` (cosines, item by item, in [0, 1]), `n` (of all items), `note`.
    """
    F = np.asarray(factor, dtype=np.float64)
    size = np.linalg.norm(F, axis=1) if weights is None else np.asarray(weights)
    kept = np.sort(np.argsort(-size, kind="stable")[:most])
    cosines = np.clip(cosine_similarity(F[kept]), 0.0, 1.0)
    if len(kept) > 2:
        apart = 1.0 - cosines[np.triu_indices(len(kept), 1)]
        order = leaves_list(linkage(apart, "average", optimal_ordering=True))
        kept, cosines = kept[order], cosines[np.ix_(order, order)]
    n = len(F)
    return {
        "names": [str(names[i]) for i in kept],
        "values": cosines.tolist(),
        "n": n,
        "note": "" if len(kept) == n else f"the {len(kept)} largest of {n:,} {what}",
    }
