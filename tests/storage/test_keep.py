"""Frames that hold less than the state: in single precision, and of some particles only."""

import numpy as np
import pytest
import xarray

import meanfield as mf
from meanfield.errors import FileProblem, InvalidInput
from meanfield.storage import Checkpoint
from tests.storage.runs import NETWORK, kinetic, simulate, stopping


def test_single_precision_is_that_of_the_frames_alone():
    plain, kept = simulate(), simulate(keep=mf.Keep(dtype="float32"))
    for one, other in zip(kept.frames, plain.frames, strict=True):
        assert one.position.dtype == np.float32
        assert np.array_equal(one.position, other.position.astype(np.float32))
        assert np.array_equal(one.mass, other.mass)
    assert kept.final.position.dtype == np.float64
    assert np.array_equal(kept.final.position, plain.final.position)
    assert kept["energy"].identical(plain["energy"])


def test_some_particles_are_always_the_same():
    plain, kept = kinetic(count=10), kinetic(count=10, keep=mf.Keep(particles=4))
    chosen = [0, 2, 5, 7]
    assert kept.file["frames/particle"][:].tolist() == chosen
    assert kept.file["state/particle"][:].tolist() == list(range(10))
    for one, other in zip(kept.frames, plain.frames, strict=True):
        assert np.array_equal(one.position, other.position[chosen])
        assert np.array_equal(one.velocity, other.velocity[chosen])
        assert one.mass.tolist() == [0.25] * 4
        assert one.layout == NETWORK.layout
    assert len(kept.final) == 10
    tree = kept.to_xarray()
    # By the numbers of the particles, the end of the movie is found in the final state.
    last = tree["frames/position"].isel(time=-1)
    assert np.array_equal(last, tree["state/position"].sel(particle=chosen))


@pytest.mark.parametrize("count", [1, 2, 3, 7, 100])
@pytest.mark.parametrize("particles", [1, 2, 3, 7, 100, None])
def test_which_particles(count, particles):
    chosen = mf.Keep(particles=particles).which(count)
    assert len(chosen) == min(particles or count, count)
    assert len(np.unique(chosen)) == len(chosen)
    assert chosen[0] == 0
    assert chosen[-1] < count
    assert np.ptp(np.diff(chosen)) <= 1 if len(chosen) > 1 else True


def test_masses_keep_their_total_and_their_ratios():
    mass = np.array([0.5, 0.1, 0.3, 0.1]) * 2.5
    frame = mf.Keep(particles=2).of(mf.Ensemble([[0.0], [1.0], [2.0], [3.0]], mass))
    assert frame.position[:, 0].tolist() == [0.0, 2.0]
    assert frame.mass.sum() == pytest.approx(2.5, rel=1e-15)
    assert frame.mass[0] / frame.mass[1] == pytest.approx(5 / 3, rel=1e-15)
    gone = mf.Keep(particles=1).of(mf.Ensemble([[0.0], [1.0]], [0.0, 1.0]))
    assert gone.mass.tolist() == [0.0]


def test_a_continued_run_has_the_same_frames(tmp_path):
    keep = mf.Keep("float32", 3)
    path = tmp_path / "run.h5"
    settings = {"count": 8, "keep": keep, "checkpoint": Checkpoint(steps=2)}
    simulate(path, progress=stopping(0, 5), **settings).close()
    with mf.open(path) as early:
        assert early.file["frames/particle"][:].tolist() == [0, 2, 5]
        assert len(early.final) == 8
    with pytest.raises(FileProblem, match=r"with another keep.dtype, keep.particles: continue"):
        simulate(path, resume=True, count=8)
    whole = simulate(**settings)
    with simulate(path, resume=True, **settings) as run:
        assert np.array_equal(run.file["frames/position"], whole.file["frames/position"])
        assert np.array_equal(run.final.position, whole.final.position)
    longer = simulate(path, resume=True, **settings, until=2.0)
    assert longer.frames[-1].position.shape == (3, 4)
    longer.close()


def test_a_start_from_a_frame_is_a_sample_of_the_measure_in_full_precision(tmp_path):
    path = tmp_path / "run.h5"
    simulate(path, count=8, keep=mf.Keep("float32", 3)).close()
    start = mf.FromRun(str(path), time=0.6).draw(NETWORK.layout, seed=0)
    assert len(start) == 3
    assert start.dtype == np.float64
    assert start.mass.sum() == pytest.approx(1.0, rel=1e-15)
    assert mf.FromRun(str(path), time=0.6, dtype="float32").draw(NETWORK.layout, 0).dtype == "f4"
    assert len(mf.FromRun(str(path)).draw(NETWORK.layout, seed=0)) == 8


def test_the_overview_says_how_many_of_how_many(tmp_path):
    from meanfield.viewing.overview import caption

    run = simulate(count=8, keep=mf.Keep(particles=3))
    assert caption(run, neurons=True) == "3 of 8 particles"
    assert caption(simulate(), neurons=True) == "5 particles"
    run.plot(tmp_path / "picture.png")
    assert (tmp_path / "picture.png").stat().st_size > 10_000


EXPERIMENT = {
    "network": {"activation": "tanh"},
    "data": {"kind": "arrays", "x": [[0.0], [1.0]], "y": [0.1, 0.5]},
    "ensemble": {"count": 6},
    "scheme": {"step": 0.1},
}


def test_in_an_experiment():
    keep = {"dtype": "float32", "particles": 2}
    experiment = mf.Experiment({**EXPERIMENT, "run": {"until": 0.2, "keep": keep}})
    run = experiment.run()
    assert run.frames[0].position.shape == (2, 2)
    assert run.frames[0].dtype == np.float32
    assert experiment.resolved()["run"]["keep"] == keep
    whole = mf.Experiment({**EXPERIMENT, "run": {"until": 0.2}})
    assert "keep" not in whole.resolved()["run"]
    xarray.testing.assert_identical(run["energy"], whole.run()["energy"])


@pytest.mark.parametrize(
    ("keep", "message"),
    [
        ({"particles": 0}, r"run.keep.particles = 0: expected a whole number ≥ 1"),
        ({"dtype": "half"}, r"run.keep.dtype = 'half': expected one of 'float64', 'float32'"),
        ({"every": 2}, r"unknown key run.keep.every = 2; known keys: dtype, particles"),
    ],
)
def test_mistakes(keep, message):
    with pytest.raises(mf.MeanfieldError, match=message):
        mf.Experiment({**EXPERIMENT, "run": {"until": 0.2, "keep": keep}})
    if "every" not in keep:
        with pytest.raises(InvalidInput):
            mf.Keep(**keep)
