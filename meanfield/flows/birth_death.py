"""Wasserstein–Fisher–Rao with particles of constant mass: they are born and die instead."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from meanfield import random
from meanfield.arrays import Array
from meanfield.ensemble import Ensemble, Motion
from meanfield.errors import Unsupported
from meanfield.flows.base import Moves, flows
from meanfield.flows.fisher_rao import Reacting
from meanfield.functionals import Evaluation, Functional


@flows.register("birth-death")
class BirthDeath(Reacting):
    """Transport with births and deaths: masses stay 1/N, particles are doubled and removed.

    In a time h, particle i dies with probability 1 - e^{-hβΛ_i} if Λ_i = F'_i - mean F' > 0, and
    is doubled with probability 1 - e^{-hβ|Λ_i|} if Λ_i < 0; then particles are removed or doubled
    at random until there are N again. As N → ∞ the law follows Wasserstein–Fisher–Rao, at the
    Monte Carlo rate. A particle that was doubled stays where it is, and the copy takes the row of
    one that died.

    Parameters
    ----------
    energy, mobility, constraint, alpha, beta
        As for `WassersteinFisherRao`.

    References
    ----------
    G. Rotskoff, S. Jelassi, J. Bruna, E. Vanden-Eijnden, ICML 2019, algorithm 1.
    """

    usual = ("lie", "lie")

    def __init__(
        self,
        energy: Functional,
        mobility: Mapping[str, float] | None = None,
        constraint: Mapping[str, Any] | None = None,
        alpha: float = 1.0,
        beta: float = 1.0,
    ) -> None:
        super().__init__(energy, mobility, constraint, alpha, beta)

    @property
    def moves(self) -> frozenset[Moves]:
        moves = {Moves.TRANSPORT: self.alpha, Moves.JUMPS: self.beta}
        return frozenset(move for move, speed in moves.items() if speed)

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
