"""What a functional of a measure is, and how functionals add up.

A functional F has a value, a first variation F'(ρ)(θ) and the gradient ∇_θ F'(ρ)(θ). The gradient
is that of the first variation, NOT of the function of the particles: with masses m_i it equals
(1/m_i) ∂F/∂θ_i, that is N times the Euclidean gradient when all masses are 1/N.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from meanfield.arrays import Array
from meanfield.ensemble import Ensemble
from meanfield.errors import InvalidInput, MeanfieldError

if TYPE_CHECKING:
    from meanfield.networks import TwoLayer


@dataclass(frozen=True)
class Evaluation:
    """A functional at a measure: all that one pass over the particles gives.

    Attributes
    ----------
    value : float
        F(ρ).
    variation : (N,) array
        F'(ρ)(θ_i), with the additive constant that makes it the derivative in the mass m_i.
    gradient : (N, p) array
        ∇_θ F'(ρ)(θ_i). Both have the precision of the state; sums over particles are float64.
    parts : mapping of str to float
        Name and value of every term.
    """

    value: float
    variation: Array
    gradient: Array
    parts: Mapping[str, float] = field(default_factory=dict)


class Functional(ABC):
    """A function of a measure, held as an ensemble.

    Functionals form a vector space: ``risk + 1e-3 * L2()`` is one.

    Attributes
    ----------
    is_smooth : bool
        False if its gradient jumps at places that it drives particles to.
    """

    name: str = "functional"
    is_smooth: bool = True

    @property
    def is_steady(self) -> bool:
        """Whether it is the same function of the measure at every step: no batches."""
        return True

    @abstractmethod
    def evaluate(self, ensemble: Ensemble) -> Evaluation:
        """Value, first variation and gradient in one pass."""

    def value(self, ensemble: Ensemble) -> float:
        """F(ρ)."""
        return self.evaluate(ensemble).value

    def first_variation(self, ensemble: Ensemble) -> Array:
        """F'(ρ)(θ_i), (N,)."""
        return self.evaluate(ensemble).variation

    def gradient(self, ensemble: Ensemble) -> Array:
        """∇_θ F'(ρ)(θ_i), (N, p)."""
        return self.evaluate(ensemble).gradient

    def terms(self) -> list[tuple[float, Functional]]:
        """The functional as a flat sum of multiples of others."""
        return [(1.0, self)]

    def __add__(self, other: Functional) -> Functional:
        if not isinstance(other, Functional):
            return NotImplemented
        return Sum([*self.terms(), *other.terms()])

    def __mul__(self, factor: float) -> Functional:
        if not isinstance(factor, (int, float, np.floating, np.integer)):
            return NotImplemented
        if not np.isfinite(factor):
            raise InvalidInput("factor", factor, "a finite number")
        return Sum([(float(factor) * weight, term) for weight, term in self.terms()])

    __rmul__ = __mul__

    def __neg__(self) -> Functional:
        return -1.0 * self

    def __sub__(self, other: Functional) -> Functional:
        return self + (-1.0 * other)


class Sum(Functional):
    """A weighted sum of functionals; an empty one is zero."""

    name = "energy"

    def __init__(self, weighted: list[tuple[float, Functional]]) -> None:
        self._weighted = weighted

    @property
    def is_steady(self) -> bool:
        return all(term.is_steady for _, term in self._weighted)

    def terms(self) -> list[tuple[float, Functional]]:
        return list(self._weighted)

    def value(self, ensemble: Ensemble) -> float:
        return sum(weight * term.value(ensemble) for weight, term in self._weighted)

    def evaluate(self, ensemble: Ensemble) -> Evaluation:
        value = 0.0
        parts: dict[str, float] = {}
        gradient = np.zeros_like(ensemble.position)
        variation = np.zeros(len(ensemble), ensemble.dtype)
        for weight, term in self._weighted:
            found = term.evaluate(ensemble)
            _require_shapes(term, found, ensemble)
            value += weight * found.value
            variation += found.variation if weight == 1.0 else weight * found.variation
            gradient += found.gradient if weight == 1.0 else weight * found.gradient
            parts[term.name] = parts.get(term.name, 0.0) + weight * found.value
        return Evaluation(value, variation, gradient, parts)

    def __repr__(self) -> str:
        return " + ".join(f"{weight:g}·{term!r}" for weight, term in self._weighted) or "0"


def network_of(energy: Functional) -> TwoLayer | None:
    """The network of the first term that has one; None for particles that are no neurons."""
    found = (getattr(term, "network", None) for _, term in energy.terms())
    return next((network for network in found if network is not None), None)


def _require_shapes(term: Functional, found: Evaluation, ensemble: Ensemble) -> None:
    """NumPy would stretch a gradient of one column to all of them."""
    for name, array, expected in (
        ("first variation", found.variation, (len(ensemble),)),
        ("gradient", found.gradient, ensemble.position.shape),
    ):
        shape = np.shape(array)
        if shape != expected:
            said = f"the {name} of {term!r} has the shape {shape}"
            raise MeanfieldError(f"{said}: expected {expected}")
