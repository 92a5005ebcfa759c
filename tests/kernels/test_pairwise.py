"""Sums over pairs of particles: every path against the definition, and what all paths promise."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import meanfield as mf
from meanfield.errors import InvalidInput
from meanfield.interactions import Given
from meanfield.kernels import choices, definitions, fused, wide
from meanfield.kernels.pairwise import choose, pairwise
from tests.conftest import size

# W(r) and W'(r).
FORMULAS = {
    "rbf": (
        mf.RBF(0.8),
        lambda r: np.exp(-(r**2) / 1.28),
        lambda r: -r / 0.64 * np.exp(-(r**2) / 1.28),
    ),
    "coulomb": (
        mf.Coulomb(3, 0.2),
        lambda r: (r**2 + 0.04) ** -0.5,
        lambda r: -r * (r**2 + 0.04) ** -1.5,
    ),
    "log": (
        mf.Logarithm(0.2),
        lambda r: -0.5 * np.log(r**2 + 0.04),
        lambda r: -r / (r**2 + 0.04),
    ),
    "morse": (
        mf.Morse(1.0, 0.5, 0.5, 2.0),
        lambda r: np.exp(-2 * r) - 0.5 * np.exp(-r / 2),
        lambda r: 0.25 * np.exp(-r / 2) - 2 * np.exp(-2 * r),
    ),
    "powers": (
        mf.Powers(2.5, 1.0),
        lambda r: r**2.5 / 2.5 - r,
        lambda r: r**1.5 - 1,
    ),
    "quadratic": (mf.Quadratic(3.0), lambda r: 1.5 * r**2, lambda r: 3 * r),
}
WIDE = choices.FUSED_DIM + 1


def particles(rng, count, dim, dtype=np.float64, scale=1.0):
    return (scale * rng.normal(size=(count, dim))).astype(dtype), rng.random(count).astype(dtype)


def compare(name, x, mass, y=None, scale=1.0, dtype=np.float64):
    """The sums against the definition, on the scale of the largest entries."""
    interaction, w, slope = FORMULAS[name]
    found = pairwise(interaction, x, mass, y)
    exact = definitions.pairwise(w, slope, x, mass.astype(float), x if y is None else y)
    count = max(1, len(mass))
    for one, other in zip(found, exact, strict=True):
        assert one.dtype == dtype
        assert one.shape == other.shape
        largest = np.abs(other).max(initial=0.0) + mass.sum() * scale
        np.testing.assert_allclose(
            one, other, rtol=0, atol=20 * count**0.5 * np.finfo(dtype).eps * largest
        )


# The loops are compiled for every shape, precision and small dimension: not for all together.
CASES = [
    *((name, dim, np.float64) for name in FORMULAS for dim in (2, WIDE)),
    *(("morse", dim, np.float64) for dim in (1, 3, 17)),
    *((name, dim, np.float32) for name in ("morse", "rbf", "quadratic") for dim in (2, WIDE)),
    ("morse", 3, np.float32),
]


@pytest.mark.parametrize(("name", "dim", "dtype"), CASES)
def test_definition(name, dim, dtype):
    rng = np.random.default_rng(dim)
    x, mass = particles(rng, size(310, 9), dim, dtype)
    y, others = particles(rng, size(71, 5), dim, dtype)
    compare(name, x, mass, dtype=dtype)
    compare(name, x, others, y, dtype=dtype)
    compare(name, y, mass, x, dtype=dtype)


@given(
    count=st.integers(1, size(300, 12)),
    others=st.integers(0, size(300, 12)),
    dim=st.sampled_from([1, 2, WIDE]),
    name=st.sampled_from(["morse", "quadratic"]),
    seed=st.integers(0, 99),
)
def test_any_shape(count, others, dim, name, seed):
    rng = np.random.default_rng(seed)
    x, mass = particles(rng, count, dim)
    y, masses = particles(rng, others, dim)
    compare(name, x, mass)
    compare(name, x, masses, y)


@pytest.mark.parametrize("dim", [2, WIDE])
def test_no_targets(dim):
    rng = np.random.default_rng(0)
    y, mass = particles(rng, 5, dim)
    for interaction in ("rbf", "quadratic"):
        value, gradient = pairwise(interaction, np.zeros((0, dim)), mass, y)
        assert value.shape == (0,)
        assert gradient.shape == (0, dim)


@given(
    scale=st.sampled_from([1e-100, 1e-8, 1e6, 1e100]),
    name=st.sampled_from(["coulomb", "morse", "quadratic", "rbf"]),
    dim=st.sampled_from([2, WIDE]),
)
def test_any_scale(scale, name, dim):
    x, mass = particles(np.random.default_rng(1), 20, dim, scale=scale)
    compare(name, x, mass)


def test_arrays_in_any_layout():
    rng = np.random.default_rng(2)
    x, mass = particles(rng, 40, 6)
    strided, rows = x[::2, ::3], np.asfortranarray(x[::2, ::3])
    expected = pairwise("rbf", strided.copy(), mass[::2].copy())
    for view in (strided, rows):
        for one, other in zip(pairwise("rbf", view, mass[::2]), expected, strict=True):
            np.testing.assert_array_equal(one, other)
            assert one.flags.c_contiguous
    whole, lists = np.round(10 * strided).astype(int), np.round(10 * strided).tolist()
    for one, other in zip(
        pairwise("rbf", whole, mass[::2]), pairwise("rbf", lists, mass[::2].tolist()), strict=True
    ):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("dim", [2, WIDE])
@pytest.mark.parametrize("name", FORMULAS)
def test_particles_that_coincide(name, dim):
    interaction, w, _ = FORMULAS[name]
    x = np.zeros((size(130, 7), dim)) + 0.3
    value, gradient = pairwise(interaction, x, np.full(len(x), 0.5))
    np.testing.assert_allclose(value, 0.5 * len(x) * w(np.zeros(1))[0], rtol=1e-13)
    assert not gradient.any()


@pytest.mark.parametrize("dim", [2, WIDE])
@pytest.mark.parametrize("name", FORMULAS)
def test_near_pairs_far_from_the_origin_keep_their_digits(name, dim):
    """|x|² + |y|² - 2⟨x, y⟩ would have lost them all."""
    rng = np.random.default_rng(3)
    near = np.round(rng.normal(size=(30, dim)) * 2.0**20) / 2.0**20
    mass = rng.random(30)
    here = pairwise(FORMULAS[name][0], near, mass)
    there = pairwise(FORMULAS[name][0], near + 2.0**30, mass)
    for one, other in zip(here, there, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("name", "dim", "dtype"), CASES)
def test_actio_is_reactio(name, dim, dtype):
    x, mass = particles(np.random.default_rng(4), size(400, 15), dim, dtype)
    _, gradient = pairwise(FORMULAS[name][0], x, mass)
    force = mass[:, None].astype(float) * gradient
    assert np.abs(force.sum(axis=0)).max() < 40 * np.finfo(dtype).eps * np.abs(force).sum()


@pytest.mark.parametrize("dim", [2, WIDE])
@pytest.mark.parametrize("name", FORMULAS)
def test_rotations_and_translations(name, dim):
    rng = np.random.default_rng(5)
    x, mass = particles(rng, size(200, 12), dim)
    turn, _ = np.linalg.qr(rng.normal(size=(dim, dim)))
    value, gradient = pairwise(FORMULAS[name][0], x, mass)
    turned, pull = pairwise(FORMULAS[name][0], x @ turn.T + rng.normal(size=dim), mass)
    np.testing.assert_allclose(turned, value, rtol=1e-11, atol=1e-11)
    np.testing.assert_allclose(pull, gradient @ turn.T, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("dim", [2, WIDE])
@pytest.mark.parametrize("name", FORMULAS)
def test_nan_is_never_dropped(name, dim):
    interaction = FORMULAS[name][0]
    rng = np.random.default_rng(6)
    x, mass = particles(rng, size(150, 8), dim)
    y, others = particles(rng, 6, dim)
    x[3, -1] = np.nan
    for found in pairwise(interaction, x, mass):
        assert np.isnan(found).all()
    value, gradient = pairwise(interaction, x, others, y)
    assert np.flatnonzero(np.isnan(value)).tolist() == [3]
    assert np.flatnonzero(np.isnan(gradient).all(axis=1)).tolist() == [3]
    assert np.isfinite(np.delete(gradient, 3, axis=0)).all()
    others[2] = np.nan
    for found in pairwise(interaction, y, others):
        assert np.isnan(found).all()


def _within(u):
    return 1.0 - u if u < 1.0 else 0.0


def _within_slope(u):
    return -1.0 if u < 1.0 else 0.0


def _bounded(x, y):
    square = (x[0] - y[0]) ** 2 + (x[1] - y[1]) ** 2
    return 1.0 - square if square < 1.0 else 0.0


def _bounded_gradient(x, y, out):
    if (x[0] - y[0]) ** 2 + (x[1] - y[1]) ** 2 < 1.0:
        for k in range(2):
            out[k] = 2.0 * (y[k] - x[k])


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_users_function_of_the_distance(dtype):
    x, mass = particles(np.random.default_rng(7), size(150, 9), 2, dtype)
    w, slope = (lambda r: np.maximum(1 - r**2, 0)), (lambda r: np.where(r < 1, -2 * r, 0))
    exact = definitions.pairwise(w, slope, x, mass.astype(float), x)
    tolerance = 1e-12 if dtype is np.float64 else 1e-4
    for interaction in (mf.Radial(_within, _within_slope), Given(_bounded, _bounded_gradient)):
        found = pairwise(interaction, x, mass)
        for one, other in zip(found, exact, strict=True):
            assert one.dtype == dtype
            np.testing.assert_allclose(one, other, rtol=tolerance, atol=tolerance)
        # The comparison in the function is false for NaN, and would give 0.
        lost = x.copy()
        lost[1, 0] = np.nan
        for one in pairwise(interaction, lost, mass):
            assert np.isnan(one).all()


def test_a_users_singular_function_between_two_sets():
    """Blocks are filled up with particles that have no mass: these must not be infinitely near."""
    charge = mf.Radial(lambda u: u**-0.5, lambda u: -0.5 * u**-1.5)
    for dim in (1, WIDE):
        x, y = np.zeros((3, dim)), np.ones((2, dim))
        value, gradient = pairwise(charge, x, np.ones(2), y)
        np.testing.assert_allclose(value, 2 * dim**-0.5, rtol=1e-14)
        np.testing.assert_allclose(gradient, 2 * dim**-1.5, rtol=1e-14)


def test_users_function_of_the_distance_is_not_asked_for_a_force_at_zero():
    charge = mf.Radial(lambda u: 1.0 + u, lambda u: 1.0 / u)
    x = np.array([[0.0], [0.0], [1.0]])
    np.testing.assert_array_equal(pairwise(charge, x, np.ones(3))[1][:, 0], [-2.0, -2.0, 4.0])


@pytest.mark.parametrize("dim", [2, 3])
@pytest.mark.parametrize("name", ["rbf", "morse"])
def test_paths_agree(name, dim):
    x, mass = particles(np.random.default_rng(8), size(300, 9), dim)
    interaction = FORMULAS[name][0]
    p = interaction.parameters
    narrow = fused.sums(interaction.shape, fused.Distance, p, x, mass)
    for one, other in zip(narrow, wide.sums(interaction.shape, p, x, mass), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-12)


def test_choice():
    assert choose("quadratic", 50).path == "moments"
    assert choose("morse", dim=2).path == "fused"
    assert choose({"kind": "rbf", "length": 2.0}, dim=choices.FUSED_DIM).path == "fused"
    assert choose(mf.RBF(), dim=WIDE).path == "wide"
    assert choose(Given(_bounded, _bounded_gradient), dim=2).path == "rows"
    assert str(WIDE) in choose("rbf", WIDE).why
    with pytest.raises(InvalidInput, match="dim = 0"):
        choose("rbf", 0)


def test_shapes_that_do_not_fit():
    x = np.zeros((3, 2))
    with pytest.raises(InvalidInput, match=r"x = \(3,\)"):
        pairwise("rbf", np.zeros(3), np.ones(3))
    with pytest.raises(InvalidInput, match=r"mass = \(2,\): expected the shape \(3,\)"):
        pairwise("rbf", x, np.ones(2))
    with pytest.raises(InvalidInput, match=r"y = \(4, 3\): expected the shape \(M, 2\)"):
        pairwise("rbf", x, np.ones(4), np.zeros((4, 3)))


BITS = """
import hashlib, sys
import numpy as np
from meanfield.kernels.compile import set_threads
from meanfield.kernels.pairwise import pairwise

set_threads(int(sys.argv[1]))
rng = np.random.default_rng(0)
found = hashlib.sha256()
for dim in (2, 13):
    for dtype in (np.float64, np.float32):
        x, mass = rng.normal(size=(500, dim)).astype(dtype), rng.random(500)
        for array in (
            *pairwise("morse", x, mass),
            *pairwise("quadratic", x, mass),
            *pairwise("rbf", x, mass[:300], x[:300]),
        ):
            found.update(array.tobytes())
print(found.hexdigest())
"""


@pytest.mark.skipif(size(False, True), reason="plain Python has no threads")
def test_same_bits_on_any_number_of_threads():
    def run(threads):
        environment = {**os.environ, "NUMBA_NUM_THREADS": "4"}
        command = [sys.executable, "-c", BITS, str(threads)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        return done.stdout

    assert len({run(threads) for threads in (1, 2, 3, 4)}) == 1
