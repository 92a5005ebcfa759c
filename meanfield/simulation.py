"""A simulation: what is planned, continued or begun, and how it ends."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from meanfield.ensemble import Ensemble, Layout
from meanfield.errors import Diverged, InvalidInput, require
from meanfield.flows import Flow
from meanfield.functionals import network_of
from meanfield.guards import Descent, Guard, check_guard
from meanfield.initial import Initial
from meanfield.kernels.blas import single_threaded
from meanfield.kernels.compile import log as compile_log
from meanfield.loop import Loop, Problem, Progress, Timer, When, rehearse
from meanfield.observables import Energy, Observable
from meanfield.progress import display_of
from meanfield.random import check_seed
from meanfield.schedules import Grid, evenly, schedule
from meanfield.schemes import Scheme
from meanfield.sharpness import with_step
from meanfield.stopping import Stop, Stopped
from meanfield.storage import (
    Checkpoint,
    Journal,
    Keep,
    Origin,
    Plan,
    Run,
    completed,
    provenance,
    session_begins,
    session_ends,
    tidy,
)

LONGEST = 10_000  # characters of an attribute; HDF5 has no room for long ones
DEFAULT_OBSERVE = evenly(201)
DEFAULT_FRAMES = evenly(21)
NOWHERE = Origin()


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
    keep: Keep | None = None,
    out: str | os.PathLike[str] | None = None,
    force: bool = False,
    title: str = "",
    layout: Layout | None = None,
    guard: Guard = "warn",
    progress: Progress | None = None,
    resume: bool = False,
    checkpoint: Checkpoint | None = None,
    max_wall: float | None = None,
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
    keep : Keep, optional
        What a frame holds of the ensemble; default: all, as it is.
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
    progress : callable, Display or False, optional
        ``progress(step, total, view)`` after every step; or a `meanfield.progress.Display`, which
        is also told of the start, of what is observed, and of the end. Default: in a notebook, a
        bar with a curve of the energy once a run takes longer than a second; False: nothing.
    resume : bool
        Continue the run that was left in ``out`` unfinished, to the bits that it would have had;
        if there is none, start it.
    checkpoint : Checkpoint, optional
        How often the run is sealed on the disk; default: every minute.
    max_wall : float, optional
        Seconds after which the run stops, ready to be continued.

    Returns
    -------
    Run
        With ``status`` "finished", "diverged", or "interrupted" (by Ctrl-C, a request to
        terminate, or ``max_wall``): what was computed before is there in each case, and an
        interrupted run in a file can be continued.

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
        keep=keep,
        out=out,
        force=force,
        title=title,
        guard=guard,
        progress=progress,
        resume=resume,
        checkpoint=checkpoint,
        max_wall=max_wall,
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
    keep: Keep | None = None,
    out: str | os.PathLike[str] | None = None,
    force: bool = False,
    title: str = "",
    experiment: str = "",
    origin: Origin = NOWHERE,
    guard: Guard = "warn",
    progress: Progress | None = None,
    after: Callable[[int, Journal], None] | None = None,
    resume: bool = False,
    checkpoint: Checkpoint | None = None,
    max_wall: float | None = None,
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
    origin : Origin
        What it was read from: the files must be the same for a run to be continued.
    after : callable, optional
        ``after(replica, journal)`` when a replica has ended.
    others
        As in `simulate`.
    """
    begin, compiled = time.perf_counter(), compile_log.seconds
    check_guard(guard)
    first = problems[0]()
    scheme = with_step(scheme, first.flow, first.start, until)
    grid = Grid(float(scheme.step), until)
    ends = {0, grid.total}
    axes, _ = rehearse(first, scheme, grid, observe, observe_when)
    plan = Plan(
        grid,
        sorted(schedule(frames).steps(grid) | ends),
        {axis: steps for axis, (steps, _) in axes.items()},
        list(seeds),
        first.start.layout,
        first.start.step,
        title,
        experiment,
        {
            **provenance(list(seeds)),
            **origin.attributes(),
            "flow": repr(first.flow)[:LONGEST],
            "scheme": repr(scheme),
            "until": until,
        },
        {
            "flow": repr(first.flow),
            "scheme": repr(scheme),
            "start": first.start.sha256(),
            **origin.hashes,
            "frames": repr(frames),
            "observe_when": repr(observe_when),
            "observe": repr([(observer.kind, observer.when) for observer in observe]),
        },
        keep=keep or Keep(),
    )
    if resume and out is not None and (found := completed(out, until)) is not None:
        known, done = found
        plan.require_same(done, Path(out))
        tidy(Path(out))
        return known
    timer = Timer()
    descent = Descent(guard, scheme)

    def spent() -> dict[str, Any]:
        elapsed = before.get("elapsed", 0.0) + time.perf_counter() - begin
        compiling = before.get("compiling", 0.0) + compile_log.seconds - compiled
        return {
            "elapsed": elapsed,
            "compiling": compiling,
            "steps": timer.steps,
            "steps_per_second": timer.steps / max(1e-9, elapsed - compiling),
            **timer.seconds,
            **({"energy_rise": descent.rise} if descent.rise else {}),
        }

    before: dict[str, Any] = {}
    journal = Journal(out, plan, force=force, resume=resume, checkpoint=checkpoint, about=spent)
    before = dict(journal.notes.get("diagnostics", {}))  # every seal writes new ones
    journal.annotate("provenance", **session_begins(journal.notes.get("provenance", {})))
    timer.resume(before)
    descent.rise = before.get("energy_rise", "")
    status, reason = "failed", "an error stopped the run"
    stop, display = Stop(max_wall), display_of(progress)
    try:
        display.start(plan, sum(state.done for state in journal.states.values()))
        loop = Loop(scheme, journal, axes, timer, descent, stop, display)
        if guard != "off" and not journal.states:
            loop.check_step(first)
        with stop:
            for replica in range(len(seeds)):
                if journal.has_ended(replica):
                    continue
                problem = first if replica == 0 else problems[replica]()
                # The guard says it better than warnings; BLAS sums alike on every machine.
                with np.errstate(over="ignore", invalid="ignore"), single_threaded():
                    loop.run(problem, replica)
                if after is not None:
                    after(replica, journal)
                journal.end(replica)
        status, reason = "finished", f"reached time {grid.until:g} in {grid.total} steps"
        if descent.rise:
            reason += f"; {descent.rise}"
    except Diverged as error:
        status, reason = "diverged", str(error)
    except Stopped as error:
        status, reason = "interrupted", str(error)
    except KeyboardInterrupt:
        status, reason = "interrupted", "stopped by the user"
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        raise
    finally:
        journal.annotate("provenance", **session_ends(journal.notes["provenance"]))
        try:
            file = journal.close(status, reason, stop.code)
        finally:
            display.end(status, reason)
    return Run(file, path=None if out is None else Path(out))


def _layout(flow: Flow) -> Layout:
    network = network_of(flow.energy)
    if network is None:
        expected = "a layout, as the energy has no network to ask for one"
        raise InvalidInput("layout", None, expected)
    return network.layout
