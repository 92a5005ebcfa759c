"""Counter-based random numbers: noise as a function, not as a state.

The generator is Philox4x64-10, the one behind `numpy.random.Philox`. Its key is (seed, stream)
and its counter (block, particle, step, 0), so the noise of a particle at a step depends on
nothing else: not on the threads, not on how many particles there are, not on what ran before.

References
----------
J. Salmon, M. Moraes, R. Dror, D. Shaw, Parallel random numbers: as easy as 1, 2, 3, SC 2011.
"""

from __future__ import annotations

import math

import numpy as np

from meanfield.kernels.compile import jit, prange

_M0 = np.uint64(0xD2E7470EE14C6C93)
_M1 = np.uint64(0xCA5A826395121157)
_W0 = np.uint64(0x9E3779B97F4A7C15)
_W1 = np.uint64(0xBB67AE8584CAA73B)
_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)
_DROP = np.uint64(11)
_ZERO = np.uint64(0)
_UNIT = 2.0**-53


@jit
def _high(a, b):
    """Upper 64 bits of the product of two 64-bit integers."""
    a0, a1 = a & _LOW, a >> _HALF
    b0, b1 = b & _LOW, b >> _HALF
    middle = a1 * b0 + ((a0 * b0) >> _HALF)
    cross = a0 * b1 + (middle & _LOW)
    return a1 * b1 + (middle >> _HALF) + (cross >> _HALF)


@jit
def philox(c0, c1, c2, c3, k0, k1):
    """Ten rounds of Philox4x64: four random words for a counter and a key (all ``uint64``)."""
    for _ in range(10):
        high0, low0 = _high(_M0, c0), _M0 * c0
        high1, low1 = _high(_M1, c2), _M1 * c2
        c0, c1, c2, c3 = high1 ^ c1 ^ k0, low1, high0 ^ c3 ^ k1, low0
        k0, k1 = k0 + _W0, k1 + _W1
    return c0, c1, c2, c3


@jit
def _unit(word):
    """A uniform number in the open interval (0, 1): the midpoint of one of 2^53 cells."""
    return (float(word >> _DROP) + 0.5) * _UNIT


@jit
def _polar(first, second):
    """Two independent standard normal numbers (Box and Muller 1958)."""
    radius = math.sqrt(-2.0 * math.log(first))
    angle = 2.0 * math.pi * second
    return radius * math.cos(angle), radius * math.sin(angle)


@jit
def _fill_row(row, seed, stream, step, particle, gaussian):
    width = row.shape[0]
    for block in range((width + 3) // 4):
        w0, w1, w2, w3 = philox(np.uint64(block), particle, step, _ZERO, seed, stream)
        x0, x1, x2, x3 = _unit(w0), _unit(w1), _unit(w2), _unit(w3)
        if gaussian:
            x0, x1 = _polar(x0, x1)
            x2, x3 = _polar(x2, x3)
        column = 4 * block
        row[column] = x0
        if column + 1 < width:
            row[column + 1] = x1
        if column + 2 < width:
            row[column + 2] = x2
        if column + 3 < width:
            row[column + 3] = x3


@jit(parallel=True)
def fill(out, seed, stream, step, gaussian):
    """Fill ``out`` (particles, width) with uniform or standard normal numbers, row by row."""
    for i in prange(out.shape[0]):
        _fill_row(out[i], seed, stream, step, np.uint64(i), gaussian)
