"""Schemes for flows with additive noise."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from meanfield import random
from meanfield.ensemble import Ensemble, Motion
from meanfield.errors import require_positive
from meanfield.flows import Flow, Moves
from meanfield.functionals import L2, Evaluation
from meanfield.schemes.base import Scheme, Step, schemes
from meanfield.schemes.decay import mean_decay

ALL_BUT_JUMPS = frozenset({Moves.TRANSPORT, Moves.NOISE, Moves.REACTION, Moves.MOMENTUM})


@schemes.register("euler-maruyama")
class EulerMaruyama(Scheme):
    """Euler with noise: θ ← θ - h M ∇F' + √(2 τ M h) ξ. Strong and weak order 1 (additive noise).

    With noise that depends on the state, the strong order is 1/2.

    References
    ----------
    G. Maruyama, 1955; P. Kloeden, E. Platen, Numerical solution of SDEs, 1992, section 10.2.
    """

    order, strong, weak, evaluations, stability = 1, 1.0, 1.0, 1, 2.0
    serves = ALL_BUT_JUMPS | {Moves.SAMPLING}

    def advance(
        self, flow: Flow, ensemble: Ensemble, here: Evaluation, length: float, seed: int
    ) -> Step:
        there = ensemble.moved(flow.motion(ensemble, here), length)
        flow.stir(there, 1.0, length, seed, ensemble.step)
        return Step(flow.settle(there))


@schemes.register("tamed-euler")
@dataclass(frozen=True)
class TamedEuler(Scheme):
    """Euler–Maruyama with clipped displacements: u ← u/(1 + |u|/r), u = -h M ∇F' of a particle.

    No particle is carried farther than the reach r in a step, however steep the energy is where
    it is; noise comes on top. Gradients that grow faster than linearly, for which Euler's
    moments may explode at any step, are followed to strong and weak order 1 (additive noise).

    Parameters
    ----------
    step : float
    reach : float
        r, in units of the positions; the longer, the closer to Euler.

    References
    ----------
    M. Hutzenthaler, A. Jentzen, P. Kloeden, Annals of Applied Probability 2012 (r = 1).
    """

    reach: float = 1.0

    order, strong, weak, evaluations = 1, 1.0, 1.0, 1
    serves = frozenset({Moves.TRANSPORT, Moves.NOISE})

    def __post_init__(self) -> None:
        super().__post_init__()
        require_positive("reach", self.reach)

    def advance(
        self, flow: Flow, ensemble: Ensemble, here: Evaluation, length: float, seed: int
    ) -> Step:
        velocity = flow.velocity(ensemble, here)
        distance = length * np.linalg.norm(velocity, axis=1, keepdims=True)
        there = ensemble.moved(Motion(velocity / (1.0 + distance / self.reach)), length)
        flow.stir(there, 1.0, length, seed, ensemble.step)
        return Step(flow.settle(there))


@schemes.register("stochastic-heun")
class StochasticHeun(Scheme):
    """Heun's method with the same noise in both stages. Strong order 1, weak order 2.

    The orders are those of additive noise, the only one that it serves; on a curved constraint,
    where noise is not additive, the weak order is 1.

    References
    ----------
    P. Kloeden, E. Platen, 1992, section 15.1; G. Milstein, M. Tretyakov, 2004, section 2.2.
    """

    order, strong, weak, evaluations, stability = 2, 1.0, 2.0, 2, 2.0
    serves = ALL_BUT_JUMPS

    def advance(
        self, flow: Flow, ensemble: Ensemble, here: Evaluation, length: float, seed: int
    ) -> Step:
        slope = flow.motion(ensemble, here)
        guess = ensemble.moved(slope, length)
        flow.stir(guess, 1.0, length, seed, ensemble.step)
        guess = flow.settle(guess)
        slope = 0.5 * (slope + flow.motion(guess, flow.driving.evaluate(guess)))
        there = ensemble.moved(slope, length)
        flow.stir(there, 1.0, length, seed, ensemble.step)
        return Step(flow.settle(there))


@schemes.register("leimkuhler-matthews")
class LeimkuhlerMatthews(Scheme):
    """Euler with the mean of two steps' noise: θ ← θ - h M ∇F' + √(2 τ M h) (ξ_n + ξ_{n+1})/2.

    Weak order 1 at finite times, but 2 for averages in the long run, at the cost of Euler; exact
    for the variance of a Gaussian at rest. Each path is √h away from that of its noise.

    References
    ----------
    B. Leimkuhler, C. Matthews, Applied Mathematics Research eXpress 2013, equation (12).
    """

    order, strong, weak, evaluations, stability = 1, 0.5, 1.0, 1, 2.0
    serves = frozenset({Moves.TRANSPORT, Moves.NOISE})

    def advance(
        self, flow: Flow, ensemble: Ensemble, here: Evaluation, length: float, seed: int
    ) -> Step:
        there = ensemble.moved(flow.motion(ensemble, here), length)
        flow.stir(there, 0.5, length, seed, ensemble.step)
        flow.stir(there, 0.5, length, seed, ensemble.step + 1)
        return Step(flow.settle(there))


@schemes.register("exponential")
class Exponential(Scheme):
    """Ridge and noise exactly, the rest by Euler: no step is too long for the ridge. Order 1.

    With the weight λ of `L2` in the energy and G the gradient of the rest,
    θ ← e^{-λMh} θ - (1 - e^{-λMh})/λ G + √(τ (1 - e^{-2λMh})/λ) ξ: exact where G is constant.

    References
    ----------
    M. Hochbruck, A. Ostermann, Acta Numerica 2010 (without noise).
    """

    order, strong, weak, evaluations, stability = 1, 1.0, 1.0, 1, 2.0
    serves = frozenset({Moves.TRANSPORT, Moves.NOISE})
    restriction = "flows along -M∇F' without constraints"

    @classmethod
    def suits(cls, flow: Flow) -> bool:
        return super().suits(flow) and flow.is_plain and not flow.constraint

    def stable_step(self, flow: Flow, ensemble: Ensemble, sharpness: float) -> float:
        rate = self._slowest(flow, ensemble)
        if rate == 0:
            return super().stable_step(flow, ensemble, sharpness)
        share = 2.0 * rate / sharpness if sharpness > 0 else math.inf
        return -math.log1p(-share) / rate if share < 1 else math.inf

    def stable_sharpness(self, flow: Flow, ensemble: Ensemble) -> float:
        rate, step = self._slowest(flow, ensemble), float(self.step)
        return 2.0 / step if rate == 0 else -2.0 * rate / math.expm1(-rate * step)

    @staticmethod
    def _slowest(flow: Flow, ensemble: Ensemble) -> float:
        """The least rate c of the ridge: stable if λ (1 - e^{-ch})/c ≤ 2, the ridge within λ."""
        speeds = flow.speeds(ensemble.layout)
        return max(0.0, _ridge(flow) * float(speeds[speeds > 0].min(initial=math.inf)))

    def advance(
        self, flow: Flow, ensemble: Ensemble, here: Evaluation, length: float, seed: int
    ) -> Step:
        rate = _ridge(flow) * flow.speeds(ensemble.layout)
        # (1 - e^{-2x})/(2x) and (1 - e^{-x})/x of what decays, at x = 0 as well.
        decay, twice = mean_decay(rate * length), mean_decay(2.0 * rate * length)
        velocity = flow.velocity(ensemble, here)
        there = ensemble.at(ensemble.position + (length * decay).astype(velocity.dtype) * velocity)
        amplitude = flow.noise(ensemble.layout, ensemble.time + 0.5 * length)
        if amplitude is not None:
            scale = np.sqrt(length * twice) * amplitude
            stream = random.Stream.LANGEVIN
            random.add_normal(there.position, scale, seed, stream, ensemble.step)
        return Step(there.having(time=ensemble.time + length))


def _ridge(flow: Flow) -> float:
    return sum(c for c, term in flow.driving.terms() if isinstance(term, L2))
