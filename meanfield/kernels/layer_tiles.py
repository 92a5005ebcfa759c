"""A layer of neurons in tiles: a block of neurons against a block of samples.

Forward, a tile is one matrix product and one vectorised pass; what the way back needs of it is
kept. Backward, it is one pass and one product. Three kinds of tiles differ in what they keep:

`values`
    Any activation, any number of outputs: the pre-activations z.
`signs`
    One output, and s(z) = z s'(z) with two slopes (ReLU and its relatives): a byte, z > 0. With
    g the residuals, Σ g s(z) = <w, Σ g s'(z) x> + b Σ g s'(z) by Euler's identity, so that the
    way back needs neither z nor s.
`sign_loops`
    The same for few input coordinates, without BLAS, whose products are slow there.

Samples of a block are contiguous in a tile, neurons are its rows. In both passes a lane is a run
of blocks of neurons, and owns what it writes: outputs of its own, which are added afterwards, and
what pulls on its neurons. So results have the same bits on any number of threads; and a lane
reads its weights, block of samples after block of samples, from its own cache.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import numpy as np
from numba import from_dtype
from numba.cpython.unsafe.tuple import tuple_setitem
from numba.np.unsafe.ndarray import to_fixed_tuple

from meanfield.kernels.compile import DISABLED, jit, prange
from meanfield.kernels.counter import take
from meanfield.kernels.pointers import address, call
from meanfield.kernels.precision import in_precision

# Samples per block of `sign_loops`, where it must be a constant.
STRIDE = 256
# The compiler unrolls a loop over so many coordinates, and no more.
UNROLLED = 8


def _replaced(values: tuple[Any, ...], index: int, value: Any) -> tuple[Any, ...]:
    return (*values[:index], value, *values[index + 1 :])


def _fixed(values: Any, count: int) -> tuple[Any, ...]:
    return tuple(values[:count])


# A tuple with one entry changed (what is only ever changed so becomes registers), and one of an
# array of known size.
replace: Any = _replaced if DISABLED else tuple_setitem
fixed: Any = _fixed if DISABLED else to_fixed_tuple


@jit
def _blocks(count, size):
    return (count + size - 1) // size


@jit
def _part(flat, rows, columns):
    """The beginning of a flat buffer, as a matrix."""
    return flat[: rows * columns].reshape((rows, columns))


@jit
def _add_product(first, second, total):
    part = np.empty_like(total)
    np.dot(first, second, part)
    for i in range(total.shape[0]):
        row, more = total[i], part[i]
        for j in range(row.shape[0]):
            row[j] += more[j]


@jit
def _transpose(x, xt):
    for i in range(xt.shape[0]):
        row = xt[i]
        for j in range(xt.shape[1]):
            row[j] = x[j, i]


@jit(parallel=True)
def pack(x, columns, xt):
    """Write each block of samples (m, d) as (d, m) into the flat array `xt`."""
    count, dim = x.shape
    for block in prange(_blocks(count, columns)):
        start = np.int64(block) * columns
        stop = min(count, start + columns)
        _transpose(x[start:stop], _part(xt[start * dim :], dim, stop - start))


@jit
def _ahead_lane(p, ahead, xt, w, b, c, count, rows, columns, start, stop, kept, spare, f):
    dim = w.shape[1]
    loose = np.empty(rows * columns, kept.dtype)
    for j in range(_blocks(count, columns)):
        first, last = j * columns, min(count, (j + 1) * columns)
        part = _part(xt[first * dim :], dim, last - first)
        total = np.zeros((c.shape[1], last - first), w.dtype)
        for i in range(start, stop):
            own = slice(i * rows, min(w.shape[0], (i + 1) * rows))
            tile = kept[i, j] if kept.size else loose
            tile = _part(tile, own.stop - own.start, last - first)
            call(ahead, (p, part, w[own], b[own], c[own], tile, spare, total))
        for q in range(total.shape[0]):
            row, found = f[q], total[q]
            for m in range(found.shape[0]):
                row[first + m] = found[m]


@jit(parallel=True)
def forward(workers, lanes, p, ahead, xt, w, b, c, count, rows, columns, each, kept, spares, f):
    """Outputs of a panel: those of lane l, (k, n), are written to ``f[l]``."""
    blocks = _blocks(w.shape[0], rows)
    for _ in prange(workers):
        lane = take(lanes)
        while lane < f.shape[0]:
            start = lane * each
            stop = min(blocks, start + each)
            _ahead_lane(
                *(p, ahead, xt, w, b, c, count, rows, columns, start, stop),
                *(kept, spares[lane], f[lane]),
            )
            lane = take(lanes)


@jit
def _back_lane(
    p,
    back,
    finish,
    x,
    xt,
    w,
    b,
    a,
    g,
    rows,
    columns,
    start,
    stop,
    kept,
    spare,
    last,
    outer,
    inner,
    bias,
):
    count, dim = x.shape
    for j in range(_blocks(count, columns)):
        seen = slice(j * columns, min(count, (j + 1) * columns))
        width = seen.stop - seen.start
        part = _part(xt[seen.start * dim :], dim, width)
        for i in range(start, stop):
            own = slice(i * rows, min(w.shape[0], (i + 1) * rows))
            tile = _part(kept[i, j], own.stop - own.start, width)
            operands = (p, x[seen], part, w[own], a[own], g[seen], tile, spare)
            call(back, (*operands, outer[own], inner[own], bias[own]))
    if last:
        own = slice(start * rows, min(w.shape[0], stop * rows))
        call(finish, (w[own], b[own], a[own], outer[own], inner[own], bias[own]))


@jit(parallel=True)
def backward(
    workers,
    lanes,
    p,
    back,
    finish,
    x,
    xt,
    w,
    b,
    a,
    g,
    rows,
    columns,
    each,
    kept,
    spares,
    last,
    outer,
    inner,
    bias,
):
    """Add to `outer`, `inner` and `bias` what a panel pulls; complete them if it is the last."""
    blocks = _blocks(w.shape[0], rows)
    for _ in prange(workers):
        lane = take(lanes)
        while lane < _blocks(blocks, each):
            start = lane * each
            stop = min(blocks, start + each)
            _back_lane(
                *(p, back, finish, x, xt, w, b, a, g, rows, columns, start, stop),
                *(kept, spares[lane], last, outer, inner, bias),
            )
            lane = take(lanes)


class Tiles(NamedTuple):
    """A kind of tiles, as the passes call it.

    Attributes
    ----------
    ahead : address
        ``ahead(p, xt, w, b, c, kept, spare, f)`` adds a block of neurons to the outputs (k, m) of
        a block of samples.
    back : address
        ``back(p, x, xt, w, a, g, kept, spare, outer, inner, bias)`` adds a block of samples to
        what pulls on a block of neurons.
    finish : address
        ``finish(w, b, a, outer, inner, bias)`` completes that.
    kept : dtype
        Of what `ahead` keeps for `back`.
    """

    ahead: Any
    back: Any
    finish: Any
    kept: Any


def _tiles(ahead: Any, back: Any, finish: Any, dtype: Any, kept: Any) -> Tiles:
    real, bits = from_dtype(np.dtype(dtype)), from_dtype(np.dtype(kept))
    vector, matrix, tile = real[::1], real[:, ::1], bits[:, ::1]
    return Tiles(
        address(ahead, (vector, matrix, matrix, vector, matrix, tile, vector, matrix)),
        address(back, (vector, *(matrix,) * 5, tile, vector, matrix, matrix, vector)),
        address(finish, (matrix, vector, matrix, matrix, matrix, vector)),
        kept,
    )


@functools.cache
def values(evaluate: Any, parameters: int, single: bool, dtype: Any) -> Tiles:
    """Tiles of an activation with so many parameters; `single` for one output."""
    evaluate = in_precision(evaluate, dtype)
    factory = _one_output if single else _several_outputs
    return _tiles(*factory(evaluate, parameters), dtype, kept=dtype)


def _one_output(evaluate: Any, parameters: int) -> tuple[Any, Any, Any]:
    @jit(reorder=True)
    def ahead(p, xt, w, b, c, kept, spare, f):
        constants, output = fixed(p, parameters), f[0]
        np.dot(w, xt, kept)
        for i in range(kept.shape[0]):
            z, shift, weight = kept[i], b[i], c[i, 0]
            for j in range(z.shape[0]):
                z[j] += shift
                output[j] += weight * evaluate(constants, z[j])[0]

    @jit(reorder=True)
    def back(p, x, xt, w, a, g, kept, spare, outer, inner, bias):
        constants, residual = fixed(p, parameters), g.reshape(g.shape[0])
        tile = _part(spare, *kept.shape)
        for i in range(tile.shape[0]):
            z, pull = kept[i], tile[i]
            values = slopes = tile.dtype.type(0)
            for j in range(z.shape[0]):
                value, slope = evaluate(constants, z[j])
                values += residual[j] * value
                pull[j] = residual[j] * slope
                slopes += pull[j]
            outer[i, 0] += values
            bias[i] += slopes
        _add_product(tile, x, inner)

    return ahead, back, _finish_one_output


def _several_outputs(evaluate: Any, parameters: int) -> tuple[Any, Any, Any]:
    @jit(reorder=True)
    def ahead(p, xt, w, b, c, kept, spare, f):
        constants, tile = fixed(p, parameters), _part(spare, *kept.shape)
        np.dot(w, xt, kept)
        for i in range(tile.shape[0]):
            z, shift, s = kept[i], b[i], tile[i]
            for j in range(z.shape[0]):
                z[j] += shift
                s[j] = evaluate(constants, z[j])[0]
        _add_product(c.T, tile, f)

    @jit(reorder=True)
    def back(p, x, xt, w, a, g, kept, spare, outer, inner, bias):
        constants, values = fixed(p, parameters), _part(spare, *kept.shape)
        tile = _part(spare[kept.size :], *kept.shape)
        np.dot(a, np.ascontiguousarray(g.T), tile)
        for i in range(tile.shape[0]):
            z, s, pull = kept[i], values[i], tile[i]
            slopes = tile.dtype.type(0)
            for j in range(z.shape[0]):
                s[j], slope = evaluate(constants, z[j])
                pull[j] *= slope
                slopes += pull[j]
            bias[i] += slopes
        _add_product(values, g, outer)
        _add_product(tile, x, inner)

    return ahead, back, _finish_several_outputs


@jit
def _finish_one_output(w, b, a, outer, inner, bias):
    """What pulls on the inner weights is proportional to the outer one."""
    for i in range(a.shape[0]):
        row, factor = inner[i], a[i, 0]
        for q in range(row.shape[0]):
            row[q] *= factor
        bias[i] *= factor


@jit
def _finish_several_outputs(w, b, a, outer, inner, bias):
    pass


@jit(reorder=True)
def _euler(w, b, outer, inner, bias):
    """Σ g s(z) from Σ g s'(z) x and Σ g s'(z)."""
    for i in range(w.shape[0]):
        row, pull = w[i], inner[i]
        total = b[i] * bias[i]
        for q in range(row.shape[0]):
            total += row[q] * pull[q]
        outer[i, 0] = total
        # The bytes have no word for NaN.
        if total != total:
            bias[i] += total
            for q in range(row.shape[0]):
                pull[q] += total


@jit
def _finish_signs(w, b, a, outer, inner, bias):
    _euler(w, b, outer, inner, bias)
    _finish_one_output(w, b, a, outer, inner, bias)


@functools.cache
def signs(dtype: Any) -> Tiles:
    """Tiles of a function with two slopes; ``p`` is (slope on the left, slope on the right)."""

    @jit(reorder=True)
    def ahead(p, xt, w, b, c, kept, spare, f):
        left, right = p[0], p[1]
        tile, output, zero = _part(spare, *kept.shape), f[0], spare.dtype.type(0)
        np.dot(w, xt, tile)
        for i in range(tile.shape[0]):
            z, shift, weight, sign = tile[i], b[i], c[i, 0], kept[i]
            for j in range(z.shape[0]):
                t = z[j] + shift
                sign[j] = t > zero
                output[j] += weight * ((right if t > zero else left) * t)

    @jit(reorder=True)
    def back(p, x, xt, w, a, g, kept, spare, outer, inner, bias):
        left, right = p[0], p[1]
        residual, tile = g.reshape(g.shape[0]), _part(spare, *kept.shape)
        for i in range(tile.shape[0]):
            sign, pull = kept[i], tile[i]
            slopes = tile.dtype.type(0)
            for j in range(pull.shape[0]):
                pull[j] = residual[j] * (right if sign[j] else left)
                slopes += pull[j]
            bias[i] += slopes
        _add_product(tile, x, inner)

    return _tiles(ahead, back, _finish_signs, dtype, kept=np.uint8)


@functools.cache
def sign_loops(dim: int, dtype: Any) -> Tiles:
    """The same, with a loop over the samples in which all coordinates are registers.

    `dim` coordinates, of which the last may be missing in the arrays.
    """
    zero = dtype(0)
    nothing = (zero,) * dim
    first = min(dim, UNROLLED)

    @jit
    def spread(xt):
        """The block with its stride a constant, so that the compiler sees what does not overlap."""
        block = np.zeros((dim, STRIDE), xt.dtype)
        for q in range(xt.shape[0]):
            row, source = block[q], xt[q]
            for j in range(source.shape[0]):
                row[j] = source[j]
        return block

    @jit(reorder=True)
    def ahead(p, xt, weights, b, c, kept, spare, f):
        left, right = p[0], p[1]
        block, output, w = spread(xt), f[0], nothing
        for i in range(kept.shape[0]):
            row, shift, weight, sign = weights[i], b[i], c[i, 0], kept[i]
            for q in range(first):
                w = replace(w, q, row[q] if q < row.shape[0] else zero)
            for q in range(first, dim):
                w = replace(w, q, row[q] if q < row.shape[0] else zero)
            for j in range(sign.shape[0]):
                t = shift
                for q in range(first):
                    t += w[q] * block[q, j]
                for q in range(first, dim):
                    t += w[q] * block[q, j]
                sign[j] = t > zero
                output[j] += weight * ((right if t > zero else left) * t)

    @jit(reorder=True)
    def back(p, x, xt, w, a, g, kept, spare, outer, inner, bias):
        left, right = p[0], p[1]
        block, residual = spread(xt), g.reshape(g.shape[0])
        for i in range(kept.shape[0]):
            sign, row = kept[i], inner[i]
            slopes, sums = zero, nothing
            for j in range(sign.shape[0]):
                pull = residual[j] * (right if sign[j] else left)
                slopes += pull
                for q in range(first):
                    sums = replace(sums, q, sums[q] + pull * block[q, j])
                for q in range(first, dim):
                    sums = replace(sums, q, sums[q] + pull * block[q, j])
            bias[i] += slopes
            for q in range(row.shape[0]):
                row[q] += sums[q]

    return _tiles(ahead, back, _finish_signs, dtype, kept=np.uint8)
