"""Gradients from perturbed places."""

import numpy as np
import pytest

import meanfield as mf
from meanfield import random
from meanfield.errors import InvalidInput, Unsupported
from meanfield.functionals import MMD
from meanfield.schemes import NoiseInjection
from tests.conftest import size


def particles(count=6, columns=2, seed=0):
    rng = np.random.default_rng(seed)
    return mf.Ensemble(rng.standard_normal((count, columns)), rng.dirichlet(np.full(count, 2.0)))


def ending(flow, start, scheme, until=1.0, seed=3):
    return mf.simulate(flow, start, scheme=scheme, until=until, seed=seed, observe=()).final


def test_without_noise_it_is_euler():
    start = particles()
    flow = mf.Wasserstein(mf.L2() + MMD(particles(9, seed=1).position), {"x": 0.7})
    found = ending(flow, start, NoiseInjection(0.1, level=0.0)).position
    np.testing.assert_allclose(found, ending(flow, start, mf.Euler(0.1)).position, rtol=1e-13)


def test_a_step_is_its_definition():
    """∇F' of the particles, by the formula of the Gaussian kernel, at the places with noise."""
    start, other, h, level = particles(), particles(9, seed=1), 0.2, 0.5
    noise = random.normal(3, random.Stream.NOISE_INJECTION, 0, start.position.shape)
    seen = start.position + level * noise

    def slope(points, mass):
        d = seen[:, None] - points
        return -np.einsum("j,ij,ijp->ip", mass, np.exp(-0.5 * np.sum(d**2, axis=2)), d)

    gradient = 2 * (slope(start.position, start.mass) - slope(other.position, other.mass))
    flow = mf.Wasserstein(MMD(other.position, other.mass))
    found = ending(flow, start, NoiseInjection(h, level=level), until=h).position
    np.testing.assert_allclose(found, start.position - h * gradient, rtol=1e-12)


def test_on_a_ridge_the_noise_is_that_of_a_linear_recursion():
    """x ← x - h(x + βu) has the variance hβ²/(2 - h) at rest."""
    count, h, level = size(40_000, 1_000), 0.4, 0.8
    start = mf.Ensemble(np.zeros((count, 1)))
    end = ending(mf.Wasserstein(mf.L2()), start, NoiseInjection(h, level=level), until=16.0)
    exact = h * level**2 / (2 - h)
    assert abs(end.position.var() / exact - 1) < 5 * np.sqrt(2 / count)


def test_the_level_cools():
    start, h = mf.Ensemble(np.zeros((5, 1))), 0.5
    cool = {"kind": "power", "time": 1.0, "exponent": 0.5}
    end = ending(mf.Wasserstein(mf.L2()), start, NoiseInjection(h, 0.8, cool), until=2 * h)
    first, second = (random.normal(3, random.Stream.NOISE_INJECTION, n, (5, 1)) for n in (0, 1))
    expected = -(1 - h) * h * 0.8 * first - h * 0.8 / np.sqrt(1.5) * second
    np.testing.assert_allclose(end.position, expected, rtol=1e-13)


def test_noise_sees_a_slope_where_there_is_none():
    """Arbel et al. 2019: far from the samples MMD is flat, but not its mean over the noise.

    With k = e^{-x²/2} and noise of variance β², that is the slope of a kernel of variance 1 + β².
    Particles at one place push each other evenly to all sides.
    """
    count, away, h, level = size(10_000, 200), 4.0, 0.5, 2.0
    start = mf.Ensemble(np.full((count, 1), away))
    flow = mf.Wasserstein(MMD(np.zeros((1, 1))))
    stuck = ending(flow, start, mf.Euler(h), until=h).position - away
    found = ending(flow, start, NoiseInjection(h, level=level), until=h).position - away
    wide = 1 + level**2
    exact = -2 * h * away * wide**-1.5 * np.exp(-0.5 * away**2 / wide)
    error = found.std() / np.sqrt(count)
    assert abs(found.mean() - exact) < 4 * error < size(0.3, 2.0) * abs(exact)
    assert np.all(np.abs(stuck) < 0.05 * abs(exact))


def test_frozen_blocks_and_constraints_are_kept():
    network = mf.TwoLayer("tanh", 2, outer="fixed")
    rng = np.random.default_rng(0)
    data = mf.FiniteData(rng.standard_normal((6, 2)), rng.standard_normal(6))
    start = mf.SphereInit(8).draw(network.layout, 0)
    start.w[:] /= np.linalg.norm(start.w, axis=1, keepdims=True)
    flow = mf.Wasserstein(mf.Risk(network, data), constraint={"w": "sphere"})
    end = ending(flow, start, NoiseInjection(0.1, level=0.5))
    assert np.array_equal(end.a, start.a)
    np.testing.assert_allclose(np.linalg.norm(end.w, axis=1), 1.0, rtol=1e-14)
    assert np.all(end.w != start.w)


def test_what_is_refused():
    with pytest.raises(InvalidInput, match=r"^level = -1\.0: expected a finite number ≥ 0"):
        NoiseInjection(0.1, level=-1.0)
    with pytest.raises(InvalidInput, match=r"^cool\.kind = 'warm': expected one of"):
        NoiseInjection(0.1, cool="warm")
    flow = mf.Langevin(mf.L2() + 0.1 * mf.Entropy())
    with pytest.raises(Unsupported, match="'noise-injection' is for flows without noise"):
        mf.simulate(flow, particles(), scheme=NoiseInjection(0.1), until=1.0)
