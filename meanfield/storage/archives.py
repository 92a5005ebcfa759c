"""Everything in a run as arrays: in an NPZ archive, and as netCDF-4."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from meanfield.storage.durable import Stream
from meanfield.storage.layout import GROUPS, dims_of
from meanfield.storage.pieces import (
    all_attributes,
    attributes,
    datasets,
    is_text,
    pieces,
    shape_of,
)


def write_npz(file: h5py.File, rows: Sequence[int], target: Path) -> None:
    """Every dataset under the name that it has in the file, as in ``arrays["frames/position"]``.

    ``arrays["attributes"]`` is text: the attributes of all groups as JSON.
    """
    with zipfile.ZipFile(target, "w") as archive:
        _add(archive, "attributes", np.array(all_attributes(file)))
        for _, data, kept in datasets(file, rows):
            name = data.name.lstrip("/")
            if is_text(data):
                _add(archive, name, np.array(data.asstr()[()], dtype=str))
                continue
            with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as stream:
                head = {
                    "descr": np.lib.format.dtype_to_descr(data.dtype),
                    "fortran_order": False,
                    "shape": shape_of(data, kept),
                }
                np.lib.format.write_array_header_1_0(stream, head)
                for _, part in pieces(data, kept):
                    stream.write(np.ascontiguousarray(part).tobytes())


def _add(archive: zipfile.ZipFile, name: str, array: Any) -> None:
    with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w") as stream:
        np.lib.format.write_array(stream, array, allow_pickle=False)


def write_netcdf(file: h5py.File, rows: Sequence[int], target: Path) -> None:
    """The groups of the file as groups of netCDF-4, with its dimensions and attributes.

    A truth value, which netCDF has not, is 0 or 1.
    """
    import h5netcdf

    with Stream(target) as stream, h5netcdf.File(stream, "w") as out:
        out.attrs.update(_storable(attributes(file)))
        for group in GROUPS:
            made = out.create_group(group)
            made.attrs.update(_storable(attributes(file[group])))
        for group, data, kept in datasets(file, rows):
            if data.is_scale:
                out[group].dimensions[data.name.rsplit("/", 1)[-1]] = shape_of(data, kept)[0]
        for group, data, kept in datasets(file, rows):
            _write_variable(out[group], data, kept)


def _write_variable(group: Any, data: h5py.Dataset, rows: Sequence[int] | None) -> None:
    name = data.name.rsplit("/", 1)[-1]
    if is_text(data):
        text = data.asstr()[()]
        made = group.create_variable(name, dims_of(data), h5py.string_dtype())
        made[...] = text
    else:
        fill = np.nan if data.dtype.kind == "f" and not data.is_scale else None
        made = group.create_variable(name, dims_of(data), data.dtype, fillvalue=fill)
        for place, part in pieces(data, rows):
            made[place if place else ...] = part
    made.attrs.update(_storable(attributes(data)))


def _storable(values: dict[str, Any]) -> dict[str, Any]:
    return {key: int(value) if isinstance(value, bool) else value for key, value in values.items()}
