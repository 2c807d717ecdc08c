"""The ORL faces: 400 pictures of 112 × 92 pixels."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sets.paths import source


def faces(folder: Path | None) -> np.ndarray:
    """Return 400 × 10304 float32 in [0, 1]."""
    with np.load(source(folder, "orl-faces", "orl_faces.npz")) as stored:
        return stored["X"].reshape(400, -1).astype(np.float32) / np.float32(255)
