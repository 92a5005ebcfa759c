"""The energy with its parts, and the dissipation beside the fall of the energy."""

import numpy as np
import pytest

from meanfield.flows import Langevin
from meanfield.functionals import L2, Entropy
from meanfield.initial import NormalInit
from meanfield.observables import Dissipation, Energy
from meanfield.schedules import evenly
from meanfield.schemes import RK4, EulerMaruyama
from meanfield.simulation import simulate
from meanfield.viewing import dissipation, energy
from tests.viewing import experiments, runs


def test_the_parts_of_the_energy():
    run = runs.teacher_student()
    (ax,) = energy(run)
    drawn = {line.get_label(): line.get_ydata() for line in ax.lines}
    assert list(drawn) == ["energy", "risk", "sampled risk ± error", "L2 term"]
    np.testing.assert_array_equal(drawn["L2 term"], run["l2"])
    parts = run["risk"].values + run["l2"].values
    np.testing.assert_allclose(drawn["energy"], parts, rtol=1e-13)
    assert [len(axes.lines) for axes in energy(run, parts=False)] == [1]


def test_a_part_that_is_all_is_not_drawn_twice():
    (ax,) = energy(runs.shrinking())
    assert [line.get_label() for line in ax.lines] == ["energy"]


def test_logarithmic_and_linear_axes():
    assert energy(runs.over_decades())[0].get_yscale() == "log"
    assert energy(runs.over_decades(), log=False)[0].get_yscale() == "linear"
    assert energy(runs.shrinking(), log=True)[0].get_yscale() == "log"


def test_dissipation_is_the_slope_of_the_energy():
    run = runs.shrinking(
        scheme=RK4(0.01), observe=(Energy(), Dissipation()), observe_when=evenly(101)
    )
    left, right = dissipation(run)
    times = run["energy"]["time"].values
    size = run["energy"].values[0]  # F = ½|θ|², every coordinate e^-t: F' = -2F
    np.testing.assert_allclose(left.lines[0].get_ydata(), 2 * size * np.exp(-2 * times), rtol=1e-8)
    middle = 0.5 * (times[1:] + times[:-1])
    np.testing.assert_allclose(left.lines[1].get_xdata(), middle, rtol=1e-14)
    exact = size * (np.exp(-2 * times[:-1]) - np.exp(-2 * times[1:])) / np.diff(times)
    np.testing.assert_allclose(left.lines[1].get_ydata(), exact, rtol=1e-6)
    dots, line = right.lines
    np.testing.assert_allclose(dots.get_ydata(), dots.get_xdata(), rtol=2e-4)
    np.testing.assert_array_equal(line.get_xdata(), line.get_ydata())


def test_an_energy_that_rises_is_left_out_of_logarithmic_axes():
    run = simulate(
        Langevin(L2() + 0.5 * Entropy()),
        NormalInit(5, scale={"x": 3.0}),
        layout=runs.shrinking().layout,
        scheme=EulerMaruyama(0.05),
        until=4.0,
        observe=[Energy(), Dissipation()],
    )
    fell = -np.diff(run["energy"].values) > 0
    assert not fell.all()
    left, right = dissipation(run, log=True)
    np.testing.assert_array_equal(np.isfinite(left.lines[1].get_ydata()), fell)
    assert len(right.lines[0].get_xdata()) == fell.sum()
    left, right = dissipation(run, log=False)
    assert np.isfinite(left.lines[1].get_ydata()).all()
    assert len(right.lines[0].get_xdata()) == len(fell)


@pytest.mark.parametrize("log", [True, False])
def test_several_seeds_have_a_band(log):
    run = experiments.bumps(seeds=2)
    left, right = dissipation(run, log=log)
    assert len(left.collections) == 2
    assert len(right.lines[0].get_xdata()) == 2 * (len(run["energy"]["time"]) - 1)


def test_rates_within_a_decade_or_two_have_few_labels_on_both_axes():
    _, right = dissipation(experiments.bumps(), log=True)
    right.figure.canvas.draw()
    for axis in (right.xaxis, right.yaxis):
        labels = [text.get_text() for text in axis.get_minorticklabels()]
        assert {text[1] for text in labels if text} <= {"2", "5"}
