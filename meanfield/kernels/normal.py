"""From uniform to normal numbers, by code that the compiler can vectorise and no one can reorder.

``math.log``, ``math.sin`` and ``math.cos`` are library calls: one number at a time, and other last
digits on every machine. These use +, -, ×, / and √ alone, in a fixed order and without fused
products, which IEEE 754 rounds alike everywhere: the same uniform numbers give the same bits of
normal ones with any processor, vector width and number of threads, compiled or not. Errors against
40-digit references are below 4 units in the last place (``tests/kernels/test_normal.py``).

References
----------
G. Box, M. Muller, A note on the generation of random normal deviates, 1958.
Sun Microsystems, fdlibm 5.3, 1993 (e_log.c, k_sin.c, k_cos.c: the polynomials).
"""

from __future__ import annotations

import math

import numpy as np

from meanfield.kernels.compile import jit

_MANTISSA = 52
_SQRT_HALF = np.float64(math.sqrt(0.5)).view(np.int64)
# log 2 in two parts: the first has zeros at its end, so that a product with an integer is exact.
_LN2_HIGH = 6.93147180369123816490e-01
_LN2_LOW = 1.90821492927058770002e-10


@jit(inline=True)
def log(x):
    """Natural logarithm of a positive normal number (``float64``)."""
    bits = np.float64(x).view(np.int64)
    exponent = (bits - _SQRT_HALF) >> _MANTISSA  # leaves a mantissa in [√½, √2)
    f = np.int64(bits - (exponent << _MANTISSA)).view(np.float64) - 1.0
    # log(1 + f) = f - f²/2 + s (f²/2 + R), with s = f / (2 + f) and a polynomial R in s².
    s = f / (2.0 + f)
    z = s * s
    w = z * z
    even = w * (
        3.999999999940941908e-01 + w * (2.222219843214978396e-01 + w * 1.531383769920937332e-01)
    )
    odd = z * (
        6.666666666666735130e-01
        + w
        * (2.857142874366239149e-01 + w * (1.818357216161805012e-01 + w * 1.479819860511658591e-01))
    )
    half = 0.5 * f * f
    n = np.float64(exponent)
    return n * _LN2_HIGH - ((half - (s * (half + (odd + even)) + n * _LN2_LOW)) - f)


@jit(inline=True)
def cos_sin(turns):
    """cos 2πu and sin 2πu of u in [0, 1]."""
    quarter = np.floor(4.0 * turns + 0.5)
    x = (turns - 0.25 * quarter) * (2.0 * math.pi)  # the difference is exact: zeros stay sharp
    z = x * x
    sine = x + x * z * (
        -1.66666666666666324348e-01
        + z
        * (
            8.33333333332248946124e-03
            + z
            * (
                -1.98412698298579493134e-04
                + z
                * (
                    2.75573137070700676789e-06
                    + z * (-2.50507602534068634195e-08 + z * 1.58969099521155010221e-10)
                )
            )
        )
    )
    cosine = (
        1.0
        - 0.5 * z
        + z
        * z
        * (
            4.16666666666666019037e-02
            + z
            * (
                -1.38888888888741095749e-03
                + z
                * (
                    2.48015872894767294178e-05
                    + z
                    * (
                        -2.75573143513906633035e-07
                        + z * (2.08757232129817482790e-09 + z * -1.13596475577881948265e-11)
                    )
                )
            )
        )
    )
    n = np.int64(quarter)
    first, second = (cosine, sine) if n & 1 == 0 else (sine, cosine)
    return (first if (n + 1) & 2 == 0 else -first), (second if n & 2 == 0 else -second)


@jit(inline=True)
def polar(first, second):
    """Two independent standard normal numbers from two uniform ones in (0, 1)."""
    radius = math.sqrt(-2.0 * log(first))
    cosine, sine = cos_sin(second)
    return radius * cosine, radius * sine
