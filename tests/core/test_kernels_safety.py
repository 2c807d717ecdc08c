"""Threads, forks and other people's memory: same bits, no crash, an error that names the fault."""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection

import numpy as np
import pytest

from nonneg.core import kernels
from nonneg.core.kernels import NativeLoss, StepResult, Sweeps, Terms

ROWS, COLS, K, PER_ROW = 3000, 400, 8, 30  # costs of about 10 chunks in each form
KL = NativeLoss("beta", beta=1.0, floor=1e-8)


class Big:
    """A matrix of several chunks, and every kind of step on it."""

    def __init__(self, dtype: type = np.float64) -> None:
        rng = np.random.default_rng(0)
        self.indptr = np.arange(ROWS + 1) * PER_ROW
        self.indices = np.sort(rng.integers(0, COLS, (ROWS, PER_ROW)), axis=1).ravel()
        self.values = rng.uniform(0.1, 5, ROWS * PER_ROW).astype(dtype)
        self.weights = rng.uniform(0.5, 2, ROWS * PER_ROW).astype(dtype)
        self.F = rng.uniform(0.1, 1, (COLS, K)).astype(dtype)
        self.W = rng.uniform(0.1, 1, (ROWS, K)).astype(dtype)
        self.dense = rng.uniform(0.1, 5, (ROWS, 40)).astype(dtype)
        self.gram = self.F.T.astype(float) @ self.F
        self.csr = self.kernel()
        self.weighted = self.kernel(self.weights)

    def kernel(self, weights: np.ndarray | None = None) -> kernels.CsrKernel:
        return kernels.csr_kernel((ROWS, COLS), self.indptr, self.indices, self.values, weights)

    def run(self, name: str, n_threads: int) -> tuple[np.ndarray, StepResult]:
        W = self.W.copy()
        return W, STEPS[name](self, W, n_threads)


def entries(
    loss: NativeLoss, layout: str, update: str = "descend", X: str = "csr"
) -> Callable[[Big, np.ndarray, int], StepResult]:
    def step(big: Big, W: np.ndarray, n_threads: int) -> StepResult:
        data = getattr(big, X)
        F = big.F[:40] if X == "dense" else big.F
        return kernels.entry_step(
            data,
            np.ascontiguousarray(F),
            W,
            loss=loss,
            update=update,
            layout=layout,
            terms=Terms(l1=0.1),
            sweeps=Sweeps(3, 1e-3),
            n_threads=n_threads,
        )

    return step


STEPS: dict[str, Callable[[Big, np.ndarray, int], StepResult]] = {
    "gram": lambda b, W, n: kernels.gram_step(b.csr, b.F, b.gram, W, Terms(), Sweeps(3, 1e-3), n),
    "cross": lambda b, W, n: kernels.gram_steps_cross(
        b.dense[:, :K].copy(), [kernels.GramRun(b.F, b.gram, W, Sweeps(3, 1e-3))], Terms(), n
    )[0],
    "pivot": lambda b, W, n: kernels.pivot_step_cross(b.dense[:, :K].copy(), b.gram, W, Terms(), n),
    "quadratic": entries(NativeLoss(), "stored"),
    "weighted": entries(NativeLoss(), "stored", X="weighted"),
    "kl": entries(KL, "nonzero"),
    "kl-full": entries(KL, "full"),
    "huber": entries(NativeLoss("huber", delta=0.5), "stored"),
    "row-norm": entries(NativeLoss("row-norm", delta=0.1), "stored"),
    "mu": entries(NativeLoss("beta", beta=0.5, floor=1e-8), "stored", "multiply"),
    "measure": entries(KL, "nonzero", "measure"),
    "dense": entries(NativeLoss(), "full", X="dense"),
}


def assert_same_bits(
    got: tuple[np.ndarray, StepResult], expected: tuple[np.ndarray, StepResult]
) -> None:
    np.testing.assert_array_equal(got[0], expected[0])
    for name in ("cross", "loss", "residual", "gram"):
        np.testing.assert_array_equal(getattr(got[1], name), getattr(expected[1], name), name)


# --- Threads and processes ----------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", STEPS)
def test_same_bits_for_any_number_of_threads(name: str, dtype: type) -> None:
    big = Big(dtype)
    expected = big.run(name, 1)
    for n_threads in (2, 3, 5):
        assert_same_bits(big.run(name, n_threads), expected)


def test_times_has_the_same_bits_for_any_number_of_threads() -> None:
    big = Big()
    expected = kernels.times(big.csr, big.F, ROWS, 1)
    for n_threads in (2, 3, 5):
        np.testing.assert_array_equal(kernels.times(big.csr, big.F, ROWS, n_threads), expected)


def test_several_python_threads_at_once() -> None:
    big = Big()
    names = [name for name in STEPS if name != "kl-full"] * 4
    expected = {name: big.run(name, 1) for name in set(names)}
    start = threading.Barrier(4)

    def work(offset: int) -> list[tuple[str, tuple[np.ndarray, StepResult]]]:
        start.wait()
        return [(name, big.run(name, 2)) for name in names[offset:] + names[:offset]]

    with ThreadPoolExecutor(4) as pool:
        for results in pool.map(work, range(4)):
            for name, result in results:
                assert_same_bits(result, expected[name])


def _child(big: Big, connection: Connection) -> None:
    connection.send([big.run(name, 2) for name in ("gram", "kl", "pivot")])
    connection.close()


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_child_and_its_parent_both_go_on() -> None:
    big = Big()
    expected = [big.run(name, 2) for name in ("gram", "kl", "pivot")]  # the pool has threads now
    context = multiprocessing.get_context("fork")
    for _ in range(2):
        receiver, sender = context.Pipe(duplex=False)
        child = context.Process(target=_child, args=(big, sender))
        child.start()
        sender.close()
        try:
            assert receiver.poll(60), "the child hangs"
            results = receiver.recv()
            child.join(60)
        finally:
            child.kill()
        for got, wanted in zip(results, expected, strict=True):
            assert_same_bits(got, wanted)
        assert_same_bits(big.run("gram", 2), expected[0])


# --- Arrays as they come ------------------------------------------------------------------------


def test_read_only_data_are_fine_and_a_read_only_factor_is_refused() -> None:
    big = Big()
    expected = big.run("weighted", 2)
    for name in ("indptr", "indices", "values", "weights", "F", "dense"):
        getattr(big, name).flags.writeable = False
    big.weighted = big.kernel(big.weights)
    assert_same_bits(big.run("weighted", 2), expected)
    big.run("dense", 2)
    for step in STEPS.values():
        W = big.W.copy()
        W.flags.writeable = False
        with pytest.raises((TypeError, ValueError)):
            step(big, W, 1)
        np.testing.assert_array_equal(W, big.W)


def unaligned(a: np.ndarray) -> np.ndarray:
    """The same array one byte off its natural alignment."""
    out = np.frombuffer(bytearray(a.nbytes + 1), np.uint8)[1:].view(a.dtype).reshape(a.shape)
    out[...] = a
    assert not out.flags.aligned
    return out


@pytest.mark.parametrize("name", ["gram", "cross", "pivot", "weighted", "kl", "dense"])
def test_unaligned_arrays(name: str) -> None:
    big = Big()
    expected = big.run(name, 2)
    for part in ("indptr", "indices", "values", "weights", "F", "dense"):
        setattr(big, part, unaligned(getattr(big, part)))
    big.csr, big.weighted = big.kernel(), big.kernel(big.weights)
    W = unaligned(big.W)
    assert_same_bits((W, STEPS[name](big, W, 2)), expected)


def test_the_kernel_keeps_its_arrays_alive() -> None:
    big = Big()
    expected = big.run("gram", 1)
    X = kernels.csr_kernel((ROWS, COLS), big.indptr.copy(), big.indices.copy(), big.values.copy())
    del big.values, big.indices
    junk = [np.full(ROWS * PER_ROW, np.nan) for _ in range(5)]
    W = big.W.copy()
    kernels.gram_step(X, big.F, big.gram, W, Terms(), Sweeps(3, 1e-3), 1)
    np.testing.assert_array_equal(W, expected[0])
    assert len(junk) == 5


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("rows", [0, 2])
@pytest.mark.parametrize("cols", [0, 3])
@pytest.mark.parametrize("k", [0, 2])
def test_empty_shapes(rows: int, cols: int, k: int, dtype: type) -> None:
    F, W = np.ones((cols, k), dtype), np.ones((rows, k), dtype)
    X = kernels.csr_kernel(
        (rows, cols), np.zeros(rows + 1, int), np.empty(0, int), np.empty(0, dtype)
    )
    gram = F.T.astype(float) @ F
    assert kernels.times(X, F, rows, 2).shape == (rows, k)
    assert kernels.gram_step(X, F, gram, W.copy(), Terms(), Sweeps(), 2).gram.shape == (k, k)
    assert kernels.pivot_step_cross(W, gram, W.copy(), Terms(), 2).gram.shape == (k, k)
    dense = np.zeros((rows, cols), dtype)
    for data, layout in ((X, "stored"), (X, "nonzero"), (X, "full"), (dense, "full")):
        for update in ("descend", "multiply", "measure"):
            got = kernels.entry_step(
                data,
                F,
                W.copy(),
                loss=KL,
                update=update,
                layout=layout,
                terms=Terms(),
                sweeps=Sweeps(),
                n_threads=2,
            )
            assert np.isfinite([got.loss, got.residual]).all()


# --- Refusals -----------------------------------------------------------------------------------

SOUND = {"shape": (3, 4), "indptr": [0, 2, 2, 3], "indices": [0, 3, 1], "values": [1.0, 2.0, 3.0]}
CORRUPT = {
    "decreasing": {"indptr": [0, 2, 1, 3]},
    "start": {"indptr": [1, 2, 2, 3]},
    "negative start": {"indptr": [-1, 2, 2, 3]},
    "negative end": {"indptr": [0, 2, 2, -3]},
    "beyond the entries": {"indptr": [0, 2, 2, 4]},
    "huge": {"indptr": [0, 2, 2, 2**62]},
    "short indptr": {"indptr": [0, 2, 3]},
    "long indptr": {"indptr": [0, 2, 2, 3, 3]},
    "empty indptr": {"indptr": []},
    "index too large": {"indices": [0, 4, 1]},
    "index negative": {"indices": [0, -1, 1]},
    "few indices": {"indices": [0, 3]},
    "few values": {"values": [1.0, 2.0]},
    "few weights": {"weights": [1.0, 2.0]},
    "many weights": {"weights": [1.0, 2.0, 3.0, 4.0]},
    "negative rows": {"shape": (-1, 4)},
    "negative columns": {"shape": (3, -4)},
    "most rows": {"shape": (2**63 - 1, 4)},
}


@pytest.mark.parametrize("index", [np.int32, np.int64])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("fault", CORRUPT)
def test_a_corrupt_structure_is_refused(fault: str, dtype: type, index: type) -> None:
    def build(parts: dict[str, object]) -> kernels.CsrKernel:
        weights = parts.get("weights")
        return kernels.csr_kernel(
            parts["shape"],
            np.array(parts["indptr"], dtype=np.int64),
            np.array(parts["indices"], dtype=index),
            np.array(parts["values"], dtype=dtype),
            None if weights is None else np.array(weights, dtype=dtype),
        )

    build(SOUND)
    with pytest.raises(ValueError):
        build(SOUND | CORRUPT[fault])


@pytest.mark.parametrize("part", ["F", "gram", "W", "fixed", "column_weights"])
def test_a_wrong_shape_is_refused(part: str) -> None:
    big = Big()
    good = {
        "F": big.F,
        "gram": big.gram,
        "W": big.W,
        "fixed": np.zeros((ROWS, K), np.uint8),
        "column_weights": np.ones(COLS),
    }
    for cut in (lambda a: a[:-1], lambda a: a[:, :-1].copy(), lambda a: np.vstack([a, a])):
        if part == "column_weights":
            if cut(np.ones((3, 3))).shape == (3, 2):
                continue
            a = {**good, part: cut(good[part][:, None]).ravel()}
        else:
            a = {**good, part: cut(good[part])}
        terms = Terms(fixed=a["fixed"])
        if part != "column_weights":
            with pytest.raises(ValueError):
                kernels.gram_step(big.csr, a["F"], a["gram"], a["W"], terms, Sweeps(), 1)
        if part != "gram":
            for layout in ("stored", "nonzero", "full"):
                with pytest.raises(ValueError):
                    kernels.entry_step(
                        big.csr,
                        a["F"],
                        a["W"],
                        loss=KL,
                        update="descend",
                        layout=layout,
                        terms=terms,
                        sweeps=Sweeps(),
                        n_threads=1,
                        column_weights=a["column_weights"],
                    )


def test_a_wrong_dtype_or_layout_of_memory_is_refused() -> None:
    big = Big()
    other = Big(np.float32)
    for F, W in ((other.F, big.W), (big.F, other.W), (big.F.astype(">f8"), big.W)):
        with pytest.raises(TypeError):
            kernels.gram_step(big.csr, F, big.gram, W, Terms(), Sweeps(), 1)
    for W in (np.asfortranarray(big.W), np.repeat(big.W, 2, axis=1)[:, ::2], big.W.astype(int)):
        with pytest.raises(TypeError):
            kernels.gram_step(big.csr, big.F, big.gram, W, Terms(), Sweeps(), 1)
    fixed = Terms(fixed=np.zeros((ROWS, K), int))
    with pytest.raises(TypeError):
        kernels.gram_step(big.csr, big.F, big.gram, big.W, fixed, Sweeps(), 1)
    for dtype in (int, np.float16, complex, ">f8", object):
        with pytest.raises(TypeError):
            kernels.csr_kernel((ROWS, COLS), big.indptr, big.indices, big.values.astype(dtype))


@pytest.mark.parametrize(("sweeps", "n_threads"), [(0, 1), (-1, 1), (1, 0), (1, -3)])
def test_counts_below_one_are_refused(sweeps: int, n_threads: int) -> None:
    big = Big()
    with pytest.raises(ValueError):
        kernels.gram_step(big.csr, big.F, big.gram, big.W, Terms(), Sweeps(sweeps), n_threads)
    run = kernels.GramRun(big.F, big.gram, big.W, Sweeps(sweeps))
    with pytest.raises(ValueError):
        kernels.gram_steps_cross(big.W.copy(), [run], Terms(), n_threads)


def batch_calls(big: Big, **parts: np.ndarray) -> list:
    """Return a call of each batched kernel, with parts of its second run replaced."""
    arrays = {"F": big.F, "gram": big.gram, "W": big.W, **parts}
    gram = [
        kernels.GramRun(big.F, big.gram, big.W.copy(), Sweeps()),
        kernels.GramRun(arrays["F"], arrays["gram"], arrays["W"], Sweeps()),
    ]
    entry = [
        kernels.EntryRun(big.F, big.W.copy(), Sweeps()),
        kernels.EntryRun(arrays["F"], arrays["W"], Sweeps()),
    ]
    options = {"terms": Terms(), "n_threads": 2}
    wide = np.zeros((ROWS, 2 * K))
    return [
        lambda: kernels.gram_steps(big.csr, gram, Terms(), 2),
        lambda: kernels.gram_steps_cross(wide, gram, Terms(), 2),
        lambda: kernels.entry_steps(
            big.csr, entry, loss=KL, update="descend", layout="nonzero", **options
        ),
        lambda: kernels.entry_steps(
            np.ones((ROWS, COLS)), entry, loss=KL, update="descend", layout="full", **options
        ),
        lambda: kernels.entry_steps(
            big.csr, entry, loss=KL, update="descend", layout="nonzero", abreast=True, **options
        ),
        lambda: kernels.extrapolate_runs([(big.W, arrays["W"], 0.5)], 0.0, np.inf, 2),
    ]


def test_what_cannot_go_abreast_is_refused() -> None:
    big = Big()
    fixed, weights = np.zeros((ROWS, K), np.uint8), np.full(COLS, 1.0)
    runs = {
        "quadratic": ({"loss": NativeLoss(), "layout": "stored"}, None),
        "stored": ({"loss": KL, "layout": "stored"}, None),
        "multiply": ({"loss": KL, "layout": "nonzero", "update": "multiply"}, None),
        "fixed": ({"loss": KL, "layout": "nonzero", "fixed": fixed}, None),
        "weights": ({"loss": KL, "layout": "nonzero"}, weights),
    }
    for options, of_columns in runs.values():
        terms = Terms(fixed=options.pop("fixed", None))
        run = kernels.EntryRun(big.F, big.W.copy(), Sweeps(), of_columns)
        with pytest.raises(ValueError, match=r"abreast|column sums"):
            kernels.entry_steps(
                big.csr,
                [run],
                **{"update": "descend", **options},
                terms=terms,
                n_threads=1,
                abreast=True,
            )


def test_batched_kernels_refuse_what_does_not_fit() -> None:
    big = Big()
    for call in batch_calls(big, W=big.W.copy()):
        call()
    single = Big(np.float32)
    for W in (single.W, np.asfortranarray(big.W), big.W[:-1].copy(), big.W[:, :-1].copy()):
        for call in batch_calls(big, W=W):
            with pytest.raises((TypeError, ValueError)):
                call()
    for call in batch_calls(big, F=big.F[:-1].copy())[2:5] + batch_calls(big, F=single.F)[2:5]:
        with pytest.raises((TypeError, ValueError)):
            call()
    for call in batch_calls(big, gram=big.gram[:-1].copy())[:2]:
        with pytest.raises(ValueError):
            call()
    run = kernels.GramRun(big.F, big.gram, big.W, Sweeps())
    for width in (K - 1, K + 1):
        with pytest.raises(ValueError, match="side by side"):
            kernels.gram_steps_cross(np.zeros((ROWS, width)), [run], Terms(), 1)


def test_batched_kernels_refuse_tuples_of_another_make() -> None:
    big = Big()
    for runs in ([3], [(big.F,)], [()], [None], [(big.gram, big.W, "many", 0.0)]):
        with pytest.raises((TypeError, RuntimeError)):
            kernels._native.gram_steps_cross_f64(
                np.zeros((ROWS, K)), runs, 0.0, 0.0, 0.0, 1.0, None, 1
            )
