"""Spikes on the circle, against a teacher of the network that looks for them."""

import numpy as np
import pytest

import meanfield as mf
from meanfield.data import Spikes
from meanfield.errors import InvalidInput

ANGLES, HEIGHTS = [0.3, 2.0, 4.4], [1.0, -0.8, 0.6]


def test_they_are_the_outputs_of_neurons():
    data = Spikes(ANGLES, HEIGHTS, degree=4, points=17).load(0)
    network = mf.TwoLayer({"kind": "dirichlet", "degree": 4}, 2)
    places = np.column_stack([np.cos(ANGLES), np.sin(ANGLES)])
    teacher = network.ensemble(places, a=HEIGHTS, mass=np.ones(3))
    np.testing.assert_allclose(data.y[:, 0], network(teacher, data.x), atol=1e-13)
    np.testing.assert_allclose(np.linalg.norm(data.x, axis=1), 1.0, rtol=1e-15)
    np.testing.assert_allclose(data.x.mean(axis=0), 0.0, atol=1e-15)
    assert mf.Risk(network, data).value(teacher) == pytest.approx(0.0, abs=1e-25)


def test_noise_is_fixed():
    clean, noisy, other = (
        Spikes(ANGLES, HEIGHTS, points=2000, noise=noise, noise_seed=seed)
        for noise, seed in ((0.0, 0), (0.3, 0), (0.3, 1))
    )
    error = noisy.load(0).y - clean.load(0).y
    assert error.std() == pytest.approx(0.3, rel=0.1)
    assert np.array_equal(noisy.load(0).y, noisy.load(7).y)
    assert not np.any(noisy.load(0).y == other.load(0).y)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"points": 10}, "points = 10: expected a whole number ≥ 11"),
        ({"heights": [1.0]}, r"heights = \[1.0\]: expected a number for each of the angles"),
        ({"noise": -1.0}, "noise = -1.0"),
        ({"noise_seed": -1}, "noise_seed = -1"),
        ({"degree": 0}, "degree = 0"),
    ],
)
def test_what_is_refused(changed, said):
    with pytest.raises(InvalidInput, match=said):
        Spikes(**{"angles": ANGLES, "heights": HEIGHTS, **changed})
