"""Functions of our own against 40-digit references, in both precisions."""

from __future__ import annotations

import math

import mpmath
import numba
import numpy as np
import pytest

from meanfield.kernels import elementary
from meanfield.kernels.compile import DISABLED
from tests.conftest import size

PRECISIONS = [np.float64, np.float32]
# Without compilation, kernels warn where IEEE arithmetic gives inf or NaN.
pytestmark = pytest.mark.filterwarnings("ignore:.*encountered in:RuntimeWarning")


def exact_normal(x):
    return mpmath.npdf(x), mpmath.ncdf(x)


def exact_sine_cosine(x):
    return mpmath.sin(x), mpmath.cos(x)


# Exact function, largest error in units of the last place, and ranges in double and single.
CASES = {
    "exp": (mpmath.exp, 1, [(-707, 709), (-1, 1)], [(-86, 88), (-1, 1)]),
    "tanh": (mpmath.tanh, 2, [(-20, 20), (-1, 1)], [(-10, 10), (-1, 1)]),
    "log1p": (mpmath.log1p, 2, [(0, 1), (0, 1e-3)], [(0, 1), (0, 1e-3)]),
    "normal": (exact_normal, 3, [(-37, 8), (-2, 2)], [(-13, 5), (-2, 2)]),
    "erf": (mpmath.erf, 2, [(-6, 6), (-1.2, 1.2)], [(-4, 4), (-1.2, 1.2)]),
    "sine_cosine": (exact_sine_cosine, 1.5, [(-1e6, 1e6), (-5, 5)], [(-3e3, 3e3), (-5, 5)]),
}
SMALL = 10.0 ** -np.arange(30)


def each(found) -> tuple:
    return found if isinstance(found, tuple) else (found,)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("dtype", PRECISIONS)
def test_relative_errors(name, dtype, rng):
    exact, ulps, double, single = CASES[name]
    ranges = double if dtype == np.float64 else single
    points = [rng.uniform(*bounds, size(1000, 200)) for bounds in ranges]
    worst = 0.0
    for x in np.concatenate([*points, SMALL]).astype(dtype):
        found = each(getattr(elementary, name)(x))
        with mpmath.workdps(40):
            for one, right in zip(found, each(exact(mpmath.mpf(float(x)))), strict=True):
                error = abs((mpmath.mpf(float(one)) - right) / right)
                worst = max(worst, float(error))
    assert worst < ulps * np.finfo(dtype).eps


@pytest.mark.parametrize("dtype", PRECISIONS)
@pytest.mark.parametrize("name", CASES)
def test_special_values(name, dtype):
    function, inf = getattr(elementary, name), math.inf
    at_zero = {"exp": 1.0, "normal": (1 / math.sqrt(2 * math.pi), 0.5), "sine_cosine": (0.0, 1.0)}
    assert each(function(dtype(0))) == pytest.approx(each(at_zero.get(name, 0.0)), rel=1e-7)
    assert all(map(math.isnan, each(function(dtype(math.nan)))))
    far = {
        "exp": (inf, 0.0),
        "tanh": (1.0, -1.0),
        "normal": ((0.0, 1.0), (0.0, 0.0)),
        "erf": (1.0, -1.0),
    }
    for size_ in (dtype(1e30), dtype(inf)):
        for sign, right in zip((1, -1), far.get(name, ()), strict=False):
            assert function(sign * size_) == right
    if name == "sine_cosine":
        assert all(abs(value) <= 1 for value in function(dtype(1e30)))
        assert all(map(math.isnan, function(dtype(inf))))


def test_exp_over_and_underflows():
    for x in (709.0, 709.7, -707.9):
        assert elementary.exp(x) == pytest.approx(math.exp(x), rel=1e-14)
    for x in (88.7, -86.4):
        assert elementary.exp(np.float32(x)) == pytest.approx(np.exp(np.float32(x)), rel=1e-6)
    assert elementary.exp(709.8) == elementary.exp(np.float32(88.8)) == math.inf
    assert elementary.exp(-708.1) == elementary.exp(np.float32(-86.6)) == 0.0


def test_whole_numbers_are_doubles():
    assert elementary.exp(1) == pytest.approx(math.e, rel=1e-15)


@pytest.mark.skipif(DISABLED, reason="nothing is compiled")
@pytest.mark.parametrize("name", CASES)
def test_the_argument_decides_the_precision_in_kernels(name):
    function = getattr(elementary, name)

    @numba.njit
    def kernel(x):
        return function(x)

    for dtype in PRECISIONS:
        kernel(dtype(0.5))
    for signature in kernel.nopython_signatures:
        kinds = {str(signature.args[0])}
        returned = signature.return_type
        assert {str(kind) for kind in getattr(returned, "types", (returned,))} == kinds
