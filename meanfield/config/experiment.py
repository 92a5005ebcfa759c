"""An experiment: what a TOML file says, checked, resolved and ready to run.

Sections: ``[network]``, ``[data]`` (with ``[data.target]``), ``[energy]``, ``[ensemble]``,
``[flow]``, ``[scheme]``, ``[run]``. A key is an argument of the object that the section makes.
"""

from __future__ import annotations

import functools
import os
import tomllib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import tomli_w

from meanfield.config import python
from meanfield.config.energy import EnergySection
from meanfield.config.files import ExperimentFile, Paths
from meanfield.config.oracles import oracle_of
from meanfield.config.paths import anchored
from meanfield.config.problems import Problems
from meanfield.config.run import RunSection
from meanfield.config.sections import Sections
from meanfield.config.tables import Table
from meanfield.config.values import WRONG, possible, require_shallow
from meanfield.data import FiniteData
from meanfield.ensemble import Ensemble
from meanfield.errors import FileProblem, require
from meanfield.loop import Problem, Progress, rehearse
from meanfield.networks import TwoLayer
from meanfield.observables import Observable
from meanfield.schedules import Grid, schedule
from meanfield.schemes import Scheme
from meanfield.sharpness import with_step
from meanfield.simulation import simulate_replicas
from meanfield.storage import (
    ENDS,
    Checkpoint,
    Journal,
    Keep,
    Origin,
    Run,
    exists,
    open_run,
    require_same,
)

if TYPE_CHECKING:
    from meanfield.limits import Oracle


class Experiment:
    """A checked experiment.

    Parameters
    ----------
    tables : mapping
        The sections, and ``python``, as in the file.
    base : path, optional
        Folder that relative paths in the experiment start from.
    title : str
        Name of the experiment, unless ``run.title`` gives one.
    source : str or callable
        What to call the experiment in messages; or, for each key, the file that states it.
    variant : str
        Which one of a file, for messages too.
    folder : Path, optional
        Of the file that it was read from, for the provenance of its runs.

    Attributes
    ----------
    scheme : Scheme
    series : set of str
        Names of what a run observes; known after `check`.

    Raises
    ------
    Mistakes
        With one sentence for everything that is wrong.
    """

    def __init__(
        self,
        tables: Mapping[str, Any],
        base: str | os.PathLike[str] = ".",
        title: str = "",
        source: str | Callable[[str], str] = "experiment",
        variant: str = "",
        folder: Path | None = None,
    ) -> None:
        self._problems = functools.partial(Problems, source, variant)
        self._folder = folder
        problems = self._problems()
        require_shallow(tables, problems)
        sections = possible(tables, problems)
        self._python = self._load_python(sections.pop("python", []), Path(base), problems)
        self._sections = Sections.check(anchored(sections, Path(base)), problems)
        self._run: RunSection = self._sections.run.build()
        self._energy = EnergySection.of(self._sections.energy)
        self.title = self._run.title or title
        self.scheme: Scheme = self._sections.scheme.build()
        self.series: set[str] = set()
        self._first: Problem | None = None
        self._oracles: dict[str, Oracle] = {}  # a check and its run ask for the same
        self._built: tuple[int, TwoLayer, Any] | None = None

    @classmethod
    def load(
        cls,
        path: Paths,
        overrides: Sequence[str] = (),
        variant: str = "",
        reduced: bool = False,
    ) -> Experiment:
        """Read a TOML file.

        Parameters
        ----------
        path : path, or sequence of paths
            Of several files, each changes what those before it say.
        overrides : sequence of str
            ``section.key=value`` with a TOML value; a value that is not TOML is taken as text.
        variant : str
            Which experiment, if the file has variants.
        reduced : bool
            At the small size that the file gives.

        Raises
        ------
        FileProblem
            If the file is missing or not TOML.
        UnknownName
            If it has no such variant.
        Mistakes
            If it says something that cannot be.
        """
        file = ExperimentFile.read(path)
        return cls.of(file, variant, reduced, overrides)

    @classmethod
    def of(
        cls,
        file: ExperimentFile,
        variant: str = "",
        reduced: bool = False,
        overrides: Sequence[str] = (),
    ) -> Experiment:
        """The experiment of a file that was read; see `load`."""
        tables = file.tables(variant, reduced, overrides)
        source, folder = file.states(variant, reduced, overrides), file.path.parent
        return cls(tables, folder, file.path.stem, source, variant, folder)

    @classmethod
    def of_run(cls, path: str | os.PathLike[str], until: float | None = None) -> Experiment:
        """The experiment inside a run, finished or not; to go on, until another time.

        Raises
        ------
        FileProblem
            If there is no run, or it was started from Python and holds no experiment.
        """
        with open_run(path) as run:
            text, title = run.experiment, run.title
        if not text:
            raise FileProblem(
                f"{path} holds no experiment, as it was started from Python: continue it there, by "
                "simulate(…, resume=True)"
            )
        tables = tomllib.loads(text)
        if until is not None:
            tables["run"]["until"] = until
        return cls(tables, title=title, source=str(path))

    @staticmethod
    def _load_python(given: Any, base: Path, problems: Problems) -> list[python.PythonFile]:
        files = None
        if given is not WRONG:
            files = problems.attempt("", python.python_files, given, base)
        loaded = [problems.attempt("", file.load) for file in files or []]
        if files is None or None in loaded:
            problems.finish()  # without its classes, all their kinds would be called unknown
        return loaded

    def require_same(self, path: str | os.PathLike[str]) -> None:
        """Raise `FileProblem` if there is a run at a path, and it is of another experiment."""
        if exists(path):
            with open_run(path) as run:
                unfinished = run.status not in ENDS
                require_same(self.to_toml(), run.experiment, Path(path), unfinished=unfinished)

    @property
    def seeds(self) -> list[int]:
        """One replica is run for each."""
        return self._run.all_seeds

    @property
    def has_baseline(self) -> bool:
        """Whether a classical method is fitted on the same data."""
        return bool(self._run.baseline)

    @property
    def until(self) -> float:
        """Final time."""
        return self._run.until

    @property
    def changed(self) -> dict[str, set[str]]:
        """By section, the keys that are not left to their defaults."""
        return self._sections.changed

    @property
    def origin(self) -> Origin:
        """What it was read from, and the files that it reads."""
        return Origin(self._folder, self._sections.files)

    def problem(self, seed: int) -> Problem:
        """Flow and start of one replica.

        Raises
        ------
        Mistakes
            If data, network, energy and flow do not fit together.
        """
        if self.scheme.step == "auto" and seed != self.seeds[0]:
            self.problem(self.seeds[0])  # whose start decides the step of all
        problems = self._problems()
        network, data = self._network_and_data(seed, problems)
        risk = problems.attempt("", self._energy.risk, network, data, seed)
        problems.finish()
        energy = problems.attempt("energy", self._energy.build, risk)
        problems.finish()
        flow = problems.attempt("flow", self._sections.flow.build, energy=energy)
        initial = self._sections.ensemble.build()
        start: Ensemble = problems.attempt("ensemble", initial.draw, network.layout, seed)
        problems.finish()
        problem = problems.attempt("flow", Problem, flow, start, seed)
        problems.attempt("scheme", self.scheme.check, flow)
        if self.scheme.step == "auto":
            problems.finish()
            arguments = self.scheme, flow, problem.start, self.until
            chosen = problems.attempt("scheme", with_step, *arguments)
            problems.finish()
            self.scheme = chosen
        grid = problems.attempt("scheme", Grid, float(self.scheme.step), self.until)
        problems.finish()
        for key in ("frames", "observe_when"):
            when = schedule(getattr(self._run, key))
            problems.attempt(f"run.{key}", when.steps, grid)
        problems.finish()
        return problem

    def observers(self) -> list[Observable]:
        """The observables, made anew."""
        return self._run.observers(self._oracle)

    def _oracle(self, table: Mapping[str, Any], name: str) -> Oracle:
        """An oracle for the replicas, which must then be of the same data."""
        if name in self._oracles:
            return self._oracles[name]
        first = self._first or self.problem(self.seeds[0])
        oracle = oracle_of(table, name, first.flow.energy, self._sections.energy.table())
        own: Any = getattr(oracle, "data", None)
        for seed in self.seeds[1:2] if isinstance(own, FiniteData) else []:
            other: Any = self._network_and_data(seed, self._problems())[1]
            same = np.array_equal(own.x, other.x) and np.array_equal(own.y, other.y)
            require(same, "data.seed", None, f"a number: the data of {name} are those of all seeds")
        self._oracles[name] = oracle
        return oracle

    def check(self) -> None:
        """Build everything that the run will use, for the first seed; see `problem`."""
        self._first = self.problem(self.seeds[0])
        grid, problems = Grid(float(self.scheme.step), self.until), self._problems()
        problems.attempt("energy", getattr, self._first, "evaluation")
        problems.finish()
        observers = problems.attempt("", self.observers)
        problems.finish()
        rehearsed = problems.attempt(
            *("run", rehearse, self._first, self.scheme, grid),
            *(observers, self._run.observe_when),
        )
        problems.finish()
        _, self.series = rehearsed
        if self._run.baseline:
            problems.attempt("run", self._run.check_baseline, self._first.view)
            problems.finish()

    def resolved(self) -> Table:
        """The experiment with every default filled in; itself an experiment."""
        network, _ = self._network_and_data(self.seeds[0], self._problems())
        written = self._sections.network.table()
        return {
            "network": {
                "activation": written.pop("activation"),
                "dim": network.dim,
                "outputs": network.outputs,
                **{key: value for key, value in written.items() if key not in ("dim", "outputs")},
            },
            "data": self._sections.data.table(),
            "energy": self._sections.energy.table(),
            "ensemble": self._sections.ensemble.table(),
            "flow": self._sections.flow.table(),
            "scheme": {**self._sections.scheme.table(), "step": self.scheme.step},
            "run": {**self._sections.run.table(), "title": self.title},
        } | ({"python": python.written(self._python)} if self._python else {})

    def to_toml(self) -> str:
        """The resolved experiment as a TOML file."""
        tables = self.resolved()
        files = tables.pop("python", [])
        text = tomli_w.dumps(tables)
        if files:  # the text of a file reads better in lines; elsewhere they would change \r\n
            text += "\n" + tomli_w.dumps({"python": files}, multiline_strings=True)
        return text

    def run(
        self,
        out: str | os.PathLike[str] | None = None,
        *,
        force: bool = False,
        progress: Progress | None = None,
        resume: bool = False,
        max_wall: float | None = None,
    ) -> Run:
        """Run every seed, one after the other.

        Parameters
        ----------
        out : path, optional
            An HDF5 file; left out, the run stays in memory.
        force : bool
            Replace an existing file.
        progress : callable, optional
            ``progress(step, total, view)`` after every step.
        resume : bool
            Continue the same run, if it was left unfinished.
        max_wall : float, optional
            Seconds after which it stops, ready to be continued.
        """
        if self._first is None:
            self.check()
        last: list[Problem] = []

        def replica(seed: int) -> Callable[[], Problem]:
            def make() -> Problem:
                first, self._first = self._first, None
                last[:] = [first if first and first.seed == seed else self.problem(seed)]
                return last[0]

            return make

        def baseline(replica: int, journal: Journal) -> None:
            if self._run.baseline:
                score = self._run.fit_baseline(last[0].view)
                known = journal.notes.get("provenance", {})
                columns = {}
                for key in (f"baseline_{name}" for name in score):
                    before = known.get(key, [])[:replica]  # a run that is continued has them
                    columns[key] = [*before, score[key.removeprefix("baseline_")]]
                name = self._run.baseline
                journal.annotate("provenance", baseline_name=name, **columns)

        return simulate_replicas(
            [replica(seed) for seed in self.seeds],
            seeds=self.seeds,
            scheme=self.scheme,
            until=self.until,
            observe=self.observers(),
            observe_when=self._run.observe_when,
            frames=self._run.frames,
            keep=Keep(**(self._run.keep or {})),
            out=out,
            force=force,
            title=self.title,
            experiment=self.to_toml(),
            origin=self.origin,
            guard=self._run.guard,
            progress=progress,
            after=baseline,
            resume=resume,
            checkpoint=Checkpoint(**self._run.checkpoint),
            max_wall=max_wall,
        )

    def _repr_html_(self) -> str:
        from meanfield.viewing import displays

        return displays.experiment(self)

    def network_and_data(self, seed: int) -> tuple[TwoLayer, Any]:
        """The network, and what `Risk` takes as data, of one replica."""
        return self._network_and_data(seed, self._problems())

    def _network_and_data(self, seed: int, problems: Problems) -> tuple[TwoLayer, Any]:
        if self._built is not None and self._built[0] == seed:
            return self._built[1:]
        loaded = problems.attempt("data", self._sections.data.load, seed)
        problems.finish()
        checked = self._sections.network
        arguments = {"dim": loaded.dim, **checked.given}
        arguments.setdefault("outputs", self._sections.data.outputs(loaded))
        network = problems.attempt("network", TwoLayer, **arguments)
        problems.finish()
        expected = f"the data's {loaded.dim}"
        fits = network.dim == loaded.dim
        problems.attempt("network", require, fits, "dim", network.dim, expected)
        problems.finish()
        data = problems.attempt("data", self._sections.data.label, loaded, network, seed)
        problems.finish()
        self._built = seed, network, data
        return network, data
