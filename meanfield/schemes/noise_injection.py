"""Gradients from places nearby: noise that particles see by, and do not feel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from meanfield import random
from meanfield.ensemble import Ensemble
from meanfield.errors import require_nonnegative
from meanfield.flows import Flow, Moves, coolings
from meanfield.flows.cooling import Cooling
from meanfield.functionals import Evaluation
from meanfield.schemes.base import Scheme, Step, schemes


@schemes.register("noise-injection")
@dataclass(frozen=True)
class NoiseInjection(Scheme):
    """Euler with the gradient from nearby: θ_i ← θ_i - h M ∇F'(ρ)(θ_i + β u_i), u_i ~ N(0, I).

    F' is that of the particles where they are. The noise helps the flow of `MMD` out of places
    where the gradient is small; at the minimum, where F' is constant, it does nothing.
    Frozen columns are seen as they are. It costs an evaluation with 2N particles, N of them
    without mass.

    Parameters
    ----------
    step : float
    level : float
        β ≥ 0 at time 0, in units of the positions; 0 is Euler.
    cool : str or table
        How β decreases in time: see `meanfield.flows.cooling`.

    References
    ----------
    M. Arbel, A. Korba, A. Salim, A. Gretton, NeurIPS 2019, section 4.2.
    """

    level: float = 0.1
    cool: str | Mapping[str, Any] | Cooling = "constant"

    order: ClassVar[int] = 0  # what noise leaves of it depends on the level
    evaluations: ClassVar[int] = 1
    serves = frozenset({Moves.TRANSPORT})
    looks_first = False
    restriction = "flows along -M∇F'"
    is_random = True

    @classmethod
    def suits(cls, flow: Flow) -> bool:
        return super().suits(flow) and flow.is_plain

    def __post_init__(self) -> None:
        super().__post_init__()
        require_nonnegative("level", self.level)
        self._cooling()

    def _cooling(self) -> Cooling:
        return coolings.make("cool", self.cool)

    def advance(
        self, flow: Flow, ensemble: Ensemble, here: Evaluation | None, length: float, seed: int
    ) -> Step:
        count, stream = len(ensemble), random.Stream.NOISE_INJECTION
        scale = self.level * self._cooling()(ensemble.time) * (flow.speeds(ensemble.layout) > 0)
        seen = ensemble.position.copy()
        random.add_normal(seen, scale, seed, stream, ensemble.step)
        seen = flow.settle(ensemble.at(seen)).position
        both = ensemble.having(
            position=np.concatenate([ensemble.position, seen]),
            mass=np.concatenate([ensemble.mass, np.zeros(count)]),
        )
        found = flow.driving.evaluate(both)
        nearby = Evaluation(found.value, found.variation[count:], found.gradient[count:])
        return Step(flow.settle(ensemble.moved(flow.motion(ensemble, nearby), length)))
