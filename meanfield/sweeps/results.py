"""What the runs of a sweep have found, side by side: over grid and seed, and over time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from meanfield.arrays import Array
from meanfield.errors import FileProblem
from meanfield.storage import Run, durable, open_run
from meanfield.sweeps.design import label
from meanfield.sweeps.folder import FINISHED, Folder

if TYPE_CHECKING:
    import xarray

DIGITS = 12  # times that differ by rounding are one


class Series(NamedTuple):
    """One series of one run."""

    times: Array
    values: Array
    columns: tuple[str, ...]


class Cube:
    """Numbers over grid and seed.

    Parameters
    ----------
    grid : mapping of str to list
    seeds : sequence of int
    order : sequence of str
        The members by hash; the last key of the grid changes fastest but for the seeds.
    """

    def __init__(
        self, grid: Mapping[str, Sequence[Any]], seeds: Sequence[int], order: Sequence[str]
    ) -> None:
        self.coordinates: dict[str, Any] = {
            key: _coordinate([label(value) for value in values]) for key, values in grid.items()
        }
        self.coordinates["seed"] = np.asarray(seeds)
        self.dims = tuple(self.coordinates)
        self.shape = tuple(len(values) for values in self.coordinates.values())
        self.order = list(order)

    def fill(self, found: Mapping[str, Array], empty: Any, shape: tuple[int, ...] = ()) -> Array:
        """An array over grid, seed (and more) of what is known by hash."""
        rows = [found.get(digest, np.full(shape, empty)) for digest in self.order]
        return np.array(rows).reshape(self.shape + shape)


def collect(folder: Folder, cube: Cube) -> tuple[xarray.Dataset, xarray.Dataset]:
    """The last values of every series, and every series over time.

    Returns
    -------
    final : Dataset
        Each series over grid and seed (and ``NAME_column``), with ``status``; NaN where a member
        has not reached its end.
    series : Dataset
        The same over ``time``, the union of all times at which members have looked: a member that
        did not look then has what is between its looks on a line, and NaN after its last one.
    """
    import xarray

    status: dict[str, Any] = {}
    found: dict[str, dict[str, Series]] = {}
    ended: set[str] = set()
    for digest in dict.fromkeys(cube.order):
        status[digest] = np.array(folder.state(digest)[0])
        try:
            with open_run(folder.run(digest)) as run:
                for name, series in _series(run):
                    found.setdefault(name, {})[digest] = series
            if str(status[digest]) == FINISHED:
                ended.add(digest)
        except FileProblem:
            continue
    every = [series.times for table in found.values() for series in table.values()]
    times = np.unique(np.concatenate([_rounded(t) for t in every])) if every else np.empty(0)
    final: dict[str, Any] = {"status": (cube.dims, cube.fill(status, ""))}
    over: dict[str, Any] = {}
    extra: dict[str, Any] = {}
    for name, table in found.items():
        columns = list(dict.fromkeys(c for series in table.values() for c in series.columns))
        shape, dims = ((len(columns),), (f"{name}_column",)) if columns else ((), ())
        extra |= dict.fromkeys(dims, columns)
        placed = {digest: _placed(series, columns) for digest, series in table.items()}
        last = {digest: placed[digest][-1] for digest in placed if digest in ended}
        on = {d: _interpolated(times, _rounded(table[d].times), placed[d]) for d in placed}
        final[name] = (cube.dims + dims, cube.fill(last, np.nan, shape))
        whole = cube.fill(on, np.nan, (len(times), *shape))
        over[name] = ((*cube.dims, "time", *dims), whole)
    coordinates = cube.coordinates | extra
    return (
        xarray.Dataset(final, coordinates),
        xarray.Dataset(over, coordinates | {"time": times}),
    )


def write(path: Path, groups: Mapping[str, xarray.Dataset], attributes: Mapping[str, str]) -> None:
    """Write datasets into the groups of one netCDF-4 (HDF5) file, which is there whole or not."""
    import xarray

    tree = xarray.DataTree.from_dict(dict(groups))
    tree.attrs.update(attributes)
    with durable.writing(path), durable.publishing(path) as part:
        tree.to_netcdf(part, engine="h5netcdf", write_inherited_coords=True)
        durable.sync_file(part)


def read(path: Path) -> xarray.DataTree | None:
    """What `write` has written, in memory; None if there is none that can be read."""
    import xarray

    try:
        with xarray.open_datatree(path, engine="h5netcdf") as tree:
            return tree.load()
    except (OSError, ValueError, KeyError):
        return None


def _series(run: Run) -> Iterator[tuple[str, Series]]:
    for name in run.names:
        data = run[name]
        data = data.isel(seed=0) if "seed" in data.dims else data
        vector = "coordinate" in data.dims
        columns = tuple(map(str, data["coordinate"].values)) if vector else ()
        known = np.isfinite(data["time"].values)
        if known.any():
            yield name, Series(data["time"].values[known], data.values[known], columns)


def _coordinate(labels: list[Any]) -> Array:
    """Numbers if all are, else text."""
    numbers = all(not isinstance(value, str) for value in labels)
    return np.asarray(labels if numbers else [str(value) for value in labels])


def _rounded(times: Array) -> Array:
    largest = float(np.abs(times).max())
    digits = DIGITS - int(np.ceil(np.log10(largest))) if largest > 0 else DIGITS
    return np.round(times, digits)


def _placed(series: Series, columns: Sequence[str]) -> Array:
    """The values (T,) or (T, C) with a column for each of those that any member has."""
    if not columns:
        return series.values
    out = np.full((len(series.times), len(columns)), np.nan)
    out[:, [columns.index(name) for name in series.columns]] = series.values
    return out


def _interpolated(times: Array, own: Array, values: Array) -> Array:
    flat = values.reshape(len(own), -1)
    columns = [np.interp(times, own, column, left=np.nan, right=np.nan) for column in flat.T]
    return np.stack(columns, axis=-1).reshape((len(times), *values.shape[1:]))
