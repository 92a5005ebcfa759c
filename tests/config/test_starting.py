"""`meanfield new`: files that run as they stand, and say what the defaults are."""

from __future__ import annotations

import re
import tomllib

import pytest

from meanfield.config import Experiment
from meanfield.config.arguments import arguments, documentation
from meanfield.config.data import inputs
from meanfield.config.starting import starting_file
from meanfield.errors import FileProblem, InvalidInput, UnknownName
from meanfield.flows import flows
from meanfield.schemes import schemes
from tests.conftest import size

KINDS = [(data, "wasserstein") for data in inputs] + [("gaussian", flow) for flow in flows]


@pytest.mark.parametrize(("data", "flow"), KINDS)
def test_a_new_file_runs_as_it_stands(tmp_path, data, flow):
    text = starting_file("my experiment", data, flow)
    assert max(map(len, text.splitlines())) <= 100
    (tmp_path / "data.csv").write_text("u,v,y\n" + "".join(f"{i},{i % 3},{i}\n" for i in range(9)))
    tables = tomllib.loads(text)
    assert (tables["data"]["kind"], tables["flow"]["kind"]) == (data, flow)
    experiment = Experiment(tables, tmp_path)
    # The lines that are off say the defaults: switched on, they change nothing.
    switched_on = tomllib.loads(re.sub(r"^# (\w+ = )", r"\1", text, flags=re.M))
    assert len(switched_on["run"]) > len(tables["run"])
    assert Experiment(switched_on, tmp_path).resolved() == experiment.resolved()
    few = {"ensemble": {**tables["ensemble"], "count": 4}}
    if "samples" in tables["data"]:
        few["data"] = {**tables["data"], "samples": size(20, 4), "test": 4}
    run = Experiment({**tables, **few, "run": {"until": 0.1}}, tmp_path).run()
    assert run.status == "finished"


def test_spikes_stay_finite_with_as_many_neurons_as_the_file_says(tmp_path):
    tables = tomllib.loads(starting_file("x", "spikes"))
    assert tables["flow"]["constraint"] == {"w": "sphere"}
    tables["run"]["until"] = size(0.1, 0.01)
    assert Experiment(tables, tmp_path).run().status == "finished"
    assert "constraint" not in tomllib.loads(starting_file("x", "spikes", "kinetic"))["flow"]


def test_every_key_is_there():
    text = starting_file("x")
    for section in ("network", "energy", "ensemble", "flow", "scheme", "run"):
        assert f"\n[{section}]" in text
    for kinds in (flows, schemes):
        for kind in kinds:
            said = documentation(kinds[kind])
            keys = [name for name in arguments(kinds[kind]) if name != "energy"]
            assert set(keys) <= set(said), (kind, set(keys) - set(said))


def test_the_command_refuses_to_overwrite(tmp_path, monkeypatch, call):
    monkeypatch.chdir(tmp_path)
    command = ("new", "mine", "--flow", "langevin")
    assert call(*command)[0] == 0
    text = (tmp_path / "mine.toml").read_text()
    assert text == starting_file("mine", flow="langevin")
    code, _, err = call(*command)
    assert code == 2
    assert "mine.toml exists already" in err
    assert (tmp_path / "mine.toml").read_text() == text


def test_wrong_names():
    from meanfield.config.starting import write

    with pytest.raises(UnknownName, match="did you mean 'langevin'"):
        starting_file("x", flow="langevine")
    with pytest.raises(UnknownName, match="unknown kind of data 'csv'"):
        starting_file("x", data="csv")
    with pytest.raises(InvalidInput, match="NAME = '': expected a name"):
        write("", "gaussian", "wasserstein")
    with pytest.raises(FileProblem, match="cannot be written"):
        write("no/such/folder", "gaussian", "wasserstein")
