"""Mistakes that were once made, and must not come back."""

from __future__ import annotations

import numpy as np
import pytest

import meanfield as mf
from meanfield.config import Experiment, Mistakes
from meanfield.functionals import losses

STRENGTH = 1.0


def _value(x):
    return STRENGTH * x[0] ** 2


def _gradient(x, out):
    out[0] = 2 * STRENGTH * x[0]


def test_a_functions_globals_are_read_when_the_functional_is_made(monkeypatch):
    one = mf.Ensemble([[1.0]])
    assert mf.Potential(_value, _gradient).value(one) == 1.0
    monkeypatch.setitem(globals(), "STRENGTH", 5.0)
    assert mf.Potential(_value, _gradient).value(one) == 5.0


def test_sampled_risk_follows_the_law_of_each_seed():
    tables = {
        "network": {"activation": "relu"},
        "data": {"kind": "gaussian", "dim": 3, "target": {"kind": "teacher"}},
        "ensemble": {"count": 5},
        "scheme": {"step": 0.1},
        "run": {
            "until": 0.1,
            "seeds": 3,
            "observe": ["energy", {"kind": "sampled-risk", "samples": 2000}],
        },
    }
    run = Experiment(tables).run()
    miss = abs(run["sampled_risk"] - run["energy"]) / run["sampled_risk_error"]
    assert (miss < 5).all()


@pytest.mark.parametrize("options", [{"bias": True}, {"outer": "fixed"}, {"outputs": 2}])
def test_particles_of_another_network_are_refused(options):
    network, other = mf.TwoLayer("relu", 2), mf.TwoLayer("relu", 2, **options)
    stranger = other.ensemble(np.ones((3, 2)))
    risk = mf.Risk(network, mf.FiniteData([[1.0, 2.0]], [1.0]))
    with pytest.raises(mf.InvalidInput, match="layout"):
        risk.value(stranger)
    with pytest.raises(mf.InvalidInput, match="layout"):
        mf.simulate(mf.Wasserstein(risk), stranger, scheme=mf.Euler(0.1), until=0.1)


def test_a_buffer_that_an_observable_reuses_is_copied():
    buffer = np.zeros(1)

    def position(ensemble):
        buffer[:] = ensemble.position[0]
        return buffer

    start = mf.Ensemble([[1.0]])
    run = mf.simulate(
        *(mf.Wasserstein(mf.L2()), start),
        scheme=mf.Euler(0.5),
        until=1.0,
        observe=[mf.Observe("where", position)],
        observe_when={"steps": 1},
    )
    assert run["where"].values.ravel().tolist() == [1.0, 0.5, 0.25]


def test_softmax_targets_are_probabilities():
    softmax = losses["softmax"]()
    with pytest.raises(mf.InvalidInput, match="probabilities"):
        softmax.targets(mf.FiniteData([[1.0]], [[0.5, 0.7]]), 2)
    assert softmax.targets(mf.FiniteData([[1.0]], [[0.3, 0.7]]), 2).tolist() == [[0.3, 0.7]]


def test_accuracy_is_refused_to_regression():
    network = mf.TwoLayer("relu", 1)
    risk = mf.Risk(network, mf.FiniteData([[1.0], [2.0]], [0.3, -1.7]))
    with pytest.raises(mf.Unsupported, match="needs classes"):
        mf.simulate(
            *(mf.Wasserstein(risk), mf.NormalInit(3)),
            scheme=mf.Euler(0.1),
            until=0.1,
            observe=[mf.Accuracy()],
        )


def test_free_energy_leaves_out_what_does_not_move():
    layout = mf.Layout({"a": (), "w": (1,)})
    flow = mf.Langevin(mf.L2() + 0.5 * mf.Entropy(), mobility={"a": 0.0})
    start = mf.NormalInit(300).draw(layout, seed=0)
    run = mf.simulate(
        flow, start, scheme=mf.EulerMaruyama(0.1), until=0.1, observe=[mf.FreeEnergy()]
    )
    alone = mf.Entropy().value(mf.Ensemble(start.w))
    assert float(run["entropy"][0]) == pytest.approx(alone)


def test_a_term_may_not_be_called_energy():
    flow = mf.Wasserstein(mf.Potential(_value, _gradient, name="energy"))
    with pytest.raises(mf.InvalidInput, match="another name"):
        mf.simulate(flow, mf.Ensemble([[1.0]]), scheme=mf.Euler(0.1), until=0.1)


def test_outer_weights_of_several_outputs_are_given_for_each():
    network = mf.TwoLayer("relu", 3, outputs=2)
    with pytest.raises(mf.InvalidInput, match=r"the shape \(2, 2\)"):
        network.ensemble(np.ones((2, 3)), a=[1.0, 2.0])


def test_held_out_samples_do_not_change_the_others():
    law = mf.GaussianMixture(2, means=[[0.0, 1.0], [1.0, 0.0]]).labelled_by(mf.Labels())
    assert (law.sample(10).x == law.sample(10, test=5).x).all()


def test_weights_survive_a_split():
    data = mf.FiniteData(np.arange(4.0)[:, None], np.zeros(4), [0.1, 0.2, 0.3, 0.4])
    parts = mf.split(data, 0.5, seed=0)
    for part in (parts, parts.test):
        expected = (part.x[:, 0] + 1) / (part.x[:, 0] + 1).sum()
        assert part.weights == pytest.approx(expected)


def test_the_value_of_an_energy_with_entropy():
    cloud = mf.Ensemble(np.random.default_rng(0).normal(size=(200, 1)))
    energy = mf.L2() + 0.1 * mf.Entropy()
    expected = mf.L2().value(cloud) + 0.1 * mf.Entropy().value(cloud)
    assert energy.value(cloud) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ({"kind": "teacher", "a": [1.0]}, "only together with w"),
        ({"kind": "teacher", "neurons": 2, "w": [[1.0, 0, 0]]}, "either neurons or w"),
        ({"kind": "teacher", "w": [[1.0, 0, 0], [1.0]]}, "data"),
        ({"kind": "single-index", "degree": 2, "coefficients": [1.0]}, "either degree or"),
        ({"kind": "parity", "size": 2, "support": [0]}, "either size or support"),
    ],
)
def test_no_key_of_a_target_is_ignored(target, message):
    tables = {
        "network": {"activation": "relu"},
        "data": {"kind": "gaussian", "dim": 3, "target": target},
        "ensemble": {"count": 5},
        "scheme": {"step": 0.1},
        "run": {"until": 0.1},
    }
    with pytest.raises(Mistakes, match=message):
        Experiment(tables).problem(0)


def test_a_baseline_that_cannot_be_fitted_is_refused_before_the_run():
    tables = {
        "network": {"activation": "relu"},
        "data": {"kind": "bundled", "name": "diabetes", "test": 0.3},
        "ensemble": {"count": 5},
        "scheme": {"step": 0.1},
        "run": {"until": 0.1, "baseline": "logistic-regression"},
    }
    with pytest.raises(Mistakes, match="classes"):
        Experiment(tables).check()


def test_an_error_in_the_middle_is_in_the_file(tmp_path):
    def fragile(ensemble):
        if ensemble.step == 3:
            raise RuntimeError("broken instrument")
        return 0.0

    with pytest.raises(RuntimeError):
        mf.simulate(
            *(mf.Wasserstein(mf.L2()), mf.Ensemble([[1.0]])),
            scheme=mf.Euler(0.1),
            until=1.0,
            observe=[mf.Observe("fragile", fragile)],
            observe_when={"steps": 1},
            out=tmp_path / "out.h5",
        )
    with mf.open(tmp_path / "out.h5") as run:
        assert run.status == "failed"
        assert "broken instrument" in run.stop_reason
        assert run.diagnostics["steps_per_second"] > 0


@pytest.mark.parametrize("call", ["write", "sync_file"])
def test_a_disk_that_is_full_is_one_sentence(tmp_path, monkeypatch, call):
    from meanfield.storage import durable

    def full(*_):
        raise OSError("no space left on device")

    monkeypatch.setattr(durable, call, full)
    with pytest.raises(mf.FileProblem, match=r"out\.h5 cannot be written: no space left"):
        mf.simulate(
            *(mf.Wasserstein(mf.L2()), mf.Ensemble([[1.0]])),
            scheme=mf.Euler(0.1),
            until=1.0,
            out=tmp_path / "out.h5",
        )


def test_a_run_from_python_says_what_was_run(tmp_path):
    network = mf.TwoLayer("relu", 2)
    risk = mf.Risk(network, mf.Gaussian(2).labelled_by(mf.SingleIndex(degree=3)))
    flow = mf.Langevin(risk + 0.25 * mf.L2() + 0.5 * mf.Entropy())
    run = mf.simulate(flow, mf.NormalInit(4), scheme=mf.EulerMaruyama(0.125), until=0.25)
    said = run.provenance["flow"]
    for part in ("Langevin", "ReLU", "dim=2", "SingleIndex", "degree=3", "squared", "0.25·L2"):
        assert part in said
    assert "0.5·Entropy" in said
    assert run.provenance["scheme"] == "EulerMaruyama(step=0.125)"
    assert run.provenance["until"] == 0.25
