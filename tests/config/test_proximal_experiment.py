"""The shipped experiment with the proximal recursion, beside Langevin at equal temperature."""

import pytest

from meanfield.config import Experiment, find
from meanfield.kernels.compile import DISABLED


@pytest.mark.skipif(DISABLED, reason="full size: compiled kernels only")
def test_weights_do_not_help_in_many_dimensions():
    experiment = Experiment.load(find("breast-cancer-proximal"))
    weighted = experiment.run()
    tables = experiment.resolved()
    tables["scheme"] = {"kind": "euler-maruyama", "step": tables["scheme"]["step"]}
    plain = Experiment(tables).run()
    particles = weighted["effective_particles"]
    assert float(particles[-1]) < 100
    assert float(particles[-1]) == pytest.approx(float(particles[-2]), rel=1e-3)
    assert float(plain["effective_particles"][-1]) == pytest.approx(1000)
    assert float(weighted["test_accuracy"][-1]) == pytest.approx(0.77, abs=0.02)
    assert float(plain["test_accuracy"][-1]) == pytest.approx(0.93, abs=0.02)
