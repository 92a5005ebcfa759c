"""The three-piece ramp averaged over directions.

A law of neurons that is invariant under rotations, with phi(x; w) = ramp(<w, x>), is a law of
radii: f(x) is the average of ``sbar(|w| |x|)``. These are the functions sbar, for inputs on the
sphere of R^dim and for dim to infinity (then with |x| in units of sqrt(dim)). They have no closed
form of a second order, and serve one-dimensional reduced problems.

References
----------
S. Mei, A. Montanari, P.-M. Nguyen, A mean field view of the landscape of two-layer neural
networks, PNAS 2018 (two isotropic Gaussians).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from scipy.special import poch

from meanfield.activations.base import Activation, activations
from meanfield.activations.piecewise import ramp_evaluate
from meanfield.errors import require, require_count
from meanfield.kernels.compile import jit
from meanfield.kernels.special import betainc, normal_cdf, normal_pdf


@jit
def averaged_evaluate(p, t):
    low, high, start, stop = p
    size = abs(t)
    if size == 0.0:
        return ramp_evaluate(p, 0.0)[0], 0.0
    rate = (high - low) / (stop - start)
    a, b = start / size, stop / size
    slope = -normal_pdf(a) * math.expm1(0.5 * (a - b) * (a + b))
    rise = size * slope - start * normal_cdf(-a) + stop * normal_cdf(-b)
    return low + rate * rise, math.copysign(1.0, t) * rate * slope


@jit
def _excess(t, c, half, density):
    """E (t S - c)+ and its derivative in t, for t > 0."""
    size = abs(c)
    if t <= size:
        return max(-c, 0.0), 0.0
    z = size / t
    inside = (1.0 - z) * (1.0 + z)
    slope = density * inside**half / (2.0 * half)
    return max(-c, 0.0) + t * slope - 0.5 * size * betainc(half, 0.5, inside), slope


@jit
def sphere_evaluate(p, t):
    low, high, start, stop, _, half, density = p
    size = abs(t)
    if size == 0.0:
        return ramp_evaluate((low, high, start, stop), 0.0)[0], 0.0
    rate = (high - low) / (stop - start)
    up, up_slope = _excess(size, start, half, density)
    down, down_slope = _excess(size, stop, half, density)
    return low + rate * (up - down), math.copysign(1.0, t) * rate * (up_slope - down_slope)


@dataclass(frozen=True)
class _OverDirections(Activation):
    low: float = -2.5
    high: float = 7.5
    start: float = 0.5
    stop: float = 1.5

    def __post_init__(self) -> None:
        require(self.stop > self.start, "stop", self.stop, f"a number > start = {self.start}")


@activations.register("averaged-ramp")
@dataclass(frozen=True)
class AveragedRamp(_OverDirections):
    """E ramp(t G) for a standard normal G."""

    evaluate = staticmethod(averaged_evaluate)


@activations.register("sphere-ramp")
@dataclass(frozen=True)
class SphereRamp(_OverDirections):
    """E ramp(t S) for the first coordinate S of a uniform point of the unit sphere of R^dim."""

    dim: int = field(kw_only=True)
    evaluate = staticmethod(sphere_evaluate)

    def __post_init__(self) -> None:
        super().__post_init__()
        require_count("dim", self.dim, 2)

    @property
    def parameters(self) -> tuple[float, ...]:
        """The fields, then (dim - 1)/2 and the density of S at 0."""
        half = 0.5 * (self.dim - 1)
        return (*super().parameters, half, float(poch(half, 0.5)) / math.sqrt(math.pi))
