"""Schedules as pure functions of the grid of time."""

import itertools
import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from meanfield.errors import InvalidInput
from meanfield.schedules import Grid, at, evenly, every, log_spaced, schedule

lengths = st.floats(1e-6, 1e3)
# Final times of 1 to 10^8 steps, among them whole multiples of the step, as typed by people.
counts = st.one_of(st.floats(0.3, 50.0), st.floats(1.0, 1e8), st.integers(1, 10**8))
grids = st.builds(lambda step, count: Grid(step, step * count), lengths, counts)
small_grids = st.builds(
    lambda step, count: Grid(step, step * count), lengths, st.floats(0.3, 2000.0)
)
fractions = st.lists(st.floats(0.0, 1.0), min_size=1, max_size=6)
specs = st.one_of(
    st.builds(lambda k: every(steps=k), st.integers(1, 3000)),
    st.builds(evenly, st.integers(2, 3000)),
    st.builds(log_spaced, st.integers(2, 3000)),
)


@given(grids)
def test_the_grid_covers_the_time_exactly(grid):
    assert grid.time(0) == 0.0
    assert grid.time(grid.total) == grid.until
    last = grid.total - 1
    assert 0 < grid.length(last) <= grid.step * (1 + 1e-8)
    end = grid.time(last) + grid.length(last)
    assert end == pytest.approx(grid.until, rel=1e-13, abs=1e-9 * grid.step)
    # No step more than needed, up to the rounding of until / step.
    assert (grid.total - 1) * grid.step < grid.until
    assert grid.total * grid.step >= grid.until * (1 - 1e-12) - 1e-8 * grid.step


@given(small_grids)
def test_time_is_monotone_and_steps_are_its_differences(grid):
    times = [grid.time(step) for step in range(grid.total + 1)]
    assert times == sorted(set(times))
    for step in range(grid.total):
        assert grid.length(step) == pytest.approx(times[step + 1] - times[step], rel=1e-8)
    assert all(grid.length(step) == grid.step for step in range(grid.total - 1))


def test_a_whole_last_step_is_as_long_as_the_others():
    """Or else a run would not begin with the bits of a shorter one."""
    assert 1.0 - 9 * 0.1 != 0.1
    assert Grid(0.1, 1.0).length(9) == 0.1
    assert Grid(0.1, 1.05).length(10) == pytest.approx(0.05)


@pytest.mark.parametrize(
    ("step", "until", "total"),
    [
        (0.1, 0.3, 3),
        (0.1, 1.0, 10),
        (0.001, 1.0, 1000),
        (0.1, 1.05, 11),
        (0.3, 0.1, 1),
        (2.0, 2.0, 1),
        (0.1, 1000000.0, 10**7),
        (0.5619, 4286627.2152, 7628808),
        (0.981, 59347957.248, 60497408),
    ],
)
def test_rounding_makes_no_extra_step(step, until, total):
    grid = Grid(step, until)
    assert grid.total == total
    assert grid.length(total - 1) > 1e-6 * step


@given(small_grids, st.floats(0.0, 1.0))
def test_the_first_step_at_a_time_is_the_first(grid, fraction):
    time = fraction * grid.until
    step = grid.first_step_at(time)
    slack = 1e-8 * grid.step
    assert grid.time(step) >= time - slack
    assert step == 0 or grid.time(step - 1) < time + slack


@given(small_grids, specs)
def test_schedules_stay_on_the_grid(grid, spec):
    steps = spec.steps(grid)
    assert 0 in steps
    assert all(isinstance(step, int) and 0 <= step <= grid.total for step in steps)


@given(small_grids, st.integers(1, 100))
def test_every_so_many_steps(grid, count):
    expected = {step for step in range(grid.total + 1) if step % count == 0}
    assert every(steps=count).steps(grid) == expected


@given(small_grids, st.floats(0.05, 3.0))
def test_every_interval_of_time(grid, part):
    interval = part * grid.until
    assume(interval > 1e-3 * grid.step)
    steps = every(time=interval).steps(grid)
    expected = math.floor(1 / part + 1e-9) + 1
    assert steps == {grid.first_step_at(i * interval) for i in range(expected)}
    if interval > (1 + 1e-6) * grid.step:
        assert len(steps) in (expected, expected - 1)  # two may share the shortened last step


@given(small_grids, st.integers(2, 500))
def test_evenly_has_both_ends_and_equal_distances(grid, count):
    steps = sorted(evenly(count).steps(grid))
    assert steps[0] == 0
    assert steps[-1] == grid.total
    assert len(steps) == min(count, grid.total + 1)
    distances = {after - before for before, after in itertools.pairwise(steps)}
    assert max(distances) - min(distances) <= 1


@given(small_grids, st.integers(3, 500))
def test_logarithmic_distances_grow(grid, count):
    steps = sorted(log_spaced(count).steps(grid))
    assert steps[0] == 0
    assert steps[-1] == grid.total
    assert len(steps) <= max(count, 2)
    ratio = grid.total ** (1 / max(1, count - 2))
    for before, after in itertools.pairwise(steps):
        assert after <= ratio * (before + 0.5) + 0.5


def test_log_spaced_by_hand():
    assert sorted(log_spaced(5).steps(Grid(1.0, 1000.0))) == [0, 1, 10, 100, 1000]
    assert sorted(evenly(5).steps(Grid(1.0, 1000.0))) == [0, 250, 500, 750, 1000]


@given(small_grids, fractions)
def test_given_times_are_met_or_just_passed(grid, parts):
    times = [part * grid.until for part in parts]
    steps = at(times).steps(grid)
    assert steps == {grid.first_step_at(time) for time in times}
    assert all(0 <= step <= grid.total for step in steps)


@given(small_grids, specs, specs)
def test_either_and_both(grid, first, second):
    one, two = first.steps(grid), second.steps(grid)
    assert (first | second).steps(grid) == one | two
    assert (first & second).steps(grid) == one & two
    assert (first | second | first).steps(grid) == one | two


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ({"steps": 10}, every(steps=10)),
        ({"time": 5.0}, every(time=5.0)),
        ({"evenly": 7}, evenly(7)),
        ({"log": 7}, log_spaced(7)),
        ({"at": [0, 1.5]}, at([0, 1.5])),
        ([0, 1.5], at([0, 1.5])),
        ({"steps": 10, "at": [1.0]}, every(steps=10) | at([1.0])),
        ({"steps": 9, "evenly": 3, "log": 4}, every(steps=9) | evenly(3) | log_spaced(4)),
        (every(steps=10) & evenly(2), every(steps=10) & evenly(2)),
    ],
)
def test_tables_of_an_experiment_file(table, expected):
    assert schedule(table) == expected
    grid = Grid(0.1, 7.0)
    assert schedule(table).steps(grid) == expected.steps(grid)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: every(), "every = (None, None): expected either steps or time"),
        (lambda: every(steps=1, time=2.0), "every = (1, 2.0): expected either steps or time"),
        (lambda: every(steps=0), "steps = 0: expected a whole number ≥ 1"),
        (lambda: every(steps=2.0), "steps = 2.0: expected a whole number ≥ 1"),
        (lambda: every(time=0.0), "time = 0.0: expected a finite number > 0"),
        (lambda: evenly(1), "evenly = 1: expected a whole number ≥ 2"),
        (lambda: log_spaced(1), "log = 1: expected a whole number ≥ 2"),
        (lambda: Grid(0.0, 1.0), "step = 0.0: expected a finite number > 0"),
        (lambda: Grid(0.1, math.inf), "until = inf: expected a finite number > 0"),
        (lambda: at([2.0]).steps(Grid(0.1, 1.0)), "at = 2.0: expected a time in [0, 1]"),
        (lambda: at([-0.1]).steps(Grid(0.1, 1.0)), "at = -0.1: expected a time in [0, 1]"),
        (
            lambda: schedule({"step": 3}),
            "schedule = {'step': 3}: expected a table with keys from steps, time, evenly, log, at",
        ),
        (
            lambda: schedule({}),
            "schedule = {}: expected a table with keys from steps, time, evenly, log, at",
        ),
        (
            lambda: schedule(3),
            "schedule = 3: expected a table with keys from steps, time, evenly, log, at",
        ),
    ],
)
def test_a_senseless_schedule_is_refused_in_one_sentence(make, message):
    with pytest.raises(InvalidInput) as caught:
        make()
    assert str(caught.value) == message
