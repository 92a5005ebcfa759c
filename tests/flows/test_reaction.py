"""Flows that change masses, and births and deaths in their place."""

import numpy as np
import pytest
from scipy.integrate import romb, solve_ivp

import meanfield as mf
from meanfield.errors import InvalidInput, Unsupported
from meanfield.flows import BirthDeath, FisherRao, Wasserstein, WassersteinFisherRao
from meanfield.observables import Dissipation, Energy, Mass
from meanfield.schemes import schemes
from tests.conftest import size
from tests.orders import fitted_order, step_counts

EVERY_STEP = {"steps": 1}


class Slope(mf.Linear):
    """V(x) = x²/2 + x: linear in the measure."""

    name = "slope"

    def density(self, ensemble):
        x = ensemble.position
        return (0.5 * x**2 + x).sum(axis=1), x + 1


def particles(count=7, columns=2, seed=0):
    rng = np.random.default_rng(seed)
    return mf.Ensemble(rng.standard_normal((count, columns)), rng.dirichlet(np.ones(count)))


@pytest.mark.parametrize("scheme", [mf.Euler, mf.Heun, mf.RK4, mf.Lie, mf.Strang])
@pytest.mark.parametrize("step", [0.1, 3.0])
def test_a_linear_energy_gives_multiplicative_weights_exactly(scheme, step):
    """m_i(t) ∝ m_i(0) e^{-βtV_i}, whatever the step."""
    start, beta, until = particles(), 0.7, 6.0
    end = mf.simulate(FisherRao(Slope(), beta), start, scheme=scheme(step), until=until).final
    weight = start.mass * np.exp(-beta * until * Slope().first_variation(start))
    np.testing.assert_allclose(end.mass, weight / weight.sum(), rtol=1e-12)
    assert np.array_equal(end.position, start.position)


def test_unbalanced_masses_grow_each_on_its_own():
    start, until = particles(), 1.5
    flow = FisherRao(Slope(), balanced=False)
    end = mf.simulate(flow, start, scheme=mf.Euler(0.5), until=until, observe=[Mass()])
    weight = start.mass * np.exp(-until * Slope().first_variation(start))
    np.testing.assert_allclose(end.final.mass, weight, rtol=1e-13)
    assert end["total_mass"][-1] == pytest.approx(weight.sum(), rel=1e-13)


@pytest.mark.parametrize("balanced", [True, False])
@pytest.mark.parametrize(("alpha", "beta"), [(1.0, 2.0), (0.5, 1.0), (0.0, 1.0), (1.0, 0.0)])
def test_energy_lost_is_the_dissipation_integrated(balanced, alpha, beta):
    energy = Slope() + mf.Interaction(mf.RBF(1.0))
    flow = WassersteinFisherRao(energy, {"x": 0.6}, alpha=alpha, beta=beta, balanced=balanced)
    count = 64
    run = mf.simulate(
        *(flow, particles()),
        scheme=mf.RK4(1 / count),
        until=1.0,
        observe=[Energy(), Dissipation(), Mass()],
        observe_when=EVERY_STEP,
    )
    lost = float(run["energy"][0] - run["energy"][-1])
    assert lost == pytest.approx(romb(run["dissipation"].values, 1 / count), rel=1e-8)
    assert lost > 0
    if balanced:
        np.testing.assert_allclose(run["total_mass"], 1.0, rtol=1e-14)


def gaussian_rates(kappa, target):
    """Means and variances of the flow KL(ρ | N(0, target)) in one dimension, by its equations."""

    def rate(_, state):
        m, s = state
        a = 1 / target
        return [-a * m - kappa * s * a * m, 2 - 2 * a * s + kappa * (s - s * a * s)]

    return rate


class Replay(mf.Linear):
    """∫ (V + τ log ρ) with the density of a Gaussian law that is known at every time."""

    name = "replay"

    def __init__(self, law, target):
        self.law, self.target = law, target

    def density(self, ensemble):
        x = ensemble.position
        m, s = self.law(ensemble.time)
        value = 0.5 * x**2 / self.target - 0.5 * (x - m) ** 2 / s
        return value.sum(axis=1), x / self.target - (x - m) / s


def test_gaussians_stay_gaussian_under_wasserstein_fisher_rao():
    """Mean and variance by their equations, against particles on a grid of quantiles."""
    kappa, target, until = 0.8, 1.7, 1.0
    law = solve_ivp(
        *(gaussian_rates(kappa, target), (0, until), [1.0, 0.4]),
        dense_output=True,
        rtol=1e-12,
        atol=1e-13,
    ).sol
    grid = np.linspace(-8.0, 8.0, 161)
    density = np.exp(-0.5 * grid**2)
    start = mf.Ensemble((1.0 + np.sqrt(0.4) * grid)[:, None], density / density.sum())
    flow = WassersteinFisherRao(Replay(law, target), beta=kappa)
    end = mf.simulate(flow, start, scheme=mf.RK4(0.01), until=until, observe=()).final
    mean = float(end.mean(end.position)[0])
    variance = float(end.mean((end.position - mean) ** 2)[0])
    np.testing.assert_allclose([mean, variance], law(until), rtol=1e-6)


@pytest.mark.parametrize("name", ["lie", "strang", "heun"])
def test_order_where_the_energy_depends_on_time(name):
    """Every part of a splitting sees the times that it covers."""
    law = solve_ivp(gaussian_rates(0.8, 1.7), (0, 1), [1.0, 0.4], dense_output=True, rtol=1e-12)
    flow, start = WassersteinFisherRao(Replay(law.sol, 1.7), beta=0.8), particles(5, 1)

    def end(scheme):
        final = mf.simulate(flow, start, scheme=scheme, until=1.0, observe=()).final
        return np.column_stack([final.position, np.log(final.mass)])

    exact, scheme = end(mf.RK4(1 / 256)), schemes[name]
    counts = step_counts(scheme.order, levels=3)
    order = fitted_order(lambda count: np.abs(end(scheme(1 / count)) - exact).max(), counts)
    assert abs(order - scheme.order) < 0.1


@pytest.mark.parametrize("scheme", [mf.Lie, mf.Strang])
def test_births_and_deaths_keep_every_mass(scheme):
    count = size(500, 60)
    start = mf.NormalInit(count).draw(mf.Layout.plain(1), 0)
    flow = BirthDeath(Slope(), beta=3.0)
    run = mf.simulate(flow, start, scheme=scheme(0.1), until=1.0, seed=1)
    assert np.array_equal(run.final.mass, start.mass)
    assert len(run.final) == count
    again = mf.simulate(flow, start, scheme=scheme(0.1), until=1.0, seed=1)
    assert np.array_equal(run.final.position, again.final.position)
    assert not np.array_equal(
        run.final.position,
        mf.simulate(flow, start, scheme=scheme(0.1), until=1.0, seed=2).final.position,
    )


def test_births_and_deaths_only_copy():
    """Without transport, every particle of the end was there at the start."""
    start = mf.NormalInit(200).draw(mf.Layout.plain(1), 0)
    flow = BirthDeath(Slope(), alpha=0.0, beta=2.0)
    end = mf.simulate(flow, start, scheme=mf.Lie(0.1), until=2.0, seed=1).final
    assert set(end.position[:, 0]) < set(start.position[:, 0])
    assert float(end.position.mean()) < float(start.position.mean())


def test_births_and_deaths_converge_to_the_weighted_flow():
    """At the Monte Carlo rate: the mean square error of the law falls like 1/N."""
    until, step, replicas = 0.5, 0.05, size(24, 6)
    counts = [size(50, 20), size(200, 40), size(800, 80)]
    law = mf.NormalInit(size(40_000, 2_000)).draw(mf.Layout.plain(1), 99)
    flow = WassersteinFisherRao(Slope(), beta=2.0)
    end = mf.simulate(flow, law, scheme=mf.Strang(step / 2), until=until, observe=()).final
    exact = float(end.mean(np.tanh(end.position))[0])
    errors = []
    for count in counts:
        found = []
        for seed in range(replicas):
            start = mf.NormalInit(count).draw(mf.Layout.plain(1), 1000 + seed)
            end = mf.simulate(
                *(BirthDeath(Slope(), beta=2.0), start),
                scheme=mf.Strang(step),
                until=until,
                seed=seed,
                observe=(),
            ).final
            found.append(float(np.tanh(end.position).mean()) - exact)
        errors.append(np.mean(np.square(found)))
    slope = np.polyfit(np.log(counts), np.log(errors), 1)[0]
    assert abs(slope + 1) < size(0.35, 1.5)


def test_balanced_relu_neurons_follow_wasserstein_fisher_rao_on_the_signed_sphere():
    """Chizat 2022: (α, β) = (1, 2) in the direction U and in p = |a||w|, unbalanced."""
    dim, count, ridge, until = 3, 8, 0.05, 0.7
    rng = np.random.default_rng(6)
    direction = rng.standard_normal((count, dim))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    sign, size_of = np.sign(rng.standard_normal(count)), rng.uniform(0.3, 1.0, count)
    network = mf.TwoLayer("relu", dim)
    teacher = mf.Teacher(network, network.ensemble(np.eye(dim), [1.0, -1.0, 0.5]))
    law = mf.Gaussian(dim).labelled_by(teacher)
    root = np.sqrt(size_of)
    start = network.ensemble(root[:, None] * direction, a=sign * root)
    flow = Wasserstein(mf.Risk(network, law) + ridge * mf.L2())
    lifted = mf.simulate(flow, start, scheme=mf.RK4(0.01), until=until, observe=()).final
    weight = np.abs(lifted.a) * np.linalg.norm(lifted.w, axis=1)
    # On the sphere: signed unit neurons whose masses are p/N; the ridge is the mass's price.
    signed = mf.TwoLayer("relu", dim, outer="fixed")
    on_sphere = signed.ensemble(direction, a=sign, mass=size_of / count)

    class Price(mf.Linear):
        name = "price"

        def density(self, ensemble):
            return np.ones(len(ensemble)), np.zeros_like(ensemble.position)

    energy = mf.Risk(signed, law) + ridge * Price()
    flow = WassersteinFisherRao(energy, None, {"w": "sphere"}, 1.0, 2.0, balanced=False)
    end = mf.simulate(flow, on_sphere, scheme=mf.RK4(0.01), until=until, observe=()).final
    np.testing.assert_allclose(end.mass * count, weight, rtol=1e-7)
    lengths = np.linalg.norm(lifted.w, axis=1, keepdims=True)
    np.testing.assert_allclose(end.w, lifted.w / lengths, atol=1e-7)


def test_what_is_refused():
    with pytest.raises(InvalidInput, match=r"^beta = -1: expected a finite number ≥ 0$"):
        FisherRao(Slope(), beta=-1)
    uneven = particles()
    with pytest.raises(Unsupported, match="'birth-death' needs equal masses at the start: use"):
        mf.simulate(BirthDeath(Slope()), uneven, scheme=mf.Lie(0.1), until=1.0)
    start = mf.Ensemble(np.ones((3, 1)))
    with pytest.raises(Unsupported, match="without births and deaths: use 'lie', 'strang' for"):
        mf.simulate(BirthDeath(Slope()), start, scheme=mf.RK4(0.1), until=1.0)
