"""The CBCL faces: 2,429 pictures of 19 × 19 pixels, scaled as Lee & Seung (1999) did."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sets.paths import source


def faces(folder: Path | None) -> np.ndarray:
    """Return 2429 × 361 float32 in [0, 1]."""
    with np.load(source(folder, "cbcl", "cbcl_faces.npz")) as stored:
        X = stored["X"]
    return X.reshape(len(X), -1).astype(np.float32) / np.float32(255)
