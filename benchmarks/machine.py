"""What every record says about where and when it was made, and how it is written."""

from __future__ import annotations

import datetime
import json
import os
import platform
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

import nonneg
from nonneg.core.kernels import instruction_set

_PACKAGES = ("numpy", "scipy", "scikit-learn")


def machine() -> dict[str, object]:
    """The processor, how many of its cores this process may use, and how busy it was."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return {
        "processor": names[0] if names else platform.processor(),
        "architecture": platform.machine(),
        "cores": cores,
        "instruction_set": instruction_set(),
        "load_average": round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None,
    }


def versions() -> dict[str, str]:
    """Python and the packages that the library itself stands on."""
    found = {"python": platform.python_version(), "nonneg": nonneg.__version__}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "missing"
    return found


def limits(side: int = 2000, megabytes: int = 256) -> dict[str, float]:
    """Measured speed of a float32 matrix product (GFLOP/s) and of copying (GB/s)."""
    A = np.full((side, side), 0.5, dtype=np.float32)
    product = min(_seconds(lambda: A @ A) for _ in range(3))
    source = np.ones(megabytes * 250_000, dtype=np.float32)
    target = np.empty_like(source)
    copy = min(_seconds(lambda: np.copyto(target, source)) for _ in range(3))
    return {
        "gemm_gflops": round(2e-9 * side**3 / product, 1),
        "copy_gb_per_second": round(2e-9 * source.nbytes / copy, 1),
    }


def _seconds(call) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def today() -> str:
    """The date of the record."""
    return datetime.datetime.now(tz=datetime.UTC).date().isoformat()


def write(path: Path, record: dict[str, object]) -> None:
    """Write a record; a partial one is replaced whole, never left half written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(record, indent=1, ensure_ascii=False) + "\n"
    draft = path.with_suffix(".part")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)
