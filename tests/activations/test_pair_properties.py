"""What holds for every pair of neurons: symmetry, Cauchy-Schwarz, finite numbers."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meanfield.activations import make

# Without compilation, kernels warn where IEEE arithmetic gives inf.
pytestmark = pytest.mark.filterwarnings(
    "ignore:(overflow|divide by zero) encountered in scalar:RuntimeWarning"
)

KINDS = [
    *("step", "relu", "leaky-relu", "abs", "linear", "quadratic", "monomial"),
    *("erf", "probit", "gelu", "sin", "cos", "bump", "tanh", "sigmoid", "softplus", "silu"),
]

means = st.floats(-5.0, 5.0)
stds = st.floats(-3.0, 3.0).map(lambda x: 10.0**x)
angles = st.floats(0.0, math.pi) | st.floats(-12.0, 0.0).map(lambda x: 10.0**x)


def check(kind, m1, s1, m2, s2, angle):
    activation = make(kind)

    def pair(*neurons):
        return activation.pair(activation.parameters, *map(np.float64, neurons))

    rho, r = math.cos(angle), math.sin(angle)
    there = pair(m1, s1, m2, s2, rho, r)
    back = pair(m2, s2, m1, s1, rho, r)
    assert np.isfinite(there).all()
    bound = math.sqrt(pair(m1, s1, m1, s1, 1.0, 0.0)[0] * pair(m2, s2, m2, s2, 1.0, 0.0)[0])
    assert abs(there[0] - back[0]) <= 1e-12 * bound + 1e-15
    assert abs(there[0]) <= bound * (1 + 1e-12) + 1e-15


@pytest.mark.parametrize("kind", KINDS)
@given(means, stds, means, stds, angles)
def test_symmetric_bounded_finite(kind, m1, s1, m2, s2, angle):
    check(kind, m1, s1, m2, s2, angle)


@given(means, st.floats(0.05, 10.0), means, st.floats(0.05, 10.0), angles)
def test_ramp(m1, s1, m2, s2, angle):
    # A difference of ReLU kernels: digits are lost in proportion to s1 s2.
    check("ramp", m1, s1, m2, s2, angle)


@pytest.mark.parametrize("kind", ["hermite", "exp"])
@given(means, st.floats(0.001, 3.0), means, st.floats(0.001, 3.0), angles)
def test_fast_growth(kind, m1, s1, m2, s2, angle):
    check(kind, m1, s1, m2, s2, angle)


@pytest.mark.parametrize("kind", ["step", "relu", "leaky-relu", "erf", "probit", "gelu"])
@pytest.mark.parametrize("m1", [0.0, 5e-324, -5e-324, 3e-245, -1e-160])
@pytest.mark.parametrize("m2", [0.0, 5e-324, -1e-297, 1e-200])
def test_means_too_small_to_multiply(kind, m1, m2):
    activation = make(kind)
    p, rest = activation.parameters, (np.float64(1.0), np.cos(0.4), np.sin(0.4))
    tiny = activation.pair(p, np.float64(m1), np.float64(1.0), np.float64(m2), *rest)
    none = activation.pair(p, np.float64(0.0), np.float64(1.0), np.float64(0.0), *rest)
    np.testing.assert_allclose(tiny, none, rtol=1e-14, atol=1e-15)
