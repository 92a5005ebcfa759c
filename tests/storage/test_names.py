"""Units and long names, as other programs see them."""

import shutil
import subprocess

import h5py
import pytest
import xarray

import meanfield as mf
from meanfield.storage.names import LONG_NAMES
from tests.storage.runs import kinetic, simulate

TIME = "time units of the flow"


def _all_series():
    """A run with every series that needs no special flow or data."""
    observers = [
        *(mf.Energy(), mf.FreeEnergy(), mf.Dissipation(), mf.Mass(), mf.Moments(), mf.Speed()),
        *(mf.PathNorm(), mf.EffectiveNeurons(), mf.Balance(), mf.W2(), mf.Displacement()),
        *(mf.Linearisation(), mf.Sharpness()),
    ]
    return simulate(observe=observers, until=0.1, observe_when={"steps": 1}, frames=[0.0])


def test_every_series_has_a_name_in_words():
    run = _all_series()
    assert len(run.names) > 20
    unknown = [name for name in run.names if "long_name" not in run.file["observables"][name].attrs]
    assert all(name.startswith("displacement_") for name in unknown)
    units = {name: run.file["observables"][name].attrs.get("units") for name in run.names}
    assert units["energy"] == units["w2"] == "1"
    assert units["dissipation"] == units["sharpness"] == "per time unit of the flow"
    assert "odd" not in LONG_NAMES


@pytest.mark.parametrize("engine", ["h5netcdf", "netcdf4"])
def test_xarray_shows_them(tmp_path, engine):
    path = tmp_path / "run.h5"
    kinetic(path, seeds=(3, 8), keep=mf.Keep("float32", 2)).close()
    with xarray.open_dataset(path, group="observables", engine=engine) as series:
        assert series["energy"].attrs["long_name"] == "energy F without its entropy"
        assert series["energy"].attrs["units"] == "1"
        for axis in ("time", "time_path_norm"):
            assert series[axis].attrs == {"long_name": "time", "units": TIME}
        assert series["step_path_norm"].attrs["long_name"].startswith("steps")
        assert series["odd"].attrs == {}
    with xarray.open_datatree(path, engine=engine) as tree:
        for name in ("position", "mass", "velocity", "particle", "coordinate", "seed"):
            assert "long_name" in tree[f"frames/{name}"].attrs
        assert tree["state/time"].attrs["units"] == TIME
        assert tree["frames/position"].dtype == "float32"
        assert tree["frames"].sizes["particle"] == 2
        assert tree["state"].sizes["particle"] == 5


@pytest.mark.parametrize("engine", ["h5netcdf", "netcdf4"])
def test_frames_are_read_when_they_are_asked_for(tmp_path, engine):
    """What is opened lazily comes from the file as it is then."""
    path = tmp_path / "run.h5"
    simulate(path).close()
    with xarray.open_datatree(path, engine=engine) as tree:
        variable = tree["frames"].dataset["position"].variable
        assert not variable._in_memory
        assert tree["frames/position"].isel(time=0).shape == (5, 4)
        assert not variable._in_memory


@pytest.mark.skipif(shutil.which("h5dump") is None, reason="there is no h5dump")
def test_h5dump(tmp_path):
    path = tmp_path / "run.h5"
    simulate(path).close()
    said = subprocess.run(["h5dump", "-H", path], capture_output=True, text=True, check=True)
    for name in ("position", "energy", "experiment", "long_name"):
        assert f'"{name}"' in said.stdout
    with h5py.File(path) as file:
        assert file.attrs["status"] == "finished"
