"""Harmonics: against SciPy's Gegenbauer polynomials, quadrature on the sphere, and differences."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import eval_chebyt, eval_gegenbauer

from meanfield.kernels import harmonics
from meanfield.kernels.harmonics import LANES
from tests.conftest import size
from tests.functionals.naive import difference

dims = st.integers(1, size(6, 4))
seeds = st.integers(0, 2**32)


def degrees(dim):
    """A degree whose harmonics are a few hundred."""
    return {1: 5, 2: size(40, 8), 3: size(12, 4), 4: size(7, 3), 5: 4, 6: 4}[dim]


def directions(dim, rng):
    x = rng.normal(size=(dim, LANES))
    x[:, 0] = np.eye(dim)[-1]  # a pole
    x[:, 1] = x[:, 2] + 1e-9 * x[:, 3]
    return x / np.linalg.norm(x, axis=0)


def evaluate(x, degree, wanted=None):
    tables, norm = harmonics.tables(len(x), degree)
    y = np.full((len(norm), LANES), np.nan)
    wanted = np.ones(degree + 1, bool) if wanted is None else wanted
    harmonics.forward(np.ascontiguousarray(x), tables, wanted, y, np.empty((3, LANES)))
    return y, tables, norm


def legendre(dim, l, t):
    """P_l in R^d by SciPy, P_l(1) = 1."""
    if dim == 1:
        return t**l if l < 2 else 0 * t
    if dim == 2:
        return eval_chebyt(l, t)
    return eval_gegenbauer(l, 0.5 * dim - 1, t) / eval_gegenbauer(l, 0.5 * dim - 1, 1.0)


@given(dims, seeds)
def test_addition_theorem(dim, seed):
    degree, x = degrees(dim), directions(dim, np.random.default_rng(seed))
    y, tables, norm = evaluate(x, degree)
    cosine = np.clip(x.T @ x, -1.0, 1.0)
    for l in range(degree + 1):
        rows = slice(tables.end[l] - tables.number[dim, l], tables.end[l])
        found = (norm[rows, None] * y[rows]).T @ y[rows]
        np.testing.assert_allclose(found, legendre(dim, l, cosine), atol=1e-13 * (1 + l) ** 2)


@given(dims, seeds)
def test_features_of_a_power(dim, seed):
    """The cosine to any power is a product of features, through τ."""
    degree, x = degrees(dim), directions(dim, np.random.default_rng(seed))
    y, tables, norm = evaluate(x, degree)
    degree_of = np.repeat(np.arange(degree + 1), tables.number[dim])
    tau = harmonics.powers(dim, degree)
    for k in range(degree + 1):
        found = ((tau[k, degree_of] * norm)[:, None] * y).T @ y
        np.testing.assert_allclose(found, (x.T @ x) ** k, atol=1e-12)


@given(dims, st.integers(0, 30))
def test_powers_are_averages_of_legendre_polynomials(dim, degree):
    tau, t = harmonics.powers(dim, degree), np.array([-1.0, -0.3, 0.0, 0.8, 1.0])
    if dim == 1:
        t = t[[0, -1]]
    assert np.all(tau >= 0)
    np.testing.assert_allclose(tau.sum(axis=1), 1.0, rtol=1e-13)
    polynomials = np.array([legendre(dim, l, t) for l in range(degree + 1)])
    np.testing.assert_allclose(tau @ polynomials, t ** np.arange(degree + 1)[:, None], atol=1e-13)
    if dim > 1:
        np.testing.assert_allclose(harmonics.legendre(dim, degree, t), polynomials, atol=1e-12)


def test_how_many_there_are():
    for dim in range(2, 9):
        found = harmonics.counts(dim, 7)[dim]
        every = [math.comb(l + dim - 1, dim - 1) for l in range(8)]
        assert found.tolist() == [n - (every[l - 2] if l > 1 else 0) for l, n in enumerate(every)]
    assert harmonics.counts(1, 4)[1].tolist() == [1, 1, 0, 0, 0]


def test_orthogonal_in_space():
    degree = size(6, 3)
    z, weight = np.polynomial.legendre.leggauss(degree + 1)
    turn = 2 * np.pi * np.arange(2 * degree + 1) / (2 * degree + 1)
    z, turn = (grid.ravel() for grid in np.meshgrid(z, turn, indexing="ij"))
    weight = np.repeat(weight / 2, 2 * degree + 1) / (2 * degree + 1)
    sine = np.sqrt(1 - z * z)
    points = np.array([sine * np.cos(turn), sine * np.sin(turn), z])
    padded = np.pad(points, ((0, 0), (0, -points.shape[1] % LANES)))
    pieces = [evaluate(block, degree)[0] for block in np.split(padded, padded.shape[1] // LANES, 1)]
    y = np.hstack(pieces)[:, : len(z)]
    gram, norm = (weight * y) @ y.T, evaluate(padded[:, :LANES], degree)[2]
    degree_of = np.repeat(np.arange(degree + 1), 2 * np.arange(degree + 1) + 1)
    np.testing.assert_allclose(gram, np.diag(1 / (norm * (2 * degree_of + 1))), atol=1e-13)


@given(dims, seeds)
def test_gradient(dim, seed):
    degree, rng = degrees(dim), np.random.default_rng(seed)
    x = directions(dim, rng)
    wanted = np.ones(degree + 1, bool)
    wanted[2::3] = False
    y, tables, norm = evaluate(x, degree, wanted)
    needed = np.repeat(wanted, tables.number[dim])
    t = np.where(needed[:, None], rng.normal(size=y.shape), 0.0)
    coefficients = t.copy()
    gradient = np.empty_like(x)
    harmonics.backward(x, tables, wanted, y, t, np.empty((10, LANES)), gradient)
    across = rng.normal(size=x.shape)
    across -= x * (x * across).sum(axis=0)

    def along(h):
        turned = x + h * across
        harmonic = evaluate(turned / np.linalg.norm(turned, axis=0), degree, wanted)[0]
        return np.where(needed[:, None], coefficients * harmonic, 0.0).sum(axis=0)

    expected = difference(along, step=0.01 / (1 + degree))
    scale = np.sqrt((coefficients**2 / norm[:, None]).sum(axis=0)).max() * degree
    np.testing.assert_allclose((gradient * across).sum(axis=0), expected, atol=1e-7 * scale)


@pytest.mark.parametrize("dim", [1, 2, 3, 5])
def test_no_direction(dim):
    """At 0, where a neuron without weight is, only the constant is not 0."""
    y, *_ = evaluate(np.zeros((dim, LANES)), 3)
    assert np.all(y[0] == 1.0)
    assert np.all(y[1:] == 0.0)
