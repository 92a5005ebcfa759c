"""Stationary states with a mean of their own making: self-consistency, and Dawson's transition.

Particles on the line in a potential V, drawn to their mean: F = ∫V + (θ/4)∬(x − y)² + τ∫ρ log ρ.
A stationary state is a Gibbs measure in the field of a mean, and has that mean:

    ρ_m ∝ exp(−(V(x) + θx²/2 − θmx)/τ),    m = h(m) = ∫x ρ_m.

As h'(m) = θ Var(ρ_m)/τ, it is stable where θ Var(ρ_m) < τ. For V = x⁴/4 − x²/2 (Dawson 1983) m = 0
is stable above a critical temperature, and below it are two others, ±m.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq

from meanfield.arrays import Array
from meanfield.errors import InvalidInput, Unsupported, require, require_count, require_positive
from meanfield.limits.base import Limit, Oracle, oracles
from meanfield.limits.grid import Function, checked

NEGLIGIBLE = 60.0  # where the density is e^-60 of its largest value, nothing is left out
SCAN = 200  # means among which stationary points are looked for; even, so that 0 is not one


class State(NamedTuple):
    """ρ_m at a temperature: its moments, ∫V, ∫ρ log ρ, and the derivatives of h."""

    mean: float
    second_moment: float
    potential: float
    entropy: float
    slope: float  # ∂h/∂m = θ Var/τ
    heating: float  # ∂h/∂τ


class Branch(NamedTuple):
    """Stationary points along a curve: arrays of the same length."""

    temperature: Array
    mean: Array
    stable: Array


@dataclass(frozen=True)
class SelfConsistency:
    """The equation m = h(m) of particles that are drawn to their mean.

    Parameters
    ----------
    potential : callable
        V: points (n, 1) to (n,), growing faster than linearly after θx²/2 is added.
    coupling : float
        θ > 0: the strength of `meanfield.Quadratic`.
    nodes : int
        Of the trapezoidal rule, which converges faster than any power for a smooth V.

    References
    ----------
    D. A. Dawson, Critical dynamics and fluctuations for a mean-field model of cooperative
    behavior, J. Stat. Phys. 31, 1983.
    """

    potential: Function
    coupling: float
    nodes: int = 1600

    def __post_init__(self) -> None:
        require_positive("coupling", self.coupling)
        require_count("nodes", self.nodes, least=16)

    def state(self, mean: float, temperature: float) -> State:
        """ρ_m at a temperature, whether it has the mean m or not."""
        x, v, field = self._nodes(mean, temperature)
        low = field.min()
        weight = np.exp(-(field - low) / temperature)
        total = float(weight.sum())
        weight /= total
        found, second = float(weight @ x), float(weight @ x**2)
        inside = float(weight @ field)
        log_z = math.log(total * (x[1] - x[0])) - low / temperature
        return State(
            mean=found,
            second_moment=second,
            potential=float(weight @ v),
            entropy=-inside / temperature - log_z,
            slope=self.coupling * float(weight @ (x - found) ** 2) / temperature,
            heating=float(weight @ ((x - found) * (field - inside))) / temperature**2,
        )

    def roots(self, temperature: float) -> list[float]:
        """All stationary means at a temperature, in increasing order."""
        require_positive("temperature", temperature)

        def lack(mean: float) -> float:
            return self.state(mean, temperature).mean - mean

        reach = 1.0
        while lack(reach) >= 0 or lack(-reach) <= 0:
            reach *= 2.0
        # Close to 0 they are dense: there a fork begins.
        means = reach * np.sinh(np.linspace(-10.0, 10.0, SCAN)) / math.sinh(10.0)
        found = np.array([lack(mean) for mean in means])
        changes = np.flatnonzero(np.sign(found[:-1]) != np.sign(found[1:]))
        return [float(brentq(lack, means[i], means[i + 1], xtol=1e-15)) for i in changes]

    def critical_temperature(self, low: float = 1e-3, high: float = 1e3) -> float:
        """Where the symmetric state loses stability: the root of θ Var(ρ_0) = τ.

        Raises
        ------
        InvalidInput
            If V is not even, or if there is no transition, or an even number of them, between.
        """

        def excess(temperature: float) -> float:
            return self.state(0.0, temperature).slope - 1.0

        even = abs(self.state(0.0, high).mean) <= 1e-9
        require(even, "potential", self.potential, "V(x) = V(-x), for a symmetric state")
        crosses = excess(low) * excess(high) < 0
        require(crosses, "low, high", (low, high), "temperatures with one transition between")
        root = brentq(
            lambda level: excess(math.exp(level)), math.log(low), math.log(high), xtol=1e-15
        )
        return math.exp(root)

    def branch(
        self, mean: float, within: tuple[float, float], step: float = 0.02, most: int = 5000
    ) -> Branch:
        """The curve of stationary points through one at the lower temperature, by arclength.

        It starts towards higher temperatures and passes folds and forks; it ends where the
        temperature leaves `within`.

        Parameters
        ----------
        mean : float
            Near which the first point is, at the lower temperature.
        within : (float, float)
            Temperatures.
        step : float
            Of arclength in the plane of temperature and mean.
        most : int
            Points at most.
        """
        low, high = within
        require_positive("step", step)
        require(0 < low < high, "within", within, "two temperatures, 0 < low < high")
        point = np.array([low, min(self.roots(low), key=lambda root: abs(root - mean))])
        direction, points = np.array([1.0, 0.0]), [point]
        while len(points) < most:
            state = self.state(point[1], point[0])
            tangent = np.array([1.0 - state.slope, state.heating])
            tangent /= np.linalg.norm(tangent)
            direction = tangent if tangent @ direction > 0 else -tangent
            point = self._corrected(point + step * direction, direction)
            if not low <= point[0] <= high:
                break
            points.append(point)
        temperature, means = np.array(points).T
        slopes = [self.state(m, tau).slope for tau, m in points]
        return Branch(temperature, means, np.array(slopes) < 1.0)

    def _corrected(self, guess: Array, direction: Array) -> Array:
        """The stationary point in the plane through a guess across the direction, by Newton."""
        point = guess.copy()
        for _ in range(20):
            state = self.state(point[1], point[0])
            lack = np.array([state.mean - point[1], direction @ (point - guess)])
            rows = np.array([[state.heating, state.slope - 1.0], direction])
            change = np.linalg.solve(rows, lack)
            point = point - change
            if np.abs(change).max() < 1e-13:
                return point
        raise Unsupported(f"no stationary point near {guess}: take a shorter step along the branch")

    def _nodes(self, mean: float, temperature: float) -> tuple[Array, Array, Array]:
        """Nodes as far as there is mass, V there, and V + θx²/2 − θmx."""
        reach = 1.0
        while reach < 1e9:
            x = np.linspace(-reach, reach, self.nodes)
            v = checked(self.potential(x[:, None]), len(x))
            field = v + self.coupling * (0.5 * x - mean) * x
            if min(field[0], field[-1]) - field.min() > NEGLIGIBLE * temperature:
                return x, v, field
            reach *= 1.25
        raise InvalidInput("potential", self.potential, "a V with ∫exp(−(V + θx²/2)/τ)dx < ∞")


@oracles.register("self-consistent")
@dataclass(frozen=True)
class SelfConsistent(Oracle):
    """A stationary state of particles that are drawn to their mean, as N → ∞.

    Series: ``mean`` and ``second_moment`` (1, 1), ``potential``, ``interaction``, ``energy``,
    ``entropy``, ``free_energy``; ``stability`` = 1 − θ Var/τ, negative where it is unstable; and
    ``susceptibility`` = Var/(1 − θ Var/τ), the limit of N Var(mean of N particles) where it is
    stable. Errors: the difference from half the nodes.

    Parameters
    ----------
    potential, coupling, nodes
        As in `SelfConsistency`.
    temperature : float
    near : float
        Of all stationary states that with the nearest mean.
    """

    stationary: ClassVar[bool] = True

    potential: Function
    coupling: float
    temperature: float
    near: float = 1.0
    nodes: int = 1600

    def __post_init__(self) -> None:
        require_positive("temperature", self.temperature)
        require(math.isfinite(self.near), "near", self.near, "a finite mean")
        require_count("nodes", self.nodes, least=32)  # half of them say the error

    def at(self, times: ArrayLike = math.inf) -> Limit:
        moments = np.atleast_1d(np.asarray(times, dtype=float))
        require(
            moments.tolist() == [math.inf], "times", times, "infinity: it is a stationary state"
        )
        values, rough = self._series(self.nodes), self._series(self.nodes // 2)
        errors = {name: np.abs(value - rough[name])[0] for name, value in values.items()}
        return Limit(moments, values, errors, "difference from half the nodes")

    def _series(self, nodes: int) -> dict[str, Array]:
        equation = SelfConsistency(self.potential, self.coupling, nodes)
        roots = equation.roots(self.temperature)
        mean = min(roots, key=lambda root: abs(root - self.near))
        state = equation.state(mean, self.temperature)
        variance = state.slope * self.temperature / self.coupling
        interaction = 0.5 * self.coupling * variance
        energy = state.potential + interaction
        stability = 1.0 - state.slope
        found = {
            "mean": [mean],
            "second_moment": [state.second_moment],
            "potential": state.potential,
            "interaction": interaction,
            "energy": energy,
            "entropy": state.entropy,
            "free_energy": energy + self.temperature * state.entropy,
            "stability": stability,
            "susceptibility": variance / stability if stability else math.inf,
        }
        return {name: np.array([value]) for name, value in found.items()}
