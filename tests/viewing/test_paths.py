"""Paths of particles: every point of every line, and where the teacher is."""

import numpy as np
import pytest

from meanfield.config import Setting, setting
from meanfield.data import Gaussian, SingleIndex
from meanfield.errors import InvalidInput
from meanfield.networks import TwoLayer
from meanfield.viewing import paths
from tests.viewing import experiments, runs


def lines(ax):
    """The points of all paths, (N, T, 2): those that end at a ≥ 0 first."""
    return np.array([path for c in ax.collections for path in segments(c)])


def segments(collection):
    return collection.get_segments() if hasattr(collection, "get_segments") else []


def test_neurons_of_the_plane_are_their_strength_times_direction():
    run = experiments.teacher()
    (ax,) = paths(run)
    order = np.argsort(run.frames[-1].a < 0, kind="stable")
    expected = [np.abs(frame.a)[:, None] * frame.w for frame in run.frames]
    np.testing.assert_allclose(lines(ax), np.swapaxes(expected, 0, 1)[order], rtol=1e-14)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("$|a|\\,w_{0}$", "$|a|\\,w_{1}$")
    assert ax.get_aspect() == 1.0


def test_the_teacher_has_rays_and_stars():
    run = experiments.teacher()
    (ax,) = paths(run)
    neurons = setting(run).teacher.ensemble
    expected = np.abs(neurons.a)[:, None] * neurons.w
    np.testing.assert_allclose(ax.collections[-1].get_offsets(), expected, rtol=1e-14)
    assert len(ax.lines) == len(neurons)
    for ray, w in zip(ax.lines, neurons.w, strict=True):
        x, y = ray.get_xdata()[1], ray.get_ydata()[1]
        assert np.arctan2(y, x) == pytest.approx(np.arctan2(w[1], w[0]))
        assert np.hypot(x, y) > ax.get_xlim()[1]


def test_until_when_and_how_many():
    run = experiments.teacher()
    axes = paths(run, times=[0.0, 1.0, 2.0], count=4)
    assert [lines(ax).shape for ax in axes] == [(4, 1, 2), (4, 3, 2), (4, 5, 2)]
    assert len({ax.get_xlim() for ax in axes}) == 1
    np.testing.assert_array_equal(lines(axes[1]), lines(axes[2])[:, :3])
    with pytest.raises(InvalidInput, match="count = 0"):
        paths(run, count=0)
    with pytest.raises(InvalidInput, match="axes = 1: expected 2 axes"):
        paths(run, times=[0.0, 1.0], axes=axes[:1])


def test_many_coordinates_are_projected_on_the_first_two_of_the_teacher():
    run = experiments.teacher(dim=4)
    (ax,) = paths(run)
    first, second = setting(run).teacher.ensemble.w[:2]
    e1 = first / np.linalg.norm(first)
    e2 = second - (second @ e1) * e1
    e2 /= np.linalg.norm(e2)
    end = run.frames[-1]
    order = np.argsort(end.a < 0, kind="stable")
    expected = (np.abs(end.a)[:, None] * end.w @ np.column_stack([e1, e2]))[order]
    np.testing.assert_allclose(lines(ax)[:, -1], expected, rtol=1e-10)
    assert ax.get_xlabel() == "$|a|\\,w$ along teacher 1"


def test_without_a_teacher_on_principal_axes():
    run = runs.teacher_student(dim=4)  # started from Python: no experiment
    (ax,) = paths(run)
    assert not ax.lines
    assert ax.get_xlabel().startswith("$|a|\\,w$ along axis 1 (")
    direction = SingleIndex([0.0, 3.0, 0.0, 0.0])
    known = Setting(TwoLayer("relu", 4), Gaussian(4).labelled_by(direction), direction)
    (ax,) = paths(run, setting=known)
    assert len(ax.lines) == 2  # v and -v


def test_one_coordinate_is_drawn_over_time():
    run = runs.shrinking()
    (ax,) = paths(run)
    expected = np.array([frame.position[:, 0] for frame in run.frames]).T
    np.testing.assert_array_equal(lines(ax)[:, :, 1], expected)
    np.testing.assert_array_equal(lines(ax)[0, :, 0], run.frames.times)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("time $t$", "$x_{0}$")


def test_masses_count():
    w, mass = np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([0.25, 0.75])
    run = runs.still(TwoLayer("relu", 2).ensemble(w, a=[2.0, 2.0], mass=mass))
    (ax,) = paths(run)
    expected = (2 * mass * 2.0)[:, None] * w  # N m |a| w
    np.testing.assert_allclose(lines(ax)[:, 0], expected, rtol=1e-8)


def test_plain_particles_are_their_first_two_coordinates():
    run = runs.shrinking(width=3)
    (ax,) = paths(run)
    np.testing.assert_array_equal(lines(ax)[:, 0], run.frames[0].position[:, :2])
