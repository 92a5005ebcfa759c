"""One member of a sweep, run in a process that may be anywhere."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import threading
import time
import tomllib
from pathlib import Path
from typing import Any, NamedTuple

from meanfield.stopping import Stopped
from meanfield.sweeps.folder import DIVERGED, FAILED, LEFT, Folder

LOOK = 0.2  # seconds between two looks at whether to stop
PATIENCE = 20.0  # for a worker of a sweep that was killed, to end its step and let go

_busy = threading.Lock()  # a process runs one member at a time: threads and BLAS are its own
_orphaned = threading.Event()


class Task(NamedTuple):
    """What a worker is told."""

    digest: str
    experiment: str
    folder: str
    origin: str
    threads: int


class Outcome(NamedTuple):
    """What it answers: plain values, so that no error is lost on the way."""

    digest: str
    status: str
    reason: str = ""
    seconds: float = 0.0


def carry_out(task: Task) -> Outcome:
    """Run a member, or go on with it; whatever goes wrong is an outcome."""
    with _busy:
        begin = time.perf_counter()
        try:
            status, reason = _run(task)
        except Exception as error:
            name = "" if type(error).__module__.startswith("meanfield") else type(error).__name__
            status, reason = FAILED, ": ".join(filter(None, (name, " ".join(str(error).split()))))
        return Outcome(task.digest, status, reason, time.perf_counter() - begin)


def be_a_worker() -> None:
    """Leave Ctrl-C to the parent, say nothing, and do not outlive it by more than a step."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logging.getLogger("meanfield").setLevel(logging.ERROR)  # what is said is in the run, too
    threading.Thread(target=_watch_parent, daemon=True).start()


def _watch_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    _orphaned.set()
    with _busy:
        os._exit(1)


def _run(task: Task) -> tuple[str, str]:
    from meanfield.config import Experiment
    from meanfield.kernels.compile import set_threads
    from meanfield.storage import ENDS
    from meanfield.storage.lock import is_held
    from meanfield.storage.parts import LOCK, parts_of

    folder = Folder(Path(task.folder))
    if folder.stop.exists():
        return LEFT, "the sweep was stopped"
    set_threads(task.threads)
    path = folder.run(task.digest)
    end = time.monotonic() + PATIENCE
    while is_held(parts_of(path) / LOCK) and time.monotonic() < end:
        time.sleep(LOOK)
    again = folder.state(task.digest)[0] == DIVERGED
    experiment = Experiment(tomllib.loads(task.experiment), folder=Path(task.origin))
    with experiment.run(path, progress=_Stopping(folder), resume=not again, force=again) as run:
        done = run.status in ENDS
        return (run.status if done else LEFT), run.stop_reason


class _Stopping:
    """Stops a run after its step, when the sweep is to stop or has lost its parent."""

    def __init__(self, folder: Folder) -> None:
        self._folder, self._next = folder, 0.0

    def __call__(self, step: int, total: int, view: Any) -> None:
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + LOOK
        if _orphaned.is_set() or self._folder.stop.exists():
            raise Stopped("the sweep was stopped")
