"""Slopes, constants and limits, with intervals that hold what they claim."""

from __future__ import annotations

import numpy as np
import pytest

import meanfield as mf
from meanfield.sweeps.statistics import extrapolate, mean, slope
from tests.conftest import size

SIZES = np.array([50.0, 100.0, 200.0, 400.0])


@pytest.mark.parametrize("power", [-1.0, -0.5, 2.0])
def test_a_slope_without_noise(power):
    found = slope(SIZES, np.outer(SIZES**power, [3.0, 3.0, 3.0]))
    np.testing.assert_allclose(found, power, atol=1e-12)


def test_a_slope_is_that_of_the_means(rng):
    samples = rng.chisquare(1, (4, 9)) / SIZES[:, None]
    expected = np.polyfit(np.log(SIZES), np.log(samples.mean(axis=1)), 1)[0]
    found = slope(SIZES, samples)
    assert found.value == pytest.approx(expected)
    assert found.low < expected < found.high
    assert found == slope(SIZES, samples)  # seeded
    assert found != slope(SIZES, samples, seed=1)


@pytest.mark.parametrize("coupled", [False, True])
@pytest.mark.parametrize("freedom", [1, 8])
def test_intervals_of_slopes_cover(rng, freedom, coupled):
    """Squares of Gaussians, whose mean is hard to know from 16; alike or not at all N."""
    trials, hits = size(400, 200), 0
    for trial in range(trials):
        drawn = rng.chisquare(freedom, (1 if coupled else 4, 16)) / freedom
        noise = rng.chisquare(30, (4, 16)) / 30
        found = slope(SIZES, drawn * noise / SIZES[:, None], resamples=400, seed=trial)
        hits += found.low <= -1.0 <= found.high
    # 0.95 but for what the bootstrap is off, and four standard errors of the count.
    assert 0.91 - 4 * np.sqrt(0.05 * 0.95 / trials) < hits / trials < 0.99


@pytest.mark.parametrize("replicas", [2, 3])
def test_few_replicas_have_wide_intervals(rng, replicas):
    """Two have no resample but themselves: that is no certainty."""
    trials = 400
    drawn = rng.chisquare(8, (trials, 4, replicas)) / 8
    found = [slope(SIZES, errors / SIZES[:, None], resamples=50) for errors in drawn]
    hits = sum(low <= -1.0 <= high for _, low, high in found)
    assert 0.93 - 4 * np.sqrt(0.05 * 0.95 / trials) < hits / trials < 0.99


def test_coupling_makes_slopes_sharper(rng):
    common = rng.chisquare(1, (1, 16)) * (1 + 0.01 * rng.standard_normal((4, 16)))
    apart = rng.chisquare(1, (4, 16))
    width = [np.ptp(slope(SIZES, errors / SIZES[:, None])[1:]) for errors in (common, apart)]
    assert width[0] < 0.1 * width[1]


def test_replicas_that_lack_a_size_are_left_out(rng):
    samples = rng.chisquare(3, (4, 8))
    holes = np.hstack([samples, samples[:, :1]])
    holes[2, -1] = np.nan
    assert slope(SIZES, holes) == slope(SIZES, samples)


def test_no_slope():
    assert np.isnan(slope(SIZES, np.zeros((4, 3)))).all()
    assert np.isnan(slope(SIZES, np.ones((4, 1)))).all()
    for sizes in ([50.0], [50.0, 50.0], [50.0, -1.0]):
        with pytest.raises(mf.InvalidInput, match="sizes"):
            slope(sizes, np.ones((len(sizes), 3)))
    with pytest.raises(mf.InvalidInput, match="samples"):
        slope(SIZES, np.ones((3, 3)))


def test_the_mean_has_students_interval(rng):
    from scipy.stats import t

    values = rng.standard_normal(7)
    expected = t.interval(0.95, 6, values.mean(), values.std(ddof=1) / np.sqrt(7))
    np.testing.assert_allclose(mean(values)[1:], expected)


def test_richardson_of_two_sizes_is_his():
    """Q = (N₂Q₂ - N₁Q₁)/(N₂ - N₁), for every replica."""
    samples = np.array([[2.0, 2.1, 1.9], [1.5, 1.6, 1.5]])
    limit, constant = extrapolate(1.0 / np.array([10.0, 40.0]), samples)
    limits = (40 * samples[1] - 10 * samples[0]) / 30
    np.testing.assert_allclose(limit, mean(limits))
    np.testing.assert_allclose(constant.value, ((samples[0] - limits) * 10).mean())


def test_richardson_of_several_sizes_is_the_weighted_fit(rng):
    samples = rng.standard_normal((4, 5))
    constant, limit = np.polyfit(1 / SIZES, samples.mean(axis=1), 1, w=np.sqrt(SIZES))
    found = extrapolate(1 / SIZES, samples, SIZES)
    assert [each.value for each in found] == pytest.approx([limit, constant])


@pytest.mark.parametrize("weights", [None, SIZES])
def test_richardson_finds_limits_and_constants(rng, weights):
    """Within its intervals, in 95 of 100."""
    hits, trials = np.zeros(2), 400
    for _ in range(trials):
        noise = rng.standard_normal((4, 12)) / np.sqrt(SIZES)[:, None]
        found = extrapolate(1 / SIZES, 0.3 + 2.0 / SIZES[:, None] + 0.1 * noise, weights)
        hits += [e.low <= exact <= e.high for e, exact in zip(found, (0.3, 2.0), strict=True)]
    np.testing.assert_allclose(hits / trials, 0.95, atol=4 * np.sqrt(0.05 * 0.95 / trials))
    one, _ = extrapolate(1 / SIZES, np.outer(0.3 + 2.0 / SIZES, np.ones(3)), weights)
    np.testing.assert_allclose(one, 0.3, atol=1e-12)
