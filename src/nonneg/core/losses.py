"""Data terms: what it means for WH to be close to X.

Convention, stated once: a loss is a *sum* over the observed entries (weights multiply), the
quadratic ones carry the ½, and the objective is loss + penalties. So ``frobenius`` is
½‖X − WH‖², and the β-divergences (Févotte & Idier 2011) are those of scikit-learn. The robust
losses are minimised as weighted quadratics that touch them from above (Kong, Ding & Huang
2011 for ``l21``), the weights being recomputed in every half-step.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from nonneg.core.kernels import NativeLoss
from nonneg.errors import InputError

if TYPE_CHECKING:
    from nonneg.core.data import DataMatrix

__all__ = ["LOSSES", "BetaLoss", "HuberLoss", "L1Loss", "L21Loss", "Loss", "make_loss"]

Array = NDArray[np.float64]

# Fractions of the mean entry below which model values, residuals and norms are taken as zero.
_FLOOR = 1e-9
_L1_WIDTH = 1e-3
_NORM_WIDTH = 1e-3


class Loss(Protocol):
    """What the floors above may ask of a data term."""

    @property
    def name(self) -> str | float:
        """The spelling that `make_loss` turns into this loss."""

    @property
    def quadratic(self) -> bool:
        """Whether it is ½Σ(x − y)², so that Gram form applies where every entry is observed."""

    @property
    def nonzeros_suffice(self) -> bool:
        """Whether zeros of X contribute only through column sums (Kullback–Leibler)."""

    @property
    def degree(self) -> float:
        """Degree of homogeneity: loss(cX, cY) = c^degree · loss(X, Y)."""

    @property
    def T(self) -> Loss:
        """The same loss seen from Xᵀ."""

    def value(self, X: Array, Y: Array) -> float:
        """Return the loss of the model Y for the data X in float64 (rows are samples)."""

    def gradient(self, X: Array, Y: Array) -> Array:
        """Return its derivative with respect to Y."""

    def check(self, data: DataMatrix) -> None:
        """Raise `InputError` where `data` lie outside the domain."""

    def size(self, data: DataMatrix) -> float:
        """Return the loss's own unit for `data`, which makes errors and residuals relative."""

    def error(self, value: float) -> float:
        """Return the number people know: ‖X − WH‖_F for ½‖X − WH‖²."""

    def kernel(self, data: DataMatrix) -> NativeLoss:
        """Return the form the entry kernels take, its floors in the unit of `data`."""

    def settled(self, data: DataMatrix) -> Loss:
        """Return the loss with what it takes from the data fixed, so that it stays for new rows."""
        del data
        return self


@dataclass(frozen=True)
class BetaLoss(Loss):
    """β-divergence: 2 is Frobenius, 1 Kullback–Leibler, 0 Itakura–Saito."""

    beta: float = 2.0

    @property
    def name(self) -> str | float:
        return _NAMED_BETA.get(self.beta, self.beta)

    @property
    def quadratic(self) -> bool:
        return self.beta == 2

    @property
    def nonzeros_suffice(self) -> bool:
        return self.beta == 1

    @property
    def degree(self) -> float:
        return self.beta

    @property
    def T(self) -> BetaLoss:
        return self

    def value(self, X: Array, Y: Array) -> float:
        b = self.beta
        if b == 2:
            return float(0.5 * np.sum((X - Y) ** 2))
        if b == 1:
            positive = X > 0
            return float(
                np.sum(X[positive] * np.log(X[positive] / Y[positive])) - X.sum() + Y.sum()
            )
        if b == 0:
            return float(np.sum(X / Y - np.log(X / Y) - 1))
        total = np.sum(X**b + (b - 1) * Y**b - b * X * Y ** (b - 1))
        return float(total / (b * (b - 1)))

    def gradient(self, X: Array, Y: Array) -> Array:
        b = self.beta
        if b == 2:
            return Y - X
        return np.asarray(Y ** (b - 2) * (Y - X))

    def check(self, data: DataMatrix) -> None:
        if self.beta <= 0 and data.n_zero:
            raise InputError(
                f"loss={self.name!r} needs values above 0: {data.n_zero} observed entries are 0 · "
                "the divergence is infinite there · mark them as missing (missing_values=0), "
                'or use loss="kullback-leibler"'
            )

    def size(self, data: DataMatrix) -> float:
        if self.beta == 0:
            return data.weight_sum
        return data.power_sum(self.beta) * (0.5 if self.beta == 2 else 1.0)

    def error(self, value: float) -> float:
        return math.sqrt(2 * max(value, 0.0))

    def kernel(self, data: DataMatrix) -> NativeLoss:
        if self.quadratic:
            return NativeLoss()
        return NativeLoss("beta", beta=self.beta, floor=_FLOOR * data.unit)


@dataclass(frozen=True)
class HuberLoss(Loss):
    """½r² where |r| ≤ δ, δ(|r| − ½δ) beyond: squared error that outliers cannot pull.

    Parameters
    ----------
    delta : float, optional
        The width δ in the unit of X. Default: the mean observed entry, so that a residual
        counts as an outlier where it is as large as a typical value.
    """

    delta: float | None = None
    name: ClassVar[str] = "huber"
    quadratic: ClassVar[bool] = False
    nonzeros_suffice: ClassVar[bool] = False

    @property
    def degree(self) -> float:
        return 2.0

    @property
    def T(self) -> HuberLoss:
        return self

    def _width(self) -> float:
        return 1.0 if self.delta is None else self.delta

    def value(self, X: Array, Y: Array) -> float:
        r, d = np.abs(X - Y), self._width()
        return float(np.sum(np.where(r <= d, 0.5 * r**2, d * (r - 0.5 * d))))

    def gradient(self, X: Array, Y: Array) -> Array:
        return np.clip(Y - X, -self._width(), self._width())

    def check(self, data: DataMatrix) -> None:
        if self.delta is None:
            return
        if not isinstance(self.delta, (int, float, np.number)) or not 0 < self.delta < math.inf:
            raise InputError(f"HuberLoss(delta={self.delta!r}) · δ is a width · give it above 0")

    def size(self, data: DataMatrix) -> float:
        width = self.kernel(data).delta
        return min(width * data.power_sum(1.0), 0.5 * data.power_sum(2.0))

    def error(self, value: float) -> float:
        return value

    def kernel(self, data: DataMatrix) -> NativeLoss:
        width = data.unit if self.delta is None else self.delta * data.scale_factor
        return NativeLoss("huber", delta=width or 1.0)  # all zero: any width will do

    def settled(self, data: DataMatrix) -> HuberLoss:
        if self.delta is not None or data.unit == 0:
            return self
        return replace(self, delta=data.unit / data.scale_factor)


@dataclass(frozen=True)
class L1Loss(Loss):
    """Σ|x − y|, rounded off within a thousandth of the mean entry (a Huber loss that narrow)."""

    name: ClassVar[str] = "l1"
    quadratic: ClassVar[bool] = False
    nonzeros_suffice: ClassVar[bool] = False

    @property
    def degree(self) -> float:
        return 1.0

    @property
    def T(self) -> L1Loss:
        return self

    def value(self, X: Array, Y: Array) -> float:
        return float(np.sum(np.abs(X - Y)))

    def gradient(self, X: Array, Y: Array) -> Array:
        return np.sign(Y - X)

    def check(self, data: DataMatrix) -> None:
        del data

    def size(self, data: DataMatrix) -> float:
        return data.power_sum(1.0)

    def error(self, value: float) -> float:
        return value

    def kernel(self, data: DataMatrix) -> NativeLoss:
        width = _L1_WIDTH * data.unit or 1.0  # all zero: any width will do
        return NativeLoss("huber", delta=width, scale=1 / width)


@dataclass(frozen=True)
class L21Loss(Loss):
    """Σᵢ‖xᵢ − yᵢ‖₂ over samples: whole samples may be outliers (Kong, Ding & Huang 2011)."""

    samples_are_rows: bool = True
    name: ClassVar[str] = "l21"
    quadratic: ClassVar[bool] = False
    nonzeros_suffice: ClassVar[bool] = False

    @property
    def degree(self) -> float:
        return 1.0

    @property
    def T(self) -> L21Loss:
        return replace(self, samples_are_rows=not self.samples_are_rows)

    def value(self, X: Array, Y: Array) -> float:
        return float(np.linalg.norm(X - Y, axis=1 if self.samples_are_rows else 0).sum())

    def gradient(self, X: Array, Y: Array) -> Array:
        R = Y - X
        norms = np.linalg.norm(R, axis=1 if self.samples_are_rows else 0, keepdims=True)
        return np.asarray(R / np.maximum(norms, np.finfo(float).tiny))

    def check(self, data: DataMatrix) -> None:
        del data

    def size(self, data: DataMatrix) -> float:
        rows = data if self.samples_are_rows else data.T
        return float(np.sqrt(rows.row_square_sums()).sum())

    def error(self, value: float) -> float:
        return value

    def norm_width(self, data: DataMatrix) -> float:
        """Norm below which a sample counts as fitted exactly."""
        width = data.shape[1 if self.samples_are_rows else 0]
        weight = data.weight_sum / max(data.n_observed, 1)
        return _NORM_WIDTH * data.unit * math.sqrt(max(width, 1) * weight) or 1.0

    def kernel(self, data: DataMatrix) -> NativeLoss:
        if self.samples_are_rows:
            return NativeLoss("row-norm", delta=self.norm_width(data))
        return NativeLoss()  # quadratic with column weights: see `solvers/entries.py`


_NAMED_BETA: dict[float, str] = {2.0: "frobenius", 1.0: "kullback-leibler", 0.0: "itakura-saito"}

LOSSES: dict[str, Loss] = {
    "frobenius": BetaLoss(2.0),
    "kullback-leibler": BetaLoss(1.0),
    "itakura-saito": BetaLoss(0.0),
    "huber": HuberLoss(),
    "l1": L1Loss(),
    "l21": L21Loss(),
}


def make_loss(spec: str | float | Loss) -> Loss:
    """Turn a name, a float β or a loss into a loss.

    Raises
    ------
    InputError
        If the name is unknown or β is not finite.
    """
    if isinstance(spec, str):
        if spec not in LOSSES:
            raise InputError(
                f"loss={spec!r} is unknown · the losses are {', '.join(LOSSES)} and any float β · "
                "choose one of them"
            )
        return LOSSES[spec]
    if isinstance(spec, (int, float, np.number)) and not isinstance(spec, bool):
        if not math.isfinite(spec):
            raise InputError(
                f"loss={spec!r} · β must be finite · 2 is frobenius, 1 and 0 are KL and IS"
            )
        return BetaLoss(float(spec))
    if isinstance(spec, (BetaLoss, HuberLoss, L1Loss, L21Loss)):
        return spec
    raise InputError(
        f"loss={spec!r} is neither a name nor a float β · give one of {', '.join(LOSSES)}"
    )
