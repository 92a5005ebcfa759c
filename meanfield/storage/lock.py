"""One writer for one output: the second is told who the first is."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import socket
import time
from pathlib import Path
from typing import Any

from meanfield.errors import FileProblem
from meanfield.storage.provenance import now

WITHOUT_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS)
PATIENCE = 0.1  # seconds: a reader that asks whether it is held holds it for a moment

_held: dict[int, Path] = {}  # descriptors of this process, and what they lock


class Lock:
    """Holds a file as long as this process lives, or until `release`.

    The system forgets the lock of a process that has died, so that none is ever stale; a child of
    this process does not inherit it. Where a file system has no locks, the process that the file
    names is looked for on this machine.

    Raises
    ------
    FileProblem
        If another process holds it; the message says which.
    OSError
        If the file cannot be made or written.
    """

    def __init__(self, path: Path, output: Path) -> None:
        self._descriptor = _take(path, output)
        mine = {"process": os.getpid(), "host": socket.gethostname(), "since": now()}
        try:
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, json.dumps(mine).encode(), 0)
        except BaseException:
            os.close(self._descriptor)
            raise
        _held[self._descriptor] = path.resolve()

    def release(self) -> None:
        """Let others write."""
        if _held.pop(self._descriptor, None) is None:
            return  # it is a parent's
        try:
            with contextlib.suppress(OSError):
                os.ftruncate(self._descriptor, 0)  # who lives on names itself no longer
        finally:
            os.close(self._descriptor)


def _take(path: Path, output: Path) -> int:
    """A descriptor of the file that stands at the path, locked."""
    patience = time.monotonic() + PATIENCE
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            held = _is_refused(descriptor, path)
            # A writer that ended may have removed the file since it was opened here.
            if not held and os.path.samestat(os.fstat(descriptor), os.stat(path)):
                return descriptor
        except FileNotFoundError:
            held = False
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
        if held and time.monotonic() >= patience:
            raise FileProblem(
                f"{output} is being written by {describe_holder(path)}: wait for it, or choose "
                f"another name (if that process is gone for sure, delete {path})"
            )
        time.sleep(0.005)


def _is_refused(descriptor: int, path: Path, how: int = fcntl.LOCK_EX) -> bool:
    """Whether a file is locked by another; else it is locked now, where there are locks."""
    try:
        fcntl.flock(descriptor, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError as error:
        if error.errno not in WITHOUT_LOCKS:
            raise
        return _is_alive(path)
    return False


def is_held(path: Path) -> bool:
    """Whether some process writes now."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return False
    try:
        return _is_refused(descriptor, path, fcntl.LOCK_SH)
    except OSError:
        return False
    finally:
        os.close(descriptor)


def read_holder(path: Path) -> dict[str, Any]:
    """What the last writer said of itself."""
    with contextlib.suppress(OSError, ValueError):
        found = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(found, dict):
            return found
    return {}


def describe_holder(path: Path) -> str:
    """The last writer, in words."""
    found = read_holder(path)
    if not found:
        return "another process"
    return f"process {found.get('process')} on {found.get('host')} since {found.get('since')}"


def _is_alive(path: Path) -> bool:
    """Whether the holder that a file names lives; one on another machine is taken to."""
    return seems_alive(path, read_holder(path)) is not False


def seems_alive(path: Path, holder: dict[str, Any]) -> bool | None:
    """Whether the process that a file names lives, without touching the lock; None if elsewhere."""
    if not holder:
        return False
    if holder.get("host") != socket.gethostname():
        return None
    if holder.get("process") == os.getpid():
        return path.resolve() in _held.values()
    try:
        os.kill(int(holder["process"]), 0)
    except PermissionError:  # it is another user's
        return True
    except (OSError, OverflowError, KeyError, ValueError, TypeError):
        return False
    return True


def let_go() -> None:
    """Close what was inherited: a child that outlives its parent must not hold its locks."""
    for descriptor in _held:
        with contextlib.suppress(OSError):
            os.close(descriptor)
    _held.clear()


os.register_at_fork(after_in_child=let_go)
