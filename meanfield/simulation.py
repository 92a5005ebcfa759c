"""The one loop: look, record, step, until the end."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from meanfield.ensemble import Ensemble, Layout
from meanfield.errors import Diverged, FileProblem, require
from meanfield.flows import Flow
from meanfield.functionals import Evaluation
from meanfield.guards import Descent, Guard, check_finite, check_guard, long_step, remedy, warn
from meanfield.initial import Initial
from meanfield.kernels.blas import single_threaded
from meanfield.kernels.compile import log as compile_log
from meanfield.observables import Energy, Observable, View
from meanfield.random import check_seed
from meanfield.schedules import Grid, Schedule, evenly, schedule
from meanfield.schemes import Scheme
from meanfield.sharpness import with_step
from meanfield.storage import Plan, Recorder, Run, now, provenance

Progress = Callable[[int, int, "View"], None]
When = Schedule | Mapping[str, Any] | Sequence[float]

LONGEST = 10_000  # characters of an attribute; HDF5 has no room for long ones
DEFAULT_OBSERVE = evenly(201)
DEFAULT_FRAMES = evenly(21)


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

    @contextmanager
    def __call__(self, part: str) -> Iterator[None]:
        begin = time.perf_counter()
        try:
            yield
        finally:
            spent = time.perf_counter() - begin
            self.seconds[part] = self.seconds.get(part, 0.0) + spent


def simulate(
    flow: Flow,
    start: Ensemble | Initial,
    *,
    scheme: Scheme,
    until: float,
    seed: int = 0,
    observe: Sequence[Observable] = (Energy(),),
    observe_when: When = DEFAULT_OBSERVE,
    frames: When = DEFAULT_FRAMES,
    out: str | os.PathLike[str] | None = None,
    force: bool = False,
    title: str = "",
    layout: Layout | None = None,
    guard: Guard = "warn",
    progress: Progress | None = None,
) -> Run:
    """Let an energy descend, and keep what was seen.

    Parameters
    ----------
    flow : Flow
        What moves the particles.
    start : Ensemble or Initial
        Where they start; an initial law needs a network in the energy, or ``layout``. Time counts
        from 0; steps count on from ``start.step``, so that a run continued from another's end with
        the same seed has new noise and new batches.
    scheme : Scheme
        How time is cut; its step is in the time units of the flow, or "auto": see
        `meanfield.sharpness.with_step`.
    until : float
        Final time, counted from the start of this run.
    seed : int
        Decides the initial draw and the noise.
    observe : sequence of Observable
        What is looked at, at the start, at the end, and at ``observe_when`` unless an observable
        has a schedule of its own.
    frames : Schedule
        When the whole ensemble is kept (also at the start and the end).
    out : path, optional
        An HDF5 file; left out, the run stays in memory.
    force : bool
        Replace an existing file.
    title : str
        Name of the run.
    layout : Layout, optional
        Of the particles that an initial law draws; default: that of the energy's network.
    guard : {"warn", "stop", "off"}
        Whether to say, at a look, that the energy has risen though the flow lowers it (once, on
        the package's logger and in the run's ``stop_reason`` and ``diagnostics``), or to stop with
        status "diverged"; see `meanfield.guards.Descent`. Unless "off", a step that is unstable
        from the start is told too, in runs long enough for the check to cost at most 2 %.
    progress : callable, optional
        ``progress(step, total, view)`` after every step.

    Returns
    -------
    Run
        With ``status`` "finished", "interrupted" (Ctrl-C) or "diverged": what was computed before
        is there in each case.

    Raises
    ------
    InvalidInput, Unsupported, FileProblem
        Before the first step.
    """
    check_seed(seed)
    require(isinstance(flow, Flow), "flow", flow, "a flow, as in Wasserstein(energy)")
    require(isinstance(scheme, Scheme), "scheme", scheme, "a scheme, as in Euler(step=0.1)")
    known = isinstance(start, (Ensemble, Initial))
    require(known, "start", start, "an ensemble or an initial law")
    for observer in observe:
        is_one = isinstance(observer, Observable)
        require(is_one, "observe", observer, "observables, as in [Energy()]")
    if isinstance(start, Initial):
        start = start.draw(layout or _layout(flow), seed)
    return simulate_replicas(
        [lambda: Problem(flow, start, seed)],
        seeds=[seed],
        scheme=scheme,
        until=until,
        observe=observe,
        observe_when=observe_when,
        frames=frames,
        out=out,
        force=force,
        title=title,
        guard=guard,
        progress=progress,
    )


def simulate_replicas(
    problems: Sequence[Callable[[], Problem]],
    *,
    seeds: Sequence[int],
    scheme: Scheme,
    until: float,
    observe: Sequence[Observable],
    observe_when: When = DEFAULT_OBSERVE,
    frames: When = DEFAULT_FRAMES,
    out: str | os.PathLike[str] | None = None,
    force: bool = False,
    title: str = "",
    experiment: str = "",
    guard: Guard = "warn",
    progress: Progress | None = None,
    after: Callable[[int, Recorder], None] | None = None,
) -> Run:
    """The same simulation from several seeds, one after the other, into one run.

    Parameters
    ----------
    problems : sequence of callables
        Each returns the `Problem` of one seed; called when its turn comes.
    seeds : sequence of int
    scheme : Scheme
        A step "auto" is chosen at the start of the first replica, and is that of all.
    experiment : str
        The resolved experiment, kept in the file.
    after : callable, optional
        ``after(replica, recorder)`` when a replica has ended.
    others
        As in `simulate`.
    """
    begin, compiled = time.perf_counter(), compile_log.seconds
    check_guard(guard)
    first = problems[0]()
    scheme = with_step(scheme, first.flow, first.start, until)
    grid = Grid(float(scheme.step), until)
    ends = {0, grid.total}
    frame_steps = sorted(schedule(frames).steps(grid) | ends)
    axes, _ = rehearse(first, scheme, grid, observe, observe_when)
    plan = Plan(
        grid,
        frame_steps,
        {axis: steps for axis, (steps, _) in axes.items()},
        list(seeds),
        first.start.layout,
        first.start.step,
        title,
        experiment,
        {
            **provenance(list(seeds)),
            "flow": repr(first.flow)[:LONGEST],
            "scheme": repr(scheme),
            "until": until,
        },
    )
    recorder = Recorder(out, plan, force)
    timer = Timer()
    descent, notes = Descent(guard, scheme), {}
    status, reason = "failed", "an error stopped the run"
    try:
        if guard != "off":
            with timer("checking"):
                said = long_step(scheme, first.flow, first.start, grid.total)
            if said:
                notes["long_step"] = said
                warn(said)
        for replica in range(len(seeds)):
            problem = first if replica == 0 else problems[replica]()
            # The guard says it better than warnings; BLAS sums alike on every machine.
            with np.errstate(over="ignore", invalid="ignore"), single_threaded():
                _run_one(problem, scheme, plan, axes, recorder, replica, timer, progress, descent)
            if after is not None:
                after(replica, recorder)
        status, reason = "finished", f"reached time {grid.until:g} in {grid.total} steps"
        if descent.rise:
            reason += f"; {descent.rise}"
    except Diverged as error:
        status, reason = "diverged", str(error)
    except KeyboardInterrupt:
        status, reason = "interrupted", "stopped by the user"
    except OSError as error:
        reason = str(error)
        raise FileProblem(f"{out} cannot be written: {error}") from error
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        raise
    finally:
        elapsed = time.perf_counter() - begin
        compiling = compile_log.seconds - compiled
        diagnostics = {
            "elapsed": elapsed,
            "compiling": compiling,
            "steps_per_second": timer.steps / max(1e-9, elapsed - compiling),
            **timer.seconds,
        }
        try:
            recorder.annotate("provenance", ended=now())
            if descent.rise:
                notes["energy_rise"] = descent.rise
            recorder.annotate("diagnostics", **diagnostics, **notes)
            file = recorder.close(status, reason)
        except (OSError, RuntimeError) as error:  # a full disk: h5py says it either way
            raise FileProblem(f"{out} cannot be written: {error}") from error
    return Run(file)


def _run_one(
    problem: Problem,
    scheme: Scheme,
    plan: Plan,
    axes: Mapping[str, tuple[list[int], list[Observable]]],
    recorder: Recorder,
    replica: int,
    timer: Timer,
    progress: Progress | None,
    descent: Descent,
) -> None:
    flow, grid = problem.flow, plan.grid
    ensemble, start = problem.start.copy(), problem.start
    done = 0
    frame_rows = {step: row for row, step in enumerate(plan.frames)}
    axis_rows = {a: {step: row for row, step in enumerate(steps)} for a, (steps, _) in axes.items()}
    watched = descent.watch(flow)
    try:
        view = View(ensemble, flow, start, problem.evaluation, scheme)
        while True:
            here, looked = None, False
            if scheme.looks_first:
                with timer("evaluating"):
                    here = view.evaluation
            for axis, (_, observers) in axes.items():
                row = axis_rows[axis].get(done)
                if row is not None:
                    looked = True
                    with timer("observing"):
                        values = [observer(view) for observer in observers]
                    with timer("recording"):
                        for value in values:
                            recorder.observe(replica, axis, row, value)
            if done in frame_rows:
                with timer("recording"):
                    recorder.frame(replica, frame_rows[done], ensemble)
            if watched and looked and view.is_evaluated:
                descent.look(view)
            if done == grid.total:
                return
            length = float(grid.length(done))
            with timer("stepping"):
                found = scheme.advance(flow, ensemble, here, length, problem.seed)
            check_finite(ensemble, found.ensemble, length, lambda: remedy(scheme, flow, start))
            done += 1
            timer.steps += 1
            ensemble = found.ensemble.having(step=ensemble.step + 1, time=grid.time(done))
            view = View(ensemble, flow, start, found.evaluation, scheme)
            if progress is not None:
                progress(done, grid.total, view)
    finally:
        recorder.state(replica, ensemble)


def _axes(
    observe: Sequence[Observable], when: Schedule, grid: Grid
) -> dict[str, tuple[list[int], list[Observable]]]:
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
) -> tuple[dict[str, tuple[list[int], list[Observable]]], set[str]]:
    """Meet every error that can be met before the first step; return time axes and series."""
    axes = _axes(observe, schedule(observe_when), grid)
    scheme.check(problem.flow)
    view = View(problem.start, problem.flow, problem.start, problem.evaluation, scheme)
    names: set[str] = set()
    numbers = ((), (problem.start.dim,))
    for observer in observe:
        found = observer(view)
        twice = sorted(names & set(found))
        require(not twice, "observe", twice, "observables whose series have different names")
        names |= set(found)
        for name, value in found.items():
            axis = name.startswith(("time", "step")) or name in ("seed", "coordinate")
            require(not axis, "observe", name, "a name that is not like one of an axis")
            shape = np.shape(value)
            require(shape in numbers, f"observe.{name}", shape, f"one number, or {numbers[1]}")
    return axes, names


def _layout(flow: Flow) -> Layout:
    for _, term in flow.energy.terms():
        network = getattr(term, "network", None)
        if network is not None:
            return network.layout
    require(False, "layout", None, "a layout, as the energy has no network to ask for one")
    raise AssertionError
