"""What the neurons of a two-layer network are up to."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike

from meanfield.arrays import Array
from meanfield.data import LabelledLaw
from meanfield.ensemble import Ensemble
from meanfield.errors import Unsupported, require
from meanfield.kernels import reductions
from meanfield.observables.base import Observable, View, observables


def strength(ensemble: Ensemble) -> Array:
    """|a|·|(w, b)| of every neuron, (N,)."""
    blocks = ensemble.layout.blocks
    require({"a", "w"} <= set(blocks), "blocks", tuple(blocks), "neurons with a and w")
    a = ensemble.position[:, ensemble.layout.columns("a")]
    inner = ensemble.position[:, a.shape[1] :]
    return np.linalg.norm(a, axis=1) * np.linalg.norm(inner, axis=1)


@observables.register("path-norm")
class PathNorm(Observable):
    """``path_norm`` = ∫ |a|·|(w, b)| dρ: the total variation that the regulariser TV penalises."""

    def __call__(self, view: View) -> Mapping[str, ArrayLike]:
        return {"path_norm": view.ensemble.mean(strength(view.ensemble))}


@observables.register("effective-neurons")
class EffectiveNeurons(Observable):
    """``effective_neurons`` = (Σ c_i)²/Σ c_i², c_i = m_i |a_i|·|(w_i, b_i)|; at most N."""

    def __call__(self, view: View) -> Mapping[str, ArrayLike]:
        mass, each = view.ensemble.mass, strength(view.ensemble)
        square = reductions.second_moment(each, mass**2)
        total = reductions.mean(each, mass)
        return {"effective_neurons": total**2 / square if square > 0 else 0.0}


@observables.register("balance")
class Balance(Observable):
    """``balance`` = ∫ (|a|² - |w|² - b²) dρ; ``balance_drift``, its largest change in a neuron.

    Homogeneous activations of degree 1 conserve it neuron by neuron without regulariser and noise.
    """

    def __call__(self, view: View) -> Mapping[str, ArrayLike]:
        now, start = _balance(view.ensemble), _balance(view.start)
        return {"balance": view.ensemble.mean(now), "balance_drift": np.abs(now - start).max()}


@observables.register("dead-neurons")
class DeadNeurons(Observable):
    """``dead_neurons``: mass of the neurons whose activation is 0 on every sample trained on."""

    def __call__(self, view: View) -> Mapping[str, ArrayLike]:
        data = view.risk.data
        if isinstance(data, LabelledLaw):
            raise Unsupported(
                "the observable 'dead-neurons' needs samples: no neuron is dead on all of a law"
            )
        x = data.x if hasattr(data, "x") else data.at(view.ensemble.step).x
        network = view.risk.network
        w, b = network.inner_weights(view.ensemble)
        alive = np.zeros(len(view.ensemble), dtype=bool)
        for first in range(0, len(x), 256):
            alive |= np.any(network.activation(x[first : first + 256] @ w.T + b) != 0, axis=0)
        return {"dead_neurons": view.ensemble.mean(~alive)}


def _balance(ensemble: Ensemble) -> Array:
    blocks = ensemble.layout.blocks
    require({"a", "w"} <= set(blocks), "blocks", tuple(blocks), "neurons with a and w")
    a = ensemble.position[:, ensemble.layout.columns("a")]
    inner = ensemble.position[:, a.shape[1] :]
    # A difference of squares loses digits: in double precision.
    return np.square(a, dtype=float).sum(axis=1) - np.square(inner, dtype=float).sum(axis=1)
