"""The blob method: diffusion without noise."""

from __future__ import annotations

from collections.abc import Mapping

from meanfield.flows.base import Flow, flows
from meanfield.flows.manifolds import Constraint
from meanfield.functionals import Functional, RegularisedEntropy
from meanfield.functionals.entropy import with_entropy


@flows.register("blob")
class Blob(Flow):
    """Wasserstein gradient flow of F + τ Ent_h: the entropy of the measure smoothed over h.

    dθ_i = -M (∇F' + τ ∇Ent_h')(θ_i) dt, with τ the weight of `Entropy` in the energy. It is a
    gradient flow for every h and N, deterministic, and tends to the law of `Langevin` as h → 0
    with more and more particles in a ball of radius h.

    Parameters
    ----------
    energy, mobility, constraint
        As for every flow.
    bandwidth : float
        h, in units of the positions and the same for all columns. None is right for all problems:
        below the distance of neighbours, particles do not repel each other.

    References
    ----------
    J. A. Carrillo, K. Craig, F. S. Patacchini, Calc. Var. 58, 2019.
    """

    usual = ("euler", "euler")

    def __init__(
        self,
        energy: Functional,
        mobility: Mapping[str, float] | None = None,
        constraint: Constraint | None = None,
        bandwidth: float = 0.1,
    ) -> None:
        super().__init__(with_entropy(energy, RegularisedEntropy(bandwidth)), mobility, constraint)
