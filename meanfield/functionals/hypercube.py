"""The population risk on the hypercube in dimensions whose corners nobody can count.

V and U factorise over coordinates, or are moments (`meanfield.kernels.hypercube`).
"""

from __future__ import annotations

import numpy as np

from meanfield.arrays import Array
from meanfield.data.laws import LabelledLaw
from meanfield.data.targets import Parity, Teacher
from meanfield.ensemble import Ensemble
from meanfield.functionals.pull import Pull, no_closed_form
from meanfield.kernels import reductions
from meanfield.kernels.hypercube import AVERAGES
from meanfield.networks import TwoLayer


class HypercubeRisk:
    """The population risk over uniform corners, for a parity or a teacher.

    Raises
    ------
    Unsupported
        If the activation has no average over the corners, or the target none with it.
    """

    def __init__(self, network: TwoLayer, law: LabelledLaw) -> None:
        kind, target = network.activation.kind, law.target
        if kind not in AVERAGES:
            raise no_closed_form(f"the activation {kind!r} on a hypercube of dimension {law.dim}")
        self._network, self._averages = network, AVERAGES[kind]
        self._support: list[int] = []
        self._sources: tuple[Array, Array] | None = None
        self._constant = 0.5
        if isinstance(target, Parity):
            self._support = target.coordinates
        elif isinstance(target, Teacher):
            self._sources = self._teach(target)
        else:
            raise no_closed_form(
                f"a target of kind {type(target).__name__} on a hypercube of dimension {law.dim}"
            )

    def _teach(self, teacher: Teacher) -> tuple[Array, Array]:
        theirs = teacher.network
        if theirs.activation != self._network.activation:
            raise no_closed_form(
                f"a {theirs.activation.kind!r} teacher of {self._network.activation.kind!r} neurons"
            )
        neurons = teacher.ensemble.astype("float64")
        a, _ = theirs.outer_weights(neurons)
        weights, c = _inner(theirs, neurons), neurons.weigh(a)
        potential, _ = self._averages.interact(weights, a, weights, c)
        self._constant = 0.5 * reductions.pairing(a, potential, neurons.mass)
        return weights, c

    def __call__(self, ensemble: Ensemble) -> Pull:
        a, _ = self._network.outer_weights(ensemble)
        weights, c = _inner(self._network, ensemble), ensemble.weigh(a)
        potential, inner = self._averages.interact(weights, a, weights, c)
        wanted, pull = self._agreement(weights, a)
        interaction = reductions.pairing(a, 0.5 * potential - wanted, ensemble.mass)
        value = self._constant + interaction
        inner -= pull
        return Pull(value, potential - wanted, inner[:, :-1], inner[:, -1])

    def _agreement(self, weights: Array, a: Array) -> tuple[Array, Array]:
        """E[y s(u)], (N, k), and the gradient of E[<y, a> s(u)], (N, d + 1)."""
        if self._sources is not None:
            sources, c = (each.astype(a.dtype, copy=False) for each in self._sources)
            return self._averages.interact(weights, a, sources, c)
        value, slope = self._averages.with_parity(weights, self._support)
        return value[:, None], a * slope


def _inner(network: TwoLayer, ensemble: Ensemble) -> Array:
    return np.column_stack(network.inner_weights(ensemble))
