"""Schedules: at which steps something happens, as a pure function of the grid of time.

``every(steps=10)``, ``every(time=5.0)``, ``evenly(100)``, ``log_spaced(200)``, ``at([0, 1, 10])``
compose with ``|`` (either) and ``&`` (both).
"""

from __future__ import annotations

import functools
import math
import operator
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from meanfield.errors import InvalidInput, require, require_count, require_positive

MOST = 10_000_000  # moments of a schedule


@dataclass(frozen=True)
class Grid:
    """Steps 0 … ``total`` of a run, the last one shortened so that it ends at ``until``.

    Parameters
    ----------
    step : float
        Length of a step.
    until : float
        Final time, counted from the start of the run.
    """

    step: float
    until: float

    def __post_init__(self) -> None:
        require_positive("step", self.step)
        require_positive("until", self.until)
        few = self.until / self.step <= 1e12
        require(few, "step", self.step, f"a larger step: over 1e12 of them to {self.until:g}")

    @property
    def total(self) -> int:
        """Number of steps. A remainder below 1e-9 of a step is rounding, not a step."""
        return max(1, _round_up(self.until / self.step))

    def time(self, step: int) -> float:
        """Time after a number of steps: a product, so that no error adds up."""
        return self.until if step >= self.total else step * self.step

    def length(self, step: int) -> float:
        """Length of the step that begins after `step` steps."""
        rest = self.until - step * self.step
        last = step + 1 == self.total and rest < self.step * (1 - 1e-9)
        return rest if last else self.step

    def first_step_at(self, time: float) -> int:
        """The first step at or after a time."""
        return min(self.total, max(0, _round_up(time / self.step)))


def _require_few(key: str, value: float, count: float) -> None:
    """Raise `InvalidInput` if a schedule has more moments than anybody looks at."""
    require(count <= MOST, key, value, f"a schedule of at most {MOST:,} moments")


def _round_up(ratio: float) -> int:
    """The next whole number, unless the remainder is no more than rounding."""
    return math.ceil(ratio - 1e-9 - 1e-14 * ratio)


class Schedule(ABC):
    """A set of steps, decided once the grid is known."""

    @abstractmethod
    def steps(self, grid: Grid) -> set[int]:
        """The steps, within 0 … ``grid.total``."""

    def __or__(self, other: Schedule) -> Schedule:
        return Combined(self, other, both=False)

    def __and__(self, other: Schedule) -> Schedule:
        return Combined(self, other, both=True)


@dataclass(frozen=True)
class Combined(Schedule):
    """The union or the intersection of two schedules."""

    first: Schedule
    second: Schedule
    both: bool

    def steps(self, grid: Grid) -> set[int]:
        first, second = self.first.steps(grid), self.second.steps(grid)
        return first & second if self.both else first | second


@dataclass(frozen=True)
class EverySteps(Schedule):
    """Steps 0, k, 2k, …"""

    count: int

    def __post_init__(self) -> None:
        require_count("steps", self.count)

    def steps(self, grid: Grid) -> set[int]:
        _require_few("steps", self.count, grid.total / self.count)
        return set(range(0, grid.total + 1, self.count))


@dataclass(frozen=True)
class EveryTime(Schedule):
    """The first step at or after 0, Δ, 2Δ, …"""

    interval: float

    def __post_init__(self) -> None:
        require_positive("time", self.interval)

    def steps(self, grid: Grid) -> set[int]:
        _require_few("time", self.interval, grid.until / self.interval)
        count = math.floor(grid.until / self.interval + 1e-9)
        return {grid.first_step_at(i * self.interval) for i in range(count + 1)}


@dataclass(frozen=True)
class Spaced(Schedule):
    """About `count` steps from first to last, in equal or in equal logarithmic distances."""

    count: int
    logarithmic: bool

    def __post_init__(self) -> None:
        key = "log" if self.logarithmic else "evenly"
        require_count(key, self.count, least=2)
        _require_few(key, self.count, self.count)

    def steps(self, grid: Grid) -> set[int]:
        if self.logarithmic:
            points = np.geomspace(grid.total, 1, self.count - 1)
        else:
            points = np.linspace(0, grid.total, self.count)
        return {0, *(int(step) for step in np.rint(points))}


@dataclass(frozen=True)
class At(Schedule):
    """The first step at or after each of the given times."""

    times: tuple[float, ...]

    def steps(self, grid: Grid) -> set[int]:
        for time in self.times:
            inside = 0 <= time <= grid.until * (1 + 1e-12)
            require(inside, "at", time, f"a time in [0, {grid.until:g}]")
        return {grid.first_step_at(time) for time in self.times}


def every(*, steps: int | None = None, time: float | None = None) -> Schedule:
    """Every so many steps, or every interval of time (give one of the two)."""
    require((steps is None) != (time is None), "every", (steps, time), "either steps or time")
    return EverySteps(steps) if steps is not None else EveryTime(time)  # type: ignore[arg-type]


def evenly(count: int) -> Schedule:
    """`count` moments in equal distances, the start and the end included."""
    return Spaced(count, logarithmic=False)


def log_spaced(count: int) -> Schedule:
    """The start, then up to `count` - 1 steps in equal logarithmic distances to the end."""
    return Spaced(count, logarithmic=True)


def at(times: Sequence[float]) -> Schedule:
    """The given times."""
    return At(tuple(float(time) for time in times))


@dataclass(frozen=True)
class Moments:
    """When something happens; of several keys, the union. The start and the end always count.

    Parameters
    ----------
    steps : int, optional
        Every so many steps.
    time : float, optional
        Every interval of time.
    evenly : int, optional
        That many moments in equal distances.
    log : int, optional
        About that many, in equal logarithmic distances.
    at : list of float, optional
        At these times.
    """

    steps: int | None = None
    time: float | None = None
    evenly: int | None = None
    log: int | None = None
    at: Sequence[float] | None = None

    def __post_init__(self) -> None:
        self.schedule()

    def schedule(self) -> Schedule:
        """The union, as a schedule."""
        makers: dict[str, Callable[[Any], Schedule]] = {
            "steps": EverySteps,
            "time": EveryTime,
            "evenly": evenly,
            "log": log_spaced,
            "at": at,
        }
        given = [(make, getattr(self, key)) for key, make in makers.items()]
        parts = [make(value) for make, value in given if value is not None]
        require(bool(parts), "schedule", {}, f"a table with keys from {', '.join(makers)}")
        return functools.reduce(operator.or_, parts)


def schedule(spec: Any) -> Schedule:
    """A schedule from what an experiment file says.

    ``{steps = 10}``, ``{time = 5.0}``, ``{evenly = 100}``, ``{log = 200}``, ``{at = [0, 1]}``; a
    table with several keys is their union; a list of numbers is a list of times.
    """
    if isinstance(spec, Schedule):
        return spec
    if isinstance(spec, (list, tuple)):
        return at(spec)
    keys = [field.name for field in fields(Moments)]
    if not isinstance(spec, Mapping) or not spec or not set(spec) <= set(keys):
        raise InvalidInput("schedule", spec, f"a table with keys from {', '.join(keys)}")
    return Moments(**spec).schedule()
