"""Signals and time limits, as the command line has them: exit codes, and how to go on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

import meanfield as mf
from meanfield import stopping
from meanfield.config import Experiment
from meanfield.storage import journal
from tests.reliability.runs import EXPERIMENT, contents

NOISY = f"""{EXPERIMENT}
seeds = 2
observe = ["energy", {{ kind = "w2", to = "previous" }}]
[energy]
temperature = 0.1
"""

KILLED = """
import os, signal
from meanfield import cli
from meanfield.config import Experiment
from meanfield.storage import journal
real = journal.seal
def seal(folder, number, segment):
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(folder, number, segment)
journal.seal = seal
cli.main()
"""


@pytest.fixture(autouse=True)
def small(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "small.toml").write_text(NOISY)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """What the run finds that nothing stops."""
    file = tmp_path_factory.mktemp("whole") / "small.toml"
    file.write_text(NOISY)
    return contents(Experiment.load(file).run())


def check_the_rest(call, whole):
    """The run is left unfinished, and `resume` brings it to its end."""
    with mf.open("small.h5") as left:
        assert left.status == "interrupted"
    assert call("show", "small.h5")[0] == 0
    assert call("resume", "small.h5", "-q") == (0, "")
    with mf.open("small.h5") as run:
        assert (run.status, run.stop_code) == ("finished", 0)
        assert contents(run) == whole


def test_killed(call, whole):
    command = [sys.executable, "-c", KILLED, "run", "small.toml"]
    assert subprocess.run(command, check=False, capture_output=True).returncode == -signal.SIGKILL
    with mf.open("small.h5") as left:
        assert left.stop_reason == "it was killed"
        assert left.replica(0).final.step == 6
    check_the_rest(call, whole)


@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize(
    ("number", "code", "reason"),
    [
        (signal.SIGINT, 130, "stopped by Ctrl-C"),
        (signal.SIGTERM, 143, "stopped by a request to terminate"),
    ],
)
def test_signals(call, whole, monkeypatch, number, code, reason, times):
    """The second comes in the middle of a seal, which it breaks off."""
    before = {one: signal.getsignal(one) for one in stopping.SIGNALS}
    real, sent = journal.durable.write, []

    def write(path, data):
        real(path, data)
        while path.name.startswith("000003") and len(sent) < times:
            sent.append(number)
            os.kill(os.getpid(), number)

    monkeypatch.setattr(journal.durable, "write", write)
    found, said = call("run", "small.toml", "-q")
    assert len(sent) == times
    assert found == code
    expected = reason if times == 1 else "stopped by the user"
    assert said == f"meanfield: {expected}; continue with: meanfield resume small.h5\n"
    assert {one: signal.getsignal(one) for one in stopping.SIGNALS} == before
    check_the_rest(call, whole)


def test_the_time_is_over(call, whole, monkeypatch):
    ticks = iter(range(10_000))
    monkeypatch.setattr(stopping, "time", SimpleNamespace(monotonic=lambda: float(next(ticks))))
    for left in range(3):  # a job that is queued again and again
        arguments = ("run", "small.toml") if left < 2 else ("resume", "small.h5")
        assert call(*arguments, "--max-wall", "5s", "-q") == (
            75,
            "meanfield: its time of 5 s was over; continue with: meanfield resume small.h5\n",
        )
    check_the_rest(call, whole)


def test_what_a_continued_run_has_taken_is_counted_once(call, monkeypatch):
    ticks, seconds = iter(range(10_000)), iter(range(10_000))
    monkeypatch.setattr(stopping, "time", SimpleNamespace(monotonic=lambda: float(next(ticks))))
    clock = SimpleNamespace(perf_counter=lambda: float(next(seconds)))
    monkeypatch.setattr("meanfield.simulation.time", clock)
    assert call("run", "small.toml", "--max-wall", "5s", "-q")[0] == 75
    assert call("resume", "small.h5", "-q") == (0, "")
    with mf.open("small.h5") as run:
        assert run.diagnostics["elapsed"] < next(seconds)


def test_an_extension_that_is_stopped_says_so(call, monkeypatch):
    """And does not take the finished run that it began with for what it has done."""
    assert call("run", "small.toml", "-q")[0] == 0
    ticks = iter(range(10_000))
    monkeypatch.setattr(stopping, "time", SimpleNamespace(monotonic=lambda: float(next(ticks))))
    longer = ("resume", "small.h5", "--until", "2.0", "-q")
    assert call(*longer, "--max-wall", "5s")[0] == 75
    with mf.open("small.h5") as run:
        assert run.status == "interrupted"
        assert run.final.time == pytest.approx(1.4)
    code, said = call("resume", "small.h5", "--until", "3.0", "-q")
    assert code == 2
    assert "with another run.until: continue it with what it was begun with (meanfield re" in said
    assert call(*longer)[0] == 0
    with mf.open("small.h5") as run:
        assert run.final.time == 2.0


def test_the_time_is_that_of_all_variants(call, monkeypatch):
    Path("small.toml").write_text(NOISY + "[variants.one]\n[variants.two]\n[variants.three]\n")
    ticks, left = iter(range(0, 100, 4)), []
    clock = SimpleNamespace(monotonic=lambda: float(next(ticks)))
    monkeypatch.setattr("meanfield.cli.running.time", clock)
    monkeypatch.setattr(
        "meanfield.cli.running._Runner.__call__", lambda *given: left.append(given[-1])
    )
    assert call("run", "small.toml", "--max-wall", "10s")[0] == 0
    assert left == [10.0, 6.0, 2.0]


def test_what_a_look_remembers_belongs_to_its_state(call, whole, monkeypatch):
    """A Ctrl-C that comes when one observable has looked, and the next has not."""
    real = mf.W2.__call__

    def look(self, view):
        found = real(self, view)
        if view.ensemble.step == 6:  # not sealed yet: 5 has moved since
            raise KeyboardInterrupt
        return found

    monkeypatch.setattr(mf.W2, "__call__", look)
    assert call("run", "small.toml", "-q")[0] == 130
    monkeypatch.setattr(mf.W2, "__call__", real)
    check_the_rest(call, whole)
