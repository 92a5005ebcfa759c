"""Writing files that are there whole or not at all, whatever happens in between.

A file is written under another name, brought to the disk, and only then given its own name; the
folder is brought to the disk too, so that the name survives a power cut. Nothing that has its name
is ever opened for writing again.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from meanfield.errors import NotWritten


def aside(path: Path) -> Path:
    """The name under which a file is written before it gets its own."""
    return path.with_name(path.name + ".part")


def write(path: Path, data: bytes | memoryview) -> None:
    """Write a whole file."""
    with publishing(path) as part:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(descriptor, rest) :]
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextlib.contextmanager
def publishing(path: Path) -> Iterator[Path]:
    """Where to write a file and bring it to the disk; then it gets its own name.

    Whatever goes wrong, what was written is removed.
    """
    part = aside(path)
    try:
        yield part
        os.replace(part, path)
    except BaseException:
        with contextlib.suppress(OSError):  # a full disk gets its space back
            os.unlink(part)
        raise
    sync_folder(path.parent)


@contextlib.contextmanager
def writing(output: Path, besides: str = "") -> Iterator[None]:
    """Say in one sentence that an output cannot be written, and what else is worth knowing."""
    try:
        yield
    except (OSError, RuntimeError) as error:  # of a full disk h5py says it either way
        raise NotWritten(f"{output} cannot be written: {error}{besides}") from error


def sync_file(path: Path) -> None:
    """Bring a file to the disk that another library has written."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_folder(folder: Path) -> None:
    """Bring the names in a folder to the disk."""
    with contextlib.suppress(OSError):  # some network file systems have no such call
        sync_file(folder)


def make_folder(folder: Path) -> None:
    """A folder whose own name is on the disk; another process may make it meanwhile."""
    with contextlib.suppress(FileExistsError):
        os.mkdir(folder)
    sync_folder(folder.parent)
