"""Following a run that another process writes, perhaps on another machine, without touching it.

Names are listed and files are read: no lock is asked for, and nothing is written. What can be known
is what has been sealed. Each segment is read once, and of it no frames.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from meanfield.arrays import Array
from meanfield.errors import FileProblem
from meanfield.storage.journal import ENDS
from meanfield.storage.lock import read_holder, seems_alive
from meanfield.storage.opening import open_run
from meanfield.storage.parts import LOCK, last_plan, number_of, parts_of, run_id_of
from meanfield.storage.plan import Plan
from meanfield.storage.run import Run
from meanfield.storage.segment import SEGMENT

ATTEMPTS = 20  # to read a folder between two changes of it
PAUSE = 0.05  # seconds between them
KILLED = 137  # as a shell reports it


@dataclass(frozen=True)
class Seal:
    """What one segment says of the progress of a run."""

    steps: int  # in all
    elapsed: float  # seconds of computing, in all


@dataclass(frozen=True)
class Sight:
    """What can be known of a run at a moment.

    Attributes
    ----------
    status : str
        "absent" if there is no run yet, "running", or what a `Run` has.
    reason : str
        Why it stopped, or who writes it.
    code : int
        That a program which stopped so has returned.
    plan : Plan or None
    replica : int
        Which is in progress; the last, if none is.
    time : float
        That it has reached.
    steps, total : int
        Of all replicas together.
    rate : float or None
        Steps per second of computing, between the last two seals.
    sealed : float or None
        When the last segment was sealed, in seconds since 1970.
    alive : bool or None
        Whether its writer lives; None if that cannot be known from this machine.
    series : mapping of str to (times, values)
        Of shapes (T,) and (S, T), or (S, T, columns); NaN where nothing was seen.
    """

    status: str
    reason: str = ""
    code: int = 0
    plan: Plan | None = None
    replica: int = 0
    time: float = 0.0
    steps: int = 0
    total: int = 0
    rate: float | None = None
    sealed: float | None = None
    alive: bool | None = None
    series: Mapping[str, tuple[Array, Array]] = field(default_factory=dict)

    @property
    def has_ended(self) -> bool:
        """Whether nobody goes on with it."""
        return self.status not in ("absent", "running")

    @property
    def left(self) -> float | None:
        """Seconds of computing that it needs from the last seal on; None if not known."""
        return None if not self.rate else (self.total - self.steps) / self.rate


class Follower:
    """Looks at a run again and again.

    Parameters
    ----------
    path : path
        Of the file that the run is, or will be.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.folder = parts_of(path.absolute())
        self._forget()

    def _forget(self) -> None:
        self._known: list[str] = []
        self._seals: list[Seal] = []
        self._rows: dict[str, tuple[str, list[tuple[int, int, Array]]]] = {}
        self._notes: Mapping[str, Any] = {}
        self._done: dict[int, int] = {}

    def look(self) -> Sight:
        """What there is now.

        Raises
        ------
        FileProblem
            If it cannot be read.
        """
        for attempt in range(ATTEMPTS):
            try:
                found = self._look()
            except (FileNotFoundError, KeyError):
                found = None  # it became one file in between, or was begun anew
            except OSError as error:
                if attempt + 1 == ATTEMPTS:
                    raise FileProblem(f"{self.folder} cannot be read: {error}") from None
                found = None
            if found is not None:
                return found
            time.sleep(PAUSE * (attempt > 0))
        raise FileProblem(f"{self.folder} cannot be read: it changes all the time")

    def _look(self) -> Sight | None:
        """None if it changed meanwhile."""
        holder = read_holder(self.folder / LOCK)
        plan = last_plan(self.folder)
        if plan is None or plan.run_id == run_id_of(self.path):
            if not self.path.is_file():
                return Sight("absent", f"{self.path}: there is no run yet")
            with open_run(self.path) as run:
                return sight_of(run)
        for segment in self._new():
            self._read(segment)
        if read_holder(self.folder / LOCK) != holder:
            return None
        return self._sight(plan, holder)

    def _new(self) -> list[Path]:
        """The segments that were not read yet."""
        found = [each for each in self.folder.iterdir() if SEGMENT.fullmatch(each.name)]
        paths = sorted(found, key=number_of)
        names = [path.name for path in paths]
        if [number_of(path) for path in paths] != list(range(len(paths))):
            raise FileNotFoundError(self.folder)  # it is being taken away
        if names[: len(self._known)] != self._known:
            self._forget()  # another run, as names are hashes of what is in a segment
        return paths[len(self._known) :]

    def _read(self, segment: Path) -> None:
        rows: list[tuple[str, str, tuple[int, int, Array]]] = []
        done: dict[int, int] = {}
        with h5py.File(segment, "r", locking=False) as file:
            notes = json.loads(file.attrs["notes"])
            for data in file.get("pieces", {}).values():
                about = data.attrs
                if about["group"] == "observables":
                    place = (int(about["replica"]), int(about["first"]), data[:])
                    rows.append((str(about["name"]), str(about["dims"][0]), place))
            for replica, group in file.get("states", {}).items():
                done[int(replica)] = int(group.attrs["done"])
        for name, axis, place in rows:
            self._rows.setdefault(name, (axis, []))[1].append(place)
        self._notes = notes
        self._done.update(done)
        spent = notes.get("diagnostics", {})
        if done and "elapsed" in spent:
            self._seals.append(Seal(sum(self._done.values()), float(spent["elapsed"])))
        self._known.append(segment.name)

    def _sight(self, plan: Plan, holder: dict[str, Any]) -> Sight:
        alive = seems_alive(self.folder / LOCK, holder)
        last = self._notes.get("/", {})
        status, reason = str(last.get("status", "")), str(last.get("stop_reason", ""))
        code = int(last.get("stop_code", 0))
        if alive is not False:
            code, status = 0, "running"
            who = f"process {holder.get('process')} on {holder.get('host')}"
            reason = f"written by {who}, as far as it can be seen from here"
            if alive:
                reason = f"written by {who}"
        elif not status or status in ENDS:  # or killed while its one file was written
            status, reason, code = "interrupted", "it was killed", KILLED
        replica = max(self._done, default=0)
        sealed = None
        if self._known:
            sealed = (self.folder / self._known[-1]).stat().st_mtime
        return Sight(
            status,
            reason,
            code,
            plan,
            replica,
            plan.grid.time(self._done.get(replica, 0)) if self._done else 0.0,
            sum(self._done.values()),
            plan.grid.total * len(plan.seeds),
            self._rate(),
            sealed,
            alive,
            {name: self._assembled(plan, name) for name in self._rows},
        )

    def _rate(self) -> float | None:
        begin = Seal(0, 0.0)
        for before, after in zip([begin, *self._seals][::-1][1:], self._seals[::-1], strict=True):
            if after.steps > before.steps and after.elapsed > before.elapsed:
                return (after.steps - before.steps) / (after.elapsed - before.elapsed)
        return None

    def _assembled(self, plan: Plan, name: str) -> tuple[Array, Array]:
        axis, pieces = self._rows[name]
        reached = max(first + len(rows) for _, first, rows in pieces)
        times = np.array([plan.grid.time(step) for step in plan.axes[axis][:reached]])
        shape = (len(plan.seeds), reached, *pieces[0][2].shape[1:])
        values = np.full(shape, np.nan)
        for replica, first, rows in pieces:
            values[replica, first : first + len(rows)] = rows
        return times, values


def sight_of(run: Run) -> Sight:
    """The same of a run that is open for reading."""
    plan, spent = run.plan, run.diagnostics
    series = {}
    for name in run.names:
        data = run[name]
        values = np.asarray(data.values, dtype=float)
        times = np.asarray(data["time"].values, dtype=float)
        series[name] = (times, values if "seed" in data.dims else values[None])
    state = run.file["state"]
    reached = np.atleast_1d(state["time"][()]) if "time" in state else np.zeros(1)
    begun = np.flatnonzero(np.isfinite(reached))
    steps = int(spent.get("steps", 0))  # with those that were not kept
    if "step" in state:
        first = 0 if plan is None else plan.first_step
        steps = int((np.atleast_1d(state["step"][()])[begun] - first).sum())
    return Sight(
        run.status,
        run.stop_reason,
        run.stop_code,
        plan,
        int(begun[-1]),
        float(reached[begun[-1]]),
        steps,
        steps if plan is None or run.status == "finished" else plan.grid.total * len(run.seeds),
        spent.get("steps_per_second"),
        run.path.stat().st_mtime if run.path is not None and run.path.is_file() else None,
        None,
        series,
    )
