"""Shapes of zonal kernels: φ(u) and φ'(u), as straight-line code that the compiler vectorises.

``math.acos`` and its kin are library calls, one number at a time. Here an arc cosine is one square
root and one polynomial: acos x = √(1-x²) R(x) with R smooth on [0, 1]. φ and φ' come from the
same clamped x, so that errors of u near ±1, where φ' has a root singularity, cancel in forces.

Every shape is a factory: given a number type it returns a kernel ``shape(p, u) -> (φ, φ')``, with
``p`` the parameters of the activation. Constant factors stay outside (`Zonal.factor`).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from meanfield.kernels.compile import jit
from meanfield.kernels.elementary import exp

# R interpolated in Chebyshev points of [0, 1], in 60-digit arithmetic; the largest errors are
# 4e-16 and 1.2e-7. Lower degrees lose digits, higher ones gain none.
ARC: dict[Any, tuple[float, ...]] = {
    np.float64: (
        1.5707963267948966,
        -0.9999999999999529,
        0.7853981633905049,
        -0.6666666662580302,
        0.5890486097502492,
        -0.5333330866712398,
        0.4908706599358994,
        -0.45711347661332785,
        0.42931439926027737,
        -0.40530872335107504,
        0.38234691783455743,
        -0.3558499403714,
        0.3192390557082715,
        -0.26679126490806065,
        0.19925906312148273,
        -0.12717668042394004,
        0.06615518234572865,
        -0.026562559138252253,
        0.007650668040509224,
        -0.0013978215054094784,
        0.00012117305831116537,
    ),
    np.float32: (
        1.5707962050889668,
        -0.9999801696093469,
        0.784853813295819,
        -0.660758618865586,
        0.5557489579296178,
        -0.4218957182925301,
        0.25012652889679055,
        -0.09607630466989985,
        0.01718536917939947,
    ),
}

# (π/2 - R)/x, of which asin is made: near 0 it decides the relative error.
CHORD: dict[Any, tuple[float, ...]] = {
    np.float64: (
        0.9999999999999997,
        -0.7853981633972016,
        0.6666666666336561,
        -0.5890486207857435,
        0.5333332832983098,
        -0.49087297882964764,
        0.4571326377007376,
        -0.4294297278754544,
        0.4058282168484473,
        -0.3841311202561892,
        0.3605791882285125,
        -0.328977330107005,
        0.28239062561114736,
        -0.2186172554707375,
        0.14558834130162562,
        -0.07931508821897222,
        0.03339897277412151,
        -0.010086273633123422,
        0.001929834936818963,
        -0.00017488196440541628,
    ),
    np.float32: (
        0.9999998859699724,
        -0.7853795829124972,
        0.6661565202634817,
        -0.5835095936902246,
        0.5020931104898385,
        -0.3862190732316171,
        0.2306733265395085,
        -0.08897044750985743,
        0.015952239628990655,
    ),
}


def polynomial(coefficients: tuple[Any, ...]) -> Any:
    """Σ_k c_k x^k, halved again and again: short chains keep all arithmetic units busy.

    References
    ----------
    G. Estrin, Organization of computer systems: the fixed plus variable structure computer, 1960.
    """
    if len(coefficients) == 1:
        constant = coefficients[0]

        @jit(inline=True, reorder=True)
        def evaluate(x):
            return constant

    elif len(coefficients) == 2:
        low, high = coefficients

        @jit(inline=True, reorder=True)
        def evaluate(x):
            return high * x + low

    else:
        doublings = (len(coefficients) - 1).bit_length() - 1
        lower = polynomial(coefficients[: 2**doublings])
        upper = polynomial(coefficients[2**doublings :])

        @jit(inline=True, reorder=True)
        def evaluate(x):
            power = x
            for _ in range(doublings):
                power = power * power
            return upper(x) * power + lower(x)

    return evaluate


@functools.cache
def arc_cosine(dtype: Any) -> Any:
    """φ = √(1-u²) + u (π - acos u), φ' = π - acos u: ReLU (Cho & Saul 2009)."""
    ratio = polynomial(tuple(dtype(c) for c in ARC[dtype]))
    zero, one, pi = dtype(0), dtype(1), dtype(math.pi)

    @jit(inline=True, reorder=True)
    def shape(p, u):
        x = min(abs(u), one)
        sine = math.sqrt((one - x) * (one + x))
        angle = sine * ratio(x)
        gap = angle if u < zero else pi - angle
        return sine + u * gap, gap

    return shape


@functools.cache
def leaky_arc_cosine(dtype: Any) -> Any:
    """The same for t₊ - α(-t)₊: φ' = (1+α²)(π - θ) + 2αθ, φ = (1-α)² sin θ + u φ'."""
    ratio = polynomial(tuple(dtype(c) for c in ARC[dtype]))
    zero, one, pi = dtype(0), dtype(1), dtype(math.pi)

    @jit(inline=True, reorder=True)
    def shape(p, u):
        alpha = p[0]
        x = min(abs(u), one)
        sine = math.sqrt((one - x) * (one + x))
        angle = sine * ratio(x)
        gap = angle if u < zero else pi - angle
        slope = (one + alpha * alpha) * gap + (alpha + alpha) * (pi - gap)
        return (one - alpha) * (one - alpha) * sine + u * slope, slope

    return shape


@functools.cache
def absolute_arc_cosine(dtype: Any) -> Any:
    """φ = √(1-u²) + u asin u, φ' = asin u: |t|."""
    ratio = polynomial(tuple(dtype(c) for c in ARC[dtype]))
    one, half_pi = dtype(1), dtype(math.pi / 2)

    @jit(inline=True, reorder=True)
    def shape(p, u):
        x = min(abs(u), one)
        sine = math.sqrt((one - x) * (one + x))
        complement = math.copysign(half_pi - sine * ratio(x), u)
        return sine + u * complement, complement

    return shape


@functools.cache
def step(dtype: Any) -> Any:
    """φ = π - acos u, φ' = 1/√(1-u²), and 0 where u = ±1: the centre of the subgradients.

    Within the rounding of u, ±1 is taken for exact: a neuron is parallel to itself.
    """
    ratio = polynomial(tuple(dtype(c) for c in ARC[dtype]))
    zero, one, pi = dtype(0), dtype(1), dtype(math.pi)
    parallel = dtype(1 - 8 * np.finfo(dtype).eps)

    @jit(inline=True, reorder=True)
    def shape(p, u):
        x = one if abs(u) > parallel else abs(u)
        sine = math.sqrt((one - x) * (one + x))
        angle = sine * ratio(x)
        gap = angle if u < zero else pi - angle
        return gap, (zero if sine == zero else one / sine)

    return shape


@functools.cache
def _arc_sine(dtype: Any, offset: float) -> Any:
    # asin x = (π/2)(1 - s) + s (π/2 - R(x)): both terms are positive, and small with x.
    ratio = polynomial(tuple(dtype(c) for c in CHORD[dtype]))
    one, half_pi, start = dtype(1), dtype(math.pi / 2), dtype(offset)

    @jit(inline=True, reorder=True)
    def shape(p, u):
        x = min(abs(u), one)
        square = (one - x) * (one + x)
        sine = math.sqrt(square)
        inverse = one / (square + sine)
        angle = half_pi * x * x * inverse * sine + sine * x * ratio(x)
        return start + math.copysign(angle, u), inverse * (one + sine)

    return shape


def arc_sine(dtype: Any) -> Any:
    """φ = asin u, relatively accurate at 0, φ' = 1/√(1-u²): erf (Williams 1997)."""
    return _arc_sine(dtype, 0.0)


def shifted_arc_sine(dtype: Any) -> Any:
    """φ = π/2 + asin u: a normal distribution function (probit)."""
    return _arc_sine(dtype, math.pi / 2)


@functools.cache
def inverse_root(dtype: Any) -> Any:
    """φ = (1-u²)^(-1/2), φ' = u (1-u²)^(-3/2): a Gaussian bump."""
    one = dtype(1)

    @jit(inline=True, reorder=True)
    def shape(p, u):
        inverse = one / ((one - u) * (one + u))
        root = math.sqrt(inverse)
        return root, u * root * inverse

    return shape


@functools.cache
def exponential(dtype: Any) -> Any:
    """φ = φ' = e^u."""

    @jit(inline=True, reorder=True)
    def shape(p, u):
        value = exp(u)
        return value, value

    return shape


@functools.cache
def _hyperbolic(dtype: Any) -> Any:
    """sinh u, relatively accurate at 0, and cosh u."""
    taylor = tuple(dtype(1 / math.factorial(2 * k + 1)) for k in range(9))
    series = polynomial(taylor)
    one, half = dtype(1), dtype(0.5)

    @jit(inline=True, reorder=True)
    def both(u):
        grown = exp(abs(u))
        shrunk = one / grown
        near = u * series(min(u * u, one))
        far = math.copysign(half * (grown - shrunk), u)
        return (near if abs(u) < one else far), half * (grown + shrunk)

    return both


@functools.cache
def hyperbolic_sine(dtype: Any) -> Any:
    """φ = sinh u, φ' = cosh u: sin."""
    both = _hyperbolic(dtype)

    @jit(inline=True, reorder=True)
    def shape(p, u):
        sine, cosine = both(u)
        return sine, cosine

    return shape


@functools.cache
def hyperbolic_cosine(dtype: Any) -> Any:
    """φ = cosh u, φ' = sinh u: cos."""
    both = _hyperbolic(dtype)

    @jit(inline=True, reorder=True)
    def shape(p, u):
        sine, cosine = both(u)
        return cosine, sine

    return shape


@functools.cache
def monomial(degree: int) -> Callable[[Any], Any]:
    """φ(u) = E[x^n y^n] for standard normal x, y of correlation u: t^n.

    Price's theorem: Σ_j (n!/(n-j)!)² ((n-j-1)!!)² u^j / j! over j of the parity of n.
    """

    def factor(j: int) -> int:
        pairings = math.prod(range(degree - j - 1, 0, -2))
        return (math.perm(degree, j) * pairings) ** 2 // math.factorial(j)

    parity = degree % 2
    terms = [factor(j) for j in range(parity, degree + 1, 2)]
    # In u², with the odd factor u outside.
    slopes = [(parity + 2 * k) * c for k, c in enumerate(terms)]

    @functools.cache
    def make(dtype: Any) -> Any:
        value = polynomial(tuple(dtype(c) for c in terms))
        if parity:
            slope = polynomial(tuple(dtype(c) for c in slopes))

            @jit(inline=True, reorder=True)
            def shape(p, u):
                square = u * u
                return u * value(square), slope(square)

        else:
            slope = polynomial(tuple(dtype(c) for c in slopes[1:]) or (dtype(0),))

            @jit(inline=True, reorder=True)
            def shape(p, u):
                square = u * u
                return value(square), u * slope(square)

        return shape

    return make
