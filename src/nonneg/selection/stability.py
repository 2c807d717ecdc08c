"""Which components come back in every run: match, cluster, drop outliers, take medians, refit.

The components of all runs are unit vectors. Each run gives at most one of its components to each
cluster (Hungarian matching, as SigProfilerExtractor does: Islam et al. 2022), so that two
components of one run are never taken for the same one, and nothing is drawn at random. Components
far from their nearest neighbours in other runs are left out of the medians, as in cNMF (Kotliar
et al. 2019). All of it works on components, runs × k of them: there is no matrix of samples.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar, cast

import numpy as np
import scipy.optimize
from numpy.typing import NDArray

from nonneg.core.factorize import Factorization, factorize, solve_left
from nonneg.core.intake import MatrixLike, check_memory, is_count
from nonneg.core.kernels import FloatArray
from nonneg.core.losses import Loss
from nonneg.errors import InputError
from nonneg.selection.measures import silhouette_widths

__all__ = ["StableComponents", "identical_runs", "refit", "stable_components", "with_floor"]

S = TypeVar("S", bound=np.generic)

_MAX_ROUNDS = 50
# Starts whose first objectives agree to this share are one start: random ones differ sooner.
_SAME_START = 1e-12
# What a zero of a median is raised to before the polish, relative to the mean entry.
_FLOOR = 1e-6


@dataclass(frozen=True, eq=False)
class StableComponents:
    """The components on which many runs agree.

    Attributes
    ----------
    components : ndarray (n_components, n_features)
        Medians over the runs, each with sum 1; largest component (by mean share of WH) first.
    stability : ndarray of float64 (n_components,)
        Mean silhouette width of its members, those left out of the median included, with
        1 − cosine as distance: 1 where every run finds the same component and no other is near,
        about 0 where it is nothing of its own. For one component: the mean cosine of its members
        with it.
    cosines : ndarray of float64 (n_components,)
        Mean cosine of its members with the median.
    share : ndarray of float64 (n_components,)
        Mean share of the sum of WH, over the members that are kept.
    members : ndarray of int (n_runs, n_components)
        Which component of each run is this one.
    dropped : ndarray of bool (n_runs, n_components)
        Whether that member was left out of the median, because it is no one's neighbour. Where
        all of a component's members are, none is left out.
    density : ndarray of float64 (n_runs, n_components)
        Mean distance of that member to its nearest neighbours, from 0 to √2.
    density_threshold : float
        Beyond which a member is dropped.
    n_identical : int
        Runs that repeat an earlier one, from the same start: with more than 0, stability says
        less than it seems to.
    """

    components: FloatArray
    stability: NDArray[np.float64]
    cosines: NDArray[np.float64]
    share: NDArray[np.float64]
    members: NDArray[np.intp]
    dropped: NDArray[np.bool_]
    density: NDArray[np.float64]
    density_threshold: float
    n_identical: int

    @property
    def n_components(self) -> int:
        """The rank."""
        return int(self.components.shape[0])

    @property
    def n_runs(self) -> int:
        """Number of runs compared."""
        return int(self.members.shape[0])

    @property
    def share_kept(self) -> NDArray[np.float64]:
        """Share of the runs that went into the median of each component."""
        return cast("NDArray[np.float64]", 1.0 - self.dropped.mean(axis=0))

    def __repr__(self) -> str:
        return (
            f"StableComponents({self.n_components} components of {self.n_runs} runs, stability "
            f"{self.stability.min():.3f} to {self.stability.max():.3f}, "
            f"{1 - self.dropped.mean():.0%} of members kept)"
        )


def stable_components(
    fits: Sequence[Factorization],
    *,
    density_threshold: float = 0.5,
    local_neighborhood_size: float = 0.3,
) -> StableComponents:
    """Match the components of many runs of one rank and return those they agree on.

    Parameters
    ----------
    fits : sequence of Factorization, at least 2
        Runs of one rank on one X, such as those of `factorize_runs`.
    density_threshold : float, default 0.5
        A component is dropped where its mean distance to its nearest neighbours, as vectors of
        length 1, is more than this: from 0 to √2, the distance of vectors with nothing in common.
        The default is cNMF's; 2 keeps all.
    local_neighborhood_size : float, default 0.3
        How many neighbours, as a share of the runs (at least one).

    Returns
    -------
    StableComponents
        The same for the same fits. The medians are no factorization yet: see `refit`.

    Raises
    ------
    InputError
        With fewer than two runs, or runs of different ranks or features.

    Examples
    --------
    >>> import numpy as np
    >>> from nonneg import factorize_runs
    >>> from nonneg.selection.stability import stable_components
    >>> rng = np.random.default_rng(0)
    >>> X = rng.random((30, 2)) @ np.kron(np.eye(2), np.ones(4))
    >>> stable = stable_components(factorize_runs(X, 2, n_runs=10, random_state=0))
    >>> bool(stable.stability.min() > 0.99), stable.dropped.any()
    (True, np.False_)

    References
    ----------
    Kotliar et al. (2019), eLife 8:e43803 (cNMF); Islam et al. (2022), Cell Genomics 2(11), 100179
    (SigProfilerExtractor); Rousseeuw (1987), J. Comput. Appl. Math. 20 (silhouettes).
    """
    _check(fits, density_threshold, local_neighborhood_size)
    n_runs, k = len(fits), fits[0].n_components
    directions = _directions(fits)
    cosines = np.clip(directions @ directions.T, 0.0, 1.0).astype(np.float64)
    n_neighbors = max(1, int(local_neighborhood_size * n_runs))
    density = _local_density(cosines, n_neighbors).reshape(n_runs, k)
    outlier = density > density_threshold
    medians = directions.reshape(n_runs, k, -1)[_medoid_run(cosines, n_runs, k)]
    members = np.full((n_runs, k), -1, dtype=np.intp)
    for _ in range(_MAX_ROUNDS):
        before, members = members, _matched(directions, medians, n_runs)
        if np.array_equal(before, members):
            break
        dropped = _aligned(outlier, members)
        dropped[:, dropped.all(axis=0)] = False
        medians = _medians(directions, members, dropped)
    share = np.average(_aligned(_shares(fits), members), axis=0, weights=1.0 - dropped)
    order = np.argsort(-share, kind="stable")
    members, dropped, medians = members[:, order], dropped[:, order], medians[order]
    rows = np.arange(n_runs)[:, None] * k + members
    towards = np.einsum("rtn,tn->rt", directions[rows], medians, dtype=np.float64)
    stability = towards.mean(axis=0) if k == 1 else _silhouettes(cosines, rows).mean(axis=0)
    return StableComponents(
        components=cast(FloatArray, medians / medians.sum(axis=1, keepdims=True)),
        stability=stability,
        cosines=towards.mean(axis=0),
        share=share[order],
        members=members,
        dropped=dropped,
        density=_aligned(density, members),
        density_threshold=float(density_threshold),
        n_identical=identical_runs(fits),
    )


def refit(
    X: MatrixLike,
    components: NDArray[np.floating],
    *,
    loss: str | float | Loss = "frobenius",
    polish: bool = True,
    missing_values: float = math.nan,
    weights: MatrixLike | None = None,
    max_iter: int = 500,
    tol: float = 1e-4,
    n_threads: int | None = None,
    random_state: int = 0,
) -> Factorization:
    """Fit X with given components: W at its optimum for them, then both from there.

    Parameters
    ----------
    X : ndarray or scipy sparse, shape (n_samples, n_features)
        As for `factorize`.
    components : array (n_components, n_features)
        Such as the medians of `stable_components`.
    polish : bool, default True
        Whether H moves too, from these components to the nearest local optimum. False keeps
        them as they are.
    loss, missing_values, weights, max_iter, tol, n_threads, random_state
        As for `factorize`; the random state matters only where a component dies.

    Returns
    -------
    Factorization
        With init "given".
    """
    H = np.asarray(components)
    if polish:
        # A zero of the medians can only grow slowly, or under multiplicative updates not at all.
        H = with_floor(H)
    W = solve_left(
        X, H, loss=loss, missing_values=missing_values, weights=weights, n_threads=n_threads
    )
    return factorize(
        X,
        W=W,
        H=H,
        loss=loss,
        missing_values=missing_values,
        weights=weights,
        fixed_H=None if polish else H,
        max_iter=max_iter,
        tol=tol,
        n_threads=n_threads,
        random_state=random_state,
    )


def with_floor(H: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return components whose zeros are raised to a millionth of their mean entry."""
    return cast(FloatArray, np.maximum(H, _FLOOR * H.mean(axis=1, keepdims=True)))


def identical_runs(fits: Sequence[Factorization]) -> int:
    """Return how many runs repeat an earlier one: the same seed and start, or the same bits.

    Where starts are identical every run agrees with every other, a cophenetic correlation is 1
    whatever the rank, and nothing has been learnt.
    """
    seen: list[Factorization] = []
    for fit in fits:
        if not any(_same(fit, other) for other in seen):
            seen.append(fit)
    return len(fits) - len(seen)


def _same(fit: Factorization, other: Factorization) -> bool:
    if fit.H.shape != other.H.shape:
        return False
    if fit.seed is not None and fit.seed == other.seed and fit.init == other.init:
        return True
    if not (fit.history and other.history) or fit.n_iter != other.n_iter:
        return False
    first, second = fit.history[0].objective, other.history[0].objective
    if abs(first - second) > _SAME_START * max(abs(first), abs(second)):
        return False
    return bool(np.allclose(fit.H, other.H, rtol=1e-5, atol=1e-6 * float(other.H.max())))


def _check(
    fits: Sequence[Factorization], density_threshold: float, local_neighborhood_size: float
) -> None:
    if len(fits) < 2:
        raise InputError(
            f"{len(fits)} run(s) · whether a component comes back takes two runs or more · raise "
            "n_runs"
        )
    shapes = {fit.H.shape for fit in fits}
    if len(shapes) > 1:
        raise InputError(
            f"runs of {len(shapes)} shapes (components × features): {sorted(shapes)} · only runs "
            "of one rank on one X can be compared · pass those of one rank"
        )
    for name, value, most in (
        ("density_threshold", density_threshold, 2.0),
        ("local_neighborhood_size", local_neighborhood_size, 1.0),
    ):
        is_number = is_count(value, 0) or isinstance(value, (float, np.floating))
        if not is_number or not 0 < float(value) <= most:
            raise InputError(f"{name}={value!r} · it must lie between 0 and {most:g} · change it")
    n_rows, n_features = len(fits) * fits[0].n_components, fits[0].H.shape[1]
    needed = n_rows * (3.0 * n_features * fits[0].H.dtype.itemsize + 24.0 * n_rows)
    check_memory(needed, f"comparing {n_rows} components", "use fewer runs")


def _directions(fits: Sequence[Factorization]) -> FloatArray:
    """Return the components of all runs, run by run, with length 1."""
    stacked = np.concatenate([fit.H for fit in fits])
    peaks = stacked.max(axis=1, keepdims=True)
    stacked /= np.where(peaks > 0, peaks, 1)
    norms = np.linalg.norm(stacked, axis=1, keepdims=True)
    stacked /= np.where(norms > 0, norms, 1)
    return cast(FloatArray, stacked)


def _shares(fits: Sequence[Factorization]) -> NDArray[np.float64]:
    """Return the share of each component in the sum of WH, run by run."""
    sums = np.array(
        [fit.W.sum(axis=0, dtype=np.float64) * fit.H.sum(axis=1, dtype=np.float64) for fit in fits]
    )
    totals = sums.sum(axis=1, keepdims=True)
    return sums / np.where(totals > 0, totals, 1.0)


def _local_density(cosines: NDArray[np.float64], n_neighbors: int) -> NDArray[np.float64]:
    """Return the mean Euclidean distance of each unit vector to its nearest neighbours."""
    density = np.empty(len(cosines))
    n_neighbors = min(n_neighbors, len(cosines) - 1)
    for i, row in enumerate(cosines):
        others = np.delete(row, i)
        nearest = np.partition(others, -n_neighbors)[-n_neighbors:]
        density[i] = np.sqrt(2.0 - 2.0 * nearest).mean()
    return density


def _medoid_run(cosines: NDArray[np.float64], n_runs: int, k: int) -> int:
    """Return the run whose components are, on the whole, nearest to those of all others."""
    nearest = cosines.reshape(n_runs * k, n_runs, k).max(axis=2)
    return int(nearest.mean(axis=1).reshape(n_runs, k).mean(axis=1).round(9).argmax())


def _matched(directions: FloatArray, centres: FloatArray, n_runs: int) -> NDArray[np.intp]:
    """Return which component of each run is nearest to which centre, one to one."""
    k = len(centres)
    towards = (directions @ centres.T).reshape(n_runs, k, k)
    return np.array(
        [scipy.optimize.linear_sum_assignment(run.T, maximize=True)[1] for run in towards]
    )


def _aligned(values: NDArray[S], members: NDArray[np.intp]) -> NDArray[S]:
    return cast("NDArray[S]", np.take_along_axis(values, members, axis=1))


def _medians(
    directions: FloatArray, members: NDArray[np.intp], dropped: NDArray[np.bool_]
) -> FloatArray:
    """Return the median of each cluster's members that are kept, with length 1."""
    n_runs, k = members.shape
    rows = np.arange(n_runs)[:, None] * k + members
    medians = np.empty((k, directions.shape[1]), dtype=directions.dtype)
    for t in range(k):
        kept = directions[rows[~dropped[:, t], t]]
        medians[t] = np.median(kept, axis=0)
        if not medians[t].any():
            # Members that share no feature have no median.
            medians[t] = kept.mean(axis=0)
        if not medians[t].any():
            medians[t] = 1.0
    return cast(FloatArray, medians / np.linalg.norm(medians, axis=1, keepdims=True))


def _silhouettes(cosines: NDArray[np.float64], rows: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return the silhouette width of each member, with 1 − cosine as distance."""
    n_runs, k = rows.shape
    cluster = np.empty(n_runs * k, dtype=np.intp)
    cluster[rows] = np.arange(k)
    sums = np.zeros((n_runs * k, k))
    for t in range(k):
        sums[:, t] = (1.0 - cosines[:, rows[:, t]]).sum(axis=1)
    return silhouette_widths(sums, cluster)[rows]
