"""Where the files of real data lie."""

from __future__ import annotations

from pathlib import Path


def source(folder: Path | None, *parts: str) -> Path:
    """Return the path of a file, or say that it is not there."""
    if folder is None:
        raise FileNotFoundError("no folder of data was given (--data, or NONNEG_DATA)")
    path = folder.joinpath(*parts)
    if not path.exists():
        raise FileNotFoundError(f"{'/'.join(parts)} is not in the folder of the data")
    return path
