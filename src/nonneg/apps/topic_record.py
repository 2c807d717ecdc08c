"""A fitted topic model as plain values and arrays, and back, with every part checked.

Documents stay out of it; the vectorizer is rebuilt from the vocabulary and its settings.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from numbers import Integral
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from nonneg.apps.topic_results import NumberEvidence
from nonneg.apps.topic_source import TopicSource
from nonneg.apps.topic_words import WordCounter
from nonneg.errors import InputError

if TYPE_CHECKING:
    from nonneg.apps.topics import TopicModel

__all__ = ["from_parts", "to_parts"]

Record = tuple[dict[str, Any], dict[str, NDArray[Any]]]
Model = TypeVar("Model", bound="TopicModel")

# What a loaded model keeps of its settings; seeds and pins have done their work.
_KEPT = ("n_topics", "loss", "weighting", "bigrams", "min_df", "max_df", "max_words", "n_runs")


def to_parts(model: TopicModel) -> Record:
    """Return what a model file holds of a fitted model.

    Raises
    ------
    InputError
        It is not fitted, or has a vectorizer of the user's own.
    """
    if "source_" not in vars(model):
        raise InputError(
            "this TopicModel is not fitted · there is nothing to save · call fit first"
        )
    words = model.source_.words
    if words is None:
        raise InputError(
            f"cannot save a TopicModel with vectorizer={type(model.vectorizer).__name__}(…) · only "
            "unpickling could restore it, which can run anything · fit with the settings of "
            "TopicModel instead, or save its results (to_frame)"
        )
    parameters = {name: _plain(getattr(model, name)) for name in _KEPT}
    seed = model.random_state
    parameters["random_state"] = int(seed) if isinstance(seed, Integral) else None
    parameters["relevance"] = float(model.relevance)
    meta = {
        "parameters": parameters,
        "vocabulary": [str(word) for word in model.vocabulary_],
        "stop_words": sorted(words.stop_words),
        "pairs": words.bigrams,
        "topic_names": list(model.topic_names_),
        "document_names": None if model.document_names_ is None else list(model.document_names_),
        "evidence": [asdict(one) for one in model.evidence_],
        "left_out": dict(model.left_out_),
    }
    arrays = {
        "components": model.components_,
        "weights": model.weights_,
        "groups": model.groups_,
        "coherence": model.coherence_,
        "n_words_in": model.n_words_in_,
        "word_counts": model.word_counts_,
        "company": model.company_,
        "evidence_of_words": model.evidence_of_words_,
    }
    if model.stability_ is not None:
        arrays["stability"] = model.stability_
    if model.source_.idf is not None:
        arrays["idf"] = model.source_.idf
    return meta, arrays


def from_parts(
    kind: type[Model], meta: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]
) -> Model:
    """Return the model of a record, but for what is derived from its parts.

    Raises
    ------
    KeyError, TypeError, ValueError
        A part is missing, or the parts contradict one another.
    """
    parameters = dict(meta["parameters"])
    relevance = parameters["relevance"]
    if not isinstance(relevance, float) or not 0 <= relevance <= 1:
        raise ValueError("relevance is no number from 0 to 1")
    if parameters["loss"] not in ("frobenius", "kullback-leibler"):
        raise ValueError("its loss is unknown")
    stop_words = _texts("stop_words", meta["stop_words"])
    model = kind(**parameters, stop_words=stop_words or None)
    vocabulary = _texts("vocabulary", meta["vocabulary"])
    topic_names = _texts("topic_names", meta["topic_names"])
    if len(set(vocabulary)) < len(vocabulary) or not vocabulary or not topic_names:
        raise ValueError("a word occurs twice, or there are no words or topics")
    _check_arrays(arrays, len(vocabulary), len(topic_names))
    idf = arrays.get("idf")
    words = WordCounter(vocabulary, frozenset(stop_words), bigrams=meta["pairs"] is True)
    model.source_ = TopicSource(words.vocabulary, idf, words)
    model.vocabulary_ = words.vocabulary
    model.topic_names_ = topic_names
    names = meta["document_names"]
    model.document_names_ = None if names is None else tuple(_texts("document_names", names))
    if names is not None and len(names) != len(arrays["weights"]):
        raise ValueError("document_names are not one for each document")
    model.evidence_ = [NumberEvidence(**one) for one in meta["evidence"]]
    model.left_out_ = {str(reason): int(number) for reason, number in meta["left_out"].items()}
    model.components_, model.weights_ = arrays["components"], arrays["weights"]
    model.groups_ = np.asarray(arrays["groups"], dtype=np.intp)
    model.coherence_, model.stability_ = arrays["coherence"], arrays.get("stability")
    model.n_words_in_ = arrays["n_words_in"]
    model.word_counts_, model.company_ = arrays["word_counts"], arrays["company"]
    model.evidence_of_words_ = arrays["evidence_of_words"]
    model.counts_ = model.matrix_ = model.labels_ = model.times_ = model._texts = None
    return model


def _check_arrays(arrays: Mapping[str, NDArray[Any]], n_words: int, n_topics: int) -> None:
    if arrays["components"].ndim != 2 or arrays["weights"].ndim != 2:
        raise ValueError("components or weights are no table")
    k, n = len(arrays["components"]), len(arrays["weights"])
    shapes: dict[str, tuple[int, ...]] = {
        "components": (k, n_words),
        "weights": (n, k),
        "groups": (k,),
        "coherence": (n_topics,),
        "n_words_in": (n,),
        "word_counts": (n_words,),
        "company": (n_topics, n_words),
        "evidence_of_words": (k, n_words),
        "stability": (n_topics,),
        "idf": (n_words,),
    }
    for name, shape in shapes.items():
        if name in ("stability", "idf") and name not in arrays:
            continue
        values = arrays[name]
        if values.shape != shape:
            raise ValueError(f"{name} has shape {values.shape} instead of {shape}")
        if name not in ("coherence", "stability", "evidence_of_words") and (values < 0).any():
            raise ValueError(f"{name} has negative entries")
    if not np.array_equal(np.unique(arrays["groups"]), np.arange(n_topics)):
        raise ValueError("groups are not those of the topics")


def _texts(name: str, values: object) -> list[str]:
    if not isinstance(values, list) or not all(type(value) is str for value in values):
        raise ValueError(f"{name} is no list of texts")
    return values


def _plain(value: Any) -> Any:
    """A setting as JSON keeps it."""
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, (float, np.floating)) and math.isfinite(value):
        return float(value)
    return value
