"""Going through the datasets of a run in pieces of a few megabytes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import h5py
import numpy as np

from meanfield.arrays import Array
from meanfield.storage.layout import GROUPS, dims_of

ENOUGH = 2**24  # bytes of a piece

Place = tuple[Any, ...]  # a number of a replica, if there are several, and a slice


def pieces(data: h5py.Dataset, rows: Sequence[int] | None = None) -> Iterator[tuple[Place, Array]]:
    """The parts of a dataset, in the order of memory, and where each belongs.

    Parameters
    ----------
    data : h5py.Dataset
        Of numbers.
    rows : sequence of int, optional
        Only these places of the first axis that is not that of the seeds, increasing.
    """
    if data.ndim == 0:
        yield (), data[()]
        return
    many = dims_of(data)[0] == "seed" and data.ndim > 1
    kept = range(data.shape[many]) if rows is None else rows
    size = max(1, int(np.prod(data.shape[1 + many :])) * data.dtype.itemsize)
    few = max(1, ENOUGH // size)
    for replica in range(data.shape[0]) if many else (None,):
        head: Place = () if replica is None else (replica,)
        for first in range(0, len(kept), few):
            some = kept[first : first + few]
            chosen = slice(some.start, some.stop) if isinstance(some, range) else list(some)
            yield (*head, slice(first, first + len(some))), data[(*head, chosen)]


def shape_of(data: h5py.Dataset, rows: Sequence[int] | None) -> tuple[int, ...]:
    """The shape of a dataset with only some rows, as in `pieces`."""
    if rows is None:
        return data.shape
    many = dims_of(data)[0] == "seed"
    return (*data.shape[:many], len(rows), *data.shape[many + 1 :])


def datasets(file: h5py.File, rows: Sequence[int]) -> Iterator[tuple[str, Any, Any]]:
    """Group and dataset of everything in a run; and the rows of it, if it belongs to frames."""
    for group in GROUPS:
        for name, data in file[group].items():
            framed = group == "frames" and name not in ("seed", "particle", "coordinate")
            yield group, data, rows if framed else None


def is_text(data: h5py.Dataset) -> bool:
    """Whether it holds text."""
    return h5py.check_string_dtype(data.dtype) is not None


def attributes(item: h5py.Group | h5py.Dataset) -> dict[str, Any]:
    """Attributes as plain values, without those that HDF5 needs itself."""
    internal = ("CLASS", "NAME", "REFERENCE_LIST", "DIMENSION_LIST")
    return {
        key: value.tolist() if isinstance(value, (np.ndarray, np.generic)) else value
        for key, value in item.attrs.items()
        if key not in internal
    }


def all_attributes(file: h5py.File) -> str:
    """The attributes of all groups as JSON; "/" is the file."""
    groups = {"/": file, **{group: file[group] for group in GROUPS}}
    return json.dumps({name: attributes(group) for name, group in groups.items()}, indent=1)
