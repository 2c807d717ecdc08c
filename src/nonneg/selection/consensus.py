"""`consensus`: classes of the samples on which many runs agree, and how far they do.

Brunet et al. (2004): each run puts a sample into the class of its largest component; the consensus
matrix has the share of runs in which two samples are together. If the rank suits the data the
same samples are together in every run, and its entries are near 0 and 1.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import cast

import numpy as np
import scipy.optimize
from numpy.typing import NDArray
from scipy.cluster.hierarchy import cut_tree, leaves_list

from nonneg.core.alternate import Status, Step
from nonneg.core.factorize import Factorization, RandomState
from nonneg.core.intake import MatrixLike, check_memory
from nonneg.core.losses import Loss
from nonneg.errors import InputError
from nonneg.selection.measures import (
    Labels,
    Matrix,
    ambiguous_share,
    average_tree,
    consensus_matrix,
    cophenetic_correlation,
    correlation_silhouettes,
    dispersion,
    distance_silhouettes,
    mean_width,
)
from nonneg.selection.resampling import many_runs
from nonneg.selection.stability import identical_runs
from nonneg.shown import Shown

__all__ = [
    "Consensus",
    "check_samples",
    "consensus",
    "consensus_from",
    "consensus_of",
    "finished",
    "run_labels",
]


@dataclass(frozen=True, eq=False)
class Consensus(Shown):
    """What many runs of one rank agree on.

    Attributes
    ----------
    matrix : ndarray of float64 (n_samples, n_samples)
        Share of the runs in which two samples have the same largest component.
    labels : ndarray of int (n_samples,)
        Class of each sample: the tree cut into as many classes as there are components. Class t is
        the one that most resembles the samples of component t of `fit`.
    order : ndarray of int (n_samples,)
        The samples as the tree has them, for drawing `matrix[order][:, order]`.
    tree : ndarray of float64 (n_samples − 1, 4)
        Average linkage on 1 − matrix, as `scipy.cluster.hierarchy` has it.
    cophenetic : float
        Correlation of the distances in the tree with 1 − matrix; 1 is perfect agreement.
    dispersion : float
        Σ 4 (C − ½)² / n²: 1 where each pair is always or never together, 0 where all are half.
    pac : float
        Proportion of ambiguous pairs: together in more than .1 and less than .9 of the runs.
    silhouettes : ndarray of float64 (n_samples,)
        Silhouette width of each sample in its class, with 1 − matrix as distance: how sure its
        class is, from −1 to 1.
    silhouette_consensus : float or None
        Their mean. None, here and below, where there is only one class.
    silhouette_coefficients, silhouette_basis : float or None
        Mean silhouette width of the samples by the rows of W of the best run, and of the features
        by the columns of H, each in the class of its largest entry, with 1 − correlation as
        distance. Basis and coefficients as biologists have them: their X is the transpose.
    n_components : int
    n_runs : int
        Runs that were finished and compared.
    n_identical : int
        Runs that repeat an earlier one, from the same start. If not 0, the agreement says less than
        it seems to; if all starts are the same it says nothing.
    seeds : tuple of int or None
        Of each run: ``factorize(X, k, random_state=seed, init="random")`` makes it again, unless
        samples were drawn or runs went abreast (see `factorize_runs`).
    objectives : ndarray of float64 (n_runs,)
    fit : Factorization
        The run with the lowest objective.
    run_labels : ndarray of int (n_runs, n_samples)
        The largest component of each sample in each run.
    """

    matrix: Matrix = field(repr=False)
    labels: Labels = field(repr=False)
    order: Labels = field(repr=False)
    tree: Matrix = field(repr=False)
    cophenetic: float
    dispersion: float
    pac: float
    silhouettes: Matrix = field(repr=False)
    silhouette_consensus: float | None
    silhouette_coefficients: float | None
    silhouette_basis: float | None
    n_components: int
    n_runs: int
    n_identical: int
    seeds: tuple[int | None, ...] = field(repr=False)
    objectives: Matrix = field(repr=False)
    fit: Factorization = field(repr=False)
    run_labels: Labels = field(repr=False)

    @property
    def warning(self) -> str | None:
        """What makes the agreement look better than it is, or None."""
        if not self.n_identical:
            return None
        if self.n_identical == self.n_runs - 1:
            return (
                f"all {self.n_runs} runs are the same run, from the same start: that they agree "
                "says nothing, and a cophenetic correlation of 1 would come out for every rank; "
                'use init="random" and no fixed factors'
            )
        return (
            f"{self.n_identical} of {self.n_runs} runs repeat another, from the same start: the "
            "agreement looks better than it is"
        )


def consensus(
    X: MatrixLike,
    n_components: int,
    *,
    n_runs: int = 50,
    loss: str | float | Loss = "frobenius",
    solver: str = "auto",
    init: str = "auto",
    missing_values: float = math.nan,
    weights: MatrixLike | None = None,
    resample: float | None = None,
    max_iter: int = 500,
    tol: float = 1e-4,
    n_threads: int | None = None,
    random_state: RandomState = None,
    callback: Callable[[int, Step], bool | None] | None = None,
) -> Consensus:
    """Group the samples by many runs, and measure how far the runs agree.

    Parameters
    ----------
    X : ndarray or scipy sparse, shape (n_samples, n_features)
        As for `factorize`. The result holds a matrix of n_samples × n_samples: for more than some
        ten thousand use `nonneg.selection.stability.stable_components`, which does not.
    n_components : int
        The rank, which is also the number of classes.
    n_runs : int, at least 2, default 50
    resample : float between 0 and 1, optional
        The share of the samples that each run sees, drawn anew; .8 in Monti et al. (2003). Default:
        all of them, so that runs differ in their starts alone. Where every run ends in the same
        optimum only this shows how sure the classes are; see `resampled_runs`.
    loss, solver, init, missing_values, weights, max_iter, tol, n_threads, random_state, callback
        As for `factorize_runs`.

    Returns
    -------
    Consensus
        After Ctrl-C, or a callback that said stop, of the runs that were finished by then.

    Raises
    ------
    InputError
        Data or arguments that cannot be used; fewer than two samples or runs.
    TooLargeError
        If the matrix of samples does not fit into memory, before any run.
    KeyboardInterrupt
        After Ctrl-C before two runs were finished.

    Examples
    --------
    >>> import numpy as np
    >>> from nonneg import consensus
    >>> rng = np.random.default_rng(0)
    >>> X = np.kron(np.eye(2), np.ones((5, 4))) + 0.1 * rng.random((10, 8))
    >>> agreed = consensus(X, 2, n_runs=10, random_state=0)
    >>> agreed.cophenetic
    1.0
    >>> bool((agreed.labels[:5] == agreed.labels[0]).all() and agreed.labels[5] != agreed.labels[0])
    True

    References
    ----------
    Brunet, Tamayo, Golub & Mesirov (2004), PNAS 101(12); Kim & Park (2007), Bioinformatics 23(12)
    (dispersion); Monti, Tamayo, Mesirov & Golub (2003), Machine Learning 52 (parts of the samples);
    Şenbabaoğlu, Michailidis & Li (2014), Sci. Rep. 4 (pairs that are ambiguous).
    """
    check_samples(np.shape(cast(NDArray[np.generic], X)))
    fits = many_runs(
        X,
        n_components,
        resample=resample,
        n_runs=n_runs,
        loss=loss,
        solver=solver,
        init=init,
        missing_values=missing_values,
        weights=weights,
        max_iter=max_iter,
        tol=tol,
        n_threads=n_threads,
        random_state=random_state,
        callback=callback,
    )
    return consensus_of(finished(fits))


def finished(fits: Sequence[Factorization]) -> list[Factorization]:
    """Return the runs that were not cut short.

    Raises
    ------
    KeyboardInterrupt
        If Ctrl-C left fewer than two.
    """
    done = [fit for fit in fits if fit.status in (Status.CONVERGED, Status.MAX_ITER)]
    if len(done) < 2 and any(fit.status is Status.INTERRUPTED for fit in fits):
        raise KeyboardInterrupt
    return done


def check_samples(shape: tuple[int, ...]) -> None:
    """Refuse too few samples, and so many that their matrix would not fit into memory."""
    n = shape[0] if shape else 0
    if n < 2:
        raise InputError(
            f"{n} sample(s) · whether samples belong together takes two or more · the rows of X "
            "are the samples: transpose it if they are its columns"
        )
    # The matrix, its distances twice (half a matrix each), and one more while it is made.
    check_memory(
        24.0 * n * n,
        f"the consensus of {n} samples",
        "take a sample of the rows, or use stable_components, which compares components instead",
    )


def run_labels(fit: Factorization) -> Labels:
    """Return the largest component of each sample, each measured by its share of WH.

    The rows of W alone would depend on how the scale of a component is divided between W and H,
    which means nothing.
    """
    return np.asarray(np.argmax(fit.W * fit.H.sum(axis=1), axis=1), dtype=np.intp)


def consensus_of(fits: Sequence[Factorization]) -> Consensus:
    """Return the consensus of runs of one rank on one X.

    Parameters
    ----------
    fits : sequence of Factorization, at least 2
        Such as `factorize_runs` returns.

    Raises
    ------
    InputError
        With fewer than two runs, or runs of different shapes.
    """
    if len(fits) < 2:
        raise InputError(
            f"{len(fits)} run(s) finished · agreement takes two or more · raise n_runs"
        )
    shapes = {(fit.W.shape, fit.H.shape) for fit in fits}
    if len(shapes) > 1:
        raise InputError(
            f"runs of {len(shapes)} different shapes · only runs of one rank on one X have a "
            "consensus · pass those of one rank"
        )
    fit = min(fits, key=lambda run: run.objective)
    check_samples(fit.W.shape)
    by_features = np.argmax(fit.H.T * fit.W.sum(axis=0), axis=1)
    return consensus_from(
        np.array([run_labels(run) for run in fits]),
        fit,
        n_identical=identical_runs(fits),
        seeds=tuple(run.seed for run in fits),
        objectives=np.array([run.objective for run in fits]),
        silhouette_coefficients=_mean_by_correlation(fit.W, run_labels(fit)),
        silhouette_basis=_mean_by_correlation(fit.H.T, by_features),
    )


def consensus_from(
    chosen: Labels,
    fit: Factorization,
    *,
    n_identical: int,
    seeds: tuple[int | None, ...],
    objectives: Matrix,
    silhouette_coefficients: float | None,
    silhouette_basis: float | None,
) -> Consensus:
    """Return the consensus of runs of which only this is known, as a model file has it.

    Parameters
    ----------
    chosen : ndarray of int (n_runs, n_samples)
        The largest component of each sample in each run.
    fit : Factorization
        The best run, or what stands for the runs.
    n_identical, seeds, objectives, silhouette_coefficients, silhouette_basis
        As in `Consensus`; the silhouettes are those of the best run.
    """
    k = fit.n_components
    matrix = consensus_matrix(chosen)
    tree, distances = average_tree(matrix)
    labels = _classes(tree, chosen[int(np.argmin(objectives))], k)
    silhouettes = distance_silhouettes(matrix, labels)
    return Consensus(
        matrix=matrix,
        labels=labels,
        order=leaves_list(tree).astype(np.intp),
        tree=tree,
        cophenetic=cophenetic_correlation(tree, distances),
        dispersion=dispersion(matrix),
        pac=ambiguous_share(matrix),
        silhouettes=silhouettes,
        silhouette_consensus=mean_width(silhouettes, labels),
        silhouette_coefficients=silhouette_coefficients,
        silhouette_basis=silhouette_basis,
        n_components=k,
        n_runs=len(chosen),
        n_identical=n_identical,
        seeds=seeds,
        objectives=objectives,
        fit=fit,
        run_labels=chosen,
    )


def _classes(tree: Matrix, by_component: Labels, k: int) -> Labels:
    """Cut the tree into k classes and call each by the component whose samples it has."""
    cut = cut_tree(tree, n_clusters=[min(k, len(by_component))]).ravel()
    together = np.zeros((k, k))
    np.add.at(together, (cut, by_component), 1)
    names = scipy.optimize.linear_sum_assignment(together, maximize=True)[1]
    return np.asarray(names[cut], dtype=np.intp)


def _mean_by_correlation(rows: NDArray[np.floating], labels: Labels) -> float | None:
    return mean_width(correlation_silhouettes(rows, labels), labels)
