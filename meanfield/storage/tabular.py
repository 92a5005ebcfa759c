"""The observed series as a table: one row for each seed and time at which something was looked at.

Columns are ``seed``, ``time``, ``step`` and the series; a series of vectors has one for each
coordinate, ``mean[w[0]]``. A series with a schedule of its own has entries in its own rows, and
none in the others.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np

from meanfield.arrays import Array
from meanfield.errors import MeanfieldError
from meanfield.storage.layout import MAIN_AXIS, dims_of, series_of

MOST_ROWS = 4096  # that are in memory at once


class Batch(NamedTuple):
    """Some rows of the table: (n,) each, and (n, k) values; NaN where there is none."""

    seed: int
    time: Array
    step: Any
    values: Array


def columns(file: h5py.File) -> list[str]:
    """The names of the columns after seed, time and step."""
    found = []
    for name in series_of(file):
        data = file["observables"][name]
        if dims_of(data)[-1] == "coordinate":
            found += [f"{name}[{label}]" for label in file["observables/coordinate"].asstr()[:]]
        else:
            found.append(name)
    return found


def batches(file: h5py.File) -> Iterator[Batch]:
    """The rows of the table, some at a time, without those that have no entry at all."""
    group = file["observables"]
    data = [group[name] for name in series_of(file)]
    axes = [dims_of(one)[1 if dims_of(one)[0] == "seed" else 0] for one in data]
    steps = {axis: group[axis.replace(MAIN_AXIS, "step", 1)][:] for axis in axes}
    times = {axis: group[axis][:] for axis in axes}
    if not data:
        return
    step, first = np.unique(np.concatenate(list(steps.values())), return_index=True)
    time = np.concatenate(list(times.values()))[first]
    for replica, seed in enumerate(file["provenance"].attrs["seeds"]):
        for begin in range(0, len(step), MOST_ROWS):
            here = slice(begin, begin + MOST_ROWS)
            found = [
                _values(one, replica, steps[axis], step[here])
                for one, axis in zip(data, axes, strict=True)
            ]
            values = np.hstack(found)
            some = ~np.isnan(values).all(axis=1)
            yield Batch(int(seed), time[here][some], step[here][some], values[some])


def _values(data: h5py.Dataset, replica: int, steps: Any, wanted: Any) -> Array:
    """What a series has at the wanted steps, (n, k); NaN where it was not looked at."""
    many = dims_of(data)[0] == "seed"
    width = int(np.prod(data.shape[1 + many :]))
    found = np.full((len(wanted), width), np.nan)
    rows = np.searchsorted(steps, wanted)
    there = np.flatnonzero(np.isin(wanted, steps))
    if len(there):
        # Between the first and the last wanted step, the series has no others.
        chosen = slice(rows[there[0]], rows[there[-1]] + 1)
        found[there] = data[(replica, chosen) if many else chosen].reshape(-1, width)
    return found


def write_csv(file: h5py.File, rows: Sequence[int], target: Path) -> None:
    """A table of text: numbers with all the digits that they need to be read back to the bit."""
    with target.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["seed", "time", "step", *columns(file)])
        for batch in batches(file):
            for time, step, values in zip(batch.time, batch.step, batch.values, strict=True):
                cells = ["" if np.isnan(value) else repr(float(value)) for value in values]
                writer.writerow([batch.seed, repr(float(time)), step, *cells])


def write_parquet(file: h5py.File, rows: Sequence[int], target: Path) -> None:
    """The same table in Parquet; where CSV has an empty cell, there is null."""
    try:
        import pyarrow as arrow
        import pyarrow.parquet
    except ImportError:
        raise MeanfieldError(
            "Parquet is written by pyarrow, which is not installed: "
            'pip install "meanfield[parquet]"'
        ) from None
    names = columns(file)
    whole = [("seed", arrow.int64()), ("time", arrow.float64()), ("step", arrow.int64())]
    about = {"experiment": file["provenance/experiment"].asstr()[()], "title": file.attrs["title"]}
    schema = arrow.schema([*whole, *((name, arrow.float64()) for name in names)], metadata=about)
    with arrow.parquet.ParquetWriter(target, schema) as writer:
        for batch in batches(file):
            seeds = np.full(len(batch.time), batch.seed)
            numbers = [arrow.array(column, mask=np.isnan(column)) for column in batch.values.T]
            entries = [arrow.array(one) for one in (seeds, batch.time, batch.step)] + numbers
            writer.write_batch(arrow.record_batch(entries, schema=schema))
