"""How far runs agree on classes: consensus matrix, cophenetic correlation, dispersion, silhouettes.

Consensus and cophenetic correlation are those of Brunet et al. (2004), the dispersion that of Kim &
Park (2007), the share of ambiguous pairs that of Şenbabaoğlu et al. (2014), silhouettes those of
Rousseeuw (1987). They equal what the R package NMF (Gaujoux & Seoighe 2010) computes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import cophenet, linkage
from scipy.spatial.distance import squareform

__all__ = [
    "Labels",
    "Matrix",
    "ambiguous_share",
    "average_tree",
    "consensus_matrix",
    "cophenetic_correlation",
    "correlation_silhouettes",
    "dispersion",
    "distance_silhouettes",
    "mean_width",
    "silhouette_widths",
]

Matrix = NDArray[np.float64]
Labels = NDArray[np.intp]

# A pair is ambiguous where the share of runs that join it lies between these.
_AMBIGUOUS = 0.1, 0.9
_BLOCK_BYTES = 1 << 24


def consensus_matrix(labels: Labels) -> Matrix:
    """Return the share of runs (rows of `labels`) in which two samples have the same label."""
    n_runs, n = labels.shape
    k = int(labels.max()) + 1
    # 0 and 1 only: sums of float32 are exact.
    chosen = np.zeros((n, n_runs * k), dtype=np.float32)
    chosen[np.arange(n), np.arange(n_runs)[:, None] * k + labels] = 1
    matrix = np.empty((n, n))
    step = max(1, _BLOCK_BYTES // (4 * n))
    for start in range(0, n, step):
        matrix[start : start + step] = chosen[start : start + step] @ chosen.T
    matrix /= n_runs
    return matrix


def average_tree(consensus: Matrix) -> tuple[Matrix, Matrix]:
    """Return the tree of average linkage on 1 − consensus, as scipy has it, and the distances."""
    distances = squareform(1.0 - consensus, checks=False)
    return linkage(distances, "average"), distances


def cophenetic_correlation(tree: Matrix, distances: Matrix) -> float:
    """Return the correlation of distances in the tree with those it was made from.

    1 where all samples are always together or the distances are all the same: then the tree
    has them exactly.
    """
    if np.ptp(distances) == 0:
        return 1.0
    return float(cophenet(tree, distances)[0])


def dispersion(consensus: Matrix) -> float:
    """Return Σ 4 (C − ½)² / n²: 1 where every pair is always or never together."""
    return float(4.0 * np.mean((consensus - 0.5) ** 2))


def ambiguous_share(consensus: Matrix) -> float:
    """Return the share of pairs that are together in more than .1 and less than .9 of the runs."""
    low, high = _AMBIGUOUS
    n = len(consensus)
    # The diagonal, all ones, is not ambiguous.
    ambiguous = np.count_nonzero((consensus > low) & (consensus < high))
    return float(ambiguous / max(n * (n - 1), 1))


def silhouette_widths(sums: Matrix, labels: Labels) -> Matrix:
    """Return silhouette widths from the sums of distances to each cluster (samples × clusters).

    The width is (b − a) / max(a, b) with a the mean distance to the others of one's own cluster and
    b that to the nearest other cluster; 0 in a cluster of one.
    """
    sizes = np.bincount(labels, minlength=sums.shape[1])
    here = np.arange(len(labels)), labels
    own = sums[here] / np.maximum(sizes[labels] - 1, 1)
    others = np.where(sizes > 0, sums / np.maximum(sizes, 1), np.inf)
    others[here] = np.inf
    nearest = others.min(axis=1)
    largest = np.maximum(own, nearest)
    known = (largest > 0) & (sizes[labels] > 1) & np.isfinite(nearest)
    widths = np.zeros(len(labels))
    np.divide(nearest - own, largest, out=widths, where=known)
    return widths


def distance_silhouettes(similarity: Matrix, labels: Labels) -> Matrix:
    """Return silhouette widths for the distances 1 − similarity."""
    sums = np.stack(
        [np.sum(1.0 - similarity[:, labels == t], axis=1) for t in range(labels.max() + 1)],
        axis=1,
    )
    return silhouette_widths(sums, labels)


def correlation_silhouettes(rows: NDArray[np.floating], labels: Labels) -> Matrix:
    """Return silhouette widths of rows for the distance 1 − Pearson correlation.

    A sum of correlations is one product with the sum of the standardised rows, so that no matrix of
    all pairs is needed. A row of equal numbers correlates with nothing.
    """
    centred = rows - rows.mean(axis=1, keepdims=True, dtype=np.float64)
    norms = np.linalg.norm(centred, axis=1, keepdims=True)
    peaks = np.abs(rows).max(axis=1, keepdims=True)
    unit = np.where(norms > 1e-12 * peaks, centred / np.where(norms > 0, norms, 1.0), 0.0)
    k = int(labels.max()) + 1
    totals = np.zeros((k, rows.shape[1]))
    np.add.at(totals, labels, unit)
    sums = np.bincount(labels, minlength=k) - unit @ totals.T
    # A row's distance to itself is 0 whatever its correlations.
    sums[np.arange(len(rows)), labels] -= 1.0 - np.einsum("ij,ij->i", unit, unit)
    return silhouette_widths(np.maximum(sums, 0.0), labels)


def mean_width(widths: Matrix, labels: Labels) -> float | None:
    """Return the mean silhouette width, or None where there is one cluster only."""
    return float(widths.mean()) if np.ptp(labels) else None
