"""Who descends from whom: parents are where the copies were, and families add up."""

import numpy as np
import pytest

from meanfield.config import Experiment
from meanfield.ensemble import Ensemble
from meanfield.errors import NotConverged, Unsupported
from meanfield.genealogy import Genealogy, genealogy
from tests.conftest import size

COUNT = size(40, 8)


def run(scheme="lie", alpha=0.0, **run):
    tables = {
        "network": {"activation": {"kind": "bump", "rate": 8.0}, "bias": True, "outer": "fixed"},
        "data": {"kind": "arrays", "x": [[-1.0], [0.0], [0.5]], "y": [0.5, 0.0, 0.5]},
        "energy": {},
        "ensemble": {
            **{"count": COUNT, "scale": {"a": 0.0, "w": 0.0}},
            "mean": {"a": 1.0, "w": 1.0, "b": 0.5},
        },
        "flow": {"kind": "birth-death", "alpha": alpha, "beta": 8.0, "mobility": {"w": 0.0}},
        "scheme": {"kind": scheme, "step": 0.1},
        "run": {"until": 2.0, "frames": {"evenly": 6}, **run},
    }
    return Experiment(tables).run()


@pytest.mark.parametrize("scheme", ["lie", "strang"])
def test_without_transport_a_particle_is_where_its_parent_was(scheme):
    found = genealogy(run(scheme))
    assert found.parents.shape == (5, COUNT)
    assert (found.parents != np.arange(COUNT)).any()
    for here, there, rows in zip(found.frames, found.frames[1:], found.parents, strict=False):
        np.testing.assert_array_equal(there.position, here.position[rows])
    start, end = found.frames[0], found.frames[-1]
    np.testing.assert_array_equal(end.position, start.position[found.founders[-1]])
    for frame, rows in zip(found.frames, found.ancestors, strict=True):
        np.testing.assert_array_equal(end.position, frame.position[rows])


def test_frames_and_numbers_with_transport():
    given = run(alpha=1.0, seeds=2).replica(1)
    found = genealogy(given)
    for one, other in zip(found.frames, given.frames, strict=True):
        np.testing.assert_array_equal(one.position, other.position)
    np.testing.assert_array_equal(found.times, given.frames.times)
    np.testing.assert_array_equal(found.founders[-1], found.ancestors[0])
    assert (np.diff(found.survivors) >= 0).all()
    assert found.survivors[-1] == COUNT
    assert found.survivors[0] == len(np.unique(found.founders[-1])) < COUNT


def test_small_family_tree():
    parents = np.array([[0, 0, 2], [1, 2, 2]])
    tree = Genealogy([Ensemble(np.zeros((3, 1)))] * 3, parents)
    np.testing.assert_array_equal(tree.founders, [[0, 1, 2], [0, 0, 2], [0, 2, 2]])
    np.testing.assert_array_equal(tree.ancestors, [[0, 2, 2], [1, 2, 2], [0, 1, 2]])
    np.testing.assert_array_equal(tree.survivors, [2, 2, 3])


def test_runs_without_a_genealogy():
    from tests.viewing import experiments, runs

    with pytest.raises(Unsupported, match="no particle dies or is doubled in the flow 'wasser"):
        genealogy(experiments.bumps())
    with pytest.raises(Unsupported, match="holds no experiment"):
        genealogy(runs.shrinking())


def test_another_end_is_told(monkeypatch):
    given = run()
    monkeypatch.setattr(
        "meanfield.flows.birth_death.BirthDeath.jump",
        lambda self, ensemble, *_: np.zeros(len(ensemble), int),
    )
    with pytest.raises(NotConverged, match="simulated again, the run ends elsewhere"):
        genealogy(given)
