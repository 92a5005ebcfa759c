"""The proximal recursion: its minimum, its exact Gaussian step, and what its weights mean."""

import numpy as np
import pytest
from scipy.optimize import brentq, minimize
from scipy.special import logsumexp

import meanfield as mf
from meanfield.errors import InvalidInput, Unsupported
from meanfield.schemes import ProximalRecursion, proximal
from tests.conftest import size
from tests.orders import fitted_order

TAU = 0.8
HARMONIC = mf.L2() + TAU * mf.Entropy()
GRID = np.linspace(-7.0, 7.0, 301)


def gaussian(mean=0.0, variance=0.5, points=GRID):
    """A Gaussian as masses of equal cells."""
    density = np.exp(-0.5 * (points - mean) ** 2 / variance)
    return mf.Ensemble(points[:, None], density / density.sum())


def moments(ensemble):
    total = ensemble.mass.sum()
    mean = float(ensemble.mass @ ensemble.position[:, 0]) / total
    return mean, float(ensemble.mass @ (ensemble.position[:, 0] - mean) ** 2) / total


def gaussian_step(variance, step, epsilon, temperature):
    """v' = v/(1 + u)² + ε/(1 + u), u = h (1 - τ'/v'); the mean goes by 1/(1 + h)."""

    def tilt(after):
        return 1 + step * (1 - temperature / after)

    least = step * temperature / (1 + step)

    def error(after):
        return variance / tilt(after) ** 2 + epsilon / tilt(after) - after

    return brentq(error, least * (1 + 1e-12), 50.0, xtol=1e-14)


def flowed(flow, start, scheme, until, **settings):
    run = mf.simulate(flow, start, scheme=scheme, until=until, observe=(), guard="off", **settings)
    assert run.status == "finished", run.stop_reason
    return run.final


@pytest.mark.parametrize(("step", "epsilon"), [(0.1, 0.05), (0.1, 0.15), (0.3, 0.06)])
def test_gaussians_follow_the_exact_recursion(step, epsilon):
    """At the temperature τ - ε/2h, to the digits that a trapezoidal rule has."""
    steps, (mean, variance) = 5, (0.7, 0.5)
    scheme = ProximalRecursion(step, epsilon, "cells", tolerance=1e-12)
    end = flowed(mf.Langevin(HARMONIC), gaussian(mean, variance), scheme, steps * step)
    for _ in range(steps):
        variance = gaussian_step(variance, step, epsilon, TAU - epsilon / (2 * step))
        mean /= 1 + step
    np.testing.assert_allclose(moments(end), (mean, variance), rtol=1e-9)
    assert end.mass.sum() == pytest.approx(1.0, rel=1e-12)
    assert np.array_equal(end.position[:, 0], GRID)


@pytest.mark.parametrize("kappa", [0.0, 0.6])
def test_order_of_the_law(kappa):
    """V = x²/2, W = κ|x - y|²/2: mean e^{-t}, variance to τ/(1 + κ) at the rate 2(1 + κ).

    At the corrected temperature.
    """
    energy, rate, until = HARMONIC, 1 + kappa, 0.5
    if kappa:
        energy = HARMONIC + kappa * mf.Interaction("quadratic")
    rest = TAU / rate
    exact = rest + (0.3 - rest) * np.exp(-2 * rate * until)

    def error(count):
        step = until / count
        scheme = ProximalRecursion(step, step * TAU, "cells")
        end = flowed(mf.Langevin(energy), gaussian(0.5, 0.3), scheme, until)
        found = moments(end)
        assert abs(found[0] - 0.5 * np.exp(-until)) < 0.2 * step
        return abs(found[1] - exact)

    assert abs(fitted_order(error, [3, 6, 12, 24, 48][: size(5, 3)]) - 1) < size(0.15, 0.2)


def test_without_the_correction_the_temperature_is_higher():
    """Of the exact step: run at τ it rests at τ + ε/2h, run at τ - ε/2h at τ, up to O(h)."""
    step, epsilon = 0.02, 0.02
    variance = 1.0
    for _ in range(2000):
        variance = gaussian_step(variance, step, epsilon, TAU)
    assert variance == pytest.approx(TAU + epsilon / (2 * step), rel=0.01)
    for _ in range(2000):
        variance = gaussian_step(variance, step, epsilon, TAU - epsilon / (2 * step))
    assert variance == pytest.approx(TAU, rel=0.01)


def test_a_step_is_the_minimum_of_its_functional(monkeypatch):
    """Against a minimiser that knows nothing of scalings, with volumes and a potential at will."""
    rng = np.random.default_rng(5)
    count, epsilon, share, force = 5, 0.3, 0.7, rng.standard_normal(5)
    old, new = rng.standard_normal((2, count, 2))
    mass, volume = rng.dirichlet(np.ones(count), size=2)
    cost = 0.5 * ((old[:, None] - new) ** 2).sum(axis=2)
    scheme = ProximalRecursion(0.1, epsilon, tolerance=1e-13)
    monkeypatch.setattr(proximal, "BLOCK", 2 * count)
    found = scheme._recursion((old, new), np.log(mass), np.log(volume), force, share, epsilon)

    def functional(logits):
        logits = logits.reshape(count, count)
        plan = mass[:, None] * np.exp(logits - logsumexp(logits, axis=1, keepdims=True))
        after = plan.sum(axis=0)
        moved = (cost * plan).sum() / epsilon + (plan * np.log(plan / volume)).sum()
        return moved + after @ (force + share * np.log(after / volume)), after

    best = minimize(
        lambda x: functional(x)[0], np.zeros(count**2), tol=1e-12, options={"gtol": 1e-9}
    )
    np.testing.assert_allclose(np.exp(found), functional(best.x)[1], rtol=1e-5, atol=1e-6)
    assert np.exp(found).sum() == pytest.approx(1.0, rel=1e-12)


def test_masses_are_those_of_the_law_wherever_the_points_are():
    """Points from N(0, 1.5²) that carry the masses of N(0.8, 0.3); and follow the exact step."""
    step, epsilon, steps, count = 0.1, 0.08, 5, 400
    mean, variance = 0.8, 0.3
    found = []
    for seed in range(12):
        points = 1.5 * np.random.default_rng(seed).standard_normal(count)
        weight = np.exp(-0.5 * (points - mean) ** 2 / variance + 0.5 * points**2 / 1.5**2)
        start = mf.Ensemble(points[:, None], weight / weight.sum())
        scheme = ProximalRecursion(step, epsilon, "masses", tolerance=1e-6)
        end = flowed(mf.Langevin(HARMONIC), start, scheme, steps * step, seed=seed)
        found.append(moments(end))
    for _ in range(steps):
        variance = gaussian_step(variance, step, epsilon, TAU - epsilon / (2 * step))
        mean /= 1 + step
    error = np.std(found, axis=0, ddof=1) / np.sqrt(len(found))
    assert np.all(np.abs(np.mean(found, axis=0) - (mean, variance)) < 4 * error + 5 / count)
    assert np.all(error < 0.02)


@pytest.mark.parametrize("share", [0.5, 1.5])
def test_published_weights_are_densities_at_rest(share):
    """m ∝ e^{-V/τ} at the points, whatever ε; as masses they have half the variance."""
    step, count = 0.05, 250
    slopes, variances = [], []
    for seed in range(5):
        points = np.sqrt(TAU) * np.random.default_rng(seed).standard_normal((count, 1))
        scheme = ProximalRecursion(step, share * 2 * step * TAU, "densities", tolerance=1e-5)
        end = flowed(mf.Langevin(HARMONIC), mf.Ensemble(points), scheme, 1.5, seed=seed)
        slopes.append(np.polyfit(end.position[:, 0] ** 2, np.log(end.mass), 1)[0])
        variances.append(moments(end)[1])
    assert np.mean(slopes) == pytest.approx(-1 / (2 * TAU), rel=0.2)
    assert np.mean(variances) == pytest.approx(TAU / 2, rel=0.2)


def test_mobility_is_a_change_of_the_step():
    """½C/M: with the speed μ, (h, ε) is (μh, με) without."""
    slow = mf.Langevin(HARMONIC, mobility={"x": 0.5})
    found = flowed(slow, gaussian(0.5), ProximalRecursion(0.4, 0.2, "cells"), 0.4)
    expected = flowed(
        mf.Langevin(HARMONIC), gaussian(0.5), ProximalRecursion(0.2, 0.1, "cells"), 0.2
    )
    np.testing.assert_allclose(found.mass, expected.mass, rtol=1e-7)


def test_the_last_step_keeps_the_temperature_of_epsilon():
    flow, scheme = mf.Langevin(HARMONIC), ProximalRecursion(0.1, 0.1, "cells")
    end = flowed(flow, gaussian(), scheme, 0.125)
    expected = flowed(flow, gaussian(), scheme, 0.1)
    expected = flowed(flow, expected, ProximalRecursion(0.025, 0.025, "cells"), 0.025)
    np.testing.assert_allclose(end.mass, expected.mass, rtol=1e-7)


@pytest.mark.parametrize("block", [1, 70, 10**6])
def test_smoothing_neither_overflows_nor_vanishes(block, monkeypatch):
    monkeypatch.setattr(proximal, "BLOCK", block)
    rng = np.random.default_rng(1)
    at, points = rng.standard_normal((9, 3)), 50 * rng.standard_normal((7, 3))
    logs = np.array([0.0, 1e5, -1e5, -np.inf, 3.0, 1e5, 0.0])
    distance = ((at[:, None] - points) ** 2).sum(axis=2)
    expected = logsumexp(logs - distance / (2 * 1e-3), axis=1)
    np.testing.assert_allclose(proximal.smoothed(at, points, logs, 1e-3), expected, rtol=1e-13)


def test_particles_without_mass_receive_some():
    start = gaussian()
    mass = np.where(np.abs(GRID) < 1, start.mass, 0.0)
    start = start.having(mass=mass / mass.sum())
    end = flowed(mf.Langevin(HARMONIC), start, ProximalRecursion(0.1, 0.1, "cells"), 0.1)
    assert np.all(end.mass[np.abs(GRID) < 2] > 0)
    assert end.mass.sum() == pytest.approx(1.0, rel=1e-7)


def test_what_is_refused():
    flow, scheme = mf.Langevin(HARMONIC), ProximalRecursion(0.1, 0.2)
    with pytest.raises(InvalidInput, match=r"^epsilon = 0\.2: expected a number < 2hτ = 0\.16 \("):
        scheme.check(flow)
    ProximalRecursion(0.1, 0.2, "densities").check(flow)
    with pytest.raises(Unsupported, match="'proximal-recursion' is for flows with noise: use"):
        scheme.check(mf.Langevin(mf.L2()))
    with pytest.raises(Unsupported, match="flows without constraints: use 'euler-maruyama'"):
        scheme.check(mf.Langevin(HARMONIC, constraint={"x": "sphere"}))
    with pytest.raises(InvalidInput, match=r"^weights = 'grid': expected one of cells, masses"):
        ProximalRecursion(0.1, 0.1, "grid")
    still = mf.Langevin(HARMONIC, mobility={"x": 0.0})
    with pytest.raises(Unsupported, match="has no mobility 0"):
        flowed(still, gaussian(), ProximalRecursion(0.1, 0.1), 0.1)


def test_a_recursion_that_does_not_converge_says_what_to_do():
    scheme = ProximalRecursion(0.1, 0.001, "cells", iterations=5)
    run = mf.simulate(mf.Langevin(HARMONIC), gaussian(), scheme=scheme, until=0.1, observe=())
    assert run.status == "diverged"
    assert "in 5 iterations, each of which leaves 0.9876 of the error; try a larger epsilon" in (
        run.stop_reason
    )
