"""The certificate of optimality, where the optimum is known."""

import numpy as np
import pytest

import meanfield as mf
from meanfield.data import Spikes
from meanfield.errors import InvalidInput, Unsupported
from meanfield.observables import Certificate, View
from tests.conftest import size

DEGREE, PRICE, CIRCLE = 3, 0.4, {"w": "sphere"}
TOP = 2 * DEGREE + 1
NETWORK = mf.TwoLayer({"kind": "dirichlet", "degree": DEGREE}, 2)


class Height(mf.Linear):
    """V = w_1: least at the bottom of the circle."""

    name = "height"

    def density(self, ensemble):
        slope = np.zeros_like(ensemble.position)
        slope[:, -1] = 1.0
        return ensemble.position[:, -1].copy(), slope


def energy(angles, heights, points=TOP):
    data = Spikes(angles, heights, degree=DEGREE, points=points).load(0)
    return mf.Risk(NETWORK, data) + PRICE * mf.L1()


def at(angles, signs, mass):
    places = np.column_stack([np.cos(angles), np.sin(angles)])
    return NETWORK.ensemble(places, a=signs, mass=mass)


def look(flow, ensemble, **settings):
    found = Certificate(**settings)(View(ensemble, flow, ensemble))
    return float(found["certificate"]), float(found["support_gap"])


@pytest.mark.parametrize("mass", [0.2, 0.5, 0.9 - PRICE / TOP, 0.88, 0.9, 1.3])
def test_one_spike(mass):
    """y = c D(· - u): F'(v, s) = λ - s (c - m) D(v - u) for the mass m at u."""
    flow = mf.Conic(energy([1.1], [0.9]), constraint=CIRCLE)
    least, gap = look(flow, at([1.1], [1.0], [mass]), count=size(2000, 300))
    angle = np.linspace(0, 2 * np.pi, 20_001)
    kernel = 1 + 2 * np.cos(np.outer(angle, np.arange(1, DEGREE + 1))).sum(axis=1)
    exact = PRICE - np.abs((0.9 - mass) * kernel).max()
    assert least == pytest.approx(min(exact, PRICE - (0.9 - mass) * TOP), abs=size(1e-3, 1e-1))
    assert gap == pytest.approx(mass * abs(PRICE - (0.9 - mass) * TOP), abs=1e-13)
    is_optimal = abs(mass - (0.9 - PRICE / TOP)) < 1e-12
    assert (max(abs(least), gap) < 1e-12) == is_optimal


def test_probes_see_what_particles_do_not():
    """The second spike, which has the other sign; neurons of weight 0 would see nothing."""
    flow = mf.Conic(energy([1.1, 3.6], [0.9, -0.5]), constraint=CIRCLE)
    here = at([1.1], [1.0], [0.9])
    assert float(flow.driving.first_variation(here).min()) > 0
    least, _ = look(flow, here)
    assert least == pytest.approx(PRICE - 0.5 * TOP, abs=1e-3)
    assert look(flow, here, law={"kind": "sphere", "scale": {"a": 0.0}})[0] == 0.0
    positive = {"kind": "sphere", "scale": {"a": 0.0}, "mean": {"a": 1.0}}
    assert look(flow, here, law=positive)[0] == pytest.approx(least, abs=1e-3)


def test_with_the_mass_kept_it_bounds_the_excess():
    """Of a linear energy it is the excess: ∫V dρ - min V."""
    flow, rng = mf.Wasserstein(Height(), constraint=CIRCLE), np.random.default_rng(2)
    here = at(rng.uniform(0, 6, 5), np.ones(5), rng.dirichlet(np.ones(5)))
    least, gap = look(flow, here)
    mean = here.mass @ here.w[:, 1]
    assert -least == pytest.approx(mean + 1, abs=1e-4)
    assert gap == pytest.approx(here.mass @ np.abs(here.w[:, 1] - mean), rel=1e-13)
    balanced = mf.WassersteinFisherRao(Height(), constraint=CIRCLE)
    assert look(balanced, here) == (least, gap)
    free = mf.WassersteinFisherRao(Height(), constraint=CIRCLE, balanced=False)
    least, gap = look(free, here)
    assert least == pytest.approx(-1, abs=1e-4)
    assert gap == pytest.approx(here.mass @ np.abs(here.w[:, 1]), rel=1e-13)


def test_it_bounds_the_excess_along_conic_descent():
    flow = mf.Conic(energy([0.6, 1.9, 4.2], [1.0, -0.8, 0.6]), constraint=CIRCLE)
    run = mf.simulate(
        *(flow, mf.SphereInit(20)),
        scheme=mf.Euler(0.02),
        until=size(20.0, 10.0),
        observe=[mf.Energy(), Certificate(size(1000, 200))],
        observe_when={"evenly": 11},
    )
    mass = run.final.mass.sum()
    excess = run["energy"] - run["energy"][-1]
    bound = run["support_gap"] - mass * run["certificate"]
    assert np.all(excess[:-1] <= bound[:-1])
    assert float(bound[0]) > 1
    assert abs(float(bound[-1])) < size(1e-3, 1e-1)


def test_nothing_else_changes():
    flow = mf.Conic(energy([1.1], [0.9]), constraint=CIRCLE)
    start = mf.SphereInit(6, dtype="float32").draw(NETWORK.layout, 1)
    plain, looked = (
        mf.simulate(flow, start, scheme=mf.Euler(0.02), until=0.2, observe=observe).final
        for observe in ([mf.Energy()], [mf.Energy(), Certificate(50)])
    )
    assert np.array_equal(plain.position, looked.position)
    assert np.array_equal(plain.mass, looked.mass)
    assert look(flow, start) == look(flow, start)
    assert look(flow, start, seed=1) != look(flow, start)


def test_what_is_refused():
    start = at([1.1], [1.0], [0.9])
    with pytest.raises(Unsupported, match="needs an energy without entropy"):
        look(mf.Langevin(energy([1.1], [0.9]) + 0.1 * mf.Entropy()), start)
    with pytest.raises(InvalidInput, match=r"^law.kind = 'box': expected one of"):
        Certificate(law="box")
    with pytest.raises(InvalidInput, match=r"^law.count = 0: expected a whole number ≥ 1"):
        Certificate(count=0)
