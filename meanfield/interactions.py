"""Interactions W(x, y) of particles that attract or repel: one small class each.

All are symmetric, and W(x, y) = W(r) with r = |x - y|, except where a user's function says more.
There are no normalising constants: see C15 of ``docs/conventions.md``. Multiples and sums are made
of functionals (`meanfield.Interaction`), so that a negative multiple turns repulsion into
attraction. A new one is a class with the shape of its W (`meanfield.kernels.potentials`)::

    @interactions.register("plummer")
    @dataclass(frozen=True)
    class Plummer(PairPotential):
        core: float = 1.0

        @property
        def shape(self):
            return potentials.inverse_power(1)

        @property
        def parameters(self):
            return (self.core**2,)
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from meanfield.errors import require, require_count, require_nonnegative, require_positive
from meanfield.kernels import given, potentials
from meanfield.kernels.compile import compile_user_function
from meanfield.registry import Registry


class PairPotential:
    """A symmetric W.

    Attributes
    ----------
    kind : str
        Name in the registry.
    moments : bool
        Whether the first two moments of the sources say all (W = k r²/2).
    """

    kind: ClassVar[str] = ""
    moments: ClassVar[bool] = False

    @property
    def shape(self) -> Callable[[Any], Any] | None:
        """W and W'/r of r², by type of number; None if W is no function of the distance."""
        return None

    @property
    def parameters(self) -> tuple[float, ...]:
        """What the shape is given."""
        return ()


interactions: Registry[PairPotential] = Registry("interaction")


def make(spec: str | dict[str, Any] | PairPotential) -> PairPotential:
    """An interaction from its name, or from a table ``{"kind": name, **parameters}``."""
    if isinstance(spec, PairPotential):
        return spec
    return interactions.make("interaction", spec)


def _require_length(key: str, value: float) -> None:
    """A length whose square is a normal number in single precision."""
    require_positive(key, value)
    require(1e-18 <= value <= 1e18, key, value, "a length between 1e-18 and 1e18")


@interactions.register("rbf")
@dataclass(frozen=True)
class RBF(PairPotential):
    """W = exp(-r²/2l²): Gaussian repulsion of range l."""

    length: float = 1.0

    def __post_init__(self) -> None:
        _require_length("length", self.length)

    @property
    def shape(self) -> Callable[[Any], Any]:
        return potentials.gaussian

    @property
    def parameters(self) -> tuple[float, ...]:
        slope = -(self.length**-2)
        return 0.5 * slope / math.log(2.0), slope


@interactions.register("inverse-multiquadric")
@dataclass(frozen=True)
class InverseMultiquadric(PairPotential):
    """W = (c² + r²)^(-β): repulsion with a heavy tail."""

    offset: float = 1.0
    exponent: float = 0.5

    def __post_init__(self) -> None:
        _require_length("offset", self.offset)
        require_positive("exponent", self.exponent)

    @property
    def shape(self) -> Callable[[Any], Any]:
        whole = potentials.whole(2 * self.exponent)
        return potentials.inverse_power(whole) if whole else potentials.real_power

    @property
    def parameters(self) -> tuple[float, ...]:
        return self.offset**2, -self.exponent, 1.0


@interactions.register("riesz")
@dataclass(frozen=True)
class Riesz(PairPotential):
    """W = ρ^(-s) for s > 0, -log ρ for s = 0, -ρ^|s| for -2 < s < 0, with ρ = √(r² + softening²).

    Without softening W is infinite at r = 0 for s ≥ 0, and a particle meets itself: so it is
    needed there.

    References
    ----------
    M. Lewin, Coulomb and Riesz gases: the known and the unknown, J. Math. Phys. 63, 2022 (eq. 2).
    """

    exponent: float
    softening: float = 0.0

    def __post_init__(self) -> None:
        usable = math.isfinite(self.exponent) and self.exponent > -2
        require(usable, "exponent", self.exponent, "a finite number > -2")
        require_nonnegative("softening", self.softening)
        if self.exponent >= 0 or self.softening > 0:
            _require_length("softening", self.softening)

    @property
    def shape(self) -> Callable[[Any], Any]:
        if self.exponent == 0:
            return potentials.logarithm
        whole = potentials.whole(self.exponent)
        return potentials.inverse_power(whole) if whole else potentials.real_power

    @property
    def parameters(self) -> tuple[float, ...]:
        return self.softening**2, -0.5 * self.exponent, math.copysign(1.0, self.exponent)


@interactions.register("coulomb")
@dataclass(frozen=True)
class Coulomb(PairPotential):
    """W of charges in R^dim: 1/ρ^(dim-2), -log ρ for dim = 2, -ρ for dim = 1, as in `riesz`.

    The dimension is that of the law of forces; particles may have another one.
    """

    dim: int
    softening: float = 0.0

    def __post_init__(self) -> None:
        require_count("dim", self.dim)
        _ = self._riesz

    @property
    def _riesz(self) -> Riesz:
        return Riesz(self.dim - 2, self.softening)

    @property
    def shape(self) -> Callable[[Any], Any]:
        return self._riesz.shape

    @property
    def parameters(self) -> tuple[float, ...]:
        return self._riesz.parameters


@interactions.register("log")
@dataclass(frozen=True)
class Logarithm(PairPotential):
    """W = -½ log(r² + softening²): charges in the plane, eigenvalues of random matrices."""

    softening: float

    def __post_init__(self) -> None:
        _require_length("softening", self.softening)

    @property
    def shape(self) -> Callable[[Any], Any]:
        return potentials.logarithm

    @property
    def parameters(self) -> tuple[float, ...]:
        return (self.softening**2,)


@interactions.register("morse")
@dataclass(frozen=True)
class Morse(PairPotential):
    """W = C_r exp(-r/l_r) - C_a exp(-r/l_a): repulsion nearby, attraction farther away.

    W has a kink at r = 0; particles that coincide do not push each other.

    Parameters
    ----------
    repulsion, attraction : float
        C_r and C_a.
    repulsion_length, attraction_length : float
        l_r and l_a.

    References
    ----------
    M. R. D'Orsogna, Y. L. Chuang, A. L. Bertozzi, L. S. Chayes, Self-propelled particles with
    soft-core interactions: patterns, stability, and collapse, Phys. Rev. Lett. 96, 2006 (eq. 2).
    """

    repulsion: float = 1.0
    repulsion_length: float = 0.5
    attraction: float = 0.5
    attraction_length: float = 2.0

    def __post_init__(self) -> None:
        require_nonnegative("repulsion", self.repulsion)
        require_nonnegative("attraction", self.attraction)
        _require_length("repulsion_length", self.repulsion_length)
        _require_length("attraction_length", self.attraction_length)

    @property
    def shape(self) -> Callable[[Any], Any]:
        return potentials.morse

    @property
    def parameters(self) -> tuple[float, ...]:
        rates = 1.0 / self.repulsion_length, 1.0 / self.attraction_length
        return self.repulsion, self.attraction, *rates


@interactions.register("powers")
@dataclass(frozen=True)
class Powers(PairPotential):
    """W = r^a/a - r^b/b, a > b > 0: attraction far away, repulsion nearby, at rest at r = 1.

    References
    ----------
    D. Balagué, J. A. Carrillo, T. Laurent, G. Raoul, Nonlocal interactions by repulsive-attractive
    potentials: radial ins/stability, Physica D 260, 2013 (eq. 3).
    """

    attraction: float = 4.0
    repulsion: float = 2.0

    def __post_init__(self) -> None:
        require_positive("attraction", self.attraction)
        require_positive("repulsion", self.repulsion)
        larger = f"a number > repulsion = {self.repulsion}"
        require(self.attraction > self.repulsion, "attraction", self.attraction, larger)

    @property
    def shape(self) -> Callable[[Any], Any]:
        return potentials.powers(
            potentials.whole(self.attraction), potentials.whole(self.repulsion)
        )

    @property
    def parameters(self) -> tuple[float, ...]:
        return self.attraction, self.repulsion


@interactions.register("quadratic")
@dataclass(frozen=True)
class Quadratic(PairPotential):
    """W = k r²/2: springs, summed exactly in O(N)."""

    strength: float = 1.0
    moments: ClassVar[bool] = True

    def __post_init__(self) -> None:
        require_positive("strength", self.strength)

    @property
    def parameters(self) -> tuple[float, ...]:
        return (self.strength,)


class Radial(PairPotential):
    """A W of the distance of one's own, as fast as the others.

    Parameters
    ----------
    value : callable
        ``value(u) -> W`` of u = r². Plain Python is compiled with numba. It becomes vectors if
        it is straight-line code, with ``exp``, ``log1p``, … of `meanfield.kernels.elementary` in
        place of those of ``math``.
    slope : callable
        ``slope(u)``: the derivative in u, so that ∇_x W = 2 slope(r²) (x - y). It is not
        used where u = 0, where there is no force.

    Examples
    --------
    >>> inverse_square = Radial(lambda u: 1 / (1 + u), lambda u: -1 / (1 + u) ** 2)
    """

    def __init__(self, value: Callable[..., Any], slope: Callable[..., Any]) -> None:
        self._shape = potentials.radial(value, slope)

    @property
    def shape(self) -> Callable[[Any], Any]:
        return self._shape


class Given(PairPotential):
    """A W of two positions of one's own; see `meanfield.Interaction`.

    Attributes
    ----------
    value : compiled function
    drive : compiled function
        ``drive(targets, sources, mass, potential, gradient)`` fills the last two.
    """

    def __init__(self, value: Callable[..., Any], gradient: Callable[..., Any]) -> None:
        self.value = compile_user_function(value)
        self.drive = given.compiled_interaction(self.value, gradient)
