"""What a file says about lazy training and margins reaches the objects."""

import tomllib

import pytest

import meanfield as mf
from meanfield.config import Experiment, Mistakes
from tests.config.test_experiment import altered, risk_of

CLASSES = {
    "network": {"activation": "relu"},
    "data": {
        "kind": "clusters",
        "dim": 3,
        "centres": [[-1.0], [1.0]],
        "samples": 10,
        "test": 4,
        "target": {"kind": "labels", "values": [1.0, -1.0]},
    },
    "energy": {"loss": "exponential", "log": True},
    "ensemble": {"count": 6, "antisymmetric": True},
    "scheme": {"step": 0.1},
    "run": {
        "until": 0.3,
        "observe": ["energy", "margin", "error-rate", "displacement", "linearisation"],
    },
}


def test_margins_of_a_file():
    experiment = Experiment(CLASSES)
    run = experiment.run()
    start = experiment.problem(0).start
    assert (start.a[3:] == -start.a[:3]).all()
    assert isinstance(risk_of(experiment.problem(0).flow).data, mf.FiniteData)
    names = {"log_risk", "f1_margin", "f2_margin", "test_error", "displacement_a"}
    assert names <= set(run.names)
    assert float(run["log_risk"][-1]) < float(run["log_risk"][0]) == pytest.approx(0.0, abs=1e-15)
    text = experiment.to_toml()
    assert tomllib.loads(text)["energy"]["log"] is True
    assert Experiment(tomllib.loads(text), title=experiment.title).to_toml() == text


def test_the_logarithm_is_a_switch():
    assert not risk_of(Experiment(altered()).problem(0).flow).log
    with pytest.raises(Mistakes, match=r"energy\.log = 1: expected true or false"):
        Experiment(altered(energy={"log": 1}))
    with pytest.raises(Mistakes, match="the logarithm of the risk is for a finite data set"):
        Experiment(altered(energy={"log": True})).check()
