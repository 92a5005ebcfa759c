"""What a distance between two measures is, what it costs, and the one entry to all of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from numbers import Real
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from meanfield.arrays import Array
from meanfield.errors import Unsupported, require, require_positive
from meanfield.memory import machine
from meanfield.registry import Registry
from meanfield.transport.measures import Measure, Modulo, pair

if TYPE_CHECKING:
    from meanfield.networks import TwoLayer

MOST_SECONDS = 600.0
Potentials = tuple[Array, Array]


@dataclass(frozen=True)
class Cost:
    """What a computation takes: an estimate, within a factor of three on machines of today."""

    seconds: float
    gigabytes: float

    @property
    def said(self) -> str:
        """The time in words."""
        for unit, size in (("h", 3600.0), ("min", 60.0), ("s", 1.0)):
            if self.seconds >= 2 * size:
                return f"{self.seconds / size:,.3g} {unit}"
        return f"{self.seconds:.1g} s"

    def __str__(self) -> str:
        return f"{self.said} and {self.gigabytes:.2g} GB"

    def fits(self, allowed: Cost) -> bool:
        """Whether it is at most what is allowed."""
        return self.seconds <= allowed.seconds and self.gigabytes <= allowed.gigabytes


@dataclass(frozen=True)
class Distance:
    """A distance between two measures.

    Attributes
    ----------
    value : float
        In the units of the points, whatever the method: roots are taken.
    method : Method
    standard_error : float
        Of the value, by Monte Carlo; 0 where nothing is random.
    bias : float
        An estimate of, or a bound for, what else the value is off by; its method says which.
    status : str
        How the computation ended.
    notes : tuple of str
        What else there is to know.
    potentials : pair of arrays, optional
        Dual potentials (N,), (M,), where the method has them.
    """

    value: float
    method: Method
    standard_error: float = 0.0
    bias: float = 0.0
    status: str = "exact"
    notes: tuple[str, ...] = ()
    potentials: Potentials | None = field(default=None, repr=False, compare=False)
    coupling: Callable[[], Any] | None = field(default=None, repr=False, compare=False)

    @cached_property
    def plan(self) -> Any:
        """The coupling γ, (N, M), as a sparse array where it is sparse.

        Raises
        ------
        Unsupported
            If the method has none.
        """
        if self.coupling is None:
            raise Unsupported(f"the method {self.method.kind!r} has no transport plan")
        return self.coupling()

    def __float__(self) -> float:
        return self.value

    def table(self) -> dict[str, Any]:
        """What is to be written down, for JSON."""
        return {
            "value": self.value,
            "standard_error": self.standard_error,
            "bias": self.bias,
            "method": repr(self.method),
            "status": self.status,
            "notes": list(self.notes),
        }

    def _repr_html_(self) -> str:
        from meanfield.viewing import displays

        return displays.distance(self)

    def __repr__(self) -> str:
        error = f" ± {self.standard_error:.2g}" if self.standard_error else ""
        bias = f", bias {self.bias:.1g}" if self.bias else ""
        notes = "".join(f"\n  {note}" for note in self.notes)
        return f"Distance({self.value:.9g}{error} by {self.method!r}: {self.status}{bias}){notes}"


class Method(ABC):
    """A way to measure how far two measures are apart: a frozen dataclass of its parameters.

    Attributes
    ----------
    balanced : bool
        Whether it compares the shapes of the measures, masses as shares of their total.
    signed : bool
        Whether it compares signed measures.
    samples : bool
        Whether it has a standard error.
    """

    kind: ClassVar[str]
    balanced: ClassVar[bool] = True
    signed: ClassVar[bool] = False
    samples: ClassVar[bool] = False

    @abstractmethod
    def cost(self, first: int, second: int, dim: int) -> Cost:
        """What it takes between so many particles of so many columns."""

    @abstractmethod
    def between(self, first: Measure, second: Measure, near: Potentials | None = None) -> Distance:
        """The distance.

        Parameters
        ----------
        first, second : Measure
        near : pair of arrays, optional
            Dual potentials of measures nearby, of the same sizes, to start from.

        Raises
        ------
        NotConverged
            If the computation stops before it has the value.
        """


methods: Registry[Method] = Registry("distance")


def distance(
    first: Any,
    second: Any,
    method: str | dict[str, Any] | Method = "exact",
    *,
    modulo: Modulo | None = None,
    network: TwoLayer | None = None,
    near: Distance | None = None,
    most_seconds: float = MOST_SECONDS,
    most_gigabytes: float | None = None,
    **parameters: Any,
) -> Distance:
    """How far two measures are apart.

    Parameters
    ----------
    first, second : Ensemble, Run, path, array or pair of arrays
        See `meanfield.transport.measure`.
    method : str, dict or Method
        A name from ``meanfield.transport.methods``, with its parameters as further arguments; a
        table; a method; or "auto", which is exact where that fits into the limits, and sliced
        where it does not (of neurons modulo scaling, the cone distance).
    modulo : "scaling", optional
        Compare neurons as functions: see `meanfield.transport.modulo_scaling`.
    network : TwoLayer, optional
        That ensembles are neurons of, for ``modulo``: an activation that does not scale is refused.
        Runs know theirs; where it is not known, a note says what is taken for granted.
    near : Distance, optional
        Of measures nearby, of the same sizes, as at the last look along a trajectory: its dual
        potentials are where the exact method starts (with POT ≥ 0.9.7), in half the time.
    most_seconds, most_gigabytes : float
        What it may take; default: ten minutes, and half of the memory of the machine.

    Raises
    ------
    InvalidInput
        If a measure is none, has no mass for a balanced method, or squares that are not finite.
    Unsupported
        If it would take more, before it begins, with the numbers and what to take instead; or if
        the method cannot compare these measures.
    NotConverged
        If the computation stops before it has the value.

    Notes
    -----
    Balanced methods compare masses as shares of the total; where totals differ, a note says so.
    """
    from meanfield.kernels.blas import single_threaded

    one, other = pair(first, second, modulo, network)
    room = 0.5e-9 * machine() if most_gigabytes is None else most_gigabytes
    require(near is None or isinstance(near, Distance), "near", near, "a distance found before")
    require_positive("most_seconds", most_seconds)
    require_positive("most_gigabytes", room)
    allowed = Cost(most_seconds, room)
    if method == "auto":
        require(not parameters, "method", method, "no parameters, as it chooses the method itself")
        chosen, why = _choose(one, other, allowed)
    else:
        chosen, why = make(method, **parameters), ()
    _check(chosen, one, other, allowed)
    with single_threaded():  # the bits do not depend on the threads; matrices are small
        found = chosen.between(one, other, None if near is None else near.potentials)
    notes = (*why, *found.notes, *_totals(chosen, one, other), *_unknown(modulo, one, other))
    return replace(found, notes=(*notes, *_seeds(one, other)))


def make(method: str | dict[str, Any] | Method, **parameters: Any) -> Method:
    """A method from its name and parameters, from a table, or itself."""
    if isinstance(method, Method):
        require(not parameters, "method", method, f"a name beside {', '.join(parameters)}")
        return method
    if isinstance(method, str):
        return methods.make("method", {"kind": method, **parameters})
    require(isinstance(method, dict), "method", method, "a name, a table with kind, or a method")
    return methods.make("method", {**method, **parameters})


def _choose(one: Measure, other: Measure, allowed: Cost) -> tuple[Method, tuple[str, ...]]:
    """The method "auto", and why."""
    if one.is_signed or other.is_signed:
        return methods["cone"](), ()
    exact = methods["exact"]()
    needed = exact.cost(len(one), len(other), one.dim)
    if needed.fits(allowed):
        return exact, ()
    return methods["sliced"](), (
        f"sliced, which is at most the exact distance: that takes about {needed}",
    )


def _check(method: Method, one: Measure, other: Measure, allowed: Cost) -> None:
    """Raise an error if the method cannot compare the two, or takes too much for it."""
    signed = one.is_signed or other.is_signed
    if signed and not method.signed:
        able = ", ".join(name for name in methods if methods[name].signed)
        raise Unsupported(f"{method.kind} does not compare signed measures: take one of {able}")
    order = max(2.0, getattr(method, "order", 2.0))
    for each in (one, other):
        require(not method.balanced or each.total > 0, "mass", each.total, "a total mass > 0")
        largest = np.abs(each.points).max(initial=0.0)
        with np.errstate(over="ignore"):
            fits = bool(np.isfinite(each.dim * (2.0 * largest) ** order))
        require(fits, "points", float(largest), f"numbers whose power {order:g} is finite too")
    sizes = len(one), len(other), one.dim
    needed = method.cost(*sizes)
    if needed.fits(allowed):
        return
    others = []
    for name in methods:
        if name != method.kind and (not signed or methods[name].signed):
            cost = methods[name]().cost(*sizes)
            if cost.fits(allowed):
                others.append(f"{name} ({cost.said})")
    limits = [
        *["most_seconds (--most)"] * (needed.seconds > allowed.seconds),
        *["most_gigabytes"] * (needed.gigabytes > allowed.gigabytes),
    ]
    raise Unsupported(
        f"{method.kind} between {sizes[0]:,} and {sizes[1]:,} particles takes about {needed}, and "
        f"{allowed} are allowed: raise {' and '.join(limits)}, "
        f"or take {' or '.join(others) or 'fewer particles'}"
    )


def require_time_for_all(method: Method, seconds: Sequence[float], most_seconds: float) -> None:
    """Raise `Unsupported` if several distances together, of these costs, take longer than that."""
    needed, allowed = Cost(sum(seconds), 0.0), Cost(most_seconds, 0.0)
    if not needed.fits(allowed):
        raise Unsupported(
            f"{len(seconds)} distances by {method.kind} take about {needed.said}, and "
            f"{allowed.said} are allowed: raise most_seconds, or take sliced"
        )


def _totals(method: Method, one: Measure, other: Measure) -> tuple[str, ...]:
    totals = one.total, other.total
    if not method.balanced or abs(totals[0] - totals[1]) <= 1e-9 * max(totals):
        return ()
    return (f"masses are compared as shares of the totals {totals[0]:.6g} and {totals[1]:.6g}",)


def _unknown(modulo: Modulo | None, one: Measure, other: Measure) -> tuple[str, ...]:
    if modulo is None or (one.network and other.network):
        return ()
    return ("the activation is not known (network = …), and taken to be positively homogeneous",)


def _seeds(one: Measure, other: Measure) -> tuple[str, ...]:
    said = (
        f"seed {each.seeds[0]} of a run with {len(each.seeds)} seeds; run.replica(SEED) is another"
        for each in (one, other)
        if len(each.seeds) > 1
    )
    return tuple(dict.fromkeys(said))


def check_order(order: float) -> None:
    """Raise `InvalidInput` unless the order of a Wasserstein distance is finite and ≥ 1."""
    fits = isinstance(order, Real) and 1 <= order < float("inf")
    require(fits, "order", order, "a finite number ≥ 1")
