"""nsNMF: X ≈ W S H with a smoothing matrix between the factors (Pascual-Montano et al. 2006).

S = (1 − θ) I + (θ/k) 1 1ᵀ takes some of each component into all others, and the factors make up
for it by being sparse. Each half-step is that of the solvers, with S multiplied into the fixed
factor; components are scaled to sum 1 before the other side moves, as the paper has it, because
the scale between W and H is no longer free. That scaling may raise the objective a little, so the
best iteration is what a run returns.
"""

from __future__ import annotations

import time
from typing import cast

import numpy as np

from nonneg.core.alternate import Run, Status, Step
from nonneg.core.factorize import (
    Factorization,
    RandomState,
    _finished,
    as_generator,
    draw_seed,
    make_problem,
    make_rule,
    start_run,
    warn_of_rank,
    whole_number,
)
from nonneg.core.intake import MatrixLike, as_data, check_fit_memory
from nonneg.core.kernels import FloatArray
from nonneg.core.losses import Loss
from nonneg.core.problem import Factor, Problem
from nonneg.core.solvers import Solver, choose_solver
from nonneg.errors import InputError

__all__ = ["factorize_smooth", "sharpened"]

# Iterations in a row that must gain next to nothing before a run has settled.
_QUIET = 3


def factorize_smooth(
    X: MatrixLike,
    n_components: int,
    *,
    smoothing: float = 0.5,
    n_runs: int = 1,
    loss: str | float | Loss = "kullback-leibler",
    max_iter: int = 500,
    tol: float = 1e-4,
    n_threads: int | None = None,
    random_state: RandomState = None,
) -> list[Factorization]:
    """Factorize X ≈ W S H from random starts, with sparse W and H.

    Parameters
    ----------
    X : ndarray or scipy sparse, shape (n_samples, n_features)
        As for `factorize`.
    n_components : int ≥ 1
    smoothing : float, 0 ≤ θ < 1, default 0.5
        0 is plain NMF; the nearer to 1 the sparser the factors and the larger the error.
    n_runs : int ≥ 1, default 1
        Run i has the seed that `factorize_runs` gives it.
    loss : str or float, default "kullback-leibler"
    max_iter, tol, n_threads, random_state
        As for `factorize`.

    Returns
    -------
    list of Factorization
        S is multiplied into W, so that X ≈ W H as ever; `sharpened` takes it out again.

    Raises
    ------
    InputError
        Data or arguments that cannot be used.

    Examples
    --------
    >>> import numpy as np
    >>> from nonneg.core.smooth import factorize_smooth, sharpened
    >>> X = np.random.default_rng(0).random((20, 30))
    >>> fit = factorize_smooth(X, 3, smoothing=0.5, random_state=0)[0]
    >>> W = sharpened(fit.W, 0.5)
    >>> bool((W == 0).mean() > (fit.W == 0).mean())
    True

    References
    ----------
    Pascual-Montano, Carazo, Kochi, Lehmann & Pascual-Marqui (2006), IEEE TPAMI 28(3), 403-415.
    """
    if not 0 <= smoothing < 1:
        raise InputError(
            f"smoothing={smoothing!r} · it is a number from 0 (none) to below 1 · change it"
        )
    rng, _ = as_generator(random_state)
    data = as_data(X, n_threads=n_threads)
    k = whole_number("n_components", n_components)
    warn_of_rank(k, data)
    problem = make_problem(data, loss, k)
    check_fit_memory(data, k, gram_form=problem.in_gram_form)
    solver = choose_solver("auto", problem)
    make_rule(max_iter, tol, None, True)
    seeds = [draw_seed(rng) for _ in range(whole_number("n_runs", n_runs))]
    found = []
    for seed in seeds:
        run = start_run(problem, k, "random", np.random.default_rng(seed))
        loss_value = _iterate(problem, solver, run, smoothing, max_iter, tol)
        found.append(_finished(problem, solver, "random", run, loss_value, seed))
    return found


def sharpened(W: FloatArray, smoothing: float) -> FloatArray:
    """Return the sparse W of X ≈ W S H from W S.

    Parameters
    ----------
    W : ndarray (n_samples, n_components)
    smoothing : float, 0 ≤ θ < 1
    """
    k = W.shape[1]
    common = (smoothing / k) * W.sum(axis=1, keepdims=True)
    sharp: FloatArray = np.maximum((W - common) / (1.0 - smoothing), 0.0).astype(W.dtype)
    # What differences of equal numbers leave is rounding, not a value.
    sharp[sharp < 8 * np.finfo(W.dtype).eps * W.max(axis=1, keepdims=True)] = 0
    return sharp


def _iterate(
    problem: Problem, solver: Solver, run: Run, smoothing: float, max_iter: int, tol: float
) -> float:
    """Iterate until settled; the run ends with W S and H. Its loss."""
    k = run.left.values.shape[1]
    S = ((1 - smoothing) * np.eye(k) + smoothing / k).astype(problem.data.dtype)
    left, right = run.left, run.right
    started, quiet, last = time.perf_counter(), 0, np.inf
    best = None
    while run.status is None:
        right = right.copy()
        solver.half_step(problem.T, right, _smoothed(left, S), measure=False)
        sums = right.values.sum(axis=0)
        sums = np.where(sums > 0, sums, 1)
        right = Factor(cast(FloatArray, np.ascontiguousarray(right.values / sums)))
        left = Factor(cast(FloatArray, np.ascontiguousarray(left.values * sums)))
        step = solver.half_step(problem, left, _smoothed(right, S))
        objective = step.loss
        if objective is None:
            objective = problem.loss_value(_smoothed(left, S), right)
        run.n_iter += 1
        if best is None or objective < best[0]:
            best = objective, _smoothed(left, S), right
            seconds = time.perf_counter() - started
            run.history.append(Step(run.n_iter, objective, 0.0, seconds, 0.0))
        quiet = quiet + 1 if last - objective <= 0.02 * tol * objective else 0
        last = objective
        if quiet >= _QUIET:
            run.status = Status.CONVERGED
        elif run.n_iter >= max_iter:
            run.status = Status.MAX_ITER
    assert best is not None
    run.objective, run.left, run.right = best
    return best[0]


def _smoothed(factor: Factor, S: FloatArray) -> Factor:
    return Factor(np.ascontiguousarray(factor.values @ S))
