"""What the machine may do to a run: a full disk, a folder that is read-only, a clock that jumps."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import time
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import meanfield as mf
from meanfield.errors import NotWritten
from meanfield.storage import durable
from tests.reliability.dying import disk
from tests.reliability.runs import (
    EXPERIMENT,
    calls,
    check_the_end,
    check_what_is_left,
    expected,
    points,
    run,
)

FULL_DISK = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


class Failing:
    """A disk without space at one call, or from then on; what is removed is removed."""

    def __init__(self, number: int, once: bool) -> None:
        self.left, self.once = number, once

    def __call__(self, name: str) -> None:
        self.left -= 1
        fits = name in ("unlink", "rmdir", "ftruncate")
        if not fits and (self.left == -1 or (self.left < 0 and not self.once)):
            raise FULL_DISK


@pytest.mark.parametrize("name", ["deterministic", "birth-death"])
@pytest.mark.parametrize("once", [True, False], ids=["once", "from then on"])
def test_a_full_disk(tmp_path, name, once):
    path = tmp_path / "there" / "run.h5"
    for number, _ in points(calls(partial(run, name), tmp_path), 50):
        path.parent.mkdir()
        with disk(fails=Failing(number, once)) as seen:
            said = ""
            try:
                run(name, path).close()
            except NotWritten as error:
                said = str(error)
        assert not said or "run.h5 cannot be written: [Errno 28] No space left" in said
        assert not list(path.parent.rglob("*.part"))
        check_what_is_left(path, expected(name), seen.sealed)
        check_the_end(path, expected(name), run(name, path, resume=True))
        shutil.rmtree(path.parent)


def test_a_full_disk_keeps_what_it_had(tmp_path):
    """Neither a finished run that is to go on nor one that is to be replaced is lost."""
    path = tmp_path / "run.h5"
    run("langevin", path, until=0.3).close()
    before = path.read_bytes()
    for settings in ({"resume": True}, {"force": True}):
        for number in range(12):
            with disk(fails=Failing(number, False)), pytest.raises(NotWritten):
                run("langevin", path, **settings)
            assert path.read_bytes() == before
        run("langevin", path, until=0.3, force=True).close()
        before = path.read_bytes()


def test_the_command_line_says_it_in_a_sentence(tmp_path, monkeypatch, call):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "small.toml").write_text(EXPERIMENT)
    with disk(fails=Failing(30, False)):
        code, said = call("run", "small.toml", "-q")
    assert code == 74
    assert said == (
        "meanfield: small.h5 cannot be written: [Errno 28] No space left on device; what was "
        "sealed before is in small.h5.parts, to be continued (resume)\n"
    )
    assert call("show", "small.h5") == (0, "")
    assert call("resume", "small.h5", "-q") == (0, "")
    with mf.open("small.h5") as found:
        assert found.status == "finished"


@contextmanager
def files_of_at_most(size):
    """All that this process writes has to fit into files of so many bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_what_hdf5_itself_cannot_write(tmp_path, monkeypatch, call):
    """The segments are small enough, the file and what is made of it are not."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "small.toml").write_text(EXPERIMENT)
    large = ("ensemble.count=200", "run.until=1.0", "run.frames.steps=1")
    settings = [argument for value in large for argument in ("--set", value)]
    refused = "cannot be written: [Errno 27] File too large"
    assert call("run", "small.toml", *settings, "-o", "whole.h5", "-q") == (0, "")
    Path("whole.h5").unlink()
    with files_of_at_most(35_000):
        assert call("run", "small.toml", *settings, "-q") == (
            74,
            f"meanfield: small.h5 {refused}; what was sealed before is in small.h5.parts, to be "
            "continued (resume)\n",
        )
        for ending in ("nc", "h5md", "npz"):
            target = f"small.{ending}"
            said = call("export", "small.h5", "-o", target)
            assert said == (74, f"meanfield: {target} {refused}\n")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["small.h5.parts", "small.toml"]


def test_a_folder_that_is_read_only(tmp_path):
    def refuse(name):
        raise PermissionError(errno.EROFS, os.strerror(errno.EROFS))

    with disk(fails=refuse), pytest.raises(NotWritten, match=r"run.h5 cannot be written: .*only"):
        run("langevin", tmp_path / "run.h5")
    assert list(tmp_path.iterdir()) == []


def test_a_copy_on_a_full_disk_is_none(tmp_path):
    refused = pytest.raises(NotWritten, match=r"copy.h5 cannot be written")
    with run("langevin", tmp_path / "run.h5") as found, disk(fails=Failing(1, False)), refused:
        found.save(tmp_path / "copy.h5")
    assert [file.name for file in tmp_path.iterdir()] == ["run.h5"]


def test_what_fails_in_the_users_own_code_is_not_called_the_disk(tmp_path):
    def read(ensemble):
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), "mine.txt")

    with pytest.raises(FileNotFoundError, match=r"mine.txt"):
        mf.simulate(
            mf.Wasserstein(mf.L2()),
            mf.Ensemble(np.ones((2, 1))),
            scheme=mf.Euler(0.1),
            until=1.0,
            observe=[mf.Energy()],
            progress=lambda step, total, view: read(view.ensemble),
            out=tmp_path / "run.h5",
        )


@pytest.mark.parametrize("jump", [1e9, -1e9])
def test_a_clock_that_jumps(tmp_path, monkeypatch, jump):
    """Only clocks that cannot jump decide when a run is sealed, and when its time is over."""
    real, calls = time.gmtime, []

    def gmtime(seconds=None):
        calls.append(seconds)
        return real((time.time() if seconds is None else seconds) + jump * (len(calls) > 1))

    monkeypatch.setattr("time.gmtime", gmtime)
    path = tmp_path / "run.h5"
    with disk(30):
        run("langevin", path)
    found = run("langevin", path, resume=True, max_wall=1e6)
    assert (found.provenance["started"] > found.provenance["ended"]) == (jump < 0)
    check_the_end(path, expected("langevin"), found)
    source = durable.__file__.rsplit("/", 2)[0]
    for place in ("storage/journal.py", "stopping.py", "storage/lock.py"):
        with open(f"{source}/{place}") as file:
            assert "time.time(" not in file.read()


FULL = "/dev/full"  # every write to it fails as on a full disk


@pytest.mark.skipif(not os.path.exists(FULL), reason="needs a device that is always full")
def test_what_else_a_full_disk_refuses(call):
    code, said = call("schema", "-o", FULL)
    assert code == 74
    assert "/dev/full cannot be written: No space left on device" in said
