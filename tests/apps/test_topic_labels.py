"""Labels from topics: what is learned, how it is checked, and that it survives a file."""

from __future__ import annotations

import functools
import operator
from pathlib import Path

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

import nonneg
from nonneg import TopicClassifier, TopicModel
from nonneg.apps.topic_labels import _Fit, _parts, _regression
from nonneg.errors import InputError
from nonneg.io.documents import Documents

WORDS = {
    "sport": ["goal", "match", "team", "win", "player", "cup", "league", "coach"],
    "law": ["court", "judge", "trial", "law", "appeal", "verdict", "lawyer", "jury"],
    "food": ["soup", "bread", "cheese", "salt", "pepper", "oven", "recipe", "cook"],
}


def made(n: int = 90, seed: int = 0) -> tuple[list[str], list[str]]:
    """Texts of twelve words, nine of them about their label."""
    rng = np.random.default_rng(seed)
    labels = [list(WORDS)[i % 3] for i in range(n)]
    everything = functools.reduce(operator.iadd, WORDS.values(), [])
    texts = [
        " ".join([*rng.choice(WORDS[label], 9), *rng.choice(everything, 3)]) for label in labels
    ]
    return texts, labels


@pytest.fixture(scope="module")
def model() -> TopicClassifier:
    return TopicClassifier(TopicModel(3, random_state=0)).fit(*made())


def test_labels_of_new_documents(model: TopicClassifier) -> None:
    texts, labels = made(60, seed=1)
    assert (model.predict(texts) == labels).mean() > 0.95
    probabilities = model.predict_proba(texts)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    assert (probabilities >= 0).all()
    assert (model.classes_[probabilities.argmax(axis=1)] == model.predict(texts)).all()
    assert model.score(texts, labels) > 0.95
    for label in model.classes_:
        (topic, *_) = model.speaks_for(label)
        words = {found.word for found in model.topics_.top_words(topic, 5)}
        assert words <= set(WORDS[label])


def test_the_regression_is_scikit_learns(model: TopicClassifier) -> None:
    _texts, labels = made()
    shares = model.topics_.document_topics_
    scaler = StandardScaler().fit(shares)
    reference = LogisticRegression(C=1.0, tol=1e-8, max_iter=5000)
    reference.fit(scaler.transform(shares), labels)
    new = model.topics_.transform(made(40, seed=2)[0])
    np.testing.assert_allclose(
        model.predict_proba(made(40, seed=2)[0]),
        reference.predict_proba(scaler.transform(new)),
        atol=2e-3,
    )


def test_two_labels_are_a_logistic_regression() -> None:
    rng = np.random.default_rng(0)
    X = rng.random((80, 4))
    y = (X[:, 0] + 0.3 * rng.random(80) > 0.6).astype(int)
    coef, intercept = _regression(X, np.eye(2, dtype=bool)[y], False, _Fit(1.0, 1e-6))
    scaler = StandardScaler().fit(X)
    reference = LogisticRegression(C=1.0, tol=1e-8).fit(scaler.transform(X), y)
    scores = X @ coef.T + intercept
    odds = scores[:, 1] - scores[:, 0]
    expected = reference.decision_function(scaler.transform(X))
    np.testing.assert_allclose(odds, expected, atol=1e-2)


def test_evaluation(model: TopicClassifier) -> None:
    texts, labels = made()
    found = model.evaluate(texts, labels)
    ours, words, frequent = found.methods
    assert (ours.name, words.name, frequent.name) == ("topics", "all words", "most frequent label")
    assert ours.accuracy > 0.9
    assert words.accuracy > 0.9
    assert frequent.accuracy == pytest.approx(1 / 3)
    confusion = np.array(found.confusion)
    assert confusion.sum(axis=1).tolist() == [30, 30, 30] == list(found.counts)
    assert np.trace(confusion) / 90 == pytest.approx(ours.accuracy)
    f1 = 2 * np.diag(confusion) / (confusion.sum(axis=0) + confusion.sum(axis=1))
    np.testing.assert_allclose(found.f1, f1)
    assert ours.macro_f1 == pytest.approx(f1.mean())
    assert model.evaluate(texts, labels) == found


def test_labels_that_mean_nothing_are_not_told() -> None:
    """What was seen in training must not help: shuffled labels stay at chance."""
    texts, labels = made(60)
    shuffled = np.random.default_rng(5).permutation(labels)
    model = TopicClassifier(TopicModel(3, random_state=0, n_runs=2))
    doubled, both = texts * 2, [*shuffled, *shuffled]
    found = model.evaluate(doubled, both)
    assert all(method.accuracy < 0.5 for method in found.methods)


def test_the_same_text_is_in_one_part() -> None:
    from nonneg.apps.topic_labels import _labelled

    texts = [f"text {i % 20}" for i in range(100)]
    _, data = _labelled(texts, ["a", "b"] * 50)
    parts = _parts(np.array(texts, dtype=object), data, 5, 0)
    assert all(len({*parts[i::20]}) == 1 for i in range(20))
    assert set(parts) == set(range(5))


def test_tags() -> None:
    texts, labels = made(120)
    tags = [(label, "long") if i % 2 else (label,) for i, label in enumerate(labels)]
    tags[0] = ()
    model = TopicClassifier(TopicModel(3, random_state=0)).fit(texts, tags)
    assert model.multilabel_
    assert list(model.classes_) == ["food", "law", "long", "sport"]
    predicted = model.predict(texts)
    assert np.mean([label in found for label, found in zip(labels, predicted, strict=True)]) > 0.9
    found = model.evaluate(texts, tags)
    assert found.n_documents == 119
    assert found.confusion is None
    assert found.counts == (40, 40, 60, 39)
    assert found.methods[0].accuracy > found.methods[2].accuracy


def test_documents_without_a_label_still_tell_topics() -> None:
    texts, labels = made()
    some = [label if i % 2 else None for i, label in enumerate(labels)]
    docs = Documents(tuple(texts), tuple(map(str, range(90))), tuple(some))
    model = TopicClassifier(TopicModel(3, random_state=0)).fit(docs)
    assert len(model.topics_.document_topics_) == 90
    assert model.evaluate(docs).n_documents == 45
    assert (model.predict(texts) == labels).mean() > 0.9


def test_a_file(tmp_path: Path, model: TopicClassifier) -> None:
    model.evaluate(*made())
    again = nonneg.load(nonneg.save(model, tmp_path / "m.nonneg"))
    new, _ = made(30, seed=3)
    assert isinstance(again, TopicClassifier)
    np.testing.assert_array_equal(again.predict_proba(new), model.predict_proba(new))
    assert again.evaluation_ == model.evaluation_
    assert list(again.classes_) == list(model.classes_)
    assert again.get_params()["n_folds"] == 5


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": ["a", "b"]}, "do not fit"),
        ({"labels": ["a", "a", "b"]}, "not different"),
        ({"multilabel": None}, "tags"),
        ({"evaluation": {"labels": 3}}, "topic_classifier"),
    ],
)
def test_a_file_that_contradicts_itself(
    tmp_path: Path, model: TopicClassifier, change: dict, message: str
) -> None:
    from nonneg.io.model_file import ModelRecord, write_record

    meta, arrays = model.to_record()
    path = tmp_path / "m.nonneg"
    write_record(ModelRecord("topic_classifier", meta | change, arrays), path)
    with pytest.raises(nonneg.NonnegError, match=message):
        nonneg.load(path)


def test_what_cannot_be_learned() -> None:
    texts, labels = made(12)
    model = TopicClassifier(TopicModel(2, random_state=0))
    with pytest.raises(InputError, match="0 labels for 12 documents"):
        model.fit(texts)
    with pytest.raises(InputError, match="3 labels for 12 documents"):
        model.fit(texts, labels[:3])
    with pytest.raises(InputError, match="there is 1 label"):
        model.fit(texts, ["a"] * 12)
    with pytest.raises(InputError, match="no labels"):
        model.fit(texts, [None] * 12)
    with pytest.raises(InputError, match="column of classes"):
        model.fit(texts, [str(i) for i in range(12)])
    with pytest.raises(InputError, match="n_folds=30"):
        TopicClassifier(TopicModel(2), n_folds=30).evaluate(texts, labels)
    with pytest.raises(InputError, match="one text"):
        model.fit("a text", ["a"])
    with pytest.raises(NotFittedError, match="call fit"):
        model.predict(texts)


def test_a_label_of_one_document() -> None:
    """A part may then lack a label altogether; it is predicted wrong, and nothing breaks."""
    texts, _ = made(30)
    labels = ["a"] * 29 + ["b"]
    found = TopicClassifier(TopicModel(2, random_state=0, n_runs=2)).evaluate(texts, labels)
    assert found.methods[2].accuracy == pytest.approx(29 / 30)
    assert found.f1[1] == 0


def test_an_unknown_document_has_a_label_all_the_same(model: TopicClassifier) -> None:
    assert model.predict(["xyzzy"])[0] in WORDS
    assert np.isfinite(model.predict_proba(["xyzzy", "goal"])).all()
    assert model.topics_.assign(["xyzzy", "goal"]).unknown.tolist() == [True, False]
