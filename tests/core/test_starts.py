"""The sampled and the compressed start: where they apply, what they promise, and how they end."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from nonneg import factorize
from nonneg.core import starts
from nonneg.core.alternate import Status
from nonneg.errors import InputError

K = 4


@pytest.fixture(scope="module")
def counts() -> sp.csr_array:
    rng = np.random.default_rng(0)
    means = rng.gamma(0.3, size=(600, K)) @ rng.gamma(0.3, size=(K, 80))
    X = rng.poisson(means).astype(np.float32)
    # A word that a single document has: most samples of the rows do not hold it.
    X[:, 79] = 0
    X[300, 79] = 5
    return sp.csr_array(X)


def fit(X, **options):
    return factorize(X, K, **{"loss": "kullback-leibler", "random_state": 0, **options})


def test_auto_is_sampled_for_counts_with_many_rows(counts):
    assert fit(counts).init == "sampled"
    assert fit(counts[:399]).init == "random"
    assert fit(counts.toarray()).init == "random"
    assert fit(counts, alpha_W=0.1).init == "random"
    assert fit(counts, upper_H=3.0).init == "random"
    assert fit(counts, missing_values=0).init == "random"
    assert fit(counts, loss="frobenius").init == "nndsvda"
    assert fit(counts, accelerate=False).init == "random"
    assert fit(counts, accelerate=False, init="sampled").init == "sampled"


@pytest.mark.parametrize(
    "options", [{"loss": "frobenius"}, {"alpha_W": 0.1}, {"missing_values": 0}, {"n_components": 7}]
)
def test_where_it_does_not_apply_it_is_refused(counts, options):
    arguments = {"n_components": K, "loss": "kullback-leibler", **options}
    with pytest.raises(InputError, match='init="auto"'):
        factorize(counts, init="sampled", **arguments)


def test_same_bits_for_any_number_of_threads(counts):
    one, two = fit(counts, n_threads=1), fit(counts, n_threads=2)
    np.testing.assert_array_equal(one.W, two.W)
    np.testing.assert_array_equal(one.H, two.H)


def test_the_unit_makes_no_difference(counts):
    one, other = fit(counts), fit(counts * np.float32(2.0**-20))
    np.testing.assert_array_equal(other.W @ other.H, (one.W @ one.H) * 2.0**-20)


def test_a_column_that_the_sample_does_not_hold_is_fitted(counts):
    for seed in range(5):
        result = fit(counts, random_state=seed)
        # Poisson maximum likelihood keeps the sums of columns.
        np.testing.assert_allclose((result.W @ result.H)[:, 79].sum(), 5, rtol=0.02)


def test_it_ends_no_worse_than_a_random_start(counts):
    ends = {
        init: [fit(counts, init=init, random_state=seed).objective for seed in range(9)]
        for init in ("sampled", "random")
    }
    assert np.median(ends["sampled"]) <= np.median(ends["random"]) * 1.0005


@pytest.fixture(scope="module")
def table() -> np.ndarray:
    rng = np.random.default_rng(0)
    means = rng.gamma(0.3, size=(300, K)) @ rng.gamma(0.3, size=(K, 150))
    return (means * rng.uniform(0.8, 1.2, means.shape)).astype(np.float32)


def test_auto_is_compressed_for_large_dense_tables(table):
    squares = {"loss": "frobenius"}
    assert fit(table, **squares).init == "compressed"
    assert fit(table.T, **squares).init == "compressed"
    assert fit(table[:60], **squares).init == "nndsvda"
    assert fit(table, **squares, alpha_W=0.1).init == "nndsvda"
    assert fit(table, **squares, solver="mu").init == "nndsvda"
    assert fit(table, **squares, accelerate=False).init == "nndsvda"
    assert fit(sp.csr_array(table), **squares).init == "nndsvda"
    with pytest.raises(InputError, match='init="auto"'):
        fit(table, **squares, init="compressed", upper_H=1.0)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("turn", [False, True])
def test_the_compressed_start_of_a_short_side(dtype, turn):
    # Its SVD is exact, and made in float64 whatever X is.
    X = np.random.default_rng(0).random((90, 300)).astype(dtype)
    found = fit(X.T if turn else X, loss="frobenius")
    assert found.init == "compressed"
    assert found.W.dtype == found.H.dtype == dtype


def test_the_compressed_start_is_near_the_end(table):
    start = fit(table, loss="frobenius", max_iter=1)
    end = fit(table, loss="frobenius", init="nndsvda", max_iter=1)
    best = fit(table, loss="frobenius", tol=1e-8)
    assert start.objective <= 1.01 * best.objective < end.objective


def test_the_unit_of_a_dense_table_makes_no_difference(table):
    one = fit(table, loss="frobenius")
    other = fit(table * np.float32(2.0**-20), loss="frobenius")
    np.testing.assert_array_equal(other.W @ other.H, (one.W @ one.H) * 2.0**-20)


def test_a_dense_table_and_its_transpose_end_alike(table):
    one, other = fit(table, loss="frobenius"), fit(table.T, loss="frobenius")
    assert one.objective == pytest.approx(other.objective, rel=1e-3)


def test_ctrl_c_while_the_sample_is_fitted_is_ctrl_c(counts, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("nonneg.core.starts.starting_factors", interrupted)
    with pytest.raises(KeyboardInterrupt):
        fit(counts)


@pytest.mark.parametrize("init", ["sampled", "compressed"])
def test_the_time_limit_holds_while_a_start_iterates(init, counts, table, monkeypatch):
    taken = []
    iterated = starts._iterated

    def counted(*arguments):
        run = iterated(*arguments)
        taken.append(run.n_iter)
        return run

    monkeypatch.setattr(starts, "_iterated", counted)
    X, loss = (counts, "kullback-leibler") if init == "sampled" else (table, "frobenius")
    result = fit(X, loss=loss, init=init, max_seconds=1e-9)
    assert taken == [1]
    assert result.n_iter == 1
    assert result.status is Status.TIME_LIMIT
    assert np.isfinite(result.W @ result.H).all()
    fit(X, loss=loss, init=init)
    assert taken[1] > 1
