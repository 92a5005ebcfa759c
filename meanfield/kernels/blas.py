"""Matrix products inside kernels: one BLAS thread each, as the kernels are parallel themselves."""

from __future__ import annotations

import functools
from typing import Any

# numba's np.dot calls SciPy's BLAS, which loads lazily: it must be there before it is controlled.
import scipy.linalg.cython_blas  # noqa: F401
from threadpoolctl import ThreadpoolController


@functools.cache
def _controller() -> ThreadpoolController:
    return ThreadpoolController()


def single_threaded() -> Any:
    """A context in which every BLAS call uses one thread: no oversubscription, fixed sums."""
    return _controller().limit(limits=1, user_api="blas")
