"""Reading a run: the same object whether it is in memory or in a file."""

from __future__ import annotations

import copy
import functools
import io
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, overload

import h5py
import numpy as np

from meanfield.arrays import Array
from meanfield.ensemble import Ensemble
from meanfield.errors import FileProblem, UnknownName, require
from meanfield.storage import durable
from meanfield.storage.checksums import reading, verify
from meanfield.storage.journal import check_writable
from meanfield.storage.layout import SCHEMA_VERSION, dims_of, read_plan, series_of
from meanfield.storage.parts import PART, open_parts
from meanfield.storage.plan import Plan, layout_of
from meanfield.storage.segment import read_ensemble

if TYPE_CHECKING:
    import xarray

    from meanfield.viewing import Plot
    from meanfield.viewing.explorer import View

T = TypeVar("T")


def _told(method: Callable[..., T]) -> Callable[..., T]:
    """A method of a run that says of a damaged file that it is damaged."""

    @functools.wraps(method)
    def told(self: Run, *arguments: Any) -> T:
        with reading(self._path or "the run"):
            found = method(self, *arguments)
        self._require_current()  # else HDF5 may have taken what is gone for NaN
        return found

    return told


class Frames(Sequence[Ensemble]):
    """The frames of a run, each read from the file when it is asked for.

    Of a seed that was stopped early there are only the frames that it reached.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        with reading(run.path or "the run"):
            group = run.file["frames"]
            written = group.get("mass")
            if written is None:
                reached = 0
            elif len(run.seeds) > 1:
                reached = int(np.isfinite(written[run._replica, :, 0]).sum())
            else:
                reached = len(written)
            self.times: Array = group["time"][:reached]
            self.steps = group["step"][:reached]

    def __len__(self) -> int:
        return len(self.times)

    @overload
    def __getitem__(self, index: int) -> Ensemble: ...
    @overload
    def __getitem__(self, index: slice) -> list[Ensemble]: ...
    def __getitem__(self, index: int | slice) -> Ensemble | list[Ensemble]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        return self._run._ensemble("frames", range(len(self))[index])

    def __iter__(self) -> Iterator[Ensemble]:
        return (self[i] for i in range(len(self)))

    def at(self, time: float) -> Ensemble:
        """The frame nearest to a time, which is between the first and the last."""
        return self[self.place(time)]

    def place(self, time: float) -> int:
        """The number of the frame nearest to a time.

        Raises
        ------
        FileProblem
            If there are no frames.
        InvalidInput
            If the time is not between those of the first and the last one.
        """
        if not len(self):
            raise FileProblem(f"seed {self._run.seed} has no frames: {self._run.stop_reason}")
        first, last = self.times[[0, -1]]
        rounding = 1e-9 * max(abs(first), abs(last))
        inside = first - rounding <= time <= last + rounding
        require(inside, "time", time, f"a time of the frames, {first:g} to {last:g}")
        return int(np.abs(self.times - time).argmin())


class Run:
    """What a simulation left: frames, observables, final state, configuration, provenance.

    Parameters
    ----------
    file : h5py.File
        Open for reading, on disk or in memory.
    path : Path, optional
        What the file will be called, of one in memory.

    Attributes
    ----------
    status : str
        ``finished``, ``interrupted``, ``diverged`` or ``failed``.
    stop_reason : str
        One sentence.
    seeds : list of int
    """

    def __init__(self, file: h5py.File, path: Path | None = None) -> None:
        on_disk = None if file.driver == "core" else Path(file.filename)
        self._file, self._replica, self._path = file, 0, path or on_disk
        self._place = None if self._path is None else self._path.absolute()
        with reading(file.filename):
            if file.attrs.get("format") != "meanfield run":
                raise FileProblem(f"{file.filename} is not a run of meanfield")
            version = int(file.attrs["schema_version"])
            if version > SCHEMA_VERSION:
                raise FileProblem(
                    f"{file.filename} has schema version {version}, newer than this meanfield "
                    f"({SCHEMA_VERSION}): upgrade meanfield"
                )
            verify(file)
            self._part = str(file.attrs.get(PART, ""))
            self.layout = layout_of(json.loads(file.attrs["layout"]))
            self.seeds: list[int] = [int(seed) for seed in file["provenance"].attrs["seeds"]]

    @property
    def file(self) -> h5py.File:
        """The HDF5 file; raises `FileProblem` if it refers to parts that are no longer there."""
        self._require_current()
        return self._file

    @property
    def path(self) -> Path | None:
        """The file, or what it will be called; None for a run in memory."""
        return self._path

    @property
    def _in_memory(self) -> bool:
        return bool(self._file.driver == "core")

    @property
    def is_current(self) -> bool:
        """Whether all it shows is there: the parts of an unfinished run go when it ends."""
        return not self._part or os.path.exists(self._part)

    def _require_current(self) -> None:
        if not self.is_current:
            raise FileProblem(
                f"{self._path} was finished or replaced since it was opened: open it again"
            )

    @property
    @_told
    def title(self) -> str:
        """What the run is called."""
        return str(self.file.attrs["title"])

    @property
    @_told
    def status(self) -> str:
        return str(self.file.attrs["status"])

    @property
    @_told
    def stop_reason(self) -> str:
        unfinished = "it is still being written, or was killed"
        return str(self.file.attrs.get("stop_reason", unfinished))

    @property
    @_told
    def stop_code(self) -> int:
        """What a program that stops for this reason returns: 0, or 75, 130, 143."""
        return int(self.file.attrs.get("stop_code", 0))

    @property
    def seed(self) -> int:
        """The seed that ``frames`` and ``final`` show."""
        return self.seeds[self._replica]

    @property
    def frames(self) -> Frames:
        """The recorded ensembles, lazily."""
        return Frames(self)

    @property
    @_told
    def final(self) -> Ensemble:
        """Where the run ended; raises `FileProblem` for a seed that was never run."""
        state = self.file["state"]
        if "time" not in state or not np.isfinite(state["time"][self._here]):
            raise FileProblem(f"seed {self.seed} was never run: {self.stop_reason}")
        return self._ensemble("state")

    @property
    @_told
    def names(self) -> list[str]:
        """Names of the observed series."""
        return series_of(self.file)

    @property
    @_told
    def provenance(self) -> dict[str, Any]:
        """How the run came about: versions, platform, seeds, conventions."""
        return _plain(self.file["provenance"].attrs)

    @property
    @_told
    def diagnostics(self) -> dict[str, Any]:
        """Where the time went (seconds, summed over the seeds)."""
        return _plain(self.file["diagnostics"].attrs)

    @property
    @_told
    def experiment(self) -> str:
        """The resolved experiment as TOML; empty for a run started from Python."""
        return str(self.file["provenance/experiment"].asstr()[()])

    def replica(self, seed: int) -> Run:
        """The same run, with ``frames`` and ``final`` of another seed."""
        if seed not in self.seeds:
            raise UnknownName("seed", str(seed), map(str, self.seeds))
        self._require_current()
        found = copy.copy(self)  # of the same file, which was verified when it was opened
        found._replica = self.seeds.index(seed)
        return found

    @_told
    def __getitem__(self, name: str) -> xarray.DataArray:
        """A series over ``time`` (and ``seed``, and ``coordinate``)."""
        import xarray

        if not self.names:
            raise FileProblem(f"{self._path or 'the run'} has no series yet: {self.stop_reason}")
        if name not in self.names:
            raise UnknownName("series", name, self.names)
        data = self.file["observables"][name]
        scales = [self.file["observables"][dim] for dim in dims_of(data)]
        dims = ["time" if dim.startswith("time") else dim for dim in dims_of(data)]
        coords = {
            dim: scale.asstr()[:] if dim == "coordinate" else scale[:]
            for dim, scale in zip(dims, scales, strict=True)
        }
        return xarray.DataArray(data[:], coords=coords, dims=dims, name=name)

    @_told
    def to_xarray(self) -> xarray.DataTree:
        """The whole run as a DataTree, lazily from a file."""
        import xarray

        source: Any = io.BytesIO(self._image()) if self._in_memory else self._place
        return xarray.open_datatree(source, engine="h5netcdf")

    def export(
        self,
        target: str | os.PathLike[str],
        *,
        format: str = "",
        frames: Sequence[float] | None = None,
        force: bool = False,
    ) -> Path:
        """Write the run for other programs; see `meanfield.storage.export.export`."""
        from meanfield.storage.export import export

        return export(self, target, format=format, frames=frames, force=force)

    def save(self, path: str | os.PathLike[str], force: bool = False) -> Run:
        """Write the run to a file, and return the run there."""
        target = Path(path)
        check_writable(target, force)
        image = self._image() if self._in_memory else None
        with durable.writing(target):
            if image is not None:
                durable.write(target, image, alone=False)
            else:
                with durable.publishing(target, alone=False) as part:
                    shutil.copyfile(str(self._place), part)
                    durable.sync_file(part)
        return Run(h5py.File(target, "r"))

    def _image(self) -> bytes:
        """The bytes of a file of its own."""
        if not self._part:
            return self.file.id.get_file_image()
        assert self._place is not None
        with open_parts(self._place, whole=True) as file:
            return file.id.get_file_image()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> Run:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def plot(self) -> Plot:
        """Its figures: ``run.plot("overview.png")``, ``run.plot.energy()``, …; see `Plot`."""
        from meanfield.viewing import Plot

        return Plot(self)

    def view(self, path: str | os.PathLike[str] | None = None, **options: Any) -> View:
        """A page to explore the run; options are those of `meanfield.viewing.explorer.view`."""
        from meanfield.viewing.explorer import view

        return view(self, path, **options)

    def _repr_html_(self) -> str:
        from meanfield.viewing import displays

        return displays.run(self)

    def __repr__(self) -> str:
        where = self.path or "in memory"
        head = f"Run {self.title!r} ({where}): {self.status}, {self.stop_reason}"
        try:
            ended = repr(self.final)
        except FileProblem as error:
            ended = str(error)
        lines = [head, f"  {len(self.frames)} frames, {len(self.seeds)} seed(s), {ended}"]
        for name in self.names:
            data = self[name]
            if "coordinate" not in data.dims:
                lines.append(f"  {name} = {summarise(data[..., -1].values)}")
        rate = self.diagnostics.get("steps_per_second")
        if rate:
            lines.append(f"  {rate:.0f} steps/s")
        return "\n".join(lines)

    @property
    @_told
    def plan(self) -> Plan | None:
        """What the run was to write; None in a file of an earlier version."""
        return read_plan(self.file)

    @_told
    def _ensemble(self, group: str, *row: int) -> Ensemble:
        return read_ensemble(self.file[group], self.layout, (*self._here, *row))

    @property
    def _here(self) -> tuple[int, ...]:
        """The place of the seed, where a dataset has several."""
        return (self._replica,) if len(self.seeds) > 1 else ()


def summarise(values: Array) -> str:
    """A number; over several seeds the mean and the standard deviation between them."""
    flat = np.atleast_1d(values)
    known = flat[~np.isnan(flat)]  # a seed that an interrupted run did not reach has none
    if known.size < 2:
        return f"{known[0] if known.size else np.nan:.6g}"
    return f"{known.mean():.6g} ± {known.std(ddof=1):.2g}"


def _plain(attributes: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: value.tolist() if isinstance(value, (np.ndarray, np.generic)) else value
        for key, value in attributes.items()
    }
