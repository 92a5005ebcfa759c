"""All pairs of particles in many dimensions: u = |x - y|² from differences, in groups of columns.

The sums are those of `meanfield.kernels.fused` with `Distance`, where coordinates and sums no
longer fit into registers. Two rows at a time meet a block of sources, in three loops: over groups
of `GROUP` coordinates for u, over the shape, and over the groups again for what is received and
given. A matrix product would be as fast (|x|² + |y|² - 2⟨x, y⟩; float64, d = 10 to 100), but lose
the digits of near pairs: here every difference is taken before it is squared.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from meanfield.kernels import blocks
from meanfield.kernels.compile import jit
from meanfield.kernels.fused import Distance, _coordinates

GROUP = 4  # coordinates; with two rows, eight sums stay in registers
SIZE = 128  # particles in a block; a group and its sums are 8 kB


@functools.cache
def _exchange(last: int) -> Any:
    """One source against two rows: adds to their sums, and to the block's own."""

    @jit(inline=True, reorder=True)
    def here(sums, forth, back, x, z, group, j):
        y = group[last * SIZE + j]
        first, second = x[last] - y, z[last] - y
        group[(GROUP + last) * SIZE + j] -= back[0] * first + back[1] * second
        return sums[2 * last] + forth[0] * first, sums[2 * last + 1] + forth[1] * second

    if last == 0:
        return here
    rest = _exchange(last - 1)

    @jit(inline=True, reorder=True)
    def evaluate(sums, forth, back, x, z, group, j):
        return (
            *rest(sums, forth, back, x, z, group, j),
            *here(sums, forth, back, x, z, group, j),
        )

    return evaluate


@functools.cache
def compiled(shape: Any, dtype: Any) -> Any:
    """The loops for one shape and type of number, in any dimension."""
    read = _coordinates(GROUP - 1, SIZE)
    square = Distance.invariant(GROUP - 1, SIZE)
    exchange_pair = _exchange(GROUP - 1)
    zero = dtype(0)
    nothing = (zero,) * (2 * GROUP)
    width = GROUP * SIZE
    # Rows of the scratch: c and sums of the block, then for both rows c φ' and own φ' (first u).
    values, forth, back = SIZE, 2 * SIZE, 4 * SIZE

    @jit(reorder=True)
    def measure(x, z, group, scratch):
        for j in range(SIZE):
            scratch[back + j] += square(x, group, j)
            scratch[back + SIZE + j] += square(z, group, j)

    @jit(reorder=True)
    def transform(p, own, scratch):
        first, second = zero, zero
        for j in range(SIZE):
            c = scratch[j]
            value, slope = shape(p, scratch[back + j])
            other, incline = shape(p, scratch[back + SIZE + j])
            first += c * value
            second += c * other
            scratch[values + j] += own[0] * value + own[1] * other
            scratch[forth + j] = c * slope
            scratch[forth + SIZE + j] = c * incline
            scratch[back + j] = own[0] * slope
            scratch[back + SIZE + j] = own[1] * incline
        return first, second

    @jit(reorder=True)
    def exchange(x, z, group, scratch):
        sums = nothing
        for j in range(SIZE):
            to_rows = scratch[forth + j], scratch[forth + SIZE + j]
            to_block = scratch[back + j], scratch[back + SIZE + j]
            sums = exchange_pair(sums, to_rows, to_block, x, z, group, j)
        return sums

    @jit
    def meet(p, here, there, groups, rows, block, scratch, at_here):
        """Also sums for the block, in every second half of a group and in the scratch."""
        for g in range(groups):
            block[2 * g * width : (2 * g + 1) * width] = there[g * width : (g + 1) * width]
            block[(2 * g + 1) * width : (2 * g + 2) * width] = zero
        scratch[:SIZE] = there[groups * width :]
        scratch[values : values + SIZE] = zero
        mass = here[groups * width :]
        total = at_here[groups * width :]
        for i in range(0, rows, 2):  # beyond the last row there is one without weight
            scratch[back:] = zero
            for g in range(groups):
                own = here[g * width : (g + 1) * width]
                group = block[2 * g * width : (2 * g + 2) * width]
                measure(read(own, i), read(own, i + 1), group, scratch)
            first, second = transform(p, (mass[i], mass[i + 1]), scratch)
            total[i] += first
            total[i + 1] += second
            for g in range(groups):
                own = here[g * width : (g + 1) * width]
                group = block[2 * g * width : (2 * g + 2) * width]
                sums = exchange(read(own, i), read(own, i + 1), group, scratch)
                for k in range(GROUP):
                    at_here[g * width + k * SIZE + i] += sums[2 * k]
                    at_here[g * width + k * SIZE + i + 1] += sums[2 * k + 1]

    @jit
    def hand_over(groups, block, scratch, at_there):
        for g in range(groups):
            given = block[(2 * g + 1) * width : (2 * g + 2) * width]
            out = at_there[g * width : (g + 1) * width]
            for q in range(width):
                out[q] += given[q]
        total = at_there[groups * width :]
        for j in range(SIZE):
            total[j] += scratch[values + j]

    @jit
    def run(p, targets, sources, symmetric, count, pairs, base, buffer, room):
        buffer[:] = zero
        groups = targets.shape[1] // width
        scratch, block = room[: 6 * SIZE], room[6 * SIZE :]
        for unit in range(pairs.shape[0]):
            i, j = pairs[unit, 0], pairs[unit, 1]
            rows = min(SIZE, count - i * SIZE)
            at_i = buffer[(i - base) % targets.shape[0]]
            meet(p, targets[i], sources[j], groups, rows, block, scratch, at_i)
            if symmetric and i != j:
                hand_over(groups, block, scratch, buffer[(j - base) % targets.shape[0]])

    return blocks.driver(run)


def sums(
    shape: Any,
    p: tuple[Any, ...],
    x: np.ndarray,
    c: np.ndarray,
    y: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """S and H of `meanfield.kernels.fused`; parameters as in `fused.sums`."""
    count, dim = x.shape
    columns = -(-dim // GROUP) * GROUP
    if y is None:
        targets = sources = blocks.pack(_widened(x, columns), c, SIZE)
    else:
        targets = blocks.pack(_widened(x, columns), np.zeros(count, x.dtype), SIZE)
        sources = blocks.pack(_widened(y, columns), c, SIZE)
    plan = blocks.schedule(len(targets), len(sources), y is None)
    width = (columns + 1) * SIZE
    number: Any = x.dtype.type
    drive = compiled(shape(number), number)
    room = (6 + 2 * columns) * SIZE
    out = plan.sums(drive, x.dtype, width, room, p, targets, sources, y is None, count)
    found = blocks.unpack(out, count, columns + 1)
    return found[:, columns], found[:, :dim]


def _widened(x: np.ndarray, columns: int) -> np.ndarray:
    """Columns of zeros, which add nothing to a distance, make groups whole."""
    return np.pad(x, ((0, 0), (0, columns - x.shape[1])))
