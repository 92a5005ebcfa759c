"""The kernel that draws: its arithmetic, and rows that fill no vector register."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meanfield.kernels import philox
from tests.conftest import size

words = st.integers(0, 2**64 - 1)
KEY = np.uint64(7), np.uint64(1), np.uint64(5)


def fill(out: np.ndarray, gaussian: bool) -> np.ndarray:
    with np.errstate(over="ignore"):
        philox.fill(out, *KEY, gaussian)
    return out


@given(words, words)
def test_products_have_128_bits(a, b):
    with np.errstate(over="ignore"):
        high, low = philox._product(np.uint64(a), np.uint64(b))
    assert int(high) << 64 | int(low) == a * b


@pytest.mark.parametrize("word", [0, 2**11 - 1, 2**63, 2**64 - 2**11, 2**64 - 1])
def test_the_unit_interval_is_open(word):
    # (2^53 - 1/2) / 2^53 has no float of its own: it would be rounded to 1.
    found = philox.unit(np.uint64(word))
    assert 0.0 < found < 1.0
    assert abs(found - (word + 0.5) / 2**64) <= 2.0**-53


@pytest.mark.parametrize("gaussian", [True, False])
@pytest.mark.parametrize("count", [0, 1, 63, 64, 65, 130])
@pytest.mark.parametrize("width", [0, 1, 4, 7])
def test_every_row_and_column_is_filled_once(count, width, gaussian):
    whole = fill(np.full((140, 8), np.nan), gaussian)
    assert np.all(np.isfinite(whole))
    for order in ("C", "F"):
        part = fill(np.full((count, width), np.nan, order=order), gaussian)
        assert np.array_equal(part, whole[:count, :width])
    apart = np.full((2 * count, 2 * width), np.nan)
    fill(apart[::2, ::2], gaussian)
    assert np.array_equal(apart[::2, ::2], whole[:count, :width])
    assert np.isnan(apart[1::2]).all()
    assert np.isnan(apart[:, 1::2]).all()


@pytest.mark.parametrize("gaussian", [True, False])
def test_many_rows_are_those_of_few(gaussian):
    few, width = size(640, 10), 4
    many = fill(np.empty((philox.ALONE // width + size(1000, 1), width)), gaussian)
    assert np.array_equal(many[:few], fill(np.empty((few, width)), gaussian))
    assert len(np.unique(many)) == many.size
