"""Oracles as what runs are held against: made from their names, and what they know exactly."""

from __future__ import annotations

import sys
import tomllib
from dataclasses import dataclass

import numpy as np
import pytest

import meanfield as mf
from meanfield import cli
from meanfield.config import Experiment
from meanfield.config.oracles import oracle_of
from meanfield.limits import Gibbs, LinearQuadratic, Oracle, TwoGaussiansInDimension, oracles
from meanfield.sweeps.measure import Probe
from meanfield.sweeps.reference import Reference
from tests.conftest import size
from tests.sweeps import examples
from tests.sweeps.examples import write

pytestmark = pytest.mark.usefixtures("here")

# One sample x = 1, y = 1.5 for linear neurons: the risk is ½(m - 1.5)².
ATTRACTION = """
[network]
activation = "linear"
outer = "fixed"
[data]
kind = "arrays"
x = [[1.0]]
y = [1.5]
[energy]
l2 = 0.5
temperature = 0.2
interaction = { kind = "quadratic", strength = 2.0 }
[ensemble]
count = 8
scale = { a = 0.0 }
mean = { a = 1.0 }
[scheme]
kind = "stochastic-heun"
step = 0.05
[run]
until = 1.0
observe = ["moments"]
observe_when = { evenly = 3 }
frames = { evenly = 3 }
"""
EXACT = {
    "kind": "linear-quadratic",
    **{"common": 1.5, "own": 2.5, "centre": [1.0], "constant": 0.375},
    **{"initial_mean": [0.0], "initial_covariance": 1.0},
}


def agrees(estimate, exact: float) -> bool:
    """Within about four standard errors."""
    return 2 * estimate.low - estimate.value < exact < 2 * estimate.high - estimate.value


def made(text: str, given: object, tmp_path) -> tuple[Oracle, mf.Experiment]:
    experiment = mf.Experiment.load(write(tmp_path, text))
    energy = experiment.problem(0).flow.energy
    return oracle_of(given, "reference", energy, experiment.resolved()["energy"]), experiment


def test_attraction_costs_at_each_n_what_its_closed_form_says(tmp_path):
    """f = ⟨m, x⟩, and Cov m of N particles and E energy are exact for every N (McKean 1966)."""
    many = {"sizes": [4, 16], "replicas": size(16, 4)}
    path = write(tmp_path, ATTRACTION)
    found = mf.chaos(path, tmp_path / "c", **many, reference=EXACT)
    oracle = LinearQuadratic(1.5, 2.5, [1.0], [0.0], 1.0, temperature=0.2, constant=0.375)
    assert found.against == f"the oracle {oracle!r}"
    assert {"function", "w2", "energy"} <= {*found.quantities}  # energy: unasked
    if size(False, True):
        return
    for time in (0.0, 0.5, 1.0):
        of_mean = float(LinearQuadratic(**{**vars(oracle), "particles": 1}).pieces(time)[2][0, 0])
        for estimate in found.constants("function", time):
            assert agrees(estimate, of_mean)
            assert not agrees(estimate, 3 * of_mean)
        assert agrees(found.slope("function", time), -1.0)
        few, limit = (
            LinearQuadratic(**{**vars(oracle), "particles": count}).at([time])["energy"][0]
            for count in (4, 0)
        )
        estimated, constant = found.limit("energy", time)
        assert agrees(estimated, limit)
        assert agrees(constant, 4 * (few - limit))
    assert agrees(found.slope("energy"), -1.0)


def test_the_measure_of_columns_that_move_is_that_of_neurons(tmp_path):
    oracle, experiment = made(ATTRACTION, EXACT, tmp_path)
    problem = experiment.problem(0)
    probe = Probe.of(problem.flow.energy, 5)
    found = Reference(oracle, probe, problem.start)
    neurons = found.measure(0.5)
    assert neurons.layout == problem.start.layout
    assert (neurons.a == 1.0).all()
    mean = oracle.at([0.5])["mean"][0, 0]
    assert found.output(0.5)[0, 0] == pytest.approx(mean, abs=1e-9)
    # Neurons with different outer weights are not known by the law of the others.
    problem.start.a[0] = 2.0
    assert Reference(oracle, probe, problem.start).measure(0.5) is None


def test_what_the_experiment_says_need_not_be_said_again(tmp_path):
    oracle, experiment = made(examples.EXPERIMENT, "gibbs", tmp_path)
    network = mf.TwoLayer("tanh", 1, outer="fixed")
    data = mf.FiniteData([[-1.0], [0.5], [2.0]], [-0.3, 0.5, 0.6])
    expected = Gibbs(network, data, 0.1, 0.05).at()
    assert isinstance(oracle, Gibbs)
    assert oracle.at()["risk"] == expected["risk"]
    assert made(examples.EXPERIMENT, {"kind": "gibbs", "l2": 0.3}, tmp_path)[0].l2 == 0.3
    assert oracle_of(oracle, "reference", experiment.problem(0).flow.energy, {}) is oracle


def test_an_oracle_of_another_energy_is_doubted():
    """Without the attraction, own = 0.5: ½(0 - 1.5)² + ½·0.5 is not 2.375."""
    problem = Experiment(tomllib.loads(ATTRACTION)).problem(0)
    probe = Probe.of(problem.flow.energy, 10)
    for own, doubted in ((2.5, ""), (0.5, "is it the oracle of another experiment?")):
        oracle = oracle_of({**EXACT, "own": own}, "reference", problem.flow.energy, {})
        said = Reference(oracle, probe, problem.start).doubt(problem.flow.driving)
        assert said.endswith(doubted)
        assert bool(said) == bool(doubted)
    assert "is 1.375, and that of the experiment at its measure 2.3" in said


def test_radii_know_the_function_of_neurons_in_every_dimension(rng):
    """Neurons of R¹² with these radii and random directions have the function of |x|."""
    oracle = TwoGaussiansInDimension(0.5, dim=12, nodes=16)
    x = rng.standard_normal((4, 12))
    count = 400
    radii = oracle.measure(0.3, count).position[:, 1]
    w = rng.standard_normal((count, 12))
    w *= (radii / np.linalg.norm(w, axis=1))[:, None]
    neurons = np.interp(w @ x.T, [0.5, 1.5], [-2.5, 7.5])  # the ramp
    error = neurons.std(axis=0) / np.sqrt(count)
    found = oracle.output(0.3, x)
    assert found.shape == (4, 1)
    assert (np.abs(found[:, 0] - neurons.mean(axis=0)) < 4 * error).all()
    norms = np.linalg.norm(x, axis=1)[:, None]
    np.testing.assert_allclose(oracle.output(0.3, norms), found)
    with pytest.raises(mf.InvalidInput, match=r"x = \(4, 2\): expected inputs \(n, 12\)"):
        oracle.output(0.3, x[:, :2])
    z, chance, y = oracle.latents(16)
    residual = oracle.output(0.3, z[:, None])[:, 0] - y
    assert 0.5 * chance @ residual**2 == pytest.approx(oracle.at([0.3])["risk"][0], rel=1e-6)


def test_an_oracle_of_other_columns_knows_the_series_alone(tmp_path):
    text = ATTRACTION.replace("x = [[1.0]]", "x = [[1.0, 0.0]]")
    oracle, experiment = made(text, EXACT, tmp_path)
    problem = experiment.problem(0)
    found = Reference(oracle, Probe.of(problem.flow.energy, 5), problem.start)
    assert found.measure(0.5) is None
    assert found.output(0.5) is None
    assert found.series(np.array([0.5]))["energy"] == oracle.at([0.5])["energy"]


@dataclass(frozen=True)
class Silent(Oracle):
    """One that knows nothing but a number at rest."""

    kind = "silent"
    stationary = True

    def at(self, times):
        from meanfield.limits import Limit

        return Limit(np.array([np.inf]), {"risk": np.array([0.25])})


def test_a_state_at_rest_is_known_at_the_end(tmp_path):
    _, experiment = made(ATTRACTION, EXACT, tmp_path)
    problem = experiment.problem(0)
    found = Reference(Silent(), Probe.of(problem.flow.energy, 5), problem.start)
    times = np.array([0.0, 1.0])
    assert found.known(times).tolist() == [False, True]
    np.testing.assert_array_equal(found.series(times)["risk"], [np.nan, 0.25])
    assert found.output(1.0) is None


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("linear-quadratik", "unknown oracle 'linear-quadratik'; did you mean 'linear-quadratic'?"),
        ("linear-quadratic", "reference: linear-quadratic.common is missing: expected a number"),
        ("{ common = 1.0 }", "reference: oracle.kind is missing: expected one of anisotropic"),
        ("{ kind = 3 }", "reference: oracle.kind: unknown oracle '3'"),
        ("[1.0]", "reference = [1.0]: expected an oracle, its name, or a table with kind"),
        (
            '{ kind = "two-gaussians", delta = 0.2, speed = 1.0 }',
            "reference: unknown key two-gaussians.speed = 1.0",
        ),
        (
            '{ kind = "two-gaussians", delta = 2.0 }',
            "two-gaussians.delta = 2.0: expected a number in [0, 1)",
        ),
        ('{ kind = "two-gaussians", delta = "big" }', "two-gaussians.delta = 'big': expected a n"),
        ("fokker-planck", "the oracle 'fokker-planck' needs 'start', which no table can hold"),
    ],
)
def test_what_is_no_oracle_is_refused_before_anything_runs(
    tmp_path, monkeypatch, capsys, given, said
):
    path, folder = write(tmp_path, ATTRACTION), tmp_path / "c"
    command = ["chaos", str(path), "--sizes", "4,8", "--reference", given, "-o", str(folder)]
    monkeypatch.setattr(sys, "argv", ["meanfield", *command])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2
    error = capsys.readouterr().err
    assert said in error
    assert "Traceback" not in error
    assert not folder.exists()


OWN = """
from dataclasses import dataclass
from meanfield.limits import SelfConsistent, oracles

@oracles.register("bowl")
@dataclass(frozen=True)
class Bowl(SelfConsistent):
    def __init__(self, temperature: float, coupling: float = 2.0) -> None:
        super().__init__(lambda x: (0.5 * (x - 1.0) ** 2).sum(axis=1), coupling, temperature)
"""


def test_an_oracle_of_functions_comes_from_a_python_file(tmp_path):
    """Which makes the functions; the temperature is that of the experiment."""
    (tmp_path / "own.py").write_text(OWN)
    before = dict(oracles._entries)
    try:
        oracle, _ = made('python = ["own.py"]\n' + ATTRACTION, "bowl", tmp_path)
        limit = oracle.at()
        assert limit["mean"].ravel() == pytest.approx([1.0])
        assert limit["second_moment"].ravel() == pytest.approx([1.0 + 0.2 / 3.0])
    finally:
        oracles._entries = before


def test_a_law_is_no_finite_data(tmp_path):
    text = ATTRACTION.replace(
        'kind = "arrays"\nx = [[1.0]]\ny = [1.5]',
        'kind = "gaussian"\ndim = 1\ntarget = { kind = "teacher", neurons = 1 }',
    )
    with pytest.raises(mf.Unsupported, match="'gibbs' needs 'data', which no table can hold"):
        made(text, "gibbs", tmp_path)


def test_the_energy_is_always_observed(tmp_path):
    """Also where the experiment observes other series; a run that has it anyway is the same."""
    from meanfield.config import ExperimentFile
    from meanfield.sweeps.design import Design

    def observed(text: str, **more: object) -> list[str]:
        file = ExperimentFile.read(write(tmp_path, text))
        design = Design.of(file, {"ensemble.count": [4]}, 1, **more)
        return [member.experiment for member in design.members]

    (member,) = observed(ATTRACTION, series=("energy",))
    assert tomllib.loads(member)["run"]["observe"] == ["moments", "energy"]
    plain = ATTRACTION.replace('observe = ["moments"]', 'observe = ["energy", "moments"]')
    assert observed(plain, series=("energy",)) == observed(plain)
