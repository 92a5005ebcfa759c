"""Writing a run: one HDF5 file that xarray opens, on disk or in memory.

Layout (schema version 1), names after H5MD::

    /                     attributes: format, schema_version, status, stop_reason, …
    /frames               position (time, particle, coordinate) in the precision of the run,
                          mass (time, particle), time, step; of kinetic flows velocity, as position
    /observables          one series per name over ``time``; a series with a schedule of its own
                          has its own axis ``time_<name>``
    /state                where it ended: position, mass, velocity of kinetic flows, time, step
    /provenance           experiment (TOML text); attributes: versions, platform, seeds, conventions
    /diagnostics          attributes: where the time went

A run of several seeds has ``seed`` as first dimension of everything that depends on it. While it
is written, the file is called ``NAME.part``; it gets its name when it is complete.
"""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from meanfield.arrays import Array, as_floats
from meanfield.ensemble import Ensemble, Layout
from meanfield.errors import FileProblem
from meanfield.schedules import Grid

SCHEMA_VERSION = 1
MAIN_AXIS = "time"
_memory_names = itertools.count()


@dataclass
class Plan:
    """What a run will write, known before it starts.

    Attributes
    ----------
    grid : Grid
    frames : list of int
        Steps of the frames.
    axes : mapping of str to list of int
        Steps of each time axis of the observables.
    seeds : sequence of int
        One replica for each.
    layout : Layout
        Of a particle.
    first_step : int
        The step that the start had reached before; counted on from there.
    title : str
    experiment : str
        The resolved experiment as TOML.
    provenance : mapping
        Attributes.
    """

    grid: Grid
    frames: list[int]
    axes: Mapping[str, list[int]]
    seeds: Sequence[int]
    layout: Layout
    first_step: int = 0
    title: str = ""
    experiment: str = ""
    provenance: Mapping[str, Any] = field(default_factory=dict)


class Recorder:
    """A run being written.

    Parameters
    ----------
    path : path or None
        Where the finished file will be; None keeps it in memory.
    plan : Plan
    force : bool
        Replace an existing file.
    """

    def __init__(
        self, path: str | os.PathLike[str] | None, plan: Plan, force: bool = False
    ) -> None:
        self.path = None if path is None else Path(path)
        self.plan = plan
        if self.path is None:
            name = f"meanfield-run-{next(_memory_names)}"
            self.file = h5py.File(name, "w", driver="core", backing_store=False)
        else:
            check_writable(self.path, force)
            try:
                self.file = h5py.File(self._partial, "w")
            except OSError as error:
                raise FileProblem(f"{self._partial} cannot be written: {error}") from None
        for group in ("frames", "observables", "state", "provenance", "diagnostics"):
            self.file.create_group(group)
        self.file.attrs.update(
            format="meanfield run",
            schema_version=SCHEMA_VERSION,
            creator="meanfield",
            title=plan.title,
            status="running",
            layout=json.dumps({"blocks": dict(plan.layout.blocks), "frozen": plan.layout.frozen}),
        )
        self.file["provenance"].attrs.update(plan.provenance)
        # Not an attribute: these end at 64 KiB, and an experiment may hold arrays.
        self.file["provenance"].create_dataset("experiment", data=plan.experiment)
        self._axes("frames", {MAIN_AXIS: plan.frames})
        self._axes("observables", plan.axes)
        if len(plan.seeds) > 1:
            for group in ("frames", "observables", "state"):
                self._scale(group, "seed", list(plan.seeds))
        self._series: dict[tuple[str, str], h5py.Dataset] = {}
        self._reached: dict[str, int] = {}
        self._waiting: dict[tuple[int, str, str], tuple[int, list[Array]]] = {}

    @property
    def _partial(self) -> Path:
        assert self.path is not None
        return self.path.with_name(self.path.name + ".part")

    def _axes(self, group: str, axes: Mapping[str, list[int]]) -> None:
        target = self.file[group]
        for axis, steps in axes.items():
            times = [self.plan.grid.time(step) for step in steps]
            counts = [self.plan.first_step + step for step in steps]
            scale = target.create_dataset(axis, data=times, maxshape=(None,), chunks=True)
            scale.attrs.update(units="time units of the flow", long_name="time")
            scale.make_scale(axis)
            name = axis.replace(MAIN_AXIS, "step", 1)
            count = target.create_dataset(name, data=counts, maxshape=(None,), chunks=True)
            count.dims[0].attach_scale(scale)

    def _scale(self, group: str, name: str, values: Any) -> h5py.Dataset:
        target = self.file[group]
        if name not in target:
            data = values() if callable(values) else values
            kind = h5py.string_dtype() if isinstance(data[0], str) else None
            target.create_dataset(name, data=data, dtype=kind).make_scale(name)
        return target[name]

    def _dataset(
        self, group: str, name: str, dims: Sequence[str], shape: Sequence[int], dtype: DTypeLike
    ) -> h5py.Dataset:
        """The dataset of a series, made when its first value arrives."""
        known = self._series.get((group, name))
        if known is not None:
            return known
        target = self.file[group]
        many = len(self.plan.seeds) > 1
        dims = (*(["seed"] if many else []), *dims)
        shape = (*([len(self.plan.seeds)] if many else []), *shape)
        in_time = [dim.startswith(MAIN_AXIS) for dim in dims]
        settings: dict[str, Any] = {}
        if any(in_time):
            settings["maxshape"] = [
                None if timely else n for timely, n in zip(in_time, shape, strict=True)
            ]
            # A chunk is one frame, or the whole series of a number.
            single = [
                dim == "seed" or (timely and not in_time[-1])
                for dim, timely in zip(dims, in_time, strict=True)
            ]
            settings["chunks"] = tuple(
                1 if one else max(1, n) for one, n in zip(single, shape, strict=True)
            )
        dataset = target.create_dataset(name, shape, dtype, fillvalue=np.nan, **settings)
        for i, dim in enumerate(dims):
            if dim == "particle":
                scale = self._scale(group, dim, lambda n=shape[i]: np.arange(n))
            elif dim == "coordinate":
                scale = self._scale(group, dim, lambda: self.plan.layout.labels)
            else:
                scale = target[dim]
            dataset.dims[i].attach_scale(scale)
        self._series[group, name] = dataset
        return dataset

    def _put(
        self, group: str, name: str, replica: int, dims: Sequence[str], value: ArrayLike
    ) -> None:
        """Write a value that has no time axis."""
        array = as_floats(value)
        dataset = self._dataset(group, name, dims, array.shape, array.dtype)
        dataset[(replica,) if len(self.plan.seeds) > 1 else ()] = array

    def _put_rows(
        self, group: str, name: str, replica: int, dims: Sequence[str], first: int, rows: ArrayLike
    ) -> None:
        """Write consecutive rows of a series, from row `first` of its time axis on."""
        array = as_floats(rows)
        stop = first + len(array)
        steps = self.plan.frames if group == "frames" else self.plan.axes[dims[0]]
        shape = (len(steps), *array.shape[1:])
        dataset = self._dataset(group, name, dims, shape, array.dtype)
        span = slice(first, stop)
        dataset[(replica, span) if len(self.plan.seeds) > 1 else span] = array
        key = f"{group}/{dims[0]}"
        self._reached[key] = max(self._reached.get(key, 0), stop)

    def frame(self, replica: int, row: int, ensemble: Ensemble) -> None:
        """Keep the ensemble as frame number `row`; whatever was observed so far is written too."""
        dims = ("time", "particle", "coordinate")
        self._put_rows("frames", "position", replica, dims, row, ensemble.position[None])
        self._put_rows("frames", "mass", replica, dims[:2], row, ensemble.mass[None])
        if ensemble.velocity is not None:
            self._put_rows("frames", "velocity", replica, dims, row, ensemble.velocity[None])
        self._flush()

    def observe(self, replica: int, axis: str, row: int, values: Mapping[str, ArrayLike]) -> None:
        """Keep what an observable returned, as entry `row` of its time axis."""
        for name, value in values.items():
            # One write per value would cost more than most steps: rows wait for the next frame.
            first, rows = self._waiting.get((replica, axis, name), (row, []))
            if row != first + len(rows):  # looks in between had no such value
                self._flush()
                first, rows = row, []
            rows.append(np.array(value, dtype=float))  # a copy: the owner may reuse its buffer
            self._waiting[replica, axis, name] = first, rows

    def _flush(self) -> None:
        for (replica, axis, name), (first, rows) in self._waiting.items():
            dims = (axis, "coordinate") if rows[0].ndim else (axis,)
            self._put_rows("observables", name, replica, dims, first, rows)
        self._waiting.clear()
        self.file.flush()

    def state(self, replica: int, ensemble: Ensemble) -> None:
        """Keep where a replica ended."""
        self._put("state", "position", replica, ("particle", "coordinate"), ensemble.position)
        self._put("state", "mass", replica, ("particle",), ensemble.mass)
        if ensemble.velocity is not None:
            dims = ("particle", "coordinate")
            self._put("state", "velocity", replica, dims, ensemble.velocity)
        self._put("state", "time", replica, (), ensemble.time)
        self._put("state", "step", replica, (), ensemble.step)
        self._flush()

    def annotate(self, group: str, **values: Any) -> None:
        """Set attributes of a group ("/" for the file itself)."""
        self.file[group].attrs.update(values)

    def close(self, status: str, reason: str) -> h5py.File:
        """Cut the time axes at what was reached, seal the file and hand it over for reading."""
        self.file.attrs.update(status=status, stop_reason=reason)
        for group in ("frames", "observables"):
            for axis in [name for name in self.file[group] if name.startswith(MAIN_AXIS)]:
                self._trim(group, axis, self._reached.get(f"{group}/{axis}", 0))
        self.file.flush()
        if self.path is None:
            return self.file
        self.file.close()
        os.replace(self._partial, self.path)
        return h5py.File(self.path, "r")

    def _trim(self, group: str, axis: str, length: int) -> None:
        target = self.file[group]
        if length == len(target[axis]):
            return
        for dataset in target.values():
            for i, dim in enumerate(dataset.dims):
                own = dataset.name.rsplit("/", 1)[-1] == axis
                if own or (len(dim) and dim[0].name.rsplit("/", 1)[-1] == axis):
                    dataset.resize(length, axis=i)


def check_writable(path: Path, force: bool) -> None:
    """Raise `FileProblem` if a run cannot be written at `path`.

    `force` replaces another run, and nothing else.
    """
    try:
        if not path.parent.is_dir():
            raise FileProblem(f"{path}: the folder {path.parent} does not exist")
        if path.is_dir():
            raise FileProblem(f"{path} is a folder: give the name of a file")
        if path.exists():
            if not force:
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
    except OSError:
        return False
