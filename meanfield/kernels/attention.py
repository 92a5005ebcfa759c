"""Self-attention as an interaction of particles: means weighted by e^{β⟨Q x_i, K y_j⟩}.

All sums are over sources y_j with masses m_j, and linear maps stay outside of them: Q and K fold
into the targets, q_i = KᵀQ x_i, and V is applied to what was summed. What remains,

    S_i = Σ_j m_j e^{β⟨q_i, y_j⟩ - s},      H_i = Σ_j m_j e^{β⟨q_i, y_j⟩ - s} y_j,

is the work of `fused` in few dimensions and of `tiles` in many: where the sources are the targets,
every exponential serves both of a pair. A softmax is H_i/S_i whatever s is, and one s serves all
rows as long as none of them overflows or vanishes: s = 0 where exponents are moderate; s = β on
the sphere, at any β ≥ 0, as every token sees itself with weight one. Otherwise a running maximum
finds an s for each row.

References
----------
B. Geshkovski, C. Letrouit, Y. Polyanskiy, P. Rigollet, A mathematical perspective on
transformers, 2023, equations (SA) and (USA).
M. Milakov, N. Gimelshein, Online normalizer calculation for softmax, 2018 (running maximum).
"""

from __future__ import annotations

import functools
import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from meanfield.arrays import Array, as_floats
from meanfield.errors import require
from meanfield.kernels import blocks, fused, tiles
from meanfield.kernels.blas import single_threaded
from meanfield.kernels.choices import FUSED_DIM, Choice
from meanfield.kernels.compile import jit, prange, threads
from meanfield.kernels.counter import counter, take
from meanfield.kernels.elementary import exp, exp2

PATHS = ("fused", "tiles", "streaming")
# Exponents up to this size are moderate, and a row may be as much smaller than another. exp is 0
# below -708 (float32: -86.5), so that what such a row loses is e^-108 (e^-26) of its sum.
RANGE = {np.dtype(np.float64): 600.0, np.dtype(np.float32): 60.0}


def choose(dim: int, dtype: Any = np.float64, spread: float = 0.0) -> Choice:
    """The path of an attention.

    Parameters
    ----------
    dim : int
        Dimension of the sources.
    dtype : type of number
    spread : float
        Size of the largest exponent. For unnormalised sums 0; for tokens that see themselves and
        β > 0 only how far β|x|² is below its largest value, so that on the sphere it is 0 too.

    Returns
    -------
    Choice
        "fused", "tiles" or "streaming".
    """
    limit = RANGE[np.dtype(dtype)]
    if not spread <= limit:
        why = f"exponents spread over {spread:.3g} > {limit:g}: a running maximum for each row"
        return Choice("streaming", why)
    if dim > FUSED_DIM:
        return Choice("tiles", f"d = {dim} > {FUSED_DIM}: matrix products beat one fused loop")
    return Choice("fused", f"d = {dim} ≤ {FUSED_DIM}: one loop, coordinates in registers")


def attention(
    x: ArrayLike,
    beta: float,
    *,
    sources: ArrayLike | None = None,
    mass: ArrayLike | None = None,
    normalised: bool = True,
    query: ArrayLike | None = None,
    key: ArrayLike | None = None,
    value: ArrayLike | None = None,
    tangent: bool = False,
    path: str | None = None,
) -> Array:
    """What every token takes from all tokens: SA, or USA where ``normalised`` is false.

    With the weights ``A_ij = m_j exp(beta <Q x_i, K y_j>)``, USA is ``sum_j A_ij V y_j``, and SA
    is USA divided by ``sum_j A_ij``. Memory is O(N d).

    Parameters
    ----------
    x : (N, d) array
        Tokens, on the unit sphere or not; float32 stays float32.
    beta : float
        Inverse temperature, of either sign. SA overflows at none; a row of USA is not finite where
        one of its exponentials overflows, beyond exponents of 709 (float32: 88).
    sources : (M, d') array, optional
        Tokens y that are looked at; default: x itself, each pair evaluated once.
    mass : (M,) array, optional
        m ≥ 0; default: 1/M each. SA does not change when all are multiplied by one number.
    normalised : bool
        Divide by the sum of the weights.
    query, key : (h, d) and (h, d') arrays, optional
        Q and K; default: the identity.
    value : (p, d') array, optional
        V; default: the identity.
    tangent : bool
        Project on the tangent space, ``P_x v = v - <v, x> x / |x|²`` (for p = d; P_0 v = v).
    path : {"fused", "tiles", "streaming"}, optional
        The algorithm; default: what `choose` says.

    Returns
    -------
    (N, p) array
        Of the type of ``x``. A NaN in a source or mass makes all rows NaN, one in a target its own.

    Raises
    ------
    InvalidInput
        Shapes do not fit, masses are negative, or a softmax has nothing to look at; or the path
        asked for cannot do it.

    References
    ----------
    B. Geshkovski, C. Letrouit, Y. Polyanskiy, P. Rigollet, A mathematical perspective on
    transformers, 2023, equations (SA) and (USA).
    """
    floats = as_floats(x)
    dtype = floats.dtype
    tokens = _matrix("x", floats, dtype)
    itself = sources is None or sources is x
    seen = tokens if itself else _matrix("sources", sources, dtype)
    matrix = None if value is None else _matrix("value", value, dtype, columns=seen.shape[1])
    if tangent:
        rows = seen.shape[1] if matrix is None else len(matrix)
        require(rows == tokens.shape[1], "tangent", True, "a value in the space of x")
    require(math.isfinite(beta), "beta", beta, "a finite number")
    if normalised:
        some = len(seen) > 0 or len(tokens) == 0
        require(some, "sources.shape", seen.shape, "at least one row for a softmax")
    weights = _weights(mass, len(seen), normalised, dtype)
    symmetric = itself and query is None and key is None

    # What is not finite stays so without a word, as in compiled code.
    with np.errstate(all="ignore"), single_threaded():
        looking = _looking(tokens, seen.shape[1], query, key)
        exponents = _exponents(looking, seen, weights, beta, symmetric, normalised)
        if path is None:
            path = choose(seen.shape[1], dtype, exponents.spread).path
        _require_able(path, normalised, exponents.spread, dtype)
        total, found = _sums(path, looking, None if symmetric else seen, weights, beta, exponents)
        if normalised:
            found = found / total[:, None]
        if matrix is not None:
            found = found @ matrix.T
        return np.ascontiguousarray(_project(found, tokens) if tangent else found)


def _matrix(
    name: str, values: Any, dtype: Any, rows: int | None = None, columns: int | None = None
) -> Array:
    """A contiguous matrix, of so many rows and columns where they are told."""
    array = np.ascontiguousarray(values, dtype)
    fits = (
        array.ndim == 2
        and array.shape[1] > 0
        and rows in (None, array.shape[0])
        and columns in (None, array.shape[1])
    )
    shape = ", ".join("any" if size is None else str(size) for size in (rows, columns))
    require(fits, f"{name}.shape", np.shape(values), f"({shape})")
    return array


def _weights(mass: ArrayLike | None, count: int, normalised: bool, dtype: Any) -> Array:
    """Masses; in a softmax, where their scale has no effect, the largest is 1."""
    if mass is None:
        return np.full(count, 1.0 if normalised else 1.0 / max(count, 1), dtype)
    array = np.asarray(mass, dtype=float)
    require(array.shape == (count,), "mass.shape", array.shape, f"({count},)")
    require(not (array < 0).any(), "mass", array, "numbers ≥ 0")
    if normalised:
        largest = array.max(initial=0.0)
        require(largest != 0 or count == 0, "mass", array, "a number > 0 for a softmax")
        array = array / largest
    return array.astype(dtype)


def _looking(tokens: Array, width: int, query: Any, key: Any) -> Array:
    """Targets KᵀQ x, to be paired with sources of a width."""
    looking, dtype = tokens, tokens.dtype
    if query is not None:
        rows = width if key is None else None
        looking = looking @ _matrix("query", query, dtype, rows, looking.shape[1]).T
    if key is not None:
        looking = looking @ _matrix("key", key, dtype, looking.shape[1], width)
    require(looking.shape[1] == width, "sources.shape[1]", width, str(looking.shape[1]))
    return np.ascontiguousarray(looking)


class _Exponents(NamedTuple):
    """How β⟨q, y⟩ becomes a weight: a shape with its parameters, and the spread of `choose`."""

    shape: Any
    parameters: tuple[float, ...]
    spread: float


def _exponents(
    looking: Array, seen: Array, weights: Array, beta: float, symmetric: bool, normalised: bool
) -> _Exponents:
    """The shape that is safe for these tokens."""
    squares = np.einsum("ij,ij->i", looking, looking)
    most = float(squares.max(initial=0.0))
    others = squares if symmetric else np.einsum("ij,ij->i", seen, seen)
    bound = abs(beta) * math.sqrt(most) * math.sqrt(float(others.max(initial=0.0)))
    if bound <= RANGE[looking.dtype]:
        return _Exponents(_plain, (beta / math.log(2.0),), 0.0)
    if not normalised:
        return _Exponents(_shifted, (beta, 0.0), 0.0)
    if symmetric and beta > 0:
        # No exponent is above β max|x|² (Cauchy–Schwarz), and a row is at least its own term.
        below = beta * (most - squares) - np.log(weights)
        return _Exponents(_shifted, (beta, beta * most), float(below.max()))
    return _Exponents(None, (), bound)


def _require_able(path: str, normalised: bool, spread: float, dtype: Any) -> None:
    """Raise `InvalidInput` where the path would not give the sums."""
    require(path in PATHS, "path", path, f"one of {', '.join(PATHS)}")
    if path == "streaming":
        require(normalised, "path", path, "another path for unnormalised sums")
    else:
        able = not spread > RANGE[dtype]
        require(able, "path", path, f"'streaming', as exponents spread over {spread:.3g}")


def _sums(
    path: str,
    looking: Array,
    seen: Array | None,
    weights: Array,
    beta: float,
    exponents: _Exponents,
) -> tuple[Array, Array]:
    """S and H; ``seen`` is None where the targets look at each other."""
    number: Any = looking.dtype.type
    if path == "streaming":
        return _stream(looking, looking if seen is None else seen, weights, beta)
    p = tuple(map(number, exponents.parameters))
    if path == "fused":
        return fused.sums(exponents.shape, fused.Product, p, looking, weights, seen)
    single = np.zeros((len(looking), 1), number)
    total, pull = tiles.sums(exponents.shape, p, looking, single, weights[:, None], seen)
    return total[:, 0], pull


@functools.cache
def _plain(dtype: Any) -> Any:
    """φ = φ' = 2^(pu), where that is known to be in range."""

    @jit(inline=True)
    def shape(p, u):
        weight = exp2(p[0] * u)
        return weight, weight

    return shape


@functools.cache
def _shifted(dtype: Any) -> Any:
    """φ = φ' = e^{βu - s}."""

    @jit(inline=True)
    def shape(p, u):
        weight = exp(p[0] * u - p[1])
        return weight, weight

    return shape


@functools.cache
def _streaming(dtype: Any) -> Any:
    """S and H with a running maximum; log m_j is part of the exponents.

    A tile has one row for each source, so that maxima and sums over sources are element by
    element: vectors, and NaN as usual.
    """
    lowest = dtype(np.finfo(dtype).min)  # not -∞: no maximum yet, and differences are numbers

    @jit
    def rise(exponent, beta, bias, top):
        for i in range(top.shape[0]):
            exponent[i] = beta * exponent[i] + bias
            top[i] = exponent[i] if exponent[i] > top[i] else top[i]

    @jit
    def weigh(exponent, top, total):
        for i in range(top.shape[0]):
            exponent[i] = exp(exponent[i] - top[i])
            total[i] += exponent[i]

    @jit
    def block(beta, x, y, bias, size, total, pull):
        top = np.full(x.shape[0], lowest, x.dtype)
        before = np.empty_like(top)
        room = np.empty((size, x.shape[0]), x.dtype)
        part = np.empty_like(pull)
        for j in range(0, y.shape[0], size):
            some = y[j : j + size]
            tile = room[: some.shape[0]]
            np.dot(some, x.T, tile)
            before[:] = top
            for r in range(tile.shape[0]):
                rise(tile[r], beta, bias[j + r], top)
            for i in range(x.shape[0]):
                before[i] = exp(before[i] - top[i])
                total[i] *= before[i]
            for r in range(tile.shape[0]):
                weigh(tile[r], top, total)
            np.dot(tile.T, some, part)
            for i in range(x.shape[0]):
                row, more = pull[i], part[i]
                for k in range(row.shape[0]):
                    row[k] = before[i] * row[k] + more[k]

    @jit(parallel=True)
    def drive(workers, rows, beta, x, y, bias, size, total, pull):
        for _ in prange(workers):
            i = take(rows) * size
            while i < x.shape[0]:
                own = slice(i, i + size)
                block(beta, x[own], y, bias, size, total[own], pull[own])
                i = take(rows) * size

    return drive


def _stream(x: Array, y: Array, weights: Array, beta: float) -> tuple[Array, Array]:
    """S and H of ``_streaming``, each row up to a factor of its own."""
    number: Any = x.dtype.type
    total, pull = np.zeros(len(x), number), np.zeros((len(x), y.shape[1]), number)
    drive, size = _streaming(number), blocks.block_size(len(x))
    drive(threads(), counter(), number(beta), x, y, np.log(weights), size, total, pull)
    return total, pull


def _project(found: Array, tokens: Array) -> Array:
    """P_x of every row."""
    squares = np.einsum("ij,ij->i", tokens, tokens)
    along = np.einsum("ij,ij->i", found, tokens) / np.where(squares == 0, 1, squares)
    return found - along[:, None] * tokens
