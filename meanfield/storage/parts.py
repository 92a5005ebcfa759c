"""The folder of a run that is not finished: its plan and its segments, whoever left them there."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import h5py

from meanfield.errors import FileProblem
from meanfield.storage.layout import in_memory, write_run
from meanfield.storage.lock import is_held
from meanfield.storage.plan import Plan
from meanfield.storage.segment import Piece, SealedSegment, State

PLAN = "plan.json"
LOCK = "lock"
OURS = re.compile(r"lock|plan\.json(\.part)?|\d{6}\.[0-9a-f]{16}\.h5(\.part)?")


def parts_of(path: Path) -> Path:
    """The folder of a run that will be called `path`."""
    return path.with_name(path.name + ".parts")


def last_plan(folder: Path) -> Plan | None:
    """The plan of a folder; None if nothing was planned there yet."""
    try:
        return Plan.from_json((folder / PLAN).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FileProblem(f"{folder / PLAN} is damaged: {error}") from None


def sealed(folder: Path) -> list[SealedSegment]:
    """All segments in a folder, in order.

    Raises
    ------
    FileProblem
        If one is damaged or missing.
    """
    paths = sorted(folder.glob("[0-9]*.h5"))
    numbers = [int(path.name.split(".")[0]) for path in paths]
    if numbers != list(range(len(numbers))):
        raise FileProblem(f"{folder} is damaged: it has the segments {numbers}, and no others")
    return [SealedSegment(path) for path in paths]


def clear(folder: Path) -> None:
    """Empty a folder of a run, but for its lock.

    Raises
    ------
    FileProblem
        If something else is in it.
    """
    files = sorted(folder.iterdir())
    for file in files:
        if not OURS.fullmatch(file.name):
            raise FileProblem(f"{file} is not of a run: it is not removed")
    for file in files:
        if file.name != LOCK:
            os.unlink(file)


def is_unfinished(path: Path) -> bool:
    """Whether there are parts of a run that are newer than its file."""
    plan = last_plan(parts_of(path)) if parts_of(path).is_dir() else None
    return plan is not None and plan.run_id != run_id_of(path)


def run_id_of(path: Path) -> str:
    """Of a finished run; empty if there is none."""
    if not path.is_file():
        return ""
    try:
        with h5py.File(path, "r") as file:
            return str(file.attrs.get("run_id", ""))
    except OSError:
        return ""


def open_parts(path: Path) -> h5py.File:
    """What there is of a run that is not finished, as a file in memory that refers to it."""
    folder = parts_of(path)
    plan = last_plan(folder)
    if plan is None:
        raise FileProblem(f"{folder} holds no run: it stopped before anything was written")
    segments = sealed(folder)
    states: dict[int, State] = {}
    for segment in segments:
        states.update(segment.states(plan.layout))
    notes = dict(segments[-1].notes) if segments else {}
    if is_held(folder / LOCK):
        notes["/"] = {"status": "running", "stop_reason": "it is still being written"}
    else:
        notes.setdefault("/", {"status": "interrupted", "stop_reason": "it was killed"})
    file = in_memory()
    write_run(file, plan, pieces_of(segments), states, notes, virtual=True)
    return file


def pieces_of(segments: list[SealedSegment]) -> Iterator[Piece]:
    """The pieces of all segments, in order."""
    for segment in segments:
        yield from segment.pieces
