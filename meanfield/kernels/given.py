"""The user's potential and interaction, compiled over all particles.

Every ordered pair costs one call of W and one of its gradient, whose common parts the compiler
computes once: 11 ns for a Gaussian in two dimensions. Visiting an unordered pair once would save
nothing, as the gradient in the other particle is another call. A W of the distance alone should
be given as one (`meanfield.interactions.Radial`): then it does, and takes a tenth of the time.

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
    def row(x, sources, mass, out, scratch):
        total = 0.0
        for j in range(sources.shape[0]):
            total += mass[j] * interaction(x, sources[j])
            scratch[:] = 0.0
            slope(x, sources[j], scratch)
            for q in range(x.shape[0]):
                out[q] += mass[j] * scratch[q]
        return total

    @jit(parallel=True)
    def drive(position, sources, mass, potential, gradients):
        for i in prange(position.shape[0]):
            scratch = np.empty(position.shape[1])
            potential[i] = row(position[i], sources, mass, gradients[i], scratch)

    return drive
