"""Simulations held against oracles: what is measured, what is exact, and whether they agree."""

from __future__ import annotations

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from meanfield.errors import UnknownName
from meanfield.registry import Registry

# A right simulation is further off than this many standard errors in one of 16,000 comparisons.
SIGMAS = 4.0


@dataclass(frozen=True)
class Comparison:
    """One number of a simulation beside the oracle's.

    Attributes
    ----------
    quantity : str
        As in "risk at t = 3".
    measured, exact : float
    tolerance : float
        The bias that is allowed, absolute: of the step, of N, as the system says.
    error : float
        The oracle's own.
    standard_error : float
        Of what is measured, over replicas or samples.
    """

    quantity: str
    measured: float
    exact: float
    tolerance: float
    error: float = 0.0
    standard_error: float = 0.0

    @property
    def allowed(self) -> float:
        """How far both may be from each other."""
        return self.tolerance + self.error + SIGMAS * self.standard_error

    @property
    def passes(self) -> bool:
        """Whether they are that close; a number that is none is not."""
        return bool(abs(self.measured - self.exact) <= self.allowed)

    def table(self) -> dict[str, Any]:
        """For JSON, where what is not finite is null."""
        numbers = {key: value for key, value in vars(self).items() if key != "quantity"}
        finite = {key: float(n) if math.isfinite(n) else None for key, n in numbers.items()}
        return {"quantity": self.quantity, **finite, "passes": self.passes}


class System(ABC):
    """A system that is simulated, and that an oracle knows too.

    A subclass says in its first line what it is; `full` asks for the sizes of a publication, else
    the comparison takes a few seconds.
    """

    kind: ClassVar[str]

    @abstractmethod
    def compare(self, full: bool) -> Iterator[Comparison]:
        """Simulate, ask the oracle, and yield one comparison after the other."""


systems: Registry[System] = Registry("system to verify")


@dataclass(frozen=True)
class Verdict:
    """All comparisons of a system.

    Attributes
    ----------
    name : str
    comparisons : sequence of Comparison
    seconds : float
    failure : str
        What stopped it, if something did; one sentence.
    """

    name: str
    comparisons: Sequence[Comparison]
    seconds: float
    failure: str = ""

    @property
    def passes(self) -> bool:
        """Whether it came to its end and all agree."""
        return not self.failure and all(found.passes for found in self.comparisons)

    def table(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "name": self.name,
            "passes": self.passes,
            "seconds": self.seconds,
            "failure": self.failure,
            "comparisons": [found.table() for found in self.comparisons],
        }

    def __str__(self) -> str:
        lines = [f"{self.name}: {'pass' if self.passes else 'FAIL'}, {self.seconds:.1f} s"]
        lines += [f"  {self.failure}"] if self.failure else []
        width = max([len(found.quantity) for found in self.comparisons], default=0)
        for found in self.comparisons:
            values = f"{found.measured:< 14.8g} exact {found.exact:< 14.8g}"
            lines.append(
                f"  {found.quantity:<{width}}  {values} off {found.measured - found.exact:+.1e}, "
                f"allowed {found.allowed:.1e} (tolerance {found.tolerance:.1e}, "
                f"oracle {found.error:.1e}, s.e. {found.standard_error:.1e})  "
                f"{'pass' if found.passes else 'FAIL'}"
            )
        return "\n".join(lines)


def verify(
    names: Sequence[str] = (),
    full: bool = False,
    tell: Callable[[Verdict], None] | None = None,
) -> list[Verdict]:
    """Hold systems against their oracles; what goes wrong in one does not stop the others.

    Parameters
    ----------
    names : sequence of str
        Of systems; none: all.
    full : bool
        At the size of a publication, instead of seconds.
    tell : callable, optional
        Gets each verdict as soon as it is there.

    Raises
    ------
    UnknownName
        Before anything runs.
    """
    for name in names:
        if name not in systems:
            raise UnknownName(systems.noun, name, systems)
    verdicts = []
    for name in names or systems:
        found: list[Comparison] = []
        begin, failure = time.perf_counter(), ""
        try:
            for comparison in systems[name]().compare(full):
                found.append(comparison)
        except Exception as error:  # the rest is worth to be seen
            failure = f"{type(error).__name__}: {error}"
        verdicts.append(Verdict(name, found, time.perf_counter() - begin, failure))
        if tell is not None:
            tell(verdicts[-1])
    return verdicts


def mean_and_error(samples: ArrayLike) -> tuple[float, float]:
    """The mean of independent replicas, and its standard error."""
    values = np.asarray(samples, dtype=float)
    if len(values) < 2:
        return float(values.mean()), math.inf
    return float(values.mean()), float(values.std(ddof=1) / math.sqrt(len(values)))
