"""The layer against its definition: every path, both precisions, any shape; NaN, bits, memory."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import tracemalloc

import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meanfield.activations import make
from meanfield.errors import InvalidInput
from meanfield.kernels import compile as compiling
from meanfield.kernels import definitions, layer
from meanfield.kernels.precision import in_precision
from tests.conftest import size
from tests.references import DEFINITIONS

# Without compilation, kernels warn where IEEE arithmetic gives inf or NaN.
pytestmark = pytest.mark.filterwarnings("ignore:.*encountered in:RuntimeWarning")

PRECISIONS = [np.float64, np.float32]
LEAKY = {"kind": "leaky-relu", "slope_left": 0.25}
# What is compiled anew for every activation, dimension and precision is kept to these.
ROUTES = [
    ("values", "tanh", 1),
    ("values", "tanh", 3),
    ("values", LEAKY, 1),
    ("signs", LEAKY, 1),
    ("sign loops", LEAKY, 1),
]
routes = st.sampled_from(ROUTES)
precisions = st.sampled_from(PRECISIONS)
# Tiles have at most 96 neurons, in 24 lanes, and 240 or 256 samples: sizes at these borders.
counts = st.sampled_from(size([1, 2, 7, 95, 97, 230, 2305], [1, 2, 9]))
samples = st.sampled_from(size([1, 2, 31, 239, 241, 257, 513], [1, 3, 8]))
dims = st.sampled_from([1, 2, 11, 12])


def problem(rng, n, dim, count, k, dtype, bias=True):
    """Small multiples of 1/4: z is exact, and often 0, where slopes jump."""
    shapes = (n, dim), (count, dim), (count,), (count, k), (n, k)
    x, w, b, a, g = (rng.integers(-6, 7, shape) / 4 for shape in shapes)
    b *= bias
    return [array.astype(dtype) for array in (x, w, b, a, g)]


def assert_agrees(found, expected, terms, dtype, error=30.0):
    """Up to roundings of the terms that are summed."""
    assert found.shape == expected.shape
    assert found.dtype == dtype
    allowed = error * np.finfo(dtype).eps * terms + np.finfo(dtype).tiny
    assert (np.abs(found - expected) <= allowed).all()


def assert_is_the_layer(activation, x, w, b, a, g, path=None, error=30.0):
    """Outputs and pulls, compared with the definition in float64 for the same numbers."""
    dtype = x.dtype
    f = layer.forward(activation, x, w, b, a, path=path)
    pulls = layer.backward(activation, x, w, b, a, g, path=path)
    x, w, b, a, g = (array.astype(float) for array in (x, w, b, a, g))
    expected = definitions.layer_backward(activation, x, w, b, a, g)
    size_of = Sizes(activation)
    terms = definitions.layer_backward(size_of, abs(x), abs(w), abs(b), abs(a), abs(g))
    for one, other, total in zip(pulls, expected, terms, strict=True):
        assert_agrees(one, other, total, dtype, error)
    outputs = definitions.layer_forward(activation, x, w, b, a)
    total = definitions.layer_forward(size_of, abs(x), abs(w), abs(b), abs(a))
    assert_agrees(f, outputs, total, dtype, error)


class Sizes:
    """No smaller than |s(z)| and |s'(z)|, whatever the signs of weights and inputs."""

    def __init__(self, activation):
        self._activation = activation

    def __call__(self, t):
        t = np.linspace(-1, 1, 41)[:, None, None] * t
        return abs(self._activation(t)).max(axis=0) + self.slope(t[-1]) * abs(t[-1])

    def slope(self, t):
        t = np.linspace(-1, 1, 41)[:, None, None] * t
        return abs(self._activation.slope(t)).max(axis=0) + 1e-3


@given(routes, precisions, samples, dims, counts, st.booleans(), st.integers(0, 2**32 - 1))
def test_any_shape(route, dtype, n, dim, count, bias, seed):
    path, spec, k = route
    arrays = problem(np.random.default_rng(seed), n, dim, count, k, dtype, bias)
    assert_is_the_layer(make(spec), *arrays, path)


@pytest.mark.parametrize("dtype", PRECISIONS)
@pytest.mark.parametrize("dim", [13, 43, 44, 300])
@pytest.mark.parametrize("k", [1, 10])
def test_high_dimensions(dim, k, dtype, rng):
    """Among them those where tiles take other sizes."""
    arrays = problem(rng, size(490, 5), dim, size(100, 3), k, dtype)
    assert_is_the_layer(make("relu"), *arrays, error=100.0)


@pytest.mark.parametrize("case", DEFINITIONS, ids=lambda case: case.kind)
def test_every_activation(case, rng):
    arrays = problem(rng, size(50, 5), 2, size(30, 3), 1, np.float64)
    assert_is_the_layer(case.activation, *arrays, "values", error=300.0)
    assert_is_the_layer(case.activation, *arrays, error=300.0)


@pytest.mark.skipif(compiling.DISABLED, reason="nothing is compiled")
@pytest.mark.parametrize("case", DEFINITIONS, ids=lambda case: case.kind)
def test_every_activation_computes_in_the_precision_of_its_argument(case):
    evaluate = in_precision(case.activation.evaluate, np.float32)
    parameters = tuple(map(np.float32, case.activation.parameters))
    points = np.float32([-3.1, -0.4, 0.0, 0.7, 2.9])
    for t in points:
        value, slope = evaluate(parameters, t)
        exact, exact_slope = case.activation([t])[0], case.activation.slope([t])[0]
        assert value == pytest.approx(exact, rel=2e-6, abs=2e-6)
        assert slope == pytest.approx(exact_slope, rel=2e-6, abs=2e-6)
    found = {
        str(signature.return_type)
        for signature in evaluate.nopython_signatures
        if signature.args[1] == numba.float32
    }
    # Arithmetic with whole numbers is double.
    assert found == {"UniTuple(float32 x 2)"} or case.kind in ("hermite", "monomial")


@pytest.mark.parametrize("route", ROUTES, ids=str)
@pytest.mark.parametrize(("dtype", "scale"), [(np.float64, 2.0**300), (np.float32, 2.0**20)])
def test_huge_and_tiny_scales(route, dtype, scale, rng):
    path, spec, k = route
    x, w, b, a, g = problem(rng, 9, 2, 5, k, dtype)
    for factor in (dtype(scale), dtype(1 / scale)):
        assert_is_the_layer(make(spec), x, factor * w, factor * b, a, factor * g, path)
        assert_is_the_layer(make(spec), factor * x, w / factor, b, factor * a, g, path)


@pytest.mark.parametrize("route", ROUTES, ids=str)
def test_arrays_that_are_not_contiguous(route, rng):
    path, spec, k = route
    arrays = problem(rng, 20, 3, 10, k, np.float64)
    scattered = [np.repeat(array, 2, axis=0)[::2] for array in arrays]
    turned = [np.asfortranarray(array) for array in arrays]
    for other in (scattered, turned):
        assert_is_the_layer(make(spec), *other, path)


def test_nothing_to_do():
    relu = make("relu")
    for n, count in ((0, 4), (4, 0), (0, 0)):
        x, w, b, a, g = problem(np.random.default_rng(0), n, 2, count, 3, np.float32)
        assert np.array_equal(layer.forward(relu, x, w, b, a), np.zeros((n, 3)))
        for found, like in zip(layer.backward(relu, x, w, b, a, g), (a, w, b), strict=True):
            assert np.array_equal(found, np.zeros(like.shape))


# Not a number.


@pytest.mark.parametrize("dtype", PRECISIONS)
@pytest.mark.parametrize("route", ROUTES, ids=str)
def test_nan_reaches_what_depends_on_it_and_nothing_else(route, dtype, rng):
    path, spec, k = route
    activation = make(spec)
    names = "x", "w", "b", "a", "g"
    for name in names:
        arrays = dict(zip(names, problem(rng, 8, 2, 6, k, dtype), strict=True))
        arrays[name][3] = np.nan
        x, w, b, a, g = arrays.values()
        f = layer.forward(activation, x, w, b, a, path=path)
        rows = np.isnan(f).all(axis=1)
        assert (rows == np.isnan(f).any(axis=1)).all()
        assert rows.tolist() == [name in "wba" or (name == "x" and i == 3) for i in range(8)]
        outer, inner, bias = layer.backward(activation, x, w, b, a, g, path=path)
        hit = [name in "xg" or (name in "wba" and i == 3) for i in range(6)]
        assert np.isnan(inner).all(axis=1).tolist() == hit
        assert np.isnan(inner).any(axis=1).tolist() == hit
        assert np.isnan(bias).tolist() == hit
        assert np.isnan(outer).any(axis=1).tolist() == ([False] * 6 if name == "a" else hit)


# Panels, residuals, minibatches.


@pytest.mark.parametrize("route", ROUTES, ids=str)
def test_residuals_come_from_the_outputs(route, rng):
    path, spec, k = route
    activation = make(spec)
    x, w, b, a, y = problem(rng, size(700, 9), 3, size(20_000, 4), k, np.float64)
    c, seen = a / len(a), []

    def residual(rows, f):
        seen.append((rows.start, rows.stop))
        assert f.shape == (rows.stop - rows.start, k)
        return f - y[rows]

    found = layer.pull(activation, x, w, b, c, a, residual, path=path)
    g = layer.forward(activation, x, w, b, c, path=path) - y
    expected = layer.backward(activation, x, w, b, a, g, path=path)
    for one, other in zip(found, expected, strict=True):
        assert np.array_equal(one, other)
    panel = layer.choose(activation, len(x), 3, len(w), k, np.float64, path).panel
    edges = [*range(0, len(x), panel), len(x)]
    assert seen == list(itertools.pairwise(edges))
    if path == "values":
        assert size(len(seen) > 1, True)


@pytest.mark.parametrize("route", ROUTES, ids=str)
def test_a_batch_is_computed_where_it_lies(route, rng):
    path, spec, k = route
    x, w, b, a, g = problem(rng, size(400_000, 4000), 6, 5, k, np.float64)
    batch, activation = slice(1000, 1050), make(spec)
    expected = layer.backward(activation, x[batch].copy(), w, b, a, g[batch], path=path)
    tracemalloc.start()
    found = layer.backward(activation, x[batch], w, b, a, g[batch], path=path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < size(x.nbytes / 10, x.nbytes * 10)
    for one, other in zip(found, expected, strict=True):
        assert np.array_equal(one, other)


@pytest.mark.parametrize("route", ROUTES, ids=str)
def test_memory_is_that_of_a_panel(route, rng):
    path, spec, k = route
    n, count = size((20_000, 3000), (40, 5))
    x, w, b, a, g = problem(rng, n, 3, count, k, np.float32)
    tracemalloc.start()
    layer.backward(make(spec), x, w, b, a, g, path=path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    everything = n * count * (1 if path != "values" else 4)  # bytes: 60 MB or 240 MB
    assert peak < size(0.6 * everything, 1e7)


# Bits.


@pytest.mark.parametrize("dtype", PRECISIONS)
@pytest.mark.parametrize("route", ROUTES, ids=str)
def test_the_same_bits_on_any_number_of_threads(route, dtype, rng):
    path, spec, k = route
    x, w, b, a, g = (
        rng.standard_normal(array.shape).astype(dtype)
        for array in problem(rng, size(500, 5), 6, size(1000, 12), k, dtype)
    )
    before, found = compiling.threads(), set()
    try:
        for threads in (1, 2, 3, 4, 1):
            compiling.set_threads(threads)
            f = layer.forward(make(spec), x, w, b, a, path=path)
            pulls = layer.backward(make(spec), x, w, b, a, g, path=path)
            found.add(b"".join(array.tobytes() for array in (f, *pulls)))
    finally:
        compiling.set_threads(before)
    assert len(found) == 1


PROGRAM = """
import hashlib
import numpy as np
from meanfield.activations import make
from meanfield.kernels import layer

rng = np.random.default_rng(0)
digest = hashlib.sha256()
for kind, k in (("relu", 1), ("tanh", 3)):
    x, w, b, a = (rng.standard_normal(s) for s in ((300, 30), (700, 30), (700,), (700, k)))
    for array in layer.pull(make(kind), x, w, b, a / 700, a, lambda rows, f: f):
        digest.update(array.tobytes())
print(digest.hexdigest())
"""


@pytest.mark.skipif(compiling.DISABLED, reason="too slow")
def test_the_same_bits_in_processes_of_different_threads():
    found = {
        subprocess.run(
            [sys.executable, "-c", PROGRAM],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "NUMBA_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": blas},
        ).stdout
        for threads, blas in (("1", "2"), ("3", "1"))
    }
    assert len(found) == 1


# The choice.


@given(
    st.sampled_from(["relu", "tanh", "abs", "quadratic"]),
    st.integers(0, 10**7),
    st.integers(1, 10**5),
    st.integers(0, 10**7),
    st.integers(1, 20),
    precisions,
)
def test_a_choice_fits_in_memory(kind, n, dim, count, k, dtype):
    choice = layer.choose(make(kind), n, dim, count, k, dtype)
    two_slopes = kind in ("relu", "abs") and k == 1
    few = "sign loops" if dim <= layer.LOOPS else "signs"
    assert choice.path == (few if two_slopes else "values")
    assert choice.why
    assert choice.neurons >= 8
    assert choice.samples >= 1
    assert choice.panel % choice.samples == 0
    each = np.dtype(dtype).itemsize if choice.path == "values" else 1
    blocks = -(-count // choice.neurons)
    if n > choice.panel > choice.samples:
        assert choice.panel * blocks * choice.neurons * each < 2 * layer.LIMIT


def test_what_cannot_be_chosen():
    relu, tanh = make("relu"), make("tanh")
    assert layer.choose(relu, 5, 2, 5, 1, np.float64, "values").why == "given"
    for activation, k, path in ((tanh, 1, "signs"), (relu, 2, "sign loops"), (relu, 1, "masks")):
        with pytest.raises(InvalidInput, match=f"path = '{path}': expected one of "):
            layer.choose(activation, 5, 2, 5, k, np.float64, path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x": np.zeros((4, 2), int)}, r"x\.dtype = dtype\('int64'\): expected float64 or float32"),
        ({"x": np.zeros(4)}, r"x = \(4,\): expected an array \(n, d\)"),
        ({"w": np.zeros((3, 1))}, r"w = \(3, 1\): expected the shape \(3, 2\)"),
        ({"b": np.zeros(2)}, r"b = \(2,\): expected the shape \(3,\)"),
        ({"b": np.zeros(3, np.float32)}, r"b\.dtype = .*expected float64, as that of x"),
        ({"a": np.zeros(3)}, r"c = \(3,\): expected an array \(N, k\)"),
        ({"g": np.zeros((4, 2))}, r"g = \(4, 2\): expected the shape \(4, 1\)"),
    ],
)
def test_arrays_that_do_not_fit(change, message):
    shapes = {"x": (4, 2), "w": (3, 2), "b": 3, "a": (3, 1), "g": (4, 1)}
    arrays = {name: np.zeros(shape) for name, shape in shapes.items()} | change
    with pytest.raises(InvalidInput, match=message):
        layer.backward(make("relu"), *arrays.values())
