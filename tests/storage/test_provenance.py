"""What a file says about where it comes from."""

import configparser
import hashlib
import importlib
import os
import re
import subprocess
from pathlib import Path

import pytest
import xarray

import meanfield as mf
from meanfield.errors import FileProblem
from tests.storage.runs import simulate, stopping

module = importlib.import_module("meanfield.storage.provenance")  # beside a function of its name
ROOT = Path(__file__).parents[2]


def test_versions_of_all_that_is_depended_on():
    settings = configparser.ConfigParser()
    settings.read(ROOT / "setup.cfg")
    asked = settings["options"]["install_requires"].split()
    names = {re.split(r"[><=]", line)[0].replace("_", "-").lower() for line in asked}
    assert names
    assert names <= {name.replace("_", "-") for name in module.PACKAGES}
    found = simulate().provenance
    assert found["version_numpy"].count(".") == 2
    assert re.fullmatch(r"[\d.]+", found["version_hdf5"])
    assert "not installed" not in [found[f"version_{name}"] for name in ("h5netcdf", "llvmlite")]


def test_the_machine_but_not_whose(monkeypatch):
    found = simulate().provenance
    assert found["processor"] == module.processor() != ""
    assert found["memory_bytes"] == os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert found["processors"] == os.cpu_count()
    host = os.uname().nodename
    assert not any(host and host in str(value) for value in found.values())


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["/usr/bin/meanfield", "run", "my file.toml"], "meanfield run 'my file.toml'"),
        (["/lib/meanfield/__main__.py", "run", "a.toml", "-q"], "meanfield run a.toml -q"),
        (["/home/me/secret/script.py", "--token=1"], "script.py"),
        ([], ""),
    ],
)
def test_the_command(monkeypatch, given, said):
    monkeypatch.setattr("sys.argv", given)
    assert module.command() == said


def _git(folder, *arguments):
    identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run(["git", "-C", folder, *identity, *arguments], check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "small.toml").write_text(
        "[network]\nactivation = 'tanh'\n[data]\nkind = 'file'\npath = 'points.csv'\n"
        "target = 'y'\n[ensemble]\ncount = 3\n[scheme]\nstep = 0.1\n[run]\nuntil = 1.0\n"
    )
    (folder / "points.csv").write_text("x,y\n0.0,0.1\n1.0,0.3\n2.0,0.2\n")
    _git(folder, "init", "-q")
    _git(folder, "add", "small.toml")
    _git(folder, "commit", "-q", "-m", "first")
    return folder


def test_the_revision_of_the_experiments_folder(repository):
    head = repository / ".git" / "refs" / "heads"
    commit = next(head.iterdir()).read_text().strip()
    found = mf.Experiment.load(repository / "small.toml").run().provenance
    assert found["experiment_revision"] == commit
    assert found["experiment_modified"] is False
    (repository / "small.toml").write_text((repository / "small.toml").read_text() + "seed = 1\n")
    found = mf.Experiment.load(repository / "small.toml").run().provenance
    assert found["experiment_revision"] == commit
    assert found["experiment_modified"] is True


def test_no_revision_without_git_or_a_repository(tmp_path, repository, monkeypatch):
    outside = tmp_path / "plain"
    outside.mkdir()
    assert module.revision(outside) == ""
    assert module.revision(tmp_path / "nowhere") == ""
    for error in (FileNotFoundError("git"), subprocess.TimeoutExpired("git", 5.0)):

        def broken(*args, error=error, **kwargs):
            raise error

        monkeypatch.setattr(subprocess, "run", broken)
        assert module.revision(repository) == ""


def test_our_own_revision_is_only_that_of_a_checkout():
    found = simulate().provenance
    if (ROOT / ".git").exists() and module.revision(ROOT):
        assert re.fullmatch(r"[0-9a-f]{40}", found["package_revision"])
        assert found["package_modified"] in (True, False)
    else:
        assert "package_revision" not in found


def test_installed_in_somebodys_repository_it_has_no_revision(repository, monkeypatch):
    package = repository / ".venv" / "meanfield"
    (package / "storage").mkdir(parents=True)
    (package / "__init__.py").write_text("")
    monkeypatch.setattr(module, "__file__", str(package / "storage" / "provenance.py"))
    assert module.revision(package)
    assert module._own_revision.__wrapped__() == ""
    _git(repository, "add", ".venv")
    _git(repository, "commit", "-q", "-m", "second")
    assert module._own_revision.__wrapped__() == module.revision(package) != ""


def test_the_hash_of_every_file_that_was_read(repository):
    points = repository / "points.csv"
    expected = hashlib.sha256(points.read_bytes()).hexdigest()
    run = mf.Experiment.load(repository / "small.toml").run(repository / "first.h5")
    assert run.provenance["sha256_data_path"] == expected
    run.close()
    (repository / "second.toml").write_text(
        (repository / "small.toml")
        .read_text()
        .replace("count = 3", "kind = 'run'\npath='first.h5'")
    )
    found = mf.Experiment.load(repository / "second.toml").run().provenance
    start = hashlib.sha256((repository / "first.h5").read_bytes()).hexdigest()
    assert found["sha256_ensemble_path"] == start


def test_a_run_that_an_observable_measures_to(repository, monkeypatch, tmp_path):
    """It is seen from the folder of the file, and what it holds belongs to the experiment."""
    text = (repository / "small.toml").read_text()
    mf.Experiment.load(repository / "small.toml").run(repository / "first.h5").close()
    observe = 'observe = ["energy", { kind = "w2", to = "first.h5@0" }, "moments"]\n'
    (repository / "second.toml").write_text(text + observe)
    monkeypatch.chdir(tmp_path)  # where there is no first.h5
    out = tmp_path / "second.h5"
    with mf.Experiment.load(repository / "second.toml").run(out) as run:
        with mf.open(repository / "first.h5") as first:
            expected = mf.distance(first.frames[0], run.final).value
        assert float(run["w2"][-1]) == expected > 0
        assert float(run["w2"][0]) == 0.0
        digest = hashlib.sha256((repository / "first.h5").read_bytes()).hexdigest()
        assert run.provenance["sha256_run_observe_1_to"] == digest
        assert f'to = "{repository / "first.h5@0"}"' in run.experiment
    mf.Experiment.load(repository / "small.toml", ["run.seed=5"]).run(
        repository / "first.h5", force=True
    ).close()
    with pytest.raises(FileProblem, match=r"another run.observe.1.to .what the file holds.:"):
        mf.Experiment.load(repository / "second.toml").run(out, resume=True)


def test_a_run_is_not_continued_on_other_data(repository):
    path = repository / "run.h5"
    experiment = mf.Experiment.load(repository / "small.toml")
    experiment.run(path, progress=stopping(0, 5)).close()
    points = repository / "points.csv"
    before = points.read_text()
    points.write_text(before.replace("0.3", "0.4"))
    with pytest.raises(FileProblem, match=r"with another data.path .what the file holds.:"):
        mf.Experiment.load(repository / "small.toml").run(path, resume=True)
    points.write_text(before)
    with mf.Experiment.load(repository / "small.toml").run(path, resume=True) as run:
        assert run.status == "finished"


def test_sessions_of_a_run_that_was_continued(tmp_path, monkeypatch):
    clock = iter(f"2026-01-01T00:00:{i:02d}Z" for i in range(60))
    monkeypatch.setattr(module, "now", lambda: next(clock))
    path = tmp_path / "run.h5"
    simulate(path, progress=stopping(0, 4)).close()

    def stop(step, total, view):
        if step == 6:
            raise KeyboardInterrupt

    simulate(path, progress=stop, resume=True).close()
    with simulate(path, resume=True) as run:
        found = run.provenance
        begun, ended = found["session_started"], found["session_ended"]
        assert len(begun) == len(ended) == 3
        moments = [moment for pair in zip(begun, ended, strict=True) for moment in pair]
        assert moments == sorted(set(moments))
        assert found["started"] < begun[0]
        assert found["ended"] == ended[-1]
        assert len(found["session_threads"]) == 3
        assert found["session_version"] == [mf.__version__] * 3
    with simulate(path, resume=True, until=2.0) as run:
        assert run.provenance["session_started"][:3] == begun
        assert len(run.provenance["session_started"]) == 4


def test_a_session_that_was_killed_has_no_end():
    before = module.session_begins({})
    after = module.session_ends(module.session_begins(before))
    assert after["session_ended"][0] == ""
    assert after["session_ended"][1] == after["ended"] != ""


@pytest.mark.parametrize("engine", ["h5netcdf", "netcdf4"])
def test_xarray_shows_it(tmp_path, engine):
    path = tmp_path / "run.h5"
    simulate(path).close()
    with xarray.open_datatree(path, engine=engine) as tree:
        about = tree["provenance"].attrs
        for key in ("version_scipy", "processor", "memory_bytes", "command", "session_started"):
            assert key in about
