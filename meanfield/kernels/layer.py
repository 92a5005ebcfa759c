"""One layer of neurons on finite data: the output, and what pulls on each neuron.

Samples are cut in blocks for the forward pass and neurons in blocks for the backward pass; each
block is one iteration of a parallel loop that owns what it writes and sums in a fixed order.
Matrix products inside a block run on one BLAS thread. So results do not depend on how many
threads there are, and memory beyond the outputs is a few tiles per thread: the backward pass
evaluates the pre-activations again, which costs less than writing and reading them all.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from meanfield.arrays import Array
from meanfield.kernels.blas import single_threaded
from meanfield.kernels.compile import jit, prange

SAMPLES = 64
NEURONS = 64


@functools.cache
def _compiled(evaluate: Any) -> tuple[Any, Any]:
    @jit
    def transform(p, z, slope):
        for i in range(z.shape[0]):
            for j in range(z.shape[1]):
                z[i, j], slope[i, j] = evaluate(p, z[i, j])

    @jit
    def tile(p, x, w, b, z, slope):
        np.dot(x, w.T, z)
        for i in range(z.shape[0]):
            for j in range(z.shape[1]):
                z[i, j] += b[j]
        transform(p, z, slope)

    @jit
    def forward_block(p, x, w, b, c, f):
        part = np.empty_like(f)
        for j in range(0, w.shape[0], NEURONS):
            stop = min(w.shape[0], j + NEURONS)
            z = np.empty((x.shape[0], stop - j))
            slope = np.empty_like(z)
            tile(p, x, w[j:stop], b[j:stop], z, slope)
            np.dot(z, c[j:stop], part)
            f += part

    @jit(parallel=True)
    def forward(p, x, w, b, c, f):
        for block in prange((x.shape[0] + SAMPLES - 1) // SAMPLES):
            i = np.int64(block) * SAMPLES
            stop = min(x.shape[0], i + SAMPLES)
            forward_block(p, x[i:stop], w, b, c, f[i:stop])

    @jit
    def backward_block(p, x, w, b, a, g, outer, inner, bias):
        part_outer = np.empty_like(outer)
        part_inner = np.empty_like(inner)
        for i in range(0, x.shape[0], SAMPLES):
            stop = min(x.shape[0], i + SAMPLES)
            z = np.empty((stop - i, w.shape[0]))
            slope = np.empty_like(z)
            tile(p, x[i:stop], w, b, z, slope)
            np.dot(z.T, g[i:stop], part_outer)
            outer += part_outer
            np.dot(g[i:stop], a.T, z)
            for r in range(z.shape[0]):
                for j in range(z.shape[1]):
                    z[r, j] *= slope[r, j]
                    bias[j] += z[r, j]
            np.dot(z.T, x[i:stop], part_inner)
            inner += part_inner

    @jit(parallel=True)
    def backward(p, x, w, b, a, g, outer, inner, bias):
        for block in prange((w.shape[0] + NEURONS - 1) // NEURONS):
            j = np.int64(block) * NEURONS
            stop = min(w.shape[0], j + NEURONS)
            backward_block(
                *(p, x, w[j:stop], b[j:stop], a[j:stop], g),
                *(outer[j:stop], inner[j:stop], bias[j:stop]),
            )

    return forward, backward


def forward(activation: Any, x: Array, w: Array, b: Array, c: Array) -> Array:
    """Outputs ``f(x) = sum_i c_i s(<w_i, x> + b_i)``.

    Parameters
    ----------
    activation : Activation
    x : (n, d) array
        Inputs.
    w, b : (N, d) and (N,) arrays
        Inner weights and biases.
    c : (N, k) array
        Outer weights times masses, m_i a_i.

    Returns
    -------
    (n, k) array
    """
    f = np.zeros((len(x), c.shape[1]))
    run, _ = _compiled(activation.evaluate)
    with single_threaded():
        run(activation.parameters, x, w, b, np.ascontiguousarray(c), f)
    return f


def backward(
    activation: Any, x: Array, w: Array, b: Array, a: Array, g: Array
) -> tuple[Array, Array, Array]:
    """What residuals do to each neuron.

    Parameters
    ----------
    activation, x, w, b
        As in `forward`.
    a : (N, k) array
        Outer weights, without masses.
    g : (n, k) array
        Weight of each sample times the derivative of its loss in f.

    Returns
    -------
    outer : (N, k) array
        ``sum_x g(x) s(z_i(x))``.
    inner : (N, d) array
        ``sum_x <g(x), a_i> s'(z_i(x)) x``.
    bias : (N,) array
        ``sum_x <g(x), a_i> s'(z_i(x))``.
    """
    outer, inner, bias = np.zeros_like(a), np.zeros_like(w), np.zeros(len(w))
    _, run = _compiled(activation.evaluate)
    arrays = np.ascontiguousarray(a), np.ascontiguousarray(g)
    with single_threaded():
        run(activation.parameters, x, w, b, *arrays, outer, inner, bias)
    return outer, inner, bias
