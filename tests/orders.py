"""Fitting the order of convergence of a scheme."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

# Numbers of steps over which the asymptotic order shows and rounding does not, by declared order.
COARSEST = {1: 32, 2: 24, 3: 16, 4: 12}


def step_counts(order: int, levels: int = 5) -> list[int]:
    """Numbers of steps, each twice the one before."""
    return [COARSEST.get(order, 4) * 2**level for level in range(levels)]


def fitted_order(error: Callable[[int], float], counts: list[int]) -> float:
    """Slope of log error over log step, by regression over the given numbers of steps."""
    errors = np.array([error(count) for count in counts])
    assert np.all(errors > 1e-13), "an error at the level of rounding says nothing of the order"
    return float(np.polyfit(np.log(1.0 / np.array(counts)), np.log(errors), 1)[0])
