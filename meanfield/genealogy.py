"""Who descends from whom in a run with births and deaths.

No run stores it, as it need not: who dies and is doubled is a function of (seed, step) and of where
the particles are. So the run is simulated once more, to the same bits, and what is copied is noted.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from meanfield.arrays import Array
from meanfield.ensemble import Ensemble
from meanfield.errors import NotConverged, Unsupported
from meanfield.flows import BirthDeath
from meanfield.observables import Observable, View
from meanfield.schedules import at

if TYPE_CHECKING:
    from meanfield.storage import Run

Rows = NDArray[np.int_]


@dataclass(frozen=True)
class Genealogy:
    """The frames of a run, with the parents of every particle.

    Attributes
    ----------
    frames : list of Ensemble
        T of them, whole.
    parents : (T - 1, N) integer array
        ``parents[k, i]`` is the row in frame k that row i of frame k + 1 is, or is copied from.
    """

    frames: list[Ensemble]
    parents: Rows

    @property
    def times(self) -> Array:
        """Of the frames, (T,)."""
        return np.array([frame.time for frame in self.frames])

    @cached_property
    def founders(self) -> Rows:
        """The row at the start that each row of each frame descends from, (T, N)."""
        found = [np.arange(len(self.frames[0]))]
        for rows in self.parents:
            found.append(found[-1][rows])
        return np.array(found)

    @cached_property
    def ancestors(self) -> Rows:
        """The row in each frame from which each row of the last one descends, (T, N)."""
        found = [np.arange(len(self.frames[0]))]
        for rows in self.parents[::-1]:
            found.append(rows[found[-1]])
        return np.array(found[::-1])

    @property
    def survivors(self) -> Rows:
        """How many rows of each frame have descendants in the last one, (T,)."""
        return np.array([len(np.unique(rows)) for rows in self.ancestors])


def genealogy(run: Run) -> Genealogy:
    """Who descends from whom, for the seed that a run shows; takes as long as the run did.

    Raises
    ------
    Unsupported
        If the run has no births and deaths; has not finished; holds no experiment, as it was
        started from Python; or has Python files, which are not run for this.
    NotConverged
        If the simulation does not end where the run did, as with another version or machine.
    """
    from meanfield.config import Experiment
    from meanfield.simulation import simulate_replicas

    if said := no_births(run):
        raise Unsupported(f"no genealogy: {said}")
    experiment = Experiment(tomllib.loads(run.experiment), title=run.title)
    problem = experiment.problem(run.seed)
    assert isinstance(problem.flow, BirthDeath)
    moments = at(run.frames.times.tolist())
    noted = Parents(problem.flow)
    again = simulate_replicas(
        [lambda: problem],
        seeds=[run.seed],
        scheme=experiment.scheme,
        until=experiment.until,
        observe=[noted],
        observe_when=moments,
        frames=moments,
        guard="off",
    )
    if not np.array_equal(again.final.position, run.final.position):
        raise NotConverged(
            "no genealogy: simulated again, the run ends elsewhere: was it of another version of "
            "meanfield, or is its data file another one?"
        )
    return Genealogy(list(again.frames), np.array(noted.seen[1:], dtype=int))


def no_births(run: Run) -> str:
    """Why there is no genealogy of a run; empty if there is one."""
    if not run.experiment:
        return "the run was started from Python and holds no experiment"
    tables = tomllib.loads(run.experiment)
    kind = tables.get("flow", {}).get("kind")
    if kind != "birth-death":
        return f"no particle dies or is doubled in the flow {kind!r}, only in 'birth-death'"
    if tables.get("python"):
        return "the run has Python files, which are not run for it"
    return "" if run.status == "finished" else f"the run has not finished: {run.stop_reason}"


class Parents(Observable):
    """Notes, at every look, the row at the last look that each row is copied from."""

    kind = "parents"

    def __init__(self, flow: BirthDeath) -> None:
        super().__init__()
        self.seen: list[Rows] = []
        self._rows: Rows | None = None
        jump = flow.jump

        def noted(*arguments: Any) -> Array:
            source = jump(*arguments)
            self._rows = source if self._rows is None else self._rows[source]
            return source

        flow.jump = noted  # type: ignore[assignment, method-assign]  # nobody else has it

    def __call__(self, view: View) -> Mapping[str, float]:
        if view.ensemble.step == view.start.step:
            self.seen.clear()
        rows = np.arange(len(view.ensemble)) if self._rows is None else self._rows
        self.seen.append(rows)
        self._rows = None
        return {"families": float(len(np.unique(rows)))}
