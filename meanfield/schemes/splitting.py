"""Splitting transport from what happens to masses: reaction, or births and deaths.

Noise belongs to the transport, whose part is a step of Euler–Maruyama or of the stochastic Heun
method.
"""

from __future__ import annotations

from collections.abc import Callable

from meanfield.ensemble import Ensemble, Motion
from meanfield.flows import BirthDeath, Flow, Moves
from meanfield.functionals import Evaluation
from meanfield.schemes.base import Scheme, Step, schemes

Part = Callable[[Flow, Ensemble, Evaluation], Motion]

ALL_BUT_MOMENTUM = frozenset({Moves.TRANSPORT, Moves.NOISE, Moves.REACTION, Moves.JUMPS})


@schemes.register("lie")
class Lie(Scheme):
    """Transport for a step, then reaction (or births and deaths) for a step. Order 1.

    References
    ----------
    H. Trotter, 1959; G. Rotskoff et al., ICML 2019, algorithm 1 (births and deaths).
    """

    order, strong, weak, evaluations, stability = 1, 1.0, 1.0, 2, 2.0
    serves = ALL_BUT_MOMENTUM

    def advance(
        self, flow: Flow, ensemble: Ensemble, here: Evaluation, length: float, seed: int
    ) -> Step:
        moved = _step(flow, ensemble, _transport(flow, ensemble, here), length, seed)
        there = flow.driving.evaluate(moved)
        if isinstance(flow, BirthDeath):
            found = _jumped(flow, moved, there, length, seed, ensemble.step)
        else:
            found = _step(flow, moved, _reaction(flow, moved, there), length)
        return Step(found.having(time=ensemble.time + length))


@schemes.register("strang")
class Strang(Scheme):
    """Reaction for half a step, transport for a step, reaction for half a step. Order 2.

    Each part is stepped by Heun's method. With births and deaths the law of the particles has
    order 2 but for their noise.

    References
    ----------
    G. Strang, SIAM Journal on Numerical Analysis 1968.
    """

    order, strong, weak, evaluations, stability = 2, 1.0, 2.0, 6, 2.0
    serves = ALL_BUT_MOMENTUM

    def advance(
        self, flow: Flow, ensemble: Ensemble, here: Evaluation, length: float, seed: int
    ) -> Step:
        half, step, time = 0.5 * length, 2 * ensemble.step, ensemble.time
        state = self._react(flow, ensemble, here, half, seed, step).having(time=time)
        here = flow.driving.evaluate(state)
        state = _heun(_transport, flow, state, here, length, seed).having(time=time + half)
        state = self._react(flow, state, flow.driving.evaluate(state), half, seed, step + 1)
        return Step(state.having(time=time + length))

    @staticmethod
    def _react(
        flow: Flow, ensemble: Ensemble, here: Evaluation, length: float, seed: int, step: int
    ) -> Ensemble:
        if isinstance(flow, BirthDeath):
            return _jumped(flow, ensemble, here, length, seed, step)
        return _heun(_reaction, flow, ensemble, here, length)


def _transport(flow: Flow, ensemble: Ensemble, here: Evaluation) -> Motion:
    return Motion(flow.motion(ensemble, here).position)


def _reaction(flow: Flow, ensemble: Ensemble, here: Evaluation) -> Motion:
    return Motion(log_mass=flow.motion(ensemble, here).log_mass)


def _heun(
    part: Part,
    flow: Flow,
    ensemble: Ensemble,
    here: Evaluation,
    length: float,
    seed: int | None = None,
) -> Ensemble:
    slope = part(flow, ensemble, here)
    stage = _step(flow, ensemble, slope, length, seed)
    other = part(flow, stage, flow.driving.evaluate(stage))
    return _step(flow, ensemble, 0.5 * (slope + other), length, seed)


def _step(
    flow: Flow, ensemble: Ensemble, motion: Motion, length: float, seed: int | None = None
) -> Ensemble:
    """Where a part of the motion leads; with a seed, the noise of the step is added."""
    there = ensemble.moved(motion, length)
    if seed is not None:
        flow.stir(there, 1.0, length, seed, ensemble.step)
    return flow.settle(there)


def _jumped(
    flow: BirthDeath, ensemble: Ensemble, here: Evaluation, length: float, seed: int, step: int
) -> Ensemble:
    source = flow.jump(ensemble, here, length, seed, step)
    return ensemble.having(position=ensemble.position[source])
