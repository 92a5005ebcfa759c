"""The estimate of ∫ ρ log ρ: against its definition, and against laws whose entropy is known."""

import numpy as np
import pytest
from scipy.special import digamma, gamma

import meanfield as mf
from meanfield.errors import InvalidInput, Unsupported


def naive_estimate(points, k):
    """Minus the estimator of Kozachenko and Leonenko, from all distances."""
    n, d = points.shape
    distance = np.sqrt(((points[:, None] - points) ** 2).sum(axis=2))
    nearest = np.sort(distance, axis=1)[:, k]
    ball = np.pi ** (d / 2) / gamma(d / 2 + 1)
    return -(digamma(n) - digamma(k) + np.log(ball) + d * np.log(nearest).mean())


@pytest.mark.parametrize("d", [1, 2, 3])
@pytest.mark.parametrize("k", [1, 3, 5])
def test_against_the_definition(d, k, rng):
    points = rng.normal(size=(60, d))
    assert mf.Entropy(k).value(mf.Ensemble(points)) == pytest.approx(
        naive_estimate(points, k), rel=1e-12
    )


@pytest.mark.parametrize("d", [1, 2])
def test_normal_law(d, rng):
    # The standard deviation is that of -log ρ, √(d/2), and of log distances, about 1/√k.
    n, width = 20_000, 1.7
    exact = -0.5 * d * (1 + np.log(2 * np.pi * width**2))
    error = np.sqrt((d / 2 + 1 / 3) / n)
    found = mf.Entropy().value(mf.Ensemble(width * rng.normal(size=(n, d))))
    assert abs(found - exact) < 4 * error + 5e-3  # the bias of the estimate at the tails
    assert abs(found + exact) > 20 * error  # the other sign


def test_uniform_law(rng):
    n = 20_000
    found = mf.Entropy().value(mf.Ensemble(rng.uniform(-1.0, 3.0, size=(n, 1))))
    assert abs(found + np.log(4)) < 4 * np.sqrt(1 / (3 * n)) + 1e-3


def test_scaling_shifts_it_by_a_logarithm(rng):
    points = rng.normal(size=(100, 3))
    a, b = (mf.Entropy().value(mf.Ensemble(s * points)) for s in (1.0, 5.0))
    assert b - a == pytest.approx(-3 * np.log(5), rel=1e-12)


def test_frozen_blocks_are_labels(rng):
    network = mf.TwoLayer("relu", 2, outer="fixed")
    w = rng.normal(size=(50, 2))
    ensemble = network.ensemble(w, rng.choice([-1.0, 1.0], size=50))
    assert mf.Entropy().value(ensemble) == mf.Entropy().value(mf.Ensemble(w))


def test_atoms_have_infinite_entropy():
    assert mf.Entropy().value(mf.Ensemble(np.zeros((10, 2)))) == np.inf


def test_what_has_no_estimate(rng):
    points = rng.normal(size=(5, 2))
    with pytest.raises(Unsupported, match="equal masses and more than 3 particles"):
        mf.Entropy().value(mf.Ensemble(points, rng.dirichlet(np.ones(5))))
    with pytest.raises(Unsupported, match="equal masses and more than 5 particles"):
        mf.Entropy(5).value(mf.Ensemble(points))
    with pytest.raises(InvalidInput, match="neighbour = 0"):
        mf.Entropy(0)
    with pytest.raises(Unsupported, match="no gradient on particles: the flow 'langevin'"):
        mf.Entropy().gradient(mf.Ensemble(points))
