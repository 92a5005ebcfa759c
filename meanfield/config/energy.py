"""The section ``[energy]``: what descends besides the risk, and how the risk's pairs are summed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

from meanfield.config.arguments import Argument, arguments
from meanfield.config.problems import Problems
from meanfield.config.tables import Checked, Table, check
from meanfield.errors import require_nonnegative
from meanfield.functionals import (
    Entropy,
    Functional,
    Interaction,
    Risk,
    functionals,
    losses,
    regularisers,
    summations,
)
from meanfield.interactions import interactions
from meanfield.networks import TwoLayer
from meanfield.registry import OneOf


@dataclass(frozen=True)
class Weight:
    """A factor, of any sign.

    Parameters
    ----------
    weight : float
        The factor of this term in the energy.
    """

    weight: float = 1.0


Pair = Annotated[str | Mapping[str, Any], OneOf(interactions, also=Weight)]
Term = Annotated[str | Mapping[str, Any], OneOf(functionals, also=Weight)]


@dataclass(frozen=True)
class EnergySection:
    """``[energy]``: the risk, regularisers, other terms and interactions, and the temperature.

    Parameters
    ----------
    loss : str
        What one sample costs.
    log : bool
        Whether the logarithm of the risk descends.
    temperature : float
        Weight τ of the entropy.
    pairs : str or table
        How the sum over all pairs of neurons is computed, for the population risk.
    interaction : str, table, or list of these
        What particles do to each other besides the risk.
    terms : list of tables
        Further functionals.
    weights : mapping of str to float
        Of regularisers, by name: each is a key of its own.
    """

    loss: Annotated[str, OneOf(losses)] = "squared"
    log: bool = False
    temperature: float = 0.0
    pairs: Annotated[str | Mapping[str, Any], OneOf(summations)] = "exact"
    interaction: Pair | list[Pair] = field(default_factory=list)
    terms: list[Term] = field(default_factory=list)
    weights: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for key, value in {"temperature": self.temperature, **self.weights}.items():
            require_nonnegative(key, value)

    @classmethod
    def all_keys(cls) -> dict[str, Argument]:
        """The keys of the section: the arguments, with a key for each regulariser."""
        own = {name: each for name, each in arguments(cls).items() if name != "weights"}
        return own | {
            name: Argument(float, None, f"Weight of the regulariser: {about}")
            for name, about in regularisers.summary().items()
        }

    @classmethod
    def check(cls, table: Table, problems: Problems) -> Checked | None:
        """The section checked; None if there are mistakes."""
        more = {name: each for name, each in cls.all_keys().items() if name not in arguments(cls)}
        found = check(cls, table, "energy", problems, without=["weights"], more=more)
        if found is None or problems.attempt("energy", cls.of, found) is None:
            return None
        return found

    @classmethod
    def of(cls, checked: Checked) -> EnergySection:
        """The section of a table that `check` has passed."""
        section: EnergySection = checked.build(weights=checked.also)
        return section

    def risk(self, network: TwoLayer, data: Any, seed: int) -> Risk:
        """The risk of a network on what `DataSection.label` returns."""
        pairs = summations.make("pairs", self.pairs).seeded(seed)
        return Risk(network, data, self.loss, pairs, self.log)

    def build(self, risk: Risk) -> Functional:
        """The energy as a functional."""
        energy: Functional = risk
        for name, weight in self.weights.items():
            energy = energy + weight * regularisers[name]()
        for weight, table in _weighted(self.terms):
            energy = energy + weight * functionals.make("terms", table)
        several = self.interaction if isinstance(self.interaction, list) else [self.interaction]
        for weight, table in _weighted(several):
            energy = energy + weight * Interaction(interactions.make("interaction", table))
        return energy + self.temperature * Entropy() if self.temperature else energy


def _weighted(specs: Sequence[Any]) -> list[tuple[float, Table]]:
    """Weight and table of each term."""
    named: list[Table] = [{"kind": s} if isinstance(s, str) else dict(s) for s in specs]
    return [(table.pop("weight", 1.0), table) for table in named]
