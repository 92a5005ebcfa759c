"""Regularisers ∫ r(θ) dρ: ridge, path norm, ℓ1. A new one is one small class.

They act on the parameters: where outer weights are bounded, on ``a`` before the bound.
"""

from __future__ import annotations

from abc import abstractmethod

import numpy as np

from meanfield.arrays import Array, dots
from meanfield.ensemble import Ensemble
from meanfield.errors import require
from meanfield.functionals.base import Evaluation, Functional
from meanfield.kernels import reductions
from meanfield.registry import Registry


class Linear(Functional):
    """A functional ∫ r dρ, which is its own first variation."""

    @abstractmethod
    def density(self, ensemble: Ensemble) -> tuple[Array, Array]:
        """r(θ_i), (N,), and ∇r(θ_i), (N, p)."""

    def evaluate(self, ensemble: Ensemble) -> Evaluation:
        values, gradient = self.density(ensemble)
        value = float(reductions.mean(values, ensemble.mass))
        return Evaluation(value, values, gradient, {self.name: value})

    def __repr__(self) -> str:
        return type(self).__name__


# The entries are keys of [energy] in an experiment file, with their weight as value.
regularisers: Registry[Linear] = Registry("regulariser")
# These, the regularisers among them, are the kinds of [[energy.terms]].
functionals: Registry[Functional] = Registry("functional", regularisers)


@regularisers.register("l2")
class L2(Linear):
    """Ridge: r = ½|θ|² over all blocks that may move, that is ½(a² + |w|² + b²)."""

    name = "l2"

    def density(self, ensemble: Ensemble) -> tuple[Array, Array]:
        gradient = ensemble.position.copy()
        gradient[:, ~ensemble.layout.moving] = 0.0
        return 0.5 * dots(gradient, gradient), gradient


class _OnNeurons(Linear):
    """A regulariser that needs the blocks a and w of a two-layer network; it has a kink at 0."""

    is_smooth = False

    def density(self, ensemble: Ensemble) -> tuple[Array, Array]:
        blocks = tuple(ensemble.layout.blocks)
        require(
            {"a", "w"} <= set(blocks), f"{self.name} on blocks", blocks, "particles with a and w"
        )
        return self._density(ensemble, ensemble.position[:, ensemble.layout.columns("a")])

    @abstractmethod
    def _density(self, ensemble: Ensemble, a: Array) -> tuple[Array, Array]: ...


@regularisers.register("tv")
class TV(_OnNeurons):
    """Path norm: r = |a|·|(w, b)|, the total variation of the measure on the sphere.

    Where a or (w, b) vanishes, its part of the gradient is the smallest subgradient, 0.

    References
    ----------
    L. Chizat, F. Bach, COLT 2020 (variation norm of two-layer ReLU networks).
    """

    name = "tv"

    def _density(self, ensemble: Ensemble, a: Array) -> tuple[Array, Array]:
        width = a.shape[1]
        inner = ensemble.position[:, width:]
        a_norm = np.linalg.norm(a, axis=1, keepdims=True)
        w_norm = np.linalg.norm(inner, axis=1, keepdims=True)
        gradient = np.hstack(
            [
                w_norm * np.divide(a, a_norm, out=np.zeros_like(a), where=a_norm > 0),
                a_norm * np.divide(inner, w_norm, out=np.zeros_like(inner), where=w_norm > 0),
            ]
        )
        return (a_norm * w_norm)[:, 0], gradient


@regularisers.register("l1")
class L1(_OnNeurons):
    """r = |a|_1; its gradient at 0 is the smallest subgradient, 0."""

    name = "l1"

    def _density(self, ensemble: Ensemble, a: Array) -> tuple[Array, Array]:
        gradient = np.zeros_like(ensemble.position)
        gradient[:, ensemble.layout.columns("a")] = np.sign(a)
        return np.abs(a).sum(axis=1), gradient
