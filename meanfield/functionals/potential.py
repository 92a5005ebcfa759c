"""External potentials and pairwise interactions given by the user's own functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from meanfield.arrays import Array
from meanfield.ensemble import Ensemble
from meanfield.errors import require
from meanfield.functionals.base import Evaluation, Functional
from meanfield.functionals.regularisers import Linear
from meanfield.kernels import pairwise, reductions


class Potential(Linear):
    """∫ V(θ) dρ for the user's V.

    Parameters
    ----------
    value : callable
        ``value(theta) -> float`` with ``theta`` an array (p,) in the precision of the state.
        Plain Python is compiled with numba; a function compiled already is used as it is.
    gradient : callable
        ``gradient(theta, out)``: writes ∇V(θ) into ``out`` (p,).
    name : str
        Of this part of the energy.
    """

    def __init__(
        self, value: Callable[..., Any], gradient: Callable[..., Any], name: str = "potential"
    ) -> None:
        self.name = name
        self._drive = pairwise.compiled_potential(value, gradient)

    def density(self, ensemble: Ensemble) -> tuple[Array, Array]:
        gradient = np.zeros_like(ensemble.position)
        values = np.empty(len(ensemble), ensemble.dtype)
        self._drive(ensemble.position, values, gradient)
        return values, gradient


class Interaction(Functional):
    """½∬ W(θ, θ') dρdρ for the user's symmetric W; the first variation is ∫ W(θ, ·) dρ.

    A particle interacts with itself too, as the measure does: ½ Σ m_i² W(θ_i, θ_i) is in the value.

    Parameters
    ----------
    value : callable
        ``value(x, y) -> float`` with ``x``, ``y`` arrays (p,) in the precision of the state;
        W(x, y) = W(y, x).
    gradient : callable
        ``gradient(x, y, out)``: writes the gradient in the first argument into ``out`` (p,).
    name : str
        Of this part of the energy.

    Raises
    ------
    InvalidInput
        At the first evaluation, if W is not symmetric on the particles it meets.
    """

    def __init__(
        self, value: Callable[..., Any], gradient: Callable[..., Any], name: str = "interaction"
    ) -> None:
        self.name = name
        self._value = pairwise.compile_user_function(value)
        self._drive = pairwise.compiled_interaction(value, gradient)
        self._checked = False

    def evaluate(self, ensemble: Ensemble) -> Evaluation:
        if not self._checked:
            # In double precision, where rounding is not taken for a lack of symmetry.
            self._check_symmetry(ensemble.position[:4].astype(float))
        gradient = np.zeros_like(ensemble.position)
        potential = np.empty(len(ensemble), ensemble.dtype)
        self._drive(ensemble.position, ensemble.mass, potential, gradient)
        value = 0.5 * float(reductions.mean(potential, ensemble.mass))
        return Evaluation(value, potential, gradient, {self.name: value})

    def _check_symmetry(self, points: Array) -> None:
        for x in points:
            for y in points:
                there, back = self._value(x, y), self._value(y, x)
                close = np.isclose(there, back, rtol=1e-9, atol=1e-12, equal_nan=True)
                require(bool(close), "W(x, y) - W(y, x)", there - back, "a symmetric interaction")
        self._checked = True

    def __repr__(self) -> str:
        return f"Interaction({self.name})"


def gradient_error(functional: Functional, ensemble: Ensemble, step: float = 1e-5) -> float:
    """Largest error of a functional's gradient against central differences, relative to its size.

    For checking a functional of one's own: (1/m_i) ∂F/∂θ_i, computed from `value` alone, must be
    ∇F'(ρ)(θ_i). Around 1e-9 is right; around 1 is wrong. Frozen blocks are left out. It is
    float64 throughout, as differences of float32 would say nothing.
    """
    ensemble = ensemble.astype("float64")
    moving = ensemble.layout.moving
    found = functional.gradient(ensemble) * moving
    expected = np.zeros_like(found)
    for i, j in np.ndindex(*found.shape):
        if not moving[j]:
            continue
        shift = np.zeros_like(found)
        shift[i, j] = step * max(1.0, abs(float(ensemble.position[i, j])))
        ahead = functional.value(ensemble.at(ensemble.position + shift))
        behind = functional.value(ensemble.at(ensemble.position - shift))
        expected[i, j] = (ahead - behind) / (2 * shift[i, j] * ensemble.mass[i])
    return float(np.abs(found - expected).max() / max(1e-300, np.abs(expected).max()))
