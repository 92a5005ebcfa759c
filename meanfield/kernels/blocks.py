"""Particles in blocks, and who sums what: the schedule that all O(N²) kernels share.

Particles are cut into blocks of constant size. A *unit* of work is one block of targets against
one block of sources; where sources are the targets, one unit serves both blocks, and every
unordered pair of blocks is visited once. Units are dealt to *lanes* in a fixed order; a lane owns
a buffer for the blocks that it touches and sums into it, and at the end the buffers are added in
the order of the lanes. So one parallel launch does everything, results have the same bits on any
number of threads, and memory is O(N) per lane.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from meanfield.kernels.compile import jit, prange, threads
from meanfield.kernels.counter import counter, take
from meanfield.kernels.scratch import scratch

# Threads divide lanes evenly when there are 1, 2, 3, 4, 6, 8, 12 or 24 of them. More lanes cost
# memory (half a copy of the result each) and a longer last sum.
LANES = 24
# Among so few blocks, a lane that serves both of a pair has three units at least, as its buffers
# cost as much as one: at N = 1,000, d = 100 a tenth of the time.
FEW = 12
# Particles per block. Large blocks pay their start-up once, small ones leave work for all lanes:
# at N = 1,000 blocks of 128 are 1.3 times faster on 4 threads than 256, from 2,000 on slower.
BLOCKS = ((2048, 256), (512, 128), (0, 64))


def block_size(count: int) -> int:
    """Particles per block: a function of their number alone, as it decides the last bits."""
    return next(size for least, size in BLOCKS if count >= least)


@dataclass(frozen=True)
class Schedule:
    """Units of work, and the lanes that they are dealt to.

    Attributes
    ----------
    pairs : (units, 2) array
        Block of targets, block of sources.
    first : (lanes + 1,) array
        Lane l does the units ``first[l]`` to ``first[l + 1] - 1``.
    base, span : (lanes,) arrays
        Lane l touches blocks ``base[l]`` to ``base[l] + span[l] - 1``, counted round a circle.
    blocks : int
        Blocks of targets.
    """

    pairs: NDArray[np.int64]
    first: NDArray[np.int64]
    base: NDArray[np.int64]
    span: NDArray[np.int64]
    blocks: int

    def sums(self, drive: Any, dtype: Any, width: int, room: int, *arguments: Any) -> NDArray:
        """What all lanes together sum for each block.

        Parameters
        ----------
        drive : compiled function
            Made by `driver`.
        dtype : data type
        width : int
            Numbers that are summed for a block.
        room : int
            Numbers that a lane needs to work with.
        *arguments
            p, targets, sources, symmetric and the last one of ``run``: see `driver`.

        Returns
        -------
        (blocks, width) array
        """
        lanes = len(self.base)
        buffers = lanes, max(1, int(self.span.max())), width
        rooms = lanes, -(-room // 16) * 16  # whole cache lines
        out = np.empty((self.blocks, width), dtype)
        with scratch(dtype, buffers, rooms) as space:
            plan = self.pairs, self.first, self.base
            drive(threads(), counter(), *arguments, *plan, *space)
            gather(space[0], self, out)
        return out


@functools.lru_cache(maxsize=32)
def schedule(targets: int, sources: int, symmetric: bool) -> Schedule:
    """Deal all pairs of blocks.

    Parameters
    ----------
    targets, sources : int
        Numbers of blocks.
    symmetric : bool
        Sources are the targets: block I meets blocks I, I + 1, … half-way round a circle, so that
        a lane, which takes consecutive I, touches little more than half of the blocks.
    """
    if symmetric:
        reach = targets // 2 + 1
        i = np.repeat(np.arange(targets), reach)
        k = np.tile(np.arange(reach), targets)
        # Half-way round an even circle, I meets J and J meets I: once is enough.
        once = (2 * k != targets) | (i < targets // 2)
        i, k = i[once], k[once]
        pairs = np.column_stack([i, (i + k) % targets])
        farthest = i + k
    else:
        i = np.repeat(np.arange(targets), sources)
        pairs = np.column_stack([i, np.tile(np.arange(sources), targets)])
        farthest = i
    units = len(pairs)
    few = symmetric and targets <= FEW
    lanes = max(1, min(LANES, -(-units // 3) if few else units))
    first = np.arange(lanes + 1) * units // lanes
    base = pairs[first[:-1], 0] if units else np.zeros(lanes, dtype=np.int64)
    span = np.array(
        [farthest[a:b].max() + 1 - i for a, b, i in zip(first, first[1:], base, strict=False)]
        if units
        else [0]
    )
    return Schedule(pairs, first, base, np.minimum(span, targets), targets)


def driver(run: Any) -> Any:
    """The parallel loop over the lanes.

    Parameters
    ----------
    run : compiled function
        ``run(p, targets, sources, symmetric, size, pairs, base, buffer, room)`` does the units
        of one lane; what ``size`` is, of a block or of all targets, is its own affair.
    """

    @jit(parallel=True)
    def drive(
        workers, lanes, p, targets, sources, symmetric, size, pairs, first, base, buffers, rooms
    ):
        for _ in prange(workers):
            lane = take(lanes)
            while lane < base.shape[0]:
                start, stop = first[lane], first[lane + 1]
                run(
                    *(p, targets, sources, symmetric, size),
                    *(pairs[start:stop], base[lane], buffers[lane], rooms[lane]),
                )
                lane = take(lanes)

    return drive


def pack(columns: NDArray, coefficient: NDArray, size: int) -> NDArray:
    """Lay particles out block by block, one coordinate after the other.

    The last particle, without its coefficient, fills the last block: where sums over pairs are
    finite, so are they with it.

    Parameters
    ----------
    columns : (N, D) array
    coefficient : (N,) array
        Becomes row D.
    size : int
        Particles per block.

    Returns
    -------
    (blocks, (D + 1) * size) array
    """
    count, dim = columns.shape
    blocks = -(-count // size)
    packed = np.zeros((blocks, dim + 1, size), columns.dtype)
    whole = count // size
    split = whole * size
    packed[:whole, :dim] = columns[:split].reshape(whole, size, dim).transpose(0, 2, 1)
    packed[:whole, dim] = coefficient[:split].reshape(whole, size)
    if split < count:
        packed[whole, :dim] = columns[-1][:, None]
        packed[whole, :dim, : count - split] = columns[split:].T
        packed[whole, dim, : count - split] = coefficient[split:]
    return packed.reshape(blocks, (dim + 1) * size)


def unpack(packed: NDArray, count: int, rows: int) -> NDArray:
    """Undo the layout of `pack`: (blocks, rows * size) to (count, rows)."""
    blocks = packed.reshape(len(packed), rows, packed.shape[1] // rows)
    return blocks.transpose(0, 2, 1).reshape(-1, rows)[:count]


@jit
def _gather_block(buffers, base, span, block, out):
    row = out[block]
    row[:] = 0
    for lane in range(base.shape[0]):
        slot = (block - base[lane]) % out.shape[0]
        if slot < span[lane]:
            part = buffers[lane, slot]
            for q in range(row.shape[0]):
                row[q] += part[q]


@jit
def _gather_alone(buffers, base, span, out):
    for block in range(out.shape[0]):
        _gather_block(buffers, base, span, block, out)


@jit(parallel=True)
def _gather_together(buffers, base, span, out):
    for block in prange(out.shape[0]):
        _gather_block(buffers, base, span, np.int64(block), out)


def gather(buffers: NDArray, plan: Schedule, out: NDArray) -> None:
    """Add the buffers of the lanes (lanes, slots, width), in order; ``out`` is (blocks, width)."""
    # Waking threads takes 0.1 ms, in which one of them adds so many bytes.
    add = _gather_alone if buffers.nbytes < 1 << 20 else _gather_together
    add(buffers, plan.base, plan.span, out)
