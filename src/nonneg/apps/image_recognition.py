"""Whose picture is it? Nearest pictures by what parts they hold, and "none that I know".

Coefficients W are turned so that their dot products are those of the pictures WH, the mean is taken
off, and directions in which pictures of one label differ among themselves are shortened
(within-class covariance normalisation, Hatch & Stolcke 2006; without labels, directions in which
all pictures differ much, by the root of their deviation). Then the cosine says how alike two
pictures are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

__all__ = ["Identity", "Metric", "confusion", "learn_metric"]

Array = NDArray[np.float64]

# Of the mean spread within a label, added to each direction: which of these is chosen on the fitted
# pictures, half of each label against the other half.
_SHRINKAGES = (0.1, 0.3, 1.0, 3.0)
# Pictures that this choice and the limit look at; all pairs of them are compared.
_COMPARED = 4000
_TINY = 1e-9
# Of pictures that have another one of their label: so many are as similar to it as asked for.
_ACCEPTED = 0.98


@dataclass(frozen=True)
class Identity:
    """Whose picture it is.

    Attributes
    ----------
    label : str or None
        None: unknown, see `reason`.
    nearest : str
        The most similar picture that was fitted.
    similarity : float
        Its cosine, from −1 to 1.
    error : float
        Relative error of the picture as a sum of the parts.
    reason : str
        Why it is unknown; empty where it is known.
    """

    label: str | None
    nearest: str
    similarity: float
    error: float
    reason: str = ""


@dataclass(frozen=True, eq=False)
class Metric:
    """From coefficients to unit vectors whose cosines say how alike pictures are.

    Attributes
    ----------
    mean : ndarray (k,)
    turn : ndarray (k, k)
    limit : float
        The cosine below which two pictures are not taken for the same label.
    """

    mean: Array
    turn: Array
    limit: float = -1.0

    def features(self, W: NDArray[np.floating]) -> Array:
        """Return one unit vector a picture (zero where there is nothing to compare)."""
        return _units((W.astype(np.float64) - self.mean) @ self.turn)


def learn_metric(
    W: NDArray[np.floating], H: NDArray[np.floating], labels: Sequence[str] | None
) -> Metric:
    """Learn how to compare pictures from those that were fitted."""
    coefficients: Array = W.astype(np.float64)
    parts: Array = H.astype(np.float64)
    values, vectors = np.linalg.eigh(parts @ parts.T)
    root = vectors * np.sqrt(np.maximum(values, 0.0)) @ vectors.T
    if labels is None:
        return _metric(coefficients, root, None)
    codes = np.unique(np.array(labels), return_inverse=True)[1]
    shrinkage, limit = _chosen(coefficients, root, codes)
    return replace(_metric(coefficients, root, codes, shrinkage), limit=limit)


def _metric(
    W: Array, root: Array, codes: NDArray[np.intp] | None, shrinkage: float = _TINY
) -> Metric:
    mean = W.mean(axis=0)
    A = (W - mean) @ root
    if codes is not None and len(W) > len(np.unique(codes)) > 1:
        counts = np.maximum(np.bincount(codes), 1)
        means = np.zeros((len(counts), A.shape[1]))
        np.add.at(means, codes, A)
        rest = A - (means / counts[:, None])[codes]
        spread, power = rest.T @ rest / len(A), 0.5
    else:
        spread, power, shrinkage = A.T @ A / len(A), 0.25, _TINY
    size = float(np.trace(spread)) / len(spread)
    variances, directions = np.linalg.eigh(spread)
    variances = np.maximum(variances, 0.0) + shrinkage * size + np.finfo(np.float32).tiny
    return Metric(mean, root @ (directions * variances**-power))


def _chosen(W: Array, root: Array, codes: NDArray[np.intp]) -> tuple[float, float]:
    """The shrinkage that tells most labels right, and the cosine nearly all have with their own.

    A metric makes the pictures that it was learned from more alike than others, so it is learned
    from every other picture of each label and tried on the rest, and then the other way round.
    """
    step = -(-len(codes) // _COMPARED)
    W, codes = W[::step], codes[::step]
    place = np.zeros(len(codes), dtype=np.intp)
    for code in np.unique(codes):
        of_label = np.flatnonzero(codes == code)
        place[of_label] = np.arange(len(of_label))
    first = place % 2 == 0
    if first.all():
        return max(_SHRINKAGES), -1.0
    right, own = {}, {}
    for shrinkage in _SHRINKAGES:
        told, alike = [], []
        for learned in (first, ~first):
            metric = _metric(W[learned], root, codes[learned], shrinkage)
            cosines = metric.features(W[~learned]) @ metric.features(W[learned]).T
            same = codes[~learned][:, None] == codes[learned][None, :]
            told.append(same[np.arange(len(same)), cosines.argmax(axis=1)])
            alike.append(np.where(same, cosines, -1.0).max(axis=1))
        right[shrinkage] = float(np.concatenate(told).mean())
        # Of the first half, which has most pictures of each label to learn from.
        own[shrinkage] = float(np.quantile(alike[0], 1 - _ACCEPTED))
    best = max(_SHRINKAGES, key=lambda shrinkage: (right[shrinkage], shrinkage))
    return best, own[best]


def confusion(true: Sequence[str], told: Sequence[str]) -> tuple[list[str], NDArray[np.intp]]:
    """Return the labels, and how often each (row) was taken for each (column)."""
    names = sorted(set(true) | set(told))
    place = {name: i for i, name in enumerate(names)}
    table = np.zeros((len(names), len(names)), dtype=np.intp)
    for one, other in zip(true, told, strict=True):
        table[place[one], place[other]] += 1
    return names, table


def _units(A: Array) -> Array:
    norms = np.linalg.norm(A, axis=1, keepdims=True)
    return A / np.where(norms > 0, norms, 1.0)
