"""The particles at several times: which picture, and what is in it."""

import numpy as np
import pytest
from matplotlib import pyplot as plt

from meanfield.ensemble import Ensemble
from meanfield.errors import InvalidInput, UnknownName, Unsupported
from meanfield.flows import Wasserstein
from meanfield.functionals import L2
from meanfield.initial import NormalInit
from meanfield.networks import TwoLayer
from meanfield.schemes import Euler
from meanfield.simulation import simulate
from meanfield.viewing import distribution
from meanfield.viewing.distribution import MANY
from meanfield.viewing.marks import MOST_MARKERS
from meanfield.viewing.projections import influence, norm, principal_axes, projections
from tests.conftest import size
from tests.viewing import runs


@pytest.fixture
def axes():
    figure, axes = plt.subplots(1, 3)
    yield axes
    figure.canvas.draw()  # nothing that is drawn may warn


def dots(ax):
    """Coordinates and areas of all markers, in the order they were drawn."""
    offsets = np.vstack([c.get_offsets() for c in ax.collections])
    return offsets, np.concatenate([c.get_sizes() for c in ax.collections])


def legends(axes):
    return [ax.get_legend() for ax in axes if ax.get_legend() is not None]


def names(run):
    return list(projections(run.frames[0], run.frames[-1]))


def network_run(outer="trained", count=5, **options):
    network = TwoLayer("tanh", options.pop("dim", 2), outer=outer, **options.pop("network", {}))
    flow = Wasserstein(L2(), **options)
    return simulate(flow, NormalInit(count), layout=network.layout, scheme=Euler(0.25), until=1.0)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"dim": 1}, ["plane"]),
        ({"dim": 1, "network": {"bias": True}}, ["plane", "weights", "pca"]),
        ({"dim": 1, "outer": "fixed"}, ["density"]),
        ({"dim": 2}, ["plane", "weights", "pca"]),
        ({"dim": 2, "outer": "fixed"}, ["norm", "weights"]),
        ({"dim": 2, "mobility": {"a": 0.0}}, ["norm", "weights"]),
        ({"dim": 4, "network": {"outputs": 3, "bias": True}}, ["plane", "weights", "pca"]),
    ],
)
def test_which_projections_suit_a_network(options, expected, axes):
    run = network_run(**options)
    assert names(run) == expected
    for name in expected:
        distribution(run, axes=axes, projection=name)


def test_which_projections_suit_plain_particles():
    assert names(runs.shrinking(width=1)) == ["density"]
    assert names(runs.shrinking(width=3)) == ["plane", "pca"]


def test_a_density_integrates_to_the_mass(axes):
    ensemble = Ensemble(np.array([[0.0], [1.0], [1.0]]), np.array([0.5, 0.5, 2.0]))
    run = runs.still(ensemble)
    distribution(run, times=[0.0], axes=axes[0])
    stairs = axes[0].patches[0].get_data()
    np.testing.assert_allclose(stairs.values @ np.diff(stairs.edges), 3.0, rtol=1e-12)
    middle = 0.5 * (stairs.edges[1:] + stairs.edges[:-1])
    mean = stairs.values * np.diff(stairs.edges) @ middle / 3.0
    assert mean == pytest.approx(2.5 / 3.0, abs=np.diff(stairs.edges)[0])


def test_a_density_at_three_times_shares_its_bins(axes):
    run = runs.shrinking(count=30)
    assert distribution(run, axes=axes[0]) == [axes[0]]
    drawn = [patch.get_data() for patch in axes[0].patches]
    assert len(drawn) == 3
    for stairs, time in zip(drawn, (0.0, 0.5, 1.0), strict=True):
        np.testing.assert_array_equal(stairs.edges, drawn[0].edges)
        here = run.frames.at(time).position[:, 0]
        counts, _ = np.histogram(here, stairs.edges)
        np.testing.assert_allclose(stairs.values, counts / 30 / np.diff(stairs.edges), rtol=1e-12)
    texts = [text.get_text() for text in axes[0].get_legend().get_texts()]
    assert texts == ["$t$ = 0", "$t$ = 0.5", "$t$ = 1"]
    assert (axes[0].get_xlabel(), axes[0].get_ylabel()) == ("x[0]", "density")


def test_a_density_takes_one_axes_for_each_time(axes):
    distribution(runs.shrinking(), axes=axes)
    assert [len(ax.patches) for ax in axes] == [1, 1, 1]
    assert len({ax.get_xlim() for ax in axes}) == 1


def test_the_plane_of_norm_and_outer_weight(axes):
    run = runs.teacher_student()
    distribution(run, axes=axes, projection="plane")
    for ax, time in zip(axes, (0.0, 0.5, 1.0), strict=True):
        frame = run.frames.at(time)
        expected = np.column_stack([np.linalg.norm(frame.w, axis=1), frame.a])
        np.testing.assert_allclose(dots(ax)[0], expected, rtol=1e-14)
        assert (ax.get_xlabel(), ax.get_ylabel()) == ("$|w|$", "$a$")
        assert ax.get_title() == f"$t$ = {time:g}"


def test_the_area_in_a_plane_is_the_mass(axes):
    mass = np.array([1.0, 2.0, 5.0])
    distribution(runs.still(Ensemble(np.eye(3)[:, :2], mass)), [0.0], axes[:1])
    sizes = dots(axes[0])[1]
    np.testing.assert_allclose(sizes / sizes[0], mass)


@pytest.mark.parametrize("projection", ["plane", "weights"])
def test_limits_are_common_and_hold_every_particle(projection, axes):
    distribution(runs.teacher_student(), axes=axes, projection=projection)
    assert len({(ax.get_xlim(), ax.get_ylim()) for ax in axes}) == 1
    (left, right), (bottom, top) = axes[0].get_xlim(), axes[0].get_ylim()
    for ax in axes:
        points, _ = dots(ax)
        assert np.all((points > [left, bottom]) & (points < [right, top]))


def test_weights_in_two_dimensions_are_markers_by_sign_and_influence(axes):
    run = runs.teacher_student()
    distribution(run, axes=axes, projection="weights")
    largest = 0.0
    for ax, time in zip(axes, (0.0, 0.5, 1.0), strict=True):
        frame = run.frames.at(time)
        full, hollow = ax.collections
        np.testing.assert_array_equal(full.get_offsets(), frame.w[frame.a >= 0])
        np.testing.assert_array_equal(hollow.get_offsets(), frame.w[frame.a < 0])
        assert len(hollow.get_facecolor()) == 0
        assert ax.get_aspect() == 1.0
        share = frame.mass * np.abs(frame.a) * np.linalg.norm(frame.w, axis=1)
        order = np.r_[np.flatnonzero(frame.a >= 0), np.flatnonzero(frame.a < 0)]
        areas = dots(ax)[1] / share[order]
        largest = largest or areas[0]
        np.testing.assert_allclose(areas[dots(ax)[1] > 0.06], largest, rtol=1e-12)


def test_principal_axes_of_the_end(axes):
    run = runs.teacher_student(dim=4)
    distribution(run, axes=axes, projection="weights")
    end = run.frames[-1]
    moment = np.einsum("i,ij,ik->jk", end.mass, end.w, end.w)
    directions, shares = principal_axes(end)
    values = np.linalg.eigvalsh(moment)
    for i in range(2):
        np.testing.assert_allclose(moment @ directions[:, i], values[-1 - i] * directions[:, i])
        assert shares[i] == pytest.approx(values[-1 - i] / values.sum())
    start = run.frames[0]
    expected = (start.w @ directions)[np.argsort(start.a < 0, kind="stable")]
    np.testing.assert_allclose(dots(axes[0])[0], expected, rtol=1e-12)
    assert axes[0].get_xlabel().startswith("$w$ along axis 1 (")


def test_several_outputs_have_no_sign(axes):
    run = network_run(dim=3, network={"outputs": 2})
    distribution(run, axes=axes)
    np.testing.assert_allclose(dots(axes[0])[0][:, 1], np.linalg.norm(run.frames[0].a, axis=1))
    assert axes[0].get_ylabel() == "$|a|$"
    fresh = plt.figure().subplots(1, 3)
    distribution(run, axes=fresh, projection="weights")
    (legend,) = legends(fresh)
    assert not legend.get_texts()


def test_many_particles_are_a_density_of_hexagons(axes):
    count = MANY + 100
    rng = np.random.default_rng(1)
    network = TwoLayer("relu", 2)
    ensemble = network.ensemble(rng.standard_normal((count, 2)), a=rng.standard_normal(count))
    run = runs.still(ensemble)
    distribution(run, axes=axes[:2])
    for ax in axes[:2]:
        assert ax.collections[0].get_array().sum() == pytest.approx(1.0)
    assert axes[0].collections[0].norm is axes[1].collections[0].norm


def test_a_hundred_thousand_neurons_are_sampled_and_made_of_pixels(axes):
    count = size(100_000, 5_000)
    w = np.random.default_rng(1).standard_normal((count, 2))
    run = runs.still(TwoLayer("relu", 2).ensemble(w, a=np.sign(w[:, 0])))
    distribution(run, axes=axes, projection="weights")
    stride = -(-count // MOST_MARKERS)
    assert len(dots(axes[0])[0]) == len(w[::stride]) <= MOST_MARKERS
    assert all(markers.get_rasterized() for markers in axes[0].collections)
    (legend,) = legends(axes)
    assert f"1 in {stride} neurons" in legend.get_title().get_text()


@pytest.mark.parametrize("width", [1, 2])
def test_one_particle(width, axes):
    run = runs.still(Ensemble(np.full((1, width), 2.0)))
    distribution(run, axes=axes)
    left, right = axes[0].get_xlim()
    assert left < 2.0 < right


def test_a_neuron_that_does_nothing_is_drawn(axes):
    run = runs.still(TwoLayer("relu", 2).ensemble(np.zeros((2, 2)), a=0.0))
    distribution(run, axes=axes, projection="weights")
    distribution(run, axes=axes, projection="norm" if "norm" in names(run) else "plane")


def test_times_are_the_nearest_frames(axes):
    distribution(runs.shrinking(width=2), [0.1, 0.7], axes)
    assert [ax.get_title() for ax in axes] == ["$t$ = 0", "$t$ = 0.75", ""]


def test_a_seed_that_diverged_is_drawn_up_to_there(axes):
    run = runs.second_seed_diverged()
    distribution(run.replica(2), axes=axes)
    shown = [float(ax.get_title().split("=")[1]) for ax in axes]
    assert shown[0] == 0.0
    assert shown[0] < shown[1] < shown[2] < 10.0
    distribution(run.replica(1), [10.0], axes[0])
    assert axes[0].get_title() == "$t$ = 10"


def test_a_seed_that_never_ran_has_no_picture():
    with pytest.raises(Unsupported, match="'distribution': seed 3 has no frames: step 9"):
        distribution(runs.second_seed_diverged().replica(3))


def test_too_few_axes_are_refused(axes):
    with pytest.raises(InvalidInput, match="axes = 2: expected 3 axes, one for each time"):
        distribution(runs.shrinking(width=2), axes=axes[:2])


def test_a_projection_that_does_not_suit_is_refused(axes):
    with pytest.raises(UnknownName, match="unknown projection 'weights'; known: plane"):
        distribution(runs.shrinking(width=2), axes=axes, projection="weights")


def test_without_axes_there_is_a_new_figure():
    axes = distribution(runs.shrinking(width=2))
    assert len(axes) == 3


def test_norms_and_influences_do_not_overflow():
    rows = np.array([[3e200, 4e200], [0.0, 0.0], [3.0, 4.0]])
    np.testing.assert_allclose(norm(rows), [5e200, 0.0, 5.0], rtol=1e-15)
    ensemble = TwoLayer("relu", 2).ensemble(rows, a=[1e200, 1.0, -2.0])
    expected = [np.log(5e200) + np.log(1e200), -np.inf, np.log(10.0)] - np.log(3)
    np.testing.assert_allclose(influence(ensemble), expected, rtol=1e-14)
