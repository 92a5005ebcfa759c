"""Every random number in meanfield: a function of (seed, stream, step, particle).

`Stream` is the one registry of what the randomness is for. Two uses never share a stream, so
adding one kind of randomness to a run changes no other.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from meanfield.errors import require
from meanfield.kernels import philox


class Stream(IntEnum):
    """What a random number is used for. Numbers are part of the file format: never reuse one."""

    INITIAL = 0
    LANGEVIN = 1
    DATA = 2
    BATCH = 3
    TARGET = 4
    SPLIT = 5


def check_seed(seed: int, key: str = "seed") -> None:
    """Raise `InvalidInput` unless `seed` is a whole number in [0, 2^63)."""
    whole = hasattr(seed, "__index__") and not isinstance(seed, bool)
    require(whole and 0 <= seed < 2**63, key, seed, "a whole number in [0, 2^63)")


def normal(seed: int, stream: Stream, step: int, shape: tuple[int, int]) -> NDArray[np.float64]:
    """Standard normal numbers, one row for each particle.

    Row i depends on (seed, stream, step, i) alone: the first rows of a larger ensemble are the
    rows of a smaller one.
    """
    return _fill(seed, stream, step, shape, True)


def uniform(seed: int, stream: Stream, step: int, shape: tuple[int, int]) -> NDArray[np.float64]:
    """Uniform numbers in (0, 1), one row for each particle; see `normal`."""
    return _fill(seed, stream, step, shape, False)


def generator(seed: int, stream: Stream, step: int = 0) -> np.random.Generator:
    """A NumPy generator for what has no particles: samples of data, batches, splits."""
    check_seed(seed)
    key = np.array([seed, int(stream)], dtype=np.uint64)
    counter = np.array([0, 0, step, 1], dtype=np.uint64)
    return np.random.Generator(np.random.Philox(key=key, counter=counter))


def _fill(
    seed: int, stream: Stream, step: int, shape: tuple[int, int], gaussian: bool
) -> NDArray[np.float64]:
    check_seed(seed)
    out = np.empty(shape)
    with np.errstate(over="ignore"):  # words wrap around; uncompiled, NumPy would warn
        philox.fill(out, np.uint64(seed), np.uint64(int(stream)), np.uint64(step), gaussian)
    return out
