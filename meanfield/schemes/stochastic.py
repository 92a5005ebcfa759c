"""Schemes for flows with additive noise."""

from __future__ import annotations

import numpy as np

from meanfield import random
from meanfield.ensemble import Ensemble
from meanfield.errors import Unsupported
from meanfield.flows import Flow, Moves
from meanfield.functionals import L2, Evaluation
from meanfield.schemes.base import Scheme, Step, schemes

ALL_BUT_JUMPS = frozenset({Moves.TRANSPORT, Moves.NOISE, Moves.REACTION, Moves.MOMENTUM})


@schemes.register("euler-maruyama")
class EulerMaruyama(Scheme):
    """Euler with noise: θ ← θ - h M ∇F' + √(2 τ M h) ξ. Strong and weak order 1 (additive noise).

    References
    ----------
    G. Maruyama, 1955; P. Kloeden, E. Platen, Numerical solution of SDEs, 1992, section 10.2.
    """

    order, strong, weak, evaluations = 1, 1.0, 1.0, 1
    serves = ALL_BUT_JUMPS

    def advance(
        self, flow: Flow, ensemble: Ensemble, here: Evaluation, length: float, seed: int
    ) -> Step:
        there = ensemble.moved(flow.motion(ensemble, here), length)
        flow.stir(there, 1.0, length, seed, ensemble.step)
        return Step(flow.settle(there))


@schemes.register("stochastic-heun")
class StochasticHeun(Scheme):
    """Heun's method with the same noise in both stages. Strong order 1, weak order 2.

    The orders are those of additive noise, which all of our flows have.

    References
    ----------
    P. Kloeden, E. Platen, 1992, section 15.1; G. Milstein, M. Tretyakov, 2004, section 2.2.
    """

    order, strong, weak, evaluations = 2, 1.0, 2.0, 2
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

    order, strong, weak, evaluations = 1, 0.5, 1.0, 1
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

    order, strong, weak, evaluations = 1, 1.0, 1.0, 1
    serves = frozenset({Moves.TRANSPORT, Moves.NOISE})

    def check(self, flow: Flow) -> None:
        super().check(flow)
        if flow.constraint:
            raise Unsupported(
                "the scheme 'exponential' is for flows without constraints: use 'euler-maruyama'"
            )

    def advance(
        self, flow: Flow, ensemble: Ensemble, here: Evaluation, length: float, seed: int
    ) -> Step:
        ridge = sum(c for c, term in flow.driving.terms() if isinstance(term, L2))
        rate = ridge * flow.speeds(ensemble.layout)
        # (1 - e^{-2x})/(2x) and (1 - e^{-x})/x of what decays, at x = 0 as well.
        decay, twice = _average(rate * length), _average(2.0 * rate * length)
        velocity = flow.velocity(ensemble, here)
        there = ensemble.at(ensemble.position + (length * decay).astype(velocity.dtype) * velocity)
        amplitude = flow.noise(ensemble.layout, ensemble.time + 0.5 * length)
        if amplitude is not None:
            scale = np.sqrt(length * twice) * amplitude
            stream = random.Stream.LANGEVIN
            random.add_normal(there.position, scale, seed, stream, ensemble.step)
        return Step(there.having(time=ensemble.time + length))


def _average(x: np.ndarray) -> np.ndarray:
    """(1 - e^{-x})/x, and 1 at 0."""
    return np.divide(-np.expm1(-x), x, out=np.ones_like(x), where=x > 0)
