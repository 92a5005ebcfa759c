"""Sets that particles stay on: every flow can be held to one, block by block.

A block is one point, and a matrix one point for each row: ``w`` of shape (k, d) on "sphere" moves
on a product of k spheres. A set gives the tangent part of a vector and the nearest point; a step
goes along the tangent and returns to the set, which keeps the order of the scheme on a smooth set
(Hairer, Lubich & Wanner 2006, section IV.4), and order 1 where particles hit the walls of a box.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from meanfield.arrays import Array
from meanfield.errors import require, require_positive
from meanfield.registry import Registry


class Manifold(ABC):
    """A closed set with a tangent space and a nearest point."""

    kind: ClassVar[str]

    @abstractmethod
    def tangent(self, x: Array, v: Array) -> Array:
        """The part of v along the set at x; arrays (N, …) of one shape."""

    @abstractmethod
    def nearest(self, x: Array) -> Array:
        """The points of the set nearest to x."""

    def require_inside(self, key: str, x: Array) -> None:
        """Raise `InvalidInput` unless all points lie on the set, to rounding."""
        away = float(np.abs(self.nearest(x) - x).max(initial=0.0))
        # A state in float32 is on a set to its own rounding.
        close = away <= 1e-5 if x.dtype == np.float32 else away <= 1e-9
        far = f"a set that particles start on; some are {away:.2g} away from {self}"
        require(close, key, self.kind, far)

    def __str__(self) -> str:
        return f"the {self.kind}"


manifolds: Registry[Manifold] = Registry("constraint")

# For each block a set: by name, by name and arguments, or as an object.
Constraint = Mapping[str, str | Mapping[str, Any] | Manifold]


@manifolds.register("sphere")
class Sphere(Manifold):
    """Points at a distance from the origin.

    Parameters
    ----------
    radius : float
    """

    def __init__(self, radius: float = 1.0) -> None:
        require_positive("radius", radius)
        self.radius = float(radius)

    def tangent(self, x: Array, v: Array) -> Array:
        square = np.sum(x * x, axis=-1, keepdims=True)
        along = np.sum(x * v, axis=-1, keepdims=True)
        return v - along / np.where(square == 0, 1, square) * x

    def nearest(self, x: Array) -> Array:
        # Without a direction a point has no nearest one: NaN, which stops the run.
        with np.errstate(divide="ignore", invalid="ignore"):
            return x * (self.radius / np.sqrt(np.sum(x * x, axis=-1, keepdims=True)))

    def __str__(self) -> str:
        return f"the sphere of radius {self.radius:g}"


@manifolds.register("box")
class Box(Manifold):
    """Every coordinate between two bounds; at a wall, particles slide along it.

    Parameters
    ----------
    lower, upper : float
        May be infinite.
    """

    def __init__(self, lower: float = -math.inf, upper: float = math.inf) -> None:
        require(lower < upper, "lower", lower, f"a number < upper = {upper}")
        self.lower, self.upper = float(lower), float(upper)

    def tangent(self, x: Array, v: Array) -> Array:
        out = ((x <= self.lower) & (v < 0)) | ((x >= self.upper) & (v > 0))
        return np.where(out, v.dtype.type(0), v)

    def nearest(self, x: Array) -> Array:
        return np.clip(x, self.lower, self.upper)

    def __str__(self) -> str:
        return f"the box from {self.lower:g} to {self.upper:g}"
