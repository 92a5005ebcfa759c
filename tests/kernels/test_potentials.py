"""Shapes of pair potentials against 40-digit references, and where numbers end."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest

import meanfield as mf
from meanfield.interactions import interactions
from tests.conftest import size

mp = mpmath.mp
POTENTIALS = {
    "rbf": mf.RBF(0.7),
    "multiquadric": mf.InverseMultiquadric(0.5),
    "multiquadric, any power": mf.InverseMultiquadric(0.5, 0.7),
    "riesz, odd": mf.Riesz(3, 0.3),
    "riesz, even": mf.Riesz(2.0, 0.3),
    "riesz, any power": mf.Riesz(0.4, 0.3),
    "riesz, growing": mf.Riesz(-0.5),
    "riesz, growing and softened": mf.Riesz(-1.5, 0.2),
    "coulomb in space": mf.Coulomb(3, 0.1),
    "coulomb in the plane": mf.Coulomb(2, 0.1),
    "coulomb on the line": mf.Coulomb(1),
    "log": mf.Logarithm(0.1),
    "morse": mf.Morse(1.5, 0.4, 0.8, 1.7),
    "powers, whole": mf.Powers(),
    "powers, odd": mf.Powers(3, 1),
    "powers, any": mf.Powers(2.5, 0.7),
}


def riesz(s, softening):
    """-log ρ or ± ρ^(-s)."""

    def value(r):
        rho = mpmath.sqrt(r**2 + mpmath.mpf(softening) ** 2)
        if s == 0:
            return -mpmath.log(rho)
        return (1 if s > 0 else -1) * rho ** (-mpmath.mpf(s))

    return value


def reference(potential):
    """W(r) in mpmath."""
    match potential:
        case mf.RBF(length):
            return lambda r: mpmath.exp(-((r / mpmath.mpf(length)) ** 2) / 2)
        case mf.InverseMultiquadric(offset, exponent):
            return lambda r: (mpmath.mpf(offset) ** 2 + r**2) ** (-mpmath.mpf(exponent))
        case mf.Riesz(s, softening):
            return riesz(s, softening)
        case mf.Coulomb(dim, softening):
            return riesz(dim - 2, softening)
        case mf.Logarithm(softening):
            return riesz(0, softening)
        case mf.Morse(c_r, l_r, c_a, l_a):
            return lambda r: c_r * mpmath.exp(-r / l_r) - c_a * mpmath.exp(-r / l_a)
        case mf.Powers(a, b):
            return lambda r: r ** mpmath.mpf(a) / a - r ** mpmath.mpf(b) / b
    raise AssertionError(potential)


def sizes(potential, r):
    """What the errors of W and of W'/r are measured by: their terms, and their exponents."""
    w = reference(potential)
    value, slope = abs(w(r)), abs(mpmath.diff(w, r) / r)
    stretch = 1 + abs(mpmath.log(value)) if value else 1
    match potential:
        case mf.Morse(c_r, l_r, c_a, l_a):
            near, far = c_r * mpmath.exp(-r / l_r), c_a * mpmath.exp(-r / l_a)
            value, slope = near + far, (near / l_r + far / l_a) / r
            stretch = 1 + r / min(l_r, l_a)
        case mf.Powers(a, b):
            value, slope = r**a / a + r**b / b, (r**a + r**b) / r**2
            stretch = 1 + a * abs(mpmath.log(r))
        case mf.Logarithm() | mf.Coulomb(2):
            value, stretch = max(value, 1), 1
    return value, slope, stretch


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", POTENTIALS)
def test_shape(name, dtype, rng):
    potential = POTENTIALS[name]
    shape, w = potential.shape(dtype), reference(potential)
    p = tuple(map(dtype, potential.parameters))
    tolerance = 4 * np.finfo(dtype).eps
    smallest = 2.0 ** (-998 if dtype is np.float64 else -118)  # below it, W is 0
    with mp.workdps(40):
        for u in (10.0 ** rng.uniform(-4, 2, size(200, 20))).astype(dtype):
            r = mpmath.sqrt(mpmath.mpf(float(u)))
            expected = w(r), mpmath.diff(w, r) / r
            *scales, stretch = sizes(potential, r)
            for found, exact, scale in zip(shape(p, u), expected, scales, strict=True):
                error = abs(mpmath.mpf(float(found)) - exact)
                assert error < tolerance * stretch * scale + smallest, u


def test_every_built_in_interaction_is_tested():
    tested = {type(potential).kind for potential in POTENTIALS.values()}
    assert tested | {"quadratic"} == set(interactions)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", POTENTIALS)
def test_ends_of_the_numbers(name, dtype):
    potential = POTENTIALS[name]
    shape, p = potential.shape(dtype), tuple(map(dtype, potential.parameters))
    value, slope = shape(p, dtype(0))
    with mp.workdps(40):
        exact = float(reference(potential)(mpmath.mpf(0)))
    assert value == pytest.approx(exact, rel=1e-5, abs=1e-6)
    assert np.isfinite(slope)
    assert np.isnan(shape(p, dtype(np.nan))).all()
    for u in (1e-30, 1e30) if dtype is np.float64 else (1e-12, 1e12):
        assert np.isfinite(shape(p, dtype(u))).all()


def test_what_decays_is_zero_far_away():
    for name in ("rbf", "morse"):
        potential = POTENTIALS[name]
        assert potential.shape(np.float64)(potential.parameters, np.float64(1e12)) == (0.0, 0.0)
