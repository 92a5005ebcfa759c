"""The logistic function as a mixture of normal distribution functions."""

import math

import numpy as np
from scipy.special import expit, ndtr

from meanfield.kernels.mixture import SPREADS, WEIGHTS

T = np.linspace(-45.0, 45.0, 2001)


def test_mixture_is_the_logistic_function():
    mixture = ndtr(T[:, None] / (2.0 * np.array(SPREADS))) @ WEIGHTS
    np.testing.assert_allclose(mixture, expit(T), rtol=0, atol=2e-14)


def test_its_slope():
    x = T[:, None] / (2.0 * np.array(SPREADS))
    density = np.exp(-0.5 * x * x) / math.sqrt(2.0 * math.pi)
    slope = density @ (np.array(WEIGHTS) / (2.0 * np.array(SPREADS)))
    np.testing.assert_allclose(slope, expit(T) * expit(-T), rtol=0, atol=6e-14)


def test_nodes_have_the_moments_of_kolmogorovs_law():
    assert math.fsum(WEIGHTS) == 1.0
    mean, square = np.dot(WEIGHTS, SPREADS), np.dot(WEIGHTS, np.square(SPREADS))
    np.testing.assert_allclose(mean, math.sqrt(math.pi / 2.0) * math.log(2.0), rtol=1e-14)
    np.testing.assert_allclose(square, math.pi**2 / 12.0, rtol=1e-14)
