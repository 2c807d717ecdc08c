"""Memory: nothing is copied that need not be, a fit keeps to its formula, and what cannot fit is
refused before it is allocated (docs/reference/data.md).
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp

from nonneg import factorize
from nonneg.core import intake
from nonneg.core.intake import as_data, available_memory, check_memory, fit_memory
from nonneg.errors import TooLargeError

RANK = 8
SLACK = 64 * 2**20

# --- no copies ----------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("order", ["C", "F"])
def test_dense_floats_are_not_copied(dtype, order) -> None:
    X = np.asarray(np.random.default_rng(0).random((30, 20)), dtype=dtype, order=order)
    data = as_data(X)
    assert np.shares_memory(data.values, X)
    assert np.shares_memory(data.T.values, X)


@pytest.mark.parametrize("missing_values", [math.nan, 0])
@pytest.mark.parametrize("container", [sp.csr_array, sp.csr_matrix])
@pytest.mark.parametrize("index", [np.int32, np.int64])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sparse_floats_are_not_copied(dtype, index, container, missing_values) -> None:
    X = container(sp.random_array((30, 20), density=0.3, rng=0, dtype=dtype))
    X.indices, X.indptr = X.indices.astype(index), X.indptr.astype(index)
    data = as_data(X, missing_values=missing_values)
    assert data.dtype == dtype
    assert np.shares_memory(data.values, X.data)
    assert np.shares_memory(data.indices, X.indices)
    # The transpose is a copy, once, and its indices are no wider than those of X.
    assert data.T.indices.dtype == index
    assert data.T.T is data


@pytest.mark.parametrize("missing_values", [math.nan, 0])
def test_a_matrix_by_columns_is_its_own_transpose(missing_values) -> None:
    X = sp.random_array((30, 20), density=0.3, rng=0, format="csc")
    data = as_data(X, missing_values=missing_values)
    assert data.shape == (30, 20)
    assert np.shares_memory(data.T.values, X.data)
    assert np.shares_memory(data.T.indices, X.indices)
    by_rows = as_data(X.tocsr(), missing_values=missing_values)
    for name in ("values", "indices", "indptr"):
        np.testing.assert_array_equal(getattr(data, name), getattr(by_rows, name))


def test_observed_cells_of_a_table_keep_small_indices_on_both_sides() -> None:
    X = np.random.default_rng(0).random((300, 2000))
    X[X < 0.3] = np.nan
    data = as_data(X)
    assert data.indices.dtype == data.T.indices.dtype == np.int32
    expected = sp.coo_array(np.nan_to_num(X)).tocsr()
    np.testing.assert_array_equal(data.indices, expected.indices)
    np.testing.assert_array_equal(data.values, expected.data)


def test_weights_follow_their_values_to_the_other_side() -> None:
    rng = np.random.default_rng(0)
    X = sp.random_array((30, 20), density=0.3, rng=0, format="csr")
    weights = rng.random((30, 20)) + 0.5
    data = as_data(X, missing_values=0, weights=weights)
    turned = sp.csr_array((data.T.weights, data.T.indices, data.T.indptr), (20, 30)).toarray()
    np.testing.assert_array_equal(turned.T, np.where(X.toarray() > 0, weights, 0))


# --- a fit keeps to its formula -----------------------------------------------------------------

_FIT = """
import gc, json, sys
from pathlib import Path
import numpy as np, scipy.sparse as sp
import nonneg
from nonneg.core.intake import as_data, fit_memory

kind, dtype, index, rank, loss = sys.argv[1:]
k, rng = int(rank), np.random.default_rng(0)
n_copied, options = 0.0, {}

def dense(m, n):
    return rng.random((m, n), dtype=dtype)

if kind == "sparse" or kind == "observed":
    m, n, each = 40_000, 10_000, 100
    columns = np.arange(each, dtype=index) * (n // each)
    indices = columns + rng.integers(0, n // each, size=(m, each), dtype=index)
    X = sp.csr_array(
        (rng.random(m * each, dtype=dtype) + 1, indices.ravel(),
         np.arange(m + 1, dtype=index) * each),
        (m, n),
    )
    del indices
    options = {"missing_values": 0} if kind == "observed" else {}
else:
    m, n = 5000, 10_000_000 // 5000 * (2 if dtype == "float32" else 1)
    X = dense(m, n)
    if kind == "strided":
        X = dense(m, 2 * n)[:, ::2]
        n_copied = X.size * X.itemsize
    if kind == "masked":
        for block in range(0, m, 500):
            X[block:block + 500][rng.random((500, n), dtype="float32") < .3] = np.nan
        n_observed = int(sum(np.count_nonzero(~np.isnan(row)) for row in X))
        n_copied = n_observed * (X.itemsize + 4)

def small(X):
    nonneg.factorize(X, k, loss=loss, max_iter=2, tol=0, random_state=0, **options)

def status(name):
    text = Path("/proc/self/status").read_text()
    return 1024 * int(text.split(name + ":")[1].split()[0])

small(X[:300, :200].copy() if not sp.issparse(X) else X[:300])  # threads, BLAS and modules
data = as_data(X, **options)
gram_form = loss == "frobenius" and not data.has_holes
parts = fit_memory(data, k, gram_form=gram_form)
del data
gc.collect()
Path("/proc/self/clear_refs").write_text("5")  # forget the peak so far
before = status("VmRSS")
nonneg.factorize(X, k, loss=loss, max_iter=3, tol=0, random_state=0, **options)
print(json.dumps({"grown": status("VmHWM") - before, "told": n_copied + sum(parts.values()),
                  "parts": parts, "copied": n_copied}))
"""


@pytest.mark.skipif(
    not Path("/proc/self/clear_refs").exists(), reason="the peak of a process is asked of Linux"
)
@pytest.mark.parametrize(
    ("kind", "dtype", "index", "loss"),
    [
        ("sparse", "float32", "int32", "frobenius"),
        ("sparse", "float32", "int64", "frobenius"),
        ("sparse", "float64", "int32", "frobenius"),
        ("sparse", "float64", "int64", "kullback-leibler"),
        ("sparse", "float32", "int32", "kullback-leibler"),
        ("observed", "float32", "int64", "frobenius"),
        ("dense", "float32", "-", "frobenius"),
        ("dense", "float64", "-", "frobenius"),
        ("dense", "float32", "-", "kullback-leibler"),
        ("strided", "float64", "-", "frobenius"),
        ("masked", "float32", "-", "frobenius"),
        ("masked", "float64", "-", "frobenius"),
    ],
)
def test_a_fit_keeps_to_its_formula(kind, dtype, index, loss) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _FIT, kind, dtype, index, str(RANK), loss],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    facts = json.loads(done.stdout)
    assert facts["grown"] <= facts["told"] + SLACK, facts


def test_the_formula_of_the_docs() -> None:
    X = sp.random_array((300, 200), density=0.1, rng=0, format="csr", dtype=np.float32)
    X.indices, X.indptr = X.indices.astype(np.int32), X.indptr.astype(np.int32)
    data = as_data(X)
    parts = fit_memory(data, 5, gram_form=True)
    assert parts["transpose"] == X.nnz * (4 + 4) + 201 * (8 + 4)
    assert parts["factors"] == 500 * (24 * 15 + 4 * 5)
    assert parts["workspace"] == 68 * 8 * 25
    _ = data.T
    assert fit_memory(data, 5, gram_form=True)["transpose"] == 0
    table = as_data(np.ones((300, 200)))
    assert fit_memory(table, 5, gram_form=True)["transpose"] == 0
    assert fit_memory(table, 5, gram_form=False)["transpose"] == 300 * 200 * 8
    assert fit_memory(table, 90, gram_form=True)["factors"] == 500 * 90 * (4 * 8 + 8)


# --- refusals -----------------------------------------------------------------------------------


@pytest.fixture
def scarce(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with 2 MB of free memory."""
    monkeypatch.setattr(intake, "available_memory", lambda: 2e6)


def test_an_absurd_rank_is_refused_with_the_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake, "available_memory", lambda: 8e9)
    X = np.ones((1000, 500), np.float32)
    with pytest.raises(TooLargeError) as refused:
        factorize(X, 10**6, random_state=0)
    # 1500 · (24 · (10⁶ + 10) + 4 · 10⁶) + 68 · 8 · 10¹² bytes
    assert str(refused.value).startswith(
        "n_components=1000000 would need 544042.0 GB · this machine has 8.0 GB free · "
    )


def test_the_transpose_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    class AllocatedError(Exception):
        pass

    def allocate(*_: object) -> None:
        raise AllocatedError

    X = sp.random_array((3000, 2500), density=1.0, rng=0, format="csr", dtype=np.float32)
    monkeypatch.setattr(intake.Sparse, "_transpose", allocate)
    monkeypatch.setattr(intake, "available_memory", lambda: 80e6)
    with pytest.raises(AllocatedError):
        factorize(X, 2, random_state=0)
    monkeypatch.setattr(intake, "available_memory", lambda: 60e6)
    told = r"n_components=2 would need 0\.1 GB, 0\.1 of it for the transpose of X · .* 0\.1 GB free"
    with pytest.raises(TooLargeError, match=told):
        factorize(X, 2, random_state=0)


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (np.ones((1000, 500), np.int64), "X as contiguous float64 would need 0.0 GB"),
        (np.ones((1000, 1000))[:, ::2], "X as contiguous float64"),
        (np.where(np.eye(800) > 0, np.nan, 1.0), "the 639200 observed cells of X"),
        (sp.csr_array(np.ones((1000, 500), np.int64)), "X by rows in float64"),
        (sp.coo_array(np.ones((1000, 500))), "X by rows in float64"),
    ],
    ids=["integers", "strided", "masked", "sparse integers", "coordinates"],
)
@pytest.mark.usefixtures("scarce")
def test_copies_of_x_are_refused_before_they_are_made(X, message) -> None:
    with pytest.raises(TooLargeError, match=r"has 0\.0 GB free · pass it") as told:
        as_data(X)
    assert message in str(told.value)


@pytest.mark.usefixtures("scarce")
def test_little_is_never_refused() -> None:
    check_memory(1e6, "a little")
    with pytest.raises(TooLargeError, match="a lot"):
        check_memory(3e6, "a lot")


def test_what_is_free(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    free = available_memory()
    assert 0 < free < math.inf
    monkeypatch.setattr(intake, "_CGROUP", tmp_path)
    (tmp_path / "memory.max").write_text("1000000\n")
    (tmp_path / "memory.current").write_text("700000\n")
    (tmp_path / "memory.stat").write_text("anon 1\nfile 2\ninactive_file 100000\n")
    assert available_memory() == 400000
    (tmp_path / "memory.max").write_text("max\n")
    assert available_memory() > 1e6
