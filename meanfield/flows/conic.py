"""Conic descent: signed measures that are sparse, by particles on a cone."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from meanfield.arrays import Array
from meanfield.ensemble import Ensemble, Layout
from meanfield.errors import require
from meanfield.flows.base import flows
from meanfield.flows.fisher_rao import Reacting
from meanfield.flows.manifolds import Constraint
from meanfield.functionals import Functional


@flows.register("conic")
class Conic(Reacting):
    """Conic descent of signed particles: signs stay, positions and masses move, unbalanced.

    The block ``a`` is the sign ±1 of a particle, so that the ensemble is the signed measure
    ν = Σ_i m_i a_i δ_{w_i}, and the energy R(ν) + λ ∫|a| dρ (`L1`) is R(ν) + λ |ν|_TV where no two
    particles of opposite signs meet. The total mass is free: dθ_i = -αM∇F'(θ_i) dt and
    (log m_i)' = -βF'(θ_i). With R convex and a start that has both signs everywhere, the flow can
    only converge to a minimiser among all signed measures; with particles, the observable
    "certificate" tells how far from one they are.

    The default speeds (α, β) = (1, 4) are those of the cone: with r = √m, and the metric
    dr² + r² dθ², the gradient flow of (r_i, θ_i) ↦ F(Σ r_i² δ_{θ_i}) is r' = -2rF', θ' = -∇F', and
    (r²)' = -4r²F'. Speeds α and β are those of the metric (4/β) dr² + (1/α) r² dθ²; the paper
    calls β/4 alpha, and α beta. Neurons a s(<w, x>) of degree 1 in w, balanced to |a| = |w|, move
    with (1, 2), where m = |a||w|. Steps multiply masses, m ← m e^{-hβF'}: the mirror retraction.

    Parameters
    ----------
    energy, mobility, constraint
        As for every flow; the mobility of ``a`` is 0.
    alpha, beta : float
        Speeds α of positions and β of masses.

    References
    ----------
    L. Chizat, Sparse optimization on measures with over-parameterized gradient descent,
    Mathematical Programming 2022, section 2.
    """

    def __init__(
        self,
        energy: Functional,
        mobility: Mapping[str, float] | None = None,
        constraint: Constraint | None = None,
        alpha: float = 1.0,
        beta: float = 4.0,
    ) -> None:
        super().__init__(energy, mobility, constraint, alpha, beta, balanced=False)
        self.refuse_temperature("langevin")
        given = self.mobility.get("a", 0.0)
        require(given == 0, "mobility.a", given, "0, as the signs of particles stay")

    def speeds(self, layout: Layout) -> Array:
        speeds = super().speeds(layout)
        speeds[layout.columns("a")] = 0.0
        return speeds

    def prepare(self, ensemble: Ensemble, seed: int) -> Ensemble:
        blocks = ensemble.layout.blocks
        require(blocks.get("a") == (), "blocks", tuple(blocks), "a block a of one column, the sign")
        off = ensemble.a[np.abs(ensemble.a) != 1]
        expected = "a sign, 1 or -1: an ensemble of kind 'sphere', or one with signs = [\"a\"]"
        require(not len(off), "a", off, expected)
        return super().prepare(ensemble, seed)
