"""What other tools get: distributions, their names, and rows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import scipy.sparse

import nonneg
from nonneg import TopicModel
from nonneg.apps.topic_exports import document_rows, to_pyldavis, to_topicwizard, word_rows
from nonneg.errors import InputError

DOCS = ["cats purr and purr", "cats and dogs", "dogs bark", "birds sing"] * 4
DOCS += ["rain falls", "rain and snow", "snow and wind", "xyzzy"] * 4


@pytest.fixture(scope="module")
def model() -> TopicModel:
    """Some documents have no known word: xyzzy is left out as too rare or too frequent."""
    return TopicModel(3, random_state=0, max_words=6).fit(DOCS)


def test_pyldavis_gets_distributions(model: TopicModel, tmp_path: Path) -> None:
    arguments = to_pyldavis(model)
    assert list(arguments) == [
        "topic_term_dists",
        "doc_topic_dists",
        "doc_lengths",
        "vocab",
        "term_frequency",
    ]
    topics, documents = arguments["topic_term_dists"], arguments["doc_topic_dists"]
    np.testing.assert_allclose(topics.sum(axis=1), 1, atol=1e-12)
    np.testing.assert_allclose(documents.sum(axis=1), 1, atol=1e-12)
    assert (topics > 0).all()
    np.testing.assert_allclose(topics, model.topic_words_, atol=1e-8)
    known = model.document_topics_.sum(axis=1) > 0
    assert 0 < known.sum() < len(DOCS)
    assert len(documents) == known.sum() == len(arguments["doc_lengths"])
    assert (arguments["doc_lengths"] > 0).all()
    assert len(arguments["vocab"]) == topics.shape[1] == len(arguments["term_frequency"])
    assert (arguments["term_frequency"] > 0).all()
    loaded = to_pyldavis(nonneg.load(nonneg.save(model, tmp_path / "m.nonneg")))
    for key, value in arguments.items():
        np.testing.assert_array_equal(loaded[key], value)


def test_topicwizard_gets_its_fields(model: TopicModel, tmp_path: Path) -> None:
    data = to_topicwizard(model, DOCS)
    n, n_words = len(data["corpus"]), len(data["vocab"])
    assert n == (model.document_topics_.sum(axis=1) > 0).sum()
    assert "xyzzy" not in data["corpus"] or "xyzzy" in data["vocab"]
    assert data["document_term_matrix"].shape == (n, n_words)
    assert isinstance(data["document_term_matrix"], scipy.sparse.csr_matrix)
    assert data["document_topic_matrix"].shape == (n, 3)
    assert data["topic_term_matrix"].shape == (3, n_words)
    assert data["document_representation"].shape == (n, n_words)
    assert len(data["topic_names"]) == 3
    assert data["transform"](["cats"]).shape == (1, 3)
    with pytest.raises(InputError, match="fitted to 32"):
        to_topicwizard(model, DOCS[1:])
    with pytest.raises(InputError, match="loaded from a file"):
        to_topicwizard(nonneg.load(nonneg.save(model, tmp_path / "m.nonneg")), DOCS)


def test_rows(model: TopicModel) -> None:
    groups = model.groups()
    tags = [("a", "b")] * len(DOCS)
    rows = document_rows(model.documents_, model.document_topics_, groups, tags)
    assert [row["group"] or 0 for row in rows] == (groups + 1).tolist()
    assert len(rows) == len(DOCS)
    assert rows[0]["document"] == 1
    assert rows[0]["label"] == "a|b"
    for row, shares in zip(rows, model.document_topics_, strict=True):
        assert [row[f"topic {t}"] for t in (1, 2, 3)] == shares.tolist()
        known = shares.any()
        assert (row["topic"] is not None) == known
        if known:
            assert row["topic"] == shares.argmax() + 1
            assert row["share"] == shares.max()
    words = word_rows(model, 2)
    assert [row["topic"] for row in words] == [1, 1, 2, 2, 3, 3]
    assert [row["word"] for row in words[:2]] == [w.word for w in model.top_words(0, 2)]
