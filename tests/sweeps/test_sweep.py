"""A sweep does what is left, keeps what is done, and puts what was found side by side."""

from __future__ import annotations

import json

import numpy as np
import pytest
import xarray

import meanfield as mf
from meanfield.sweeps import Sweep
from tests.sweeps.examples import EXPERIMENT, write

pytestmark = pytest.mark.usefixtures("here")


@pytest.fixture
def said():
    return []


def test_values_are_those_of_the_runs(tmp_path, said):
    grid = {"ensemble.count": [4, 6], "flow.kind": ["langevin", "blob"]}
    found = mf.sweep(write(tmp_path), tmp_path / "s", grid, 2, say=said.append)
    assert not found.failures
    assert len([line for line in said if "finished" in line]) == 8
    assert found.final["risk"].dims == ("ensemble.count", "flow.kind", "seed")
    for count in grid["ensemble.count"]:
        for kind in grid["flow.kind"]:
            for seed in (0, 1):
                point = {"ensemble.count": count, "flow.kind": kind}
                alone = mf.Experiment.load(
                    tmp_path / "small.toml",
                    [f"{k}={v}" for k, v in point.items()] + [f"run.seed={seed}"],
                ).run()
                place = point | {"seed": seed}
                assert found.final["risk"].sel(place).item() == alone["risk"].values[-1]
                series = found.series["energy"].sel(place)
                np.testing.assert_array_equal(series, alone["energy"].values)
                np.testing.assert_allclose(series["time"], alone["energy"]["time"])
                with found.run(seed, **point) as kept:
                    assert np.array_equal(kept.final.position, alone.final.position)
    with pytest.raises(mf.UnknownName, match="key of the grid"):
        found.run(cuont=4)
    with pytest.raises(mf.InvalidInput, match=r"ensemble.count = 5: expected one of 4, 6"):
        found.run(**{"ensemble.count": 5})


def test_a_repeated_sweep_runs_nothing(tmp_path, said):
    path, folder = write(tmp_path), tmp_path / "s"
    first = mf.sweep(path, folder, {"ensemble.count": [4, 6]}, 2)
    times = {file.name: file.stat().st_mtime_ns for file in folder.glob("*.h5")}
    again = mf.sweep(path, folder, {"ensemble.count": [4, 6]}, 2, say=said.append)
    assert said == ["4 of 4 are done already"]
    assert {file.name: file.stat().st_mtime_ns for file in folder.glob("*.h5")} == times
    xarray.testing.assert_identical(first.final, again.final)
    more = mf.sweep(path, folder, {"ensemble.count": [4, 6, 8]}, 3, say=said.append)
    assert said[1] == "4 of 9 are done already"
    assert more.final.sizes == {"ensemble.count": 3, "seed": 3}
    assert len(list(folder.glob("*.h5"))) == 9


def test_the_index_says_what_each_hash_is(tmp_path):
    found = mf.sweep(write(tmp_path), tmp_path / "s", {"ensemble.count": [4, 6]}, [3])
    members = json.loads((tmp_path / "s" / "index.json").read_text())["members"]
    assert list(members.values()) == [
        {"point": {"ensemble.count": 4}, "seed": 3},
        {"point": {"ensemble.count": 6}, "seed": 3},
    ]
    for digest, member in members.items():
        with mf.open(tmp_path / "s" / f"{digest}.h5") as run:
            assert len(run.final) == member["point"]["ensemble.count"]
            assert run.seeds == [3]
    assert found.order == tuple(members)


def test_a_notebook_opens_the_file(tmp_path):
    """With xarray alone, in the shapes of `Sweep`."""
    found = mf.sweep(write(tmp_path), tmp_path / "s", {"ensemble.count": [4, 6]}, 2)
    for group, mine in ((None, found.final), ("series", found.series)):
        with xarray.open_dataset(tmp_path / "s" / "results.nc", group=group) as read:
            xarray.testing.assert_equal(read, mine)
            assert read.sel({"ensemble.count": 6, "seed": 1})["risk"].size in (1, 11)
    loaded = Sweep.load(tmp_path / "s")
    xarray.testing.assert_equal(loaded.final, found.final)
    assert "ensemble.count (2) × seed (2); 4 done" in repr(loaded)
    row = loaded.table().splitlines()[1].split()
    risk = found.final["risk"].sel({"ensemble.count": 4}).values
    assert row[0] == "4"
    assert float(row[-3]) == pytest.approx(risk.mean(), rel=1e-5)
    assert float(row[-1]) == pytest.approx(risk.std(ddof=1), rel=0.1)


def test_without_the_file_the_runs_are_read(tmp_path):
    found = mf.sweep(write(tmp_path), tmp_path / "s", {"ensemble.count": [4, 6]}, 2)
    (tmp_path / "s" / "results.nc").unlink()
    xarray.testing.assert_equal(Sweep.load(tmp_path / "s").series, found.series)


def test_series_have_a_common_axis(tmp_path):
    """Looks at other times are interpolated, and what has ended earlier has no later values."""
    path = write(tmp_path, EXPERIMENT.replace("temperature = 0.05", ""))
    grid = {"scheme.step": [0.25, 0.1], "run.until": [0.5, 1.0]}
    found = mf.sweep(path, tmp_path / "s", grid, 1)
    times = [0, 0.1, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.9, 1.0]
    np.testing.assert_allclose(found.series["time"], times)
    with found.run(**{"scheme.step": 0.25, "run.until": 1.0}) as run:
        looks = run["energy"]
        whole = found.series["energy"].sel({"scheme.step": 0.25, "run.until": 1.0, "seed": 0})
        expected = np.interp(times, looks["time"], looks)
        np.testing.assert_allclose(whole, expected, rtol=1e-12)
    short = found.series["energy"].sel({"scheme.step": 0.1, "run.until": 0.5, "seed": 0})
    assert np.array_equal(np.isnan(short), np.array(times) > 0.5)


def test_vectors_have_columns(tmp_path):
    path = write(tmp_path, EXPERIMENT + 'observe = ["moments"]\n')
    found = mf.sweep(path, tmp_path / "s", {"network.bias": [False, True]}, 1)
    means = found.final["mean"]
    assert means.dims == ("network.bias", "seed", "mean_column")
    assert list(means["network.bias"].values) == ["false", "true"]
    assert {"w[0]", "b"} <= set(means["mean_column"].values)
    assert np.isnan(means.sel({"network.bias": "false", "mean_column": "b"})).all()
    assert np.isfinite(means.sel({"network.bias": "true"})).all()


def test_one_failure_stops_no_other(tmp_path, said):
    """It is reported with its place and its error, has no values, and is tried again."""
    grid = {"energy.l2": [1e160, 0.1]}
    for session in range(2):
        found = mf.sweep(write(tmp_path), tmp_path / "s", grid, 2, say=said.append)
        assert [(f.point, f.seed) for f in found.failures] == [
            ({"energy.l2": 1e160}, 0),
            ({"energy.l2": 1e160}, 1),
        ]
        assert all("no longer finite" in failure.error for failure in found.failures)
        assert found.final["status"].values.tolist() == [["diverged"] * 2, ["finished"] * 2]
        assert np.isnan(found.final["risk"].values[0]).all()
        assert np.isfinite(found.final["risk"].values[1]).all()
        assert len([line for line in said if "diverged" in line]) == 2 * (session + 1)
    assert len([line for line in said if "finished" in line]) == 2
    assert len(Sweep.load(tmp_path / "s").failures) == 2


def test_an_error_of_a_run_is_told_too(tmp_path, monkeypatch):
    """And forgotten once the member is done."""
    real = mf.Energy.__call__

    def broken(self, view):
        if view.ensemble.step == 3 and len(view.ensemble) == 4:
            raise RuntimeError("no such luck")
        return real(self, view)

    monkeypatch.setattr(mf.Energy, "__call__", broken)
    grid = {"ensemble.count": [4, 6]}
    found = mf.sweep(write(tmp_path), tmp_path / "s", grid, 1)
    assert [str(failure) for failure in found.failures] == [
        "ensemble.count=4, seed=0: RuntimeError: no such luck"
    ]
    assert Sweep.load(tmp_path / "s").failures == found.failures
    monkeypatch.setattr(mf.Energy, "__call__", real)
    assert not mf.sweep(write(tmp_path), tmp_path / "s", grid, 1).failures
    assert not Sweep.load(tmp_path / "s").failures


def test_nothing_runs_if_anything_is_wrong(tmp_path):
    with pytest.raises(mf.MeanfieldError, match=r"energy.l2"):
        mf.sweep(write(tmp_path), tmp_path / "s", {"energy.l2": [0.1, -0.1]})
    assert not (tmp_path / "s").exists()


def test_a_folder_of_something_else(tmp_path):
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / "precious").touch()
    with pytest.raises(mf.FileProblem, match="is not empty, and no sweep"):
        mf.sweep(write(tmp_path), tmp_path / "s", {})
    with pytest.raises(mf.FileProblem, match="is no folder of a sweep"):
        Sweep.load(tmp_path / "s")
    (tmp_path / "s" / "index.json").write_text("{}")
    with pytest.raises(mf.FileProblem, match="is damaged"):
        Sweep.load(tmp_path / "s")


def test_one_sweep_at_a_time_in_a_folder(tmp_path, said):
    path, folder = write(tmp_path), tmp_path / "s"

    def second(line):
        said.append(line)
        with pytest.raises(mf.FileProblem, match="is being written by process"):
            mf.sweep(path, folder, {})

    mf.sweep(path, folder, {}, say=second)
    assert len(said) == 1


@pytest.fixture
def call(call, tmp_path, monkeypatch):
    """Call the command line where the experiment is."""
    monkeypatch.chdir(tmp_path)
    write(tmp_path)
    return call


def test_the_command(call, tmp_path):
    command = ("sweep", "small.toml", "--grid", "ensemble.count=4,6", "--seeds", "2")
    code, out, err = call(*command)
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert [line.split()[0] for line in lines[:4]] == ["1/4", "2/4", "3/4", "4/4"]
    assert lines[4].split() == ["ensemble.count", "energy", "l2", "risk"]
    assert lines[-1].startswith("small-sweep: results.nc")
    assert call(*command, "-q") == (0, "", "")
    code, out, err = call(*command, "--json", "-")
    found, final = json.loads(out), Sweep.load(tmp_path / "small-sweep").final
    assert (code, err, found["failures"], found["stopped"]) == (0, "", [], "")
    assert [point["at"] for point in found["points"]] == [{"ensemble.count": n} for n in (4, 6)]
    assert [point["risk"] for point in found["points"]] == final["risk"].values.tolist()


def test_the_command_tells_failures_at_the_end(call):
    code, out, err = call("sweep", "small.toml", "--grid", "energy.l2=1e160,0.1", "-o", "s")
    assert code == 1
    assert "(1 failed so far)" in out
    first, last = err.splitlines()
    assert first.startswith("meanfield: energy.l2=1e+160, seed=0: ")
    assert last == "meanfield: 1 of 2 have failed; the same command again tries them again"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["sweep", "small.toml", "--grid", "ensemble.cuont=4,5"], "did you mean 'count'?"),
        (["sweep", "small.toml", "--grid", "a.b"], "--grid = 'a.b': expected key=v1,v2"),
        (["sweep", "small.toml", "--grid", "a.b=1", "--grid", "a.b=2"], "a.b once"),
        (["chaos", "small.toml"], "--sizes = ''"),
        (["chaos", "small.toml", "--sizes", "4,x"], "--sizes = '4,x': expected numbers like"),
        (["chaos", "small.toml", "--sizes", "4,6"], "at least 3: the last is the reference"),
        (["chaos", "small.toml", "--sizes", "4,6,8", "--plot", "a.gif"], "expected .png"),
        (["chaos", "small.toml", "--sizes", "4,6,8", "--replicas", "1"], "at least 2"),
    ],
)
def test_wrong_commands(call, tmp_path, arguments, said):
    code, out, err = call(*arguments)
    assert (code, out) == (2, "")
    assert said in err
    assert [file.name for file in tmp_path.iterdir()] == ["small.toml"]


def test_time_that_is_over(call, monkeypatch):
    from pathlib import Path
    from types import SimpleNamespace

    from meanfield import stopping

    def late():  # as soon as one run is there
        return 10.0 * any(Path("small-sweep").glob("*.h5"))

    monkeypatch.setattr(stopping, "time", SimpleNamespace(monotonic=late))
    command = ("sweep", "small.toml", "--grid", "ensemble.count=4,6,8,10", "-q")
    code, _, err = call(*command, "--max-wall", "3s")
    assert code == 75
    assert "its time of 3 s was over; what was done is kept" in err
    assert 0 < (Sweep.load("small-sweep").final["status"] == "finished").sum() < 4
    assert call(*command)[0] == 0
    assert (Sweep.load("small-sweep").final["status"] == "finished").all()
