"""Whether the compiled part computes what it should on this machine.

A wrong compiler flag or a processor with its own idea of an instruction shows here before it
shows in a result. The kernels run once against the same formulas in plain numpy, and the example
of the talk is factorized and compared with its published error.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nonneg.core import kernels, reference
from nonneg.core.factorize import factorize
from nonneg.core.kernels import NativeLoss, Sweeps, Terms

__all__ = ["Check", "self_test"]

Matrix = NDArray[np.float64]

# The talk's ratings, users × shows, with 0 for "not available" fitted as zero.
_RATINGS = (
    (4.8, 4.7, 0, 4.6, 0, 0, 2.1),
    (4, 4.1, 4.8, 0, 4.9, 4.7, 1.5),
    (0, 3.5, 4, 0, 0, 4.6, 2.5),
    (4.9, 4, 0, 0, 0, 4.4, 0),
    (2.1, 4.4, 4.7, 0, 0, 4.9, 0),
)
_ERROR = 6.3505  # ‖X − WH‖_F at rank 2
_TOLERANCE: dict[np.dtype, float] = {np.dtype(np.float32): 1e-4, np.dtype(np.float64): 1e-10}


@dataclass(frozen=True)
class Check:
    """One comparison: what was compared, whether it agreed, and by how much."""

    name: str
    passed: bool
    detail: str


def self_test() -> list[Check]:
    """Run every check; takes some milliseconds and raises nothing."""
    return [
        _guarded("a known factorization", _known_answer),
        _guarded("kernels against plain numpy", _kernels_agree),
        _guarded("same bits for 1 and 2 threads", _same_bits),
    ]


def _guarded(name: str, check: Callable[[], tuple[bool, str]]) -> Check:
    try:
        return Check(name, *check())
    except Exception as error:  # whatever a broken build raises is the answer
        return Check(name, False, f"{type(error).__name__}: {error}")


def _known_answer() -> tuple[bool, str]:
    fit = factorize(np.array(_RATINGS), 2, init="nndsvd", tol=1e-9, max_iter=2000, random_state=0)
    return abs(fit.error - _ERROR) < 5e-5, f"error {fit.error:.4f}, published {_ERROR:.4f}"


def _kernels_agree() -> tuple[bool, str]:
    worst = 0.0
    for dtype in _TOLERANCE:
        worst = max(worst, _gram_difference(dtype), _entry_difference(dtype))
    return worst < 1, f"difference {worst:.2g} of what rounding allows"


def _gram_difference(dtype: np.dtype) -> float:
    X, F, W, stored = _example(dtype)
    terms, sweeps, gram = Terms(l1=0.1, l2=0.2), Sweeps(2), F.T @ F
    expected = W.copy()
    reference.gram_step(X, F, gram, expected, terms, sweeps)
    got = W.astype(dtype)
    kernels.gram_step(_csr(X, stored, dtype), F.astype(dtype), gram, got, terms, sweeps, 2)
    return _relative(got, expected)


def _entry_difference(dtype: np.dtype) -> float:
    X, F, W, stored = _example(dtype)
    worst, sweeps = 0.0, Sweeps(2)
    losses: list[tuple[NativeLoss, kernels.Layout]] = [
        (NativeLoss("quadratic"), "stored"),
        (NativeLoss("beta", beta=1.0, floor=1e-12), "nonzero"),
    ]
    for loss, layout in losses:
        expected = W.copy()
        reference.entry_step(
            X,
            F,
            expected,
            loss=loss,
            update="descend",
            layout=layout,
            terms=Terms(),
            sweeps=sweeps,
            stored=stored,
        )
        got = W.astype(dtype)
        kernels.entry_step(
            _csr(X, stored, dtype),
            F.astype(dtype),
            got,
            loss=loss,
            update="descend",
            layout=layout,
            terms=Terms(),
            sweeps=sweeps,
            n_threads=2,
        )
        worst = max(worst, _relative(got, expected))
    return worst


def _same_bits() -> tuple[bool, str]:
    X, *_ = _example(np.dtype(np.float64))
    fits = [factorize(X, 3, max_iter=20, tol=0, n_threads=n, random_state=0) for n in (1, 2)]
    same = np.array_equal(fits[0].W, fits[1].W) and np.array_equal(fits[0].H, fits[1].H)
    return same, "identical factors" if same else "the factors differ"


def _example(dtype: np.dtype) -> tuple[Matrix, Matrix, Matrix, NDArray[np.bool_]]:
    """X with holes, F and W in float64, of values that `dtype` holds exactly."""
    rng = np.random.default_rng(0)
    stored = rng.random((70, 40)) < 0.4
    stored[0] = False  # a row of which nothing is known
    drawn = (rng.uniform(0.1, 5, (70, 40)) * stored, rng.random((40, 9)), rng.random((70, 9)))
    X, F, W = (values.astype(dtype).astype(np.float64) for values in drawn)
    return X, F, W, stored


def _csr(X: Matrix, stored: NDArray[np.bool_], dtype: np.dtype) -> kernels.CsrKernel:
    indptr = np.concatenate([[0], np.cumsum(stored.sum(axis=1))])
    indices = np.nonzero(stored)[1].astype(np.int32)
    return kernels.csr_kernel(X.shape, indptr, indices, X[stored].astype(dtype))


def _relative(got: kernels.FloatArray, expected: Matrix) -> float:
    """The largest difference, in units of what rounding in this type explains."""
    if not np.isfinite(got).all():
        return float("inf")
    return float(np.abs(got - expected).max() / np.abs(expected).max()) / _TOLERANCE[got.dtype]
