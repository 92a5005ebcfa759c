"""Flows and schemes in experiment files: defaults, tables, and mistakes in one sentence."""

from __future__ import annotations

import numpy as np
import pytest

from meanfield.config import Experiment, Mistakes
from tests.conftest import size

BASE = {
    "network": {"activation": "erf", "outer": "fixed"},
    "data": {"kind": "gaussian", "dim": 3, "target": {"kind": "single-index", "degree": 1}},
    "ensemble": {"kind": "sphere", "count": size(20, 5)},
    "run": {"until": 0.2},
}


def experiment(**sections):
    return Experiment({**BASE, "scheme": {"step": 0.1}, **sections})


@pytest.mark.parametrize(
    ("flow", "temperature", "scheme"),
    [
        ({}, 0.0, "euler"),
        ({}, 0.1, "euler-maruyama"),
        ({"kind": "kinetic"}, 0.1, "baoab"),
        ({"kind": "kinetic"}, 0.0, "baoab"),
        ({"kind": "nesterov"}, 0.0, "rk4"),
        ({"kind": "birth-death"}, 0.0, "lie"),
        ({"kind": "fisher-rao", "beta": 2.0}, 0.0, "euler"),
        ({"kind": "wasserstein-fisher-rao", "constraint": {"w": "sphere"}}, 0.0, "euler"),
    ],
)
def test_every_flow_has_a_scheme(flow, temperature, scheme):
    asked = experiment(flow=flow, energy={"temperature": temperature})
    resolved = asked.resolved()
    assert resolved["scheme"]["kind"] == scheme
    again = Experiment(resolved)
    assert again.resolved() == resolved
    first, second = asked.run(), again.run()
    assert first.status == "finished"
    assert np.array_equal(first.final.position, second.final.position)
    assert np.array_equal(first.final.mass, second.final.mass)


def test_tables_of_constraints_and_cooling():
    flow = {
        "kind": "langevin",
        "constraint": {"w": {"kind": "sphere", "radius": 1.0}},
        "cool": {"kind": "exponential", "time": 0.5},
    }
    run = experiment(flow=flow, energy={"temperature": 0.1}).run()
    norms = np.linalg.norm(run.final.w, axis=1)
    np.testing.assert_allclose(norms, 1.0, rtol=1e-14)


@pytest.mark.parametrize(
    ("sections", "sentence"),
    [
        (
            {"flow": {"kind": "kinetic"}, "scheme": {"kind": "lie", "step": 0.1}},
            "the scheme 'lie' is for flows without velocities: use 'adaptive', 'baoab', ",
        ),
        (
            {"flow": {"kind": "wasserstein"}, "energy": {"temperature": 0.1}},
            "the flow 'wasserstein' has no noise for the temperature 0.1",
        ),
        (
            {"flow": {"kind": "langevin", "cool": "frost"}},
            "flow.cool: unknown cooling 'frost'; known: constant, exponential",
        ),
        (
            {"flow": {"constraint": {"w": {"kind": "sphere", "radius": 2.0}}}},
            "experiment: flow.constraint.w = 'sphere': expected a set that particles start on",
        ),
        ({"flow": {"kind": "fisher-rao", "mobility": {"w": 1.0}}}, "unknown key flow.mobility"),
    ],
)
def test_mistakes(sections, sentence):
    with pytest.raises(Mistakes) as error:
        experiment(**sections).check()
    assert sentence in str(error.value)
    assert len(error.value.sentences) == 1
