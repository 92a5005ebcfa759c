"""The counter that threads share."""

from __future__ import annotations

import numpy as np
import pytest

from meanfield.kernels.compile import jit, prange
from meanfield.kernels.counter import counter, take


@jit(parallel=True)
def taken(workers, count, seen):
    for _ in prange(workers):
        i = take(count)
        while i < seen.shape[0]:
            seen[i] += 1
            i = take(count)


@pytest.mark.parametrize("workers", [1, 2, 3, 7])
@pytest.mark.parametrize("size", [0, 1, 5000])
def test_every_number_is_taken_once(workers, size):
    count, seen = counter(), np.zeros(size, np.int64)
    taken(workers, count, seen)
    assert (seen == 1).all()
    # Each worker asks once more, and is told that there is no more.
    assert count[0] == size + workers
