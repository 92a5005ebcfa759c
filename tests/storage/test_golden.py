"""Files that earlier versions wrote hold what they held then."""

import json
from pathlib import Path

import h5py
import numpy as np
import pytest
import xarray

import meanfield as mf
from meanfield.storage.layout import SCHEMA_VERSION
from tests.storage.golden.write import START

FOLDER = Path(__file__).parent / "golden"
WHOLE = {"one": (0,), "first": (0,), "two": (3, 8), "first-two": (3, 8)}
TIMES = [0.0, 0.5, 1.0, 1.5, 2.0]


def _position(step, seed=0):
    return (seed or 1.0) * np.array(START) * 0.5**step


def _check_frames(run, seed, count):
    frames = run.replica(seed).frames
    assert frames.times.tolist() == TIMES[:count]
    assert frames.steps.tolist() == list(range(count))
    for step, frame in enumerate(frames):
        assert np.array_equal(frame.position, _position(step, seed))
        assert frame.mass.tolist() == [0.5, 0.5]
        assert np.array_equal(frame.w[:, 0], _position(step, seed)[:, 1])


def _check_series(run, seed, count):
    square = (_position(0, seed) ** 2).sum() / 4
    energy = run["energy"].sel(seed=seed) if len(run.seeds) > 1 else run["energy"]
    mean = run["mean"].sel(seed=seed) if len(run.seeds) > 1 else run["mean"]
    assert energy.values.tolist() == [square * 0.25**step for step in range(count)]
    assert energy["time"].values.tolist() == TIMES[:count]
    assert np.array_equal(mean, [_position(step, seed).mean(axis=0) for step in range(count)])
    assert mean["coordinate"].values.tolist() == ["a", "w[0]"]
    path = run["path_norm"]
    assert path["time"].values.tolist() == [0.0, 1.0, 2.0][: 2 + (count == 5)]


@pytest.mark.parametrize("name", WHOLE)
def test_finished_runs(name):
    with mf.open(FOLDER / f"{name}.h5") as run:
        assert run.status == "finished"
        assert run.stop_reason == "reached time 2 in 4 steps"
        assert run.seeds == list(WHOLE[name])
        assert run.layout == mf.Layout({"a": (), "w": (1,)})
        for seed in run.seeds:
            _check_frames(run, seed, 5)
            _check_series(run, seed, 5)
            final = run.replica(seed).final
            assert (final.time, final.step) == (2.0, 4)
            assert np.array_equal(final.position, _position(4, seed))
        assert run.provenance["version_meanfield"] == "0.1.0"
        assert run.diagnostics["steps_per_second"] > 0
        assert (run.plan is None) == name.startswith("first")
        assert run.experiment == ""


def test_a_run_with_velocities():
    position, velocity = np.array(START), np.zeros((2, 2))
    with mf.open(FOLDER / "kinetic.h5") as run:
        for step, frame in enumerate(run.frames):
            assert np.array_equal(frame.position, position)
            assert np.array_equal(frame.velocity, velocity)
            assert run["kinetic_energy"].values[step] == (velocity**2).sum() / 4
            velocity = velocity - 0.25 * position
            position = position + 0.5 * velocity
            velocity = velocity - 0.25 * position
        assert step == 4
        assert np.array_equal(run.final.velocity, run.frames[-1].velocity)


def test_what_a_stopped_run_left():
    with mf.open(FOLDER / "unfinished.h5") as run:
        assert (run.status, run.stop_reason) == ("interrupted", "stopped by the user")
        _check_frames(run, 0, 3)
        _check_series(run, 0, 3)
        assert run.final.step == 2
        assert run.plan.axes["time_path_norm"] == [0, 2, 4]


@pytest.mark.parametrize("engine", ["h5netcdf", "netcdf4"])
@pytest.mark.parametrize("name", WHOLE)
def test_xarray_opens_them(name, engine):
    with xarray.open_datatree(FOLDER / f"{name}.h5", engine=engine) as tree:
        seed = WHOLE[name][0]
        found = tree["frames/position"][0] if len(WHOLE[name]) > 1 else tree["frames/position"]
        assert np.array_equal(found, [_position(step, seed) for step in range(5)])


@pytest.mark.parametrize("name", [*WHOLE, "unfinished"])
@pytest.mark.parametrize("ending", ["csv", "npz", "nc", "h5md"])
def test_they_can_be_exported(tmp_path, name, ending):
    with mf.open(FOLDER / f"{name}.h5") as run:
        path = run.export(tmp_path / f"{name}.{ending}")
        if ending == "npz":
            with np.load(path) as found:
                assert np.array_equal(found["observables/energy"], run.file["observables/energy"])
                about = json.loads(str(found["attributes"]))
                assert about["/"]["title"] == run.title
        assert path.stat().st_size > 100


def test_old_and_new_have_the_same_bits():
    assert mf.compare(FOLDER / "first.h5", FOLDER / "one.h5").same_bits
    assert mf.compare(FOLDER / "first-two.h5", FOLDER / "two.h5").same_bits
    assert not mf.compare(FOLDER / "unfinished.h5", FOLDER / "one.h5").same_bits


def test_an_old_run_is_a_start(tmp_path):
    layout = mf.Layout({"a": (), "w": (1,)})
    for name in ("first", "one"):
        start = mf.FromRun(str(FOLDER / f"{name}.h5"), time=1.0).draw(layout, seed=0)
        assert np.array_equal(start.position, _position(2))


@pytest.mark.parametrize("name", WHOLE)
def test_the_version_of_the_schema_is_that_of_all_of_them(name):
    with h5py.File(FOLDER / f"{name}.h5") as file:
        assert file.attrs["schema_version"] == SCHEMA_VERSION == 1
