"""Noticing that a file is not what was written.

HDF5 keeps checksums of its own structure (from format 1.10 on) and of chunks of numbers, if asked.
What else there is, texts, single numbers and attributes, is signed here, one by one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from meanfield.errors import FileProblem, MeanfieldError

SIGNED = "checksums"


def digest(data: bytes) -> str:
    """The start of the SHA-256 of some bytes."""
    return hashlib.sha256(data).hexdigest()[:16]


def sign(file: h5py.File) -> None:
    """Write down the checksums of what a file says outside of chunks."""
    file.attrs[SIGNED] = json.dumps({name: _sign(value) for name, value in _facts(file)})


def verify(file: h5py.File) -> None:
    """Raise `FileProblem` if something that was signed has changed; more may have been added."""
    known = json.loads(file.attrs.get(SIGNED, "{}"))
    found = dict(_facts(file)) if known else {}
    for name, expected in known.items():
        if name not in found or _sign(found[name]) != expected:
            raise FileProblem(f"{file.filename} is damaged: {name} is not what was written")


@contextmanager
def reading(path: str | Path) -> Iterator[None]:
    """Say in one sentence that a file is damaged, whatever HDF5 and others say of it."""
    try:
        yield
    except MeanfieldError:
        raise
    except Exception as error:
        raise FileProblem(f"{path} is damaged: {' '.join(str(error).split())}") from error


def _facts(file: h5py.File) -> Iterator[tuple[str, Any]]:
    for place in (file, *file.values()):
        for name, value in place.attrs.items():
            if name != SIGNED:
                yield f"{place.name}@{name}", value
        if place is file or not isinstance(place, h5py.Group):
            continue
        for data in place.values():
            if isinstance(data, h5py.Dataset) and data.chunks is None:
                yield data.name, data[()]


def _sign(value: Any) -> str:
    return digest(repr(np.asarray(value).tolist()).encode())
