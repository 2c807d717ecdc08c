"""How good a picture is beside another, and what a rank costs in bytes.

PSNR, and SSIM as Wang et al. (2004) define it: Gaussian windows of σ = 1.5 and 11 × 11 pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from nonneg.core.factorize import RandomState, factorize
from nonneg.errors import InputError

__all__ = ["Compression", "compression", "psnr", "ssim"]

Array = NDArray[np.floating]

# A factor is kept as half-precision numbers.
_BYTES = 2
_SIGMA, _TRUNCATE, _MARGIN = 1.5, 3.5, 5
_K1, _K2 = 0.01, 0.03


@dataclass(frozen=True)
class Compression:
    """What a rank keeps of the pictures, and what it costs.

    Attributes
    ----------
    method : {"nonneg", "svd"}
    rank : int
    bytes, ratio : int, float
        Of the factors in half precision, and how often that goes into one byte a pixel.
    psnr, ssim : float
        Means over the pictures; PSNR in decibels.
    """

    method: str
    rank: int
    bytes: int
    ratio: float
    psnr: float
    ssim: float


def psnr(image: Array, other: Array, peak: float = 1.0) -> float:
    """Return the peak signal to noise ratio in decibels; infinite where both are the same.

    Examples
    --------
    >>> round(psnr(np.zeros((4, 4)), np.full((4, 4), 0.1)), 6)
    20.0
    """
    error = float(np.mean(np.square(np.asarray(image, np.float64) - np.asarray(other, np.float64))))
    return float("inf") if error == 0 else float(10 * np.log10(peak**2 / error))


def ssim(image: Array, other: Array, peak: float = 1.0) -> float:
    """Return the structural similarity of two pictures (height, width), at most 1.

    Examples
    --------
    >>> ssim(np.eye(16), np.eye(16))
    1.0
    """
    x, y = np.asarray(image, np.float64), np.asarray(other, np.float64)
    if x.ndim != 2 or x.shape != y.shape or min(x.shape) < 2 * _MARGIN + 1:
        raise InputError(
            f"pictures of {x.shape} and {y.shape} · SSIM compares windows of 11 × 11 pixels in two "
            "pictures of one size · give larger ones, or one channel"
        )

    def mean(values: Array) -> Array:
        return gaussian_filter(values, _SIGMA, truncate=_TRUNCATE)

    ux, uy = mean(x), mean(y)
    vx, vy, vxy = mean(x * x) - ux**2, mean(y * y) - uy**2, mean(x * y) - ux * uy
    c1, c2 = (_K1 * peak) ** 2, (_K2 * peak) ** 2
    top = (2 * ux * uy + c1) * (2 * vxy + c2)
    bottom = (ux**2 + uy**2 + c1) * (vx + vy + c2)
    inner = slice(_MARGIN, -_MARGIN)
    return float((top / bottom)[inner, inner].mean())


def compression(
    pixels: Array,
    ranks: Sequence[int],
    *,
    random_state: RandomState = 0,
    n_threads: int | None = None,
) -> list[Compression]:
    """Return quality and bytes against rank, of NMF and of the truncated SVD.

    Parameters
    ----------
    pixels : array (n, height, width, channels)
        Complete, from 0 to 1.
    ranks : sequence of int
    """
    n = len(pixels)
    X = np.asarray(pixels).reshape(n, -1)
    if np.isnan(X).any():
        raise InputError("pixels are missing · their loss cannot be measured · repair them first")
    found = []
    U, S, Vt = np.linalg.svd(X.astype(np.float64), full_matrices=False)
    for rank in ranks:
        fit = factorize(X, rank, random_state=random_state, n_threads=n_threads)
        root = np.sqrt(S[:rank])
        pairs = {"nonneg": (fit.W, fit.H), "svd": (U[:, :rank] * root, root[:, None] * Vt[:rank])}
        for method, (W, H) in pairs.items():
            kept = W.astype(np.float16).astype(np.float64) @ H.astype(np.float16).astype(np.float64)
            size = _BYTES * (W.size + H.size)
            found.append(
                Compression(
                    method, int(rank), size, X.size / size, *_quality(pixels, kept.clip(0, 1))
                )
            )
    return found


def _quality(pixels: Array, kept: Array) -> tuple[float, float]:
    shown = kept.reshape(pixels.shape)
    noise = np.mean(np.square(pixels.astype(np.float64) - shown), axis=(1, 2, 3))
    decibels = -10 * np.log10(np.maximum(noise, 1e-12))
    if min(pixels.shape[1:3]) < 2 * _MARGIN + 1:
        return float(decibels.mean()), float("nan")
    similar = [
        ssim(one[..., c], other[..., c])
        for one, other in zip(pixels, shown, strict=True)
        for c in range(pixels.shape[-1])
    ]
    return float(decibels.mean()), float(np.mean(similar))
