"""What to cite: every method has an entry, and every entry is whole."""

import re

import pytest

import meanfield as mf
from meanfield import citations
from meanfield.config import Experiment
from meanfield.flows import flows
from meanfield.schemes import schemes
from tests.storage.runs import simulate

REFERENCES = citations.references()
TABLES = [
    *(citations.FLOWS, citations.SCHEMES, citations.INTERACTIONS, citations.OBSERVABLES),
    *(citations.BUNDLED, citations.POPULATION, citations.PAIRS, citations.BASELINES),
    citations.TARGETS,
]
SMALL = {
    "network": {"activation": "tanh"},
    "data": {"kind": "arrays", "x": [[0.0], [1.0]], "y": [0.1, 0.5]},
    "ensemble": {"count": 4},
    "scheme": {"step": 0.1},
    "run": {"until": 0.2},
}


def _keys(**changes):
    tables = {name: {**SMALL.get(name, {}), **changes.get(name, {})} for name in {*SMALL, *changes}}
    return citations.keys(Experiment(tables).run())


def test_every_flow_and_scheme_says_what_to_cite():
    assert set(flows) <= set(citations.FLOWS)
    assert set(schemes) <= set(citations.SCHEMES)


def test_every_key_has_a_reference_and_every_reference_is_used():
    used = {key for table in TABLES for keys in table.values() for key in keys}
    used |= {"hairer2006", "mei2018", "pedregosa2011", "chizat2019"}
    assert used == set(REFERENCES)
    assert list(REFERENCES) == sorted(REFERENCES)


@pytest.mark.parametrize("key", REFERENCES)
def test_references_are_bibtex(key):
    text = REFERENCES[key]
    assert text.count("{") == text.count("}")
    lines = text.splitlines()
    assert re.fullmatch(rf"@(article|inproceedings|book|misc)\{{{key},", lines[0])
    found = {}
    for line in lines[1:-1]:
        name, value = re.fullmatch(r"  (\w+) = \{(.*)\},", line).groups()
        assert name not in found
        found[name] = value
    needed = {"article": "journal", "inproceedings": "booktitle", "book": "publisher"}
    assert {"author", "title", needed.get(lines[0][1:].split("{")[0], "howpublished")} <= set(found)
    year = re.findall(r"\d{4}", key)
    assert found.get("year", "") == (year[0] if year else "")
    family = re.split(r"\W+", found["author"].replace("{", "").replace("'", "").replace("\\", ""))[
        0
    ]
    assert key.startswith(family.lower().replace("d'", "d")[:4])


def test_the_example():
    keys = _keys(energy={"temperature": 0.1}, run={"until": 0.2, "observe": ["energy", "w2"]})
    assert keys == [
        *("mei2018", "nitanda2022", "chizat2022langevin"),
        *("maruyama1955", "kloeden1992", "flamary2021"),
    ]
    assert "flamary2021" not in _keys()


def test_flow_scheme_constraint_interaction_and_observables():
    keys = _keys(
        flow={"kind": "kinetic"},
        scheme={"kind": "ubu", "step": 0.1},
        energy={"temperature": 0.1, "interaction": [{"kind": "morse"}, "rbf"]},
        run={"until": 0.2, "observe": ["energy", "displacement", {"kind": "w2", "to": "previous"}]},
        ensemble={"count": 4, "antisymmetric": True},
    )
    assert keys == [
        *("chen2024", "leimkuhler2015", "alamo2016", "sanzserna2021", "dorsogna2006"),
        *("chizat2019", "flamary2021"),
    ]


def test_closed_forms_and_sums_over_pairs():
    law = {"kind": "gaussian", "dim": 2, "target": {"kind": "single-index", "degree": 1}}
    changes = {"network": {"activation": "relu"}, "data": law}
    tables = {**SMALL, **changes, "energy": {"pairs": {"kind": "random-batches", "size": 2}}}
    keys = citations.keys(Experiment(tables).run())
    assert {"jin2020", "cho2009"} <= set(keys)
    sampled = citations.keys(Experiment({**SMALL, **changes, "data": {**law, "samples": 4}}).run())
    assert "cho2009" not in sampled


def test_targets_and_path_norms():
    data = {"kind": "gaussian", "dim": 2, "target": {"kind": "norm"}}
    run = {"until": 0.2, "observe": ["energy", "path-norm"]}
    tables = {**SMALL, "network": {"activation": "relu"}, "data": data, "run": run}
    keys = citations.keys(Experiment(tables).run())
    assert keys[-5:] == ["bourgain1988", "bach2017", "pisier1981", "barron1993", "e2022"]


def test_bundled_data():
    pytest.importorskip("sklearn")
    tables = {**SMALL, "data": {"kind": "bundled", "name": "iris"}, "energy": {"loss": "softmax"}}
    keys = citations.keys(Experiment(tables).run())
    assert keys[-2:] == ["fisher1936", "pedregosa2011"]


def test_a_run_from_python_is_cited_by_its_flow_scheme_and_observables():
    assert citations.keys(simulate(observe=[mf.Energy(), mf.W2()])) == [
        *("mei2018", "nitanda2022", "chizat2022langevin"),
        *("maruyama1955", "kloeden1992", "flamary2021"),
    ]


def test_bibtex_begins_with_ourselves():
    text = citations.bibtex(simulate())
    assert text.startswith("@software{meanfield,\n")
    assert f"version = {{{mf.__version__}}}" in text
    assert len(re.findall(r"^@", text, re.M)) == 1 + len(citations.keys(simulate()))
    assert text.count("{") == text.count("}")
