"""Flows that change masses, with an entropy: of masses, of the smoothed measure, or by noise."""

import numpy as np
import pytest
from scipy.integrate import romb, solve_ivp

import meanfield as mf
from meanfield.errors import InvalidInput, Unsupported
from meanfield.flows import BirthDeath, Conic, FisherRao, Langevin, Moves, WassersteinFisherRao
from meanfield.functionals import CloudEntropy, RegularisedEntropy
from meanfield.listing import combinations
from tests.conftest import size


class Slope(mf.Linear):
    """V(x) = x²/2 + x in every column."""

    name = "slope"

    def density(self, ensemble):
        x = ensemble.position
        return (0.5 * x**2 + x).sum(axis=1), x + 1


def particles(count=7, columns=2, seed=0):
    rng = np.random.default_rng(seed)
    return mf.Ensemble(rng.standard_normal((count, columns)), rng.dirichlet(np.ones(count)))


def grid(count, mean, variance, reach=9.0):
    """Particles on a grid with the masses of a Gaussian: sums are integrals."""
    z = np.linspace(-reach, reach, count)
    mass = np.exp(-0.5 * z**2)
    return mf.Ensemble((mean + np.sqrt(variance) * z)[:, None], mass / mass.sum())


def ending(flow, start, scheme, until, seed=0):
    return mf.simulate(flow, start, scheme=scheme, until=until, observe=(), seed=seed).final


def moments(ensemble):
    mean = float(ensemble.mean(ensemble.position)[0])
    return mean, float(ensemble.mean((ensemble.position - mean) ** 2)[0])


# The entropy of masses, in the Fisher–Rao flow.


@pytest.mark.parametrize("cells", [(), (0.2, 0.1, 0.4, 0.3, 0.6, 0.05, 1.0)])
def test_entropy_of_masses(cells):
    start, entropy = particles(), CloudEntropy(cells)
    c = np.array(cells) if cells else np.full(7, 1 / 7)
    found = entropy.evaluate(start)
    assert found.value == pytest.approx(np.sum(start.mass * np.log(start.mass / c)), rel=1e-14)
    assert not found.gradient.any()
    step = 1e-6
    for i, unit in enumerate(np.eye(7)):
        more, less = (start.having(mass=start.mass + sign * step * unit) for sign in (1, -1))
        slope = (entropy.value(more) - entropy.value(less)) / (2 * step)
        assert slope == pytest.approx(found.variation[i], rel=1e-6)
    gone = start.having(mass=np.where(np.arange(7) == 2, 0.0, start.mass))
    assert np.isfinite(entropy.value(gone))


AMPLIFICATION = {  # of y' = zy by one step
    "euler": lambda z: 1 + z,
    "lie": lambda z: 1 + z,
    "heun": lambda z: 1 + z + z**2 / 2,
    "rk4": lambda z: 1 + z + z**2 / 2 + z**3 / 6 + z**4 / 24,
    "strang": lambda z: (1 + z / 2 + z**2 / 8) ** 2,
}


@pytest.mark.parametrize("name", AMPLIFICATION)
@pytest.mark.parametrize("cells", [(), (0.2, 0.1, 0.4, 0.3, 0.6, 0.05, 1.0)])
def test_log_densities_move_on_a_line(name, cells):
    """log m_t = κ log m_0 + (1 - κ) (log c - V/τ) + const, with the scheme's own κ ≈ e^{-βτt}."""
    start, beta, tau, steps, h = particles(), 0.7, 0.3, 8, 0.5
    flow = FisherRao(Slope() + tau * mf.Entropy(), beta, cells=cells)
    end = ending(flow, start, mf.schemes.schemes[name](h), steps * h)
    kappa = AMPLIFICATION[name](-beta * tau * h) ** steps
    target = np.log(cells or np.ones(7)) - Slope().first_variation(start) / tau
    expected = start.mass**kappa * np.exp((1 - kappa) * target)
    np.testing.assert_allclose(end.mass, expected / expected.sum(), rtol=1e-12)
    assert np.array_equal(end.position, start.position)


def test_unbalanced_masses_go_to_those_of_the_gibbs_measure():
    """log m_i' = -(V_i + τ log(m_i/c_i) + τ): m_i → c_i e^{-V_i/τ - 1}, whatever the start."""
    start, tau = particles(), 0.8
    flow = FisherRao(Slope() + tau * mf.Entropy(), balanced=False)
    end = ending(flow, start, mf.RK4(0.25), 50.0)
    expected = np.exp(-Slope().first_variation(start) / tau - 1) / 7
    np.testing.assert_allclose(end.mass, expected, rtol=1e-12)


def test_natural_parameters_of_a_gaussian():
    """On a grid: dp/dt = k - τp for the precision, dq/dt = -1 - τq for precision times mean."""
    tau, until = 0.4, 1.5
    start = grid(41, 0.7, 0.5, reach=5.0)
    x = start.position[:, 0]
    flow = FisherRao(Slope() + tau * mf.Entropy())
    end = ending(flow, start, mf.RK4(0.05), until)
    curve = np.polyfit(x, np.log(end.mass), 2)
    decay = np.exp(-tau * until)
    assert -2 * curve[0] == pytest.approx(1 / tau + (2.0 - 1 / tau) * decay, rel=1e-8)
    assert curve[1] == pytest.approx(-1 / tau + (1.4 + 1 / tau) * decay, rel=1e-8)


def test_a_sampled_cloud_is_a_base_measure():
    """Points of π: the limit is ∝ π e^{-V/τ}; and e^{-V/τ} with the cells 1/π."""
    tau, count = 0.5, size(2000, 400)
    start = mf.QuantileInit(count).draw(mf.Layout.plain(1), 0)
    tilted = ending(FisherRao(Slope() + tau * mf.Entropy()), start, mf.RK4(0.5), 60.0)
    np.testing.assert_allclose(moments(tilted), (-2 / 3, 1 / 3), atol=size(2e-4, 2e-3))
    cells = np.exp(0.5 * start.position[:, 0] ** 2)
    flow = FisherRao(Slope() + tau * mf.Entropy(), cells=cells)
    np.testing.assert_allclose(
        moments(ending(flow, start, mf.RK4(0.5), 60.0)), (-1, 0.5), atol=size(0.02, 0.1)
    )


# The smoothed entropy, in the Wasserstein–Fisher–Rao flow.


@pytest.mark.parametrize("balanced", [True, False])
@pytest.mark.parametrize("kind", [FisherRao, WassersteinFisherRao])
def test_energy_lost_is_the_dissipation_integrated(kind, balanced):
    energy, count = Slope() + mf.Interaction(mf.RBF(1.0)) + 0.4 * mf.Entropy(), size(128, 32)
    settings = {} if kind is FisherRao else {"mobility": {"x": 0.6}, "bandwidth": 0.7}
    run = mf.simulate(
        *(kind(energy, beta=1.4, balanced=balanced, **settings), particles()),
        scheme=mf.RK4(1 / count),
        until=1.0,
        observe=[mf.Energy(), mf.Dissipation()],
        observe_when={"steps": 1},
    )
    lost = float(run["energy"][0] - run["energy"][-1])
    assert lost == pytest.approx(romb(run["dissipation"].values, 1 / count), rel=size(1e-8, 1e-6))
    assert lost > 0


def gaussian_law(tau, kappa, until, smoothing=0.0):
    """Mean and variance of the flow of ∫(x²/2 + x)dρ + τ Ent, from N(1, 0.4), by its equations.

    `smoothing`: variance that the law is smoothed with where births and deaths look at it.
    """

    def rate(_, state):
        m, s = state
        density = tau / (s + smoothing)
        return [-(m + 1) * (1 + kappa * s), 2 * (tau - s) + kappa * s**2 * (density - 1)]

    return solve_ivp(rate, (0, until), [1.0, 0.4], rtol=1e-11, atol=1e-12).y[:, -1]


def test_gaussian_laws_as_particles_and_bandwidth_are_refined():
    """Twice the particles, half the bandwidth: a sixteenth of the error, which is O(h⁴)."""
    tau, kappa, until = 0.6, 0.8, 0.5
    exact = gaussian_law(tau, kappa, until)
    energy = Slope() + tau * mf.Entropy()
    errors = []
    for level in range(size(3, 2)):
        flow = WassersteinFisherRao(energy, beta=kappa, bandwidth=0.4 / 2**level)
        start = grid(size(60, 30) * 2**level + 1, 1.0, 0.4, reach=size(9.0, 6.0))
        end = ending(flow, start, mf.RK4(0.05), until)
        errors.append(np.abs(np.array(moments(end)) - exact).max())
    assert np.all(np.abs(np.log2(errors[:-1]) - np.log2(errors[1:]) - 4) < 0.6)
    assert errors[-1] < size(3e-4, 1e-2)
    still = gaussian_law(tau, 0.0, until)
    assert np.abs(still - exact).max() > 0.05


# Noise, in births and deaths.


def test_births_and_deaths_with_noise_are_stepped_by_splitting():
    flow = BirthDeath(Slope() + 0.3 * mf.Entropy(), {"x": 2.0}, alpha=0.5)
    assert flow.moves == {Moves.TRANSPORT, Moves.NOISE, Moves.JUMPS}
    (amplitude,) = flow.noise(mf.Layout.plain(1))
    assert amplitude == pytest.approx(np.sqrt(2 * 0.5 * 0.3 * 2.0))
    for energy in (Slope(), Slope() + 0.3 * mf.Entropy()):
        assert combinations(energy)["birth-death"] == ["lie", "strang"]
    still = BirthDeath(Slope() + 0.3 * mf.Entropy(), alpha=0.0)
    assert still.moves == {Moves.JUMPS}
    assert still.noise(mf.Layout.plain(1)) is None
    assert not BirthDeath(Slope()).moves & {Moves.NOISE}


def test_what_kills_is_the_potential_and_the_smoothed_density():
    tau, h, start = 0.3, 0.5, mf.Ensemble(particles().position)
    flow = BirthDeath(Slope() + tau * mf.Entropy(), beta=1.7, bandwidth=h)
    far = ((start.position[:, None] - start.position) ** 2).sum(axis=2)
    log_density = np.log(np.exp(-0.5 * far / h**2).mean(axis=1) / (2 * np.pi * h**2))
    np.testing.assert_allclose(RegularisedEntropy(h).log_density(start), log_density, rtol=1e-12)
    pressure = Slope().first_variation(start) + tau * log_density
    found = flow.reaction(start, flow.driving.evaluate(start))
    np.testing.assert_allclose(found, -1.7 * (pressure - pressure.mean()), rtol=1e-11)


@pytest.mark.parametrize("scheme", [mf.Lie, mf.Strang])
def test_gaussian_laws_by_births_deaths_and_noise(scheme):
    tau, kappa, until, h, count = 0.6, 1.5, 0.5, 0.3, size(6000, 150)
    flow = BirthDeath(Slope() + tau * mf.Entropy(), beta=kappa, bandwidth=h)
    start = mf.NormalInit(count, scale={"x": np.sqrt(0.4)}, mean={"x": 1.0})
    start = start.draw(mf.Layout.plain(1), 5)
    end = ending(flow, start, scheme(size(0.01, 0.05)), until, seed=3)
    assert np.array_equal(end.mass, start.mass)
    error = 4 * np.sqrt(1 / count)  # copies make the sample smaller than it is
    exact = gaussian_law(tau, kappa, until, h**2)
    np.testing.assert_allclose(moments(end), exact, atol=error)
    langevin = gaussian_law(tau, 0.0, until)
    assert abs(moments(end)[0] - langevin[0]) > size(2, 0.5) * error


class DoubleWell(mf.Linear):
    """3 (x² - 1)²."""

    name = "wells"

    def density(self, ensemble):
        x = ensemble.position
        return (3 * (x**2 - 1) ** 2).sum(axis=1), 12 * x * (x**2 - 1)


def test_mass_passes_between_wells_that_no_particle_leaves():
    """From one in ten on the right: half by births and deaths, still few by Langevin alone."""
    tau, count, until = 0.5, size(1000, 60), size(4.0, 2.0)
    x = np.where(np.arange(count) % 10 == 0, 1.0, -1.0)
    start = mf.Ensemble(x[:, None] + 0.1 * np.random.default_rng(1).standard_normal((count, 1)))
    energy = DoubleWell() + tau * mf.Entropy()
    flow = BirthDeath(energy, beta=4.0, bandwidth=0.15)
    fast = ending(flow, start, mf.Lie(0.02), until, seed=2).position
    slow = ending(Langevin(energy), start, mf.EulerMaruyama(0.02), until, seed=2).position
    assert abs((fast > 0).mean() - 0.5) < size(0.1, 0.3)
    assert (slow > 0).mean() < 0.2
    # Within a well both have the width of the Gibbs measure.
    wells = np.linspace(-3, 3, 2001)
    gibbs = np.exp(-3 * (wells**2 - 1) ** 2 / tau)
    exact = np.average(wells**2, weights=gibbs)
    np.testing.assert_allclose((fast**2).mean(), exact, atol=size(0.05, 0.15))
    np.testing.assert_allclose((slow**2).mean(), exact, atol=size(0.05, 0.15))


def test_what_is_refused():
    with pytest.raises(Unsupported, match=r"'conic' has no noise for the temperature 0\.1: use"):
        Conic(Slope() + 0.1 * mf.Entropy())
    with pytest.raises(InvalidInput, match=r"^bandwidth = 0.0: expected a finite number > 0$"):
        WassersteinFisherRao(Slope() + 0.1 * mf.Entropy(), bandwidth=0.0)
    with pytest.raises(InvalidInput, match=r"^cells = \[1.0, -1.0\]: expected one number > 0"):
        FisherRao(Slope() + 0.1 * mf.Entropy(), cells=[1.0, -1.0])
    flow = FisherRao(Slope() + 0.1 * mf.Entropy(), cells=[1.0, 2.0])
    with pytest.raises(InvalidInput, match=r"^cells = 2: expected as many cells as particles, 7$"):
        ending(flow, particles(), mf.Euler(0.1), 1.0)
    flow = BirthDeath(Slope() + 0.1 * mf.Entropy())
    with pytest.raises(Unsupported, match="without births and deaths or noise: use 'lie'"):
        ending(flow, mf.Ensemble(np.ones((3, 1))), mf.RK4(0.1), 1.0)
