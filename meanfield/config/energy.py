"""The section ``[energy]``: what descends besides the risk, and how the risk's pairs are summed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from meanfield.config.tables import Checked, Problems, Table, check_kind, unknown_key
from meanfield.errors import InvalidInput, require_nonnegative
from meanfield.functionals import (
    Entropy,
    Functional,
    Interaction,
    Risk,
    losses,
    regularisers,
    summations,
)
from meanfield.interactions import interactions
from meanfield.networks import TwoLayer


@dataclass(frozen=True)
class EnergySection:
    """``[energy]``: the risk, regularisers and interactions with weights, the temperature."""

    pairs: Checked
    loss: str = "squared"
    log: bool = False
    temperature: float = 0.0
    weights: Mapping[str, float] = field(default_factory=dict)
    interactions: Sequence[tuple[float, Checked]] = ()

    @classmethod
    def check(cls, table: Table, problems: Problems) -> EnergySection | None:
        """Check the section; None if there are mistakes."""
        tables = ("interaction", "log", "loss", "pairs")
        known = [*tables, "temperature", *regularisers]
        before = len(problems.sentences)
        numbers = {key: value for key, value in table.items() if key not in tables}
        for key, value in numbers.items():
            if key not in known:
                problems.add(unknown_key("energy", key, known))
            elif isinstance(value, bool) or not isinstance(value, (int, float)):
                problems.add(str(InvalidInput(f"energy.{key}", value, "a number ≥ 0")))
            else:
                problems.attempt("energy", require_nonnegative, key, value)
        loss = table.get("loss", "squared")
        problems.attempt("energy", losses.__getitem__, loss)
        log = table.get("log", False)
        if not isinstance(log, bool):
            problems.add(str(InvalidInput("energy.log", log, "true or false")))
        pairs = _check_pairs(table.get("pairs", "exact"), problems)
        given = table.get("interaction", [])
        several = given if isinstance(given, list) else [given]
        among = [_check_interaction(spec, problems) for spec in several]
        if pairs is None or len(problems.sentences) > before:
            return None
        temperature = float(numbers.pop("temperature", 0.0))
        weights = {k: float(v) for k, v in numbers.items()}
        return cls(pairs, loss, log, temperature, weights, [found for found in among if found])

    def risk(self, network: TwoLayer, data: Any, seed: int) -> Risk:
        """The risk of a network on what `DataSection.label` returns."""
        return Risk(network, data, self.loss, self.pairs.build().seeded(seed), self.log)

    def build(self, risk: Risk) -> Functional:
        """The energy as a functional."""
        energy: Functional = risk
        for name, weight in self.weights.items():
            energy = energy + weight * regularisers[name]()
        for weight, checked in self.interactions:
            energy = energy + weight * Interaction(checked.build())
        return energy + self.temperature * Entropy() if self.temperature else energy

    def table(self) -> Table:
        """The section again, with all defaults."""
        pairs = self.pairs.table() if self.pairs.arguments else self.pairs.table()["kind"]
        numbers = {"temperature": self.temperature, **self.weights}
        among = [{**checked.table(), "weight": weight} for weight, checked in self.interactions]
        several = {"interaction": among} if among else {}
        return {"loss": self.loss, "log": self.log, **numbers, "pairs": pairs, **several}


def _check_pairs(spec: Any, problems: Problems) -> Checked | None:
    given = {"kind": spec} if isinstance(spec, str) else spec
    if not isinstance(given, Mapping):
        problems.add(str(InvalidInput("energy.pairs", spec, "a name, or a table with kind")))
        return None
    checked = check_kind(summations, given, "energy.pairs", problems)
    if checked is not None and problems.attempt("energy.pairs", checked.build) is None:
        return None
    return checked


def _check_interaction(spec: Any, problems: Problems) -> tuple[float, Checked] | None:
    given = {"kind": spec} if isinstance(spec, str) else spec
    if not isinstance(given, Mapping):
        expected = "a name, a table with kind, or a list of these"
        problems.add(str(InvalidInput("energy.interaction", spec, expected)))
        return None
    rest = dict(given)
    weight = rest.pop("weight", 1.0)
    number = isinstance(weight, (int, float)) and not isinstance(weight, bool)
    if not number or not math.isfinite(weight):
        problems.add(str(InvalidInput("energy.interaction.weight", weight, "a finite number")))
        return None
    checked = check_kind(interactions, rest, "energy.interaction", problems)
    if checked is None or problems.attempt("energy.interaction", checked.build) is None:
        return None
    return float(weight), checked
