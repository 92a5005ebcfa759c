"""Mean-field Langevin dynamics: the entropy of the energy becomes noise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from meanfield.arrays import Array
from meanfield.ensemble import Layout
from meanfield.flows.base import Flow, Moves, flows
from meanfield.flows.cooling import Cooling, coolings
from meanfield.flows.manifolds import Constraint
from meanfield.functionals import Functional


@flows.register("langevin")
class Langevin(Flow):
    """Overdamped Langevin dynamics dθ_i = -M ∇F'(θ_i) dt + √(2 τ M) dW_i.

    τ is the weight of `Entropy` in the energy; F' is that of the energy without it. The law of
    the particles then descends F + τ Ent, with the Gibbs measure as fixed point.

    Parameters
    ----------
    energy, mobility, constraint
        As for every flow.
    cool : str or table, optional
        How τ changes in time: see `meanfield.flows.cooling`. Default: it stays.

    References
    ----------
    S. Mei, A. Montanari, P.-M. Nguyen, PNAS 2018; A. Nitanda, D. Wu, T. Suzuki, AISTATS 2022;
    L. Chizat, TMLR 2022 (also for cooling).
    """

    def __init__(
        self,
        energy: Functional,
        mobility: Mapping[str, float] | None = None,
        constraint: Constraint | None = None,
        cool: str | Mapping[str, Any] | Cooling = "constant",
    ) -> None:
        super().__init__(energy, mobility, constraint)
        self.cool: Cooling = coolings.make("cool", cool)

    @property
    def moves(self) -> frozenset[Moves]:
        return super().moves | ({Moves.NOISE} if self.temperature else set())

    def noise(self, layout: Layout, time: float = 0.0) -> Array | None:
        if self.temperature == 0:
            return None
        return np.sqrt(2.0 * self.temperature * self.cool(time) * self.speeds(layout))
