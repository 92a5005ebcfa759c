"""The proximal step against backward Euler in closed form, and what it promises at any step."""

from itertools import pairwise

import numpy as np
import pytest

import meanfield as mf
from meanfield.data import FiniteData
from meanfield.errors import InvalidInput, Unsupported
from meanfield.functionals.regularisers import Linear
from meanfield.schemes import JKO
from tests.conftest import size
from tests.orders import fitted_order, step_counts

EVERY = {"steps": 1}
SOLVERS = ["l-bfgs", "fixed-point"]


class DoubleWell(Linear):
    """V = Σ (x⁴/4 - x²/2): not convex."""

    name = "double_well"

    def density(self, ensemble):
        x = ensemble.position
        return (x**4 / 4 - x**2 / 2).sum(axis=1), x**3 - x


def particles(count=7, columns=2, seed=0):
    rng = np.random.default_rng(seed)
    return mf.Ensemble(rng.standard_normal((count, columns)), rng.dirichlet(np.ones(count)))


def neurons(count=6):
    """Tanh neurons on data, and their start."""
    rng = np.random.default_rng(3)
    network = mf.TwoLayer("tanh", 2, bias=True)
    risk = mf.Risk(network, FiniteData(rng.standard_normal((8, 2)), rng.standard_normal(8)))
    start = mf.NormalInit(count).draw(network.layout, 1)
    return 40.0 * risk + 0.3 * mf.L2(), start


def flowed(flow, start, scheme, steps, **settings):
    until = steps * scheme.step
    return mf.simulate(flow, start, scheme=scheme, until=until, observe_when=EVERY, **settings)


@pytest.mark.parametrize("step", [1e-4, 0.1, 1.0, 30.0, 1e4])
def test_quadratic_energies_follow_backward_euler(step):
    """x ← x/(1 + hk): the mobility is part of k, the masses are not."""
    start, steps = particles(), 3
    flow = mf.Wasserstein(3.0 * mf.L2(), mobility={"x": 0.5})
    end = flowed(flow, start, JKO(step, tolerance=1e-13), steps, observe=()).final
    expected = start.position / (1 + 1.5 * step) ** steps
    np.testing.assert_allclose(end.position, expected, rtol=1e-8)
    assert np.array_equal(end.mass, start.mass)


@pytest.mark.parametrize("solver", SOLVERS)
def test_attraction_in_closed_form(solver):
    """V = k|x|²/2, W = κ|x - y|²/2: the mean obeys k, what deviates from it k + κ."""
    k, kappa, step, steps = 0.8, 1.7, 0.3, 4
    start = particles()
    flow = mf.Wasserstein(k * mf.L2() + kappa * mf.Interaction("quadratic"))
    end = flowed(flow, start, JKO(step, solver, 1e-13), steps, observe=()).final
    mean = start.mass @ start.position
    expected = mean / (1 + k * step) ** steps
    expected = expected + (start.position - mean) / (1 + (k + kappa) * step) ** steps
    np.testing.assert_allclose(end.position, expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("solver", SOLVERS)
def test_order_on_a_double_well(solver):
    """y = x² obeys y' = 2y(1 - y), the logistic equation."""
    start, until = mf.Ensemble([[0.1], [-0.4], [1.7]]), 2.0
    y = start.position**2
    exact = np.sign(start.position) / np.sqrt(1 + (1 / y - 1) * np.exp(-2 * until))

    def error(count):
        scheme = JKO(until / count, solver)
        end = mf.simulate(mf.Wasserstein(DoubleWell()), start, scheme=scheme, until=until)
        return np.abs(end.final.position - exact).max()

    assert abs(fitted_order(error, step_counts(1, levels=3)) - 1) < 0.05


@pytest.mark.parametrize("step", [0.01, 0.7, 20.0, 1e3])
@pytest.mark.parametrize("problem", ["neurons", "wells", "attraction"])
def test_the_energy_falls_by_the_squared_distance_at_least(problem, step):
    """F(x¹) + 1/2h Σ m <x¹ - x⁰, M⁻¹ (x¹ - x⁰)> ≤ F(x⁰), and so the sum of all distances."""
    if problem == "neurons":
        (energy, start), speed = neurons(), {"w": 0.4}
    else:
        start, speed = particles(), {"x": 0.4}
        energy = DoubleWell()
        if problem == "attraction":
            energy = energy + 2.0 * mf.Interaction(mf.RBF(0.5))
    flow = mf.Wasserstein(energy, mobility=speed)
    run = flowed(flow, start, JKO(step), size(6, 3), frames=EVERY)
    assert run.status == "finished"
    values = run["energy"].values
    frames = [run.frames[i] for i in range(len(values))]
    metric = 1 / flow.speeds(start.layout)
    distances = [
        float(before.mass @ (metric * (after.position - before.position) ** 2).sum(axis=1))
        for before, after in pairwise(frames)
    ]
    slack = 1e-12 * np.abs(values).max()
    assert np.all(values[1:] + np.array(distances) / (2 * step) <= values[:-1] + slack)
    assert sum(distances) <= 2 * step * (values[0] - values[-1]) + 2 * step * slack * len(values)
    assert values[-1] < values[0]


def test_a_step_that_explodes_under_euler_goes_to_rest():
    energy, start = neurons()
    flow, step = mf.Wasserstein(energy), 50.0
    with np.errstate(all="ignore"):
        explicit = flowed(flow, start, mf.Euler(step), 20, guard="off")
    assert explicit.status == "diverged" or float(explicit["energy"][-1]) > 1e3
    implicit = flowed(flow, start, JKO(step), 8)
    assert implicit.status == "finished"
    first = np.abs(flow.driving.gradient(start)).max()
    assert np.abs(flow.driving.gradient(implicit.final)).max() < 1e-5 * first


def test_what_has_no_mobility_stays():
    energy, start = neurons()
    flow = mf.Wasserstein(energy, mobility={"a": 0.0})
    end = flowed(flow, start, JKO(2.0), 2, observe=()).final
    assert np.array_equal(end.a, start.a)
    assert np.all(end.w != start.w)
    still = mf.Wasserstein(energy, mobility=dict.fromkeys("awb", 0.0))
    assert np.array_equal(flowed(still, start, JKO(2.0), 2).final.position, start.position)


def test_the_evaluation_it_hands_on_is_that_of_where_it_leads():
    energy, start = neurons()
    flow = mf.Wasserstein(energy)
    found = JKO(0.5).advance(flow, start, None, 0.5, 0)
    again = flow.driving.evaluate(found.ensemble)
    assert found.evaluation.value == again.value
    assert np.array_equal(found.evaluation.gradient, again.gradient)
    assert found.ensemble.time == start.time + 0.5


def test_single_precision_is_rounded_once():
    energy, start = neurons()
    single = start.astype("float32")
    flow = mf.Wasserstein(energy)
    end = JKO(0.5).advance(flow, single, None, 0.5, 0).ensemble
    expected = JKO(0.5).advance(flow, single.astype("float64"), None, 0.5, 0).ensemble
    assert end.position.dtype == np.float32
    assert np.array_equal(end.position, expected.position.astype(np.float32))


def test_a_solver_that_does_not_converge_says_what_to_do():
    start = particles()
    run = flowed(mf.Wasserstein(3.0 * mf.L2()), start, JKO(1.0, "fixed-point"), 2)
    assert run.status == "diverged"
    assert run.stop_reason.startswith("step 1 (time 0): fixed-point did not solve the implicit")
    assert run.stop_reason.endswith("try a shorter step, or the solver 'l-bfgs'")
    downhill = mf.Wasserstein(-3.0 * mf.L2())  # Φ has no minimum: h times its curvature exceeds 1
    assert flowed(downhill, start, JKO(1.0), 2, guard="off").status == "diverged"


class Sideways(mf.Flow):
    """A flow that does not descend."""

    kind = "sideways"

    def velocity(self, ensemble, evaluation):
        return np.ones_like(ensemble.position)


def test_what_is_refused():
    start = particles()
    with pytest.raises(Unsupported, match=r"'jko' is for flows along .* without constraints: use "):
        JKO(0.1).check(mf.Wasserstein(mf.L2(), constraint={"x": "sphere"}))
    with pytest.raises(Unsupported, match="'jko' is for flows without noise: use"):
        JKO(0.1).check(mf.Langevin(mf.L2() + mf.Entropy()))
    with pytest.raises(Unsupported, match="for flows along -M∇F' without constraints: use"):
        JKO(0.1).check(Sideways(mf.L2()))
    assert JKO.suits(mf.Langevin(mf.L2()))
    with pytest.raises(InvalidInput, match=r"^solver = 'newton': expected one of l-bfgs, fixed"):
        JKO(0.1, "newton")
    with pytest.raises(InvalidInput, match=r"^tolerance = 0: expected a finite number > 0$"):
        JKO(0.1, tolerance=0)
    empty = start.having(mass=np.eye(len(start))[0])
    with pytest.raises(InvalidInput, match=r"ensemble\.mass = .*: expected masses > 0"):
        flowed(mf.Wasserstein(mf.L2()), empty, JKO(0.1), 1)
