"""Moments of the neuron distribution."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from meanfield.errors import require, require_count
from meanfield.kernels import reductions
from meanfield.observables.base import Observable, View, observables
from meanfield.schedules import Schedule


@observables.register("moments")
class Moments(Observable):
    """``mean`` (p,) = ∫ θ dρ and ``second_moment`` (p,) = ∫ θ² dρ of every column."""

    def __call__(self, view: View) -> Mapping[str, ArrayLike]:
        ensemble = view.ensemble
        return {
            "mean": ensemble.mean(ensemble.position),
            "second_moment": reductions.second_moment(ensemble.position, ensemble.mass),
        }


@observables.register("speed")
class Speed(Observable):
    """``speed`` = (∫ |dθ/dt|² dρ)^½ of the drift: the metric speed |ρ̇| where there is no noise."""

    def __call__(self, view: View) -> Mapping[str, ArrayLike]:
        velocity = view.flow.velocity(view.ensemble, view.evaluation)
        return {"speed": math.sqrt(reductions.pairing(velocity, velocity, view.ensemble.mass))}


@observables.register("block-norm")
class BlockNorm(Observable):
    """``norm_1``, ``norm_2``, …: (∫ |θ_part|² dρ)^½ of the parts of a block, from left to right.

    Parameters
    ----------
    block : str
    parts : sequence of int
        How many columns each part has; what is left of the block is the last part.
    when : Schedule, optional
    """

    def __init__(
        self,
        block: str = "w",
        parts: list[int] | None = None,
        when: Schedule | Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(when)
        self.block, self.parts = block, list(parts or [])
        for size in self.parts:
            require_count("parts", size)

    def __call__(self, view: View) -> Mapping[str, ArrayLike]:
        ensemble = view.ensemble
        squares = reductions.second_moment(ensemble.position, ensemble.mass)
        squares = squares[ensemble.layout.columns(self.block)]
        fits = sum(self.parts) < len(squares)
        require(fits, "parts", self.parts, f"less than the {len(squares)} of {self.block} together")
        parts = np.split(squares, np.cumsum(self.parts, dtype=int))
        return {f"norm_{i}": math.sqrt(part.sum()) for i, part in enumerate(parts, start=1)}
