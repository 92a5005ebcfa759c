"""Sums over particles: against their definitions, against exact sums, and bit by bit."""

from __future__ import annotations

import math
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from meanfield.kernels import compile as compiling
from meanfield.kernels import definitions, reductions
from tests.conftest import size

EPS = np.finfo(float).eps
PRECISIONS = [np.float64, np.float32]
seeds = st.integers(0, 2**32 - 1)
precisions = st.sampled_from(PRECISIONS)
counts = st.one_of(st.integers(0, 5), st.integers(200, size(1100, 300)))


def draw(seed, count, dtype, shape=(3,)):
    """Values of mixed signs and sizes, and masses."""
    rng = np.random.default_rng(seed)
    scale = 10.0 ** rng.uniform(-3, 3, size=(count, *shape))
    values = (rng.standard_normal((count, *shape)) * scale).astype(dtype)
    return values, rng.uniform(size=count), rng


@given(seeds, counts, precisions)
def test_sums_are_exact_to_rounding(seed, count, dtype):
    values, mass, _ = draw(seed, count, dtype, ())
    other = draw(seed + 1, count, dtype, ())[0]
    m, v, w = mass.tolist(), values.tolist(), other.tolist()
    exact = {
        "mean": [x * y for x, y in zip(m, v, strict=True)],
        "second_moment": [x * (y * y) for x, y in zip(m, v, strict=True)],
        "pairing": [x * (y * z) for x, y, z in zip(m, v, w, strict=True)],
    }
    found = {
        "mean": reductions.mean(values, mass),
        "second_moment": reductions.second_moment(values, mass),
        "pairing": reductions.pairing(values, other, mass),
    }
    for name, terms in exact.items():
        # Every term is rounded twice, and a block sums its 256 terms in some order.
        allowed = 20 * EPS * math.fsum(map(abs, terms))
        assert abs(float(found[name]) - math.fsum(terms)) <= allowed, name


@given(seeds, counts, precisions, st.integers(0, 4))
def test_reductions_are_what_numpy_says(seed, count, dtype, width):
    values, mass, rng = draw(seed, count, dtype, (width,))
    other = draw(seed + 1, count, dtype, (width,))[0]
    speeds = rng.uniform(size=width)
    for name, given_, bound in (
        ("mean", (values, mass), (np.abs(values), mass)),
        ("second_moment", (values, mass), (values, mass)),
        ("pairing", (values, other, mass), (np.abs(values), np.abs(other), mass)),
        ("dissipation", (values, speeds, mass), (values, speeds, mass)),
    ):
        found = getattr(reductions, name)(*given_)
        expected = getattr(definitions, name)(*given_)
        allowed = 1e-14 * np.asarray(getattr(definitions, name)(*bound)) + 1e-300
        assert np.shape(found) == np.shape(expected)
        assert np.all(np.abs(np.asarray(found) - expected) <= allowed), name


@given(
    precisions.flatmap(lambda t: arrays(t, array_shapes(max_dims=3, max_side=4), fill=st.just(1)))
)
def test_values_of_any_shape_and_layout(values):
    mass = np.ones(len(values))
    with np.errstate(all="ignore"):
        found = reductions.mean(values, mass)
        strided = np.repeat(values, 2, axis=0)[::2]
        assert found.shape == values.shape[1:]
        assert found.dtype == np.float64
        assert reductions.mean(strided, np.repeat(mass, 2)[::2]).tobytes() == found.tobytes()
        assert reductions.mean(np.asfortranarray(values), mass).tobytes() == found.tobytes()


def test_masks_and_whole_numbers_are_values_too():
    mass = np.array([0.25, 0.5, 0.25])
    assert reductions.mean([True, False, True], mass) == 0.5
    assert reductions.mean([[1, 2], [3, 4], [5, 6]], mass).tolist() == [3.0, 4.0]


@pytest.mark.parametrize("dtype", PRECISIONS)
def test_a_long_sum_is_as_good_as_a_short_one(dtype):
    count = size(400_000, 2_000)
    rng = np.random.default_rng(0)
    values = rng.uniform(0.5, 1.5, count).astype(dtype)
    mass = np.full(count, 1.0 / count)
    exact = math.fsum((mass * values).tolist())
    assert abs(float(reductions.mean(values, mass)) - exact) <= 4 * EPS * exact
    # One number added to another, in a row, loses more: the test can tell.
    naive = np.cumsum(mass * values)[-1]
    assert abs(naive - exact) > 4 * EPS * exact or count < 100_000


@pytest.mark.parametrize("dtype", PRECISIONS)
@pytest.mark.parametrize("count", [1, 257, 5_000, size(60_000, 6_000)])
def test_threads_change_no_bit(dtype, count):
    values, mass, _ = draw(3, count, dtype)
    before, found = compiling.threads(), set()
    try:
        for threads in (1, 2, 3, 4):
            compiling.set_threads(threads)
            found.add(
                reductions.mean(values, mass).tobytes()
                + reductions.second_moment(values, mass).tobytes()
                + np.float64(reductions.pairing(values, values, mass)).tobytes()
            )
    finally:
        compiling.set_threads(before)
    assert len(found) == 1


def test_on_one_thread_and_on_several_the_same_bits():
    """The two branches of the kernel cut the particles alike."""
    count = size(120_000, 700)
    values, mass, _ = draw(5, count, np.float64, (1,))
    parts = np.zeros((2, reductions.SLICES, 1))
    reductions._add(values, None, mass, parts[0])
    length = reductions.ROWS * (1 + (count - 1) // (reductions.ROWS * reductions.SLICES))
    for k in range(reductions.SLICES):
        stop = min(count, (k + 1) * length)
        reductions._slice(values, None, mass, k * length, stop, parts[1, k])
    assert parts[0].tobytes() == parts[1].tobytes()


def test_no_array_of_the_particles_is_made():
    values, mass, _ = draw(1, size(100_000, 1_000), np.float32)
    reductions.pairing(values, values, mass)  # compiled
    tracemalloc.start()
    reductions.pairing(values, values, mass)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10_000


@pytest.mark.parametrize("dtype", PRECISIONS)
@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("where", [0, 299])
def test_what_is_not_finite_shows(dtype, bad, where):
    values, mass, _ = draw(7, 300, dtype)
    values[where, 1] = bad
    for found in (reductions.mean(values, mass), reductions.second_moment(values, mass)):
        assert np.array_equal(np.isfinite(found), [True, False, True])
        assert np.isnan(found[1]) == np.isnan(bad)
    assert not np.isfinite(reductions.pairing(values, values, mass))
    assert not np.isfinite(reductions.dissipation(values, np.ones(3), mass))
