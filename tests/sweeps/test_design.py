"""What a sweep runs is decided, checked and named before anything runs."""

from __future__ import annotations

import tomllib

import numpy as np
import pytest

import meanfield as mf
from meanfield.config import ExperimentFile, Mistakes
from meanfield.sweeps.design import Design, axis
from tests.sweeps.examples import EXPERIMENT, write


def design(path, grid, seeds=None, **others):
    return Design.of(ExperimentFile.read(path), grid, seeds, **others)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ensemble.count=50,100", ("ensemble.count", [50, 100])),
        ("scheme.step = 0.1, 1e-2", ("scheme.step", [0.1, 0.01])),
        ("flow.kind=langevin,stein", ("flow.kind", ["langevin", "stein"])),
        ('flow={ kind = "stein" },{}', ("flow", [{"kind": "stein"}, {}])),
        ("scheme.step=auto,0.1", ("scheme.step", ["auto", 0.1])),
        ("run.frames=[0.0,1.0],[1.0]", ("run.frames", [[0.0, 1.0], [1.0]])),
    ],
)
def test_axes_of_the_command_line(text, expected):
    assert axis(text) == expected


@pytest.mark.parametrize("text", ["ensemble.count", "=3", "ensemble.count="])
def test_an_axis_that_is_none(text):
    with pytest.raises(mf.InvalidInput, match=r"--grid = .*key=v1,v2"):
        axis(text)


def test_points_times_seeds(tmp_path):
    found = design(write(tmp_path), {"ensemble.count": [4, 6], "energy.l2": [0.1, 0.2, 0.4]}, 2)
    assert found.seeds == [0, 1]
    places = [(*member.point.values(), member.seed) for member in found.members]
    assert places == [(n, l2, s) for n in (4, 6) for l2 in (0.1, 0.2, 0.4) for s in (0, 1)]
    for member in found.members:
        tables = tomllib.loads(member.experiment)
        assert tables["ensemble"]["count"] == member.point["ensemble.count"]
        assert tables["energy"]["l2"] == member.point["energy.l2"]
        assert (tables["run"]["seed"], tables["run"]["seeds"]) == (member.seed, 1)
    assert len({member.digest for member in found.members}) == 12


def test_a_hash_is_of_the_experiment_alone(tmp_path):
    """It does not matter which grid a member belongs to, nor what stands beside it."""
    path = write(tmp_path)
    small = design(path, {"ensemble.count": [6]}, [3])
    large = design(path, {"energy.l2": [0.2, 0.1], "ensemble.count": [6, 8]}, [1, 3])
    assert small.members[0].digest in {member.digest for member in large.members}
    assert small.members[0].digest == design(path, {}, [3]).members[0].digest


def test_a_hash_is_of_the_data_too(tmp_path):
    data = tmp_path / "data.csv"
    table = 'kind = "file"\npath = "data.csv"\ntarget = "y"'
    text = EXPERIMENT.replace(
        'kind = "arrays"\nx = [[-1.0], [0.5], [2.0]]\ny = [-0.3, 0.5, 0.6]', table
    )
    path = write(tmp_path, text)
    hashes = []
    for last in (2.0, 2.5):
        data.write_text(f"x,y\n0.0,0.5\n1.0,{last}\n")
        hashes.append(design(path, {}).members[0].digest)
    assert hashes[0] != hashes[1]


def test_everything_that_is_wrong_is_told_at_once(tmp_path):
    with pytest.raises(Mistakes) as error:
        design(write(tmp_path), {"ensemble.cuont": [4], "scheme.step": [0.1, -1.0]}, 2)
    said = str(error.value)
    assert "unknown key ensemble.cuont = 4; did you mean 'count'?" in said
    assert "scheme.step = -1.0: expected" in said
    assert "(ensemble.cuont=4, scheme.step=-1.0)" in said


@pytest.mark.parametrize(
    ("grid", "said"),
    [
        ({"run.seed": [1, 2]}, "seeds are an axis of their own"),
        ({"ensemble.count": []}, "at least one value"),
        ({"ensemble.count": [4, 4]}, r"\[4\] is there twice"),
        ({"ensemble.count": 4}, "grid ensemble.count = 4: expected a list of values"),
        ({"flow.kind": "stein"}, "grid flow.kind = 'stein': expected a list of values"),
        ({"count": [4, 5]}, "section.key=value"),
    ],
)
def test_a_wrong_grid(tmp_path, grid, said):
    with pytest.raises(mf.InvalidInput, match=said):
        design(write(tmp_path), grid)


def test_values_may_be_an_array(tmp_path):
    grid = {"ensemble.count": [4, 8]}
    arrays = {key: np.array(values) for key, values in grid.items()}
    assert design(write(tmp_path), arrays).members == design(write(tmp_path), grid).members


def test_the_same_seed_twice(tmp_path):
    with pytest.raises(Mistakes, match="different seeds"):
        design(write(tmp_path), {}, [1, 1])


def test_a_step_that_is_chosen_is_that_of_all_seeds(tmp_path):
    path = write(tmp_path, EXPERIMENT.replace("step = 0.1", 'step = "auto"'))
    found = design(path, {"energy.l2": [0.1, 10.0]}, 3)
    steps = [tomllib.loads(member.experiment)["scheme"]["step"] for member in found.members]
    assert steps[0] == steps[1] == steps[2] > steps[3] == steps[4] == steps[5]


def test_the_same_data_for_all_seeds(tmp_path):
    law = 'kind = "gaussian"\ndim = 2\nsamples = 5\ntarget = { kind = "teacher" }'
    text = EXPERIMENT.replace(
        'kind = "arrays"\nx = [[-1.0], [0.5], [2.0]]\ny = [-0.3, 0.5, 0.6]', law
    )
    path = write(tmp_path, text)

    def samples(**options):
        members = design(path, {}, [4, 5], **options).members
        tables = [tomllib.loads(member.experiment) for member in members]
        problems = [mf.Experiment(t).problem(t["run"]["seed"]) for t in tables]
        risks = [next(iter(p.flow.energy.terms()))[1] for p in problems]
        return [risk.data.x for risk in risks], [problem.start.position for problem in problems]

    (first, second), starts = samples(same_data=True)
    assert np.array_equal(first, second)
    assert not np.array_equal(*starts)
    (first, second), _ = samples()
    assert not np.array_equal(first, second)
