"""One factorization problem: data, loss, penalties. Immutable; `.T` swaps the sides."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from nonneg.core.data import DataMatrix
from nonneg.core.kernels import FloatArray
from nonneg.core.losses import L21Loss, Loss
from nonneg.core.penalties import Penalty

__all__ = ["Factor", "Problem"]

# Below this ratio of loss to ½‖X‖² the difference of large numbers loses too many digits.
_CANCELLATION = {np.dtype(np.float32): 1e-3, np.dtype(np.float64): 1e-7}


class Factor:
    """A factor (rows × k) and, once somebody needs it, its k × k Gram matrix in float64."""

    def __init__(self, values: FloatArray, gram: NDArray[np.float64] | None = None) -> None:
        self.values = values
        self._gram = gram

    @property
    def gram(self) -> NDArray[np.float64]:
        """FᵀF."""
        if self._gram is None:
            self._gram = (self.values.T @ self.values).astype(np.float64)
        return self._gram

    @gram.setter
    def gram(self, value: NDArray[np.float64] | None) -> None:
        self._gram = value

    def copy(self) -> Factor:
        """Return an independent copy."""
        return Factor(self.values.copy(), self._gram)


@dataclass(frozen=True)
class Problem:
    """Minimise ``loss(X, left rightᵀ) + penalties`` over both factors.

    Attributes
    ----------
    data : DataMatrix, shape (m, n)
    loss : Loss
    left, right : Penalty
        On the factor of the rows (m × k) and of the columns (n × k).
    abreast : bool
        Whether the kernels take runs side by side, one in each lane of a register
        (docs/adr/0020): for many runs only.
    """

    data: DataMatrix
    loss: Loss
    left: Penalty = field(default_factory=Penalty)
    right: Penalty = field(default_factory=Penalty)
    abreast: bool = False

    @property
    def T(self) -> Problem:
        """The same problem with rows and columns, left and right swapped."""
        return replace(self, data=self.data.T, loss=self.loss.T, left=self.right, right=self.left)

    @property
    def in_gram_form(self) -> bool:
        """Whether X enters the half-step only through X F: quadratic, nothing missing."""
        return self.loss.quadratic and not self.data.has_holes

    @cached_property
    def size(self) -> float:
        """The loss's own unit for these data: what residuals and errors are relative to."""
        return max(self.loss.size(self.data), np.finfo(float).tiny)

    def penalty_value(self, left: Factor, right: Factor) -> float:
        """Return the sum of the penalties of both factors."""
        return self.left.value(left.values, self._counts(self.left, self.data)) + self.right.value(
            right.values, self._counts(self.right, self.data.T)
        )

    def loss_value(self, left: Factor, right: Factor) -> float:
        """Return the loss in float64, computed from the factors alone."""
        if isinstance(self.loss, L21Loss) and not self.loss.samples_are_rows:
            return self.T.loss_value(right, left)
        if self.in_gram_form:
            half = 0.5 * self.data.square_sum
            cross = np.einsum(
                "ij,ij->", self.data.cross(right.values), left.values, dtype=np.float64
            )
            left_gram = left.values.T.astype(np.float64) @ left.values
            right_gram = right.values.T.astype(np.float64) @ right.values
            value = half - float(cross) + 0.5 * float(np.sum(left_gram * right_gram))
            if value > _CANCELLATION[self.data.dtype] * half:
                return value
        return self.data.entry_step(
            right.values,
            left.values.copy(),
            self.loss.kernel(self.data),
            "measure",
            nonzeros_suffice=self.loss.nonzeros_suffice,
        ).loss

    @staticmethod
    def _counts(penalty: Penalty, data: DataMatrix) -> NDArray[np.int64] | None:
        return data.row_counts() if penalty.l2_per_entry else None
