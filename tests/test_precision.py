"""A state of float32 stays one through the whole chain, and what is summed is float64."""

from __future__ import annotations

import numpy as np
import pytest

import meanfield as mf
from meanfield.flows import flows
from meanfield.initial import Given, initials
from meanfield.kernels import compile as compiling
from meanfield.listing import combinations
from meanfield.schemes import schemes
from tests.conftest import size

SINGLE, DOUBLE = np.dtype(np.float32), np.dtype(np.float64)
PLAIN = mf.TwoLayer("relu", 2)
RICH = mf.TwoLayer("tanh", 2, outputs=2, bias=True, outer="bounded", bound=np.float64(2.0))
RNG = np.random.default_rng(0)
X, Y = RNG.standard_normal((9, 2)), RNG.standard_normal((9, 2))
TEACHER = mf.Teacher(PLAIN, PLAIN.ensemble([[1.0, 0.5], [-0.3, 1.0]], a=[1.0, -1.0]))


def _well(theta):
    return 0.25 * theta[0] ** 4


def _well_slope(theta, out):
    out[0] = theta[0] ** 3


def _pair(x, y):
    return (x[0] * y[0]) ** 2


def _pair_slope(x, y, out):
    out[0] = 2 * x[0] * y[0] ** 2


ENERGIES = {
    "population": (PLAIN, mf.Risk(PLAIN, mf.Gaussian(2, mean=[0.1, 0]).labelled_by(TEACHER))),
    "sphere": (PLAIN, mf.Risk(PLAIN, mf.Sphere(2).labelled_by(TEACHER))),
    "single index": (PLAIN, mf.Risk(PLAIN, mf.Gaussian(2).labelled_by(mf.SingleIndex(degree=2)))),
    "mixture": (
        PLAIN,
        mf.Risk(PLAIN, mf.GaussianMixture(2, means=[[1, 0], [-1, 0.5]]).labelled_by(mf.Labels())),
    ),
    "hypercube": (
        mf.TwoLayer("sin", 20, bias=True),
        mf.Risk(mf.TwoLayer("sin", 20, bias=True), mf.Hypercube(20).labelled_by(mf.Parity(2))),
    ),
    "empirical": (RICH, mf.Risk(RICH, mf.FiniteData(X, Y))),
    "online": (
        PLAIN,
        mf.Risk(PLAIN, mf.Gaussian(2).labelled_by(mf.SingleIndex(degree=2)).stream(8)),
    ),
    "logistic": (PLAIN, mf.Risk(PLAIN, mf.FiniteData(X, np.sign(Y[:, 0])), "logistic")),
    "l2": (PLAIN, mf.L2()),
    "tv": (PLAIN, mf.TV()),
    "l1": (PLAIN, mf.L1()),
    "potential": (PLAIN, mf.Potential(_well, _well_slope)),
    "interaction": (PLAIN, mf.Interaction(_pair, _pair_slope)),
    "sum": (PLAIN, np.float64(0.3) * mf.L2() - 0.1 * mf.TV()),
}


def start_of(network, dtype, count=6, signs=()):
    return mf.NormalInit(count, signs=signs, dtype=dtype).draw(network.layout, seed=1)


@pytest.mark.parametrize("name", ENERGIES)
def test_a_functional_answers_in_the_precision_of_the_state(name):
    network, energy = ENERGIES[name]
    single, double = (start_of(network, dtype) for dtype in ("float32", "float64"))
    found, expected = energy.evaluate(single), energy.evaluate(double)
    assert (single.dtype, found.gradient.dtype, found.variation.dtype) == (SINGLE,) * 3
    assert (double.dtype, expected.gradient.dtype, expected.variation.dtype) == (DOUBLE,) * 3
    assert found.value == pytest.approx(expected.value, rel=1e-5)
    for one, other in ((found.gradient, expected.gradient), (found.variation, expected.variation)):
        assert np.abs(one - other).max() <= 1e-5 * np.abs(other).max()
    assert not np.array_equal(found.variation, expected.variation)


@pytest.mark.parametrize("network", [PLAIN, mf.TwoLayer("sin", 20)])
def test_a_teacher_of_float32_is_a_teacher(network):
    law = mf.Gaussian(2) if network is PLAIN else mf.Hypercube(20)
    risks = [
        mf.Risk(network, law.labelled_by(mf.Teacher(network, start_of(network, dtype))))
        for dtype in ("float32", "float64")
    ]
    for dtype in ("float32", "float64"):
        student = mf.NormalInit(5, dtype=dtype).draw(network.layout, seed=2)
        one, other = (risk.evaluate(student) for risk in risks)
        assert one.value == pytest.approx(other.value, rel=1e-5)
        assert one.gradient.dtype == student.dtype
        assert np.abs(one.gradient - other.gradient).max() < 1e-6


# Schemes that need more than a step, and a flow whose particles are not neurons.
WITH_ARGUMENTS = ("adaptive", "proximal-recursion")
STEPPED = [
    (flow, scheme, temperature)
    for temperature in (0.0, 0.1)
    for flow, able in combinations(ENERGIES["empirical"][1] + temperature * mf.Entropy()).items()
    for scheme in able
    if scheme not in WITH_ARGUMENTS and flow != "bures-wasserstein"
]


@pytest.mark.parametrize(
    ("kind", "scheme", "temperature"), STEPPED, ids=["-".join(map(str, each)) for each in STEPPED]
)
def test_a_step_keeps_the_precision(kind, scheme, temperature):
    """With all that could turn it: numbers of NumPy, mobilities, frozen blocks, noise."""
    # Signs are one column.
    network, energy = ENERGIES["logistic" if kind == "conic" else "empirical"]
    energy = energy + temperature * mf.Entropy()
    frozen = {"b": 0.0} if network.bias else {}
    mobility = {} if kind == "fisher-rao" else {"mobility": {"w": np.float64(0.5), **frozen}}
    flow = flows[kind](energy, **mobility)
    seen = []

    class Watch(mf.Observable):
        kind = "watch"

        def __call__(self, view):
            velocity = view.flow.velocity(view.ensemble, view.evaluation)
            seen.extend([view.ensemble.position.dtype, velocity.dtype])
            return {"drift": abs(velocity).max()}

    run = mf.simulate(
        flow,
        start_of(network, "float32", signs=["a"] if kind == "conic" else []),
        scheme=schemes[scheme](np.float64(0.1)),
        until=np.float64(0.95),
        observe=[Watch()],
        progress=lambda step, total, view: seen.append(view.evaluation.gradient.dtype),
    )
    assert set(seen) == {SINGLE}
    assert run.final.dtype == SINGLE
    assert run.final.velocity is None or run.final.velocity.dtype == SINGLE
    changed = "mass" if kind == "fisher-rao" else "position"
    assert not np.array_equal(getattr(run.final, changed), getattr(run.frames[0], changed))


def test_what_a_users_flow_returns_does_not_turn_the_state():
    class Doubling(flows["wasserstein"]):
        def velocity(self, ensemble, evaluation):
            return evaluation.gradient.astype(float) * -1.0

    for scheme in (mf.Euler(0.1), mf.RK4(0.1)):
        run = mf.simulate(Doubling(mf.L2()), start_of(PLAIN, "float32"), scheme=scheme, until=0.3)
        assert run.final.dtype == SINGLE


def test_a_run_of_float32_on_disk_and_back(tmp_path):
    energy = ENERGIES["population"][1] + 0.01 * mf.L2()
    path = tmp_path / "run.h5"
    run = mf.simulate(
        mf.Wasserstein(energy),
        mf.NormalInit(8, dtype="float32"),
        scheme=mf.Euler(0.1),
        until=1.0,
        observe=[mf.Energy(), mf.Moments(), mf.Dissipation()],
        out=path,
    )
    assert run.file["frames/position"].dtype == run.file["state/position"].dtype == SINGLE
    assert run.file["frames/mass"].dtype == run.file["state/mass"].dtype == DOUBLE
    assert {run[name].dtype for name in run.names} == {DOUBLE}
    with mf.open(path) as again:
        for found in (again.final, again.frames[0], again.frames[-1]):
            assert (found.position.dtype, found.mass.dtype) == (SINGLE, DOUBLE)
        assert np.array_equal(again.final.position, run.final.position)
        assert energy.value(again.frames[-1]) == run["energy"].values[-1]
        tree = again.to_xarray()
        assert tree["frames/position"].dtype == SINGLE
        tree.close()
        again.plot(tmp_path / "overview.png")
    assert (tmp_path / "overview.png").stat().st_size > 10_000
    onward = mf.simulate(
        mf.Wasserstein(energy), mf.FromRun(str(path)), scheme=mf.Euler(0.1), until=0.1
    )
    assert onward.final.dtype == SINGLE
    assert mf.FromRun(str(path), dtype="float64").draw(PLAIN.layout, 0).dtype == DOUBLE


@pytest.mark.parametrize(
    "arguments",
    [
        {"kind": "normal", "count": 5, "scale": {"w": 0.3}, "signs": ["a"]},
        {"kind": "uniform", "count": 5, "mean": {"w": 0.7}},
        {"kind": "sphere", "count": 5},
        {"kind": "quantiles", "count": 5, "others": {"a": 0.1}},
    ],
)
def test_a_start_of_float32_is_that_of_float64_rounded(arguments):
    law = initials[arguments.pop("kind")]
    layout = mf.TwoLayer("relu", 1).layout
    double = law(**arguments).draw(layout, 3)
    single = law(**arguments, dtype="float32").draw(layout, 3)
    assert (double.dtype, single.dtype) == (DOUBLE, SINGLE)
    assert np.array_equal(single.position, double.position.astype(np.float32))
    assert np.array_equal(single.mass, double.mass)
    with pytest.raises(
        mf.InvalidInput, match=r"^dtype = 'half': expected one of float64, float32$"
    ):
        law(**arguments, dtype="half")


def test_given_particles_keep_their_precision(tmp_path):
    position = np.ones((2, 3), np.float32)
    assert mf.Ensemble(position).dtype == SINGLE
    assert mf.Ensemble([[1, 2, 3]]).dtype == DOUBLE
    assert mf.Ensemble(position.astype(np.float16)).dtype == DOUBLE
    neurons = PLAIN.ensemble(position[:, 1:], a=2.0)
    assert (neurons.dtype, neurons.mass.dtype) == (SINGLE, DOUBLE)
    assert PLAIN.ensemble(position[:, 1:], a=[1.0, 2.0]).dtype == DOUBLE
    assert (neurons.copy().dtype, neurons.at(np.zeros((2, 3))).dtype) == (SINGLE, SINGLE)
    assert Given(position).draw(PLAIN.layout, 0).dtype == SINGLE
    assert Given(neurons, dtype="float64").draw(PLAIN.layout, 0).dtype == DOUBLE
    arrays = {"a": position[:, 0], "w": position[:, 1:]}
    np.savez(tmp_path / "single.npz", **arrays)
    np.savez(tmp_path / "mixed.npz", **arrays | {"a": np.ones(2)})
    for name, kept in (("single", SINGLE), ("mixed", DOUBLE)):
        path = str(tmp_path / f"{name}.npz")
        assert mf.FromFile(path).draw(PLAIN.layout, 0).dtype == kept
        assert mf.FromFile(path, dtype="float32").draw(PLAIN.layout, 0).dtype == SINGLE


def test_the_key_of_an_experiment_file():
    tables = {
        "network": {"activation": "relu"},
        "data": {"kind": "gaussian", "dim": 2, "target": {"kind": "teacher"}},
        "ensemble": {"count": 5, "dtype": "float32"},
        "scheme": {"step": 0.1},
        "run": {"until": 0.2, "seeds": 2},
    }
    experiment = mf.Experiment(tables)
    run = experiment.run()
    for seed in run.seeds:
        assert run.replica(seed).final.dtype == SINGLE
    assert experiment.resolved()["ensemble"]["dtype"] == "float32"
    del tables["ensemble"]["dtype"]
    assert mf.Experiment(tables).resolved()["ensemble"]["dtype"] == "float64"
    assert mf.Experiment(tables).run().final.dtype == DOUBLE
    tables["ensemble"]["dtype"] = "float16"
    with pytest.raises(mf.MeanfieldError, match=r"ensemble\.dtype = 'float16'"):
        mf.Experiment(tables)


@pytest.mark.parametrize("name", ["population", "empirical", "interaction"])
def test_the_same_run_has_the_same_bits_on_any_number_of_threads(name):
    network, energy = ENERGIES[name]
    flow = mf.Langevin(energy + 0.1 * mf.Entropy())
    before, found = compiling.threads(), set()
    try:
        for threads in (1, 2, 3, 4, 1):
            compiling.set_threads(threads)
            run = mf.simulate(
                flow,
                start_of(network, "float32", size(300, 10)),
                scheme=mf.EulerMaruyama(0.1),
                until=0.5,
                seed=3,
            )
            found.add(run.final.position.tobytes() + run["energy"].values.tobytes())
    finally:
        compiling.set_threads(before)
    assert len(found) == 1
