"""Opening what is at a path: a run that is finished, being written, or left by a crash."""

from __future__ import annotations

import os
from pathlib import Path

import h5py

from meanfield.errors import FileProblem
from meanfield.storage.layout import ENDS
from meanfield.storage.parts import is_unfinished, open_parts, parts_of
from meanfield.storage.plan import Plan
from meanfield.storage.run import Run


def open_run(path: str | os.PathLike[str]) -> Run:
    """Open a run: finished, still running, or what a crash has left.

    Raises
    ------
    FileProblem
        If there is none, or it is damaged.
    """
    target = Path(path)
    parts = parts_of(target).is_dir()
    if is_unfinished(target) or (parts and not target.is_file()):
        try:
            return Run(open_parts(target), path=target)
        except FileProblem:
            if is_unfinished(target) or not target.is_file():
                raise  # else it was finished in between
    if not target.is_file():
        raise FileProblem(f"{target}: no such file")
    try:
        file = h5py.File(target, "r")
    except (OSError, RuntimeError):
        raise FileProblem(f"{target} is not an HDF5 file, or it is damaged") from None
    try:
        return Run(file)
    except FileProblem:
        file.close()
        raise


def exists(path: str | os.PathLike[str]) -> bool:
    """Whether there is something at a path that is, or may be, a run."""
    target = Path(path)
    return target.is_file() or is_unfinished(target)


def completed(path: str | os.PathLike[str], until: float) -> tuple[Run, Plan] | None:
    """The run at a path and its plan, if nothing is left to be done until a time."""
    target = Path(path)
    if not target.is_file() or is_unfinished(target):
        return None
    known = open_run(target)
    plan = known.plan
    if known.status in ENDS and plan is not None and plan.grid.until == until:
        return known, plan
    known.close()
    return None
