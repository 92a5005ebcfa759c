"""Every scheme is held to the orders that it declares, by regression over five steps.

Without noise the error is that of one path; strong orders are those of paths along the same
Brownian motion. Weak orders are in `test_gaussian_laws` and `test_weak_orders`, without sampling.
"""

from functools import cache, cached_property

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from meanfield import random
from meanfield.data import FiniteData
from meanfield.ensemble import Ensemble, Layout
from meanfield.errors import InvalidInput, Unsupported
from meanfield.flows import (
    FisherRao,
    HeavyBall,
    Kinetic,
    Langevin,
    Nesterov,
    Wasserstein,
    WassersteinFisherRao,
)
from meanfield.functionals import L2, Entropy, Interaction, Risk
from meanfield.functionals.regularisers import Linear
from meanfield.interactions import RBF
from meanfield.networks import TwoLayer
from meanfield.schemes import RK4, Adaptive, Euler, EulerMaruyama, Heun, schemes
from meanfield.simulation import simulate
from tests.conftest import size
from tests.orders import fitted_order, step_counts
from tests.schemes import test_proximal

PLAIN = Wasserstein(L2())
FIXED = [name for name in schemes if schemes[name].order and schemes[name].suits(PLAIN)]
LEVELS = size(5, 3)


class Logistic(Linear):
    """dx/dt = x (1 - x)."""

    name = "logistic"

    def density(self, ensemble):
        x = ensemble.position
        return (x**3 / 3 - x**2 / 2).sum(axis=1), x**2 - x


class Washboard(Linear):
    """V = x²/2 - cos(2x)/2: a drift that is smooth, Lipschitz and not linear."""

    name = "washboard"

    def density(self, ensemble):
        x = ensemble.position
        return (0.5 * x**2 - 0.5 * np.cos(2 * x)).sum(axis=1), self.slope(x)

    @staticmethod
    def slope(x):
        return x + np.sin(2 * x)


def _final(flow, start, scheme, until, seed=0):
    frames, guard = {"evenly": 2}, "off"
    run = simulate(
        *(flow, start),
        scheme=scheme,
        until=until,
        seed=seed,
        observe=(),
        frames=frames,
        guard=guard,
    )
    assert run.status == "finished"
    return run.final


class NeuronsOnData:
    """Six tanh neurons with unequal masses on eight samples, and the flow again in plain NumPy."""

    until = 2.0

    def __init__(self):
        rng = np.random.default_rng(3)
        self.x, self.y = rng.standard_normal((8, 2)), rng.standard_normal(8)
        self.mass = rng.dirichlet(np.full(6, 3.0))
        network = TwoLayer("tanh", 2, bias=True)
        w, a, b = rng.standard_normal((6, 2)), rng.standard_normal(6), rng.standard_normal(6)
        self.start = network.ensemble(w, a, b, self.mass)
        risk = Risk(network, FiniteData(self.x, self.y))
        self.flow = Wasserstein(4.0 * risk + 0.3 * L2())

    def velocity(self, _, flat):
        theta = flat.reshape(6, 4)
        a, w, b = theta[:, 0], theta[:, 1:3], theta[:, 3]
        neuron = np.tanh(self.x @ w.T + b)
        residual = (neuron @ (self.mass * a) - self.y) / 8
        back = residual[:, None] * (1 - neuron**2) * a
        gradient = np.column_stack([neuron.T @ residual, back.T @ self.x, back.sum(axis=0)])
        return -(4.0 * gradient + 0.3 * theta).ravel()

    @cached_property
    def exact(self):
        solution = solve_ivp(
            self.velocity,
            (0, self.until),
            self.start.position.ravel(),
            method="DOP853",
            rtol=1e-12,
            atol=1e-13,
        )
        return solution.y[:, -1].reshape(6, 4)


class LogisticGrowth:
    """The logistic equation, solved in closed form."""

    until = 3.0

    def __init__(self):
        self.start = Ensemble([[0.1], [0.4], [1.7]])
        self.flow = Wasserstein(Logistic())

    @cached_property
    def exact(self):
        return 1 / (1 + (1 / self.start.position - 1) * np.exp(-self.until))


@pytest.mark.parametrize("name", FIXED)
@pytest.mark.parametrize(
    "problem", [NeuronsOnData(), LogisticGrowth()], ids=["neurons", "logistic"]
)
def test_order_without_noise(problem, name):
    exact, scheme = problem.exact, schemes[name]

    def error(count):
        step = problem.until / count
        end = _final(problem.flow, problem.start, scheme(step), problem.until)
        return np.abs(end.position - exact).max()

    assert abs(fitted_order(error, step_counts(scheme.order, LEVELS)) - scheme.order) < 0.1


WARM = [
    Langevin(Washboard() + 0.5 * L2() + 0.5 * Entropy()),
    Kinetic(Washboard() + 0.5 * L2() + 0.5 * Entropy(), friction=1.3),
]
STRONG = [
    (flow, name)
    for flow in WARM
    for name in schemes
    if schemes[name].strong is not None and schemes[name].suits(flow)
]


@pytest.mark.parametrize(("flow", "name"), STRONG, ids=[f"{f.kind}-{name}" for f, name in STRONG])
def test_strong_order_along_the_same_brownian_path(flow, name, monkeypatch):
    scheme, until = schemes[name], 1.0
    finest, count = 2**13, 400
    rng = np.random.default_rng(8)
    brownian = rng.standard_normal((finest, count, 1)) * np.sqrt(until / finest)
    start = Ensemble(rng.standard_normal((count, 1)))
    exact, beyond = start.position, rng.standard_normal((count, 1))
    amplitude, h = flow.noise(start.layout), until / finest
    if flow.kind == "kinetic":
        start.velocity = rng.standard_normal((count, 1))
    v = start.velocity
    for increment in brownian:
        force = -Washboard.slope(exact) - 0.5 * exact
        if v is None:
            exact = exact + h * force + amplitude * increment
        else:
            exact, v = exact + h * v, v + h * (force - 1.3 * v) + amplitude * increment

    def error(steps):
        summed = brownian.reshape(steps, -1, count, 1).sum(axis=1) * np.sqrt(steps / until)

        def add(out, scale, seed, stream, step):
            out += scale * (summed[step] if step < steps else beyond)

        monkeypatch.setattr(random, "add_normal", add)
        end = _final(flow, start, scheme(until / steps), until)
        return np.abs(end.position - exact).mean()

    counts = [2**level for level in range(3, 8)]
    # Additive noise: order 1, where multiplicative noise would have 1/2.
    assert abs(fitted_order(error, counts) - scheme.strong) < 0.15


def moving(flow, scale=1.0):
    """Six particles with unequal masses, and the numbers of their final state, one row each."""
    rng = np.random.default_rng(4)
    start = Ensemble(scale * rng.standard_normal((6, 2)), rng.dirichlet(np.full(6, 2.0)))

    def end(scheme, until):
        final = _final(flow, start, scheme, until)
        return np.column_stack([final.position, np.log(final.mass / start.mass)])

    return end


@cache
def reference(flow, until):
    return moving(flow)(Adaptive(until, "DOP853", 1e-12, 1e-13), until)


ATTRACTION = Interaction(RBF(1.0))
FLOWS = [
    HeavyBall(Washboard() + ATTRACTION, friction=0.7),
    Nesterov(Washboard() + ATTRACTION),
    Kinetic(Washboard() + ATTRACTION, friction=0.7),
    FisherRao(Washboard() + ATTRACTION, beta=1.5),
    WassersteinFisherRao(Washboard() + ATTRACTION, alpha=0.8, beta=1.5),
    WassersteinFisherRao(Washboard() + ATTRACTION, balanced=False),
    FisherRao(Washboard() + ATTRACTION + 0.4 * Entropy(), beta=1.5),
    WassersteinFisherRao(Washboard() + 0.4 * Entropy(), bandwidth=0.9),
]
CASES = [
    (flow, name)
    for flow in FLOWS
    for name in schemes
    if schemes[name].order and schemes[name].suits(flow)
]


@pytest.mark.parametrize(("flow", "name"), CASES, ids=[f"{f.kind}-{name}" for f, name in CASES])
def test_order_of_masses_and_velocities(flow, name):
    scheme, until, end = schemes[name], 1.0, moving(flow)
    exact = reference(flow, until)

    def error(count):
        return np.abs(end(scheme(until / count), until) - exact).max()

    assert abs(fitted_order(error, step_counts(scheme.order, LEVELS)) - scheme.order) < 0.1


def test_no_declared_order_is_forgotten():
    declared = {name for name in schemes if schemes[name].order}
    # Its particles stay: the order is that of the law of its weights.
    elsewhere = {"proximal-recursion": test_proximal.test_order_of_the_law}
    assert declared == {*FIXED, *(name for _, name in CASES), *elsewhere}
    assert {name for name in schemes if schemes[name].strong} == {name for _, name in STRONG}


@pytest.mark.parametrize("name", ["euler", "heun", "rk4"])
def test_order_on_a_product_of_spheres(name):
    """Against the same flow in angles, where there is no constraint."""
    scheme, until = schemes[name], 1.5
    layout = Layout({"u": (2, 2)})
    angles = np.random.default_rng(2).uniform(0, 6, (5, 2))

    def circle(x):
        return np.stack([np.cos(x), np.sin(x)], axis=-1).reshape(len(x), 4)

    start = Ensemble(circle(angles), layout=layout)
    flow = Wasserstein(Washboard(), constraint={"u": "sphere"})

    def rate(_, flat):
        slope = Washboard.slope(np.stack([np.cos(flat), np.sin(flat)], axis=-1))
        return slope[:, 0] * np.sin(flat) - slope[:, 1] * np.cos(flat)

    solved = solve_ivp(rate, (0, until), angles.ravel(), method="DOP853", rtol=1e-12, atol=1e-13)
    exact = circle(solved.y[:, -1].reshape(angles.shape))

    def error(count):
        end = _final(flow, start, scheme(until / count), until)
        norms = np.linalg.norm(end.u, axis=-1)
        np.testing.assert_allclose(norms, 1.0, rtol=1e-14)
        return np.abs(end.position - exact).max()

    assert abs(fitted_order(error, step_counts(scheme.order, LEVELS)) - scheme.order) < 0.1


@pytest.mark.parametrize("method", ["RK23", "RK45", "DOP853", "Radau", "BDF", "LSODA"])
def test_adaptive_schemes_keep_their_tolerance(method):
    problem = LogisticGrowth()
    for rtol in (1e-4, 1e-8):
        scheme = Adaptive(problem.until, method, rtol, 1e-3 * rtol)
        end = _final(problem.flow, problem.start, scheme, problem.until)
        assert np.abs(end.position - problem.exact).max() < 50 * rtol


def test_noise_is_a_function_of_seed_and_step():
    flow = Langevin(L2() + 0.5 * Entropy())
    start = Ensemble(np.ones((3, 2)))

    def end(seed):
        return _final(flow, start, EulerMaruyama(0.1), 1.0, seed).position

    assert np.array_equal(end(4), end(4))
    assert not np.any(end(4) == end(5))
    by_hand = np.ones((3, 2))
    for step in range(10):
        kick = random.normal(4, random.Stream.LANGEVIN, step, (3, 2))
        by_hand = by_hand - 0.1 * by_hand + np.sqrt(2 * 0.5 * 0.1) * kick
    np.testing.assert_allclose(end(4), by_hand, rtol=1e-13)


def test_the_last_step_is_shorter_for_drift_and_noise():
    flow = Langevin(L2() + 0.5 * Entropy())
    end = _final(flow, Ensemble([[1.0]]), EulerMaruyama(0.1), 0.125, seed=4)
    x = np.array([[1.0]])
    for step, h in enumerate([0.1, 0.025]):
        kick = random.normal(4, random.Stream.LANGEVIN, step, (1, 1))
        x = x - h * x + np.sqrt(2 * 0.5 * h) * kick
    np.testing.assert_allclose(end.position, x, rtol=1e-13)


@pytest.mark.parametrize("name", [name for name in FIXED if schemes[name].weak is None])
def test_a_scheme_without_noise_refuses_a_temperature(name):
    flow = Langevin(L2() + 0.5 * Entropy())
    with pytest.raises(Unsupported, match=f"^the scheme '{name}' is for flows without noise: use"):
        simulate(flow, Ensemble([[1.0]]), scheme=schemes[name](0.1), until=1.0)


@pytest.mark.parametrize("scheme", [Euler, Heun, RK4, EulerMaruyama])
@pytest.mark.parametrize("step", [0.0, -0.1, np.nan, np.inf])
def test_a_step_is_positive(scheme, step):
    with pytest.raises(InvalidInput, match=f"^step = {step}: expected a finite number > 0$"):
        scheme(step)
