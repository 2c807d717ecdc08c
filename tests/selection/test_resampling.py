"""Runs on parts of the samples: each has all samples, and its components are of those it saw."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from nonneg import consensus
from nonneg.apps.expression_steps import prepare
from nonneg.core.factorize import factorize, solve_left
from nonneg.errors import InputError
from nonneg.report.demo_classes import find_leukemia
from nonneg.selection.resampling import resampled_runs

LOSSES = ("frobenius", "kullback-leibler")


def counts(seed: int = 0, m: int = 40, n: int = 25) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.poisson(4 * rng.gamma(0.5, size=(m, 3)) @ rng.gamma(0.5, size=(3, n))).astype(float)


@pytest.mark.parametrize("loss", LOSSES)
def test_a_run_is_made_again_from_its_seed(loss: str) -> None:
    X = counts()
    fits = resampled_runs(X, 3, share=0.75, n_runs=3, loss=loss, random_state=1)
    assert len({fit.seed for fit in fits}) == 3
    for fit in fits:
        drawn = np.random.default_rng(fit.seed)
        rows = np.sort(drawn.permutation(40)[:30])
        part = factorize(X[rows], 3, loss=loss, init="random", random_state=drawn)
        assert np.allclose(fit.H, part.H, rtol=1e-6, atol=1e-5 * part.H.mean())
        W = solve_left(X, fit.H, loss=loss)
        assert np.allclose(fit.W @ fit.H, W @ fit.H, rtol=1e-2, atol=1e-2)
        assert fit.W.shape == (40, 3)


def test_ranks_share_their_samples_and_are_what_they_are_alone() -> None:
    X, told = counts(), []
    both = resampled_runs(
        X, [2, 4], n_runs=3, random_state=1, callback=lambda run, _: told.append(run)
    )
    assert sorted(set(told)) == list(range(6))
    alone = [fit for k in (2, 4) for fit in resampled_runs(X, k, n_runs=3, random_state=1)]
    assert [fit.seed for fit in both[:3]] == [fit.seed for fit in both[3:]]
    for one, other in zip(both, alone, strict=True):
        assert one.seed == other.seed
        assert np.array_equal(one.W, other.W)
        assert np.array_equal(one.H, other.H)


@pytest.mark.parametrize("loss", LOSSES)
def test_sparse_is_dense_and_threads_do_not_matter(loss: str) -> None:
    X = counts()
    dense = resampled_runs(X, 3, n_runs=3, loss=loss, random_state=0, n_threads=1)
    again = resampled_runs(X, 3, n_runs=3, loss=loss, random_state=0, n_threads=2)
    sparse = resampled_runs(sp.csc_matrix(X), 3, n_runs=3, loss=loss, random_state=0)
    for one, two, three in zip(dense, again, sparse, strict=True):
        assert np.array_equal(one.W, two.W)
        assert np.allclose(one.W @ one.H, three.W @ three.H, atol=1e-2 * X.max())


@pytest.mark.parametrize("loss", LOSSES)
def test_what_only_unseen_samples_have_is_no_infinity(loss: str) -> None:
    """A feature of one sample alone, which most runs do not see."""
    X = counts(m=12)
    X[:, 0] = 0
    X[5, 0] = 50
    for fit in resampled_runs(X, 2, share=0.5, n_runs=8, loss=loss, random_state=0):
        assert np.isfinite(fit.W).all()
        assert np.isfinite(fit.objective)


def test_weights_and_missing_cells_go_with_their_samples() -> None:
    X = counts()
    holes = X.copy()
    holes[::3, ::4] = np.nan
    weights = np.where(np.isnan(holes), 0.0, 1.0)
    by_holes = resampled_runs(holes, 2, n_runs=2, random_state=0)
    by_weights = resampled_runs(X, 2, n_runs=2, weights=weights, random_state=0)
    for one, two in zip(by_holes, by_weights, strict=True):
        assert np.allclose(one.W @ one.H, two.W @ two.H, atol=1e-2 * X.max())


def test_splits_of_leukemia_are_less_and_less_sure() -> None:
    """Brunet et al. (2004): agreement is high for 2 and 3 classes, lower for 4."""
    found = find_leukemia()
    assert found is not None
    X = prepare(found, ["variable=1000"]).values
    agreed = {
        k: consensus(X, k, n_runs=20, loss="kullback-leibler", resample=0.8, random_state=0)
        for k in (2, 3, 4)
    }
    assert agreed[2].cophenetic > agreed[3].cophenetic > agreed[4].cophenetic
    assert agreed[3].cophenetic > 0.97
    # Which samples there are is a doubt more than from which start a run goes.
    starts = consensus(X, 4, n_runs=20, loss="kullback-leibler", random_state=0)
    assert starts.dispersion > agreed[4].dispersion


@pytest.mark.parametrize("share", [0.0, 1.0, 1, True, "half", float("nan"), -0.5])
def test_shares_that_are_none_are_refused(share: object) -> None:
    with pytest.raises(InputError, match="share of the samples"):
        consensus(counts(), 2, n_runs=2, resample=share)


def test_too_few_samples_are_refused() -> None:
    with pytest.raises(InputError, match="each run sees 4"):
        consensus(counts(), 5, n_runs=2, resample=0.1)


def test_stopped_runs_are_left_out() -> None:
    def stop(run: int, step: object) -> bool:
        return run == 3

    agreed = consensus(counts(), 2, n_runs=6, resample=0.8, random_state=0, callback=stop)
    assert agreed.n_runs == 3
