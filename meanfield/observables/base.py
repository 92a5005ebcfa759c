"""What an observable is: a read-only function of the state, called on a schedule.

A new observable is one class::

    @observables.register("largest-weight")
    class LargestWeight(Observable):
        def __call__(self, view):
            return {"largest_weight": np.abs(view.ensemble.w).max()}
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from meanfield.arrays import Array
from meanfield.ensemble import Ensemble
from meanfield.errors import Unsupported, require
from meanfield.flows import Flow
from meanfield.functionals import Evaluation, Risk
from meanfield.registry import Registry
from meanfield.schedules import Schedule, schedule

if TYPE_CHECKING:
    from meanfield.schemes import Scheme


@dataclass
class View:
    """The state of a run at one moment, as observables and schemes see it. Nobody changes it.

    Attributes
    ----------
    ensemble : Ensemble
    flow : Flow
    start : Ensemble
        The state at step 0.
    known : Evaluation, optional
        The driving energy here, where it has been evaluated already.
    scheme : Scheme, optional
        That of the run.
    """

    ensemble: Ensemble
    flow: Flow
    start: Ensemble
    known: Evaluation | None = None
    scheme: Scheme | None = None

    @property
    def is_evaluated(self) -> bool:
        """Whether ``evaluation`` costs nothing more."""
        return self.known is not None or "evaluation" in self.__dict__

    @cached_property
    def evaluation(self) -> Evaluation:
        """The driving energy here; evaluated once, for the scheme and all observables."""
        return self.known or self.flow.driving.evaluate(self.ensemble)

    @property
    def risk(self) -> Risk:
        """The risk in the energy; raises `Unsupported` if it has none."""
        for _, term in self.flow.energy.terms():
            if isinstance(term, Risk):
                return term
        raise Unsupported("this observable needs a risk in the energy")


class Observable(ABC):
    """A read-only function of the state.

    Parameters
    ----------
    when : Schedule or table, optional
        Default: the run's schedule for observables.
    """

    kind: ClassVar[str] = ""

    def __init__(self, when: Schedule | Mapping[str, Any] | None = None) -> None:
        self.when: Schedule | None = None if when is None else schedule(when)

    @abstractmethod
    def __call__(self, view: View) -> Mapping[str, ArrayLike]:
        """Names and values: numbers, or arrays whose last axis is the particle's columns (p,)."""

    def expect(self, view: View, looks: int) -> None:  # noqa: B027  most cost little
        """Refuse, before the first step, what would cost too much at so many looks.

        Raises
        ------
        Unsupported
            With the numbers.
        """

    def memory(self) -> dict[str, Array]:
        """What it must remember from one look to the next, for a run that is continued."""
        return {}

    def recall(self, memory: Mapping[str, Array]) -> None:  # noqa: B027  most have nothing
        """Take up what `memory` has returned."""


observables: Registry[Observable] = Registry("observable")


class Observe(Observable):
    """The user's own function of the ensemble.

    Parameters
    ----------
    name : str
        Of the series.
    function : callable
        ``function(ensemble) -> float or (p,) array``.
    when : Schedule, optional
    """

    kind = "observe"

    def __init__(
        self,
        name: str,
        function: Callable[[Ensemble], ArrayLike],
        when: Schedule | Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(when)
        require(name.isidentifier(), "name", name, "a name made of letters, digits and _")
        self.name, self.function = name, function

    def __call__(self, view: View) -> Mapping[str, ArrayLike]:
        return {self.name: np.asarray(self.function(view.ensemble), dtype=float)}
