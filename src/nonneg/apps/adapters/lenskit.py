"""`Recommender` as a scorer of LensKit (2025), so that its pipelines and batch runs drive it.

A pipeline looks up what a user of the training data has rated and hands it over with the query.
Whoever has the ratings of the fit is the user of the fit; anybody else, known or not, who brings
ratings is folded in.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from nonneg.apps.rating_model import Person
from nonneg.apps.recommend import Recommender
from nonneg.errors import InputError, MissingLibraryError
from nonneg.io.ratings import read_ratings

try:
    # LensKit reads the annotations of components when they are made: these names must be here.
    from lenskit.data import Dataset, ItemList, QueryInput, RecQuery
    from lenskit.pipeline import Component
    from lenskit.training import Trainable, TrainingOptions
except ModuleNotFoundError as error:
    raise MissingLibraryError(
        f"cannot drive a recommender from LensKit · {error.name} is not installed · "
        "pip install lenskit"
    ) from None

__all__ = ["LensKitRecommender", "LensKitSettings"]

_COLUMNS = ("user_id", "item_id", "rating")


@dataclass
class LensKitSettings:
    """What `LensKitRecommender` can be told: the parameters of `Recommender`, and `clip`.

    Parameters
    ----------
    clip : bool, default False
        Cut scores to the scale of the ratings, as `Recommender.predict` does: for errors of
        ratings. In a list, the best would all be ties.
    """

    n_components: int = 20
    method: Literal["factors", "neighbors"] = "factors"
    n_models: int = 16
    nonneg: bool = True
    ridge: float | Literal["auto"] = "auto"
    damping: float | Literal["auto"] = "auto"
    max_iter: int = 6
    tol: float = 1e-4
    random_state: int | None = None
    n_threads: int | None = None
    clip: bool = False


class LensKitRecommender(Component[ItemList], Trainable):
    """A scorer for LensKit's pipelines.

    Parameters
    ----------
    config : LensKitSettings, optional
        Or its fields by name. Without a `random_state`, that of the training options counts.

    Attributes
    ----------
    recommender_ : Recommender
        The fitted one: explanations and the like are its business.

    Examples
    --------
    >>> import pandas as pd
    >>> from lenskit.data import from_interactions_df
    >>> from lenskit.pipeline import topn_pipeline
    >>> rows = [(u, i, 1 + (u + i) % 5) for u in range(9) for i in range(8) if (u + i) % 3]
    >>> data = from_interactions_df(pd.DataFrame(rows, columns=["user_id", "item_id", "rating"]))
    >>> pipeline = topn_pipeline(LensKitRecommender(n_components=2, random_state=0), n=2)
    >>> pipeline.train(data)
    >>> len(pipeline.run("recommender", query=3))
    2
    """

    config: LensKitSettings
    recommender_: Recommender

    def train(self, data: Dataset, options: TrainingOptions = TrainingOptions()) -> None:  # noqa: B008 - frozen
        """Fit to the ratings of a data set; a repeated one counts as it comes last.

        Raises
        ------
        InputError
            The interactions have no ratings, or ratings or parameters cannot be used.
        """
        if "recommender_" in vars(self) and not options.retrain:
            return
        table = data.interaction_table(format="pandas", original_ids=True)
        if "rating" not in table.columns:
            raise InputError(
                "the interactions have no ratings · estimates are learned from ratings · use data "
                "with a column rating"
            )
        parameters = asdict(self.config)
        del parameters["clip"]
        if parameters["random_state"] is None:
            parameters["random_state"] = options.random_generator()
        ratings = read_ratings(table[list(_COLUMNS)], columns=_COLUMNS)
        self.recommender_ = Recommender(**parameters).fit(ratings)
        self._items = data.items
        # By LensKit's number of the item; one more for who is unknown.
        self._item_codes = np.append(self.recommender_.ratings_.item_codes(data.items.ids()), -1)

    def __call__(self, query: QueryInput, items: ItemList) -> ItemList:
        """Return the items with scores: estimated ratings of the query's user.

        Parameters
        ----------
        query : RecQuery, id or ItemList
            A user, or ratings (a field ``rating``), or both: then the ratings count. Items that
            the fit does not know are left out of them, and they are cut to its scale.
        items : ItemList
            Unknown ones are estimated by the averages, as are all for a user who is unknown and
            brings no ratings: no score is NaN.
        """
        query = RecQuery.create(query)
        codes = self._codes(items)
        model, known = self.recommender_.model_, self.recommender_.ratings_
        user = -1 if query.user_id is None else int(known.user_codes([query.user_id])[0])
        person = self._stranger(query.history_items, user)
        if person is None:
            scores = model.estimate(np.array([user]), codes)
        else:
            scores = np.full(codes.size, model.averages.mean + person.offset)
            found = codes >= 0
            scores[found] = model.scores(person, codes[found])
        return ItemList(items, scores=model.scale.clip(scores) if self.config.clip else scores)

    def _stranger(self, history: ItemList | None, user: int) -> Person | None:
        """Who has this history; None if there is none, or if it is that of the user of the fit."""
        values = None if history is None else history.field("rating")
        if values is None or not len(values):
            return None
        model = self.recommender_.model_
        codes = self._codes(history)
        found = (codes >= 0) & np.isfinite(values)
        order = np.argsort(codes[found], kind="stable")
        rated = codes[found][order]
        values = np.asarray(values, np.float64)[found][order]
        if user >= 0:
            same = model.person(user)
            if np.array_equal(same.items, rated) and np.array_equal(same.values, values):
                return None
        last = np.append(rated[1:] != rated[:-1], True)[: rated.size]
        return model.fold_in(rated[last], model.scale.clip(values[last]))

    def _codes(self, items: Any) -> NDArray[np.intp]:
        numbers = items.numbers(vocabulary=self._items, missing="negative")
        return np.asarray(self._item_codes[numbers], np.intp)
