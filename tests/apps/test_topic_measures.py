"""Coherence equals gensim's; groupings are measured as scikit-learn does, and no answer is NaN."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.feature_extraction.text import CountVectorizer

from nonneg.apps import topic_measures
from nonneg.apps.topic_measures import (
    c_v,
    grouping_scores,
    matched_accuracy,
    npmi,
    purity,
    topic_diversity,
    u_mass,
)
from nonneg.errors import InputError
from nonneg.io.documents import read_documents

MEASURES = {"c_npmi": npmi, "c_v": c_v, "u_mass": u_mass}


def by_gensim(name: str, topics: list, texts: list, window: int | None = None) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        models = pytest.importorskip("gensim.models.coherencemodel")
        corpora = pytest.importorskip("gensim.corpora")
        model = models.CoherenceModel(
            topics=topics,
            texts=texts,
            dictionary=corpora.Dictionary(texts),
            coherence=name,
            window_size=window,
            topn=max(map(len, topics)),
            processes=1,
        )
        return np.array(model.get_coherence_per_topic())


def made_texts(seed: int, n_texts: int = 60, longest: int = 150, n_words: int = 40) -> list:
    """Texts of Zipf's law, of none to many tokens, with words that come again soon."""
    rng = np.random.default_rng(seed)
    words = np.array([f"w{i}" for i in range(n_words)])
    shares = 1 / np.arange(1, n_words + 1)
    return [
        rng.choice(words, rng.integers(0, longest), p=shares / shares.sum()).tolist()
        for _ in range(n_texts)
    ]


@pytest.mark.parametrize("name", MEASURES)
@pytest.mark.parametrize("seed", range(3))
def test_coherence_is_gensims(name: str, seed: int) -> None:
    texts = made_texts(seed)
    rng = np.random.default_rng(seed)
    seen = sorted({word for text in texts for word in text})
    topics = [rng.choice(seen, 8, replace=False).tolist() for _ in range(6)]
    np.testing.assert_allclose(MEASURES[name](topics, texts), by_gensim(name, topics, texts), 1e-6)


@pytest.mark.parametrize("window", [1, 2, 3, 25, 1000])
def test_any_window(window: int) -> None:
    texts = made_texts(5, longest=40, n_words=12)
    topics = [["w0", "w1", "w2"], ["w5", "w1", "w9"]]
    if window > 1:  # with windows of one token, no two words meet: gensim agrees to rounding
        np.testing.assert_allclose(
            npmi(topics, texts, window=window), by_gensim("c_npmi", topics, texts, window), 1e-6
        )
    np.testing.assert_allclose(
        c_v(topics, texts, window=window), by_gensim("c_v", topics, texts, window), 1e-6
    )


@pytest.mark.shared_data
@pytest.mark.parametrize("name", MEASURES)
def test_coherence_is_gensims_on_news(shared_data: Path, name: str) -> None:
    docs = read_documents(shared_data / "bbc-octis/corpus.tsv.gz")
    texts = [text.split() for text in docs.texts[::5]]
    topics = [list(dict.fromkeys(texts[i]))[:10] for i in range(0, 440, 90)]
    np.testing.assert_allclose(
        MEASURES[name](topics, texts), by_gensim(name, topics, texts), rtol=1e-6
    )


def test_a_matrix_is_documents_as_sets() -> None:
    texts = made_texts(3)
    vectorizer = CountVectorizer(analyzer=lambda text: text)
    X = scipy.sparse.csr_array(vectorizer.fit_transform(texts))
    words = vectorizer.get_feature_names_out()
    topics = [["w0", "w3", "w7"], ["w1", "w20", "w30"]]
    for measure in (npmi, c_v):
        np.testing.assert_allclose(
            measure(topics, X, vocabulary=words), measure(topics, texts, window=None)
        )
    np.testing.assert_allclose(u_mass(topics, X, vocabulary=words), u_mass(topics, texts))
    with pytest.raises(InputError, match="vocabulary"):
        npmi(topics, X)


tokens = st.lists(st.lists(st.sampled_from("abcdef"), max_size=8), min_size=1, max_size=6)


@given(
    tokens,
    st.lists(st.lists(st.sampled_from("abcxyz"), max_size=4, unique=True), min_size=1),
    st.sampled_from([1, 2, 5, None]),
)
def test_never_nan(texts: list, topics: list, window: int | None) -> None:
    if not any(topics):
        return
    bound = 1 + 1e-9
    for values in (npmi(topics, texts, window=window), c_v(topics, texts, window=window)):
        assert values.shape == (len(topics),)
        assert (np.abs(values) <= bound).all()
    assert (u_mass(topics, texts) <= 1e-9).all()


def test_words_that_occur_nowhere_are_left_out() -> None:
    texts = made_texts(1)
    for measure in (npmi, c_v, u_mass):
        with_unknown = measure([["w0", "never", "w1", "w2"]], texts)
        np.testing.assert_array_equal(with_unknown, measure([["w0", "w1", "w2"]], texts))
        np.testing.assert_array_equal(measure([["never", "w1"], []], texts), [0.0, 0.0])


@pytest.mark.parametrize("measure", [npmi, c_v, u_mass])
def test_what_cannot_be_measured(measure: Callable[..., object]) -> None:
    with pytest.raises(InputError, match="lists of words"):
        measure(["a", "b"], [["a"]])
    with pytest.raises(InputError, match="needs words and documents"):
        measure([], [["a"]])
    with pytest.raises(InputError, match="needs words and documents"):
        measure([["a"]], [])
    with pytest.raises(InputError, match="window=0"):
        npmi([["a"]], [["a"]], window=0)


def test_diversity() -> None:
    assert topic_diversity([["a", "b"], ["c", "d"]]) == 1
    assert topic_diversity([["a", "b"], ["a", "b"]]) == 0.5
    assert topic_diversity([[], []]) == 1


@settings(max_examples=30)
@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from("abcd")), min_size=1))
def test_laws_of_groupings(pairs: list) -> None:
    groups, labels = (list(side) for side in zip(*pairs, strict=True))
    scores = grouping_scores(groups, labels)
    assert 0 < scores.matched_accuracy <= scores.purity <= 1
    assert -1e-12 <= scores.nmi_max <= scores.nmi_arithmetic + 1e-12 <= 1 + 2e-12
    assert scores.ari <= 1
    renamed = grouping_scores([f"g{9 - g}" for g in groups], labels)
    np.testing.assert_allclose(renamed, scores)
    assert np.isfinite(scores).all()
    perfect = grouping_scores(labels, labels)
    np.testing.assert_allclose(perfect, 1)


def test_matching_is_the_best_of_all() -> None:
    from itertools import permutations

    rng = np.random.default_rng(0)
    groups, labels = rng.integers(0, 4, 50), rng.integers(0, 4, 50)
    best = max((np.array(p)[groups] == labels).mean() for p in permutations(range(4)))
    assert matched_accuracy(groups, labels) == pytest.approx(best)
    assert purity(groups, labels) >= best
    with pytest.raises(InputError, match="one length"):
        purity([1, 2], ["a"])
    with pytest.raises(InputError, match="one length"):
        matched_accuracy([], [])


def test_every_measure_is_public() -> None:
    assert set(topic_measures.__all__) >= {f.__name__ for f in (npmi, c_v, u_mass, purity)}
