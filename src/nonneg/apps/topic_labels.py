"""Labels of documents learned from their topics: spam or not, sentiment, tags.

A topic model turns each document into its shares of a few topics; a logistic regression on these
learns the labels, one of several classes or any number of tags. Whether the topics hold what the
labels are about is a matter of evidence: `TopicClassifier.evaluate` predicts every document by a
model that has never seen it, topics included, beside two yardsticks: the same regression on all
words, and the most frequent label.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from threadpoolctl import threadpool_limits

from nonneg.apps.topic_source import texts_of
from nonneg.apps.topics import TopicModel
from nonneg.errors import InputError
from nonneg.io.documents import Documents, Label
from nonneg.shown import Shown

__all__ = ["LabelEvaluation", "MethodScore", "TopicClassifier"]

Progress = Callable[[str, float], None]

_PREDICT_TAG = 0.5  # probability from which a document has a tag
_FEWEST_TEXTS_OF_A_WORD = 100  # texts, from which words of a single one are left out


class _Fit(NamedTuple):
    """How a regression is fitted: the inverse strength of its ridge, and how exactly."""

    strength: float
    tol: float


# Shares are few and scaled; of the many words, each says little, and the last digits cost most.
_ON_TOPICS, _ON_WORDS = _Fit(1.0, 1e-6), _Fit(10.0, 1e-3)


@dataclass(frozen=True)
class MethodScore:
    """How well one method predicts labels that it has not seen.

    Attributes
    ----------
    name : str
        "topics", "all words" or "most frequent label".
    accuracy : float
        Share of documents whose label, or whose whole set of tags, is right.
    spread : float
        Standard deviation of the accuracy over the folds.
    macro_f1 : float
        Mean over the labels of the F1 score: rare labels count as much as frequent ones.
    """

    name: str
    accuracy: float
    spread: float
    macro_f1: float


@dataclass(frozen=True)
class LabelEvaluation:
    """Predictions of documents by models that have not seen them, and what they are worth.

    Attributes
    ----------
    labels : tuple of str
    counts : tuple of int
        How many documents have each label.
    n_documents : int
        Those with a label; the others say nothing.
    n_folds : int
    methods : tuple of MethodScore
        Topics first, then the yardsticks.
    confusion : tuple of tuple of int, or None
        Entry (i, j) counts the documents of label i that the topics give label j; None for tags.
    f1 : tuple of float
        F1 score of each label, by topics.
    """

    labels: tuple[str, ...]
    counts: tuple[int, ...]
    n_documents: int
    n_folds: int
    methods: tuple[MethodScore, ...]
    confusion: tuple[tuple[int, ...], ...] | None
    f1: tuple[float, ...]


class TopicClassifier(Shown, ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Predict labels of documents from their topics.

    Parameters
    ----------
    topics : TopicModel, optional
        What finds the topics; a copy of it is fitted. Default: one of 20 topics.
    n_folds : int ≥ 2, default=5
        Parts into which `evaluate` cuts the documents.
    random_state : int, default=0
        Which document goes into which part; and of the default topics.

    Attributes
    ----------
    topics_ : TopicModel
        Fitted to all documents, those without a label too.
    classes_ : ndarray of str (n_labels,)
    multilabel_ : bool
        Whether the labels were lists of tags.
    coef_ : ndarray (n_labels, n_topics)
        How a topic's share speaks for each label: its log-odds grow by so much per share.
    intercept_ : ndarray (n_labels,)
    evaluation_ : LabelEvaluation or None
        The last one that `evaluate` made.

    Examples
    --------
    >>> from nonneg import TopicClassifier, TopicModel
    >>> docs = ["cats purr", "cats and dogs", "dogs bark"] * 3 + ["rain falls", "rain and snow"] * 3
    >>> labels = ["pets"] * 9 + ["weather"] * 6
    >>> model = TopicClassifier(TopicModel(2, random_state=0)).fit(docs, labels)
    >>> model.predict(["more rain", "my dogs"]).tolist()
    ['weather', 'pets']
    """

    topics_: TopicModel
    classes_: NDArray[Any]
    multilabel_: bool
    coef_: NDArray[np.float64]
    intercept_: NDArray[np.float64]
    evaluation_: LabelEvaluation | None

    def __init__(
        self, topics: TopicModel | None = None, *, n_folds: int = 5, random_state: int = 0
    ) -> None:
        self.topics = topics
        self.n_folds = n_folds
        self.random_state = random_state

    def fit(self, documents: object, labels: Sequence[Label] | None = None) -> Self:
        """Find the topics of all documents, and learn the labels of those that have one.

        Parameters
        ----------
        documents : Documents or sequence of str
        labels : sequence, optional
            A label for each document, or a tuple of tags; None where it is unknown. Default: those
            of the `Documents`.

        Raises
        ------
        InputError
            There are fewer than two different labels, nearly as many as documents, or not one for
            each document; or the topic model refuses the documents.
        """
        _, data = _labelled(documents, labels)
        self.topics_ = self._unfitted().fit(documents)
        shares = self.topics_.document_topics_[data.rows]
        self.coef_, self.intercept_ = _regression(shares, data.codes, data.multilabel, _ON_TOPICS)
        self.classes_ = np.array(data.names, dtype=object)
        self.multilabel_ = data.multilabel
        self.evaluation_ = None
        return self

    def evaluate(
        self,
        documents: object,
        labels: Sequence[Label] | None = None,
        *,
        progress: Progress | None = None,
    ) -> LabelEvaluation:
        """Predict every labelled document by a model fitted without it, and measure.

        The documents are cut into `n_folds` parts, each with its share of every label; topics and
        regression are learned from the other parts. The yardsticks see the same parts.

        Parameters
        ----------
        documents, labels
            As of `fit`.
        progress : callable, optional
            Called with what is being done and the share that is.

        Returns
        -------
        LabelEvaluation
            Also kept as `evaluation_`.

        Raises
        ------
        InputError
            As `fit`; or there are too few labelled documents for the parts.
        """
        texts, data = _labelled(documents, labels)
        n, n_folds = len(data.rows), self.n_folds
        if not 2 <= n_folds <= n:
            raise InputError(
                f"n_folds={n_folds} · the documents are cut into 2 to {n} parts, {n} having a "
                "label · choose a number in between"
            )
        chosen = np.array(texts, dtype=object)[data.rows]
        parts = _parts(chosen, data, n_folds, self.random_state)
        predictions = {name: np.zeros((n, len(data.names)), dtype=bool) for name in _METHODS}
        for fold in range(n_folds):
            train, test = parts != fold, parts == fold
            if progress is not None:
                progress(f"checking the labels, part {fold + 1} of {n_folds}", fold / n_folds)
            model = self._unfitted().fit(list(chosen[train]))
            known = data.codes[train]
            sides = {
                "topics": (model.document_topics_, model.transform(list(chosen[test])), _ON_TOPICS),
                "all words": (*_words(chosen[train], chosen[test]), _ON_WORDS),
            }
            for name, (left, right, how) in sides.items():
                fitted = _regression(left, known, data.multilabel, how)
                predictions[name][test] = _decide(right, *fitted, data.multilabel)
            predictions["most frequent label"][test] = _most_frequent(known)
        self.evaluation_ = _evaluated(data, parts, n_folds, predictions)
        return self.evaluation_

    def predict(self, documents: object) -> NDArray[Any]:
        """Return the label of each document; for tags, the tuple of them.

        A document without a known word gets what its lack of topics speaks for, usually the most
        frequent label; `topics_.assign(documents).unknown` tells which these are.
        """
        return self.decide(self.predict_proba(documents))

    def decide(self, probabilities: NDArray[np.float64]) -> NDArray[Any]:
        """Return the labels that go with probabilities of `predict_proba`, as `predict` does."""
        if not self._fitted().multilabel_:
            labels: NDArray[Any] = self.classes_[probabilities.argmax(axis=1)]
            return labels
        tags = np.empty(len(probabilities), dtype=object)
        for row, given in enumerate(probabilities >= _PREDICT_TAG):
            tags[row] = tuple(self.classes_[given])
        return tags

    def predict_proba(self, documents: object) -> NDArray[np.float64]:
        """Return the probability of each label, (n_documents, n_labels).

        Those of classes add up to 1; each tag has its own.
        """
        model = self._fitted()
        scores = model.topics_.transform(documents) @ self.coef_.T + self.intercept_
        return _probabilities(scores, self.multilabel_)

    def speaks_for(self, label: str, n: int = 3) -> list[int]:
        """Return the topics that speak for a label most, by `coef_`; only those that do."""
        (row,) = self.coef_[np.flatnonzero(self._fitted().classes_ == label)]
        return [int(t) for t in np.argsort(-row, kind="stable")[:n] if row[t] > 0]

    def _fitted(self) -> Self:
        if getattr(self, "coef_", None) is None:
            raise NotFittedError(
                "this TopicClassifier is not fitted · it knows no labels · call fit first"
            )
        return self

    def _unfitted(self) -> TopicModel:
        if self.topics is None:
            return TopicModel(20, random_state=self.random_state)
        model: TopicModel = clone(self.topics)
        return model

    # --- files -----------------------------------------------------------------------------------

    def to_record(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Return everything a fitted classifier consists of: plain values, and arrays."""
        meta, arrays = self._fitted().topics_.to_record()
        evaluation = None if self.evaluation_ is None else asdict(self.evaluation_)
        record = {
            "topics": meta,
            "labels": [str(name) for name in self.classes_],
            "multilabel": self.multilabel_,
            "parameters": {"n_folds": int(self.n_folds), "random_state": int(self.random_state)},
            "evaluation": evaluation,
        }
        own = {"coef": self.coef_, "intercept": self.intercept_}
        return record, own | {f"topics.{name}": values for name, values in arrays.items()}

    @classmethod
    def from_record(cls, meta: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Rebuild a fitted classifier from `to_record`; its answers are the same.

        Raises
        ------
        KeyError, TypeError, ValueError
            The record is not one of a classifier, or its parts contradict one another.
        """
        inner = {name[7:]: values for name, values in arrays.items() if name.startswith("topics.")}
        topics = TopicModel.from_record(meta["topics"], inner)
        model = cls(topics, **{name: int(meta["parameters"][name]) for name in _PARAMETERS})
        names, multilabel = meta["labels"], meta["multilabel"]
        coef, intercept = (np.asarray(arrays[name], np.float64) for name in ("coef", "intercept"))
        if not all(isinstance(name, str) for name in names) or len(set(names)) != len(names):
            raise ValueError("its labels are not different texts")
        if coef.shape != (len(names), topics.n_topics_) or intercept.shape != (len(names),):
            raise ValueError("its coefficients do not fit its labels and topics")
        if not isinstance(multilabel, bool):
            raise TypeError("it does not say whether its labels are tags")
        model.topics_, model.multilabel_ = topics, multilabel
        model.classes_ = np.array(names, dtype=object)
        model.coef_, model.intercept_ = coef, intercept
        model.evaluation_ = _evaluation(meta["evaluation"])
        return model


_PARAMETERS = ("n_folds", "random_state")
_METHODS = ("topics", "all words", "most frequent label")


def _evaluation(found: Mapping[str, Any] | None) -> LabelEvaluation | None:
    if found is None:
        return None
    table = found["confusion"]
    return LabelEvaluation(
        tuple(map(str, found["labels"])),
        tuple(map(int, found["counts"])),
        int(found["n_documents"]),
        int(found["n_folds"]),
        tuple(MethodScore(**score) for score in found["methods"]),
        None if table is None else tuple(tuple(map(int, row)) for row in table),
        tuple(map(float, found["f1"])),
    )


# --- labels --------------------------------------------------------------------------------------


class _Data(NamedTuple):
    """The labelled documents: their rows among all, and which labels they have."""

    rows: NDArray[np.intp]
    codes: NDArray[np.bool_]  # (n_rows, n_labels); a single True a row where labels are classes
    names: list[str]
    multilabel: bool


def _labelled(documents: object, labels: Sequence[Label] | None) -> tuple[list[str], _Data]:
    texts = list(texts_of(documents))
    if labels is None:
        labels = documents.labels if isinstance(documents, Documents) else None
    if labels is None or len(labels) != len(texts):
        raise InputError(
            f"{0 if labels is None else len(labels)} labels for {len(texts)} documents · learning "
            "needs one for each, or None where it is unknown · give as many"
        )
    listed = [_tags(label) for label in labels]
    rows = np.array([row for row, tags in enumerate(listed) if tags], dtype=np.intp)
    counts = Counter(tag for tags in listed for tag in set(tags))
    names = sorted(counts)
    multilabel = any(isinstance(label, tuple | list) for label in labels)
    if len(names) < 2:
        raise InputError(
            f"there {'is 1 label' if names else 'are no labels'} in {len(texts)} documents · "
            "telling apart needs two · choose a column with more"
        )
    if len(rows) < len(names) * 2 and not multilabel:
        raise InputError(
            f"{len(rows)} documents have {len(names)} different labels · what is learned from one "
            "document holds for no other · choose a column of classes"
        )
    place = {name: code for code, name in enumerate(names)}
    codes = np.zeros((len(rows), len(names)), dtype=bool)
    for at, row in enumerate(rows):
        codes[at, [place[tag] for tag in listed[row]]] = True
    return texts, _Data(rows, codes, names, multilabel)


def _tags(label: object) -> tuple[str, ...]:
    """The labels of a document as texts; () where it has none."""
    if label is None or label != label:
        return ()
    if isinstance(label, tuple | list):
        return tuple(str(tag) for tag in label)
    return (str(label),)


def _parts(texts: NDArray[Any], data: _Data, n_folds: int, seed: int) -> NDArray[np.intp]:
    """Deal the documents of each label, or first tag, to the parts in turn.

    A text that is there twice is in one part, or it would be predicted by having been seen.
    """
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(data.rows))
    kinds = data.codes[order].argmax(axis=1)
    dealt = order[np.argsort(kinds, kind="stable")]
    parts = np.empty(len(order), dtype=np.intp)
    parts[dealt] = np.arange(len(order)) % n_folds
    first: dict[str, int] = {}
    return parts[[first.setdefault(text, at) for at, text in enumerate(texts)]]


# --- regression ----------------------------------------------------------------------------------


def _words(train: NDArray[Any], test: NDArray[Any]) -> tuple[Any, Any]:
    """All words of texts by sublinear tf-idf: what a regression does without topics."""
    many = len(train) >= _FEWEST_TEXTS_OF_A_WORD
    vectorizer = TfidfVectorizer(sublinear_tf=True, min_df=2 if many else 1, dtype=np.float32)
    try:
        return vectorizer.fit_transform(train), vectorizer.transform(test)
    except ValueError:  # no words at all
        return np.zeros((len(train), 1)), np.zeros((len(test), 1))


def _regression(
    features: Any, codes: NDArray[np.bool_], multilabel: bool, how: _Fit
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Logistic regression: of one of several labels, or of each tag on its own.

    Dense features are scaled for the ridge to treat them alike; the coefficients are of the
    unscaled ones.
    """
    scale = np.ones(features.shape[1])
    if isinstance(features, np.ndarray):
        scale = np.maximum(features.std(axis=0), 1e-9 * max(features.max(initial=0.0), 1e-300))
        features = features / scale
    n_labels = codes.shape[1]
    coef = np.zeros((n_labels, features.shape[1]))
    intercept = np.zeros(n_labels)
    # On sparse data BLAS has only crumbs to share out: with two threads 7 s became .1 s with one.
    with threadpool_limits(1):
        if multilabel:
            for tag in range(n_labels):
                _one_tag(features, codes[:, tag], how, coef[tag], intercept[tag : tag + 1])
        else:
            _classes(features, codes.argmax(axis=1), how, coef, intercept)
    return coef / scale, intercept


_NEVER = -1e3  # log-odds of a label that no document of the training part has


def _classes(features: Any, labels: NDArray[np.intp], how: _Fit, coef: Any, intercept: Any) -> None:
    present = np.unique(labels)
    intercept[:] = _NEVER
    if len(present) == 1:
        intercept[present] = 0.0
        return
    model = LogisticRegression(C=how.strength, max_iter=1000, tol=how.tol).fit(features, labels)
    if len(present) == 2:  # one row of coefficients, of the second against the first
        coef[present[1]], intercept[present] = model.coef_[0], (0.0, model.intercept_[0])
    else:
        coef[present], intercept[present] = model.coef_, model.intercept_


def _one_tag(features: Any, has: NDArray[np.bool_], how: _Fit, coef: Any, intercept: Any) -> None:
    if has.all() or not has.any():
        intercept[:] = -_NEVER if has.all() else _NEVER
        return
    model = LogisticRegression(C=how.strength, max_iter=1000, tol=how.tol).fit(features, has)
    coef[:], intercept[:] = model.coef_[0], model.intercept_[0]


def _probabilities(scores: NDArray[np.float64], multilabel: bool) -> NDArray[np.float64]:
    if multilabel:
        logistic: NDArray[np.float64] = 0.5 * (1 + np.tanh(scores / 2))
        return logistic
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    shares: NDArray[np.float64] = powers / powers.sum(axis=1, keepdims=True)
    return shares


def _decide(
    features: Any, coef: NDArray[np.float64], intercept: NDArray[np.float64], multilabel: bool
) -> NDArray[np.bool_]:
    scores = np.asarray(features @ coef.T) + intercept
    if multilabel:
        tags: NDArray[np.bool_] = _probabilities(scores, True) >= _PREDICT_TAG
        return tags
    best: NDArray[np.bool_] = np.arange(len(intercept)) == scores.argmax(axis=1)[:, None]
    return best


def _most_frequent(codes: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The label, or the set of tags, that most documents have."""
    kinds, counts = np.unique(codes, axis=0, return_counts=True)
    found: NDArray[np.bool_] = kinds[counts.argmax()]
    return found


def _evaluated(
    data: _Data,
    parts: NDArray[np.intp],
    n_folds: int,
    predictions: Mapping[str, NDArray[np.bool_]],
) -> LabelEvaluation:
    confusion, f1 = None, f1_score(data.codes, predictions["topics"], average=None, zero_division=0)
    if not data.multilabel:
        size = len(data.names)
        pairs = data.codes.argmax(axis=1) * size + predictions["topics"].argmax(axis=1)
        table = np.bincount(pairs, minlength=size**2).reshape(size, size)
        confusion = tuple(tuple(row) for row in table.tolist())
    return LabelEvaluation(
        tuple(data.names),
        tuple(data.codes.sum(axis=0).tolist()),
        len(data.rows),
        n_folds,
        tuple(_scores(data, parts, predictions)),
        confusion,
        tuple(np.asarray(f1).tolist()),
    )


def _scores(
    data: _Data, parts: NDArray[np.intp], predictions: Mapping[str, NDArray[np.bool_]]
) -> Iterator[MethodScore]:
    for name, predicted in predictions.items():
        right = (predicted == data.codes).all(axis=1)
        folds = [float(right[parts == fold].mean()) for fold in np.unique(parts)]
        macro = f1_score(data.codes, predicted, average="macro", zero_division=0)
        yield MethodScore(name, float(right.mean()), float(np.std(folds)), float(macro))
