"""How much of the ensemble a frame holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from meanfield.arrays import Precision, require_precision
from meanfield.ensemble import Ensemble
from meanfield.errors import require_count


@dataclass(frozen=True)
class Keep:
    """What frames hold of the ensemble; the state that a run goes on from is always whole.

    Parameters
    ----------
    dtype : {"float64", "float32"}, optional
        Precision of positions and velocities in the frames; default: that of the run.
    particles : int, optional
        Only so many, always the same: evenly spaced among the numbers 0 … N - 1, as starts may
        have an order. Their masses are scaled to the total of all, so that a frame is a sample of
        the measure. Default, and where there are no more: all.
    """

    dtype: Precision | None = None
    particles: int | None = None

    def __post_init__(self) -> None:
        if self.dtype is not None:
            require_precision(self.dtype)
        if self.particles is not None:
            require_count("particles", self.particles)

    def which(self, count: int) -> NDArray[np.int_]:
        """The numbers of the particles that are kept of `count`."""
        few = min(self.particles or count, count)
        return np.arange(few) * count // few

    def of(self, ensemble: Ensemble) -> Ensemble:
        """What a frame holds of an ensemble."""
        if self.dtype is not None:
            ensemble = ensemble.astype(self.dtype)
        chosen = self.which(len(ensemble))
        if len(chosen) == len(ensemble):
            return ensemble
        mass, velocity = ensemble.mass[chosen], ensemble.velocity
        changed: dict[str, Any] = {
            "position": ensemble.position[chosen],
            "mass": mass * (ensemble.mass.sum() / mass.sum()) if mass.any() else mass,
            "velocity": None if velocity is None else velocity[chosen],
        }
        return ensemble.having(**changed)
