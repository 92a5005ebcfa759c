"""Network and data of a run again, from its file."""

import numpy as np
import pytest

from meanfield.config import Experiment, setting
from meanfield.data import FiniteData, LabelledLaw, Labels, Stream
from meanfield.ensemble import Ensemble
from meanfield.errors import Unsupported
from meanfield.flows import Wasserstein
from meanfield.functionals import L2
from meanfield.schemes import Euler
from meanfield.simulation import simulate
from tests.viewing import experiments


def test_the_risk_of_what_is_made_again_is_that_of_the_run():
    run = experiments.bumps(seeds=2)
    for seed in run.seeds:
        replica = run.replica(seed)
        known = setting(replica)
        f = known.network(replica.final, known.samples.x)
        risk = 0.5 * np.mean((f - known.samples.y[:, 0]) ** 2)
        assert risk == pytest.approx(float(run["risk"].sel(seed=seed)[-1]), rel=1e-12)


def test_the_teacher_is_that_of_the_law_however_it_is_seen():
    law = setting(experiments.teacher())
    drawn = setting(experiments.teacher(samples=30))
    assert isinstance(law.data, LabelledLaw)
    assert law.samples is None
    assert isinstance(drawn.data, FiniteData)
    np.testing.assert_array_equal(drawn.teacher.ensemble.w, law.teacher.ensemble.w)
    y = law.target(drawn.samples.x, np.zeros(30))
    np.testing.assert_allclose(drawn.samples.y, y, rtol=1e-14)


def test_streams_and_labels():
    target = {"kind": "labels", "values": [1.0, -1.0]}
    mixture = {"kind": "gaussian-mixture", "dim": 2, "means": [[1.0, 0.0], [-1.0, 0.0]]}
    run = experiments.run(
        {"activation": "tanh"}, {**mixture, "target": target, "batch": 4}, {"count": 3}
    )
    known = setting(run)
    assert isinstance(known.data, Stream)
    assert isinstance(known.target, Labels)
    assert known.teacher is None
    assert known.inputs(7, np.random.default_rng(0)).shape == (7, 2)


def test_spikes_are_neurons():
    data = {"kind": "spikes", "angles": [0.6, 1.9], "heights": [1.0, -0.8], "degree": 3}
    dirichlet = {"activation": {"kind": "dirichlet", "degree": 3}}
    flow = {"kind": "conic", "constraint": {"w": "sphere"}}
    start = {"kind": "sphere", "count": 4}
    known = setting(experiments.run(dirichlet, data, start, flow=flow, step=0.01, until=0.02))
    np.testing.assert_allclose(
        known.target(known.samples.x, np.zeros(len(known.samples))), known.samples.y, atol=1e-12
    )


def test_a_run_from_python_has_none():
    run = simulate(Wasserstein(L2()), Ensemble(np.ones((1, 1))), scheme=Euler(0.1), until=0.1)
    with pytest.raises(Unsupported, match="holds no experiment: pass setting"):
        setting(run)


def test_python_files_are_not_run(tmp_path):
    (tmp_path / "mine.py").write_text(
        "from pathlib import Path\n"
        "from meanfield.activations import Activation, activations\n"
        "from meanfield.kernels.compile import jit\n"
        f"Path({str(tmp_path / 'ran')!r}).write_text('yes')\n"
        "@jit\ndef _evaluate(p, t):\n    return t, 1.0\n"
        "@activations.register('mine')\nclass Mine(Activation):\n"
        "    '''t.'''\n    evaluate = staticmethod(_evaluate)\n"
    )
    tables = {
        "python": ["mine.py"],
        "network": {"activation": "linear"},
        "data": {"kind": "arrays", "x": [[1.0]], "y": [1.0]},
        "energy": {},
        "ensemble": {"count": 2},
        "scheme": {"step": 0.1},
        "run": {"until": 0.1},
    }
    run = Experiment(tables, tmp_path).run()
    (tmp_path / "ran").unlink()
    assert setting(run).network.dim == 1
    assert not (tmp_path / "ran").exists()
