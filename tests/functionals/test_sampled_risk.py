"""Population, empirical and online risk are three views of one number: within sampling error."""

from dataclasses import replace

import numpy as np
import pytest

import meanfield as mf
from tests.conftest import size
from tests.functionals import naive

MIXTURE = mf.GaussianMixture(4, [[1.0, 0, 0, 0], [-0.5, 0, 0, 1.0]], [0.5, 1.5], [0.4, 0.6])


def _teacher(spec, dim, rng, **options):
    network = mf.TwoLayer(spec, dim, **options)
    return mf.Teacher(network, naive.neurons(network, 3, rng, scale=1.0))


CASES = {
    "relu teacher": ("relu", mf.Gaussian(4, [0.5, 0, 0, 0]), lambda rng: _teacher("relu", 4, rng)),
    "relu on a sphere": ("relu", mf.Sphere(6), lambda rng: _teacher("relu", 6, rng)),
    "tanh teacher of a mixture": ("tanh", MIXTURE, lambda rng: _teacher("tanh", 4, rng)),
    "relu and labels": ("relu", MIXTURE, lambda rng: mf.Labels()),
    "relu single index": (
        "relu",
        mf.Gaussian(5),
        lambda rng: mf.SingleIndex([1, 2, 0, 0, 0], coefficients=[0.3, 0.5, 0.8]),
    ),
    "relu norm": ("relu", mf.Gaussian(5), lambda rng: mf.Norm(0.6)),
    "sin parity": ("sin", mf.Hypercube(30), lambda rng: mf.Parity(1)),
    "quadratic parity": ("quadratic", mf.Hypercube(30), lambda rng: mf.Parity(support=[3, 17])),
}


def case(name):
    spec, law, target = CASES[name]
    rng = np.random.default_rng(17)
    labelled = law.labelled_by(target(rng))
    network = mf.TwoLayer(spec, law.dim, labelled.outputs)
    return network, labelled, naive.neurons(network, 3, rng, scale=2.0 / np.sqrt(law.dim))


@pytest.mark.parametrize("name", list(CASES))
def test_population_risk_is_the_limit_of_the_empirical_one(name):
    network, law, ensemble = case(name)
    found = mf.Risk(network, law).evaluate(ensemble)
    batches = 50
    data = law.sample(batches * size(2000, 200), seed=5)
    values, along, pull = [], [], []
    for rows in np.array_split(np.arange(len(data)), batches):
        part = mf.Risk(network, data.take(rows)).evaluate(ensemble)
        values.append(part.value)
        along.append(np.sum(part.gradient * found.gradient))
        pull.append(np.sum(part.variation * found.variation))
    samples = np.array([values, along, pull])
    exact = found.value, np.sum(found.gradient**2), np.sum(found.variation**2)
    for sample, expected in zip(samples, exact, strict=True):
        error = sample.std(ddof=1) / np.sqrt(batches)
        assert abs(sample.mean() - expected) < 4 * error
        if size(True, False):
            assert expected > 20 * error  # twice as much would be noticed


def test_online_risk_averages_to_the_population_risk():
    network, law, ensemble = case("relu single index")
    expected = mf.Risk(network, law).evaluate(ensemble)
    online = mf.Risk(network, law.stream(batch=64, seed=3))
    steps = size(1500, 150)
    values, along = np.empty(steps), np.empty(steps)
    for step in range(steps):
        found = online.evaluate(replace(ensemble, step=step))
        values[step] = found.value
        along[step] = np.sum(found.gradient * expected.gradient)
    for samples, exact in ((values, expected.value), (along, np.sum(expected.gradient**2))):
        error = samples.std(ddof=1) / np.sqrt(steps)
        assert abs(samples.mean() - exact) < 4 * error
        assert size(exact > 20 * error, True)


def test_a_batch_is_a_function_of_seed_and_step():
    network, law, ensemble = case("relu teacher")
    risk = mf.Risk(network, law.stream(batch=5, seed=3))
    at_7 = replace(ensemble, step=7)
    value = risk.value(at_7)
    assert risk.value(replace(ensemble, step=8)) != value
    assert risk.value(at_7) == value
    assert mf.Risk(network, law.stream(batch=5, seed=3)).value(at_7) == value
    assert mf.Risk(network, law.stream(batch=5, seed=4)).value(at_7) != value
    # It is the empirical risk of that batch.
    assert mf.Risk(network, law.stream(batch=5, seed=3).at(7)).value(ensemble) == value


def test_streaming_a_data_set(rng):
    network = mf.TwoLayer("tanh", 2)
    ensemble = naive.neurons(network, 3, rng)
    data = mf.FiniteData(rng.normal(size=(6, 2)), rng.normal(size=6), rng.dirichlet(np.ones(6)))
    stream = mf.Stream(data, batch=4, seed=1)
    exact = mf.Risk(network, data).value(ensemble)
    risk = mf.Risk(network, stream)
    samples = np.array([risk.value(replace(ensemble, step=s)) for s in range(size(2000, 500))])
    assert abs(samples.mean() - exact) < 4 * samples.std() / np.sqrt(len(samples))


def test_what_is_held_out():
    network, law, _ = case("relu teacher")
    assert mf.Risk(network, law).held_out() is None
    assert mf.Risk(network, law.sample(5)).held_out() is None
    assert len(mf.Risk(network, law.sample(5, test=3)).held_out()) == 3
    stream = law.stream(batch=5, test=4)
    assert mf.Risk(network, stream).held_out() is stream.test
