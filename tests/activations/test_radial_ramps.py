"""The ramp averaged over directions, against quadrature in many digits."""

import mpmath as mp
import numpy as np
import pytest

from meanfield.activations import AveragedRamp, SphereRamp, make
from meanfield.errors import Unsupported


def _ramp(t):
    return mp.mpf(-2.5) + 10 * (min(max(t, mp.mpf(0.5)), mp.mpf(1.5)) - 0.5)


def _split(points):
    return sorted({mp.mpf(x) for x in points})


@pytest.mark.parametrize("t", [0.1, -0.8, 2.3, 40.0])
def test_averaged_ramp(t):
    def value(t):
        cuts = [x for x in (0.5 / t, 1.5 / t) if abs(x) < 12]
        return mp.quad(lambda z: _ramp(t * z) * mp.npdf(z), _split([-12, *range(-4, 5), 12, *cuts]))

    activation = AveragedRamp()
    assert abs(activation([t])[0] - value(mp.mpf(t))) < 1e-14
    with mp.workdps(30):
        slope = mp.diff(value, mp.mpf(t), h=mp.mpf(10) ** -8)
    assert abs(activation.slope([t])[0] - slope) < 1e-13


@pytest.mark.parametrize("dim", [2, 3, 40, 1001])
@pytest.mark.parametrize("t", [-0.9, 1.4, 9.0])
def test_sphere_ramp(dim, t):
    with mp.workdps(25):
        power = mp.mpf(dim - 3) / 2

        def value(t):
            # S = sin(angle), so that the density has no singularity for dim = 2.
            cuts = [mp.asin(x / t) for x in (0.5, 1.5) if x < abs(t)]
            inner = [x / mp.sqrt(dim) for x in (-9, -6, -3, -1, 0, 1, 3, 6, 9)]
            points = _split([-mp.pi / 2, mp.pi / 2, *cuts, *(x for x in inner if abs(x) < 1.5)])
            mass = mp.beta(power + 1, 0.5)
            return mp.quad(lambda a: _ramp(t * mp.sin(a)) * mp.cos(a) ** (dim - 2), points) / mass

        exact = value(mp.mpf(t))
        slope = mp.diff(value, mp.mpf(t), h=mp.mpf(10) ** -8)
    activation = SphereRamp(dim=dim)
    assert abs(activation([t])[0] - exact) < 1e-13
    assert abs(activation.slope([t])[0] - slope) < 1e-12
    assert activation(-t) == activation(t)
    assert activation.slope(-t) == -activation.slope(t)


def test_averages_over_directions_start_at_the_ramp_and_have_no_pair():
    for activation in (AveragedRamp(low=1.0, start=-1.0), SphereRamp(low=1.0, start=-1.0, dim=3)):
        middle = make({"kind": "ramp", "low": 1.0, "start": -1.0})(0.0)
        assert activation(0.0) == middle
        np.testing.assert_allclose(activation(1e-3), middle, rtol=1e-12)
        assert not activation.has_closed_form
        with pytest.raises(Unsupported):
            activation.hermite(np.zeros(1), np.ones(1), 3)


@pytest.mark.parametrize("kind", [AveragedRamp, lambda *knots: SphereRamp(*knots, dim=5)])
@pytest.mark.parametrize("knots", [(2.0, -1.0, 0.5, 1.5), (-1.0, 2.0, -1.5, 0.5)])
def test_slopes_of_averages_that_fall(kind, knots):
    activation, t, h = kind(*knots), np.array([-3.0, -0.8, 0.9, 2.5]), 1e-4
    difference = (activation(t + h) - activation(t - h)) / (2 * h)
    assert np.all(difference[2:] < 0)
    np.testing.assert_allclose(activation.slope(t), difference, rtol=0, atol=1e-6)
