"""What experiments can be made of, and what goes with what: the text of `meanfield list`.

The tables are not written down anywhere: a mark says that the objects could be made and that the
scheme's `check` let the flow pass, on the small energies of `energies`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from meanfield.activations import activations
from meanfield.baselines import baselines
from meanfield.config import shipped
from meanfield.config.data import labels
from meanfield.data import FiniteData, GaussianMixture, Labels, Stream, laws, sources
from meanfield.errors import UnknownName, Unsupported
from meanfield.flows import Flow, coolings, flows, manifolds
from meanfield.functionals import (
    KSD,
    L2,
    MMD,
    Entropy,
    FiniteRank,
    Functional,
    Interaction,
    RandomBatches,
    RegularisedEntropy,
    Risk,
    functionals,
    losses,
    regularisers,
)
from meanfield.initial import initials
from meanfield.interactions import interactions
from meanfield.networks import TwoLayer
from meanfield.observables import observables
from meanfield.schemes import Scheme, schemes
from meanfield.transport import methods
from meanfield.viewing import figures

YES, NO, COLD, WARM = "●", "·", "○", "τ"
ENTROPY = "entropy (temperature)"


def energies() -> dict[str, Functional]:
    """An energy of every kind, all of them of the same ReLU neurons (a, w) with w in R².

    What is not a risk is added to the risk over a finite data set.
    """
    network = TwoLayer("relu", 2)
    data = FiniteData([[1.0, 0.5], [-0.5, 1.0], [0.3, -1.2]], [1.0, -1.0, 0.5])
    mixture = GaussianMixture(2, means=[[1.0, 0.0], [-1.0, 0.5]])
    law = mixture.labelled_by(Labels([1.0, -1.0]))
    base = Risk(network, data)
    beside: dict[str, Functional] = {
        **{name: regularisers[name]() for name in regularisers},
        "interaction": Interaction("rbf"),
        "mmd": MMD([[0.5, 1.0, 0.0], [-1.0, 0.0, 0.5]]),
        "ksd": KSD(L2()),
        "smoothed entropy": RegularisedEntropy(1.0),
        ENTROPY: Entropy(),
    }
    return {
        "empirical risk": base,
        "population risk": Risk(network, law),
        "… pairs of finite rank": Risk(network, law, pairs=FiniteRank(degree=1)),
        "… pairs in random batches": Risk(network, law, pairs=RandomBatches(2)),
        "online risk": Risk(network, Stream(law, 2)),
        "minibatches of a data set": Risk(network, Stream(data, 2)),
        **{name: base + 0.1 * term for name, term in beside.items()},
    }


def flows_of(energy: Functional) -> dict[str, Flow]:
    """The flows that take an energy, by name."""
    found = {}
    for name in flows:
        try:
            found[name] = flows[name](energy)
        except Unsupported:
            continue
    return found


def combinations(energy: Functional) -> dict[str, list[str]]:
    """For every flow that takes an energy, the schemes that can step it."""
    return {
        name: [scheme for scheme in schemes if schemes[scheme].suits(flow)]
        for name, flow in flows_of(energy).items()
    }


def schemes_of_flows() -> str:
    """The table of schemes and flows, without and with a temperature."""
    energy = energies()["empirical risk"]
    cold, warm = combinations(energy), combinations(energy + 0.1 * Entropy())

    def mark(scheme: str, flow: str) -> str:
        return _mark(scheme in cold.get(flow, ()), scheme in warm.get(flow, ()))

    return _table(list(flows), {name: [mark(name, flow) for flow in flows] for name in schemes})


def flows_of_energies() -> str:
    """The table of energies and the flows that take them."""
    rows = {}
    for name, energy in energies().items():
        able = flows_of(energy)
        rows[name] = [YES if flow in able else NO for flow in flows]
    return _table(list(flows), rows)


def schemes_of_energies() -> str:
    """The table of energies and the schemes that take them with some flow, as for flows."""
    rows = {}
    for name, energy in energies().items():
        cold, warm = (
            {scheme for able in combinations(each).values() for scheme in able}
            for each in (energy, energy + 0.1 * Entropy())
        )
        rows[name] = [_mark(scheme in cold, scheme in warm) for scheme in schemes]
    del rows[ENTROPY]
    return _table(list(schemes), rows)


def properties_of_schemes() -> str:
    """What every scheme declares, which the tests hold it to."""
    columns: dict[str, Callable[[type[Scheme]], Any]] = {
        "order": lambda scheme: scheme.order,
        "strong": lambda scheme: scheme.strong,
        "weak": lambda scheme: scheme.weak,
        "evaluations": lambda scheme: scheme.evaluations,
        "stable to": lambda scheme: scheme.stability,
    }
    lines = [" " * 24 + "  ".join(columns)]
    for name in schemes:
        cells = [_number(of(schemes[name])).rjust(len(head)) for head, of in columns.items()]
        lines.append(f"  {name:<22}" + "  ".join(cells))
    return "\n".join(lines)


def _mark(cold: bool, warm: bool) -> str:
    return {(True, True): YES, (True, False): COLD, (False, True): WARM}.get((cold, warm), NO)


def _number(value: float | None) -> str:
    return f"{value:.3g}" if value else "–"


def _table(columns: list[str], rows: Mapping[str, list[str]]) -> str:
    """Marks under headings that stand on stairs, so that long names take one column each."""
    margin = " " * (max(map(len, rows)) + 4)
    lines = [f"{margin}{'│ ' * depth}{name}" for depth, name in enumerate(columns)]
    lines += [f"  {name:<{len(margin) - 2}}{' '.join(marks)}" for name, marks in rows.items()]
    return "\n".join(lines)


def names() -> dict[str, dict[str, str]]:
    """The entries of every registry, with the first line of their documentation; by title."""
    from meanfield.limits import oracles

    registries: list[tuple[str, Any]] = [
        ("activations", activations),
        ("laws of data", laws),
        ("finite data", sources),
        ("targets", labels),
        ("losses", losses),
        ("regularisers (keys of [energy])", regularisers),
        ("functionals ([[energy.terms]])", functionals),
        ("interactions", interactions),
        ("initial laws", initials),
        ("flows", flows),
        ("schemes", schemes),
        ("constraints", manifolds),
        ("coolings", coolings),
        ("observables", observables),
        ("distances (mf.distance)", methods),
        ("oracles (meanfield.limits)", oracles),
        ("baselines", baselines),
        ("figures (meanfield plot)", figures),
    ]
    first = {
        name: path.read_text(encoding="utf-8").splitlines()[0].lstrip("# ")
        for name, path in shipped().items()
    }
    return {"shipped experiments": first} | {
        title: registry.summary() for title, registry in registries
    }


def tables() -> dict[str, dict[str, Any]]:
    """All of it for programs: `names`, and what goes with what."""
    energy = energies()["empirical risk"]
    return {
        **{_key(title): entries for title, entries in names().items()},
        "schemes_of_flows": combinations(energy),
        "schemes_of_flows_with_temperature": combinations(energy + 0.1 * Entropy()),
        "flows_of_energies": {name: list(flows_of(each)) for name, each in energies().items()},
    }


def text(wanted: Sequence[str] = ()) -> str:
    """All of it, or the sections that are wanted, by the keys of `sections`.

    Raises
    ------
    UnknownName
        If there is no such section.
    """
    found = sections()
    for name in wanted:
        if name not in found:
            raise UnknownName("section", name, found)
    closing = "The keys of each are in docs/experiments.md and in `meanfield check`."
    parts = [found[name]() for name in wanted or found]
    return "\n\n".join(parts if wanted else [*parts, closing])


def sections() -> dict[str, Callable[[], str]]:
    """What writes names and tables, by keys of one word; tables try what fits, which takes long."""

    def named(title: str, entries: Mapping[str, str]) -> str:
        return "\n".join([title, *(f"  {name:<22} {about}" for name, about in entries.items())])

    return {
        **{_key(title): partial(named, title, entries) for title, entries in names().items()},
        "orders": lambda: (
            "schemes: orders without and with noise, evaluations of the energy in a step, and hλ\n"
            "up to which a step h is stable (h√λ with velocities); –: not claimed\n"
            f"{properties_of_schemes()}"
        ),
        "schemes_of_flows": lambda: (
            f"schemes that step a flow: {YES} with and without a temperature, {COLD} only without, "
            f"{WARM} only with one\n{schemes_of_flows()}"
        ),
        "flows_of_energies": lambda: (
            "flows that take an energy (the rest is beside a risk on a finite data set)\n"
            f"{flows_of_energies()}"
        ),
        "schemes_of_energies": lambda: (
            f"schemes that take an energy: {YES}, {COLD} and {WARM} as above\n"
            f"{schemes_of_energies()}"
        ),
    }


def _key(title: str) -> str:
    return title.partition(" (")[0].replace(" ", "_")
