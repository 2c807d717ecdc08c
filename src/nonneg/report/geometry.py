"""Facts of the geometric view: data in the cone of the parts, the simplex, and runs beside runs.

A row of X ≈ WH is a mixture of the rows of H, so it lies in the cone that these span (Donoho &
Stodden 2003). Two or three directions can be drawn: in the plane or space that they span, where
WH lies exactly and X is projected. Runs from other starts find other cones around the same data,
which is what non-uniqueness looks like.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from nonneg.core.factorize import Factorization
from nonneg.errors import InputError
from nonneg.frames import as_named_matrix
from nonneg.metrics import match_components
from nonneg.report.factors import names_of
from nonneg.report.facts import Facts

__all__ = ["cone_facts"]

_MOST = 1500
Numbers = NDArray[np.float64]


def cone_facts(
    fit: Factorization,
    X: object = None,
    *,
    side: str = "rows",
    components: Sequence[int] | None = None,
    runs: Sequence[Factorization] = (),
    most: int = _MOST,
) -> Facts:
    """The data and the directions of two or three components, in the space that these span.

    Parameters
    ----------
    fit : Factorization
    X : array, sparse matrix or frame, optional
        What was factorized; without, the points are those of WH, which lie in the cone exactly.
        Missing cells take what WH says.
    side : {"rows", "columns"}
        Whether the points are the rows of X (mixtures of rows of H) or its columns (mixtures of
        columns of W).
    components : sequence of int, optional
        Two or three, from 1. Default: all, or the three of the largest share.
    runs : sequence of Factorization
        Further runs on the same X, whose directions are to be drawn beside; each is matched with
        the components of `fit`.
    most : int, default 1500
        Points at most, evenly spaced.

    Returns
    -------
    dict
        `side`, `dimensions` (2 or 3), `components` (numbers), `axes` (names where the features
        themselves are the axes, else None), `points` and `fitted` (coordinates of X and WH),
        `directions` (of length 1), `runs` (for each its directions; of length 1 before they are
        projected), `agreement` (for each run the mean cosine with `fit`, in the full space),
        `shares` (of each point in these components; None where it has none of them), `names`,
        `n`, `inside` (share of ΣX² in this space, None without X), `given` (whether the points
        are those of X) and `note`.

    Raises
    ------
    InputError
        Fewer than two components, an unknown one, or an X of another shape.
    """
    if side not in ("rows", "columns"):
        raise InputError(f'side={side!r} · it is "rows" or "columns" · choose one')
    turned = side == "columns"
    W, H = _of(fit, turned)
    numbers = _chosen(W, H, components)
    if len(numbers) < 2:
        raise InputError(
            "there is one component · a cone takes two or three directions · fit with a higher rank"
        )
    t = [number - 1 for number in numbers]
    n = len(W)
    shown = np.unique(np.linspace(0, n - 1, min(n, most)).round().astype(np.intp))
    axes, feature_names = _axes(fit, H[t], turned)
    mixed = W[shown][:, t]
    fitted = mixed @ (H[t] @ axes)
    points, inside = fitted, None
    if X is not None:
        rows = _rows(fit, X, turned)
        points, inside = _projected(rows, W, H, axes, shown)
    sizes = mixed * H[t].sum(axis=1)
    total = sizes.sum(axis=1, keepdims=True)
    shares = sizes / np.where(total > 0, total, 1.0)
    others = [_of(run, turned)[1] for run in runs]
    matched = [match_components(H, other) for other in others]
    all_components = len(t) == len(H)
    note = [] if all_components else [f"components {_listed(numbers)} of {len(H)}"]
    if len(shown) < n:
        note.append(f"{len(shown):,} of {n:,} {side}, evenly spaced")
    names = names_of(fit.column_names if turned else fit.row_names, n, side[:-1])
    return {
        "side": side,
        "dimensions": len(t),
        "components": numbers,
        "axes": feature_names,
        "points": points.tolist(),
        "fitted": fitted.tolist(),
        "directions": (_unit(H[t]) @ axes).tolist(),
        "runs": [
            (_unit(other[[match.permutation[i] for i in t]]) @ axes).tolist()
            for other, match in zip(others, matched, strict=True)
        ],
        "agreement": [float(np.mean(match.cosines)) for match in matched],
        "shares": [row.tolist() if size else None for row, size in zip(shares, total, strict=True)],
        "names": [names[i] for i in shown],
        "n": n,
        "inside": inside,
        "given": X is not None,
        "note": "; ".join(note),
    }


def _of(fit: Factorization, turned: bool) -> tuple[Numbers, Numbers]:
    W, H = fit.W.astype(np.float64), fit.H.astype(np.float64)
    return (H.T, W.T) if turned else (W, H)


def _chosen(W: Numbers, H: Numbers, components: Sequence[int] | None) -> list[int]:
    k = len(H)
    if components is None:
        shares = W.sum(axis=0) * H.sum(axis=1)
        largest = np.sort(np.argsort(-shares, kind="stable")[: min(3, k)])
        return [int(t) + 1 for t in largest if shares[t] > 0]
    numbers = [int(number) for number in components]
    if not 2 <= len(set(numbers)) == len(numbers) <= 3 or not all(1 <= t <= k for t in numbers):
        raise InputError(
            f"components={numbers} · two or three different ones from 1 to {k} can be drawn · as "
            "components=(1, 2)"
        )
    return numbers


def _axes(fit: Factorization, H: Numbers, turned: bool) -> tuple[Numbers, list[str] | None]:
    """An orthonormal basis of the span, (n_features, 2 or 3), whose diagonal is the cone's axis.

    Where there are as many features as directions, the features are the axes.
    """
    d, n = H.shape
    if n <= d:
        names = names_of(fit.row_names if turned else fit.column_names, n, "feature")
        return np.eye(n, d), [*names, *[""] * (d - n)]
    unit = _unit(H)
    # First the middle of the cone, then what tells the directions apart.
    q, r = np.linalg.qr(np.vstack([unit.sum(axis=0), unit[:-1]]).T)
    q = q * np.where(np.diag(r) < 0, -1.0, 1.0)
    # Turn the middle onto the diagonal, and so the cone into the first quadrant (octant).
    diagonal = np.full((d, 1), d**-0.5)
    frame, signs = np.linalg.qr(np.hstack([diagonal, np.eye(d)[:, : d - 1]]))
    frame = frame * np.where(np.diag(signs) < 0, -1.0, 1.0)
    return np.asarray(q @ frame.T, dtype=np.float64), None


def _unit(H: Numbers) -> Numbers:
    length = np.linalg.norm(H, axis=1, keepdims=True)
    return np.asarray(H / np.where(length > 0, length, 1.0), dtype=np.float64)


def _rows(fit: Factorization, X: object, turned: bool) -> Any:
    given = as_named_matrix(X)
    m, n = fit.W.shape[0], fit.H.shape[1]
    if given.shape != (m, n):
        raise InputError(
            f"X has shape {given.shape} · the factors make a table of {m} × {n} · pass the X that "
            "was factorized"
        )
    values: Any = given.values
    return values.T if turned else values


def _projected(
    rows: Any, W: Numbers, H: Numbers, axes: Numbers, shown: NDArray[np.intp]
) -> tuple[Numbers, float]:
    """The coordinates of the points in these axes, and the share of ΣX² that they hold."""
    if sp.issparse(rows):
        listed: Any = rows
        sparse = listed.tocsr()[shown]
        points, squares = sparse @ axes, float(sparse.multiply(sparse).sum())
    else:
        picked = np.asarray(rows, dtype=np.float64)[shown]
        holes = np.isnan(picked)
        if holes.any():
            picked = np.where(holes, W[shown] @ H, picked)
        points, squares = picked @ axes, float((picked**2).sum())
    return np.asarray(points), float((points**2).sum() / squares) if squares else 1.0


def _listed(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers))
