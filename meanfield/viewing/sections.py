"""Lines and squares among all inputs, on which a function is drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from meanfield.arrays import Array
from meanfield.errors import InvalidInput

if TYPE_CHECKING:
    from meanfield.config import Setting

FINE, COARSE = 401, 121  # points of a line, and of each side of a square
PROBES = 500  # inputs drawn to see where a law is


@dataclass(frozen=True)
class Section:
    """Points of a line or a square among all inputs; the other coordinates are the data's mean.

    Attributes
    ----------
    inputs : tuple of int
        Which coordinates vary.
    sides : list of array
        Their values.
    centre : (d,) array
    circle : bool
        Whether it is the unit circle instead, and the side its angles.
    """

    inputs: tuple[int, ...]
    sides: list[Array]
    centre: Array
    circle: bool = False

    @property
    def points(self) -> Array:
        """All of them, (n, d)."""
        if self.circle:
            return np.column_stack([np.cos(self.sides[0]), np.sin(self.sides[0])])
        grid = np.meshgrid(*self.sides, indexing="xy")
        x = np.tile(self.centre, (grid[0].size, 1))
        for j, values in zip(self.inputs, grid, strict=True):
            x[:, j] = values.ravel()
        return x

    def along(self, x: Array) -> Array:
        """Where inputs (n, d) are on a line, or on the circle, (n,)."""
        if self.circle:
            return np.asarray(np.arctan2(x[:, 1], x[:, 0]) % (2 * np.pi))
        return x[:, self.inputs[0]]

    def over(self, values: Array) -> Array:
        """Values (n,) at the points in the shape of a picture."""
        return values.reshape([len(side) for side in reversed(self.sides)])

    @property
    def labels(self) -> list[str]:
        """Of the axes."""
        if self.circle:
            return ["angle of $x$ (radians)"]
        only = len(self.centre) == 1
        return ["$x$" if only else f"$x_{{{j}}}$" for j in self.inputs]


def section_of(known: Setting, inputs: Sequence[int] | None) -> Section:
    """Where the data are: from the 1st to the 99th hundredth of each coordinate, and some more."""
    from meanfield import random

    dim = known.network.dim
    chosen = tuple(range(min(dim, 2))) if inputs is None else tuple(np.atleast_1d(inputs).tolist())
    fits = len(set(chosen)) == len(chosen) in (1, 2) and all(j in range(dim) for j in chosen)
    if not fits:
        raise InvalidInput("inputs", inputs, f"one or two different numbers from 0 to {dim - 1}")
    x = known.inputs(PROBES, random.generator(0, random.Stream.PROBES))
    if inputs is None and dim == 2 and np.allclose(np.linalg.norm(x, axis=1), 1.0):
        return Section((), [np.linspace(0.0, 2 * np.pi, FINE)], np.zeros(2), circle=True)
    count = FINE if len(chosen) == 1 else COARSE
    sides = []
    for j in chosen:
        low, high = np.quantile(x[:, j], [0.01, 0.99])
        if known.samples is not None and len(x) <= PROBES:
            low, high = x[:, j].min(), x[:, j].max()
        gap = 0.1 * (high - low) or 1.0
        sides.append(np.linspace(low - gap, high + gap, count))
    return Section(chosen, sides, mean_of(known, x))


def mean_of(known: Setting, x: Array) -> Array:
    """The mean of the inputs, (d,): by weight of samples; of laws exact, or of the inputs x drawn.

    x (n, d) is taken where a law does not say: the mean of n draws is off by about 1/√n.
    """
    from meanfield.data import Gaussian, GaussianMixture, Hypercube, Sphere

    if known.samples is not None:
        return np.asarray(known.samples.weights @ known.samples.x)
    law = known.law
    if isinstance(law, (Hypercube, Sphere)):
        return np.zeros(law.dim)
    if isinstance(law, (Gaussian, GaussianMixture)):
        return np.asarray(sum(weight * centre for weight, centre, _ in law.components()))
    return x.mean(axis=0)
