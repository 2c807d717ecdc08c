"""What a solver is: a half-step on one factor given the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from nonneg.core.problem import Factor, Problem

__all__ = ["HalfStep", "Solver"]


@dataclass(frozen=True)
class HalfStep:
    """What a half-step measured.

    Attributes
    ----------
    loss : float or None
        The data term after the step, in float64; None where it has to be recomputed.
    residual : float
        Distance from a KKT point of the half-problem, in the unit of the objective.
    """

    loss: float | None
    residual: float


class Solver(Protocol):
    """One published algorithm: improves the left factor while the right one is fixed.

    The driver applies it to `problem` and to `problem.T`, so nothing is written twice for W and H.
    """

    @property
    def name(self) -> str:
        """Its acronym in the literature."""

    @property
    def multiplicative(self) -> bool:
        """Whether it leaves zeros at zero, so that none may be made on the way."""

    def supports(self, problem: Problem) -> str | None:
        """Return why it cannot solve `problem`, or None; shown to the user verbatim."""

    def half_steps(
        self,
        problem: Problem,
        pairs: Sequence[tuple[Factor, Factor]],
        *,
        exact: bool = False,
        gentle: Sequence[bool] = (),
        cautious: bool = False,
        measure: bool = True,
    ) -> list[HalfStep]:
        """Improve the left factor of each pair in place: one run a pair, all on the same data.

        A pair gets the bits it would get alone (dense Gram form: where BLAS gives them). Where the
        problem says `abreast`, they are those that it would get abreast of any others.

        Parameters
        ----------
        exact : bool
            Go to the optimum of the half-problem instead of a few sweeps.
        gentle : sequence of bool
            Which pairs get a single sweep; none of them by default.
        cautious : bool
            Use only steps that are proven not to raise the objective.
        measure : bool
            Whether the loss is wanted.
        """
        raise NotImplementedError

    def half_step(
        self,
        problem: Problem,
        left: Factor,
        right: Factor,
        *,
        exact: bool = False,
        cautious: bool = False,
        measure: bool = True,
    ) -> HalfStep:
        """Improve `left` in place: the batch of one."""
        return self.half_steps(
            problem, [(left, right)], exact=exact, cautious=cautious, measure=measure
        )[0]
