"""Sine and cosine: characteristic functions of Gaussian laws.

References
----------
A. Rahimi, B. Recht, Random features for large-scale kernel machines, NeurIPS 2007 (the averages
of products of cosines over Gaussian frequencies).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from meanfield.activations import hermite
from meanfield.activations.base import Activation, activations
from meanfield.activations.hermite import Array
from meanfield.kernels import shapes
from meanfield.kernels.compile import jit
from meanfield.kernels.elementary import sine_cosine
from meanfield.kernels.special import complements
from meanfield.kernels.zonal import Zonal, exponential


@jit
def waves(s1, s2, rho, r):
    """``g cosh c`` and ``g sinh c``, with ``g = exp(-(s1^2 + s2^2)/2)`` and c the covariance.

    They are half the sum and half the difference of ``exp(-|a1 -+ a2|^2 / 2)``, a1 and a2 the
    whitened weights. Returned with their radial derivatives; parallel neurons of any size keep
    their digits, and so do small ones.
    """
    c = rho * s1 * s2
    if abs(c) < 1.0:
        g = math.exp(-0.5 * (s1 * s1 + s2 * s2))
        even, odd = g * math.cosh(c), g * math.sinh(c)
        return even, odd, rho * s2 * odd - s1 * even, rho * s2 * even - s1 * odd
    down, up = complements(rho, r)
    near = 0.5 * math.exp(-0.5 * (s1 - s2) * (s1 - s2) - s1 * s2 * down)
    far = 0.5 * math.exp(-0.5 * (s1 - s2) * (s1 - s2) - s1 * s2 * up)
    pull_near = near * ((s2 - s1) - down * s2)
    pull_far = far * ((s1 - s2) + up * s2)
    return near + far, near - far, pull_near - pull_far, pull_near + pull_far


@jit
def sin_evaluate(p, t):
    return sine_cosine(t)


@jit
def sin_pair(p, m1, s1, m2, s2, rho, r):
    even, odd, even_radial, odd_radial = waves(s1, s2, rho, r)
    sin1, cos1, sin2, cos2 = math.sin(m1), math.cos(m1), math.sin(m2), math.cos(m2)
    value = sin1 * sin2 * even + cos1 * cos2 * odd
    d_mean = cos1 * sin2 * even - sin1 * cos2 * odd
    radial = sin1 * sin2 * even_radial + cos1 * cos2 * odd_radial
    slopes = cos1 * cos2 * even + sin1 * sin2 * odd
    return value, d_mean, radial, r * s2 * slopes


@jit
def sin_mean(p, m, s):
    g = math.exp(-0.5 * s * s)
    return g * math.sin(m), g * math.cos(m), -s * g * math.sin(m)


@jit
def cos_evaluate(p, t):
    sine, cosine = sine_cosine(t)
    return cosine, -sine


@jit
def cos_pair(p, m1, s1, m2, s2, rho, r):
    even, odd, even_radial, odd_radial = waves(s1, s2, rho, r)
    sin1, cos1, sin2, cos2 = math.sin(m1), math.cos(m1), math.sin(m2), math.cos(m2)
    value = cos1 * cos2 * even + sin1 * sin2 * odd
    d_mean = cos1 * sin2 * odd - sin1 * cos2 * even
    radial = cos1 * cos2 * even_radial + sin1 * sin2 * odd_radial
    slopes = sin1 * sin2 * even + cos1 * cos2 * odd
    return value, d_mean, radial, r * s2 * slopes


@jit
def cos_mean(p, m, s):
    g = math.exp(-0.5 * s * s)
    return g * math.cos(m), -g * math.sin(m), -s * g * math.cos(m)


def _derivatives(phase: int, mean: Array, std: Array, degree: int) -> Array:
    """Coefficients of ``sin(t + phase pi/2)``: its derivatives go round a cycle of four."""
    sin, cos = np.sin(mean), np.cos(mean)
    cycle = (sin, cos, -sin, -cos)
    columns = np.column_stack([cycle[(k + phase) % 4] for k in range(degree + 1)])
    return np.exp(-0.5 * std * std)[:, None] * hermite.powers(std, degree + 1) * columns


@activations.register("sin")
@dataclass(frozen=True)
class Sin(Activation):
    """sin t."""

    evaluate = staticmethod(sin_evaluate)
    pair = staticmethod(sin_pair)
    mean = staticmethod(sin_mean)

    @property
    def zonal(self) -> Zonal:
        return Zonal(shapes.hyperbolic_sine, exponential(-1))

    def hermite(self, mean: Array, std: Array, degree: int) -> Array:
        return _derivatives(0, mean, std, degree)


@activations.register("cos")
@dataclass(frozen=True)
class Cos(Activation):
    """cos t."""

    evaluate = staticmethod(cos_evaluate)
    pair = staticmethod(cos_pair)
    mean = staticmethod(cos_mean)

    @property
    def zonal(self) -> Zonal:
        return Zonal(shapes.hyperbolic_cosine, exponential(-1))

    def hermite(self, mean: Array, std: Array, degree: int) -> Array:
        return _derivatives(1, mean, std, degree)
