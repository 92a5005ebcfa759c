"""Two isotropic Gaussians: the least risk of all measures, and when one radius reaches it.

The risk is convex in the measure: a lower bound comes with every measure (Frank and Wolfe 1956),

    R(ρ) - min R ≤ ∫ F′ dρ - min F′,

and the right side, the duality gap, is the stated error. One radius is best up to a threshold Δ_d;
beyond, several are better (Mei, Montanari and Nguyen 2018, who write of about 0.47 for d → ∞).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq, minimize_scalar, nnls

from meanfield.arrays import Array
from meanfield.ensemble import Ensemble
from meanfield.errors import Unsupported, require, require_count
from meanfield.limits.base import Limit, Oracle, oracles
from meanfield.limits.two_gaussians import Radial, TwoGaussians, TwoGaussiansInDimension

RADII = np.geomspace(1e-3, 1e6, 1_000)  # beyond, nothing changes by more than 1e-6
ROUNDS = 6  # of finer radii around the atoms
NEAR = np.linspace(-1.0, 1.0, 21)


@oracles.register("two-gaussians-minimum")
@dataclass(frozen=True)
class TwoGaussiansMinimum(Oracle):
    """The infimum of the risk over all laws of radii, of the problem of `TwoGaussians`.

    Series: ``risk`` and ``energy``; the error is the duality gap.

    Parameters
    ----------
    delta : float
        Δ in [0, 1).
    dim : int
        d; 0: infinite.
    nodes : int
        Of the Gauss rule for |x|.
    """

    delta: float
    dim: int = 0
    nodes: int = 48
    stationary: ClassVar[bool] = True

    def __post_init__(self) -> None:
        require_count("dim", self.dim, least=0)
        _ = self._features

    def at(self, times: ArrayLike = (math.inf,)) -> Limit:
        require(bool(np.all(np.isinf(times))), "times", times, "infinite: this is a state at rest")
        radii, mass = self.atoms
        risk, gap = self._features.certified(radii, mass)
        values = np.array([risk])
        errors = dict.fromkeys(("risk", "energy"), np.array([gap]))
        series = {"risk": values, "energy": values}
        return Limit(np.array([math.inf]), series, errors, "duality gap")

    def measure(self, time: float, count: int) -> Ensemble:
        """The atoms that were found, with their masses, whatever `count` above their number is."""
        radii, mass = self.atoms
        require_count("count", count, len(radii))
        neurons = np.column_stack([np.ones(len(radii)), radii])
        return Ensemble(neurons, mass, self._features.radial.layout(), time=float(time))

    @cached_property
    def atoms(self) -> tuple[Array, Array]:
        """Radii (n,) and masses (n,) of a best measure."""
        return self._features.minimise()

    @cached_property
    def _features(self) -> _Hull:
        return _Hull(_radial(self.delta, self.dim, self.nodes))


def one_radius(delta: float, dim: int = 0, nodes: int = 48) -> tuple[float, float, float]:
    """The best single radius, its risk, and how far that is from the least of all, at most."""
    hull = _Hull(_radial(delta, dim, nodes))
    risks = hull.risk(RADII)
    best = int(np.argmin(risks))
    around = RADII[max(best - 1, 0)], RADII[min(best + 1, len(RADII) - 1)]
    radius = _least(lambda r: float(hull.risk(np.array([r]))[0]), *around)
    return radius, *hull.certified(np.array([radius]), np.ones(1))


def threshold(dim: int = 0, tolerance: float = 1e-8) -> float:
    """Δ_d: the largest Δ at which one radius has the least risk of all measures.

    For d → ∞ it is where one radius separates the classes without error, q((1 + Δ) r) = 1 and
    q((1 - Δ) r) = -1 with q(t) = E s(tG), and one radius is best for all Δ below. In finite
    dimension that is so in an interval, as norms of inputs overlap where Δ is small: its upper
    end is found by bisection, to 1e-5.

    Raises
    ------
    Unsupported
        If one radius is best for no Δ, as up to d = 12.
    """
    if dim == 0:
        averaged = TwoGaussians(0.0).averaged

        def radius(level: float) -> float:
            offset = lambda t: float(averaged(np.array([t]))[0][0]) - level  # noqa: E731
            return float(brentq(offset, 0.1, 50.0, xtol=1e-14))

        high, low = radius(1.0), radius(-1.0)
        return (high - low) / (high + low)

    def is_best(delta: float) -> bool:
        return one_radius(delta, dim)[2] < 1e-11

    width = 0.02
    found = next((delta for delta in np.arange(0.98, 0.0, -width) if is_best(delta)), None)
    if found is None:
        raise Unsupported(f"dim = {dim}: there is no Δ at which one radius has the least risk")
    low, high = float(found), float(found) + width
    while high - low > max(tolerance, 1e-6):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if is_best(middle) else (low, middle)
    return 0.5 * (low + high)


def _radial(delta: float, dim: int, nodes: int) -> Radial:
    if dim == 0:
        return TwoGaussians(delta, nodes=nodes)
    return TwoGaussiansInDimension(delta, dim=dim, nodes=nodes)


class _Hull:
    """Outputs less labels, one point for every radius; the risk is the norm of their mean."""

    def __init__(self, radial: Radial) -> None:
        self.radial = radial
        self.latents, self.chance, self.wanted = radial.latents(radial.nodes)

    def points(self, radii: Array) -> Array:
        """(N, L), weighted so that half the squared norm is the risk of one radius."""
        value, _ = self.radial.features(radii[:, None], self.latents)
        return (value - self.wanted) * np.sqrt(self.chance)

    def risk(self, radii: Array) -> Array:
        """Of each radius alone, (N,)."""
        return 0.5 * (self.points(radii) ** 2).sum(axis=1)

    def certified(self, radii: Array, mass: Array) -> tuple[float, float]:
        """The risk of a measure, and its duality gap."""
        mean = mass @ self.points(radii)
        levels = self.points(RADII) @ mean
        best = int(np.argmin(levels))
        around = RADII[max(best - 1, 0)], RADII[min(best + 1, len(RADII) - 1)]
        lowest = _least(lambda r: float(self.points(np.array([r]))[0] @ mean), *around)
        least = min(float(levels[best]), float(self.points(np.array([lowest]))[0] @ mean))
        square = float(mean @ mean)
        return 0.5 * square, max(square - least, 0.0)

    def minimise(self) -> tuple[Array, Array]:
        """Radii and masses of the point of the convex hull that is nearest to 0."""
        radii, width = RADII, float(np.log(RADII[1] / RADII[0]))
        for _ in range(ROUNDS):
            mass = _nearest(self.points(radii))
            kept = radii[mass > 1e-12]
            close = np.concatenate([kept * math.exp(width * near) for near in NEAR])
            radii = np.unique(np.clip(close, RADII[0], RADII[-1]))
            width *= 0.15
        mass = _nearest(self.points(radii))
        return radii[mass > 1e-12], mass[mass > 1e-12] / mass[mass > 1e-12].sum()


def _nearest(points: Array) -> Array:
    """Masses (N,) whose mean of the points (N, L) has the least norm.

    By non-negative least squares for "the sum of m_i points is 0, of m_i is 1": scaled to sum 1,
    its solution is the nearest point (Wolfe 1976).
    """
    mass, _ = nnls(np.vstack([points.T, np.ones(len(points))]), np.eye(points.shape[1] + 1)[-1])
    return mass / mass.sum()


def _least(function: Callable[[float], float], low: float, high: float) -> float:
    return float(minimize_scalar(function, bounds=(low, high), options={"xatol": 1e-13}).x)
