"""Wasserstein–Fisher–Rao with particles of constant mass: they are born and die instead."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from meanfield import random
from meanfield.arrays import Array
from meanfield.ensemble import Ensemble, Layout, Motion
from meanfield.errors import Unsupported
from meanfield.flows.base import Moves, flows
from meanfield.flows.fisher_rao import Reacting
from meanfield.flows.manifolds import Constraint
from meanfield.functionals import Evaluation, Functional, RegularisedEntropy


@flows.register("birth-death")
class BirthDeath(Reacting):
    """Transport with births and deaths: masses stay 1/N, particles are doubled and removed.

    In a time h, particle i dies with probability 1 - e^{-hβΛ_i} if Λ_i = F'_i - mean F' > 0, and
    is doubled with probability 1 - e^{-hβ|Λ_i|} if Λ_i < 0; then particles are removed or doubled
    at random until there are N again. As N → ∞ the law follows Wasserstein–Fisher–Rao, at the
    Monte Carlo rate. A particle that was doubled stays where it is, and the copy takes the row of
    one that died.

    With a temperature τ, the weight of `Entropy`, particles move by Langevin dynamics,
    dθ_i = -αM∇F' dt + √(2ατM) dW, and Λ_i is the excess of F' + τ log(K * ρ) over its mean, with
    the Gaussian density K of standard deviation h in every column: births and deaths know the
    density where the law is smoothed over h, noise knows it exactly. The fixed point is the Gibbs
    measure as h → 0; between wells that no particle can climb out of, mass is passed all the same.

    Parameters
    ----------
    energy, mobility, constraint, alpha, beta
        As for `WassersteinFisherRao`.
    bandwidth : float
        h, in units of the positions; it matters with a temperature only. None is right for all
        problems: it wants several particles within h, and a law that is smooth over h.

    References
    ----------
    G. Rotskoff, S. Jelassi, J. Bruna, E. Vanden-Eijnden, ICML 2019, algorithm 1; Y. Lu, J. Lu,
    J. Nolen, Accelerating Langevin sampling with birth-death, 2019 (with noise).
    """

    usual = ("lie", "lie")

    def __init__(
        self,
        energy: Functional,
        mobility: Mapping[str, float] | None = None,
        constraint: Constraint | None = None,
        alpha: float = 1.0,
        beta: float = 1.0,
        bandwidth: float = 0.1,
    ) -> None:
        super().__init__(energy, mobility, constraint, alpha, beta)
        self.smoothed = RegularisedEntropy(bandwidth)

    @property
    def moves(self) -> frozenset[Moves]:
        noise = self.alpha * self.temperature
        moves = {Moves.TRANSPORT: self.alpha, Moves.NOISE: noise, Moves.JUMPS: self.beta}
        return frozenset(move for move, speed in moves.items() if speed)

    def noise(self, layout: Layout, time: float = 0.0) -> Array | None:
        if self.alpha * self.temperature == 0:
            return None
        return np.sqrt(2.0 * self.alpha * self.temperature * self.speeds(layout))

    def prepare(self, ensemble: Ensemble, seed: int) -> Ensemble:
        even = bool(np.ptp(ensemble.mass) <= 1e-12 * ensemble.mass.max())
        if not even:
            raise Unsupported(
                "the flow 'birth-death' needs equal masses at the start: "
                "use the flow 'wasserstein-fisher-rao' for others"
            )
        return super().prepare(ensemble, seed)

    def motion(self, ensemble: Ensemble, evaluation: Evaluation) -> Motion:
        return Motion(self.velocity(ensemble, evaluation))

    def reaction(self, ensemble: Ensemble, evaluation: Evaluation) -> Array:
        """``-β Λ_i``, (N,)."""
        if self.temperature:
            logs = self.smoothed.log_density(ensemble)
            variation = evaluation.variation + self.temperature * logs
            evaluation = replace(evaluation, variation=variation)
        return super().reaction(ensemble, evaluation)

    def settle(self, ensemble: Ensemble) -> Ensemble:
        return super(Reacting, self).settle(ensemble)

    def jump(
        self, ensemble: Ensemble, evaluation: Evaluation, length: float, seed: int, step: int
    ) -> Array:
        """Which particle each row (N,) of the next ensemble is a copy of.

        Rows that neither die nor take a copy keep their own particle.
        """
        count = len(ensemble)
        excess = -self.reaction(ensemble, evaluation)
        happens = random.uniform(seed, random.Stream.JUMPS, step, (count, 1))[:, 0]
        rings = happens < -np.expm1(-length * np.abs(excess))
        alive = ~(rings & (excess > 0))
        born = np.flatnonzero(rings & (excess < 0))
        source = np.arange(count)
        generator = random.generator(seed, random.Stream.JUMPS, step)
        if not alive.any():
            return source
        # Copies that find no free row, and free rows that find no copy, are settled by lot.
        free = np.flatnonzero(~alive)
        extra = len(born) - len(free)
        if extra > 0:
            pool = np.concatenate([np.flatnonzero(alive), born])
            removed = generator.choice(len(pool), extra, replace=False)
            killed = pool[removed]
            survivors = np.bincount(pool, minlength=count) - np.bincount(killed, minlength=count)
        else:
            survivors = alive.astype(int)
            survivors[born] += 1
            pool = np.repeat(np.arange(count), survivors)
            again = pool[generator.integers(0, len(pool), -extra)]
            survivors = survivors + np.bincount(again, minlength=count)
        vacant = np.flatnonzero(survivors == 0)
        source[vacant] = np.repeat(np.arange(count), np.maximum(survivors - 1, 0))
        return source
