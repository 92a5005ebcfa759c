"""The learned function: what is drawn is f of the frame, the target and the samples."""

import numpy as np
import pytest

from meanfield.config import Setting, setting
from meanfield.data import FiniteData, GaussianMixture, Labels, SingleIndex, Sphere, Stream
from meanfield.errors import InvalidInput, Unsupported
from meanfield.networks import TwoLayer
from meanfield.viewing import decision, function
from meanfield.viewing.sections import section_of
from tests.viewing import experiments, runs


def test_curves_are_the_network_at_the_frames():
    run = experiments.bumps()
    (ax,) = function(run, times=[0.0, 4.0])
    known = setting(run)
    target, start, end = ax.lines
    x = end.get_xdata()
    for line, time in ((start, 0.0), (end, 4.0)):
        f = known.network(run.frames.at(time), x[:, None])
        np.testing.assert_allclose(line.get_ydata(), f, rtol=1e-12)
    bumps = 0.5 * (np.exp(-2 * (x - 1.0) ** 2) + np.exp(-2 * (x + 0.5) ** 2))
    np.testing.assert_allclose(target.get_ydata(), bumps, rtol=1e-10)
    dots = ax.collections[0].get_offsets()
    np.testing.assert_array_equal(dots, np.hstack([known.samples.x, known.samples.y]))
    assert x.min() < known.samples.x.min() < known.samples.x.max() < x.max()


def test_contours_are_levels_of_the_network_and_of_the_target():
    run = experiments.teacher()
    axes = function(run, times=[2.0])
    assert [ax.get_title() for ax in axes] == ["$t$ = 2", "target"]
    known = setting(run)
    functions = known.network.function(run.final), lambda x: known.target(x, 0)[:, 0]
    for ax, f in zip(axes, functions, strict=True):
        filled, lines = ax.collections
        found = 0
        for level, path in zip(lines.levels, lines.get_paths(), strict=True):
            if len(path.vertices):
                np.testing.assert_allclose(f(path.vertices), level, atol=5e-3)
                found += 1
        assert found >= 1
        assert filled.levels[0] == -filled.levels[-1]
    assert axes[0].collections[0].levels.tolist() == axes[1].collections[0].levels.tolist()


def test_chosen_inputs_and_the_rest_at_the_mean():
    run = experiments.teacher(dim=4)
    (ax,) = function(run, times=[2.0], inputs=[2])
    known = setting(run)
    line = ax.lines[-1]
    points = np.zeros((len(line.get_xdata()), 4))
    points[:, 2] = line.get_xdata()
    expected = known.network(run.final, points)
    np.testing.assert_allclose(line.get_ydata(), expected, rtol=1e-10)
    assert ax.get_xlabel() == "$x_{2}$"
    for wrong in ([4], [0, 0], [0, 1, 2]):
        with pytest.raises(InvalidInput, match="two different numbers from 0 to 3"):
            function(run, inputs=wrong)


def test_the_mean_is_that_of_the_weighted_samples_or_of_the_law():
    network = TwoLayer("relu", 2)
    weighted = FiniteData([[0.0, 1.0], [4.0, 5.0]], [1.0, -1.0], weights=[0.75, 0.25])
    mixture = GaussianMixture(2, means=[[1.0, 0.0], [-3.0, 2.0]], weights=[0.5, 0.5])
    cases = [(weighted, [1.0, 2.0]), (mixture.labelled_by(Labels()), [-1.0, 1.0])]
    cases.append((Sphere(2).labelled_by(SingleIndex()), [0.0, 0.0]))
    for data, expected in cases:
        for each in (data, Stream(data, 1)):
            centre = section_of(Setting(network, each), [0]).centre
            np.testing.assert_allclose(centre, expected, atol=1e-15)


def test_the_boundary_is_where_f_is_zero():
    run = experiments.classes()
    (ax,) = decision(run, times=[2.0])
    known = setting(run)
    _, line, negative, positive = ax.collections
    (path,) = line.get_paths()
    np.testing.assert_allclose(known.network(run.final, path.vertices), 0.0, atol=2e-3)
    y = known.samples.y[:, 0]
    np.testing.assert_array_equal(negative.get_offsets(), known.samples.x[y < 0])
    np.testing.assert_array_equal(positive.get_offsets(), known.samples.x[y > 0])


def test_the_regions_of_three_classes_are_the_largest_output():
    angle = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    x = np.column_stack([np.cos(angle), np.sin(angle)])
    y = np.eye(3)[np.arange(12) // 4]
    data = {"kind": "arrays", "x": x.tolist(), "y": y.tolist()}
    run = experiments.run({"activation": "tanh"}, data, {"count": 9})
    known = setting(run)
    assert known.network.outputs == 3
    (ax,) = decision(run, times=[2.0])
    f = known.network(run.final, x)
    assert len(ax.collections) >= 2 * len(np.unique(f.argmax(axis=1)))


@pytest.mark.parametrize("numbers", [(0.0, 1.0), (1.0, 2.0), (1.0, 3.0)])
def test_two_numbers_whose_middle_is_not_zero_are_no_classes(numbers):
    data = {"kind": "arrays", "x": np.eye(2).tolist(), "y": [*numbers]}
    run = experiments.run({"activation": "tanh"}, data, {"count": 3})
    with pytest.raises(Unsupported, match="no classes"):
        decision(run)


def test_a_function_needs_to_know_the_network():
    with pytest.raises(Unsupported, match="holds no experiment: pass setting"):
        function(runs.teacher_student())
    with pytest.raises(InvalidInput, match=r"setting\.network .* the network of the run's"):
        function(runs.teacher_student(dim=4), setting=setting(experiments.teacher()))
    with pytest.raises(InvalidInput, match="output = 1: expected a number from 0 to 0"):
        function(experiments.bumps(), output=1)
