"""An oracle beside the runs of a sweep: its function, its measure and its series."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from meanfield.arrays import Array
from meanfield.ensemble import Ensemble
from meanfield.errors import Unsupported
from meanfield.functionals import Functional
from meanfield.limits import Oracle
from meanfield.sweeps.measure import W2_PARTICLES, Probe

if TYPE_CHECKING:
    import xarray

FEW, CLOSE = 200, 0.05  # particles for a measure, whose energy is then off by less


@dataclass(frozen=True)
class Reference:
    """What is exact about an experiment, as far as an oracle knows it.

    Attributes
    ----------
    oracle : Oracle
    probe : Probe
    start : Ensemble
        Of a run. Columns that no flow moves, as fixed outer weights, are taken from it for an
        oracle of the others, if all its particles have the same.
    """

    oracle: Oracle
    probe: Probe
    start: Ensemble
    _measures: dict[float, Ensemble | None] = field(default_factory=dict, repr=False)

    def known(self, times: Array) -> Array:
        """Which of some times (T,) it knows, as booleans: of a state at rest the last."""
        last = np.arange(len(times)) == len(times) - 1
        return last if self.oracle.stationary else np.ones(len(times), dtype=bool)

    def measure(self, time: float) -> Ensemble | None:
        """The measure as neurons of the network; None if it knows none, or one of other columns."""
        if time not in self._measures:
            self._measures[time] = self._neurons(time)
        return self._measures[time]

    def output(self, time: float) -> Array | None:
        """f at the test points, (n, k)."""
        try:
            return self.oracle.output(self._moment(time), self.probe.x)
        except Unsupported:
            found = self.measure(time)
        return None if found is None else self.probe.output(found)

    def doubt(self, driving: Functional) -> str:
        """Why it may be of another experiment, in a sentence; empty where nothing tells.

        The energy that it knows is held against that of its own measure, in `FEW` particles.
        """
        moment = self._moment(0.0)
        said = self.oracle.at([moment]).series.get("energy")
        try:
            neurons = self._fitted(self.oracle.measure(moment, FEW))
        except Unsupported:
            return ""
        if said is None or neurons is None:
            return ""
        here, there = driving.value(neurons), float(said[0])
        if abs(here - there) <= CLOSE * max(abs(here), abs(there)):
            return ""
        return (
            f"reference: the energy of the oracle is {there:.4g}, and that of the experiment at "
            f"its measure {here:.4g}: is it the oracle of another experiment?"
        )

    def series(self, times: Array) -> dict[str, Array]:
        """Each series of numbers, (T,); NaN where it is not known."""
        where = self.known(times)
        moments = [self._moment(time) for time in times[where]]
        found = {}
        for name, values in self.oracle.at(moments).series.items():
            if np.ndim(values) == 1:
                found[name] = np.full(len(times), np.nan)
                found[name][where] = values
        return found

    def dataset(self, kept: xarray.Dataset) -> xarray.Dataset:
        """What it knows of what was measured, under the same names: ``output``, ``values_NAME``."""
        import xarray

        times = kept["time"].values
        data: dict[str, Any] = {}
        known = self.known(times)
        rows = [self.output(time) if known[k] else None for k, time in enumerate(times)]
        if any(row is not None for row in rows):
            unknown = np.full(kept["output"].shape[-2:], np.nan)
            output = np.array([unknown if row is None else row for row in rows])
            data["output"] = (("time", "point", "component"), output)
        for name, values in self.series(times).items():
            if f"values_{name}" in kept:
                data[f"values_{name}"] = ("time", values)
        return xarray.Dataset(data, {"time": times})

    def _moment(self, time: float) -> float:
        return np.inf if self.oracle.stationary else float(time)

    def _neurons(self, time: float) -> Ensemble | None:
        try:
            # Where they started tells at once if its particles have other columns.
            if not self.oracle.stationary and self._fitted(self.oracle.measure(0.0, 1)) is None:
                return None
            return self._fitted(self.oracle.measure(self._moment(time), W2_PARTICLES))
        except Unsupported:
            return None

    def _fitted(self, found: Ensemble) -> Ensemble | None:
        """Particles as neurons of the network, with the columns that stay."""
        layout = self.probe.network.layout
        if found.layout == layout:
            return found
        moving, plain = layout.moving, list(found.layout.blocks) == ["x"]
        stay = self.start.position[:, ~moving]
        if not (plain and found.dim == moving.sum() and (stay == stay[0]).all()):
            return None
        position = np.tile(self.start.position[0].astype(float), (len(found), 1))
        position[:, moving] = found.position
        return Ensemble(position, found.mass, layout, found.time)
