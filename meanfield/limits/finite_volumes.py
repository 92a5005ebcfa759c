"""Finite volumes for ∂_t ρ = ∇·(ρ ∇F'(ρ)) with three properties at every step, of any length.

**Mass** is conserved, **densities** stay positive, and the **energy** F falls. One step sweeps
along one axis after the other; a sweep is implicit. With u the first variation without the entropy,
the flux from a cell to the next, of width h, is that of Scharfetter and Gummel (1969),

    J = τ/h (B(δ) ρ_i − B(−δ) ρ_{i+1}),   δ = (u_{i+1} − u_i)/τ,   B(z) = z/(e^z − 1),

which is upwind for τ = 0. It vanishes just where u + τ log ρ is equal in both cells, and points to
the lower: the Gibbs measure on the grid is at rest exactly. Densities are those at the end of the
sweep, so that its matrix is an M-matrix with column sums 1: mass and sign. In u they are those of a
secant: F(ρ') − F(ρ) = ⟨u(ρ, ρ'), ρ' − ρ⟩ without the entropy, for interactions the mean of ρ and ρ'
whatever the sign of W, and the entropy is convex. So

    F(ρ') ≤ F(ρ) − Δt Σ_faces J (ξ_i − ξ_{i+1}) |face| ≤ F(ρ),   ξ = u + τ log ρ'.

The order is 2 in h (1 for τ = 0) and 1 in Δt.

References
----------
D. Scharfetter, H. Gummel, IEEE Trans. Electron Devices 16, 1969; M. Bessemoulin-Chatard, Numer.
Math. 121, 2012; J. A. Carrillo, A. Chertock, Y. Huang, Commun. Comput. Phys. 17, 2015; R. Bailo,
J. A. Carrillo, J. Hu, Commun. Math. Sci. 18, 2020 (the mean of ρ and ρ', and sweeps).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import solve_banded
from scipy.special import exprel, xlogy

from meanfield.arrays import Array
from meanfield.errors import Unsupported, require
from meanfield.functionals.losses import losses
from meanfield.limits.grid import Convolution, Function, Grid

MOST = 100  # iterations of a sweep
CLOSE = 1e-13  # change of the density in the last of them, relative to its largest value
ROUNDING = 1e-10  # as much as it may be where rounding keeps it from going on

# Gauss–Legendre on [0, 1], for the mean slope of a loss.
NODES, WEIGHTS = (0.5 * part for part in np.polynomial.legendre.leggauss(3))
NODES = NODES + 0.5


@dataclass(frozen=True)
class Samples:
    """The risk (1/n) Σ_k l(f_k, y_k) on n samples, f_k = ∫φ_k dρ.

    Parameters
    ----------
    features : callable
        φ: points (m, p) to (m, n), one column for each sample.
    targets : array (n,)
    loss : str
        One of `meanfield.functionals.losses`, for one output.
    """

    features: Callable[[Array], Array]
    targets: ArrayLike
    loss: str = "squared"


class GridEnergy:
    """F on a grid: ∫V + ½∬W + risk + τ∫ρ log ρ.

    Parameters
    ----------
    grid : Grid
    temperature : float
    potential, interaction : callable, optional
        V of points (n, p); W of differences (n, p).
    data : Samples, optional
    """

    def __init__(
        self,
        grid: Grid,
        temperature: float,
        potential: Function | None = None,
        interaction: Function | None = None,
        data: Samples | None = None,
    ) -> None:
        self.grid, self.temperature = grid, temperature
        self._potential = None if potential is None else grid.values(potential)
        self._convolution = None if interaction is None else Convolution(grid, interaction)
        self._features = None
        if data is not None:
            self._loss = losses[data.loss]()
            self._targets = np.asarray(data.targets, dtype=float)[:, None]
            self._features = np.asarray(data.features(grid.centres), dtype=float)
            wanted = (len(grid.centres), len(self._targets))
            found = self._features.shape
            require(found == wanted, "features", found, f"the shape {wanted}")

    @property
    def is_linear(self) -> bool:
        """Whether the first variation without the entropy is the same at every density."""
        return self._convolution is None and self._features is None

    def parts(self, density: Array) -> dict[str, float]:
        """Every term, their sum ``energy``, ``entropy`` and ``free_energy``, as a run says them."""
        volume, found = self.grid.volume, {}
        if self._potential is not None:
            found["potential"] = float((self._potential * density).sum() * volume)
        if self._convolution is not None:
            field = self._convolution(density)
            found["interaction"] = 0.5 * float((field * density).sum() * volume)
        if self._features is not None:
            cost, _ = self._loss.evaluate(self.outputs(density), self._targets)
            found["risk"] = float(cost.mean())
        found["energy"] = sum(found.values())
        found["entropy"] = float(xlogy(density, density).sum() * volume)
        found["free_energy"] = found["energy"] + self.temperature * found["entropy"]
        return found

    def secant(self, old: Array, new: Array) -> Array:
        """u with F(new) - F(old) = ∫ u (new - old), without the entropy, up to a constant.

        Exact for potentials, interactions and the squared loss; to sixth order in the change of
        the outputs for other losses.
        """
        found = np.zeros(self.grid.cells)
        if self._potential is not None:
            found += self._potential
        if self._convolution is not None:
            found += self._convolution(0.5 * (old + new))
        if self._features is not None:
            first, last = self.outputs(old), self.outputs(new)
            slope = np.zeros_like(first)
            for node, weight in zip(NODES, WEIGHTS, strict=True):
                between = first + node * (last - first)
                slope += weight * self._loss.evaluate(between, self._targets)[1]
            found += (self._features @ slope[:, 0] / len(slope)).reshape(self.grid.cells)
        return found

    def outputs(self, density: Array) -> Array:
        """f_k = ∫φ_k dρ at the samples, (n, 1)."""
        assert self._features is not None
        return (density.ravel() * self.grid.volume @ self._features)[:, None]


def advance(energy: GridEnergy, density: Array, step: float) -> Array:
    """The density a step later: one sweep along each axis.

    Raises
    ------
    Unsupported
        If the iteration of a sweep does not converge: the step is too long for the interaction.
    """
    for axis in range(density.ndim):
        density = _sweep(energy, density, step, axis)
    return density


def _sweep(energy: GridEnergy, density: Array, step: float, axis: int) -> Array:
    ratio = step / energy.grid.widths[axis] ** 2
    new, change = density, np.inf
    for _ in range(MOST):
        rise = np.diff(energy.secant(density, new), axis=axis)
        found = _implicit(density, rise, energy.temperature, ratio, axis)
        before, change = change, float(np.abs(found - new).max() / found.max())
        new = found
        stalls = change >= before and change <= ROUNDING
        if energy.is_linear or change <= CLOSE or stalls:
            return new
    raise Unsupported(
        f"a step of {step:g} is too long for the interaction or the risk: "
        f"the density still changes by {change:.1e} after {MOST} iterations; take a shorter step"
    )


def rates(rise: Array, temperature: float) -> Array:
    """τ B(rise/τ): what goes over a face where u rises, times h². For τ = 0 only what falls."""
    if temperature == 0:
        return np.maximum(-rise, 0.0)
    with np.errstate(over="ignore"):  # where u rises by more than 700 τ, nothing goes
        return temperature / exprel(rise / temperature)


def _implicit(density: Array, rise: Array, temperature: float, ratio: float, axis: int) -> Array:
    """Solve (1 + Δt A) ρ' = ρ along an axis, all lines of cells at once."""
    lines = np.moveaxis(density, axis, -1)
    ahead = ratio * np.moveaxis(rates(rise, temperature), axis, -1)
    back = ratio * np.moveaxis(rates(-rise, temperature), axis, -1)
    bands = np.zeros((3, *lines.shape))
    bands[0, ..., 1:] = -back
    bands[1] = 1.0
    bands[1, ..., :-1] += ahead
    bands[1, ..., 1:] += back
    bands[2, ..., :-1] = -ahead
    found = solve_banded((1, 1), bands.reshape(3, -1), lines.ravel(), check_finite=False)
    return np.moveaxis(found.reshape(lines.shape), -1, axis)
