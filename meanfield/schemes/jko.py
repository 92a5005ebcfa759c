"""The implicit step of a Wasserstein gradient flow: a proximal point instead of a gradient.

The scheme of Jordan, Kinderlehrer and Otto takes ρ_{n+1} as the minimiser of

    F(ρ) + W₂²(ρ, ρ_n) / 2h.

Among the measures that carry the particles of ρ_n with their masses to other places, this is

    Φ(x) = F(x) + 1/2h Σ_i m_i <x_i - x_i⁰, M⁻¹ (x_i - x_i⁰)>,

the squared distance being that of this pairing, which bounds W₂² from above. Where Φ is stationary
x_i = x_i⁰ - h M ∇F'(x_i), as the gradient of F in x_i is m_i ∇F': that is backward Euler. With
displacements x_i - x_i⁰ = √(hM/m_i) u_i the distance is ½|u|² and the Hessian of Φ is the identity
plus a multiple of h, so that a solver meets the same numbers whatever the masses and the mobility.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from meanfield.arrays import Array
from meanfield.ensemble import Ensemble
from meanfield.errors import Diverged, require, require_count, require_positive
from meanfield.flows import Flow, Moves
from meanfield.functionals import Evaluation
from meanfield.schemes.base import Scheme, Step, schemes

ROUNDING = float(np.finfo(float).eps)


@schemes.register("jko")
@dataclass(frozen=True)
class JKO(Scheme):
    """Backward Euler as a proximal step: F(x) + |x - x⁰|²/2h is minimised. Order 1, any step.

    Whatever the step, F(x¹) + 1/2h Σ m <x¹ - x⁰, M⁻¹(x¹ - x⁰)> ≤ F(x⁰): the energy falls, and the
    squared distances of all steps add up to less than 2h (F(ρ_0) - inf F). See the module. The
    solver is L-BFGS-B, which ensures the descent, and Newton–Krylov for the digits that differences
    of energies do not see. Equations are solved in float64 and the result is rounded. At a kink
    of the energy the residual does not vanish: the empirical risk of a ReLU network asks for a
    tolerance of some per cent, and for steps that are not too long; ℓ1 and path norms, which hold
    particles at a kink, are refused.

    Parameters
    ----------
    step : float
    solver : {"l-bfgs", "fixed-point"}
        Minimise from the explicit step (or from where it begins, if Φ is less there), or iterate
        x ← x⁰ - h M ∇F'(x): less work where h times the Lipschitz constant of M∇F' is well below
        1, but above 1 it does not converge.
    tolerance : float
        Largest |x - x⁰ + h M ∇F'(x)| in any coordinate, relative to the largest h M |∇F'(x⁰)|. A
        Φ that is within rounding of its minimum does as well.
    iterations : int
        Of a solver in a step, at most.

    References
    ----------
    R. Jordan, D. Kinderlehrer, F. Otto, SIAM Journal on Mathematical Analysis 1998.
    """

    solver: Literal["l-bfgs", "fixed-point"] = "l-bfgs"
    tolerance: float = 1e-6
    iterations: int = 500

    order: ClassVar[int] = 1
    evaluations: ClassVar[int] = 0  # as many as the tolerance asks for
    serves = needs = frozenset({Moves.TRANSPORT})
    smooth = True
    looks_first = False

    def __post_init__(self) -> None:
        super().__post_init__()
        known = ("l-bfgs", "fixed-point")
        require(self.solver in known, "solver", self.solver, f"one of {', '.join(known)}")
        require_positive("tolerance", self.tolerance)
        require_count("iterations", self.iterations)

    restriction = "flows along -M∇F' without constraints"

    @classmethod
    def suits(cls, flow: Flow) -> bool:
        # A flow with a velocity of its own is not the gradient flow of its energy in the metric M.
        return super().suits(flow) and flow.is_plain and not flow.constraint

    def advance(
        self, flow: Flow, ensemble: Ensemble, here: Evaluation | None, length: float, seed: int
    ) -> Step:
        massive = bool(np.all(ensemble.mass > 0))
        require(massive, "ensemble.mass", ensemble.mass, "masses > 0 for the scheme 'jko'")
        problem = Proximal(flow, ensemble, length)
        tolerance, found = self.tolerance * problem.reach, problem.nowhere
        if problem.reach != 0:
            if np.isfinite(problem.reach):
                solve = problem.minimise if self.solver == "l-bfgs" else problem.iterate
                found = solve(tolerance, self.iterations)
            if not problem.solved(found, tolerance):
                raise Diverged(self._failure(problem, ensemble, found, length))
        evaluation = problem.at(found)
        state = problem.state(found)
        if state.dtype == ensemble.dtype:
            return Step(state, evaluation)
        return Step(state.astype(ensemble.dtype.name))  # type: ignore[arg-type]

    def _failure(self, problem: Proximal, ensemble: Ensemble, found: Array, length: float) -> str:
        remedy = "a shorter step, more iterations or a larger tolerance"
        if self.solver == "fixed-point":
            remedy = "a shorter step, or the solver 'l-bfgs'"
        with np.errstate(invalid="ignore"):
            rest = problem.residual(found) / problem.reach
        return (
            f"step {ensemble.step + 1} (time {ensemble.time:g}): {self.solver} did not solve the "
            f"implicit step of length {length:g} in {self.iterations} iterations, the residual is "
            f"{rest:.1e} for a tolerance of {self.tolerance:g}; try {remedy}"
        )


class Proximal:
    """The minimisation of Φ in u, (N, p): displacements are √(hM/m) u.

    Attributes
    ----------
    origin : Ensemble
        Where the step begins, in float64, with the time and number of its end: the energy and its
        batch of data are those that the next step begins with.
    nowhere : (N, p) array
        No displacement.
    begin : Evaluation
        The energy there.
    reach : float
        Largest displacement of a coordinate in the explicit step.
    """

    def __init__(self, flow: Flow, ensemble: Ensemble, length: float) -> None:
        self.driving = flow.driving
        later = {"time": ensemble.time + length, "step": ensemble.step + 1}
        self.origin = ensemble.astype("float64").having(**later)
        self.weight = np.sqrt(self.origin.mass)[:, None]
        self.scale = np.sqrt(length * flow.speeds(ensemble.layout)) / self.weight
        self.nowhere = np.zeros_like(self.origin.position)
        self.known: tuple[Array, Evaluation] | None = None
        explicit = self.scale * self.objective(self.nowhere)[1]
        self.reach = float(np.abs(explicit).max())
        self.begin = self.at(self.nowhere)

    def state(self, u: Array) -> Ensemble:
        """The ensemble that has been displaced."""
        return self.origin.at(self.origin.position + self.scale * u)

    def at(self, u: Array) -> Evaluation:
        """The energy there; the last evaluation is remembered."""
        if self.known is None or not np.array_equal(self.known[0], u):
            self.known = u.copy(), self.driving.evaluate(self.state(u))
        return self.known[1]

    def objective(self, u: Array) -> tuple[float, Array]:
        """Φ and its gradient, (N, p)."""
        there = self.at(u)
        slope = self.scale * self.weight**2 * there.gradient + u
        return there.value + 0.5 * float(np.vdot(u, u)), slope

    def residual(self, u: Array) -> float:
        """Largest |x - x⁰ + hM∇F'(x)| in a coordinate."""
        return float(np.abs(self.scale * self.objective(u)[1]).max())

    def solved(self, u: Array, tolerance: float) -> bool:
        """Whether the equation holds to the tolerance, or Φ is within rounding of a minimum."""
        value, slope = self.objective(u)
        if float(np.abs(self.scale * slope).max()) <= tolerance < np.inf:
            return True
        if not np.isfinite(value):
            return False
        # Where F is convex, the Hessian of Φ is at least 1 and the excess at most |slope|²/2.
        return 0.5 * float(np.vdot(slope, slope)) <= self.rounding(value)

    def rounding(self, value: float) -> float:
        """Error of Φ from rounding: its terms may be larger than their sum."""
        terms = float(self.origin.mass @ np.abs(self.begin.variation))
        return 16 * ROUNDING * max(abs(value), abs(self.begin.value), terms)

    def minimise(self, tolerance: float, iterations: int) -> Array:
        """By L-BFGS-B, then Newton–Krylov on the gradient."""
        from scipy.optimize import minimize, root

        shape = self.origin.position.shape
        explicit = -self.scale * self.weight**2 * self.begin.gradient
        start = self.nowhere
        if self.objective(explicit)[0] < self.begin.value:
            start = explicit
        slope = tolerance / float(self.scale.max())

        def value(flat: Array) -> tuple[float, Array]:
            phi, gradient = self.objective(flat.reshape(shape))
            return phi, gradient.ravel()

        options = {"maxiter": iterations, "maxfun": 20 * iterations, "gtol": slope, "ftol": 0.0}
        found = minimize(value, start.ravel(), jac=True, method="L-BFGS-B", options=options).x
        lowest, near = self.objective(found.reshape(shape))[0], found.reshape(shape)
        if self.residual(near) <= tolerance or not np.isfinite(lowest):
            return near
        settings = {"fatol": slope, "maxiter": min(iterations, 20)}
        try:
            polished = root(lambda u: value(u)[1], found, method="krylov", options=settings).x
        except ValueError:  # it met a Jacobian that is singular
            return near
        better = polished.reshape(shape)
        # A root is a minimum only where Φ says so, as well as it can tell.
        lower = self.objective(better)[0] <= lowest + self.rounding(lowest)
        return better if lower and self.residual(better) < self.residual(near) else near

    def iterate(self, tolerance: float, iterations: int) -> Array:
        """By fixed-point iteration x ← x⁰ - hM∇F'(x), from the explicit step."""
        u = self.nowhere
        for _ in range(iterations):
            u = u - self.objective(u)[1]
            if not np.isfinite(u).all() or self.residual(u) <= tolerance:
                break
        return u
