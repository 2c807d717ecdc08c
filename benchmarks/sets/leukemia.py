"""ALL-AML: the leukemia data of Golub et al. as Brunet et al. (2004) used them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from sets.paths import source


def expression(folder: Path | None) -> np.ndarray:
    """Return 5000 genes × 38 samples as float64."""
    frame = pd.read_csv(source(folder, "all-aml", "all_aml.csv.gz"), index_col=0)
    X = frame.to_numpy(dtype=np.float64)
    if X.shape != (5000, 38):
        raise ValueError(f"ALL-AML has shape {X.shape} · it should be (5000, 38)")
    return X
