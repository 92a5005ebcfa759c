"""Scratch memory for kernels: aligned to cache lines, and used again by the next call.

Vectors that straddle two cache lines cost up to half of a kernel's speed, and whether fresh memory
is aligned changes from process to process. Memory that is given back to the system costs a page
fault per 4 KB when it is next touched; where it has to be found on a shared machine, longer than
the sums themselves.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

LINE = 64  # bytes of a cache line, and of the widest vectors
# Bytes that are kept for the next call. Larger blocks, whose sums last seconds, are given back.
KEPT = 256 << 20

_lock = threading.Lock()
_free: list[NDArray[np.uint8]] = []


@contextmanager
def scratch(dtype: Any, *shapes: tuple[int, ...]) -> Iterator[list[NDArray]]:
    """Arrays of these shapes, with any contents, until the context ends.

    Parameters
    ----------
    dtype : data type
    *shapes : tuples of int
        Every array starts at a cache line; so do its rows, where they are whole lines long.
    """
    dtype = np.dtype(dtype)
    sizes = [math.prod(shape) for shape in shapes]
    lines = [-(-size * dtype.itemsize // LINE) for size in sizes]
    block = _borrow((sum(lines) + 1) * LINE)
    try:
        begin, arrays = -block.ctypes.data % LINE, []
        for shape, size, count in zip(shapes, sizes, lines, strict=True):
            part = block[begin : begin + count * LINE].view(dtype)
            arrays.append(part[:size].reshape(shape))
            begin += count * LINE
        yield arrays
    finally:
        _give_back(block)


def _borrow(size: int) -> NDArray[np.uint8]:
    """A free block that is large enough, or a new one in the place of a free one."""
    with _lock:
        for index, block in enumerate(_free):
            if block.size >= size:
                return _free.pop(index)
        if _free:
            _free.pop()
    return np.empty(size, np.uint8)


def _give_back(block: NDArray[np.uint8]) -> None:
    with _lock:
        if block.size + sum(other.size for other in _free) <= KEPT:
            _free.append(block)
