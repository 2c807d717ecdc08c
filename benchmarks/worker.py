"""Run one task in a process of its own: `python worker.py FOLDER`, or say what is installed:
`python worker.py --probe SOLVER`.

A fresh process gives every solver the same start: its own imports done, the data in memory, a
known number of threads, and a memory mark that is set back just before the fit.
"""  # noqa: D205

from __future__ import annotations

import importlib
import json
import sys
import warnings
from pathlib import Path

from task import load_data, load_task, save_answer

_STATUS = Path("/proc/self/status")


def resident(word: str) -> int | None:
    """Bytes that Linux tells of this process: VmRSS now, VmHWM at most; None elsewhere."""
    if not _STATUS.exists():
        return None
    lines = _STATUS.read_text().splitlines()
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(word)), None)


def forget_peak() -> None:
    """Set the highest mark of memory back to what is in use now."""
    mark = Path("/proc/self/clear_refs")
    if mark.exists():
        mark.write_text("5")


def main() -> None:
    """Probe, or run what the folder asks for."""
    warnings.simplefilter("ignore")
    if sys.argv[1] == "--probe":
        print(json.dumps(importlib.import_module(f"rivals.{sys.argv[2]}").prepare()))
        return
    folder = Path(sys.argv[1])
    task, path = load_task(folder)
    solver = importlib.import_module(f"rivals.{task.solver}")
    solver.prepare()
    data = load_data(path)
    forget_peak()
    before = resident("VmRSS")
    answer = solver.run(task, data)
    peak = resident("VmHWM")
    if before is not None and peak is not None and solver.HOME != "R":
        answer.facts["peak_mb"] = round(max(0, peak - before) / 1e6, 1)
    save_answer(folder, answer)


if __name__ == "__main__":
    main()
