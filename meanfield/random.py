"""Every random number in meanfield: a function of (seed, stream, step, particle).

`Stream` is the one registry of what the randomness is for. Two uses never share a stream, so
adding one kind of randomness to a run changes no other.
"""

from __future__ import annotations

from enum import IntEnum, unique

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from meanfield.arrays import Array
from meanfield.errors import require
from meanfield.kernels import philox


@unique
class Stream(IntEnum):
    """What a random number is used for. Numbers are part of the file format: never reuse one."""

    INITIAL = 0
    LANGEVIN = 1
    DATA = 2
    BATCH = 3
    TARGET = 4
    SPLIT = 5
    PAIRS = 6
    VELOCITY = 7
    JUMPS = 8
    SECOND = 9
    SAMPLING = 10
    CURVATURE = 11
    NOISE_INJECTION = 12
    PROBES = 13
    SLICES = 14
    BOOTSTRAP = 15


def check_seed(seed: int, key: str = "seed") -> None:
    """Raise `InvalidInput` unless `seed` is a whole number in [0, 2^63)."""
    whole = hasattr(seed, "__index__") and not isinstance(seed, bool)
    require(whole and 0 <= seed < 2**63, key, seed, "a whole number in [0, 2^63)")


def normal(
    seed: int,
    stream: Stream,
    step: int,
    shape: tuple[int, int],
    dtype: DTypeLike = np.float64,
) -> Array:
    """Standard normal numbers, one row for each particle.

    Row i depends on (seed, stream, step, i) alone: the first rows of a larger ensemble are the
    rows of a smaller one. The bits are the same on every machine. Numbers of ``float32`` are those
    of ``float64``, rounded.

    Parameters
    ----------
    seed : int
        In [0, 2^63).
    stream : Stream
        What the numbers are for.
    step : int
        Of the simulation.
    shape : (int, int)
        Particles and columns.
    dtype : float64 or float32
        Of the result.
    """
    return _fill(seed, stream, step, shape, dtype, True)


def uniform(
    seed: int,
    stream: Stream,
    step: int,
    shape: tuple[int, int],
    dtype: DTypeLike = np.float64,
) -> Array:
    """Uniform numbers in (0, 1), one row for each particle; see `normal`.

    ``float32`` has no numbers close to 1: there, one in 2^25 is rounded to 1.
    """
    return _fill(seed, stream, step, shape, dtype, False)


def add_normal(out: Array, scale: ArrayLike, seed: int, stream: Stream, step: int) -> None:
    """``out += scale * normal(seed, stream, step, out.shape)``, in one pass and in place.

    Parameters
    ----------
    out : ndarray (N, p)
        Positions, of ``float64`` or ``float32``; the sum is rounded once.
    scale : array_like (p,)
        Standard deviation of each column.
    """
    check_seed(seed)
    _check_dtype(out.dtype)
    deviations = np.ascontiguousarray(scale, dtype=np.float64)
    fits = deviations.shape == out.shape[1:]
    require(fits, "scale", deviations.shape, f"a number for each column: {out.shape[1:]}")
    with np.errstate(over="ignore"):
        philox.add(out, deviations, *_key(seed, stream, step))


def generator(seed: int, stream: Stream, step: int = 0) -> np.random.Generator:
    """A NumPy generator for what has no particles: samples of data, batches, splits."""
    check_seed(seed)
    key = np.array([seed, int(stream)], dtype=np.uint64)
    counter = np.array([0, 0, step, 1], dtype=np.uint64)
    return np.random.Generator(np.random.Philox(key=key, counter=counter))


def _fill(
    seed: int,
    stream: Stream,
    step: int,
    shape: tuple[int, int],
    dtype: DTypeLike,
    gaussian: bool,
) -> Array:
    check_seed(seed)
    _check_dtype(dtype)
    out = np.empty(shape, dtype)
    with np.errstate(over="ignore"):  # words wrap around; uncompiled, NumPy would warn
        philox.fill(out, *_key(seed, stream, step), gaussian)
    return out


def _check_dtype(dtype: DTypeLike) -> None:
    known = np.dtype(dtype) in (np.dtype(np.float64), np.dtype(np.float32))
    require(known, "dtype", np.dtype(dtype), "float64 or float32")


def _key(seed: int, stream: Stream, step: int) -> tuple[np.uint64, np.uint64, np.uint64]:
    return np.uint64(seed), np.uint64(int(stream)), np.uint64(step)
