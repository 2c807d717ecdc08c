"""Parts with a wish: as sparse as a dial says, hardly overlapping, disjoint, or smooth.

The kernels of the core move rows of a factor, and here whole parts are asked for something, so
parts are moved one at a time (HALS by columns, Cichocki & Phan 2009). With G = WᵀW, part h of
length n = ‖w‖ has its least-squares optimum at τ = h + (WᵀX − G H)/n², and

    sparseness  h ← the point of {h ≥ 0, Hoyer's measure = s} nearest to τ (Hoyer 2004; the exact
                projection by sorting, Potluru et al. 2013)
    local       + λ Σ_{s≠t} ‖w_s‖ ‖w_t‖ ⟨h_s, h_t⟩ : overlap costs, as in LNMF (Li et al. 2001).
                It has no unit, and is zero for parts that do not overlap at all
    orthogonal  every pixel is in one part: spherical k-means of pixels (Pompili et al. 2014)
    smoothness  + ½ μ Σ_t ‖w_t‖² Σ (h_p − h_q)² over neighbouring pixels, by majorisation

Each is the exact minimiser, or lies on a majoriser, of the objective in one part, so the objective
never rises. Pixels that are missing, or far off under a robust loss, take part of the model's
value: X becomes Y + ω (X − Y), 0 ≤ ω ≤ 1, which majorises the weighted squares.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from nonneg.core.alternate import Status, Step
from nonneg.errors import InputError

__all__ = ["VARIANTS", "Wishes", "fit_wishes", "project_sparseness"]

Array = NDArray[np.float64]

VARIANTS = ("plain", "local", "orthogonal")
# Sweeps over the parts for each pass over the images.
_SWEEPS = 2
# What remains of ½‖X‖² where a fit is exact but for rounding.
_EXACT = 1e-24
# Variance of entries, of which the largest is 1, that are equal but for rounding.
_EQUAL = 1e-12
_TOWARDS_ZERO = 1e-3
# The largest eigenvalue of the Laplacian of a grid is below twice its largest degree.
_LARGEST = 8.0
# Iterations at the beginning of which parts that died are given something to do.
_REVIVALS = 20


@dataclass(frozen=True)
class Wishes:
    """What is asked of parts besides fitting the images.

    Attributes
    ----------
    variant : {"plain", "local", "orthogonal"}
    overlap : float ≥ 0
        λ above, for the local variant.
    sparseness : float in (0, 1), optional
        Hoyer's measure of every part.
    smoothness : float ≥ 0
        μ above.
    """

    variant: str = "plain"
    overlap: float = 0.0
    sparseness: float | None = None
    smoothness: float = 0.0

    @property
    def any(self) -> bool:
        """Whether anything is asked for."""
        return self.variant != "plain" or self.sparseness is not None or self.smoothness > 0

    def check(self) -> None:
        """Raise `InputError` where the wishes make no sense."""
        if self.variant not in VARIANTS:
            raise InputError(
                f"variant={self.variant!r} is unknown · the variants are {', '.join(VARIANTS)} · "
                "choose one"
            )
        s = self.sparseness
        if s is not None and not (_is_number(s) and 0 < s < 1):
            raise InputError(
                f"sparseness={s!r} · 0 is a flat part and 1 a single pixel · give a number between "
                "them, or None"
            )
        for name, value in (("overlap", self.overlap), ("smoothness", self.smoothness)):
            if not (_is_number(value) and 0 <= value < math.inf):
                raise InputError(f"{name}={value!r} · it is a weight · give a finite number from 0")
        if self.variant == "orthogonal" and (s is not None or self.smoothness):
            raise InputError(
                "variant='orthogonal' puts every pixel into one part · sparseness and smoothness "
                "cannot be asked for as well · use variant='local'"
            )


def project_sparseness(target: NDArray[np.floating], sparseness: float) -> Array:
    """Return the vector ≥ 0 with this Hoyer sparseness that is nearest to `target`.

    Parameters
    ----------
    target : array (n,)
        Of any sign; n ≥ 2.
    sparseness : float in (0, 1)
        (√n − ‖h‖₁/‖h‖₂) / (√n − 1) of the result.

    Returns
    -------
    ndarray of float64 (n,)
        Zero where no vector of this sparseness is nearer than that.

    References
    ----------
    Hoyer, P. O. (2004). JMLR 5, 1457-1469. Potluru et al. (2013): the exact projection.

    Examples
    --------
    >>> from nonneg.metrics import hoyer_sparseness
    >>> near = project_sparseness(np.array([3.0, 2.0, 1.0, -1.0]), 0.6)
    >>> near.round(3).tolist()
    [3.208, 1.695, 0.183, 0.0]
    >>> round(hoyer_sparseness(near), 6)
    0.6
    """
    tau = np.asarray(target, dtype=np.float64)
    n = tau.size
    if not tau.size or tau.max() <= 0:
        return np.zeros(n)
    ratio = math.sqrt(n) - sparseness * (math.sqrt(n) - 1)  # ‖h‖₁ / ‖h‖₂
    # The direction u is (τ − θ)₊: with j entries left, mean m and variance v of them, the ratio is
    # j a / √(j (v + a²)) for a = m − θ. It falls as θ rises.
    order = np.argsort(-tau, kind="stable")
    sorted_tau = tau[order] / np.abs(tau).max()
    j = np.arange(1, n + 1)
    mean = np.cumsum(sorted_tau) / j
    spread = np.cumsum(sorted_tau**2) / j - mean**2
    following = np.append(sorted_tau[1:], -math.inf)
    with np.errstate(divide="ignore", invalid="ignore"):
        theta = mean - ratio * np.sqrt(np.maximum(spread, 0.0) / (j - ratio**2))
        fits = (j > ratio**2) & (theta < sorted_tau) & (theta >= following)
    # Entries that are equal but for rounding have no direction of their own.
    found = np.flatnonzero(fits & (spread > _EQUAL))
    if found.size:
        size = found[0] + 1
        direction = np.zeros(n)
        direction[order[:size]] = sorted_tau[:size] - theta[found[0]]
    else:
        direction = _flat_top(order, ratio, n)
    direction /= np.linalg.norm(direction)
    return np.asarray(direction * max(float(direction @ tau), 0.0))


def _flat_top(order: NDArray[np.intp], ratio: float, n: int) -> Array:
    """Where the largest entries are equal, any direction among them is as near: the first ones."""
    whole = min(int(ratio**2), n)
    h = np.zeros(n)
    h[order[:whole]] = 1.0
    if whole < n:
        # x of one more entry makes (whole + x)² = ratio² (whole + x²).
        a, b, c = 1 - ratio**2, 2.0 * whole, whole**2 - ratio**2 * whole
        x = (-b + math.sqrt(max(b * b - 4 * a * c, 0.0))) / (2 * a) if a else 0.0
        h[order[whole]] = min(max(x, 0.0), 1.0)
    return h


def fit_wishes(
    X: NDArray[np.floating],
    weights: NDArray[np.floating] | None,
    W: NDArray[np.floating],
    H: NDArray[np.floating],
    grid: tuple[int, int, int],
    wishes: Wishes,
    *,
    delta: float | None = None,
    max_iter: int = 500,
    tol: float = 1e-4,
    callback: Callable[[Step], bool | None] | None = None,
) -> tuple[Array, Array, Status, tuple[Step, ...]]:
    """Improve parts that start at W H under the wishes.

    Parameters
    ----------
    X : array (images, pixels)
        Anything where the weight is 0.
    weights : array (images, pixels), optional
        0 where a pixel is missing, else 1.
    W, H : array (images, k), (k, pixels)
        The start, as a plain fit leaves it.
    grid : (height, width, channels)
        How the pixels lie.
    delta : float, optional
        Width of the Huber loss; None is squared error.
    max_iter, tol, callback
        As in `factorize`.

    Returns
    -------
    W, H, Status, history
    """
    started = time.perf_counter()
    known: Array = np.ones((1, 1)) if weights is None else np.asarray(weights, dtype=np.float64)
    seen: Array = np.where(known > 0, np.asarray(X, dtype=np.float64), 0.0)
    state = _State(
        seen, known, np.array(W, np.float64), np.array(H, np.float64), grid, wishes, delta
    )
    history: list[Step] = []
    status, objective = Status.MAX_ITER, math.inf
    try:
        for n_iter in range(1, max_iter + 1):
            # One part is a short product: threads would cost more than they bring.
            with threadpool_limits(1, user_api="blas"):
                state.iterate(revive=n_iter <= _REVIVALS)
            now = state.objective()
            fall = objective - now
            objective = now
            residual = math.sqrt(max(min(fall, now), 0.0) / state.size)
            history.append(Step(n_iter, now, residual, time.perf_counter() - started, 0.0))
            if callback is not None and callback(history[-1]):
                status = Status.STOPPED
                break
            if fall <= 0.02 * tol * now or now <= _EXACT * state.size:
                status = Status.CONVERGED
                break
    except KeyboardInterrupt:
        if not history:
            raise
        status = Status.INTERRUPTED
    return np.ascontiguousarray(state.V.T), state.H, status, tuple(history)


class _State:
    """The factors under way."""

    def __init__(
        self,
        X: Array,
        known: Array,
        W: Array,
        H: Array,
        grid: tuple[int, int, int],
        wishes: Wishes,
        delta: float | None,
    ) -> None:
        self.X, self.known, self.delta = X, known, delta
        # Coefficients by part, so that those of one part lie side by side.
        self.V, self.H, self.grid, self.wishes = np.ascontiguousarray(W.T), H, grid, wishes
        self.size = max(0.5 * float(np.vdot(X, X)), np.finfo(float).tiny)
        self.whole = delta is None and bool(known.all())
        self.local = wishes.overlap if wishes.variant == "local" else 0.0
        if wishes.sparseness is not None:
            for t in range(len(H)):
                H[t] = project_sparseness(H[t], wishes.sparseness)

    def iterate(self, *, revive: bool) -> None:
        """Move all parts, then all coefficients."""
        Z = self._completed()
        if revive and self._revive(Z):
            self._move_coefficients(self.H @ self.H.T, self.H @ Z.T)
        if self.wishes.variant == "orthogonal":
            self._assign(Z)
        else:
            self._move_parts(self.V @ self.V.T, self.V @ Z)
        self._move_coefficients(self.H @ self.H.T, self.H @ Z.T)

    def objective(self) -> float:
        """The loss, and what the wishes cost."""
        R = np.abs(self.X - self.V.T @ self.H)
        if self.delta is None:
            loss = 0.5 * float(np.vdot(self.known * R, R))
        else:
            d = self.delta
            loss = float((self.known * np.where(d >= R, 0.5 * R**2, d * (R - 0.5 * d))).sum())
        n = np.linalg.norm(self.V, axis=1)
        if self.local:
            A = self.H * n[:, None]
            overlap = float(np.square(A.sum(axis=0)).sum() - np.vdot(A, A))
            loss += 0.5 * self.local * overlap
        if self.wishes.smoothness:
            rough = np.array([h @ self._laplacian(h) for h in self.H])
            loss += 0.5 * self.wishes.smoothness * float(n**2 @ rough)
        return loss

    def _completed(self) -> Array:
        """The images with the model where it is to be believed."""
        if self.whole:
            return self.X
        Y = self.V.T @ self.H
        share = self.known
        if self.delta is not None:
            far = np.maximum(np.abs(self.X - Y), self.delta)
            share = share * (self.delta / far)
        return np.asarray(Y + share * (self.X - Y))

    def _move_parts(self, G: Array, C: Array) -> None:
        H, mu, sparseness = self.H, self.wishes.smoothness, self.wishes.sparseness
        n = np.sqrt(np.diag(G))
        cost = G + self.local * (np.outer(n, n) - np.diag(n**2))
        for _ in range(_SWEEPS):
            for t in range(len(H)):
                if G[t, t] <= 0:
                    continue
                target = H[t] + (C[t] - cost[t] @ H) / G[t, t]
                if mu:
                    pulled = _LARGEST * H[t] - self._laplacian(H[t])
                    target = (target + mu * pulled) / (1 + _LARGEST * mu)
                if sparseness is None:
                    np.maximum(target, 0.0, out=H[t])
                else:
                    near = project_sparseness(target, sparseness)
                    # Towards zero, where nothing is nearer, but not to it: it has no sparseness.
                    H[t] = near if near.any() else H[t] * _TOWARDS_ZERO

    def _move_coefficients(self, K: Array, B: Array) -> None:
        V, mu = self.V, self.wishes.smoothness
        for t in range(len(K)) if mu else ():
            K[t, t] += mu * float(self.H[t] @ self._laplacian(self.H[t]))
        for _ in range(_SWEEPS):
            for t in range(len(K)):
                if K[t, t] <= 0:
                    continue
                v = np.maximum(V[t] + (B[t] - K[t] @ V) / K[t, t], 0.0)
                if self.local:
                    n = np.linalg.norm(V, axis=1)
                    cost = self.local * float(n @ K[:, t] - n[t] * K[t, t]) / K[t, t]
                    length = float(np.linalg.norm(v))
                    # A length that costs: the whole column shrinks towards zero.
                    v *= max(0.0, 1 - cost / length) if length else 0.0
                V[t] = v

    def _assign(self, Z: Array) -> None:
        """Give every pixel to the part that fits it best, in its best strength."""
        n = np.linalg.norm(self.V, axis=1)
        n[n == 0] = 1.0
        fits = (self.V / n[:, None]) @ Z
        best = fits.argmax(axis=0)
        columns = np.arange(Z.shape[1])
        self.H[:] = 0.0
        self.H[best, columns] = np.maximum(fits[best, columns], 0.0) / n[best]
        for t in np.flatnonzero(~self.H.any(axis=1)):
            # A part that lost all its pixels takes the one that is fitted worst.
            rest = np.square(Z).sum(axis=0) - np.maximum(fits[best, columns], 0.0) ** 2
            p = int(rest.argmax())
            if rest[p] <= _EXACT * self.size:
                continue
            self.V[t] = np.maximum(Z[:, p], 0.0)
            self.H[:, p], self.H[t, p] = 0.0, 1.0
            best[p], fits[t, p] = t, np.linalg.norm(Z[:, p])

    def _revive(self, Z: Array) -> bool:
        """Give parts that died what the worst-fitted image leaves over; the objective stays."""
        dead = np.flatnonzero(~(self.H.any(axis=1) & self.V.any(axis=1)))
        if not dead.size or self.wishes.variant == "orthogonal":
            return False
        rest = np.maximum(Z - self.V.T @ self.H, 0.0)
        worst = np.argsort(-np.square(rest).sum(axis=1), kind="stable")
        sparseness = self.wishes.sparseness
        for t, i in zip(dead, worst, strict=False):
            if rest[i].any():
                self.V[t] = 0.0
                self.H[t] = (
                    rest[i] if sparseness is None else project_sparseness(rest[i], sparseness)
                )
        return True

    def _laplacian(self, h: Array) -> Array:
        """Each pixel's differences from its neighbours, added up."""
        image = h.reshape(self.grid)
        out = np.zeros_like(image)
        down, right = np.diff(image, axis=0), np.diff(image, axis=1)
        out[:-1] -= down
        out[1:] += down
        out[:, :-1] -= right
        out[:, 1:] += right
        return np.asarray(out.ravel())


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float, np.number)) and not isinstance(value, bool)
