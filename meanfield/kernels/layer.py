"""One layer of neurons on finite data: the output, and what pulls on each neuron.

The output of a sample needs all neurons, and the pull on a neuron all samples; so data go through
in panels. The outputs of a panel are computed, a callback turns them into residuals, and the
panel pulls on the neurons, with what its first pass has kept. Memory beyond the results is that
of one panel, however much data there is, and nothing is computed twice.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from meanfield.arrays import Array
from meanfield.errors import require
from meanfield.kernels import layer_tiles
from meanfield.kernels.blas import single_threaded
from meanfield.kernels.compile import threads
from meanfield.kernels.counter import counter
from meanfield.kernels.scratch import scratch

Path = Literal["values", "signs", "sign loops"]
Residual = Callable[[slice, Array], Array]

# Measured on ReLU, n = 2,000, N = 10,000, float64, one core of an AMD EPYC of 2024, with and
# without its AVX-512 in OpenBLAS.
# Up to so many coordinates, loops beat matrix products: 4 ms against 10 and 18 at d = 2, 13
# against 16 and 30 at d = 10; at d = 16 they lose.
LOOPS = 12
# Neurons and samples of a tile. Up to d = 43 OpenBLAS multiplies tiles of 96 x 240 without copying
# them, if it knows AVX-512 (below a million multiplications): at d = 30 in 35 ms, which takes 47
# in large tiles. These are better beyond: at d = 784 by 12 % than 128 x 240.
SMALL_TILE, MOST_PRODUCTS = (96, 240), 1_000_000
LARGE_TILES = {"signs": (448, 480), "values": (448, 240)}
# Runs of neurons, each the work of one thread at a time: 1, 2, 3, 4, 6, 8, 12 or 24 threads
# divide them evenly.
LANES = 24
# What a panel keeps should stay in the last cache if the weights do: k = 10, d = 64 takes 100 ms,
# and 110 in one panel. Else panels are as large as can be, as each of them reads all weights.
CACHE, LIMIT = 24 << 20, 256 << 20


@dataclass(frozen=True)
class Choice:
    """How a layer is computed.

    Attributes
    ----------
    path : {"values", "signs", "sign loops"}
        Kind of tiles; see `meanfield.kernels.layer_tiles`.
    why : str
    neurons, samples : int
        Size of a tile.
    panel : int
        How many samples go forward before they go backward.
    """

    path: Path
    why: str
    neurons: int
    samples: int
    panel: int


def choose(
    activation: Any,
    samples: int,
    dim: int,
    neurons: int,
    outputs: int,
    dtype: Any,
    path: Path | None = None,
) -> Choice:
    """How n samples of dimension d go through N neurons with k outputs.

    The answer depends on nothing but the arguments, as other tiles are another order of sums. A
    `path` that is given is taken.

    Raises
    ------
    InvalidInput
        If there is no such path, or it cannot take this layer.
    """
    two_slopes = activation.homogeneity == 1.0 and outputs == 1
    possible = {
        "sign loops": (two_slopes, f"one output, s(z) has two slopes, d ≤ {LOOPS}"),
        "signs": (two_slopes, f"one output, s(z) has two slopes, d > {LOOPS}"),
        "values": (True, "more than one output" if outputs > 1 else "s(z) of any shape"),
    }
    if path is None:
        path = ("sign loops" if dim <= LOOPS else "signs") if two_slopes else "values"
        why = possible[path][1]
    else:
        fits = [name for name in get_args(Path) if possible[name][0]]
        require(path in fits, "path", path, f"one of {', '.join(fits)}")
        why = "given"
    rows, columns = _tile(path, dim)
    # As many blocks of neurons in each lane, all of one size.
    blocks = LANES * max(1, -(-neurons // (LANES * rows)))
    rows = 8 * max(1, -(-neurons // (8 * blocks)))
    itemsize = np.dtype(dtype).itemsize
    width = neurons * (itemsize if path == "values" else 1) + (dim + LANES * outputs) * itemsize
    columns = max(1, min(columns, LIMIT // width))
    budget = CACHE if neurons * dim * itemsize < CACHE else LIMIT
    blocks = max(1, -(-samples // columns))
    panels = -(-blocks // max(1, budget // (width * columns)))
    return Choice(path, why, rows, columns, columns * -(-blocks // panels))


def _tile(path: Path, dim: int) -> tuple[int, int]:
    """Neurons and samples of a tile, at most."""
    neurons, samples = SMALL_TILE
    if path == "sign loops":
        return neurons, layer_tiles.STRIDE
    return SMALL_TILE if neurons * samples * dim <= MOST_PRODUCTS else LARGE_TILES[path]


def forward(
    activation: Any, x: Array, w: Array, b: Array, c: Array, *, path: Path | None = None
) -> Array:
    """Outputs ``f(x) = sum_i c_i s(<w_i, x> + b_i)``.

    Parameters
    ----------
    activation : Activation
    x : (n, d) array
        Inputs; rows of a larger array are not copied. All arrays are float64, or all float32,
        and so is the result.
    w, b : (N, d) and (N,) arrays
        Inner weights and biases.
    c : (N, k) array
        Outer weights times masses, m_i a_i.
    path : str, optional
        Instead of the one that `choose` finds best.

    Returns
    -------
    (n, k) array

    Raises
    ------
    InvalidInput
        If shapes or precisions do not fit together.
    """
    layer = _Layer(activation, x, w, b, c, path)
    f = np.empty((len(x), c.shape[1]), x.dtype)
    with single_threaded(), layer.room(keep=False):
        for rows in layer.panels():
            f[rows] = layer.forward(rows)
    return f


def pull(
    activation: Any,
    x: Array,
    w: Array,
    b: Array,
    c: Array,
    a: Array,
    residual: Residual,
    *,
    path: Path | None = None,
) -> tuple[Array, Array, Array]:
    """What the loss of the outputs does to each neuron.

    Parameters
    ----------
    activation, x, w, b, c, path
        As in `forward`.
    a : (N, k) array
        Outer weights, without masses.
    residual : callable
        ``residual(rows, f)``, called for one slice of the samples after the other, with their
        outputs (m, k), returns g (m, k): the weight of each sample times the derivative of its
        loss in f.

    Returns
    -------
    outer : (N, k) array
        ``sum_x g(x) s(z_i(x))``.
    inner : (N, d) array
        ``sum_x <g(x), a_i> s'(z_i(x)) x``.
    bias : (N,) array
        ``sum_x <g(x), a_i> s'(z_i(x))``.

    Raises
    ------
    InvalidInput
        If shapes or precisions do not fit together.
    """
    layer = _Layer(activation, x, w, b, c, path)
    _require_shape("a", a, c.shape, x.dtype)
    a = np.ascontiguousarray(a)
    out = np.zeros(c.shape, x.dtype), np.zeros(w.shape, x.dtype), np.zeros(len(w), x.dtype)
    with single_threaded(), layer.room(keep=True):
        for rows in layer.panels():
            f = layer.forward(rows)
            g = residual(rows, f)
            _require_shape("g", g, f.shape, x.dtype)
            layer.backward(rows, a, np.ascontiguousarray(g), out)
    return out


def backward(
    activation: Any,
    x: Array,
    w: Array,
    b: Array,
    a: Array,
    g: Array,
    *,
    path: Path | None = None,
) -> tuple[Array, Array, Array]:
    """`pull` by residuals g (n, k) that do not depend on the outputs."""
    return pull(activation, x, w, b, a, a, lambda rows, _: g[rows], path=path)


class _Layer:
    """The arrays of a layer, and what a panel keeps between its two passes."""

    def __init__(
        self, activation: Any, x: Array, w: Array, b: Array, c: Array, path: Path | None
    ) -> None:
        precision = x.dtype in (np.float64, np.float32)
        require(precision, "x.dtype", x.dtype, "float64 or float32")
        require(x.ndim == 2 and x.shape[1] > 0, "x", x.shape, "an array (n, d)")
        require(c.ndim == 2 and c.shape[1] > 0, "c", c.shape, "an array (N, k)")
        count, dim, outputs = len(c), x.shape[1], c.shape[1]
        _require_shape("w", w, (count, dim), x.dtype)
        _require_shape("b", b, (count,), x.dtype)
        _require_shape("c", c, (count, outputs), x.dtype)
        choice = choose(activation, len(x), dim, count, outputs, x.dtype, path)
        real: Any = x.dtype.type
        parameters = activation.parameters
        if choice.path == "values":
            evaluate = activation.evaluate
            self._tiles = layer_tiles.values(evaluate, len(parameters), outputs == 1, real)
        else:
            loops = choice.path == "sign loops"
            self._tiles = (
                layer_tiles.sign_loops(dim + dim % 2, real) if loops else layer_tiles.signs(real)
            )
            parameters = activation.slope([-1.0, 1.0])
        self._parameters = np.array(parameters, real)
        self._x = x
        self._w, self._b, self._c = map(np.ascontiguousarray, (w, b, c))
        self._choice = choice
        self._blocks = -(-count // choice.neurons)
        self._each = max(1, -(-self._blocks // LANES))
        self._lanes = -(-self._blocks // self._each)

    @contextmanager
    def room(self, keep: bool) -> Iterator[None]:
        """Memory for one panel; with what `backward` needs, if that is to `keep`."""
        panel, tile = self._choice.panel, self._choice.neurons * self._choice.samples
        samples, spares = (panel * self._w.shape[1],), (self._lanes, 2 * tile)
        parts = (self._lanes * self._c.shape[1] * panel,)
        kept = (self._blocks, -(-panel // self._choice.samples), tile) if keep else (0, 0, 0)
        with (
            scratch(self._x.dtype, samples, spares, parts) as (self._xt, self._spares, self._parts),
            scratch(self._tiles.kept, kept) as (self._kept,),
        ):
            yield

    def panels(self) -> Iterator[slice]:
        """The samples, panel by panel."""
        for start in range(0, len(self._x), self._choice.panel):
            yield slice(start, min(start + self._choice.panel, len(self._x)))

    def forward(self, rows: slice) -> Array:
        """Outputs (m, k) of a panel."""
        x, choice = np.ascontiguousarray(self._x[rows]), self._choice
        shape = self._lanes, self._c.shape[1], len(x)
        parts = self._parts[: math.prod(shape)].reshape(shape)
        layer_tiles.pack(x, choice.samples, self._xt)
        layer_tiles.forward(
            *(threads(), counter(), self._parameters, self._tiles.ahead),
            *(self._xt, self._w, self._b, self._c, len(x)),
            *(choice.neurons, choice.samples, self._each, self._kept, self._spares, parts),
        )
        return np.ascontiguousarray(parts.sum(axis=0).T)

    def backward(self, rows: slice, a: Array, g: Array, out: tuple[Array, Array, Array]) -> None:
        """Add what the panel that went forward last pulls."""
        x, choice = np.ascontiguousarray(self._x[rows]), self._choice
        layer_tiles.backward(
            *(threads(), counter(), self._parameters, self._tiles.back, self._tiles.finish),
            *(x, self._xt, self._w, self._b, a, g),
            *(choice.neurons, choice.samples, self._each, self._kept, self._spares),
            *(rows.stop == len(self._x), *out),
        )


def _require_shape(key: str, array: Array, shape: tuple[int, ...], dtype: Any) -> None:
    require(array.shape == shape, key, array.shape, f"the shape {shape}")
    require(array.dtype == dtype, f"{key}.dtype", array.dtype, f"{dtype}, as that of x")
