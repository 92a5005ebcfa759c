"""exp and tanh of our own against 40-digit references."""

from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest

from meanfield.kernels import elementary
from tests.conftest import size

ULP = 2.0**-52


def relative_error(found: float, expected: mpmath.mpf) -> float:
    return float(abs((mpmath.mpf(found) - expected) / expected))


def test_exp(rng):
    points = np.concatenate([rng.uniform(-700, 700, size(2000, 200)), rng.uniform(-1, 1, 200)])
    with mpmath.workdps(40):
        errors = [relative_error(elementary.exp(x), mpmath.exp(mpmath.mpf(x))) for x in points]
    assert max(errors) < 2 * ULP


def test_tanh(rng):
    points = np.concatenate(
        [rng.uniform(-20, 20, size(2000, 200)), rng.uniform(-1, 1, 200), 10.0 ** -np.arange(300)]
    )
    with mpmath.workdps(40):
        errors = [relative_error(elementary.tanh(x), mpmath.tanh(mpmath.mpf(x))) for x in points]
    assert max(errors) < 2 * ULP


def test_special_values():
    assert elementary.exp(0.0) == 1.0
    assert elementary.tanh(0.0) == 0.0
    assert elementary.tanh(1e300) == 1.0
    assert elementary.tanh(-1e300) == -1.0
    assert math.isnan(elementary.exp(math.nan))
    assert math.isnan(elementary.tanh(math.nan))


def test_exp_over_and_underflows():
    assert elementary.exp(1e300) == math.inf
    assert elementary.exp(-1e300) == 0.0
    assert elementary.exp(709.0) == pytest.approx(math.exp(709.0), rel=1e-14)
    assert elementary.exp(-708.0) == pytest.approx(math.exp(-708.0), rel=1e-14)
