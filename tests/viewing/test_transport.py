"""Distances over time, plans between times, tables of distances; radii beside their limit."""

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

from meanfield.errors import InvalidInput, UnknownName
from meanfield.limits import TwoGaussians, TwoGaussiansInDimension
from meanfield.viewing import distances, matching, matrix, radial
from meanfield.viewing.oracles import oracle_of
from meanfield.viewing.radial import LIMIT
from tests.viewing import experiments, runs


def exact(one, other):
    """W2 of equal numbers of equal masses, by the assignment problem."""
    cost = cdist(one.position, other.position, "sqeuclidean")
    return np.sqrt(cost[linear_sum_assignment(cost)].mean())


def test_distances_to_start_and_end():
    run = experiments.teacher()
    (ax,) = distances(run)
    assert [line.get_label() for line in ax.lines] == ["start", "end"]
    for line, reference in zip(ax.lines, (run.frames[0], run.frames[-1]), strict=True):
        expected = [exact(frame, reference) for frame in run.frames]
        np.testing.assert_allclose(line.get_ydata(), expected, rtol=1e-9, atol=1e-12)
        np.testing.assert_array_equal(line.get_xdata(), run.frames.times)
    assert ax.get_ylabel() == "$W_2$ to …"


def test_distances_to_what_is_given(tmp_path):
    run = runs.shrinking()
    path = tmp_path / "other.h5"
    run.save(path).close()
    (ax,) = distances(run, to=[str(path), run.frames[2]], method="sliced")
    at_end = [line.get_ydata()[-1] for line in ax.lines]
    assert at_end[0] == pytest.approx(0.0, abs=1e-12)
    assert at_end[1] > 0
    assert ax.get_ylabel() == "sliced $W_2$ to …"
    with pytest.raises(InvalidInput, match="to = 3"):
        distances(run, to=[3])
    with pytest.raises(InvalidInput):
        distances(run, method="nearest")


def test_the_limit_is_near():
    run = experiments.radii()
    (ax,) = distances(run)
    assert [line.get_label() for line in ax.lines] == ["start", "end", "limit"]
    assert ax.lines[2].get_ydata().max() < 0.02 < ax.lines[0].get_ydata().max()


def test_lines_are_the_optimal_plan():
    run = runs.diffusing()
    (ax,) = matching(run)
    first, last = run.frames[0], run.frames[-1]
    _, partner = linear_sum_assignment(cdist(first.position, last.position, "sqeuclidean"))
    drawn = {tuple(np.round(line.ravel(), 10)) for line in ax.collections[0].get_segments()}
    assert (partner != np.arange(len(first))).any()
    ends = first.position, last.position[partner]
    assert drawn == {tuple(row) for row in np.round(np.hstack(ends), 10)}
    assert f"{exact(first, last):.4g}" in ax.get_legend().get_title().get_text()
    with pytest.raises(InvalidInput, match=r"times = .*two times"):
        matching(run, times=[0.0])


def test_a_matrix_and_its_points():
    run = runs.shrinking(width=2)
    left, right = matrix(run, times=[0.0, 0.5, 1.0])
    values = left.images[0].get_array()
    frames = [run.frames.at(time) for time in (0.0, 0.5, 1.0)]
    expected = [[exact(one, other) for other in frames] for one in frames]
    np.testing.assert_allclose(values, expected, rtol=1e-9, atol=1e-12)
    x, y = right.lines[0].get_data()
    # Particles shrink along straight lines, which is a geodesic: the points lie on a line.
    np.testing.assert_allclose(np.hypot(np.diff(x), np.diff(y)), [values[0, 1], values[1, 2]])
    assert np.ptp(y) < 1e-6
    left, right = matrix([run, runs.shrinking(width=2, count=8)])
    assert left.images[0].get_array().shape == (10, 10)
    assert len(right.lines) == 2


def test_radii_are_beside_their_limit():
    run = experiments.radii()
    (ax,) = radial(run, [2.0], bins=8)
    particles, limit = (patch.get_data() for patch in ax.patches)
    counts, _ = np.histogram(np.abs(run.final.w[:, 0]), particles.edges, weights=run.final.mass)
    np.testing.assert_allclose(particles.values * np.diff(particles.edges), counts, rtol=1e-12)
    radii = np.abs(TwoGaussians(0.2).measure(2.0, LIMIT).w[:, 0])
    there, _ = np.histogram(radii, limit.edges)
    np.testing.assert_allclose(limit.values * np.diff(limit.edges), there / LIMIT, rtol=1e-9)
    (ax,) = radial(experiments.teacher(), [2.0])
    assert len(ax.patches) == 1


def test_which_limit_a_run_has():
    assert oracle_of(experiments.radii()) == TwoGaussians(0.2)
    assert oracle_of(experiments.teacher()) is None
    assert oracle_of(runs.shrinking()) is None
    mixture = {"kind": "gaussian-mixture", "dim": 4, "covariances": [1.44, 0.64]}
    start = {"count": 5, "scale": {"a": 0.0, "w": 0.4}, "mean": {"a": 1.0}}
    target = {"kind": "labels", "values": [1.0, -1.0]}
    run = experiments.run(
        {"activation": "ramp", "outer": "fixed"}, {**mixture, "target": target}, start, until=0.25
    )
    found = oracle_of(run)
    assert isinstance(found, TwoGaussiansInDimension)
    assert (found.dim, found.start_dim) == (4, 4)
    np.testing.assert_allclose([found.delta, found.scale], [0.2, 0.8], rtol=1e-12)


def test_unknown_columns():
    with pytest.raises(UnknownName, match="unknown column 'c'"):
        experiments.teacher().plot.distribution(columns=["c"])
