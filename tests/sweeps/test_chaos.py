"""Errors of finite N, held against what is exact about them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import xarray

import meanfield as mf
from meanfield.config import ExperimentFile
from meanfield.kernels.compile import DISABLED
from meanfield.limits import Limit, Oracle
from meanfield.sweeps import Chaos
from meanfield.sweeps.design import Design
from meanfield.sweeps.measure import Probe, coupling, thinned
from meanfield.sweeps.statistics import Estimate
from tests.conftest import size
from tests.sweeps import examples
from tests.sweeps.examples import write

pytestmark = pytest.mark.usefixtures("here")

EXPERIMENT = examples.EXPERIMENT.replace("checkpoint = { steps = 2 }", "")
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


def agrees(estimate: Estimate, exact: float) -> bool:
    """Within about four standard errors: an interval of 95 % is missed by one in twenty."""
    return 2 * estimate.low - estimate.value < exact < 2 * estimate.high - estimate.value


def test_starts_are_nested(tmp_path):
    """The start of few is the first part of that of many, and so is the noise of their steps."""
    text = EXPERIMENT.replace("x = [[-1.0], [0.5], [2.0]]", "x = [[0.0], [0.0], [0.0]]")
    found = study(tmp_path, text, sizes=[4, 8, 16], replicas=2)
    for count in (4, 8):
        with (
            found.sweep.run(1, **{"ensemble.count": count}) as run,
            found.sweep.run(1, **{"ensemble.count": 16}) as larger,
            found.sweep.run(0, **{"ensemble.count": 16}) as other,
        ):
            starts = run.frames[0].position, larger.frames[0].position
            assert np.array_equal(starts[0], starts[1][:count])
            # tanh(0) = 0: nobody feels the others, so that all of the path is the same.
            np.testing.assert_allclose(coupling(run, larger, run.frames.times), 0, atol=1e-28)
            assert not np.array_equal(starts[0], run.final.position)
            assert np.isnan(coupling(run, other, run.frames.times)).all()


def test_the_coupling_of_linear_neurons_is_known(tmp_path):
    """dwᵢ/dt = -mean w: after two steps of Euler all have moved by -(1 - (1-h)²) times their mean.

    So |θᵢ - θ̄ᵢ|² = (1 - (1-h)²)² (mean_N - mean_M)², whose expectation is c (1/N - 1/M).
    """
    text = EXPERIMENT.replace('"tanh"', '"linear"').replace("until = 1.0", "until = 0.2")
    text = text.replace(
        "x = [[-1.0], [0.5], [2.0]]\ny = [-0.3, 0.5, 0.6]", "x = [[1.0]]\ny = [0.0]"
    )
    text = text.replace("l2 = 0.1\ntemperature = 0.05", "")
    found = study(tmp_path, text, sizes=[2, 4, 8], replicas=3)
    with found.sweep.run(2, **{"ensemble.count": 8}) as run:
        start = run.frames[0].w[:, 0]
    apart = (1 - 0.9**2) * (start[:4].mean() - start.mean())
    coupling = found.errors["coupling"].sel({"ensemble.count": 4}, drop=True).sel(seed=2)
    np.testing.assert_allclose(coupling[-1], apart**2 / (1 - 4 / 8), rtol=1e-12)


@pytest.fixture(scope="module")
def on_data(tmp_path_factory, here) -> Chaos:
    """Mean-field Langevin on three samples, up to time 0.5."""
    many = {"sizes": size([16, 32, 64, 256], [4, 8, 32]), "replicas": size(14, 4)}
    text = EXPERIMENT.replace("until = 1.0", "until = 0.5\nframes = { evenly = 3 }")
    return study(tmp_path_factory.mktemp("data"), text, **many)


def test_at_the_start_the_error_is_that_of_independent_particles(on_data):
    """N · E|f_N - f|² = ∫|φ|²dρ - |f|²: for w ~ N(0,1), f = 0 and ∫|φ|²dρ = E tanh(wx)²."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(81)
    exact = np.mean(np.tanh(np.outer(X, nodes)) ** 2 @ weights) / weights.sum()
    for quantity in ("variance", "function"):
        for estimate in on_data.constants(quantity, time=0.0)[: len(on_data.sizes) - 1]:
            assert agrees(estimate, exact)
            assert DISABLED or not agrees(estimate, 4 * exact)
    assert agrees(on_data.slope("variance", time=0.0), -1.0)
    independent = on_data.errors["independent"].isel(time=0).sel({"ensemble.count": 32})
    error = float(independent.std() / np.sqrt(independent.size))
    assert abs(float(independent.mean()) - exact) < 5 * error


def test_nested_errors_have_an_exact_variance(on_data):
    """E|f_N - f_M|² = (1/N - 1/M) Var φ for the start of few inside that of many."""
    with xarray.open_dataset(on_data.sweep.path / "chaos.nc", group="measured") as measured:
        output = measured["output"].isel(time=0, component=0)
        largest = output["ensemble.count"].values[-1]
        square = ((output - output.sel({"ensemble.count": largest})) ** 2).mean("point")
        square = square.transpose("ensemble.count", "seed").values
    constant = float(on_data.errors["independent"].isel(time=0)[-1].mean())
    for count, row in zip(on_data.sizes[:-1], square, strict=False):
        expected = (1 / count - 1 / largest) * constant
        assert abs(row.mean() - expected) < 4 * row.std(ddof=1) / np.sqrt(len(row))


def test_the_variance_is_unbiased(on_data):
    with xarray.open_dataset(on_data.sweep.path / "chaos.nc", group="measured") as measured:
        outputs = measured["output"].isel(component=0).var("seed", ddof=1).mean("point")
    found = on_data.errors["variance"].mean("seed")
    np.testing.assert_allclose(found, outputs.transpose(*found.dims), rtol=1e-12)


def falls_like_one_over_n(found: Chaos) -> None:
    for quantity in ("function", "coupling", "variance"):
        slope = found.slope(quantity)
        assert agrees(slope, -1.0), (quantity, slope)
        assert DISABLED or abs(slope.value + 1.0) < 0.5, (quantity, slope)
    if not DISABLED:
        # Fluctuations shrink along the flow.
        variance = found.errors["variance"].mean("seed").isel({"ensemble.count": 0})
        assert float(variance[-1]) < float(variance[0])


def test_squared_errors_fall_like_one_over_n_on_data(on_data):
    falls_like_one_over_n(on_data)


GAUSSIANS = POPULATION.replace('"relu"', '"ramp"\nouter = "fixed"').replace(
    LAW,
    '[data]\nkind = "gaussian-mixture"\ndim = 3\ncovariances = [3.24, 0.04]\n'
    'target = { kind = "labels", values = [1.0, -1.0] }\n',
)
START = 'kind = "normal"\nscale = { a = 0.0, w = 0.5 }\nmean = { a = 1.0 }\n'


@pytest.mark.parametrize("text", [POPULATION, GAUSSIANS.replace('kind = "sphere"', START)])
def test_squared_errors_fall_like_one_over_n_over_populations(tmp_path, text):
    text = text.replace("step = 0.5", "step = 0.25").replace("until = 2.0", "until = 0.5")
    many = {"sizes": size([16, 32, 64, 192], [4, 8, 24]), "replicas": size(10, 4), "points": 40}
    falls_like_one_over_n(study(tmp_path, text, **many))


def test_an_oracle_as_reference(tmp_path):
    """At rest f_N is about f*: N·|E loss_N - loss*| is a constant, and the limit is loss*."""
    text = EXPERIMENT.replace("until = 1.0", f"until = {size(8.0, 1.0)}")
    options = {"sizes": [5, 10, 20], "replicas": size(16, 3), "reference": FixedPoint()}
    found = study(tmp_path, text.replace("steps = 1 }", "evenly = 3 }"), **options)
    assert "oracle FixedPoint()" in found.against
    exact = FixedPoint().at([np.inf])
    assert exact["risk"][0] == pytest.approx(0.0148975, abs=1e-7)
    assert np.isnan(found.slope("function", time=0.0)).all()  # it says nothing about then
    if size(False, True):
        return
    assert agrees(found.slope("function"), -1.0)
    limit, constant = found.limit("risk")
    record = found.record()
    assert record["values"] == [5.0, 10.0, 20.0]
    assert record["slopes"]["function"] == found.slope("function")._asdict()
    assert (record["limits"]["risk"], record["biases"]["risk"]) == (
        limit._asdict(),
        constant._asdict(),
    )
    assert agrees(limit, exact["risk"][0])
    assert constant.value > 0  # convex: the mean of the loss is above the loss of the mean
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
    assert found.slope("w2").value == pytest.approx(2 * order, abs=0.5)
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
    experiment = mf.Experiment.load(write(tmp_path, text))
    probe = Probe.of(experiment.problem(0).flow.energy, 5)
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


def test_the_figure(tmp_path, on_data):
    on_data.plot(tmp_path / "chaos.svg")
    text = (tmp_path / "chaos.svg").read_text()
    for word in ("function", "coupling", "variance", "slope of the logarithms", "replicas"):
        assert word in text
    assert "function" in repr(on_data)


def test_the_figure_shows_errors_and_slopes(on_data):
    from matplotlib.figure import Figure

    axes = Figure().subplots(1, 2)
    on_data.plot(axes=axes)
    drawn = {line.get_label(): line for line in axes[0].lines}
    values = [found.value for found in on_data.constants("function")]
    known = np.isfinite(values) & (np.array(values) > 0)
    np.testing.assert_array_equal(drawn["function"].get_xdata(), on_data.sizes[known])
    np.testing.assert_allclose(
        drawn["function"].get_ydata(), (values / on_data.sizes)[known], rtol=1e-12
    )
    rates = on_data.rates()[on_data.quantities[0]]
    slopes = rates.sel(estimate="value").values
    np.testing.assert_array_equal(axes[1].lines[0].get_ydata(), slopes[np.isfinite(slopes)])
    band = axes[1].collections[0].get_paths()[0].vertices
    edges = rates.sel(estimate=["low", "high"]).values
    assert band[:, 1].min() == pytest.approx(np.nanmin(edges))
    assert band[:, 1].max() == pytest.approx(np.nanmax(edges))
