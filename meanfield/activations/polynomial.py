"""Polynomials: identity, square, monomials and Hermite polynomials.

For a polynomial s, Price's theorem ends as a finite sum over its derivatives,
``K = sum_j c^j/j! E[s^(j)(u)] E[s^(j)(v)]`` with c the covariance.

References
----------
R. Price, A useful theorem for nonlinear devices having Gaussian inputs, 1958.
F. G. Mehler, J. reine angew. Math. 66, 1866 (Hermite polynomials).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from meanfield.activations import hermite
from meanfield.activations.base import Activation, activations
from meanfield.activations.hermite import Array
from meanfield.errors import require, require_count
from meanfield.kernels import shapes
from meanfield.kernels.compile import jit
from meanfield.kernels.zonal import Zonal, homogeneous

HIGHEST = 20


@jit
def linear_evaluate(p, t):
    return t, 1.0


@jit
def linear_pair(p, m1, s1, m2, s2, rho, r):
    return m1 * m2 + rho * s1 * s2, m2, rho * s2, r * s2


@jit
def linear_mean(p, m, s):
    return m, 1.0, 0.0


@jit
def quadratic_evaluate(p, t):
    return t * t, 2.0 * t


@jit
def quadratic_pair(p, m1, s1, m2, s2, rho, r):
    c = rho * s1 * s2
    square1, square2 = m1 * m1 + s1 * s1, m2 * m2 + s2 * s2
    cross = 4.0 * (m1 * m2 + c)
    value = square1 * square2 + 4.0 * m1 * m2 * c + 2.0 * c * c
    d_mean = 2.0 * m1 * square2 + 4.0 * m2 * c
    return value, d_mean, 2.0 * s1 * square2 + rho * s2 * cross, r * s2 * cross


@jit
def quadratic_mean(p, m, s):
    return m * m + s * s, 2.0 * m, 2.0 * s


@jit
def monomial_evaluate(p, t):
    power = 1.0
    for _ in range(int(p[0]) - 1):
        power *= t
    return power * t, p[0] * power


@jit
def hermite_evaluate(p, t):
    value, before = t, 1.0
    for k in range(1, int(p[0])):
        value, before = t * value - k * before, value
    return value, p[0] * before


@jit
def _series(degree, drop, m1, s1, m2, s2, rho, r):
    """Price's sum by Horner's rule in c, with its derivatives in m1, c and s1.

    The averages of the derivatives are moments of normal laws of the same means, and variances
    less by ``drop``: 0 for monomials, 1 for Hermite polynomials.
    """
    n, c = int(degree), rho * s1 * s2
    q1, q2 = s1 * s1 - drop, s2 * s2 - drop
    factor = math.gamma(degree + 1.0)
    before2, before1, moment_u = 0.0, 0.0, 1.0
    before_v, moment_v = 0.0, 1.0
    value, d_mean, d_covariance, d_variance = factor, 0.0, 0.0, 0.0
    for k in range(n):
        factor *= (n - k) / ((k + 1.0) * (k + 1.0))
        before2, before1, moment_u = before1, moment_u, m1 * moment_u + k * q1 * before1
        before_v, moment_v = moment_v, m2 * moment_v + k * q2 * before_v
        weight = factor * moment_v
        d_covariance = d_covariance * c + value
        value = value * c + weight * moment_u
        d_mean = d_mean * c + weight * (k + 1) * before1
        d_variance = d_variance * c + weight * (k + 1) * k * before2
    return value, d_mean, s1 * d_variance + rho * s2 * d_covariance, r * s2 * d_covariance


@jit
def _moment(degree, drop, m, s):
    """The average with its first derivative in m, and s times the second."""
    q = s * s - drop
    before2, before1, moment = 0.0, 0.0, 1.0
    for k in range(int(degree)):
        before2, before1, moment = before1, moment, m * moment + k * q * before1
    return moment, degree * before1, s * degree * (degree - 1.0) * before2


@jit
def monomial_pair(p, m1, s1, m2, s2, rho, r):
    return _series(p[0], 0.0, m1, s1, m2, s2, rho, r)


@jit
def monomial_mean(p, m, s):
    return _moment(p[0], 0.0, m, s)


@jit
def hermite_pair(p, m1, s1, m2, s2, rho, r):
    return _series(p[0], 1.0, m1, s1, m2, s2, rho, r)


@jit
def hermite_mean(p, m, s):
    return _moment(p[0], 1.0, m, s)


def _coefficients(n: int, drop: float, mean: Array, std: Array, degree: int) -> Array:
    """``s^k E s^(k)``: zero beyond the degree n of the polynomial."""
    moments = hermite.polynomials(1.0, mean, n + 1, variance=drop - std * std)
    columns = np.zeros((mean.size, degree + 1))
    for k in range(min(n, degree) + 1):
        columns[:, k] = math.perm(n, k) * std**k * moments[:, n - k]
    return columns


def _require_degree(degree: object) -> None:
    require_count("degree", degree)
    require(degree <= HIGHEST, "degree", degree, f"a whole number ≤ {HIGHEST}")  # type: ignore[operator]


@activations.register("linear")
@dataclass(frozen=True)
class Linear(Activation):
    """t."""

    moments: ClassVar[bool] = True
    homogeneity: ClassVar[float | None] = 1.0
    evaluate = staticmethod(linear_evaluate)
    pair = staticmethod(linear_pair)
    mean = staticmethod(linear_mean)

    def hermite(self, mean: Array, std: Array, degree: int) -> Array:
        return _coefficients(1, 0.0, mean, std, degree)


@activations.register("quadratic")
@dataclass(frozen=True)
class Quadratic(Activation):
    """t^2."""

    moments: ClassVar[bool] = True
    homogeneity: ClassVar[float | None] = 2.0
    evaluate = staticmethod(quadratic_evaluate)
    pair = staticmethod(quadratic_pair)
    mean = staticmethod(quadratic_mean)

    def hermite(self, mean: Array, std: Array, degree: int) -> Array:
        return _coefficients(2, 0.0, mean, std, degree)


@activations.register("monomial")
@dataclass(frozen=True)
class Monomial(Activation):
    """t^degree."""

    degree: int = 3
    evaluate = staticmethod(monomial_evaluate)
    pair = staticmethod(monomial_pair)
    mean = staticmethod(monomial_mean)

    def __post_init__(self) -> None:
        _require_degree(self.degree)

    @property
    def homogeneity(self) -> float:  # type: ignore[override]
        return float(self.degree)

    @property
    def zonal(self) -> Zonal:
        return Zonal(shapes.monomial(self.degree), homogeneous(self.degree))

    def hermite(self, mean: Array, std: Array, degree: int) -> Array:
        return _coefficients(self.degree, 0.0, mean, std, degree)


@activations.register("hermite")
@dataclass(frozen=True)
class Hermite(Activation):
    """He_degree(t), the probabilists' Hermite polynomial (leading coefficient 1)."""

    degree: int = 3
    evaluate = staticmethod(hermite_evaluate)
    pair = staticmethod(hermite_pair)
    mean = staticmethod(hermite_mean)

    def __post_init__(self) -> None:
        _require_degree(self.degree)

    def hermite(self, mean: Array, std: Array, degree: int) -> Array:
        return _coefficients(self.degree, 1.0, mean, std, degree)
