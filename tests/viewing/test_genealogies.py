"""The figure of a genealogy: families, lines, numbers."""

import numpy as np
import pytest

from meanfield.errors import InvalidInput
from meanfield.genealogy import genealogy
from meanfield.viewing.genealogies import shares
from tests.viewing import experiments

COUNT = 30


def test_what_is_no_lineage_is_refused():
    run = experiments.bumps("birth-death", count=COUNT)
    with pytest.raises(InvalidInput, match=r"lineage = 3: expected what mf\.genealogy"):
        run.plot.genealogy(lineage=3)


def test_the_figure_shows_families_and_lines():
    given = experiments.bumps("birth-death", count=COUNT)
    found = genealogy(given)
    first, second, third = given.plot.genealogy(families=3, count=10)
    largest, mass = shares(found, 3)
    sizes = np.bincount(found.founders[-1], minlength=COUNT) / COUNT
    np.testing.assert_allclose(mass[:-1, -1], np.sort(sizes)[::-1][: len(largest)], rtol=1e-12)
    np.testing.assert_allclose(mass.sum(axis=0), 1.0, rtol=1e-12)
    assert len(first.collections) == len(largest) + 1
    lines = second.collections[0].get_segments()
    assert len(lines) == min(10, COUNT)
    some = np.linspace(0, COUNT - 1, 10).round().astype(int)
    place = given.layout.columns("b").start
    for line, row in zip(lines, np.unique(some), strict=True):
        expected = [
            frame.position[rows[row], place]
            for frame, rows in zip(found.frames, found.ancestors, strict=True)
        ]
        np.testing.assert_array_equal(line[:, 1], expected)
    np.testing.assert_array_equal(third.lines[0].get_ydata(), found.survivors)
