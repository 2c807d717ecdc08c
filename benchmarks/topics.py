"""Topics of BBC news and of 20 newsgroups, beside scikit-learn and gensim.

    python benchmarks/topics.py --data FOLDER [--only coherence groups five example same]

coherence  BBC (OCTIS), k = 10 … 50, ten words a topic, gensim's c_npmi as the judge, and diversity.
groups     BBC, k = 5: agreement of groups with the five classes.
five       gensim's tutorial: five of the 20 newsgroups; error on the test messages, and F1 of a
           logistic regression on five topic weights, trained on the labels of the training part.
example    scikit-learn's example: 2,000 messages × 1,000 words × 10 topics; objective and seconds.
same       The least cosine between the topics of ten random states, and of another order.

Everything runs with the default settings unless a row says otherwise. What is not installed is
named as missing. Each part is written to results/topics-PART.json.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
import sklearn.decomposition
from machine import machine, today, versions, write
from sets import bbc, newsgroups
from sets.paths import source
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from nonneg import NMF, TopicModel, factorize, match_components
from nonneg.apps.topic_fit import svd_start
from nonneg.apps.topic_measures import grouping_scores, npmi, topic_diversity

RESULTS = Path(__file__).parent / "results"
NUMBERS, SEEDS = (10, 20, 30, 40, 50), (0, 1, 2)
FIVE = (
    "alt.atheism",
    "comp.graphics",
    "rec.motorcycles",
    "talk.politics.mideast",
    "sci.space",
)
Rows = list[dict[str, Any]]


def main() -> None:
    """Measure the parts that were asked for and write a record of each."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the data")
    parser.add_argument("--only", nargs="+", choices=list(PARTS), default=list(PARTS))
    parser.add_argument("--output", type=Path, default=RESULTS, help="folder of the records")
    asked = parser.parse_args()
    for name in asked.only:
        protocol, part = PARTS[name]
        rows = part(asked.data)
        record = {
            "benchmark": f"topics: {name}",
            "date": today(),
            "protocol": protocol,
            "rows": rows,
            "missing": {} if has_gensim() else {"gensim": "it is not installed"},
            "machine": machine(),
            "versions": versions() | ({"gensim": version("gensim")} if has_gensim() else {}),
        }
        write(asked.output / f"topics-{name}.json", record)
        print(json.dumps(rows, indent=1, ensure_ascii=False))


def has_gensim() -> bool:
    """Whether the judge and rival is there."""
    return find_spec("gensim") is not None


# --- coherence ----------------------------------------------------------------------------------


def coherence(data: Path) -> Rows:
    """NPMI and diversity, mean over numbers of topics and seeds."""
    texts, _ = bbc.texts(data)
    tokens = [text.split() for text in texts]
    tfidf = TfidfVectorizer(token_pattern=r"\S+", lowercase=False)
    X = tfidf.fit_transform(texts)
    words = tfidf.get_feature_names_out()

    def ours(k: int, seed: int) -> list[list[str]]:
        return listed(TopicModel(k, n_runs=1, random_state=seed).fit(texts), "company")

    def by_relevance(k: int, seed: int) -> list[list[str]]:
        return listed(TopicModel(k, n_runs=1, random_state=seed).fit(texts), "relevance")

    def scikit_learn(k: int, seed: int) -> list[list[str]]:
        H = sklearn.decomposition.NMF(k, random_state=seed, max_iter=500).fit(X).components_
        return [words[np.argsort(-row)[:10]].tolist() for row in H]

    # Topics of ours are the same for every seed (see `same`).
    rows = [
        coherent("nonneg", ours, (0,), tokens),
        coherent("nonneg, words by relevance alone", by_relevance, (0,), tokens),
        coherent("scikit-learn NMF on tf-idf", scikit_learn, SEEDS, tokens),
    ]
    if has_gensim():
        rows.append(coherent("gensim LdaModel, one seed", gensim_lda(tokens), (0,), tokens))
    return rows


def listed(model: TopicModel, by: Any) -> list[list[str]]:
    """Ten words of each topic."""
    return [[found.word for found in model.top_words(t, 10, by=by)] for t in range(model.n_topics_)]


def gensim_lda(tokens: list[list[str]]) -> Callable[[int, int], list[list[str]]]:
    """Latent Dirichlet allocation, ten passes."""
    from gensim.corpora import Dictionary
    from gensim.models import LdaModel

    dictionary = Dictionary(tokens)
    corpus = [dictionary.doc2bow(text) for text in tokens]

    def find(k: int, seed: int) -> list[list[str]]:
        model = LdaModel(corpus, k, id2word=dictionary, passes=10, random_state=seed)
        return [[word for word, _ in model.show_topic(t, 10)] for t in range(k)]

    return find


def coherent(
    name: str,
    find: Callable[[int, int], list[list[str]]],
    seeds: Sequence[int],
    tokens: list[list[str]],
) -> dict[str, Any]:
    """Return the row of one method."""
    judged, measured, diverse, seconds = [], [], [], 0.0
    for k in NUMBERS:
        for seed in seeds:
            started = time.perf_counter()
            topics = find(k, seed)
            seconds += time.perf_counter() - started
            measured.append(float(npmi(topics, tokens).mean()))
            judged.append(gensim_npmi(topics, tokens) if has_gensim() else None)
            diverse.append(topic_diversity(topics))
    by_number = np.array(measured).reshape(len(NUMBERS), len(seeds)).mean(axis=1)
    return {
        "method": name,
        "c_npmi_gensim": round(float(np.mean(judged)), 4) if has_gensim() else None,
        "c_npmi": round(float(np.mean(measured)), 4),
        "c_npmi_by_number": dict(zip(map(str, NUMBERS), by_number.round(4).tolist(), strict=True)),
        "diversity": round(float(np.mean(diverse)), 4),
        "seconds": round(seconds, 1),
    }


def gensim_npmi(topics: list[list[str]], tokens: list[list[str]]) -> float:
    """The judge."""
    from gensim.corpora import Dictionary
    from gensim.models import CoherenceModel

    return CoherenceModel(
        topics=topics,
        texts=tokens,
        dictionary=Dictionary(tokens),
        coherence="c_npmi",
        topn=10,
        processes=1,
    ).get_coherence()


# --- groups -------------------------------------------------------------------------------------


def groups(data: Path) -> Rows:
    """Groups of BBC news beside its classes, no label being used to find them."""
    texts, labels = bbc.texts(data)
    rows = []
    for loss in ("frobenius", "kullback-leibler"):
        started = time.perf_counter()
        model = TopicModel(5, loss=loss, n_runs=1).fit(texts)
        seconds = time.perf_counter() - started
        for how, found in (
            ("largest share", model.documents_.topic),
            ("groups()", model.groups()),
        ):
            rows.append(agreement(f"nonneg {loss}, {how}", found, labels, seconds))
    X = TfidfVectorizer(token_pattern=r"\S+", lowercase=False).fit_transform(texts)
    started = time.perf_counter()
    W = sklearn.decomposition.NMF(5, random_state=0, max_iter=500).fit_transform(X)
    seconds = time.perf_counter() - started
    rows.append(agreement("scikit-learn NMF on tf-idf", W.argmax(axis=1), labels, seconds))
    return rows


def agreement(name: str, found: np.ndarray, labels: np.ndarray, seconds: float) -> dict[str, Any]:
    """Return the row of one grouping."""
    scores = {
        key: round(value, 4) for key, value in grouping_scores(found, labels)._asdict().items()
    }
    return {"method": name, **scores, "seconds": round(seconds, 2)}


# --- five newsgroups ----------------------------------------------------------------------------


def five(data: Path) -> Rows:
    """The tutorial of gensim's Nmf."""
    if not has_gensim():
        return []
    from gensim.matutils import corpus2csc
    from gensim.models.nmf import Nmf

    train, test = (five_part(data, split) for split in ("train", "test"))
    dictionary, corpora, tfidf = five_corpus(train[0], test[0])
    words = [dictionary[at] for at in range(len(dictionary))]

    def matrix(corpus: Sequence[Any]) -> sp.csr_array:
        return sp.csr_array(corpus2csc(corpus, num_terms=len(words)).T)

    X, X_test = (matrix([tfidf[row] for row in corpus]) for corpus in corpora)
    counts, counts_test = (matrix(corpus) for corpus in corpora)
    rows = []
    for name, how, seen, new in (
        ("nonneg, the protocol's tf-idf", {}, X, X_test),
        ("nonneg, counts, default weights", {}, counts, counts_test),
        ("nonneg, kullback-leibler", {"loss": "kullback-leibler"}, counts, counts_test),
    ):
        started = time.perf_counter()
        model = TopicModel(5, n_runs=1, **how).fit(seen, vocabulary=words)
        seconds = time.perf_counter() - started
        W = model.weigh(new)
        error = residual(new, W, model.components_) if seen is X else None
        scores = grouping_scores(model.documents_.topic, train[1])
        refined = grouping_scores(model.groups(), train[1])
        rows.append(
            {
                "method": name,
                "test_error": error,
                "f1": f1(model.weights_, train[1], W, test[1]),
                "train_accuracy_of_largest_share": round(scores.matched_accuracy, 4),
                "train_accuracy_of_groups": round(refined.matched_accuracy, 4),
                "seconds": round(seconds, 2),
            }
        )
    started = time.perf_counter()
    rival = sklearn.decomposition.NMF(5, random_state=42).fit(X)
    seconds = time.perf_counter() - started
    W = rival.transform(X_test)
    rows.append(
        {
            "method": "scikit-learn NMF",
            "test_error": residual(X_test, W, rival.components_),
            "f1": f1(rival.transform(X), train[1], W, test[1]),
            "seconds": round(seconds, 2),
        }
    )
    started = time.perf_counter()
    weighted = [tfidf[row] for row in corpora[0]]
    found = Nmf(
        weighted,
        num_topics=5,
        id2word=dictionary,
        passes=5,
        chunksize=2000,
        random_state=42,
        normalize=False,
    )
    seconds = time.perf_counter() - started
    seen, new = (
        corpus2csc(found[[tfidf[row] for row in corpus]], num_terms=5).T.toarray()
        for corpus in corpora
    )
    rows.append(
        {
            "method": "gensim Nmf",
            "test_error": residual(X_test, new, found.get_topics()),
            "f1": f1(seen, train[1], new, test[1]),
            "seconds": round(seconds, 2),
        }
    )
    return rows


def five_part(data: Path, split: str) -> tuple[list[list[str]], np.ndarray]:
    """Return the words of the messages of one part, headers and all, and their groups."""
    from gensim.parsing.preprocessing import preprocess_string

    frame = pd.read_parquet(source(data, "20newsgroups", "20newsgroups.parquet"))
    frame = frame[frame.group.isin(FIVE) & (frame.split == split)]
    return [preprocess_string(text) for text in frame.text], frame.group.to_numpy()


def five_corpus(train: list[list[str]], test: list[list[str]]) -> tuple[Any, list[Any], Any]:
    """Return gensim's dictionary, both parts as bags of words, and its tf-idf."""
    from gensim.corpora import Dictionary
    from gensim.models.tfidfmodel import TfidfModel

    dictionary = Dictionary(train)
    dictionary.filter_extremes(no_below=5, no_above=0.5, keep_n=20000)
    dictionary.compactify()
    corpora = [[dictionary.doc2bow(text) for text in part] for part in (train, test)]
    return dictionary, corpora, TfidfModel(corpora[0])


def residual(X: sp.csr_array, W: np.ndarray, H: np.ndarray) -> float:
    """‖X − WH‖_F."""
    return round(float(np.linalg.norm(X.toarray() - W @ H)), 5)


def f1(seen: np.ndarray, labels: np.ndarray, new: np.ndarray, truth: np.ndarray) -> float:
    """Micro F1 of a logistic regression on topic weights."""
    classify = make_pipeline(StandardScaler(), LogisticRegression(C=1000, max_iter=2000))
    guessed = classify.fit(seen, labels).predict(new)
    return round(float(f1_score(truth, guessed, average="micro")), 4)


# --- scikit-learn's example, and the same topics --------------------------------------------------


def example(data: Path) -> Rows:
    """The talk's second application, as in scikit-learn's example, and without its penalties."""
    texts = [text for text in newsgroups.messages(data, "train") if text.strip()]
    order = np.random.RandomState(1).permutation(len(texts))[:2000]
    vectorizer = TfidfVectorizer(max_df=0.95, min_df=2, max_features=1000, stop_words="english")
    X = vectorizer.fit_transform([texts[at] for at in order])
    rows = []
    for alpha in (5e-5, 0.0):
        how = {"alpha_W": alpha, "alpha_H": alpha, "l1_ratio": 1.0 if alpha else 0.0}
        runs: dict[str, Callable[[], Any]] = {
            "scikit-learn, as in its example": lambda how=how: sklearn.decomposition.NMF(
                10, init="nndsvda", random_state=1, **how
            ),
            "scikit-learn, tol=1e-7": lambda how=how: sklearn.decomposition.NMF(
                10, init="nndsvda", random_state=1, tol=1e-7, max_iter=5000, **how
            ),
            "nonneg, the start of TopicModel": lambda how=how: ExactStart(how),
            "nonneg NMF": lambda how=how: NMF(10, random_state=1, **how),
            "nonneg NMF, tol=1e-7": lambda how=how: NMF(
                10, random_state=1, tol=1e-7, max_iter=5000, **how
            ),
        }
        for name, make in runs.items():
            seconds, models = [], []
            for _ in range(5):
                model = make()
                started = time.perf_counter()
                W = model.fit_transform(X)
                seconds.append(time.perf_counter() - started)
                models.append((W, model.components_))
            value = penalized(X, *models[0], alpha, how["l1_ratio"])
            rows.append(
                {
                    "method": name,
                    "alpha": alpha,
                    "objective": round(value, 7),
                    "seconds": round(float(np.median(seconds)), 4),
                }
            )
    words = vectorizer.get_feature_names_out()
    started = time.perf_counter()
    model = TopicModel(10, n_runs=1).fit(X, vocabulary=words)
    rows.append(
        {
            "method": "nonneg TopicModel",
            "alpha": 0.0,
            "objective": round(penalized(X, model.weights_, model.components_, 0.0, 0.0), 7),
            "seconds": round(time.perf_counter() - started, 4),
        }
    )
    return rows


class ExactStart:
    """NMF from the singular value decomposition that topics start from."""

    def __init__(self, how: dict[str, float]) -> None:
        self.how = how

    def fit_transform(self, X: Any) -> np.ndarray:
        """Return W, the start included."""
        W, H = svd_start(sp.csr_array(X), 10)
        fit = factorize(X, W=W, H=H, tol=1e-6, random_state=0, **self.how)
        self.components_ = fit.H
        return fit.W


def penalized(X: Any, W: np.ndarray, H: np.ndarray, alpha: float, l1_ratio: float) -> float:
    """½‖X − WH‖² with scikit-learn's penalties, in float64."""
    W, H = np.asarray(W, dtype=np.float64), np.asarray(H, dtype=np.float64)
    rest = X.toarray() - W @ H
    m, n = X.shape
    sums = n * W.sum() + m * H.sum()
    squares = n * np.sum(W**2) + m * np.sum(H**2)
    penalty = alpha * (l1_ratio * sums + 0.5 * (1 - l1_ratio) * squares)
    return float(0.5 * np.sum(rest**2) + penalty)


def same(data: Path) -> Rows:
    """Ten random states, and the documents in another order."""
    cases = [
        ("BBC", bbc.texts(data)[0], 5),
        ("20 newsgroups", newsgroups.messages(data), 20),
    ]
    rows = []
    for name, texts, k in cases:
        started = time.perf_counter()
        first = TopicModel(k, random_state=0).fit(texts)
        seconds = time.perf_counter() - started
        cosines = [
            float(match_components(first.components_, other.components_).cosines.min())
            for other in (TopicModel(k, n_runs=1, random_state=s).fit(texts) for s in range(1, 10))
        ]
        order = np.random.default_rng(0).permutation(len(texts))
        other = TopicModel(k, n_runs=1).fit([texts[at] for at in order])
        shuffled = match_components(first.components_, other.components_).cosines.min()
        rows.append(
            {
                "data": name,
                "topics": k,
                "documents": len(texts),
                "words": len(first.vocabulary_),
                "least_cosine_of_ten_states": round(min(cosines), 6),
                "least_cosine_of_another_order": round(float(shuffled), 6),
                "stability_of_topics": first.stability_.round(3).tolist(),
                "names": list(first.topic_names_),
                "left_out": first.left_out_,
                "seconds": round(seconds, 1),
            }
        )
    return rows


PARTS: dict[str, tuple[str, Callable[[Path], Rows]]] = {
    "coherence": (
        "the given tokens and vocabulary; k = 10, 20, 30, 40, 50; ten words a topic; gensim's "
        "c_npmi over the corpus; diversity = different words / all; mean over k and seeds",
        coherence,
    ),
    "groups": ("BBC, k = 5, agreement with its five classes; no label is used", groups),
    "five": (
        "gensim's tutorial: bydate, preprocess_string, filter_extremes(5, .5, 20000), tf-idf, k = "
        "5; error on the test part; micro F1 there of a logistic regression on the five weights",
        five,
    ),
    "example": (
        "2,000 training messages of 20 newsgroups, headers, footers, quotes stripped, 1,000 words, "
        "10 topics; objective in float64; median seconds of five fits in one process",
        example,
    ),
    "same": ("topics matched by cosine over ten random states, and another order", same),
}


if __name__ == "__main__":
    main()
