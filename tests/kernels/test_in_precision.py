"""Numbers of a scalar kernel take the precision of its arguments."""

from __future__ import annotations

import math

import numba
import numpy as np
import pytest

from meanfield.kernels.compile import DISABLED, jit
from meanfield.kernels.precision import in_precision

pytestmark = pytest.mark.skipif(DISABLED, reason="NumPy's scalars do so by themselves")

THIRD = 1 / 3
PAIR = (0.1, (0.2, 7))


@jit
def helper(t, scale=0.7):
    return scale * t + THIRD


def over(constant):
    @jit
    def evaluate(p, t):
        small = 0.3 * t if t > 0.5 else PAIR[0]
        return helper(t) * constant + p[0] * math.exp(small), PAIR[1][0]

    return evaluate


def definition(constant, p, t):
    small = 0.3 * t if t > 0.5 else 0.1
    return (0.7 * t + THIRD) * constant + p * math.exp(small), 0.2


def test_constants_wherever_they_come_from():
    for constant in (1.1, 2.2):
        evaluate = over(constant)
        single, double = (in_precision(evaluate, dtype) for dtype in (np.float32, np.float64))
        for t in (0.25, 0.75):
            right = definition(constant, 0.4, t)
            assert double((0.4,), t) == pytest.approx(right, rel=1e-15)
            found = single((np.float32(0.4),), np.float32(t))
            assert found == pytest.approx(right, rel=1e-6)
        (signature,) = single.nopython_signatures
        assert signature.return_type == numba.types.UniTuple(numba.float32, 2)
        (signature,) = double.nopython_signatures
        assert signature.return_type == numba.types.UniTuple(numba.float64, 2)


def test_it_is_made_once():
    evaluate = over(1.0)
    assert in_precision(evaluate, np.float32) is in_precision(evaluate, np.float32)
    assert in_precision(evaluate, np.float32) is not in_precision(evaluate, np.float64)
