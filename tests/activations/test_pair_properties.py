"""What holds for every pair of neurons: symmetry, Cauchy-Schwarz, finite numbers."""

import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from meanfield.activations import make

# Without compilation, kernels warn where IEEE arithmetic gives inf.
pytestmark = pytest.mark.filterwarnings("ignore:divide by zero:RuntimeWarning")

FAST = [
    "step",
    "relu",
    "leaky-relu",
    "abs",
    "erf",
    "probit",
    "gelu",
    "sin",
    "cos",
    "linear",
    "quadratic",
    "monomial",
    "bump",
]
SLOW = ["tanh", "sigmoid", "softplus", "silu"]

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


@pytest.mark.parametrize("kind", FAST)
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(means, stds, means, stds, angles)
def test_symmetric_bounded_finite(kind, m1, s1, m2, s2, angle):
    check(kind, m1, s1, m2, s2, angle)


@pytest.mark.parametrize("kind", SLOW)
@settings(max_examples=4, deadline=None, suppress_health_check=list(HealthCheck))
@given(means, stds, means, stds, angles)
def test_symmetric_bounded_finite_for_mixtures(kind, m1, s1, m2, s2, angle):
    check(kind, m1, s1, m2, s2, angle)


@settings(max_examples=60, deadline=None)
@given(means, st.floats(0.05, 10.0), means, st.floats(0.05, 10.0), angles)
def test_ramp(m1, s1, m2, s2, angle):
    # A difference of ReLU kernels: digits are lost in proportion to s1 s2.
    check("ramp", m1, s1, m2, s2, angle)


@pytest.mark.parametrize("kind", ["hermite", "exp"])
@settings(max_examples=30, deadline=None)
@given(means, st.floats(0.001, 3.0), means, st.floats(0.001, 3.0), angles)
def test_fast_growth(kind, m1, s1, m2, s2, angle):
    check(kind, m1, s1, m2, s2, angle)
