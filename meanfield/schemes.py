"""Schemes: one step of time, each with the order it is held to by the tests.

The step multiplies ∇F'(ρ)(θ_i), which carries no 1/N: with step h an Euler step is
``θ_i ← θ_i - h ∇F'(ρ)(θ_i)``, and time advances by h.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from meanfield import random
from meanfield.arrays import Array
from meanfield.ensemble import Ensemble
from meanfield.errors import Unsupported, require_positive
from meanfield.flows import Flow
from meanfield.functionals import Evaluation
from meanfield.registry import Registry


@dataclass(frozen=True)
class Scheme(ABC):
    """A rule for one step of a flow.

    Parameters
    ----------
    step : float
        Length h of a step in time.

    Attributes
    ----------
    order : int
        Global order of the error without noise.
    strong, weak : float or None
        Orders with (additive) noise; None where the scheme cannot handle noise.
    """

    step: float
    kind: ClassVar[str] = ""
    order: ClassVar[int]
    strong: ClassVar[float | None] = None
    weak: ClassVar[float | None] = None

    def __post_init__(self) -> None:
        require_positive("step", self.step)
        # A number of NumPy would turn the state to float64 where it is float32.
        object.__setattr__(self, "step", float(self.step))

    def check(self, flow: Flow) -> None:
        """Raise `Unsupported` if the flow has noise that the scheme cannot handle."""
        if flow.temperature > 0 and self.weak is None:
            raise Unsupported(
                f"the scheme {self.kind!r} is for flows without noise: "
                f"use 'euler-maruyama' for the temperature {flow.temperature:g}"
            )

    @abstractmethod
    def advance(
        self, flow: Flow, ensemble: Ensemble, here: Evaluation, length: float, seed: int
    ) -> Array:
        """Positions (N, p) after one step, in the precision of the state.

        Parameters
        ----------
        flow : Flow
        ensemble : Ensemble
            The state at the beginning of the step; it is not changed.
        here : Evaluation
            The driving energy at that state.
        length : float
            Of this step: ``step``, or less for the last one.
        seed : int
            With the ensemble's step, decides the noise.
        """


schemes: Registry[Scheme] = Registry("scheme")


class RungeKutta(Scheme):
    """Explicit Runge–Kutta: each stage starts from the state plus a multiple of the last slope.

    Attributes
    ----------
    nodes : tuple of float
        Where stage 2, 3, … is evaluated, as a fraction of the step along the previous slope.
    weights : tuple of float
        Of the stages in the step.
    """

    nodes: ClassVar[tuple[float, ...]]
    weights: ClassVar[tuple[float, ...]]

    def advance(
        self, flow: Flow, ensemble: Ensemble, here: Evaluation, length: float, seed: int
    ) -> Array:
        slope = flow.velocity(ensemble, here)
        total = self.weights[0] * slope
        for node, weight in zip(self.nodes, self.weights[1:], strict=True):
            stage = ensemble.at(ensemble.position + node * length * slope)
            slope = flow.velocity(stage, flow.driving.evaluate(stage))
            total = total + weight * slope
        return ensemble.position + length * total


@schemes.register("euler")
class Euler(RungeKutta):
    """Explicit Euler: full-batch gradient descent. Order 1."""

    order = 1
    nodes, weights = (), (1.0,)


@schemes.register("heun")
class Heun(RungeKutta):
    """Heun's method (explicit trapezoid). Order 2."""

    order = 2
    nodes, weights = (1.0,), (0.5, 0.5)


@schemes.register("rk4")
class RK4(RungeKutta):
    """The classical Runge–Kutta method (Kutta 1901). Order 4."""

    order = 4
    nodes, weights = (0.5, 0.5, 1.0), (1 / 6, 1 / 3, 1 / 3, 1 / 6)


@schemes.register("euler-maruyama")
class EulerMaruyama(Scheme):
    """Euler with noise: θ ← θ - h M ∇F' + √(2 τ M h) ξ. Strong and weak order 1 (additive noise).

    References
    ----------
    G. Maruyama, 1955; P. Kloeden, E. Platen, Numerical solution of SDEs, 1992, section 10.2.
    """

    order = 1
    strong = 1.0
    weak = 1.0

    def advance(
        self, flow: Flow, ensemble: Ensemble, here: Evaluation, length: float, seed: int
    ) -> Array:
        position = ensemble.position + length * flow.velocity(ensemble, here)
        amplitude = flow.noise(ensemble.layout)
        if amplitude is not None:
            scale = math.sqrt(length) * amplitude
            random.add_normal(position, scale, seed, random.Stream.LANGEVIN, ensemble.step)
        return position
