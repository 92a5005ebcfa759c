"""Splitting transport from what happens to masses: reaction, or births and deaths."""

from __future__ import annotations

from collections.abc import Callable

from meanfield.ensemble import Ensemble, Motion
from meanfield.flows import BirthDeath, Flow, Moves
from meanfield.functionals import Evaluation
from meanfield.schemes.base import Scheme, Step, schemes

Part = Callable[[Flow, Ensemble, Evaluation], Motion]

WITHOUT_NOISE = frozenset({Moves.TRANSPORT, Moves.REACTION, Moves.JUMPS})


@schemes.register("lie")
class Lie(Scheme):
    """Transport for a step, then reaction (or births and deaths) for a step. Order 1.

    References
    ----------
    H. Trotter, 1959; G. Rotskoff et al., ICML 2019, algorithm 1 (births and deaths).
    """

    order, evaluations, stability = 1, 2, 2.0
    serves = WITHOUT_NOISE

    def advance(
        self, flow: Flow, ensemble: Ensemble, here: Evaluation, length: float, seed: int
    ) -> Step:
        moved = flow.settle(ensemble.moved(_transport(flow, ensemble, here), length))
        there = flow.driving.evaluate(moved)
        if isinstance(flow, BirthDeath):
            found = _jumped(flow, moved, there, length, seed, ensemble.step)
        else:
            found = flow.settle(moved.moved(_reaction(flow, moved, there), length))
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

    order, evaluations, stability = 2, 6, 2.0
    serves = WITHOUT_NOISE

    def advance(
        self, flow: Flow, ensemble: Ensemble, here: Evaluation, length: float, seed: int
    ) -> Step:
        half, step = 0.5 * length, 2 * ensemble.step
        state = self._react(flow, ensemble, here, half, seed, step)
        state = _heun(_transport, flow, state, flow.driving.evaluate(state), length)
        state = self._react(flow, state, flow.driving.evaluate(state), half, seed, step + 1)
        return Step(state.having(time=ensemble.time + length))

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


def _heun(part: Part, flow: Flow, ensemble: Ensemble, here: Evaluation, length: float) -> Ensemble:
    slope = part(flow, ensemble, here)
    stage = flow.settle(ensemble.moved(slope, length))
    other = part(flow, stage, flow.driving.evaluate(stage))
    return flow.settle(ensemble.moved(0.5 * (slope + other), length))


def _jumped(
    flow: BirthDeath, ensemble: Ensemble, here: Evaluation, length: float, seed: int, step: int
) -> Ensemble:
    source = flow.jump(ensemble, here, length, seed, step)
    return ensemble.having(position=ensemble.position[source])
