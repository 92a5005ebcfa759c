"""Flows that change masses: Fisher–Rao, and together with transport Wasserstein–Fisher–Rao.

Masses grow where F' is below its mean and shrink where it is above,

    (log m_i)' = -β (F'(θ_i) - Σ_j m_j F'(θ_j)),

which keeps their sum; unbalanced flows leave the mean out. Without noise, a temperature needs an
entropy that particles have: of their masses on the points where they stay, or of the measure
smoothed over a bandwidth where they move.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from meanfield.arrays import Array
from meanfield.ensemble import Ensemble, Motion
from meanfield.errors import require, require_nonnegative
from meanfield.flows.base import Flow, Moves, flows
from meanfield.flows.manifolds import Constraint
from meanfield.functionals import CloudEntropy, Evaluation, Functional, RegularisedEntropy
from meanfield.functionals.entropy import with_entropy
from meanfield.kernels import reductions


class Reacting(Flow):
    """A flow whose masses change at the rate β; see the module.

    What becomes of an `Entropy` in the energy, a subclass decides.

    Parameters
    ----------
    energy, mobility, constraint
        As for every flow.
    alpha : float
        Speed of transport; 0: particles stay where they are.
    beta : float
        Speed β of the reaction.
    balanced : bool
        Keep the total mass.
    """

    def __init__(
        self,
        energy: Functional,
        mobility: Mapping[str, float] | None = None,
        constraint: Constraint | None = None,
        alpha: float = 1.0,
        beta: float = 1.0,
        balanced: bool = True,
    ) -> None:
        super().__init__(energy, mobility, constraint)
        require_nonnegative("alpha", alpha)
        require_nonnegative("beta", beta)
        self.alpha, self.beta, self.balanced = float(alpha), float(beta), bool(balanced)

    @property
    def moves(self) -> frozenset[Moves]:
        moves = {Moves.TRANSPORT: self.alpha, Moves.REACTION: self.beta}
        return frozenset(move for move, speed in moves.items() if speed)

    def velocity(self, ensemble: Ensemble, evaluation: Evaluation) -> Array:
        if self.alpha == 0:
            return np.zeros_like(ensemble.position)
        return self.alpha * self.descent(ensemble, evaluation)

    def reaction(self, ensemble: Ensemble, evaluation: Evaluation) -> Array:
        """Rate of growth of each mass, (N,)."""
        variation = evaluation.variation.astype(float, copy=False)
        return -self.beta * (variation - self._mean(ensemble, variation))

    def motion(self, ensemble: Ensemble, evaluation: Evaluation) -> Motion:
        transport = self.velocity(ensemble, evaluation) if self.alpha else None
        return Motion(transport, self.reaction(ensemble, evaluation))

    def settle(self, ensemble: Ensemble) -> Ensemble:
        settled = super().settle(ensemble)
        if not self.balanced:
            return settled
        # The reaction keeps the sum, a step only to its order; the growth that all particles
        # share is the sum's error, and dividing by it makes a step with constant F' exact.
        return settled.having(mass=settled.mass / _total(settled))

    def dissipation(self, ensemble: Ensemble, evaluation: Evaluation) -> float:
        """``α ∫ <∇F', M∇F'> dρ + β Var_ρ(F')``; unbalanced, ``β ∫ F'² dρ``."""
        variation = evaluation.variation.astype(float, copy=False)
        away = variation - self._mean(ensemble, variation)
        spread = reductions.dissipation(away[:, None], np.ones(1), ensemble.mass)
        transport = super().dissipation(ensemble, evaluation) if self.alpha else 0.0
        return self.alpha * transport + self.beta * spread

    def _mean(self, ensemble: Ensemble, variation: Array) -> float:
        if not self.balanced:
            return 0.0
        return float(ensemble.mean(variation)) / _total(ensemble)


def _total(ensemble: Ensemble) -> float:
    return float(ensemble.mean(np.ones(len(ensemble))))


@flows.register("fisher-rao")
class FisherRao(Reacting):
    """Fisher–Rao flow: particles stay, masses m_i grow at the rate β(mean F' - F'_i).

    On a linear functional it is the replicator equation, m_i(t) ∝ m_i(0) e^{-βtV_i}, which every
    scheme follows exactly: a step multiplies masses by e^{-βhF'_i} (multiplicative weights). With
    a temperature, log m_i moves on a line to that of the Gibbs measure: with κ = e^{-βτt},
    m_i(t) ∝ m_i(0)^κ (cells_i e^{-V_i/τ})^{1-κ}.

    Parameters
    ----------
    energy : Functional
    beta : float
        Speed.
    balanced : bool
        Keep the total mass; else (log m_i)' = -βF'_i.
    cells : (N,) sequence, optional
        Sizes of the cells that the particles stand for, by default equal: with a temperature,
        the entropy is `CloudEntropy`, Σ m_i log(m_i / cells_i).

    References
    ----------
    Y. Lu, J. Lu, J. Nolen, 2019; Y. Freund, R. Schapire, 1997 (multiplicative weights).
    """

    usual = ("euler", "euler")

    def __init__(
        self,
        energy: Functional,
        beta: float = 1.0,
        balanced: bool = True,
        cells: Sequence[float] = (),
    ) -> None:
        relative = with_entropy(energy, CloudEntropy(cells))
        super().__init__(relative, alpha=0.0, beta=beta, balanced=balanced)
        self._cells = len(cells)

    def prepare(self, ensemble: Ensemble, seed: int) -> Ensemble:
        fits = self._cells in (0, len(ensemble))
        require(fits, "cells", self._cells, f"as many cells as particles, {len(ensemble)}")
        return super().prepare(ensemble, seed)


@flows.register("wasserstein-fisher-rao")
class WassersteinFisherRao(Reacting):
    """Wasserstein–Fisher–Rao flow: transport with speed α and reaction with speed β.

    ∂_t ρ = α ∇·(ρ M∇F') - β ρ (F' - ∫F' dρ), without the mean if unbalanced. Balanced neurons of
    a 2-homogeneous network move so, on the signed sphere, with (α, β) = (1, 2) and unbalanced.
    With a temperature F has the entropy of the measure smoothed over a bandwidth, whose gradient
    moves particles and whose variation moves masses: `RegularisedEntropy`, as in `Blob`. That too
    is a gradient flow, without noise.

    Parameters
    ----------
    energy, mobility, constraint, alpha, beta, balanced
        See the module.
    bandwidth : float
        h of the smoothed entropy, in units of the positions; it matters with a temperature only.
        None is right for all problems: the error is O(h⁴) where the law is smooth, and particles
        further apart than h neither repel each other nor share mass.

    References
    ----------
    G. Rotskoff, S. Jelassi, J. Bruna, E. Vanden-Eijnden, 2019; L. Chizat, Mathematical
    Programming 2022; J. A. Carrillo, K. Craig, F. S. Patacchini, Calc. Var. 58, 2019 (smoothing).
    """

    usual = ("euler", "euler")

    def __init__(
        self,
        energy: Functional,
        mobility: Mapping[str, float] | None = None,
        constraint: Constraint | None = None,
        alpha: float = 1.0,
        beta: float = 1.0,
        balanced: bool = True,
        bandwidth: float = 0.1,
    ) -> None:
        smoothed = with_entropy(energy, RegularisedEntropy(bandwidth))
        super().__init__(smoothed, mobility, constraint, alpha, beta, balanced)
