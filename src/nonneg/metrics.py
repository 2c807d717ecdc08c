"""How good a factorization is, how sparse its parts are, and whether two of them agree.

The measures take a matrix or factors as arrays and know nothing of estimators. Losses and
their units come from `core/losses.py`; sparseness is that of Hoyer (2004); the explained
variance is the *evar* of Hutchins et al. (2008); components are matched by the Hungarian
algorithm (Kuhn 1955) on their cosines.
"""

from __future__ import annotations

import math
from typing import NamedTuple, cast

import numpy as np
import scipy.optimize
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray

from nonneg.core.factorize import make_problem
from nonneg.core.intake import MatrixLike, as_data, sound_csr
from nonneg.core.kernels import FloatArray
from nonneg.core.losses import BetaLoss, Loss
from nonneg.core.problem import Factor
from nonneg.errors import InputError

__all__ = [
    "ComponentMatch",
    "explained_share",
    "explained_variance",
    "hoyer_sparseness",
    "match_components",
    "relative_error",
]


class ComponentMatch(NamedTuple):
    """Which component of one factorization is which of another.

    Attributes
    ----------
    permutation : ndarray of int (k1,)
        Row i of H1 is matched with row ``permutation[i]`` of H2.
    cosines : ndarray of float64 (k1,)
        Cosine of each pair, from 0 (nothing in common) to 1 (the same direction).
    """

    permutation: NDArray[np.intp]
    cosines: NDArray[np.float64]


def hoyer_sparseness(x: ArrayLike, axis: int | None = None) -> float | NDArray[np.float64]:
    """Return how much of x sits in few entries: (√n − ‖x‖₁/‖x‖₂) / (√n − 1).

    Parameters
    ----------
    x : array of numbers
        One vector, or a matrix of them such as W or `components_`.
    axis : int, optional
        The axis along which the vectors lie: 0 measures each column, 1 each row. Default None:
        all entries as one vector.

    Returns
    -------
    float, or ndarray of float64
        From 0, all entries equal, to 1, a single entry that is not zero; the unit of x does not
        matter. A vector of zeros has equal entries, and so has one of length 1: both give 0, so
        that no result is NaN.

    Raises
    ------
    InputError
        If x is empty or holds anything but finite numbers.

    References
    ----------
    Hoyer, P. O. (2004). Non-negative matrix factorization with sparseness constraints. JMLR 5,
    1457-1469.

    Examples
    --------
    >>> from nonneg.metrics import hoyer_sparseness
    >>> hoyer_sparseness([0, 0, 3, 0])
    1.0
    >>> hoyer_sparseness([[0, 0, 3, 0], [1, 1, 1, 1]], axis=1).tolist()
    [1.0, 0.0]
    """
    values = np.abs(_numbers("x", x))
    if axis is None:
        values, axis = values.ravel(), 0
    if not -values.ndim <= axis < values.ndim:
        raise InputError(
            f"axis={axis} · x has {values.ndim} dimension(s) · choose one of them, or None for all"
        )
    n = values.shape[axis]
    peak = values.max(axis=axis, keepdims=True)
    # In units of the largest entry no square can overflow or vanish.
    values = values / np.where(peak > 0, peak, 1.0)
    norms = np.sqrt(np.sum(values**2, axis=axis))
    # The ratio is √n where all entries are equal, which zeros are.
    ratios = np.full(norms.shape, math.sqrt(n))
    np.divide(values.sum(axis=axis), norms, out=ratios, where=norms > 0)
    sparseness = np.clip((math.sqrt(n) - ratios) / max(math.sqrt(n) - 1, 1e-300), 0.0, 1.0)
    return float(sparseness) if sparseness.ndim == 0 else sparseness


def relative_error(
    X: MatrixLike,
    W: ArrayLike,
    H: ArrayLike,
    *,
    loss: str | float | Loss = "frobenius",
    missing_values: float = math.nan,
    weights: MatrixLike | None = None,
) -> float:
    """Return how far WH is from X, as a number without unit; 0 is exact.

    Parameters
    ----------
    X : ndarray or scipy sparse, shape (n_samples, n_features)
        Values ≥ 0, or missing.
    W : array (n_samples, n_components)
    H : array (n_components, n_features)
        Factors ≥ 0 of any origin.
    loss : str or float, default "frobenius"
        As in `factorize`.
    missing_values : nan or 0, default nan
        What marks a missing cell, as in `factorize`. Missing cells do not count.
    weights : ndarray or scipy sparse, shape of X, optional
        Weight ≥ 0 of each cell.

    Returns
    -------
    float
        ‖X − WH‖_F / ‖X‖_F for frobenius. √(loss / unit) for the other β-divergences and
        loss / unit for huber, l1 and l21; the unit is that of the loss, for example Σx for
        kullback-leibler and Σ|x| for l1. This is `Factorization.relative_error`. Where X has
        only zeros, it is 0 if WH has too, else infinity.

    Raises
    ------
    InputError
        If X cannot be used or the shapes do not fit.

    Examples
    --------
    >>> import numpy as np
    >>> from nonneg.metrics import relative_error
    >>> relative_error(np.array([[3.0, 4.0]]), [[1.0]], [[3.0, 0.0]])
    0.8
    """
    share, is_divergence = _unexplained(X, W, H, loss, missing_values, weights)
    return math.sqrt(share) if is_divergence else share


def explained_share(
    X: MatrixLike,
    W: ArrayLike,
    H: ArrayLike,
    *,
    loss: str | float | Loss = "frobenius",
    missing_values: float = math.nan,
    weights: MatrixLike | None = None,
) -> float:
    """Return the share of X that WH explains in the sense of a loss: 1 − loss / unit.

    Parameters
    ----------
    X : ndarray or scipy sparse, shape (n_samples, n_features)
        Values ≥ 0, or missing.
    W : array (n_samples, n_components)
    H : array (n_components, n_features)
    loss : str or float, default "frobenius"
        As in `factorize`. Its unit is ½ΣX² for frobenius, Σx for kullback-leibler, Σx^β for
        other β (the number of entries for itakura-saito), Σ|x| for l1, Σ‖xᵢ‖ for l21, and for
        huber the smaller of δΣ|x| and ½ΣX².
    missing_values : nan or 0, default nan
        What marks a missing cell, as in `factorize`. Missing cells do not count.
    weights : ndarray or scipy sparse, shape of X, optional
        Weight ≥ 0 of each cell.

    Returns
    -------
    float
        At most 1, which is exact; below 0 where the loss exceeds its unit. For frobenius it is
        `explained_variance`. Where X has only zeros, it is 1 if WH has too.

    Raises
    ------
    InputError
        If X cannot be used, the shapes do not fit, or X has only zeros and WH has not: there is
        nothing of which to take a share.

    Examples
    --------
    >>> import numpy as np
    >>> from nonneg.metrics import explained_share
    >>> explained_share(np.array([[3.0, 4.0]]), [[1.0]], [[3.0, 3.0]], loss="l1") > 0.85
    True
    """
    return _share(_unexplained(X, W, H, loss, missing_values, weights)[0])


def explained_variance(
    X: MatrixLike,
    W: ArrayLike,
    H: ArrayLike,
    *,
    missing_values: float = math.nan,
    weights: MatrixLike | None = None,
) -> float:
    """Return the share of ΣX² that WH explains: evar = 1 − Σ(X − WH)² / ΣX².

    Nothing is centred, as is usual for nonnegative data: 0 is what WH = 0 explains.

    Parameters
    ----------
    X : ndarray or scipy sparse, shape (n_samples, n_features)
        Values ≥ 0, or missing.
    W : array (n_samples, n_components)
    H : array (n_components, n_features)
    missing_values : nan or 0, default nan
        What marks a missing cell, as in `factorize`. Missing cells do not count.
    weights : ndarray or scipy sparse, shape of X, optional
        Weight ≥ 0 of each cell.

    Returns
    -------
    float
        At most 1, which is exact; below 0 where WH is worse than zero. Where X has only zeros,
        it is 1 if WH has too.

    Raises
    ------
    InputError
        If X cannot be used, the shapes do not fit, or X has only zeros and WH has not: there is
        nothing of which to take a share.

    References
    ----------
    Hutchins, L. N., Murphy, S. M., Singh, P. & Graber, J. H. (2008). Position-dependent motif
    characterization using non-negative matrix factorization. Bioinformatics 24(23), 2684-2690.

    Examples
    --------
    >>> import numpy as np
    >>> from nonneg.metrics import explained_variance
    >>> round(explained_variance(np.array([[3.0, 4.0]]), [[1.0]], [[3.0, 0.0]]), 12)
    0.36
    """
    return _share(_unexplained(X, W, H, "frobenius", missing_values, weights)[0])


def match_components(H1: ArrayLike, H2: ArrayLike) -> ComponentMatch:
    """Match the components of two factorizations so that the sum of their cosines is largest.

    The order and scale of components mean nothing, so two runs can be compared only after this.
    ``H2[permutation]`` has the order of H1. Pass ``W.T`` to match by the other factor.

    Parameters
    ----------
    H1 : array (k1, n_features)
    H2 : array (k2, n_features), k2 ≥ k1
        Components in rows, such as `components_`.

    Returns
    -------
    ComponentMatch
        ``permutation`` and ``cosines``, each of length k1. A component of zeros has cosine 0
        with every other.

    Raises
    ------
    InputError
        If the features differ in number, H1 has more components than H2, or an entry is not a
        finite number.

    References
    ----------
    Kuhn, H. W. (1955). The Hungarian method for the assignment problem. Naval Research Logistics
    Quarterly 2, 83-97.

    Examples
    --------
    >>> from nonneg.metrics import match_components
    >>> match = match_components([[1, 0, 0], [0, 1, 1]], [[0, 2, 2], [5, 0, 0]])
    >>> match.permutation.tolist(), match.cosines.round(6).tolist()
    ([1, 0], [1.0, 1.0])
    """
    first, second = _directions("H1", H1), _directions("H2", H2)
    if first.shape[1] != second.shape[1]:
        raise InputError(
            f"H1 has {first.shape[1]} features · H2 has {second.shape[1]} · only components over "
            "the same features can be matched"
        )
    if first.shape[0] > second.shape[0]:
        raise InputError(
            f"H1 has {first.shape[0]} components · H2 has only {second.shape[0]} · pass the "
            "factorization with fewer components first"
        )
    cosines = np.clip(first @ second.T, -1.0, 1.0)
    rows, columns = scipy.optimize.linear_sum_assignment(cosines, maximize=True)
    return ComponentMatch(columns, cosines[rows, columns])


def _share(unexplained: float) -> float:
    """Return 1 − the unexplained part, which is infinite where X has only zeros."""
    if unexplained == math.inf:
        raise InputError(
            "the share of X that WH explains was asked · WH is infinitely far from X: X has only "
            "zeros, or WH overflows · check them, or ask for the loss instead of a share"
        )
    return 1.0 - unexplained


def _unexplained(
    X: MatrixLike,
    W: ArrayLike,
    H: ArrayLike,
    loss: str | float | Loss,
    missing_values: float,
    weights: MatrixLike | None,
) -> tuple[float, bool]:
    """Return loss / unit, and whether its root is the error that people know."""
    data = as_data(X, missing_values=missing_values, weights=weights, allow_zero=True)
    left, right = _numbers("W", W), _numbers("H", H)
    m, n = data.shape
    if left.ndim != 2 or right.shape != (left.shape[-1], n) or left.shape[0] != m:
        raise InputError(
            f"W has shape {left.shape} and H {right.shape} · X has shape {data.shape} · W must be "
            f"({m}, k) and H (k, {n}), as `NMF.transform` and `components_` are"
        )
    problem = make_problem(data, loss, left.shape[1])
    # The stored data are X·2^−e with an even e: each factor takes its half.
    half = data.exponent // 2
    value = problem.loss_value(
        Factor(_stored(left, half - data.exponent, data.dtype)),
        Factor(_stored(right.T, -half, data.dtype)),
    )
    is_divergence = isinstance(problem.loss, BetaLoss)
    if data.power_sum(1.0) == 0:
        return (0.0 if value == 0 else math.inf), is_divergence
    return max(value, 0.0) / problem.size, is_divergence


def _stored(values: NDArray[np.float64], shift: int, dtype: np.dtype) -> FloatArray:
    return cast(FloatArray, np.ascontiguousarray(np.ldexp(values, shift), dtype=dtype))


def _directions(name: str, H: ArrayLike) -> NDArray[np.float64]:
    """Return the rows of H with length 1, zeros left as they are."""
    values = _numbers(name, H)
    if values.ndim != 2:
        raise InputError(
            f"{name} has {values.ndim} dimension(s) · components are the rows of a matrix · pass "
            "an array (n_components, n_features)"
        )
    peak = np.abs(values).max(axis=1, keepdims=True)
    values = values / np.where(peak > 0, peak, 1.0)
    norms = np.linalg.norm(values, axis=1, keepdims=True)
    return values / np.where(norms > 0, norms, 1.0)


def _numbers(name: str, values: ArrayLike) -> NDArray[np.float64]:
    array = np.asarray(sound_csr(values, name).toarray() if sp.issparse(values) else values)
    if array.dtype.kind not in "biuf":
        raise InputError(f"{name} has dtype {array.dtype} · it must hold numbers · convert it")
    numbers = array.astype(np.float64)
    if numbers.size == 0:
        raise InputError(f"{name} has shape {numbers.shape} · there is nothing to measure")
    if not np.isfinite(numbers).all():
        raise InputError(f"{name} holds NaN or infinity · only finite numbers can be measured")
    return numbers
