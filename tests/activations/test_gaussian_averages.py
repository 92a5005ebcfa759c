"""Averages over Gaussian inputs and their gradients, against nested quadrature."""

import dataclasses

import numpy as np
import pytest

from meanfield.activations import make
from meanfield.kernels.population import Projected, interact
from meanfield.kernels.quadrature import gaussian_mean, gaussian_pair
from tests.references import DEFINITIONS, average, interaction

# Without compilation, kernels warn where IEEE arithmetic gives inf.
pytestmark = pytest.mark.filterwarnings(
    "ignore:(overflow|divide by zero) encountered in scalar:RuntimeWarning"
)

every = pytest.mark.parametrize("case", DEFINITIONS, ids=lambda case: str(case.activation))


def kernel(activation, w1, b1, w2, b2, mean, root):
    """K and its gradients in w1 and b1, for one pair of neurons with outer weights 1."""
    target = Projected(np.array([w1]), np.array([b1]), mean, root)
    source = Projected(np.array([w2]), np.array([b2]), mean, root)
    outer, d_mean, inner = interact(activation, target, np.ones((1, 1)), source, np.ones((1, 1)))
    return outer[0, 0], d_mean[0] * mean + root @ inner[0], d_mean[0]


def random_pair(seed, dim, size, bias):
    """Two neurons and a Gaussian law; not nearly parallel, where the reference is not accurate."""
    rng = np.random.default_rng(seed)
    root = np.eye(dim) + 0.4 * rng.standard_normal((dim, dim))
    mean = bias * rng.standard_normal(dim)
    b1, b2 = bias * rng.standard_normal(2)
    while True:
        w1, w2 = size * rng.standard_normal((2, dim)) / np.sqrt(dim)
        a1, a2 = root.T @ w1, root.T @ w2
        if abs(a1 @ a2) < 0.8 * np.linalg.norm(a1) * np.linalg.norm(a2):
            return w1, b1, w2, b2, mean, root


@every
@pytest.mark.parametrize(
    ("dim", "size", "bias"), [(2, 1.0, 0.7), (3, 0.3, 1.0), (7, 1.6, 0.4), (3, 1.2, 0.0)]
)
def test_kernel_and_gradients(case, dim, size, bias):
    activation = case.activation
    neurons = random_pair(len(case.kind) + 10 * dim, dim, size, bias)
    value, grad, d_bias = kernel(activation, *neurons)
    value_, grad_, d_bias_ = interaction(case, *neurons)
    scale = max(1.0, abs(value_), np.abs(grad_).max(), abs(d_bias_))
    assert abs(value - value_) < 1e-11 * scale
    assert np.abs(grad - grad_).max() < 1e-11 * scale
    assert abs(d_bias - d_bias_) < 1e-11 * scale


@pytest.mark.parametrize("kind", ["tanh", "sigmoid", "softplus", "silu", "gelu", "erf"])
def test_large_weights(kind):
    """Activations are steps and ramps on the scale of the pre-activations, with many cuts."""
    (case,) = (c for c in DEFINITIONS if c.kind == kind)
    case = dataclasses.replace(case, kinks=tuple(range(-20, 21)))
    neurons = random_pair(3, 3, 150.0, 0.3)
    value, grad, d_bias = kernel(case.activation, *neurons)
    value_, grad_, d_bias_ = interaction(case, *neurons)
    assert value == pytest.approx(value_, rel=1e-11)
    assert np.linalg.norm(grad - grad_) < 1e-11 * np.linalg.norm(grad_)
    assert d_bias == pytest.approx(d_bias_, rel=1e-11)


@pytest.mark.parametrize("kind", ["tanh", "softplus"])
def test_trapezoid_rule_agrees(kind):
    """The rule for activations of one's own, on activations that we know otherwise."""
    activation = make(kind)
    p, pair = activation.parameters, gaussian_pair(activation.evaluate)
    for neurons in [(0.3, 1.0, -0.8, 0.7, 0.6, 0.8), (-1.0, 2.0, 0.4, 0.1, -0.8, 0.6)]:
        np.testing.assert_allclose(pair(p, *neurons), activation.pair(p, *neurons), atol=1e-12)
    for m, s in [(0.3, 1.7), (-2.0, 0.2), (0.4, 0.0)]:
        mean = gaussian_mean(activation.evaluate)(p, m, s)
        np.testing.assert_allclose(mean, activation.mean(p, m, s), atol=1e-12)


@every
@pytest.mark.parametrize(("m", "s"), [(0.3, 0.8), (-1.2, 2.1), (0.0, 1.0), (0.6, 0.05)])
def test_mean_and_its_derivatives(case, m, s):
    activation = case.activation
    value, slope, curve = activation.mean(activation.parameters, m, s)
    first = average(case.slope, m, s, case.kinks)
    second = average(lambda t: case.slope(t) * (t - m) / s, m, s, case.kinks)
    for place, height in case.jumps.items():
        z = (place - m) / s
        atom = height * np.exp(-0.5 * z * z) / np.sqrt(2 * np.pi) / s
        first, second = first + atom, second + z * atom
    scale = max(1.0, abs(first), abs(second))
    assert abs(value - average(case.value, m, s, case.kinks)) < 1e-12 * scale
    assert abs(slope - first) < 1e-12 * scale
    assert abs(curve - second) < 1e-12 * scale


@every
def test_mean_without_spread_is_the_function(case):
    activation = case.activation
    for m in (-0.7, 0.0, 0.9):
        value, slope, curve = activation.mean(activation.parameters, m, 0.0)
        at = (activation([m])[0], activation.slope([m])[0])
        np.testing.assert_allclose((value, slope), at, rtol=1e-15, atol=1e-15)
        assert curve == 0.0


@every
def test_diagonal(case):
    """The kernel of a neuron with itself, whose gradient is twice the one in the first argument."""
    activation, w, mean = case.activation, np.array([0.9, -0.5]), np.array([0.2, 0.4])
    value, grad, d_bias = kernel(activation, w, 0.3, w, 0.3, mean, np.eye(2))
    m, s = w @ mean + 0.3, np.linalg.norm(w)

    def square(t):
        return case.value(t) ** 2

    def chain(t):
        return case.value(t) * case.slope(t)

    first = average(chain, m, s, case.kinks)
    second = average(lambda t: chain(t) * (t - m) / s, m, s, case.kinks)
    for place, height in case.jumps.items():
        # Half the atom of (s^2)' at the jump of a function that is 0 on its left.
        z = (place - m) / s
        atom = 0.5 * height * np.exp(-0.5 * z * z) / np.sqrt(2 * np.pi) / s
        first, second = first + atom, second + z * atom
    scale = max(1.0, abs(value))
    assert abs(value - average(square, m, s, case.kinks)) < 1e-12 * scale
    assert abs(d_bias - first) < 1e-12 * scale
    np.testing.assert_allclose(grad, first * mean + second * w / s, rtol=0, atol=1e-11 * scale)


@every
@pytest.mark.parametrize("bias", [0.0, 0.6, -0.8])
def test_target_of_weight_zero(case, bias):
    """u = bias is certain: K = s(b) E s(v), and s'(b) takes the place of E s'(u)."""
    activation = case.activation
    w, mean = np.array([0.7, -1.1]), np.array([0.4, 0.3])
    root = np.array([[1.0, 0.0], [0.3, 0.8]])
    value, grad, d_bias = kernel(activation, np.zeros(2), bias, w, -0.2, mean, root)
    m, s = w @ mean - 0.2, np.linalg.norm(root.T @ w)
    here, slope = activation([bias])[0], activation.slope([bias])[0]
    mean_v, slope_v, _ = activation.mean(activation.parameters, m, s)
    scale = max(1.0, abs(mean_v), abs(slope_v))
    assert abs(value - here * mean_v) < 1e-14 * scale
    assert abs(d_bias - slope * mean_v) < 1e-14 * scale
    expected = slope * (mean_v * mean + slope_v * root @ root.T @ w)
    np.testing.assert_allclose(grad, expected, rtol=0, atol=1e-13 * scale)


@every
@pytest.mark.parametrize("bias", [0.0, 0.6, -0.8])
def test_source_of_weight_zero(case, bias):
    activation = case.activation
    w, mean = np.array([0.7, -1.1]), np.array([0.4, 0.3])
    value, grad, d_bias = kernel(activation, w, -0.2, np.zeros(2), bias, mean, np.eye(2))
    there = activation([bias])[0]
    m, s = w @ mean - 0.2, np.linalg.norm(w)
    mean_u, slope_u, curve_u = activation.mean(activation.parameters, m, s)
    assert value == pytest.approx(there * mean_u, abs=1e-14)
    assert d_bias == pytest.approx(there * slope_u, abs=1e-14)
    np.testing.assert_allclose(grad, there * (slope_u * mean + curve_u * w / s), atol=1e-13)


@every
def test_two_neurons_of_weight_zero(case):
    activation, zero, mean = case.activation, np.zeros(2), np.array([0.4, 0.3])
    value, grad, d_bias = kernel(activation, zero, 0.6, zero, -0.3, mean, np.eye(2))
    (here, there), slope = activation([0.6, -0.3]), activation.slope([0.6])[0]
    assert value == pytest.approx(here * there, abs=1e-15)
    assert d_bias == pytest.approx(slope * there, abs=1e-15)
    np.testing.assert_allclose(grad, d_bias * mean, atol=1e-15)


@pytest.mark.parametrize("case", [c for c in DEFINITIONS if not c.kinks], ids=lambda c: c.kind)
def test_weight_zero_is_the_limit_of_small_weights(case):
    activation = case.activation
    w, mean, root = np.array([0.7, -1.1]), np.array([0.4, 0.3]), np.eye(2)
    tiny = 1e-9 * np.array([0.6, 0.8])
    limit = kernel(activation, np.zeros(2), 0.5, w, -0.2, mean, root)
    near = kernel(activation, tiny, 0.5, w, -0.2, mean, root)
    for x, y in zip(limit, near, strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-7, atol=1e-7)
