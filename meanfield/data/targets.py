"""What labels the inputs: a teacher, a single index, the norm, a parity, the class, a function."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.polynomial import hermite_e

from meanfield.arrays import Array
from meanfield.ensemble import Ensemble
from meanfield.errors import require, require_count
from meanfield.networks import TwoLayer
from meanfield.registry import Registry


class Target(ABC):
    """Gives y for every x."""

    kind: ClassVar[str]

    @property
    def outputs(self) -> int:
        """Dimension k of y."""
        return 1

    def check(self, dim: int) -> None:  # noqa: B027  # most targets take any input
        """Raise `InvalidInput` unless inputs may have dimension `dim`."""

    @abstractmethod
    def __call__(self, x: Array, component: Array) -> Array:
        """y, (n,) or (n, k), for inputs (n, d) drawn from the given components (n,)."""


targets: Registry[Target] = Registry("target")


@dataclass(frozen=True)
class Teacher(Target):
    """A two-layer network with neurons of its own: y(x) = Σ_t m_t a_t s(<w_t, x> + b_t).

    Parameters
    ----------
    network : TwoLayer
    ensemble : Ensemble
        The teacher's neurons; with masses 1 the output is a plain sum.
    """

    network: TwoLayer
    ensemble: Ensemble

    @property
    def outputs(self) -> int:
        return self.network.outputs

    def check(self, dim: int) -> None:
        require(self.network.dim == dim, "teacher.dim", self.network.dim, f"the data's {dim}")

    def __call__(self, x: Array, component: Array) -> Array:
        return self.network.output(self.ensemble, x)


@targets.register("single-index")
@dataclass(frozen=True)
class SingleIndex(Target):
    """A function of one direction, y = Σ_k c_k He_k(z)/√k! with z = <v, x>/|v|.

    He_k are the probabilists' Hermite polynomials: on N(0, I) the terms are orthonormal.

    Parameters
    ----------
    direction : sequence of float, optional
        v; default the first axis.
    degree : int, optional
        Use this single k (c_k = 1); default 1.
    coefficients : sequence of float, optional
        c_0, c_1, …; instead of ``degree``.
    """

    direction: Sequence[float] = ()
    degree: int | None = None
    coefficients: Sequence[float] = ()

    def __post_init__(self) -> None:
        if self.degree is not None:
            require_count("degree", self.degree, least=0)
            require(self.degree <= 100, "degree", self.degree, "at most 100")
            both = len(self.coefficients) > 0
            require(not both, "degree", self.degree, "either degree or coefficients, not both")
        require(
            len(self.direction) == 0 or bool(np.any(np.asarray(self.direction))),
            "direction",
            self.direction,
            "a vector that is not zero",
        )

    def check(self, dim: int) -> None:
        require(len(self.direction) in (0, dim), "direction", self.direction, f"{dim} numbers")

    def vector(self, dim: int) -> Array:
        """v as an array (d,)."""
        return np.asarray(self.direction, dtype=float) if len(self.direction) else np.eye(dim)[0]

    @property
    def link(self) -> Array:
        """Coefficients of He_k/√k! in y, for k = 0, 1, …"""
        if len(self.coefficients):
            return np.asarray(self.coefficients, dtype=float)
        degree = 1 if self.degree is None else self.degree
        return np.eye(degree + 1)[degree]

    def __call__(self, x: Array, component: Array) -> Array:
        v = self.vector(x.shape[1])
        plain = self.link / np.sqrt([math.factorial(k) for k in range(len(self.link))])
        return np.asarray(hermite_e.hermeval(x @ v / np.linalg.norm(v), plain))


@targets.register("norm")
@dataclass(frozen=True)
class Norm(Target):
    """y = scale · |x|: a mean over ReLU neurons of all directions.

    y = P ∫ <w, x>_+ dρ(w), with ρ uniform on the unit sphere and P = scale · 2√π Γ((d+1)/2)/Γ(d/2).
    For scale > 0 no ReLU network without bias that is y has a smaller path norm than P, as over
    N(0, I) the mean of a <w, x>_+ is a|w|/√(2π).

    Parameters
    ----------
    scale : float
    """

    scale: float = 1.0

    def __post_init__(self) -> None:
        require(bool(np.isfinite(self.scale)), "scale", self.scale, "a finite number")

    def __call__(self, x: Array, component: Array) -> Array:
        return np.asarray(self.scale * np.linalg.norm(x, axis=1))


@targets.register("parity")
@dataclass(frozen=True)
class Parity(Target):
    """y = Π_{j in support} x_j for inputs in {-1, +1}^d.

    Parameters
    ----------
    size : int, optional
        The support is the first `size` coordinates (default 2) …
    support : sequence of int, optional
        … or these.
    """

    size: int | None = None
    support: Sequence[int] = ()

    def __post_init__(self) -> None:
        if self.size is not None:
            require_count("size", self.size)
            require(not len(self.support), "size", self.size, "either size or support, not both")

    @property
    def coordinates(self) -> list[int]:
        """The coordinates multiplied."""
        return list(self.support) if len(self.support) else list(range(self.size or 2))

    def check(self, dim: int) -> None:
        inside = all(0 <= j < dim for j in self.coordinates)
        distinct = len(set(self.coordinates)) == len(self.coordinates)
        require(inside and distinct, "support", self.coordinates, f"distinct numbers in [0, {dim})")

    def __call__(self, x: Array, component: Array) -> Array:
        return np.asarray(np.prod(x[:, self.coordinates], axis=1))


@targets.register("labels")
@dataclass(frozen=True)
class Labels(Target):
    """y depends on the component of the mixture that x came from.

    Parameters
    ----------
    values : (K,) or (K, k) sequence
        y of each component. Default +1, -1 (two components).
    """

    values: Sequence[float] | Sequence[Sequence[float]] = (1.0, -1.0)

    def __post_init__(self) -> None:
        lengths = {np.shape(value) for value in self.values}
        require(len(lengths) == 1, "values", self.values, "numbers, or rows of one length")

    @property
    def table(self) -> Array:
        """y of each component, (K, k)."""
        table = np.asarray(self.values, dtype=float)
        return table[:, None] if table.ndim == 1 else table

    @property
    def outputs(self) -> int:
        return self.table.shape[1]

    def __call__(self, x: Array, component: Array) -> Array:
        number = component.astype(int)
        have = int(number.max(initial=0)) + 1
        require(have <= len(self.table), "values", self.values, f"one label per component ({have})")
        return self.table[number]


@dataclass(frozen=True)
class Function(Target):
    """y = function(x), the user's own: inputs (n, d) to outputs (n,) or (n, k)."""

    function: Callable[[Array], Array]
    outputs: int = 1

    def __call__(self, x: Array, component: Array) -> Array:
        return np.asarray(self.function(x), dtype=float)
