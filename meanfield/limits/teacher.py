"""A ReLU neuron as teacher, in infinite dimension.

x ~ N(0, I_d), y = ⟨v, x⟩₊ with |v| = 1, φ = a ⟨w, x⟩₊. A neuron is known by (a, u, r), with
u = ⟨w, v⟩ and r the norm of the rest of w. Of the input, z = ⟨v, x⟩ is what counts: as d → ∞ the
rests of different neurons are orthogonal, so that f(z) = ∫ a E(u z + r G)₊ dρ with G ~ N(0, 1).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import roots_legendre

from meanfield.arrays import Array
from meanfield.ensemble import Layout
from meanfield.errors import require_nonnegative
from meanfield.limits.anisotropic import averaged_relu
from meanfield.limits.base import oracles
from meanfield.limits.normal import low_discrepancy
from meanfield.limits.order_parameters import OrderParameters

REACH = 10.0  # of z: the normal law has 1e-23 beyond


@oracles.register("relu-teacher")
@dataclass(frozen=True)
class ReLUTeacher(OrderParameters):
    """The flow of (a, u, r) for d → ∞; see the module.

    Half of the outer weights start at +a and half at -a, so that f = 0; w starts with u = `overlap`
    and the rest of norm `scale`, as N(0, scale²/d I) has for d → ∞ with `overlap` 0.

    Parameters
    ----------
    a, scale, overlap : float
    l2 : float
        Ridge λ.
    nodes : int
        Of the Gauss–Legendre rule on each side of z = 0, where the teacher has its kink.
    """

    a: float = 1.0
    scale: float = 1.0
    overlap: float = 0.0
    l2: float = 0.0
    nodes: int = 64

    def __post_init__(self) -> None:
        super().__post_init__()
        require_nonnegative("scale", self.scale)

    def latents(self, nodes: int) -> tuple[Array, Array, Array]:
        points, weights = roots_legendre(nodes)
        z = 0.5 * REACH * (points + 1.0)
        chance = 0.5 * REACH * weights * np.exp(-0.5 * z**2) / math.sqrt(2.0 * math.pi)
        both = np.concatenate([-z, z])
        return both, np.concatenate([chance, chance]), np.maximum(both, 0.0)

    def start(self, nodes: int) -> tuple[Array, Array]:
        return self._placed(np.array([self.a, -self.a])), np.full(2, 0.5)

    def particles(self, count: int) -> Array:
        return self._placed(np.where(low_discrepancy(count, 1)[:, 0] < 0.5, self.a, -self.a))

    def features(self, theta: Array, latents: Array) -> tuple[Array, Array]:
        a, u, r = theta[:, :, None].transpose(1, 0, 2)
        mean = u * latents
        value, inside, density = averaged_relu(mean, np.broadcast_to(r, mean.shape))
        return a * value, np.stack([value, a * inside * latents, a * density], axis=-1)

    def layout(self) -> Layout:
        return Layout({"a": (), "u": (), "r": ()})

    def _placed(self, outer: Array) -> Array:
        rest = np.broadcast_to([self.overlap, self.scale], (len(outer), 2))
        return np.column_stack([outer, rest])
