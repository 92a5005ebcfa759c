"""Random batches: over all partitions the exact sums, and errors as large as they say."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meanfield.activations import make
from meanfield.functionals.interactions import Neurons, RandomBatches
from meanfield.kernels import batches
from meanfield.kernels import compile as compiling
from meanfield.kernels.population import interact
from meanfield.kernels.projected import Projected
from tests.conftest import size

# By the fast form and pair by pair; one output and several.
CASES = [("relu", False, 1), ("erf", False, 2), ("relu", True, 2), ("quadratic", True, 1)]
CASES += size([("tanh", False, 1), ("gelu", True, 1)], [])


def sums(found, seen):
    """All of them, less the slope in the means where there are none."""
    return found[::2] if seen.centred else found


def neurons(rng, count, dim=2, biased=False, width=1, dtype=float):
    w, b = rng.normal(size=(count, dim)), rng.normal(size=count)
    a, mass = rng.normal(size=(count, width)), rng.dirichlet(np.full(count, 3.0))
    seen = Projected(w.astype(dtype), b.astype(dtype) if biased else None, None, None)
    return seen, a.astype(dtype), (a * mass[:, None]).astype(dtype)


@given(st.integers(1, 500), st.integers(2, 40))
def test_batches_are_of_equal_size(count, size):
    edges = batches.edges(count, size)
    sizes = np.diff(edges)
    assert (edges[0], edges[-1]) == (0, count)
    assert sizes.max() - sizes.min() <= 1
    assert sizes.min() >= min(size, count)
    assert sizes.max() < 2 * size


@pytest.mark.parametrize(("spec", "biased", "width"), CASES)
def test_the_average_over_all_partitions_is_exact(spec, biased, width, rng):
    count = size(6, 4)
    seen, a, c = neurons(rng, count, 2, biased, width)
    activation = make(spec)
    exact = sums(interact(activation, seen, a, seen, c), seen)
    for batch in size((2, 3, 4), (2,)):
        total = [np.zeros_like(x) for x in exact]
        for order in itertools.permutations(range(count)):
            found = batches.interact(activation, seen, a, c, np.array(order), batch)
            for x, y in zip(total, sums(found, seen), strict=True):
                x += y / math.factorial(count)
        for x, y in zip(total, exact, strict=True):
            np.testing.assert_allclose(x, y, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize(("spec", "biased"), [("relu", False), ("relu", True), ("erf", False)])
def test_one_batch_is_exact(spec, biased, rng):
    """Also with neurons that are parallel, nearly so, opposite, or without weight."""
    count = size(20, 6)
    seen, a, c = neurons(rng, count, 3, biased)
    w = seen.a.copy()
    w[1], w[2], w[3], w[4] = 2.0 * w[0], w[0] + 1e-9 * w[5], -w[0], 0.0
    seen = Projected(w, seen.m if biased else None, None, None)
    activation = make(spec)
    exact = interact(activation, seen, a, seen, c)
    found = batches.interact(activation, seen, a, c, rng.permutation(count), count)
    for x, y in zip(sums(found, seen), sums(exact, seen), strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize(("spec", "biased", "width"), CASES)
def test_definition(spec, biased, width, rng):
    """What a neuron does to itself, and a multiple of what the others of its batch do."""
    count = size(23, 7)
    seen, a, c = neurons(rng, count, 3, biased, width)
    activation, order = make(spec), rng.permutation(count)
    found = batches.interact(activation, seen, a, c, order, 3)
    edges = batches.edges(count, 3)
    for first, last in itertools.pairwise(edges):
        members = order[first:last]
        for i in members:
            weights = np.zeros_like(c)
            weights[members] = c[members] * (count - 1) / (len(members) - 1)
            weights[i] = c[i]
            one = seen.some(np.array([i]))
            expected = interact(activation, one, a[i : i + 1], seen, weights)
            for x, y in zip(sums(found, seen), sums(expected, seen), strict=True):
                np.testing.assert_allclose(x[i], y[0], rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize(("spec", "biased"), [("relu", False), ("erf", True)])
def test_unbiased_with_the_error_that_is_stated(spec, biased, rng):
    count, draws = size(100, 16), size(400, 30)
    seen, a, c = neurons(rng, count, 2, biased)
    activation = make(spec)
    exact = interact(activation, seen, a, seen, c)
    each, stated = [], []
    for step in range(draws):
        state = Neurons(activation, seen, a, c, step)
        summation = RandomBatches(4, seed=7)
        each.append(np.hstack([x.reshape(count, -1) for x in sums(summation(state), seen)]))
        stated.append(summation.error(state))
    each = np.array(each)
    truth = np.hstack([x.reshape(count, -1) for x in sums(exact, seen)])
    spread = each.std(axis=0, ddof=1)
    z = (each.mean(axis=0) - truth)[spread > 0] / spread[spread > 0] * np.sqrt(draws)
    # Several hundred numbers, about normal.
    assert np.abs(z).max() < 5
    assert np.mean(z**2) == pytest.approx(1.0, abs=size(0.35, 0.9))
    variance = ((each - truth) ** 2).mean(axis=0)
    mean_square = np.mean(np.square(stated), axis=0)
    tolerance = size(0.1, 0.6)
    assert mean_square[0] == pytest.approx(variance[:, 0].mean(), rel=tolerance)
    assert mean_square[1] == pytest.approx(variance[:, 1:].sum(axis=1).mean(), rel=tolerance)


def test_the_error_falls_with_the_root_of_the_size(rng):
    seen, a, c = neurons(rng, size(2000, 60))
    state = Neurons(make("relu"), seen, a, c, 0)
    sizes = np.array(size([4, 8, 16, 32, 64], [2, 4, 8]))
    errors = [RandomBatches(int(p), 3).error(state).potential for p in sizes]
    slope = np.polyfit(np.log(sizes), np.log(errors), 1)[0]
    assert slope == pytest.approx(-0.5, abs=size(0.1, 0.4))


def test_partitions_are_functions_of_seed_and_step(rng):
    seen, a, c = neurons(rng, 12)

    def found(seed, step):
        return RandomBatches(3, seed)(Neurons(make("relu"), seen, a, c, step))[0].tolist()

    assert found(5, 1) == found(5, 1)
    assert len({str(found(seed, step)) for seed in (5, 6) for step in (1, 2)}) == 4
    assert RandomBatches(3).seeded(5) == RandomBatches(3, 5)
    assert RandomBatches(3, 6).seeded(5) == RandomBatches(3, 6)


@pytest.mark.parametrize(("spec", "biased"), [("relu", False), ("relu", True)])
def test_threads_change_no_bit(spec, biased, rng):
    count = size(1001, 9)
    seen, a, c = neurons(rng, count, 3, biased, 2)
    order, before, results = rng.permutation(count), compiling.threads(), []
    try:
        for threads in (1, 2, 3, 4):
            compiling.set_threads(threads)
            found = batches.interact(make(spec), seen, a, c, order, 7)
            results.append(np.hstack([x.ravel() for x in found]))
    finally:
        compiling.set_threads(before)
    assert all(np.array_equal(results[0], other) for other in results[1:])


@pytest.mark.parametrize(("spec", "biased"), [("relu", False), ("erf", True)])
def test_single_precision(spec, biased):
    order = np.random.default_rng(0).permutation(30)
    double, single = (
        batches.interact(
            make(spec), *neurons(np.random.default_rng(5), 30, 3, biased, dtype=dtype), order, 5
        )
        for dtype in (np.float64, np.float32)
    )
    for x, y in zip(single, double, strict=True):
        assert x.dtype == np.float32
        np.testing.assert_allclose(x, y, atol=1e-5)


@pytest.mark.parametrize(("spec", "biased"), [("relu", False), ("erf", True)])
def test_what_is_not_a_number_reaches_its_batch(spec, biased, rng):
    seen, a, c = neurons(rng, 12, 2, biased)
    w = seen.a.copy()
    w[5] = np.nan
    seen = Projected(w, seen.m if biased else None, None, None)
    outer, _, inner = batches.interact(make(spec), seen, a, c, np.arange(12), 4)
    assert np.isnan(outer[:, 0]).tolist() == [False] * 4 + [True] * 4 + [False] * 4
    assert np.isnan(inner).all(axis=1).tolist() == [False] * 4 + [True] * 4 + [False] * 4
