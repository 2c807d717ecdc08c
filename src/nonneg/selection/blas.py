"""How many threads BLAS takes while many runs go side by side on one matrix."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import numpy as np
import scipy.sparse as sp
from threadpoolctl import threadpool_limits

from nonneg.core.intake import MatrixLike

__all__ = ["calm_blas"]

# From so many entries on, the products with a dense X are long enough for all threads.
_LARGE = 1 << 22


def calm_blas(X: MatrixLike) -> AbstractContextManager[object]:
    """Return a context in which BLAS takes one thread, unless X is dense and large.

    Small products are over before the threads of BLAS have found one another; where another
    program holds a core they wait for it, each time: 50 runs on 38 × 5,000 took six times as long.
    The kernels keep their threads.

    Examples
    --------
    >>> import numpy as np
    >>> with calm_blas(np.ones((38, 5000))):
    ...     pass
    """
    if not sp.issparse(X) and np.size(X) >= _LARGE:
        return nullcontext()
    return threadpool_limits(1, user_api="blas")
