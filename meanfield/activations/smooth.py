"""Error function, probit and GELU: what is built from the normal distribution function.

``Phi(t / sqrt(v))`` is a step at a Gaussian threshold of variance v, so its averages are those of
the step with v added to the variances of u and v; covariances stay. All others follow.

References
----------
C. K. I. Williams, Computing with infinite networks, NeurIPS 1996 (erf, no bias).
Z. Drezner, G. O. Wesolowsky, On the computation of the bivariate normal integral, 1990.
D. Hendrycks, K. Gimpel, Gaussian error linear units, arXiv:1606.08415, 2016.
R. Tsuchida, T. Pearce, C. van der Heide, F. Roosta, M. Gallagher, Avoiding kernel fixed points:
computing with ELU and GELU infinite networks, AAAI 2021 (GELU, no bias; here with bias).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import erf

from meanfield.activations import hermite
from meanfield.activations.base import Activation, activations
from meanfield.activations.hermite import Array
from meanfield.activations.piecewise import offsets
from meanfield.errors import require_positive
from meanfield.kernels import elementary, shapes
from meanfield.kernels.compile import jit
from meanfield.kernels.special import (
    CENTRAL,
    SQRT_HALF,
    normal_cdf,
    normal_pdf,
    quadrant,
    quadrant_defect,
)
from meanfield.kernels.zonal import Zonal, squashed

TWO_OVER_PI = 2.0 / math.pi
ROOT_TWO = math.sqrt(2.0)

# Below this correlation, six nodes integrate the bivariate density to machine precision.
SMALL = 0.1
_NODES, _WEIGHTS = (tuple(map(float, x)) for x in np.polynomial.legendre.leggauss(6))
_COUNT = len(_NODES)


@jit
def blur(variance, m1, s1, m2, s2, rho, r):
    """The pair as the step at a random threshold sees it.

    Returns the ratios h, k of means to blurred standard deviations, the correlation left, its
    complement, `offsets`, both standard deviations, and the root of the determinant. Written in
    r, so that the determinant of parallel neurons of any size keeps its digits.
    """
    first, second = math.sqrt(s1 * s1 + variance), math.sqrt(s2 * s2 + variance)
    parallel = s1 * s2 * r
    root = math.sqrt(parallel * parallel + variance * (s1 * s1 + s2 * s2 + variance))
    h, k = m1 / first, m2 / second
    left = rho * (s1 / first) * (s2 / second)
    apart = root / (first * second)
    u, v, a, b = offsets(h, k, left, apart)
    return h, k, left, apart, u, v, a, b, first, second, root


@jit
def _gradient(variance, s1, s2, rho, r, h, first, root, side, corner):
    """Derivatives of ``scale · P2 + …``, from its conditional means.

    ``side`` is E[s(v)] given that u meets its threshold; ``corner`` the density of v there. In
    the radial derivative, the two terms that grow with s1 are subtracted on paper.
    """
    density = normal_pdf(h) / first
    push = corner * s2 / root
    radial = (variance * rho * push - s1 * h * side) / first
    return density * side, density * radial, density * first * r * push


@jit
def erf_evaluate(p, t):
    density, _ = elementary.normal(ROOT_TWO * t)
    return elementary.erf(t), 2.0 * ROOT_TWO * density


@jit
def _sign_covariance(h, k, left):
    """4 times the integral of the bivariate density over correlations from 0 to ``left``."""
    total = 0.0
    for i in range(_COUNT):
        t = 0.5 * left * (1.0 + _NODES[i])
        free = 1.0 - t * t
        exponent = (h * h + k * k - 2.0 * h * k * t) / free
        total += _WEIGHTS[i] * math.exp(-0.5 * exponent) / math.sqrt(free)
    return left * total / math.pi


@jit
def erf_pair(p, m1, s1, m2, s2, rho, r):
    h, k, left, _, _, _, a, b, first, _, root = blur(0.5, m1, s1, m2, s2, rho, r)
    if abs(h) < CENTRAL and abs(k) < CENTRAL:
        value = TWO_OVER_PI * math.atan2(rho * s1 * s2, root)
    elif abs(left) <= SMALL:
        # A product of small numbers stays accurate here; the difference below would not.
        value = math.erf(h * SQRT_HALF) * math.erf(k * SQRT_HALF) + _sign_covariance(h, k, left)
    else:
        value = 1.0 - 4.0 * quadrant_defect(h, k, a, b)
    side, corner = 2.0 * math.erf(a * SQRT_HALF), 4.0 * normal_pdf(a)
    d_mean, radial, tangential = _gradient(0.5, s1, s2, rho, r, h, first, root, side, corner)
    return value, d_mean, radial, tangential


@jit
def erf_mean(p, m, s):
    scale = math.sqrt(s * s + 0.5)
    h = m / scale
    slope = 2.0 * normal_pdf(h) / scale
    return math.erf(h * SQRT_HALF), slope, -slope * h * s / scale


@jit
def probit_evaluate(p, t):
    scale = math.sqrt(p[0])
    density, value = elementary.normal(t / scale)
    return value, density / scale


@jit
def probit_pair(p, m1, s1, m2, s2, rho, r):
    h, k, left, apart, _, _, a, b, first, _, root = blur(p[0], m1, s1, m2, s2, rho, r)
    d_mean, radial, tangential = _gradient(
        p[0], s1, s2, rho, r, h, first, root, normal_cdf(a), normal_pdf(a)
    )
    return quadrant(h, k, left, apart, a, b), d_mean, radial, tangential


@jit
def probit_mean(p, m, s):
    scale = math.sqrt(s * s + p[0])
    h = m / scale
    slope = normal_pdf(h) / scale
    return normal_cdf(h), slope, -slope * h * s / scale


@jit
def gelu_evaluate(p, t):
    density, cdf = elementary.normal(t)
    return t * cdf, cdf + t * density


@jit
def _gelu_moments(m, q):
    """E s, E s' and E s'' for a pre-activation of mean m and variance q."""
    square = 1.0 + q
    scale = math.sqrt(square)
    h = m / scale
    cdf, density = normal_cdf(h), normal_pdf(h) / scale
    tilted = m / square
    curve = density * (1.0 + 1.0 / square - tilted * tilted)
    return m * cdf + q * density, cdf + tilted * density, curve


@jit
def gelu_pair(p, m1, s1, m2, s2, rho, r):
    """Stein's identity, applied until only E[Phi Phi], E[phi Phi] and E[phi phi] are left."""
    h, k, left, apart, u, v, a, b, first, second, root = blur(1.0, m1, s1, m2, s2, rho, r)
    both = quadrant(h, k, left, apart, a, b)
    edge_u = normal_pdf(h) / first * normal_cdf(a)
    edge_v = normal_pdf(k) / second * normal_cdf(b)
    corner = normal_pdf(h) * normal_pdf(a) / root
    q1, q2, c = s1 * s1, s2 * s2, rho * s1 * s2
    free1, free2 = q1 * (q2 * r * r + 1.0), q2 * (q1 * r * r + 1.0)
    square1, square2 = 1.0 + q1, 1.0 + q2

    # E[u phi(u) Phi(v)], E[v Phi(u) phi(v)], E[u Phi(u) Phi(v)], E[u Phi(u) phi(v)], E[v Phi Phi]
    tilt_u = (m1 * edge_u + c * corner) / square1
    tilt_v = (m2 * edge_v + c * corner) / square2
    linear_u = m1 * both + q1 * edge_u + c * edge_v
    linear_v = m2 * both + q2 * edge_v + c * edge_u
    mixed = first * v * edge_v + corner * free1 / square2
    value = m2 * linear_u + c * (both + tilt_u) + q2 * mixed

    bend = corner * (first * second * a * b + c) / (root * root)
    slopes = both + tilt_u + tilt_v + bend
    # The law tilted by phi(u): u has mean `centre` and variance q1 / square1; v is Gaussian too.
    density, centre, pull = normal_pdf(h) / first, m1 / square1, c / square1
    g0, g1, g2 = _gelu_moments(second * u, free2 / square1)
    d_mean = linear_v + density * (centre * g0 + pull * g1)
    spread = 1.0 + 1.0 / square1 - centre * centre
    curve = density * (spread * g0 - pull * (2.0 * centre * g1 + pull * g2))
    return value, d_mean, s1 * curve + rho * s2 * slopes, r * s2 * slopes


@jit
def gelu_mean(p, m, s):
    value, slope, curve = _gelu_moments(m, s * s)
    return value, slope, s * curve


@activations.register("erf")
@dataclass(frozen=True)
class Erf(Activation):
    """The error function, 2 Phi(sqrt(2) t) - 1."""

    evaluate = staticmethod(erf_evaluate)
    pair = staticmethod(erf_pair)
    mean = staticmethod(erf_mean)

    @property
    def zonal(self) -> Zonal:
        return Zonal(shapes.arc_sine, squashed(0.5), TWO_OVER_PI)

    def hermite(self, mean: Array, std: Array, degree: int) -> Array:
        scale = np.hypot(std, SQRT_HALF)
        coefficients = 2.0 * _probit_hermite(mean, std, scale, degree)
        coefficients[:, 0] = erf(mean / scale * SQRT_HALF)
        return coefficients


@activations.register("probit")
@dataclass(frozen=True)
class Probit(Activation):
    """Phi(t / sqrt(variance)), the distribution function of N(0, variance)."""

    variance: float = 1.0
    evaluate = staticmethod(probit_evaluate)
    pair = staticmethod(probit_pair)
    mean = staticmethod(probit_mean)

    def __post_init__(self) -> None:
        require_positive("variance", self.variance)

    @property
    def zonal(self) -> Zonal:
        return Zonal(shapes.shifted_arc_sine, squashed(self.variance), 0.5 / math.pi)

    def hermite(self, mean: Array, std: Array, degree: int) -> Array:
        return _probit_hermite(mean, std, np.hypot(std, math.sqrt(self.variance)), degree)


@activations.register("gelu")
@dataclass(frozen=True)
class GELU(Activation):
    """t Phi(t), exact (not the tanh approximation)."""

    evaluate = staticmethod(gelu_evaluate)
    pair = staticmethod(gelu_pair)
    mean = staticmethod(gelu_mean)

    def hermite(self, mean: Array, std: Array, degree: int) -> Array:
        # From E[t Phi(t) He_k] = m p_k + s (p_{k+1} + k p_{k-1}), p_k those of Phi; the terms
        # that cancel for large s are taken out on paper.
        scale = np.hypot(std, 1.0)
        h, shrink = mean / scale, std / scale
        step = hermite.step(h, max(degree, 1))
        cdf, density = step[:, 0], step[:, 1:]
        zero = mean * cdf + std * shrink * density[:, 0]
        one = std * (cdf + h * density[:, 0] / scale**2)
        factor = hermite.powers(shrink, degree + 1)
        order, square = np.arange(2, degree + 1), scale[:, None] ** 2
        rest = std[:, None] * factor[:, 1:-1] * (1.0 + (order - 1) / square) * density[:, :-1]
        rest += (h / scale)[:, None] * factor[:, 2:] * density[:, 1:]
        return np.column_stack([zero, one, rest])[:, : degree + 1]


def _probit_hermite(mean: Array, std: Array, scale: Array, degree: int) -> Array:
    return hermite.powers(std / scale, degree + 1) * hermite.step(mean / scale, degree)
