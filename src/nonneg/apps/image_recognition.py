"""Whose picture is it? Nearest pictures by what parts they hold, and "none that I know".

Coefficients W are turned so that their dot products are those of the pictures WH, the mean is taken
off, and directions in which pictures of one label differ among themselves are shortened
(within-class covariance normalisation, Hatch & Stolcke 2006; without labels, directions in which
all pictures differ much, by the root of their deviation). Then the cosine says how alike two
pictures are.

Whose picture a stranger's resembles most is little told by that cosine: some pictures resemble
everybody. What counts is its lead over the next labels (cohort normalisation, Rosenberg et al.
1992). How small a lead can be is learned from the fitted pictures, a fifth of each label at a time
against the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

__all__ = ["Identity", "Metric", "confusion", "leads", "learn_metric"]

Array = NDArray[np.float64]

# Of the mean spread within a label, added to each direction: which of these is chosen on the fitted
# pictures, half of each label against the other half.
_SHRINKAGES = (0.1, 0.3, 1.0, 3.0)
# Pictures that this choice and the limit look at; all pairs of them are compared.
_COMPARED = 4000
_TINY = 1e-9
# Labels that the nearest one is compared with. Strangers' faces refused at the limit for 2 % (six
# draws of thirty persons of ORL, k = 50) for 3, 5, 8, 12: 32, 37, 35, 34 %; by the cosine alone 11.
_RIVALS = 5
# Parts of the fitted pictures that are held out in turn for the limit, and what share it accepts.
_FOLDS, _ACCEPTED = 5, 0.98


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
    lead : float
        How much more similar than the next labels': their five best cosines, averaged, are taken
        off. Where one label was fitted, the similarity.
    error : float
        Relative error of the picture as a sum of the parts.
    reason : str
        Why it is unknown; empty where it is known.
    """

    label: str | None
    nearest: str
    similarity: float
    lead: float
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
        The lead below which no label is told.
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
    shrinkage = _chosen(coefficients, root, codes)
    limit = _least_lead(coefficients, root, codes, shrinkage)
    return replace(_metric(coefficients, root, codes, shrinkage), limit=limit)


def leads(cosines: Array, codes: NDArray[np.intp]) -> Array:
    """Return how far the nearest label of each picture (row) is ahead of the next ones.

    Parameters
    ----------
    cosines : ndarray (n, fitted pictures)
    codes : ndarray of int (fitted pictures,)
        Their labels.
    """
    order = np.argsort(codes, kind="stable")
    first = np.flatnonzero(np.diff(codes[order], prepend=-1))
    best = np.sort(np.maximum.reduceat(cosines[:, order], first, axis=1), axis=1)
    if best.shape[1] == 1:
        return np.asarray(best[:, 0])
    return np.asarray(best[:, -1] - best[:, -1 - _RIVALS : -1].mean(axis=1))


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


def _chosen(W: Array, root: Array, codes: NDArray[np.intp]) -> float:
    """The shrinkage that tells most labels right.

    A metric makes the pictures that it was learned from more alike than others, so it is learned
    from every other picture of each label and tried on the rest, and then the other way round.
    """
    W, codes = _fewer(W, codes)
    first = _places(codes) % 2 == 0
    if first.all():
        return max(_SHRINKAGES)
    right = {}
    for shrinkage in _SHRINKAGES:
        told = []
        for learned in (first, ~first):
            cosines = _cosines(W, root, codes, shrinkage, learned)
            told.append(codes[learned][cosines.argmax(axis=1)] == codes[~learned])
        right[shrinkage] = float(np.concatenate(told).mean())
    return max(_SHRINKAGES, key=lambda shrinkage: (right[shrinkage], shrinkage))


def _least_lead(W: Array, root: Array, codes: NDArray[np.intp], shrinkage: float) -> float:
    """The lead that nearly all pictures have that a metric was not learned from."""
    W, codes = _fewer(W, codes)
    places, several = _places(codes), np.bincount(codes)[codes] > 1
    found = []
    for fold in range(_FOLDS):
        out = several & (places % _FOLDS == fold)
        if out.any():
            found.append(leads(_cosines(W, root, codes, shrinkage, ~out), codes[~out]))
    return float(np.quantile(np.concatenate(found), 1 - _ACCEPTED)) if found else -1.0


def _cosines(
    W: Array, root: Array, codes: NDArray[np.intp], shrinkage: float, learned: NDArray[np.bool_]
) -> Array:
    """Those of the other pictures with the ones that the metric is learned from."""
    metric = _metric(W[learned], root, codes[learned], shrinkage)
    return np.asarray(metric.features(W[~learned]) @ metric.features(W[learned]).T)


def _fewer(W: Array, codes: NDArray[np.intp]) -> tuple[Array, NDArray[np.intp]]:
    """As many pictures as may be compared in pairs."""
    step = -(-len(codes) // _COMPARED)
    return W[::step], codes[::step]


def _places(codes: NDArray[np.intp]) -> NDArray[np.intp]:
    """The place of each picture among those of its label, from 0."""
    places = np.zeros(len(codes), dtype=np.intp)
    for code in np.unique(codes):
        of_label = np.flatnonzero(codes == code)
        places[of_label] = np.arange(len(of_label))
    return places


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
