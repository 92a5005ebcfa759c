"""The JSON Schema: shipped and new files fit it, files with typical mistakes do not."""

from __future__ import annotations

import json
import tomllib

import pytest

from meanfield.config import ExperimentFile, find, shipped
from meanfield.config.data import inputs
from meanfield.config.files import merged
from meanfield.config.schema import experiment_schema, schema_text
from meanfield.config.starting import starting_file
from meanfield.flows import flows
from tests.conftest import forgetting

jsonschema = pytest.importorskip("jsonschema")
GOOD = tomllib.loads(starting_file("good"))


@pytest.fixture(scope="module")
def validator():
    shipped_files = [str(path) for path in shipped().values()]  # some name Python files of theirs
    with forgetting():
        schema = json.loads(schema_text(shipped_files))
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def read(name):
    return tomllib.loads(find(name).read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", shipped())
def test_shipped_experiments_fit(validator, name):
    assert [error.message for error in validator.iter_errors(read(name))] == []


@pytest.mark.parametrize("name", shipped())
def test_what_a_run_holds_fits(validator, name):
    from meanfield.config import Experiment

    file = ExperimentFile.read(find(name))
    resolved = Experiment.of(file, next(iter(file.variants), "")).to_toml()
    assert [error.message for error in validator.iter_errors(tomllib.loads(resolved))] == []


@pytest.mark.parametrize(
    "text",
    [
        *(starting_file("new", data=data) for data in inputs),
        *(starting_file("new", flow=flow) for flow in flows),
    ],
)
def test_new_files_fit(validator, text):
    assert [error.message for error in validator.iter_errors(tomllib.loads(text))] == []


@pytest.mark.parametrize(
    "change",
    [
        {"ensemble": {"cuont": 3}},
        {"ensemble": {"count": "many"}},
        {"ensemble": {"count": 2.5}},
        {"network": {"activation": "relo"}},
        {"network": {"activation": {"kind": "leaky-relu", "slope": 0.1}}},
        {"network": {"outer": "frozen"}},
        {"flow": {"kind": "wasserstein", "friction": 1.0}},
        {"flow": {"kind": "langevin", "cool": {"kind": "linear"}}},
        {"flow": {"kind": "stein", "kernel": {"kind": "rbf", "length": "x"}}},
        {"flow": {"constraint": {"w": "cube"}}},
        {"data": {"target": {"kind": "parity", "neurons": 3}}},
        {"data": {"kind": "bundled", "name": "mnist"}},
        {"energy": {"l3": 0.1}},
        {"energy": {"loss": "square"}},
        {"energy": {"terms": [{"kind": "mmd"}]}},
        {"energy": {"interaction": {"kind": "log"}}},
        {"run": {"observe": ["energi"]}},
        {"run": {"observe": [{"kind": "w2", "when": {"every": 3}}]}},
        {"run": {"frames": {"every": 3}}},
        {"run": {"guard": "on"}},
        {"runs": {}},
        {"variants": {"a": {"ensemble": {"cuont": 3}}}},
        {"claims": [{"says": "no series"}]},
        {"claims": [{"series": "risk", "over": {"att": "start"}}]},
        {"python": 3},
    ],
)
def test_typical_mistakes_do_not(validator, change):
    assert not list(validator.iter_errors(GOOD))
    assert list(validator.iter_errors(merged(GOOD, change)))


@pytest.mark.parametrize("section", ["network", "data", "ensemble", "scheme", "run"])
def test_a_file_without_variants_is_whole(validator, section):
    rest = {key: value for key, value in GOOD.items() if key != section}
    assert list(validator.iter_errors(rest))
    assert not list(validator.iter_errors({**rest, "variants": {"a": {section: GOOD[section]}}}))


def test_it_says_what_keys_mean_and_their_defaults():
    found = experiment_schema()
    keys = found["properties"]["run"]["properties"]
    assert keys["until"] == {"type": "number", "description": "Final time."}
    assert keys["frames"]["default"] == {"evenly": 21}
    kinds = {each["title"]: each for each in found["properties"]["flow"]["anyOf"]}
    assert set(kinds) == set(flows)
    assert kinds["kinetic"]["properties"]["kind"] == {"const": "kinetic"}
    assert kinds["kinetic"]["properties"]["friction"]["default"] == 1.0


def test_the_command(tmp_path, call):
    code, out, _ = call("schema")
    assert (code, json.loads(out)) == (0, experiment_schema())
    assert call("schema", "-o", tmp_path / "meanfield.schema.json")[:2] == (0, "")
    assert (tmp_path / "meanfield.schema.json").read_text() == schema_text()
