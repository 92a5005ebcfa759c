"""Every step of the finite volumes keeps mass, sign and descent; the order is 2 in h."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meanfield.errors import InvalidInput, Unsupported
from meanfield.limits import Samples, normal
from meanfield.limits.finite_volumes import GridEnergy, advance, rates
from meanfield.limits.grid import Grid
from tests.orders import fitted_order


def bowl(points):
    return 0.5 * (points**2).sum(axis=1)


@st.composite
def energies(draw, dims=(1, 2)):
    """A random free energy on a box, with terms of any sign, and a random density."""
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    dim = draw(st.sampled_from(dims))
    grid = Grid([(-2.0, 2.0)] * dim, tuple(rng.integers(5, 12, dim)))
    waves, heights = rng.normal(size=(4, dim)) * 2, rng.normal(size=4) * rng.choice([0.1, 1, 10])
    inputs, targets = rng.normal(size=(3, dim)), rng.choice([-1.0, 1.0], 3)
    depth, strength = rng.normal(size=2)
    loss = draw(st.sampled_from(["squared", "logistic"]))
    energy = GridEnergy(
        grid,
        temperature=draw(st.sampled_from([0.0, 1e-3, 0.1, 1.0])),
        potential=lambda x: np.cos(x @ waves.T) @ heights,
        interaction=lambda x: depth * np.exp(-(x**2).sum(1)) + strength * np.sqrt((x**2).sum(1)),
        data=Samples(lambda x: np.tanh(x @ inputs.T), targets, loss),
    )
    density = rng.exponential(size=grid.cells) * (rng.uniform(size=grid.cells) < 0.7)
    density.flat[0] += 1.0
    return energy, grid.normalised(density)


@given(energies(), st.sampled_from([1e-3, 1e-2, 5e-2]))
def test_mass_sign_and_descent(made, step):
    energy, density = made
    free = energy.parts(density)["free_energy"]
    for _ in range(5):
        density = advance(energy, density, step)
        after = energy.parts(density)["free_energy"]
        assert density.min() >= 0.0
        if energy.temperature > 0.01:
            assert density.min() > 0.0
        assert density.sum() * energy.grid.volume == pytest.approx(1.0, abs=1e-13)
        assert after <= free + 1e-10
        free = after


@given(energies(dims=(1,)))
def test_the_energy_falls_by_the_dissipation_at_least(made):
    """F(ρ') ≤ F(ρ) − Δt Σ J (ξ_i − ξ_{i+1})."""
    energy, density = made
    step, (width,) = 0.01, energy.grid.widths
    for _ in range(3):
        after = advance(energy, density, step)
        u = energy.secant(density, after)
        ahead, back = (rates(s * np.diff(u), energy.temperature) / width for s in (1, -1))
        flux = ahead * after[:-1] - back * after[1:]
        np.testing.assert_allclose(  # the step is the balance of these fluxes
            after - density,
            -step / width * np.diff(np.concatenate([[0.0], flux, [0.0]])),
            atol=1e-10 * after.max(),
        )
        potential = u + energy.temperature * np.log(np.maximum(after, 1e-300))
        falls = -(flux * np.diff(potential)).sum()
        change = energy.parts(after)["free_energy"] - energy.parts(density)["free_energy"]
        assert falls >= -1e-12
        assert change <= -step * falls + 1e-10
        density = after


@given(energies())
def test_the_first_variation_is_that_of_a_secant(made):
    """F(ρ') − F(ρ) = ∫u (ρ' − ρ) without the entropy, for densities far from each other."""
    energy, density = made
    other = energy.grid.normalised(np.random.default_rng(1).uniform(size=density.shape))
    change = energy.parts(other)["energy"] - energy.parts(density)["energy"]
    along = (energy.secant(density, other) * (other - density)).sum() * energy.grid.volume
    assert along == pytest.approx(change, rel=1e-4, abs=1e-5)  # the logistic loss: not exact


def test_the_gibbs_measure_is_at_rest():
    grid = Grid([(-2.0, 2.0), (-1.0, 3.0)], (12, 9))
    energy = GridEnergy(grid, 0.3, bowl)
    gibbs = grid.normalised(np.exp(-grid.values(bowl) / 0.3))
    np.testing.assert_allclose(advance(energy, gibbs, 10.0), gibbs, rtol=1e-12)
    far = advance(energy, grid.normalised(np.ones(grid.cells)), 1e8)
    np.testing.assert_allclose(far, gibbs, atol=1e-6)


def variance_error(cells, count, temperature=0.5, until=0.5):
    """Of the Ornstein–Uhlenbeck process, from variance ¼."""
    grid = Grid([(-6.0, 6.0)], (cells,))
    energy = GridEnergy(grid, temperature, bowl)
    density = grid.normalised(grid.averages(normal(0.0, 0.5)))
    for _ in range(count):
        density = advance(energy, density, until / count)
    decay = np.exp(-2 * until)
    found = density * grid.volume @ grid.centres[:, 0] ** 2
    return abs(found - (0.25 * decay + temperature * (1 - decay)))


def test_order_two_in_the_width():
    def error(cells):
        return variance_error(cells, cells * cells // 8)  # steps like h²

    assert fitted_order(error, [40, 80, 160]) == pytest.approx(2.0, abs=0.1)


def test_order_one_in_the_step_and_in_the_width_without_noise():
    def in_time(count):
        return variance_error(1200, count)

    def without_noise(cells):
        return variance_error(cells, cells, temperature=0.0)

    assert fitted_order(in_time, [8, 16, 32]) == pytest.approx(1.0, abs=0.1)
    assert fitted_order(without_noise, [100, 200, 400]) == pytest.approx(1.0, abs=0.1)


def test_rates_between_upwind_and_diffusion():
    rise = np.array([-800.0, -1.0, 0.0, 1e-9, 1.0, 800.0])
    np.testing.assert_allclose(rates(rise, 0.0), np.maximum(-rise, 0.0))
    # What goes minus what comes back is the drift, at every temperature.
    for temperature in (1e-3, 1.0, 10.0):
        difference = rates(rise, temperature) - rates(-rise, temperature)
        np.testing.assert_allclose(difference, -rise, rtol=1e-10, atol=1e-14)
    assert rates(np.zeros(1), 0.7)[0] == 0.7


def test_a_step_that_is_too_long_for_the_interaction_is_told():
    grid = Grid([(-2.0, 2.0)], (40,))
    energy = GridEnergy(grid, 0.01, bowl, lambda apart: 50.0 * np.exp(-20 * apart[:, 0] ** 2))
    density = grid.normalised(grid.averages(normal(0.3, 0.2)))
    with pytest.raises(Unsupported, match="take a shorter step"):
        advance(energy, density, 10.0)


def test_features_of_another_shape_are_told():
    grid = Grid([(-2.0, 2.0)], (4,))
    with pytest.raises(InvalidInput, match=r"features = \(4, 1\): expected the shape \(4, 2\)"):
        GridEnergy(grid, 0.1, data=Samples(lambda points: points, [1.0, 2.0]))
