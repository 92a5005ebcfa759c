"""exp and tanh that the compiler can vectorise inside a loop.

``math.exp`` and ``math.tanh`` are library calls, one element at a time. These are straight-line
code: range reduction, a polynomial, and an exponent put together as bits. Errors against 40-digit
references are below 2 units in the last place (``tests/kernels/test_elementary.py``).
"""

from __future__ import annotations

import math

import numpy as np
from llvmlite import ir
from numba import float64, int64
from numba.extending import intrinsic

from meanfield.kernels.compile import DISABLED, jit

_LOG2E = 1.0 / math.log(2.0)
# log 2 in two parts: the first has zeros at its end, so that a product with an integer is exact.
_LN2_HIGH = 6.93145751953125e-1
_LN2_LOW = 1.42860682030941723212e-6
_LARGEST = 709.0
_SMALLEST = -708.0
_BIAS = 1023
_MANTISSA = 52

if DISABLED:

    def _power_of_two(n: float) -> float:
        return math.ldexp(1.0, int(n)) if n == n else n

else:

    @intrinsic
    def _from_bits(typing_context, bits):
        """The double with the given 64 bits."""

        def generate(context, builder, signature, arguments):
            return builder.bitcast(arguments[0], ir.DoubleType())

        return float64(int64), generate

    @jit
    def _power_of_two(n):
        """2^n for a whole number n in [-1022, 1023], given as a float."""
        return _from_bits((np.int64(n) + _BIAS) << _MANTISSA)


@jit
def exp(x):
    """e^x; infinity above 709, and 0 below -708 (no gradual underflow)."""
    clamped = min(max(x, _SMALLEST), _LARGEST)
    n = np.floor(clamped * _LOG2E + 0.5)
    r = (clamped - n * _LN2_HIGH) - n * _LN2_LOW
    # Cephes: e^r = 1 + 2 r P(r²) / (Q(r²) - r P(r²)) on |r| <= log(2)/2.
    z = r * r
    p = r * ((1.26177193074810590878e-4 * z + 3.02994407707441961300e-2) * z + 1.0)
    q = (
        (3.00198505138664455042e-6 * z + 2.52448340349684104192e-3) * z + 2.27265548208155028766e-1
    ) * z + 2.0
    fraction = 1.0 + 2.0 * (p / (q - p))
    value = fraction * _power_of_two(n)
    value = math.inf if x > _LARGEST else value
    return 0.0 if x < _SMALLEST else value


@jit
def tanh(x):
    """tanh x, relatively accurate at small x.

    References
    ----------
    S. Moshier, Methods and programs for mathematical functions, 1989 (Cephes).
    """
    size = abs(x)
    z = min(x * x, 1.0)  # beyond, the other branch counts
    p = (-9.64399179425052238628e-1 * z - 9.92877231001918586564e1) * z - 1.61468768441708447952e3
    q = (
        (z + 1.12811678491632931402e2) * z + 2.23548839060100448583e3
    ) * z + 4.84406305325125486048e3
    near = x + x * (z * p / q)
    far = math.copysign(1.0 - 2.0 / (exp(2.0 * size) + 1.0), x)
    return near if size < 0.625 else far
