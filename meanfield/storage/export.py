"""A run for other programs: a table, arrays, netCDF, or a trajectory of particles.

Everything is written piece by piece, so that a run need not fit into memory; and aside first, so
that a file with the target's name is whole.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import h5py
import numpy as np

from meanfield.errors import FileProblem, InvalidInput, require
from meanfield.storage import durable
from meanfield.storage.archives import write_netcdf, write_npz
from meanfield.storage.h5md import write_h5md
from meanfield.storage.opening import open_run
from meanfield.storage.run import Run
from meanfield.storage.tabular import write_csv, write_parquet

Rows = Sequence[int]
Writer = Callable[[h5py.File, Rows, Path], None]
FORMATS: dict[str, Writer] = {
    "csv": write_csv,
    "parquet": write_parquet,
    "npz": write_npz,
    "nc": write_netcdf,
    "h5md": write_h5md,
}
TABLES = ("csv", "parquet")


def export(
    run: Run,
    target: str | os.PathLike[str],
    *,
    format: str = "",
    frames: Sequence[float] | None = None,
    force: bool = False,
) -> Path:
    """Write a run in another format.

    Parameters
    ----------
    run : Run
        Finished, still running, or what a crash has left.
    target : path
    format : {"csv", "parquet", "npz", "nc", "h5md"}, optional
        Default: the ending of the target.
    frames : sequence of float, optional
        Only the frames nearest to these times; default: all. A table has none.
    force : bool
        Replace an existing file.

    Returns
    -------
    Path
        The target.

    Raises
    ------
    InvalidInput, FileProblem
        If the format is unknown, the target exists, or a library is missing.
    NotWritten
        If the disk refuses.
    """
    path = Path(target)
    known = format or path.suffix.lstrip(".").lower()
    require(known in FORMATS, "format", known, f"one of {', '.join(FORMATS)}")
    if frames is not None and known in TABLES:
        raise InvalidInput("frames", list(frames), f"no frames in {known}, which holds series")
    _check_target(path, run, force)
    with durable.writing(path), durable.publishing(path, alone=False) as part:
        while not _write(FORMATS[known], run, frames, part):
            assert run.path is not None
            run = open_run(run.path)
        durable.sync_file(part)
    return path


def _write(write: Writer, run: Run, frames: Sequence[float] | None, part: Path) -> bool:
    """Whether all that was written was there: the parts of a run go when it ends."""
    try:
        write(run.file, _rows(run, frames), part)
    except FileProblem:
        if run.is_current:
            raise
    return run.is_current


def _rows(run: Run, times: Sequence[float] | None) -> Rows:
    """The places of the frames that are wanted, in order."""
    there = run.file["frames/time"][:]
    if times is None:
        return range(len(there))
    require(len(there) > 0, "frames", list(times), "a run that has frames")
    require(len(times) > 0, "frames", list(times), "at least one time")
    return sorted({int(np.abs(there - time).argmin()) for time in times})


def _check_target(path: Path, run: Run, force: bool) -> None:
    durable.check_place(path)
    if run.path is not None and path.resolve() == run.path.resolve():
        raise FileProblem(f"{path} is the run itself: choose another name")
    if path.exists() and not force:
        raise FileProblem(f"{path} exists already: choose another name, or --force")
