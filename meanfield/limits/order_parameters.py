"""Flows of neurons that a symmetry of the data reduces to a few numbers each.

Where the law of (x, y) does not change under rotations of some of the inputs, neither does that of
the neurons. A neuron is then its average over those rotations, a function φ̄(θ; z) of a few order
parameters θ ∈ R^p (a norm, an overlap with a teacher) and of what is left of the input, z (its
norm, its class). With f(z) = ∫ φ̄(θ; z) dρ the risk is ½E(f(z) - y(z))², and

    dθ/dt = -E[(f(z) - y(z)) ∇φ̄(θ; z)] - λ θ

(Mei, Montanari and Nguyen 2018; Saad and Solla 1995 for overlaps). The measure is carried along
these characteristics from the nodes of a Gauss rule for its start, which converges geometrically
where a sample would with 1/√N. The stated error is the larger difference from half and from two
thirds of the nodes, at 100 times the tolerance. Where an unstable equilibrium divides the start
in two, convergence is only that of 1/nodes: then the error is large, and tells so.
"""

from __future__ import annotations

from abc import abstractmethod

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import eigh_tridiagonal

from meanfield.arrays import Array
from meanfield.ensemble import Ensemble, Layout
from meanfield.errors import require_count, require_nonnegative
from meanfield.limits.base import Limit, Oracle, checked_times
from meanfield.limits.integration import TOLERANCE, integrate, looked_at, refined

MINIMAL = 4  # nodes, so that half of them are a rule too


class OrderParameters(Oracle):
    """A flow of order parameters; see the module.

    A subclass has the fields `l2` (λ, a ridge on all order parameters) and `nodes`, and says what
    follows.
    """

    l2: float
    nodes: int

    def __post_init__(self) -> None:
        require_nonnegative("l2", self.l2)
        require_count("nodes", self.nodes, MINIMAL)

    @abstractmethod
    def latents(self, nodes: int) -> tuple[Array, Array, Array]:
        """z (L, …), its probabilities (L,) and y (L,), by rules of so many nodes."""

    @abstractmethod
    def start(self, nodes: int) -> tuple[Array, Array]:
        """Order parameters (N, p) at the start and their masses (N,), by rules of so many nodes."""

    @abstractmethod
    def particles(self, count: int) -> Array:
        """Order parameters (count, p) that represent the start with equal masses."""

    @abstractmethod
    def features(self, theta: Array, latents: Array) -> tuple[Array, Array]:
        """φ̄ (N, L) of order parameters (N, p), and its gradient (N, L, p) in them."""

    @abstractmethod
    def layout(self) -> Layout:
        """Of the particles of `measure`."""

    def columns(self, theta: Array) -> Array:
        """The columns of those particles, of order parameters (N, p)."""
        return theta

    def at(self, times: ArrayLike) -> Limit:
        when = checked_times(times)
        fine = self._series(when, self.nodes, TOLERANCE)
        # Two, as one may agree by chance where a separatrix divides the start.
        rougher = [
            refined(when, fine, self._series(when, nodes, 100 * TOLERANCE), "").errors
            for nodes in (self.nodes // 2, 2 * self.nodes // 3)
        ]
        errors = {name: np.maximum(*(rough[name] for rough in rougher)) for name in fine}
        how = "difference from half and two thirds of the nodes, at 100 times the tolerance"
        return Limit(when, fine, errors, how)

    def measure(self, time: float, count: int) -> Ensemble:
        """Particles of equal masses that started evenly, and were carried along by the flow."""
        require_count("count", count)
        theta, mass = self.carried(time, self.particles(count))
        return Ensemble(self.columns(theta[len(mass) :]), layout=self.layout(), time=float(time))

    def carried(self, time: float, also: Array | None = None) -> tuple[Array, Array]:
        """The nodes of the rule for the start at a time, (N, p), and their masses (N,).

        Others (M, p) that are carried along without any weight come after them, (N + M, p): the
        field is that of the limit.
        """
        require_nonnegative("time", time)
        theta, mass = self.start(self.nodes)
        start = theta if also is None else np.vstack([theta, also])
        masses = np.concatenate([mass, np.zeros(len(start) - len(mass))])
        system = _System(self, self.nodes, masses)
        end = integrate(system.rate, start.ravel(), np.array([float(time)]))[0]
        return end.reshape(start.shape), mass

    def risk_at(self, theta: ArrayLike, mass: ArrayLike) -> float:
        """The risk of any measure of order parameters (N, p) with masses (N,)."""
        weights = np.asarray(mass, dtype=float)
        system = _System(self, self.nodes, weights)
        return system.risk(np.asarray(theta, dtype=float))

    def _series(self, times: Array, nodes: int, tolerance: float) -> dict[str, Array]:
        theta, mass = self.start(nodes)
        system = _System(self, nodes, mass)
        return looked_at(integrate(system.rate, theta.ravel(), times, tolerance), system.look)


class _System:
    """The flow of finitely many order parameters of given masses."""

    def __init__(self, oracle: OrderParameters, nodes: int, mass: Array) -> None:
        self.oracle, self.mass = oracle, mass
        self.latents, self.chance, self.wanted = oracle.latents(nodes)

    def gradient(self, theta: Array) -> tuple[Array, Array]:
        """f - y at every z, (L,), and ∇F′ at every particle, (N, p)."""
        value, slope = self.oracle.features(theta, self.latents)
        residual = self.mass @ value - self.wanted
        pull = np.einsum("nlp,l->np", slope, self.chance * residual)
        return residual, pull + self.oracle.l2 * theta

    def rate(self, state: Array) -> Array:
        _, gradient = self.gradient(state.reshape(len(self.mass), -1))
        return -gradient.ravel()

    def risk(self, theta: Array) -> float:
        residual, _ = self.gradient(theta)
        return 0.5 * float(self.chance @ residual**2)

    def look(self, state: Array) -> dict[str, ArrayLike]:
        theta = state.reshape(len(self.mass), -1)
        residual, gradient = self.gradient(theta)
        risk = 0.5 * float(self.chance @ residual**2)
        ridge = 0.5 * self.oracle.l2 * float(self.mass @ (theta**2).sum(axis=1))
        columns = self.oracle.columns(theta)
        return {
            "risk": risk,
            **({"l2": ridge} if self.oracle.l2 else {}),
            "energy": risk + ridge,
            "dissipation": float(self.mass @ (gradient**2).sum(axis=1)),
            "mean": self.mass @ columns,
            "second_moment": self.mass @ columns**2,
        }


def chi_rule(dim: int, nodes: int) -> tuple[Array, Array]:
    """Gauss rule for the norm of a standard normal vector of R^dim: points (n,), probabilities.

    By the Jacobi matrix of the Laguerre polynomials (Golub and Welsch 1969): exact for
    polynomials of degree 2n - 1 in the square of the norm, in any dimension.
    """
    k = np.arange(nodes)
    half = 0.5 * dim - 1.0
    squares, vectors = eigh_tridiagonal(2 * k + half + 1.0, np.sqrt(k[1:] * (k[1:] + half)))
    return np.sqrt(2.0 * squares), vectors[0] ** 2
