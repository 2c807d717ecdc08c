"""What missing pixels were: the parts' estimate, and what is left over beside them.

Known pixels say how much of each part a picture holds, but for parts that lie in the hole they say
nothing: there it counts how the coefficients of the fitted pictures go together. The estimate is
the most probable w ≥ 0 under that normal distribution and equal noise in all pixels, a small
nonnegative least-squares problem a picture (by block principal pivoting, Kim & Park 2011).

Parts say what the whole picture tells about a hole. What they leave over at pixels next to it says
the rest: the leftovers are averaged with weights that fall with distance (normalised convolution,
Knutsson & Westin 1993), and count for less the farther away they are. How wide to look is chosen on
known pixels that were held out.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from scipy.sparse.linalg import spsolve
from threadpoolctl import threadpool_limits

from nonneg.core.kernels import Terms, default_threads, pivot_step_cross

__all__ = ["REACHES", "Prior", "from_around", "leftovers", "solve_known"]

Pixels = NDArray[np.floating]

# Widths of the weights, in pixels.
REACHES = (0.5, 0.7, 1.0)
# Weight of "nothing is left over" beside the known neighbours'.
_DOUBT = 0.01
# Noise of neighbouring pixels is alike, so that they are worth fewer independent ones. Error on
# rows 3 to 5 of 297 digits, 25 parts, in shades of 16, for 1, 3, 10, 30: 3.9, 3.8, 3.8, 4.0 (a
# ridge: 6.2, the mean digit: 4.6); ORL with hidden squares: .0998, .0994, .0990, .1002.
_CAUTION = 3.0
_TINY = 1e-6
# Of the mean diagonal of a Gram matrix: so little keeps parts apart that nothing known tells apart.
_LOST = 1e-12


@dataclass(frozen=True, eq=False)
class Prior:
    """How coefficients of pictures are distributed, in units of the noise of a pixel.

    Attributes
    ----------
    mean : ndarray (k,)
    precision : ndarray (k, k)
        Inverse covariance times the variance of the noise.
    """

    mean: NDArray[np.float64]
    precision: NDArray[np.float64]

    @staticmethod
    def of(W: NDArray[np.floating], noise: float) -> Prior:
        """Learn it from coefficients (n, k) and the mean squared residual of a pixel."""
        W = W.astype(np.float64)
        mean = W.mean(axis=0)
        spread = (W - mean).T @ (W - mean) / max(len(W) - 1, 1)
        k = len(mean)
        size = float(np.trace(spread)) / k or float(np.square(mean).mean()) or 1.0
        spread += _TINY * size * np.eye(k)
        return Prior(mean, _CAUTION * noise * np.linalg.inv(spread))

    def reordered(self, order: NDArray[np.intp]) -> Prior:
        """The same for parts in another order."""
        return Prior(self.mean[order], self.precision[np.ix_(order, order)])

    def solve(self, X: Pixels, H: Pixels, *, n_threads: int | None = None) -> NDArray[np.float64]:
        """Return the most probable coefficients of pictures with holes (NaN)."""
        pull = self.precision @ self.mean
        return solve_known(X, H, self.precision, pull, n_threads=n_threads)


def solve_known(
    X: Pixels,
    H: Pixels,
    precision: NDArray[np.float64] | None = None,
    pull: NDArray[np.float64] | None = None,
    *,
    ridge_per_entry: float = 0.0,
    n_threads: int | None = None,
) -> NDArray[np.float64]:
    """Return W ≥ 0 that is optimal for the known pixels (not NaN) of each picture.

    Each row w minimises ½‖x − wH‖² + ½ wPwᵀ − w pull + ½ n ridge ‖w‖² for n known pixels: a small
    nonnegative least-squares problem with a Gram matrix of its own.
    """
    H = H.astype(np.float64)
    k = len(H)
    known = ~np.isnan(X)
    cross = np.where(known, X, 0.0).astype(np.float64) @ H.T
    if pull is not None:
        cross += pull
    whole = H @ H.T
    fixed = np.zeros((k, k)) if precision is None else precision
    W = np.maximum(cross, 0.0)

    def one(i: int) -> None:
        seen = known[i]
        n = int(seen.sum())
        # Of the known pixels, or of all but the missing ones, whichever are fewer.
        few = 2 * n <= len(seen)
        part = H[:, seen if few else ~seen]
        G = fixed + (part @ part.T if few else whole - part @ part.T)
        G[np.diag_indices(k)] += ridge_per_entry * n + _LOST * (float(np.trace(G)) / k or 1.0)
        pivot_step_cross(cross[i : i + 1], G, W[i : i + 1], Terms(), 1)

    threads = default_threads() if n_threads is None else n_threads
    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(threads) as pool:
        list(pool.map(one, range(len(X))))
    return W


def leftovers(rest: Pixels, reach: float) -> NDArray[np.float64]:
    """Return what images (n, height, width, channels) leave over, NaN filled from known pixels."""
    known = ~np.isnan(rest)
    width = (0, reach, reach, 0)
    # Zero beyond the border: no pixel is known there.
    total = gaussian_filter(np.where(known, rest, 0.0), width, mode="constant", truncate=6.0)
    weight = gaussian_filter(known.astype(np.float64), width, mode="constant", truncate=6.0)
    return np.asarray(total / (np.maximum(weight, 0.0) + _DOUBT))


def from_around(H: Pixels, seen: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Fill pixels of parts (k, pixels) that no picture knows: each is the mean of its neighbours.

    Parameters
    ----------
    seen : ndarray of bool (height, width, channels)
        Pixels that some picture knows. A channel without any stays black.
    """
    number = np.arange(seen.size).reshape(seen.shape)
    pairs = np.concatenate(
        [
            np.stack([number[:-1].ravel(), number[1:].ravel()], axis=1),
            np.stack([number[:, :-1].ravel(), number[:, 1:].ravel()], axis=1),
        ]
    )
    one, other = np.concatenate([pairs, pairs[:, ::-1]]).T
    beside = sp.csr_array((np.ones(len(one)), (one, other)), shape=(seen.size, seen.size))
    unknown = np.flatnonzero(~seen.ravel())
    known = np.flatnonzero(seen.ravel())
    rows = beside[unknown]
    system = sp.diags_array(rows.sum(axis=1) + _LOST) - rows[:, unknown]
    filled = np.array(H, dtype=np.float64)
    border = rows[:, known] @ filled[:, known].T
    solved = spsolve(system.tocsc(), border).reshape(len(unknown), len(H))
    filled[:, unknown] = np.maximum(solved.T, 0.0)
    return filled
