"""Moments of the neuron distribution."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike

from meanfield.observables.base import Observable, View, observables


@observables.register("moments")
class Moments(Observable):
    """``mean`` (p,) = ∫ θ dρ and ``second_moment`` (p,) = ∫ θ² dρ of every column."""

    def __call__(self, view: View) -> Mapping[str, ArrayLike]:
        ensemble = view.ensemble
        return {
            "mean": ensemble.mean(ensemble.position),
            "second_moment": ensemble.mean(ensemble.position**2),
        }


@observables.register("speed")
class Speed(Observable):
    """``speed`` = (∫ |dθ/dt|² dρ)^½ of the drift: the metric speed |ρ̇| where there is no noise."""

    def __call__(self, view: View) -> Mapping[str, ArrayLike]:
        velocity = view.flow.velocity(view.ensemble, view.evaluation)
        return {"speed": np.sqrt(view.ensemble.mean((velocity**2).sum(axis=1)))}
