"""Sums over particles: means, second moments, pairings, dissipation.

Particles are cut in blocks of `ROWS`, and the blocks in at most `SLICES` runs. A run is one
iteration of a parallel loop and adds its blocks one after the other; the sums of the runs are
added pairwise. Where the cuts are depends on the number of particles alone, so that the bits do
not depend on the threads; and as no number is added to a long sum, the error of rounding stays
that of a few hundred terms. Sums are float64, also those over float32 values. NaN stays NaN.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from meanfield.arrays import Array, as_floats
from meanfield.kernels.compile import jit, prange

ROWS = 256  # a block of ten columns stays in the first-level cache while each is read in turn
SLICES = 64
# With fewer numbers than this, one thread has finished before others wake up (some 50 µs).
WORTHWHILE = 100_000


@jit(reorder=True)
def _block(first, second, mass, start, stop, column):
    total = 0.0
    for i in range(start, stop):
        term = mass[i] * np.float64(first[i, column])
        if second is not None:
            term *= np.float64(second[i, column])
        total += term
    return total


@jit
def _slice(first, second, mass, start, stop, total):
    for i in range(start, stop, ROWS):
        for column in range(first.shape[1]):
            total[column] += _block(first, second, mass, i, min(stop, i + ROWS), column)


@jit(parallel=True)
def _add(first, second, mass, parts):
    count = first.shape[0]
    length = ROWS * (1 + (count - 1) // (ROWS * SLICES))
    if first.size < WORTHWHILE:
        for k in range(SLICES):
            _slice(first, second, mass, k * length, min(count, (k + 1) * length), parts[k])
    else:
        for k in prange(SLICES):
            start = np.int64(k) * length
            _slice(first, second, mass, start, min(count, start + length), parts[k])


def mean(values: ArrayLike, mass: NDArray[np.float64]) -> Array:
    """Integral of per-particle values against the measure.

    Parameters
    ----------
    values : (N, …) array
    mass : (N,) array

    Returns
    -------
    (…) array of float64
        ``sum_i m_i values_i``.
    """
    array = as_floats(values)
    return _integral(_columns(array), None, mass).reshape(array.shape[1:])


def second_moment(values: ArrayLike, mass: NDArray[np.float64]) -> Array:
    """``sum_i m_i values_i^2`` of each component; shapes as in `mean`."""
    array = as_floats(values)
    columns = _columns(array)
    return _integral(columns, columns, mass).reshape(array.shape[1:])


def pairing(first: ArrayLike, second: ArrayLike, mass: NDArray[np.float64]) -> float:
    """``sum_i m_i <first_i, second_i>`` of two arrays (N, …): the L²(ρ) inner product."""
    return float(np.sum(_integral(_columns(first), _columns(second), mass)))


def dissipation(gradient: Array, speeds: NDArray[np.float64], mass: NDArray[np.float64]) -> float:
    """``sum_i m_i <g_i, M g_i>``: how fast an energy falls along its gradient flow.

    Parameters
    ----------
    gradient : (N, p) array
    speeds : (p,) array
        The mobility M of each column.
    mass : (N,) array
    """
    return float(np.sum(speeds * second_moment(gradient, mass)))


def _integral(first: Array, second: Array | None, mass: NDArray[np.float64]) -> Array:
    """``sum_i m_i first_i second_i`` of every column, (p,)."""
    parts = np.zeros((SLICES, first.shape[1]))
    _add(first, second, np.ascontiguousarray(mass), parts)
    while len(parts) > 1:
        parts = parts[::2] + parts[1::2]
    return parts[0]


def _columns(values: ArrayLike) -> Array:
    """One row for each particle, however many components its value has."""
    array = as_floats(values)
    return np.ascontiguousarray(array.reshape(len(array), math.prod(array.shape[1:])))
