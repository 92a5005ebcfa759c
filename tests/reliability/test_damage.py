"""Files that are not what was written are told in one sentence, wherever they are given."""

from __future__ import annotations

import fcntl
import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

import meanfield as mf
from meanfield.cli.report import describe
from meanfield.config import Experiment
from meanfield.errors import FileProblem
from meanfield.storage import exists, layout, parts, segment
from tests.conftest import size
from tests.reliability.dying import disk
from tests.reliability.runs import EXPERIMENT, FULL, contents, expected, run

RARELY = EXPERIMENT.replace("steps = 2", "steps = 4")  # sealed
FROM = RARELY.replace("count = 4", 'kind = "run"\npath = "run.h5"')


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Two folders with a run and experiments: finished, and killed in the last of 3 segments."""
    folder = tmp_path_factory.mktemp("made")
    for name in ("finished", "unfinished"):
        (folder / name).mkdir()
        (folder / name / "small.toml").write_text(RARELY)
        (folder / name / "from.toml").write_text(FROM)
        with disk(26 if name == "unfinished" else None):
            Experiment.load(folder / name / "small.toml").run(folder / name / "run.h5").close()
    assert len(list(folder.glob("unfinished/run.h5.parts/0*.h5"))) == 2
    return folder


@pytest.fixture
def finished(made, tmp_path, monkeypatch):
    """A finished run, and the experiments that are tried on it."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(made / "finished", tmp_path, dirs_exist_ok=True)
    return Path("run.h5")


@pytest.fixture
def unfinished(made, tmp_path, monkeypatch):
    """The same run, killed in the last of three segments."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(made / "unfinished", tmp_path, dirs_exist_ok=True)
    return Path("run.h5.parts")


def everything(path):
    """All that can be read from a run."""
    with mf.open(path) as found:
        said = (
            *(found.status, found.stop_reason, found.stop_code, found.title, found.experiment),
            *(found.provenance, found.diagnostics, found.plan, found.seeds, found.layout),
        )
        series = {name: found[name].values.tobytes() for name in found.names}
        states = [found.final, *found.frames]
        numbers = [(s.position.tobytes(), s.mass.tobytes(), s.time, s.step) for s in states]
        return repr(said), series, numbers


def flipped(data, bit):
    """The bytes with one bit turned."""
    found = bytearray(data)
    found[bit // 8] ^= 1 << bit % 8
    return bytes(found)


def check_every_flip(file, path, count):
    """A bit that is turned is told, or it was none that means anything."""
    data, good, told = file.read_bytes(), everything(path), 0
    for bit in np.linspace(0, 8 * len(data) - 1, count).astype(int):
        file.write_bytes(flipped(data, bit))
        try:
            assert everything(path) == good, f"bit {bit}"
        except FileProblem:
            told += 1
    file.write_bytes(data)
    assert everything(path) == good
    return told / count


def test_a_bit_of_a_finished_run(finished):
    share = check_every_flip(finished, finished, size(4000 if FULL else 100, 20))
    assert share > 0.5  # HDF5 leaves gaps that nothing reads


def test_a_bit_of_an_unfinished_run(unfinished):
    for file in sorted(unfinished.iterdir()):
        if file.suffix != ".part" and file.name != "lock":
            count = 1000 if FULL else 20
            assert check_every_flip(file, "run.h5", size(count, 5)) == 1.0


COMMANDS = [
    ("show", "run.h5"),
    ("plot", "run.h5"),
    ("resume", "run.h5"),
    ("resume", "run.h5", "--until", "2.0"),
    ("run", "small.toml", "-o", "run.h5"),
    ("run", "from.toml", "-o", "new.h5"),
]


def _truncated(file):
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def _turned(file):
    """In the first number of a final state."""
    with h5py.File(file) as opened:
        if "state" in opened:
            place = opened["state/position"].id.get_chunk_info(0).byte_offset
        else:
            place = opened["states/000000/position"].id.get_offset()
    file.write_bytes(flipped(file.read_bytes(), 8 * place))


def _foreign(file):
    file.unlink()
    with h5py.File(file, "w") as other:
        other["x"] = np.arange(3)


DAMAGES = {
    "truncated": _truncated,
    "empty": lambda file: file.write_bytes(b""),
    "text": lambda file: file.write_text("precious"),
    "foreign": _foreign,
    "a bit": _turned,
}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("which", ["finished", "segment", "plan"])
def test_every_command_says_it_in_a_sentence(request, call, which, damage):
    if which == "finished":
        file = request.getfixturevalue("finished")
    else:
        folder = request.getfixturevalue("unfinished")
        file = folder / "plan.json" if which == "plan" else min(folder.glob("0*.h5"))
    if which == "plan" and damage == "a bit":
        file.write_bytes(flipped(file.read_bytes(), 8 * file.stat().st_size // 2))
    else:
        DAMAGES[damage](file)
    before = file.read_bytes()
    unread = {"plot", "resume run.h5", "run small.toml -o run.h5"}  # a finished run's state is
    for command in COMMANDS:
        if damage == "a bit" and which == "finished" and unread & {command[0], " ".join(command)}:
            continue
        code, said = call(*command, "-q") if command[0] in ("run", "resume") else call(*command)
        assert (code, said.count("\n")) == (2, 1), (command, said)
        assert said.startswith("meanfield: ")
        assert "run.h5" in said
        assert file.read_bytes() == before
    assert not Path("new.h5").exists()
    # What is not known to be a run is not replaced; all else is.
    known = which != "finished" or damage == "a bit"
    code, said = call("run", "small.toml", "-o", "run.h5", "--force", "-q")
    assert (code, said) == (0, "") or not known
    assert code == 0 or said == "meanfield: run.h5 is not a run of meanfield: it is not replaced\n"


def test_a_segment_that_is_missing(unfinished, call):
    min(unfinished.glob("0*.h5")).unlink()
    for command in COMMANDS[:4]:
        code, said = call(*command)
        assert code == 2
        assert "run.h5.parts is damaged: it has the segments [1], and no others\n" in said
    assert call("run", "small.toml", "-o", "run.h5", "--force", "-q") == (0, "")


def test_the_last_segments_may_be_missing(unfinished, call):
    """As they are after a power cut that took them: what is left is whole."""
    max(unfinished.glob("0*.h5")).unlink()
    assert call("resume", "run.h5", "-q") == (0, "")
    with mf.open("run.h5") as found:
        assert found.status == "finished"


def test_a_plan_that_is_missing(unfinished, call):
    """Then it is no run, but nothing is in the way of one."""
    (unfinished / "plan.json").unlink()
    assert not exists("run.h5")
    code, said = call("show", "run.h5")
    assert (code, said.count("\n")) == (2, 1)
    assert "holds no run: it stopped before anything was written" in said
    assert call("run", "small.toml", "-o", "run.h5", "-q") == (0, "")
    assert not unfinished.exists()


def test_an_empty_folder_is_in_nobodys_way(finished, call):
    finished.unlink()
    Path("run.h5.parts").mkdir()
    assert call("show", "run.h5")[0] == 2
    assert call("run", "small.toml", "-o", "run.h5", "-q") == (0, "")
    assert not Path("run.h5.parts").exists()


@pytest.mark.parametrize("name", ["notes.txt", "123.h5", "1abc.h5", "results"])
def test_what_is_not_ours_stays(unfinished, call, name):
    """Beside segments it is not looked at; it is never removed, and nothing else is then."""
    foreign = unfinished / name
    foreign.mkdir() if name == "results" else foreign.write_text("precious")
    assert call("show", "run.h5")[0] == 0
    before = sorted(unfinished.iterdir())
    code, said = call("run", "small.toml", "-o", "run.h5", "--force", "-q")
    assert code == 2
    assert said.endswith(f"{name} is not of a run: it is not removed\n")
    assert sorted(unfinished.iterdir()) == before
    assert call("resume", "run.h5", "-q") == (0, "")
    assert foreign.exists()
    with mf.open("run.h5") as found:
        assert found.status == "finished"
    assert call("run", "small.toml", "-o", "run.h5", "--force", "-q")[0] == 2
    assert foreign.exists()


def test_a_finished_run_beside_parts_of_another(finished, call):
    with disk(26), pytest.raises(SystemExit):
        call("run", "small.toml", "-o", "copy.h5", "-q")
    left = Path("run.h5.parts")
    shutil.copyfile(finished, "before.h5")
    for force in ([], ["--force"]):
        shutil.copyfile("before.h5", finished)
        shutil.copytree("copy.h5.parts", left)
        with mf.open(finished) as newer:  # it is another run, begun later
            assert newer.status == "interrupted"
        assert call("run", "small.toml", "-o", "run.h5", "-q", *force) == (0, "")
        assert not left.exists()


def test_a_run_that_ends_while_it_is_read(tmp_path):
    """Is not read on as if it held nothing."""
    path = tmp_path / "run.h5"
    with disk(30):
        run("langevin", path)
    early = mf.open(path)
    first = early["energy"].values
    frames = early.frames
    run("langevin", path, resume=True).close()
    with pytest.raises(FileProblem, match=r"run.h5 was finished or replaced since it was opened"):
        _ = early["energy"]
    with pytest.raises(FileProblem, match="open it again"):
        _ = frames[0]
    with mf.open(path) as late:
        assert np.array_equal(late["energy"].values[:, : first.shape[1]][0], first[0])


def test_what_is_unfinished_is_found_from_elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with disk(30):
        run("langevin", Path("run.h5"))
    found = mf.open("run.h5")
    Path("elsewhere").mkdir()
    monkeypatch.chdir("elsewhere")
    assert np.isfinite(found["energy"].values[0]).all()
    tree = found.to_xarray()
    assert np.array_equal(tree["observables/energy"], found["energy"], equal_nan=True)


def test_a_copy_of_an_unfinished_run_goes_on_by_itself(tmp_path):
    path, copy = tmp_path / "run.h5", tmp_path / "copy.h5"
    with disk(30):
        run("langevin", path)
    with mf.open(path) as found:
        found.save(copy).close()
        kept = contents(found)
    run("langevin", path, resume=True).close()
    with mf.open(copy) as found:
        assert found.status == "interrupted"
        assert contents(found) == kept
    found = run("langevin", copy, resume=True)
    assert found.status == "finished"
    assert contents(found) == expected("langevin")


def test_what_diverged_does_not_go_on(tmp_path):
    path = tmp_path / "run.h5"
    arguments = mf.Wasserstein(mf.L2()), mf.Ensemble([[1.0]])
    settings = {"scheme": mf.Euler(1e200), "out": path, "resume": True}
    assert mf.simulate(*arguments, until=1e203, **settings).status == "diverged"
    assert mf.simulate(*arguments, until=1e203, **settings).status == "diverged"
    with pytest.raises(FileProblem, match=r"run.h5 diverged, and cannot go on: step "):
        mf.simulate(*arguments, until=2e203, **settings)
    assert [file.name for file in tmp_path.iterdir()] == ["run.h5"]


def test_a_run_that_ends_while_a_series_is_read(tmp_path, monkeypatch):
    """HDF5 takes parts that are gone for NaN."""
    path = tmp_path / "run.h5"
    with disk(30):
        run("langevin", path)
    early = mf.open(path)

    def gone(data):
        shutil.rmtree(parts.parts_of(path), ignore_errors=True)
        return layout.dims_of(data)

    monkeypatch.setattr("meanfield.storage.run.dims_of", gone)
    with pytest.raises(FileProblem, match="open it again"):
        _ = early["energy"]


@pytest.mark.parametrize("name", ["50%b", "100%", "%%d", "a b ü"])
def test_names_that_mean_something_to_hdf5(tmp_path, name):
    path = tmp_path / name / f"{name}.h5"
    path.parent.mkdir()
    with disk(30):
        run("langevin", path)
    with mf.open(path) as found:
        assert np.isfinite(found["energy"].values[0]).all()
        assert np.isfinite(found.frames[0].position).all()
    assert contents(run("langevin", path, resume=True)) == expected("langevin")


def test_a_symbolic_link_stays_one(tmp_path):
    path, real = tmp_path / "run.h5", tmp_path / "real" / "real.h5"
    real.parent.mkdir()
    path.symlink_to(real)
    with disk(30):
        run("langevin", path)
    with mf.open(path) as through, mf.open(real) as direct:
        assert contents(through) == contents(direct)
    assert contents(run("langevin", path, resume=True)) == expected("langevin")
    assert path.is_symlink()
    assert sorted(tmp_path.rglob("*")) == [real.parent, real, path]


def test_a_folder_is_no_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in (".", "/"):
        with pytest.raises(FileProblem, match="is a folder: give the name of a file"):
            mf.open(name)


def refuse(*_):
    raise OSError(28, "No space left on device")


def test_what_has_sealed_nothing_yet(tmp_path, monkeypatch, call):
    """`show` says so; in the first minute that is every run."""
    monkeypatch.chdir(tmp_path)
    Path("small.toml").write_text(EXPERIMENT)
    monkeypatch.setattr("meanfield.storage.journal.seal", refuse)
    assert call("run", "small.toml", "-o", "early.h5", "-q")[0] == 74
    assert call("show", "early.h5") == (0, "")
    with mf.open("early.h5") as found:
        assert any("nothing was sealed" in line for line, _ in describe(found))


def test_more_than_a_million_segments():
    assert segment.SEGMENT.fullmatch(f"{10**6:06d}.{'0' * 16}.h5")
    assert parts.number_of(Path(f"folder/{10**6:06d}.{'0' * 16}.h5")) == 10**6


def test_readers_are_in_nobodys_way(tmp_path):
    """Of a run that goes on: neither each other's nor the writer's."""
    path = tmp_path / "run.h5"
    with disk(30):
        run("langevin", path)
    with mf.open(path) as one:
        reading = one.file["observables/energy"]
        found = reading[:]
        command = [sys.executable, "-c", READER, str(path)]
        other = subprocess.run(command, capture_output=True, text=True, check=True)
        assert other.stdout == f"{found.tolist()}\n"
        for segment_path in sorted(parts.parts_of(path).glob("*.h5")):
            with segment_path.open("rb") as stream:  # whoever writes has it alone
                fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)


READER = """
import sys
import meanfield as mf
print(mf.open(sys.argv[1]).file["observables/energy"][:].tolist())
"""
