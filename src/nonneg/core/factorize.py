"""`factorize`: from a matrix to X ≈ WH, with restarts, and the half-problem for new rows."""

from __future__ import annotations

import copy
import math
import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, cast

import numpy as np
from numpy.typing import NDArray

from nonneg.core.alternate import Callback, Rule, Run, Status, Step, alternate_runs
from nonneg.core.data import DataMatrix, Sparse
from nonneg.core.init import INITS, Init, starting_factors
from nonneg.core.intake import MatrixLike, as_data, check_fit_memory, is_count
from nonneg.core.kernels import FloatArray
from nonneg.core.losses import BetaLoss, HuberLoss, Loss, make_loss
from nonneg.core.penalties import Penalty
from nonneg.core.problem import Factor, Problem
from nonneg.core.solvers import Solver, choose_solver
from nonneg.core.starts import (
    Deadline,
    can_compress,
    can_sample,
    compressed_start,
    flat_start,
    sampled_start,
)
from nonneg.errors import InputError
from nonneg.shown import Shown

__all__ = ["Factorization", "as_generator", "factorize", "solve_left"]

# A batch of runs: entries of X times components, bytes of a factor pair each, and runs at most.
_BATCH_WORK, _BATCH_BYTES, _BATCH_RUNS = 1 << 25, 1 << 26, 64
# Runs abreast: so many that half of the widest register is full, whose factors stay below this.
_ABREAST_BYTES = 1 << 28

RandomState = int | np.random.Generator | np.random.RandomState | None


@dataclass(frozen=True, eq=False)
class Factorization(Shown):
    """X ≈ W H and how it was found.

    Attributes
    ----------
    W : ndarray (n_samples, n_components)
    H : ndarray (n_components, n_features)
    status : Status
        Why the iterations ended; ``status.value`` is the advice.
    n_iter : int
    history : tuple of Step
        One row an accepted iteration.
    objective : float
        Loss plus penalties at (W, H), in float64.
    error : float
        ‖X − WH‖_F over the observed entries for frobenius, √(2 · divergence) for the other
        β-divergences (as scikit-learn's `reconstruction_err_`), the loss itself for huber, l1, l21.
    relative_error : float
        ‖X − WH‖_F / ‖X‖_F for frobenius; for the others the root of loss over its unit (Σx for
        kullback-leibler), or loss over its unit (Σ|x| for l1). 0 is exact.
    loss : str or float
    solver, init : str
        What "auto" became.
    n_observed : int
        Entries that were fitted.
    seed : int or None
        The seed, where one was given or drawn.
    delta : float or None
        Width of the Huber loss in the unit of X, None for other losses.
    row_names, column_names : tuple of str or None
        Names of samples and features, where the caller knows them.
    """

    W: FloatArray
    H: FloatArray
    status: Status
    n_iter: int
    history: tuple[Step, ...] = field(repr=False)
    objective: float
    error: float
    relative_error: float
    loss: str | float
    solver: str
    init: str
    n_observed: int
    seed: int | None = None
    delta: float | None = None
    row_names: tuple[str, ...] | None = field(default=None, repr=False)
    column_names: tuple[str, ...] | None = field(default=None, repr=False)

    @property
    def n_components(self) -> int:
        """The rank."""
        return int(self.H.shape[0])

    def __repr__(self) -> str:
        m, n = self.W.shape[0], self.H.shape[1]
        return (
            f"Factorization({m} × {n} ≈ {m} × {self.n_components} · {self.n_components} × {n}, "
            f"loss={self.loss!r}, relative error {self.relative_error:.4g}, "
            f"{self.status.name.lower()} after {self.n_iter} iterations)"
        )


def factorize(
    X: MatrixLike,
    n_components: int | None = None,
    *,
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
    W: NDArray[np.floating] | None = None,
    H: NDArray[np.floating] | None = None,
    n_init: int = 1,
    max_iter: int = 500,
    max_seconds: float | None = None,
    tol: float = 1e-4,
    accelerate: bool = True,
    n_threads: int | None = None,
    random_state: RandomState = None,
    callback: Callback | None = None,
) -> Factorization:
    """Factorize X ≈ W H with W, H ≥ 0.

    Parameters
    ----------
    X : ndarray or scipy sparse, shape (n_samples, n_features)
        Values ≥ 0. float32 is computed in float32; see `core/intake.py` for other types.
    n_components : int ≥ 1
        The rank k. May be left out when W and H are given.
    loss : {"frobenius", "kullback-leibler", "itakura-saito", "huber", "l1", "l21"} or float β
        Default "frobenius". See `core/losses.py` for the formulas.
    solver : {"auto", "hals", "ccd", "anls-bpp", "mu"}
        "auto" is hals for frobenius with every entry observed, ccd for missing or weighted
        entries, kullback-leibler and the robust losses, mu for every other β.
    init : {"auto", "random", "sampled", "compressed", "nndsvd", "nndsvda", "nndsvdar", "given"}
        "auto" is given when W and H are; sampled (a few iterations on a fifth of the rows, from a
        random start) for kullback-leibler on sparse X with many rows; compressed (nndsvda, then a
        few iterations on the truncated SVD of X) for frobenius on large dense X, neither with
        accelerate=False; nndsvda for frobenius and the β-divergences except kullback-leibler, with
        no entry missing and a rank up to the smaller side of X; else random.
    missing_values : nan or 0
        NaN cells of a dense X are missing in any case. 0: so are zeros, and absent entries of a
        sparse X. Default nan.
    weights : array or sparse, shape of X, optional
        Weight ≥ 0 of each cell in the loss; 0 is missing.
    alpha_W, alpha_H, l1_ratio : float
        Penalties with scikit-learn's scaling: ``alpha_W·n_features·(l1_ratio·ΣW +
        ½(1−l1_ratio)·‖W‖²)`` and ``alpha_H·n_samples·(…H…)``. Default 0; alpha_H "same" as alpha_W.
    ridge_per_entry : float ≥ 0
        ``½·ridge·Σᵢ nᵢ|wᵢ|²`` and the same for columns, nᵢ the observed entries of row i: the
        regularisation usual for ratings (Zhou et al. 2008). Default 0.
    upper_W, upper_H : float > 0, optional
        Upper bounds of the entries.
    fixed_W, fixed_H : array of the factor's shape, optional
        Values to keep; NaN where the factor is free. A row of H given in full is a fixed component.
    W, H : array, optional
        The start for init="given".
    n_init : int ≥ 1, default 1
        Runs from different starts, the first from `init`, the others random; the one with the
        lowest objective is kept. They share each pass over X where it is small, as those of
        `factorize_runs` do, unless a callback or max_seconds asks for one after the other.
    max_iter : int, default 500
    max_seconds : float, optional
        Wall-time limit of the whole call, looked at after each accepted iteration, those of a start
        included: checks, a start and one iteration are always done.
    tol : float, default 1e-4
        Stop when an iteration lowers the objective by less than tol/50 of it, or the scale-free
        KKT residual falls below tol/10. The unit of X makes no difference.
    accelerate : bool, default True
        Several sweeps a half-step and extrapolation with restarts. False is the textbook
        algorithm, one sweep at a time: slower, and the yardstick for the fast one.
    n_threads : int, optional
        Default: all cores. The result has the same bits for any number.
    random_state : int, Generator, RandomState or None
    callback : callable(Step) -> bool or None, optional
        Called after each accepted iteration; a true value stops the fit.

    Returns
    -------
    Factorization
        Ctrl-C returns the best factors so far, with status INTERRUPTED. While X is checked and the
        first start is made there are none, and it raises KeyboardInterrupt as elsewhere.

    Raises
    ------
    InputError
        Data or arguments that cannot be used; the message says what to do.
    TooLargeError
        If the factors would not fit into memory.

    Examples
    --------
    >>> import numpy as np
    >>> from nonneg import factorize
    >>> X = np.outer([1.0, 2.0, 3.0], [1.0, 0.0, 2.0])
    >>> fit = factorize(X, 1, random_state=0)
    >>> bool(np.allclose(fit.W @ fit.H, X))
    True

    References
    ----------
    Lee & Seung (1999), Nature 401; Gillis (2020), Nonnegative Matrix Factorization, SIAM.
    """
    started = time.perf_counter()
    rng, seed = as_generator(random_state)
    data = as_data(X, missing_values=missing_values, weights=weights, n_threads=n_threads)
    k = _rank(n_components, W, H, data)
    problem = make_problem(
        data,
        loss,
        k,
        alpha_W=alpha_W,
        alpha_H=alpha_H,
        l1_ratio=l1_ratio,
        ridge_per_entry=ridge_per_entry,
        upper_W=upper_W,
        upper_H=upper_H,
        fixed_W=fixed_W,
        fixed_H=fixed_H,
    )
    check_fit_memory(data, k, gram_form=problem.in_gram_form)
    chosen = choose_solver(solver, problem)
    start = _init_name(init, W, H, k, problem, chosen, accelerate)
    warn_of_rank(k, data)
    if callback is not None and not callable(callback):
        raise InputError(f"callback={callback!r} cannot be called · give a function of one Step")
    rule = make_rule(max_iter, tol, max_seconds, accelerate)
    deadline = Deadline(started, rule.max_seconds)
    runs = _starts(problem, start, k, W, H, whole_number("n_init", n_init), rng, deadline)
    # One after another where somebody watches or the time is limited: then the steps come in
    # order, and what the time allows is finished.
    alone = callback is not None or rule.max_seconds is not None
    begun = alternate_runs(
        problem,
        runs,
        chosen,
        rule,
        width=1 if alone else batch_width(problem, k),
        callback=None if callback is None else lambda _, step: callback(step),
        started=started,
    )
    best = min(range(len(begun)), key=lambda r: begun[r].objective)
    if begun[-1].status in (Status.INTERRUPTED, Status.STOPPED, Status.TIME_LIMIT):
        begun[best].status = begun[-1].status
    # Further runs differ only where the start is random.
    return finish(problem, chosen, [begun[best]], [start if best == 0 else "random"], [seed])[0]


def solve_left(
    X: MatrixLike,
    H: NDArray[np.floating],
    *,
    loss: str | float | Loss = "frobenius",
    solver: str = "auto",
    missing_values: float = math.nan,
    weights: MatrixLike | None = None,
    alpha_W: float = 0.0,
    l1_ratio: float = 0.0,
    ridge_per_entry: float = 0.0,
    upper_W: float | None = None,
    n_threads: int | None = None,
) -> FloatArray:
    """Return the W ≥ 0 that is optimal for X and a given H: the half-problem, solved fully.

    For a convex loss (β in [1, 2], huber, l1, l21) this is the optimum itself, unique when the
    components are independent, so rows already seen get the W that `factorize` returned.

    Parameters are those of `factorize`; H has shape (n_components, n_features).
    """
    data = as_data(
        X,
        missing_values=missing_values,
        weights=weights,
        n_threads=n_threads,
        allow_zero=True,
    )
    F = np.ascontiguousarray(np.asarray(H).T, dtype=data.dtype)
    if F.shape[0] != data.shape[1]:
        raise InputError(
            f"X has {data.shape[1]} features · H has {F.shape[0]} · pass the features of the fit"
        )
    problem = make_problem(
        data,
        loss,
        F.shape[1],
        alpha_W=alpha_W,
        alpha_H=0.0,
        l1_ratio=l1_ratio,
        ridge_per_entry=ridge_per_entry,
        upper_W=upper_W,
    )
    half = data.exponent // 2
    right = Factor(cast(FloatArray, np.ldexp(F, -half)))
    left = Factor(flat_start(data, right))
    problem.left.project(left.values)
    choose_solver(solver, problem).half_step(problem, left, right, exact=True)
    return cast(FloatArray, np.ldexp(left.values, data.exponent - half))


def as_generator(random_state: RandomState) -> tuple[np.random.Generator, int | None]:
    """Return a Generator, and the seed that repeats it where there is one."""
    if random_state is None:
        seed = int(np.random.SeedSequence().generate_state(1)[0])
        return np.random.default_rng(seed), seed
    if isinstance(random_state, np.random.Generator):
        return random_state, None
    if isinstance(random_state, np.random.RandomState):
        seed = int(random_state.randint(np.iinfo(np.int32).max))
        return np.random.default_rng(seed), seed
    if is_count(random_state, 0):
        return np.random.default_rng(int(random_state)), int(random_state)
    raise InputError(
        f"random_state={random_state!r} is no seed · it must be None, a whole number from 0, a "
        "Generator or a RandomState"
    )


def make_problem(
    data: DataMatrix,
    loss: str | float | Loss,
    k: int,
    *,
    alpha_W: float = 0.0,
    alpha_H: float | Literal["same"] = "same",
    l1_ratio: float = 0.0,
    ridge_per_entry: float = 0.0,
    upper_W: float | None = None,
    upper_H: float | None = None,
    fixed_W: NDArray[np.floating] | None = None,
    fixed_H: NDArray[np.floating] | None = None,
) -> Problem:
    """Check loss and penalties and put them in the unit of the stored data."""
    term = make_loss(loss).settled(data)
    term.check(data)
    alpha_W = finite_number("alpha_W", alpha_W)
    same = isinstance(alpha_H, str) and alpha_H == "same"
    alpha_right = alpha_W if same else finite_number("alpha_H", alpha_H)
    ratio = finite_number("l1_ratio", l1_ratio)
    if ratio > 1:
        raise InputError(f"l1_ratio={l1_ratio!r} · it is a share between 0 (L2) and 1 (L1)")
    ridge = finite_number("ridge_per_entry", ridge_per_entry)
    m, n = data.shape
    left = _penalty(alpha_W * n, ratio, ridge, n, data, upper_W, "upper_W")
    right = _penalty(alpha_right * m, ratio, ridge, m, data, upper_H, "upper_H")
    left = replace(left, fixed=_fixed("fixed_W", fixed_W, (m, k), left.upper))
    transposed = None if fixed_H is None else np.asarray(fixed_H).T
    right = replace(right, fixed=_fixed("fixed_H", transposed, (n, k), right.upper))
    if data.exponent:
        half = data.exponent // 2
        drop = -data.exponent * term.degree
        l1, l2 = _unscaled(1.0, half + drop), _unscaled(1.0, 2 * half + drop)
        size = math.ldexp(1.0, half)
        left, right = left.scaled(l1, l2, size), right.scaled(l1, l2, size)
    return Problem(data, term, left, right)


def _penalty(
    alpha: float,
    ratio: float,
    ridge: float,
    width: int,
    data: DataMatrix,
    upper: float | None,
    name: str,
) -> Penalty:
    bound = math.inf if upper is None else finite_number(name, upper)
    if bound == 0:
        raise InputError(f"{name}=0 leaves only zero · give an upper bound above 0, or None")
    l2 = alpha * (1 - ratio)
    if ridge and not data.has_holes:
        # Every row has all entries observed: the same ridge for all.
        l2, ridge = l2 + ridge * width, 0.0
    return Penalty(alpha * ratio, l2, ridge, 0.0, bound)


def _fixed(
    name: str, values: NDArray[np.floating] | None, shape: tuple[int, int], upper: float
) -> NDArray[np.float64] | None:
    if values is None:
        return None
    try:
        given = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise InputError(
            f"{name} holds no numbers · give the values to keep, NaN where free"
        ) from None
    if given.shape != shape:
        told = shape if name == "fixed_W" else shape[::-1]
        raise InputError(f"{name} has the wrong shape · it must be {told}, NaN where free")
    known = given[~np.isnan(given)]
    if known.size and (known.min() < 0 or known.max() > upper or np.isinf(known).any()):
        raise InputError(
            f"{name} holds values below 0 or above the bound · fix only feasible values"
        )
    return np.ascontiguousarray(given)


def finite_number(name: str, value: object) -> float:
    """Return a finite number from 0."""
    if (
        isinstance(value, bool)
        or not isinstance(value, (int, float, np.number))
        or not (0 <= float(value) < math.inf)
    ):
        raise InputError(f"{name}={value!r} · it must be a finite number from 0 · change it")
    return float(value)


def whole_number(name: str, value: object) -> int:
    """Return a count from 1."""
    if not is_count(value, 1):
        raise InputError(f"{name}={value!r} · it must be a whole number from 1 · change it")
    return int(cast(int, value))


def _rank(
    n_components: int | None,
    W: NDArray[np.floating] | None,
    H: NDArray[np.floating] | None,
    data: DataMatrix,
) -> int:
    if n_components is None:
        if W is None and H is None:
            raise InputError(
                "n_components is missing · the rank decides what is found · give a whole number "
                f"from 1 to {min(data.shape)} (the smaller side of X)"
            )
        start = np.asarray(W).T if W is not None else np.asarray(H)
        if start.ndim != 2:
            raise InputError(f"the start has shape {start.shape} · W and H are matrices · give 2-D")
        n_components = int(start.shape[0])
    return whole_number("n_components", n_components)


def warn_of_rank(k: int, data: DataMatrix) -> None:
    """Warn where a rank is higher than X can need."""
    side = min(data.shape)
    if k > side:
        warnings.warn(
            f"n_components={k} is more than the smaller side of X ({side}): rank {side} already "
            "reproduces X exactly",
            UserWarning,
            stacklevel=4,
        )


def _init_name(
    init: str,
    W: NDArray[np.floating] | None,
    H: NDArray[np.floating] | None,
    k: int,
    problem: Problem,
    solver: Solver,
    accelerate: bool,
) -> str:
    side = min(problem.data.shape)
    given = W is not None or H is not None
    if given and init in ("auto", "given"):
        return "given"
    if given:
        raise InputError(f'init={init!r} ignores W and H · they were given · use init="given"')
    if init == "given":
        raise InputError('init="given" starts from W and H · none was given · pass both')
    if init == "auto":
        # The SVD behind nndsvd is quadratic: outliers pull it, gaps blur it, and for counts under
        # Kullback–Leibler it costs more than it saves and ends no better (docs/adr/0007).
        # The textbook algorithm gets a textbook start.
        if accelerate and can_sample(problem, k):
            return "sampled"
        if accelerate and can_compress(problem, k, solver):
            return "compressed"
        quadratic = isinstance(problem.loss, BetaLoss) and problem.loss.beta != 1
        return "nndsvda" if quadratic and not problem.data.has_holes and k <= side else "random"
    if init == "sampled":
        if not can_sample(problem, k):
            raise InputError(
                'init="sampled" needs sparse X with 100 rows or more for each component, loss='
                '"kullback-leibler", and factors without penalties or bounds · use init="auto"'
            )
        return init
    if init == "compressed":
        if not can_compress(problem, k, solver):
            raise InputError(
                'init="compressed" needs dense X, complete and much larger than n_components on '
                'both sides, loss="frobenius", and factors without penalties or bounds · use '
                'init="auto"'
            )
        return init
    if init not in INITS:
        raise InputError(
            f"init={init!r} is unknown · the inits are auto, {', '.join(INITS)}, sampled, "
            "compressed, given · "
            "choose one"
        )
    if init != "random" and k > side:
        raise InputError(
            f"init={init!r} with n_components={k} needs at most {side} (the smaller side of X): "
            'lower n_components, or use init="random"'
        )
    return init


def make_rule(max_iter: int, tol: float, max_seconds: float | None, accelerate: bool) -> Rule:
    """Check when to stop."""
    seconds = None if max_seconds is None else finite_number("max_seconds", max_seconds)
    return Rule(
        whole_number("max_iter", max_iter), finite_number("tol", tol), seconds, bool(accelerate)
    )


def _starts(
    problem: Problem,
    init: str,
    k: int,
    W: NDArray[np.floating] | None,
    H: NDArray[np.floating] | None,
    n_init: int,
    rng: np.random.Generator,
    deadline: Deadline,
) -> Iterator[Run]:
    # Each run has its own random numbers, so that none depends on how the others went; the first
    # has those it would have alone.
    seeds = copy.deepcopy(rng)
    if init == "given":
        left, right = _given_factors(problem.data, W, H, k, rng)
        yield _run(problem, left, right, rng)
    elif init == "sampled":
        yield sampled_start(problem, k, rng, deadline)
    elif init == "compressed":
        yield compressed_start(problem, k, rng, deadline)
    else:
        yield start_run(problem, k, cast(Init, init), rng)
    for _ in range(n_init - 1):
        yield start_run(problem, k, "random", np.random.default_rng(draw_seed(seeds)))


def start_run(problem: Problem, k: int, init: Init, rng: np.random.Generator) -> Run:
    """Return a run of rank k at its start."""
    left, right = starting_factors(problem.data, k, init, rng)
    # An SVD has settled what a gentle beginning would.
    return _run(problem, left, right, rng, gentle=init == "random")


def draw_seed(rng: np.random.Generator) -> int:
    """Return a seed for one of many runs."""
    return int(rng.integers(2**32))


def _run(
    problem: Problem,
    left: FloatArray,
    right: FloatArray,
    rng: np.random.Generator,
    *,
    gentle: bool = True,
) -> Run:
    problem.left.project(left)
    problem.right.project(right)
    return Run(Factor(left), Factor(right), rng, gentle=gentle)


def batch_width(problem: Problem, k: int) -> int:
    """Return how many runs of rank k go side by side.

    Enough that a half-step of all keeps the threads busy, BLAS has wide products and a register
    its lanes; few enough that a batch's factors stay small (docs/adr/0010).
    """
    if problem.abreast:
        return _lanes(problem.data)
    work = problem.data.n_stored * k
    factors = _factor_bytes(problem.data, k)
    return int(max(1, min(_BATCH_WORK // max(work, 1), _BATCH_BYTES // factors, _BATCH_RUNS)))


def can_go_abreast(problem: Problem, k: int, n_runs: int) -> bool:
    """Whether so many runs of rank k, or less, go faster in a lane each (docs/adr/0020).

    For Kullback–Leibler on sparse data without weights or fixed entries.
    """
    data = problem.data
    return (
        isinstance(problem.loss, BetaLoss)
        and problem.loss.beta == 1
        and type(data) is Sparse
        and data.weights is None
        and problem.left.fixed is None
        and problem.right.fixed is None
        and 2 * n_runs >= _lanes(data)
        and _lanes(data) * _factor_bytes(data, k) <= _ABREAST_BYTES
    )


def _lanes(data: DataMatrix) -> int:
    return 64 // data.dtype.itemsize


def _factor_bytes(data: DataMatrix, k: int) -> int:
    return (data.shape[0] + data.shape[1]) * k * data.dtype.itemsize


def _given_factors(
    data: DataMatrix,
    W: NDArray[np.floating] | None,
    H: NDArray[np.floating] | None,
    k: int,
    rng: np.random.Generator,
) -> tuple[FloatArray, FloatArray]:
    m, n = data.shape
    half = data.exponent // 2
    left, right = starting_factors(data, k, "random", rng)
    for name, given, shape in (("W", W, (m, k)), ("H", H, (k, n))):
        if given is None:
            continue
        values = np.asarray(given)
        if values.shape != shape:
            raise InputError(f"{name} has shape {values.shape} · the start must be {shape}")
        if values.dtype.kind not in "biuf" or not np.isfinite(values).all() or values.min() < 0:
            raise InputError(
                f"{name} holds values that are no finite numbers ≥ 0 · give a start ≥ 0"
            )
        if values.max() > np.finfo(data.dtype).max:
            raise InputError(
                f"{name} has entries up to {float(values.max()):g} · they overflow {data.dtype}, "
                "the type of X · scale the start down"
            )
        if name == "W":
            shift = half - data.exponent
            left = np.ascontiguousarray(np.ldexp(values.astype(data.dtype), shift))
        else:
            right = np.ascontiguousarray(np.ldexp(values.astype(data.dtype), -half).T)
    return left, right


def finish(
    problem: Problem,
    solver: Solver,
    runs: Sequence[Run],
    inits: Sequence[str],
    seeds: Sequence[int | None],
) -> list[Factorization]:
    """Return the results of runs that have ended, in the unit of X.

    W is moved to its optimum for the final H, so that `transform` of the same rows agrees. Who
    stopped a fit, or let it run out of time, does not want to wait for that.
    """
    settled = [run for run in runs if run.status in (Status.CONVERGED, Status.MAX_ITER)]
    losses = {id(run): _loss(problem, run) for run in runs}
    try:
        if settled:
            _polish(problem, settled, losses)
    except KeyboardInterrupt:
        for run in settled:
            run.status = Status.INTERRUPTED
    return [
        _finished(problem, solver, init, run, losses[id(run)], seed)
        for run, init, seed in zip(runs, inits, seeds, strict=True)
    ]


def _loss(problem: Problem, run: Run) -> float:
    # In Gram form it is a difference of large numbers; before the first iteration there is none.
    if problem.in_gram_form or not run.history:
        return problem.loss_value(run.left, run.right)
    return run.objective - problem.penalty_value(run.left, run.right)


def _polish(problem: Problem, runs: Sequence[Run], losses: dict[int, float]) -> None:
    """Move the left factors to their optima, where that does not raise the objective."""
    solver = choose_solver("auto", problem)
    for start in range(0, len(runs), _BATCH_RUNS):
        pairs = []
        for run in runs[start : start + _BATCH_RUNS]:
            # A multiplicative update cannot leave zero, so it starts anew, as `solve_left` does.
            flat = solver.multiplicative
            left = Factor(flat_start(problem.data, run.right)) if flat else run.left.copy()
            problem.left.project(left.values)
            pairs.append((left, run.right))
        steps = solver.half_steps(problem, pairs, exact=True)
        for run, (left, right), step in zip(runs[start:], pairs, steps, strict=False):
            before = losses[id(run)] + problem.penalty_value(run.left, right)
            known = None if problem.in_gram_form else step.loss  # see `_loss`
            loss = problem.loss_value(left, right) if known is None else known
            after = loss + problem.penalty_value(left, right)
            if after <= before * (1 + 1e-6) + 1e-12 * problem.size:
                run.left, losses[id(run)] = left, loss


def _finished(
    problem: Problem, solver: Solver, init: str, run: Run, loss: float, seed: int | None
) -> Factorization:
    left, right = run.left, run.right
    assert run.status is not None
    objective = loss + problem.penalty_value(left, right)
    e, degree = problem.data.exponent, problem.loss.degree
    relative = max(loss, 0.0) / problem.size
    is_divergence = isinstance(problem.loss, BetaLoss)
    error = _unscaled(problem.loss.error(loss), e * degree / (2 if is_divergence else 1))
    history = run.history
    if e:
        history = [replace(s, objective=_unscaled(s.objective, e * degree)) for s in history]
    half = e // 2
    return Factorization(
        W=np.ldexp(left.values, e - half) if e else left.values,
        H=np.ascontiguousarray(np.ldexp(right.values, half).T if e else right.values.T),
        status=run.status,
        n_iter=run.n_iter,
        history=tuple(history),
        objective=_unscaled(objective, e * degree),
        error=error,
        relative_error=math.sqrt(relative) if is_divergence else relative,
        loss=problem.loss.name,
        solver=solver.name,
        init=init,
        n_observed=problem.data.n_observed,
        seed=seed,
        delta=problem.loss.delta if isinstance(problem.loss, HuberLoss) else None,
    )


def _unscaled(value: float, exponent: float) -> float:
    """Return value·2^exponent, at most the largest float (squares of 1e200 have no other name)."""
    if exponent == 0 or not math.isfinite(value):
        return value
    try:
        return float(value * 2.0**exponent)
    except OverflowError:
        return float(np.finfo(np.float64).max)
