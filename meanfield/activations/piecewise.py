"""Step, ReLU and their relatives: everything that is linear between kinks.

All Gaussian averages reduce to those of the step and of the ReLU at shifted means.

References
----------
Y. Cho, L. Saul, Kernel methods for deep learning, NeurIPS 2009 (arc-cosine kernels, no bias).
D. B. Owen, Tables for computing bivariate normal probabilities, 1956 (with bias).
S. Mei, A. Montanari, P.-M. Nguyen, PNAS 2018 (the three-piece function).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy.special import ndtr

from meanfield.activations import hermite
from meanfield.activations.base import Activation, activations
from meanfield.activations.hermite import Array
from meanfield.errors import require
from meanfield.kernels import shapes
from meanfield.kernels.compile import jit
from meanfield.kernels.special import INV_SQRT_2PI, normal_cdf, normal_pdf, quadrant
from meanfield.kernels.zonal import Zonal, homogeneous

INV_2PI = 1.0 / (2.0 * math.pi)


@jit
def offsets(h, k, rho, r):
    """``k - rho h`` and ``h - rho k``, and both over r, without cancellation near |rho| = 1."""
    if rho > 0.0:
        defect = r * r / (1.0 + rho)
        u, v = (k - h) + defect * h, (h - k) + defect * k
    else:
        defect = r * r / (1.0 - rho)
        u, v = (k + h) - defect * h, (h + k) - defect * k
    a = u / r if u != 0.0 else 0.0
    b = v / r if v != 0.0 else 0.0
    return u, v, a, b


@jit
def step_evaluate(p, t):
    return (1.0 if t > 0.0 else (0.0 if t <= 0.0 else t)), 0.0


@jit
def step_pair(p, m1, s1, m2, s2, rho, r):
    h, k = m1 / s1, m2 / s2
    _, _, a, b = offsets(h, k, rho, r)
    density = normal_pdf(h) / s1
    slope = density * normal_cdf(a)
    # At r = 0 the kernel has a cone kink; 0 is the centre of its subgradients.
    tangential = density * normal_pdf(a) if r > 0.0 else 0.0
    return quadrant(h, k, rho, r, a, b), slope, -h * slope, tangential


@jit
def step_mean(p, m, s):
    if s == 0.0:
        return step_evaluate(p, m)[0], 0.0, 0.0
    h = m / s
    density = normal_pdf(h) / s
    return normal_cdf(h), density, -h * density


@jit
def relu_evaluate(p, t):
    return (t, 1.0) if t > 0.0 else ((0.0, 0.0) if t <= 0.0 else (t, t))


@jit
def _arc_cosine(rho, r):
    """sin th + (pi - th) cos th and pi - th, both relatively accurate up to th = pi."""
    gap = math.atan2(r, -rho)
    if gap > 0.3:
        return r + gap * rho, gap
    g2 = gap * gap
    series = 1.0 / 3.0 - g2 * (
        1.0 / 30.0 - g2 * (1.0 / 840.0 - g2 * (1.0 / 45360.0 - g2 / 3991680.0))
    )
    return gap * g2 * series, gap


@jit
def relu_pair(p, m1, s1, m2, s2, rho, r):
    if m1 == 0.0 and m2 == 0.0:
        j, gap = _arc_cosine(rho, r)
        plus = 1.0 + rho if rho > 0.0 else r * r / (1.0 - rho)
        radial = s2 * j * INV_2PI
        return s1 * radial, 0.5 * s2 * plus * INV_SQRT_2PI, radial, s2 * r * gap * INV_2PI
    h, k = m1 / s1, m2 / s2
    u, _, a, b = offsets(h, k, rho, r)
    both = quadrant(h, k, rho, r, a, b)
    edge_u = normal_pdf(h) * normal_cdf(a)
    edge_v = normal_pdf(k) * normal_cdf(b)
    corner = r * normal_pdf(h) * normal_pdf(a) if r > 0.0 else 0.0
    value = s1 * s2 * ((h * k + rho) * both + h * edge_v + k * edge_u + corner)
    d_mean = s2 * (k * both + edge_v + rho * edge_u)
    radial = s2 * (u * edge_u + corner + rho * both)
    return value, d_mean, radial, s2 * r * both


@jit
def relu_mean(p, m, s):
    if s == 0.0:
        value, slope = relu_evaluate(p, m)
        return value, slope, 0.0
    h = m / s
    cdf, pdf = normal_cdf(h), normal_pdf(h)
    return m * cdf + s * pdf, cdf, pdf


@jit
def leaky_evaluate(p, t):
    return (t, 1.0) if t > 0.0 else ((p[0] * t, p[0]) if t <= 0.0 else (t, t))


@jit
def leaky_pair(p, m1, s1, m2, s2, rho, r):
    c = p[0]
    kpp, mpp, rpp, tpp = relu_pair((), m1, s1, m2, s2, rho, r)
    kpn, mpn, rpn, tpn = relu_pair((), m1, s1, -m2, s2, -rho, r)
    knp, mnp, rnp, tnp = relu_pair((), -m1, s1, m2, s2, -rho, r)
    knn, mnn, rnn, tnn = relu_pair((), -m1, s1, -m2, s2, rho, r)
    return (
        kpp - c * (kpn + knp) + c * c * knn,
        mpp - c * (mpn - mnp) - c * c * mnn,
        rpp - c * (rpn + rnp) + c * c * rnn,
        tpp + c * (tpn + tnp) + c * c * tnn,
    )


@jit
def leaky_mean(p, m, s):
    up, up_slope, up_curve = relu_mean((), m, s)
    down, down_slope, down_curve = relu_mean((), -m, s)
    if s == 0.0:
        value, slope = leaky_evaluate(p, m)
        return value, slope, 0.0
    return up - p[0] * down, up_slope + p[0] * down_slope, up_curve - p[0] * down_curve


@jit
def abs_evaluate(p, t):
    return leaky_evaluate((-1.0,), t)


@jit
def abs_pair(p, m1, s1, m2, s2, rho, r):
    return leaky_pair((-1.0,), m1, s1, m2, s2, rho, r)


@jit
def abs_mean(p, m, s):
    return leaky_mean((-1.0,), m, s)


@jit
def ramp_evaluate(p, t):
    low, high, start, stop = p
    if t <= start:
        return low, 0.0
    if t > stop:
        return high, 0.0
    rate = (high - low) / (stop - start)
    return low + rate * (t - start), (rate if t <= stop else t)


@jit
def ramp_pair(p, m1, s1, m2, s2, rho, r):
    low, high, start, stop = p
    rate = (high - low) / (stop - start)
    value, d_mean, radial, tangential = 0.0, 0.0, 0.0, 0.0
    for i in range(2):
        for j in range(2):
            sign = rate * rate if i == j else -rate * rate
            shift_u = start if i == 0 else stop
            shift_v = start if j == 0 else stop
            k, dm, dr, dt = relu_pair((), m1 - shift_u, s1, m2 - shift_v, s2, rho, r)
            value += sign * k
            d_mean += sign * dm
            radial += sign * dr
            tangential += sign * dt
    mean_u, slope_u, curve_u = ramp_mean(p, m1, s1)
    mean_v, _, _ = ramp_mean(p, m2, s2)
    value += low * (mean_u + mean_v - low)
    return value, d_mean + low * slope_u, radial + low * curve_u, tangential


@jit
def ramp_mean(p, m, s):
    low, high, start, stop = p
    rate = (high - low) / (stop - start)
    if s == 0.0:
        value, slope = ramp_evaluate(p, m)
        return value, slope, 0.0
    up, up_slope, up_curve = relu_mean((), m - start, s)
    down, down_slope, down_curve = relu_mean((), m - stop, s)
    return low + rate * (up - down), rate * (up_slope - down_slope), rate * (up_curve - down_curve)


def relu_hermite(mean: Array, std: Array, degree: int) -> Array:
    """Hermite coefficients of max(m + s Z, 0)."""
    h = hermite.ratio(mean, std)
    density = hermite.densities(h, max(degree - 1, 1))
    first = np.column_stack([mean * ndtr(h) + std * density[:, 0], std * ndtr(h)])
    return np.column_stack([first, std[:, None] * density])[:, : degree + 1]


def leaky_hermite(left: float, mean: Array, std: Array, degree: int) -> Array:
    """Hermite coefficients of relu(t) - left relu(-t), t = m + s Z."""
    sign = hermite.powers(-1.0, degree + 1)
    return relu_hermite(mean, std, degree) - left * sign * relu_hermite(-mean, std, degree)


@activations.register("step")
@dataclass(frozen=True)
class Step(Activation):
    """1 for t > 0, else 0. Its slope on data is 0: only population risks move inner weights."""

    homogeneity: ClassVar[float | None] = 0.0
    evaluate = staticmethod(step_evaluate)
    pair = staticmethod(step_pair)
    mean = staticmethod(step_mean)

    @property
    def zonal(self) -> Zonal:
        return Zonal(shapes.step, homogeneous(0), INV_2PI)

    def hermite(self, mean: Array, std: Array, degree: int) -> Array:
        return hermite.step(hermite.ratio(mean, std), degree)


@activations.register("relu")
@dataclass(frozen=True)
class ReLU(Activation):
    """max(t, 0)."""

    homogeneity: ClassVar[float | None] = 1.0
    evaluate = staticmethod(relu_evaluate)
    pair = staticmethod(relu_pair)
    mean = staticmethod(relu_mean)

    @property
    def zonal(self) -> Zonal:
        return Zonal(shapes.arc_cosine, homogeneous(1), INV_2PI)

    def hermite(self, mean: Array, std: Array, degree: int) -> Array:
        return relu_hermite(mean, std, degree)


@activations.register("leaky-relu")
@dataclass(frozen=True)
class LeakyReLU(Activation):
    """t for t > 0, else slope_left · t."""

    slope_left: float = 0.01
    homogeneity: ClassVar[float | None] = 1.0
    evaluate = staticmethod(leaky_evaluate)
    pair = staticmethod(leaky_pair)
    mean = staticmethod(leaky_mean)

    @property
    def zonal(self) -> Zonal:
        return Zonal(shapes.leaky_arc_cosine, homogeneous(1), INV_2PI)

    def hermite(self, mean: Array, std: Array, degree: int) -> Array:
        return leaky_hermite(self.slope_left, mean, std, degree)


@activations.register("abs")
@dataclass(frozen=True)
class Abs(Activation):
    """|t|."""

    homogeneity: ClassVar[float | None] = 1.0
    evaluate = staticmethod(abs_evaluate)
    pair = staticmethod(abs_pair)
    mean = staticmethod(abs_mean)

    @property
    def zonal(self) -> Zonal:
        return Zonal(shapes.absolute_arc_cosine, homogeneous(1), 2.0 / math.pi)

    def hermite(self, mean: Array, std: Array, degree: int) -> Array:
        return leaky_hermite(-1.0, mean, std, degree)


@activations.register("ramp")
@dataclass(frozen=True)
class Ramp(Activation):
    """Constant, linear, constant: low up to start, high from stop on.

    The defaults are those of Mei, Montanari and Nguyen (2018) for two Gaussians.
    """

    low: float = -2.5
    high: float = 7.5
    start: float = 0.5
    stop: float = 1.5
    evaluate = staticmethod(ramp_evaluate)
    pair = staticmethod(ramp_pair)
    mean = staticmethod(ramp_mean)

    def __post_init__(self) -> None:
        require(self.stop > self.start, "stop", self.stop, f"a number > start = {self.start}")

    def hermite(self, mean: Array, std: Array, degree: int) -> Array:
        rate = (self.high - self.low) / (self.stop - self.start)
        rise = relu_hermite(mean - self.start, std, degree)
        coefficients = rate * (rise - relu_hermite(mean - self.stop, std, degree))
        coefficients[:, 0] += self.low
        return coefficients
