"""The accelerated run against the plain one from the same start, both to convergence.

Two laws. The accelerated run is settled where it ends: plain steps from there gain nothing worth
having. And it ends no higher than the plain run, on real data and five seeds. The second is not a
theorem: the problem is not convex, and two runs from one start may end in different optima.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.datasets import load_digits
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer

from nonneg import Factorization, Status, factorize

SLACK = 1.0005
SEEDS = range(5)


@dataclass(frozen=True)
class Runs:
    """One start, run thrice: accelerated, plain, and plain from where the first one ended."""

    accelerated: Factorization
    plain: Factorization
    resumed: Factorization

    @property
    def ratio(self) -> float:
        """Final objective of the accelerated run over that of the plain one."""
        return self.accelerated.objective / self.plain.objective

    @property
    def unsettled(self) -> float:
        """Objective where the accelerated run ended over what plain steps made of it."""
        return self.accelerated.objective / self.resumed.objective


def all_runs(X, k: int, *, seed: int, init: str = "random", **options) -> Runs:
    """Run from the start that `init` and `seed` give."""
    start = {"n_components": k, "init": init, "random_state": seed}
    accelerated = factorize(X, **start, **options)
    plain = factorize(X, **start, **options, accelerate=False)
    ended = {"W": accelerated.W, "H": accelerated.H}
    return Runs(accelerated, plain, factorize(X, **ended, **options, accelerate=False))


# --- tables: real ones, cut down so that the plain run converges in a second ---------------------


def heaviest(X: sp.csr_array, rows: int, columns: int) -> sp.csr_array:
    """Return the rows and columns with the most entries, in their order."""
    for axis, n in ((1, rows), (0, columns)):
        counts = np.asarray((X != 0).sum(axis=axis)).ravel()
        kept = np.sort(np.argsort(-counts, kind="stable")[:n])
        X = sp.csr_array(X[kept] if axis == 1 else X[:, kept])
    return X


def digits(_: Path) -> np.ndarray:
    return load_digits().data[::15]


def overlapping(_: Path) -> np.ndarray:
    rng = np.random.default_rng(0)
    X = rng.gamma(0.7, size=(90, 6)) @ rng.gamma(0.7, size=(6, 50))
    return X * rng.uniform(0.5, 1.5, X.shape) + 1e-3


@cache
def words(folder: Path) -> sp.csr_array:
    texts = pd.read_parquet(folder / "20newsgroups" / "20newsgroups.parquet").text[::9]
    vectorizer = CountVectorizer(max_df=0.95, min_df=2, max_features=2000, stop_words="english")
    counts = sp.csr_array(vectorizer.fit_transform(texts).astype(np.float32))
    return counts[np.asarray(counts.sum(axis=1)).ravel() > 0]


def tfidf(folder: Path) -> sp.csr_array:
    return sp.csr_array(TfidfTransformer().fit_transform(words(folder)).astype(np.float32))


def cells(folder: Path) -> sp.csr_array:
    counts = sp.csr_array(sp.load_npz(folder / "pbmc3k" / "counts.npz")).astype(np.float32)
    return heaviest(counts[::4], 400, 1000)


def faces(folder: Path) -> np.ndarray:
    X = np.load(folder / "orl-faces" / "orl_faces.npz")["X"][::4, ::6, ::6]
    return X.reshape(len(X), -1)


def small_faces(folder: Path) -> np.ndarray:
    X = np.load(folder / "cbcl" / "cbcl_faces.npz")["X"][::10]
    return X.reshape(len(X), -1)


def leukemia(folder: Path) -> np.ndarray:
    return pd.read_csv(folder / "all-aml" / "all_aml.csv.gz", index_col=0).to_numpy(float)[::5]


def ratings(folder: Path) -> sp.csr_array:
    with gzip.open(folder / "ml-100k" / "u.data.gz") as file:
        user, item, rating, _ = np.loadtxt(file, dtype=int).T
    return heaviest(sp.csr_array((rating.astype(float), (user - 1, item - 1))), 150, 200)


ALWAYS: list[Callable[[Path], object]] = [digits, overlapping]


# --- cases ---------------------------------------------------------------------------------------


# Where the law does not hold from every seed: the two runs end in different optima, and the
# accelerated one's is higher by as much. For `words` that hangs on the processor: with AVX-512,
# whose sums round otherwise, seed 1 ends .08 and .09 % higher.


def case(table, loss, solver, k=8, tol=1e-6, slack=SLACK):
    """Name a case; `slack` is how far above the plain run's objective it may end."""
    marks = [] if table in ALWAYS else [pytest.mark.shared_data]
    values = {"table": table, "loss": loss, "solver": solver, "k": k, "tol": tol}
    return pytest.param(values, slack, marks=marks, id=f"{table.__name__}-{loss}-{solver}")


CASES = [
    case(digits, "frobenius", "hals", 5),
    case(digits, "frobenius", "ccd", 5),
    case(digits, "frobenius", "anls-bpp", 5),
    case(digits, "frobenius", "mu", 4, 3e-5),
    case(digits, "kullback-leibler", "ccd", 5),
    case(digits, "kullback-leibler", "mu", 4, 3e-5),
    case(digits, 1.5, "mu", 4, 3e-5),
    case(digits, "huber", "ccd", 5),
    case(digits, "l1", "ccd", 4, 1e-4),
    case(digits, "l21", "ccd", 5),
    case(overlapping, "frobenius", "hals", slack=1.005),
    case(overlapping, "kullback-leibler", "ccd"),
    case(overlapping, "itakura-saito", "mu", 4, 1e-4),
    case(tfidf, "frobenius", "hals"),
    case(tfidf, "frobenius", "anls-bpp"),
    case(words, "kullback-leibler", "ccd", slack=1.001),
    case(words, "kullback-leibler", "mu", 3, 1e-4, slack=1.001),
    case(cells, "frobenius", "hals"),
    case(cells, "kullback-leibler", "ccd", 8, 1e-5),
    case(faces, "frobenius", "hals", slack=1.001),
    case(faces, "frobenius", "anls-bpp"),
    case(faces, "kullback-leibler", "ccd"),
    case(faces, "huber", "ccd", slack=1.005),
    case(small_faces, "frobenius", "hals"),
    case(small_faces, "kullback-leibler", "ccd"),
    case(small_faces, "frobenius", "mu", 3, 1e-4),
    case(leukemia, "frobenius", "hals", 4),
    case(leukemia, "frobenius", "anls-bpp", 4),
    case(leukemia, "kullback-leibler", "ccd", 4),
    case(leukemia, "huber", "ccd", 4, 1e-5),
    case(ratings, "frobenius", "ccd", 3, 1e-5),
    case(ratings, "kullback-leibler", "ccd", 3, 1e-5),
    case(ratings, "huber", "ccd", 3, 1e-5),
]
each_case = pytest.mark.parametrize(("values", "slack"), CASES)


@pytest.fixture(scope="module")
def runs_of(request):
    """Return the runs of a case for all seeds, made once."""
    tables: dict[str, object] = {}
    made: dict[str, list[Runs]] = {}

    def runs(values: dict[str, object]) -> list[Runs]:
        table, *rest = values.values()
        if table.__name__ not in tables:
            folder = Path() if table in ALWAYS else request.getfixturevalue("shared_data")
            tables[table.__name__] = table(folder)
        name = f"{table.__name__} {rest}"
        if name not in made:
            options = {key: values[key] for key in ("loss", "solver", "tol")}
            if table is ratings:
                options["missing_values"] = 0
            X = tables[table.__name__]
            made[name] = [
                all_runs(X, values["k"], seed=seed, max_iter=8000, **options) for seed in SEEDS
            ]
        return made[name]

    return runs


@each_case
def test_the_accelerated_run_ends_no_higher_than_the_plain_one(runs_of, values, slack):
    runs = runs_of(values)
    assert {run.plain.status for run in runs} == {Status.CONVERGED}
    ratios = [run.ratio for run in runs]
    assert max(ratios) <= slack, ratios


@each_case
def test_the_accelerated_run_is_settled_where_it_ends(runs_of, values, slack):
    ratios = [run.unsettled for run in runs_of(values)]
    assert max(ratios) <= SLACK, ratios
