"""The energy at the end of a step is that at the start of the next, and is not asked for twice."""

from collections import Counter

import numpy as np
import pytest

import meanfield as mf
from meanfield.flows import flows
from meanfield.listing import combinations
from meanfield.schemes import schemes

RNG = np.random.default_rng(8)
NETWORK = mf.TwoLayer("tanh", 2)
DATA = mf.FiniteData(RNG.standard_normal((9, 2)), RNG.standard_normal(9))
ENERGIES = {"samples": mf.Risk(NETWORK, DATA), "batches": mf.Risk(NETWORK, mf.Stream(DATA, 3))}
ARGUMENTS = {"proximal-recursion": {"epsilon": 0.01}}
CASES = [
    (kind, flow, scheme)
    for kind, energy in ENERGIES.items()
    for flow, able in combinations(energy).items()
    for scheme in able
]


@pytest.mark.parametrize(("kind", "flow", "scheme"), CASES, ids=["-".join(case) for case in CASES])
def test_what_a_step_hands_on_is_the_energy_of_the_next(kind, flow, scheme):
    motion = flows[flow](ENERGIES[kind])
    start = motion.prepare(mf.NormalInit(6, signs=["a"]).draw(NETWORK.layout, 0), 0)
    method = schemes[scheme](0.01, **ARGUMENTS.get(scheme, {}))
    here = motion.driving.evaluate(start)
    end, handed = method.advance(motion, start, here, 0.01, 0)
    if handed is None:
        return
    anew = motion.driving.evaluate(end.having(step=start.step + 1))
    assert handed.value == pytest.approx(anew.value, rel=1e-14)
    np.testing.assert_allclose(handed.gradient, anew.gradient, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("kind", ENERGIES)
@pytest.mark.parametrize("scheme", [mf.BAOAB, mf.OBABO])
def test_one_evaluation_a_step(kind, scheme, monkeypatch):
    """And one at the start."""
    counted, right = Counter(), mf.Risk.evaluate

    def count(self, ensemble):
        counted["evaluate"] += 1
        return right(self, ensemble)

    monkeypatch.setattr(mf.Risk, "evaluate", count)
    settings = {"scheme": scheme(0.1), "until": 1.0, "guard": "off", "observe": [mf.Energy()]}
    mf.simulate(mf.HeavyBall(ENERGIES[kind]), mf.NormalInit(6), **settings)
    assert counted["evaluate"] == 11
