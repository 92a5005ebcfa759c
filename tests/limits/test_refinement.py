"""Extrapolation over three grids removes the leading error, and says what is left."""

import numpy as np
import pytest

from meanfield.limits.refinement import refined

TIMES = np.linspace(0.0, 1.0, 5)


def levels(error):
    """A series sin t with an error that is a function of the width h = 1, ½, ¼."""
    return [{"x": np.sin(TIMES) + error(0.5**level) * np.cos(TIMES)} for level in range(3)]


def test_the_leading_error_goes():
    values, errors = refined(levels(lambda h: 0.3 * h**2), 4)
    np.testing.assert_allclose(values["x"], np.sin(TIMES), atol=1e-15)
    assert errors["x"] < 1e-15


@pytest.mark.parametrize("order", [1.0, 1.5, 2.0, 3.0, 4.0])
def test_what_is_left_is_within_the_error_at_any_order(order):
    values, errors = refined(levels(lambda h: 0.3 * h**order), 4)
    assert np.abs(values["x"] - np.sin(TIMES)).max() <= errors["x"] * (1 + 1e-12)


def test_an_error_has_the_shape_of_one_moment():
    many = [{"x": np.ones((5, 3)) * 4.0**-level} for level in range(3)]
    values, errors = refined(many, 2)
    assert values["x"].shape == (5, 3)
    assert errors["x"].shape == (3,)
