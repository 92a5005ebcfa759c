"""Special functions that compiled kernels may call.

Owen's T and the incomplete beta function come from SciPy's Cython interface. They are linked by
name (not by address), so that kernels that use them can be kept in the disk cache.
"""

from __future__ import annotations

import math
from typing import Any

import llvmlite.binding as llvm
import numba
import scipy.special
from numba.extending import get_cython_function_address
from scipy.special import cython_special

from meanfield.kernels.compile import DISABLED, jit

SQRT_HALF = math.sqrt(0.5)
INV_SQRT_2PI = 1.0 / math.sqrt(2.0 * math.pi)
# Limits below this are 0 to all digits; their ratios may not have any.
CENTRAL = 1e-150


def _from_scipy(name: str, arity: int) -> Any:
    """The double-precision version of a function of `scipy.special`, for use in kernels."""
    if DISABLED:
        return getattr(scipy.special, name)
    # Cython exports a function of several precisions once for each, under a mangled name.
    exported = next(
        key
        for key, capsule in cython_special.__pyx_capi__.items()
        if key.removeprefix("__pyx_fuse_").lstrip("0123456789") == name
        and f'"double ({", ".join(["double"] * arity)},' in repr(capsule)
    )
    symbol = f"meanfield_{name}"
    llvm.add_symbol(symbol, get_cython_function_address(cython_special.__name__, exported))
    return numba.types.ExternalFunction(symbol, numba.float64(*[numba.float64] * arity))


owens_t = _from_scipy("owens_t", 2)
betainc = _from_scipy("betainc", 3)


@jit
def normal_pdf(x: float) -> float:
    """Density of the standard normal law."""
    return INV_SQRT_2PI * math.exp(-0.5 * x * x)


@jit
def normal_cdf(x: float) -> float:
    """Distribution function of the standard normal law, accurate in both tails."""
    return 0.5 * math.erfc(-x * SQRT_HALF)


@jit
def complements(rho: float, r: float) -> tuple[float, float]:
    """``1 - rho`` and ``1 + rho`` from ``rho`` and ``r = sqrt(1 - rho^2)``, both accurate."""
    if rho > 0.0:
        return r * r / (1.0 + rho), 1.0 + rho
    return 1.0 - rho, r * r / (1.0 - rho)


@jit
def _owen_term(h: float, offset: float) -> float:
    """T(h, offset/h), continued to h = 0 from above."""
    if offset == 0.0:
        return 0.0
    if h == 0.0:
        return math.copysign(0.25, offset)
    return owens_t(h, offset / h)


@jit
def quadrant_defect(h: float, k: float, a: float, b: float) -> float:
    """``(N(h) + N(k))/2 - P2(h, k; rho)``, which Owen's T gives without cancellation.

    Parameters
    ----------
    h, k : float
        Upper limits.
    a, b : float
        ``(k - rho h)/r`` and ``(h - rho k)/r`` with ``r = sqrt(1 - rho^2)``; plus or minus
        infinity when the two variables are (anti)parallel.

    References
    ----------
    D. B. Owen, Tables for computing bivariate normal probabilities, 1956, eq. (3.1).
    """
    # Owen's condition on h k and h + k, in a form that cannot underflow.
    beta = 0.5 if (h < 0.0) != (k < 0.0) else 0.0
    return _owen_term(h, a) + _owen_term(k, b) + beta


@jit
def quadrant(h: float, k: float, rho: float, r: float, a: float, b: float) -> float:
    """Bivariate normal distribution function P2(h, k; rho) = P(X < h, Y < k).

    ``rho`` and ``r = sqrt(1 - rho^2)`` are both given, so that nearly parallel variables keep
    their digits; ``a`` and ``b`` as in `quadrant_defect`.
    """
    if abs(h) < CENTRAL and abs(k) < CENTRAL:
        return 0.5 - math.atan2(r, rho) / (2.0 * math.pi)
    if r == 0.0:
        if rho > 0.0:
            return normal_cdf(min(h, k))
        return max(normal_cdf(h) - normal_cdf(-k), 0.0)
    return 0.5 * (normal_cdf(h) + normal_cdf(k)) - quadrant_defect(h, k, a, b)
