"""pbmc3k: 2,700 blood cells × the genes seen in three cells or more, raw counts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import scipy.sparse as sp

from sets.paths import source


def counts(folder: Path | None) -> sp.csr_array:
    """Return the counts as float32."""
    X = sp.csr_array(sp.load_npz(source(folder, "pbmc3k", "counts.npz"))).astype(np.float32)
    return X[:, np.asarray((X > 0).sum(axis=0)).ravel() >= 3]
