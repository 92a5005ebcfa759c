"""The Dirichlet kernel against the sum of cosines, and what makes it a kernel."""

import mpmath as mp
import numpy as np
import pytest

from meanfield.activations import Dirichlet, make
from meanfield.errors import InvalidInput, Unsupported


def by_definition(degree, t):
    return 1 + 2 * sum(mp.chebyt(k, t) for k in range(1, degree + 1))


@pytest.mark.parametrize("degree", [1, 2, 5, 20])
@pytest.mark.parametrize("t", [-1.0, -0.83, 0.0, 0.4, 0.9999, 1.0, 1.3, -2.1])
def test_value_and_slope(degree, t):
    activation, size = Dirichlet(degree), max(1.0, abs(t)) ** degree
    exact = by_definition(degree, mp.mpf(t))
    assert abs(activation([t])[0] - exact) <= 1e-13 * max(size, abs(exact))
    with mp.workdps(60):
        slope = mp.diff(lambda x: by_definition(degree, x), mp.mpf(t), h=mp.mpf(10) ** -20)
    assert abs(activation.slope([t])[0] - slope) <= 1e-13 * max(degree**3 * size, abs(slope))


def test_it_is_a_sum_of_cosines_on_the_circle():
    angle = np.linspace(0, 2 * np.pi, 17)
    expected = 1 + 2 * np.cos(np.outer(angle, np.arange(1, 8))).sum(axis=1)
    np.testing.assert_allclose(Dirichlet(7)(np.cos(angle)), expected, atol=1e-13)


@pytest.mark.parametrize("points", [11, 40])
def test_convolution_with_it_projects(points):
    """E_x[D(x - u) D(x - v)] = D(u - v), on any regular grid of more than 2 degree points."""
    activation, (u, v) = Dirichlet(5), (0.3, 2.1)
    grid = 2 * np.pi / points * np.arange(points)
    mean = np.mean(activation(np.cos(grid - u)) * activation(np.cos(grid - v)))
    assert mean == pytest.approx(activation(np.cos(u - v)), abs=1e-13)


def test_what_is_refused():
    with pytest.raises(InvalidInput, match=r"^degree = 0: expected a whole number ≥ 1$"):
        make({"kind": "dirichlet", "degree": 0})
    activation = Dirichlet()
    assert not activation.has_closed_form
    with pytest.raises(Unsupported, match="no Hermite coefficients"):
        activation.hermite(np.zeros(1), np.ones(1), 2)
