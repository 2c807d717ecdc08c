"""The talk's example: five people, seven shows, its factors, its answer, and the better one.

"Why does Netflix recommend these movies to me?" (19 September 2019). The talk's X has shows as
rows and people as columns, and an empty cell counts as 0; W says how much a show belongs to each
of two categories (thrillers, sitcoms), H how much a person leans to each.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from nonneg.apps.explanation import Explanation, Neighbor
from nonneg.apps.neighbors import cosine_similarity, neighbor_estimate
from nonneg.apps.recommend import Recommender
from nonneg.core.factorize import Factorization, factorize
from nonneg.io.ratings import Ratings

__all__ = [
    "N_CATEGORIES",
    "RATINGS",
    "SHOWS",
    "USERS",
    "NaiveAnswer",
    "naive_answer",
    "observed_ratings",
    "right_answer",
    "talk_factors",
    "talk_similarity",
]

SHOWS = ("FRIENDS", "TBBT", "Black Mirror", "Modern Family", "Sacred Games", "GoT", "Quantico")
USERS = ("Jai", "PB", "Arnab", "Abhi", "Diya")
# Users × shows, ratings from 1 to 5, 0 where there is none.
RATINGS = np.array(
    [
        [4.8, 4.7, 0.0, 4.6, 0.0, 0.0, 2.1],
        [4.0, 4.1, 4.8, 0.0, 4.9, 4.7, 1.5],
        [0.0, 3.5, 4.0, 0.0, 0.0, 4.6, 2.5],
        [4.9, 4.0, 0.0, 0.0, 0.0, 4.4, 0.0],
        [2.1, 4.4, 4.7, 0.0, 0.0, 4.9, 0.0],
    ]
)
RATINGS.flags.writeable = False
N_CATEGORIES = 2

# The middle of the scale from 1 to 5: the talk says "not recommended" of 1.175 without a rule.
_MIDDLE = 3.0


@dataclass(frozen=True)
class NaiveAnswer:
    """The talk's answer, in which an empty cell is a rating of 0.

    Attributes
    ----------
    user, show : str
    neighbors : tuple of Neighbor
        The shows most like it, nearest first, rated or not.
    estimate : float
    recommended : bool
        Whether the estimate reaches the middle of the scale, 3.
    """

    user: str
    show: str
    neighbors: tuple[Neighbor, ...]
    estimate: float
    recommended: bool


def talk_factors() -> Factorization:
    """Return X = shows × users ≈ W H with the numbers that the talk prints.

    Examples
    --------
    >>> fit = talk_factors()
    >>> fit.H.round(3) + 0.0
    array([[0.   , 2.53 , 1.898, 1.09 , 2.217],
           [2.853, 0.312, 0.   , 1.314, 0.045]])
    >>> round(fit.error, 4)
    6.3505
    """
    # NNDSVD has one start, and the plain algorithm goes where scikit-learn's does.
    fit = factorize(RATINGS.T, N_CATEGORIES, init="nndsvd", accelerate=False, tol=1e-8)
    return replace(fit, row_names=SHOWS, column_names=USERS)


def talk_similarity() -> NDArray[np.float64]:
    """Return the cosine similarity of the shows, 7 × 7, from the rows of W."""
    return cosine_similarity(talk_factors().W)


def naive_answer(
    user: str = "Jai", show: str = "Black Mirror", n_neighbors: int = 3
) -> NaiveAnswer:
    """Estimate a rating as the talk does.

    Examples
    --------
    >>> answer = naive_answer()
    >>> [(near.item, near.rating) for near in answer.neighbors]
    [('Sacred Games', 0.0), ('GoT', 0.0), ('TBBT', 4.7)]
    >>> round(answer.estimate, 3), answer.recommended
    (1.175, False)
    """
    ratings = observed_ratings()
    row, column = ratings.user_code(user), ratings.item_code(show)
    found = neighbor_estimate(
        RATINGS[row],
        talk_similarity()[column],
        n_neighbors,
        blanks="zero",
        item=column,
        missing_values=0,
    )
    neighbors = tuple(
        Neighbor(SHOWS[index], similarity, weight, rating)
        for index, similarity, weight, rating in zip(
            found.indices, found.similarities, found.weights, found.ratings, strict=True
        )
    )
    return NaiveAnswer(
        USERS[row], SHOWS[column], neighbors, found.estimate, found.estimate >= _MIDDLE
    )


def observed_ratings() -> Ratings:
    """Return the 21 ratings there are; the empty cells are not among them."""
    users, shows = np.nonzero(RATINGS)
    return Ratings(
        users.astype(np.int32),
        shows.astype(np.int32),
        RATINGS[users, shows],
        np.array(USERS, dtype=object),
        np.array(SHOWS, dtype=object),
    )


def right_answer(user: str = "Jai", show: str = "Black Mirror") -> Explanation:
    """Answer the same question with the empty cells left empty."""
    return Recommender(N_CATEGORIES, random_state=0).fit(observed_ratings()).explain(user, show)
