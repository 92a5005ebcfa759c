"""Stein variational gradient descent: a gradient flow with the velocities smoothed by a kernel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from meanfield.arrays import Array
from meanfield.ensemble import Ensemble
from meanfield.flows.base import Flow, flows
from meanfield.functionals import Evaluation, Functional
from meanfield.functionals.stein_kernels import SteinKernel, stein_kernels
from meanfield.kernels import reductions


@flows.register("stein")
class Stein(Flow):
    """Stein variational gradient descent: noise becomes repulsion, for any k(x, y).

    dθ_i/dt = M Σ_j m_j [ -k(θ_i, θ_j) ∇F'(θ_j) + τ ∇_{θ_j} k(θ_j, θ_i) ],

    with τ the weight of `Entropy` in the energy: the steepest descent of F + τ Ent among velocities
    in the reproducing space of k. Its target has the density e^{-F'/τ}. A single particle
    with k(θ, θ) = 1 follows the gradient. Frozen blocks do not move, but k sees all columns:
    particles with different labels are different particles.

    Parameters
    ----------
    energy, mobility
        As for every flow.
    kernel : str or table
        "rbf", "imq" or "bilinear" with its arguments: see `meanfield.functionals.stein_kernels`.

    References
    ----------
    Q. Liu, D. Wang, NeurIPS 2016, equation (8); J. Lu, Y. Lu, J. Nolen, SIAM J. Math. Anal. 2019
    (mean field).
    """

    usual = ("euler", "euler")

    def __init__(
        self,
        energy: Functional,
        mobility: Mapping[str, float] | None = None,
        kernel: str | Mapping[str, Any] | SteinKernel = "rbf",
    ) -> None:
        super().__init__(energy, mobility)
        self.kernel: SteinKernel = stein_kernels.make("kernel", kernel)

    def prepare(self, ensemble: Ensemble, seed: int) -> Ensemble:
        self.kernel.at(ensemble.position)  # where a length cannot be found, say so now
        return super().prepare(ensemble, seed)

    def velocity(self, ensemble: Ensemble, evaluation: Evaluation) -> Array:
        speeds = self.speeds(ensemble.layout).astype(ensemble.dtype)
        pull, push = self._transport(ensemble, evaluation)
        return speeds * (self.temperature * push - pull)

    def dissipation(self, ensemble: Ensemble, evaluation: Evaluation) -> float:
        """Rate -d(F + τ Ent)/dt of a density that these particles sample.

        With G = ∇F' it is the double integral, against m ⊗ m and the pairs (i, i) included, of

        k <G, M G'> - τ <G, M ∇'k> - τ <G', M ∇k> + τ² Σ_c M_c ∂_c ∂'_c k ≥ 0:

        τ² times the squared kernel Stein discrepancy, as a V-statistic.
        """
        pull, push = self._transport(ensemble, evaluation)
        speeds, mass = self.speeds(ensemble.layout), ensemble.mass
        force = speeds * (pull - 2 * self.temperature * push)
        rate = reductions.pairing(evaluation.gradient, force, mass)
        if self.temperature == 0:
            return rate
        bend = self.kernel.curvature(ensemble.position, mass, speeds)
        return rate + self.temperature**2 * bend

    def _transport(self, ensemble: Ensemble, evaluation: Evaluation) -> tuple[Array, Array]:
        return self.kernel.transport(ensemble.position, ensemble.mass, evaluation.gradient)
