"""Values and slopes against the definitions in many digits."""

import mpmath as mp
import numpy as np
import pytest

from meanfield.activations import AveragedRamp, Dirichlet, SphereRamp, activations, make
from meanfield.errors import InvalidInput
from tests.references import DEFINITIONS

# Without compilation, kernels warn where IEEE arithmetic gives inf.
pytestmark = pytest.mark.filterwarnings(
    "ignore:(overflow|divide by zero) encountered in scalar:RuntimeWarning"
)

POINTS = np.array([-30.5, -4.3, -1.1, -0.3, -1e-6, 2e-9, 0.21, 0.9, 2.7, 6.1, 25.5])
EVERY = [definition.activation for definition in DEFINITIONS]
EVERY += [AveragedRamp(), SphereRamp(dim=5), Dirichlet()]


def named(items):
    return pytest.mark.parametrize("case", items, ids=lambda case: case.kind)


@named(DEFINITIONS)
def test_value_is_the_definition(case):
    computed = case.activation(POINTS)
    for t, value in zip(POINTS, computed, strict=True):
        expected = case.exact(mp.mpf(t))
        assert abs(value - expected) <= 4e-14 * abs(expected) + 1e-300


@named(DEFINITIONS)
def test_slope_is_the_derivative(case):
    computed = case.activation.slope(POINTS)
    for t, slope in zip(POINTS, computed, strict=True):
        with mp.workdps(60):
            expected = mp.diff(case.exact, mp.mpf(t), h=mp.mpf(10) ** -20)
        assert abs(slope - expected) <= 1e-14 * (1 + abs(expected))


@named(EVERY)
def test_nan_stays_nan(case):
    assert np.isnan(case([np.nan, 1.0])).tolist() == [True, False]


@named([activation for activation in EVERY if activation.homogeneity is not None])
def test_homogeneity(case):
    for c in (0.3, 7.0):
        np.testing.assert_allclose(case(c * POINTS), c**case.homogeneity * case(POINTS), rtol=1e-13)


@pytest.mark.parametrize("kind", ["tanh", "sigmoid", "softplus", "silu", "gelu", "erf", "bump"])
def test_far_out(kind):
    activation, far = make(kind), np.array([-1e200, -1e3, 1e3, 1e200])
    linear = kind in ("softplus", "silu", "gelu")
    right = {"bump": 0.0 * far, "tanh": np.sign(far), "erf": np.sign(far)}
    positive = np.where(far > 0, far if linear else 1.0, 0.0)
    np.testing.assert_array_equal(activation(far), right.get(kind, positive))
    np.testing.assert_array_equal(activation.slope(far), (far > 0) if linear else 0.0 * far)


def test_at_a_kink_the_slope_is_the_one_from_the_left():
    assert make("relu").slope(0.0) == 0.0
    assert make("leaky-relu").slope(0.0) == 0.01
    assert make("abs").slope(0.0) == -1.0
    assert make("ramp").slope([0.5, 1.5]).tolist() == [0.0, 10.0]


def test_every_activation_is_defined_here_too():
    assert {case.kind for case in EVERY} == set(activations)


@pytest.mark.parametrize("kind", ["monomial", "hermite"])
@pytest.mark.parametrize("degree", [0, 21, 2.5, -1, True, "3"])
def test_a_degree_is_a_whole_number_up_to_twenty(kind, degree):
    with pytest.raises(InvalidInput, match="degree = "):
        make({"kind": kind, "degree": degree})


@pytest.mark.parametrize(
    "spec",
    [
        {"kind": "probit", "variance": 0.0},
        {"kind": "bump", "rate": -1.0},
        {"kind": "averaged-ramp", "start": 2.0},
        {"kind": "sphere-ramp", "dim": 1},
        {"kind": "sphere-ramp", "dim": 3, "stop": 0.0},
    ],
)
def test_senseless_parameters_are_refused(spec):
    with pytest.raises(InvalidInput):
        make(spec)
