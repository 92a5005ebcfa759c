"""Workers are processes that may die; so may who started them. Nothing of that changes a bit."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

import meanfield as mf
from meanfield.stopping import Stop, Stopped
from meanfield.sweeps import Sweep
from meanfield.sweeps.executors import local, run_all
from meanfield.sweeps.folder import Folder
from meanfield.sweeps.worker import Task
from tests.sweeps.examples import deadly, everything, inline, write

GRID = {"ensemble.count": [4, 6]}
SCRIPT = """
import os, signal, sys
import meanfield as mf
def say(line):
    print(line, flush=True)
    if {when!r} in line:
        os.kill(os.getpid(), {number})
if __name__ == "__main__":
    found = mf.sweep({path!r}, {folder!r}, {{"ensemble.count": [4, 6]}}, 3, jobs=1, say=say)
    print("stopped:", found.stopped, found.stop_code)
"""


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    """Bits of a sweep that nothing happened to, in one process."""
    folder = tmp_path_factory.mktemp("whole")
    return everything(inline(write(folder), folder / "s", GRID, 3))


def start(tmp_path, path, when="nothing", number=0):
    """A sweep in a process of its own; ends when all of its workers have, too."""
    script = tmp_path / "script.py"
    values = {"path": str(path), "folder": str(tmp_path / "s"), "when": when, "number": number}
    script.write_text(SCRIPT.format(**values))
    return subprocess.run(
        [sys.executable, str(script)],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )


def test_any_number_of_workers_gives_the_same_bits(tmp_path, expected):
    """And they compile nothing, as the parent has."""
    found = mf.sweep(write(tmp_path), tmp_path / "s", GRID, 3, jobs=3)
    assert everything(found) == expected
    for count in GRID["ensemble.count"]:
        for seed in found.seeds:
            with found.run(seed, **{"ensemble.count": count}) as run:
                assert run.diagnostics["compiling"] == 0.0
                assert run.provenance["threads"] == 1


def test_the_parent_is_killed(tmp_path, expected):
    """What was done stays untouched, what was under way is continued; no worker is left behind."""
    path = write(tmp_path)
    ended = start(tmp_path, path, "2/6", signal.SIGKILL)
    assert ended.returncode == -signal.SIGKILL
    said = [line for line in ended.stdout.splitlines() if "finished" in line]
    assert len(said) == 2
    done = {file: file.stat().st_mtime_ns for file in (tmp_path / "s").glob("*.h5")}
    assert len(done) >= 2
    left = Sweep.load(tmp_path / "s")
    assert int((left.final["status"] == "finished").sum()) == len(done)
    found = inline(path, tmp_path / "s", GRID, 3)
    assert {file: file.stat().st_mtime_ns for file in done} == done
    assert not found.failures
    assert everything(found) == expected


def test_parent_and_worker_are_killed_in_the_middle_of_a_run(tmp_path):
    """The run goes on from its last seal."""
    path = deadly(tmp_path, count=6, parent=True)
    assert start(tmp_path, path).returncode == -signal.SIGKILL
    (unfinished,) = [path for path in (tmp_path / "s").glob("*.parts") if any(path.glob("0*.h5"))][
        :1
    ]
    found = inline(path, tmp_path / "s", GRID, 3)
    assert not found.failures
    with mf.open(str(unfinished).removesuffix(".parts")) as run:
        assert run.status == "finished"
        assert len(run.provenance["session_started"]) == 2
        assert run.diagnostics["steps"] == 10  # none was taken twice: it was sealed at the 4th
    (tmp_path / "again").mkdir()
    alone = inline(path, tmp_path / "again" / "s", GRID, 3)
    assert everything(alone) == everything(found)


def test_a_worker_that_dies_takes_none_with_it(tmp_path):
    """Who kills its process again and again fails, the others do not."""
    path = deadly(tmp_path, count=6, always=True)
    found = mf.sweep(path, tmp_path / "s", GRID, 1, jobs=2)
    assert [f.point for f in found.failures] == [{"ensemble.count": 6}]
    assert "its process was killed" in found.failures[0].error
    assert (found.final["status"].values[0] == "finished").all()


def test_stopped_in_order(tmp_path, expected):
    path = write(tmp_path)
    ended = start(tmp_path, path, "1/6", signal.SIGINT)
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr == ""
    assert ended.stdout.splitlines()[-1].endswith("stopped by Ctrl-C 130")
    found = inline(path, tmp_path / "s", GRID, 3)
    assert everything(found) == expected


def test_processes_that_cannot_start(tmp_path):
    """Of a script that is not guarded; it is told why, and not tried for every member."""
    script = tmp_path / "naked.py"
    script.write_text(
        "import meanfield as mf\n"
        f"found = mf.sweep({str(write(tmp_path))!r}, {str(tmp_path / 's')!r}, {{}}, 3, jobs=1)\n"
        "print(len(found.failures), found.failures[-1].error)\n"
    )
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    ended = subprocess.run(
        [sys.executable, str(script)], check=False, capture_output=True, text=True, env=env
    )
    assert ended.stdout.startswith("3 its process was killed")
    assert "__name__" in ended.stdout


def test_queued_members_leave_when_the_sweep_stops(tmp_path):
    """As those of a cluster do, which takes all at once."""
    folder = Folder(tmp_path)
    tasks = [Task(str(i), "", str(tmp_path), "", 1) for i in range(4)]
    told = []
    stop = Stop(max_wall=0.0)
    with pytest.raises(Stopped):
        run_all(tasks, folder, local(1, 1), stop, told.append)
    assert not told


@pytest.mark.parametrize(("jobs", "threads"), [(0, 1), (1, 0), (1, 10_000)])
def test_wrong_numbers(jobs, threads):
    with pytest.raises(mf.InvalidInput):
        local(jobs, threads)


def test_dask_is_asked_for_in_words(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(mf.Unsupported, match=r'pip install "meanfield\[cluster\]"'):
        mf.sweep(write(tmp_path), tmp_path / "s", {}, on="tcp://127.0.0.1:1")
