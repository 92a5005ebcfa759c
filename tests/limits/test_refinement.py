"""Three grids: the leading error goes, and what is left is within what is stated."""

import numpy as np
import pytest

from meanfield.limits.refinement import extrapolated, finest

TIMES = np.linspace(0.0, 1.0, 5)


def levels(error):
    """A series sin t with an error that is a function of the width h = 1, ½, ¼."""
    return [{"x": np.sin(TIMES) + error(0.5**level) * np.cos(TIMES)} for level in range(3)]


def off(values):
    return np.abs(values["x"] - np.sin(TIMES)).max()


def test_the_leading_error_goes():
    values, errors = extrapolated(levels(lambda h: 0.3 * h**2))
    assert off(values) < 1e-15
    assert errors["x"] < 1e-15


@pytest.mark.parametrize("order", [0.5, 0.7, 1.0, 1.5, 2.0, 3.0, 4.0])
def test_what_is_left_is_within_the_error_at_any_order(order):
    for method in (extrapolated, finest):
        values, errors = method(levels(lambda h: 0.3 * h**order))
        assert off(values) <= errors["x"] * (1 + 1e-12) + 1e-15


def test_the_bounds_are_sharp():
    values, errors = extrapolated(levels(lambda h: h))
    assert errors["x"] == pytest.approx(off(values))
    values, errors = finest(levels(lambda h: h**0.5))
    assert errors["x"] == pytest.approx(off(values))


def test_an_error_has_the_shape_of_one_moment():
    many = [{"x": np.ones((5, 3)) * 4.0**-level} for level in range(3)]
    for method in (extrapolated, finest):
        values, errors = method(many)
        assert values["x"].shape == (5, 3)
        assert errors["x"].shape == (3,)
