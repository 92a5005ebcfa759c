"""External potentials, and interactions of pairs of particles."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from meanfield import interactions
from meanfield.arrays import Array
from meanfield.ensemble import Ensemble
from meanfield.errors import require
from meanfield.functionals.base import Evaluation, Functional
from meanfield.functionals.regularisers import Linear
from meanfield.interactions import Given, PairPotential
from meanfield.kernels import reductions
from meanfield.kernels.given import compiled_potential
from meanfield.kernels.pairwise import pairwise


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
        self._drive = compiled_potential(value, gradient)

    def density(self, ensemble: Ensemble) -> tuple[Array, Array]:
        gradient = np.zeros_like(ensemble.position)
        values = np.empty(len(ensemble), ensemble.dtype)
        self._drive(ensemble.position, values, gradient)
        return values, gradient


class Interaction(Functional):
    """½∬ W(θ, θ') dρdρ for a symmetric W; the first variation is ∫ W(θ, ·) dρ.

    A particle interacts with itself too, as the measure does: ½ Σ m_i² W(θ_i, θ_i) is in the value.

    Parameters
    ----------
    interaction : str, dict, PairPotential or callable
        One of `meanfield.interactions`: its name, a table ``{"kind": name, **parameters}``, or an
        object, as in ``Interaction(Morse(repulsion=2.0))``. Or a W of one's own:
        ``interaction(x, y) -> float`` with ``x``, ``y`` arrays (p,) in the precision of the
        state; W(x, y) = W(y, x). One that depends on the distance alone is faster as `Radial`.
    gradient : callable, optional
        Only with a function: ``gradient(x, y, out)`` writes the gradient in the first argument
        into ``out`` (p,).
    name : str, optional
        Of this part of the energy; default: the kind of the interaction, or "interaction".

    Raises
    ------
    InvalidInput
        If a function comes without its gradient; at the first evaluation, if it is not symmetric
        on the particles it meets.
    """

    def __init__(
        self,
        interaction: str | dict[str, Any] | PairPotential | Callable[..., Any],
        gradient: Callable[..., Any] | None = None,
        name: str = "",
    ) -> None:
        self.pair: PairPotential
        if isinstance(interaction, (str, dict, PairPotential)):
            require(gradient is None, "gradient", gradient, "none, as the interaction has its own")
            self.pair = interactions.make(interaction)
        else:
            given = callable(gradient)
            require(given, "gradient", gradient, "a function, as the interaction is one")
            self.pair = Given(interaction, gradient)  # type: ignore[arg-type]
        self.name = name or self.pair.kind or "interaction"
        self._checked = False

    def evaluate(self, ensemble: Ensemble) -> Evaluation:
        if isinstance(self.pair, Given) and not self._checked:
            # In double precision, where rounding is not taken for a lack of symmetry.
            self._check_symmetry(self.pair.value, ensemble.position[:4].astype(float))
        variation, gradient = pairwise(self.pair, ensemble.position, ensemble.mass)
        value = 0.5 * float(reductions.mean(variation, ensemble.mass))
        return Evaluation(value, variation, gradient, {self.name: value})

    def _check_symmetry(self, value: Callable[..., Any], points: Array) -> None:
        for x in points:
            for y in points:
                there, back = value(x, y), value(y, x)
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
