"""Sharpness against closed forms and dense Jacobians; what is done with it."""

import tomllib

import numpy as np
import pytest

import meanfield as mf
from meanfield.config import Experiment, Mistakes
from meanfield.errors import InvalidInput, Unsupported
from meanfield.sharpness import advise, top_curvature, with_step
from tests.schemes.test_orders import NeuronsOnData

H = np.array([[2.0, 0.5, 0.0], [0.5, 1.0, -0.3], [0.0, -0.3, 4.0]])


class Bowl(mf.Linear):
    """V = <x, Hx>/2."""

    name = "bowl"

    def __init__(self, matrix=H):
        self.matrix = matrix

    def density(self, ensemble):
        slope = ensemble.position @ self.matrix.astype(ensemble.dtype)
        return 0.5 * (ensemble.position * slope).sum(axis=1), slope


class SquaredMean(mf.Functional):
    """F = (∫ x dρ)²/2 of the first coordinate."""

    name = "squared-mean"

    def evaluate(self, ensemble):
        x = ensemble.position
        mean = float(ensemble.mean(x[:, 0]))
        value, slope = 0.5 * mean**2, np.zeros_like(x)
        slope[:, 0] = mean
        return mf.Evaluation(value, mean * x[:, 0], slope, {self.name: value})


def particles(count=5, columns=3, seed=0):
    rng = np.random.default_rng(seed)
    return mf.Ensemble(rng.standard_normal((count, columns)), rng.dirichlet(np.ones(count)))


def top(matrix):
    return np.linalg.eigvals(matrix).real.max()


# The value


@pytest.mark.parametrize("count", [1, 5, 40])
def test_a_quadratic_potential_has_the_top_eigenvalue_of_its_matrix(count):
    found = top_curvature(mf.Wasserstein(Bowl()), particles(count), tolerance=1e-6)
    assert found == pytest.approx(top(H), rel=1e-8)


def test_mobility_is_in_the_metric():
    speeds = np.array([0.2, 5.0, 1.0])
    layout = mf.Layout({"a": (), "b": (), "c": ()})
    start = mf.Ensemble(particles().position, particles().mass, layout)
    flow = mf.Wasserstein(Bowl(), mobility=dict(zip("abc", speeds, strict=True)))
    assert top_curvature(flow, start) == pytest.approx(top(speeds[:, None] * H), rel=1e-5)
    frozen = mf.Wasserstein(Bowl(), mobility={"c": 0.0})
    assert top_curvature(frozen, start) == pytest.approx(top(H[:2, :2]), rel=1e-5)
    still = mf.Wasserstein(Bowl(), mobility=dict.fromkeys("abc", 0.0))
    assert top_curvature(still, start) == 0.0


@pytest.mark.parametrize("empty", [False, True])
def test_neurons_on_data_against_a_dense_jacobian_in_numpy(empty):
    problem = NeuronsOnData()
    if empty:  # a particle without mass moves all the same
        problem.mass[2] = 0.0
        problem.start.mass[2] = 0.0
    flat, reach = problem.start.position.ravel(), 1e-5
    columns = [
        (problem.velocity(0, flat - shift) - problem.velocity(0, flat + shift)) / (2 * reach)
        for shift in reach * np.eye(flat.size)
    ]
    exact = np.linalg.eigvals(np.array(columns).T).real
    found = top_curvature(problem.flow, problem.start, tolerance=1e-4)
    assert found == pytest.approx(exact.max(), rel=1e-5 if empty else 1e-7)
    # The energy is not convex here: the largest in size need not be the top.
    assert exact.min() < 0.3


def test_few_products_give_a_lower_bound():
    problem = NeuronsOnData()
    exact = top_curvature(problem.flow, problem.start, tolerance=1e-6)
    found = [top_curvature(problem.flow, problem.start, 1e-9, most) for most in range(1, 12)]
    assert np.all(np.diff(found) > -1e-7)
    assert np.all(np.array(found) < exact * (1 + 1e-7))
    assert found[7] > 0.95 * exact


def test_twice_as_many_particles_of_half_the_mass_are_as_sharp():
    problem = NeuronsOnData()
    start = problem.start
    twice = mf.Ensemble(
        np.repeat(start.position, 2, axis=0), np.repeat(start.mass, 2) / 2, start.layout
    )
    one, two = (top_curvature(problem.flow, s, tolerance=1e-5) for s in (start, twice))
    assert two >= one * (1 - 1e-8)  # the symmetric perturbations are the same
    linear = mf.Wasserstein(SquaredMean() + 0.3 * mf.L2())
    for count in (2, 50):
        assert top_curvature(linear, particles(count, 1)) == pytest.approx(1.3, rel=1e-6)


def test_a_concave_energy_has_negative_sharpness():
    start = particles()
    found = top_curvature(mf.Wasserstein(Bowl(-H)), start, tolerance=1e-6)
    assert found == pytest.approx(-np.linalg.eigvalsh(H).min(), rel=1e-6)


def test_on_the_sphere_it_is_the_riemannian_hessian():
    x = np.array([[0.6, 0.0, 0.8], [0.0, 1.0, 0.0]])
    flow = mf.Wasserstein(Bowl(), constraint={"x": "sphere"})
    expected = []
    for point in x:
        along = np.eye(3) - np.outer(point, point)
        hessian = along @ H @ along - (point @ H @ point) * along
        basis = np.linalg.svd(along)[0][:, :2]
        expected.append(top(basis.T @ hessian @ basis))
    found = top_curvature(flow, mf.Ensemble(x), tolerance=1e-6)
    assert found == pytest.approx(max(expected), rel=1e-6)


def test_at_a_wall_there_is_no_curvature():
    flow = mf.Wasserstein(Bowl(), constraint={"x": {"kind": "box", "lower": -1.0, "upper": 1.0}})
    assert top_curvature(flow, mf.Ensemble([[0.5, 0.2, -0.3]])) == pytest.approx(top(H), rel=1e-6)
    with pytest.raises(Unsupported, match="wall of a box"):
        top_curvature(flow, mf.Ensemble([[0.5, 1.0, -0.3]]))


@pytest.mark.parametrize(("alpha", "beta"), [(1.0, 2.0), (0.4, 1.0)])
def test_masses_add_their_variance(alpha, beta):
    """At rest, for F = (∫ x dρ)²/2: λ = α + β ∫ x² dρ, and β ∫ x² dρ where particles stay."""
    start = particles(6, 1)
    start.position -= start.mean(start.position)
    square = float(start.mass @ start.position[:, 0] ** 2)
    flow = mf.WassersteinFisherRao(SquaredMean(), alpha=alpha, beta=beta)
    assert top_curvature(flow, start) == pytest.approx(alpha + beta * square, rel=1e-6)
    masses = mf.FisherRao(SquaredMean(), beta=beta)
    assert top_curvature(masses, start) == pytest.approx(beta * square, rel=1e-6)
    births = mf.BirthDeath(SquaredMean(), alpha=alpha, beta=beta)
    even = mf.Ensemble(start.position)
    assert top_curvature(births, even) == pytest.approx(alpha, rel=1e-6)


def test_velocities_and_noise_do_not_matter():
    start, energy = particles(), Bowl() + SquaredMean()
    expected = top_curvature(mf.Wasserstein(energy), start)
    fast = start.having(velocity=np.ones_like(start.position))
    for flow in (
        mf.Langevin(energy + 0.3 * mf.Entropy()),
        mf.Kinetic(energy + 0.3 * mf.Entropy(), friction=3.0),
        mf.HeavyBall(energy),
        mf.Nesterov(energy),
    ):
        assert top_curvature(flow, fast) == pytest.approx(expected, rel=1e-12)


def test_float32_has_four_digits():
    found = top_curvature(mf.Wasserstein(Bowl()), particles(20).astype("float32"))
    assert found == pytest.approx(top(H), rel=2e-4)


# What is done with it


def test_advice():
    start = particles()
    found = advise(mf.RK4(9.0), mf.Wasserstein(Bowl()), start)
    assert found.sharpness == pytest.approx(top(H), rel=1e-5)
    assert found.step == pytest.approx(2.785293563405282 / top(H), rel=1e-5)
    kinetic = advise(mf.BAOAB(9.0), mf.HeavyBall(Bowl()), start)
    assert kinetic.step == pytest.approx(2 / np.sqrt(top(H)), rel=1e-5)
    assert advise(mf.RK4(9.0), mf.HeavyBall(Bowl()), start) is None


@pytest.mark.parametrize(("rate", "step"), [(3.0, 0.33), (0.3, 3.3), (1000.0, 0.001)])
def test_auto_is_half_of_the_longest_stable_step_to_two_digits(rate, step):
    flow, start = mf.Wasserstein(rate * mf.L2()), mf.Ensemble([[1.0, -2.0]])
    assert with_step(mf.Euler("auto"), flow, start, 100.0) == mf.Euler(step)
    assert with_step(mf.Euler(0.123), flow, start, 100.0) == mf.Euler(0.123)
    assert with_step(mf.Euler("auto"), flow, start, 0.0005) == mf.Euler(0.0005)


def test_auto_is_resolved_in_the_record_of_a_run():
    flow, start = mf.Wasserstein(3.0 * mf.L2()), mf.Ensemble([[1.0]])
    run = mf.simulate(flow, start, scheme=mf.Euler("auto"), until=3.3)
    assert run.provenance["scheme"] == "Euler(step=0.33)"
    assert run.final.step == 10
    assert run.final.position[0, 0] == pytest.approx((1 - 0.99) ** 10, rel=1e-9)
    given = mf.simulate(flow, start, scheme=mf.Euler(0.33), until=3.3)
    assert np.array_equal(run.final.position, given.final.position)


def test_auto_is_refused_where_nothing_bounds_the_step():
    start = mf.Ensemble([[1.0]])
    for flow, scheme, error, message in (
        (mf.Wasserstein(-1.0 * mf.L2()), mf.Euler("auto"), InvalidInput, "bounds no step$"),
        (mf.HeavyBall(mf.L2()), mf.RK4("auto"), Unsupported, "'rk4' on the flow 'heavy-ball'"),
        (mf.Wasserstein(mf.L2()), mf.Adaptive("auto"), Unsupported, "give the step as a number"),
        (mf.Wasserstein(mf.L2()), mf.Exponential("auto"), InvalidInput, "bounds no step$"),
    ):
        with pytest.raises(error, match=message):
            mf.simulate(flow, start, scheme=scheme, until=1.0)


TABLES = {
    "network": {"activation": "relu"},
    "data": {"kind": "gaussian", "dim": 3, "target": {"kind": "teacher", "neurons": 2}},
    "ensemble": {"count": 6},
    "energy": {"l2": 0.5},
    "scheme": {"step": "auto"},
    "run": {"until": 3.0, "seeds": [4, 9]},
}


def test_auto_in_an_experiment():
    experiment = Experiment(TABLES)
    assert experiment.resolved()["scheme"]["step"] == "auto"
    later = Experiment(TABLES)
    later.problem(9)  # the step is that of the first seed, whichever is looked at first
    experiment.check()
    step = experiment.resolved()["scheme"]["step"]
    assert later.scheme.step == step
    problem = experiment.problem(4)
    bound = 2 / top_curvature(problem.flow, problem.start)
    assert 0.45 * bound < step <= 0.5 * bound
    run = experiment.run()
    assert tomllib.loads(run.experiment)["scheme"]["step"] == step
    assert run.provenance["scheme"] == f"Euler(step={step})"
    again = Experiment(tomllib.loads(run.experiment)).run()
    assert np.array_equal(run["energy"], again["energy"])
    with pytest.raises(Mistakes, match="no bound is known for the scheme 'rk4'"):
        Experiment(
            {**TABLES, "flow": {"kind": "nesterov"}, "scheme": {"kind": "rk4", "step": "auto"}}
        ).check()


def test_observed_beside_what_the_step_bears():
    start = mf.Ensemble([[1.0], [0.3]])
    flow = mf.Wasserstein(SquaredMean() + 0.3 * mf.L2())
    observe = [mf.Sharpness(when={"evenly": 3})]
    run = mf.simulate(flow, start, scheme=mf.Euler(0.25), until=2.0, observe=observe)
    np.testing.assert_allclose(run["sharpness"], 1.3, rtol=1e-6)
    assert run["stable_sharpness"].values.tolist() == [8.0] * 3
    run = mf.simulate(flow, start, scheme=mf.Adaptive(0.25), until=2.0, observe=observe)
    assert "stable_sharpness" not in run.names


def test_gradient_descent_leaves_a_minimum_that_is_too_sharp():
    """One neuron a w x on (1, 1): at a minimum λ = a² + w², and descent with step h ends below 2/h.

    The flow conserves a² - w², and ends where λ = √((a² - w²)² + 4).
    """
    network = mf.TwoLayer("linear", 1)
    risk = mf.Risk(network, mf.FiniteData(np.ones((1, 1)), np.ones(1)))
    start = network.ensemble(w=[[0.1]], a=[3.5])
    observe = [mf.Sharpness(tolerance=1e-6, when=[0.0]), mf.Energy()]

    def end(step, until):
        run = mf.simulate(
            *(mf.Wasserstein(risk), start), scheme=mf.Euler(step), until=until, observe=observe
        )
        assert float(run["risk"][-1]) < 1e-12
        return run["sharpness"].values

    exact = np.sqrt((3.5**2 - 0.1**2) ** 2 + 4)
    assert end(0.005, 3.0)[-1] == pytest.approx(exact, rel=1e-2)
    descent = end(0.2, 40.0)
    assert descent[0] > 10
    assert 5 < descent[-1] < 10
