"""Exponential and Gaussian bump.

References
----------
C. K. I. Williams, Computing with infinite networks, NeurIPS 1996 (Gaussian units).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from meanfield.activations import hermite
from meanfield.activations.base import Activation, activations
from meanfield.activations.hermite import Array
from meanfield.activations.smooth import blur
from meanfield.errors import require_positive
from meanfield.kernels import elementary, shapes
from meanfield.kernels.compile import jit
from meanfield.kernels.special import complements
from meanfield.kernels.zonal import Zonal, exponential, squashed


@jit
def exp_evaluate(p, t):
    value = elementary.exp(t)
    return value, value


@jit
def exp_pair(p, m1, s1, m2, s2, rho, r):
    _, up = complements(rho, r)
    # Not math.exp: without compilation it raises where the kernels give inf.
    value = np.exp(m1 + m2 + 0.5 * (s1 - s2) * (s1 - s2) + s1 * s2 * up)
    return value, value, ((s1 - s2) + up * s2) * value, r * s2 * value


@jit
def exp_mean(p, m, s):
    value = np.exp(m + 0.5 * s * s)
    return value, value, s * value


@jit
def bump_evaluate(p, t):
    value = elementary.exp(-p[0] * t * t)
    return value, -2.0 * p[0] * t * value


@jit
def bump_pair(p, m1, s1, m2, s2, rho, r):
    variance = 0.5 / p[0]
    h, _, _, apart, _, _, a, b, first, second, root = blur(variance, m1, s1, m2, s2, rho, r)
    value = variance / root * math.exp(-0.5 * (h * h + a * a))
    # (x1, x2): the blurred covariance matrix, inverted, times the means.
    x1, x2 = b / (apart * first), a / (apart * second)
    # s1 x1 + rho s2 x2, without the difference of large numbers that it is for s1 large.
    lift = (m1 - variance * x1) / s1 if s1 * s1 > variance else s1 * x1 + rho * s2 * x2
    flat = s1 * ((s2 * r) * (s2 * r) + variance) / (root * root)
    bend = x1 * x2 + rho * s1 * s2 / (root * root)
    return value, -x1 * value, (x1 * lift - flat) * value, r * s2 * bend * value


@jit
def bump_mean(p, m, s):
    variance = 0.5 / p[0]
    square = s * s + variance
    value = math.sqrt(variance / square) * math.exp(-0.5 * m * m / square)
    x = m / square
    return value, -x * value, s * (x * x - 1.0 / square) * value


@activations.register("exp")
@dataclass(frozen=True)
class Exp(Activation):
    """exp t. Its averages overflow for weights beyond about 18."""

    evaluate = staticmethod(exp_evaluate)
    pair = staticmethod(exp_pair)
    mean = staticmethod(exp_mean)

    @property
    def zonal(self) -> Zonal:
        return Zonal(shapes.exponential, exponential(1))

    def hermite(self, mean: Array, std: Array, degree: int) -> Array:
        return np.exp(mean + 0.5 * std * std)[:, None] * hermite.powers(std, degree + 1)


@activations.register("bump")
@dataclass(frozen=True)
class Bump(Activation):
    """exp(-rate t^2)."""

    rate: float = 1.0
    evaluate = staticmethod(bump_evaluate)
    pair = staticmethod(bump_pair)
    mean = staticmethod(bump_mean)

    def __post_init__(self) -> None:
        require_positive("rate", self.rate)

    @property
    def zonal(self) -> Zonal:
        variance = 0.5 / self.rate
        return Zonal(shapes.inverse_root, squashed(variance, power=1), variance)

    def hermite(self, mean: Array, std: Array, degree: int) -> Array:
        # The bump is the density of N(0, variance), up to a factor.
        root = np.sqrt(0.5 / self.rate)
        scale = np.hypot(std, root)
        series = hermite.densities(mean / scale, degree + 1)
        factor = np.sqrt(2.0 * np.pi) * root / scale
        return factor[:, None] * hermite.powers(std / scale, degree + 1) * series
