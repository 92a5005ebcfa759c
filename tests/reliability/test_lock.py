"""One writer for one output, whatever becomes of it."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import socket
import subprocess
import sys

import pytest

from meanfield.errors import FileProblem
from meanfield.storage import lock
from meanfield.storage.lock import Lock, is_held
from tests.reliability.runs import check_the_end, expected, run

HOLDER = """
import os, sys
from pathlib import Path
from meanfield.storage.lock import Lock
held = Lock(Path(sys.argv[1]), Path("run.h5"))
if "fork" in sys.argv and os.fork():
    os._exit(0)  # the parent is gone, its child lives
print("holds", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "lock"


@pytest.fixture
def without_locks(monkeypatch):
    """A file system that has none."""

    def flock(descriptor, how):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", flock)


def holder(path, *arguments):
    """Another process, that has taken a lock."""
    found = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path), *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert found.stdout.readline() == "holds\n"
    return found


def dismiss(process):
    process.stdin.close()
    process.stdout.close()
    process.wait()


def test_the_second_is_told_who_the_first_is(path, tmp_path):
    other = holder(path)
    try:
        assert is_held(path)
        with pytest.raises(
            FileProblem,
            match=rf"^run.h5 is being written by process {other.pid} on {socket.gethostname()} "
            r"since \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ: wait for it, or choose another name",
        ):
            Lock(path, "run.h5")
        other.kill()
        other.wait()
        # It wrote its name, and it is dead.
        assert json.loads(path.read_text())["process"] == other.pid
        assert not is_held(path)
        Lock(path, "run.h5").release()
    finally:
        dismiss(other)


def test_a_child_that_lives_on_holds_nothing(path):
    child = holder(path, "fork")
    try:
        child.wait()
        assert not is_held(path)
        Lock(path, "run.h5").release()
    finally:
        dismiss(child)


def test_two_runs_in_one_process(tmp_path):
    path = tmp_path / "run.h5"

    def second(step, total, view):
        if step == 4:
            for settings in ({"resume": True}, {"force": True}):
                with pytest.raises(FileProblem, match=f"written by process {os.getpid()} on"):
                    run("langevin", path, **settings)

    found = run("langevin", path, progress=second)
    check_the_end(path, expected("langevin"), found)


def test_a_reader_that_asks_is_in_nobodys_way(path, monkeypatch):
    path.touch()
    asking = os.open(path, os.O_RDONLY)
    fcntl.flock(asking, fcntl.LOCK_SH)
    monkeypatch.setattr(lock.time, "sleep", lambda seconds: fcntl.flock(asking, fcntl.LOCK_UN))
    Lock(path, "run.h5").release()
    os.close(asking)


def test_a_lock_is_on_the_file_that_is_there(path, monkeypatch):
    """Not on one that the writer before has removed meanwhile."""
    real, removed = fcntl.flock, []

    def flock(descriptor, how):
        if not removed:
            removed.append(path.unlink())
        real(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", flock)
    held = Lock(path, "run.h5")
    assert is_held(path)
    held.release()
    assert not is_held(path)


def test_without_locks_the_process_is_looked_for(path, without_locks):
    held = Lock(path, "run.h5")
    assert is_held(path)
    with pytest.raises(FileProblem, match=f"process {os.getpid()} on"):
        Lock(path, "run.h5")
    held.release()
    assert not is_held(path)
    Lock(path, "run.h5").release()


@pytest.mark.parametrize(
    ("said", "lives"),
    [
        ("", False),
        ("[1]", False),
        ('{"process": "x", "host": "HERE"}', False),
        ('{"process": DEAD, "host": "HERE", "since": "then"}', False),
        ('{"process": OWN, "host": "HERE", "since": "then"}', False),
        ('{"process": LIVING, "host": "HERE", "since": "then"}', True),
        ('{"process": DEAD, "host": "elsewhere", "since": "then"}', True),
    ],
)
def test_without_locks_a_dead_process_holds_nothing(path, without_locks, said, lives):
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    for word, value in (
        ("DEAD", dead.pid),
        ("OWN", os.getpid()),
        ("LIVING", os.getppid()),
        ("HERE", socket.gethostname()),
    ):
        said = said.replace(word, str(value))
    path.write_text(said)
    assert is_held(path) == lives
    if lives:
        with pytest.raises(FileProblem, match=rf"gone for sure, delete .*{path.name}\)$"):
            Lock(path, "run.h5")
    else:
        Lock(path, "run.h5").release()


def test_a_process_of_another_user_lives(path, without_locks, monkeypatch):
    def kill(process, number):
        raise PermissionError

    monkeypatch.setattr(lock.os, "kill", kill)
    path.write_text(json.dumps({"process": 1, "host": socket.gethostname()}))
    assert is_held(path)


def test_a_run_without_locks(tmp_path, without_locks):
    path = tmp_path / "run.h5"
    stopped = run("langevin", path, max_wall=1e-9)
    assert stopped.status == "interrupted"
    check_the_end(path, expected("langevin"), run("langevin", path, resume=True))
