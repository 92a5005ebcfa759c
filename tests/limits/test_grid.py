"""Averages over cells, sums over pairs of them, and particles that represent a density."""

import numpy as np
import pytest
from scipy.special import ndtri

from meanfield.errors import InvalidInput
from meanfield.limits import normal
from meanfield.limits.grid import Convolution, Grid


def test_averages_are_exact_for_polynomials_of_degree_seven():
    grid = Grid([(-1.0, 2.0), (0.0, 1.0)], (3, 2))
    found = grid.averages(lambda points: points[:, 0] ** 7 * points[:, 1] ** 3)
    x, y = np.linspace(-1, 2, 4), np.linspace(0, 1, 3)
    expected = np.outer(np.diff(x**8) / 8, np.diff(y**4) / 4 / 0.5)
    np.testing.assert_allclose(found, expected, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("cells", [(7,), (16,), (5, 8)])
def test_a_convolution_is_the_sum_over_all_pairs(cells, rng):
    grid = Grid([(-1.0, 1.5)] * len(cells), cells)
    density = rng.uniform(size=cells)

    def square(apart):  # its average over a cell is W(centre) + Σ width²/12
        return (apart**2).sum(axis=1)

    apart = grid.centres[:, None] - grid.centres
    table = (apart**2).sum(axis=2) + (np.array(grid.widths) ** 2).sum() / 12
    expected = (table @ density.ravel()).reshape(cells) * grid.volume
    np.testing.assert_allclose(Convolution(grid, square)(density), expected, rtol=1e-13)


def test_an_interaction_may_be_infinite_where_particles_meet():
    """-∫ log|x - y| dy over a centred interval at its middle is 1 + log 2 for the width 1."""
    errors = []
    for cells in (9, 27, 81):
        grid = Grid([(-0.5, 0.5)], (cells,))
        field = Convolution(grid, lambda apart: -np.log(np.abs(apart[:, 0])))(np.ones(cells))
        errors.append(abs(field[cells // 2] - 1 - np.log(2.0)))
    assert errors[-1] < 0.004
    assert np.all(np.diff(np.log(errors)) < -0.95 * np.log(3.0))  # by the cell of 0: order 1 here


def test_quantiles_on_the_line():
    grid = Grid([(-8.0, 8.0)], (2000,))
    found = grid.ensemble(grid.normalised(grid.averages(normal(0.5, 0.7))), 10)
    expected = 0.5 + 0.7 * ndtri((np.arange(10) + 0.5) / 10)
    np.testing.assert_allclose(found.position[:, 0], expected, atol=1e-4)
    assert found.mass.tolist() == [0.1] * 10


@pytest.mark.parametrize("count", [1, 50, 10**6])
def test_blocks_of_cells_in_the_plane_keep_mass_and_mean(count):
    grid = Grid([(-4.0, 4.0), (-3.0, 5.0)], (30, 20))
    density = grid.normalised(grid.averages(normal([0.5, 1.0], 0.7)))
    found = grid.ensemble(density, count)
    assert len(found) <= count
    assert found.mass.sum() == pytest.approx(1.0, abs=1e-13)
    mean = density.ravel() * grid.volume @ grid.centres
    np.testing.assert_allclose(found.mass @ found.position, mean, rtol=1e-12)


def test_what_is_wrong_is_told():
    with pytest.raises(InvalidInput, match=r"box = \(1, 0\): expected finite ends, lower < upper"):
        Grid([(1, 0)], (4,))
    with pytest.raises(InvalidInput, match=r"box = \(0, 1\): expected a pair \(lower, upper\)"):
        Grid((0, 1), (4, 4))
    with pytest.raises(InvalidInput, match=r"cells = .*it takes .* TB of memory"):
        Grid([(0, 1)] * 3, (100_000,) * 3)
    with pytest.raises(InvalidInput, match="a number for each of 2 axes"):
        Grid([(0, 1), (0, 1)], (4,))
    grid = Grid([(0.0, 1.0)], (4,))
    with pytest.raises(InvalidInput, match=r"shape = \(4, 1\)"):
        grid.values(lambda points: points)
    with pytest.raises(InvalidInput, match="W\\(x - y\\) = W\\(y - x\\)"):
        Convolution(grid, lambda apart: apart[:, 0])
    with pytest.raises(InvalidInput, match="a density: finite, ≥ 0, and not zero"):
        grid.normalised(np.array([1.0, -1.0, 1.0, 1.0]))
