"""Inputs in clusters of a few coordinates, hidden among others that are noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from meanfield.arrays import Array
from meanfield.data.laws import Law, laws
from meanfield.errors import require, require_count, require_nonnegative


@laws.register("clusters")
@dataclass(frozen=True)
class Clusters(Law):
    """Balls around centres in the first q coordinates, uniform noise in the other dim - q.

    A sample remembers its ball, for labels. Balls that do not meet are classes that can be told
    apart without error, by q coordinates: what a network gains that finds them.

    Parameters
    ----------
    dim : int
    centres : (K, q) sequence
        Each with probability 1/K; q ≤ dim.
    radius : float
        Of the balls, in which inputs are uniform; 0 is points.
    noise : float
        The other coordinates are uniform on [-noise, noise].

    References
    ----------
    L. Chizat, F. Bach, COLT 2020, whose classes are clusters in two coordinates of many.
    """

    dim: int
    centres: Sequence[Sequence[float]]
    radius: float = 0.0
    noise: float = 1.0

    def __post_init__(self) -> None:
        require_count("dim", self.dim)
        require_nonnegative("radius", self.radius)
        require_nonnegative("noise", self.noise)
        expected = f"one point of 1 to {self.dim} coordinates for each cluster"
        widths = {len(centre) for centre in self.centres}
        fits = len(widths) == 1 and 1 <= max(widths) <= self.dim
        require(fits, "centres", self.centres, expected)
        finite = bool(np.isfinite(np.asarray(self.centres, dtype=float)).all())
        require(finite, "centres", self.centres, "finite numbers")

    def draw(self, count: int, rng: np.random.Generator) -> tuple[Array, Array]:
        centres = np.asarray(self.centres, dtype=float)
        q = centres.shape[1]
        component = rng.integers(len(centres), size=count)
        x = self.noise * rng.uniform(-1.0, 1.0, (count, self.dim))
        inside = rng.standard_normal((count, q))
        # The volume within a distance r goes like r^q.
        radius = self.radius * rng.uniform(size=(count, 1)) ** (1.0 / q)
        inside *= radius / np.linalg.norm(inside, axis=1, keepdims=True)
        x[:, :q] = centres[component] + inside
        return x, component.astype(float)
