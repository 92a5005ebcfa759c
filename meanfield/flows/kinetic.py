"""Flows of second order: particles have velocities, and friction takes their energy away.

    dθ = v dt,      dv = -γ(t) v dt - M ∇F'(ρ)(θ) dt + √(2 γ τ M) dW.

What falls is the sum of the energy and of the kinetic energy ½ ∫ <v, M⁻¹ v> dμ.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from meanfield import random
from meanfield.arrays import Array
from meanfield.ensemble import Ensemble, Layout, Motion
from meanfield.errors import require, require_nonnegative, require_positive
from meanfield.flows.base import Flow, Moves, flows
from meanfield.flows.cooling import Cooling, coolings
from meanfield.functionals import Evaluation, Functional
from meanfield.kernels import reductions


class SecondOrder(Flow):
    """A flow whose particles have velocities.

    Attributes
    ----------
    steady : bool
        Whether the friction stays the same: splittings use its value in the middle of a step.
    """

    steady: ClassVar[bool] = True
    usual = ("baoab", "baoab")

    def __init__(self, energy: Functional, mobility: Mapping[str, float] | None = None) -> None:
        super().__init__(energy, mobility)

    @property
    def moves(self) -> frozenset[Moves]:
        return frozenset({Moves.MOMENTUM} | ({Moves.NOISE} if self.temperature else set()))

    def friction(self, time: float) -> float:
        """γ(t)."""
        raise NotImplementedError

    def prepare(self, ensemble: Ensemble, seed: int) -> Ensemble:
        ready = super().prepare(ensemble, seed)
        if ready.velocity is not None:
            return ready
        return ready.having(velocity=self.first_velocity(ready, seed))

    def first_velocity(self, ensemble: Ensemble, seed: int) -> Array:
        """Velocities (N, p) of particles that have none yet: at rest."""
        return np.zeros_like(ensemble.position)

    def velocity(self, ensemble: Ensemble, evaluation: Evaluation) -> Array:
        return _velocity(ensemble)

    def motion(self, ensemble: Ensemble, evaluation: Evaluation) -> Motion:
        v = _velocity(ensemble)
        force = self.descent(ensemble, evaluation)
        return Motion(v, velocity=force - self.friction(ensemble.time) * v)

    def stirred(self, ensemble: Ensemble) -> Array:
        return _velocity(ensemble)

    def kinetic_energy(self, ensemble: Ensemble) -> float:
        """½ ∫ <v, M⁻¹ v> dμ; frozen columns, which do not move, have none."""
        return 0.5 * self._square(ensemble)

    def dissipation(self, ensemble: Ensemble, evaluation: Evaluation) -> float:
        """γ ∫ <v, M⁻¹ v> dμ: what energy and kinetic energy together lose without noise."""
        return self.friction(ensemble.time) * self._square(ensemble)

    def _square(self, ensemble: Ensemble) -> float:
        speeds = self.speeds(ensemble.layout)
        inverse = np.divide(1.0, speeds, out=np.zeros_like(speeds), where=speeds > 0)
        return reductions.dissipation(_velocity(ensemble), inverse, ensemble.mass)


def _velocity(ensemble: Ensemble) -> Array:
    require(ensemble.velocity is not None, "velocity", None, "an ensemble with velocities")
    assert ensemble.velocity is not None
    return ensemble.velocity


@flows.register("kinetic")
class Kinetic(SecondOrder):
    """Underdamped Langevin dynamics: dθ = v dt, dv = -γv dt - M∇F' dt + √(2γτM) dW.

    τ is the weight of `Entropy` in the energy. The law of positions at rest is the Gibbs measure
    of the overdamped flow, and velocities are N(0, τM); they start from that law.

    Parameters
    ----------
    energy, mobility
        As for every flow; M is the inverse of a mass.
    friction : float
        γ > 0, per unit of time.
    cool : str or table, optional
        How τ changes in time: see `meanfield.flows.cooling`.

    References
    ----------
    F. Chen, Y. Lin, Z. Ren, S. Wang, 2024 (mean field); B. Leimkuhler, C. Matthews, 2015.
    """

    def __init__(
        self,
        energy: Functional,
        mobility: Mapping[str, float] | None = None,
        friction: float = 1.0,
        cool: str | Mapping[str, Any] | Cooling = "constant",
    ) -> None:
        super().__init__(energy, mobility)
        require_nonnegative("friction", friction)
        self._friction = float(friction)
        self.cool: Cooling = coolings.make("cool", cool)

    def friction(self, time: float) -> float:
        return self._friction

    def first_velocity(self, ensemble: Ensemble, seed: int) -> Array:
        velocity = super().first_velocity(ensemble, seed)
        warmth = self.temperature * self.cool(ensemble.time) * self.speeds(ensemble.layout)
        if self.temperature:
            stream = random.Stream.VELOCITY
            random.add_normal(velocity, np.sqrt(warmth), seed, stream, ensemble.step)
        return velocity

    def noise(self, layout: Layout, time: float = 0.0) -> Array | None:
        if self.temperature == 0:
            return None
        warmth = self.temperature * self.cool(time) * self.speeds(layout)
        return np.sqrt(2.0 * self._friction * warmth)


class Accelerated(SecondOrder):
    """A flow of second order that has no noise."""

    def __init__(self, energy: Functional, mobility: Mapping[str, float] | None = None) -> None:
        super().__init__(energy, mobility)
        self.refuse_temperature("kinetic")


@flows.register("heavy-ball")
class HeavyBall(Accelerated):
    """Polyak's heavy ball: dθ = v dt, dv = -γv dt - M∇F' dt, from rest.

    Parameters
    ----------
    energy, mobility
        As for every flow.
    friction : float
        γ ≥ 0.

    References
    ----------
    B. Polyak, 1964.
    """

    def __init__(
        self,
        energy: Functional,
        mobility: Mapping[str, float] | None = None,
        friction: float = 1.0,
    ) -> None:
        super().__init__(energy, mobility)
        require_nonnegative("friction", friction)
        self._friction = float(friction)

    def friction(self, time: float) -> float:
        return self._friction


@flows.register("nesterov")
class Nesterov(Accelerated):
    """The limit of Nesterov's acceleration: dθ = v dt, dv = -(r/t) v dt - M∇F' dt, from rest.

    For a convex energy F - F* = O(1/t²). At t = 0, where the friction is infinite and the
    velocity 0, the acceleration is its limit -M∇F'/(1 + r).

    Parameters
    ----------
    energy, mobility
        As for every flow.
    r : float
        3 in Nesterov's method; larger damps more.

    References
    ----------
    W. Su, S. Boyd, E. Candès, JMLR 2016, equation (3).
    """

    steady = False
    usual = ("rk4", "rk4")

    def __init__(
        self,
        energy: Functional,
        mobility: Mapping[str, float] | None = None,
        r: float = 3.0,
    ) -> None:
        super().__init__(energy, mobility)
        require_positive("r", r)
        self.r = float(r)

    def friction(self, time: float) -> float:
        return self.r / time if time > 0 else math.inf

    def motion(self, ensemble: Ensemble, evaluation: Evaluation) -> Motion:
        if ensemble.time > 0:
            return super().motion(ensemble, evaluation)
        force = self.descent(ensemble, evaluation)
        return Motion(_velocity(ensemble), velocity=force / (1.0 + self.r))

    def dissipation(self, ensemble: Ensemble, evaluation: Evaluation) -> float:
        return super().dissipation(ensemble, evaluation) if ensemble.time > 0 else 0.0
