"""Splittings of kinetic flows, after the parts of dθ = v dt, dv = -γv dt - M∇F' dt + noise.

A moves positions, B kicks velocities by the force, O is friction with noise, exactly; U is A and O
together, exactly. Names are the order of the parts in a step. One evaluation of the energy each.
"""

from __future__ import annotations

import math

from meanfield import random
from meanfield.ensemble import Ensemble, Motion
from meanfield.flows import Flow, Moves
from meanfield.flows.kinetic import SecondOrder
from meanfield.functionals import Evaluation
from meanfield.schemes.base import Scheme, Step, schemes
from meanfield.schemes.decay import mean_decay

KINETIC = frozenset({Moves.MOMENTUM, Moves.NOISE})
SERIES = 0.5  # up to this value of γh, a difference of exponentials is summed as a series


class Splitting(Scheme):
    """What splittings of kinetic flows share."""

    order, weak, evaluations, stability = 2, 2.0, 1, 2.0
    serves, needs = KINETIC, frozenset({Moves.MOMENTUM})

    restriction = "flows whose friction stays the same"

    @classmethod
    def suits(cls, flow: Flow) -> bool:
        return super().suits(flow) and isinstance(flow, SecondOrder) and flow.steady


@schemes.register("baoab")
class BAOAB(Splitting):
    """B A O A B. Weak order 2; exact for the positions of a Gaussian at rest.

    At rest under a force k, var θ = τ/k and var v = τ(1 - kh²/4) (M = 1).

    References
    ----------
    B. Leimkuhler, C. Matthews, Applied Mathematics Research eXpress 2013.
    """

    def advance(
        self, flow: Flow, ensemble: Ensemble, here: Evaluation, length: float, seed: int
    ) -> Step:
        assert isinstance(flow, SecondOrder)
        half, step = 0.5 * length, ensemble.step
        state = _drift(_kick(flow, ensemble, here, half), half)
        state = _drift(_rub(flow, state, length, seed, random.Stream.LANGEVIN, step), half)
        there = _ahead(flow, state, length)
        state = _kick(flow, state, there, half).having(time=ensemble.time + length)
        return Step(state, there)


@schemes.register("obabo")
class OBABO(Splitting):
    """O B A B O: velocity Verlet between two halves of friction. Weak order 2.

    References
    ----------
    G. Bussi, M. Parrinello, Physical Review E 2007.
    """

    def advance(
        self, flow: Flow, ensemble: Ensemble, here: Evaluation, length: float, seed: int
    ) -> Step:
        assert isinstance(flow, SecondOrder)
        half, step = 0.5 * length, ensemble.step
        state = _rub(flow, ensemble, half, seed, random.Stream.LANGEVIN, step)
        state = _drift(_kick(flow, state, here, half), length)
        there = _ahead(flow, state, length)
        state = _kick(flow, state, there, half)
        state = _rub(flow, state.having(time=ensemble.time + half), half, seed, _SECOND, step)
        return Step(state.having(time=ensemble.time + length), there)


@schemes.register("ubu")
class UBU(Splitting):
    """U B U: free motion with friction and noise, exactly; the force in the middle. Weak order 2.

    References
    ----------
    A. Alamo, J. M. Sanz-Serna, SIAM Journal on Numerical Analysis 2016; J. M. Sanz-Serna,
    K. Zygalakis, JMLR 2021.
    """

    looks_first = False

    def advance(
        self, flow: Flow, ensemble: Ensemble, here: Evaluation | None, length: float, seed: int
    ) -> Step:
        assert isinstance(flow, SecondOrder)
        half, step = 0.5 * length, ensemble.step
        state = _free(flow, ensemble, half, seed, random.Stream.LANGEVIN, step)
        state = state.having(time=ensemble.time + half)
        state = _kick(flow, state, flow.driving.evaluate(state), length)
        state = _free(flow, state, half, seed, _SECOND, step)
        return Step(state.having(time=ensemble.time + length))


_SECOND = random.Stream.SECOND


def _ahead(flow: SecondOrder, ensemble: Ensemble, length: float) -> Evaluation:
    """The energy at these positions as the next step begins with it: its batch, its time."""
    later = ensemble.having(time=ensemble.time + length, step=ensemble.step + 1)
    return flow.driving.evaluate(later)


def _kick(flow: SecondOrder, ensemble: Ensemble, there: Evaluation, length: float) -> Ensemble:
    """B."""
    force = Motion(velocity=flow.descent(ensemble, there))
    return ensemble.moved(force, length).having(time=ensemble.time)


def _drift(ensemble: Ensemble, length: float) -> Ensemble:
    """A."""
    return ensemble.moved(Motion(ensemble.velocity), length).having(time=ensemble.time)


def _rub(
    flow: SecondOrder,
    ensemble: Ensemble,
    length: float,
    seed: int,
    stream: random.Stream,
    step: int,
) -> Ensemble:
    """O: v ← e^{-γh} v + √(τM (1 - e^{-2γh})) ξ; γ and τ are those of the middle."""
    middle = ensemble.time + 0.5 * length
    x = flow.friction(middle) * length
    assert ensemble.velocity is not None
    velocity = math.exp(-x) * ensemble.velocity
    amplitude = flow.noise(ensemble.layout, middle)
    if amplitude is not None:
        # The noise is per square root of time: √(2γτM).
        scale = math.sqrt(length * mean_decay(2 * x)) * amplitude
        random.add_normal(velocity, scale, seed, stream, step)
    return ensemble.having(velocity=velocity)


def _free(
    flow: SecondOrder,
    ensemble: Ensemble,
    length: float,
    seed: int,
    stream: random.Stream,
    step: int,
) -> Ensemble:
    """U: dθ = v dt, dv = -γv dt + noise, with the joint law of what both receive."""
    middle = ensemble.time + 0.5 * length
    x = flow.friction(middle) * length
    assert ensemble.velocity is not None
    reach = length * float(mean_decay(x))
    position = ensemble.position + reach * ensemble.velocity
    velocity = math.exp(-x) * ensemble.velocity
    amplitude = flow.noise(ensemble.layout, middle)
    if amplitude is not None:
        own, shared, rest = _shares(x, length)
        columns = ensemble.dim
        kicks = random.normal(seed, stream, step, (len(ensemble), 2 * columns), ensemble.dtype)
        first, second = kicks[:, :columns], kicks[:, columns:]
        amplitude = amplitude.astype(ensemble.dtype)
        velocity += own * amplitude * first
        position += amplitude * (shared * first + rest * second)
    return ensemble.having(position=position, velocity=velocity)


def _shares(x: float, h: float) -> tuple[float, float, float]:
    """Cholesky factor of the covariance of ∫ e^{-γ(h-s)} dW and ∫ (1 - e^{-γ(h-s)})/γ dW, x = γh.

    Both integrals are over a time h: variances h (1 - e^{-2x})/(2x) and h³ q(x), covariance
    h² ((1 - e^{-x})/x)²/2, with q = (x - 2(1 - e^{-x}) + (1 - e^{-2x})/2)/x³.
    """
    both = 0.5 * (h * float(mean_decay(x))) ** 2
    own = math.sqrt(h * mean_decay(2 * x))
    shared = both / own
    return own, shared, math.sqrt(max(0.0, h**3 * _spread(x) - shared**2))


def _spread(x: float) -> float:
    if x > SERIES:
        return (x + 2 * math.expm1(-x) - 0.5 * math.expm1(-2 * x)) / x**3
    return math.fsum((-x) ** (k - 3) * (2 ** (k - 1) - 2) / math.factorial(k) for k in range(3, 24))
