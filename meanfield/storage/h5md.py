"""A run as a trajectory in the format H5MD, which programs for molecular dynamics read.

References
----------
P. de Buyl, P. H. Colberg, F. Höfling, H5MD: a structured, efficient, and portable file format for
molecular data, Comput. Phys. Commun. 185, 2014; version 1.1 of the specification.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import h5py
import numpy as np

from meanfield.storage.durable import Stream
from meanfield.storage.layout import MAIN_AXIS, dims_of, series_of
from meanfield.storage.pieces import all_attributes, pieces
from meanfield.storage.segment import FRAME_DIMS

VERSION = (1, 1)


def write_h5md(file: h5py.File, rows: Sequence[int], target: Path) -> None:
    """Positions, masses and velocities under ``/particles/all``, series under ``/observables``.

    Of several seeds, each has its own: ``/particles/seed_3``, ``/observables/seed_3``. The columns
    of a particle are its coordinates, in an unbounded box; their names, the experiment and all
    attributes are under ``/parameters``.
    """
    seeds = [int(seed) for seed in file["provenance"].attrs["seeds"]]
    many = len(seeds) > 1
    with Stream(target) as stream, h5py.File(stream, "w") as out:
        _write_head(out, file)
        for replica, seed in enumerate(seeds):
            name = f"seed_{seed}" if many else "all"
            place = (replica,) if many else ()
            _write_particles(out.create_group(f"particles/{name}"), file, place, rows)
            series = out.require_group(f"observables/{name}" if many else "observables")
            for key in series_of(file):
                _write_series(series.create_group(key), file, key, place)


def _write_head(out: h5py.File, file: h5py.File) -> None:
    head = out.create_group("h5md")
    head.attrs["version"] = np.array(VERSION, dtype=np.int32)
    # Text of fixed length, as the specification asks for.
    head.create_group("author").attrs["name"] = np.bytes_("not recorded")
    made_by = str(file["provenance"].attrs.get("version_meanfield", "unknown"))
    creator = head.create_group("creator").attrs
    creator["name"], creator["version"] = np.bytes_("meanfield"), np.bytes_(made_by)
    about = out.create_group("parameters")
    about["experiment"] = file["provenance/experiment"].asstr()[()]
    about["attributes"] = all_attributes(file)
    if "coordinate" in file["frames"]:
        about["coordinate"] = [str(name) for name in file["frames/coordinate"].asstr()[:]]


def _write_particles(
    group: h5py.Group, file: h5py.File, place: tuple[int, ...], rows: Sequence[int]
) -> None:
    frames = file["frames"]
    dimension = frames["position"].shape[-1] if "position" in frames else 0
    box = group.create_group("box").attrs
    box["dimension"], box["boundary"] = dimension, np.array([b"none"] * dimension, dtype="S4")
    if not dimension:  # it was stopped before there was a frame
        return
    group["id"] = frames["particle"][:]
    known = frames["mass"][(*place, slice(None), 0)]
    reached = [row for row in rows if np.isfinite(known[row])]  # of a seed that was stopped
    for name in FRAME_DIMS:
        if name not in frames:
            continue
        element = group.create_group(name)
        for axis in ("step", "time"):  # the same datasets for all, as the specification has it
            shared = None if name == "position" else group[f"position/{axis}"]
            element[axis] = frames[axis][:][reached] if shared is None else shared
        data = frames[name]
        shape = data.shape[1 + len(place) :]
        value = element.create_dataset("value", (len(reached), *shape), data.dtype)
        for number, row in enumerate(reached):
            value[number] = data[(*place, row)]


def _write_series(group: h5py.Group, file: h5py.File, name: str, place: tuple[int, ...]) -> None:
    data = file["observables"][name]
    axis = dims_of(data)[len(place)]
    group["step"] = file["observables"][axis.replace(MAIN_AXIS, "step", 1)][:]
    group["time"] = file["observables"][axis][:]
    value = group.create_dataset("value", data.shape[len(place) :], data.dtype)
    for (*head, some), part in pieces(data):
        if tuple(head) == place:
            value[some] = part
