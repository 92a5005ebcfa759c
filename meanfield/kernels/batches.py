"""The interaction of neurons in random batches: O(N p) instead of O(N²), right on average.

Particles are dealt at random to batches of about p, and each meets its own batch only. With s
particles in the batch of i, the sum over all j ≠ i is estimated by::

    (N - 1)/(s - 1) · (the sum over the batch without i)

A batch is a uniformly random set, so the expectation over partitions is the full sum, for the
potential and for all its gradients. What i does to itself is added exactly.

References
----------
S. Jin, L. Li, J.-G. Liu, Random Batch Methods (RBM) for interacting particle systems, J. Comput.
Phys. 400, 2020.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from meanfield.arrays import Array
from meanfield.kernels import general, zonal
from meanfield.kernels.compile import jit, prange
from meanfield.kernels.population import choose
from meanfield.kernels.projected import Projected

Order = NDArray[np.int64]

PAD = 16  # numbers of a cache line and its neighbour: rows of a batch are filled up to these


def edges(count: int, size: int) -> Order:
    """Where batches start and end: as many as fit, of ``size`` or a few more, equal up to one."""
    batches = max(1, count // size)
    return np.arange(batches + 1) * count // batches


def interact(
    activation: Any, seen: Projected, a: Array, c: Array, order: Order, size: int
) -> tuple[Array, Array, Array]:
    """Estimate the sum of K and its gradients over all sources, for every neuron.

    Parameters
    ----------
    activation : Activation
        With a closed form (``pair`` and ``mean``).
    seen : Projected
        N neurons.
    a : (N, k) array
        Outer weights.
    c : (N, k) array
        Outer weights times masses.
    order : (N,) array
        A permutation of the neurons: batches are runs of it.
    size : int
        Neurons in a batch, at least 2; see `edges`.

    Returns
    -------
    outer : (N, k) array
    d_mean : (N,) array
        0 where no means occur (`Projected.centred`).
    inner : (N, d) array
        All as in `meanfield.kernels.population.interact`.
    """
    path = choose(activation, seen, seen, a.shape[1]).path
    kinked = activation.homogeneity is not None and bool((seen.s == 0).any())
    if path in ("fused", "tiles") and not kinked:
        meet = functools.partial(_sums, order=order, size=size)
        neurons = seen, a, seen, c
        found = zonal.interact(activation.zonal, activation.parameters, *neurons, "tiles", meet)
        return found[0], np.zeros_like(seen.m), found[1]
    arrays = [x[order].astype(float) for x in (seen.m, seen.s, seen.n, seen.a, a, c)]
    dealt = np.zeros(a.shape), np.zeros(len(a)), np.zeros(seen.n.shape)
    drive = _compiled_general(activation.pair, activation.mean)
    with np.errstate(divide="ignore", invalid="ignore"):  # parallel neurons, not compiled
        drive(activation.parameters, edges(len(order), size), *arrays, *dealt)
    outer, d_mean, inner = (_put_back(x, order, a.dtype) for x in dealt)
    return outer, np.zeros_like(d_mean) if seen.centred else d_mean, inner


def _put_back(dealt: Array, order: Order, dtype: Any) -> Array:
    values = np.empty(dealt.shape, dtype)
    values[order] = dealt
    return values


@functools.cache
def _compiled_general(pair: Any, mean: Any) -> Any:
    add = general.row(pair, mean)

    @jit(parallel=True)
    def drive(p, edges, m, s, n, alpha, a, c, outer, d_mean, inner):
        count = m.shape[0]
        for batch in prange(edges.shape[0] - 1):
            first, last = edges[batch], edges[batch + 1]
            e = np.empty(n.shape[1])
            scaled = c[first:last] * ((count - 1.0) / max(1.0, last - first - 1.0))
            for i in range(first, last):
                own, k = i + 1, i - first
                target = p, m[i], s[i], n[i], alpha[i], a[i]
                before = m[first:i], s[first:i], n[first:i], alpha[first:i], scaled[:k]
                self = m[i:own], s[i:own], n[i:own], alpha[i:own], c[i:own]
                after = m[own:last], s[own:last], n[own:last], alpha[own:last], scaled[k + 1 :]
                for sources in (before, self, after):
                    d_mean[i] += add(*target, *sources, outer[i], inner[i], e)

    return drive


def _sums(
    shape: Any,
    p: tuple[Any, ...],
    x: Array,
    a: Array,
    c: Array,
    _: None,
    *,
    order: Order,
    size: int,
) -> tuple[Array, Array]:
    """S and H as in `meanfield.kernels.tiles.sums`, with the weights of random batches."""
    dtype: Any = x.dtype.type
    dealt = np.empty((len(x), c.shape[1]), dtype), np.empty_like(x)
    drive = _compiled_zonal(shape(dtype), dtype)
    drive(p, edges(len(order), size), x[order], a[order], c[order], *dealt)
    return _put_back(dealt[0], order, dtype), _put_back(dealt[1], order, dtype)


@jit
def _side_by_side(values, width):
    rows = np.zeros((values.shape[1], width), values.dtype)
    for i in range(values.shape[0]):
        for q in range(values.shape[1]):
            rows[q, i] = values[i, q]
    return rows


@functools.cache
def _compiled_zonal(shape: Any, dtype: Any) -> Any:
    zero, one = dtype(0), dtype(1)

    @jit(reorder=True)
    def meet(p, x, own, y, c, weight, value, slope, total, pull):
        """One neuron with its batch: rows of ``y`` (D, width) and ``c`` (k, width)."""
        width = weight.shape[0]
        slope[:] = zero
        for q in range(y.shape[0]):
            row = y[q]
            for j in range(width):
                slope[j] += x[q] * row[j]
        for j in range(width):
            phi, rate = shape(p, slope[j])
            value[j] = weight[j] * phi
            slope[j] = weight[j] * rate
        for q in range(c.shape[0]):
            row, sum_q = c[q], zero
            for j in range(width):
                sum_q += row[j] * value[j]
            total[q] = sum_q
        value[:] = zero
        for q in range(c.shape[0]):
            row, share = c[q], (own[q] if c.shape[0] > 1 else one)
            for j in range(width):
                value[j] += share * row[j]
        for j in range(width):
            slope[j] *= value[j]
        for q in range(y.shape[0]):
            row, sum_q = y[q], zero
            for j in range(width):
                sum_q += row[j] * slope[j]
            pull[q] = sum_q

    @jit(parallel=True)
    def drive(p, edges, x, a, c, total, pull):
        for batch in prange(edges.shape[0] - 1):
            first, last = edges[batch], edges[batch + 1]
            count = last - first
            width = (count + PAD - 1) // PAD * PAD
            y, sources = _side_by_side(x[first:last], width), _side_by_side(c[first:last], width)
            weight, room = np.empty(width, x.dtype), np.empty((2, width), x.dtype)
            weight[:] = dtype((x.shape[0] - 1) / max(1, count - 1))
            for i in range(first, last):
                others, weight[i - first] = weight[i - first], one
                meet(
                    *(p, x[i], a[i], y, sources, weight, room[0], room[1]),
                    *(total[i], pull[i]),
                )
                weight[i - first] = others

    return drive
