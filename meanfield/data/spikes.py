"""Spikes on the circle, of which only low frequencies are seen: data for sparse deconvolution."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from meanfield import random
from meanfield.data.finite import FiniteData
from meanfield.data.sources import Source, sources
from meanfield.errors import require, require_count, require_nonnegative
from meanfield.memory import require_room


@sources.register("spikes")
@dataclass(frozen=True)
class Spikes(Source):
    """Signed spikes on the circle, seen through a Dirichlet kernel on a regular grid of points.

    y(x) = Σ_s heights_s D(angle of x - angles_s) + noise ξ_x, with D(t) = 1 + 2 Σ_{k ≤ degree}
    cos(k t), for x = (cos t, sin t). The network ``TwoLayer("dirichlet", 2)`` of the same degree,
    with w on the unit circle, has neurons that are spikes.

    Parameters
    ----------
    angles : (s,) list
        Places of the spikes, in radians.
    heights : (s,) list
        Their signed masses.
    degree : int
        The highest frequency that is seen.
    points : int
        Of the grid, starting at the angle 0. From 2 degree + 1 on, means over it are integrals.
    noise : float
        Standard deviation of the independent normal errors of y.
    noise_seed : int
        Of the noise, which is the same in all replicas.
    """

    angles: Sequence[float]
    heights: Sequence[float]
    degree: int = 5
    points: int = 100
    noise: float = 0.0
    noise_seed: int = 0

    def __post_init__(self) -> None:
        require_count("degree", self.degree)
        require_count("points", self.points, 2 * self.degree + 1)
        numbers = float(self.points) * len(self.angles) * self.degree
        require_room("points", self.points, numbers)
        require_nonnegative("noise", self.noise)
        random.check_seed(self.noise_seed, "noise_seed")
        fits = len(self.heights) == len(self.angles) > 0
        require(fits, "heights", self.heights, "a number for each of the angles, at least one")

    def load(self, seed: int) -> FiniteData:
        angles = np.asarray(self.angles, dtype=float)
        heights = np.asarray(self.heights, dtype=float)
        grid = 2.0 * math.pi / self.points * np.arange(self.points)
        frequencies = np.arange(1, self.degree + 1)
        away = grid[:, None] - angles
        kernel = 1.0 + 2.0 * np.cos(away[:, :, None] * frequencies).sum(axis=2)
        noise = random.normal(self.noise_seed, random.Stream.DATA, 0, (self.points, 1))[:, 0]
        x = np.column_stack([np.cos(grid), np.sin(grid)])
        return FiniteData(x, kernel @ heights + self.noise * noise)
