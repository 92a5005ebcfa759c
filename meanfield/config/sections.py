"""The sections of an experiment that are more than the arguments of one constructor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from meanfield import random
from meanfield.activations import activations
from meanfield.baselines import baselines
from meanfield.config.energy import EnergySection
from meanfield.config.tables import Checked, Problems, Table, check, check_kind, plain, unknown_key
from meanfield.data import LabelledLaw, Law, Stream, Teacher, laws, sources, targets
from meanfield.errors import InvalidInput, UnknownName, require, require_count, require_positive
from meanfield.flows import Flow, flows
from meanfield.guards import Guard
from meanfield.initial import NormalInit, SphereInit, initials
from meanfield.networks import TwoLayer
from meanfield.observables import View, observables
from meanfield.schedules import schedule
from meanfield.schemes import schemes
from meanfield.storage import Checkpoint, Keep

SECTIONS = ("network", "data", "energy", "ensemble", "flow", "scheme", "run")


@dataclass(frozen=True)
class Sections:
    """All sections of an experiment, checked."""

    network: Checked
    data: DataSection
    energy: EnergySection
    ensemble: Checked
    flow: Checked
    scheme: Checked
    run: RunSection

    @classmethod
    def check(cls, tables: Mapping[str, Any], base: Path, source: str) -> Sections:
        """Check every section; raises `Mistakes` with all that is wrong."""
        problems = Problems(source)
        for key in tables:
            if key not in SECTIONS:
                problems.add(unknown_key("", key, SECTIONS))
        given: dict[str, Table] = {}
        for name in SECTIONS:
            table = tables.get(name, {})
            if not isinstance(table, Mapping):
                problems.add(str(InvalidInput(name, table, f"a table [{name}]")))
                table = {}
            given[name] = dict(table)
        energy = EnergySection.check(given["energy"], problems)
        warm = energy is not None and energy.temperature > 0
        flow = check_kind(
            flows,
            given["flow"],
            "flow",
            problems,
            "langevin" if warm else "wasserstein",
            without=["energy"],
        )
        scheme = (flow.cls if flow else Flow).usual[warm]  # type: ignore[attr-defined]
        ensemble = check_kind(initials, given["ensemble"], "ensemble", problems, "normal")
        found = {
            "network": network_section(given["network"], problems),
            "data": DataSection.check(given["data"], base, problems),
            "energy": energy,
            "ensemble": None if ensemble is None else ensemble.anchored(base),
            "flow": flow,
            "scheme": check_kind(schemes, given["scheme"], "scheme", problems, scheme),
            "run": RunSection.check(given["run"], problems),
        }
        # A constructor knows more than types: let each refuse now, so that all is told at once.
        for name in ("ensemble", "scheme"):
            checked = found[name]
            if isinstance(checked, Checked):
                problems.attempt(name, checked.build)
        problems.finish()
        return cls(**found)  # type: ignore[arg-type]  # finish() has raised if one is None

    @property
    def files(self) -> dict[str, Path]:
        """The files that data and start are read from, by key."""
        tables = {"data": self.data.inputs.arguments, "ensemble": self.ensemble.arguments}
        return {
            f"{name}.path": Path(table["path"]) for name, table in tables.items() if "path" in table
        }


def network_section(table: Table, problems: Problems) -> Checked | None:
    """``[network]``: `TwoLayer`; ``dim`` and ``outputs`` default to the data's."""
    if "activation" not in table:
        problems.add("network.activation is missing: expected one of " + ", ".join(activations))
        return None
    spec = table["activation"]
    given = {"kind": spec} if isinstance(spec, str) else spec
    if not isinstance(given, Mapping):
        problems.add(str(InvalidInput("network.activation", spec, "a name, or a table with kind")))
        return None
    activation = check_kind(activations, given, "network.activation", problems)
    if activation is None:
        return None
    problems.attempt("network.activation", activation.build)
    written = activation.table() if activation.arguments else spec
    # Any whole numbers do for a first look: the data decide later.
    filled = {"dim": 1, "outputs": 1, **table, "activation": written}
    checked = check(TwoLayer, filled, "network", problems)
    if checked is None:
        return None
    inferred = {key for key in ("dim", "outputs") if key not in table}
    arguments = {k: v for k, v in checked.arguments.items() if k not in inferred}
    return Checked(TwoLayer, arguments)


@dataclass(frozen=True)
class TeacherTable:
    """``[data.target]`` of kind "teacher": neurons of the network's own activation.

    Parameters
    ----------
    neurons : int, optional
        How many, drawn at random (default 1) …
    law : {"sphere", "normal"}
        … with w uniform on the unit sphere and a = ±1, or all entries N(0, 1).
    w, a, b : arrays, optional
        The neurons themselves, instead.
    output : {"mean", "sum"}
        Whether y is the mean or the sum over the teacher's neurons.
    seed : int, optional
        Of the draw; default: the seed of the run.
    """

    neurons: int | None = None
    law: Literal["sphere", "normal"] = "sphere"
    w: Sequence[Sequence[float]] = ()
    a: Sequence[float] | Sequence[Sequence[float]] = ()
    b: Sequence[float] = ()
    output: Literal["mean", "sum"] = "mean"
    seed: int | None = None

    def __post_init__(self) -> None:
        if self.neurons is not None:
            require_count("neurons", self.neurons)
            require(not len(self.w), "neurons", self.neurons, "either neurons or w, not both")
        for key in ("a", "b"):
            value = getattr(self, key)
            require(bool(len(self.w)) or not len(value), key, value, "a and b only together with w")

    def build(self, network: TwoLayer, seed: int) -> Teacher:
        """The teacher for a student network."""
        theirs = TwoLayer(network.activation, network.dim, network.outputs, network.bias)
        if len(self.w):
            a = self.a if len(self.a) else 1.0
            ensemble = theirs.ensemble(self.w, a, self.b if len(self.b) else 0.0)
        else:
            law = SphereInit if self.law == "sphere" else NormalInit
            # Another stream than the student's start: the seed is folded, not shared.
            drawn = random.generator(seed if self.seed is None else self.seed, random.Stream.TARGET)
            ensemble = law(self.neurons or 1).draw(theirs.layout, int(drawn.integers(2**63)))
        if self.output == "sum":
            ensemble.mass[:] = 1.0
        return Teacher(theirs, ensemble)


@dataclass(frozen=True)
class DataSection:
    """``[data]``: a law (integrated, sampled or streamed) or a finite data set."""

    inputs: Checked
    target: Checked | None
    samples: int | None
    batch: int | None
    test: int
    seed: int | None
    replacement: bool = True

    @classmethod
    def check(cls, table: Table, base: Path, problems: Problems) -> DataSection | None:
        """Check the section; None if there are mistakes."""
        rest = dict(table)
        kind = rest.get("kind")
        if kind is None:
            problems.add("data.kind is missing: expected one of " + ", ".join([*laws, *sources]))
            return None
        batch = rest.pop("batch", None)
        seed = rest.pop("seed", None)
        replacement = rest.pop("replacement", True)
        samples, target, test = None, None, 0
        law = kind in laws
        if law:
            samples, test = rest.pop("samples", None), rest.pop("test", 0)
            target = _check_target(rest.pop("target", None), problems)
            if target is None:
                return None
        inputs = check_kind(laws.joined(sources, "kind of data"), rest, "data", problems)
        for key, value, least in (("samples", samples, 1), ("batch", batch, 1), ("test", test, 0)):
            if value is not None:
                problems.attempt("data", require_count, key, value, least)
        if seed is not None:
            problems.attempt("data", random.check_seed, seed)
        if not isinstance(replacement, bool):
            problems.add(str(InvalidInput("data.replacement", replacement, "true or false")))
        elif not replacement and (law or batch is None):
            problems.add(
                "data.replacement = false needs data.batch and a finite data set to take it from"
            )
        if samples is not None and batch is not None:
            problems.add(
                "data.samples and data.batch are both given: the data are either drawn "
                "once or streamed"
            )
        if test and samples is None and batch is None:
            problems.add(
                "data.test needs data.samples or data.batch: the population risk has no "
                "samples to hold out"
            )
        if inputs is None:
            return None
        inputs = inputs.anchored(base)
        if problems.attempt("data", inputs.build) is None:
            return None
        return cls(inputs, target, samples, batch, test, seed, replacement)

    def load(self, seed: int) -> Any:
        """The law of inputs, or the finite data set."""
        made = self.inputs.build()
        return made if isinstance(made, Law) else made.load(self._seed(seed))

    def outputs(self, loaded: Any) -> int:
        """How many outputs the data ask for."""
        if not isinstance(loaded, Law):
            return loaded.outputs
        assert self.target is not None
        if self.target.cls is TeacherTable:
            a = self.target.arguments.get("a", ())
            return len(a[0]) if len(a) and isinstance(a[0], (list, tuple)) else 1
        return self.target.build().outputs

    def label(self, loaded: Any, network: TwoLayer, seed: int) -> Any:
        """What `Risk` takes: a labelled law, a finite data set or a stream."""
        if not isinstance(loaded, Law):
            if self.batch is None:
                return loaded
            return Stream(loaded, self.batch, self._seed(seed), loaded.test, self.replacement)
        assert self.target is not None
        target = self.target.build()
        if isinstance(target, TeacherTable):
            target = target.build(network, self._seed(seed))
        labelled = LabelledLaw(loaded, target)
        if self.samples is not None:
            return labelled.sample(self.samples, self._seed(seed), self.test)
        if self.batch is not None:
            return labelled.stream(self.batch, self._seed(seed), self.test)
        return labelled

    def table(self) -> Table:
        """The section again, with all defaults."""
        modes = {"samples": self.samples, "batch": self.batch, "seed": self.seed}
        table = {**self.inputs.table(), **{k: v for k, v in modes.items() if v is not None}}
        if not self.replacement:
            table["replacement"] = False
        if self.target is not None:
            if self.test:
                table["test"] = self.test
            table["target"] = {"kind": "teacher", **self.target.table()}
        return table

    def _seed(self, seed: int) -> int:
        return seed if self.seed is None else self.seed


def _check_target(table: Any, problems: Problems) -> Checked | None:
    if not isinstance(table, Mapping):
        known = ", ".join(["teacher", *targets])
        problems.add(f"data.target is missing: expected a table [data.target] with kind {known}")
        return None
    kind = table.get("kind")
    if kind is not None and kind not in ("teacher", *targets):
        problems.add(f"data.target.kind: {UnknownName('target', str(kind), ['teacher', *targets])}")
        return None
    if kind == "teacher":
        rest = {key: value for key, value in table.items() if key != "kind"}
        checked = check(TeacherTable, rest, "data.target", problems)
    else:
        checked = check_kind(targets, table, "data.target", problems)
    if checked is not None and problems.attempt("data.target", checked.build) is None:
        return None
    return checked


def _require_arguments(key: str, table: Table, cls: Any) -> None:
    """Raise `InvalidInput` unless a table holds arguments of a dataclass."""
    known = [item.name for item in fields(cls)]
    for name in table:
        require(name in known, f"{key}.{name}", table[name], f"one of the keys {', '.join(known)}")
    try:
        cls(**table)
    except InvalidInput as error:
        raise error.within(key) from None


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
    keep : table
        What a frame holds: see `meanfield.storage.Keep`.
    checkpoint : table
        How often the run is sealed on the disk: see `meanfield.storage.Checkpoint`.
    title : str
    """

    until: float
    seed: int = 0
    seeds: int | list[int] = 1
    observe: list[Any] = field(default_factory=lambda: ["energy"])
    observe_when: dict[str, Any] | list[float] = field(default_factory=lambda: {"evenly": 201})
    frames: dict[str, Any] | list[float] = field(default_factory=lambda: {"evenly": 21})
    baseline: str = ""
    guard: Guard = "warn"
    keep: dict[str, Any] = field(default_factory=dict)
    checkpoint: dict[str, Any] = field(default_factory=lambda: {"wall": 60.0})
    title: str = ""

    def __post_init__(self) -> None:
        require_positive("until", self.until)
        for seed in self.all_seeds:
            random.check_seed(seed)
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
        if self.baseline:
            _ = baselines[self.baseline]
        _require_arguments("keep", self.keep, Keep)
        _require_arguments("checkpoint", self.checkpoint, Checkpoint)

    @classmethod
    def check(cls, table: Table, problems: Problems) -> RunSection | None:
        """Check the section; None if there are mistakes."""
        checked = check(cls, table, "run", problems)
        if checked is None or problems.attempt("run", checked.build) is None:
            return None
        observe = []
        for entry in checked.arguments["observe"]:
            spec = {"kind": entry} if isinstance(entry, str) else entry
            if not isinstance(spec, Mapping):
                problems.add(str(InvalidInput("run.observe", entry, "a name or a table with kind")))
                continue
            found = check_kind(observables, spec, "run.observe", problems)
            if found is not None and problems.attempt("run.observe", found.build) is not None:
                observe.append(found)
        return cls(**{**checked.arguments, "observe": observe})

    @property
    def all_seeds(self) -> list[int]:
        """One seed for each replica."""
        if isinstance(self.seeds, list):
            return self.seeds
        return [self.seed + i for i in range(self.seeds)]

    def check_baseline(self, start: View) -> None:
        """Raise an error if the baseline cannot use the data of the risk."""
        baselines[self.baseline]().check(start)

    def fit_baseline(self, start: View) -> Mapping[str, float]:
        """Scores of the baseline on the data of the risk, from the run at its start."""
        return baselines[self.baseline]().scores(start)

    def table(self) -> Table:
        """The section again, with all defaults."""
        table = {
            key: plain(getattr(self, key))
            for key in (
                *("until", "seed", "seeds", "observe_when", "frames"),
                *("baseline", "guard", "keep", "checkpoint"),
            )
            if key != "keep" or self.keep
        }
        table["observe"] = [checked.table() for checked in self.observe]
        return table
