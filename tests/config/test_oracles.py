"""Oracles in experiment files, as what an observable measures to."""

import numpy as np
import pytest

import meanfield as mf
from meanfield.config import Experiment
from meanfield.config.problems import Mistakes
from meanfield.limits import oracles

EXPERIMENT = {
    "network": {"activation": "tanh", "outer": "fixed"},
    "data": {"kind": "arrays", "x": [[-1.0], [0.5], [2.0]], "y": [-0.3, 0.5, 0.6]},
    "energy": {"l2": 0.1, "temperature": 0.05},
    "ensemble": {"count": 50, "scale": {"a": 0.0}, "mean": {"a": 1.0}},
    "scheme": {"step": 0.1},
    "run": {"until": 0.2, "observe_when": {"steps": 1}},
}
DRAWN = {
    "kind": "gaussian",
    "dim": 1,
    "samples": 4,
    "target": {"kind": "teacher", "neurons": 2, "seed": 1},
}


def experiment(to, **changed):
    run = {**EXPERIMENT["run"], "observe": [{"kind": "w2", "to": to}], **changed.pop("run", {})}
    return Experiment({**EXPERIMENT, **changed, "run": run})


def test_an_oracle_at_rest_takes_network_data_and_temperature_from_the_experiment():
    found = experiment({"kind": "gibbs"})
    run = found.run()
    risk = found.problem(0).flow.energy.terms()[0][1]
    exact = oracles["gibbs"](risk.network, risk.data, l2=0.1, temperature=0.05)
    rest = exact.measure(np.inf, 50)
    expected = [mf.distance(frame, rest).value for frame in (run.frames[0], run.final)]
    np.testing.assert_allclose(run["w2"].values[[0, -1]], expected, rtol=1e-12)
    assert Experiment(found.resolved()).to_toml() == found.to_toml()


@pytest.mark.parametrize(
    ("to", "said"),
    [
        ({"kind": "gibs"}, "unknown oracle 'gibs'; did you mean 'gibbs'?"),
        ({"kind": "gibbs", "heat": 1}, "unknown key gibbs.heat = 1"),
        ({}, "oracle.kind is missing"),
        ({"kind": "fokker-planck"}, "needs 'start', which no table can hold"),
    ],
)
def test_what_is_no_oracle_is_told_with_its_key(to, said):
    with pytest.raises(Mistakes, match=r"run\.observe\[0\]\.to") as told:
        experiment(to).check()
    assert said in str(told.value)


def test_an_oracle_is_of_the_data_of_all_seeds():
    with pytest.raises(Mistakes, match=r"data\.seed = None: expected a number"):
        experiment({"kind": "gibbs"}, data=DRAWN, run={"seeds": 2}).check()
    experiment({"kind": "gibbs"}, data={**DRAWN, "seed": 3}, run={"seeds": 2}).check()


def test_from_python_an_oracle_is_no_table():
    with pytest.raises(mf.MeanfieldError, match="from Python, give the oracle"):
        mf.simulate(
            mf.Wasserstein(mf.L2()),
            mf.Ensemble(np.ones((3, 1))),
            scheme=mf.Euler(0.1),
            until=0.1,
            observe=[mf.W2(to={"kind": "gibbs"})],
        )
