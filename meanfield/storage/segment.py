"""Segments: what a run has recorded since the last one, and where it stands.

A segment is one HDF5 file, named by its number and the start of the SHA-256 of its bytes. It holds
frames and series as pieces (consecutive rows of one replica), the whole state of every replica that
moved, and what observers and guards remember; with all segments before it, it is a checkpoint.
"""

from __future__ import annotations

import base64
import itertools
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from meanfield.arrays import Array
from meanfield.ensemble import Ensemble, Layout
from meanfield.errors import FileProblem
from meanfield.storage import durable
from meanfield.storage.checksums import digest, reading

FORMAT = "meanfield segment"
SEGMENT = re.compile(r"\d{6,}\.[0-9a-f]{16}\.h5")  # the name of one
SMALL = 2**12  # bytes of a row: what is smaller is put together before it is written
FRAME_DIMS = {
    "position": ("time", "particle", "coordinate"),
    "mass": ("time", "particle"),
    "velocity": ("time", "particle", "coordinate"),
}
STATE_DIMS = {name: dims[1:] for name, dims in FRAME_DIMS.items()}
_names = itertools.count()

Memory = Mapping[str, Array]


@dataclass(frozen=True)
class Piece:
    """Consecutive rows of one series of one replica.

    Attributes
    ----------
    group, name : str
        As in the file of the run.
    dims : tuple of str
        Of the rows; the first is their time axis.
    replica, first : int
        Whose they are, and the place of the first row.
    rows : array or Stored
    """

    group: str
    name: str
    dims: tuple[str, ...]
    replica: int
    first: int
    rows: Array | Stored


@dataclass(frozen=True)
class State:
    """Where a replica stands.

    Attributes
    ----------
    ensemble : Ensemble
    done : int
        Steps of this run behind it.
    ended : bool
        Whether nothing is left to do for it.
    memory : mapping of str to array
        What observers and guards remember.
    """

    ensemble: Ensemble
    done: int
    ended: bool = False
    memory: Memory = field(default_factory=dict)


@dataclass
class Segment:
    """What is recorded between two seals.

    Attributes
    ----------
    pieces : list of Piece
        With arrays.
    states : dict of int to State
        By replica: of those that moved.
    notes : mapping
        Attributes of the run's groups so far, all of them.
    """

    pieces: list[Piece] = field(default_factory=list)
    states: dict[int, State] = field(default_factory=dict)
    notes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def to_bytes(self) -> bytes:
        """The segment as an HDF5 file."""
        name = f"meanfield-segment-{next(_names)}"
        with h5py.File(name, "w", driver="core", backing_store=False) as file:
            file.attrs.update(format=FORMAT, notes=json.dumps(self.notes, default=_as_list))
            for number, piece in enumerate(self.pieces):
                stored = file.create_dataset(f"pieces/{number:06d}", data=piece.rows)
                stored.attrs.update(
                    group=piece.group,
                    name=piece.name,
                    dims=list(piece.dims),
                    replica=piece.replica,
                    first=piece.first,
                )
            for replica, state in self.states.items():
                group = file.create_group(f"states/{replica:06d}")
                group.attrs.update(
                    done=state.done, ended=state.ended, memory=json.dumps(pack(state.memory))
                )
                where = {"time": state.ensemble.time, "step": state.ensemble.step}
                for key, value in {**arrays(state.ensemble), **where}.items():
                    group[key] = value
            file.flush()
            return file.id.get_file_image()


@dataclass(frozen=True)
class Stored:
    """Rows on the disk: read when asked for, and the file is closed again."""

    path: Path
    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> Array:
        with h5py.File(self.path, "r") as file:
            return file[self.name][key]

    def virtual(self) -> h5py.VirtualSource:
        """The same for a dataset that refers to it."""
        path = str(self.path).replace("%", "%%")  # as %b stands for a number of a block
        return h5py.VirtualSource(path, self.name, self.shape, self.dtype)


class SealedSegment:
    """A segment on the disk.

    Attributes
    ----------
    pieces : list of Piece
        With `Stored` rows.
    notes : dict

    Raises
    ------
    FileProblem
        If the file is not what was sealed.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            found = digest(path.read_bytes())
        except OSError as error:
            raise FileProblem(f"{path} cannot be read: {error.strerror}") from None
        if found != path.name.split(".")[1]:
            raise FileProblem(f"{path} is damaged: its checksum is {found}")
        with reading(path), h5py.File(path, "r") as file:
            self.notes: dict[str, dict[str, Any]] = json.loads(file.attrs["notes"])
            self.pieces = [self._piece(data) for data in file.get("pieces", {}).values()]

    def _piece(self, data: h5py.Dataset) -> Piece:
        about = data.attrs
        return Piece(
            about["group"],
            about["name"],
            tuple(about["dims"]),
            int(about["replica"]),
            int(about["first"]),
            Stored(self.path, data.name, data.shape, data.dtype),
        )

    def states(self, layout: Layout) -> dict[int, State]:
        """The states of the replicas that had moved."""
        found = {}
        with reading(self.path), h5py.File(self.path, "r") as file:
            for replica, group in file.get("states", {}).items():
                about, memory = group.attrs, unpack(json.loads(group.attrs["memory"]))
                found[int(replica)] = State(
                    read_ensemble(group, layout), int(about["done"]), bool(about["ended"]), memory
                )
        return found


def seal(folder: Path, number: int, segment: Segment) -> SealedSegment:
    """Bring a segment to the disk."""
    data = segment.to_bytes()
    path = folder / f"{number:06d}.{digest(data)}.h5"
    for other in folder.glob(f"{number:06d}.*"):
        if SEGMENT.match(other.name):  # of an attempt that was broken off
            os.unlink(other)
    durable.write(path, data)
    return SealedSegment(path)


def joined(pieces: Iterable[Piece]) -> Iterator[Piece]:
    """The same rows in fewer pieces: small ones that follow each other are put together."""
    series: dict[tuple[int, str, str, bool], list[list[Piece]]] = {}
    for piece in pieces:
        small = piece.rows[()].nbytes < SMALL
        known = series.setdefault((piece.replica, piece.group, piece.name, small), [])
        last = known[-1][-1] if known and small else None
        if last is not None and last.first + len(last.rows) == piece.first:
            known[-1].append(piece)
        else:
            known.append([piece])
    for stretch in itertools.chain.from_iterable(series.values()):
        if len(stretch) == 1:
            yield stretch[0]
        else:
            yield replace(stretch[0], rows=np.concatenate([piece.rows[()] for piece in stretch]))


def arrays(ensemble: Ensemble) -> dict[str, Array]:
    """The arrays of an ensemble, by name."""
    found = {"position": ensemble.position, "mass": ensemble.mass}
    return found if ensemble.velocity is None else {**found, "velocity": ensemble.velocity}


def read_ensemble(group: h5py.Group, layout: Layout, place: tuple[int, ...] = ()) -> Ensemble:
    """The ensemble that a group holds; of several replicas or frames, the one at a place."""
    found = {name: group[name][place] for name in FRAME_DIMS if name in group}
    time, step = group["time"], group["step"]
    when = place[len(place) - time.ndim :]  # frames are at the same times in all replicas
    return Ensemble(**found, layout=layout, time=float(time[when]), step=int(step[when]))


def pack(memory: Memory) -> dict[str, Any]:
    """What is remembered, as JSON can hold it, to the last bit."""
    return {
        key: [str(array.dtype), list(array.shape), base64.b64encode(array.tobytes()).decode()]
        for key, array in memory.items()
    }


def unpack(packed: Mapping[str, Any]) -> dict[str, Array]:
    """What `pack` was given."""
    return {
        key: np.frombuffer(base64.b64decode(text), dtype).reshape(shape)
        for key, (dtype, shape, text) in packed.items()
    }


def _as_list(value: Any) -> Any:
    return np.asarray(value).tolist()
