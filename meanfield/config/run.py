"""The section ``[run]``: how long, from which seeds, what is looked at and kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from meanfield import random
from meanfield.baselines import baselines
from meanfield.errors import InvalidInput, require, require_count, require_positive
from meanfield.guards import Guard
from meanfield.observables import Observable, View, observables
from meanfield.registry import Fields, OneOf
from meanfield.schedules import Schedule, schedule
from meanfield.storage import Checkpoint, Keep

MOST_SEEDS = 100_000


@dataclass(frozen=True)
class RunSection:
    """``[run]``: how long, from which seeds, what is looked at and kept.

    Parameters
    ----------
    until : float
        Final time.
    seed : int
        Decides the start, the noise, and the data where these are drawn.
    seeds : int or list of int
        Several replicas: that many seeds from ``seed`` on, or the given ones.
    observe : list
        Names of observables, or tables with kind and arguments.
    observe_when, frames : table or list
        Schedules, as in `meanfield.schedules.schedule`.
    baseline : str
        A classical method to fit on the same data, for comparison.
    guard : {"warn", "stop", "off"}
        What happens when the energy rises though the flow lowers it; see `simulate`.
    keep : table, optional
        What a frame holds: see `meanfield.storage.Keep`.
    checkpoint : table
        How often the run is sealed on the disk: see `meanfield.storage.Checkpoint`.
    title : str
        Of the run; default: the name of the file.
    """

    until: float
    seed: int = 0
    seeds: int | list[int] = 1
    observe: list[Annotated[str | Mapping[str, Any], OneOf(observables)]] = field(
        default_factory=lambda: ["energy"]
    )
    observe_when: Schedule | dict[str, Any] | list[float] = field(
        default_factory=lambda: {"evenly": 201}
    )
    frames: Schedule | dict[str, Any] | list[float] = field(default_factory=lambda: {"evenly": 21})
    baseline: Annotated[str, OneOf(baselines, optional=True)] = ""
    guard: Guard = "warn"
    keep: Annotated[Mapping[str, Any] | None, Fields(Keep)] = None
    checkpoint: Annotated[Mapping[str, Any], Fields(Checkpoint)] = field(
        default_factory=lambda: {"wall": 60.0}
    )
    title: str = ""

    def __post_init__(self) -> None:
        require_positive("until", self.until)
        random.check_seed(self.seed)
        if isinstance(self.seeds, list):
            for seed in self.seeds:
                random.check_seed(seed, "seeds")
        else:
            require_count("seeds", self.seeds)
            few = self.seeds <= MOST_SEEDS
            require(few, "seeds", self.seeds, f"at most {MOST_SEEDS:,} replicas in one run")
            random.check_seed(self.seed + self.seeds - 1)
        require(
            len(set(self.all_seeds)) == len(self.all_seeds) > 0,
            "seeds",
            self.seeds,
            "a whole number ≥ 1, or a list of different seeds",
        )
        for key in ("observe_when", "frames"):
            try:
                schedule(getattr(self, key))
            except InvalidInput as error:
                raise error.within(key) from None

    @property
    def all_seeds(self) -> list[int]:
        """One seed for each replica."""
        if isinstance(self.seeds, list):
            return self.seeds
        return list(range(self.seed, self.seed + self.seeds))

    def observers(self, oracle: Callable[[Mapping[str, Any], str], Any]) -> list[Observable]:
        """The observables, made anew; `oracle` makes one of a table, with its name in messages."""

        def made(spec: str | Mapping[str, Any], name: str) -> Observable:
            if isinstance(spec, Mapping) and isinstance(spec.get("to"), Mapping):
                spec = {**spec, "to": oracle(spec["to"], f"{name}.to")}
            return observables.make("observe", spec)

        return [made(spec, f"run.observe[{i}]") for i, spec in enumerate(self.observe)]

    def check_baseline(self, start: View) -> None:
        """Raise an error if the baseline cannot use the data of the risk."""
        baselines[self.baseline]().check(start)

    def fit_baseline(self, start: View) -> Mapping[str, float]:
        """Scores of the baseline on the data of the risk, from the run at its start."""
        return baselines[self.baseline]().scores(start)
