"""Following a run: what is seen of it, that nothing is touched, and how it ends."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import meanfield as mf
from meanfield.cli import watching
from meanfield.errors import FileProblem
from meanfield.storage import Follower, following, journal
from meanfield.storage.parts import LOCK, parts_of

# A simulation that waits for a line before each of these steps; what came before the last multiple
# of five is sealed then.
STOPS = (6, 11, 16)
WRITER = f"""
import sys
from tests.test_watch import simulate
def wait(step, total, view):
    if step in {STOPS}:
        print(step, flush=True)
        sys.stdin.readline()
simulate(sys.argv[1], wait).close()
"""


def simulate(out, progress=None, **options):
    network = mf.TwoLayer("tanh", dim=2)
    data = mf.FiniteData([[1.0, 0.0], [0.0, 1.0]], [1.0, -1.0])
    energy = mf.Risk(network, data) + 0.1 * mf.L2() + 0.01 * mf.Entropy()
    return mf.simulate(
        mf.Langevin(energy),
        mf.NormalInit(6),
        scheme=mf.EulerMaruyama(0.1),
        until=2.0,
        seed=3,
        observe=[mf.Energy(), mf.Moments(), mf.W2(when=mf.every(time=0.5))],
        observe_when=mf.every(steps=1),
        out=out,
        checkpoint=mf.Checkpoint(wall=1e6, steps=5),
        progress=progress,
        **options,
    )


class Writer:
    """The simulation in a process of its own."""

    def __init__(self, out: Path) -> None:
        root = str(Path(__file__).parents[1])
        self._process = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(out)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": root},
        )
        self.step = self._said()

    def _said(self) -> int | None:
        line = self._process.stdout.readline()
        if not line:
            assert self._process.wait() == 0
        return int(line) if line else None

    def go_on(self, *_: object) -> None:
        """Up to the next stop, or to the end."""
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        self.step = self._said()

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        self._close()

    def _close(self) -> None:
        self._process.stdin.close()
        self._process.stdout.close()

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        self._close()


@pytest.fixture
def no_locks(monkeypatch):
    """Whoever asks for a lock here fails."""

    def refuse(*_: object) -> None:
        raise AssertionError("a reader asks for a lock")

    monkeypatch.setattr(fcntl, "flock", refuse)
    monkeypatch.setattr(fcntl, "lockf", refuse)


def files(folder: Path) -> list[tuple[str, int, int]]:
    found = [entry.stat() for entry in sorted(folder.iterdir())]
    names = [entry.name for entry in sorted(folder.iterdir())]
    return [(name, s.st_mtime_ns, s.st_size) for name, s in zip(names, found, strict=True)]


def test_a_run_is_followed_from_beginning_to_end_and_not_touched(tmp_path, monkeypatch):
    """The bits are those without a reader; no file is changed, and no lock asked for."""
    with simulate(tmp_path / "alone.h5") as alone:
        energy, mean = alone["energy"].values, alone["mean"].values
        bits = alone.final.position.tobytes()
    out = tmp_path / "followed.h5"
    follower = Follower(out)
    assert follower.look().status == "absent"
    read: list[str] = []
    plain = Follower._read
    monkeypatch.setattr(Follower, "_read", lambda *it: (read.append(it[1].name[:6]), plain(*it)))
    with Writer(out) as writer:
        for stop in STOPS:
            assert writer.step == stop
            folder = parts_of(out)
            before = files(folder)
            with monkeypatch.context() as patch:
                patch.setattr(fcntl, "flock", None)
                sight = follower.look()
            assert files(folder) == before
            assert (sight.status, sight.alive) == ("running", True)
            assert (sight.steps, sight.total) == (stop - 1, 20)
            assert sight.time == pytest.approx(0.1 * (stop - 1))
            assert sight.rate > 0
            assert sight.left == pytest.approx((20 - sight.steps) / sight.rate)
            last = max(stamp for name, stamp, _ in before if name[0] == "0")
            assert abs(sight.sealed - last / 1e9) < 1e-3
            times, values = sight.series["energy"]
            assert np.array_equal(times, 0.1 * np.arange(stop))
            assert np.array_equal(values, energy[None, :stop])
            assert np.array_equal(sight.series["mean"][1], mean[None, :stop])
            assert len(sight.series["w2"][0]) == 1 + (stop - 1) // 5
            writer.go_on()
        sight = follower.look()
    assert read == ["000000", "000001", "000002"]  # each once
    assert (sight.status, sight.steps, sight.time) == ("finished", 20, 2.0)
    assert not folder.exists()
    with mf.open(out) as run:
        assert run.final.position.tobytes() == bits
        assert np.array_equal(run["energy"].values, energy)
        assert np.array_equal(sight.series["energy"][1][0], energy)


def test_a_writer_that_was_killed_is_noticed_on_its_own_machine(tmp_path, monkeypatch, no_locks):
    out = tmp_path / "run.h5"
    with Writer(out) as writer:
        follower = Follower(out)
        assert follower.look().alive is True
        with monkeypatch.context() as patch:
            patch.setattr("socket.gethostname", lambda: "elsewhere")
            sight = follower.look()
            assert (sight.status, sight.alive) == ("running", None)
            assert "as far as it can be seen from here" in sight.reason
        writer.kill()
        sight = follower.look()
    assert (sight.status, sight.reason, sight.alive) == ("interrupted", "it was killed", False)
    assert watching.exit_code(sight) == 137
    assert sight.steps == 5


@pytest.fixture
def both(tmp_path, monkeypatch):
    """A run that has its one file already, and its folder still."""
    monkeypatch.setattr(journal, "discard", lambda folder: None)
    out = tmp_path / "run.h5"
    simulate(out).close()
    assert len(list(parts_of(out).iterdir())) > 3
    return out


def test_the_moment_in_which_the_folder_becomes_the_file(both, monkeypatch, no_locks):
    folder, away = parts_of(both), both.with_suffix(".away")
    assert Follower(both).look().status == "finished"
    (folder / "plan.json").rename(away)  # the first that goes
    assert Follower(both).look().status == "finished"
    # And if it does between two things that the reader does:
    both.rename(both.with_suffix(".later"))
    away.rename(folder / "plan.json")
    (folder / LOCK).write_text(json.dumps({"process": 1, "host": "elsewhere"}))
    follower = Follower(both)
    assert follower.look().status == "running"  # all is sealed, and its file is being written

    def vanish(self: Follower) -> list[Path]:
        both.with_suffix(".later").rename(both)
        shutil.rmtree(folder)
        raise FileNotFoundError(folder)

    monkeypatch.setattr(Follower, "_new", vanish)
    assert follower.look().status == "finished"


def test_what_never_settles_is_told(both, monkeypatch):
    both.unlink()
    (parts_of(both) / "000001.0000000000000000.h5").touch()  # a number twice
    monkeypatch.setattr(following, "PAUSE", 0.0)
    with pytest.raises(FileProblem, match="changes all the time"):
        Follower(both).look()


def test_a_run_that_is_begun_anew_is_another(tmp_path):
    out = tmp_path / "run.h5"
    follower = Follower(out)
    for steps in (12, 7):  # sealed at 10, at 5, and when it stops

        def stop(step, total, view, steps=steps):
            if step == steps:
                raise KeyboardInterrupt

        simulate(out, stop, force=True).close()
        sight = follower.look()
        assert (sight.status, sight.steps) == ("interrupted", steps - 1)
        assert len(sight.series["energy"][0]) == steps


def test_watch_writes_a_line_for_each_change_and_ends_with_the_run(tmp_path, call, monkeypatch):
    out = tmp_path / "run.h5"
    with Writer(out) as writer:
        slept = iter([False, True, False, True, True])  # where nothing changed, nothing is said

        def sleep(seconds: float) -> None:
            assert seconds == 3.0
            if next(slept):
                writer.go_on()

        monkeypatch.setattr(watching.time, "sleep", sleep)
        code, said, err = call("watch", out, "w2", "--every", "3s", "--json", tmp_path / "lines")
    assert (code, err) == (0, "")
    lines = said.splitlines()
    assert [line.split(", ")[1:3] for line in lines] == [
        ["25 %", "time 0.5 of 2"],
        ["50 %", "time 1 of 2"],
        ["75 %", "time 1.5 of 2"],
        ["100 %", "time 2 of 2"],
    ]
    assert all(line.startswith(f"{out}: running, ") for line in lines[:3])
    assert all("sealed" in line and "w2 0." in line and "steps/s" in line for line in lines[:3])
    assert lines[3].startswith(f"{out}: finished, ")
    assert "\x1b" not in said
    records = [json.loads(line) for line in (tmp_path / "lines").read_text().splitlines()]
    assert [record["steps"] for record in records] == [5, 10, 15, 20]
    assert [record["status"] for record in records] == ["running"] * 3 + ["finished"]
    assert records[0]["writer_alive"] is True
    assert records[0]["seconds_left"] >= 0
    assert list(records[0]["series"]) == ["w2"]


def test_watch_once_and_mistakes(tmp_path, call, monkeypatch):
    out = tmp_path / "run.h5"
    code, said, err = call("watch", out)
    assert (code, said) == (2, "")
    assert "no such file (--wait waits until it is there)" in err
    simulate(out).close()
    monkeypatch.setattr(watching.time, "sleep", None)
    numbers = tmp_path / "numbers.json"
    numbers.symlink_to(tmp_path / "nowhere" / "numbers.json")
    code, _, err = call("watch", out, "--once", "--json", numbers)
    assert (code, err) == (
        2,
        f"meanfield: {numbers} cannot be written: No such file or directory\n",
    )
    code, said, _ = call("watch", out, "--once", "--json", "-")
    (record,) = map(json.loads, said.splitlines())
    assert (code, record["status"], record["time"], record["writer_alive"]) == (
        *(0, "finished", 2.0),
        None,
    )
    assert "unknown series 'enrgy'; did you mean 'energy'?" in call("watch", out, "enrgy")[2]
    assert "--every = 'soon': expected a time" in call("watch", out, "--every", "soon")[2]
    assert call("watch", out, "--once", "--wait")[0] == 2


def test_watch_waits_for_a_run_and_leaves_quietly(tmp_path, call, monkeypatch):
    out = tmp_path / "run.h5"

    def sleep(seconds: float) -> None:
        if out.exists():
            raise AssertionError("it has ended")
        simulate(out).close()

    monkeypatch.setattr(watching.time, "sleep", sleep)
    code, said, _ = call("watch", out, "--wait")
    assert code == 0
    assert [line.split(": ")[1].split(", ")[0] for line in said.splitlines()] == [
        "absent",
        "finished",
    ]

    def interrupt(seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(watching.time, "sleep", interrupt)
    code, _, err = call("watch", tmp_path / "nothing.h5", "--wait")
    assert (code, err) == (130, "")


def test_exit_codes_are_those_of_the_run(tmp_path, call):
    def stop(step, total, view):
        if step == 3:
            raise KeyboardInterrupt

    simulate(tmp_path / "stopped.h5", stop).close()
    code, said, _ = call("watch", tmp_path / "stopped.h5")
    assert said.startswith(f"{tmp_path / 'stopped.h5'}: interrupted, 10 %, time 0.2 of 2, ")
    assert code == 130
