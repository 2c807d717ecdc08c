"""Preparation: each step does what its formula says, sparse as dense, and can be repeated."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from nonneg.apps.expression_steps import (
    highly_variable,
    log1p,
    prepare,
    repeat_steps,
    size_factors,
    unit_variance,
)
from nonneg.errors import InputError
from nonneg.io.expression import Expression, read_expression


def counts(seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.poisson(rng.gamma(0.5, 4, 30) * rng.gamma(2, 1, (25, 1))) + np.eye(25, 30, dtype=int)


def pair() -> tuple[Expression, Expression]:
    dense = read_expression(counts().astype(float))
    return dense, read_expression(sp.csr_array(dense.values))


@pytest.mark.parametrize(
    "words",
    [["log1p"], ["size-factors"], ["size-factors=100", "log1p"], ["variable=7"], ["unit-variance"]],
)
def test_sparse_is_as_dense(words: list[str]) -> None:
    dense, sparse = (prepare(one, words) for one in pair())
    assert sp.issparse(sparse.values)
    assert np.allclose(sparse.values.toarray(), dense.values)
    assert sparse.genes == dense.genes
    assert [step["step"] for step in dense.steps] == [word.partition("=")[0] for word in words]


def test_formulas() -> None:
    dense, _ = pair()
    X = dense.values
    assert np.allclose(log1p(dense).values, np.log(1 + X))
    scaled = size_factors(dense)
    assert np.allclose(scaled.values.sum(axis=1), np.median(X.sum(axis=1)))
    assert np.allclose(unit_variance(dense).values.std(axis=0), 1)
    mean = np.outer(X.sum(axis=1), X.sum(axis=0)) / X.sum()
    bound = np.sqrt(len(X))
    residuals = np.clip((X - mean) / np.sqrt(mean + mean**2 / 100), -bound, bound)
    best = np.argsort(-residuals.var(axis=0), kind="stable")[:7]
    kept = highly_variable(dense, 7)
    assert kept.genes == tuple(dense.genes[j] for j in sorted(best))
    assert kept.steps[-1]["by"] == "Pearson residuals"
    shares = read_expression(X + 0.5)
    best = np.argsort(-np.log1p(X + 0.5).var(axis=0), kind="stable")[:7]
    assert highly_variable(shares, 7).genes == tuple(shares.genes[j] for j in sorted(best))


def test_missing_values_stay_missing() -> None:
    X = counts().astype(float)
    X[2, 3] = np.nan
    done = prepare(read_expression(X), ["size-factors", "log1p", "unit-variance", "variable=28"])
    assert np.isnan(done.values).sum() == 1


def test_steps_are_repeated_with_their_numbers() -> None:
    words = ["size-factors", "log1p", "unit-variance"]
    done = prepare(read_expression(counts().astype(float)), words)
    table = read_expression(counts().astype(float))
    fresh = Expression(table.values[:5], table.samples[:5], table.genes)
    again = repeat_steps(fresh, done.steps)
    assert np.allclose(again.values, done.values[:5])
    assert [step["step"] for step in again.steps] == words


def test_float32_stays() -> None:
    for one in pair():
        small = Expression(one.values.astype(np.float32), one.samples, one.genes)
        for word in ("log1p", "size-factors", "unit-variance"):
            assert prepare(small, [word]).values.dtype == np.float32


@pytest.mark.parametrize("word", ["sqrt", "log1p=2", "variable=x", "variable=0", "size-factors=0"])
def test_unknown_steps_are_refused(word: str) -> None:
    with pytest.raises(InputError):
        prepare(pair()[0], [word])
