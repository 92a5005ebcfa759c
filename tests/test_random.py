"""Noise as a function of (seed, stream, step, particle)."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from meanfield import random
from meanfield.errors import InvalidInput
from meanfield.kernels import compile as compiling
from meanfield.kernels.philox import ALONE, philox
from meanfield.random import Stream
from tests.conftest import size

words = st.integers(0, 2**64 - 1)
seeds = st.integers(0, 2**63 - 1)
streams = st.sampled_from(Stream)

# philox4x64, 10 rounds: counter, key and output in the file kat_vectors of Random123 (Salmon et
# al. 2011).
KNOWN_ANSWERS = [
    (
        "0000000000000000 0000000000000000 0000000000000000 0000000000000000",
        "0000000000000000 0000000000000000",
        "16554d9eca36314c db20fe9d672d0fdc d7e772cee186176b 7e68b68aec7ba23b",
    ),
    (
        "ffffffffffffffff ffffffffffffffff ffffffffffffffff ffffffffffffffff",
        "ffffffffffffffff ffffffffffffffff",
        "87b092c3013fe90b 438c3c67be8d0224 9cc7d7c69cd777b6 a09caebf594f0ba0",
    ),
    (
        "243f6a8885a308d3 13198a2e03707344 a4093822299f31d0 082efa98ec4e6c89",
        "452821e638d01377 be5466cf34e90c6c",
        "a528f45403e61d95 38c72dbd566e9788 a5a1610e72fd18b5 57bd43b5e52b7fe6",
    ),
]


def _block(counter: list[int], key: list[int]) -> list[int]:
    with np.errstate(over="ignore"):
        return [int(word) for word in philox(*map(np.uint64, counter), *map(np.uint64, key))]


def _numpy_words(seed: int, stream: int, step: int, particle: int, count: int) -> np.ndarray:
    """The random words of a particle, by NumPy's own generator."""
    # NumPy counts up before it generates: begin one below (0, particle, step, 0).
    before = (particle << 64 | step << 128) - 1
    source = np.random.Philox(key=seed | stream << 64, counter=before % 2**256)
    return source.random_raw(count)


@pytest.mark.parametrize(("counter", "key", "expected"), KNOWN_ANSWERS)
def test_known_answers_of_random123(counter, key, expected):
    counter, key, expected = (
        [int(w, 16) for w in text.split()] for text in (counter, key, expected)
    )
    assert _block(counter, key) == expected


@given(st.tuples(words, words, words, words), st.tuples(words, words))
def test_is_the_generator_behind_numpy(counter, key):
    number = sum(word << 64 * place for place, word in enumerate(counter))
    source = np.random.Philox(key=key[0] | key[1] << 64, counter=(number - 1) % 2**256)
    assert _block(list(counter), list(key)) == source.random_raw(4).tolist()


@given(seeds, streams, st.integers(0, 2**40), st.integers(1, 9))
def test_uniform_numbers_are_the_words_in_the_unit_interval(seed, stream, step, width):
    rows = random.uniform(seed, stream, step, (3, width))
    for particle, row in enumerate(rows):
        high = _numpy_words(seed, stream, step, particle, width) >> np.uint64(11)
        assert row.tolist() == [(int(word) + 0.5) / 2**53 for word in high]


@given(seeds, streams, st.integers(0, 2**40), st.integers(1, 9))
def test_normal_numbers_are_pairs_of_uniform_ones_in_polar_form(seed, stream, step, width):
    even = width + width % 2
    uniform = random.uniform(seed, stream, step, (3, even))
    radius, angle = np.sqrt(-2 * np.log(uniform[:, ::2])), 2 * np.pi * uniform[:, 1::2]
    pairs = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=2)
    expected = pairs.reshape(3, even)[:, :width]
    np.testing.assert_allclose(
        random.normal(seed, stream, step, (3, width)), expected, rtol=1e-13, atol=1e-15
    )


def test_moments_of_the_normal_law():
    x = random.normal(11, Stream.LANGEVIN, 0, (size(100_000, 500), 4))
    # Mean, variance, third and fourth moment of N(0, 1), with the variances of their estimates.
    for power, moment, variance in ((1, 0, 1), (2, 1, 2), (3, 0, 15), (4, 3, 96)):
        error = np.sqrt(variance / len(x))
        found = np.mean(x**power, axis=0)
        assert np.all(np.abs(found - moment) < 4 * error)
    variance, error = np.mean(x**2, axis=0), np.sqrt(2 / len(x))
    for wrong in (0.5, 2.0):
        assert np.all(np.abs(variance - wrong) > size(20, 5) * error)
    correlation = np.corrcoef(x.T)[np.triu_indices(4, 1)]
    assert np.all(np.abs(correlation) * np.sqrt(len(x)) < 4)
    assert stats.kstest(x.ravel(), "norm").pvalue > 1e-3
    assert stats.kstest(1.05 * x.ravel(), "norm").pvalue < size(1e-3, 1.0)


def test_tails_of_the_normal_law():
    x = np.abs(random.normal(12, Stream.LANGEVIN, 0, (size(1_000_000, 500), 4)))
    for far in size((2.0, 3.0, 4.0, 5.0), (1.0, 2.0)):
        expected = 2 * stats.norm.sf(far) * x.size
        assert abs(np.count_nonzero(x > far) - expected) < 4 * np.sqrt(expected)
    assert x.max() < 8.66  # of one uniform number in 2^54 parts


def test_ten_million_normal_numbers():
    """Six moments, the law itself, and what a number has in common with those that come next."""
    x = random.normal(2**62 + 7, Stream.LANGEVIN, 10**6, (size(2_500_000, 500), 4)).ravel()
    power = np.ones_like(x)
    # Moments of N(0, 1), with the variances of their estimates.
    for moment, variance in ((0, 1), (1, 2), (0, 15), (3, 96), (0, 945), (15, 10_170)):
        power *= x
        assert abs(power.mean() - moment) < 4 * np.sqrt(variance / x.size)
    even = x**2 - 1
    for shift in (1, 2, 3, 4, 5, 8, 400):
        assert abs(x[shift:] @ x[:-shift]) < 4 * np.sqrt(x.size)
        assert abs(even[shift:] @ even[:-shift]) < 4 * 2 * np.sqrt(x.size)
    assert stats.kstest(x, "norm").pvalue > 1e-3


def test_streams_and_steps_have_nothing_in_common():
    """Nor have the seeds; of a correlation as small as 0.015 something would be seen."""
    count = size(100_000, 500)
    keys = [(5, stream, 7) for stream in Stream]
    keys += [(5, Stream.LANGEVIN, step) for step in (0, 6, 8, 2**40)]
    keys += [(seed, Stream.LANGEVIN, 7) for seed in (0, 4, 6, 2**62)]
    for draw in (random.normal, random.uniform):
        found = np.stack([draw(*key, (count, 1))[:, 0] for key in keys])
        related = np.corrcoef(found)[np.triu_indices(len(keys), 1)]
        assert np.all(np.abs(related) < 4.5 / np.sqrt(count))


def test_a_generator_shares_no_word_with_the_numbers_of_particles():
    for stream in Stream:
        taken = random.generator(5, stream, 7).bit_generator.random_raw(1000)
        own = np.concatenate([_numpy_words(5, stream, 7, particle, 16) for particle in range(60)])
        assert not np.isin(taken, own).any()


def test_moments_of_the_uniform_law():
    x = random.uniform(11, Stream.INITIAL, 0, (size(100_000, 500), 2)).ravel()
    assert 0 < x.min() < x.max() < 1
    assert stats.kstest(x, "uniform").pvalue > 1e-3


@pytest.mark.parametrize(
    "other",
    [(5, Stream.LANGEVIN, 8), (5, Stream.INITIAL, 7), (6, Stream.LANGEVIN, 7)],
    ids=["step", "stream", "seed"],
)
def test_other_steps_streams_and_seeds_are_independent(other):
    shape = (size(50_000, 400), 2)
    first, second = random.normal(5, Stream.LANGEVIN, 7, shape), random.normal(*other, shape)
    for columns in ((0, 0), (0, 1), (1, 0), (1, 1)):
        x, y = first[:, columns[0]], second[:, columns[1]]
        for shift in (0, 1):  # a stream shifted by one particle would be noticed too
            products = x[shift:] * y[: len(y) - shift]
            assert abs(products.sum()) < 4 * np.sqrt(len(products))
            squares = (x[shift:] ** 2 - 1) * (y[: len(y) - shift] ** 2 - 1)
            assert abs(squares.sum()) < 4 * 2 * np.sqrt(len(squares))


@given(seeds, st.integers(0, 2**30), st.integers(1, 20), st.integers(0, 20), st.integers(1, 9))
def test_a_row_does_not_depend_on_the_number_of_rows(seed, step, count, more, width):
    few = random.normal(seed, Stream.LANGEVIN, step, (count, width))
    many = random.normal(seed, Stream.LANGEVIN, step, (count + more, width))
    assert np.array_equal(few, many[:count])


# Bits, not digits: the transform is made of what IEEE 754 rounds alike on every machine.
EXPECTED = [
    "-0x1.b507e942fd1acp-1 0x1.044025ce8d12fp-2 -0x1.35c1237e27d2dp+0 "
    "-0x1.41e84c6cd59ecp-5 -0x1.c72cac0a73dcap-2 0x1.45c0aa5ae7518p-2",
    "-0x1.6f361e5a00252p+0 0x1.40b8db51cd808p-1 0x1.c7fd0569fc96ap-4 "
    "0x1.4fd5c48ab9aedp-2 0x1.58f758a24c07cp-2 -0x1.b2c43370091e4p+1",
]


def test_the_bits_are_the_same_on_every_machine():
    found = random.normal(2024, Stream.LANGEVIN, 12345, (2, 6))
    assert found.tolist() == [[float.fromhex(x) for x in row.split()] for row in EXPECTED]


@pytest.mark.parametrize("draw", [random.normal, random.uniform])
def test_single_precision_is_double_precision_rounded(draw):
    double = draw(8, Stream.INITIAL, 3, (70, 5))
    single = draw(8, Stream.INITIAL, 3, (70, 5), np.float32)
    assert single.dtype == np.float32
    assert np.array_equal(single, double.astype(np.float32))


@given(seeds, st.integers(1, 70), st.integers(1, 9), st.sampled_from(["C", "F"]))
def test_adding_is_one_pass_of_drawing_scaling_and_summing(seed, count, width, order):
    scale = np.linspace(0.0, 2.0, width)
    kicks = random.normal(seed, Stream.LANGEVIN, 4, (count, width))
    start = random.normal(seed, Stream.INITIAL, 0, (count, width))
    for dtype in (np.float64, np.float32):
        out = np.asarray(start, dtype, order)
        expected = (out.astype(np.float64) + scale * kicks).astype(dtype)
        random.add_normal(out, scale, seed, Stream.LANGEVIN, 4)
        assert np.array_equal(out, expected)


def test_what_cannot_be_drawn_is_refused():
    with pytest.raises(InvalidInput, match=r"^scale = \(2,\): expected a number for each column"):
        random.add_normal(np.zeros((4, 3)), np.ones(2), 0, Stream.LANGEVIN, 0)
    with pytest.raises(InvalidInput, match=r"^dtype = .*int64.*: expected float64 or float32$"):
        random.add_normal(np.zeros((4, 3), int), np.ones(3), 0, Stream.LANGEVIN, 0)
    with pytest.raises(InvalidInput, match=r"^dtype = "):
        random.normal(0, Stream.LANGEVIN, 0, (4, 3), np.float16)


@pytest.mark.parametrize("draw", [random.normal, random.uniform])
def test_threads_change_no_bit(draw):
    before = compiling.threads()
    try:
        found = []
        for count in (1, 2, 3, 4):
            compiling.set_threads(count)
            drawn = draw(3, Stream.LANGEVIN, 9, (size(20_001, 11), 3))
            assert drawn.size > size(ALONE, 0)  # so that threads share the work
            random.add_normal(drawn, [1.0, 2.0, 3.0], 3, Stream.INITIAL, 9)
            found.append(drawn)
    finally:
        compiling.set_threads(before)
    assert all(np.array_equal(found[0], other) for other in found[1:])


@pytest.mark.parametrize("seed", [-1, 2**63, 1.5, True, "7", None])
def test_a_seed_is_a_whole_number(seed):
    with pytest.raises(InvalidInput, match=r"^seed = .*: expected a whole number in \[0, 2\^63\)$"):
        random.normal(seed, Stream.INITIAL, 0, (1, 1))
    with pytest.raises(InvalidInput, match=r"^seed = "):
        random.generator(seed, Stream.DATA)


def test_a_generator_is_a_function_of_seed_stream_and_step():
    def draw(*key):
        return random.generator(*key).standard_normal(4).tolist()

    assert draw(1, Stream.DATA, 2) == draw(1, Stream.DATA, 2)
    keys = [(1, Stream.DATA, 2), (2, Stream.DATA, 2), (1, Stream.BATCH, 2), (1, Stream.DATA, 3)]
    assert len({tuple(draw(*key)) for key in keys}) == len(keys)


def test_streams_have_numbers_of_their_own():
    assert len({int(stream) for stream in Stream}) == len(Stream.__members__)
