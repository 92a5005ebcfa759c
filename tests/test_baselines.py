"""Baselines against what they are by definition."""

import numpy as np
import pytest

import meanfield as mf
from meanfield.baselines import baselines
from meanfield.config import Experiment
from meanfield.observables import View

pytest.importorskip("sklearn")


def problem(**run):
    """Parity of two out of six coordinates, 40 samples, by a few neurons."""
    return {
        "network": {"activation": "tanh", "bias": True},
        "data": {
            **{"kind": "hypercube", "dim": 6, "samples": 40, "test": 60},
            "target": {"kind": "parity", "size": 2},
        },
        "ensemble": {"count": 20, "scale": {"w": 0.3}},
        "scheme": {"step": 0.1},
        "run": {"until": 0.1, "baseline": "ntk", **run},
    }


def view(data, network, **flow):
    start = mf.NormalInit(30).draw(network.layout, 3)
    return View(start, mf.Wasserstein(mf.Risk(network, data), **flow), start)


def test_ntk_is_ridge_regression_with_the_tangent_kernel():
    data = mf.Hypercube(6).labelled_by(mf.Parity(2)).sample(40, seed=1, test=60)
    network = mf.TwoLayer("tanh", 6, bias=True)
    start = view(data, network, mobility={"a": 0.2})
    found = baselines["ntk"]().scores(start)
    speeds = start.flow.speeds(network.layout)
    gram = mf.tangent_kernel(network, start.ensemble, data.x, data.x, speeds)
    across = mf.tangent_kernel(network, start.ensemble, data.test.x, data.x, speeds)
    dual = np.linalg.solve(gram + found["ridge"] * np.eye(40), data.y[:, 0])
    right = np.sign(across @ dual) == data.test.y[:, 0]
    assert found["test_accuracy"] == pytest.approx(right.mean())
    right = np.sign(gram @ dual) == data.y[:, 0]
    assert found["train_accuracy"] == pytest.approx(right.mean())


def test_ntk_tells_classes_apart(rng):
    centres = 3.0 * np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.5]])
    parts = []
    for _ in range(2):
        number = rng.integers(3, size=60)
        x = centres[number] + rng.standard_normal((60, 2))
        parts.append(mf.FiniteData(x, number, classes=("one", "two", "three")))
    train, test = parts
    data = mf.FiniteData(train.x, train.y, classes=train.classes, test=test)
    network = mf.TwoLayer("relu", 2, outputs=3, bias=True)
    assert baselines["ntk"]().scores(view(data, network))["test_accuracy"] > 0.9


def test_every_seed_has_a_baseline_of_its_own_start():
    run = Experiment(problem(seeds=2)).run()
    ridges = run.provenance["baseline_ridge"]
    assert len(ridges) == len(run.provenance["baseline_test_accuracy"]) == 2
    assert ridges[0] != ridges[1]  # in units of the kernel's diagonal


def test_logistic_regression_takes_signs_for_classes():
    scores = Experiment(problem(baseline="logistic-regression")).run().provenance
    assert 0.0 <= scores["baseline_test_accuracy"][0] <= 1.0


def test_the_lazy_regime_has_no_constraints():
    data = mf.Hypercube(3).labelled_by(mf.Parity(2)).sample(10, test=10)
    start = view(data, mf.TwoLayer("tanh", 3), constraint={"w": "sphere"})
    with pytest.raises(mf.Unsupported, match="constraints"):
        baselines["ntk"]().check(start)
