"""All pairs of particles in few dimensions: one loop does everything, nothing is written down.

For every target i and source j with invariant u = ⟨x_i, y_j⟩ (or |x_i - y_j|²) the loops sum

    S_i = Σ_j c_j φ(u_ij),      H_i = Σ_j c_j φ'(u_ij) y_j   (or times x_i - y_j).

A target is one row; its D coordinates and D + 1 sums are tuples, which become registers; the
sources of a block are vectorised, one coordinate after the other in memory (`blocks.pack`). Where
sources are the targets, the row serves both: φ and φ' are symmetric, and the block of sources
keeps sums of its own. All offsets are constants, so that the compiler sees what does not overlap.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from meanfield.kernels import blocks
from meanfield.kernels.compile import jit

# From this dimension on, rows go in fours through several loops: ReLU in float64 then takes 0.48 ns
# per ordered pair at d = 3 against 0.59 in one loop, 0.75 at d = 8 against 1.0; at d = 2 0.41
# against 0.37.
GROUPED = 3
ROWS = 4


class Product:
    """u = ⟨x, y⟩; a source pulls along y, and is pulled along x."""

    @staticmethod
    @functools.cache
    def invariant(last: int, size: int) -> Any:
        if last == 0:

            @jit(inline=True, reorder=True)
            def evaluate(x, block, j):
                return x[0] * block[j]

        else:
            rest = Product.invariant(last - 1, size)

            @jit(inline=True, reorder=True)
            def evaluate(x, block, j):
                return rest(x, block, j) + x[last] * block[last * size + j]

        return evaluate

    @staticmethod
    @functools.cache
    def add(last: int, size: int) -> Any:
        if last == 0:

            @jit(inline=True, reorder=True)
            def evaluate(sums, pull, x, block, j):
                return (sums[0] + pull * block[j],)

        else:
            rest = Product.add(last - 1, size)

            @jit(inline=True, reorder=True)
            def evaluate(sums, pull, x, block, j):
                return (
                    *rest(sums, pull, x, block, j),
                    sums[last] + pull * block[last * size + j],
                )

        return evaluate

    @staticmethod
    @functools.cache
    def give(last: int, size: int, start: int) -> Any:
        """Add to the block's own sums, which begin at row ``start``."""
        if last == 0:

            @jit(inline=True, reorder=True)
            def evaluate(block, j, pull, x):
                block[start * size + j] += pull * x[0]

        else:
            rest = Product.give(last - 1, size, start)

            @jit(inline=True, reorder=True)
            def evaluate(block, j, pull, x):
                rest(block, j, pull, x)
                block[(start + last) * size + j] += pull * x[last]

        return evaluate


class Distance:
    """u = |x - y|²; both pull along x - y, with opposite signs."""

    @staticmethod
    @functools.cache
    def invariant(last: int, size: int) -> Any:
        if last == 0:

            @jit(inline=True, reorder=True)
            def evaluate(x, block, j):
                e = x[0] - block[j]
                return e * e

        else:
            rest = Distance.invariant(last - 1, size)

            @jit(inline=True, reorder=True)
            def evaluate(x, block, j):
                e = x[last] - block[last * size + j]
                return rest(x, block, j) + e * e

        return evaluate

    @staticmethod
    @functools.cache
    def add(last: int, size: int) -> Any:
        if last == 0:

            @jit(inline=True, reorder=True)
            def evaluate(sums, pull, x, block, j):
                return (sums[0] + pull * (x[0] - block[j]),)

        else:
            rest = Distance.add(last - 1, size)

            @jit(inline=True, reorder=True)
            def evaluate(sums, pull, x, block, j):
                return (
                    *rest(sums, pull, x, block, j),
                    sums[last] + pull * (x[last] - block[last * size + j]),
                )

        return evaluate

    @staticmethod
    @functools.cache
    def give(last: int, size: int, start: int) -> Any:
        """Add to the block's own sums, which begin at row ``start``."""
        if last == 0:

            @jit(inline=True, reorder=True)
            def evaluate(block, j, pull, x):
                block[start * size + j] += pull * (block[j] - x[0])

        else:
            rest = Distance.give(last - 1, size, start)

            @jit(inline=True, reorder=True)
            def evaluate(block, j, pull, x):
                rest(block, j, pull, x)
                block[(start + last) * size + j] += pull * (block[last * size + j] - x[last])

        return evaluate


@functools.cache
def _coordinates(last: int, size: int) -> Any:
    """Coordinates of particle i of a block, as a tuple."""
    if last == 0:

        @jit(inline=True, reorder=True)
        def evaluate(block, i):
            return (block[i],)

    else:
        rest = _coordinates(last - 1, size)

        @jit(inline=True, reorder=True)
        def evaluate(block, i):
            return (*rest(block, i), block[last * size + i])

    return evaluate


@functools.cache
def _grouped(shape: Any, geometry: Any, dim: int, size: int, dtype: Any) -> Any:
    """The mutual sums of four rows at a time, in four loops over the block.

    One loop would need more registers than there are: in each of these, what stays is little.
    """
    coordinates = _coordinates(dim - 1, size)
    invariant = geometry.invariant(dim - 1, size)
    add = geometry.add(dim - 1, size)
    give = geometry.give(dim - 1, size, dim + 1)
    zero = dtype(0)
    nothing = (zero,) * dim
    c, sums_of_block = dim * size, (2 * dim + 1) * size
    first = 2 * (dim + 1) * size
    second, third, fourth = first + size, first + 2 * size, first + 3 * size

    @jit(reorder=True)
    def measure(x, block):
        for j in range(size):
            block[first + j] = invariant(x[0], block, j)
            block[second + j] = invariant(x[1], block, j)
            block[third + j] = invariant(x[2], block, j)
            block[fourth + j] = invariant(x[3], block, j)

    @jit(reorder=True)
    def transform(p, own, block):
        """φ' in place of u; sums of φ for the four rows, and for the block."""
        s, t, u, v = zero, zero, zero, zero
        for j in range(size):
            value_s, block[first + j] = shape(p, block[first + j])
            value_t, block[second + j] = shape(p, block[second + j])
            value_u, block[third + j] = shape(p, block[third + j])
            value_v, block[fourth + j] = shape(p, block[fourth + j])
            s += block[c + j] * value_s
            t += block[c + j] * value_t
            u += block[c + j] * value_u
            v += block[c + j] * value_v
            block[sums_of_block + j] += (own[0] * value_s + own[1] * value_t) + (
                own[2] * value_u + own[3] * value_v
            )
        return s, t, u, v

    def receive(here, next_one):
        @jit(reorder=True)
        def two_rows(x, y, block):
            sums, others = nothing, nothing
            for j in range(size):
                weight = block[c + j]
                sums = add(sums, weight * block[here + j], x, block, j)
                others = add(others, weight * block[next_one + j], y, block, j)
            return sums, others

        return two_rows

    upper, lower = receive(first, second), receive(third, fourth)

    @jit(reorder=True)
    def give_back(x, own, block):
        for j in range(size):
            give(block, j, own[0] * block[first + j], x[0])
            give(block, j, own[1] * block[second + j], x[1])
            give(block, j, own[2] * block[third + j], x[2])
            give(block, j, own[3] * block[fourth + j], x[3])

    @jit
    def exchange_rows(p, here, rows, block, at_here):
        # Beyond the last row there are zeros, without weight.
        for i in range(0, rows, ROWS):
            x = (
                coordinates(here, i),
                coordinates(here, i + 1),
                coordinates(here, i + 2),
                coordinates(here, i + 3),
            )
            own = (here[c + i], here[c + i + 1], here[c + i + 2], here[c + i + 3])
            measure(x, block)
            totals = transform(p, own, block)
            sums = (*upper(x[0], x[1], block), *lower(x[2], x[3], block))
            give_back(x, own, block)
            for r in range(ROWS):
                at_here[c + i + r] += totals[r]
                for k in range(dim):
                    at_here[k * size + i + r] += sums[r][k]

    return exchange_rows


@functools.cache
def compiled(shape: Any, geometry: Any, dim: int, size: int, dtype: Any) -> Any:
    """The loops for one shape, geometry, dimension, size of block and type of number."""
    coordinates = _coordinates(dim - 1, size)
    invariant = geometry.invariant(dim - 1, size)
    add = geometry.add(dim - 1, size)
    give = geometry.give(dim - 1, size, dim + 1)
    exchange_rows = _grouped(shape, geometry, dim, size, dtype)
    grouped = dim >= GROUPED
    zero = dtype(0)
    nothing = (zero,) * dim
    width = (dim + 1) * size

    @jit(reorder=True)
    def receive(p, x, block):
        total, sums = zero, nothing
        for j in range(size):
            value, slope = shape(p, invariant(x, block, j))
            c = block[dim * size + j]
            total += c * value
            sums = add(sums, c * slope, x, block, j)
        return total, sums

    @jit(reorder=True)
    def exchange(p, x, own, block):
        total, sums = zero, nothing
        for j in range(size):
            value, slope = shape(p, invariant(x, block, j))
            c = block[dim * size + j]
            total += c * value
            sums = add(sums, c * slope, x, block, j)
            give(block, j, own * slope, x)
            block[(2 * dim + 1) * size + j] += own * value
        return total, sums

    @jit
    def meet(p, here, there, mutual, rows, block, at_here, at_there):
        for q in range(width):
            block[q] = there[q]
            block[width + q] = zero
        if mutual and grouped:
            exchange_rows(p, here, rows, block, at_here)
        else:
            for i in range(rows):
                x = coordinates(here, i)
                if mutual:
                    total, sums = exchange(p, x, here[dim * size + i], block)
                else:
                    total, sums = receive(p, x, block)
                for k in range(dim):
                    at_here[k * size + i] += sums[k]
                at_here[dim * size + i] += total
        if mutual:
            for q in range(width):
                at_there[q] += block[width + q]

    @jit
    def run(p, targets, sources, symmetric, count, pairs, base, buffer, block):
        buffer[:] = zero
        for unit in range(pairs.shape[0]):
            i, j = pairs[unit, 0], pairs[unit, 1]
            rows = min(size, count - i * size)
            at_i = buffer[(i - base) % targets.shape[0]]
            mutual = symmetric and i != j
            at_j = buffer[(j - base) % targets.shape[0]] if mutual else at_i
            meet(p, targets[i], sources[j], mutual, rows, block, at_i, at_j)

    return blocks.driver(run)


def sums(
    shape: Any,
    geometry: Any,
    p: tuple[Any, ...],
    x: np.ndarray,
    c: np.ndarray,
    y: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """S and H of the module's documentation.

    Parameters
    ----------
    shape : factory of kernels
        ``shape(dtype)`` is ``(p, u) -> (φ, φ')``; must be symmetric in the pair.
    geometry : Product or Distance
    p : tuple
        Parameters, in the number type of ``x``.
    x : (N, D) array
        Targets.
    c : (M,) array
        Coefficients of the sources.
    y : (M, D) array, optional
        Sources; default: the targets, each pair evaluated once.

    Returns
    -------
    total : (N,) array
    pull : (N, D) array
    """
    count, dim = x.shape
    symmetric = y is None
    size = blocks.block_size(len(c))  # of sources: a few in a large block are mostly padding
    if y is None:
        targets = sources = blocks.pack(x, c, size)
    else:
        targets, sources = blocks.pack(x, np.zeros(count, x.dtype), size), blocks.pack(y, c, size)
    plan = blocks.schedule(len(targets), len(sources), symmetric)
    width = (dim + 1) * size
    number: Any = x.dtype.type
    drive = compiled(shape(number), geometry, dim, size, number)
    room = 2 * width + ROWS * size
    out = plan.sums(drive, x.dtype, width, room, p, targets, sources, symmetric, count)
    found = blocks.unpack(out, count, dim + 1)
    return found[:, dim], found[:, :dim]
