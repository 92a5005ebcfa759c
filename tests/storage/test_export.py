"""Every number of a run is found again, to the bit, in each format that it is exported to."""

import csv
import json
import sys

import h5py
import numpy as np
import pytest
import xarray

import meanfield as mf
from meanfield.errors import FileProblem, InvalidInput, MeanfieldError
from meanfield.storage import Checkpoint, pieces
from meanfield.storage.export import FORMATS
from tests.storage.runs import kinetic, simulate, stopping


def unfinished(out=None):
    run = simulate(out, seeds=(3, 8), progress=stopping(1, 6))
    assert run.status == "interrupted"
    return run


MAKE = {
    "one": simulate,
    "two": lambda out=None: simulate(out, seeds=(3, 8)),
    "kinetic": kinetic,
    "unfinished": unfinished,
}


@pytest.fixture(scope="module", params=MAKE)
def run(request, tmp_path_factory):
    with MAKE[request.param](tmp_path_factory.mktemp("made") / "run.h5") as found:
        yield found


def _expected(run):
    """What a table of the run holds: values by seed, step and column, read by h5py alone."""
    found = {}
    many = len(run.seeds) > 1
    group = run.file["observables"]
    for name in ("energy", "risk", "l2", "mean", "second_moment", "path_norm", "odd"):
        suffix = "_path_norm" if name == "path_norm" else ""
        for replica, seed in enumerate(run.seeds):
            rows = group[name][replica] if many else group[name][:]
            for step, time, row in zip(
                group[f"step{suffix}"][:], group[f"time{suffix}"][:], rows, strict=True
            ):
                labels = [f"{name}[{label}]" for label in ("a", "w[0]", "w[1]", "b")]
                for label, value in zip(labels if row.ndim else [name], np.ravel(row), strict=True):
                    if not np.isnan(value):
                        found[seed, int(step), float(time), label] = float(value)
    return found


def test_csv(run, tmp_path):
    path = run.export(tmp_path / "table.csv")
    assert path == tmp_path / "table.csv"
    with path.open(newline="") as stream:
        table = list(csv.DictReader(stream))
    found = {
        (int(row["seed"]), int(row["step"]), float(row["time"]), name): float(cell)
        for row in table
        for name, cell in row.items()
        if name not in ("seed", "step", "time") and cell
    }
    assert found == _expected(run)
    places = [(int(row["seed"]), float(row["time"])) for row in table]
    assert places == sorted(set(places))


def test_csv_in_small_batches_is_the_same(run, tmp_path, monkeypatch):
    whole = run.export(tmp_path / "whole.csv").read_text()
    monkeypatch.setattr("meanfield.storage.tabular.MOST_ROWS", 3)
    assert run.export(tmp_path / "parts.csv").read_text() == whole


def test_parquet(run, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    table = parquet.read_table(run.export(tmp_path / "table.parquet"))
    found = {
        (row["seed"], row["step"], row["time"], name): value
        for row in table.to_pylist()
        for name, value in row.items()
        if name not in ("seed", "step", "time") and value is not None
    }
    assert found == _expected(run)
    assert table.schema.metadata[b"title"].decode() == run.title


def test_parquet_without_its_library_says_so(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MeanfieldError, match=r"pip install \"meanfield\[parquet\]\"$"):
        simulate().export(tmp_path / "table.parquet")
    assert list(tmp_path.iterdir()) == []


def _datasets(run):
    found = []
    run.file.visit(found.append)
    return {name: run.file[name] for name in found if isinstance(run.file[name], h5py.Dataset)}


def _values(data):
    return data.asstr()[()] if h5py.check_string_dtype(data.dtype) else data[()]


def _same(one, other):
    one, other = np.asarray(one), np.asarray(other)
    if one.dtype.kind in "OUS":
        return one.tolist() == other.tolist()
    return (
        one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()
    )


@pytest.fixture(params=[2**24, 100], ids=["whole", "pieces"])
def size_of_pieces(request, monkeypatch):
    monkeypatch.setattr(pieces, "ENOUGH", request.param)


@pytest.mark.usefixtures("size_of_pieces")
def test_npz(run, tmp_path):
    expected = _datasets(run)
    assert len(expected) > 20
    with np.load(run.export(tmp_path / "run.npz")) as found:
        assert set(found.files) == {*expected, "attributes"}
        for name, data in expected.items():
            assert _same(found[name], _values(data)), name
        about = json.loads(str(found["attributes"]))
    assert about["/"]["status"] == run.status
    assert about["provenance"] == run.provenance
    assert set(about) == {"/", "frames", "observables", "state", "provenance", "diagnostics"}


@pytest.mark.usefixtures("size_of_pieces")
@pytest.mark.parametrize("engine", ["h5netcdf", "netcdf4"])
def test_netcdf(run, tmp_path, engine):
    path = run.export(tmp_path / "run.nc")
    with xarray.open_datatree(path, engine=engine) as tree:
        assert tree.attrs["title"] == run.title
        assert tree["provenance"].attrs["jit"] in (0, 1)
        for name, data in _datasets(run).items():
            assert _same(tree[name].values, _values(data)), name
        assert tree["observables/path_norm"].dims[-1] == "time_path_norm"
        assert tree["frames/position"].dims[-3:] == ("time", "particle", "coordinate")
        assert tree["frames/time"].attrs["long_name"] == "time"


def test_h5md(run, tmp_path):
    many = len(run.seeds) > 1
    with h5py.File(run.export(tmp_path / "run.h5md"), "r") as file:
        assert file["h5md"].attrs["version"].tolist() == [1, 1]
        assert file["h5md/creator"].attrs["name"] == b"meanfield"
        assert file["h5md/author"].attrs["name"]
        assert file["parameters/experiment"].asstr()[()] == run.experiment
        for seed in run.seeds:
            own, series = (
                (f"seed_{seed}", f"observables/seed_{seed}") if many else ("all", "observables")
            )
            particles, frames = file["particles"][own], run.replica(seed).frames
            assert particles["box"].attrs["dimension"] == 4
            assert particles["box"].attrs["boundary"].tolist() == [b"none"] * 4
            names = ["position", "mass"] + ["velocity"] * (frames[0].velocity is not None)
            assert set(particles) == {*names, "box", "id"}
            for name in names:
                element = particles[name]
                assert np.array_equal(element["step"], frames.steps)
                assert np.array_equal(element["time"], frames.times)
                assert np.array_equal(element["value"], [getattr(frame, name) for frame in frames])
            assert particles["mass/time"] == particles["position/time"]  # one dataset, two names
            place = (run.seeds.index(seed),) if many else ()
            for name in run.names:
                data, element = run.file["observables"][name], file[f"{series}/{name}"]
                assert _same(element["value"][()], data[place])
                suffix = "_path_norm" if name == "path_norm" else ""
                for axis in ("step", "time"):
                    assert np.array_equal(element[axis], run.file[f"observables/{axis}{suffix}"])


@pytest.mark.parametrize("format", ["npz", "nc", "h5md"])
def test_only_some_frames(run, tmp_path, format):
    path = run.export(tmp_path / f"few.{format}", frames=[0.95, 0.0, 0.31])
    times = run.file["frames/time"][:]
    kept = sorted({int(np.abs(times - time).argmin()) for time in (0.0, 0.31, 0.95)})
    assert 1 < len(kept) < len(times)
    place = (slice(None), kept) if len(run.seeds) > 1 else (kept,)
    whole = run.file["frames/position"][place]
    if format == "npz":
        with np.load(path) as found:
            assert _same(found["frames/position"], whole)
            assert found["frames/time"].tolist() == times[kept].tolist()
            assert _same(found["observables/energy"], run.file["observables/energy"][()])
    elif format == "nc":
        with xarray.open_datatree(path, engine="netcdf4") as tree:
            assert _same(tree["frames/position"].values, whole)
            assert tree["frames"].sizes["time"] == len(kept)
    else:
        with h5py.File(path) as file:
            first = next(iter(file["particles"].values()))
            assert first["position/time"][:].tolist() == times[kept].tolist()
            assert np.array_equal(
                first["position/value"], whole[0] if len(run.seeds) > 1 else whole
            )


def test_what_is_in_memory_exports_as_from_the_disk(tmp_path):
    with simulate(tmp_path / "run.h5") as stored:
        there = stored.export(tmp_path / "there.csv").read_bytes()
    assert simulate().export(tmp_path / "here.csv").read_bytes() == there


def test_a_run_while_it_goes_on(tmp_path):
    path = tmp_path / "run.h5"
    looks = []

    def progress(step, total, view):
        if step == 8:
            with mf.open(path) as run:
                assert run.status == "running"
                looks.append(run.export(tmp_path / "now.csv").read_text().splitlines())

    simulate(path, progress=progress, checkpoint=Checkpoint(steps=1)).close()
    with mf.open(path) as run:
        whole = run.export(tmp_path / "all.csv").read_text().splitlines()
    assert 5 < len(looks[0]) < len(whole)
    assert whole[: len(looks[0])] == looks[0]


def test_a_run_that_ends_meanwhile_is_exported_whole(tmp_path):
    """The parts that an open run refers to go when it ends: what is written is not full of gaps."""
    path = tmp_path / "run.h5"
    simulate(path, progress=stopping(0, 6)).close()
    early = mf.open(path)
    assert early.is_current
    simulate(path, resume=True).close()
    assert not early.is_current
    late = early.export(tmp_path / "late.npz")
    with np.load(late) as found, mf.open(path) as run:
        assert _same(found["frames/position"], run.file["frames/position"][()])
        assert _same(found["observables/energy"], run.file["observables/energy"][()])


def test_a_run_without_series_or_frames_yet(tmp_path):
    run = simulate(observe=[], frames=[0.0])
    for name in ("csv", "npz", "nc", "h5md"):
        run.export(tmp_path / f"bare.{name}")
    assert (tmp_path / "bare.csv").read_text() == "seed,time,step\n"


def test_refusals(tmp_path):
    run = simulate(tmp_path / "run.h5")
    with pytest.raises(InvalidInput, match=r"^format = 'txt': expected one of csv, parquet, npz"):
        run.export(tmp_path / "run.txt")
    with pytest.raises(InvalidInput, match=r"^frames = \[0.0\]: expected no frames in csv"):
        run.export(tmp_path / "run.csv", frames=[0.0])
    with pytest.raises(InvalidInput, match=r"^frames = \[\]: expected at least one time$"):
        run.export(tmp_path / "run.npz", frames=[])
    with pytest.raises(FileProblem, match=r"run.h5 is the run itself"):
        run.export(tmp_path / "run.h5", format="h5md", force=True)
    stopped = simulate(tmp_path / "stopped.h5", progress=stopping(0, 4))
    with pytest.raises(FileProblem, match=r"stopped.h5 is the run itself"):
        stopped.export(tmp_path / "stopped.h5", format="h5md")
    with pytest.raises(FileProblem, match=r"the folder .* does not exist$"):
        run.export(tmp_path / "nowhere" / "run.csv")
    with pytest.raises(FileProblem, match=r"is a folder"):
        run.export(tmp_path, format="csv")
    run.export(tmp_path / "run.txt", format="csv")
    with pytest.raises(FileProblem, match=r"run.txt exists already"):
        run.export(tmp_path / "run.txt", format="csv")
    run.export(tmp_path / "run.txt", format="npz", force=True)
    assert (tmp_path / "run.txt").read_bytes()[:2] == b"PK"


def test_an_export_that_fails_leaves_nothing(tmp_path, monkeypatch):
    def broken(file, rows, target):
        target.write_text("half")
        raise OSError(28, "No space left on device")

    monkeypatch.setitem(FORMATS, "csv", broken)
    with pytest.raises(FileProblem, match=r"table.csv cannot be written: .*No space left"):
        simulate().export(tmp_path / "table.csv")
    assert list(tmp_path.iterdir()) == []


def test_two_exports_at_once_are_both_whole(tmp_path, monkeypatch):
    run, path = simulate(), tmp_path / "table.csv"
    write, begun = FORMATS["csv"], []

    def slow(file, rows, target):
        target.write_text("half")
        if not begun:
            begun.append(target)
            run.export(path, force=True)
            assert path.read_text().startswith("seed,")
        write(file, rows, target)

    monkeypatch.setitem(FORMATS, "csv", slow)
    run.export(path, force=True)
    assert path.read_text().startswith("seed,")
    assert list(tmp_path.iterdir()) == [path]
