"""Runs on parts of the samples: how far components hang on which samples there are.

Monti et al. (2003): classes that are in the data are found in most parts of them. Runs from
different starts say only whether an objective has several optima; once every run ends in the same
one, they agree at any rank. Here each run sees a share of the samples, drawn anew; the samples that
it did not see are described by its components as new ones would be (Dudoit & Fridlyand 2002), so
that every run has every sample.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from itertools import product
from typing import Any, cast

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from nonneg.core.alternate import Status, Step
from nonneg.core.factorize import (
    Factorization,
    RandomState,
    as_generator,
    draw_seed,
    factorize,
    whole_number,
)
from nonneg.core.intake import MatrixLike
from nonneg.core.losses import Loss
from nonneg.core.runs import factorize_runs, listed_ranks
from nonneg.errors import InputError
from nonneg.selection.blas import calm_blas
from nonneg.selection.stability import refit, with_floor

__all__ = ["check_share", "many_runs", "resampled_runs"]


def check_share(resample: object, n_samples: int, n_components: int) -> None:
    """Refuse a share of the samples that is none, or that leaves fewer than components."""
    is_share = isinstance(resample, (float, np.floating)) and 0 < resample < 1
    if not is_share:
        raise InputError(
            f"resample={resample!r} · it is the share of the samples that each run sees · give "
            "one between 0 and 1, such as 0.8, or None"
        )
    seen = _n_seen(cast(float, resample), n_samples)
    if seen < n_components:
        raise InputError(
            f"resample={resample!r} · of {n_samples} samples each run sees {seen}, too few for "
            f"{n_components} components · raise it, or ask for fewer components"
        )


def many_runs(
    X: MatrixLike, n_components: int | Sequence[int], *, resample: float | None, **options: Any
) -> list[Factorization]:
    """Runs from different starts, or, with `resample`, on parts of the samples.

    Parameters
    ----------
    resample : float between 0 and 1, or None
        The `share` of `resampled_runs`; None: all samples, as in `factorize_runs`.
    X, n_components, **options
        As in either.

    Returns
    -------
    list of Factorization
        Rank by rank, fewer if it was cut short.
    """
    with calm_blas(X):
        if resample is None:
            return factorize_runs(X, n_components, **options)
        return resampled_runs(X, n_components, share=resample, **options)


def resampled_runs(
    X: MatrixLike,
    n_components: int | Sequence[int],
    *,
    share: float = 0.8,
    n_runs: int = 50,
    loss: str | float | Loss = "frobenius",
    solver: str = "auto",
    init: str = "auto",
    missing_values: float = math.nan,
    weights: MatrixLike | None = None,
    max_iter: int = 500,
    tol: float = 1e-4,
    n_threads: int | None = None,
    random_state: RandomState = None,
    callback: Callable[[int, Step], bool | None] | None = None,
) -> list[Factorization]:
    """Factorize X many times, each time from some of its samples.

    Parameters
    ----------
    X : ndarray or scipy sparse, shape (n_samples, n_features)
    n_components : int or sequence of int
        The rank, or several.
    share : float between 0 and 1, default 0.8
        Of the samples, drawn without replacement for each run.
    n_runs : int ≥ 1, default 50
        Runs of each rank.
    init : {"auto", "random", "nndsvdar"}
        As in `factorize_runs`.
    random_state : int, Generator, RandomState or None
        Draws the seed of each run, which draws its samples and then its start. Run i has the same
        seed, and so the same samples, at every rank.
    loss, solver, missing_values, weights, max_iter, tol, n_threads, callback
        As in `factorize_runs`.

    Returns
    -------
    list of Factorization
        Rank by rank in the order given, n_runs each: H, status, n_iter and history of the samples
        seen; W, objective and error for all samples, W being at its optimum for that H. Fewer runs,
        the last one as it was, after Ctrl-C or a callback that said stop.

    Examples
    --------
    >>> import numpy as np
    >>> from nonneg.selection.resampling import resampled_runs
    >>> X = np.kron(np.eye(2), np.ones((5, 4)))
    >>> fits = resampled_runs(X, 2, n_runs=3, random_state=0)
    >>> [fit.W.shape for fit in fits]
    [(10, 2), (10, 2), (10, 2)]

    References
    ----------
    Monti, Tamayo, Mesirov & Golub (2003), Machine Learning 52; Dudoit & Fridlyand (2002), Genome
    Biology 3(7).
    """
    n_runs = whole_number("n_runs", n_runs)
    ranks = listed_ranks(n_components)
    n_samples = np.shape(cast(NDArray[np.generic], X))[0]
    check_share(share, n_samples, max(ranks))
    rng, _ = as_generator(random_state)
    seeds = [draw_seed(rng) for _ in range(n_runs)]
    fits: list[Factorization] = []
    for k, seed in product(ranks, seeds):
        drawn = np.random.default_rng(seed)
        rows = np.sort(drawn.permutation(n_samples)[: _n_seen(share, n_samples)])
        fit = factorize(
            _rows(X, rows),
            k,
            loss=loss,
            solver=solver,
            init="random" if init == "auto" else init,
            missing_values=missing_values,
            weights=None if weights is None else _rows(weights, rows),
            max_iter=max_iter,
            tol=tol,
            n_threads=n_threads,
            random_state=drawn,
            callback=None if callback is None else partial(callback, len(fits)),
        )
        if fit.status in (Status.INTERRUPTED, Status.STOPPED):
            return [*fits, fit]
        whole = refit(
            X,
            # What none of the samples has that were seen, others may have.
            with_floor(fit.H),
            loss=loss,
            polish=False,
            missing_values=missing_values,
            weights=weights,
            n_threads=n_threads,
        )
        about = {name: getattr(fit, name) for name in ("init", "status", "n_iter", "history")}
        fits.append(replace(whole, seed=seed, **about))
    return fits


def _n_seen(share: float, n_samples: int) -> int:
    return max(1, round(share * n_samples))


def _rows(X: MatrixLike, rows: NDArray[np.intp]) -> Any:
    chosen: Any = X
    return scipy.sparse.csr_array(chosen)[rows] if scipy.sparse.issparse(X) else np.asarray(X)[rows]
