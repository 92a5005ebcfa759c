"""Schemes on linear flows, where their laws are Gaussian and can be summed up exactly.

A linear scheme answers to every kick on its own: particle j of an ensemble gets a unit kick of the
j-th random number and no other, and its position is then that number's coefficient. The squares
of the coefficients add up to the variance, without sampling error.
"""

import numpy as np
import pytest
from scipy.linalg import expm, solve_continuous_lyapunov

from meanfield import random
from meanfield.ensemble import Ensemble
from meanfield.flows import Kinetic, Langevin
from meanfield.functionals import L2, Entropy, Interaction
from meanfield.schemes import schemes
from meanfield.simulation import simulate
from tests.conftest import size
from tests.orders import fitted_order
from tests.schemes import test_weak_orders
from tests.schemes.test_stability import Well

K, TAU, GAMMA, UNTIL = 1.5, 0.5, 0.8, 1.0

OVERDAMPED = Langevin(K * L2() + TAU * Entropy())
# A third of the stiffness is a ridge, which the exponential scheme takes exactly.
MIXED = Langevin(K / 3 * L2() + Well(2 * K / 3) + TAU * Entropy())
KINETIC = Kinetic(K * L2() + TAU * Entropy(), friction=GAMMA)
PAIRS = [
    (flow, name)
    for flow in (MIXED, KINETIC)
    for name in schemes
    if schemes[name].weak is not None and schemes[name].suits(flow) and name != "tamed-euler"
]
IDS = [f"{flow.kind}-{name}" for flow, name in PAIRS]


class Kicks:
    """Stands for the random numbers: number j is 1 for particle j and 0 for the others."""

    def __init__(self):
        self.keys = {}

    def index(self, *key):
        return self.keys.setdefault(key, len(self.keys))

    def add(self, out, scale, seed, stream, step):
        row = self.index(stream, step, 0)
        if row < len(out):
            out[row] += np.broadcast_to(scale, out.shape[1:])

    def normal(self, seed, stream, step, shape, dtype=np.float64):
        out = np.zeros(shape)
        for column in range(shape[1]):
            row = self.index(stream, step, column)
            if row < shape[0]:
                out[row, column] = 1.0
        return out


def law(flow, scheme, until, monkeypatch):
    """Mean of a start at x = 1 (v = 0) and covariance of a start without spread."""

    def end(count, position):
        kicks = Kicks()
        monkeypatch.setattr(random, "add_normal", kicks.add)
        monkeypatch.setattr(random, "normal", kicks.normal)
        start = Ensemble(np.full((count, 1), position))
        if flow.kind == "kinetic":
            start.velocity = np.zeros((count, 1))
        run = simulate(flow, start, scheme=scheme, until=until, observe=(), frames={"evenly": 2})
        final = run.final
        columns = [final.position] if final.velocity is None else [final.position, final.velocity]
        return np.hstack(columns), len(kicks.keys)

    _, number = end(1, 0.0)
    response, _ = end(number, 0.0)
    # With unit kicks at nobody: the last particle of a larger ensemble is left alone.
    shifted, _ = end(number + 1, 1.0)
    return shifted[-1], response.T @ response


def exact(flow, until):
    """The same for the flow itself."""
    if flow.kind == "langevin":
        drift, noise = np.array([[-K]]), np.array([[2 * TAU]])
    else:
        drift = np.array([[0.0, 1.0], [-K, -GAMMA]])
        noise = np.diag([0.0, 2 * GAMMA * TAU])
    rest = solve_continuous_lyapunov(drift, -noise)
    flown = expm(drift * until)
    return flown[:, 0], rest - flown @ rest @ flown.T


@pytest.mark.parametrize(("flow", "name"), PAIRS, ids=IDS)
def test_weak_order(flow, name, monkeypatch):
    scheme = schemes[name]
    mean, covariance = exact(flow, UNTIL)
    found = {}

    def errors(steps):
        if steps not in found:
            found[steps] = law(flow, scheme(UNTIL / steps), UNTIL, monkeypatch)
        return found[steps]

    counts = [2**level for level in range(size(4, 3), size(9, 6))]
    orders = [
        fitted_order(lambda steps: np.abs(errors(steps)[0] - mean).max(), counts),
        fitted_order(lambda steps: np.abs(errors(steps)[1] - covariance).max(), counts),
    ]
    assert abs(min(orders) - scheme.weak) < 0.2


def test_no_weak_order_is_forgotten():
    # It is not linear; its order is found without samples too.
    assert "tamed-euler" in test_weak_orders.WEAK
    known = {name for _, name in PAIRS} | {"tamed-euler"}
    assert {name for name in schemes if schemes[name].weak} == known


def test_the_exponential_scheme_is_exact(monkeypatch):
    flow = Langevin(K * L2() + TAU * Entropy(), mobility={"x": 0.7})
    mean, covariance = law(flow, schemes["exponential"](2.0), 6.0, monkeypatch)
    rate = 0.7 * K
    np.testing.assert_allclose(mean, np.exp(-6.0 * rate), rtol=1e-14)
    np.testing.assert_allclose(covariance, TAU / K * (1 - np.exp(-12.0 * rate)), rtol=1e-14)


STEP, LONG = 0.25, size(40.0, 25.0)


@pytest.mark.parametrize(
    ("flow", "name", "position", "velocity"),
    [
        (OVERDAMPED, "euler-maruyama", TAU / K / (1 - K * STEP / 2), None),
        (OVERDAMPED, "leimkuhler-matthews", TAU / K, None),
        (OVERDAMPED, "exponential", TAU / K, None),
        (KINETIC, "baoab", TAU / K, TAU * (1 - K * STEP**2 / 4)),
        (KINETIC, "obabo", TAU / K / (1 - K * STEP**2 / 4), TAU),
    ],
)
def test_variance_at_rest(flow, name, position, velocity, monkeypatch):
    """Closed forms of the law that a scheme comes to rest in, exact in the step."""
    _, covariance = law(flow, schemes[name](STEP), LONG, monkeypatch)
    found = np.diag(covariance)
    assert found[0] == pytest.approx(position, rel=1e-8)
    if velocity is not None:
        assert found[1] == pytest.approx(velocity, rel=1e-8)
        assert abs(covariance[0, 1]) < 1e-8


@pytest.mark.parametrize("name", [name for flow, name in PAIRS if flow is MIXED])
def test_heat_without_any_force(name, monkeypatch):
    """var = 2τt; Leimkuhler and Matthews' first step and last one take half a noise each."""
    steps = 8
    flow = Langevin(TAU * Entropy(), mobility={"x": 0.7})
    mean, covariance = law(flow, schemes[name](UNTIL / steps), UNTIL, monkeypatch)
    missing = 0.5 / steps if name == "leimkuhler-matthews" else 0.0
    assert mean == pytest.approx(1.0, rel=1e-14)
    assert covariance[0, 0] == pytest.approx(2 * TAU * 0.7 * (UNTIL - missing), rel=1e-12)


def test_particles_that_attract_have_the_covariance_of_their_steps(monkeypatch):
    """W = κ|x - y|²/2: the mean of N particles feels a, their differences feel a + κ.

    A column for each random number: where the j-th is 1 for particle i, the others are 0.
    """
    count, steps, a, kappa, start = 5, 20, 0.8, 1.7, 0.9
    h, columns = UNTIL / steps, count * (steps + 1)

    def add(out, scale, seed, stream, step):
        rows = np.arange(count)
        out[rows, (step + 1) * count + rows] += np.broadcast_to(scale, columns)[0]

    monkeypatch.setattr(random, "add_normal", add)
    flow = Langevin(a * L2() + kappa * Interaction("quadratic") + TAU * Entropy())
    first = np.sqrt(start) * np.eye(count, columns)
    run = simulate(
        flow, Ensemble(first), scheme=schemes["euler-maruyama"](h), until=UNTIL, observe=()
    )
    found = run.final.position @ run.final.position.T

    def variance(rate):
        factor = (1 - h * rate) ** 2
        return factor**steps * start + 2 * TAU * h * (1 - factor**steps) / (1 - factor)

    mean = np.full((count, count), 1 / count)
    exact = variance(a) * mean + variance(a + kappa) * (np.eye(count) - mean)
    np.testing.assert_allclose(found, exact, rtol=1e-12)
