"""gensim's online Nmf: one pass over the documents, then the weights of each document.

The second part is timed too: the other solvers return both factors.
"""

from __future__ import annotations

import time

import numpy as np
from task import Answer, Matrix, Task

NAME = "gensim"
HOME = "rivals"


def prepare() -> dict[str, str]:
    """Import it."""
    import gensim
    import gensim.models.nmf

    return {"gensim": gensim.__version__, "numpy": np.__version__}


def run(task: Task, data: Matrix) -> Answer:
    """Fit and transform; weights are kept as they are instead of summing to one."""
    from gensim import matutils
    from gensim.models.nmf import Nmf

    corpus = matutils.Sparse2Corpus(data.tocsc(), documents_columns=False)
    settings = {"normalize": False, "minimum_probability": 0.0, **task.settings}
    started = time.perf_counter()
    model = Nmf(corpus, task.n_components, random_state=task.seed, **settings)
    weights = matutils.corpus2dense(model[corpus], task.n_components, num_docs=data.shape[0])
    seconds = time.perf_counter() - started
    H = np.zeros((task.n_components, data.shape[1]))
    topics = np.asarray(model.get_topics(normalize=False))
    H[:, : topics.shape[1]] = topics
    return Answer(seconds, [(weights.T, H)])
