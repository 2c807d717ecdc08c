"""What a solver is asked and what it answers, and how both cross to another process.

Only numpy and scipy are needed here: the worker imports this page in the environments of the
rivals too.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

Matrix = np.ndarray | sp.csr_array


@dataclass(frozen=True)
class Triplets:
    """Ratings by code, and the pairs whose ratings are to be estimated."""

    users: NDArray
    items: NDArray
    values: NDArray
    wanted_users: NDArray
    wanted_items: NDArray
    shape: tuple[int, int]


@dataclass(frozen=True)
class Task:
    """One fit, or several of the same rank.

    Attributes
    ----------
    solver : str
        Its module under `rivals`.
    n_components : int
    loss : str
    seed, n_runs : int
        The first seed, and how many runs from different starts (all are answered).
    threads : int
    settings : dict
        What differs from the solver's own defaults.
    goal : float or None
        Stop as soon as the objective is at most this (ours only).
    passes : int or None
        Stop after so many iterations, whatever has been reached.
    """

    solver: str
    n_components: int = 1
    loss: str = "frobenius"
    seed: int = 0
    n_runs: int = 1
    threads: int = 2
    settings: dict[str, object] = field(default_factory=dict)
    goal: float | None = None
    passes: int | None = None


@dataclass
class Answer:
    """What came out.

    Attributes
    ----------
    seconds : float
        Wall time of the fit alone: checks and initialisation yes, imports and reading no.
    fits : list of (W, H)
        One a run.
    estimates : ndarray or None
        Of the wanted ratings.
    n_iter : int or None
    curve : list of [iteration, seconds, objective]
        Where the solver tells.
    facts : dict
        Peak memory above what was there before, versions, remarks.
    """

    seconds: float
    fits: list[tuple[NDArray, NDArray]] = field(default_factory=list)
    estimates: NDArray | None = None
    n_iter: int | None = None
    curve: list[list[float]] = field(default_factory=list)
    facts: dict[str, object] = field(default_factory=dict)


def save_data(folder: Path, data: Matrix | Triplets) -> None:
    """Write a matrix, dense or CSR, or ratings as plain arrays."""
    folder.mkdir(parents=True)
    if isinstance(data, Triplets):
        arrays = {name: np.asarray(value) for name, value in vars(data).items()}
    elif sp.issparse(data):
        arrays = {name: getattr(data, name) for name in ("data", "indices", "indptr")}
        arrays["shape"] = np.array(data.shape)
    else:
        arrays = {"dense": data}
    for name, values in arrays.items():
        np.save(folder / f"{name}.npy", values)


def load_data(folder: Path) -> Matrix | Triplets:
    """Read what `save_data` wrote."""
    arrays = {path.stem: np.load(path) for path in sorted(folder.glob("*.npy"))}
    if "dense" in arrays:
        return arrays["dense"]
    shape = tuple(int(n) for n in arrays.pop("shape"))
    if "users" in arrays:
        return Triplets(**arrays, shape=shape)
    return sp.csr_array((arrays["data"], arrays["indices"], arrays["indptr"]), shape=shape)


def save_task(folder: Path, task: Task, data: Path) -> None:
    """Write a job: the task and where its data lie."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "task.json").write_text(json.dumps({"data": str(data), **asdict(task)}))


def load_task(folder: Path) -> tuple[Task, Path]:
    """Read a job."""
    job = json.loads((folder / "task.json").read_text())
    return Task(**{key: value for key, value in job.items() if key != "data"}), Path(job["data"])


def save_answer(folder: Path, answer: Answer) -> None:
    """Write an answer, arrays apart."""
    for i, (W, H) in enumerate(answer.fits):
        np.save(folder / f"W{i}.npy", W)
        np.save(folder / f"H{i}.npy", H)
    if answer.estimates is not None:
        np.save(folder / "estimates.npy", answer.estimates)
    kept = {"seconds": answer.seconds, "n_iter": answer.n_iter, "curve": answer.curve}
    kept |= {"facts": answer.facts, "n_fits": len(answer.fits)}
    (folder / "answer.json").write_text(json.dumps(kept))


def load_answer(folder: Path) -> Answer:
    """Read an answer."""
    kept = json.loads((folder / "answer.json").read_text())
    count = kept.pop("n_fits")
    fits = [(np.load(folder / f"W{i}.npy"), np.load(folder / f"H{i}.npy")) for i in range(count)]
    path = folder / "estimates.npy"
    return Answer(**kept, fits=fits, estimates=np.load(path) if path.exists() else None)
