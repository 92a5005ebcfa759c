"""A study: all experiments of one file, run together, and its claims held against the runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from meanfield.config.claims import Claim, Verdict
from meanfield.config.experiment import Experiment
from meanfield.config.files import ExperimentFile, Paths, entry
from meanfield.config.problems import Mistakes, Problems, together
from meanfield.errors import InvalidInput, UnknownName
from meanfield.loop import Progress
from meanfield.storage import Run

T = TypeVar("T")
# What every run knows besides its series.
ENTRIES = ("elapsed", "compiling", "steps_per_second")


def experiments(
    file: ExperimentFile,
    reduced: bool = False,
    overrides: Sequence[str] = (),
    only: str = "",
) -> dict[str, Experiment]:
    """The experiments of a file by variant, or the one that is asked for.

    Raises
    ------
    Mistakes
        Of all of them.
    """
    names = [only] if only or not file.variants else list(file.variants)
    return for_all(names, lambda name: Experiment.of(file, name, reduced, overrides))


def check_all(several: Mapping[str, Experiment]) -> None:
    """Meet every mistake that can be met before the first step, of all variants."""
    for_all(list(several), lambda name: several[name].check())


def for_all(names: Sequence[str], make: Callable[[str], T]) -> dict[str, T]:
    """Make something for each name; raises `Mistakes` with those of all, each told once."""
    found: dict[str, T] = {}
    wrong: dict[str, Mistakes] = {}
    for name in names:
        try:
            found[name] = make(name)
        except Mistakes as error:
            wrong[name] = error
    if wrong:
        raise together(wrong, len(names))
    return found


class Study:
    """The experiments of one file, and the numbers that they must reproduce.

    Attributes
    ----------
    name : str
        Of the file.
    experiments : dict of str to Experiment
        By variant; a file without variants has one, of the name "".
    claims : list of Claim
    """

    def __init__(self, file: ExperimentFile, reduced: bool, overrides: Sequence[str] = ()) -> None:
        self.name = file.path.stem
        self._problems = Problems(str(file.path))
        found = [
            Claim.check(table, f"claims[{number}]", self._problems, reduced)
            for number, table in enumerate(file.claims)
        ]
        self.claims = [claim for claim in found if claim is not None]
        try:
            self.experiments = experiments(file, reduced, overrides)
        except Mistakes as error:
            raise Mistakes([*error.mistakes, *self._problems.mistakes]) from None
        for claim in self.claims:
            for quantity in claim.quantities():
                if quantity.of not in self.experiments:
                    self._problems.add(_whose(claim, quantity.of, file.variants))
        self._problems.finish()

    @classmethod
    def load(cls, path: Paths, overrides: Sequence[str] = (), reduced: bool = False) -> Study:
        """Read a TOML file.

        Parameters
        ----------
        path : path, or sequence of paths
            Of several files, each changes what those before it say.
        overrides : sequence of str
            ``section.key=value``, of every variant.
        reduced : bool
            At the small size that the file gives.

        Raises
        ------
        FileProblem, Mistakes
            As `Experiment.load`.
        """
        return cls(ExperimentFile.read(path), reduced, overrides)

    def check(self) -> None:
        """Meet every mistake that can be met before the first step of the first run."""
        check_all(self.experiments)
        for claim in self.claims:
            keys = self._keys(claim)
            if claim.against and len(set(keys.values())) < 2:
                self._problems.add(
                    f"claims: against = {claim.against!r} is the same in all of "
                    f"{', '.join(keys) or 'no variants'}: a slope needs two values or more"
                )
            for quantity in claim.quantities():
                experiment = self.experiments[quantity.of]
                if quantity.since > experiment.until:
                    expected = f"a time of the run, at most until = {experiment.until:g}"
                    self._problems.add(str(InvalidInput("claims.since", quantity.since, expected)))
                if quantity.spread and len(experiment.seeds) < 2:
                    self._problems.add(
                        f"claims: {quantity} needs run.seeds = 2 or more: it is over the seeds"
                    )
                known = {*experiment.series, *ENTRIES}
                scored = experiment.has_baseline and quantity.series.startswith("baseline_")
                if quantity.series not in known and not scored:
                    self._problems.add(f"claims: {UnknownName('series', quantity.series, known)}")
        self._problems.finish()

    def run(
        self,
        out: Callable[[str], Path | None] = lambda variant: None,
        *,
        force: bool = False,
        progress: Progress | None = None,
    ) -> dict[str, Run]:
        """Run every variant, one after the other.

        Parameters
        ----------
        out : callable
            The HDF5 file of a variant; None: its run stays in memory.
        force : bool
            Replace existing files.
        progress : callable, optional
            As for `Experiment.run`.
        """
        self.check()
        return {
            variant: experiment.run(out(variant), force=force, progress=progress)
            for variant, experiment in self.experiments.items()
        }

    def judge(self, runs: Mapping[str, Run]) -> list[Verdict]:
        """Hold the claims against runs of all variants."""
        return [claim.judge(runs, self._keys(claim)) for claim in self.claims]

    def _keys(self, claim: Claim) -> dict[str, float]:
        if not claim.against:
            return {}
        keys = {}
        for quantity in claim.quantities():
            found = entry(self.experiments[quantity.of].resolved(), claim.against.split("."))
            if isinstance(found, bool) or not isinstance(found, (int, float)) or found <= 0:
                self._problems.add(
                    f"claims: against = {claim.against!r} is {found!r} in {quantity.of}: "
                    "expected a key with a number > 0"
                )
                self._problems.finish()
            keys[quantity.of] = float(found)
        return keys


def _whose(claim: Claim, variant: str, variants: Mapping[str, Any]) -> str:
    """Why a claim is about no experiment of a file."""
    if not variants:
        return f"claims: of = {variant!r}: expected none, as the file has no variants"
    if not variant:
        return f"claims: {claim} needs of, a variant"
    return f"claims: {UnknownName('variant', variant, variants)}"
