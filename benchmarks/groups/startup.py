"""How long a user waits before anything is computed."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Iterator

from harness import Bench

FILE = "startup"
ABOUT = (
    "Wall time of a fresh process, median of seven after one that fills the disk's cache; the "
    "first row is Python alone. `import nonneg` counts what it adds, the command counts whole."
)
REPEATS = 7


def run(bench: Bench) -> Iterator[dict[str, object]]:
    """One row a command."""
    repeats = 1 if bench.tiny else REPEATS
    floor = _median(["-c", "pass"], repeats)
    yield {"what": "python alone", "seconds": floor}
    cases = (
        ("import nonneg", ["-c", "import nonneg"], floor, 0.25),
        ("import nonneg, factorize", ["-c", "from nonneg import factorize"], floor, None),
        ("nonneg --help", ["-m", "nonneg", "--help"], 0.0, 0.4),
    )
    for what, arguments, below, target in cases:
        seconds = max(0.0, _median(arguments, repeats) - below)
        row: dict[str, object] = {"what": what, "seconds": seconds, "target": target}
        yield row if target is None else row | {"target_met": seconds <= target}


def _median(arguments: list[str], repeats: int) -> float:
    times = []
    for _ in range(repeats + 1):
        started = time.perf_counter()
        subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
        times.append(time.perf_counter() - started)
    return statistics.median(times[1:])
