"""Spectra against closed forms, published numbers, and another discretisation."""

import math

import numpy as np
import pytest
from scipy.linalg import eigh

from meanfield.errors import InvalidInput
from meanfield.limits import Spectrum, eyring_kramers
from meanfield.limits.grid import Grid
from meanfield.limits.spectrum import symmetric_operator

BOX = [(-3.0, 3.0)]


def wells(points):
    return ((points**2 - 1) ** 2).sum(axis=1) / 4


@pytest.mark.parametrize("rate", [0.1, 0.5, 2.0])
def test_in_a_bowl_the_gap_does_not_depend_on_the_learning_rate(rate):
    reach = 7.0 * math.sqrt(rate / 2)
    bowl = Spectrum(lambda x: 0.5 * x[:, 0] ** 2, [(-reach, reach)], rate / 2, count=4)
    limit = bowl.at()
    assert np.all(np.abs(limit["rates"] - [1, 2, 3, 4]) <= limit.error("rates") + 1e-8)
    assert limit.error("rates").max() < 1e-4
    assert limit["gap"] == limit["rates"][0, 0]


def test_rates_in_the_plane_are_sums():
    limit = Spectrum(
        lambda x: 0.5 * x[:, 0] ** 2 + 1.25 * x[:, 1] ** 2, [(-4, 4), (-2.5, 2.5)], 0.3, 5, 80
    ).at()
    expected = [1.0, 2.0, 2.5, 3.0, 3.5]
    assert np.all(np.abs(limit["rates"] - expected) <= limit.error("rates") + 1e-6)
    assert limit.error("gap") < 2e-3


@pytest.mark.parametrize(("rate", "published"), [(0.4, 0.134778), (0.2, 0.0335453)])
def test_two_wells_as_published(rate, published):
    limit = Spectrum(wells, BOX, rate / 2).at()
    assert limit["gap"][0] == pytest.approx(published, rel=4e-6)
    assert limit.error("gap") < 1e-6


def test_two_wells_in_a_basis_of_hermite_functions():
    """H = -τΔ + V'²/4τ - V''/2 by Galerkin's method: nothing in common with finite volumes."""
    temperature, size = 0.2, 60
    root = np.sqrt(np.arange(1, size + 30))
    x = (np.diag(root, 1) + np.diag(root, -1)) / math.sqrt(2) * 0.6  # in oscillator functions
    d = (np.diag(root, 1) - np.diag(root, -1)) / math.sqrt(2) / 0.6
    square = x @ x
    slope = x @ (square - np.eye(len(x)))
    h = -temperature * d @ d + slope @ slope / (4 * temperature)
    h -= (3 * square - np.eye(len(x))) / 2
    expected = eigh(h[:size, :size], eigvals_only=True)[:4]
    assert abs(expected[0]) < 1e-8
    limit = Spectrum(wells, BOX, temperature, count=3).at()
    np.testing.assert_allclose(limit["rates"][0], expected[1:], rtol=2e-6)


def test_the_operator_is_symmetric_and_at_rest_in_the_gibbs_measure():
    grid = Grid([(-2.0, 2.0), (-1.5, 2.0)], (9, 7))

    def tilted(points):
        return wells(points) + 0.3 * points[:, 0] * points[:, 1]

    operator = symmetric_operator(grid, tilted, 0.3).toarray()
    np.testing.assert_array_equal(operator, operator.T)
    ground = np.exp(-0.5 * tilted(grid.centres) / 0.3)
    np.testing.assert_allclose(operator @ ground, 0.0, atol=1e-13)
    rates = np.linalg.eigvalsh(operator)
    assert abs(rates[0]) < 1e-13
    found = Spectrum(tilted, grid.box, 0.3, count=3, cells=16).rates(12)
    square = symmetric_operator(Grid(grid.box, (12, 12)), tilted, 0.3).toarray()
    np.testing.assert_allclose(found, np.linalg.eigvalsh(square)[1:4], rtol=1e-11)


def test_a_tiny_gap_keeps_its_digits():
    """Between wells that almost never exchange; the error of Eyring and Kramers is O(τ)."""
    rates = np.array([0.2, 0.1, 0.05, 0.035])
    shares = []
    for rate in rates:
        limit = Spectrum(wells, BOX, rate / 2, cells=800).at()
        assert limit.error("gap") < 1e-3 * limit["gap"]
        shares.append(limit["gap"][0] / eyring_kramers(2.0, -1.0, 0.25, rate / 2))
    assert shares[-1] == pytest.approx(1.0, abs=0.03)
    slope = np.polyfit(np.log(rates), np.log(1.0 - np.array(shares)), 1)[0]
    assert slope == pytest.approx(1.0, abs=0.35)


def test_eyring_kramers():
    """The number of Shi, Su and Jordan in one dimension; independent directions cancel."""
    s, barrier = 0.1, 0.25
    line = math.sqrt(2.0 * 1.0) / math.pi * math.exp(-2 * barrier / s)
    assert eyring_kramers(2.0, -1.0, barrier, s / 2) == pytest.approx(line)
    plane = eyring_kramers(np.diag([2.0, 3.0]), np.diag([-1.0, 3.0]), barrier, s / 2)
    assert plane == pytest.approx(line)
    with pytest.raises(InvalidInput, match="one negative eigenvalue"):
        eyring_kramers(2.0, 1.0, barrier, 0.1)
    with pytest.raises(InvalidInput, match="the Hessian of a minimum"):
        eyring_kramers(-2.0, -1.0, barrier, 0.1)
    with pytest.raises(InvalidInput, match="the Hessian of a minimum"):
        eyring_kramers(-np.eye(2), np.diag([-1.0, 1.0]), barrier, 0.1)  # its determinant is 1
    with pytest.raises(InvalidInput, match=r"saddle = .*a Hessian \(p, p\), of one p for both"):
        eyring_kramers(np.eye(2), -1.0, barrier, 0.1)
    with pytest.raises(InvalidInput, match="temperature = 0: expected"):
        eyring_kramers(2.0, -1.0, barrier, 0)
    with pytest.raises(InvalidInput, match=r"barrier = -0\.25: expected"):
        eyring_kramers(2.0, -1.0, -0.25, 0.1)


def test_what_is_wrong_is_told():
    with pytest.raises(InvalidInput, match="infinity: rates are of no time"):
        Spectrum(wells, BOX, 0.1).at([0.0])
    with pytest.raises(InvalidInput, match=r"cells = .*it takes .* TB of memory"):
        Spectrum(wells, BOX * 2, 0.1, cells=10_000_000)
    with pytest.raises(InvalidInput, match="fewer rates than cells"):
        Spectrum(wells, BOX, 0.1, count=10, cells=16)
