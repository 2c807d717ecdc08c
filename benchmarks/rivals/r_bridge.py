"""How an R package is run: data and factors cross as plain binary files, R times its own call."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import scipy.sparse as sp
from task import Answer, Matrix, Task

HERE = Path(__file__).parent


def r_versions(package: str) -> dict[str, str]:
    """Return the versions of R and of a package; ImportError where either is missing."""
    if shutil.which("Rscript") is None:
        raise ImportError("Rscript is not installed")
    code = (
        'cat(paste(R.version$major, R.version$minor, sep="."), '
        f'as.character(packageVersion("{package}")))'
    )
    done = subprocess.run(["Rscript", "-e", code], capture_output=True, text=True, check=False)
    if done.returncode:
        raise ImportError(done.stderr.strip().splitlines()[-1])
    language, found = done.stdout.split()
    return {"R": language, package: found}


def run_script(name: str, task: Task, data: Matrix, arguments: dict[str, object]) -> Answer:
    """Run `rivals/NAME` on the data and read back its seconds and factors."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        _write(folder, data)
        given = {
            "k": task.n_components,
            "seed": task.seed,
            "runs": task.n_runs,
            "threads": task.threads,
            "loss": task.loss,
            **arguments,
        }
        lines = [f"{key}={value}" for key, value in given.items()]
        done = subprocess.run(
            ["Rscript", str(HERE / name), str(folder), *lines],
            capture_output=True,
            text=True,
            check=False,
            cwd=HERE,
        )
        if done.returncode:
            raise RuntimeError("R: " + " ".join(done.stderr.strip().splitlines()[-3:]))
        told = json.loads((folder / "told.json").read_text())
        m, n, k = *data.shape, task.n_components
        fits = [
            (_read(folder / f"W{i}.bin", (m, k)), _read(folder / f"H{i}.bin", (k, n)))
            for i in range(task.n_runs)
        ]
    return Answer(told["seconds"], fits, n_iter=told["n_iter"])


def _write(folder: Path, data: Matrix) -> None:
    np.array(data.shape, dtype=np.int32).tofile(folder / "shape.bin")
    if sp.issparse(data):
        columns = data.tocsc()
        columns.sort_indices()
        columns.indptr.astype(np.int32).tofile(folder / "p.bin")
        columns.indices.astype(np.int32).tofile(folder / "i.bin")
        columns.data.astype(np.float64).tofile(folder / "x.bin")
    else:
        np.asarray(data, dtype=np.float64).ravel(order="F").tofile(folder / "dense.bin")


def _read(path: Path, shape: tuple[int, int]) -> np.ndarray:
    return np.fromfile(path).reshape(shape, order="F")
