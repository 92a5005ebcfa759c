"""The user's potential and interaction, compiled over all particles.

Nothing is remembered between calls: a function may read a global that has changed since.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from meanfield.kernels.compile import compile_user_function, jit, prange


def compiled_potential(value: Any, gradient: Any) -> Any:
    """V and its gradient at every particle."""
    potential, slope = compile_user_function(value), compile_user_function(gradient)

    @jit(parallel=True)
    def drive(position, values, gradients):
        for i in prange(position.shape[0]):
            values[i] = potential(position[i])
            slope(position[i], gradients[i])

    return drive


def compiled_interaction(value: Any, gradient: Any) -> Any:
    """Sums of W and of its first gradient over all sources, with their masses."""
    interaction, slope = compile_user_function(value), compile_user_function(gradient)

    @jit
    def row(x, position, mass, out, scratch):
        total = 0.0
        for j in range(position.shape[0]):
            total += mass[j] * interaction(x, position[j])
            scratch[:] = 0.0
            slope(x, position[j], scratch)
            for q in range(x.shape[0]):
                out[q] += mass[j] * scratch[q]
        return total

    @jit(parallel=True)
    def drive(position, mass, potential, gradients):
        for i in prange(position.shape[0]):
            scratch = np.empty(position.shape[1])
            potential[i] = row(position[i], position, mass, gradients[i], scratch)

    return drive
