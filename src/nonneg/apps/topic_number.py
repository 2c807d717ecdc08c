"""How many topics: which come back in other runs, and which foretell words that were held out.

A number is never given without its evidence: the table of all numbers tried says how stable the
topics are and how well they foretell the other half of the words of each document.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, cast

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from nonneg.apps.topic_fit import Loss, Matrix, finished
from nonneg.apps.topic_measures import npmi
from nonneg.apps.topic_results import NumberEvidence
from nonneg.apps.topic_words import word_ranks
from nonneg.core.factorize import factorize
from nonneg.core.runs import factorize_runs
from nonneg.selection.stability import stable_components

__all__ = [
    "Heldout",
    "candidates",
    "held_out_score",
    "preferences",
    "split_words",
    "weigh_numbers",
]

# Splits of the words, and runs compared, for each number tried.
_SPLITS, _RUNS = 2, 6
_RUN_TOL = 1e-4
# A number of topics comes into question where its stability is this near to the best one's.
_STABLE = 0.95
# Larger numbers are not tried once so many in a row are out of the question.
_PATIENCE = 4
_LAMBDA = 0.6


def weigh_numbers(
    X: Matrix,
    numbers: Sequence[int],
    *,
    loss: Loss,
    rng: np.random.Generator,
    n_threads: int | None,
) -> list[NumberEvidence]:
    """Return the evidence for each number of topics, one of them chosen.

    Chosen is, among the numbers whose topics come back in other runs nearly as surely as those of
    the most stable number, the one that foretells held-out words best. After four numbers in a row
    that do not, larger ones are left out: each takes longer, and few become stable again.
    """
    X = X[np.flatnonzero(np.diff(X.indptr))]
    splits = [split_words(X, rng) for _ in range(_SPLITS)]
    # Every number of topics starts from the same seeds, so that none is lucky.
    seeds = [int(rng.integers(2**32)) for _ in range(_SPLITS + 1)]
    stability, held_out, coherence = [], [], []
    for k in numbers:
        fits = factorize_runs(
            X,
            k,
            n_runs=_RUNS,
            loss=loss,
            tol=_RUN_TOL,
            random_state=seeds[-1],
            n_threads=n_threads,
        )
        finished(fits)
        stability.append(float(stable_components(fits).cosines.mean()))
        best = min(fits, key=lambda fit: fit.objective)
        coherence.append(_coherence(X, np.asarray(best.H, dtype=np.float64)))
        scores = [
            held_out_score(
                words, k, loss=loss, rng=np.random.default_rng(seed), n_threads=n_threads
            )
            for words, seed in zip(splits, seeds[:-1], strict=True)
        ]
        held_out.append(float(np.mean(scores)))
        if len(stability) > _PATIENCE and max(stability[-_PATIENCE:]) < _STABLE * max(stability):
            break
    steady = np.array(stability) >= _STABLE * max(stability)
    chosen = int(np.argmax(np.where(steady, held_out, -1.0)))
    return [
        NumberEvidence(k, stability[at], held_out[at], coherence[at], at == chosen)
        for at, k in enumerate(numbers[: len(stability)])
    ]


def preferences(tried: Sequence[NumberEvidence]) -> str:
    r"""Return what each criterion prefers and how the number was chosen, in sentences.

    Examples
    --------
    >>> rows = [(2, 1.0, 0.1, False), (3, 0.99, 0.2, True), (4, 0.7, 0.3, False)]
    >>> said = preferences([NumberEvidence(k, s, h, 0.0, c) for k, s, h, c in rows])
    >>> print(said.replace(". ", ".\n"))
    Stability prefers 2, held-out words 4.
    Of 2 and 3, whose topics come back in other runs (nearly) as surely, 3 foretells held-out best.
    """
    surest = max(entry.stability for entry in tried)
    foretold = max(tried, key=lambda entry: entry.held_out).n_topics
    chosen = next(entry.n_topics for entry in tried if entry.chosen)
    stable = [e.n_topics for e in tried if round(e.stability, 3) == round(surest, 3)]
    near = [e.n_topics for e in tried if e.stability >= _STABLE * surest]
    if stable == [foretold]:
        return f"Stability and held-out words both prefer {foretold}."
    why = (
        f"Only the topics of {chosen} come back in other runs that surely."
        if near == [chosen]
        else f"Of {_listed(near)}, whose topics come back in other runs (nearly) as surely, "
        f"{chosen} foretells held-out best."
    )
    return f"Stability prefers {_listed(stable)}, held-out words {foretold}. {why}"


def _listed(numbers: Sequence[int]) -> str:
    *first, last = map(str, numbers)
    return f"{', '.join(first)} and {last}" if first else last


class Heldout(NamedTuple):
    """The words of each document in two parts: learned on one, judged on the other."""

    seen: Matrix
    held: Matrix


def split_words(X: Matrix, rng: np.random.Generator) -> Heldout:
    """Deal the words of each document to two parts at random."""
    rows = np.repeat(np.arange(X.shape[0]), np.diff(X.indptr))
    coin = rng.random(X.nnz) < 0.5
    # A document whose words all fell to one side says nothing about the other, and is no harm.
    parts = [
        sp.csr_array((X.data[at], (rows[at], X.indices[at])), shape=X.shape) for at in (coin, ~coin)
    ]
    return Heldout(*parts)


def held_out_score(
    words: Heldout,
    n_topics: int,
    *,
    loss: Loss,
    rng: np.random.Generator,
    n_threads: int | None,
) -> float:
    """Return how well topics learned on half of the words of each document foretell the others.

    It is the squared cosine between the words held out and what is expected in all places but
    those that were seen: 1 where they are foretold up to scale, 0 where nothing is.
    """
    fit = factorize(words.seen, n_topics, loss=loss, random_state=rng, n_threads=n_threads)
    finished([fit])
    W, H = np.asarray(fit.W, dtype=np.float64), np.asarray(fit.H, dtype=np.float64)
    agreement = float(_expected(words.held, W, H) @ words.held.data)
    expected = float(np.sum((W.T @ W) * (H @ H.T)))
    elsewhere = expected - float(np.sum(_expected(words.seen, W, H) ** 2))
    total = float(words.held.data @ words.held.data)
    return agreement**2 / (total * elsewhere) if total > 0 and elsewhere > 0 else 0.0


def _expected(at: Matrix, W: NDArray[np.float64], H: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return WH where a sparse matrix has entries."""
    rows = np.repeat(np.arange(at.shape[0]), np.diff(at.indptr))
    out = np.empty(at.nnz)
    F = np.ascontiguousarray(H.T)
    for start in range(0, at.nnz, 1 << 18):
        part = slice(start, start + (1 << 18))
        out[part] = np.einsum("ik,ik->i", W[rows[part]], F[at.indices[part]])
    return out


def _coherence(X: Matrix, H: NDArray[np.float64]) -> float:
    """Mean NPMI of ten words a topic, by relevance."""
    corpus = np.asarray(X.sum(axis=0)).ravel()
    weights = H / np.maximum(H.sum(axis=1, keepdims=True), np.finfo(float).tiny)
    none = np.zeros(len(corpus))
    listed = [word_ranks(row, corpus, _LAMBDA, none).best("relevance", 10) for row in weights]
    words = [[str(w) for w in row] for row in listed]
    names = [str(w) for w in range(len(corpus))]
    return float(npmi(words, X, window=None, vocabulary=names).mean())


def candidates(n_documents: int, n_words: int) -> Sequence[int]:
    """Return the numbers of topics that are tried: close at first, then by steps of a quarter.

    At most 50, and one for each five documents or words.
    """
    grid = (2, 3, 4, 5, 6, 7, 8, 10, 12, 15, 20, 25, 30, 40, 50)
    most = min(n_documents, n_words) // 5
    return cast("Sequence[int]", [k for k in grid if k <= most] or [min(2, n_documents, n_words)])
