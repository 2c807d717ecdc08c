"""The record of speed: `python benchmarks/bench.py --data FOLDER` (minutes), `--full` (an hour).

Writes one JSON file a group, after each row, so that an interrupted run keeps what it has. A rival
that is missing or fails is in the record with the reason. README.md explains the parts.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

from groups import (
    curves,
    growth,
    masked,
    memory,
    plain,
    ratings_growth,
    speed,
    startup,
    survey,
)
from harness import Bench, name_of
from machine import limits, machine, today, versions, write
from rivals import environment

GROUPS = {
    group.FILE: group
    for group in (
        startup,
        speed,
        survey,
        masked,
        ratings_growth,
        curves,
        memory,
        growth,
        plain,
    )
}
EXTERNAL = (
    "scikit_learn",
    "nimfa",
    "gensim",
    "surprise_svdpp",
    "cmfrec",
    "implicit_als",
    "r_nmf",
    "r_rcppml",
)


def main() -> None:
    """Run the groups that were asked for."""
    options = arguments()
    if options.full or options.build_rivals:
        print("building the environment of the rivals …", flush=True)
        environment.build(options.rivals)
    with Bench(
        data=options.data,
        cache=options.rivals,
        full=options.full,
        tiny=options.tiny,
        n_seeds=options.seeds,
        threads=options.threads,
        timeout=options.timeout,
    ) as bench:
        solvers = {}
        for solver in EXTERNAL:
            there = bench.has(solver)
            name = name_of(solver)
            solvers[name] = bench.found[name] if there else {"missing": bench.missing[name]}
            print(f"{name:16} {solvers[name]}", flush=True)
        head = {
            "settings": "full" if options.full else "tiny" if options.tiny else "quick",
            "date": today(),
            "threads": options.threads,
            "seeds": list(range(options.seeds)),
            "machine": machine() | limits(),
            "versions": versions(),
            "solvers": solvers,
        }
        for name in options.only or GROUPS:
            _record(bench, name, head, options.output)


def _record(bench: Bench, name: str, head: dict[str, object], output: Path) -> None:
    group = GROUPS[name]
    started = time.perf_counter()
    rows: list[dict[str, object]] = []
    for row in group.run(bench):
        rows.append(row)
        minutes = round((time.perf_counter() - started) / 60, 1)
        record = {"group": name, "about": group.ABOUT, **head, "minutes": minutes, "rows": rows}
        write(output / f"{name}.json", record)
        print(f"{name}: {_line(row)}", flush=True)
    print(f"wrote {output / name}.json after {minutes} minutes", flush=True)


def _line(row: dict[str, object]) -> str:
    short = {key: value for key, value in row.items() if not isinstance(value, (dict, list))}
    return "  ".join(
        f"{key} {value:.4g}" if isinstance(value, float) else f"{key} {value}"
        for key, value in short.items()
        if value is not None
    )


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    named = os.environ.get("NONNEG_DATA")
    parser.add_argument(
        "--data", type=Path, default=Path(named) if named else None, help="folder of real data"
    )
    parser.add_argument("--full", action="store_true", help="all sets, all rivals, an hour")
    parser.add_argument("--tiny", action="store_true", help="generated data only: does it work?")
    parser.add_argument("--only", nargs="+", choices=list(GROUPS), help="some groups")
    parser.add_argument("--seeds", type=int, default=3, help="fits of ours for each median")
    parser.add_argument("--threads", type=int, default=2, help="for every solver that takes it")
    parser.add_argument("--timeout", type=float, default=1800.0, help="seconds of one process")
    parser.add_argument(
        "--rivals", type=Path, default=Path("build/rivals"), help="folder of their environment"
    )
    parser.add_argument("--build-rivals", action="store_true", help="make it (--full does)")
    parser.add_argument("--output", type=Path, default=Path("build/bench"), help="for the records")
    options = parser.parse_args()
    options.rivals = options.rivals.absolute()
    return options


if __name__ == "__main__":
    main()
