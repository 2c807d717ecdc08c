"""The facts of this installation: versions, BLAS, threads, and whether the kernels are right."""

from __future__ import annotations

import importlib.metadata
import platform
from typing import Any

import threadpoolctl

import nonneg
from nonneg.core import kernels
from nonneg.core.self_test import self_test

__all__ = ["doctor_facts"]

_NEEDED = ("numpy", "scipy", "scikit-learn", "narwhals", "safetensors", "threadpoolctl")
_FRONT = ("typer", "rich")
_OPTIONAL = ("pandas", "polars", "pyarrow", "anndata", "pillow", "plotly", "jinja2")


def doctor_facts() -> dict[str, Any]:
    """Look around and run the self-test.

    Returns
    -------
    dict
        `nonneg`, `python` and `platform`; `libraries` and `optional` with their versions, None
        where one is not installed; `blas`, a list of library, version, architecture and threads;
        `threads` and `instruction_set` of the kernels; `self_test`, a list of name, passed and
        detail; and `healthy`, whether every check passed.
    """
    import numpy as np
    import scipy.linalg

    # Both bring a BLAS, which only shows once it is loaded.
    del np, scipy
    checks = self_test()
    return {
        "nonneg": nonneg.__version__,
        "python": f"{platform.python_version()} ({platform.python_implementation()})",
        "platform": platform.platform(terse=True),
        "machine": platform.machine(),
        "libraries": {name: _version(name) for name in (*_NEEDED, *_FRONT)},
        "optional": {name: _version(name) for name in _OPTIONAL},
        "blas": [
            {
                "library": found["internal_api"],
                "version": found["version"],
                "architecture": found.get("architecture"),
                "threads": found["num_threads"],
            }
            for found in sorted(
                threadpoolctl.threadpool_info(), key=lambda found: found["filepath"]
            )
            if found["user_api"] == "blas"
        ],
        "threads": kernels.default_threads(),
        "instruction_set": kernels.instruction_set(),
        "self_test": [
            {"name": check.name, "passed": check.passed, "detail": check.detail} for check in checks
        ],
        "healthy": all(check.passed for check in checks),
    }


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
