"""implicit's lists for `topn.py`: `python implicit_lists.py FOLDER`, in the rivals' environment.

The folder has `task.json` (the settings to try) and `train.npz`; `lists.npz` and `seconds.json` are
written beside them.
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from pathlib import Path

import implicit
import numpy as np
import scipy.sparse as sp
from implicit.als import AlternatingLeastSquares
from implicit.nearest_neighbours import BM25Recommender, bm25_weight


def weighted(X: sp.csr_matrix, how: str) -> sp.csr_matrix:
    """Return the counts as the model is to see them."""
    if how == "bm25":
        return bm25_weight(X.T.tocsr(), K1=100, B=0.8).T.tocsr().astype(np.float32)
    found = X.copy()
    if how == "log":
        found.data = np.log1p(found.data)
    elif how == "binary":
        found.data[:] = 1
    return found


def main() -> None:
    """Fit each of the settings, and list twenty items for each of the users."""
    warnings.simplefilter("ignore")
    folder = Path(sys.argv[1])
    task = json.loads((folder / "task.json").read_text())
    with np.load(folder / "train.npz") as data:
        entries = (data["values"].astype(np.float32), (data["users"], data["items"]))
        X = sp.csr_matrix(entries, shape=tuple(data["shape"]))
        who = data["who"]
    lists, seconds = {}, []
    for number, settings in enumerate(task["settings"]):
        settings = dict(settings)
        counts = weighted(X, settings.pop("weights"))
        started = time.perf_counter()
        if task["model"] == "BM25":
            model = BM25Recommender(num_threads=task["threads"], **settings)
        else:
            model = AlternatingLeastSquares(
                random_state=0, use_gpu=False, num_threads=task["threads"], **settings
            )
        model.fit(counts, show_progress=False)
        seconds.append(round(time.perf_counter() - started, 3))
        lists[str(number)] = model.recommend(who, counts[who], N=20)[0]
    np.savez(folder / "lists.npz", **lists)
    told = {"seconds": seconds, "implicit": implicit.__version__}
    (folder / "seconds.json").write_text(json.dumps(told))


if __name__ == "__main__":
    main()
