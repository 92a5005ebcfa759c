"""Two runs held against each other."""

import io
import json

import h5py
import numpy as np
import pytest

import meanfield as mf
from meanfield.comparison import End
from meanfield.storage import Run
from meanfield.storage.checksums import sign
from tests.storage.runs import kinetic, simulate, stopping


def test_the_same_run_twice_has_the_same_bits(tmp_path):
    simulate(tmp_path / "a.h5").close()
    found = mf.compare(tmp_path / "a.h5", simulate())
    assert found.same_bits
    assert found.frames
    assert all(part.same_bits and part.absolute == 0.0 for part in found.series.values())
    assert set(found.series) == set(simulate().names)
    assert found.ends == {"3": End(True, 0.0)}
    assert not found.configuration
    assert not found.versions
    assert found.names[0] == str(tmp_path / "a.h5")
    assert "the same bits" in str(found)


def _shrink(scale, **changes):
    """x ↦ x/2 at every step, from a start that is scaled: every number is known."""
    start = mf.Ensemble([[scale], [-2.0 * scale]])
    settings = {"until": 2.0, "observe_when": {"steps": 1}, "frames": {"steps": 1}, **changes}
    return mf.simulate(mf.Wasserstein(mf.L2()), start, scheme=mf.Euler(0.5), **settings)


def test_differences_are_those_of_the_numbers():
    found = mf.compare(_shrink(1.0), _shrink(1.5))
    # F = ½ mean x² = (1 + 4)/4 at the start, and 1.5² times that.
    energy = found.series["energy"]
    assert energy.absolute == 1.25 * 1.25
    assert energy.relative == pytest.approx(1 - 1 / 2.25, rel=1e-15)
    assert (energy.times, energy.of) == (5, (5, 5))
    # 1/16 · (1, -2) to 1.5/16 · (1, -2): each goes its own way, √mean (½ · (1, 2)/16)².
    assert found.ends["0"].w2 == pytest.approx(np.sqrt((0.25 + 1.0) / 2) / 16, rel=1e-12)
    assert not found.same_bits
    assert not found.frames


def test_only_common_times_are_compared():
    found = mf.compare(_shrink(1.0), _shrink(1.0, until=3.0, observe_when={"steps": 2}))
    energy = found.series["energy"]
    assert (energy.times, energy.of) == (3, (5, 4))
    assert (energy.absolute, energy.relative) == (0.0, 0.0)
    assert not energy.same_bits
    assert "3 common times of 5 and 4" in str(found)
    assert not found.same_bits


def writable(run):
    """A copy in memory that can be changed."""
    return Run(h5py.File(io.BytesIO(run.file.id.get_file_image()), "r+"))


def test_a_last_bit_is_a_difference():
    run = _shrink(1.0)
    other = writable(_shrink(1.0))
    position = other.file["frames/position"]
    position[1, 0, 0] = np.nextafter(position[1, 0, 0], 1.0)
    found = mf.compare(run, other)
    assert not found.frames
    assert not found.same_bits
    assert all(part.same_bits for part in found.series.values())
    energy = writable(_shrink(1.0))
    energy.file["observables/energy"][2] = np.nextafter(energy["energy"].values[2], 1.0)
    found = mf.compare(run, energy)
    assert found.frames
    assert not found.same_bits
    assert 0 < found.series["energy"].absolute < 1e-15


def test_series_that_one_has_alone():
    found = mf.compare(_shrink(1.0), _shrink(1.0, observe=[mf.Moments()]))
    assert found.alone == (["energy", "l2"], ["mean", "second_moment"])
    assert not found.same_bits
    assert "only in" in str(found)


def test_seeds_are_matched_by_their_value():
    one, two = simulate(seeds=(8,)), simulate(seeds=(3, 8))
    found = mf.compare(one, two)
    assert found.ends["8"].same_bits
    assert set(found.ends) == {"8"}
    assert found.series["energy"].absolute == 0.0
    assert found.series["energy"].same_bits
    assert not found.same_bits
    apart = mf.compare(simulate(seeds=(1,)), simulate(seeds=(2, 3)))
    assert set(apart.ends) == {"1 and 2"}
    assert (
        apart.ends["1 and 2"].w2
        == mf.distance(simulate(seeds=(1,)).final, simulate(seeds=(2,)).final).value
    )
    assert apart.series["energy"].absolute > 0
    assert not apart.frames


def test_what_cannot_be_compared_says_why(monkeypatch):
    other = mf.simulate(
        *(mf.Wasserstein(mf.L2()), mf.Ensemble(np.ones((5, 3)))), scheme=mf.Euler(0.1), until=1.0
    )
    found = mf.compare(simulate(seeds=(0,)), other)
    assert found.ends["0"].w2 is None
    assert found.ends["0"].reason == "particles of another kind"
    monkeypatch.setattr("meanfield.comparison.PATIENCE", 1e-12)
    found = mf.compare(_shrink(1.0), _shrink(2.0))
    assert found.ends["0"].reason.startswith("exact between 2 and 2 particles")
    stopped = simulate(seeds=(3, 8), progress=stopping(0, 4))
    assert "was never run" in mf.compare(stopped, simulate(seeds=(3, 8))).ends["8"].reason


def test_velocities_count():
    one, other = kinetic(), writable(kinetic())
    other.file["state/velocity"][0, 0] += 1.0
    found = mf.compare(one, other)
    assert not found.ends["3"].same_bits
    assert not found.same_bits


def test_configuration_is_told_by_key():
    tables = {
        "network": {"activation": "tanh"},
        "data": {"kind": "arrays", "x": [[0.0], [1.0]], "y": [0.1, 0.5]},
        "ensemble": {"count": 4},
        "scheme": {"step": 0.1},
        "run": {"until": 0.2},
    }
    one = mf.Experiment(tables).run()
    other = mf.Experiment({**tables, "energy": {"l2": 0.5}, "ensemble": {"count": 3}}).run()
    found = mf.compare(one, other)
    assert found.configuration == {"energy.l2": ("not there", 0.5), "ensemble.count": (4, 3)}
    assert "ensemble.count: 4 → 3" in str(found)
    python = mf.compare(simulate(), simulate(until=2.0))
    assert python.configuration["until"] == (1.0, 2.0)


def test_versions_are_told():
    one, other = simulate(), writable(simulate())
    other.file["provenance"].attrs["version_numpy"] = "1.0"
    sign(other.file)
    found = mf.compare(one, other)
    assert found.versions == {"version_numpy": (np.__version__, "1.0")}
    assert found.same_bits


def test_as_json():
    other = mf.simulate(
        *(mf.Wasserstein(mf.L2()), mf.Ensemble(np.ones((5, 3)))),
        scheme=mf.Euler(0.1),
        until=1.0,
        observe=[mf.Moments()],
    )
    table = mf.compare(simulate(seeds=(1,)), other).table()
    found = json.loads(json.dumps(table, allow_nan=False))
    assert found["same_bits"] is False
    # Four columns and three have no difference.
    assert found["series"]["mean"]["absolute"] is None
    assert found["seeds"] == [[1], [0]]


def test_gaps_that_both_have_are_no_difference():
    assert np.isnan(simulate().file["observables/odd"][()]).any()
    assert mf.compare(simulate(), simulate(seeds=(4,))).alone == ([], [])
    odd = mf.compare(simulate(), simulate()).series["odd"]
    assert odd.same_bits
    assert odd.absolute == 0.0
