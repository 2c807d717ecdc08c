"""How many threads BLAS takes while many runs go side by side on one matrix."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from nonneg.core.intake import MatrixLike

__all__ = ["calm_blas"]

# From so many entries on, the products with a dense X are long enough for all threads.
_LARGE = 1 << 22


@contextmanager
def calm_blas(X: MatrixLike) -> Iterator[None]:
    """Have BLAS take one thread inside, unless X is dense and large.

    Small products are over before the threads of BLAS have found one another; where another
    program holds a core they wait for it, each time: 50 runs on 38 × 5,000 took six times as long.
    The kernels keep their threads.

    Examples
    --------
    >>> import numpy as np
    >>> with calm_blas(np.ones((38, 5000))):
    ...     pass
    """
    large = not sp.issparse(X) and math.prod(np.shape(cast("NDArray[np.generic]", X))) >= _LARGE
    with threadpool_limits(None if large else 1, user_api="blas"):
        yield
