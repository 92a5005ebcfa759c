"""Experiments: from tables to objects and back, and every shipped file."""

from __future__ import annotations

import tomllib

import numpy as np
import pytest

import meanfield as mf
from meanfield.config import Experiment, ExperimentFile, Mistakes, find, shipped
from meanfield.errors import UnknownName
from tests.conftest import size

BASE = {
    "network": {"activation": "relu"},
    "data": {"kind": "gaussian", "dim": 3, "target": {"kind": "teacher", "neurons": 2}},
    "ensemble": {"count": 6},
    "scheme": {"step": 0.1},
    "run": {"until": 0.3},
}


def altered(**sections):
    tables = {name: dict(table) for name, table in BASE.items()}
    for name, table in sections.items():
        tables[name] = {**tables.get(name, {}), **table}
    return tables


def risk_of(flow):
    (_, risk), *_ = flow.energy.terms()
    return risk


def test_the_same_as_python():
    run = Experiment(altered(run={"seed": 5}, energy={"l2": 0.1, "temperature": 0.01})).run()
    problem = Experiment(altered(run={"seed": 5})).problem(5)
    energy = risk_of(problem.flow) + 0.1 * mf.L2() + 0.01 * mf.Entropy()
    ours = mf.simulate(
        mf.Langevin(energy), mf.NormalInit(6), scheme=mf.EulerMaruyama(0.1), until=0.3, seed=5
    )
    assert (run.final.position == ours.final.position).all()
    assert (run["energy"].values == ours["energy"].values).all()


EVERY = [
    (name, variant)
    for name, path in shipped().items()
    for variant in ExperimentFile.read(path).variants or [""]
]


@pytest.mark.parametrize(("name", "variant"), EVERY)
def test_shipped_experiments_resolve_to_themselves(name, variant):
    first = Experiment.load(find(name), variant=variant)
    text = first.to_toml()
    second = Experiment(tomllib.loads(text), title=first.title)
    assert second.to_toml() == text


@pytest.mark.parametrize(("name", "variant"), EVERY)
def test_shipped_experiments_run(name, variant):
    tables = Experiment.load(find(name), variant=variant, reduced=True).resolved()
    if "count" in tables["ensemble"]:
        tables["ensemble"]["count"] = size(20, 4)
    until = 4 * tables["scheme"]["step"]
    tables["run"].update(until=until, seeds=[3, 4], frames=[0.0], observe_when=[0.0])
    tables["run"].update(observe=["energy"], baseline="")
    if tables["data"]["kind"] == "bundled":
        tables["data"]["test"] = size(0.3, 0.9)
    run = Experiment(tables).run()
    assert run.status == "finished"
    assert run["energy"].dims == ("seed", "time")
    assert np.isfinite(run["energy"]).all()
    same = np.array_equal(run.replica(3).final.position, run.replica(4).final.position)
    assert same == (tables["ensemble"]["kind"] == "quantiles")  # nothing else there is random


def test_defaults_follow_the_temperature():
    assert Experiment(altered()).resolved()["flow"]["kind"] == "wasserstein"
    warm = Experiment(altered(energy={"temperature": 0.1})).resolved()
    assert warm["flow"]["kind"] == "langevin"
    assert warm["scheme"]["kind"] == "euler-maruyama"


def test_modes_of_a_law():
    data = BASE["data"]
    population = risk_of(Experiment(altered()).problem(0).flow).data
    sampled = Experiment(altered(data={**data, "samples": 7, "test": 5})).problem(0)
    streamed = Experiment(altered(data={**data, "batch": 4})).problem(0)
    assert isinstance(population, mf.LabelledLaw)
    assert len(risk_of(sampled.flow).data) == 7
    assert len(risk_of(sampled.flow).held_out()) == 5
    assert len(risk_of(streamed.flow).data.at(3)) == 4
    with pytest.raises(Mistakes, match=r"data\.samples and data\.batch"):
        Experiment(altered(data={**data, "samples": 7, "batch": 4}))
    with pytest.raises(Mistakes, match=r"data\.test needs"):
        Experiment(altered(data={**data, "test": 4}))


def test_seeds_decide_what_is_random():
    experiment = Experiment(altered(data={**BASE["data"], "samples": 5}))
    first, again, other = (experiment.problem(seed) for seed in (0, 0, 1))
    assert (first.start.position == again.start.position).all()
    assert (first.start.position != other.start.position).all()
    assert (risk_of(first.flow).data.x == risk_of(again.flow).data.x).all()
    assert (risk_of(first.flow).data.x != risk_of(other.flow).data.x).all()
    fixed = Experiment(altered(data={**BASE["data"], "samples": 5, "seed": 9}))
    pinned = [risk_of(fixed.problem(seed).flow).data.x for seed in (0, 1)]
    assert (pinned[0] == pinned[1]).all()


def test_teacher_and_student_are_drawn_independently():
    problem = Experiment(altered(ensemble={"kind": "sphere"})).problem(0)
    teacher = risk_of(problem.flow).data.target.ensemble
    assert np.linalg.norm(teacher.w, axis=1) == pytest.approx(1)
    assert abs(teacher.a) == pytest.approx(1)
    assert abs(teacher.w - problem.start.w[:2]).max() > 0.1


def test_outputs_are_inferred():
    target = {"kind": "teacher", "w": [[1.0, 0, 0]], "a": [[1.0, 2.0]]}
    tables = altered(data={**BASE["data"], "target": target})
    assert Experiment(tables).resolved()["network"]["outputs"] == 2
    labels = {"kind": "labels", "values": [[1.0, 0, 0], [0, 1.0, 0]]}
    mixture = {"kind": "gaussian-mixture", "dim": 2, "means": [[0.0, 1.0], [1.0, 0.0]]}
    tables = {**altered(), "data": {**mixture, "target": labels}}
    assert Experiment(tables).resolved()["network"]["outputs"] == 3


def test_start_from_an_earlier_run_and_from_a_file(tmp_path):
    first = Experiment(altered()).run(tmp_path / "first.h5")
    wrong = altered(ensemble={"kind": "run", "path": "first.h5"})
    with pytest.raises(Mistakes, match=r"unknown key ensemble\.count"):
        Experiment(wrong, base=tmp_path)
    tables = {**altered(), "ensemble": {"kind": "run", "path": "first.h5"}}
    start = Experiment(tables, base=tmp_path).problem(0).start
    assert (start.position == first.final.position).all()
    tables["ensemble"]["time"] = 0.0
    start = Experiment(tables, base=tmp_path).problem(0).start
    assert (start.position == first.frames[0].position).all()

    rng = np.random.default_rng(0)
    arrays = {"a": rng.normal(size=4), "w": rng.normal(size=(4, 3)), "mass": [0.1, 0.2, 0.3, 0.4]}
    np.savez(tmp_path / "neurons.npz", **arrays)
    tables["ensemble"] = {"kind": "file", "path": "neurons.npz"}
    start = Experiment(tables, base=tmp_path).problem(0).start
    assert (start.w == arrays["w"]).all()
    assert start.mass.tolist() == arrays["mass"]
    np.savez(tmp_path / "neurons.npz", a=arrays["a"])
    with pytest.raises(Mistakes, match="an array 'w'"):
        Experiment(tables, base=tmp_path).problem(0)


def test_baseline_is_kept_with_the_run(tmp_path):
    experiment = Experiment.load(
        find("breast-cancer"), ["run.seeds=2", "run.until=0.4", "ensemble.count=3"]
    )
    with experiment.run(tmp_path / "out.h5") as run:
        assert run.provenance["baseline_name"] == "logistic-regression"
        scores = run.provenance["baseline_test_accuracy"]
        assert len(scores) == 2
        assert all(0.9 < score <= 1 for score in scores)


def test_unknown_shipped_experiment():
    with pytest.raises(UnknownName, match="breast-cancer"):
        find("breast-cancr")


def test_sections_must_be_tables():
    with pytest.raises(Mistakes, match=r"flow = 3: expected a table"):
        Experiment({**altered(), "flow": 3})
    with pytest.raises(Mistakes, match=r"data\.kind is missing"):
        Experiment({**altered(), "data": {}})
    with pytest.raises(Mistakes, match=r"network\.activation is missing"):
        Experiment({**altered(), "network": {}})
    with pytest.raises(Mistakes, match=r"run\.until is missing"):
        Experiment({**altered(), "run": {}})
    with pytest.raises(Mistakes, match=r"ensemble\.count is missing"):
        Experiment({**altered(), "ensemble": {}})
    with pytest.raises(Mistakes, match=r"scheme\.step is missing"):
        Experiment({**altered(), "scheme": {}})


def test_relative_paths_start_at_the_experiment(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "mine.csv").write_text("u,v,y\n" + "1,2,0.5\n3,1,0.25\n2,2,0.125\n")
    tables = {**altered(), "data": {"kind": "file", "path": "folder/mine.csv", "target": "y"}}
    data = risk_of(Experiment(tables, base=tmp_path).problem(0).flow).data
    assert data.y.ravel().tolist() == [0.5, 0.25, 0.125]
    assert str(tmp_path) in Experiment(tables, base=tmp_path).to_toml()


def test_an_experiment_may_hold_large_arrays(tmp_path):
    x = np.linspace(-1, 1, 9000)[:, None].tolist()
    data = {"kind": "arrays", "x": x, "y": [0.5] * len(x)}
    tables = {**altered(), "data": data}
    with Experiment(tables).run(tmp_path / "long.h5") as run:
        assert len(run.experiment) > 2**16
        assert tomllib.loads(run.experiment)["data"]["x"] == x


def test_interactions_of_the_energy():
    several = [{"kind": "morse", "attraction": 0.2}, {"kind": "rbf", "weight": -0.1}]
    experiment = Experiment(altered(data={"dim": 2}, energy={"interaction": several}))
    problem = experiment.problem(0)
    energy = (
        risk_of(problem.flow)
        + mf.Interaction(mf.Morse(attraction=0.2))
        - 0.1 * mf.Interaction("rbf")
    )
    np.testing.assert_array_equal(
        problem.flow.energy.gradient(problem.start), energy.gradient(problem.start)
    )
    again = Experiment(tomllib.loads(experiment.to_toml()))
    assert again.resolved() == experiment.resolved()
    assert [table["weight"] for table in again.resolved()["energy"]["interaction"]] == [1.0, -0.1]
    assert Experiment(altered()).resolved()["energy"]["interaction"] == []
    alone = Experiment(altered(energy={"interaction": "quadratic"})).resolved()["energy"]
    assert alone["interaction"] == {"kind": "quadratic", "strength": 1.0, "weight": 1.0}


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("mors", "energy.interaction: unknown interaction 'mors'; did you mean 'morse'?"),
        ({"kind": "log"}, "energy.interaction.softening is missing"),
        ({"kind": "log", "soft": 1.0}, "unknown key energy.interaction.soft"),
        ({"kind": "coulomb", "dim": 3}, "energy.interaction.softening = 0"),
        ({"kind": "rbf", "weight": "much"}, "energy.interaction.weight = 'much'"),
        ({"kind": "rbf", "weight": float("inf")}, "energy.interaction.weight = inf"),
        ({"kind": "rbf", "length": 0}, "energy.interaction.length = 0"),
        (3, "energy.interaction = 3: expected text or a table or a list"),
        ([3], "energy.interaction[0] = 3: expected a name or a table with kind"),
    ],
)
def test_wrong_interactions(given, told):
    with pytest.raises(Mistakes) as caught:
        Experiment(altered(energy={"interaction": given}))
    assert told in str(caught.value)
