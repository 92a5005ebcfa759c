"""Two isotropic Gaussians that differ in scale, and neurons that are radii.

y = ±1 with probability ½, x ~ N(0, (1 ± Δ)² I_d), φ = s(⟨w, x⟩), s piecewise linear and constant
outside its knots (Mei, Montanari and Nguyen 2018, whose risk is twice ours and time half of ours).
A law of neurons that is invariant under rotations is a law of radii r = |w|, and the average of a
neuron over directions is E s(r |x| S), S the first coordinate of a point of the sphere. For d → ∞,
with x in units of √d, that is E s(r (1 ± Δ) G) with G ~ N(0, 1).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import betainc, gammaincinv, ndtr, poch

from meanfield.arrays import Array
from meanfield.ensemble import Layout
from meanfield.errors import require, require_count, require_nonnegative
from meanfield.limits.base import oracles
from meanfield.limits.normal import low_discrepancy
from meanfield.limits.order_parameters import OrderParameters, chi_rule
from meanfield.networks import TwoLayer

Knots = Sequence[tuple[float, float]]
RAMP: Knots = ((0.5, -2.5), (1.5, 7.5))


@dataclass(frozen=True)
class Radial(OrderParameters):
    """What d = ∞ and finite d share; see the module."""

    delta: float
    scale: float = 0.8
    start_dim: int = 40
    knots: Knots = RAMP
    l2: float = 0.0
    nodes: int = 32

    def __post_init__(self) -> None:
        super().__post_init__()
        require_nonnegative("delta", self.delta)
        require(self.delta < 1, "delta", self.delta, "a number in [0, 1)")
        require_nonnegative("scale", self.scale)
        require_count("start_dim", self.start_dim)
        places = [place for place, _ in self.knots]
        # A knot at 0 would be a kink of the average, where neurons get stuck in finite time.
        rising = len(places) >= 2 and places[0] > 0 and bool(np.all(np.diff(places) > 0))
        require(
            rising, "knots", self.knots, "two or more (place, value), places > 0 and increasing"
        )

    def start(self, nodes: int) -> tuple[Array, Array]:
        radius, mass = chi_rule(self.start_dim, nodes)
        return self.scale * radius[:, None] / math.sqrt(self.start_dim), mass

    def particles(self, count: int) -> Array:
        level = low_discrepancy(count, 1)
        squared = 2.0 * gammaincinv(0.5 * self.start_dim, level) / self.start_dim
        return self.scale * np.sqrt(squared)

    def layout(self) -> Layout:
        return TwoLayer("averaged-ramp", 1, outer="fixed").layout

    def columns(self, theta: Array) -> Array:
        return np.hstack([np.ones((len(theta), 1)), theta])

    def features(self, theta: Array, latents: Array) -> tuple[Array, Array]:
        value, slope = self.averaged(theta * latents)
        return value, (slope * latents)[:, :, None]

    def averaged(self, t: Array) -> tuple[Array, Array]:
        """The activation averaged over directions at t ≥ 0, and its derivative."""
        places, values = np.array(self.knots, dtype=float).T
        rates = np.diff(values) / np.diff(places)
        bends = np.diff(rates, prepend=0.0, append=0.0)
        value, slope = np.full_like(t, values[0]), np.zeros_like(t)
        for place, bend in zip(places, bends, strict=True):
            excess, growth = self.excess(t, float(place))
            value += bend * excess
            slope += bend * growth
        return value, slope

    def excess(self, t: Array, place: float) -> tuple[Array, Array]:
        """E (tS - place)+ and its derivative in t, for S the coordinate that is averaged over."""
        raise NotImplementedError


@oracles.register("two-gaussians")
@dataclass(frozen=True)
class TwoGaussians(Radial):
    """The radial flow for d → ∞; see the module. Runs have the activation `averaged-ramp`.

    Parameters
    ----------
    delta : float
        Δ in [0, 1).
    scale, start_dim : float, int
        Radii start as |w| of N(0, scale²/start_dim I).
    knots : sequence of (place, value)
        Of the activation: by default the ramp of the paper.
    l2 : float
        Ridge λ on the radii.
    nodes : int
        Of the Gauss rules.
    """

    def latents(self, nodes: int) -> tuple[Array, Array, Array]:
        return np.array([1.0 + self.delta, 1.0 - self.delta]), np.full(2, 0.5), np.array([1.0, -1])

    def excess(self, t: Array, place: float) -> tuple[Array, Array]:
        z = place / np.maximum(t, 1e-100)
        density = np.exp(-0.5 * z * z) / math.sqrt(2.0 * math.pi)
        return t * density - place * ndtr(-z), density


@oracles.register("two-gaussians-in-dimension")
@dataclass(frozen=True)
class TwoGaussiansInDimension(Radial):
    """The radial flow in dimension `dim`, exactly: infinitely many neurons of R^d.

    Runs are of neurons with the activation `ramp`, or of radii with `sphere-ramp`. The other
    parameters are those of `TwoGaussians`; the start has the dimension `dim`
    unless `start_dim` says otherwise.
    """

    start_dim: int = 0
    dim: int = 40

    def __post_init__(self) -> None:
        require_count("dim", self.dim, 2)
        object.__setattr__(self, "start_dim", self.start_dim or self.dim)
        super().__post_init__()

    def output(self, time: float, x: Array) -> Array:
        """f at inputs (n, dim), or at their norms (n, 1), as (n, 1): a function of |x|."""
        points = np.asarray(x, dtype=float)
        fits = points.ndim == 2 and points.shape[1] in (1, self.dim)
        require(fits, "x", points.shape, f"inputs (n, {self.dim}), or their norms (n, 1)")
        radii, mass = self.carried(time)
        values, _ = self.averaged(radii * np.linalg.norm(points, axis=1))
        return (mass @ values)[:, None]

    def latents(self, nodes: int) -> tuple[Array, Array, Array]:
        radius, chance = chi_rule(self.dim, nodes)
        return (
            np.concatenate([(1.0 + self.delta) * radius, (1.0 - self.delta) * radius]),
            0.5 * np.concatenate([chance, chance]),
            np.repeat([1.0, -1.0], nodes),
        )

    def excess(self, t: Array, place: float) -> tuple[Array, Array]:
        half = 0.5 * (self.dim - 1)
        density = float(poch(half, 0.5)) / math.sqrt(math.pi)  # of S at 0
        z = np.minimum(place / np.maximum(t, 1e-300), 1.0)
        inside = (1.0 - z) * (1.0 + z)
        slope = density * inside**half / (2.0 * half)
        return t * slope - 0.5 * place * betainc(half, 0.5, inside), slope
