"""Topics of a weighted document-term matrix: the start, the runs, seeds and pins.

A run from a random start finds one of several local optima. Topics start from the singular value
decomposition instead, which has no random number: they are the same on every run, in whatever order
the documents come. Runs from random starts say how sure each topic is. Seeded topics are drawn to
their words by documents of our own making, which hold nothing else (as in Guided NMF: Vendrow et
al. 2021).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, NamedTuple

import numpy as np
import scipy.sparse as sp
import scipy.sparse.linalg
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

from nonneg.core.alternate import Status
from nonneg.core.factorize import Factorization, factorize, solve_left
from nonneg.core.init import starting_factors
from nonneg.core.intake import as_data
from nonneg.core.runs import factorize_runs
from nonneg.errors import InputError
from nonneg.metrics import match_components

__all__ = [
    "Fitted",
    "Guides",
    "Loss",
    "Matrix",
    "finished",
    "fit_topics",
    "found_again",
    "guides_of",
]

Loss = Literal["frobenius", "kullback-leibler"]
Matrix = Any  # scipy sparse CSR (n_documents, n_words)

# Closer than `factorize` by default: topics are compared between runs to the third decimal.
_TOL = 1e-6
_MAX_ITER = 2000
# How much the documents of a seed weigh, relative to its share of the corpus if all topics were of
# one size.
_SEED_WEIGHT = 0.1


@dataclass(frozen=True, eq=False)
class Guides:
    """What is known of topics beforehand, in the columns of the matrix.

    Attributes
    ----------
    names : tuple of str
    seeds : ndarray (n_seeded, n_words)
        1 where a word is a seed of the topic.
    pinned : ndarray (n_pinned, n_words)
        Weights of topics that stay as they are; they come after the seeded ones.
    """

    names: tuple[str, ...]
    seeds: NDArray[np.float64]
    pinned: NDArray[np.float64]

    @property
    def n_topics(self) -> int:
        """How many topics are guided."""
        return len(self.seeds) + len(self.pinned)


def guides_of(
    seeds: Mapping[str, Iterable[str]] | None,
    pinned: Mapping[str, Mapping[str, float]] | None,
    vocabulary: NDArray[Any],
) -> Guides:
    """Return seeded and pinned topics in the columns of a vocabulary; words it lacks do not count.

    Raises
    ------
    InputError
        A topic has no word of the vocabulary, a weight is negative, or a name stands for two.
    """
    seeds, pinned = dict(seeds or {}), dict(pinned or {})
    twice = sorted(set(seeds) & set(pinned))
    if twice:
        raise InputError(f"topic {twice[0]!r} is both seeded and pinned · choose one")
    column = {str(word): j for j, word in enumerate(vocabulary)}
    rows = np.zeros((len(seeds) + len(pinned), len(column)))
    for row, (name, words) in zip(rows, [*seeds.items(), *pinned.items()], strict=True):
        if isinstance(words, str):
            raise InputError(
                f"topic {name!r} has the words {words!r} · a text is no list of words · give a list"
            )
        weights = words if isinstance(words, Mapping) else dict.fromkeys(words, 1.0)
        for word, weight in weights.items():
            at = column.get(str(word), column.get(str(word).lower()))
            if at is not None:
                row[at] = float(weight)
        if not (np.isfinite(row).all() and row.min() >= 0 and row.any()):
            raise InputError(
                f"topic {name!r} has no word that the documents have, or a weight below 0 · it "
                "cannot be looked for · give words of the vocabulary"
            )
    return Guides((*seeds, *pinned), rows[: len(seeds)], rows[len(seeds) :])


class Fitted(NamedTuple):
    """Topics H, the weights of the documents W at their optimum for H, and how stable each is."""

    W: NDArray[np.float64]
    H: NDArray[np.float64]
    stability: NDArray[np.float64] | None


def fit_topics(
    X: Matrix,
    n_topics: int,
    *,
    loss: Loss,
    n_runs: int,
    guides: Guides,
    rng: np.random.Generator,
    n_threads: int | None,
) -> Fitted:
    """Return topics, guided ones first. Documents without words get zeros."""
    kept = np.flatnonzero(np.diff(X.indptr))
    known = X[kept]
    with one_blas_thread():
        if guides.n_topics:
            H, stability = _guided(known, n_topics, loss, n_runs, guides, rng, n_threads)
        else:
            H, stability = _free(known, n_topics, loss, n_runs, rng, n_threads)
        lengths = np.linalg.norm(H, axis=1, keepdims=True)
        H = H / np.where(lengths > 0, lengths, 1.0)
        W = np.zeros((X.shape[0], n_topics))
        W[kept] = solve_left(known, H, loss=loss, n_threads=n_threads)
    return Fitted(W, H, stability)


def _free(
    X: Matrix,
    k: int,
    loss: Loss,
    n_runs: int,
    rng: np.random.Generator,
    n_threads: int | None,
) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
    W, H = svd_start(X, k)
    fit = factorize(
        X,
        W=W,
        H=H,
        loss=loss,
        tol=_TOL,
        max_iter=_MAX_ITER,
        random_state=0,  # only where a component dies
        n_threads=n_threads,
    )
    finished([fit])
    H = np.asarray(fit.H, dtype=np.float64)
    return H, found_again(X, H, loss=loss, n_runs=n_runs - 1, rng=rng, n_threads=n_threads)


def found_again(
    X: Matrix,
    H: NDArray[np.float64],
    *,
    loss: Loss,
    n_runs: int,
    rng: np.random.Generator,
    n_threads: int | None,
) -> NDArray[np.float64] | None:
    """Return the mean cosine of each topic with its counterpart in runs from random starts."""
    if n_runs == 0:
        return None
    fits = factorize_runs(
        X, len(H), n_runs=n_runs, loss=loss, random_state=rng, n_threads=n_threads
    )
    finished(fits)
    return np.asarray(np.mean([match_components(H, fit.H).cosines for fit in fits], axis=0))


def svd_start(X: Matrix, k: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return W and H from the singular value decomposition, without any random number.

    NNDSVDa (Boutsidis & Gallopoulos 2008). The library's own is drawn at random and good to some
    digits, which is enough to fit as well but, with many topics, not to end at the same ones.
    """
    data = as_data(X)
    small = min(X.shape)
    if k < small // 2:
        # Equal entries: another order of the documents is the same start.
        with one_blas_thread():
            U, S, Vt = scipy.sparse.linalg.svds(X, k, v0=np.full(small, small**-0.5), tol=0)
        U, S, Vt = U[:, ::-1], S[::-1], Vt[::-1]
    else:
        U, S, Vt = np.linalg.svd(X.toarray(), full_matrices=False)
        U, S, Vt = U[:, :k], S[:k], Vt[:k]
    svd = (U, np.ldexp(S, -data.exponent), Vt.T)
    W, F = starting_factors(data, k, "nndsvda", np.random.default_rng(0), svd)
    half = data.exponent // 2
    return np.ldexp(W, data.exponent - half), np.ldexp(F, half).T


def _guided(
    X: Matrix,
    k: int,
    loss: Loss,
    n_runs: int,
    guides: Guides,
    rng: np.random.Generator,
    n_threads: int | None,
) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
    """Return the run with the lowest objective: guided topics have their places in every run."""
    n_seeded, n_guided = len(guides.seeds), guides.n_topics
    fixed_H = None
    if len(guides.pinned):
        fixed_H = np.full((k, X.shape[1]), np.nan)
        fixed_H[n_seeded:n_guided] = guides.pinned
    fixed_W = None
    if n_seeded:
        made, weights = _seed_documents(X, k, guides.seeds, loss)
        fixed_W = np.full((X.shape[0] + n_seeded, k), np.nan)
        fixed_W[X.shape[0] :] = 0.0
        fixed_W[X.shape[0] + np.arange(n_seeded), np.arange(n_seeded)] = weights
        X = sp.csr_array(sp.vstack([X, made]))
    fits = factorize_runs(
        X,
        k,
        n_runs=n_runs,
        loss=loss,
        fixed_W=fixed_W,
        fixed_H=fixed_H,
        tol=_TOL,
        max_iter=_MAX_ITER,
        random_state=rng,
        n_threads=n_threads,
    )
    finished(fits)
    best = min(fits, key=lambda fit: fit.objective)
    H = np.asarray(best.H, dtype=np.float64)
    others = [match_components(H, fit.H).cosines for fit in fits if fit is not best]
    return H, np.mean(others, axis=0) if others else None


def _seed_documents(
    X: Matrix, k: int, seeds: NDArray[np.float64], loss: Loss
) -> tuple[Matrix, NDArray[np.float64]]:
    """Return one document for each seeded topic, of its words only, and its weight in the topic.

    Its size is that of many documents at once: with squares the root of their number counts.
    """
    many = _SEED_WEIGHT * X.shape[0] / k
    unit = seeds / np.linalg.norm(seeds, axis=1, keepdims=True)
    if loss == "frobenius":
        size = math.sqrt(many * float(X.multiply(X).sum()) / X.shape[0])
    else:
        unit = seeds / seeds.sum(axis=1, keepdims=True)
        size = many * float(X.sum()) / X.shape[0]
    return sp.csr_array(size * unit), np.full(len(seeds), size)


def one_blas_thread() -> AbstractContextManager[object]:
    """Keep BLAS to one thread for a while.

    The dense products here are small, and its threads mostly wait for one another: on a busy
    machine the Gram matrix of 20 topics took 100 ms instead of one.
    """
    limit: AbstractContextManager[object] = _blas().limit(limits=1, user_api="blas")
    return limit


@cache
def _blas() -> ThreadpoolController:
    # Looking for the libraries takes longer than a new document.
    return ThreadpoolController()


def finished(fits: Sequence[Factorization]) -> None:
    """Pass Ctrl-C on: topics of runs that were cut short would not be those of the next fit."""
    if any(fit.status is Status.INTERRUPTED for fit in fits):
        raise KeyboardInterrupt


def check_number(n_topics: int, shape: tuple[int, int], guides: Guides) -> None:
    """Refuse more topics than documents or words, or fewer than are guided."""
    n_documents, n_words = shape
    if n_topics > min(n_documents, n_words):
        raise InputError(
            f"n_topics={n_topics} · the corpus has {n_documents} document(s) with known words, and "
            f"{n_words} word(s): more topics than either cannot be told apart · lower n_topics"
        )
    if n_topics < guides.n_topics:
        raise InputError(
            f"n_topics={n_topics} · {guides.n_topics} topics are seeded or pinned · raise n_topics"
        )


def by_size(W: NDArray[np.float64]) -> NDArray[np.intp]:
    """Return the order of topics from the one with the largest shares of the documents down."""
    total = W.sum(axis=1, keepdims=True)
    shares = np.divide(W, total, out=np.zeros_like(W), where=total > 0)
    return np.argsort(-shares.sum(axis=0), kind="stable")
