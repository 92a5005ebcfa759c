"""Matrix products inside kernels: one BLAS thread each, as the kernels are parallel themselves."""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

# numba's np.dot calls SciPy's BLAS, which loads lazily: it must be there before it is controlled.
import numpy as np
import scipy.linalg.cython_blas  # noqa: F401
from threadpoolctl import ThreadpoolController

from meanfield.kernels.compile import jit

_lock = threading.Lock()
_limit = ExitStack()
_inside = 0  # contexts that are open


@functools.cache
def _controller() -> ThreadpoolController:
    return ThreadpoolController()


@contextmanager
def single_threaded() -> Iterator[None]:
    """A context in which every BLAS call uses one thread: no oversubscription, fixed sums.

    The limit is the process's. The first context sets it, at some 10 µs, and the last one lifts
    it, also where they are entered from several threads.
    """
    global _inside
    with _lock:
        if not _inside:
            _limit.enter_context(_controller().limit(limits=1, user_api="blas"))
        _inside += 1
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if not _inside:
                _limit.close()


def describe() -> str:
    """The BLAS libraries that are loaded, and the processor that each of them sees."""
    return ", ".join(
        f"{library['internal_api']} {library['version']} {library.get('architecture', '')}".strip()
        for library in _controller().info()
        if library["user_api"] == "blas"
    )


@jit
def product(first, second, out):
    """Write ``first @ second`` into ``out``: compiled once, not in every caller."""
    np.dot(first, second, out)
