"""The Wasserstein gradient flow: every particle follows minus the gradient of F'."""

from __future__ import annotations

from collections.abc import Mapping

from meanfield.flows.base import Flow, flows
from meanfield.flows.manifolds import Constraint
from meanfield.functionals import Functional


@flows.register("wasserstein")
class Wasserstein(Flow):
    """Wasserstein gradient flow: dθ_i = -M ∇F'(ρ)(θ_i) dt.

    The measure solves ∂_t ρ = ∇·(ρ M∇F'(ρ)), and dF/dt = -∫ <∇F', M∇F'> dρ.

    References
    ----------
    L. Chizat, F. Bach, NeurIPS 2018; S. Mei, A. Montanari, P.-M. Nguyen, PNAS 2018;
    G. Rotskoff, E. Vanden-Eijnden, 2018; J. Sirignano, K. Spiliopoulos, 2020.
    """

    def __init__(
        self,
        energy: Functional,
        mobility: Mapping[str, float] | None = None,
        constraint: Constraint | None = None,
    ) -> None:
        super().__init__(energy, mobility, constraint)
        self.refuse_temperature("langevin")
