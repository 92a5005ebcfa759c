"""One writer for one output: the second is told who the first is."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import socket
from pathlib import Path
from typing import Any

from meanfield.errors import FileProblem
from meanfield.storage.provenance import now

WITHOUT_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS)


class Lock:
    """Holds a file as long as this process lives, or until `release`.

    The system forgets the lock of a process that has died, so that none is ever stale. Where a file
    system has no locks, the process that the file names is looked for on this machine.

    Raises
    ------
    FileProblem
        If another process holds it; the message says which.
    """

    def __init__(self, path: Path, output: Path) -> None:
        self._path = path
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            held = error.errno not in WITHOUT_LOCKS or _is_alive(read_holder(path))
            if held:
                os.close(self._descriptor)
                raise FileProblem(
                    f"{output} is being written by {describe_holder(path)}: wait for it, or "
                    "choose another name"
                ) from None
        mine = {"process": os.getpid(), "host": socket.gethostname(), "since": now()}
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, json.dumps(mine).encode(), 0)

    def release(self) -> None:
        """Let others write."""
        os.close(self._descriptor)


def is_held(path: Path) -> bool:
    """Whether some process writes now."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in WITHOUT_LOCKS or _is_alive(read_holder(path))
    finally:
        os.close(descriptor)
    return False


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


def _is_alive(holder: dict[str, Any]) -> bool:
    """Whether a holder lives; one on another machine is taken to."""
    if holder.get("host") != socket.gethostname():
        return bool(holder)
    try:
        os.kill(int(holder["process"]), 0)
    except (OSError, KeyError, ValueError):
        return False
    return True
