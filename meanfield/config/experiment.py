"""An experiment: what a TOML file says, checked, resolved and ready to run.

Sections: ``[network]``, ``[data]`` (with ``[data.target]``), ``[energy]``, ``[ensemble]``,
``[flow]``, ``[scheme]``, ``[run]``. A key is an argument of the object that the section makes.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import tomli_w

from meanfield.config.sections import DataSection, EnergySection, RunSection, network_section
from meanfield.config.tables import Checked, Problems, Table, check_kind, unknown_key
from meanfield.ensemble import Ensemble
from meanfield.errors import FileProblem, InvalidInput, require
from meanfield.flows import flows
from meanfield.functionals import Risk
from meanfield.initial import initials
from meanfield.networks import TwoLayer
from meanfield.observables import Observable
from meanfield.schemes import Scheme, schemes
from meanfield.simulate import Problem, Progress, simulate_replicas
from meanfield.storage import Recorder, Run

SECTIONS = ("network", "data", "energy", "ensemble", "flow", "scheme", "run")


class Experiment:
    """A checked experiment.

    Parameters
    ----------
    tables : mapping
        The sections, as in the file.
    base : path, optional
        Folder that relative paths in the experiment start from.
    title : str
        Name of the experiment, unless ``run.title`` gives one.
    source : str, optional
        What to call the experiment in messages.

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
        source: str = "experiment",
    ) -> None:
        problems = Problems(source)
        for key in tables:
            if key not in SECTIONS:
                problems.add(unknown_key("", key, SECTIONS).replace(" .", " "))
        given: dict[str, Table] = {}
        for section in SECTIONS:
            table = tables.get(section, {})
            if not isinstance(table, Mapping):
                problems.add(str(InvalidInput(section, table, f"a table [{section}]")))
                table = {}
            given[section] = dict(table)
        self._run = RunSection.check(given["run"], problems)
        self._data = DataSection.check(given["data"], Path(base), problems)
        self._network = network_section(given["network"], problems)
        self._energy = EnergySection.check(given["energy"], problems)
        self._ensemble = check_kind(initials, given["ensemble"], "ensemble", problems, "normal")
        self._flow = check_kind(
            flows, given["flow"], "flow", problems, self._default_flow(), without=["energy"]
        )
        default_scheme = "euler-maruyama" if self._default_flow() == "langevin" else "euler"
        self._scheme = check_kind(schemes, given["scheme"], "scheme", problems, default_scheme)
        # A constructor says more than types: let each refuse now, so that all is told at once.
        if self._ensemble is not None:
            problems.attempt("ensemble", self._ensemble.build)
        if self._scheme is not None:
            self.scheme: Scheme = problems.attempt("scheme", self._scheme.build)
        problems.finish()
        self.title = self._run.title or title
        self._source = source
        self._first: Problem | None = None

    @classmethod
    def load(cls, path: str | os.PathLike[str], overrides: Sequence[str] = ()) -> Experiment:
        """Read a TOML file.

        Parameters
        ----------
        path : path
        overrides : sequence of str
            ``section.key=value`` with a TOML value; a value that is not TOML is taken as text.

        Raises
        ------
        FileProblem
            If the file is missing or not TOML.
        Mistakes
            If it says something that cannot be.
        """
        file = Path(path)
        try:
            tables = tomllib.loads(file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise FileProblem(f"{file}: no such file") from None
        except (OSError, UnicodeDecodeError) as error:
            raise FileProblem(f"{file} cannot be read: {error}") from None
        except tomllib.TOMLDecodeError as error:
            raise FileProblem(f"{file} is not valid TOML: {error}") from None
        for override in overrides:
            _override(tables, override)
        return cls(tables, file.parent, file.stem, str(file))

    @property
    def seeds(self) -> list[int]:
        """One replica is run for each."""
        return self._run.all_seeds

    @property
    def until(self) -> float:
        """Final time."""
        return self._run.until

    def problem(self, seed: int) -> Problem:
        """Flow and start of one replica.

        Raises
        ------
        Mistakes
            If data, network, energy and flow do not fit together.
        """
        problems = Problems(self._source)
        network, data = self._network_and_data(seed, problems)
        risk = problems.attempt("energy", Risk, network, data, self._energy.loss)
        problems.finish()
        energy = self._energy.build(risk)
        flow = problems.attempt("flow", self._checked("flow").build, energy=energy)
        initial = self._checked("ensemble").build()
        start: Ensemble = problems.attempt("ensemble", initial.draw, network.layout, seed)
        problems.finish()
        problems.attempt("flow", flow.speeds, network.layout)
        problems.attempt("scheme", self.scheme.check, flow)
        problems.finish()
        return Problem(flow, start, seed)

    def observers(self) -> list[Observable]:
        """The observables, made anew."""
        return [checked.build() for checked in self._run.observe]

    def check(self) -> None:
        """Build everything that the run will use, for the first seed; see `problem`."""
        self._first = self.problem(self.seeds[0])

    def resolved(self) -> Table:
        """The experiment with every default filled in; itself an experiment."""
        network, _ = self._network_and_data(self.seeds[0], Problems(self._source))
        written = self._checked("network").table()
        return {
            "network": {
                "activation": written.pop("activation"),
                "dim": network.dim,
                "outputs": network.outputs,
                **{key: value for key, value in written.items() if key not in ("dim", "outputs")},
            },
            "data": self._data.table(),
            "energy": self._energy.table(),
            "ensemble": self._checked("ensemble").table(),
            "flow": self._checked("flow").table(),
            "scheme": self._checked("scheme").table(),
            "run": {**self._run.table(), "title": self.title},
        }

    def to_toml(self) -> str:
        """The resolved experiment as a TOML file."""
        return tomli_w.dumps(self.resolved())

    def run(
        self,
        out: str | os.PathLike[str] | None = None,
        *,
        force: bool = False,
        progress: Progress | None = None,
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
        """
        self.check()
        scores: list[Mapping[str, float]] = []
        last: list[Problem] = []

        def replica(seed: int) -> Callable[[], Problem]:
            def make() -> Problem:
                first, self._first = self._first, None
                last[:] = [first if first and first.seed == seed else self.problem(seed)]
                return last[0]

            return make

        def baseline(_: int, recorder: Recorder) -> None:
            if self._run.baseline:
                scores.append(self._run.fit_baseline(last[0].flow))
                columns = {f"baseline_{k}": [s[k] for s in scores] for k in scores[0]}
                recorder.annotate("provenance", baseline_name=self._run.baseline, **columns)

        return simulate_replicas(
            [replica(seed) for seed in self.seeds],
            seeds=self.seeds,
            scheme=self.scheme,
            until=self.until,
            observe=self.observers(),
            observe_when=self._run.observe_when,
            frames=self._run.frames,
            out=out,
            force=force,
            title=self.title,
            experiment=self.to_toml(),
            progress=progress,
            after=baseline,
        )

    def _default_flow(self) -> str:
        return "langevin" if self._energy is not None and self._energy.temperature else "wasserstein"

    def _checked(self, section: str) -> Checked:
        found = getattr(self, f"_{section}")
        assert found is not None
        return found

    def _network_and_data(self, seed: int, problems: Problems) -> tuple[TwoLayer, Any]:
        loaded = problems.attempt("data", self._data.load, seed)
        problems.finish()
        checked = self._checked("network")
        arguments = {"dim": loaded.dim, **checked.arguments}
        arguments.setdefault("outputs", self._data.outputs(loaded))
        network = problems.attempt("network", TwoLayer, **arguments)
        problems.finish()
        data = problems.attempt("data", self._data.label, loaded, network, seed)
        problems.finish()
        return network, data


def _override(tables: Table, text: str) -> None:
    key, equals, value = text.partition("=")
    path = [part.strip() for part in key.split(".")]
    usable = bool(equals) and len(path) >= 2 and all(path)
    require(usable, "--set", text, "section.key=value, as in ensemble.count=2000")
    table = tables
    for part in path[:-1]:
        table = table.setdefault(part, {})
        require(isinstance(table, dict), "--set", text, f"a table at {part!r}, which holds a value")
    try:
        table[path[-1]] = tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        table[path[-1]] = value.strip()
