"""The folder of a run that is not finished: its plan and its segments, whoever left them there."""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py

from meanfield.errors import FileProblem
from meanfield.storage import durable
from meanfield.storage.checksums import digest
from meanfield.storage.layout import in_memory, write_run
from meanfield.storage.lock import Lock, is_held
from meanfield.storage.plan import Plan
from meanfield.storage.segment import SEGMENT, Piece, SealedSegment, State

PLAN = "plan.json"
LOCK = "lock"
PART = "last_part"  # attribute of a file in memory: the segment that it refers to last
OURS = re.compile(rf"{LOCK}|{PLAN}(\.part)?|{SEGMENT.pattern}(\.part)?")


def parts_of(path: Path) -> Path:
    """The folder of a run that will be called `path`; beside what a symbolic link points to."""
    if not path.name:
        raise FileProblem(f"{path} is a folder: give the name of a file")
    path = durable.pointed(path)
    return path.with_name(path.name + ".parts")


def write_plan(folder: Path, plan: Plan) -> None:
    """Make a folder one of a run: without a plan it is nothing."""
    table = plan.table()
    signed = {"sha256": _sign(table), "plan": table}
    durable.write(folder / PLAN, json.dumps(signed, indent=1).encode())


def last_plan(folder: Path) -> Plan | None:
    """The plan of a folder; None if nothing was planned there yet.

    Raises
    ------
    FileProblem
        If it is damaged.
    """
    path = folder / PLAN
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if _sign(found["plan"]) != found["sha256"]:
            raise ValueError("its checksum is another")
        return Plan.of_table(found["plan"])
    except (FileNotFoundError, NotADirectoryError):
        return None
    except FileProblem as error:
        raise FileProblem(f"{path}: {error}") from None
    except Exception as error:  # whatever a parser says of bytes that nobody wrote
        raise FileProblem(f"{path} is damaged: {error}") from None


def _sign(table: Any) -> str:
    return digest(json.dumps(table).encode())


def sealed(folder: Path) -> list[SealedSegment]:
    """All segments in a folder, in order.

    Raises
    ------
    FileProblem
        If one is damaged or missing.
    """
    found = [path for path in folder.iterdir() if SEGMENT.fullmatch(path.name)]
    paths = sorted(found, key=number_of)
    numbers = [number_of(path) for path in paths]
    if numbers != list(range(len(numbers))):
        raise FileProblem(f"{folder} is damaged: it has the segments {numbers}, and no others")
    return [SealedSegment(path) for path in paths]


def number_of(segment: Path) -> int:
    """The number in the name of a segment; the millionth has a digit more."""
    return int(segment.name.split(".")[0])


def clear(folder: Path) -> None:
    """Empty a folder of a run, but for its lock; the plan goes first, as it makes it one.

    Raises
    ------
    FileProblem
        If something else is in it.
    """
    files = sorted(folder.iterdir(), reverse=True)
    for file in files:
        if not OURS.fullmatch(file.name):
            raise FileProblem(f"{file} is not of a run: it is not removed")
    for file in files:
        if file.name != LOCK:
            os.unlink(file)


def discard(folder: Path) -> None:
    """Remove what is of a run, and the folder if nothing else is in it; as far as possible."""
    with contextlib.suppress(OSError):
        for file in sorted(folder.iterdir(), reverse=True):
            if OURS.fullmatch(file.name) and file.name != LOCK:
                os.unlink(file)
        if [file.name for file in folder.iterdir()] == [LOCK]:
            os.unlink(folder / LOCK)
            os.rmdir(folder)
            durable.sync_folder(folder.parent)


def tidy(path: Path) -> None:
    """Remove the folder that a writer has left which died after its file was whole."""
    folder = parts_of(path)
    if not folder.is_dir() or is_unfinished(path):
        return
    with contextlib.suppress(FileProblem, OSError):  # another writes, or nothing can be written
        lock = Lock(folder / LOCK, path)
        try:
            if not is_unfinished(path):
                discard(folder)
        finally:
            lock.release()


def is_unfinished(path: Path) -> bool:
    """Whether there are parts of a run that are newer than its file."""
    plan = last_plan(parts_of(path))
    return plan is not None and plan.run_id != run_id_of(path)


def run_id_of(path: Path) -> str:
    """Of a finished run; empty if there is none."""
    if not path.is_file():
        return ""
    try:
        with h5py.File(path, "r") as file:
            return str(file.attrs.get("run_id", ""))
    except (OSError, RuntimeError, ValueError):
        return ""


def open_parts(path: Path, whole: bool = False) -> h5py.File:
    """What there is of a run that is not finished, as a file in memory.

    Parameters
    ----------
    path : Path
    whole : bool
        Copy what was recorded, instead of referring to it.
    """
    folder = parts_of(path.absolute())
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

    def write(file: h5py.File) -> None:
        write_run(file, plan, pieces_of(segments), states, notes, virtual=not whole)
        if segments and not whole:
            file.attrs[PART] = str(segments[-1].path)

    return in_memory(write)


def pieces_of(segments: list[SealedSegment]) -> Iterator[Piece]:
    """The pieces of all segments, in order."""
    for segment in segments:
        yield from segment.pieces
