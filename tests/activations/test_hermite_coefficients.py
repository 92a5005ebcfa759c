"""E[s(m + s Z) He_k(Z)], against quadrature."""

import mpmath as mp
import numpy as np
import pytest

from meanfield.activations import Softplus, Tanh, make
from meanfield.activations.base import Activation
from tests.references import DEFINITIONS, hermite_coefficients

DEGREE = 8
SIZES = np.sqrt([float(mp.factorial(k)) for k in range(DEGREE + 1)])
every = pytest.mark.parametrize("case", DEFINITIONS, ids=lambda case: str(case.activation))


@every
def test_against_quadrature(case):
    mean, std = np.array([0.3, -1.1, 0.0, 2.0]), np.array([0.8, 0.3, 1.7, 1.2])
    coefficients = case.activation.hermite(mean, std, DEGREE)
    assert coefficients.shape == (4, DEGREE + 1)
    for m, s, row in zip(mean, std, coefficients, strict=True):
        expected = hermite_coefficients(case, m, s, DEGREE)
        scale = max(1.0, np.abs(expected / SIZES).max())
        np.testing.assert_allclose(row / SIZES, expected / SIZES, rtol=0, atol=1e-12 * scale)


@every
def test_low_degrees_are_the_first_columns(case):
    mean, std = np.array([0.3, -0.2]), np.array([0.8, 1.3])
    full = case.activation.hermite(mean, std, 5)
    for degree in range(5):
        part = case.activation.hermite(mean, std, degree)
        np.testing.assert_allclose(part, full[:, : degree + 1], rtol=1e-14, atol=1e-300)


@every
def test_the_first_three_are_the_mean_and_its_derivatives(case):
    activation = case.activation
    for m, s in [(0.4, 0.9), (-0.3, 2.0), (0.1, 1e-3)]:
        value, slope, curve = activation.mean(activation.parameters, m, s)
        (row,) = activation.hermite(np.array([m]), np.array([s]), 2)
        scale = max(1.0, abs(value), abs(slope), abs(curve))
        np.testing.assert_allclose(row, [value, s * slope, s * curve], atol=1e-13 * scale)


@every
def test_weights_of_tiny_size(case):
    """c_k ~ s^k s^(k)(m) / 1, to the digits of c_1 and not only of c_0."""
    activation, m, s = case.activation, 0.37, 1e-8
    (row,) = activation.hermite(np.array([m]), np.array([s]), 4)
    slope = activation.slope([m])[0]
    np.testing.assert_allclose(row[0], activation([m])[0], rtol=1e-13)
    np.testing.assert_allclose(row[1], s * slope, rtol=1e-12, atol=1e-300)
    assert np.abs(row[2:]).max() < 1e-15 * max(1.0, abs(slope))


@every
def test_weights_of_zero_size(case):
    activation = case.activation
    coefficients = activation.hermite(np.array([0.4, -0.3, 0.0]), np.zeros(3), 4)
    np.testing.assert_allclose(coefficients[:, 0], activation([0.4, -0.3, 0.0]), rtol=1e-13)
    np.testing.assert_array_equal(coefficients[:, 1:], 0.0)


@pytest.mark.parametrize("kind", ["step", "relu", "erf", "gelu", "probit", "tanh", "silu"])
def test_weights_of_large_size(kind):
    (case,) = (c for c in DEFINITIONS if c.kind == kind)
    for m, s in [(3e5, 1e6), (-1e6, 1e6), (0.0, 1e6)]:
        (row,) = case.activation.hermite(np.array([m]), np.array([s]), DEGREE)
        expected = hermite_coefficients(case, m, s, DEGREE)
        scale = max(1.0, np.abs(expected / SIZES).max())
        np.testing.assert_allclose(row / SIZES, expected / SIZES, rtol=0, atol=1e-12 * scale)


@pytest.mark.parametrize("kind", ["step", "relu"])
def test_tiny_weights_at_the_kink(kind):
    """Homogeneous: only m/s matters, and the size comes in as a factor."""
    activation = make(kind)
    small = activation.hermite(np.array([3e-9]), np.array([1e-8]), DEGREE)
    whole = activation.hermite(np.array([0.3]), np.array([1.0]), DEGREE)
    np.testing.assert_allclose(small, whole * 1e-8**activation.homogeneity, rtol=1e-13)


@pytest.mark.parametrize("activation", [Tanh(), Softplus()], ids=lambda a: a.kind)
def test_trapezoid_rule_agrees(activation):
    """What activations of one's own use."""
    mean, std = np.array([0.3, -1.1, 0.2]), np.array([0.8, 3.1, 1e-8])
    expected = activation.hermite(mean, std, DEGREE)
    computed = Activation.hermite(activation, mean, std, DEGREE)
    np.testing.assert_allclose(computed / SIZES, expected / SIZES, rtol=0, atol=1e-12)
    np.testing.assert_allclose(computed[2, 1], expected[2, 1], rtol=1e-12)


def test_series_adds_up_to_the_kernel():
    """sum_k c_k(u) c_k(v) rho^k / k! = K (Mehler)."""
    rho, neurons = 0.4, (0.3, 0.8, -0.5, 1.1)
    for kind in ("erf", "relu", "tanh", "gelu"):
        activation = make(kind)
        m1, s1, m2, s2 = neurons
        c = activation.hermite(np.array([m1, m2]), np.array([s1, s2]), 30)
        weights = [float(mp.mpf(rho) ** k / mp.factorial(k)) for k in range(31)]
        value = activation.pair(activation.parameters, *neurons, rho, np.sqrt(1 - rho**2))[0]
        np.testing.assert_allclose((c[0] * c[1]) @ weights, value, rtol=1e-12)
