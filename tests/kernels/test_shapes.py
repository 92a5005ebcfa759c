"""Shapes of zonal kernels against 40-digit arithmetic."""

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meanfield.kernels import shapes
from meanfield.kernels.shapes import ARC, CHORD

mp.mp.dps = 40
PARAMETERS = {"leaky_arc_cosine": (0.3,)}


def gap(u):
    return mp.pi - mp.acos(u)


def leaky(u):
    a = mp.mpf("0.3")
    slope = (1 + a * a) * gap(u) + 2 * a * mp.acos(u)
    return (1 - a) ** 2 * mp.sqrt(1 - u * u) + u * slope, slope


EXACT = {
    "arc_cosine": lambda u: (mp.sqrt(1 - u * u) + u * gap(u), gap(u)),
    "leaky_arc_cosine": leaky,
    "absolute_arc_cosine": lambda u: (mp.sqrt(1 - u * u) + u * mp.asin(u), mp.asin(u)),
    "step": lambda u: (gap(u), 1 / mp.sqrt(1 - u * u)),
    "arc_sine": lambda u: (mp.asin(u), 1 / mp.sqrt(1 - u * u)),
    "shifted_arc_sine": lambda u: (mp.pi / 2 + mp.asin(u), 1 / mp.sqrt(1 - u * u)),
    "inverse_root": lambda u: (1 / mp.sqrt(1 - u * u), u / mp.sqrt(1 - u * u) ** 3),
    "hyperbolic_sine": lambda u: (mp.sinh(u), mp.cosh(u)),
    "hyperbolic_cosine": lambda u: (mp.cosh(u), mp.sinh(u)),
    "exponential": lambda u: (mp.exp(u), mp.exp(u)),
}
POINTS = np.concatenate([np.linspace(-0.97, 0.97, 195), [1e-3, -1e-6, 0.0]])


def evaluate(name, u, dtype):
    kernel = getattr(shapes, name)(dtype)
    p = tuple(dtype(value) for value in PARAMETERS.get(name, ()))
    return kernel(p, dtype(u))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", EXACT)
def test_values_and_slopes(name, dtype):
    for u in POINTS.astype(dtype):
        for found, exact in zip(
            evaluate(name, u, dtype), EXACT[name](mp.mpf(float(u))), strict=True
        ):
            # Near ±1 the slopes have poles, which magnify the rounding of 1 - u².
            allowed = 30 * np.finfo(dtype).eps * max(1.0, abs(float(exact)))
            assert abs(mp.mpf(float(found)) - exact) <= allowed, u


@pytest.mark.parametrize("name", ["arc_sine", "hyperbolic_sine"])
@given(u=st.floats(1e-12, 0.9))
def test_odd_shapes_keep_their_digits_at_zero(name, u):
    found, exact = evaluate(name, u, np.float64)[0], EXACT[name](mp.mpf(u))[0]
    assert abs(mp.mpf(found) - exact) <= 4e-15 * abs(exact)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", ["arc_cosine", "leaky_arc_cosine", "absolute_arc_cosine", "step"])
def test_rounding_beyond_one_is_taken_for_one(name, dtype):
    for sign in (1, -1):
        inside = evaluate(name, sign, dtype)
        beyond = evaluate(name, sign * (1 + 4 * np.finfo(dtype).eps), dtype)
        assert np.isfinite(inside).all()
        assert beyond == pytest.approx(inside, rel=10 * float(np.finfo(dtype).eps))


@pytest.mark.parametrize("name", EXACT)
def test_nan_stays(name):
    assert np.isnan(evaluate(name, np.nan, np.float64)).any()


@pytest.mark.parametrize("degree", range(1, 8))
def test_monomials_are_averages_of_products(degree):
    """E[x^n (u x + √(1-u²) y)^n] by the binomial theorem and normal moments."""
    kernel = shapes.monomial(degree)(np.float64)
    for u in np.linspace(-1, 1, 9):
        r = np.sqrt(1 - u * u)
        double = [int(mp.fac2(2 * k - 1)) if k else 1 for k in range(degree + 1)]
        exact = sum(
            float(mp.binomial(degree, j))
            * u ** (degree - j)
            * r**j
            * double[degree - j // 2]
            * double[j // 2]
            for j in range(0, degree + 1, 2)
        )
        assert kernel((), u)[0] == pytest.approx(exact, rel=1e-12, abs=1e-12)
        ahead, behind = kernel((), u + 1e-6)[0], kernel((), u - 1e-6)[0]
        assert kernel((), u)[1] == pytest.approx((ahead - behind) / 2e-6, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize(("dtype", "error"), [(np.float64, 5e-16), (np.float32, 1.3e-7)])
def test_stored_polynomials_interpolate_the_arc(dtype, error):
    for x in map(mp.mpf, np.linspace(0, 1, 101)[1:-1]):
        arc = mp.acos(x) / mp.sqrt(1 - x * x)
        for table, exact in ((ARC, arc), (CHORD, (mp.pi / 2 - arc) / x)):
            found = sum(mp.mpf(c) * x**k for k, c in enumerate(table[dtype]))
            assert abs(found - exact) <= error
