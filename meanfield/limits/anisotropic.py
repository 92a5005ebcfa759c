"""Two centred Gaussians that differ in scale along some directions, and ReLU neurons with bias.

y = ±1 with probability ½, x ~ N(0, Σ_±) with variances (1 ± Δ)² along a share γ of the d directions
and 1 along the others, φ = a (⟨w, x⟩ + b)₊. A neuron is known by (a, b, r₁, r₂), with the norms r₁
and r₂ of w along the two sets of directions: given y, and for d → ∞, ⟨w, x⟩ is N(0, τ² r₁² + r₂²)
with τ = 1 ± Δ, and independent for different neurons. Feature selection is that r₁ grows while r₂
falls (Mei, Montanari and Nguyen 2018, anisotropic Gaussians).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import gammaincinv, ndtr

from meanfield.arrays import Array
from meanfield.ensemble import Layout
from meanfield.errors import require, require_count, require_nonnegative
from meanfield.limits.base import oracles
from meanfield.limits.normal import low_discrepancy
from meanfield.limits.order_parameters import OrderParameters, chi_rule


def averaged_relu(mean: Array, spread: Array) -> tuple[Array, Array, Array]:
    """E (mean + spread G)₊ for G ~ N(0, 1), and its derivatives in mean and spread ≥ 0."""
    ratio = mean / np.maximum(spread, 1e-300)
    density = np.exp(-0.5 * ratio**2) / math.sqrt(2.0 * math.pi)
    inside = ndtr(ratio)
    return mean * inside + spread * density, inside, density


@oracles.register("anisotropic-gaussians")
@dataclass(frozen=True)
class AnisotropicGaussians(OrderParameters):
    """The flow of (a, b, r₁, r₂) for d → ∞; see the module.

    Runs are of ReLU neurons with bias, over the Gaussian mixture of the module. ``mean`` and
    ``second_moment`` are of the columns a, b, r₁, r₂.

    Parameters
    ----------
    delta : float
        Δ in [0, 1).
    share : float
        γ in (0, 1).
    a, b : float
        Outer weights and biases at the start.
    scale : float
        w starts from N(0, scale²/d I).
    start_dim : int
        The d of that start; 0: infinite, where all norms are the same.
    l2 : float
        Ridge λ on all parameters.
    nodes : int
        Of the Gauss rules for r₁ and r₂.
    """

    delta: float
    share: float
    a: float = 1.0
    b: float = 0.0
    scale: float = 1.0
    start_dim: int = 0
    l2: float = 0.0
    nodes: int = 12

    def __post_init__(self) -> None:
        super().__post_init__()
        require_nonnegative("delta", self.delta)
        require(self.delta < 1, "delta", self.delta, "a number in [0, 1)")
        require(0 < self.share < 1, "share", self.share, "a number in (0, 1)")
        require_nonnegative("scale", self.scale)
        require_count("start_dim", self.start_dim, least=0)
        whole = (self.start_dim * self.share) % 1 == 0
        whole = whole and (self.start_dim == 0 or min(self._dims) >= 1)
        require(whole, "share", self.share, "a whole number of the directions of start_dim")

    @property
    def _dims(self) -> tuple[int, int]:
        along = round(self.start_dim * self.share)
        return along, self.start_dim - along

    def latents(self, nodes: int) -> tuple[Array, Array, Array]:
        return np.array([1.0 + self.delta, 1.0 - self.delta]), np.full(2, 0.5), np.array([1.0, -1])

    def start(self, nodes: int) -> tuple[Array, Array]:
        if self.start_dim == 0:
            return self._placed(np.sqrt([[self.share, 1.0 - self.share]])), np.ones(1)
        first, second = (chi_rule(dim, nodes) for dim in self._dims)
        norms = np.stack(np.meshgrid(first[0], second[0], indexing="ij"), axis=-1).reshape(-1, 2)
        return self._placed(norms / math.sqrt(self.start_dim)), np.outer(
            first[1], second[1]
        ).ravel()

    def particles(self, count: int) -> Array:
        if self.start_dim == 0:
            return np.repeat(self.start(1)[0], count, axis=0)
        half = 0.5 * np.array(self._dims)
        squares = 2.0 * gammaincinv(half, low_discrepancy(count, 2))
        return self._placed(np.sqrt(squares / self.start_dim))

    def features(self, theta: Array, latents: Array) -> tuple[Array, Array]:
        a, b, along, across = theta[:, :, None].transpose(1, 0, 2)
        spread = np.hypot(latents * along, across)
        value, inside, density = averaged_relu(np.broadcast_to(b, spread.shape), spread)
        safe = np.maximum(spread, 1e-300)
        parts = (
            value,
            a * inside,
            a * density * latents**2 * along / safe,
            a * density * across / safe,
        )
        return a * value, np.stack(parts, axis=-1)

    def layout(self) -> Layout:
        return Layout({"a": (), "b": (), "r1": (), "r2": ()})

    def _placed(self, norms: Array) -> Array:
        """Order parameters (N, 4) of the start, for norms (N, 2) of N(0, I/d)."""
        stay = np.broadcast_to([self.a, self.b], norms.shape)
        return np.hstack([stay, self.scale * norms])
