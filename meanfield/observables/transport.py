"""Distances between neuron distributions along a run, by optimal transport."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy.spatial.distance import cdist

from meanfield.arrays import Array
from meanfield.ensemble import Ensemble
from meanfield.errors import Unsupported, require
from meanfield.observables.base import Observable, View, observables
from meanfield.schedules import Schedule

LARGEST_EXACT = 4000


def wasserstein2(first: Ensemble, second: Ensemble) -> float:
    """W₂ between two ensembles: (min over couplings of ∫ |θ - θ'|² dγ)^½, exactly.

    Raises
    ------
    Unsupported
        Above 4,000 particles (the cost matrix and the simplex grow as N²), or if the solver
        stops before it has the optimum.

    Notes
    -----
    Network simplex of POT (Flamary et al., JMLR 2021).
    """
    if max(len(first), len(second)) > LARGEST_EXACT:
        raise Unsupported(
            f"exact W2 between {len(first)} and {len(second)} particles: at most {LARGEST_EXACT}"
        )
    import ot

    cost: Array = cdist(first.position, second.position, metric="sqeuclidean")
    masses = [e.mass / e.mass.sum() for e in (first, second)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the status is checked below
        value, log = ot.emd2(*masses, cost, numItermax=10_000_000, log=True)
    if log["warning"] is not None:
        raise Unsupported(f"the optimal transport solver gave up: {log['warning']}")
    return float(np.sqrt(max(0.0, value)))


@observables.register("w2")
class W2(Observable):
    """``w2``: the Wasserstein distance W₂ to the start of the run or to the previous look.

    Parameters
    ----------
    to : {"start", "previous"} or Ensemble
    when : Schedule, optional
        Each look costs about a second for 2,000 particles: choose few.
    """

    def __init__(
        self,
        to: Literal["start", "previous"] | Ensemble = "start",
        when: Schedule | Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(when)
        known = isinstance(to, Ensemble) or to in ("start", "previous")
        require(known, "to", to, "'start', 'previous' or an ensemble")
        self.to = to
        self._previous: Ensemble | None = None

    def __call__(self, view: View) -> Mapping[str, ArrayLike]:
        if isinstance(self.to, Ensemble):
            reference = self.to
        elif self.to == "start" or self._previous is None or view.ensemble.step == view.start.step:
            reference = view.start
        else:
            reference = self._previous
        if self.to == "previous":
            self._previous = view.ensemble.copy()
        return {"w2": wasserstein2(view.ensemble, reference)}

    def memory(self) -> dict[str, Array]:
        last = self._previous
        return {} if last is None else {"position": last.position, "mass": last.mass}

    def recall(self, memory: Mapping[str, Array]) -> None:
        self._previous = Ensemble(memory["position"], memory["mass"]) if memory else None
