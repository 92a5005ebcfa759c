"""Writing files that are there whole or not at all, whatever happens in between.

A file is written under another name, brought to the disk, and only then given its own name; the
folder is brought to the disk too, so that the name survives a power cut. Nothing that has its name
is ever opened for writing again.
"""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

from meanfield.errors import FileProblem, NotWritten, cannot_write


class Stream(io.FileIO):
    """A file for HDF5 to write: what goes wrong is raised at the end of the ``with``.

    HDF5 cannot close a file that it could not write, and crashes the process when that ends. So it
    is told that all is well; after the first error nothing more is written.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, "w+")
        self._error: BaseException | None = None

    def write(self, data: Any) -> int:
        rest = memoryview(data)
        size = rest.nbytes
        while rest and self._error is None:
            try:
                rest = rest[super().write(rest) :]
            except BaseException as error:  # Ctrl-C too
                self._error = error
        if rest:
            self.seek(rest.nbytes, os.SEEK_CUR)
        return size

    def truncate(self, size: int | None = None) -> int:
        try:
            return super().truncate(size)
        except BaseException as error:
            self._error = self._error or error
            return size or 0

    def __exit__(self, *_: object) -> None:
        self.close()
        if self._error is not None:
            raise self._error


def check_place(path: Path) -> None:
    """Raise `FileProblem` unless a path is in a folder, and is none itself."""
    if not path.parent.is_dir():
        raise FileProblem(f"{path}: the folder {path.parent} does not exist")
    if path.is_dir():
        raise FileProblem(f"{path} is a folder: give the name of a file")


def aside(path: Path) -> Path:
    """The name under which a file is written before it gets its own."""
    return path.with_name(path.name + ".part")


def write(path: Path, data: bytes | memoryview, alone: bool = True) -> None:
    """Write a whole file; see `publishing`."""
    with publishing(path, alone) as part:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(descriptor, rest) :]
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def write_text(path: Path, text: str) -> None:
    """Write a text file, whole; what is no file, as ``/dev/stdout``, gets the text as it is.

    Raises
    ------
    FileProblem, NotWritten
        If the path cannot be written, or the disk refuses.
    """
    try:
        if path.exists() and not path.is_file():
            path.write_text(text, encoding="utf-8")
        else:
            write(pointed(path), text.encode())
    except OSError as error:
        raise cannot_write(path, error) from None
    except ValueError as error:  # a NUL in its name
        raise FileProblem(f"{path} cannot be written: {error}") from None


@contextlib.contextmanager
def publishing(path: Path, alone: bool = True) -> Iterator[Path]:
    """Where to write a file and bring it to the disk; then it gets its own name.

    Whatever goes wrong, what was written is removed. Of a symbolic link, what it points to is
    written.

    Parameters
    ----------
    path : Path
    alone : bool
        No other process writes a file of this name now: a lock sees to that. Else it is written
        under a name that nobody else takes.
    """
    path = pointed(path)
    part = aside(path if alone else path.with_name(f"{path.name}.{uuid4().hex[:8]}"))
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


def pointed(path: Path) -> Path:
    """What a symbolic link points to; any other path as it is."""
    return Path(os.path.realpath(path)) if path.is_symlink() else path


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
