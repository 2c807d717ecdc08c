"""Which genes mark a metagene: scores of Kim & Park (2007), and the rule of Carmona-Saez (2006).

The scores equal those of R's `NMF` (`featureScore`), the choices those of its `extractFeatures`.
"""

from __future__ import annotations

from typing import Literal, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nonneg.errors import InputError
from nonneg.io.cells import check_choice

__all__ = ["MarkerMethod", "gene_scores", "marker_genes"]

MarkerMethod = Literal["kim", "max"]

# Of a normal distribution, the standard deviation in median absolute deviations.
_MAD = 1.4826


def gene_scores(components: ArrayLike, method: MarkerMethod = "kim") -> NDArray[np.float64]:
    """Score how much each gene belongs to one metagene alone.

    Parameters
    ----------
    components : array (n_components, n_genes)
        Metagenes ≥ 0. Their scale matters: a metagene of larger numbers claims more of a gene.
    method : {"kim", "max"}
        "kim" (default): 1 + Σ p log₂ p / log₂ k, p being the shares of the metagenes in the gene:
        1 for a gene of one metagene, 0 for one that all have alike, or none has. "max": the
        gene's largest entry.

    Returns
    -------
    ndarray of float64 (n_genes,)
        With one metagene "kim" scores 1 where the gene is in it.

    Raises
    ------
    InputError
        The components are no matrix of finite numbers ≥ 0.

    Examples
    --------
    >>> gene_scores([[2.0, 1.0, 0.0], [0.0, 1.0, 0.0]]).tolist()
    [1.0, 0.0, 0.0]

    References
    ----------
    Kim, H. & Park, H. (2007), Bioinformatics 23(12), 1495-1502.
    """
    check_choice("method", method, MarkerMethod)
    H = _metagenes(components)
    if method == "max":
        return cast("NDArray[np.float64]", H.max(axis=0))
    total = H.sum(axis=0)
    shares = np.divide(H, total, out=np.zeros_like(H), where=total > 0)
    if len(H) == 1:
        return cast("NDArray[np.float64]", shares[0])
    logs = np.log2(shares, out=np.zeros_like(shares), where=shares > 0)
    scores = 1.0 + (shares * logs).sum(axis=0) / np.log2(len(H))
    return np.where(total > 0, np.clip(scores, 0.0, 1.0), 0.0)


def marker_genes(components: ArrayLike, method: MarkerMethod = "kim") -> list[NDArray[np.intp]]:
    """Choose the genes that mark each metagene.

    Parameters
    ----------
    components : array (n_components, n_genes)
    method : {"kim", "max"}
        "kim" (default): genes whose score is at least the median of all scores plus three median
        absolute deviations (times 1.4826, as R has it), and whose largest entry is at least the
        median of all entries; each goes to the metagene where it is largest, best score first.
        "max": of each metagene the genes from its largest entry on, up to the first that is as
        large in another (Carmona-Saez et al. 2006).

    Returns
    -------
    list of ndarray of int
        The genes of each metagene by their place; none where no gene qualifies.

    References
    ----------
    Kim & Park (2007), Bioinformatics 23(12); Carmona-Saez et al. (2006), BMC Bioinformatics 7:78.
    """
    check_choice("method", method, MarkerMethod)
    H = _metagenes(components)
    if method == "max":
        return [_leading(H, t) for t in range(len(H))]
    scores = gene_scores(H)
    middle = np.median(scores)
    threshold = middle + 3 * _MAD * np.median(np.abs(scores - middle))
    chosen = (scores >= threshold) & (H.max(axis=0) >= np.median(H)) & H.any(axis=0)
    best = np.argsort(-scores, kind="stable")
    best = best[chosen[best]]
    owner = H.argmax(axis=0)
    return [best[owner[best] == t] for t in range(len(H))]


def _leading(H: NDArray[np.float64], t: int) -> NDArray[np.intp]:
    order = np.argsort(-H[t], kind="stable")
    others = np.delete(H, t, axis=0).max(axis=0, initial=0.0)
    beaten = others[order] >= H[t, order]
    return order[: int(beaten.argmax()) if beaten.any() else len(order)]


def _metagenes(components: ArrayLike) -> NDArray[np.float64]:
    H = np.asarray(components, dtype=np.float64)
    if H.ndim != 2 or not H.size or not np.isfinite(H).all() or H.min() < 0:
        raise InputError(
            f"components of shape {H.shape} · they must be a matrix of finite numbers ≥ 0, "
            "metagenes × genes · pass components_"
        )
    return H
