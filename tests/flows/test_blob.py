"""The regularised entropy, and the flow that it drives."""

import numpy as np
import pytest
from scipy.integrate import romb
from scipy.stats import multivariate_normal

import meanfield as mf
from meanfield.errors import InvalidInput
from meanfield.flows import Blob
from meanfield.functionals import RegularisedEntropy
from meanfield.schemes import RK4, Adaptive, schemes
from tests.conftest import size
from tests.orders import fitted_order, step_counts


class Washboard(mf.Linear):
    """|x|²/2 - Σ cos(2x)/2."""

    name = "washboard"

    def density(self, ensemble):
        x = ensemble.position
        return (0.5 * x**2 - 0.5 * np.cos(2 * x)).sum(axis=1), x + np.sin(2 * x)


def particles(count=7, columns=2, seed=0):
    rng = np.random.default_rng(seed)
    return mf.Ensemble(rng.standard_normal((count, columns)), rng.dirichlet(np.full(count, 2.0)))


def quantiles(count, variance=1.0, reach=9.0):
    """Particles on a grid with the masses of a centred Gaussian: sums are integrals."""
    grid = np.linspace(-reach, reach, count)
    mass = np.exp(-0.5 * grid**2)
    return mf.Ensemble(np.sqrt(variance) * grid[:, None], mass / mass.sum())


@pytest.mark.parametrize("columns", [1, 3])
def test_value_and_derivatives(columns):
    start, h = particles(columns=columns), 0.8
    entropy = RegularisedEntropy(h)
    density = [
        sum(
            m * multivariate_normal.pdf(x, y, h**2)
            for m, y in zip(start.mass, start.position, strict=True)
        )
        for x in start.position
    ]
    assert entropy.value(start) == pytest.approx(start.mass @ np.log(density), rel=1e-12)
    assert mf.gradient_error(entropy, start) < 1e-8
    step, variation = 1e-6, entropy.first_variation(start)
    for i, unit in enumerate(np.eye(len(start))):
        more, less = (start.having(mass=start.mass + sign * step * unit) for sign in (1, -1))
        slope = (entropy.value(more) - entropy.value(less)) / (2 * step)
        assert slope == pytest.approx(variation[i], rel=1e-8)


def test_many_dimensions_do_not_overflow():
    start = particles(5, columns=400)
    found = RegularisedEntropy(1e-3).evaluate(start)
    # Alone within their blobs: log of m_i times the height of the kernel.
    height = -200 * np.log(2 * np.pi * 1e-6)
    assert found.value == pytest.approx(start.mass @ np.log(start.mass) + height, rel=1e-12)
    assert not found.gradient.any()


@pytest.mark.parametrize("variance", [1.0, 0.4])
def test_velocity_of_a_gaussian_law(variance):
    """Both terms of a centred Gaussian in closed form, by convolutions of Gaussians."""
    h = 0.5
    start = quantiles(size(181, 121), variance)
    x = start.position[np.abs(start.position[:, 0]) < 4]
    wide = variance + h**2
    sees = variance * wide / h**2  # ρ / (K * ρ) is √(wide / variance) exp(-x²/2 sees)
    share = np.sqrt(wide / variance * sees / (sees + h**2)) * np.exp(-0.5 * x**2 / (sees + h**2))
    expected = -x / wide - share * x / (sees + h**2)
    found = RegularisedEntropy(h).gradient(start)[np.abs(start.position[:, 0]) < 4]
    np.testing.assert_allclose(found, expected, atol=1e-10)


def test_the_entropy_of_a_gaussian_law():
    """∫ log(K * ρ) dρ of N(0, s): -½ log 2π(s + h²) - ½ s/(s + h²)."""
    s, h = 0.7, 0.4
    exact = -0.5 * np.log(2 * np.pi * (s + h**2)) - 0.5 * s / (s + h**2)
    assert RegularisedEntropy(h).value(quantiles(121, s)) == pytest.approx(exact, rel=1e-12)


@pytest.mark.parametrize("ridge", [0.0, 1.5], ids=["heat", "ornstein-uhlenbeck"])
def test_variance_of_gaussian_laws(ridge):
    """The closed form up to O(h⁴): the two terms of the velocity cancel each other's h²."""
    tau, until, start = 0.3, 0.5, quantiles(size(361, 61), reach=size(9.0, 5.0))
    if ridge:
        exact = tau / ridge + (1 - tau / ridge) * np.exp(-2 * ridge * until)
    else:
        exact = 1 + 2 * tau * until
    energy = ridge * mf.L2() + tau * mf.Entropy()

    def error(h):
        flow = Blob(energy, bandwidth=h)
        end = mf.simulate(flow, start, scheme=RK4(0.1), until=until, observe=()).final
        return abs(float(end.mean(end.position**2)[0]) - exact)

    wide, narrow = error(0.3), error(0.15)
    assert narrow < 1e-3 * exact
    assert abs(np.log2(wide / narrow) - 4) < size(0.4, 1.0)


def test_energy_lost_is_the_dissipation_integrated():
    energy = Washboard() + mf.Interaction(mf.RBF(1.0)) + 0.4 * mf.Entropy()
    flow, count = Blob(energy, {"x": 0.6}, bandwidth=0.7), 64
    run = mf.simulate(
        *(flow, particles()),
        scheme=RK4(1 / count),
        until=1.0,
        observe=[mf.Energy(), mf.Dissipation()],
        observe_when={"steps": 1},
    )
    lost = float(run["energy"][0] - run["energy"][-1])
    assert lost == pytest.approx(romb(run["dissipation"].values, 1 / count), rel=1e-8)
    assert np.all(np.diff(run["energy"]) < 0)
    assert set(run.names) >= {"washboard", "rbf", "regularised-entropy"}


def ending(flow, start, scheme=None, until=1.0):
    return mf.simulate(flow, start, scheme=scheme or RK4(0.1), until=until, observe=()).final


@pytest.mark.parametrize("name", ["euler", "heun", "rk4"])
def test_orders(name):
    flow = Blob(Washboard() + 0.4 * mf.Entropy(), bandwidth=0.9)
    start, until, scheme = particles(size(6, 3)), 1.0, schemes[name]
    exact = ending(flow, start, Adaptive(until, "DOP853", 1e-12, 1e-13), until).position

    def error(count):
        return np.abs(ending(flow, start, scheme(until / count), until).position - exact).max()

    counts = [size(2, 1) * count for count in step_counts(scheme.order, levels=3)]
    assert abs(fitted_order(error, counts) - scheme.order) < size(0.2, 0.4)


def test_permuted_and_cut_particles():
    flow, start = Blob(Washboard() + 0.4 * mf.Entropy(), bandwidth=0.9), particles()
    plain, order = ending(flow, start).position, np.random.default_rng(3).permutation(7)
    permuted = mf.Ensemble(start.position[order], start.mass[order])
    np.testing.assert_allclose(ending(flow, permuted).position, plain[order], rtol=1e-11)
    rows = [0, *range(7)]
    mass = start.mass[rows]
    mass[0] *= 0.3
    mass[1] *= 0.7
    cut = mf.Ensemble(start.position[rows], mass)
    np.testing.assert_allclose(ending(flow, cut).position, plain[rows], rtol=1e-11)


def test_without_temperature_it_is_the_wasserstein_flow():
    start = particles()
    found = ending(Blob(Washboard()), start).position
    assert np.array_equal(found, ending(mf.Wasserstein(Washboard()), start).position)


def test_on_a_circle_particles_spread_evenly():
    """The flow on a constraint: the fixed point of n equal particles is a regular polygon."""
    count = size(6, 3)
    angles = np.random.default_rng(1).uniform(0, 3, count)
    start = mf.Ensemble(np.column_stack([np.cos(angles), np.sin(angles)]))
    flow = Blob(mf.Entropy(), constraint={"x": "sphere"}, bandwidth=0.8)
    end = ending(flow, start, RK4(0.2), 60.0).position
    gaps = np.diff(np.sort(np.arctan2(end[:, 1], end[:, 0])))
    np.testing.assert_allclose(gaps, 2 * np.pi / count, rtol=1e-6)


def test_single_precision_stays_single():
    start, flow = particles(20, 3), Blob(0.3 * mf.L2() + 0.3 * mf.Entropy(), bandwidth=0.8)
    found = ending(flow, start.astype("float32")).position
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, ending(flow, start).position, atol=2e-5)


def test_what_is_refused():
    with pytest.raises(InvalidInput, match=r"^bandwidth = 0\.0: expected a finite number > 0"):
        Blob(mf.Entropy(), bandwidth=0.0)
    with pytest.raises(InvalidInput, match=r"^length = 1e-20: expected a length between"):
        RegularisedEntropy(1e-20)
