"""How fast noise forgets: the spectrum of the Fokker–Planck operator.

dX = −∇V dt + √(2τ) dW has the generator τΔ − ∇V·∇. In L²(e^{−V/τ}) it is minus a positive operator,
which a change of the unknown turns into a Schrödinger one, H = −τΔ + |∇V|²/(4τ) − ΔV/2: the Witten
operator on functions. Its eigenvalues are 0 and the rates at which observables relax; the least of
them is the spectral gap. SGD with the learning rate s has τ = s/2 (Shi, Su and Jordan 2023).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import csc_array, diags_array
from scipy.sparse.linalg import eigsh

from meanfield.arrays import Array
from meanfield.errors import require, require_count, require_positive
from meanfield.limits.base import Limit, Oracle, oracles
from meanfield.limits.finite_volumes import rates
from meanfield.limits.grid import Function, Grid
from meanfield.limits.refinement import extrapolated


def symmetric_operator(grid: Grid, potential: Function, temperature: float) -> csc_array:
    """H on a grid, (cells, cells), symmetric and sparse, with no flux through the walls.

    It is the finite volumes of `meanfield.limits.finite_volumes`, conjugated with the root of their
    Gibbs measure: to second order in the width of the cells H, with the eigenvalue 0 exactly.
    """
    values = grid.values(potential)
    index = np.arange(values.size).reshape(values.shape)
    diagonal = np.zeros(values.shape)
    rows, columns, entries = [], [], []
    for axis, width in enumerate(grid.widths):
        rise = np.diff(values, axis=axis)
        ahead, back = (rates(sign * rise, temperature) / width**2 for sign in (1.0, -1.0))
        lower = tuple(slice(0, -1) if i == axis else slice(None) for i in range(values.ndim))
        upper = tuple(slice(1, None) if i == axis else slice(None) for i in range(values.ndim))
        diagonal[lower] += ahead
        diagonal[upper] += back
        rows.append(index[lower].ravel())
        columns.append(index[upper].ravel())
        entries.append(-np.sqrt(ahead * back).ravel())
    row, column, entry = (np.concatenate(part) for part in (rows, columns, entries))
    above = csc_array((entry, (row, column)), shape=(values.size, values.size))
    return csc_array(diags_array(diagonal.ravel()) + above + above.T)


@oracles.register("spectrum")
@dataclass(frozen=True)
class Spectrum(Oracle):
    """The rates at which independent particles in a potential relax, and the least, the gap.

    By Lanczos iterations on three grids, each with half the width of the one before, and
    extrapolation; errors are what it changed by from grid to grid. Cost and accuracy are for one or
    two dimensions.

    Series: ``rates`` (1, count), and the first of them, ``gap`` (1,).

    Parameters
    ----------
    potential : callable
        V: points (n, p) to (n,).
    box : sequence of (float, float)
        Ends of each axis; large enough that e^{−V/τ} is negligible at its walls.
    temperature : float
        τ > 0; s/2 for the learning rate s.
    count : int
        Number of rates.
    cells : int
        Along each axis of the finest grid, a multiple of 4.

    References
    ----------
    B. Shi, W. J. Su, M. I. Jordan, On learning rates and Schrödinger operators, J. Mach. Learn.
    Res. 24, 2023.
    """

    stationary: ClassVar[bool] = True

    potential: Function
    box: Sequence[tuple[float, float]]
    temperature: float
    count: int = 1
    cells: int = 400

    def __post_init__(self) -> None:
        require_positive("temperature", self.temperature)
        require_count("count", self.count)
        require_count("cells", self.cells, least=16)
        require(self.cells % 4 == 0, "cells", self.cells, "a multiple of 4")
        Grid(self.box, (self.cells,) * len(self.box))
        few = self.count + 2 <= (self.cells // 4) ** len(self.box)
        require(few, "count", self.count, "fewer rates than cells of the coarsest grid")

    def at(self, times: ArrayLike = math.inf) -> Limit:
        moments = np.atleast_1d(np.asarray(times, dtype=float))
        require(moments.tolist() == [math.inf], "times", times, "infinity: rates are of no time")
        levels = []
        for level in range(3):
            found = self.rates(self.cells * 2**level // 4)
            levels.append({"rates": found[None], "gap": found[:1]})
        values, errors = extrapolated(levels)
        how = f"Richardson extrapolation from {self.cells // 4} to {self.cells} cells"
        return Limit(moments, values, errors, how)

    def rates(self, cells: int) -> Array:
        """The rates (count,) on one grid."""
        grid = Grid(self.box, (cells,) * len(self.box))
        operator = symmetric_operator(grid, self.potential, self.temperature)
        # Just below 0, where the inverse has its largest eigenvalues, and is not singular.
        reach = max(upper - lower for lower, upper in self.box)
        below = -1e-4 * self.temperature / reach**2
        start = np.random.default_rng(0).standard_normal(operator.shape[0])
        found = eigsh(operator, self.count + 1, sigma=below, v0=start, return_eigenvectors=False)
        return np.sort(found)[1:]


def eyring_kramers(
    minimum: ArrayLike, saddle: ArrayLike, barrier: float, temperature: float
) -> float:
    """The gap of two equal wells as τ → 0: (|μ|/π) √(det V″(min)/|det V″(saddle)|) e^{−barrier/τ}.

    Each well is left at half this rate. The relative error is O(τ).

    Parameters
    ----------
    minimum, saddle : float or (p, p) array
        The Hessian of V in the wells, and at the saddle between; μ is its negative eigenvalue.
    barrier : float
        V(saddle) - V(minimum).
    temperature : float
        τ; s/2 for the learning rate s.

    References
    ----------
    A. Bovier, M. Eckhoff, V. Gayrard, M. Klein, J. Eur. Math. Soc. 6, 2004; 7, 2005.
    """
    require_positive("barrier", barrier)
    require_positive("temperature", temperature)
    well, top = (np.atleast_2d(np.asarray(part, dtype=float)) for part in (minimum, saddle))
    for key, part in (("minimum", well), ("saddle", top)):
        fits = part.shape == (len(well), len(well)) and bool(np.isfinite(part).all())
        require(fits, key, part, "a Hessian (p, p), of one p for both")
    curvatures = np.linalg.eigvalsh(top)
    one = curvatures[0] < 0 and bool((curvatures[1:] > 0).all())
    require(one, "saddle", saddle, "a Hessian with one negative eigenvalue")
    lowest = bool((np.linalg.eigvalsh(well) > 0).all())
    require(lowest, "minimum", minimum, "the Hessian of a minimum")
    ratio = np.linalg.det(well) / abs(np.linalg.det(top))
    return float(-curvatures[0] / math.pi * math.sqrt(ratio) * math.exp(-barrier / temperature))
