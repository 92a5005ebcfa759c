"""Shapes of pair potentials: W and W'/r of u = r², as straight-line code that becomes vectors.

With u = |x - y|² the gradient is ∇_x W = (W'(r)/r) (x - y) = 2 φ'(u) (x - y) for W = φ(u): the 2 is
in the shape. Where W'/r has no limit at r = 0 it is 0 there, as particles that coincide have no
direction to push in; |x - y|² of less than the smallest normal number counts as coinciding.

Every shape is a factory: given a number type it returns a kernel ``shape(p, u) -> (W, W'/r)`` with
``p`` the parameters. NaN stays NaN. Errors are about 2 units in the last place, times |log W| where
W is a power or an exponential: so much does the rounding of u already cost.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from meanfield.kernels.compile import compile_user_function, jit
from meanfield.kernels.elementary import exp2, log1p
from meanfield.kernels.precision import in_precision

LARGEST_POWER = 12  # up to this exponent, products are faster than a logarithm and an exponential
# Beyond these exponents of 2, `exp2` is not defined: numbers are 0 or infinite.
_LIMIT = {np.float64: 1000.0, np.float32: 120.0}


def whole(exponent: float) -> int | None:
    """The exponent as an integer, where that makes a shape faster."""
    return int(exponent) if exponent in range(1, LARGEST_POWER + 1) else None


@functools.cache
def _power_of_two(dtype: Any) -> Any:
    """2^x, or 0 and infinity where that leaves the numbers."""
    limit, zero, infinity = dtype(_LIMIT[dtype]), dtype(0), dtype(np.inf)

    @jit(inline=True, fuse=True)
    def evaluate(x):
        inside = limit if x > limit else (-limit if x < -limit else x)
        value = exp2(inside)
        return infinity if x > limit else (zero if x < -limit else value)

    return evaluate


@functools.cache
def _decay(dtype: Any) -> Any:
    """2^x for x ≤ 0, or 0 where that is too small."""
    smallest, zero = dtype(-_LIMIT[dtype]), dtype(0)

    @jit(inline=True, fuse=True)
    def evaluate(x):
        value = exp2(smallest if x < smallest else x)
        return zero if x < smallest else value

    return evaluate


@functools.cache
def _log2(dtype: Any) -> Any:
    """log₂ v of a normal number v > 0; the error is absolute near v = 1."""
    integer: Any = np.int64 if dtype is np.float64 else np.int32
    width, offset = (52, 1023) if dtype is np.float64 else (23, 127)
    one, largest, per_log = dtype(1), np.finfo(dtype).max, dtype(1.0 / math.log(2.0))
    low, exponent_of_one = integer((1 << width) - 1), integer(offset << width)
    digits, bias = integer(width), integer(offset)

    @jit(inline=True, fuse=True)
    def evaluate(v):
        bits = dtype(v).view(integer)
        mantissa = integer((bits & low) | exponent_of_one).view(dtype)
        value = dtype((bits >> digits) - bias) + per_log * log1p(mantissa - one)
        return value if v <= largest else v  # infinity, NaN

    return evaluate


@functools.cache
def gaussian(dtype: Any) -> Any:
    """W = exp(-r²/2l²) of p = (-log₂e / 2l², -1/l²)."""
    decay = _decay(dtype)

    @jit(inline=True, fuse=True)
    def shape(p, u):
        value = decay(p[0] * u)
        return value, p[1] * value

    return shape


@functools.cache
def morse(dtype: Any) -> Any:
    """W = C_r exp(-r/l_r) - C_a exp(-r/l_a) of p = (C_r, C_a, 1/l_r, 1/l_a)."""
    decay = _decay(dtype)
    zero, one, per_log = dtype(0), dtype(1), dtype(1.0 / math.log(2.0))

    @jit(inline=True, fuse=True)
    def shape(p, u):
        strength_r, strength_a, rate_r, rate_a = p
        r = math.sqrt(u)
        inverse = zero if u == zero else one / r
        repulsion = strength_r * decay(-(rate_r * per_log) * r)
        attraction = strength_a * decay(-(rate_a * per_log) * r)
        return repulsion - attraction, (rate_a * attraction - rate_r * repulsion) * inverse

    return shape


@functools.cache
def logarithm(dtype: Any) -> Any:
    """W = -½ log(r² + ε²) of p = (ε²,)."""
    log2 = _log2(dtype)
    one, half_log = dtype(1), dtype(-0.5 * math.log(2.0))

    @jit(inline=True, fuse=True)
    def shape(p, u):
        v = u + p[0]
        return half_log * log2(v), -one / v

    return shape


@functools.cache
def inverse_power(s: int) -> Callable[[Any], Any]:
    """W = (r² + ε²)^(-s/2) of p = (ε²,), for a whole number s ≥ 1."""

    @functools.cache
    def make(dtype: Any) -> Any:
        one, slope = dtype(1), dtype(-s)

        @jit(inline=True, fuse=True)
        def shape(p, u):
            inverse = one / (u + p[0])
            value = math.sqrt(inverse) if s % 2 else one
            for _ in range(s // 2):
                value = value * inverse
            return value, slope * value * inverse

        return shape

    return make


@functools.cache
def real_power(dtype: Any) -> Any:
    """W = σ (r² + ε²)^h of p = (ε², h, σ), h not 0."""
    log2, power_of_two = _log2(dtype), _power_of_two(dtype)
    zero = dtype(0)

    @jit(inline=True, fuse=True)
    def shape(p, u):
        v = u + p[0]
        value = zero if v == zero else p[2] * power_of_two(p[1] * log2(v))
        return value, (zero if v == zero else (p[1] + p[1]) * value / v)

    return shape


@functools.cache
def powers(attraction: int | None, repulsion: int | None) -> Callable[[Any], Any]:
    """W = r^a/a - r^b/b of p = (a, b), a > b > 0; the exponents here are whole ones, or None."""

    @functools.cache
    def make(dtype: Any) -> Any:
        first, second = _of_square(attraction, dtype), _of_square(repulsion, dtype)
        zero = dtype(0)

        @jit(inline=True, fuse=True)
        def shape(p, u):
            far, near = first(p[0], u), second(p[1], u)
            return far / p[0] - near / p[1], (zero if u == zero else (far - near) / u)

        return shape

    return make


@functools.cache
def _of_square(exponent: int | None, dtype: Any) -> Any:
    """r^a of a and r²."""
    zero, one, half = dtype(0), dtype(1), dtype(0.5)
    log2, power_of_two = _log2(dtype), _power_of_two(dtype)

    if exponent is None:

        @jit(inline=True, fuse=True)
        def evaluate(a, u):
            return zero if u == zero else power_of_two(half * a * log2(u))

    else:

        @jit(inline=True, fuse=True)
        def evaluate(a, u):
            value = math.sqrt(u) if exponent % 2 else one
            for _ in range(exponent // 2):
                value = value * u
            return value

    return evaluate


def radial(value: Any, slope: Any) -> Callable[[Any], Any]:
    """A user's W as a function of r², with its derivative in r²."""
    compiled = compile_user_function(value), compile_user_function(slope)

    @functools.cache
    def make(dtype: Any) -> Any:
        potential, derivative = (in_precision(function, dtype) for function in compiled)
        zero, two = dtype(0), dtype(2)

        @jit(inline=True, fuse=True)
        def shape(p, u):
            return dtype(potential(u)), (zero if u == zero else two * dtype(derivative(u)))

        return shape

    return make
