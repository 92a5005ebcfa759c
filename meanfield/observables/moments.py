"""Moments of the neuron distribution."""

from __future__ import annotations

import math
from collections.abc import Mapping

from numpy.typing import ArrayLike

from meanfield.kernels import reductions
from meanfield.observables.base import Observable, View, observables


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
