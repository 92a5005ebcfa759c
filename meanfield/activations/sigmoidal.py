"""tanh, sigmoid, softplus and silu: mixtures of erf, probit, a smooth ramp and GELU.

They have no closed forms of their own; see `meanfield.kernels.mixture` for why sums of some
hundred closed forms come within 1e-13.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from meanfield.activations import hermite
from meanfield.activations.base import Activation, activations
from meanfield.activations.hermite import Array
from meanfield.activations.piecewise import relu_hermite, relu_mean, relu_pair
from meanfield.activations.smooth import (
    GELU,
    Erf,
    Probit,
    blur,
    erf_mean,
    erf_pair,
    gelu_mean,
    gelu_pair,
    probit_mean,
    probit_pair,
)
from meanfield.kernels.compile import jit
from meanfield.kernels.elementary import exp, log1p, tanh
from meanfield.kernels.mixture import SIGMOID_SCALE, SPREADS, TANH_SCALE, WEIGHTS, mixture


@jit
def tanh_evaluate(p, t):
    value = tanh(t)
    return value, 1.0 - value * value


@jit
def sigmoid_evaluate(p, t):
    e = exp(-abs(t))
    value = 1.0 / (1.0 + e)
    return (value if t >= 0.0 else e * value), e * value * value


@jit
def softplus_evaluate(p, t):
    e = exp(-abs(t))
    slope = 1.0 / (1.0 + e)
    return max(t, 0.0) + log1p(e), (slope if t >= 0.0 else e * slope)


@jit
def silu_evaluate(p, t):
    value, slope = sigmoid_evaluate(p, t)
    return t * value, value + t * slope


@jit
def blunt_pair(p, m1, s1, m2, s2, rho, r):
    """Pair function of ``E relu(t + Z) = t Phi(t) + phi(t)``: that of the ReLU, blurred."""
    _, _, left, apart, _, _, _, _, first, second, _ = blur(1.0, m1, s1, m2, s2, rho, r)
    value, d_mean, radial, tangential = relu_pair((), m1, first, m2, second, left, apart)
    slopes = tangential / (apart * second)
    # What the blurred radius gains from s1; and what the noise of u takes from the correlation.
    radial = s1 / first * radial + rho * s2 / (first * first) * slopes
    return value, d_mean, radial, r * s2 * slopes


@jit
def blunt_mean(p, m, s):
    scale = math.sqrt(s * s + 1.0)
    value, slope, curve = relu_mean((), m, scale)
    return value, slope, curve * s / scale


def _blunt_hermite(mean: Array, std: Array, degree: int) -> Array:
    scale = np.hypot(std, 1.0)
    return hermite.powers(std / scale, degree + 1) * relu_hermite(mean, scale, degree)


def _mixed(
    base: Callable[[Array, Array, int], Array],
    scale: float,
    linear: bool,
    mean: Array,
    std: Array,
    degree: int,
) -> Array:
    """Hermite coefficients of a mixture."""
    total = np.zeros((np.size(mean), degree + 1))
    for spread, weight in zip(SPREADS, WEIGHTS, strict=True):
        c = scale * spread
        total += (weight * c if linear else weight) * base(mean / c, std / c, degree)
    return total


tanh_pair, tanh_mean = mixture(tanh_evaluate, erf_pair, erf_mean, TANH_SCALE, False)
sigmoid_pair, sigmoid_mean = mixture(
    sigmoid_evaluate, probit_pair, probit_mean, SIGMOID_SCALE, False
)
softplus_pair, softplus_mean = mixture(
    softplus_evaluate, blunt_pair, blunt_mean, SIGMOID_SCALE, True
)
silu_pair, silu_mean = mixture(silu_evaluate, gelu_pair, gelu_mean, SIGMOID_SCALE, True)


@activations.register("tanh")
@dataclass(frozen=True)
class Tanh(Activation):
    """tanh t."""

    quadrature: ClassVar[bool] = True
    evaluate = staticmethod(tanh_evaluate)
    pair = staticmethod(tanh_pair)
    mean = staticmethod(tanh_mean)

    def hermite(self, mean: Array, std: Array, degree: int) -> Array:
        return _mixed(Erf().hermite, TANH_SCALE, False, mean, std, degree)


@activations.register("sigmoid")
@dataclass(frozen=True)
class Sigmoid(Activation):
    """1 / (1 + exp(-t))."""

    quadrature: ClassVar[bool] = True
    evaluate = staticmethod(sigmoid_evaluate)
    pair = staticmethod(sigmoid_pair)
    mean = staticmethod(sigmoid_mean)

    def hermite(self, mean: Array, std: Array, degree: int) -> Array:
        return _mixed(Probit().hermite, SIGMOID_SCALE, False, mean, std, degree)


@activations.register("softplus")
@dataclass(frozen=True)
class Softplus(Activation):
    """log(1 + exp t)."""

    quadrature: ClassVar[bool] = True
    evaluate = staticmethod(softplus_evaluate)
    pair = staticmethod(softplus_pair)
    mean = staticmethod(softplus_mean)

    def hermite(self, mean: Array, std: Array, degree: int) -> Array:
        return _mixed(_blunt_hermite, SIGMOID_SCALE, True, mean, std, degree)


@activations.register("silu")
@dataclass(frozen=True)
class SiLU(Activation):
    """t / (1 + exp(-t)), also called swish."""

    quadrature: ClassVar[bool] = True
    evaluate = staticmethod(silu_evaluate)
    pair = staticmethod(silu_pair)
    mean = staticmethod(silu_mean)

    def hermite(self, mean: Array, std: Array, degree: int) -> Array:
        return _mixed(GELU().hermite, SIGMOID_SCALE, True, mean, std, degree)
