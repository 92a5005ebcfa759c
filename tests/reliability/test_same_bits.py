"""A run that is stopped and continued has the bits of one that was not: every flow and scheme."""

from __future__ import annotations

import numpy as np
import pytest

import meanfield as mf
from meanfield.config import Experiment
from meanfield.data import Stream
from meanfield.flows import flows
from meanfield.kernels.compile import DISABLED
from meanfield.listing import combinations
from meanfield.schemes import schemes
from tests.conftest import size
from tests.reliability.runs import FULL, contents, stopping_after, threads

RNG = np.random.default_rng(5)
NETWORK = mf.TwoLayer("tanh", 2)
DATA = mf.FiniteData(RNG.standard_normal((9, 2)), RNG.standard_normal(9))
ENERGY = mf.Risk(NETWORK, DATA) + 0.1 * mf.L2()
START = mf.NormalInit(7, signs=["a"])  # signs, as `conic` wants them
# What a scheme needs besides its step; one that is new and needs more is missed here, loudly.
ARGUMENTS = {"proximal-recursion": {"epsilon": 0.01}}
WARMER = ", temperature > 0"
STEP, UNTIL, STOPS = 0.05, 0.38, (1, 4, 7)  # eight steps, the last of them shorter

WARM = ENERGY + 0.2 * mf.Entropy()
PAIRS = [
    (flow + suffix, scheme)
    for energy, suffix in ((ENERGY, ""), (WARM, WARMER))
    for flow, able in combinations(energy).items()
    for scheme in able
]
# Every scheme with one flow at least, and every flow with one scheme; with MEANFIELD_FULL, all.
ONCE = [*{scheme: (flow, scheme) for flow, scheme in PAIRS}.values()]
ONCE += [*{flow: (flow, scheme) for flow, scheme in PAIRS}.values()]
SAMPLE = PAIRS if FULL else PAIRS[::16] if DISABLED else list(dict.fromkeys(ONCE))


def same_when_stopped(path, flow, scheme, start=START, stops=STOPS, until=UNTIL, **settings):
    """Run, and run again with a stop at each of some steps; each part on other threads."""
    settings = {
        "observe": lambda: [mf.Energy(), mf.Moments(), mf.W2("previous", when={"steps": 3})],
        "observe_when": {"steps": 1},
        "frames": {"steps": 2},
        **settings,
    }
    look = settings.pop("observe")
    arguments = {"start": start, "scheme": scheme, "until": until, "seed": 3, **settings}
    whole = mf.simulate(flow(), **arguments, observe=look())
    for count, stop in zip((2, 1, 4, 3), (*stops, None), strict=False):
        progress = None if stop is None else stopping_after(stop)
        with threads(count):
            run = mf.simulate(
                flow(), **arguments, observe=look(), out=path, resume=True, progress=progress
            )
        assert run.status == (whole.status if path.exists() else "interrupted")
        run.close()
    with mf.open(path) as run:
        assert run.status == whole.status
        assert run.stop_reason == whole.stop_reason
        assert contents(run) == contents(whole)
    return whole


@pytest.mark.parametrize(("name", "scheme"), SAMPLE, ids=["-".join(pair) for pair in SAMPLE])
def test_every_flow_and_scheme(tmp_path, name, scheme):
    kind, warm, _ = name.partition(WARMER)
    energy = WARM if warm else ENERGY
    made = schemes[scheme](STEP, **ARGUMENTS.get(scheme, {}))
    same_when_stopped(tmp_path / "run.h5", lambda: flows[kind](energy), made)


RELU = mf.TwoLayer("relu", 2)
TEACHER = mf.Teacher(RELU, RELU.ensemble([[1.0, 0.5], [-0.3, 1.0]], a=[1.0, -1.0]))
LAW = mf.Gaussian(2).labelled_by(TEACHER)
MANY = mf.NormalInit(size(300, 20))
SGD, EM = mf.Euler(STEP), mf.EulerMaruyama(STEP)
UNEVEN = {"start": mf.NormalInit(7, scale={"a": 0.05}), "frames": {"steps": 1}}


def risk(data, **arguments):
    return mf.Risk(RELU, data, **arguments) + 0.1 * mf.L2()


# What may depend on more than the state: batches by the step, noise by the time, memory; sizes at
# which threads share the work.
ENERGY_ALONE = {"observe": lambda: [mf.Energy()]}
CASES = {
    "fresh samples": (lambda: mf.Wasserstein(risk(LAW.stream(5, seed=1))), SGD, {}),
    "fresh samples, kinetic": (lambda: mf.HeavyBall(risk(LAW.stream(5))), mf.BAOAB(STEP), {}),
    "minibatches": (lambda: mf.Wasserstein(risk(Stream(DATA, 4, seed=1))), mf.RK4(STEP), {}),
    "epochs": (lambda: mf.Wasserstein(risk(Stream(DATA, 4, replacement=False))), SGD, {}),
    "population": (lambda: mf.Langevin(risk(LAW) + 0.1 * mf.Entropy()), EM, {"start": MANY}),
    "random batches": (
        lambda: mf.Wasserstein(risk(LAW, pairs=mf.RandomBatches(4, seed=2))),
        mf.Heun(STEP),
        {"start": MANY},
    ),
    "finite rank": (
        lambda: mf.Wasserstein(risk(LAW, pairs=mf.FiniteRank(degree=4))),
        mf.RK4(STEP),
        {"start": MANY},
    ),
    "many": (
        lambda: mf.Langevin(ENERGY + 0.1 * mf.Entropy()),
        EM,
        {"start": mf.NormalInit(size(20_001, 9)), **ENERGY_ALONE},
    ),
    "nesterov": (lambda: mf.Nesterov(ENERGY), mf.RK4(STEP), {}),
    "cooling": (
        lambda: mf.Langevin(ENERGY + mf.Entropy(), cool={"kind": "exponential", "time": 0.2}),
        mf.StochasticHeun(STEP),
        {},
    ),
    "cooling, kinetic": (
        lambda: mf.Kinetic(ENERGY + mf.Entropy(), cool={"kind": "linear", "time": 0.5}),
        mf.OBABO(STEP),
        {},
    ),
    "single precision": (
        lambda: mf.Kinetic(ENERGY + mf.Entropy()),
        mf.BAOAB(STEP),
        {"start": mf.NormalInit(7, dtype="float32")},
    ),
    "single precision, implicit": (
        lambda: mf.Wasserstein(ENERGY),
        mf.JKO(STEP),
        {"start": mf.NormalInit(7, dtype="float32")},
    ),
    "sphere": (
        lambda: mf.Langevin(ENERGY + 0.1 * mf.Entropy(), constraint={"w": "sphere"}),
        EM,
        {"start": mf.SphereInit(7)},
    ),
    "births": (lambda: mf.BirthDeath(ENERGY, beta=30.0), mf.Strang(STEP), {"start": MANY}),
    # Euler's steps overshoot in a, which starts small: after some of them the energy rises.
    "a rise": (lambda: mf.Wasserstein(mf.L2(), {"a": 50.0}), SGD, UNEVEN),
    "a rise that stops": (
        lambda: mf.Wasserstein(mf.L2(), {"a": 50.0}),
        SGD,
        {**UNEVEN, "guard": "stop"},
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_what_depends_on_more_than_the_state(tmp_path, name):
    flow, scheme, settings = CASES[name]
    if "rise" in name:
        settings = {**settings, "layout": NETWORK.layout}
    whole = same_when_stopped(tmp_path / "run.h5", flow, scheme, **settings)
    assert ("rose" in whole.stop_reason) == ("rise" in name)


@pytest.mark.parametrize("name", [name for name in CASES if "rise" not in name])
def test_going_on_from_a_finished_run(tmp_path, name):
    """Its end is where the longer run passes: 0.15 is the time of no step, 3 · 0.05 is."""
    flow, scheme, settings = CASES[name]
    settings = {"start": START, "scheme": scheme, "seed": 3, **settings, "observe": [mf.Energy()]}
    assert 3 * STEP != 0.15
    for until in (0.15, UNTIL):
        run = mf.simulate(flow(), until=until, out=tmp_path / "run.h5", resume=True, **settings)
    whole = mf.simulate(flow(), until=UNTIL, **settings)
    for part in ("position", "mass", "velocity", "time", "step"):
        assert np.array_equal(getattr(run.final, part), getattr(whole.final, part))


EXPERIMENT = """
[network]
activation = "tanh"
[data]
kind = "bundled"
name = "breast-cancer"
test = 0.3
[energy]
loss = "logistic"
temperature = 1e-2
[ensemble]
count = 5
[scheme]
step = 0.1
[run]
until = 0.5
seeds = [4, 2, 9]
baseline = "logistic-regression"
observe = ["energy", "test-risk", { kind = "w2", to = "previous" }]
"""


def test_seeds_and_a_baseline(tmp_path):
    pytest.importorskip("sklearn")
    file, path = tmp_path / "small.toml", tmp_path / "run.h5"
    file.write_text(EXPERIMENT)
    whole = Experiment.load(file).run()
    baseline = {k: v for k, v in whole.provenance.items() if k.startswith("baseline")}
    assert len(baseline["baseline_test_accuracy"]) == 3
    for steps in (2, 7, 3, 30):  # in all three replicas, each of five steps
        taken = []

        def progress(step, total, view, steps=steps, taken=taken):
            taken.append(step)
            if len(taken) == steps:
                raise KeyboardInterrupt

        run = Experiment.load(file).run(path, resume=True, progress=progress)
    assert (run.status, run.stop_reason) == (whole.status, whole.stop_reason)
    assert contents(run) == contents(whole)
    found = run.provenance
    assert {key: found[key] for key in baseline} == baseline
