"""How time grows with the entries, with the rank, and with threads."""

from __future__ import annotations

import statistics
from collections.abc import Iterator

import numpy as np
import scipy.sparse as sp
from harness import Bench
from sets import planted
from task import Matrix, Task

from groups.cases import FROBENIUS, KL, Case, loaded

FILE = "growth"
ABOUT = (
    "Ours for a fixed number of iterations, medians of three fits (one where it takes more than "
    "10 s): seconds of the call, and of one iteration without checks and start. gflops counts the "
    "products with X that a frobenius iteration needs at least (4 · entries · rank), beside the "
    "machine's limits. slope is that of the straight line through the three largest sizes in "
    "logarithms (small ones hide growth behind what every iteration costs): 1 is linear growth. "
    "speedup: over one thread."
)
PASSES = 10
# A fit that takes longer is timed once.
LONG_SECONDS = 10.0
RANKS = (2, 4, 8, 16, 32, 64)
# Sparse sets gain from a second thread what they must; nothing was promised for dense ones.
CASES = (
    Case("20 newsgroups tf-idf", FROBENIUS, 20),
    Case("20 newsgroups tf-idf", KL, 20),
    Case("dense synthetic", FROBENIUS, 20, quick=False),
    Case("pbmc3k counts", FROBENIUS, 20, quick=False),
    Case("pbmc3k counts", KL, 20, quick=False),
)
TINY = (Case("small sparse", KL, 5),)
# What the slopes may be: linear in the entries, which costs a little more where the factors no
# longer fit into cache; at most linear in the rank.
SLOPES = {"entries": 1.1, "rank": 1.0}
SPEEDUP = 1.8


def run(bench: Bench) -> Iterator[dict[str, object]]:
    """Rows of three kinds (entries, rank, threads), after each series its slope."""
    powers = (3, 4) if bench.tiny else range(5, 9 if bench.full else 7)
    grown: dict[str, list[dict[str, object]]] = {FROBENIUS: [], KL: []}
    for power in powers:
        name = f"sparse 1e{power}"
        X = planted.sparse(10**power)
        for loss, rows in grown.items():
            rows.append({"kind": "entries"} | _timed(bench, Case(name, loss, 20), X))
            yield rows[-1]
        bench.forget(name)
    for rows in grown.values():
        yield _slope(rows, "generated, sparse")
    for case, head, X in loaded(bench, CASES, TINY):
        if X is None:
            yield {"kind": "rank", **head}
            continue
        rows = []
        for rank in RANKS[:2] if bench.tiny else RANKS:
            at = Case(case.data, case.loss, rank)
            rows.append({"kind": "rank"} | _timed(bench, at, X))
            yield rows[-1]
        yield _slope(rows, case.data)
        one, *more = (_timed(bench, case, X, n) for n in sorted({1, bench.threads}))
        yield {"kind": "threads"} | one
        for row in more:
            if "failed" in one or "failed" in row:
                yield {"kind": "threads"} | row
                continue
            speedup = one["iteration_seconds"] / row["iteration_seconds"]
            judged = {"target": SPEEDUP, "target_met": speedup >= SPEEDUP} if sp.issparse(X) else {}
            yield {"kind": "threads"} | row | {"speedup": speedup} | judged


def _timed(bench: Bench, case: Case, X: Matrix, threads: int | None = None) -> dict[str, object]:
    head = {"data": case.data, "loss": case.loss, "n_components": case.n_components}
    head["threads"] = threads = threads or bench.threads
    asked = Task(
        "ours",
        case.n_components,
        case.loss,
        threads=threads,
        passes=PASSES,
        settings={"tol": 1e-12},
    )
    whole, each = [], []
    while len(whole) < (1 if bench.tiny or (whole and whole[0] > LONG_SECONDS) else 3):
        outcome = bench.run(case.data, X, asked, judged=False)
        if outcome.answer is None:
            return head | {"failed": outcome.failure}
        whole.append(outcome.answer.seconds)
        first, last = outcome.answer.curve[0], outcome.answer.curve[-1]
        if last[0] == first[0]:
            return head | {"failed": "settled in one iteration: nothing to time"}
        each.append((last[1] - first[1]) / (last[0] - first[0]))
    entries = int(X.nnz if sp.issparse(X) else X.size)
    iteration = statistics.median(each)
    row = head | {
        "entries": entries,
        "seconds": statistics.median(whole),
        "iteration_seconds": iteration,
        "iterations": outcome.answer.n_iter,
    }
    if case.loss == FROBENIUS:
        row["gflops"] = round(4e-9 * entries * case.n_components / iteration, 2)
    return row


def _slope(rows: list[dict[str, object]], data: str) -> dict[str, object]:
    """Return the slope of seconds an iteration at the three largest sizes, as a row."""
    kind = str(rows[0]["kind"])
    row = {"kind": f"slope of {kind}", "data": data, "loss": rows[0]["loss"]}
    measured = [point for point in rows if "failed" not in point][-3:]
    if len(measured) < 2:
        return row | {"failed": "fewer than two points"}
    size = [point["entries" if kind == "entries" else "n_components"] for point in measured]
    took = [point["iteration_seconds"] for point in measured]
    slope = float(np.polyfit(np.log(size), np.log(took), 1)[0])
    return row | {"slope": slope, "target": SLOPES[kind], "target_met": slope <= SLOPES[kind]}
