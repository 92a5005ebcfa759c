"""Kernels called by address."""

from __future__ import annotations

import numba
import numpy as np
import pytest

from meanfield.kernels.compile import jit, prange
from meanfield.kernels.pointers import address, call

VECTOR = numba.float64[::1]


@jit
def double(x, out):
    for i in range(x.shape[0]):
        out[i] = 2.0 * x[i]


@jit
def square(x, out):
    for i in range(x.shape[0]):
        out[i] = x[i] * x[i]


@jit
def refuse(x, out):
    raise ValueError("not this one")


@jit
def apply(kernel, x, out):
    call(kernel, (x, out))


@jit(parallel=True)
def apply_to_rows(kernel, x, out):
    for i in prange(x.shape[0]):
        call(kernel, (x[i], out[i]))


def test_one_loop_over_many_kernels():
    x = np.arange(12.0).reshape(3, 4)
    found = np.empty_like(x)
    for kernel, expected in ((double, 2 * x), (square, x * x), (double, 2 * x)):
        where = address(kernel, (VECTOR, VECTOR))
        apply(where, x[1], found[1])
        assert np.array_equal(found[1], expected[1])
        apply_to_rows(where, x, found)
        assert np.array_equal(found, expected)


def test_errors_come_through():
    x = np.ones(2)
    with pytest.raises(ValueError, match="not this one"):
        apply(address(refuse, (VECTOR, VECTOR)), x, x)
