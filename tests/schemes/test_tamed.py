"""Tamed Euler: what a step is, that it stays where Euler explodes, and when it is advised."""

import numpy as np
import pytest

import meanfield as mf
from meanfield.errors import InvalidInput
from meanfield.functionals.regularisers import Linear
from tests.conftest import size


class Quartic(Linear):
    """V = |x|⁴/4."""

    name = "quartic"

    def density(self, ensemble):
        square = np.sum(ensemble.position**2, axis=1, keepdims=True)
        return 0.25 * square[:, 0] ** 2, square * ensemble.position


def test_a_step_is_its_definition_and_no_longer_than_the_reach():
    rng = np.random.default_rng(0)
    start, h, reach = mf.Ensemble(3 * rng.standard_normal((7, 2))), 0.3, 0.4
    flow = mf.Wasserstein(Quartic())
    end = mf.simulate(flow, start, scheme=mf.TamedEuler(h, reach), until=h, observe=()).final
    euler = -h * Quartic().gradient(start)
    lengths = np.linalg.norm(euler, axis=1, keepdims=True)
    moved = end.position - start.position
    np.testing.assert_allclose(moved, euler / (1 + lengths / reach), rtol=1e-13)
    assert np.all(np.linalg.norm(moved, axis=1) < reach)


@pytest.mark.parametrize("tau", [0.0, 0.2])
def test_it_stays_where_euler_explodes_and_euler_advises_it(tau):
    start = mf.Ensemble(np.full((size(400, 60), 1), 10.0))
    flow = mf.Langevin(Quartic() + tau * mf.Entropy())
    settings = {"until": 20.0, "guard": "off"}
    wild = mf.simulate(flow, start, scheme=mf.EulerMaruyama(0.05), **settings)
    assert wild.status == "diverged"
    assert "'tamed-euler', which clips displacements" in wild.stop_reason
    tame = mf.simulate(flow, start, scheme=mf.TamedEuler(0.05), **settings)
    assert tame.status == "finished"
    # At rest E x ∂V = τ, as for every Gibbs measure.
    virial = np.mean(tame.final.position**4)
    assert abs(virial - tau) < size(0.15, 0.6) * tau + 0.01


def test_the_reach_is_positive():
    with pytest.raises(InvalidInput, match=r"^reach = 0: expected a finite number > 0$"):
        mf.TamedEuler(0.1, reach=0)
