"""The population interaction: every path against the definition, and what all paths promise."""

import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meanfield.activations import make
from meanfield.kernels import choices, definitions, general
from meanfield.kernels.compile import set_threads
from meanfield.kernels.population import Projected, choose, interact
from tests.conftest import size

FAST = [
    "relu",
    {"kind": "leaky-relu", "slope_left": 0.2},
    "abs",
    "erf",
    {"kind": "probit", "variance": 0.7},
    "sin",
    "cos",
    "exp",
    {"kind": "bump", "rate": 0.4},
    "monomial",
    {"kind": "monomial", "degree": 4},
]
EXACT = ["linear", "quadratic"]
KINDS = [*FAST, *EXACT, "step"]


def neurons(rng, count, dim, outputs, dtype=np.float64, scale=1.0):
    w = (scale / np.sqrt(dim) * rng.normal(size=(count, dim))).astype(dtype)
    a = rng.normal(size=(count, outputs)).astype(dtype)
    mass = rng.random((count, 1)).astype(dtype)
    return Projected(w, None, None, None), a, mass * a


def double(seen):
    return Projected(seen.a.astype(float), None, None, None)


def compare(activation, targets, a, sources, c, *paths):
    """Every path against the general one, on the scale of neurons that are all aligned."""
    dtype = a.dtype
    twice = double(targets), a.astype(float), double(sources), c.astype(float)
    exact = general.interact(activation, *twice)
    size = np.abs(exact[0]).max() + np.abs(exact[2]).max() + np.abs(c).sum() * 1e-3
    for path in paths:
        found = interact(activation, targets, a, sources, c, path)
        for one, other in zip(found[::2], exact[::2], strict=True):
            assert one.dtype == dtype
            np.testing.assert_allclose(one, other, rtol=0, atol=600 * np.finfo(dtype).eps * size)


def paths(activation, dim, outputs):
    if activation.zonal is None:
        return ["moments"]
    few = outputs == 1 and dim <= choices.FUSED_DIM
    fast = ["fused", "tiles"] if few else ["tiles"]
    return [*fast, "moments"] if activation.moments else fast


@pytest.mark.parametrize("shifted", [False, True])
@pytest.mark.parametrize("kind", [*KINDS, "gelu", "hermite"])
def test_definition(kind, shifted):
    rng = np.random.default_rng(3)
    activation = make(kind)
    targets, a, _ = neurons(rng, 6, 3, 2)
    sources, _, c = neurons(rng, 5, 3, 2)
    if shifted:
        targets = Projected(targets.a, rng.normal(size=6), rng.normal(size=3), None)
        sources = Projected(sources.a, rng.normal(size=5), rng.normal(size=3), None)
    outer, d_mean, inner = interact(activation, targets, a, sources, c)
    exact = definitions.population(activation, targets, a, sources, c)
    np.testing.assert_allclose(outer, exact[0], rtol=1e-11, atol=1e-12)
    if shifted:  # without bias and mean, nothing moves with it
        np.testing.assert_allclose(d_mean, exact[1], rtol=1e-11, atol=1e-12)
    np.testing.assert_allclose(inner, exact[2], rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize(
    ("kind", "dtype"),
    [(kind, np.float64) for kind in [*FAST, *EXACT]]
    + [(kind, np.float32) for kind in ("relu", "sin", "quadratic")],
)
def test_paths_agree(kind, dtype, outputs):
    activation = make(kind)
    rng = np.random.default_rng(7)
    for dim in (2,) if kind != "relu" or outputs > 1 else size((2, 3), (2,)):
        targets, a, c = neurons(rng, size(150, 20), dim, outputs, dtype)
        sources, _, other = neurons(rng, size(70, 9), dim, outputs, dtype)
        compare(activation, targets, a, targets, c, *paths(activation, dim, outputs))
        compare(activation, targets, a, sources, other, *paths(activation, dim, outputs))


@settings(max_examples=25, deadline=None)
@given(
    count=st.integers(1, size(200, 15)),
    others=st.integers(0, size(200, 13)),
    dim=st.sampled_from([1, 2, 17]),
    outputs=st.sampled_from([1, 2]),
    kind=st.sampled_from(["relu", "erf"]),
    scale=st.sampled_from([1e-6, 1.0, 30.0]),
    seed=st.integers(0, 99),
)
def test_any_shape(count, others, dim, outputs, kind, scale, seed):
    rng = np.random.default_rng(seed)
    activation = make(kind)
    targets, a, c = neurons(rng, count, dim, outputs, scale=scale)
    sources, _, other = neurons(rng, others, dim, outputs, scale=scale)
    compare(activation, targets, a, targets, c, *paths(activation, dim, outputs))
    compare(activation, targets, a, sources, other, *paths(activation, dim, outputs))


@pytest.mark.parametrize("dim", [2, 12])
@pytest.mark.parametrize("kind", ["relu", "abs", "erf"])
def test_parallel_and_opposite_neurons(kind, dim):
    rng = np.random.default_rng(1)
    w = rng.normal(size=(6, dim))
    angles = np.array([0, 1e-12, 1e-9, 1e-7, 1e-5, 1e-3])[:, None]
    others = [sign * (w + angles * rng.normal(size=w.shape)) for sign in (1, -2)]
    seen = Projected(np.vstack([w, *others]), None, None, None)
    a = rng.normal(size=(18, 1))
    compare(make(kind), seen, a, seen, a, *(["fused"] if dim == 2 else []), "tiles")


@pytest.mark.parametrize("path", ["fused", "tiles"])
@pytest.mark.parametrize("kind", ["relu", "leaky-relu", "erf", "cos", "monomial"])
def test_weights_of_zero(kind, path):
    rng = np.random.default_rng(2)
    activation = make(kind)
    w = rng.normal(size=(9, 2))
    w[[0, 4]] = 0
    seen, a = Projected(w, None, None, None), rng.normal(size=(9, 1))
    exact = general.interact(activation, seen, a, seen, a)
    found = interact(activation, seen, a, seen, a, path)
    np.testing.assert_allclose(found[0], exact[0], rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(found[2], exact[2], rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("path", ["fused", "tiles"])
@pytest.mark.parametrize(
    ("kind", "dtype"),
    [(kind, np.float64) for kind in ("relu", "abs", "erf", "exp")] + [("relu", np.float32)],
)
def test_nan_is_never_dropped(kind, path, dtype):
    rng = np.random.default_rng(4)
    activation = make(kind)
    targets, a, c = neurons(rng, 70, 2, 1, dtype)
    sources, _, other = neurons(rng, 66, 2, 1, dtype)
    w = targets.a.copy()
    w[65, 1] = np.nan
    bad = Projected(w, None, None, None)
    outer, _, inner = interact(activation, bad, a, bad, c, path)
    assert np.isnan(outer).all()
    assert np.isnan(inner).all()
    outer, _, inner = interact(activation, bad, a, sources, other, path)
    assert np.isnan(outer[65]).all()
    assert np.isnan(inner[65]).any()
    assert np.isfinite(np.delete(outer, 65)).all()
    weights = other.copy()
    weights[3] = np.nan
    outer, _, inner = interact(activation, targets, a, sources, weights, path)
    assert np.isnan(outer).all()
    assert np.isnan(inner).all()


@pytest.mark.parametrize("path", ["fused", "tiles"])
def test_order_and_rotation_do_not_matter(path):
    rng = np.random.default_rng(5)
    activation = make("relu")
    seen, a, c = neurons(rng, 150, 2, 1)
    outer, _, inner = interact(activation, seen, a, seen, c, path)
    order = rng.permutation(150)
    shuffled = Projected(seen.a[order], None, None, None)
    again, _, turned = interact(activation, shuffled, a[order], shuffled, c[order], path)
    np.testing.assert_allclose(again, outer[order], rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(turned, inner[order], rtol=1e-12, atol=1e-13)
    rotation, _ = np.linalg.qr(rng.normal(size=(2, 2)))
    moved = Projected(seen.a @ rotation, None, None, None)
    again, _, turned = interact(activation, moved, a, moved, c, path)
    np.testing.assert_allclose(again, outer, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(turned, inner @ rotation, rtol=1e-12, atol=1e-13)


def test_views_are_welcome():
    rng = np.random.default_rng(6)
    activation = make("relu")
    plain, a, c = neurons(rng, 90, 3, 2)
    wide = np.zeros((180, 6))
    wide[::2, ::2] = plain.a
    seen = Projected(wide[::2, ::2], None, None, None)
    strided = np.asfortranarray(a), np.asfortranarray(c)
    found = interact(activation, seen, strided[0], seen, strided[1])
    for one, other in zip(found, interact(activation, plain, a, plain, c), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(("dim", "outputs"), [(2, 1), (20, 1), (2, 2)])
def test_same_bits_for_any_number_of_threads(dim, outputs):
    rng = np.random.default_rng(8)
    seen, a, c = neurons(rng, size(450, 70), dim, outputs)
    results = []
    for threads in (1, 2, 3, 4):
        set_threads(threads)
        results.append(interact(make("relu"), seen, a, seen, c))
    for other in results[1:]:
        for one, two in zip(results[0], other, strict=True):
            np.testing.assert_array_equal(one, two)


def test_same_bits_in_processes_of_other_sizes():
    program = (
        "import hashlib, numpy as np\n"
        "from meanfield.activations import make\n"
        "from meanfield.kernels.population import Projected, interact\n"
        "rng = np.random.default_rng(0)\n"
        "digest = hashlib.sha256()\n"
        "for dim in (2, 20):\n"
        "    seen = Projected(rng.normal(size=(90, dim)), None, None, None)\n"
        "    a = rng.normal(size=(90, 1))\n"
        "    for found in interact(make('relu'), seen, a, seen, a):\n"
        "        digest.update(found.tobytes())\n"
        "print(digest.hexdigest())"
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "NUMBA_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for threads in ("1", "2", "3")
    }
    assert len(found) == 1


@pytest.mark.parametrize(
    ("kind", "dim", "outputs", "centred", "path"),
    [
        ("relu", 2, 1, True, "fused"),
        ("relu", choices.FUSED_DIM, 1, True, "fused"),
        ("relu", choices.FUSED_DIM + 1, 1, True, "tiles"),
        ("relu", 2, 3, True, "tiles"),
        ("relu", 2, 1, False, "general"),
        ("tanh", 2, 1, True, "general"),
        ("quadratic", 2, 1, False, "moments"),
    ],
)
def test_choice(kind, dim, outputs, centred, path):
    seen = Projected(np.ones((3, dim)), None if centred else np.zeros(3), None, None)
    choice = choose(make(kind), seen, seen, outputs)
    assert choice.path == path
    assert choice.why


def test_large_norms_take_the_careful_path():
    seen = Projected(np.full((3, 2), 1e4), None, None, None)
    assert choose(make("erf"), seen, seen, 1).path == "general"
    assert choose(make("relu"), seen, seen, 1).path == "fused"
