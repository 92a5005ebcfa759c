"""Directions: densities over angles, places on half spheres, weights and signs."""

import numpy as np
import pytest

from meanfield.config import setting
from meanfield.errors import Unsupported
from meanfield.viewing import directions, marginals
from meanfield.viewing.directions import hemispheres
from tests.viewing import experiments, runs


def test_densities_over_the_angle_integrate_to_the_strength():
    run = experiments.teacher()
    for ax, time in zip(directions(run, [0.0, 2.0], bins=12), (0.0, 2.0), strict=True):
        frame = run.frames.at(time)
        strength = frame.mass * np.abs(frame.a) * np.linalg.norm(frame.w, axis=1)
        angle = np.arctan2(frame.w[:, 1], frame.w[:, 0])
        for stairs, sign in zip(ax.patches, (1, -1), strict=True):
            drawn = stairs.get_data()
            own = frame.a >= 0 if sign > 0 else frame.a < 0
            total = drawn.values @ np.diff(drawn.edges)
            np.testing.assert_allclose(total, sign * strength[own].sum(), rtol=1e-12)
            counts, _ = np.histogram(angle[own], drawn.edges, weights=strength[own])
            np.testing.assert_allclose(drawn.values, sign * counts / np.diff(drawn.edges))
    teacher = setting(run).teacher.ensemble
    marked = [line.get_xdata()[0] for line in ax.lines[1:]]
    np.testing.assert_allclose(marked, np.arctan2(teacher.w[:, 1], teacher.w[:, 0]))


def test_half_spheres_keep_areas(rng):
    z = rng.uniform(-1, 1, 4000)
    around = rng.uniform(0, 2 * np.pi, 4000)
    flat = np.sqrt(1 - z**2)
    unit = np.column_stack([flat * np.cos(around), flat * np.sin(around), z])
    placed = hemispheres(unit)
    centre = np.where(z >= 0, -1.1, 1.1)
    radius = np.hypot(placed[:, 0] - centre, placed[:, 1])
    # Height 1 - |z| is the share of the half sphere's area within, and r² that of the disc's.
    np.testing.assert_allclose(radius**2, 1 - np.abs(z), atol=1e-12)
    turned = np.arctan2(placed[:, 1], placed[:, 0] - centre)
    np.testing.assert_allclose(np.cos(turned - around), 1.0, atol=1e-9)


def test_the_sphere_and_more_dimensions():
    run = experiments.teacher(dim=3)
    (ax,) = directions(run, [2.0])
    end = run.final
    unit = end.w / np.linalg.norm(end.w, axis=1)[:, None]
    drawn = np.vstack([c.get_offsets() for c in ax.collections[:2]])
    order = np.argsort(end.a < 0, kind="stable")
    np.testing.assert_allclose(drawn, hemispheres(unit)[order], rtol=1e-12)
    (ax,) = directions(experiments.teacher(dim=4), [2.0])
    stars = ax.collections[-1].get_offsets()
    np.testing.assert_allclose(stars[0], [1.0, 0.0], atol=1e-12)  # the first axis is teacher 1
    assert np.all(np.hypot(*stars.T) < 1 + 1e-12)
    with pytest.raises(Unsupported, match="one inner weight"):
        directions(experiments.radii())


def test_marginals_of_chosen_columns():
    run = experiments.teacher()
    axes = marginals(run, [2.0], columns=["w[1]", "a"])
    assert [ax.get_xlabel() for ax in axes] == ["w[1]", "a"]
    for ax, values in zip(axes, (run.final.w[:, 1], run.final.a), strict=True):
        drawn = ax.patches[0].get_data()
        counts, _ = np.histogram(values, drawn.edges, weights=run.final.mass)
        np.testing.assert_allclose(drawn.values * np.diff(drawn.edges), counts, rtol=1e-12)
    assert len(marginals(run)) == 3


def test_principal_components_of_all_coordinates():
    run = runs.shrinking(width=3)
    (ax, *_) = run.plot.distribution([1.0], projection="pca")
    end = run.frames[-1]
    points = np.vstack([c.get_offsets() for c in ax.collections])
    centred = end.position - end.position.mean(axis=0)
    _, sizes, axes = np.linalg.svd(centred)
    np.testing.assert_allclose(np.abs(points), np.abs(centred @ axes[:2].T), rtol=1e-10)
    assert ax.get_xlabel() == f"component 1 ({sizes[0] ** 2 / (sizes**2).sum():.0%})"
    (ax,) = run.plot.distribution([1.0], columns=["x[2]", "x[0]"])
    np.testing.assert_array_equal(ax.collections[0].get_offsets(), end.position[:, [2, 0]])
