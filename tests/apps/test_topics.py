"""Laws of the topic model, what it refuses, and what it finds in real text."""

from __future__ import annotations

import gzip

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

import nonneg
from nonneg import NonnegError, TopicModel, match_components
from nonneg.apps.topic_company import company_of
from nonneg.apps.topic_fit import fit_topics, guides_of
from nonneg.apps.topic_measures import matched_accuracy, npmi, topic_diversity
from nonneg.apps.topic_number import held_out_score, split_words, weigh_numbers
from nonneg.apps.topic_words import limits, resolve_stop_words, tokens, weigh, word_ranks
from nonneg.errors import InputError, UnknownNameError
from nonneg.io.documents import Documents

_WORDS = {
    "sea": "wave tide shore sail harbour anchor deck storm gull current",
    "food": "bread butter soup oven salt pepper knife bowl onion garlic",
    "law": "court judge trial jury verdict appeal lawyer statute clerk oath",
}
THEMES = {theme: words.split() for theme, words in _WORDS.items()}


def planted(n: int = 120, seed: int = 0, shared: int = 3) -> tuple[list[str], list[str]]:
    """Documents of one theme each, with some words of the others."""
    rng = np.random.default_rng(seed)
    names = list(THEMES)
    texts, truth = [], []
    for j in range(n):
        theme = names[j % 3]
        words = rng.choice(THEMES[theme], size=12).tolist()
        words += rng.choice(THEMES[names[rng.integers(3)]], size=shared).tolist()
        texts.append(" ".join(words))
        truth.append(theme)
    return texts, truth


@pytest.fixture(scope="module")
def corpus() -> tuple[list[str], list[str]]:
    return planted()


@pytest.fixture(scope="module")
def model(corpus) -> TopicModel:
    return TopicModel(3, n_runs=4).fit(corpus[0])


@pytest.fixture(scope="module")
def counted(corpus) -> TopicModel:
    return TopicModel(3, loss="kullback-leibler", n_runs=2).fit(corpus[0])


# --- laws ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("which", ["model", "counted"])
def test_shares_and_words_add_up(which, request):
    found = request.getfixturevalue(which)
    np.testing.assert_allclose(found.document_topics_.sum(axis=1), 1, atol=1e-12)
    np.testing.assert_allclose(found.topic_words_.sum(axis=1), 1, atol=1e-12)
    assert found.document_topics_.min() >= 0
    assert sum(row.documents for row in found.topics()) == len(found.documents_)
    assert sum(row.share for row in found.topics()) == pytest.approx(1)


@pytest.mark.parametrize("which", ["model", "counted"])
def test_transform_of_the_fitted_documents_is_the_fit(which, request, corpus):
    found = request.getfixturevalue(which)
    np.testing.assert_allclose(found.transform(corpus[0]), found.document_topics_, atol=1e-9)
    assert np.array_equal(found.assign(corpus[0]).topic, found.documents_.topic)
    assert np.array_equal(found.groups(corpus[0]), found.groups())


@pytest.mark.parametrize("which", ["model", "counted"])
def test_contributions_of_words_add_up_to_the_share(which, request, corpus):
    found = request.getfixturevalue(which)
    for document in (0, 7, corpus[0][11], "wave court bread bread unheard"):
        for topic in (None, 0, 1, 2):
            parts = found.words_of(document, topic, n=None)
            text = corpus[0][document] if isinstance(document, int) else document
            shares = found.transform([text])[0]
            expected = shares.max() if topic is None else shares[topic]
            assert sum(part.contribution for part in parts) == pytest.approx(expected, abs=1e-9)
            assert all(part.contribution > 0 for part in parts)
            assert [p.contribution for p in parts] == sorted(
                (p.contribution for p in parts), reverse=True
            )


@pytest.mark.parametrize("loss", ["frobenius", "kullback-leibler"])
def test_order_of_documents_makes_no_difference(loss):
    texts, _ = planted(60, seed=3)
    order = np.random.default_rng(1).permutation(len(texts))
    first = TopicModel(3, loss=loss, n_runs=1).fit(texts)
    other = TopicModel(3, loss=loss, n_runs=1).fit([texts[j] for j in order])
    assert match_components(first.topic_words_, other.topic_words_).cosines.min() > 1 - 1e-6
    assert sorted(first.topic_names_) == sorted(other.topic_names_)
    place = [other.topic_names_.index(name) for name in first.topic_names_]
    np.testing.assert_allclose(
        other.document_topics_[:, place], first.document_topics_[order], atol=1e-4
    )


def test_same_topics_for_any_random_state_and_number_of_threads(corpus):
    first = TopicModel(3, n_runs=2, random_state=0, n_threads=1).fit(corpus[0])
    other = TopicModel(3, n_runs=2, random_state=7, n_threads=2).fit(corpus[0])
    assert np.array_equal(first.components_, other.components_)
    again = TopicModel(3, n_runs=2, random_state=0, n_threads=2).fit(corpus[0])
    assert np.array_equal(first.stability_, again.stability_)


def test_duplicates_share_a_topic_and_do_not_move_it(corpus):
    texts = corpus[0]
    twice = TopicModel(3, n_runs=1, min_df=1, max_df=1.0).fit(texts + texts)
    once = TopicModel(3, n_runs=1, min_df=1, max_df=1.0).fit(texts)
    n = len(texts)
    assert np.array_equal(twice.documents_.topic[:n], twice.documents_.topic[n:])
    assert match_components(once.topic_words_, twice.topic_words_).cosines.min() > 0.999


@pytest.mark.parametrize("which", ["model", "counted"])
def test_merged_topics_add_up(which, request, corpus):
    found = request.getfixturevalue(which)
    merged = found.merge([0, 2], "both")
    new = [*corpus[0][:5], "wave court bread", "nothing known here"]
    before, after = found.transform(new), merged.transform(new)
    np.testing.assert_allclose(after[:, 0], before[:, 0] + before[:, 2], atol=1e-12)
    np.testing.assert_allclose(after[:, 1], before[:, 1], atol=1e-12)
    assert merged.topic_names_ == ["both", found.topic_names_[1]]
    assert found.n_topics_ == 3  # the old one is as it was
    mass = found.weights_.sum(axis=0) * found.components_.sum(axis=1)
    expected = (mass[0] * found.topic_words_[0] + mass[2] * found.topic_words_[2]) / mass[
        [0, 2]
    ].sum()
    np.testing.assert_allclose(merged.topic_words_[0], expected, atol=1e-12)
    pairs = merged.words_of(0, 0, n=None)
    assert sum(p.contribution for p in pairs) == pytest.approx(merged.document_topics_[0, 0])
    assert set(np.unique(merged.groups())) <= {0, 1}


def test_largest_share_margin_and_mixed(model):
    shares = model.document_topics_
    top = np.sort(shares, axis=1)
    found = model.documents_
    assert np.array_equal(found.topic, shares.argmax(axis=1))
    np.testing.assert_allclose(found.margin, top[:, -1] - top[:, -2])
    assert np.array_equal(found.mixed, top[:, -2] >= 0.5 * top[:, -1])
    assert len(list(found)) == len(found) == 120
    assert found[-1] == found[119]
    assert found[:2] == [found[0], found[1]]


def test_planted_themes_are_found_and_named_by_their_words(model, corpus):
    truth = corpus[1]
    assert matched_accuracy(model.documents_.topic, truth) == 1
    assert matched_accuracy(model.groups(), truth) == 1
    for row in model.topics():
        themes = {theme for theme, words in THEMES.items() if set(row.words) <= set(words)}
        assert len(themes) == 1
        assert row.stability > 0.95
        assert row.coherence > 0
    words = [row.words for row in model.topics()]
    assert topic_diversity(words) == 1
    np.testing.assert_allclose(
        model.coherence_,
        npmi(words, model.counts_, window=None, vocabulary=list(model.vocabulary_)),
    )


def test_kullback_leibler_on_counts_is_plsa(counted):
    """At the optimum a topic's words are its expected counts, EM's fixed point (Hofmann 1999)."""
    X = counted.counts_.toarray()
    W, H = counted.weights_, counted.components_
    expected = np.einsum("jk,kw,jw->kw", W, H, X / np.maximum(W @ H, 1e-300))
    expected /= expected.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(counted.topic_words_, expected, atol=2e-3)


# --- words --------------------------------------------------------------------------------------


def test_words_keep_their_vowel_signs_and_accents():
    assert tokens("हिन्दी भाषा की किताब") == ["हिन्दी", "भाषा", "की", "किताब"]
    assert tokens("cafe\u0301 au lait") == ["cafe\u0301", "au", "lait"]
    assert tokens("Straße, МОСКВА; αβγ 42 x 3d _1 a1 ٢٠٢٤") == [
        "straße",
        "москва",
        "αβγ",
        "3d",
        "a1",
    ]


def test_stop_words_are_left_out_where_the_texts_are_english():
    english = ["the cat and the dog were in the house with us"] * 3
    german = ["die katze und der hund waren in dem haus mit uns"] * 3
    assert "the" in resolve_stop_words("auto", english)
    assert resolve_stop_words("auto", german) == frozenset()
    assert resolve_stop_words(["Der", "und"], german) == {"Der", "der", "und"}
    fitted = TopicModel(1, stop_words=["katze"]).fit(german)
    assert "katze" not in fitted.vocabulary_


def test_limits_adapt_to_the_corpus():
    assert limits(10, "auto", "auto") == (limits(10, 1, 10))
    assert limits(1000, "auto", "auto").min_df == 2
    assert limits(10**6, "auto", "auto").min_df == 10
    assert limits(100, 0.05, 0.9) == limits(100, 5, 90)
    with pytest.raises(InputError, match="lower min_df"):
        limits(100, 60, 0.5)
    with pytest.raises(InputError, match="min_df='often'"):
        limits(100, "often", "auto")


def test_bigrams_skip_stop_words():
    texts = ["the bank of england raised rates"] * 3 + ["the bank of england spoke"] * 3
    found = TopicModel(1, bigrams=True, stop_words="english").fit(texts)
    assert "bank england" in found.vocabulary_
    assert found.transform(["bank of england"]).sum() == pytest.approx(1)


def test_tf_idf_is_that_of_scikit_learn(corpus):
    theirs = TfidfVectorizer(sublinear_tf=True)
    X = theirs.fit_transform(corpus[0])
    ours = TopicModel(3, n_runs=1, min_df=1, max_df=1.0).fit(corpus[0])
    assert list(theirs.get_feature_names_out()) == list(ours.vocabulary_)
    assert abs(X - ours.matrix_).max() < 1e-12
    assert abs(weigh(ours.counts_, None) - ours.counts_).max() == 0


def test_relevance_is_that_of_sievert_and_shirley(model):
    t = 0
    share = model.word_counts_ / model.word_counts_.sum()
    for row in model.top_words(t, 5, by="relevance"):
        w = list(model.vocabulary_).index(row.word)
        lift = model.topic_words_[t, w] / share[w]
        assert row.lift == pytest.approx(lift)
        assert row.relevance == pytest.approx(0.6 * np.log(row.weight) + 0.4 * np.log(lift))
    for by in ("relevance", "weight", "lift"):
        values = [getattr(row, by) for row in model.top_words(t, 8, by=by)]
        assert values == sorted(values, reverse=True)
    listed = [row.word for row in model.top_words(t, 10)]
    assert [row.word for row in model.top_words(t, 4)] == listed[:4]


def test_company_is_the_mean_cosine_with_the_first_ten():
    rng = np.random.default_rng(0)
    X = sp.csr_array(rng.random((30, 14)) * (rng.random((30, 14)) < 0.5))
    found = company_of(X, [list(range(12)), [3]])
    D = X.toarray() / np.linalg.norm(X.toarray(), axis=0)
    C = D.T @ D
    assert found[0, 2] == pytest.approx((C[2, :10].sum() - 1) / 9)
    assert found[0, 11] == pytest.approx(C[11, :10].mean())
    assert found[0, 12:].max() == 0
    assert found[1].max() == 0
    ranks = word_ranks(np.full(14, 1 / 14), np.arange(1.0, 15), 0.6, found[0])
    assert sorted(ranks.best("company", 14)) == list(range(14))


def test_pinned_and_seeded_topics(corpus, model):
    weights = model.word_weights(1)
    assert sum(weights.values()) == pytest.approx(1)
    found = TopicModel(
        3, n_runs=2, seeds={"kitchen": ["bread", "Oven", "absent"]}, pinned={"kept": weights}
    ).fit(corpus[0])
    assert found.topic_names_[:2] == ["kitchen", "kept"]
    assert {row.word for row in found.top_words("kitchen", 8)} <= set(THEMES["food"])
    row = found.topic_words_[1]
    for word, weight in weights.items():
        assert row[list(found.vocabulary_).index(word)] == pytest.approx(weight, abs=1e-9)
    with pytest.raises(InputError, match="has no word that the documents have"):
        TopicModel(3, seeds={"x": ["absent"]}).fit(corpus[0])
    with pytest.raises(InputError, match="a text is no list of words"):
        TopicModel(3, seeds={"x": "bread"}).fit(corpus[0])
    with pytest.raises(InputError, match="2 topics are seeded or pinned"):
        TopicModel(1, seeds={"a": ["bread"], "b": ["court"]}).fit(corpus[0])
    with pytest.raises(InputError, match="both seeded and pinned"):
        TopicModel(3, seeds={"a": ["bread"]}, pinned={"a": weights}).fit(corpus[0])


# --- input --------------------------------------------------------------------------------------


def test_every_kind_of_input_gives_the_same_topics(corpus, model):
    texts = corpus[0]
    counter = CountVectorizer(vocabulary=list(model.vocabulary_))
    X = sp.csr_matrix(counter.fit_transform(texts))
    kinds = [
        pd.Series(texts, index=range(5, 125)),
        pd.DataFrame({"text": texts}),
        pl.Series(texts),
        pl.DataFrame({"text": texts}),
        np.array(texts, dtype=object),
        tuple(texts),
        Documents(tuple(texts), tuple(map(str, range(120)))),
    ]
    for documents in kinds:
        found = TopicModel(3, n_runs=1).fit(documents)
        assert np.array_equal(found.components_, model.components_)
    found = TopicModel(3, n_runs=1).fit(X, vocabulary=model.vocabulary_)
    np.testing.assert_allclose(found.components_, model.components_, atol=1e-12)
    np.testing.assert_allclose(found.transform(texts[:3]), model.transform(X[:3]), atol=1e-12)
    own = TopicModel(3, n_runs=1, vectorizer=TfidfVectorizer(sublinear_tf=True)).fit(texts)
    np.testing.assert_allclose(own.components_, model.components_, atol=1e-9)
    np.testing.assert_allclose(own.transform(texts[:3]), model.transform(texts[:3]), atol=1e-6)


def test_weighted_matrices_are_taken_as_they_are(corpus):
    vectorizer = TfidfVectorizer()
    X = vectorizer.fit_transform(corpus[0])
    found = TopicModel(3, n_runs=1).fit(X, vocabulary=vectorizer.get_feature_names_out())
    assert abs(found.matrix_ - X).max() == 0
    with pytest.raises(InputError, match="takes counts"):
        TopicModel(3, weighting="tfidf").fit(X, vocabulary=vectorizer.get_feature_names_out())


def test_a_pipeline_and_a_clone(corpus):
    texts, truth = corpus
    pipeline = make_pipeline(TopicModel(3, n_runs=1), LogisticRegression())
    assert pipeline.fit(texts, truth).score(texts, truth) == 1
    assert clone(pipeline[0]).get_params() == pipeline[0].get_params()


def test_documents_without_known_words_are_said_and_kept(corpus):
    texts = [*corpus[0], "", "   ", "12 34", None]
    found = TopicModel(3, n_runs=1).fit(texts)
    assert found.left_out_ == {"empty": 3, "no known word": 1}
    assert len(found.documents_) == 124
    assert found.documents_.unknown.nonzero()[0].tolist() == [120, 121, 122, 123]
    assert found.documents_[123].topic == -1
    assert found.documents_[123].name == ""
    assert found.groups()[-1] == -1
    assert not found.document_topics_[120:].any()
    assert len(found.words_of("")) == 0
    assert found.assign(["never heard of"])[0].topic == -1
    assert found.by_class(["a"] * 120 + ["b"] * 4)[-1].documents == 0


@pytest.mark.parametrize(
    ("documents", "how", "message"),
    [
        ([], {}, "there are no documents"),
        ("one text", {}, "one text was given"),
        (["the of and", "and to"], {"stop_words": "english"}, "no word is left"),
        (["", " "], {}, "no word is left"),
        (["wave tide"], {"n_topics": 2}, "n_topics=2 · the corpus has 1 document"),
        (["wave", "wave", "wave"], {"n_topics": 2}, "1 word"),
        ([1.5, 2.5], {}, "document 0 is a float"),
        (["wave", b"tide"], {}, "document 1 is a bytes"),
        (7, {}, "documents is a int"),
        (pd.DataFrame({"a": ["x y"], "b": ["z w"]}), {}, "2 columns: a, b"),
        (np.array([["a", "b"]]), {}, "shape"),
        (["wave tide"] * 30, {}, "no word is in 2 to 15 documents"),
        (["wave tide"], {"n_topics": 0}, "n_topics=0"),
        (["wave tide"], {"loss": "l1"}, "loss='l1'"),
        (["wave tide"], {"weighting": "bm25"}, "weighting='bm25'"),
        (["wave tide"], {"stop_words": "german"}, "stop_words='german'"),
        (["wave tide"], {"relevance": 2}, "relevance=2"),
        (["wave tide"], {"n_runs": 0}, "n_runs=0"),
        (["wave tide"], {"vectorizer": CountVectorizer(), "bigrams": True}, "with bigrams"),
    ],
)
def test_bad_input_is_refused_with_advice(documents, how, message):
    with pytest.raises(NonnegError, match=message):
        TopicModel(**{"n_topics": 1, **how}).fit(documents)


def test_bad_matrices_are_refused():
    X = sp.csr_array(np.array([[1.0, 0], [2, 3]]))
    for matrix, vocabulary, message in [
        (X, None, "without its vocabulary"),
        (X, ["a", "a"], "names a word twice"),
        (X, ["a"], "2 columns"),
        (-X, ["a", "b"], "negative"),
        (X * 0, ["a", "b"], "only zeros"),
        (X * np.nan, ["a", "b"], "NaN"),
    ]:
        with pytest.raises(InputError, match=message):
            TopicModel(1).fit(matrix, vocabulary=vocabulary)
    with pytest.raises(InputError, match="goes with a sparse matrix"):
        TopicModel(1).fit(["a text"], vocabulary=["text"])


def test_bad_questions_are_refused(model):
    for ask in (
        lambda: model.top_words(3),
        lambda: model.top_words("no such topic"),
        lambda: model.merge([0, 9]),
    ):
        with pytest.raises(UnknownNameError):
            ask()
    for ask in (
        lambda: model.top_words(0, by="length"),
        lambda: model.top_words(True),
        lambda: model.words_of(400),
        lambda: model.words_of(1.5),
        lambda: model.merge([1, 1]),
        lambda: model.by_class(),
        lambda: model.over_time(),
        lambda: model.over_time(["yesterday"] * 120),
        lambda: model.by_class(["a"]),
        lambda: model.tree([3, 2]),
        lambda: model.rename(0, " "),
        lambda: model.transform(sp.csr_array((1, 2))),
    ):
        with pytest.raises(InputError):
            ask()


def test_one_document_and_one_huge_one():
    one = TopicModel(1).fit(["wave tide shore"])
    assert one.documents_[0].share == 1
    huge = " ".join(THEMES["sea"] * 50_000)
    found = TopicModel(2, n_runs=1).fit([huge, *[" ".join(THEMES["food"])] * 3])
    assert found.documents_[0].topic != found.documents_[1].topic


# --- classes, time, trees, numbers ----------------------------------------------------------------


def test_classes_and_periods(corpus):
    texts, truth = corpus
    days = [f"2024-01-{1 + j // 5:02d}" for j in range(120)]
    documents = Documents(
        tuple(texts), tuple(f"d{j}" for j in range(120)), tuple(truth), tuple(days)
    )
    found = TopicModel(3, n_runs=1).fit(documents)
    table = found.by_class()
    assert [row.group for row in table[::3]] == ["food", "law", "sea"]
    for start in range(0, 9, 3):
        assert sum(row.share for row in table[start : start + 3]) == pytest.approx(1)
        assert table[start].documents == 40
    frame = found.over_time(n_periods=4).to_frame()
    assert frame.group.unique().tolist()[0] == "2024-01-01"
    assert frame.documents.iloc[::3].sum() == 120
    numbers = found.over_time(list(range(120)), n_periods=2)
    assert [row.group for row in numbers[::3]] == [0.0, 59.5]
    assert found.documents_[0].document == "d0"
    tags = found.by_class([("x", "y")] * 60 + [None] * 60)
    assert [row.documents for row in tags[::3]] == [60, 60]
    assert found.representatives(0)[0].text in texts


def test_tree_lets_every_document_flow(model):
    table = model.tree([1, 2, 3])
    for k in (1, 2):
        assert sum(row.documents for row in table if row.n_topics == k) == 120
    assert {row.next_name for row in table if row.n_next == 3} == set(model.topic_names_)
    assert set(table.to_frame("polars").columns) >= {"n_topics", "topic", "documents"}


def test_number_of_topics_comes_with_evidence(corpus):
    found = TopicModel(n_runs=1).fit(corpus[0])
    assert found.n_topics_ == 3
    assert [one.n_topics for one in found.evidence_ if one.chosen] == [3]
    by_number = {one.n_topics: one for one in found.evidence_}
    assert by_number[3].stability > 0.95
    assert by_number[3].held_out > by_number[2].held_out
    assert 0 < by_number[6].stability < by_number[3].stability


def test_held_out_score_against_the_formula():
    rng = np.random.default_rng(0)
    X = sp.csr_array(rng.random((20, 10)) * (rng.random((20, 10)) < 0.6))
    words = split_words(X, rng)
    assert abs(words.seen + words.held - X).max() == 0
    score = held_out_score(words, 2, loss="frobenius", rng=np.random.default_rng(1), n_threads=1)
    fit = nonneg.factorize(words.seen, 2, random_state=np.random.default_rng(1), n_threads=1)
    P = (fit.W @ fit.H) * (words.seen.toarray() == 0)
    B = words.held.toarray()
    expected = (P * B).sum() ** 2 / (P**2).sum() / (B**2).sum()
    assert score == pytest.approx(expected, rel=1e-6)
    table = weigh_numbers(X, [1, 2], loss="frobenius", rng=rng, n_threads=1)
    assert sum(one.chosen for one in table) == 1


# --- keeping --------------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", ["frobenius", "kullback-leibler"])
def test_a_saved_model_answers_the_same(tmp_path, corpus, loss):
    fitted = TopicModel(3, loss=loss, bigrams=True, n_runs=2).fit(corpus[0]).rename(0, "first")
    for kept in (fitted, fitted.merge([0, 1], "two")):
        path = nonneg.save(kept, tmp_path / "topics.nonneg", force=True)
        again = nonneg.load(path)
        new = [*corpus[0][:4], "wave bread", "nothing"]
        assert np.array_equal(again.transform(new), kept.transform(new))
        assert np.array_equal(again.groups(new), kept.groups(new))
        assert again.topics() == kept.topics()
        assert list(again.documents_) == list(kept.documents_)
        assert again.words_of(new[0]) == kept.words_of(new[0])
        assert again.stop_words is None
        for ask in (again.tree, again.groups, lambda again=again: again.words_of(0)):
            with pytest.raises(InputError, match="loaded from a file"):
                ask()
    assert again.merge([0, 1]).n_topics_ == 1


def test_a_custom_vectorizer_is_refused_by_the_model_file(tmp_path, corpus):
    fitted = TopicModel(3, n_runs=1, vectorizer=CountVectorizer()).fit(corpus[0])
    with pytest.raises(InputError, match=r"vectorizer=CountVectorizer\(…\) · only unpickling"):
        nonneg.save(fitted, tmp_path / "topics.nonneg")
    with pytest.raises(InputError, match="not fitted"):
        nonneg.save(TopicModel(3), tmp_path / "topics.nonneg")


def test_altered_records_are_refused(model):
    meta, arrays = model.to_record()
    assert TopicModel.from_record(meta, arrays).topics() == model.topics()
    for change in (
        {"components": -arrays["components"]},
        {"components": arrays["components"][:, 1:]},
        {"groups": np.zeros(3, dtype=np.int64)},
        {"weights": arrays["weights"][:, :2]},
    ):
        with pytest.raises(ValueError):
            TopicModel.from_record(meta, {**arrays, **change})
    for change in ({"vocabulary": ["a"]}, {"topic_names": [1, 2, 3]}, {"document_names": ["x"]}):
        with pytest.raises(ValueError):
            TopicModel.from_record({**meta, **change}, arrays)


# --- real text ------------------------------------------------------------------------------------


@pytest.mark.shared_data
def test_bbc_groups_and_words(shared_data):
    with gzip.open(shared_data / "bbc-octis" / "corpus.tsv.gz", "rt", encoding="utf-8") as lines:
        rows = [line.rstrip("\n").split("\t") for line in lines]
    texts, labels = [row[0] for row in rows], [row[2] for row in rows]
    found = TopicModel(5, n_runs=1).fit(texts)
    assert matched_accuracy(found.groups(), labels) >= 0.945
    words = [row.words for row in found.topics()]
    assert topic_diversity(words) == 1
    assert npmi(words, [text.split() for text in texts]).mean() > 0.2


def test_fit_topics_keeps_empty_rows_at_zero():
    X = sp.csr_array(np.array([[1.0, 2, 0], [0, 0, 0], [0, 1, 3]]))
    fitted = fit_topics(
        X,
        2,
        loss="frobenius",
        n_runs=1,
        guides=guides_of(None, None, np.array(["a", "b", "c"])),
        rng=np.random.default_rng(0),
        n_threads=1,
    )
    assert not fitted.W[1].any()
    np.testing.assert_allclose(fitted.W @ fitted.H, X.toarray(), atol=1e-3)
