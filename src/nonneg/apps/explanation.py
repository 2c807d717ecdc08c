"""What `Recommender.explain` answers: an estimate, its parts, and a verdict in words."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import Literal

from nonneg.shown import Shown

__all__ = [
    "Contribution",
    "Counterfactual",
    "Explanation",
    "Neighbor",
    "UseExplanation",
    "Verdict",
]

Verdict = Literal["recommend", "don't recommend", "not sure"]

# Parts below this share of the estimate are not worth a word.
_WORTH_SAYING = 0.03
_MOST_PARTS = 3


@dataclass(frozen=True)
class Contribution:
    """One part of an estimate.

    Attributes
    ----------
    name : str
        "start of the scale" (its lowest rating), "averages" (mean, person, item), the top items
        of a component, a rated item, or "end of the scale" (≤ 0: what went beyond the highest
        rating; "start of the scale again" for what went below the lowest).
    contribution : float
        In the unit of the ratings. Those of the start, the averages and the components are ≥ 0;
        a rating of the person's own may count against.
    share : float
        Of the estimate.
    component : int or None
        Which component, where it is one.
    item, user : id or None
        Whose rating it is from, where it is from one: an item that the person rated, or somebody
        who rated this item (neighbours by users).
    """

    name: str
    contribution: float
    share: float
    component: int | None = None
    item: Hashable | None = None
    user: Hashable | None = None


@dataclass(frozen=True)
class Counterfactual:
    """What the estimate would be without one of the person's ratings.

    Attributes
    ----------
    item : id
    rating : float
        What the person gave it.
    estimate : float
        Without that, all else the same; the items' factors stay.
    """

    item: Hashable
    rating: float
    estimate: float


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
class Explanation(Shown):
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
    interval : (float, float)
        Holds four in five ratings: the estimate and how far those held out were from theirs.
    contributions : tuple of Contribution
        Their sum is the estimate. Components come in the order of what they add, then the person's
        own ratings.
    counterfactuals : tuple of Counterfactual
        For the ratings that the estimate owes most to.
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
    interval: tuple[float, float]
    contributions: tuple[Contribution, ...]
    counterfactuals: tuple[Counterfactual, ...]
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
        changes = [
            f"without the {change.rating:g} for {change.item} it would be "
            f"{change.estimate:.{fine}f}"
            for change in self.counterfactuals
            if round(change.estimate, fine) != round(self.estimate, fine)
        ]
        if changes:
            said.append(f"{changes[0][0].upper()}{changes[0][1:]}.")
        if self.neighbors:
            likes = ", ".join(f"{near.item} ({near.rating:g})" for near in self.neighbors)
            said.append(
                f"Of what {self.user} rated, these are most like it: {likes}; their weighted mean "
                f"is {self.neighbor_estimate:.{coarse}f}."
            )
        said.append(
            f"This rests on {_counted(self.n_ratings)} by {self.user} and "
            f"{_counted(self.n_item_ratings)} of {self.item}; estimates of held-out ratings are "
            f"off by {self.error:.{fine}f} (root mean square); four in five ratings would be "
            f"between {self.interval[0]:.{coarse}f} and {self.interval[1]:.{coarse}f}."
        )
        return tuple(said)

    @property
    def _decimals(self) -> int:
        """Enough to tell a hundredth of the scale: 1 for a scale from 1 to 5."""
        span = self.scale[1] - self.scale[0]
        return max(0, math.floor(2 - math.log10(span))) if span > 0 else 1

    def _sum(self, decimals: int, own_word: str = "the rating of", own: str = "ratings") -> str:
        """The parts of the estimate, the smaller components together."""
        tastes = [part for part in self.contributions if part.component is not None]
        rated = [part for part in self.contributions if part.item is not None]
        others = [part for part in self.contributions if part.user is not None]
        shown = [part for part in tastes if part.share >= _WORTH_SAYING][:_MOST_PARTS]
        terms = [(part.contribution, f"a taste for {part.name}") for part in shown]
        terms.append((_total(tastes) - _total(shown), "other tastes"))
        first, rest = rated[:_MOST_PARTS], rated[_MOST_PARTS:]
        terms += [(part.contribution, f"{own_word} {part.name}") for part in first]
        terms += [(_total(rest), f"other {own}"), (_total(others), "ratings by similar people")]
        fixed = [
            part
            for part in self.contributions
            if part.component is None and part.item is None and part.user is None
        ]
        ends = [part for part in fixed if "scale" in part.name and part is not fixed[0]]
        starts = [part for part in fixed if part not in ends]
        terms[:0] = [(part.contribution, f"the {part.name}") for part in starts]
        terms += [(part.contribution, f"the {part.name}") for part in ends]
        words = [
            f"{'−' if value < 0 else '+'} {abs(value):.{decimals}f} from {source}"
            for value, source in terms
            if round(value, decimals)
        ]
        return " ".join(words).removeprefix("+ ") or f"{0:.{decimals}f}"


@dataclass(frozen=True)
class UseExplanation(Explanation):
    """Why this score, of somebody's use of an item: `Recommender(feedback="implicit")`.

    Attributes
    ----------
    estimate : float
        The preference, in [0, 1]: 1 is use.
    verdict : {"recommend", "don't recommend", "not sure"}
        By the place of the item among all that the person has not used: recommend where half of
        the held-out uses rank so high, don't where nine in ten rank higher. Not sure in between,
        where there is no use by the person or of the item, and where `error` is that of chance.
    interval : (float, float)
        The person's scores at the two places that divide the verdicts.
    usual : float
        The upper one.
    rank, n_ranked : int
        The place of the item, from 1, among so many: what the person has not used, and itself.
    n_ratings, n_item_ratings : int
        Items that the person used, and people who used the item.
    rated : float or None
        How often the person used this very item; what that says of itself is not in the echoes.
    error : float
        Mean percentile rank of held-out uses: 0 at best, .5 is chance.
    neighbors : tuple
        None: the own items are among the contributions.
    """

    rank: int = 0
    n_ranked: int = 0

    @property
    def sentences(self) -> tuple[str, ...]:
        """The same in plain words."""
        said = [
            f"{self.item} is number {self.rank:,} of {self.n_ranked:,} for {self.user}, with a "
            f"preference of {self.estimate:.2f} (0 to 1): {self.verdict}."
        ]
        if self.rated is not None:
            said.append(f"{self.user} used it already: {self.rated:g} times.")
        said.append(f"The preference is {self._sum(3, 'using', 'items used')}.")
        changes = [
            f"without the {change.rating:g} times of {change.item} it would be "
            f"{change.estimate:.3f}"
            for change in self.counterfactuals
            if round(change.estimate, 3) != round(self.estimate, 3)
        ]
        if changes:
            said.append(f"{changes[0][0].upper()}{changes[0][1:]}.")
        items = "1 item" if self.n_ratings == 1 else f"{self.n_ratings:,} items"
        people = "1 person" if self.n_item_ratings == 1 else f"{self.n_item_ratings:,} people"
        said.append(
            f"This rests on {items} that {self.user} used and {people} who used {self.item}; "
            f"what people turned out to use was ahead of {1 - self.error:.0%} of the rest."
        )
        return tuple(said)


def _total(parts: Iterable[Contribution]) -> float:
    return sum(part.contribution for part in parts)


def _counted(n: int) -> str:
    return "1 rating" if n == 1 else f"{n} ratings"
