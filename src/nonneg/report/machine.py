"""How fast the kernels are here, beside what this machine can do: arithmetic and memory.

Two limits are measured through numpy: a matrix product (BLAS) in float32, and the sum of two long
arrays into a third (the "add" of McCalpin's STREAM, 1995). Each kernel is then timed on generated
data and its rates are given as shares of both. A kernel near neither limit waits for something
else: gathered rows of F come from the caches, and divisions take longer than products.

Operations are counted by formula, additions and multiplications as one each, and bytes as each
array read or written once (the least that has to move), for m rows, n columns, z stored entries,
rank k and 4 bytes a value and an index:

====================  =================================  ==============================
kernel                operations                         bytes
====================  =================================  ==============================
sparse product X F    2zk                                8z + 8(m + 1) + 4nk + 4mk
half-step, Gram form  2zk + s·2mk² + mk² (s sweeps; the  8z + 8(m + 1) + 4nk + 8mk
                      new Gram matrix)
half-step, KL         2zk (model) + 7zk (a sweep: b/y,   8z + 8(m + 1) + 4nk + 8mk
                      slope, curvature, update)
half-step, masked     2zk (model) + 6zk (a sweep:        8z + 8(m + 1) + 4nk + 8mk
                      slope, curvature, update)
====================  =================================  ==============================
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import threadpoolctl
from numpy.typing import NDArray

from nonneg.core import kernels
from nonneg.core.kernels import NativeLoss, Sweeps, Terms

__all__ = ["BenchSize", "machine_facts"]

Progress = Callable[[str, float], None]
Matrix = NDArray[np.float32]

_RANK = 32
_SWEEPS = 2  # of a half-step in Gram form
_LEAST_REPETITIONS = 3


@dataclass(frozen=True)
class BenchSize:
    """How much is measured; the default takes about ten seconds.

    Attributes
    ----------
    gemm : int
        Side of the square matrices.
    stream : int
        Values of each of the three arrays: together they should not fit into the caches.
    rows, columns, each : int
        Of the sparse matrix: its shape, and the entries of each row.
    seconds : float
        For the repetitions of one measurement.
    """

    gemm: int = 1536
    stream: int = 1 << 24
    rows: int = 100_000
    columns: int = 20_000
    each: int = 50
    seconds: float = 0.6


def machine_facts(
    size: BenchSize = BenchSize(),
    n_threads: int | None = None,
    progress: Progress = lambda text, share: None,
) -> dict[str, Any]:
    """Measure the limits of this machine and the kernels.

    Parameters
    ----------
    size : BenchSize
    n_threads : int, optional
        What "all threads" means; default: the cores this process may use.
    progress : callable(str, float), optional
        Told what is measured next, and which share of the measurements is done.

    Returns
    -------
    dict
        `dtype`, `threads`, `rank`, `seconds`; `data` with rows, columns and stored; `limits`, a
        list of name, unit, one_thread, all_threads and speed_up; `kernels`, a list of name, flop,
        bytes, speed_up, and one_thread and all_threads, each with seconds (the median),
        repetitions, gflop_per_s, gb_per_s and their shares of_gemm and of_stream.
    """
    started = time.perf_counter()
    threads = kernels.default_threads() if n_threads is None else n_threads
    counts = [1] if threads == 1 else [1, threads]
    progress("generating data", 0.0)
    work = _Work(size)
    total = (len(_LIMITS) + len(_KERNELS)) * len(counts)
    done = 0

    def rounds(name: str, of_threads: Callable[[int], _Timed]) -> list[_Timed]:
        nonlocal done
        found = []
        for count in counts:
            progress(f"measuring {name} ({count} of {threads} threads)", done / total)
            found.append(of_threads(count))
            done += 1
        return found if len(found) == 2 else found * 2

    limits: list[dict[str, Any]] = []
    for name, unit, amount, measure in _LIMITS:
        one, every = rounds(name, lambda n, measure=measure: measure(size, n))  # type: ignore[misc]
        rates = [amount(size) / timed.seconds / 1e9 for timed in (one, every)]
        limits.append(
            {
                "name": name,
                "unit": unit,
                "one_thread": rates[0],
                "all_threads": rates[1],
                "speed_up": rates[1] / rates[0],
            }
        )
    gemm, stream = limits
    entries: list[dict[str, Any]] = []
    for name, flop, n_bytes, run in _KERNELS:
        one, every = rounds(name, lambda n, run=run: work.timed(run, n))  # type: ignore[misc]
        amounts = flop(work), n_bytes(work)
        entry: dict[str, Any] = {"name": name, "flop": amounts[0], "bytes": amounts[1]}
        entry["speed_up"] = one.seconds / every.seconds
        for key, timed in (("one_thread", one), ("all_threads", every)):
            rates = [amount / timed.seconds / 1e9 for amount in amounts]
            entry[key] = {
                "seconds": timed.seconds,
                "repetitions": timed.repetitions,
                "gflop_per_s": rates[0],
                "gb_per_s": rates[1],
                "of_gemm": rates[0] / gemm[key],
                "of_stream": rates[1] / stream[key],
            }
        entries.append(entry)
    return {
        "dtype": "float32",
        "threads": threads,
        "rank": _RANK,
        "data": {"rows": size.rows, "columns": size.columns, "stored": work.n_stored},
        "limits": limits,
        "kernels": entries,
        "seconds": time.perf_counter() - started,
    }


@dataclass(frozen=True)
class _Timed:
    seconds: float  # the median
    repetitions: int


def _median(run: Callable[[], object], prepare: Callable[[], object], seconds: float) -> _Timed:
    """Time `run`, after once to warm up, for about `seconds`; `prepare` is not counted."""
    prepare()
    run()
    times: list[float] = []
    started = time.perf_counter()
    while len(times) < _LEAST_REPETITIONS or time.perf_counter() - started < seconds:
        prepare()
        begun = time.perf_counter()
        run()
        # A clock may stand still over very little work.
        times.append(max(time.perf_counter() - begun, 1e-9))
    return _Timed(statistics.median(times), len(times))


def _nothing() -> None:
    pass


def _gemm(size: BenchSize, n_threads: int) -> _Timed:
    A, B = np.random.default_rng(0).random((2, size.gemm, size.gemm), dtype=np.float32)
    out = np.empty_like(A)
    with threadpoolctl.threadpool_limits(n_threads, user_api="blas"):
        return _median(lambda: np.matmul(A, B, out=out), _nothing, size.seconds)


def _stream(size: BenchSize, n_threads: int) -> _Timed:
    a, b, c = np.ones((3, size.stream), dtype=np.float32)
    borders = np.linspace(0, size.stream, n_threads + 1).astype(int)

    def add(part: int) -> None:
        rows = slice(borders[part], borders[part + 1])
        np.add(b[rows], c[rows], out=a[rows])  # numpy lets other threads run meanwhile

    if n_threads == 1:
        return _median(lambda: add(0), _nothing, size.seconds)
    with ThreadPoolExecutor(n_threads) as pool:
        return _median(lambda: list(pool.map(add, range(n_threads))), _nothing, size.seconds)


class _Work:
    """Generated data, and each kernel's call on them."""

    def __init__(self, size: BenchSize) -> None:
        self.size = size
        rng = np.random.default_rng(0)
        step = size.columns // size.each
        # One entry in each of equal stretches of columns: sorted, distinct, and all over F.
        indices = rng.integers(0, step, (size.rows, size.each), dtype=np.int32)
        indices += np.arange(size.each, dtype=np.int32) * np.int32(step)
        self.n_stored = indices.size
        self.X = kernels.csr_kernel(
            (size.rows, size.columns),
            np.arange(size.rows + 1, dtype=np.int64) * size.each,
            indices.ravel(),
            rng.random(self.n_stored, dtype=np.float32) + np.float32(0.5),
        )
        self.F: Matrix = rng.random((size.columns, _RANK), dtype=np.float32)
        self.gram = np.asarray(self.F.T @ self.F, dtype=np.float64)
        self.start: Matrix = rng.random((size.rows, _RANK), dtype=np.float32) + np.float32(0.5)
        self.start /= np.float32(_RANK)
        self.W: Matrix = np.empty_like(self.start)

    def timed(self, run: Callable[[_Work, int], object], n_threads: int) -> _Timed:
        # From the same start each time: a kernel skips what has become zero and stays so.
        return _median(
            lambda: run(self, n_threads), lambda: np.copyto(self.W, self.start), self.size.seconds
        )

    def product(self, n_threads: int) -> None:
        self.X.times(self.F, self.W, n_threads)

    def gram_step(self, n_threads: int) -> None:
        kernels.gram_step(self.X, self.F, self.gram, self.W, Terms(), Sweeps(_SWEEPS), n_threads)

    def kullback_leibler(self, n_threads: int) -> None:
        kernels.entry_step(
            self.X,
            self.F,
            self.W,
            loss=NativeLoss("beta", beta=1.0, floor=1e-9),
            update="descend",
            layout="nonzero",
            terms=Terms(),
            sweeps=Sweeps(1),
            n_threads=n_threads,
            measure=False,
        )

    def masked(self, n_threads: int) -> None:
        kernels.entry_step(
            self.X,
            self.F,
            self.W,
            loss=NativeLoss("quadratic"),
            update="descend",
            layout="stored",
            terms=Terms(),
            sweeps=Sweeps(1),
            n_threads=n_threads,
            measure=False,
        )

    def flop(self, each: int) -> int:
        """Operations where each stored entry takes `each` a component."""
        return each * self.n_stored * _RANK

    def gram_flop(self) -> int:
        """Of the cross product, the sweeps, and the new Gram matrix, of which half is computed."""
        return self.flop(2) + (2 * _SWEEPS + 1) * self.size.rows * _RANK**2

    def traffic(self, times_W: int) -> int:
        """Bytes of X and F once, and W `times_W` times."""
        factors = self.size.columns + times_W * self.size.rows
        return 8 * self.n_stored + 8 * (self.size.rows + 1) + 4 * _RANK * factors


_Amount = Callable[[_Work], int]
_LIMITS: tuple[
    tuple[str, str, Callable[[BenchSize], float], Callable[[BenchSize, int], _Timed]], ...
] = (
    ("matrix product", "GFLOP/s", lambda size: 2.0 * size.gemm**3, _gemm),
    ("memory", "GB/s", lambda size: 3.0 * 4 * size.stream, _stream),
)
_KERNELS: tuple[tuple[str, _Amount, _Amount, Callable[[_Work, int], object]], ...] = (
    ("sparse product X F", lambda w: w.flop(2), lambda w: w.traffic(1), _Work.product),
    ("half-step, Gram form", _Work.gram_flop, lambda w: w.traffic(2), _Work.gram_step),
    ("half-step, KL", lambda w: w.flop(9), lambda w: w.traffic(2), _Work.kullback_leibler),
    ("half-step, masked", lambda w: w.flop(8), lambda w: w.traffic(2), _Work.masked),
)
