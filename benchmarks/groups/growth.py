"""How time grows with the entries, with the rank, and with threads."""

from __future__ import annotations

import statistics
from collections.abc import Iterator

import scipy.sparse as sp
from harness import Bench
from objective import Matrix
from sets import load, planted
from task import Task

FILE = "growth"
ABOUT = (
    "Ours for a fixed number of iterations, medians of three fits: seconds of the call, and of "
    "one iteration without checks and start. gflops counts the products with X that a "
    "frobenius iteration needs at least (4 · entries · rank), beside the machine's limits."
)
PASSES = 10
RANKS = (1, 2, 4, 8, 16, 32, 64)
LOSSES = ("frobenius", "kullback-leibler")


def run(bench: Bench) -> Iterator[dict[str, object]]:
    """Rows of three kinds: entries, rank, threads."""
    top = 5 if bench.tiny else 8 if bench.full else 6
    for power in range(4 if bench.tiny else 5, top + 1):
        name = f"sparse 1e{power}"
        X = planted.sparse(10**power)
        for loss in LOSSES:
            yield {"kind": "entries", "data": name} | _timed(bench, name, X, 20, loss)
        bench.forget(name)
    sets = ("small sparse", "small dense") if bench.tiny else ("20 newsgroups tf-idf",)
    if bench.full:
        sets += ("dense synthetic", "pbmc3k counts")
    for name in sets:
        try:
            X = load(name, bench.data)
        except FileNotFoundError as absent:
            yield {"kind": "rank", "data": name, "missing": str(absent)}
            continue
        losses = LOSSES if sp.issparse(X) else LOSSES[:1]
        for loss in losses:
            for rank in RANKS[:3] if bench.tiny else RANKS:
                yield {"kind": "rank", "data": name} | _timed(bench, name, X, rank, loss)
            counted = sorted({1, bench.threads})
            rows = [_timed(bench, name, X, 20, loss, threads) for threads in counted]
            for row in rows:
                speedup = rows[0]["iteration_seconds"] / row["iteration_seconds"]
                yield {"kind": "threads", "data": name} | row | {"speedup": speedup}


def _timed(
    bench: Bench, name: str, X: Matrix, rank: int, loss: str, threads: int | None = None
) -> dict[str, object]:
    threads = threads or bench.threads
    asked = Task("ours", rank, loss, threads=threads, passes=PASSES, settings={"tol": 1e-12})
    whole, each = [], []
    for _ in range(3):
        outcome = bench.run(name, X, asked, judged=False)
        if outcome.answer is None:
            raise RuntimeError(f"{name}, rank {rank}: {outcome.failure}")
        whole.append(outcome.answer.seconds)
        first, last = outcome.answer.curve[0], outcome.answer.curve[-1]
        each.append((last[1] - first[1]) / max(last[0] - first[0], 1))
    entries = int(X.nnz if sp.issparse(X) else X.size)
    iteration = max(statistics.median(each), 1e-9)
    row = {
        "loss": loss,
        "n_components": rank,
        "threads": threads,
        "entries": entries,
        "seconds": statistics.median(whole),
        "iteration_seconds": iteration,
        "iterations": int(outcome.answer.n_iter),
    }
    if loss == "frobenius":
        row["gflops"] = round(4e-9 * entries * rank / iteration, 2)
    return row
