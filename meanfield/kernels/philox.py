"""Counter-based random numbers: noise as a function, not as a state.

The generator is Philox4x64-10, the one behind `numpy.random.Philox`. Its key is (seed, stream)
and its counter (block, particle, step, 0), where a block is four columns. So the noise of a
particle at a step depends on nothing else: not on the threads, not on how many particles there
are, not on what ran before.

References
----------
J. Salmon, M. Moraes, R. Dror, D. Shaw, Parallel random numbers: as easy as 1, 2, 3, SC 2011.
"""

from __future__ import annotations

import numpy as np

from meanfield.kernels.compile import DISABLED, jit, prange
from meanfield.kernels.normal import polar

# Particles that are drawn side by side, in the lanes of vector registers.
LANES = 1 if DISABLED else 64
# Up to here (numbers) one thread is done before others have woken up: 2.4 ns each, against 60 µs.
ALONE = 30_000

_M0 = np.uint64(0xD2E7470EE14C6C93)
_M1 = np.uint64(0xCA5A826395121157)
_W0 = np.uint64(0x9E3779B97F4A7C15)
_W1 = np.uint64(0xBB67AE8584CAA73B)
_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)
_DROP = np.uint64(11)
_ZERO = np.uint64(0)
_UNIT = 2.0**-53
_BELOW_ONE = 1.0 - 2.0**-53


@jit(inline=True)
def _product(a, b):
    """Upper and lower 64 bits of the product of two 64-bit integers.

    By halves: vector units multiply 32 bits by 32.
    """
    a0, a1 = a & _LOW, a >> _HALF
    b0, b1 = b & _LOW, b >> _HALF
    lowest = a0 * b0
    middle = a1 * b0 + (lowest >> _HALF)
    cross = a0 * b1 + (middle & _LOW)
    high = a1 * b1 + (middle >> _HALF) + (cross >> _HALF)
    return high, (cross << _HALF) | (lowest & _LOW)


@jit(inline=True)
def philox(c0, c1, c2, c3, k0, k1):
    """Ten rounds of Philox4x64: four random words for a counter and a key (all ``uint64``)."""
    for _ in range(10):
        high0, low0 = _product(c0, _M0)
        high1, low1 = _product(c2, _M1)
        c0, c1, c2, c3 = high1 ^ c1 ^ k0, low1, high0 ^ c3 ^ k1, low0
        k0, k1 = k0 + _W0, k1 + _W1
    return c0, c1, c2, c3


@jit(inline=True)
def unit(word):
    """A uniform number in the open interval (0, 1): the midpoint of one of 2^53 cells, rounded."""
    # Below 2^63 the number has no sign bit; conversion of signed integers is the one that exists.
    return min((np.float64(np.int64(word >> _DROP)) + 0.5) * _UNIT, _BELOW_ONE)


@jit
def _draw(lanes, block, first, seed, stream, step, gaussian):
    """Four columns of numbers for the particles from `first` on, one column after the other."""
    for i in range(LANES):
        particle = np.uint64(first + i)
        w0, w1, w2, w3 = philox(np.uint64(block), particle, step, _ZERO, seed, stream)
        lanes[i], lanes[LANES + i] = unit(w0), unit(w1)
        lanes[2 * LANES + i], lanes[3 * LANES + i] = unit(w2), unit(w3)
    if gaussian:
        for i in range(LANES):
            lanes[i], lanes[LANES + i] = polar(lanes[i], lanes[LANES + i])
        for i in range(LANES):
            lanes[2 * LANES + i], lanes[3 * LANES + i] = polar(
                lanes[2 * LANES + i], lanes[3 * LANES + i]
            )


@jit
def _fill_strip(out, strip, seed, stream, step, gaussian):
    first = strip * LANES
    lanes = np.empty(4 * LANES)
    rows = out[first : first + LANES]
    count, width = rows.shape
    for block in range((width + 3) // 4):
        _draw(lanes, block, first, seed, stream, step, gaussian)
        for column in range(4 * block, min(4 * block + 4, width)):
            drawn = lanes[(column - 4 * block) * LANES :]
            for i in range(count):
                rows[i, column] = drawn[i]


@jit
def _add_strip(out, scale, strip, seed, stream, step):
    first = strip * LANES
    lanes = np.empty(4 * LANES)
    rows = out[first : first + LANES]
    count, width = rows.shape
    for block in range((width + 3) // 4):
        _draw(lanes, block, first, seed, stream, step, True)
        for column in range(4 * block, min(4 * block + 4, width)):
            drawn = lanes[(column - 4 * block) * LANES :]
            deviation = scale[column]
            for i in range(count):
                rows[i, column] += deviation * drawn[i]


@jit(parallel=True)
def fill(out, seed, stream, step, gaussian):
    """Fill ``out`` (particles, width) with uniform or standard normal numbers, row by row."""
    strips = (out.shape[0] + LANES - 1) // LANES
    if out.size <= ALONE:
        for strip in range(strips):
            _fill_strip(out, strip, seed, stream, step, gaussian)
    else:
        for strip in prange(strips):
            _fill_strip(out, np.int64(strip), seed, stream, step, gaussian)


@jit(parallel=True)
def add(out, scale, seed, stream, step):
    """Add normal numbers to ``out`` (particles, width), of standard deviations ``scale`` (width,).

    In one pass: the numbers themselves are never stored.
    """
    strips = (out.shape[0] + LANES - 1) // LANES
    if out.size <= ALONE:
        for strip in range(strips):
            _add_strip(out, scale, strip, seed, stream, step)
    else:
        for strip in prange(strips):
            _add_strip(out, scale, np.int64(strip), seed, stream, step)
