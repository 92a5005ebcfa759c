"""Claims: numbers that a run, or several, must reproduce.

An experiment file states them in tables ``[[claims]]``, next to what they are about.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np

from meanfield.arrays import Array
from meanfield.config.problems import Problems
from meanfield.config.tables import Table, check
from meanfield.errors import UnknownName, require
from meanfield.registry import Fields
from meanfield.storage import Run

BOUNDS = ("value", "within", "above", "below")
MOMENTS: Mapping[str, Callable[[Array], float]] = {
    "start": lambda values: values[0],
    "end": lambda values: values[-1],
    "max": np.max,
    "min": np.min,
    "mean": np.mean,
}


@dataclass(frozen=True)
class Quantity:
    """One number of a run.

    Parameters
    ----------
    series : str
        An observed series; or an entry of the run's provenance (``baseline_test_accuracy``) or
        diagnostics (``elapsed``, in seconds). Over several seeds, and where an entry is a list,
        the mean.
    of : str
        The variant whose run it is, if the file has variants.
    at : {"end", "start", "max", "min", "mean"}, float, or table
        Which moment, or what over all of them; the moment nearest to a time; or, for
        ``{ below = x }``, the first time at which the series is at most x (infinite if it never
        is).
    since : float
        Only times from here on count.
    spread : bool
        The variance over the seeds, unbiased, instead of the mean; of an observed series.
    """

    series: str
    of: str = ""
    at: Literal["end", "start", "max", "min", "mean"] | float | dict[str, float] = "end"
    since: float = 0.0
    spread: bool = False

    def __post_init__(self) -> None:
        if isinstance(self.at, Mapping):
            require(list(self.at) == ["below"], "at", self.at, "a table { below = number }")

    def of_run(self, run: Run) -> float:
        """The number."""
        if self.series not in run.names:
            entries = {**run.provenance, **run.diagnostics}
            if self.series not in entries:
                raise UnknownName("series", self.series, [*run.names, *entries])
            return float(np.mean(entries[self.series]))
        data = run[self.series]
        times = data["time"].values
        others = [dim for dim in data.dims if dim != "time"]
        if self.spread:
            values = data.var("seed", ddof=1).mean([dim for dim in others if dim != "seed"]).values
        else:
            values = data.mean(others).values
        values, times = values[times >= self.since], times[times >= self.since]
        if isinstance(self.at, Mapping):
            reached = np.flatnonzero(values <= self.at["below"])
            return float(times[reached[0]]) if len(reached) else math.inf
        if not isinstance(self.at, str):
            return float(values[np.abs(times - self.at).argmin()])
        return float(MOMENTS[self.at](values))

    def __str__(self) -> str:
        said = [f"variance of {self.series}" if self.spread else self.series]
        if self.of:
            said.append(f"of {self.of}")
        if isinstance(self.at, Mapping):
            said.append(f"first below {self.at['below']:g}")
        elif self.at != "end":
            said.append(f"at {self.at}" if isinstance(self.at, str) else f"at time {self.at:g}")
        if self.since:
            said.append(f"from time {self.since:g}")
        return " ".join(said)


@dataclass(frozen=True)
class Claim:
    """What a number, a ratio, a difference or a slope must be.

    Parameters
    ----------
    series, of, at, since, spread
        The number: see `Quantity`. With ``against``, ``of`` is a list of variants.
    says : str
        The claim in words.
    over, minus : table
        The number is divided by, or lessened by, another one: the same with these keys changed.
    against : str
        A key of the experiment, as in ``ensemble.count``. The number is then the slope of
        log(number) against log(key) over the variants, by least squares.
    value, within : float
        It is ``value``, to ``within``.
    above, below : float
        It is larger, smaller. A claim without bounds only reports.
    reduced : bool or table
        Keys that hold at the reduced size; bounds there replace all others, but ``within`` alone
        keeps ``value``. False: not claimed there.
    """

    series: str
    says: str = ""
    of: str | list[str] = ""
    at: Literal["end", "start", "max", "min", "mean"] | float | dict[str, float] = "end"
    since: float = 0.0
    spread: bool = False
    over: Annotated[dict[str, Any], Fields(Quantity, partial=True)] | None = None
    minus: Annotated[dict[str, Any], Fields(Quantity, partial=True)] | None = None
    against: str = ""
    value: float | None = None
    within: float | None = None
    above: float | None = None
    below: float | None = None
    reduced: bool | Annotated[dict[str, Any], Fields(Claim, partial=True)] = True

    def __post_init__(self) -> None:
        pair = (self.value is None) == (self.within is None)
        require(pair, "within", self.within, "a number, together with value")
        single = self.over is None or self.minus is None
        require(single, "minus", self.minus, "none, where there is over")
        several = isinstance(self.of, list)
        require(several == bool(self.against), "against", self.against, "a key, for a list in of")
        self.quantities()  # each checks itself

    @classmethod
    def check(cls, table: Table, key: str, problems: Problems, reduced: bool) -> Claim | None:
        """The claim of a table; None if there are mistakes, or if it is not made at this size."""
        there = table.get("reduced", True)
        if reduced and isinstance(there, Mapping):
            kept = {"value"} if "within" in there else set()
            dropped = set(BOUNDS) - kept
            table = {**{k: v for k, v in table.items() if k not in dropped}, **there}
        checked = check(cls, table, key, problems)
        if checked is None:
            return None
        claim: Claim | None = problems.attempt(key, checked.build)
        return None if reduced and there is False else claim

    def quantities(self) -> list[Quantity]:
        """All numbers of single runs that it needs."""
        variants = self.of if isinstance(self.of, list) else [self.of]
        first = [Quantity(self.series, of, self.at, self.since, self.spread) for of in variants]
        changes = self.over or self.minus
        return first if changes is None else [*first, dataclasses.replace(first[0], **changes)]

    def judge(self, runs: Mapping[str, Run], keys: Mapping[str, float]) -> Verdict:
        """Hold it against the runs.

        Parameters
        ----------
        runs : mapping of str to Run
            By variant.
        keys : mapping of str to float
            What ``against`` is in each variant.
        """
        quantities = self.quantities()
        numbers = [quantity.of_run(runs[quantity.of]) for quantity in quantities]
        if self.against:
            logs = np.log(numbers), np.log([keys[quantity.of] for quantity in quantities])
            number = float(np.polyfit(logs[1], logs[0], 1)[0])
        elif self.over is not None:
            number = numbers[0] / numbers[1]
        elif self.minus is not None:
            number = numbers[0] - numbers[1]
        else:
            (number,) = numbers
        return Verdict(self, number)

    def holds(self, number: float) -> bool | None:
        """Whether a number is as claimed; None if nothing is."""
        if all(getattr(self, bound) is None for bound in BOUNDS):
            return None
        right = not math.isnan(number)
        if self.value is not None and self.within is not None:
            right &= abs(number - self.value) <= self.within
        if self.above is not None:
            right &= number > self.above
        if self.below is not None:
            right &= number < self.below
        return right

    def __str__(self) -> str:
        first, *others = self.quantities()
        if self.against:
            return f"slope of {dataclasses.replace(first, of='')} against {self.against}"
        sign = " / " if self.over is not None else " - "
        return sign.join(map(str, (first, *others)))

    @property
    def expected(self) -> str:
        """The bounds, in words."""
        said = []
        if self.value is not None:
            said.append(f"{self.value:g} ± {self.within:g}")
        if self.above is not None:
            said.append(f"above {self.above:g}")
        if self.below is not None:
            said.append(f"below {self.below:g}")
        return ", ".join(said)


@dataclass(frozen=True)
class Verdict:
    """A claim and the number that was found."""

    claim: Claim
    number: float

    @property
    def holds(self) -> bool | None:
        """Whether the number is as claimed; None if nothing is."""
        return self.claim.holds(self.number)

    def table(self) -> dict[str, Any]:
        """For a program to read."""
        return {
            "says": self.claim.says,
            "what": str(self.claim),
            "number": self.number,
            "expected": self.claim.expected,
            "holds": self.holds,
        }

    def __str__(self) -> str:
        mark = {True: "yes", False: "NO", None: "-"}[self.holds]
        expected = f"  ({self.claim.expected})" if self.claim.expected else ""
        said = f"{self.claim.says}: " if self.claim.says else ""
        return f"  {mark:<4} {said}{self.claim} = {self.number:.6g}{expected}"
