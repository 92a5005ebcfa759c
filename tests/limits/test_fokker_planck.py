"""The equation against closed forms, and its rest against other routes to the same state."""

import math

import numpy as np
import pytest

from meanfield.errors import InvalidInput
from meanfield.limits import FokkerPlanck, Samples, SelfConsistent, Spectrum, normal, oracles

TIMES = [0.0, 0.5, 1.0, 2.0]


def bowl(points):
    return 0.5 * (points**2).sum(axis=1)


def wells(points):
    return ((points**2 - 1) ** 2).sum(axis=1) / 4


def holds(limit, exact, most):
    """Every series is within its error, and the error is small."""
    for name, expected in exact.items():
        errors = limit.error(name)
        off = np.abs(limit[name].reshape(len(limit.times), -1) - np.reshape(expected, (4, -1)))
        assert (off <= errors.reshape(off.shape) + 1e-7).all(), name  # 1e-7: of the start
        assert errors.max() < most, name


@pytest.mark.parametrize("dim", [1, 2])
def test_springs_and_a_bowl(dim):
    """m' = -m, v' = -2(1 + κ)v + 2τ for each coordinate, from a normal law."""
    stiffness, temperature, t = 1.5, 0.4, np.array(TIMES)
    start = [1.0, -0.5][:dim]
    oracle = FokkerPlanck(
        normal(start, 0.7),
        [(-5.0, 5.0)] * dim,
        temperature,
        potential=bowl,
        interaction=lambda apart: stiffness * bowl(apart),
        cells=[320, 60][dim - 1],
        step=[0.005, 0.02][dim - 1],
    )
    mean = np.outer(np.exp(-t), start)
    decay = np.exp(-2 * (1 + stiffness) * t)
    variance = 0.49 * decay + temperature / (1 + stiffness) * (1 - decay)
    second = mean**2 + variance[:, None]
    entropy = -0.5 * dim * (np.log(2 * np.pi * variance) + 1)
    potential, interaction = 0.5 * second.sum(axis=1), 0.5 * dim * stiffness * variance
    exact = {
        "mean": mean,
        "second_moment": second,
        "potential": potential,
        "interaction": interaction,
        "energy": potential + interaction,
        "entropy": entropy,
        "free_energy": potential + interaction + temperature * entropy,
    }
    limit = oracle.at(TIMES)
    assert set(limit.series) == set(exact)
    holds(limit, exact, most=[0.002, 0.05][dim - 1])
    assert limit["mean"].shape == (4, dim)
    assert "at the walls the density is" in limit.how


def test_heat_without_any_force():
    limit = FokkerPlanck(normal(0.0, 0.5), [(-8.0, 8.0)], 0.5, cells=400).at(TIMES)
    holds(limit, {"mean": [0.0] * 4, "second_moment": 0.25 + np.array(TIMES)}, most=1e-3)
    assert limit["energy"].tolist() == [0.0] * 4


def test_charges_on_a_line_without_noise():
    """W = -|x|: a block of width L stays one, of width L + 2t; its second moment is L²/12."""
    oracle = FokkerPlanck(
        lambda x: (np.abs(x[:, 0]) < 0.5).astype(float),
        [(-3.0, 3.0)],
        interaction=lambda apart: -np.abs(apart[:, 0]),
        cells=480,
        step=0.005,
    )
    widths = 1.0 + 2.0 * np.array(TIMES)
    limit = oracle.at(TIMES)
    holds(limit, {"second_moment": widths**2 / 12, "energy": -widths / 6}, most=0.2)
    positions = oracle.measure(1.0, 9).position[:, 0]
    np.testing.assert_allclose(positions, 3.0 * ((np.arange(9) + 0.5) / 9 - 0.5), atol=0.02)


@pytest.mark.parametrize("share", [0.6, 1.3])
def test_the_rest_of_particles_drawn_to_their_mean_is_self_consistent(share):
    """On both sides of the transition, where the equation breaks the symmetry by itself."""
    coupling, temperature = 1.0, share * 0.4569465810444636
    oracle = FokkerPlanck(
        normal(0.1, 0.7),
        [(-3.5, 3.5)],
        temperature,
        potential=wells,
        interaction=lambda apart: coupling * bowl(apart),
        cells=280,
        step=0.05,
    )
    end = oracle.at([100.0])
    rest = SelfConsistent(wells, coupling, temperature, near=1.0 if share < 1 else 0.0).at()
    for name in end.series:
        allowed = end.error(name) + 1e-8
        assert np.all(np.abs(end[name] - rest[name]) <= allowed), name
        assert allowed.max() < 1e-4, name


def test_neurons_on_samples_rest_at_the_fixed_point():
    """φ = tanh(wx): the outputs at rest, by Newton's method in the three outputs to 8 digits."""
    x = np.array([-1.0, 0.5, 2.0])
    oracle = FokkerPlanck(
        normal(0.0, 1.0),
        [(-7.0, 7.0)],
        0.05,
        potential=lambda w: 0.1 * bowl(w),
        data=Samples(lambda w: np.tanh(w * x), [-0.3, 0.5, 0.6]),
        cells=280,
        step=0.1,
    )
    limit = oracle.at([150.0])
    assert limit["risk"][0] == pytest.approx(0.0148975, abs=1e-7)
    assert limit.error("risk") < 1e-6
    (density,) = oracle.densities([150.0])
    outputs = oracle.energy().outputs(density)[:, 0]
    np.testing.assert_allclose(outputs, [-0.37223862, 0.22747942, 0.50050424], atol=2e-5)


def test_the_mean_relaxes_at_the_spectral_gap():
    temperature = 0.2
    oracle = FokkerPlanck(
        normal(1.0, 0.3), [(-3.0, 3.0)], temperature, potential=wells, cells=240, step=0.01
    )
    limit = oracle.at([6.0, 12.0])
    rate = np.log(limit["mean"][0] / limit["mean"][1]) / 6.0
    gap = Spectrum(wells, [(-3.0, 3.0)], temperature).at()
    assert rate[0] == pytest.approx(gap["gap"][0], rel=1e-3)


def test_particles_of_a_time():
    oracle = FokkerPlanck(normal(1.0, 0.5), [(-5.0, 5.0)] * 2, 0.5, bowl, cells=40, step=0.05)
    found = oracle.measure(0.5, 100)
    assert len(found) <= 100
    limit = oracle.at([0.5])
    mean = found.mass @ found.position
    np.testing.assert_allclose(mean, limit["mean"][0], atol=limit.error("mean").max() + 0.01)


def test_what_is_wrong_is_told():
    assert oracles["fokker-planck"] is FokkerPlanck
    with pytest.raises(InvalidInput, match="cells = 30: expected a multiple of 4"):
        FokkerPlanck(bowl, [(-1, 1)], cells=30)
    with pytest.raises(InvalidInput, match="temperature"):
        FokkerPlanck(bowl, [(-1, 1)], temperature=-1.0)
    with pytest.raises(InvalidInput, match="times"):
        FokkerPlanck(bowl, [(-1, 1)]).at([math.inf])
