"""The schedule that all O(N²) kernels share: every pair once, whoever does it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meanfield.kernels import blocks


@given(st.integers(1, 70))
def test_every_unordered_pair_of_blocks_once(count):
    plan = blocks.schedule(count, count, True)
    met = {tuple(sorted(pair)) for pair in plan.pairs.tolist()}
    assert len(met) == len(plan.pairs) == count * (count + 1) // 2


@given(st.integers(1, 40), st.integers(0, 40))
def test_every_ordered_pair_of_blocks_once(targets, sources):
    plan = blocks.schedule(targets, sources, False)
    expected = {(i, j) for i in range(targets) for j in range(sources)}
    assert {tuple(pair) for pair in plan.pairs.tolist()} == expected
    assert len(plan.pairs) == len(expected)


@given(st.integers(1, 70), st.booleans())
def test_lanes_touch_the_blocks_they_say(count, symmetric):
    plan = blocks.schedule(count, count, symmetric)
    assert plan.first[0] == 0
    assert plan.first[-1] == len(plan.pairs)
    for lane in range(len(plan.base)):
        units = plan.pairs[plan.first[lane] : plan.first[lane + 1]]
        touched = units if symmetric else units[:, :1]
        slots = (touched - plan.base[lane]) % count
        assert slots.max(initial=0) < plan.span[lane] <= count


def test_lanes_have_equal_work_and_half_of_the_blocks():
    plan = blocks.schedule(96, 96, True)
    work = np.diff(plan.first)
    assert work.max() - work.min() <= 1
    assert plan.span.max() <= 96 // 2 + 1 + 96 // blocks.LANES + 1


@given(st.integers(1, 300), st.integers(1, 5), st.sampled_from([64, 128]))
def test_packing_is_undone(count, dim, size):
    rng = np.random.default_rng(count)
    columns, coefficient = rng.normal(size=(count, dim)), rng.normal(size=count)
    packed = blocks.pack(columns, coefficient, size)
    assert packed.shape == (-(-count // size), (dim + 1) * size)
    found = blocks.unpack(packed, count, dim + 1)
    np.testing.assert_array_equal(found[:, :dim], columns)
    np.testing.assert_array_equal(found[:, dim], coefficient)


@pytest.mark.parametrize(("count", "size"), [(1, 64), (600, 128), (2048, 256)])
def test_block_size_depends_on_the_count_alone(count, size):
    assert blocks.block_size(count) == size
