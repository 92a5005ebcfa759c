"""What is left of a rate that decays within a step."""

from __future__ import annotations

import numpy as np

from meanfield.arrays import Array


def mean_decay(x: Array | float) -> Array:
    """Mean of e^{-s} over s in [0, x], (1 - e^{-x})/x, and 1 where x ≤ 0."""
    end = np.asarray(x, dtype=float)
    return np.divide(-np.expm1(-end), end, out=np.ones_like(end), where=end > 0)
