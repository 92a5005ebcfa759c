"""The user's own data: named columns from CSV, NPZ or HDF5."""

from __future__ import annotations

import csv
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from meanfield.errors import FileProblem

Column = NDArray[np.generic]


def read_table(path: Path) -> dict[str, Column]:
    """Arrays by name, all with the same number of rows.

    CSV: a header line, then one sample per line; a column is text unless all of it is numbers.
    NPZ and HDF5: every array at the top of one or two dimensions; all have the same number of
    rows, and a two-dimensional one holds several columns.

    Raises
    ------
    FileProblem
        If the file is missing, of another kind, or does not hold a table.
    """
    if not path.is_file():
        raise FileProblem(f"{path}: no such file")
    readers = {".csv": _read_csv, ".npz": _read_npz, ".h5": _read_hdf5, ".hdf5": _read_hdf5}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise FileProblem(
            f"{path}: cannot read {path.suffix or 'a file without ending'}; "
            "expected .csv, .npz, .h5 or .hdf5"
        )
    try:
        table = reader(path)
    except (OSError, ValueError, UnicodeDecodeError) as error:
        raise FileProblem(f"{path} cannot be read: {error}") from None
    if not table:
        raise FileProblem(f"{path} holds no columns")
    return table


def _read_csv(path: Path) -> dict[str, Column]:
    with path.open(newline="", encoding="utf-8-sig") as stream:
        rows = [row for row in csv.reader(stream) if row]
    if len(rows) < 2:
        raise ValueError("expected a header line and at least one sample")
    header = [name.strip() for name in rows[0]]
    if len(set(header)) < len(header):
        raise ValueError("two columns have the same name")
    for number, row in enumerate(rows[1:], start=2):
        if len(row) != len(header):
            raise ValueError(f"line {number} has {len(row)} entries, the header {len(header)}")
    return {name: _numbers([row[i].strip() for row in rows[1:]]) for i, name in enumerate(header)}


def _numbers(texts: list[str]) -> Column:
    try:
        return np.array([float(text) for text in texts])
    except ValueError:
        return np.array(texts)


def _read_npz(path: Path) -> dict[str, Column]:
    with np.load(path, allow_pickle=False) as archive:
        return _same_length({name: archive[name] for name in archive.files})


def _read_hdf5(path: Path) -> dict[str, Column]:
    with h5py.File(path, "r") as file:
        found = {}
        for name, item in file.items():
            if isinstance(item, h5py.Dataset) and item.ndim >= 1:
                found[name] = item.asstr()[:] if h5py.check_string_dtype(item.dtype) else item[:]
        return _same_length(found)


def _same_length(arrays: dict[str, Column]) -> dict[str, Column]:
    lengths = {name: len(array) for name, array in arrays.items() if array.ndim in (1, 2)}
    if len(set(lengths.values())) > 1:
        found = ", ".join(f"{name} {rows}" for name, rows in lengths.items())
        raise ValueError(f"its arrays have different numbers of rows ({found})")
    return {
        name: array.astype(str) if array.dtype.kind in "OSU" else array
        for name, array in arrays.items()
        if name in lengths
    }
