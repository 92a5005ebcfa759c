"""The Sinkhorn divergence: entropic transport without its bias at equality."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from meanfield.arrays import Array
from meanfield.errors import NotConverged, require_count, require_positive
from meanfield.transport.base import (
    Cost,
    Distance,
    Method,
    Potentials,
    check_order,
    methods,
)
from meanfield.transport.exact import powers
from meanfield.transport.measures import Measure

ENTRIES = 2**18  # of a block of rows that stays in the cache of one thread
PLAIN, LARGEST = 30, 2000  # iterations before those by Newton, and points for which they pay
DEFAULT = 0.05  # ε, relative to the mean cost

Softmin = Callable[[Array, float], Array]


@methods.register("sinkhorn")
@dataclass(frozen=True)
class Sinkhorn(Method):
    """S_ε^(1/p), with S_ε(α, β) = OT(α, β) - ½ OT(α, α) - ½ OT(β, β) and

    OT(α, β) = min over couplings γ of ∫ |θ - θ'|^p dγ + ε KL(γ | α ⊗ β).

    The cost is |θ - θ'|^p without a factor ½, and the entropy is part of OT: S_ε ≥ 0, it is 0 only
    where α = β, and it tends to W_p^p as ε → 0. Twice the loss of GeomLoss with p = 2 is S_ε at
    ε = 2 blur². In the log domain; ε falls by factors of 4 to its value, and the iteration goes on
    until the marginals are right, soon by Newton's method if there are at most 2,000 points. The
    plan is that of OT(α, β).

    Parameters
    ----------
    epsilon : float, optional
        ε, in the units of the cost; default: 0.05 times the mean cost ∬ |θ - θ'|^p dα dβ.
    order : float
        p ≥ 1. (For 1 and 2, S_ε ≥ 0 is known.)
    tolerance : float
        Largest error of a marginal, in total variation. The error of the value is of second order.
    iterations : int
        At most so many at the last ε.

    References
    ----------
    J. Feydy, T. Séjourné, F.-X. Vialard, S. Amari, A. Trouvé, G. Peyré, AISTATS 2019.
    """

    epsilon: float | None = None
    order: float = 2.0
    tolerance: float = 1e-6
    iterations: int = 10_000

    def __post_init__(self) -> None:
        check_order(self.order)
        if self.epsilon is not None:
            require_positive("epsilon", self.epsilon)
        require_positive("tolerance", self.tolerance)
        require_count("iterations", self.iterations)

    def cost(self, first: int, second: int, dim: int) -> Cost:
        largest = float(max(first, second)) ** 2
        return Cost(1.5e-6 * largest, 1.8e-8 * largest)

    def between(self, first: Measure, second: Measure, near: Potentials | None = None) -> Distance:
        a, b = first.shares, second.shares
        costs = powers(first.points, second.points, self.order)
        mean, widest = float(a @ (costs @ b)), float(costs.max())
        if mean == 0.0:  # all mass is at one point
            return Distance(0.0, self, status="coincident")
        epsilon = DEFAULT * mean if self.epsilon is None else self.epsilon
        with ThreadPoolExecutor(_threads()) as pool:
            f, g, steps = self._potentials(a, b, costs, epsilon, widest, pool)
            square = float(a @ f + b @ g)
            for points, mass in ((first.points, a), (second.points, b)):
                own = powers(points, points, self.order)
                square -= float(mass @ self._own_potential(mass, own, epsilon, widest, pool))

        def plan() -> Array:
            return np.outer(a, b) * np.exp((f[:, None] + g - costs) / epsilon)

        return Distance(
            max(0.0, square) ** (1 / self.order),
            self,
            status=f"converged in {steps} iterations",
            notes=(f"epsilon = {epsilon:.4g}, {epsilon / mean:.2g} of the mean cost",),
            potentials=(f, g),
            coupling=plan,
        )

    def _potentials(
        self,
        a: Array,
        b: Array,
        costs: Array,
        epsilon: float,
        widest: float,
        pool: ThreadPoolExecutor,
    ) -> tuple[Array, Array, int]:
        """f, g with γ = a b e^((f + g - c)/ε), whose second marginal is exact."""
        over, across = _softmin(costs, b, pool), _softmin(np.ascontiguousarray(costs.T), a, pool)
        g = np.zeros(len(b))
        for current in _annealed(epsilon, widest):
            f = over(g, current)
            g = across(f, current)
        error = np.inf
        for step in range(1, self.iterations + 1):
            better = over(g, epsilon)
            error = _error(a, f, better, epsilon)
            if error <= self.tolerance:
                return f, g, step
            f = better
            g = across(f, epsilon)
            if step >= PLAIN and max(costs.shape) <= LARGEST:
                f, g = _newton(a, b, costs, f, g, epsilon, across)
        raise NotConverged(self._complaint(error, epsilon))

    def _own_potential(
        self, a: Array, costs: Array, epsilon: float, widest: float, pool: ThreadPoolExecutor
    ) -> Array:
        """The potential f of OT(α, α) = 2 ∫ f dα, by averaged steps."""
        over = _softmin(costs, a, pool)
        f = np.zeros(len(a))
        for current in _annealed(epsilon, widest):
            f = 0.5 * (f + over(f, current))
        error = np.inf
        for _ in range(self.iterations):
            better = over(f, epsilon)
            error = _error(a, f, better, epsilon)
            f = 0.5 * (f + better)
            if error <= self.tolerance:
                return f
        raise NotConverged(self._complaint(error, epsilon))

    def _complaint(self, error: float, epsilon: float) -> str:
        return (
            f"sinkhorn with epsilon = {epsilon:.3g}: after {self.iterations} iterations a marginal "
            f"is off by {error:.1g}, and tolerance = {self.tolerance:g}: raise "
            "epsilon or iterations"
        )


def _annealed(epsilon: float, widest: float) -> list[float]:
    """Values from the widest cost down to ε, by factors of 4."""
    count = max(0, int(np.ceil(np.log(widest / epsilon) / np.log(4.0))))
    return [epsilon * 4.0**power for power in range(count, -1, -1)]


def _softmin(costs: Array, mass: Array, pool: ThreadPoolExecutor) -> Softmin:
    """The function (h, ε) ↦ -ε log Σ_j m_j e^((h_j - c_ij)/ε), rows in blocks on threads."""
    with np.errstate(divide="ignore"):
        logs = np.log(mass)
    step = max(1, ENTRIES // costs.shape[1])
    blocks = [slice(i, i + step) for i in range(0, len(costs), step)]

    def softmin(potential: Array, epsilon: float) -> Array:
        shifted = potential / epsilon + logs

        def rows(block: slice) -> Array:
            z = shifted - costs[block] / epsilon
            top = z.max(axis=1)
            z -= top[:, None]
            return -epsilon * (top + np.log(np.exp(z, out=z).sum(axis=1)))

        # A small problem is over before threads wake up.
        parts = map(rows, blocks) if len(blocks) < 4 else pool.map(rows, blocks)
        return np.concatenate(list(parts))

    return softmin


def _newton(
    a: Array, b: Array, costs: Array, f: Array, g: Array, epsilon: float, across: Softmin
) -> tuple[Array, Array]:
    """A step of Newton's method for the concave f ↦ <a, f> + <b, g(f)>, at most as long as helps.

    Where masses hardly communicate, the iteration alone takes thousands of steps.
    """
    plan = np.outer(a, b) * np.exp((f[:, None] + g - costs) / epsilon)
    sums = plan.sum(axis=1)
    matrix = np.outer(a, a) - (plan / np.where(b > 0, b, 1.0)) @ plan.T  # constants change nothing
    matrix[np.diag_indices_from(matrix)] += np.where(a > 0, sums, 1.0)
    try:
        change = epsilon * cho_solve(cho_factor(matrix), a - sums)
    except np.linalg.LinAlgError:  # masses that do not communicate, up to rounding
        return f, g
    here, slope, length = a @ f + b @ g, (a - sums) @ change, 1.0
    while length > 1e-3:
        there = f + length * change
        answer = across(there, epsilon)
        if a @ there + b @ answer >= here + 1e-4 * length * slope:
            return there, answer
        length /= 2
    return f, g


def _error(mass: Array, potential: Array, better: Array, epsilon: float) -> float:
    """Total variation between a marginal of the plan and the mass."""
    with np.errstate(over="ignore"):
        return 0.5 * float(mass @ np.abs(np.expm1((potential - better) / epsilon)))


def _threads() -> int:
    from meanfield.kernels.compile import threads

    return threads()
