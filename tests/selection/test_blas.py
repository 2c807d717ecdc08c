"""Many runs on a small matrix: BLAS takes one thread, and gets its own back."""

import numpy as np
import pytest
import scipy.sparse as sp
import threadpoolctl

from nonneg import consensus
from nonneg.selection.blas import calm_blas


def blas_threads():
    found = threadpoolctl.threadpool_info()
    return [pool["num_threads"] for pool in found if pool["user_api"] == "blas"]


@pytest.fixture
def two_threads():
    with threadpoolctl.threadpool_limits(2, user_api="blas"):
        if 2 not in blas_threads():
            pytest.skip("this BLAS has one thread")
        yield


@pytest.mark.usefixtures("two_threads")
def test_small_and_sparse_matrices_take_one_thread_and_large_ones_all():
    before = blas_threads()
    for X in (np.ones((38, 5000)), sp.csr_array((5000, 5000))):
        with calm_blas(X):
            assert set(blas_threads()) == {1}
        assert blas_threads() == before
    with calm_blas(np.broadcast_to(1.0, (5000, 3000))):
        assert blas_threads() == before


@pytest.mark.usefixtures("two_threads")
def test_runs_of_a_consensus_see_one_thread():
    seen = set()
    X = np.random.default_rng(0).random((12, 8))
    consensus(X, 2, n_runs=2, random_state=0, callback=lambda *_: seen.update(blas_threads()))
    assert seen == {1}
    assert 2 in blas_threads()
