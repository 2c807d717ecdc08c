"""What `Recommender.explain` answers: an estimate, its parts, and a verdict in words."""

from __future__ import annotations

import math
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Literal

__all__ = ["Contribution", "Explanation", "Neighbor", "Verdict"]

Verdict = Literal["recommend", "don't recommend", "not sure"]

# Parts below this share of the estimate are not worth a word.
_WORTH_SAYING = 0.03
_MOST_PARTS = 3
# The start of the scale and the averages come before the components, what is cut off after them.
_ALWAYS = 2


@dataclass(frozen=True)
class Contribution:
    """One part of an estimate.

    Attributes
    ----------
    name : str
        "start of the scale" (its lowest rating), "averages" (mean, person, item), the top items
        of a component, or "end of the scale" (≤ 0: what went beyond the highest rating).
    contribution : float
        In the unit of the ratings; ≥ 0 but for the last.
    share : float
        Of the estimate.
    component : int or None
        Which component, where it is one.
    """

    name: str
    contribution: float
    share: float
    component: int | None = None


@dataclass(frozen=True)
class Neighbor:
    """An item that the person rated and that is like the one in question.

    Attributes
    ----------
    item : id
    similarity : float
        Cosine of the item's factors, in [0, 1].
    weight : float
        By rank, as in the talk; the weights sum to 1.
    rating : float
        What the person gave it.
    """

    item: Hashable
    similarity: float
    weight: float
    rating: float


@dataclass(frozen=True)
class Explanation:
    """Why this estimate.

    Attributes
    ----------
    user, item : id
    estimate : float
        What `predict` says: on the scale of the ratings.
    verdict : {"recommend", "don't recommend", "not sure"}
        Against the person's own scale: recommend (don't) where the estimate is more than
        0.43 · error above (below) `usual`, so that the odds of a rating on that side are better
        than two to one. Not sure in between, and where there is no rating of the person or item.
    contributions : tuple of Contribution
        Their sum is the estimate. Components come in the order of what they add.
    usual : float
        What the person usually gives: their mean, counted with five ratings of the overall mean.
    error : float
        Root mean squared error of estimates on held-out ratings.
    scale : tuple of float
        Lowest and highest rating seen.
    neighbors : tuple of Neighbor
        The rated items most like this one, nearest first.
    neighbor_estimate : float or None
        The weighted mean of their ratings: the talk's method, empty cells left out.
    n_ratings, n_item_ratings : int
        Ratings by the person, and of the item, that this rests on.
    rated : float or None
        What the person gave this very item, if they did.
    """

    user: Hashable
    item: Hashable
    estimate: float
    verdict: Verdict
    contributions: tuple[Contribution, ...]
    usual: float
    error: float
    scale: tuple[float, float]
    neighbors: tuple[Neighbor, ...]
    neighbor_estimate: float | None
    n_ratings: int
    n_item_ratings: int
    rated: float | None = None

    @property
    def sentences(self) -> tuple[str, ...]:
        """The same in plain words."""
        low, high = self.scale
        coarse, fine = self._decimals, self._decimals + 1
        said = [
            f"{self.user} would rate {self.item} about {self.estimate:.{coarse}f} ({low:g} to "
            f"{high:g}) and usually gives {self.usual:.{coarse}f}: {self.verdict}."
        ]
        if self.rated is not None:
            said.append(f"{self.user} rated it already: {self.rated:g}.")
        said.append(f"The estimate is {self._sum(fine)}.")
        if self.neighbors:
            likes = ", ".join(f"{near.item} ({near.rating:g})" for near in self.neighbors)
            said.append(
                f"Of what {self.user} rated, these are most like it: {likes}; their weighted mean "
                f"is {self.neighbor_estimate:.{coarse}f}."
            )
        said.append(
            f"This rests on {_counted(self.n_ratings)} by {self.user} and "
            f"{_counted(self.n_item_ratings)} of {self.item}; estimates of held-out ratings are "
            f"off by {self.error:.{fine}f} (root mean square)."
        )
        return tuple(said)

    @property
    def _decimals(self) -> int:
        """Enough to tell a hundredth of the scale: 1 for a scale from 1 to 5."""
        span = self.scale[1] - self.scale[0]
        return max(0, math.floor(2 - math.log10(span))) if span > 0 else 1

    def _sum(self, decimals: int) -> str:
        """The parts of the estimate, the smaller components together."""
        tastes = [part for part in self.contributions if part.component is not None]
        told = [part for part in tastes if part.share >= _WORTH_SAYING][:_MOST_PARTS]
        rest = sum(part.contribution for part in tastes) - sum(part.contribution for part in told)
        terms = [(part.contribution, f"a taste for {part.name}") for part in told]
        terms.append((rest, "other tastes"))
        fixed = [part for part in self.contributions if part.component is None]
        terms[:0] = [(part.contribution, f"the {part.name}") for part in fixed[:_ALWAYS]]
        terms += [(part.contribution, f"the {part.name}") for part in fixed[_ALWAYS:]]
        words = [
            f"{'−' if value < 0 else '+'} {abs(value):.{decimals}f} from {source}"
            for value, source in terms
            if round(value, decimals)
        ]
        return " ".join(words).removeprefix("+ ") or f"{0:.{decimals}f}"


def _counted(n: int) -> str:
    return "1 rating" if n == 1 else f"{n} ratings"
