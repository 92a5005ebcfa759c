"""Scratch memory: aligned, used again, never shared."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meanfield.kernels import scratch as module
from meanfield.kernels.scratch import KEPT, LINE, scratch

SHAPES = st.lists(st.lists(st.integers(0, 9), min_size=1, max_size=3).map(tuple), max_size=4)


def address(array):
    return array.__array_interface__["data"][0]


@given(shapes=SHAPES, dtype=st.sampled_from([np.float64, np.float32, np.int8]))
def test_arrays_begin_at_a_cache_line_and_do_not_overlap(shapes, dtype):
    with scratch(dtype, *shapes) as arrays:
        assert [array.shape for array in arrays] == shapes
        for number, array in enumerate(arrays):
            assert array.dtype == dtype
            assert not array.size or address(array) % LINE == 0
            array[...] = number
        for number, array in enumerate(arrays):
            assert (array == number).all()


def test_the_next_call_gets_the_same_memory():
    module._free.clear()
    with scratch(float, (1000,)) as (first,):
        place = address(first)
    with scratch(float, (999,)) as (second,):
        assert address(second) == place


def test_contexts_that_overlap_do_not_share():
    with scratch(float, (100,)) as (outer,):
        outer[:] = 1
        with scratch(float, (100,)) as (inner,):
            inner[:] = 2
        assert (outer == 1).all()


def test_threads_do_not_share():
    start, wrong = threading.Barrier(4), []

    def work(number):
        start.wait()
        for _ in range(200):
            with scratch(float, (500,)) as (mine,):
                mine[:] = number
                if not (mine == number).all():
                    wrong.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_an_error_gives_the_memory_back():
    free = len(module._free)
    with pytest.raises(ZeroDivisionError), scratch(float, (10,)):
        raise ZeroDivisionError
    assert len(module._free) >= max(1, free)


def test_only_so_much_is_kept():
    with scratch(np.uint8, (KEPT // 2,)), scratch(np.uint8, (KEPT,)):
        pass
    assert sum(block.size for block in module._free) <= KEPT
