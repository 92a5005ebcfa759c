"""A process that dies at a chosen call to the disk, without a process.

Everything in `meanfield.storage` that changes the disk goes through a `Disk`, which counts the
calls. At one of them the writer dies: that call and all after it raise `Killed`, so that nothing
that runs on the way out, a ``finally`` for instance, writes anything more. Its locks go with it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import pytest

from meanfield.storage import durable, journal, lock, parts, segment

CALLS = ("mkdir", "open", "write", "fsync", "replace", "unlink", "rmdir", "ftruncate", "pwrite")
MODULES = (durable, lock, parts, segment)
KINDS = ("killed", "torn", "power cut")


class Killed(BaseException):
    """The process is no more."""


class Disk:
    """Stands for the module ``os``, and for ``h5py`` where a file is written.

    Parameters
    ----------
    dies_at : int, optional
        Number of the call before which the writer dies; None: never.
    kind : str
        "killed": what was written before is there. "torn": a write at which it dies leaves half.
        "power cut": of files that were not brought to the disk nothing is there, and names in
        folders that were not are as before.
    fails : callable, optional
        Called with the name of each call instead of dying; may raise.

    Attributes
    ----------
    calls : list of str
        Names, in order.
    sealed : dict of int to int
        Steps of each replica that the writer was told are safe.
    """

    def __init__(
        self,
        dies_at: int | None = None,
        kind: str = "killed",
        fails: Callable[[str], None] | None = None,
    ) -> None:
        self.dies_at, self.kind, self.fails = dies_at, kind, fails
        self.calls: list[str] = []
        self.sealed: dict[int, int] = {}
        self._paths: dict[int, Path] = {}
        self._dirty: set[Path] = set()
        self._renamed: list[tuple[Path, bytes | None]] = []

    def __getattr__(self, name: str) -> Any:
        real = getattr(os, name)
        if name not in CALLS:
            return real

        def call(*arguments: Any, **settings: Any) -> Any:
            def tear() -> None:
                first, data, *rest = arguments
                real(first, _half(data), *rest)

            self.pass_by(name, tear if name in ("write", "pwrite") else None)
            before = self._contents(arguments[1]) if name == "replace" else None
            found = real(*arguments, **settings)
            self._note(name, arguments, found, before)
            return found

        return call

    def pass_by(self, name: str, tear: Callable[[], Any] | None = None) -> None:
        """A call: the last one, one of those after it, or one that is let through."""
        dead = self.dies_at is not None and len(self.calls) > self.dies_at
        last = len(self.calls) == self.dies_at
        self.calls.append(name)
        if self.fails is not None:
            self.fails(name)
        if last and tear is not None and self.kind == "torn":
            tear()
        if last and self.kind == "power cut":
            self._lose()
        if last or dead:
            raise Killed(f"{self.kind} at call {self.dies_at}: {name}")

    def _note(self, name: str, arguments: Any, found: Any, before: bytes | None) -> None:
        """Keep account of what is not on the disk yet."""
        if name == "open":
            self._paths[found] = Path(arguments[0])
        elif name in ("write", "pwrite", "ftruncate"):
            self._dirty.add(self._paths[arguments[0]])
        elif name == "fsync":
            there = self._paths[arguments[0]]
            self._dirty.discard(there)
            self._renamed = [entry for entry in self._renamed if entry[0].parent != there]
        elif name == "replace":
            old, new = map(Path, arguments)
            self._renamed.append((new, before))
            if old in self._dirty:
                self._dirty.symmetric_difference_update({old, new})

    @staticmethod
    def _contents(path: Any) -> bytes | None:
        return Path(path).read_bytes() if Path(path).exists() else None

    def _lose(self) -> None:
        for path in self._dirty:
            if path.exists():
                path.write_bytes(b"")
        for path, before in reversed(self._renamed):
            if before is not None:
                path.write_bytes(before)
            elif path.exists():
                path.unlink()

    # As h5py

    def File(self, name: Any, mode: str = "r", **settings: Any) -> Any:
        """An HDF5 file; one that is written to the disk is two calls, at its start and its end."""
        if mode == "r":
            return h5py.File(name, mode, **settings)
        return self._writing(name, settings)

    @contextmanager
    def _writing(self, stream: Any, settings: Any) -> Iterator[h5py.File]:
        path = Path(stream.name)
        self.pass_by("h5py.File")
        with h5py.File(stream, "w", **settings) as file:
            self._dirty.add(path)
            yield file
        data = path.read_bytes()
        self.pass_by("h5py.close", lambda: path.write_bytes(_half(data)))


def _half(data: Any) -> bytes:
    return bytes(data)[: len(data) // 2]


@contextmanager
def disk(*arguments: Any, **settings: Any) -> Iterator[Disk]:
    """All that the storage writes goes through a `Disk`; whoever dies in here is buried."""
    found = Disk(*arguments, **settings)

    def seal(*given: Any) -> Any:
        done = segment.seal(*given)
        found.sealed |= {replica: state.done for replica, state in given[2].states.items()}
        return done

    with pytest.MonkeyPatch.context() as patch:
        for module in MODULES:
            patch.setattr(module, "os", found)
        patch.setattr(journal, "h5py", found)
        patch.setattr(journal, "seal", seal)
        try:
            yield found
        except Killed:
            pass
        finally:
            lock.let_go()
    assert found.dies_at is None or len(found.calls) > found.dies_at, "it did not die"
