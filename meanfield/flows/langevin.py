"""Mean-field Langevin dynamics: the entropy of the energy becomes noise."""

from __future__ import annotations

import numpy as np

from meanfield.arrays import Array
from meanfield.ensemble import Layout
from meanfield.flows.base import Flow, flows


@flows.register("langevin")
class Langevin(Flow):
    """Overdamped Langevin dynamics dθ_i = -M ∇F'(θ_i) dt + √(2 τ M) dW_i.

    τ is the weight of `Entropy` in the energy; F' is that of the energy without it. The law of
    the particles then descends F + τ Ent, with the Gibbs measure as fixed point.

    References
    ----------
    S. Mei, A. Montanari, P.-M. Nguyen, PNAS 2018; A. Nitanda, D. Wu, T. Suzuki, AISTATS 2022;
    L. Chizat, TMLR 2022.
    """

    def noise(self, layout: Layout) -> Array | None:
        if self.temperature == 0:
            return None
        return np.sqrt(2.0 * self.temperature * self.speeds(layout))
