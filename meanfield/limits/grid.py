"""A box of equal cells, averages over them, and sums over pairs of them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.fft import irfftn, next_fast_len, rfftn

from meanfield.arrays import Array
from meanfield.ensemble import Ensemble
from meanfield.errors import require, require_count
from meanfield.memory import require_room

Function = Callable[[Array], Array]  # of points (n, p) to values (n,)

# Gauss–Legendre on [-1/2, 1/2]. Their number is even: none is 0, where a W may be infinite.
NODES, WEIGHTS = (0.5 * part for part in np.polynomial.legendre.leggauss(4))

ARRAYS = 4  # at least, of a number for each coordinate of a cell, while something is computed


@dataclass(frozen=True)
class Grid:
    """Cells of a box in p dimensions.

    Parameters
    ----------
    box : sequence of (float, float)
        Lower and upper end of each axis.
    cells : tuple of int
        Number along each axis.
    """

    box: Sequence[tuple[float, float]]
    cells: tuple[int, ...]

    def __post_init__(self) -> None:
        pairs = all(np.shape(ends) == (2,) for ends in self.box)
        require(pairs, "box", self.box, "a pair (lower, upper) for each axis")
        for lower, upper in self.box:
            ordered = math.isfinite(lower) and math.isfinite(upper) and lower < upper
            require(ordered, "box", (lower, upper), "finite ends, lower < upper")
        fits = len(self.cells) == len(self.box) > 0
        require(fits, "cells", self.cells, f"a number for each of {len(self.box)} axes")
        for count in self.cells:
            require_count("cells", count, least=2)
        numbers = ARRAYS * len(self.cells) * math.prod(map(int, self.cells))
        require_room("cells", self.cells, numbers)

    @property
    def widths(self) -> tuple[float, ...]:
        """Of a cell along each axis."""
        ends = zip(self.box, self.cells, strict=True)
        return tuple((upper - lower) / count for (lower, upper), count in ends)

    @property
    def volume(self) -> float:
        """Of a cell."""
        return math.prod(self.widths)

    @property
    def centres(self) -> Array:
        """Of the cells, (n, p)."""
        ends = zip(self.box, self.cells, self.widths, strict=True)
        axes = [lower + width * (np.arange(count) + 0.5) for (lower, _), count, width in ends]
        return _points(axes)

    def values(self, function: Function) -> Array:
        """A function at the centres, in the shape of the cells."""
        return checked(function(self.centres), len(self.centres)).reshape(self.cells)

    def averages(self, function: Function) -> Array:
        """The averages of a function over the cells, by four Gauss nodes along each axis."""
        return _averages(function, self.centres, self.widths).reshape(self.cells)

    def normalised(self, density: Array) -> Array:
        """A density of mass 1.

        Raises
        ------
        InvalidInput
            If a value is negative, or all are zero.
        """
        fine = bool(np.isfinite(density).all() and density.min() >= 0 and density.max() > 0)
        require(fine, "start", density, "a density: finite, ≥ 0, and not zero in the whole box")
        return density / (density.sum() * self.volume)

    def ensemble(self, density: Array, count: int) -> Ensemble:
        """Particles that represent a density: quantiles on the line, else blocks of cells.

        On the line, `count` equal masses at the quantiles (i + ½)/count. In the plane at most
        `count` particles, of the mass of a square block of cells and at its barycentre.
        """
        require_count("count", count)
        mass = density.ravel() * self.volume
        if len(self.cells) == 1:
            (lower, upper), (cells,) = self.box[0], self.cells
            shares = np.concatenate([[0.0], np.cumsum(mass)])
            levels = (np.arange(count) + 0.5) / count * shares[-1]
            faces = np.linspace(lower, upper, cells + 1)
            return Ensemble(np.interp(levels, shares, faces)[:, None])
        size = 1
        while math.prod(-(-cells // size) for cells in self.cells) > count:
            size += 1
        blocks = [-(-cells // size) for cells in self.cells]
        index = [np.arange(cells) // size for cells in self.cells]
        label = np.ravel_multi_index(np.ix_(*index), blocks).ravel()
        total = np.bincount(label, mass)
        sums = [np.bincount(label, mass * column) for column in self.centres.T]
        some = total > 0
        return Ensemble(np.stack(sums, axis=1)[some] / total[some, None], total[some])


class Convolution:
    """(W∗ρ)(x) = ∫ W(x - y) ρ(dy) on a grid, by the fast Fourier transform.

    Parameters
    ----------
    grid : Grid
    interaction : callable
        W of differences (n, p), symmetric; it is averaged over cells, and may be infinite at 0
        where its integral is finite.
    """

    def __init__(self, grid: Grid, interaction: Function) -> None:
        self._cells = grid.cells
        self._shape = [next_fast_len(2 * count - 1, real=True) for count in grid.cells]
        lags = [np.arange(1 - count, count) for count in grid.cells]
        steps = zip(lags, grid.widths, strict=True)
        table = _averages(interaction, _points([lag * width for lag, width in steps]), grid.widths)
        there, back = table, table[::-1]
        even = bool(np.isfinite(table).all() and np.allclose(there, back, rtol=1e-9, atol=1e-12))
        require(even, "interaction", interaction, "a finite W with W(x - y) = W(y - x)")
        around = np.zeros(self._shape)
        around[np.ix_(*lags)] = 0.5 * (there + back).reshape([len(lag) for lag in lags])
        self._kernel = rfftn(around) * grid.volume

    def __call__(self, density: Array) -> Array:
        product = rfftn(density, self._shape) * self._kernel
        found = irfftn(product, self._shape)
        return found[tuple(slice(count) for count in self._cells)]


def _points(axes: Sequence[Array]) -> Array:
    """All points (n, p) of a tensor grid."""
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, len(axes))


def _averages(function: Function, centres: Array, widths: Sequence[float]) -> Array:
    total = np.zeros(len(centres))
    for nodes in itertools.product(range(len(NODES)), repeat=len(widths)):
        weight = math.prod(WEIGHTS[i] for i in nodes)
        shift = [NODES[i] * width for i, width in zip(nodes, widths, strict=True)]
        total += weight * checked(function(centres + shift), len(centres))
    return total


def checked(values: Array, count: int) -> Array:
    """What a function said at so many points: a number for each."""
    found = np.asarray(values, dtype=float)
    require(found.shape == (count,), "shape", found.shape, f"({count},) for {count} points (n, p)")
    return found
