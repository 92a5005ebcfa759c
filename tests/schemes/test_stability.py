"""Every scheme is held to the interval of stability and to the cost that it declares."""

import math

import numpy as np
import pytest

from meanfield.ensemble import Ensemble, Layout
from meanfield.errors import InvalidInput
from meanfield.flows import HeavyBall, Kinetic, Wasserstein
from meanfield.functionals import L2, Entropy
from meanfield.functionals.regularisers import Linear
from meanfield.listing import flows_of
from meanfield.schemes import BAOAB, JKO, OBABO, RK4, UBU, Adaptive, Euler, Exponential, schemes
from meanfield.simulation import simulate

BOUNDED = [name for name in schemes if isinstance(schemes[name].stability, float)]
FIRST = [name for name in BOUNDED if schemes[name].suits(Wasserstein(L2()))]
SECOND = [name for name in BOUNDED if name not in FIRST]
LAMBDA = 3.7


class Well(Linear):
    """V = λx²/2, which is no `L2`: the exponential scheme must not know it."""

    name = "well"

    def __init__(self, rate=LAMBDA):
        self.rate = rate

    def density(self, ensemble):
        x = ensemble.position
        return 0.5 * self.rate * (x**2).sum(axis=1), self.rate * x


def amplification(scheme, flow, step):
    """Spectral radius of one step on (x, v), or on x alone."""
    columns = []
    second = "velocities" in {move.value for move in flow.moves}
    for row in np.eye(2 if second else 1):
        velocity = row[1:].reshape(1, 1) if second else None
        start = Ensemble(row[:1].reshape(1, 1), velocity=velocity)
        end, _ = scheme(step).advance(flow, start, flow.driving.evaluate(start), step, 0)
        columns.append([end.position[0, 0], *([] if end.velocity is None else end.velocity[0])])
    return np.abs(np.linalg.eigvals(np.array(columns).T)).max()


def test_no_explicit_scheme_is_without_a_bound():
    assert set(schemes) - set(BOUNDED) == {
        "adaptive",  # it chooses its own steps
        "jko",  # for every step
        "noise-injection",  # random
        "proximal-recursion",  # implicit
        "tamed-euler",  # not linear: it clips
    }


def test_every_step_is_stable_for_the_implicit_scheme():
    for step in (1e-2, 1.0, 1e2, 1e4):
        assert amplification(JKO, Wasserstein(Well()), step) < 1


class Counted(Well):
    """A well that counts how often it is looked at."""

    looks = 0

    def evaluate(self, ensemble):
        self.looks += 1
        return super().evaluate(ensemble)


@pytest.mark.parametrize("name", list(schemes))
def test_evaluations_in_a_step(name):
    """As many as declared; births and deaths take fewer than the reaction that they stand for."""
    arguments = {"epsilon": 0.01} if name == "proximal-recursion" else {}
    costs = {}
    for energy in (Counted(), Counted() + 0.5 * Entropy()):
        well = energy.terms()[0][1]

        def looks(flow, steps, well=well):
            well.looks = 0
            layout = Layout({"a": (), "x": (1,)})  # with signs, for conic descent
            start = Ensemble([[1.0, 1.0], [1.0, 0.3], [-1.0, -0.5]], layout=layout)
            scheme = schemes[name](0.1, **arguments)
            run = simulate(flow, start, scheme=scheme, until=0.1 * steps, observe=(), guard="off")
            assert run.status == "finished"
            return well.looks

        for kind, flow in flows_of(energy).items():
            if schemes[name].suits(flow):
                costs[kind] = (looks(flow, 7) - looks(flow, 3)) / 4
    declared = schemes[name].evaluations
    if declared:
        assert set(costs.values()) - {costs.get("birth-death")} <= {declared}
        assert max(costs.values()) == declared
    else:
        assert min(costs.values()) > 1


@pytest.mark.parametrize("name", FIRST)
def test_stable_below_the_bound_and_unstable_above(name):
    scheme, flow = schemes[name], Wasserstein(Well())
    start = Ensemble([[1.0]])
    bound = scheme(0.1).stable_step(flow, start, LAMBDA)
    assert bound == pytest.approx(scheme.stability / LAMBDA, rel=1e-15)
    assert amplification(scheme, flow, bound) == pytest.approx(1.0, abs=1e-12)
    assert (
        amplification(scheme, flow, 0.999 * bound) < 1 < amplification(scheme, flow, 1.001 * bound)
    )
    for share in np.linspace(0.05, 0.95, 19):
        assert amplification(scheme, flow, share * bound) < 1


@pytest.mark.parametrize("friction", [0.0, 0.3, 2.0, 20.0])
@pytest.mark.parametrize("name", SECOND)
def test_splittings_are_stable_below_the_bound_whatever_the_friction(name, friction):
    scheme, flow = schemes[name], Kinetic(Well(), friction=friction)
    bound = scheme(0.1).stable_step(flow, Ensemble([[1.0]]), LAMBDA)
    assert bound == pytest.approx(2.0 / math.sqrt(LAMBDA), rel=1e-15)
    for share in [*np.linspace(0.05, 0.95, 19), 0.999]:
        assert amplification(scheme, flow, share * bound) < 1 + 1e-12


@pytest.mark.parametrize("friction", [0.0, 0.3, 2.0])
@pytest.mark.parametrize("scheme", [BAOAB, OBABO])
def test_verlet_with_friction_is_unstable_above_the_bound(scheme, friction):
    assert amplification(scheme, Kinetic(Well(), friction=friction), 2.01 / LAMBDA**0.5) > 1.001


@pytest.mark.parametrize("friction", [1e-9, 0.3, 2.0])
def test_friction_lengthens_the_interval_of_ubu(friction):
    """h²λ < 2γh coth(γh/2), by the trace and the determinant of a step."""
    flow = Kinetic(Well(), friction=friction)
    step = 2.0 / math.sqrt(LAMBDA)
    for _ in range(200):
        step = math.sqrt(2 * friction * step / math.tanh(0.5 * friction * step) / LAMBDA)
    assert step >= 2.0 / math.sqrt(LAMBDA) - 1e-12
    assert amplification(UBU, flow, 0.999 * step) <= 1 + 1e-12
    assert amplification(UBU, flow, 1.001 * step) > 1 + 1e-6


@pytest.mark.parametrize(("ridge", "rest"), [(0.5, 3.0), (1.0, 1.5), (0.01, 2.0)])
def test_the_exponential_scheme_is_bounded_by_what_is_not_the_ridge(ridge, rest):
    flow, start = Wasserstein(Well(rest) + ridge * L2()), Ensemble([[1.0]])
    bound = Exponential(0.1).stable_step(flow, start, ridge + rest)
    assert bound > 2 / (ridge + rest)
    assert amplification(Exponential, flow, bound) == pytest.approx(1.0, abs=1e-12)
    found = Exponential(bound).stable_sharpness(flow, start)
    assert found == pytest.approx(ridge + rest, rel=1e-12)


def test_nothing_bounds_the_exponential_scheme_under_a_strong_ridge():
    flow, start = Wasserstein(Well(1.0) + 1.5 * L2()), Ensemble([[1.0]])
    assert Exponential(0.1).stable_step(flow, start, 2.5) == math.inf
    assert amplification(Exponential, flow, 1e3) < 1


@pytest.mark.parametrize("name", BOUNDED)
def test_the_sharpness_that_a_step_bears_is_the_inverse(name):
    flow = Wasserstein(Well()) if name in FIRST else HeavyBall(Well())
    scheme, start = schemes[name](0.37), Ensemble([[1.0]])
    assert scheme.is_bounded(flow)
    found = scheme.stable_sharpness(flow, start)
    assert scheme.stable_step(flow, start, found) == pytest.approx(0.37, rel=1e-14)
    assert scheme.stable_step(flow, start, -1.0) == math.inf


def test_a_bound_speaks_of_flows_of_its_own_order():
    assert not RK4(0.1).is_bounded(HeavyBall(L2()))
    assert not BAOAB(0.1).is_bounded(Wasserstein(L2()))
    assert not Adaptive(0.1).is_bounded(Wasserstein(L2()))


def test_the_only_word_for_a_step_is_auto():
    assert Euler("auto").step == "auto"
    with pytest.raises(InvalidInput, match=r"^step = 'fast': expected a finite number > 0$"):
        Euler("fast")
