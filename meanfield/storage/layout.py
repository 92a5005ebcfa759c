"""The file of a run: one HDF5 file that xarray opens.

Layout (schema version 1), names after H5MD::

    /                     attributes: format, schema_version, status, stop_reason, …
    /frames               position (time, particle, coordinate) in the precision of the run,
                          mass (time, particle), time, step; of kinetic flows velocity, as position
    /observables          one series per name over ``time``; a series with a schedule of its own
                          has its own axis ``time_<name>``
    /state                where it ended: position, mass, velocity of kinetic flows, time, step
    /provenance           experiment (TOML text); attributes: versions, platform, seeds, conventions
    /diagnostics          attributes: where the time went

Numbers have HDF5's checksums; all else is signed in the attribute ``checksums``.
A run of several seeds has ``seed`` as first dimension of everything that depends on it.
"""

from __future__ import annotations

import dataclasses
import io
import itertools
import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import h5py
import numpy as np

from meanfield.storage.checksums import sign
from meanfield.storage.names import describe
from meanfield.storage.plan import Plan, table_of
from meanfield.storage.segment import (
    STATE_DIMS,
    Memory,
    Piece,
    State,
    Stored,
    arrays,
    pack,
    unpack,
)

SCHEMA_VERSION = 1
BOUNDS = ("v110", "v110")  # of the HDF5 format: the first with checksums of all its structure
MAIN_AXIS = "time"
ENDS = ("finished", "diverged")  # statuses of a run with nothing left to do
CHUNK = 2**16  # bytes
_names = itertools.count()
GROUPS = ("frames", "observables", "state", "provenance", "diagnostics")


def write_run(
    file: h5py.File,
    plan: Plan,
    pieces: Iterable[Piece],
    states: Mapping[int, State],
    notes: Mapping[str, Mapping[str, Any]],
    virtual: bool = False,
) -> None:
    """Fill an empty file with what a run has recorded.

    Parameters
    ----------
    file : h5py.File
    plan : Plan
    pieces : iterable of Piece
    states : mapping of int to State
        By replica; of one that never began there is none.
    notes : mapping
        Attributes by group, "/" for the file itself.
    virtual : bool
        Refer to the datasets of the pieces, instead of copying them.
    """
    for group in GROUPS:
        file.create_group(group)
    file.attrs.update(
        format="meanfield run",
        schema_version=SCHEMA_VERSION,
        creator="meanfield",
        title=plan.title,
        run_id=plan.run_id,
        layout=json.dumps(table_of(plan.layout)),
    )
    file["provenance"].attrs.update(plan.provenance)
    # Not an attribute: these end at 64 KiB, and an experiment may hold arrays.
    file["provenance"].create_dataset("experiment", data=plan.experiment)
    short = dataclasses.replace(plan, provenance={}, run_id="")
    file["provenance"].create_dataset("plan", data=json.dumps(short.table(), indent=1))
    memory = {str(replica): pack(state.memory) for replica, state in states.items()}
    file["provenance"].create_dataset("memory", data=json.dumps(memory))
    for group, values in notes.items():
        file[group].attrs.update(values)
    series: dict[tuple[str, str], list[Piece]] = {}
    for piece in pieces:
        series.setdefault((piece.group, piece.name), []).append(piece)
    lengths = _axes(file, plan, series.values())
    if states:
        count = len(next(iter(states.values())).ensemble)
        _scale(file["frames"], "particle", plan.keep.which(count))
    for (group, name), parts in series.items():
        length = lengths[group, parts[0].dims[0]]
        _write_series(file, plan, group, name, parts, length, virtual)
        parts.clear()  # what was copied from memory is needed no longer
    _write_states(file, plan, states)
    if not virtual:
        sign(file)
    file.flush()


def _axes(
    file: h5py.File, plan: Plan, series: Iterable[Sequence[Piece]]
) -> dict[tuple[str, str], int]:
    """Make the time axes and that of the seeds; the lengths reached, by group and axis."""
    planned = {("frames", MAIN_AXIS): plan.frames}
    planned |= {("observables", axis): steps for axis, steps in plan.axes.items()}
    lengths = dict.fromkeys(planned, 0)
    for parts in series:
        for piece in parts:
            key = piece.group, piece.dims[0]
            lengths[key] = max(lengths[key], piece.first + len(piece.rows))
    for (group, axis), steps in planned.items():
        reached = steps[: lengths[group, axis]]
        times = np.array([plan.grid.time(step) for step in reached], dtype=float)
        scale = _scale(file[group], axis, times)
        name = axis.replace(MAIN_AXIS, "step", 1)
        counts = np.array([plan.first_step + step for step in reached], dtype=int)
        stored = _checked(file[group], name, counts)
        stored.dims[0].attach_scale(scale)
        describe(stored)
    if len(plan.seeds) > 1:
        for group in ("frames", "observables", "state"):
            _scale(file[group], "seed", np.asarray(plan.seeds))
    return lengths


def _scale(group: h5py.Group, name: str, values: Any) -> h5py.Dataset:
    if name not in group:
        made = _checked(group, name, values)
        made.make_scale(name)
        describe(made)
    return group[name]


def _checked(group: h5py.Group, name: str, values: Any) -> h5py.Dataset:
    """A dataset with checksums of its chunks, where it can have chunks."""
    if isinstance(values, list):
        return group.create_dataset(name, data=values, dtype=h5py.string_dtype())
    return group.create_dataset(name, data=values, fletcher32=np.size(values) > 0 < np.ndim(values))


def _write_series(
    file: h5py.File,
    plan: Plan,
    group: str,
    name: str,
    parts: Sequence[Piece],
    length: int,
    virtual: bool,
) -> None:
    example = parts[0]
    many = len(plan.seeds) > 1
    dims = (*(["seed"] if many else []), *example.dims)
    row = tuple(example.rows.shape[1:])
    shape = (*([len(plan.seeds)] if many else []), length, *row)
    dtype = example.rows.dtype
    places = [
        (*([piece.replica] if many else []), slice(piece.first, piece.first + len(piece.rows)))
        for piece in parts
    ]
    if virtual:
        sources = h5py.VirtualLayout(shape, dtype)
        for piece, place in zip(parts, places, strict=True):
            assert isinstance(piece.rows, Stored)
            sources[place] = piece.rows.virtual()
        dataset = file[group].create_virtual_dataset(name, sources, fillvalue=np.nan)
    else:
        # A chunk is one frame, the whole series of a number, or many rows of one of vectors.
        rows = 1 if group == "frames" else max(1, length)
        if row and group != "frames":
            rows = min(rows, max(1, CHUNK // (dtype.itemsize * math.prod(row))))
        chunks = (*([1] if many else []), rows, *(max(1, n) for n in row))
        dataset = file[group].create_dataset(
            name, shape, dtype, fillvalue=np.nan, chunks=chunks, fletcher32=True
        )
        for piece, place in zip(parts, places, strict=True):
            dataset[place] = piece.rows[()]
    _attach(file[group], dataset, dims, plan)


def _attach(group: h5py.Group, dataset: h5py.Dataset, dims: Sequence[str], plan: Plan) -> None:
    for i, dim in enumerate(dims):
        if dim == "particle":
            scale = _scale(group, dim, np.arange(dataset.shape[i]))
        elif dim == "coordinate":
            scale = _scale(group, dim, plan.layout.labels)
        else:
            scale = group[dim]
        dataset.dims[i].attach_scale(scale)
    describe(dataset)


def _write_states(file: h5py.File, plan: Plan, states: Mapping[int, State]) -> None:
    if not states:
        return
    group, many = file["state"], len(plan.seeds) > 1
    example = next(iter(states.values())).ensemble
    dims = {**STATE_DIMS, "time": (), "step": ()}
    for name, array in {**arrays(example), "time": np.array(0.0), "step": np.array(0.0)}.items():
        shape = (*([len(plan.seeds)] if many else []), *array.shape)
        stored = np.full(shape, np.nan, array.dtype)
        for replica, state in states.items():
            found = {**arrays(state.ensemble), "time": state.ensemble.time}
            value = {**found, "step": state.ensemble.step}[name]
            stored[(replica,) if many else ()] = value
        dataset = _checked(group, name, stored)
        _attach(group, dataset, (*(["seed"] if many else []), *dims[name]), plan)


def dims_of(data: h5py.Dataset) -> tuple[str, ...]:
    """The names of a dataset's dimensions; an axis is its own."""
    if data.is_scale:
        return (data.name.rsplit("/", 1)[-1],)
    return tuple(scales[0].name.rsplit("/", 1)[-1] for scales in data.dims)


def series_of(file: h5py.File, group: str = "observables") -> list[str]:
    """Names of the series of a group: what is no axis, and does not count the steps of one."""
    return [
        name
        for name, data in file[group].items()
        if not data.is_scale and not name.startswith("step")
    ]


def read_plan(file: h5py.File) -> Plan | None:
    """What the run was to write; None in a file of an earlier version."""
    stored = file["provenance"].get("plan")
    return None if stored is None else Plan.of_table(json.loads(stored.asstr()[()]))


def read_memory(file: h5py.File) -> dict[int, Memory]:
    """What observers and guards of each replica remembered at the end."""
    stored = json.loads(file["provenance/memory"].asstr()[()])
    return {int(replica): unpack(packed) for replica, packed in stored.items()}


def in_memory(write: Callable[[h5py.File], None]) -> h5py.File:
    """A file that is nowhere but in memory, for reading, with what is written to it.

    It is opened for reading as HDF5 opens what a file refers to as the file itself is open: sealed
    segments would be opened for writing, and locked, so that other readers find nothing in them,
    and their writer stops. It is closed before, as HDF5 1.14 gives images of files that are open
    for writing wrong checksums.
    """
    image = io.BytesIO()
    with h5py.File(image, "w", libver=BOUNDS) as file:
        write(file)
    access = h5py.h5p.create(h5py.h5p.FILE_ACCESS)
    access.set_fapl_core(backing_store=False)
    access.set_file_image(image.getvalue())
    name = f"meanfield-run-{next(_names)}"
    return h5py.File(h5py.h5f.open(name.encode(), h5py.h5f.ACC_RDONLY, access))
