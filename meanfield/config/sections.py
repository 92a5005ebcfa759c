"""The sections of an experiment, and how their tables are checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from meanfield.activations import activations
from meanfield.config.arguments import arguments
from meanfield.config.data import DataSection, TeacherTable
from meanfield.config.energy import EnergySection
from meanfield.config.paths import measures_to_a_run
from meanfield.config.problems import Problems, unknown_key
from meanfield.config.run import RunSection
from meanfield.config.tables import Checked, Table, check, check_kind, plain
from meanfield.config.values import WRONG
from meanfield.errors import InvalidInput
from meanfield.flows import Flow, flows
from meanfield.initial import initials
from meanfield.networks import TwoLayer
from meanfield.schemes import schemes

__all__ = ["SECTIONS", "RunSection", "Sections", "TeacherTable"]

SECTIONS = ("network", "data", "energy", "ensemble", "flow", "scheme", "run")


@dataclass(frozen=True)
class Sections:
    """All sections of an experiment, checked."""

    network: Checked
    data: DataSection
    energy: Checked
    ensemble: Checked
    flow: Checked
    scheme: Checked
    run: Checked

    @classmethod
    def check(cls, tables: Mapping[str, Any], problems: Problems) -> Sections:
        """Check every section; raises `Mistakes` with all that is wrong.

        The tables hold what TOML can say and keys can take: see `possible`.
        """
        for key, value in tables.items():
            if key not in SECTIONS:
                problems.add(unknown_key("", key, value, [*SECTIONS, "python"]), key, value)
        given: dict[str, Table] = {name: {} for name in SECTIONS}
        at = dict.fromkeys(SECTIONS, Problems(""))  # of what is not there, no more is said
        for name in SECTIONS:
            table = tables.get(name, {})
            if table is WRONG:
                continue
            if not isinstance(table, Mapping):
                problems.add(str(InvalidInput(name, table, f"a table [{name}]")), name, table)
            elif name not in tables and name in NEEDED:
                problems.add(f"the section [{name}] is missing: {NEEDED[name]}", name)
            else:
                given[name], at[name] = dict(table), problems
        network = network_section(given["network"], at["network"])
        data = DataSection.check(given["data"], at["data"])
        energy = EnergySection.check(given["energy"], at["energy"])
        start = check_kind(initials, given["ensemble"], "ensemble", at["ensemble"], "normal")
        warm = energy is not None and energy.arguments["temperature"] > 0
        usual = "langevin" if warm else "wasserstein"
        flow = check_kind(flows, given["flow"], "flow", at["flow"], usual, without=["energy"])
        scheme = (flow.cls if flow else Flow).usual[warm]  # type: ignore[attr-defined]
        found = {
            "network": network,
            "data": data,
            "energy": energy,
            "ensemble": start,
            "flow": flow,
            "scheme": check_kind(schemes, given["scheme"], "scheme", at["scheme"], scheme),
            "run": check(RunSection, given["run"], "run", at["run"]),
        }
        # A constructor knows more than types: let each refuse now, so that all is told at once.
        for name in ("ensemble", "scheme", "run"):
            checked = found[name]
            if isinstance(checked, Checked):
                problems.attempt(name, checked.build)
        problems.finish()
        return cls(**found)  # type: ignore[arg-type]  # finish() has raised if one is None

    @property
    def files(self) -> dict[str, Path]:
        """The files that data, start and observables read, by key."""
        from meanfield.transport.measures import run_at

        tables = {"data": self.data.checked.arguments, "ensemble": self.ensemble.arguments}
        found = {
            f"{name}.path": Path(table["path"]) for name, table in tables.items() if "path" in table
        }
        for number, observable in enumerate(self.run.table()["observe"]):
            if isinstance(observable, Mapping) and measures_to_a_run(observable):
                found[f"run.observe.{number}.to"] = Path(run_at(observable["to"])[0])
        return found

    @property
    def changed(self) -> dict[str, set[str]]:
        """By section, the keys that are not left to their defaults; ``kind`` is one of them."""
        found = {}
        for name in SECTIONS:
            data = name == "data"
            checked = self.data.checked if data else getattr(self, name)
            also = arguments(type(self.data.use)) if data else {}
            known = {**arguments(checked.cls), **also}
            table = plain({key: each.default for key, each in known.items()})
            found[name] = {k for k, v in checked.table().items() if k not in table or table[k] != v}
        return found


# What a file must say, in the words of who does not know it yet.
NEEDED = {
    "network": 'it says the activation, as in activation = "relu"',
    "data": 'it says where the data come from, as in kind = "file" or kind = "gaussian"',
    "ensemble": "it says how many neurons there are, as in count = 1000",
    "scheme": "it says how long a step is, as in step = 0.1",
    "run": "it says when the run ends, as in until = 10.0",
}


def network_section(table: Table, problems: Problems) -> Checked | None:
    """``[network]``: `TwoLayer`; ``dim`` and ``outputs`` default to the data's."""
    if "activation" not in table:
        known = ", ".join(activations)
        key = "network.activation"
        problems.add(f"{key} is missing: expected one of {known}", key)
        table = {**table, "activation": "relu"}
    # Any whole numbers do for a first look: the data decide later.
    checked = check(TwoLayer, {"dim": 1, "outputs": 1, **table}, "network", problems)
    if checked is None or problems.attempt("network", checked.build) is None:
        return None
    inferred = {key for key in ("dim", "outputs") if key not in table}
    return Checked(TwoLayer, {k: v for k, v in checked.arguments.items() if k not in inferred})
