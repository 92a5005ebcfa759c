"""Minibatches of a finite data set: what they average to, and from where they can be resumed."""

from dataclasses import replace
from itertools import combinations, product

import numpy as np
import pytest

import meanfield as mf
from meanfield.config import Experiment, Mistakes
from meanfield.errors import InvalidInput
from tests.conftest import size
from tests.functionals import naive

COUNT = 6


def problem(weights=None):
    rng = np.random.default_rng(0)
    data = mf.FiniteData(rng.normal(size=(COUNT, 2)), rng.normal(size=COUNT), weights)
    network = mf.TwoLayer("tanh", 2, bias=True)
    return network, data, naive.neurons(network, 4, rng)


@pytest.mark.parametrize("batch", [1, 2, 3, 6, 4, 5])
def test_epochs_average_to_the_full_gradient(batch):
    """Exactly, also where the batch does not divide the samples: over n/gcd(n, B) steps."""
    network, data, ensemble = problem()
    full = mf.Risk(network, data).evaluate(ensemble)
    risk = mf.Risk(network, mf.Stream(data, batch, seed=3, replacement=False))
    steps = COUNT // np.gcd(COUNT, batch)
    for first in (0, 7 * steps):
        found = [risk.evaluate(replace(ensemble, step=first + i)) for i in range(steps)]
        mean = np.mean([each.gradient for each in found], axis=0)
        np.testing.assert_allclose(mean, full.gradient, rtol=0, atol=1e-15)
        assert np.mean([each.value for each in found]) == pytest.approx(full.value, rel=1e-14)


def test_every_epoch_has_every_sample_once_in_an_order_of_its_own():
    _, data, _ = problem()
    stream = mf.Stream(data, 4, seed=3, replacement=False)
    dealt = np.concatenate([stream.at(step).y[:, 0] for step in range(9)]).reshape(-1, COUNT)
    for epoch in dealt:
        assert sorted(epoch) == sorted(data.y[:, 0])
    assert len({tuple(epoch) for epoch in dealt}) == len(dealt)
    other = mf.Stream(data, 4, seed=4, replacement=False)
    assert not np.array_equal(other.at(0).y, stream.at(0).y)
    # Asked in another order, or by another object: the same batch.
    again = mf.Stream(data, 4, seed=3, replacement=False)
    for step in (8, 0, 5):
        assert np.array_equal(again.at(step).x, stream.at(step).x)


def test_expectation_over_all_batches():
    """With replacement the batches are the B-tuples, with the product of the weights."""
    weights = np.arange(1, COUNT + 1) / 21
    network, data, ensemble = problem(weights)
    full = mf.Risk(network, data).gradient(ensemble)
    mean = 0
    for rows in product(range(COUNT), repeat=2):
        found = mf.Risk(network, data.take(rows)).gradient(ensemble)
        mean = mean + weights[list(rows)].prod() * found
    np.testing.assert_allclose(mean, full, rtol=0, atol=1e-14)


def test_every_subset_is_as_likely_as_another():
    """Pearson's χ² over the C(6, 2) batches, first and later ones of an epoch alike."""
    _, data, _ = problem()
    trials = size(3000, 1000)
    pairs = [frozenset(data.y[list(rows), 0]) for rows in combinations(range(COUNT), 2)]
    for place in (0, 2):
        counts = dict.fromkeys(pairs, 0)
        for epoch in range(trials):
            stream = mf.Stream(data, 2, seed=1, replacement=False)
            counts[frozenset(stream.at(3 * epoch + place).y[:, 0])] += 1
        expected = trials / len(pairs)
        chi2 = sum((n - expected) ** 2 for n in counts.values()) / expected
        assert chi2 < 14 + 5 * np.sqrt(2 * 14)


@pytest.mark.parametrize("replacement", [True, False])
def test_resuming_gives_the_same_bits(replacement):
    network, data, start = problem()
    risk = mf.Risk(network, mf.Stream(data, 4, seed=2, replacement=replacement))
    flow, scheme = mf.Wasserstein(risk), mf.Euler(0.1)
    whole = mf.simulate(flow, start, scheme=scheme, until=1.1, seed=2).final
    half = mf.simulate(flow, start, scheme=scheme, until=0.4, seed=2).final
    fresh = mf.Risk(network, mf.Stream(data, 4, seed=2, replacement=replacement))
    rest = mf.simulate(mf.Wasserstein(fresh), half, scheme=scheme, until=0.7, seed=2).final
    assert np.array_equal(rest.position, whole.position)


def test_a_step_of_sgd_is_one_with_the_gradient_of_its_batch():
    network, data, start = problem()
    stream = mf.Stream(data, 2, seed=5, replacement=False)
    run = mf.simulate(
        mf.Wasserstein(mf.Risk(network, stream)), start, scheme=mf.Euler(0.2), until=0.6
    )
    ours = start
    for step in range(3):
        gradient = mf.Risk(network, stream.at(step)).gradient(ours)
        ours = ours.at(ours.position - 0.2 * gradient)
    assert np.array_equal(run.final.position, ours.position)


X = [[0.5, 1.0], [1.0, -1.0], [2.0, 0.3], [-0.4, 0.2]]
TABLES = {
    "network": {"activation": "tanh"},
    "data": {"kind": "arrays", "x": X, "y": [1.0, 2.0, 3.0, 4.0], "batch": 3},
    "ensemble": {"count": 5},
    "scheme": {"step": 0.1},
    "run": {"until": 0.3},
}


def with_data(**data):
    return {**TABLES, "data": {**TABLES["data"], **data}}


def test_in_an_experiment_file():
    experiment = Experiment(with_data(replacement=False))
    (_, risk), *_ = experiment.problem(seed=4).flow.energy.terms()
    assert (risk.data.batch, risk.data.seed, risk.data.replacement) == (3, 4, False)
    assert experiment.resolved()["data"]["replacement"] is False
    assert Experiment(experiment.resolved()).resolved() == experiment.resolved()
    assert experiment.run().status == "finished"
    (_, risk), *_ = Experiment(TABLES).problem(seed=4).flow.energy.terms()
    assert risk.data.replacement


@pytest.mark.parametrize(
    ("tables", "told"),
    [
        (with_data(replacement="no"), r"data\.replacement = 'no': expected true or false"),
        (
            {**TABLES, "data": {"kind": "arrays", "x": X, "y": [1] * 4, "replacement": False}},
            r"data\.replacement = false needs data\.batch",
        ),
    ],
)
def test_what_an_experiment_file_may_not_ask(tables, told):
    with pytest.raises(Mistakes, match=told):
        Experiment(tables)


def test_what_is_refused():
    _, data, _ = problem()
    with pytest.raises(InvalidInput, match=r"^batch = 7: expected at most the 6 samples"):
        mf.Stream(data, 7, replacement=False)
    _, uneven, _ = problem(np.arange(1, COUNT + 1) / 21)
    with pytest.raises(InvalidInput, match=r"^replacement = False: .* unequal weights"):
        mf.Stream(uneven, 2, replacement=False)
    law = mf.Gaussian(2).labelled_by(mf.SingleIndex([1, 0], coefficients=[0.0, 1.0]))
    with pytest.raises(InvalidInput, match=r"^replacement = False: .* no samples that run out"):
        mf.Stream(law, 2, replacement=False)
