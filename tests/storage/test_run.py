"""Runs in memory and on disk, and what other programs see in the file."""

import h5py
import numpy as np
import pytest
import xarray

import meanfield as mf
from meanfield.data import FiniteData
from meanfield.errors import FileProblem, InvalidInput, UnknownName
from meanfield.flows import Langevin
from meanfield.functionals import L2, Entropy, Risk
from meanfield.initial import NormalInit
from meanfield.loop import Problem
from meanfield.networks import TwoLayer
from meanfield.observables import Energy, Moments, PathNorm
from meanfield.schemes import EulerMaruyama
from meanfield.simulation import simulate_replicas
from meanfield.storage import Journal, Run, open_run

NETWORK = TwoLayer("tanh", 2, outer="fixed", bias=True)
RISK = Risk(NETWORK, FiniteData(np.eye(2), [1.0, -1.0]))
FLOW = Langevin(RISK + 0.1 * L2() + 0.05 * Entropy())
COLUMNS = ["a", "w[0]", "w[1]", "b"]
ENGINES = ["h5netcdf", "netcdf4"]


def _simulate(out, seeds=(3,)):
    return simulate_replicas(
        [
            lambda seed=s: Problem(FLOW, NormalInit(5).draw(NETWORK.layout, seed), seed)
            for s in seeds
        ],
        seeds=list(seeds),
        scheme=EulerMaruyama(0.1),
        until=1.0,
        observe=[Energy(), Moments(), PathNorm(when=[0.5])],
        observe_when={"steps": 1},
        frames={"steps": 5},
        out=out,
        title="A title — with signs",
    )


@pytest.fixture(params=["memory", "file"])
def run(request, tmp_path):
    with _simulate(None if request.param == "memory" else tmp_path / "run.h5") as found:
        yield found


@pytest.fixture(params=[(3,), (3, 8)], ids=["one", "two"])
def path(request, tmp_path):
    target = tmp_path / "run.h5"
    _simulate(target, request.param).close()
    return target


def _dims(many, *rest):
    return ("seed", *rest) if many else rest


# Reading with meanfield


def test_nothing_was_observed_yet(tmp_path):
    path = tmp_path / "run.h5"

    def stop(step, total, view):
        raise KeyboardInterrupt

    mf.simulate(
        *(mf.Wasserstein(mf.L2()), mf.Ensemble(np.ones((5, 3)))),
        scheme=mf.Euler(0.1),
        until=1.0,
        observe=[],
        out=path,
        progress=stop,
    ).close()
    with mf.open(path) as run, pytest.raises(FileProblem, match="has no series yet: stopped by"):
        run["energy"]


def test_series_of_vectors_come_in_chunks_of_many_rows(tmp_path):
    run = mf.simulate(
        *(mf.Wasserstein(mf.L2()), mf.Ensemble(np.ones((5, 3)))),
        scheme=mf.Euler(0.001),
        until=4.0,
        observe=[mf.Moments()],
        observe_when={"steps": 1},
        out=tmp_path / "run.h5",
    )
    assert run.file["observables/mean"].chunks == (2**16 // 24, 3)
    assert np.isfinite(run["mean"]).all()
    run.close()


def test_frames_are_lazy_and_equal_to_what_was_written(run):
    frames = run.frames
    assert len(frames) == 3
    assert frames.times.tolist() == [0.0, 0.5, 1.0]
    assert frames.steps.tolist() == [0, 5, 10]
    stored = run.file["frames/position"]
    for i, frame in enumerate(frames):
        assert np.array_equal(frame.position, stored[i])
        assert (frame.time, frame.step) == (frames.times[i], frames.steps[i])
        assert frame.layout == NETWORK.layout
        assert frame.mass.tolist() == [0.2] * 5
    assert np.array_equal(frames[-1].position, run.final.position)
    assert [frame.step for frame in frames[1:]] == [5, 10]
    assert frames.at(0.6).step == 5
    assert frames.place(1.0 + 1e-10) == 2  # off by rounding
    for outside in (-0.1, 1.1, np.nan, np.inf):
        with pytest.raises(InvalidInput, match="expected a time of the frames, 0 to 1"):
            frames.at(outside)
    with pytest.raises(IndexError):
        _ = frames[3]
    # Each is read anew, and is the reader's own.
    frames[0].position[:] = np.nan
    assert np.isfinite(frames[0].position).all()


def test_blocks_of_a_frame_have_their_names(run):
    frame = run.frames[0]
    assert frame.w.shape == (5, 2)
    assert np.array_equal(frame.b, frame.position[:, 3])
    assert run.layout.frozen == ("a",)


def test_a_series_is_an_array_with_coordinates(run):
    energy = run["energy"]
    assert energy.dims == ("time",)
    assert energy.name == "energy"
    np.testing.assert_allclose(energy["time"], np.arange(11) * 0.1, rtol=1e-15)
    assert run["mean"].dims == ("time", "coordinate")
    assert run["mean"]["coordinate"].values.tolist() == COLUMNS
    assert run["path_norm"]["time"].values.tolist() == [0.0, 0.5, 1.0]
    assert run.names == ["energy", "l2", "mean", "path_norm", "risk", "second_moment"]
    np.testing.assert_allclose(energy, run["risk"] + run["l2"], rtol=1e-14)
    with pytest.raises(UnknownName, match=r"^unknown series 'enrgy'; did you mean 'energy'\?$"):
        _ = run["enrgy"]


def test_attributes_of_a_run(run):
    assert (run.title, run.status, run.seeds) == ("A title — with signs", "finished", [3])
    assert run.stop_reason == "reached time 1 in 10 steps"
    assert run.provenance["seeds"] == [3]
    assert run.final.time == 1.0


def test_a_saved_run_is_the_same_run(run, tmp_path):
    saved = run.save(tmp_path / "copy.h5")
    assert saved.path == tmp_path / "copy.h5"
    assert (saved.title, saved.status) == (run.title, run.status)
    assert saved.names == run.names
    for name in run.names:
        xarray.testing.assert_identical(saved[name], run[name])
    for one, other in zip(saved.frames, run.frames, strict=True):
        assert np.array_equal(one.position, other.position)
    assert np.array_equal(saved.final.position, run.final.position)
    with pytest.raises(FileProblem, match="exists already"):
        run.save(tmp_path / "copy.h5")
    assert run.save(tmp_path / "copy.h5", force=True).status == "finished"
    leftover = {file.name for file in tmp_path.iterdir()}
    assert leftover <= {"run.h5", "copy.h5"}


def test_a_run_in_memory_has_no_path_and_needs_no_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = _simulate(None)
    assert run.path is None
    assert list(tmp_path.iterdir()) == []


def test_two_runs_in_memory_do_not_meet():
    first, second = _simulate(None, (3,)), _simulate(None, (4,))
    assert first.seeds == [3]
    assert second.seeds == [4]
    assert not np.any(first.final.w == second.final.w)


def test_mf_open_reads_a_file(path):
    with mf.open(path) as run:
        assert isinstance(run, Run)
        assert run.path == path
        assert run.status == "finished"


def test_a_replica_shows_its_own_frames(path):
    with open_run(path) as run:
        for i, seed in enumerate(run.seeds):
            replica = run.replica(seed)
            stored = run.file["frames/position"]
            expected = stored[i] if len(run.seeds) > 1 else stored[:]
            assert np.array_equal([frame.position for frame in replica.frames], expected)
            assert np.array_equal(replica.frames[-1].position, replica.final.position)
        with pytest.raises(UnknownName, match=r"^unknown seed '7'"):
            run.replica(7)


# Reading with other programs


@pytest.mark.parametrize("engine", ENGINES)
def test_xarray_opens_each_group(path, engine):
    with open_run(path) as run:
        many = len(run.seeds) > 1
    with xarray.open_dataset(path, group="observables", engine=engine) as series:
        assert series["energy"].dims == _dims(many, "time")
        assert series["mean"].dims == _dims(many, "time", "coordinate")
        assert series["path_norm"].dims == _dims(many, "time_path_norm")
        np.testing.assert_allclose(series["time"], np.arange(11) * 0.1, rtol=1e-15)
        assert series["coordinate"].values.tolist() == COLUMNS
        assert series["step"].values.tolist() == list(range(11))
        assert series["time_path_norm"].values.tolist() == [0.0, 0.5, 1.0]
        assert ("seed" in series.coords) == many
        with open_run(path) as run:
            assert np.array_equal(series["energy"], run["energy"])
            assert np.array_equal(series["mean"], run["mean"])
    with xarray.open_dataset(path, group="frames", engine=engine) as frames:
        assert frames["position"].dims == _dims(many, "time", "particle", "coordinate")
        assert frames["mass"].dims == _dims(many, "time", "particle")
        assert frames["time"].values.tolist() == [0.0, 0.5, 1.0]
        assert frames["step"].values.tolist() == [0, 5, 10]
        assert frames["coordinate"].values.tolist() == COLUMNS
        if many:
            assert frames["seed"].values.tolist() == [3, 8]
    with xarray.open_dataset(path, group="state", engine=engine) as state:
        assert state["position"].dims == _dims(many, "particle", "coordinate")
        assert np.all(state["time"] == 1.0)


@pytest.mark.parametrize("engine", ENGINES)
def test_xarray_opens_the_whole_file_as_a_tree(path, engine):
    with xarray.open_datatree(path, engine=engine) as tree, open_run(path) as run:
        assert set(tree.children) >= {"frames", "observables", "state", "provenance", "diagnostics"}
        assert tree.attrs["status"] == "finished"
        assert tree.attrs["title"] == "A title — with signs"
        assert np.array_equal(tree["observables/energy"], run["energy"])
        assert tree["frames/position"].sizes["particle"] == 5
        assert "version_numpy" in tree["provenance"].attrs


def test_to_xarray_is_the_tree_in_memory_and_on_disk(run):
    tree = run.to_xarray()
    assert tree["observables/energy"].dims == ("time",)
    assert np.array_equal(tree["observables/energy"], run["energy"])
    assert np.array_equal(tree["frames/position"][-1], run.final.position)
    assert tree.attrs["status"] == "finished"


def test_plain_h5py_finds_everything_by_name(path):
    with h5py.File(path, "r") as file:
        assert file.attrs["format"] == "meanfield run"
        assert file.attrs["schema_version"] == 1
        assert file.attrs["status"] == "finished"
        energy = file["observables/energy"]
        assert energy.shape[-1] == 11
        assert energy.dims[energy.ndim - 1][0].name == "/observables/time"
        assert file["frames/position"].shape[-2:] == (5, 4)
        assert file["frames/coordinate"].asstr()[:].tolist() == COLUMNS
        assert file["observables/energy"].dtype == np.float64
        assert file["frames/position"].compression is None
        assert "conventions" in file["provenance"].attrs


# Files that are not runs


def test_files_that_are_no_runs_are_refused_in_one_sentence(tmp_path):
    with pytest.raises(FileProblem, match=r"nothing.h5: no such file$"):
        mf.open(tmp_path / "nothing.h5")
    text = tmp_path / "text.h5"
    text.write_text("not HDF5")
    with pytest.raises(FileProblem, match=r"text.h5 is not an HDF5 file, or it is damaged$"):
        mf.open(text)
    other = tmp_path / "other.h5"
    h5py.File(other, "w").close()
    with pytest.raises(FileProblem, match=r"other.h5 is not a run of meanfield$"):
        mf.open(other)


def test_a_file_from_a_newer_version_asks_for_an_upgrade(tmp_path):
    path = tmp_path / "run.h5"
    _simulate(path).close()
    with h5py.File(path, "r+") as file:
        file.attrs["schema_version"] = 99
    with pytest.raises(
        FileProblem, match=r"has schema version 99, newer than .*upgrade meanfield$"
    ):
        mf.open(path)


def test_a_write_protected_folder_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr("os.access", lambda path, mode: False)
    with pytest.raises(FileProblem, match=r"no permission to write in"):
        _simulate(tmp_path / "run.h5")


def test_a_leftover_of_a_killed_run_is_in_nobodys_way(tmp_path):
    path = tmp_path / "run.h5"
    (tmp_path / "run.h5.part").write_text("half a file")
    assert _simulate(path).status == "finished"
    assert [file.name for file in tmp_path.iterdir()] == ["run.h5"]


def test_a_journal_never_truncates_what_it_may_not_replace(tmp_path):
    path = tmp_path / "run.h5"
    _simulate(path).close()
    before = path.read_bytes()
    with pytest.raises(FileProblem):
        Journal(path, None)
    assert path.read_bytes() == before
