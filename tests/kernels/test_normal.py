"""The transform to normal numbers against 40-digit references."""

from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest

from meanfield.kernels.normal import cos_sin, log, polar
from tests.conftest import size

ULP = 2.0**-52


def relative_error(found: float, expected: mpmath.mpf) -> float:
    return float(abs((mpmath.mpf(found) - expected) / expected)) / ULP


@pytest.fixture
def points(rng: np.random.Generator) -> np.ndarray:
    """Uniform numbers, many of them close to 0, to 1, and to where the mantissa is cut."""
    count = size(1000, 50)
    return np.concatenate(
        [
            rng.random(2 * count),
            2.0 ** -rng.uniform(0, 54, count),
            1.0 - 2.0 ** -rng.uniform(1, 53, count),
            math.sqrt(0.5) * (1.0 + np.arange(-20, 20) * ULP),
            [2.0**-54, 0.25, 0.5, 0.75, 1.0 - 2.0**-53],
        ]
    )


def test_log(points):
    with mpmath.workdps(40):
        assert max(relative_error(log(u), mpmath.log(mpmath.mpf(u))) for u in points) < 1.0
    assert log(1.0) == 0.0


def test_cos_and_sin(points):
    worst = 0.0
    with mpmath.workdps(40):
        for u in points:
            angle = 2 * mpmath.pi * mpmath.mpf(u)
            for found, right in zip(
                cos_sin(u), (mpmath.cos(angle), mpmath.sin(angle)), strict=True
            ):
                if abs(right) > 1e-35:  # a zero, up to the digits of pi
                    worst = max(worst, relative_error(found, right))
    assert worst < 2.0


def test_quarters_of_a_turn_are_exact():
    for quarter, expected in enumerate([(1, 0), (0, 1), (-1, 0), (0, -1), (1, 0)]):
        assert cos_sin(quarter / 4) == expected


def test_normal_numbers(points, rng):
    worst = 0.0
    with mpmath.workdps(40):
        for first, second in zip(points, rng.permutation(points), strict=True):
            radius = mpmath.sqrt(-2 * mpmath.log(mpmath.mpf(first)))
            angle = 2 * mpmath.pi * mpmath.mpf(second)
            right = radius * mpmath.cos(angle), radius * mpmath.sin(angle)
            for found, expected in zip(polar(first, second), right, strict=True):
                if abs(expected) > 1e-35:
                    worst = max(worst, relative_error(found, expected))
    assert worst < 4.0
