"""Many interacting particles in a few dimensions: the nonlinear Fokker–Planck equation itself."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from meanfield.arrays import Array
from meanfield.ensemble import Ensemble
from meanfield.errors import require, require_count, require_nonnegative, require_positive
from meanfield.limits.base import Limit, Oracle, checked_times, oracles
from meanfield.limits.finite_volumes import GridEnergy, Samples, advance
from meanfield.limits.grid import Function, Grid
from meanfield.limits.refinement import extrapolated, finest


def normal(mean: ArrayLike = 0.0, scale: ArrayLike = 1.0) -> Callable[[Array], Array]:
    """The density of independent normal coordinates, up to a factor; of points (n, p)."""

    def density(points: Array) -> Array:
        return np.exp(-0.5 * (((points - np.asarray(mean)) / np.asarray(scale)) ** 2).sum(axis=1))

    return density


@oracles.register("fokker-planck")
@dataclass(frozen=True)
class FokkerPlanck(Oracle):
    """∂_t ρ = ∇·(ρ ∇F'(ρ)), F = ∫V + ½∬W + risk + τ∫ρ log ρ, in a box that nothing leaves.

    The measure of `meanfield.Langevin` (of `meanfield.Wasserstein` for τ = 0) as N → ∞, by the
    finite volumes of `meanfield.limits.finite_volumes`. It is computed on three grids, each with
    half the width of the one before and a quarter of its step (half for τ = 0). With noise, series
    are extrapolated, and their errors are what that changed by from grid to grid. Without, where
    mass may gather in points, they are those of the finest grid, with all that changed over the
    three as error; upwind schemes have at least the order ½ (Delarue, Lagoutière and Vauchelet
    2017). No error sees the box: ``how`` says how small the density is at its walls.

    Series: ``mean`` and ``second_moment`` (T, p), ``potential``, ``interaction`` and ``risk`` where
    there is such a term, ``energy``, ``entropy`` = ∫ρ log ρ and ``free_energy``.

    Parameters
    ----------
    start : callable
        The density at time 0, up to a factor: points (n, p) to (n,), as `normal` has it.
    box : sequence of (float, float)
        Ends of each axis, p of them; the cost is for p ≤ 2.
    temperature : float
        τ ≥ 0.
    potential : callable, optional
        V: points (n, p) to (n,).
    interaction : callable, optional
        W as a function of x - y: (n, p) to (n,), symmetric. It may be infinite at 0 where its
        integral is finite.
    data : Samples, optional
        A risk on samples.
    cells : int
        Along each axis of the finest grid, a multiple of 4.
    step : float
        Of time on the finest grid, at most.

    References
    ----------
    See `meanfield.limits.finite_volumes`; F. Delarue, F. Lagoutière, N. Vauchelet, J. Math. Pures
    Appl. 108, 2017.
    """

    start: Function
    box: Sequence[tuple[float, float]]
    temperature: float = 0.0
    potential: Function | None = None
    interaction: Function | None = None
    data: Samples | None = None
    cells: int = 400
    step: float = 0.005

    def __post_init__(self) -> None:
        require_nonnegative("temperature", self.temperature)
        require_positive("step", self.step)
        require_count("cells", self.cells, least=16)
        require(self.cells % 4 == 0, "cells", self.cells, "a multiple of 4")
        Grid(self.box, (self.cells,) * len(self.box))

    @property
    def ratio(self) -> int:
        """By which the number of steps grows from grid to grid: with the order in the width."""
        return 4 if self.temperature > 0 else 2

    def energy(self, level: int = 2) -> GridEnergy:
        """F on the grid of a level: 0 is the coarsest, 2 the finest."""
        grid = Grid(self.box, (self.cells * 2**level // 4,) * len(self.box))
        return GridEnergy(grid, self.temperature, self.potential, self.interaction, self.data)

    def densities(self, times: ArrayLike, level: int = 2) -> Iterator[Array]:
        """The density on the grid of a level at one time after the other, (cells, …)."""
        energy, now = self.energy(level), 0.0
        density = energy.grid.normalised(energy.grid.averages(self.start))
        for time in checked_times(times):
            count = math.ceil((time - now) / (self.step * self.ratio**2)) * self.ratio**level
            for _ in range(count):
                density = advance(energy, density, (time - now) / count)
            now = time
            yield density

    def at(self, times: ArrayLike) -> Limit:
        moments, walls = checked_times(times), 0.0
        levels = []
        for level in range(3):
            energy, rows = self.energy(level), []
            centres = energy.grid.centres
            for density in self.densities(moments, level):
                mass = density.ravel() * energy.grid.volume
                mean, second = mass @ centres, mass @ centres**2
                rows.append({"mean": mean, "second_moment": second, **energy.parts(density)})
                walls = max(walls, _at_walls(density)) if level == 2 else 0.0
            levels.append({name: np.array([row[name] for row in rows]) for name in rows[0]})
        smooth = self.temperature > 0
        values, errors = extrapolated(levels) if smooth else finest(levels)
        how = "Richardson extrapolation from" if smooth else "difference between"
        how += f" {self.cells // 4}, {self.cells // 2} and {self.cells} cells"
        how += f"; at the walls the density is {walls:.0e} of its largest value"
        return Limit(moments, values, errors, how)

    def measure(self, time: float, count: int) -> Ensemble:
        (density,) = self.densities([time])
        return self.energy().grid.ensemble(density, count)


def _at_walls(density: Array) -> float:
    """The largest density at the walls, relative to the largest of all."""
    walls = [density.take([0, -1], axis).max() for axis in range(density.ndim)]
    return float(max(walls) / density.max())
