"""Writing files that are there whole or not at all, whatever happens in between.

A file is written under another name, brought to the disk, and only then given its own name; the
folder is brought to the disk too, so that the name survives a power cut. Nothing that has its name
is ever opened for writing again.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path


def aside(path: Path) -> Path:
    """The name under which a file is written before it gets its own."""
    return path.with_name(path.name + ".part")


def write(path: Path, data: bytes | memoryview) -> None:
    """Write a whole file."""
    part = aside(path)
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
    try:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    publish(path)


def publish(path: Path) -> None:
    """Give the file that was written aside, and is on the disk, its own name."""
    os.replace(aside(path), path)
    sync_folder(path.parent)


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
    """A folder whose own name is on the disk."""
    os.mkdir(folder)
    sync_folder(folder.parent)


def remove_folder(folder: Path) -> None:
    """Remove a folder of files, if it is there."""
    if not folder.is_dir():
        return
    for file in sorted(folder.iterdir(), reverse=True):
        os.unlink(file)
    os.rmdir(folder)
    sync_folder(folder.parent)
