"""The one loop: look, record, step, until the end."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np

from meanfield.arrays import Array
from meanfield.ensemble import Ensemble
from meanfield.errors import require
from meanfield.flows import Flow
from meanfield.functionals import Evaluation
from meanfield.guards import Descent, check_finite, long_step, remedy, warn
from meanfield.kernels.blas import single_threaded
from meanfield.observables import Observable, View
from meanfield.progress import Call, Display
from meanfield.schedules import Grid, Schedule, schedule
from meanfield.schemes import Scheme
from meanfield.stopping import Stop
from meanfield.storage import PARTS, Journal, Memory

Progress = Call | Display | Literal[False]
When = Schedule | Mapping[str, Any] | Sequence[float]
Axes = dict[str, tuple[list[int], list[Observable]]]


@dataclass
class Problem:
    """One replica of a simulation: where it starts and what moves it.

    Time starts anew; the steps count on, so that a continued run does not replay its noise.
    """

    flow: Flow
    start: Ensemble
    seed: int

    def __post_init__(self) -> None:
        self.start = self.start.copy()
        self.start.time = 0.0
        self.start = self.flow.prepare(self.start, self.seed)

    @cached_property
    def evaluation(self) -> Evaluation:
        """The driving energy at the start; once, for the rehearsal and for the first step."""
        with single_threaded():
            return self.flow.driving.evaluate(self.start)

    @property
    def view(self) -> View:
        """The start, as observables and baselines see it."""
        return View(self.start, self.flow, self.start)


@dataclass
class Timer:
    """Seconds spent in each part of the loop."""

    seconds: dict[str, float] = field(default_factory=dict)
    steps: int = 0

    def resume(self, before: Mapping[str, Any]) -> None:
        """Count on from what the diagnostics of a run say."""
        self.steps = int(before.get("steps", 0))
        self.seconds = {part: float(before[part]) for part in PARTS if part in before}

    @contextmanager
    def __call__(self, part: str) -> Iterator[None]:
        begin = time.perf_counter()
        try:
            yield
        finally:
            spent = time.perf_counter() - begin
            self.seconds[part] = self.seconds.get(part, 0.0) + spent


def _axes(observe: Sequence[Observable], when: Schedule, grid: Grid) -> Axes:
    """Time axes: ``time`` for the common schedule, ``time_<kind>`` for an observable's own."""
    ends = {0, grid.total}
    common = [observer for observer in observe if observer.when is None]
    axes = {"time": (sorted(when.steps(grid) | ends), common)}
    for observer in observe:
        if observer.when is not None:
            name = "time_" + (getattr(observer, "name", "") or observer.kind).replace("-", "_")
            require(name not in axes, "observe", name, "one observable of a kind with its own when")
            axes[name] = (sorted(observer.when.steps(grid) | ends), [observer])
    return axes


def rehearse(
    problem: Problem,
    scheme: Scheme,
    grid: Grid,
    observe: Sequence[Observable],
    observe_when: When,
) -> tuple[Axes, set[str]]:
    """Meet every error that can be met before the first step; return time axes and series."""
    axes = _axes(observe, schedule(observe_when), grid)
    scheme.check(problem.flow)
    view = View(problem.start, problem.flow, problem.start, problem.evaluation, scheme)
    names: set[str] = set()
    numbers = ((), (problem.start.dim,))
    for steps, observers in axes.values():
        for observer in observers:
            observer.expect(view, len(steps))
    for observer in observe:
        found = observer(view)
        table = isinstance(found, Mapping) and all(map(_is_name, found))
        expected = f"of the observable {observer.kind!r} a dictionary from plain names to numbers"
        require(table, "observe", found, expected)
        twice = sorted(names & set(found))
        require(not twice, "observe", twice, "observables whose series have different names")
        names |= set(found)
        for name, value in found.items():
            axis = name.startswith(("time", "step")) or name in ("seed", "coordinate")
            require(not axis, "observe", name, "a name that is not like one of an axis")
            array = np.asarray(value)
            key, shape = f"observe.{name}", array.shape
            require(array.dtype.kind in "biuf", key, value, "a real number")
            require(shape in numbers, key, shape, f"one number, or {numbers[1]}")
    return axes, names


def _is_name(name: object) -> bool:
    """Whether a series may be called so; with a slash it would be a group of the file."""
    return isinstance(name, str) and name.replace("-", "_").isidentifier()


@dataclass
class Loop:
    """What the replicas of a run share."""

    scheme: Scheme
    journal: Journal
    axes: Axes
    timer: Timer
    descent: Descent
    stop: Stop
    display: Display

    def check_step(self, problem: Problem) -> None:
        """Tell a step that is unstable from the start."""
        with self.timer("checking"):
            total = self.journal.plan.grid.total
            said = long_step(self.scheme, problem.flow, problem.start, total)
        if said:
            self.journal.annotate("diagnostics", long_step=said)
            warn(said)

    def run(self, problem: Problem, replica: int) -> None:
        """Look, record, step, until the end; from where the journal has the replica."""
        flow, start, scheme = problem.flow, problem.start, self.scheme
        timer, journal, grid = self.timer, self.journal, self.journal.plan.grid
        frame_rows = {step: row for row, step in enumerate(journal.plan.frames)}
        # Not the rows of the schedules: a run that was extended has looked where it had ended, too.
        axis_rows = {
            axis: {step: row for row, step in enumerate(steps)}
            for axis, steps in journal.plan.axes.items()
        }
        watched = self.descent.watch(flow)
        memory: Memory = {}
        reached = journal.states.get(replica)
        if reached is None:
            ensemble, done, seen = start.copy(), 0, -1
            view = View(ensemble, flow, start, problem.evaluation, scheme)
        else:
            ensemble, done, seen = reached.ensemble, reached.done, reached.done
            view = View(ensemble, flow, start, None, scheme)
            memory = reached.memory
            self._recall(memory)
        while True:
            here, looked = None, False
            if scheme.looks_first:
                with timer("evaluating"):
                    here = view.evaluation
            if done > seen:
                for axis, (_, observers) in self.axes.items():
                    row = axis_rows[axis].get(done)
                    if row is not None:
                        looked = True
                        with timer("observing"):
                            values = [observer(view) for observer in observers]
                        for value in values:
                            journal.observe(replica, axis, row, value)
                            self.display.observe(replica, ensemble.time, value)
                if done in frame_rows:
                    with timer("recording"):
                        journal.frame(replica, frame_rows[done], ensemble)
                try:
                    if watched and looked and view.is_evaluated:
                        self.descent.look(view)
                finally:
                    with timer("recording"):
                        memory = self._memory() if looked else memory
                        journal.reach(replica, ensemble, done, memory)
            if done == grid.total:
                return
            self.stop.check()
            length = float(grid.length(done))
            with timer("stepping"):
                found = scheme.advance(flow, ensemble, here, length, problem.seed)
            check_finite(ensemble, found.ensemble, length, lambda: remedy(scheme, flow, start))
            done += 1
            timer.steps += 1
            ensemble = found.ensemble.having(step=ensemble.step + 1, time=grid.time(done))
            view = View(ensemble, flow, start, found.evaluation, scheme)
            self.display.advance(replica, done, view)

    def _memory(self) -> dict[str, Array]:
        """What observers and the guard must remember if the run is continued."""
        return {
            f"{owner}/{key}": np.array(array)
            for owner, keeper in self._keepers().items()
            for key, array in keeper.memory().items()
        }

    def _recall(self, memory: Memory) -> None:
        for owner, keeper in self._keepers().items():
            own = f"{owner}/"
            keeper.recall({k.removeprefix(own): v for k, v in memory.items() if k.startswith(own)})

    def _keepers(self) -> dict[str, Any]:
        observers = [observer for _, several in self.axes.values() for observer in several]
        return {"guard": self.descent, **{f"observer{i}": o for i, o in enumerate(observers)}}
