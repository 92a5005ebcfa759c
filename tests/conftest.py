"""What every test may use: sizes that fit uncompiled kernels, a generator, settings of hypothesis.

``pytest`` runs every test twice in continuous integration: compiled, and with NUMBA_DISABLE_JIT=1
on reduced sizes, where the kernels are plain Python.
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

from meanfield.kernels.compile import DISABLED

T = TypeVar("T")


def size(full: T, reduced: T) -> T:
    """`full`, or `reduced` where kernels are not compiled."""
    return reduced if DISABLED else full


settings.register_profile(
    "meanfield",
    deadline=None,
    derandomize=True,
    max_examples=size(25, 5),
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("meanfield")


@pytest.fixture
def rng() -> np.random.Generator:
    """A generator that starts anew in every test."""
    return np.random.default_rng(20240607)
