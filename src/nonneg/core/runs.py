"""`factorize_runs`: many runs on one matrix, from different starts and of one or more ranks.

Consensus, the choice of a rank and ensembles need tens to hundreds of runs. They go side by side
through the one loop of `alternate.py`: each half-step of a batch is one call of the kernels, whose
threads are shared by all runs, and dense cross products of all runs are one matrix product.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Literal, cast

import numpy as np
from numpy.typing import NDArray

from nonneg.core.alternate import Run, Step, alternate_runs
from nonneg.core.factorize import (
    Factorization,
    RandomState,
    as_generator,
    batch_width,
    can_go_abreast,
    draw_seed,
    finish,
    make_problem,
    make_rule,
    start_run,
    warn_of_rank,
    whole_number,
)
from nonneg.core.init import Init
from nonneg.core.intake import MatrixLike, as_data, check_fit_memory, check_memory, is_count
from nonneg.core.losses import Loss
from nonneg.core.problem import Problem
from nonneg.core.solvers import choose_solver
from nonneg.errors import InputError

__all__ = ["factorize_runs", "listed_ranks"]

_INITS = ("random", "nndsvdar")


def factorize_runs(
    X: MatrixLike,
    n_components: int | Sequence[int],
    *,
    n_runs: int = 10,
    loss: str | float | Loss = "frobenius",
    solver: str = "auto",
    init: str = "auto",
    missing_values: float = math.nan,
    weights: MatrixLike | None = None,
    alpha_W: float = 0.0,
    alpha_H: float | Literal["same"] = "same",
    l1_ratio: float = 0.0,
    ridge_per_entry: float = 0.0,
    upper_W: float | None = None,
    upper_H: float | None = None,
    fixed_W: NDArray[np.floating] | None = None,
    fixed_H: NDArray[np.floating] | None = None,
    max_iter: int = 500,
    max_seconds: float | None = None,
    tol: float = 1e-4,
    accelerate: bool = True,
    n_threads: int | None = None,
    random_state: RandomState = None,
    callback: Callable[[int, Step], bool | None] | None = None,
) -> list[Factorization]:
    """Factorize X ≈ W H many times, from different random starts.

    Each run is the one that ``factorize(X, k, random_state=fit.seed, init=fit.init, ...)`` makes
    alone, bit for bit; for frobenius on dense X to rounding, because BLAS may add in another order
    when the factors of all runs stand side by side. Eight runs or more (float64: four) on sparse X
    under kullback-leibler, without weights or fixed entries, share the lanes of a register, in
    about half the time: from the same start by other steps, mostly to the same optimum. Run i has
    the same seed at every rank, and, that change aside, more runs or ranks leave the earlier ones
    as they are.

    Parameters
    ----------
    X : ndarray or scipy sparse, shape (n_samples, n_features)
        As for `factorize`.
    n_components : int or sequence of int
        The rank, or several.
    n_runs : int ≥ 1, default 10
        Runs of each rank.
    init : {"auto", "random", "nndsvdar"}
        "auto" is random. The other inits of `factorize` would make all runs the same.
    max_seconds : float, optional
        Wall-time limit of the whole call.
    random_state : int, Generator, RandomState or None
        Draws the seeds of the runs; each is in its result.
    callback : callable(int, Step) -> bool or None, optional
        Called after each accepted iteration with the number of the run in the result; a true value
        stops all runs.
    loss, solver, missing_values, weights, alpha_W, alpha_H, l1_ratio, ridge_per_entry, upper_W, \
upper_H, fixed_W, fixed_H, max_iter, tol, accelerate, n_threads
        As for `factorize`. Fixed entries fit one rank only.

    Returns
    -------
    list of Factorization
        Rank by rank in the order given, n_runs each. Fewer if the call was cut short: after Ctrl-C
        (status INTERRUPTED), a callback that said stop (STOPPED) or max_seconds (TIME_LIMIT) the
        runs under way are returned as they are, and those not begun are left out. Before the first
        has begun Ctrl-C raises KeyboardInterrupt.

    Raises
    ------
    InputError
        Data or arguments that cannot be used; the message says what to do.
    TooLargeError
        If the factors of all runs would not fit into memory.

    Examples
    --------
    >>> import numpy as np
    >>> from nonneg import factorize_runs
    >>> X = np.random.default_rng(0).random((20, 8))
    >>> fits = factorize_runs(X, [2, 3], n_runs=5, random_state=0)
    >>> [fit.n_components for fit in fits]
    [2, 2, 2, 2, 2, 3, 3, 3, 3, 3]
    >>> fits[5].objective < fits[0].objective
    True

    References
    ----------
    Brunet, Tamayo, Golub & Mesirov (2004), PNAS 101: what many runs are good for.
    """
    started = time.perf_counter()
    rng, _ = as_generator(random_state)
    n_runs = whole_number("n_runs", n_runs)
    data = as_data(X, missing_values=missing_values, weights=weights, n_threads=n_threads)
    ranks = listed_ranks(n_components)
    if len(set(ranks)) > 1 and not (fixed_W is None and fixed_H is None):
        raise InputError(
            f"fixed_W and fixed_H have one rank · n_components asks for {len(ranks)} · give one"
        )
    for k in ranks:
        warn_of_rank(k, data)
    result_bytes = float(sum(data.shape)) * sum(ranks) * n_runs * data.dtype.itemsize
    check_memory(result_bytes, f"{n_runs} runs of n_components={n_components}")
    problem = make_problem(
        data,
        loss,
        ranks[0],
        alpha_W=alpha_W,
        alpha_H=alpha_H,
        l1_ratio=l1_ratio,
        ridge_per_entry=ridge_per_entry,
        upper_W=upper_W,
        upper_H=upper_H,
        fixed_W=fixed_W,
        fixed_H=fixed_H,
    )
    check_fit_memory(data, max(ranks), gram_form=problem.in_gram_form)
    chosen = choose_solver(solver, problem)
    if chosen.name == "ccd" and can_go_abreast(problem, max(ranks), n_runs):
        problem = replace(problem, abreast=True)
    kind = _init_name(init, max(ranks), problem)
    if callback is not None and not callable(callback):
        raise InputError(
            f"callback={callback!r} cannot be called · give a function of a number and a Step"
        )
    rule = make_rule(max_iter, tol, max_seconds, accelerate)
    seeds = [draw_seed(rng) for _ in range(n_runs)]
    runs = alternate_runs(
        problem,
        _starts(problem, ranks, seeds, kind),
        chosen,
        rule,
        width=batch_width(problem, max(ranks)),
        callback=callback,
        started=started,
    )
    n_begun = len(runs)
    return finish(problem, chosen, runs, [kind] * n_begun, (seeds * len(ranks))[:n_begun])


def _starts(problem: Problem, ranks: list[int], seeds: list[int], init: Init) -> Iterator[Run]:
    for k in ranks:
        for seed in seeds:
            yield start_run(problem, k, init, np.random.default_rng(seed))


def listed_ranks(n_components: int | Sequence[int]) -> list[int]:
    """Return one rank or several as a list of counts from 1."""
    ranks = [n_components] if is_count(n_components, 0) else n_components
    if isinstance(ranks, (str, bytes)) or not isinstance(ranks, (Sequence, range, np.ndarray)):
        raise InputError(
            f"n_components={n_components!r} · a whole number from 1, or several in a list"
        )
    if len(ranks) == 0:
        raise InputError("n_components holds no rank · there is nothing to do · give at least one")
    return [whole_number("n_components", k) for k in ranks]


def _init_name(init: str, k: int, problem: Problem) -> Init:
    side = min(problem.data.shape)
    if init == "auto":
        return "random"
    if init not in _INITS:
        raise InputError(
            f"init={init!r} does not give many runs · each needs a start of its own · use auto, "
            f"{' or '.join(_INITS)}"
        )
    if init != "random" and k > side:
        raise InputError(
            f"init={init!r} with n_components={k} needs at most {side} (the smaller side of X): "
            'lower n_components, or use init="random"'
        )
    return cast(Init, init)
