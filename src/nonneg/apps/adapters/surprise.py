"""`Recommender` as an algorithm of Surprise, so that its protocols and searches drive it.

Surprise numbers users and items from 0 in the order of the training set (inner ids) and knows them
by what the data had (raw ids); somebody unknown comes as a text. Only raw ids reach the
recommender, numbers written as texts as numbers again, so that a fit is the same bit for bit as
that of `read_ratings` to the same ratings.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from nonneg.apps.recommend import Recommender
from nonneg.errors import MissingLibraryError
from nonneg.io.cells import Coder
from nonneg.io.rating_sources import file_ids, frame_ids
from nonneg.io.ratings import Ratings

try:
    from surprise import AlgoBase, Prediction, Trainset
except ModuleNotFoundError as error:
    raise MissingLibraryError(
        f"cannot drive a recommender from Surprise · {error.name} is not installed · "
        "pip install scikit-surprise"
    ) from None

__all__ = ["SurpriseRecommender"]


class SurpriseRecommender(AlgoBase):
    """A recommender that Surprise can fit, test, cross-validate and search over.

    Parameters
    ----------
    n_components : int ≥ 1, default 20
    **parameters
        Of `Recommender`, by name: ``n_models=4, random_state=0``. They are checked by `fit`.

    Attributes
    ----------
    recommender_ : Recommender
        The fitted one: explanations and the like are its business.

    Raises
    ------
    TypeError
        There is no such parameter.

    Examples
    --------
    >>> import pandas as pd
    >>> from surprise import Dataset, Reader
    >>> from surprise.model_selection import KFold, cross_validate
    >>> rows = [(user, item, 1 + (user + item) % 5) for user in range(9) for item in range(8)]
    >>> data = Dataset.load_from_df(pd.DataFrame(rows), Reader(rating_scale=(1, 5)))
    >>> model = SurpriseRecommender(2, n_models=2, random_state=0)
    >>> found = cross_validate(model, data, ["rmse"], cv=KFold(5, random_state=0))
    >>> found["test_rmse"].shape
    (5,)
    """

    def __init__(self, n_components: int = 20, **parameters: Any) -> None:
        super().__init__()
        self._parameters = {"n_components": n_components, **parameters}
        Recommender(**self._parameters)  # a name that does not exist fails here, not in a fold

    def fit(self, trainset: Trainset) -> Self:
        """Fit a new recommender to a training set of Surprise.

        Raises
        ------
        InputError
            Ratings or parameters that cannot be used.
        """
        super().fit(trainset)
        self.recommender_ = Recommender(**self._parameters).fit(_ratings(trainset))
        known = self.recommender_.ratings_
        users = [trainset.to_raw_uid(inner) for inner in range(trainset.n_users)]
        items = [trainset.to_raw_iid(inner) for inner in range(trainset.n_items)]
        # By inner id; one more for who is unknown.
        self._user_codes = np.append(known.user_codes(users), -1)
        self._item_codes = np.append(known.item_codes(items), -1)
        return self

    def estimate(self, u: int | str, i: int | str) -> float:
        """Return the estimate of a pair of inner ids, as `Recommender.predict` has it.

        Somebody unknown (a text) is estimated by the averages: nothing is impossible.
        """
        return float(self._estimates([u], [i])[0])

    def test(
        self, testset: Iterable[tuple[Hashable, Hashable, float]], verbose: bool = False
    ) -> list[Prediction]:
        """Return the predictions of triplets (raw user, raw item, rating), all in one go."""
        rows = list(testset)
        trainset = self.trainset
        users = [_inner(trainset.to_inner_uid, user) for user, _, _ in rows]
        items = [_inner(trainset.to_inner_iid, item) for _, item, _ in rows]
        estimates = np.clip(self._estimates(users, items), *trainset.rating_scale)
        predictions = [
            Prediction(user, item, rating, estimate, {"was_impossible": False})
            for (user, item, rating), estimate in zip(rows, estimates.tolist(), strict=True)
        ]
        if verbose:
            for prediction in predictions:
                print(prediction)  # noqa: T201 - Surprise's contract
        return predictions

    def _estimates(self, users: list[Any], items: list[Any]) -> NDArray[np.float64]:
        """Estimates of inner ids; a text is somebody unknown."""
        u = [-1 if isinstance(user, str) else user for user in users]
        i = [-1 if isinstance(item, str) else item for item in items]
        model = self.recommender_.model_
        codes = self._user_codes[np.array(u, np.intp)], self._item_codes[np.array(i, np.intp)]
        return model.scale.clip(model.estimate(*codes))


def _inner(find: Any, raw: Hashable) -> int:
    try:
        return int(find(raw))
    except ValueError:
        return -1


def _ratings(trainset: Trainset) -> Ratings:
    """The ratings of a training set, inner ids as codes."""
    triplets = np.array(list(trainset.all_ratings()), dtype=np.float64).reshape(-1, 3)
    users, items, values = triplets.T
    return Ratings(
        users.astype(np.int32),
        items.astype(np.int32),
        values,
        _ids([trainset.to_raw_uid(inner) for inner in range(trainset.n_users)]),
        _ids([trainset.to_raw_iid(inner) for inner in range(trainset.n_items)]),
    )


def _ids(raw: list[Hashable]) -> NDArray[Any]:
    coder = Coder()
    coder.encode(raw)
    return file_ids(coder) if all(isinstance(one, str) for one in raw) else frame_ids(coder)
