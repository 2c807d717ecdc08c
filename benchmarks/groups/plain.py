"""Whether the fast algorithm ends where the textbook one does."""

from __future__ import annotations

from collections.abc import Iterator

from harness import Bench
from sets import load
from task import Task

FILE = "plain"
ABOUT = (
    "The same start twice: with our defaults, and with accelerate=False (the textbook algorithm), "
    "many iterations and a limit of time. The fast run should end at most .05 % above the plain."
)
MARGIN = 1.0005
PLAIN = {"accelerate": False, "max_iter": 20_000, "tol": 1e-6}
CASES = (
    ("20 newsgroups tf-idf", "frobenius", 20, True),
    ("CBCL faces", "frobenius", 49, True),
    ("20 newsgroups counts", "kullback-leibler", 20, False),
    ("pbmc3k counts", "kullback-leibler", 20, False),
    ("pbmc3k counts", "frobenius", 20, False),
    ("ORL faces", "frobenius", 40, False),
    ("dense synthetic", "frobenius", 40, False),
    ("ALL-AML", "kullback-leibler", 3, False),
    ("ALL-AML", "frobenius", 3, False),
)


def run(bench: Bench) -> Iterator[dict[str, object]]:
    """One row a set, loss and seed."""
    tiny = [("small dense", "frobenius", 5, True), ("small sparse", "kullback-leibler", 5, True)]
    limit = 40.0 if bench.full else 10.0
    for name, loss, n_components, quick in tiny if bench.tiny else CASES:
        if not (quick or bench.full):
            continue
        row: dict[str, object] = {"data": name, "loss": loss, "n_components": n_components}
        try:
            X = load(name, bench.data)
        except FileNotFoundError as absent:
            yield {**row, "missing": str(absent)}
            continue
        for seed in range(5 if bench.full else 1):
            common = {"n_components": n_components, "loss": loss, "seed": seed}
            fast = bench.run(name, X, Task("ours", threads=bench.threads, **common))
            settings = PLAIN | {"max_seconds": limit}
            slow = bench.run(
                name, X, Task("ours", threads=bench.threads, settings=settings, **common)
            )
            failed = fast.failure or slow.failure
            if failed:
                yield {**row, "seed": seed, "failed": failed}
                continue
            above = fast.objective / slow.objective - 1
            yield row | {
                "seed": seed,
                "fast": fast.told(),
                "plain": slow.told(),
                "above_plain": above,
                "target_met": fast.objective <= slow.objective * MARGIN,
            }
