"""Diffusion as a change of weights: proximal steps of the free energy on a cloud of points.

One step of Jordan, Kinderlehrer and Otto for ∫ψ dρ + τ' Ent(ρ) leads from weights m⁰ at points x⁰
to weights m at points x. With C_ij = <x⁰_i - x_j, M⁻¹ (x⁰_i - x_j)> and an entropy of the coupling
P it minimises

    ½ Σ C_ij P_ij + ε Σ P_ij log(P_ij/ω_j) + h Σ_j m_j (ψ_j + τ' log(m_j/ω_j)),  P1 = m⁰, Pᵀ1 = m,

where ω_j is the volume that x_j stands for. With Γ = e^{-C/2ε}, P_ij = y_i Γ_ij z_j ω_j solves it:

    y = m⁰ / Γ(ωz),   z = (e^{-ψ/τ' - 1} / Γᵀy)^{1/(1 + ε/hτ')},   m = ω z Γᵀy.

This is the recursion of Caluya and Halder, who have ω = 1 and 1/β for τ'. In log z it contracts by
1/(1 + ε/hτ'); all of it is done in logarithms.

**Temperature.** The entropy of P is noise as well: where V = x²/2, a Gaussian of variance v goes to
one of variance v' with

    v' = v/(1 + u)² + ε/(1 + u),   u = h (1 - τ'/v'),

so that for small h the weights diffuse at the temperature τ' + ε/2h. To flow at τ, the recursion is
run at τ' = τ - ε/2h, which must be positive.

**What the weights are.** The sums are integrals if ω_j = 1/(N n(x_j)) for points of density n; a
constant may be left out. Where n is known the weights are masses, Σ_j m_j g(x_j) ≈ ∫g dρ:

* *cells*: the points stay and fill their region evenly, so that ω = 1.
* *masses*: the points move by Euler–Maruyama. Point i is drawn from q_i = N(x⁰_i - hM∇F'_i, 2τhM),
  and ω_j = 1/Σ_i q_i(x_j) makes Σ_j ω_j g(x_j) an unbiased estimate of ∫g, however the points are
  spread (Veach & Guibas 1995, balance heuristic). This is for few dimensions: where a point sees
  none but the q_i that it is from, ω is the noise of one step.

*densities*: as published, the points move and ω = 1 nevertheless. For small h and many points of
density n, the measure ρ = Σ m_j δ_{x_j} then solves

    ∂_t ρ = ∇·(ρ∇ψ) + (τ' + ε/2h) Δρ - (τ' + ε/h) ∇·(ρ ∇log n).

At rest, where n ∝ e^{-ψ/τ}, its solution is ρ ∝ n² if τ' = τ, whatever ε: m_j ∝ n(x_j) is the value
of the *density* at x_j, and no correction is made. Before, m_j is not the density of the flow. Read
as masses, these weights stand for the Gibbs measure at τ/2, and so do a mean-field energy and every
mean over the ensemble, which take them for masses.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from meanfield.arrays import Array
from meanfield.ensemble import Ensemble
from meanfield.errors import (
    Diverged,
    InvalidInput,
    Unsupported,
    require,
    require_count,
    require_positive,
)
from meanfield.flows import Flow, Langevin, Moves
from meanfield.functionals import Evaluation
from meanfield.schemes.base import Scheme, Step, schemes

WEIGHTS = ("cells", "masses", "densities")
BLOCK = 2**21  # distances held at a time


@schemes.register("proximal-recursion")
@dataclass(frozen=True)
class ProximalRecursion(Scheme):
    """Langevin's law as weights on a cloud of points, by entropic proximal steps. Order 1.

    The weights are the ensemble's masses, whose sum stays. See the module for the recursion, the
    temperature at which it runs and the meaning of the weights. O(N²) for each of its iterations,
    in blocks of rows.

    Parameters
    ----------
    step : float
    epsilon : float
        Weight ε of the coupling's entropy, 0 < ε < 2hτ (any ε > 0 for "densities"). The width √ε of
        Γ should not be below the distance of neighbours. A last, shorter step takes ε in
        proportion.
    weights : {"cells", "masses", "densities"}
        Of points that stay, and are cells of the same volume; of points that move, in few
        dimensions; or, as published, numbers that are proportional to the density when at rest.
    tolerance : float
        Largest change of log z in the last iteration.
    iterations : int
        In a step, at most.

    References
    ----------
    K. Caluya, A. Halder, IEEE Transactions on Automatic Control 2020;
    A. Teter, I. Nodozi, A. Halder, 2024 (mean-field networks).
    """

    epsilon: float
    weights: Literal["cells", "masses", "densities"] = "masses"
    tolerance: float = 1e-9
    iterations: int = 10_000

    order: ClassVar[int] = 1
    evaluations: ClassVar[int] = 2
    serves = needs = frozenset({Moves.TRANSPORT, Moves.NOISE})

    def __post_init__(self) -> None:
        super().__post_init__()
        require_positive("epsilon", self.epsilon)
        require(self.weights in WEIGHTS, "weights", self.weights, f"one of {', '.join(WEIGHTS)}")
        require_positive("tolerance", self.tolerance)
        require_count("iterations", self.iterations)

    @classmethod
    def suits(cls, flow: Flow) -> bool:
        return super().suits(flow) and isinstance(flow, Langevin) and not flow.constraint

    def check(self, flow: Flow) -> None:
        if isinstance(flow, Langevin):
            if flow.constraint:
                raise Unsupported(
                    "the scheme 'proximal-recursion' is for flows without constraints: "
                    "use 'euler-maruyama'"
                )
            if flow.moves == self.serves:
                self.remaining(flow.temperature * flow.cool(0.0))
        super().check(flow)

    def remaining(self, temperature: float) -> float:
        """τ' for a temperature τ: without what the coupling's entropy adds.

        Raises
        ------
        InvalidInput
            If it is not positive.
        """
        added = 0.0 if self.weights == "densities" else self.epsilon / (2.0 * self.step)
        if temperature <= added:
            largest = 2.0 * self.step * temperature
            raise InvalidInput(
                "epsilon", self.epsilon, f"a number < 2hτ = {largest:g} (h the step, τ temperature)"
            )
        return temperature - added

    def advance(
        self, flow: Flow, ensemble: Ensemble, here: Evaluation, length: float, seed: int
    ) -> Step:
        assert isinstance(flow, Langevin)
        metric = np.sqrt(flow.speeds(ensemble.layout))
        if not np.all(metric > 0):
            raise Unsupported(
                "the scheme 'proximal-recursion' has no mobility 0, as mass passes between any two "
                "particles: use 'euler-maruyama'"
            )
        temperature = flow.temperature * flow.cool(ensemble.time + 0.5 * length)
        tau = self.remaining(temperature)
        epsilon = self.epsilon * length / self.step  # of the same temperature
        after, there = ensemble.having(time=ensemble.time + length), here
        log_volume = np.zeros(len(ensemble))
        if self.weights != "cells":
            mean = ensemble.moved(flow.motion(ensemble, here), length)
            after = mean.having(position=mean.position.copy())
            flow.stir(after, 1.0, length, seed, ensemble.step)
            there = flow.driving.evaluate(after)
            if self.weights == "masses":
                points, means = after.position / metric, mean.position / metric
                log_volume = -smoothed(points, means, log_volume, 2.0 * temperature * length)
        variation = there.variation.astype(float)
        with np.errstate(divide="ignore"):  # a mass may be 0
            log_mass = np.log(ensemble.mass)
        found = self._recursion(
            (ensemble.position / metric, after.position / metric),
            log_mass,
            log_volume,
            length / epsilon * (variation - variation.min()),
            length / epsilon * tau,
            epsilon,
        )
        if found is None:
            rate = length * tau / (epsilon + length * tau)
            raise Diverged(
                f"step {ensemble.step + 1} (time {ensemble.time:g}): the proximal recursion did "
                f"not converge in {self.iterations} iterations, each of which leaves {rate:.4g} of "
                "the error; try a larger epsilon, more iterations or a larger tolerance"
            )
        return Step(after.having(mass=np.exp(found)))

    def _recursion(
        self,
        points: tuple[Array, Array],
        log_mass: Array,
        log_volume: Array,
        force: Array,
        share: float,
        epsilon: float,
    ) -> Array | None:
        """log m, (N,), at the second points; force is hψ/ε, share hτ'/ε. None: no convergence."""
        old, new = points
        log_z = -force / (1.0 + share)
        for _ in range(self.iterations):
            log_y = log_mass - smoothed(old, new, log_volume + log_z, epsilon)
            back = smoothed(new, old, log_y, epsilon)
            before, log_z = log_z, -(force + share * (1.0 + back)) / (1.0 + share)
            change = float(np.abs(log_z - before).max())
            if change <= self.tolerance:
                # y belongs to the z before: with that one the masses keep their sum.
                return log_volume + before + back
            if not np.isfinite(change):
                return None
        return None


def smoothed(at: Array, points: Array, logs: Array, variance: float) -> Array:
    """``log Σ_j exp(logs_j - |at_i - points_j|²/2s)``, (N,), for the variance s.

    Parameters
    ----------
    at, points : (N, p), (K, p) arrays
    logs : (K,) array
        -∞ where there is nothing.
    variance : float
    """
    from scipy.spatial.distance import cdist

    found = np.empty(len(at))
    rows = max(1, BLOCK // len(points))
    for start in range(0, len(at), rows):
        block = slice(start, start + rows)
        exponents = cdist(at[block], points, "sqeuclidean")
        exponents *= -0.5 / variance
        exponents += logs
        # exp neither overflows nor vanishes altogether where the largest exponent is 0.
        largest = exponents.max(axis=1)
        exponents -= largest[:, None]
        found[block] = largest + np.log(np.exp(exponents, out=exponents).sum(axis=1))
    return found
