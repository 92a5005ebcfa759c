"""Errors of finite N, held against what is exact about them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import xarray

import meanfield as mf
from meanfield.config import ExperimentFile
from meanfield.limits import Limit, Oracle
from meanfield.sweeps import Chaos
from meanfield.sweeps.design import Design
from meanfield.sweeps.measure import Probe, coupling, thinned
from tests.conftest import size
from tests.sweeps.examples import EXPERIMENT, write

pytestmark = pytest.mark.usefixtures("here")

X, Y = np.array([-1.0, 0.5, 2.0]), np.array([-0.3, 0.5, 0.6])
RIDGE, TAU = 0.1, 0.05
LAW = '[data]\nkind = "gaussian"\ndim = 2\ntarget = { kind = "teacher", neurons = 2 }\n'
POPULATION = f"""
[network]
activation = "relu"
{LAW}
[energy]
[ensemble]
kind = "sphere"
count = 10
[scheme]
kind = "heun"
step = 0.5
[run]
until = 2.0
frames = {{ evenly = 3 }}
observe_when = {{ evenly = 3 }}
"""


@dataclass(frozen=True)
class FixedPoint(Oracle):
    """Mean-field Langevin on three samples at rest: a Gibbs measure, found on a grid."""

    kind = "fixed point"
    stationary = True

    def _gibbs(self):
        from scipy.optimize import root

        grid = np.linspace(-12, 12, 4001)
        neurons = np.tanh(np.outer(X, grid))

        def weights(f):
            exponent = -((f - Y) @ neurons / 3 + 0.5 * RIDGE * grid**2) / TAU
            found = np.exp(exponent - exponent.max())
            return found / found.sum()

        f = root(lambda f: neurons @ weights(f) - f, Y, tol=1e-13).x
        return grid, weights(f), f

    def at(self, times):
        grid, weights, f = self._gibbs()
        risk = 0.5 * np.mean((f - Y) ** 2)
        ridge = 0.5 * RIDGE * (weights @ grid**2)
        series = {"risk": np.array([risk]), "energy": np.array([risk + ridge])}
        return Limit(np.array([np.inf]), series)

    def measure(self, time, count):
        grid, weights, _ = self._gibbs()
        position = np.stack([np.ones_like(grid), grid], axis=1)
        return mf.Ensemble(position, weights, mf.TwoLayer("tanh", 1, outer="fixed").layout)


def members(path, grid, seeds=2):
    design = Design.of(ExperimentFile.read(path), grid, seeds, same_data=True)
    return design.members


def study(tmp_path, text=EXPERIMENT, **options) -> Chaos:
    found = mf.chaos(write(tmp_path, text), tmp_path / "c", **options)
    assert isinstance(found, Chaos)
    return found


def test_starts_are_nested(tmp_path):
    """The start of few is the first part of that of many, and so is the noise of their steps."""
    text = EXPERIMENT.replace("x = [[-1.0], [0.5], [2.0]]", "x = [[0.0], [0.0], [0.0]]")
    found = study(tmp_path, text, sizes=[4, 8, 16], replicas=2)
    for count in (4, 8):
        with found.sweep.run(1, **{"ensemble.count": count}) as run:
            with found.sweep.run(1, **{"ensemble.count": 16}) as larger:
                starts = run.frames[0].position, larger.frames[0].position
                assert np.array_equal(starts[0], starts[1][:count])
                # tanh(0) = 0: nobody feels the others, so that all of the path is the same.
                np.testing.assert_allclose(coupling(run, larger, run.frames.times), 0, atol=1e-28)
                assert not np.array_equal(starts[0], run.final.position)
                other = found.sweep.run(0, **{"ensemble.count": 16})
                assert np.isnan(coupling(run, other, run.frames.times)).all()
                other.close()


def test_at_the_start_the_error_is_that_of_independent_particles(tmp_path):
    """N · E|f_N - f|² = ∫|φ|²dρ - |f|²: for w ~ N(0,1), f = 0 and ∫|φ|²dρ = E tanh(wx)²."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(81)
    exact = np.mean(np.tanh(np.outer(X, nodes)) ** 2 @ weights) / weights.sum()
    text = EXPERIMENT.replace("until = 1.0", "until = 0.1")
    found = study(tmp_path, text, sizes=[4, 8, 16, 64], replicas=size(120, 30))
    for quantity, last in (("variance", 4), ("function", 3)):
        for estimate in found.constants(quantity, time=0.0)[:last]:
            width = 0.5 * (estimate.high - estimate.low)
            assert abs(estimate.value - exact) < 2.5 * width  # five standard errors
            assert abs(estimate.value - 2 * exact) > 2.5 * width
    independent = found.errors["independent"].sel({"ensemble.count": 64})[:, 0]
    error = float(independent.std() / np.sqrt(len(independent)))
    assert abs(float(independent.mean()) - exact) < 5 * error
    slope = found.slope("variance", time=0.0)
    assert slope.low < -1 < slope.high


def test_nested_errors_have_an_exact_variance(tmp_path):
    """E|f_N - f_M|² = (1/N - 1/M) Var φ of one seed, so that the mean over seeds is known too."""
    found = study(tmp_path, EXPERIMENT.replace("until = 1.0", "until = 0.1"), sizes=[4, 8, 16],
                  replicas=size(60, 20))  # fmt: skip
    measured = xarray.open_dataset(tmp_path / "c" / "chaos.nc", group="measured")
    output = measured["output"].isel(time=0, component=0)
    gap = output - output.sel({"ensemble.count": 16})
    square = (gap**2).mean("point").transpose("ensemble.count", "seed").values
    constant = float(found.errors["independent"].isel(time=0).mean())
    for count, row in zip((4, 8), square, strict=False):
        expected = (1 / count - 1 / 16) * constant
        assert abs(row.mean() - expected) < 5 * row.std(ddof=1) / np.sqrt(len(row))
    measured.close()


@pytest.mark.parametrize("system", ["population", "data", "gaussians"])
def test_squared_errors_fall_like_one_over_n(tmp_path, system):
    """Along the flow, on three systems: the slope of E|f_N - f|² is -1 within its interval."""
    gaussians = POPULATION.replace('"relu"', '"ramp"\nouter = "fixed"').replace(
        LAW,
        '[data]\nkind = "gaussian-mixture"\ndim = 3\ncovariances = [3.24, 0.04]\n'
        'target = { kind = "labels", values = [1.0, -1.0] }\n',
    )
    start = 'kind = "normal"\nscale = { a = 0.0, w = 0.5 }\nmean = { a = 1.0 }\n'
    text = {
        "population": POPULATION,
        "data": EXPERIMENT,
        "gaussians": gaussians.replace('kind = "sphere"', start),
    }[system]
    many = {"sizes": size([8, 16, 32, 256], [4, 8, 32]), "replicas": size(40, 6), "points": 40}
    found = study(tmp_path, text, **many)
    slope = found.slope("function")
    assert slope.low < -1 < slope.high
    if size(True, False):
        assert abs(slope.value + 1) < 0.35
        assert slope.high - slope.low < 1.2
        assert found.slope("coupling").low < -1 < found.slope("coupling").high
    # Fluctuations shrink along the flow, below those of independent particles.
    variance = found.errors["variance"].mean("seed").isel({"ensemble.count": 0})
    if size(True, False):
        assert float(variance[-1]) < float(variance[0])


def test_an_oracle_as_reference(tmp_path):
    """At rest f_N is about f*: N·|E loss_N - loss*| is a constant, and the limit is loss*."""
    text = EXPERIMENT.replace("until = 1.0", f"until = {size(12.0, 1.0)}")
    options = {"sizes": [5, 10, 20], "replicas": size(80, 4), "reference": FixedPoint()}
    found = study(tmp_path, text.replace("steps = 1 }", "evenly = 3 }"), **options)
    assert "oracle FixedPoint()" in found.against
    exact = FixedPoint().at([np.inf])
    assert exact["risk"][0] == pytest.approx(0.0148975, abs=1e-7)
    assert np.isnan(found.slope("function", time=0.0)).all()  # it says nothing about then
    if size(False, True):
        return
    assert found.slope("function").low < -1 < found.slope("function").high
    limit, constant = found.limit("risk")
    assert abs(limit.value - exact["risk"][0]) < 2.5 * (limit.high - limit.low) / 2
    assert constant.low > 0  # convex: the mean of the loss is above the loss of the mean
    # E loss_N - loss* = ½ N·Var / N, but for the bias of f, which is of the same order.
    variance = found.constants("variance")[-1].value
    assert 0.2 < constant.value / (0.5 * variance) < 5
    assert np.isfinite(found.errors["w2"].isel(time=-1)).all()
    assert found.slope("w2").value < -0.3


@pytest.mark.parametrize(("scheme", "order"), [("euler", 1.0), ("heun", 2.0)])
def test_errors_of_the_step_have_the_order_of_the_scheme(tmp_path, scheme, order):
    text = EXPERIMENT.replace("temperature = 0.05", "").replace(
        "step = 0.1", f'kind = "{scheme}"\nstep = 0.1'
    )
    steps = [0.5, 0.25, 0.125, 1 / 64]
    found = study(tmp_path, text, steps=steps, replicas=3)
    assert found.order == order
    assert found.slope("function").value == pytest.approx(2 * order, abs=0.35)
    assert found.slope("w2").value == pytest.approx(2 * order, abs=0.35)
    fine = mf.Experiment.load(
        tmp_path / "small.toml", ["scheme.kind=rk4", "scheme.step=0.02", "run.seeds=3"]
    ).run()
    limit, _ = found.limit("risk")
    end = found.errors["values_risk"].isel(time=-1).mean("seed").values
    exact = float(fine["risk"][..., -1].mean())
    assert abs(limit.value - exact) < 0.3 * abs(end[-2] - exact)


def test_a_repeated_study_measures_what_is_new(tmp_path, monkeypatch):
    said = []
    first = study(tmp_path, sizes=[4, 6, 8], replicas=2, say=said.append)
    assert len([line for line in said if line.startswith("measuring")]) == 6
    said.clear()
    again = study(tmp_path, sizes=[4, 6, 8], replicas=2, say=said.append)
    assert said == ["6 of 6 are done already"]
    xarray.testing.assert_identical(first.errors, again.errors)
    with xarray.open_dataset(tmp_path / "c" / "chaos.nc") as kept:
        xarray.testing.assert_equal(kept, first.errors)
    said.clear()
    study(tmp_path, sizes=[4, 5, 6, 8], replicas=2, say=said.append)
    assert len([line for line in said if line.startswith("measuring")]) == 2


def test_a_replica_that_fails_is_left_out(tmp_path, monkeypatch):
    real = mf.Energy.__call__

    def broken(self, view):
        if view.ensemble.step == 3 and np.isclose(view.start.position[0, 1], first):
            raise RuntimeError("no such luck")
        return real(self, view)

    path = write(tmp_path)
    first = mf.Experiment.load(path, ["run.seed=2"]).problem(2).start.position[0, 1]
    monkeypatch.setattr(mf.Energy, "__call__", broken)
    found = study(tmp_path, sizes=[4, 6, 8], replicas=4)
    assert [f.seed for f in found.sweep.failures] == [2, 2, 2]
    few = mf.chaos(path, tmp_path / "few", sizes=[4, 6, 8], replicas=[0, 1, 3])
    assert found.slope("variance") == few.slope("variance")


def test_frames_must_be_whole(tmp_path):
    path = write(tmp_path, EXPERIMENT + "keep = { particles = 3 }\n")
    with pytest.raises(mf.InvalidInput, match=r"run.keep.*frames of all particles"):
        mf.chaos(path, tmp_path / "c", sizes=[4, 6, 8])


@pytest.mark.parametrize("text", [EXPERIMENT, POPULATION])
def test_test_points_are_the_inputs(tmp_path, text):
    (member, *_) = members(write(tmp_path, text), {})
    probe = Probe.of(member.experiment, 5)
    assert len(probe.x) == len(probe.weights) == (3 if text is EXPERIMENT else 5)
    assert probe.weights.sum() == pytest.approx(1)
    start = mf.NormalInit(7).draw(probe.network.layout, 0)
    alone = [
        probe.network(mf.Ensemble(start.position[[i]], layout=start.layout), probe.x)
        for i in range(7)
    ]
    expected = probe.weights @ np.var(alone, axis=0, ddof=1)
    assert probe.independent(start) == pytest.approx(expected)


def test_few_of_many_particles(rng):
    ensemble = mf.Ensemble(rng.standard_normal((10, 2)), np.full(10, 0.1))
    few = thinned(ensemble, 4)
    assert np.array_equal(few.position, ensemble.position[[0, 3, 6, 9]])
    assert few.mass.sum() == pytest.approx(1)
    assert thinned(ensemble, 10) is ensemble


def test_the_figure(tmp_path):
    found = study(tmp_path, sizes=[4, 6, 8], replicas=3)
    found.plot(tmp_path / "chaos.svg")
    text = (tmp_path / "chaos.svg").read_text()
    for word in ("function", "coupling", "variance", "slope of the logarithms", "3 replicas"):
        assert word in text
    assert "function" in repr(found)
