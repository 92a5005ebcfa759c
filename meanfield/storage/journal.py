"""A run being written: sealed segments on the disk, and what has come since in memory.

While a run goes on, it is a folder ``NAME.h5.parts`` beside the file that it will be: its plan, and
segments that are never opened for writing again. The last one is the checkpoint that a run is
continued from. When the run ends, its one file is written from all of them and the folder goes.
A run without a file keeps everything in memory until it ends.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import ArrayLike

from meanfield.ensemble import Ensemble
from meanfield.errors import FileProblem, require_count, require_positive
from meanfield.storage import durable
from meanfield.storage.extension import extend
from meanfield.storage.layout import BOUNDS, ENDS, in_memory, write_run
from meanfield.storage.lock import Lock
from meanfield.storage.parts import (
    LOCK,
    PLAN,
    clear,
    discard,
    last_plan,
    open_parts,
    parts_of,
    pieces_of,
    run_id_of,
    sealed,
    write_plan,
)
from meanfield.storage.plan import Plan
from meanfield.storage.segment import (
    FRAME_DIMS,
    Memory,
    Piece,
    SealedSegment,
    Segment,
    State,
    arrays,
    joined,
    seal,
)

LARGEST = 2**26  # bytes that are kept in memory before they are sealed
BESIDES = 500  # bytes that a row in memory takes besides its numbers


@dataclass(frozen=True)
class Checkpoint:
    """When a run is sealed while it goes on; whatever comes first.

    Parameters
    ----------
    wall : float
        Seconds of a clock on the wall.
    steps : int, optional
    time : float, optional
        Of the flow.
    """

    wall: float = 60.0
    steps: int | None = None
    time: float | None = None

    def __post_init__(self) -> None:
        require_positive("wall", self.wall)
        if self.steps is not None:
            require_count("steps", self.steps)
        if self.time is not None:
            require_positive("time", self.time)


class Journal:
    """A run being written.

    Parameters
    ----------
    path : path or None
        Where the finished file will be; None keeps everything in memory.
    plan : Plan
    force : bool
        Replace an existing run, finished or not.
    resume : bool
        Continue an unfinished run of the same plan, if there is one.
    checkpoint : Checkpoint
    about : callable, optional
        Called before every seal; what it returns are attributes of ``diagnostics``.

    Attributes
    ----------
    states : dict of int to State
        Where each replica stands; none for one that has not begun.
    notes : dict of str to dict
        Attributes of the groups of the file.

    Raises
    ------
    FileProblem
        If the output exists, or is being written by another process, or is damaged.
    NotWritten
        If it cannot be written.
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | None,
        plan: Plan,
        *,
        force: bool = False,
        resume: bool = False,
        checkpoint: Checkpoint | None = None,
        about: Callable[[], Mapping[str, Any]] = dict,
    ) -> None:
        self.path = None if path is None else Path(path)
        self.plan, self.checkpoint = plan, checkpoint or Checkpoint()
        self.states: dict[int, State] = {}
        self.notes: dict[str, dict[str, Any]] = {}
        self._sealed: list[SealedSegment] = []
        self._lock: Lock | None = None
        self._about = about
        if self.path is not None:
            self._claim(self.path, force, resume)
        self._begin()

    @property
    def folder(self) -> Path:
        """Where the segments are."""
        assert self.path is not None
        return parts_of(self.path)

    def _claim(self, path: Path, force: bool, resume: bool) -> None:
        check_writable(path, force or resume)
        try:
            with durable.writing(path):
                if not self.folder.is_dir():
                    durable.make_folder(self.folder)
                self._lock = Lock(self.folder / LOCK, path)
                self._open(path, force, resume)
        except BaseException:
            self._withdraw()
            raise

    def _withdraw(self) -> None:
        """Leave the output as it was found."""
        if self._lock is not None and not (self.folder / PLAN).exists():
            discard(self.folder)
        self._release()

    def _open(self, path: Path, force: bool, resume: bool) -> None:
        found = None if force else last_plan(self.folder)
        if found is not None and found.run_id == run_id_of(path):
            found = None  # the run was finished, and stopped before its folder was gone
        if found is None:
            clear(self.folder)
            if path.is_file() and not force:
                found = extend(path, self.plan, self.folder)
            else:
                write_plan(self.folder, self.plan)
                return
        elif not resume:
            raise FileProblem(
                f"{path} is not finished: continue it (resume), replace it (force), or choose "
                "another name"
            )
        self.plan.require_same(found, path, unfinished=True)
        self.plan = found
        self._sealed = sealed(self.folder)
        for segment in self._sealed:
            self.states.update(segment.states(found.layout))
            self.notes = segment.notes
        self.notes.pop("/", None)  # why it had stopped: it goes on

    def _release(self) -> None:
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def _begin(self) -> None:
        self._seen: list[Piece] = []  # of a step that is not whole yet
        self._kept: list[Piece] = []
        self._moved: dict[int, State] = {}
        self._bytes, self._since = 0, time.monotonic()

    # While the run goes on. Ctrl-C, the second time, may raise between any two lines: a step counts
    # once `reach` has moved all of it at once from what was seen to what is kept.

    def frame(self, replica: int, row: int, ensemble: Ensemble) -> None:
        """Keep the ensemble as frame number `row`."""
        for name, array in arrays(self.plan.keep.of(ensemble)).items():
            rows = array[None].copy()
            self._seen.append(Piece("frames", name, FRAME_DIMS[name], replica, row, rows))

    def observe(self, replica: int, axis: str, row: int, values: Mapping[str, ArrayLike]) -> None:
        """Keep what an observable returned, as entry `row` of its time axis."""
        for name, value in values.items():
            rows = np.array([value], dtype=float)  # a copy: the owner may reuse its buffer
            dims = (axis, "coordinate") if rows.ndim > 1 else (axis,)
            self._seen.append(Piece("observables", name, dims, replica, row, rows))

    def reach(
        self, replica: int, ensemble: Ensemble, done: int, memory: Memory | None = None
    ) -> None:
        """A replica stands there now; the ensemble and the memory are never changed afterwards."""
        if self._seen:
            self._bytes += sum(piece.rows[()].nbytes + BESIDES for piece in self._seen)
            self._kept.extend(self._seen)
            self._seen = []
        self._moved[replica] = State(ensemble, done, False, memory or {})
        if self._is_due(done):
            self.seal()

    def end(self, replica: int) -> None:
        """Nothing is left to do for a replica."""
        state = self._moved.get(replica) or self.states[replica]
        self._moved[replica] = replace(state, ended=True)

    def _is_due(self, done: int) -> bool:
        if self.path is None:
            return False
        when, grid = self.checkpoint, self.plan.grid
        return (
            time.monotonic() - self._since >= when.wall
            or self._bytes >= LARGEST
            or (when.steps is not None and done > 0 and done % when.steps == 0)
            or (
                when.time is not None
                and done > 0
                and grid.time(done) // when.time > grid.time(done - 1) // when.time
            )
        )

    def annotate(self, group: str, **values: Any) -> None:
        """Set attributes of a group ("/" for the file itself)."""
        self.notes.setdefault(group, {}).update(values)

    def seal(self) -> None:
        """Bring everything to the disk; or keep it, where there is no file.

        Raises
        ------
        NotWritten
            If the disk is full, for instance; what was sealed before is there.
        """
        self.annotate("diagnostics", **self._about())
        moved = dict(self._moved)
        if self.path is not None:
            segment = Segment(list(joined(self._kept)), moved, self.notes)
            with self._writing():
                self._sealed.append(seal(self.folder, len(self._sealed), segment))
        self.states.update(moved)
        if self.path is not None:
            self._begin()

    def _writing(self) -> AbstractContextManager[None]:
        safe = f"; what was sealed before is in {self.folder}, to be continued (resume)"
        assert self.path is not None
        return durable.writing(self.path, safe if self._sealed else "")

    def has_ended(self, replica: int) -> bool:
        """Whether nothing is left to do for a replica."""
        return replica in self.states and self.states[replica].ended

    # When it stops

    def close(self, status: str, reason: str, code: int = 0) -> h5py.File:
        """Stop, and open what there is for reading: the one file, or an unfinished run's parts.

        Parameters
        ----------
        status : {"finished", "diverged", "interrupted", "failed"}
            After the last two the run can be continued, if it has a file.
        reason : str
        code : int
            That a program should return for it.

        Raises
        ------
        NotWritten
            If the disk is full, for instance; what was sealed before is there.
        """
        self.annotate("/", status=status, stop_reason=reason, stop_code=code)
        try:
            self.seal()
            if self.path is None:
                written = joined(self._kept), self.states, self.notes
                file = in_memory(lambda file: write_run(file, self.plan, *written))
                self._begin()
                return file
            if status in ENDS:
                with self._writing():
                    self._write_file(self.path)
        finally:
            self._release()
        return h5py.File(self.path, "r") if status in ENDS else open_parts(self.path)

    def _write_file(self, path: Path) -> None:
        with durable.publishing(path) as part:
            with durable.Stream(part) as stream, h5py.File(stream, "w", libver=BOUNDS) as file:
                write_run(file, self.plan, pieces_of(self._sealed), self.states, self.notes)
            durable.sync_file(part)
        discard(self.folder)


def check_writable(path: Path, replace: bool) -> None:
    """Raise `FileProblem` if a run cannot be written at `path`.

    `replace` allows another run there, and nothing else.
    """
    try:
        durable.check_place(path)
        if path.exists():
            if not replace:
                raise FileProblem(f"{path} exists already: choose another name, or --force")
            if not (path.is_file() and _is_run(path)):
                raise FileProblem(f"{path} is not a run of meanfield: it is not replaced")
        if not os.access(path.parent, os.W_OK):
            raise FileProblem(f"{path}: no permission to write in {path.parent}")
    except OSError as error:
        raise FileProblem(f"{path} cannot be written: {error.strerror}") from None


def _is_run(path: Path) -> bool:
    try:
        with h5py.File(path, "r") as file:
            return bool(file.attrs.get("format") == "meanfield run")
    except (OSError, RuntimeError):
        return False
