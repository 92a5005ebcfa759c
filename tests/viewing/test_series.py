"""The lines in a panel are the run's numbers, on the axes that suit them."""

import matplotlib
import numpy as np
import pytest
from matplotlib import pyplot as plt

from meanfield.ensemble import Ensemble
from meanfield.errors import UnknownName
from meanfield.observables import Observe
from meanfield.schedules import at, evenly
from meanfield.viewing import series
from meanfield.viewing.curves import logarithmic
from meanfield.viewing.series import panels
from tests.viewing import runs


@pytest.fixture
def ax():
    figure, ax = plt.subplots()
    yield ax
    figure.canvas.draw()  # nothing that is drawn may warn


def test_a_line_is_the_series(ax):
    run = runs.teacher_student()
    assert series(run, ["risk", "energy", "l2"], ax) == [ax]
    assert [line.get_label() for line in ax.lines] == ["risk", "energy", "L2 term"]
    for line, name in zip(ax.lines, ["risk", "energy", "l2"], strict=True):
        np.testing.assert_array_equal(line.get_xdata(), run[name]["time"])
        np.testing.assert_array_equal(line.get_ydata(), run[name])
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("time $t$", "energy")
    assert len(ax.get_legend().get_texts()) == 3


def test_lines_differ_without_colour(ax):
    series(runs.teacher_student(), "second_moment", ax)
    looks = {str(line._dash_pattern) for line in ax.lines}
    assert len(looks) == len(ax.lines) == 3


def test_several_seeds_are_a_mean_and_a_band(ax):
    run = runs.classifying()
    series(run, "energy", ax)
    values = run["energy"].values
    np.testing.assert_allclose(ax.lines[0].get_ydata(), values.mean(axis=0), rtol=1e-14)
    corners = ax.collections[0].get_paths()[0].vertices[:, 1]
    assert corners.min() == values.min()
    assert corners.max() == values.max()
    assert ax.get_legend().get_texts()[-1].get_text() == "min to max of 3 seeds (lines: mean)"


def test_a_standard_error_is_a_band(ax):
    run = runs.teacher_student()
    series(run, "sampled_risk", ax)
    low, high = (run["sampled_risk"] + sign * run["sampled_risk_error"] for sign in (-1, 1))
    corners = ax.collections[0].get_paths()[0].vertices[:, 1]
    assert (corners.min(), corners.max()) == (low.min(), high.max())
    assert ax.get_ylabel() == "sampled risk ± error"


def test_columns_are_lines_up_to_eight(ax):
    run = runs.shrinking(width=10, observe=(Observe("place", lambda e: e.position[0]),))
    series(run, "place", ax)
    np.testing.assert_array_equal([line.get_ydata() for line in ax.lines], run["place"].T[:8])
    assert ax.lines[0].get_label() == "place of x[0]"
    assert ax.lines[7].get_label() == "place of x[7] (2 more)"


def test_by_default_the_energy_and_its_parts(ax):
    series(runs.teacher_student(), ax=ax)
    labels = [line.get_label() for line in ax.lines]
    assert labels == ["energy", "risk", "sampled risk ± error", "L2 term"]


def test_without_axes_there_is_a_new_figure():
    figure = series(runs.shrinking())[0].figure
    assert plt.fignum_exists(figure.number)


def test_an_unknown_series_is_refused():
    with pytest.raises(UnknownName, match="did you mean 'energy'"):
        series(runs.shrinking(), "enrgy")
    with pytest.raises(UnknownName, match="unknown series"):
        panels(runs.shrinking(), ["energy", "dissipation"])


def test_panels_hold_what_belongs_together():
    assert panels(runs.teacher_student()) == [
        ["energy", "risk", "sampled_risk", "l2"],
        ["path_norm"],
    ]
    assert panels(runs.classifying()) == [["energy", "risk"], ["test_accuracy", "train_accuracy"]]
    assert panels(runs.teacher_student(), ["mean", "l2", "l2"]) == [["l2"], ["mean"]]


def test_values_over_decades_are_on_a_logarithmic_axis(ax):
    series(runs.over_decades(), "energy", ax)
    assert ax.get_yscale() == "log"


def test_values_below_zero_are_on_a_linear_axis(ax):
    series(runs.diverged(), "energy", ax)
    assert ax.get_yscale() == "linear"


def test_times_over_decades_are_on_a_logarithmic_axis_with_zero(ax):
    run = runs.over_decades()
    series(run, "energy", ax)
    assert ax.get_xscale() == "symlog"
    assert ax.get_xlim() == (0.0, 4.0)
    np.testing.assert_allclose(ax.get_xticks(), [0.0, 0.01, 0.1, 1.0])


def test_evenly_spaced_times_are_on_a_linear_axis(ax):
    series(runs.shrinking(), "energy", ax)
    assert ax.get_xscale() == "linear"


def test_which_times_are_logarithmic():
    assert logarithmic(np.r_[0, np.geomspace(0.1, 100, 40)])
    assert logarithmic(np.unique(np.rint(np.geomspace(1, 2000, 200))))
    assert not logarithmic(np.linspace(0, 100, 201))
    assert not logarithmic(np.array([0.0, 0.1, 1.0, 10.0]))
    assert not logarithmic(np.array([0.0]))


def test_few_decades_stay_linear_though_frames_are_logarithmic(ax):
    few = (Observe("x", lambda e: e.position[0, 0], when=at([1.0])),)
    run = runs.shrinking(scheme=runs.Euler(0.01), frames=runs.log_spaced(40), observe=few)
    series(run, "x", ax)
    assert ax.get_xscale() == "linear"


def test_the_baseline_is_a_horizontal_line(ax):
    series(runs.classifying(), ["test_accuracy", "train_accuracy"], ax)
    line = ax.lines[-1]
    assert line.get_label() == "logistic"
    assert set(line.get_ydata()) == {0.5}
    assert line.is_dashed()
    assert ax.get_ylabel() == "accuracy"


def test_without_a_baseline_there_is_none(ax):
    series(runs.classifying(baseline=False), ["test_accuracy", "train_accuracy"], ax)
    assert len(ax.lines) == 2


def test_what_is_not_finite_leaves_a_gap(ax):
    run = runs.diverged()
    series(run, "energy", ax)
    values = run["energy"].values
    drawn = ax.lines[0].get_ydata()
    assert not np.isfinite(values).all()
    np.testing.assert_array_equal(drawn, np.where(np.isfinite(values), values, np.nan))


def test_the_mean_is_over_the_seeds_that_got_there(ax):
    run = runs.second_seed_diverged()
    values = run["energy"].values
    assert np.isnan(values[1, -1])
    series(run, "energy", ax)
    drawn = ax.lines[0].get_ydata()
    np.testing.assert_allclose(drawn[0], values[:2, 0].mean(), rtol=1e-14)
    np.testing.assert_allclose(drawn[-1], values[0, -1], rtol=1e-14)


def test_few_points_are_marked(ax):
    run = runs.still(Ensemble(np.ones((1, 1))))
    series(run, "energy", ax)
    assert ax.lines[0].get_marker() == "o"
    assert len(ax.lines[0].get_xdata()) == 2


def test_the_users_style_is_left_alone(ax):
    before = dict(matplotlib.rcParams)
    series(runs.shrinking(observe_when=evenly(3)), "energy", ax)
    assert dict(matplotlib.rcParams) == before
