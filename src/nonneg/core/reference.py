"""Every kernel again in plain numpy: the formulas as documentation, and the oracle of the tests.

Written from the mathematics in float64 with dense arithmetic and loops over rows, never fast.
Where a kernel of `kernels.py` takes sparse rows, the function here takes a dense `X`, with a
boolean array `stored` of the same shape that says which entries the sparse rows would hold.
Like the kernels, every step changes `W` in place.

Two differences are meant. Residuals and objectives are exact sums, not sums in chunk order; and
where `Sweeps.tolerance` is positive the Gram form stops for all rows at once, the kernel for each
few rows: compare the two with tolerance 0.

References: Cichocki & Phan 2009 (coordinate sweeps), Lawson & Hanson 1974 (exact nonnegative
least squares), Hsieh & Dhillon 2011 (Kullback–Leibler), Févotte & Idier 2011 (β-divergences).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls
from scipy.special import kl_div

from nonneg.core.kernels import Layout, NativeLoss, StepResult, Sweeps, Terms

__all__ = [
    "beta_divergence",
    "byte_products",
    "entry_step",
    "extrapolate",
    "gram_step",
    "gram_step_cross",
    "pivot_step_cross",
    "robust_weights",
    "row_loss",
    "times",
]

Array: TypeAlias = NDArray[np.float64]
Mask: TypeAlias = NDArray[np.bool_]


def times(X: Array, F: Array) -> Array:
    """Return X F."""
    return X @ F


def byte_products(rows: NDArray[np.int8], vector: NDArray[np.int16]) -> NDArray[np.int64]:
    """Return rows @ vector (n,)."""
    return rows.astype(np.int64) @ vector.astype(np.int64)


# --- Gram form: ½‖X − W Fᵀ‖² = ½‖X‖² − ⟨X F, W⟩ + ½⟨FᵀF, WᵀW⟩ -----------------------------------


def gram_step(
    X: Array, F: Array, gram: Array, W: Array, terms: Terms, sweeps: Sweeps
) -> StepResult:
    """Sweep the coordinates of each row of W against the cross product X F."""
    return gram_step_cross(times(X, F), gram, W, terms, sweeps)


def gram_step_cross(
    cross: Array, gram: Array, W: Array, terms: Terms, sweeps: Sweeps
) -> StepResult:
    """Sweep the coordinates of each row w of W against its cross product c.

    Each row minimises, over lower ≤ w ≤ upper,

        ½ w G w − c·w + l1 Σw + ½ l2 |w|²

    one coordinate at a time: w_t ← clip(w_t − gradient_t / curvature_t). A component that is
    empty in F has no curvature: it goes to zero (or its bound) if that costs less, else it stays.
    """
    k = W.shape[1]
    hessian = gram + terms.l2 * np.eye(k)
    free = _free(terms, W)
    residual = 0.0
    for sweep in range(sweeps.max_sweeps):
        moved = 0.0
        for t in range(k):
            curvature = float(hessian[t, t])
            if curvature <= 0:
                costly = free[:, t] & (cross[:, t] - terms.l1 < 0)
                W[costly, t] = max(terms.lower, 0.0)
                continue
            gradient = W @ hessian[:, t] - cross[:, t] + terms.l1
            target = np.clip(W[:, t] - gradient / curvature, terms.lower, terms.upper)
            move = np.where(free[:, t], target - W[:, t], 0.0)
            W[:, t] += move
            moved += curvature * float(move @ move)
        if sweep == 0:
            residual = moved
        if moved <= sweeps.tolerance**2 * residual:
            break
    return StepResult(float(np.sum(W * cross)), 0.0, residual, W.T @ W)


def pivot_step_cross(cross: Array, gram: Array, W: Array, terms: Terms) -> StepResult:
    """Solve each row exactly: minimise ½ w G w − c·w + l1 Σw + ½ l2 |w|² over w ≥ 0.

    With A the symmetric root of G + l2 I and A b = c − l1 this is nonnegative least squares,
    min ‖A w − b‖². (If components are dependent and l1 > 0, c − l1 may leave the range of A and
    the two problems differ.) A component that is empty in F becomes 0.
    """
    old = W.copy()
    hessian = gram + terms.l2 * np.eye(W.shape[1])
    live = np.diag(gram) > 0  # with empty ones, scipy 1.17's nnls may end above the optimum
    values, vectors = np.linalg.eigh(hessian[np.ix_(live, live)])
    kept = values > 1e-13 * values.max(initial=0.0)
    root, basis = np.sqrt(values[kept]), vectors[:, kept]
    A, inverse = (basis * root) @ basis.T, (basis / root) @ basis.T
    W[:] = 0.0
    for i in range(W.shape[0] if live.any() else 0):
        W[i, live] = nnls(A, inverse @ (cross[i, live] - terms.l1))[0]
    residual = float(np.sum(np.diag(hessian) * (W - old) ** 2))
    return StepResult(float(np.sum(W * cross)), 0.0, residual, W.T @ W)


def extrapolate(
    now: Array, before: Array, reach: float, lower: float, upper: float
) -> tuple[Array, Array]:
    """Return ``now + reach·(now − before)`` moved into the bounds, and its Gram matrix."""
    out = np.clip(now + reach * (now - before), lower, upper)
    return out, out.T @ out


# --- Losses of one row --------------------------------------------------------------------------


def beta_divergence(x: Array, y: Array, beta: float) -> Array:
    """Return the β-divergence of each entry x from its model value y > 0.

    β = 2: ½(x − y)²; β = 1: x log(x/y) − x + y; β = 0: x/y − log(x/y) − 1; else
    (x^β + (β − 1) y^β − β x y^(β−1)) / (β(β − 1)).
    """
    if beta == 2:
        return 0.5 * (x - y) ** 2
    if beta == 1:
        return np.asarray(kl_div(x, y), dtype=np.float64)
    if beta == 0:
        return x / y - np.log(x / y) - 1
    return (x**beta + (beta - 1) * y**beta - beta * x * y ** (beta - 1)) / (beta * (beta - 1))


def row_loss(x: Array, y: Array, omega: Array, loss: NativeLoss) -> float:
    """Return the data term of one row of entries x with model values y and weights ω.

    huber: scale·½r² where |r| ≤ δ, scale·δ(|r| − ½δ) beyond. row-norm: n = √Σωr², smoothed below
    δ in the same way: n − ½δ where n ≥ δ, else ½n²/δ.
    """
    r = np.abs(x - y)
    match loss.kind:
        case "quadratic":
            return float(np.sum(omega * 0.5 * r**2))
        case "beta":
            return float(np.sum(omega * beta_divergence(x, _floored(y, loss), loss.beta)))
        case "huber":
            near, far = 0.5 * r**2, loss.delta * (r - 0.5 * loss.delta)
            return float(np.sum(omega * loss.scale * np.where(r <= loss.delta, near, far)))
        case "row-norm":
            norm = float(np.sqrt(np.sum(omega * r**2)))
            return norm - 0.5 * loss.delta if norm >= loss.delta else 0.5 * norm**2 / loss.delta


def robust_weights(r: Array, omega: Array, loss: NativeLoss) -> Array:
    """Return the weights of the quadratic ½Σ weight·r² that touches the loss at r, above it.

    That is loss'(r)/r: huber ω·scale·min(1, δ/|r|); row-norm ω/max(norm, δ).
    """
    if loss.kind == "huber":
        size = np.maximum(np.abs(r), loss.delta)
        return omega * loss.scale * loss.delta / size
    if loss.kind == "row-norm":
        return omega / max(float(np.sqrt(np.sum(omega * r**2))), loss.delta)
    return omega


# --- Entry form ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Row:
    """The entries of one row that count: x ≈ B w with weights ω, and the penalty on w."""

    x: Array  # n
    B: Array  # n × k, the fixed factor's rows at these entries
    omega: Array  # n
    elsewhere: Array | None  # k, Σ b_t over observed zeros that are not among the entries
    free: Mask  # k
    loss: NativeLoss
    terms: Terms

    @property
    def l2(self) -> float:
        return self.terms.l2 + self.terms.l2_per_entry * self.x.size

    def sums(self) -> Array:
        """Return Σ ω b_t over all observed entries."""
        sums = self.omega @ self.B
        return sums if self.elsewhere is None else sums + self.elsewhere

    def clip(self, w: float) -> float:
        return min(max(w, self.terms.lower), self.terms.upper)

    def value(self, w: Array) -> float:
        """Return the data term. An observed zero elsewhere costs its model value (KL)."""
        y = self.B @ w
        value = row_loss(self.x, y, self.omega, self.loss)
        if self.elsewhere is None:
            return value
        # ΣWH over the whole row is exact here: the floor serves the logarithm only.
        return value + float(self.elsewhere @ w) - float(np.sum(_floored(y, self.loss) - y))


# A step on the coordinates ts of w: the new values before clipping and the curvatures, NaN where
# there is nothing to decide.
_Coordinates: TypeAlias = Callable[[NDArray[np.intp], Array], tuple[Array, Array]]
# Which coordinates at zero are worth a visit.
_Look: TypeAlias = Callable[[Array], Mask]


def _quadratic(row: _Row, w: Array) -> tuple[_Coordinates, _Look]:
    """Minimise over one coordinate exactly, the residuals being r = x − B w.

    w_t ← w_t + (Σ ω r b_t − l1 − l2 w_t) / (Σ ω b_t² + l2)

    Robust losses give ω at the residuals from which the half-step starts.
    """
    omega = robust_weights(row.x - row.B @ w, row.omega, row.loss)

    def step(ts: NDArray[np.intp], w: Array) -> tuple[Array, Array]:
        (t,) = ts
        b = row.B[:, t]
        curvature = float(np.sum(omega * b * b)) + row.l2
        if curvature <= 0:
            # It fits nothing; if it costs, there is no reason for it to be.
            target = max(row.terms.lower, 0.0) if row.terms.l1 > 0 else np.nan
            return np.array([target]), np.zeros(1)
        downhill = float(np.sum(omega * (row.x - row.B @ w) * b)) - row.terms.l1 - row.l2 * w[t]
        return np.array([w[t] + downhill / curvature]), np.array([curvature])

    return step, lambda w: np.ones(w.size, dtype=bool)


def _kullback_leibler(row: _Row, cautious: bool) -> tuple[_Coordinates, _Look]:
    """Minimise f(d) = Σ s_t d_t − Σ ω x log(y + B d) with a rational model of its derivatives.

    f_t' = s_t − φ_t with φ_t(d) = Σ ω x b_t / (y + B d). Matching g_t = φ_t(0) and the slopes
    c_ts = Σ ω x b_t b_s / y² by g_t²/(g_t + Σ c_ts d_s), one coordinate after the other goes to the
    root of its own: d_t = (g_t²/s_t − D_t)/c_tt with D_t = g_t + Σ c_ts d_s over those before it.
    With a ridge the slope s grows by l2 d, and d is the root of a quadratic. A step to the left
    keeps 1 % of w_t or, if `cautious`, at least what the multiplicative update w_t g/s would leave;
    what adds less than floor/1000 is zero.
    """
    sums = row.sums()

    def step(ts: NDArray[np.intp], w: Array) -> tuple[Array, Array]:
        g, c = _slopes(row, ts, w)
        targets, curvatures = np.full(ts.size, np.nan), np.zeros(ts.size)
        moves = np.zeros(ts.size)
        for i, t in enumerate(ts):
            targets[i], curvatures[i] = _root(
                row, g[i], c[i, i], g[i] + c[i, :i] @ moves[:i], w[t], sums[t], cautious
            )
            if not np.isnan(targets[i]):
                moves[i] = row.clip(targets[i]) - w[t]
        return targets, curvatures

    def look(w: Array) -> Mask:
        g = (row.omega * row.x / _floored(row.B @ w, row.loss)) @ row.B
        return np.asarray((w != 0) | (row.terms.lower > 0) | (g > sums + row.terms.l1))

    return step, look


def _slopes(row: _Row, ts: NDArray[np.intp], w: Array) -> tuple[Array, Array]:
    """Return g_t = Σ ω x b_t / y of some components, and c_ts = Σ ω x b_t b_s / y²."""
    q = row.B[:, ts] / _floored(row.B @ w, row.loss)[:, None]
    return (row.omega * row.x) @ q, q.T @ (q * (row.omega * row.x)[:, None])


def _root(
    row: _Row, g: float, h: float, D: float, start: float, column_sum: float, cautious: bool
) -> tuple[float, float]:
    """Return where φ of one component meets its slope, and what a move is worth over its square.

    NaN where nothing decides.
    """
    s = column_sum + row.terms.l1 + row.l2 * start
    if s <= 0 or (h <= 0 and g > 0):
        return np.nan, 0.0  # the component is empty on both sides
    if g <= 0:
        return 0.0, s / (start if start > 0 else 1.0)
    if row.l2 > 0:
        rest, linear = g**2 - s * D, s * h + row.l2 * D
        target = start + 2 * rest / (linear + np.sqrt(linear**2 + 4 * row.l2 * h * rest))
    else:
        target = start + (g**2 / s - D) / h
    if target < start:
        target = max(target, start * (g / s if cautious else 0.01))
        if target * column_sum < 1e-3 * row.loss.floor:
            target = 0.0
    return target, h + row.l2


def _descend_model(row: _Row, w: Array, sweeps: Sweeps) -> float:
    """Sweep the model of up to five components twice; then make it anew.

    As `_kullback_leibler`, but with D_t = g_t + Σ c_ts d_s over all others. Returns
    Σ curvature·move² of the first sweep.
    """
    sums, k = row.sums(), w.size
    joint, of_model = 5, 2
    first = 0.0
    for done in range(0, sweeps.max_sweeps, of_model):
        moved = 0.0
        for ts in (np.arange(t, min(t + joint, k)) for t in range(0, k, joint)):
            g, c = _slopes(row, ts, w)
            start = w[ts].copy()
            for sweep in range(min(of_model, sweeps.max_sweeps - done)):
                for i, t in enumerate(ts):
                    others = c[i] @ (w[ts] - start) - c[i, i] * (w[t] - start[i])
                    target, curvature = _root(
                        row, g[i], c[i, i], g[i] + others, start[i], sums[t], False
                    )
                    move = 0.0 if np.isnan(target) else row.clip(target) - w[t]
                    w[t] += move
                    moved += curvature * move**2 * (sweep == 0)
        if done == 0:
            first = moved
        if moved <= sweeps.tolerance**2 * first:
            break
    return first


def _descend(
    row: _Row, w: Array, step: _Coordinates, look: _Look | None, sweeps: Sweeps, block: int
) -> float:
    """Sweep the free coordinates; return Σ curvature·move² of the first sweep.

    Sweeps after the first leave zeros alone, except each eighth and the one that confirms the end.
    Without a look all are visited always.
    """
    first = 0.0
    everything = True
    active = np.flatnonzero(row.free)
    for sweep in range(sweeps.max_sweeps):
        if everything and look is not None:
            active = np.flatnonzero(row.free & look(w))
        moved = 0.0
        for start in range(0, active.size, block):
            ts = active[start : start + block]
            targets, curvatures = step(ts, w)
            for t, target, curvature in zip(ts, targets, curvatures, strict=True):
                move = 0.0 if np.isnan(target) else row.clip(target) - w[t]
                w[t] += move
                moved += curvature * move**2
        if look is not None:
            active = active[w[active] != 0]
        if sweep == 0:
            first = moved
        goal = sweeps.tolerance**2 * first
        if moved <= goal and (everything or look is None):
            break
        everything = moved <= max(goal, 1e-10 * first) or sweep % 8 == 7
    return first


def _multiply(row: _Row, w: Array, sweeps: Sweeps) -> float:
    """Multiply all components at once by the ratio of the two parts of their gradients.

    w ← w·(Σ ω x y^(β−2) b / (Σ ω y^(β−1) b + l1 + l2 w))^γ with
    γ = 1/(2 − β) below β = 1, 1/(β − 1) above β = 2, else 1. Where both sums vanish nothing
    speaks for the component and it becomes 0; where only the lower one does, it stays.
    Returns Σ −gradient·move of the first update.
    """
    beta = row.loss.beta
    gamma = 1 / (2 - beta) if beta < 1 else 1 / (beta - 1) if beta > 2 else 1.0
    first = 0.0
    for sweep in range(sweeps.max_sweeps):
        y = _floored(row.B @ w, row.loss)
        up = (row.omega * row.x * y ** (beta - 2)) @ row.B
        down = (row.omega * y ** (beta - 1)) @ row.B + row.terms.l1 + row.l2 * w
        if row.elsewhere is not None:
            down += row.elsewhere
        ratio = np.where(up > 0, 1.0, 0.0)
        np.divide(up, down, out=ratio, where=down > 0)
        target = np.clip(w * ratio**gamma, row.terms.lower, row.terms.upper)
        move = np.where(row.free, target - w, 0.0)
        w += move
        moved = float((up - down) @ move)
        if sweep == 0:
            first = moved
        # A start outside the bounds may have to climb: what counts is the size.
        if abs(moved) <= sweeps.tolerance**2 * abs(first):
            break
    return first


def entry_step(
    X: Array,
    F: Array,
    W: Array,
    *,
    loss: NativeLoss,
    update: Literal["descend", "multiply", "measure"],
    layout: Layout,
    terms: Terms,
    sweeps: Sweeps,
    stored: Mask | None = None,
    weights: Array | None = None,
    column_weights: Array | None = None,
    cautious: bool = False,
    measure: bool = True,
    side_by_side: bool = False,
    abreast: bool = False,
) -> StepResult:
    """Entry-form half-step, or only the measurement of the loss (`update="measure"`).

    `layout` and the rest are as in `kernels.entry_step`; `stored` (default: everything) says
    which entries the sparse rows would hold, `weights` (shape of X) what each of them weighs, and
    `side_by_side` that rows share their lanes, so that none can leave a component out, `abreast`
    that the steps are those of runs that do (`native/include/nonneg/abreast.hpp`).
    """
    total = residual = 0.0
    free = _free(terms, W)
    for i in range(W.shape[0]):
        inside = np.ones(X.shape[1], dtype=bool)
        if layout != "full" and stored is not None:
            inside = stored[i]
        omega = np.ones(X.shape[1]) if weights is None else weights[i]
        if column_weights is not None:
            omega = omega * column_weights
        elsewhere = F[~inside].sum(axis=0) if layout == "nonzero" else None
        row = _Row(X[i, inside], F[inside], omega[inside], elsewhere, free[i], loss, terms)
        w = W[i]
        if update != "measure" and not inside.any():
            w[row.free] = max(terms.lower, 0.0)
        if update == "multiply":
            residual += _multiply(row, w, sweeps)
        elif update == "descend":
            rational = loss.kind == "beta"
            if abreast:
                residual += _descend_model(row, w, sweeps)
            else:
                step, look = _kullback_leibler(row, cautious) if rational else _quadratic(row, w)
                block = 3 if rational and not cautious else 1
                residual += _descend(row, w, step, None if side_by_side else look, sweeps, block)
        if measure:
            total += row.value(w)
    return StepResult(0.0, total, residual, np.empty((0, 0)))


def _floored(y: Array, loss: NativeLoss) -> Array:
    """Model values as a β-divergence sees them; ½(x − y)² needs no floor."""
    return np.maximum(y, loss.floor) if loss.kind != "beta" or loss.beta != 2 else y


def _free(terms: Terms, W: Array) -> Mask:
    return np.ones(W.shape, dtype=bool) if terms.fixed is None else terms.fixed == 0
