"""Distances between neuron distributions along a run, by optimal transport."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, Protocol

from numpy.typing import ArrayLike

from meanfield.arrays import Array
from meanfield.ensemble import Ensemble
from meanfield.errors import Unsupported, require, require_positive
from meanfield.functionals import network_of
from meanfield.observables.base import Observable, View, observables
from meanfield.schedules import Schedule

if TYPE_CHECKING:
    from meanfield.transport import Distance

BUDGET = 600.0
WORDS = ("start", "previous")  # what `to` may be besides the path of a run


class Curve(Protocol):
    """A measure at every time, as the oracles of `meanfield.limits` are.

    One that is ``stationary`` is asked for time ∞.
    """

    def measure(self, time: float, count: int) -> Ensemble:
        """The measure at a time, as so many particles."""


@observables.register("distance")
class DistanceTo(Observable):
    """``distance_METHOD``: how far the particles are from a reference, by any method of transport.

    With a method that samples, ``distance_METHOD_error`` is the standard error.

    Parameters
    ----------
    to : {"start", "previous"}, path, table, Ensemble or Curve
        The start of the run; the previous look; another run, "file.h5" or "file.h5@t", in an
        experiment file seen from its folder; other particles; or an oracle that knows the measure
        at every time, by as many particles as the run has: in an experiment file as a table,
        ``{kind = "gibbs"}``, which takes from the experiment what it does not say.
    method : str or table
        As in `meanfield.transport.distance`: "sliced", or ``{kind = "sliced", directions = 50}``.
    modulo : "scaling", optional
        Compare neurons as functions; see `meanfield.transport.modulo_scaling`.
    budget : float
        Seconds that all looks of a run may take together. What is estimated to take more is
        refused before the run starts.
    when : Schedule, optional
    name : str, optional
        What to call the series, where a run has several such distances.
    """

    def __init__(
        self,
        to: str | Mapping[str, Any] | Ensemble | Curve = "start",
        method: str | Mapping[str, Any] = "sliced",
        modulo: Literal["scaling"] | None = None,
        budget: float = BUDGET,
        when: Schedule | Mapping[str, Any] | None = None,
        name: str | None = None,
    ) -> None:
        from meanfield.transport import measure
        from meanfield.transport.base import make

        super().__init__(when)
        known = isinstance(to, (str, Mapping, Ensemble)) or hasattr(to, "measure")
        require(
            known and to != "",
            "to",
            to,
            "'start', 'previous', the path of a run, an ensemble, or an oracle with a measure",
        )
        require_positive("budget", budget)
        self.to, self.modulo, self.budget = to, modulo, float(budget)
        self.method = make(method if isinstance(method, str) else dict(method))
        self.name = f"distance_{self.method.kind.replace('-', '_')}" if name is None else name
        require(self.name.isidentifier(), "name", name, "a name made of letters, digits and _")
        self._fixed = measure(to) if isinstance(to, str) and to not in WORDS else None
        self._previous: Ensemble | None = None
        self._near: Distance | None = None

    def expect(self, view: View, looks: int) -> None:
        """Refuse what takes longer than the budget, and neurons that cannot be rescaled."""
        from meanfield.transport import measure, modulo_scaling
        from meanfield.transport.measures import of_network

        if isinstance(self.to, Mapping):
            raise Unsupported(
                f"to = {self.to}: only an experiment file makes an oracle of a table; from Python, "
                "give the oracle"
            )
        if self.modulo is not None:
            modulo_scaling(of_network(measure(view.ensemble), network_of(view.flow.energy)))
        count = len(view.ensemble)
        other = self._fixed if self._fixed is not None else self.to
        known = isinstance(other, Ensemble) or self._fixed is not None
        each = self.method.cost(count, len(other) if known else count, view.ensemble.dim)  # type: ignore[arg-type]
        if each.seconds * looks > self.budget:
            raise Unsupported(
                f"observe {self.name}: {looks} looks at {count:,} particles take about "
                f"{each.seconds * looks:,.3g} s, and its budget is {self.budget:g} s: look less "
                "often (when), take method = 'sliced', or raise the budget"
            )

    def __call__(self, view: View) -> Mapping[str, ArrayLike]:
        from meanfield.transport import distance

        if view.ensemble.step == view.start.step:
            self._near = None
        reference = self._reference(view)
        found = distance(
            view.ensemble,
            reference,
            self.method,
            modulo=self.modulo,
            network=network_of(view.flow.energy),
            near=self._near,
            most_seconds=self.budget,
        )
        self._near = found if found.potentials is not None else None
        if self.to == "previous":
            self._previous = view.ensemble.copy()
        values = {self.name: found.value}
        if self.method.samples:
            values[f"{self.name}_error"] = found.standard_error
        return values

    def _reference(self, view: View) -> Any:
        if self._fixed is not None:
            return self._fixed
        if isinstance(self.to, Ensemble):
            return self.to
        if not isinstance(self.to, (str, Mapping)):
            time = math.inf if getattr(self.to, "stationary", False) else view.ensemble.time
            return self.to.measure(time, len(view.ensemble))
        begins = self._previous is None or view.ensemble.step == view.start.step
        return view.start if self.to == "start" or begins else self._previous

    def memory(self) -> dict[str, Array]:
        last, near = self._previous, self._near
        kept = {} if last is None else {"position": last.position, "mass": last.mass}
        if near is not None and near.potentials is not None:
            kept["first"], kept["second"] = near.potentials
        return kept

    def recall(self, memory: Mapping[str, Array]) -> None:
        from meanfield.transport import Distance

        self._previous = self._near = None
        if "position" in memory:
            self._previous = Ensemble(memory["position"], memory["mass"])
        if "first" in memory:
            potentials = memory["first"], memory["second"]
            self._near = Distance(0.0, self.method, potentials=potentials)


@observables.register("w2")
class W2(DistanceTo):
    """``w2``: the exact Wasserstein distance W₂ to a reference, as the start of the run.

    Parameters
    ----------
    to, budget, when, name
        As in `DistanceTo`. Each look costs about a second for 2,000 particles: choose few. From
        one look to the next the potentials are kept, which halves that.
    """

    def __init__(
        self,
        to: str | Mapping[str, Any] | Ensemble | Curve = "start",
        when: Schedule | Mapping[str, Any] | None = None,
        budget: float = BUDGET,
        name: str = "w2",
    ) -> None:
        super().__init__(to, "exact", budget=budget, when=when, name=name)
