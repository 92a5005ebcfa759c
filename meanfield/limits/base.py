"""What an oracle is: the answer of the mean field itself, by another route than particles."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from meanfield.arrays import Array
from meanfield.ensemble import Ensemble
from meanfield.errors import Unsupported, require
from meanfield.registry import Registry

if TYPE_CHECKING:
    import xarray


@dataclass(frozen=True)
class Limit:
    """What an oracle says, over time: series under the names that a run gives them.

    Attributes
    ----------
    times : array (T,)
        Infinite for a stationary state.
    series : mapping of str to array (T,) or (T, …)
    errors : mapping of str to array
        The oracle's own error of each series, absolute, of the shape of the series or a number.
        None of them is a guess: `how` says where they come from.
    how : str
        As in "duality gap", "residual", "difference from half the grid".
    """

    times: Array
    series: Mapping[str, Array]
    errors: Mapping[str, Array] = field(default_factory=dict)
    how: str = "closed form"

    def __getitem__(self, name: str) -> Array:
        return self.series[name]

    def error(self, name: str) -> Array:
        """The error of a series, in its shape; zero where the oracle states none (closed form)."""
        values = np.asarray(self.series[name])
        return np.broadcast_to(self.errors.get(name, np.zeros(())), values.shape)

    def to_xarray(self) -> xarray.Dataset:
        """The series over ``time``, with ``NAME_error`` beside each."""
        import xarray

        data = {}
        for name, values in self.series.items():
            dims = ("time", *(f"{name}_{i}" for i in range(1, np.ndim(values))))
            data[name] = (dims, np.asarray(values))
            data[f"{name}_error"] = (dims, self.error(name))
        return xarray.Dataset(data, {"time": self.times}, {"error": self.how})


class Oracle(ABC):
    """The mean field of one system, N = ∞, computed independently of the particles.

    A frozen dataclass whose fields are the parameters of the system. It yields the series that a
    run of the system observes, each with its own error.
    """

    kind: ClassVar[str]
    stationary: ClassVar[bool] = False

    @abstractmethod
    def at(self, times: ArrayLike) -> Limit:
        """The series at some times, increasing and ≥ 0; of a stationary oracle at none but ∞."""

    def measure(self, time: float, count: int) -> Ensemble:
        """The measure at a time as `count` particles that represent it (quantiles, or a grid).

        Raises
        ------
        Unsupported
            If the oracle knows only some numbers of the measure.
        """
        raise Unsupported(f"the oracle {self.kind!r} knows no measure, only series")

    def output(self, time: float, x: Array) -> Array:
        """The function f of the network at inputs (n, d), as (n, k).

        Raises
        ------
        Unsupported
            If the oracle knows it by its measure only, or not at all.
        """
        raise Unsupported(f"the oracle {self.kind!r} knows no function")


oracles: Registry[Oracle] = Registry("oracle")


def checked_times(times: ArrayLike) -> Array:
    """Times of a flow as a vector.

    Raises
    ------
    InvalidInput
        Unless they are finite, increasing and not negative.
    """
    found = np.atleast_1d(np.asarray(times, dtype=float))
    fine = found.ndim == 1 and len(found) > 0 and bool(np.isfinite(found).all())
    fine = fine and bool(found[0] >= 0) and bool((np.diff(found) > 0).all())
    require(fine, "times", times, "finite numbers ≥ 0, in increasing order")
    return found
