"""Sums over pairs never hold all pairs."""

import subprocess
import sys

import pytest

from meanfield.kernels.compile import DISABLED

PROGRAM = """
import resource, sys
import numpy as np
from meanfield import kernels

def neurons(count):
    rng = np.random.default_rng(0)
    return kernels.Neurons(rng.normal(size=count), rng.normal(size=(count, int(sys.argv[1]))))

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

kernels.interact("relu", neurons(2500))
before = peak()
found = kernels.interact("relu", neurons(50_000))
assert np.isfinite(found.inner).all()
print(peak() - before)
"""


@pytest.mark.skipif(DISABLED, reason="takes hours without compilation")
@pytest.mark.skipif(sys.platform != "linux", reason="memory is counted in other units")
@pytest.mark.parametrize("dim", [2, 20])
def test_fifty_thousand_neurons(dim):
    """All pairs would be 20 GB. Lanes hold half a copy of the result each, 24 in all."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(dim)], capture_output=True, text=True, check=True
    )
    result = 50_000 * (dim + 1) * 8 / 2**20
    assert float(done.stdout) < 100 + 20 * result
