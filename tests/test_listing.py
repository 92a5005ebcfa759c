"""The tables of what goes with what: what they offer runs, and what they do not is refused."""

import re

import numpy as np
import pytest

import meanfield as mf
from meanfield import limits, listing
from meanfield.errors import Unsupported
from meanfield.flows import flows
from meanfield.schemes import schemes
from tests.conftest import size

ENERGIES = listing.energies()
WITHOUT = [name for name in ENERGIES if name != listing.ENTROPY]
ARGUMENTS = {
    "proximal-recursion": {"epsilon": 0.005},
    "adaptive": {"method": "RK23", "rtol": 0.1, "atol": 0.1},
}
STEP = 0.05


def marks(table, columns):
    """A printed table as a mapping from (row, column) to its mark."""
    lines = table.split("\n")[len(list(columns)) :]
    pattern = re.compile(rf"^  (.+?)\s+((?:\S ){{{len(list(columns)) - 1}}}\S)$")
    found = {}
    for line in lines:
        name, row = pattern.match(line).groups()
        found.update({(name, column): mark for column, mark in zip(columns, row.split(), strict=1)})
    return found


def a_scheme(name):
    return schemes[name](STEP, **ARGUMENTS.get(name, {}))


def runs(flow, scheme):
    """Whether two steps lead somewhere finite."""
    network = mf.TwoLayer("relu", 2)
    rng = np.random.default_rng(1)
    count = size(6, 3)
    start = network.ensemble(rng.standard_normal((count, 2)), rng.choice([-1.0, 1.0], count))
    scheme.check(flow)
    state = start = flow.prepare(start, seed=0)
    for step in range(2):
        here = flow.driving.evaluate(state)
        state = scheme.advance(flow, state, here, STEP, 0).ensemble.having(step=step + 1)
    moved = np.any(state.position != start.position) or np.any(state.mass != start.mass)
    return bool(moved) and np.isfinite(state.position).all() and np.isfinite(state.mass).all()


def refused(make):
    """The sentence of the refusal, which names what to use instead."""
    with pytest.raises(Unsupported) as caught:
        make()
    sentence = str(caught.value)
    assert re.search(r"\buse\b|\bor else\b", sentence), sentence
    return sentence


@pytest.mark.parametrize("scheme", list(schemes))
def test_schemes_of_flows(scheme):
    table = marks(listing.schemes_of_flows(), flows)
    cold, warm = ENERGIES["empirical risk"], ENERGIES[listing.ENTROPY]
    for name in flows:
        mark = table[scheme, name]
        for energy, yes in ((cold, listing.COLD), (warm, listing.WARM)):
            if mark in (listing.YES, yes):
                assert runs(flows[name](energy), a_scheme(scheme)), (name, scheme)
            elif name in listing.flows_of(energy):
                flow = flows[name](energy)
                sentence = refused(lambda flow=flow: a_scheme(scheme).check(flow))
                offered = set(re.findall(r"'([\w-]+)'", sentence.partition(": use ")[2]))
                assert {*listing.combinations(energy)[name], name} == offered


@pytest.mark.parametrize("energy", ENERGIES)
def test_flows_of_energies(energy):
    table = marks(listing.flows_of_energies(), flows)
    for name in flows:
        if table[energy, name] == listing.YES:
            flow = flows[name](ENERGIES[energy])
            usual = flow.usual[flow.temperature > 0]
            assert runs(flow, a_scheme(usual)), (name, usual)
        else:
            refused(lambda name=name: flows[name](ENERGIES[energy]))


@pytest.mark.parametrize("energy", WITHOUT)
def test_schemes_of_energies(energy):
    table = marks(listing.schemes_of_energies(), schemes)
    cold = ENERGIES[energy]
    for each, yes in ((cold, listing.COLD), (cold + 0.1 * mf.Entropy(), listing.WARM)):
        for number, scheme in enumerate(schemes):
            able = [f for f in listing.flows_of(each).values() if schemes[scheme].suits(f)]
            assert bool(able) == (table[energy, scheme] in (listing.YES, yes))
            if able:  # another flow with every scheme
                flow = able[number % len(able)]
                assert runs(flow, a_scheme(scheme)), (flow.kind, scheme)


@pytest.mark.parametrize("scheme", [name for name in schemes if not schemes[name].steady])
def test_a_run_that_was_cut_in_two_meets_the_same_batches(scheme):
    cold = ENERGIES["minibatches of a data set"]
    able = [f for e in (cold + 0.1 * mf.Entropy(), cold) for f in listing.flows_of(e).values()]
    flow = next(flow for flow in able if schemes[scheme].suits(flow))
    rng = np.random.default_rng(1)
    start = mf.TwoLayer("relu", 2).ensemble(rng.standard_normal((3, 2)), rng.standard_normal(3))

    def end(start, until):
        return mf.simulate(flow, start, scheme=a_scheme(scheme), until=until, observe=()).final

    whole, pieces = end(start, 4 * STEP), end(end(start, 3 * STEP), STEP)
    assert np.array_equal(whole.position, pieces.position)
    assert np.array_equal(whole.mass, pieces.mass)


@pytest.mark.parametrize(
    ("scheme", "energy", "reason"),
    [
        ("adaptive", "online risk", "stay the same, and 'risk' has a batch for each step: use"),
        ("adaptive", "… pairs in random batches", "stay the same, and 'risk' has a batch"),
        ("adaptive", "tv", "for smooth energies, and 'tv' has a kink at 0: use 'euler'"),
        ("jko", "l1", "for smooth energies, and 'l1' has a kink at 0: use 'euler'"),
    ],
)
def test_why_an_energy_is_refused(scheme, energy, reason):
    sentence = refused(lambda: a_scheme(scheme).check(mf.Wasserstein(ENERGIES[energy])))
    assert reason in sentence
    # Behind the nodes of Gaussians too.
    if scheme == "adaptive":
        flow = mf.BuresWasserstein(ENERGIES[energy])
        refused(lambda: a_scheme(scheme).check(flow))


def test_every_scheme_says_what_it_declares():
    lines = listing.properties_of_schemes().split("\n")
    assert len(lines) == 1 + len(list(schemes))
    by_name = {line.split()[0]: line.split()[1:] for line in lines[1:]}
    assert by_name["stochastic-heun"] == ["2", "1", "2", "2", "2"]
    assert by_name["rk4"] == ["4", "–", "–", "4", "2.79"]
    assert by_name["adaptive"] == ["–"] * 5


def test_sections_of_the_list(call):
    code, printed, _ = call("list", "flows", "oracles")
    assert code == 0
    flows, oracles = printed.strip().split("\n\n")
    assert flows.startswith("flows\n")
    assert {line.split()[0] for line in oracles.splitlines()[1:]} == set(limits.oracles)
    assert "unknown section 'flow'; did you mean 'flows'?" in call("list", "flow")[2]
    whole = listing.text()
    assert all(each() in whole for each in listing.sections().values())


def test_all_tables_are_in_the_text():
    text = listing.text()
    tables = (
        listing.schemes_of_flows(),
        listing.flows_of_energies(),
        listing.schemes_of_energies(),
        listing.properties_of_schemes(),
    )
    for table in tables:
        assert table in text
    assert max(map(len, "\n".join(tables).split("\n"))) <= 100
