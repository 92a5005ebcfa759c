"""All pairs of particles in many dimensions, or with several outputs: tiles of matrix products.

The sums are those of `fused`, for zonal kernels and for k outputs:

    S_i = Σ_j C_j φ(u_ij) ∈ R^k,      H_i = Σ_j ⟨A_i, C_j⟩ φ'(u_ij) y_j,      u_ij = ⟨x_i, y_j⟩.

A block against a block is one matrix product for u, one vectorised pass that turns it into φ and
φ', and matrix products back: one for either block, where sources are the targets. With a single
output A_i factors out (it is left to the caller), and the pass sums S as it goes.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from meanfield.kernels import blocks
from meanfield.kernels.blas import product, single_threaded
from meanfield.kernels.compile import jit

TILES = 3  # that several outputs need room for


@jit
def _add(sums, part):
    for i in range(part.shape[0]):
        row, more = sums[i], part[i]
        for q in range(more.shape[0]):
            row[q] += more[q]


@jit
def _multiply(tile, factor):
    for i in range(tile.shape[0]):
        row, other = tile[i], factor[i]
        for j in range(row.shape[0]):
            row[j] *= other[j]


@functools.cache
def _single(shape: Any, dtype: Any) -> Any:
    """A block against a block with one output."""
    zero = dtype(0)

    @jit(reorder=True)
    def receive(p, tile, c):
        """φ' in place of u; returns Σ c φ."""
        total = zero
        for j in range(tile.shape[0]):
            value, slope = shape(p, tile[j])
            total += c[j] * value
            tile[j] = slope
        return total

    @jit(reorder=True)
    def exchange(p, tile, c, own, back):
        """The same, and own φ is added to the sums ``back`` of the sources."""
        total = zero
        for j in range(tile.shape[0]):
            value, slope = shape(p, tile[j])
            total += c[j] * value
            back[j] += own * value
            tile[j] = slope
        return total

    @jit
    def meet(p, here, there, mutual, room, s_i, h_i, s_j, h_j):
        (x, _, c_x, cx), (y, _, c_y, cy) = here, there
        m, n, dim = x.shape[0], y.shape[0], x.shape[1]
        tile = room[: m * n].reshape((m, n))
        part = room[m * n :]
        c, own = c_y.reshape(n), c_x.reshape(c_x.size)
        product(x, y.T, tile)
        if mutual:
            for i in range(m):
                s_i[i] += exchange(p, tile[i], c, own[i], s_j)
            back = part[: n * dim].reshape((n, dim))
            product(tile.T, cx, back)
            _add(h_j.reshape((-1, dim)), back)
        else:
            for i in range(m):
                s_i[i] += receive(p, tile[i], c)
        forth = part[: m * dim].reshape((m, dim))
        product(tile, cy, forth)
        _add(h_i.reshape((-1, dim)), forth)

    return meet


@functools.cache
def _several(shape: Any, dtype: Any) -> Any:
    """A block against a block with several outputs."""

    @jit(reorder=True)
    def transform(p, tile, values):
        """φ' in place of u, and φ beside it."""
        for j in range(tile.shape[0]):
            values[j], tile[j] = shape(p, tile[j])

    @jit
    def meet(p, here, there, mutual, room, s_i, h_i, s_j, h_j):
        (x, a_x, c_x, _), (y, a_y, c_y, _) = here, there
        m, n, dim, k = x.shape[0], y.shape[0], x.shape[1], c_y.shape[1]
        tile = room[: m * n].reshape((m, n))
        value = room[m * n : 2 * m * n].reshape((m, n))
        weight = room[2 * m * n : 3 * m * n].reshape((m, n))
        part = room[3 * m * n :]
        product(x, y.T, tile)
        for i in range(m):
            transform(p, tile[i], value[i])
        if mutual:
            back = part[: n * k].reshape((n, k))
            product(value.T, c_x, back)
            _add(s_j.reshape((-1, k)), back)
            product(c_x, a_y.T, weight)
            _multiply(weight, tile)
            pull = part[: n * dim].reshape((n, dim))
            product(weight.T, x, pull)
            _add(h_j.reshape((-1, dim)), pull)
        forth = part[: m * k].reshape((m, k))
        product(value, c_y, forth)
        _add(s_i.reshape((-1, k)), forth)
        product(a_x, c_y.T, weight)
        _multiply(tile, weight)
        pull = part[: m * dim].reshape((m, dim))
        product(tile, y, pull)
        _add(h_i.reshape((-1, dim)), pull)

    return meet


@functools.cache
def compiled(shape: Any, several: bool, dtype: Any) -> Any:
    """The loops for one shape and type of number."""
    meet = (_several if several else _single)(shape, dtype)

    @jit
    def part(neurons, start, stop):
        x, a, c, cx = neurons
        return x[start:stop], a[start:stop], c[start:stop], cx[start:stop]

    @jit
    def run(p, targets, sources, symmetric, size, pairs, base, buffer, room):
        buffer[:] = 0
        x, y, k = targets[0], sources[0], sources[2].shape[1]
        circle = (x.shape[0] + size - 1) // size
        for unit in range(pairs.shape[0]):
            i, j = pairs[unit, 0], pairs[unit, 1]
            at_i = buffer[(i - base) % circle]
            mutual = symmetric and i != j
            at_j = buffer[(j - base) % circle] if mutual else at_i
            here = part(targets, i * size, min(i * size + size, x.shape[0]))
            there = part(sources, j * size, min(j * size + size, y.shape[0]))
            meet(
                *(p, here, there, mutual, room),
                *(at_i[: size * k], at_i[size * k :], at_j[: size * k], at_j[size * k :]),
            )

    return blocks.driver(run)


def sums(
    shape: Any,
    p: tuple[Any, ...],
    x: np.ndarray,
    a: np.ndarray,
    c: np.ndarray,
    y: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """S and H of the module's documentation.

    Parameters
    ----------
    shape : factory of kernels
        ``shape(dtype)`` is ``(p, u) -> (φ, φ')``; must be symmetric in the pair.
    p : tuple
        Parameters, in the number type of ``x``.
    x : (N, D) array
        Targets.
    a : (N, k) array
        A; not looked at when k = 1.
    c : (M, k) array
        C, of the sources.
    y : (M, D) array, optional
        Sources; default: the targets, each pair evaluated once.

    Returns
    -------
    total : (N, k) array
    pull : (N, D) array
    """
    count, dim = x.shape
    k = c.shape[1]
    symmetric = y is None
    size = blocks.block_size(count if y is None else max(count, len(y)))
    if y is None:
        targets = sources = (x, a, c, c[:, :1] * x)
    else:
        nothing = np.zeros((0, k), x.dtype)
        targets = (x, a, nothing, nothing)
        sources = (y, nothing, c, c[:, :1] * y)
    plan = blocks.schedule(-(-count // size), -(-len(c) // size), symmetric)
    number: Any = x.dtype.type
    several = k > 1
    drive = compiled(shape(number), several, number)
    width, room = size * (k + dim), (TILES if several else 1) * size * size + size * max(dim, k)
    with single_threaded():
        out = plan.sums(drive, x.dtype, width, room, p, targets, sources, symmetric, size)
    total = out[:, : size * k].reshape(-1, k)[:count]
    return total, out[:, size * k :].reshape(-1, dim)[:count]
