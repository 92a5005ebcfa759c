"""Explicit Runge–Kutta schemes, for everything that has no noise and no jumps.

Positions, velocities and the logarithms of masses are stepped together. On a constraint every
stage returns to the set: that is the scheme for the flow continued off the set by its value at
the nearest point, so that its order stays (Hairer, Lubich & Wanner 2006, section IV.4).
"""

from __future__ import annotations

from typing import ClassVar

from meanfield.ensemble import Ensemble
from meanfield.flows import Flow, Moves
from meanfield.functionals import Evaluation
from meanfield.schemes.base import Scheme, Step, schemes


class RungeKutta(Scheme):
    """Each stage starts from the state plus a multiple of the last slope.

    Attributes
    ----------
    nodes : tuple of float
        Where stage 2, 3, … is evaluated, as a fraction of the step along the previous slope.
    weights : tuple of float
        Of the stages in the step.
    """

    nodes: ClassVar[tuple[float, ...]]
    weights: ClassVar[tuple[float, ...]]
    serves = frozenset({Moves.TRANSPORT, Moves.REACTION, Moves.MOMENTUM})

    def advance(
        self, flow: Flow, ensemble: Ensemble, here: Evaluation, length: float, seed: int
    ) -> Step:
        slope = flow.motion(ensemble, here)
        total = self.weights[0] * slope
        for node, weight in zip(self.nodes, self.weights[1:], strict=True):
            stage = flow.settle(ensemble.moved(slope, node * length))
            slope = flow.motion(stage, flow.driving.evaluate(stage))
            total = total + weight * slope
        return Step(flow.settle(ensemble.moved(total, length)))


@schemes.register("euler")
class Euler(RungeKutta):
    """Explicit Euler: full-batch gradient descent; multiplicative weights. Order 1."""

    order, evaluations, stability = 1, 1, 2.0
    nodes, weights = (), (1.0,)


@schemes.register("heun")
class Heun(RungeKutta):
    """Heun's method (explicit trapezoid). Order 2."""

    order, evaluations, stability = 2, 2, 2.0
    nodes, weights = (1.0,), (0.5, 0.5)


@schemes.register("rk4")
class RK4(RungeKutta):
    """The classical Runge–Kutta method (Kutta 1901). Order 4."""

    order, evaluations, stability = 4, 4, 2.785293563405282
    nodes, weights = (0.5, 0.5, 1.0), (1 / 6, 1 / 3, 1 / 3, 1 / 6)
