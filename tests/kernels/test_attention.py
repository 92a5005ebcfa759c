"""Attention: against its definition, scipy's softmax, many digits, closed forms, and bit by bit."""

from __future__ import annotations

import tracemalloc

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special
from scipy.stats import ortho_group

from meanfield.errors import InvalidInput
from meanfield.kernels import compile as compiling
from meanfield.kernels import definitions, elementary
from meanfield.kernels.attention import attention, choose
from tests.conftest import size

PRECISIONS = [np.float64, np.float32]
PATHS = ["fused", "tiles", "streaming"]
FEW = size([1, 3], [1, 2, 3, 5, 8])  # a fused loop is compiled for every dimension
counts = st.one_of(st.integers(1, 5), st.integers(size(60, 6), size(140, 70)))
seeds = st.integers(0, 2**32 - 1)


def sphere(rng, count, dim, dtype=np.float64):
    """Random directions."""
    x = rng.standard_normal((count, dim))
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(dtype)


def equiangular(count, cosine):
    """Tokens on the sphere of R^count, any two of which have the same cosine."""
    gram = np.full((count, count), cosine) + (1 - cosine) * np.eye(count)
    return np.linalg.cholesky(gram)


def expected(x, beta, sources=None, mass=None, **options):
    """The definition, with what may be left out filled in."""
    sources = x if sources is None else sources
    count, width = sources.shape
    maps = {name: np.eye(width) for name in ("query", "key", "value")}
    mass = np.full(count, 1 / count) if mass is None else mass
    return definitions.attention(x, beta, sources=sources, mass=mass, **{**maps, **options})


def allowed(x, beta, sources=None, mass=None, normalised=True):
    """What rounding may do to every row: errors of the exponents, and some for the sums."""
    sources = x if sources is None else sources
    far = np.linalg.norm(sources.astype(float), axis=1).max()
    exponents = abs(beta) * np.linalg.norm(x.astype(float), axis=1) * far
    error = np.finfo(x.dtype).eps * (40 + 8 * exponents) * far
    if not normalised:
        mass = 1 / len(sources) if mass is None else mass
        error *= (mass * np.exp(beta * x.astype(float) @ sources.T.astype(float))).sum(axis=1)
    return error[:, None]


@st.composite
def situations(draw):
    """Tokens, β and options of all kinds, and a path that serves them."""
    rng = np.random.default_rng(draw(seeds))
    dim = draw(st.sampled_from([*FEW, 9, 20]))
    dtype = draw(st.sampled_from(PRECISIONS))
    x = sphere(rng, draw(counts), dim, dtype)
    if draw(st.booleans()):
        x *= rng.uniform(0.1, 2, size=(len(x), 1)).astype(dtype)
    sources = sphere(rng, draw(counts), dim, dtype) if draw(st.booleans()) else None
    mass = rng.uniform(size=len(x if sources is None else sources)) if draw(st.booleans()) else None
    normalised = draw(st.booleans())
    beta = draw(st.sampled_from([0.0, 1e-3, 1.0, 4.0, -2.0, 7.0]))
    paths = ["tiles"] + ["fused"] * (dim in FEW) + ["streaming"] * normalised
    options = {"sources": sources, "mass": mass, "normalised": normalised}
    return x, beta, options, draw(st.booleans()), draw(st.sampled_from(paths))


@given(situations())
def test_sums_are_what_the_definition_says(situation):
    x, beta, options, tangent, path = situation
    found = attention(x, beta, tangent=tangent, path=path, **options)
    answer = expected(x, beta, tangent=tangent, **options)
    assert found.shape == answer.shape
    assert found.dtype == x.dtype
    assert found.flags.c_contiguous
    assert np.all(np.abs(found - answer) <= allowed(x, beta, **options))


@pytest.mark.parametrize("dtype", PRECISIONS)
@pytest.mark.parametrize("dim", [3, 20])
def test_many_blocks(rng, dim, dtype):
    """Blocks of several sizes, and more of them than lanes."""
    for count, others in ((size(700, 150), None), (size(2500, 130), None), (size(300, 90), 600)):
        x = sphere(rng, count, dim, dtype)
        sources = None if others is None else sphere(rng, size(others, 70), dim, dtype)
        for normalised in (True, False):
            found = attention(x, 3.0, sources=sources, normalised=normalised)
            answer = expected(x, 3.0, sources, normalised=normalised)
            error = allowed(x, 3.0, sources, normalised=normalised)
            assert np.all(np.abs(found - answer) <= error)


@pytest.mark.parametrize("path", PATHS)
def test_softmax_with_matrices_is_what_scipy_says(rng, path):
    x, y = rng.standard_normal((40, 5)), rng.standard_normal((30, 3))
    query, key, value = (rng.standard_normal(shape) for shape in ((4, 5), (4, 3), (6, 3)))
    weights = special.softmax(0.7 * (x @ query.T) @ (y @ key.T).T, axis=1)
    maps = {"query": query, "key": key, "value": value}
    found = attention(x, 0.7, sources=y, path=path, **maps)
    np.testing.assert_allclose(found, weights @ y @ value.T, rtol=1e-12, atol=1e-13)
    assert np.array_equal(found, attention(x, 0.7, sources=y, path=path, **maps))


def test_a_query_without_a_key_and_a_key_without_a_query(rng):
    x, matrix = rng.standard_normal((30, 3)), rng.standard_normal((3, 3))
    for name in ("query", "key"):
        found = attention(x, 1.5, **{name: matrix})
        np.testing.assert_allclose(found, expected(x, 1.5, **{name: matrix}), rtol=1e-12)
    # ⟨Qx, y⟩ is not symmetric: nothing may be used twice.
    assert not np.allclose(attention(x, 1.5, query=matrix), attention(x, 1.5, key=matrix))


@pytest.mark.parametrize("dim", [3, 20])
@pytest.mark.parametrize("beta", [1e4, -1e4, 700.0])
def test_huge_beta_in_many_digits(rng, dim, beta):
    # Neighbours as close as 1/√|β|, so that weights are neither 0 nor 1.
    x = sphere(rng, 1, dim) + 0.01 * rng.standard_normal((7, dim))
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    for sources in (None, x[::-1].copy()):
        found = attention(x, beta, sources=sources)
        y = x if sources is None else sources
        with mpmath.workdps(50):
            for i in range(len(x)):
                products = [mpmath.fdot(x[i].tolist(), row.tolist()) for row in y]
                weights = [mpmath.exp(beta * product) for product in products]
                for k in range(dim):
                    exact = mpmath.fdot(weights, y[:, k].tolist()) / mpmath.fsum(weights)
                    assert abs(found[i, k] - float(exact)) < 1e-11


@pytest.mark.parametrize("dtype", PRECISIONS)
@pytest.mark.parametrize(("path", "dim"), [("fused", 3), ("tiles", 20)])
def test_on_the_sphere_one_shift_serves_any_beta(rng, path, dim, dtype):
    x = sphere(rng, 100, dim, dtype)
    for beta in (40.0, 400.0, 1e4):
        found = attention(x, beta, path=path)
        assert np.all(np.abs(found - expected(x, beta)) <= allowed(x, beta))
        with pytest.raises(InvalidInput, match="path"):
            attention(x, beta * 100, sources=x.copy(), path=path)


@pytest.mark.parametrize("dtype", PRECISIONS)
@pytest.mark.parametrize("dim", [3, 20])
@pytest.mark.parametrize("own", [True, False])
def test_huge_beta_leaves_the_nearest(rng, dim, dtype, own):
    x = sphere(rng, 70, dim, dtype)
    sources = None if own else sphere(rng, 50, dim, dtype)
    y = x if own else sources
    products = x @ y.T
    assert np.all(np.diff(np.sort(products, axis=1)[:, -2:], axis=1) > 1e-5)  # none is tied
    for beta, nearest in ((1e8, products.argmax(axis=1)), (-1e8, products.argmin(axis=1))):
        found = attention(x, beta, sources=sources)
        np.testing.assert_allclose(found, y[nearest], rtol=1e-6)


@pytest.mark.parametrize("dtype", PRECISIONS)
@pytest.mark.parametrize("dim", [3, 20])
def test_tokens_of_all_lengths(rng, dim, dtype):
    x = sphere(rng, 80, dim, dtype) * (10.0 ** rng.uniform(-8, 2, size=(80, 1))).astype(dtype)
    for beta in (0.01, 1.0, -1.0):
        found = attention(x, beta)
        answer = expected(x, beta)
        assert np.all(np.abs(found - answer) <= allowed(x, beta))
    # The tokens of length zero see the mean.
    x[:2] = 0
    np.testing.assert_allclose(attention(x, 1.0)[:2], [x.mean(axis=0)] * 2, rtol=1e-5)
    still = attention(x, 1.0, tangent=True)[:2]
    assert np.array_equal(still, attention(x, 1.0)[:2])  # there P is the identity


def test_a_row_that_one_shift_would_lose(rng):
    """Most exponents of a row are 800 below those of another."""
    x = np.concatenate([sphere(rng, 20, 3), 40 * sphere(rng, 1, 3)])
    found = attention(x, 1.0)
    np.testing.assert_allclose(found, expected(x, 1.0), rtol=1e-11)
    with pytest.raises(InvalidInput, match="path = 'fused': expected 'streaming'"):
        attention(x, 1.0, path="fused")


@pytest.mark.parametrize("path", PATHS)
def test_at_infinite_temperature_it_is_the_mean(rng, path):
    x, mass = sphere(rng, 90, 3), rng.uniform(size=90)
    found = attention(x, 0.0, path=path)
    np.testing.assert_allclose(found, np.tile(x.mean(axis=0), (90, 1)), atol=1e-15)
    found = attention(x, 0.0, mass=mass, path=path)
    np.testing.assert_allclose(found, np.tile(mass @ x / mass.sum(), (90, 1)), atol=1e-15)


@pytest.mark.parametrize("normalised", [True, False])
@pytest.mark.parametrize("dim", [3, 20])
def test_order_and_directions_have_no_part(rng, dim, normalised):
    x = sphere(rng, 130, dim)
    order, rotation = rng.permutation(130), ortho_group.rvs(dim, random_state=rng)
    options = {"normalised": normalised, "tangent": True}
    found = attention(x, 4.0, **options)
    close = {"rtol": 1e-12, "atol": 1e-13 * np.abs(found).max()}
    np.testing.assert_allclose(attention(x[order], 4.0, **options), found[order], **close)
    turned = attention(x @ rotation, 4.0, **options)
    np.testing.assert_allclose(turned, found @ rotation, **close)


@pytest.mark.parametrize("dtype", PRECISIONS)
@pytest.mark.parametrize("normalised", [True, False])
@pytest.mark.parametrize("length", [1.0, 0.3])
def test_tangent_fields_are_orthogonal_to_the_tokens(rng, dtype, normalised, length):
    for dim in (3, 20):
        x = (length * sphere(rng, 100, dim)).astype(dtype)
        turned = rng.standard_normal((dim, dim)) / dim
        found = attention(x, 2.0, normalised=normalised, tangent=True, value=turned)
        along = np.einsum("ij,ij->i", found, x.astype(float)) / length
        assert np.abs(found).max() > 1e-3
        assert np.abs(along).max() < 8 * np.finfo(dtype).eps * np.abs(found).max()


@pytest.mark.parametrize("dim", [3, 20])
@pytest.mark.parametrize("beta", [1.0, 100.0, 1e4])
def test_masses(rng, dim, beta):
    x = sphere(rng, 60, dim)
    mass = rng.uniform(size=60)
    mass[::3] = 0
    seen = mass > 0
    found = attention(x, beta, mass=mass)
    np.testing.assert_allclose(found, attention(x, beta, mass=1e-7 * mass), rtol=1e-9)
    np.testing.assert_allclose(found, expected(x, beta, mass=mass), rtol=1e-9, atol=1e-11)
    # What has no mass is not there, and a mass of two is two tokens.
    few = attention(x, beta, sources=x[seen], mass=mass[seen])
    np.testing.assert_allclose(found, few, rtol=1e-9, atol=1e-11)
    twice = attention(x, beta, sources=np.concatenate([x, x[:1]]))
    two = np.ones(60)
    two[0] = 2
    np.testing.assert_allclose(attention(x, beta, mass=two), twice, rtol=1e-9, atol=1e-11)


# Closed forms (Geshkovski, Letrouit, Polyanskiy & Rigollet 2023)


@pytest.mark.parametrize("count", [2, 3, 20])
@pytest.mark.parametrize("cosine", [0.3, 0.95])
@pytest.mark.parametrize("beta", [0.0, 1.0, 9.0])
def test_equiangular_tokens_stay_equiangular(count, cosine, beta):
    x = equiangular(count, cosine)
    weight, other = np.exp(beta), np.exp(beta * cosine)
    rise = 2 * other * (1 - cosine) * ((count - 1) * cosine + 1)
    for normalised, divisor in ((True, weight + (count - 1) * other), (False, count)):
        speed = attention(x, beta, normalised=normalised, tangent=True)
        turning = speed @ x.T + x @ speed.T
        np.testing.assert_allclose(
            turning[~np.eye(count, dtype=bool)], rise / divisor, rtol=1e-12, atol=1e-13
        )


@pytest.mark.parametrize("beta", [0.5, 5.0])
def test_uniform_tokens_on_the_circle(beta):
    angle = 2 * np.pi * np.arange(80) / 80
    x = np.column_stack([np.cos(angle), np.sin(angle)])
    first, zeroth = special.iv([1, 0], beta)
    np.testing.assert_allclose(attention(x, beta), first / zeroth * x, atol=1e-14)
    found = attention(x, beta, normalised=False)
    np.testing.assert_allclose(found, first * x, rtol=1e-13, atol=1e-14 * first)
    assert np.abs(attention(x, beta, tangent=True)).max() < 1e-14


def test_unnormalised_attention_climbs_its_energy(rng):
    """E = Σ e^{β⟨x_i, x_j⟩} / 2βn²; its gradient is USA/n."""
    x, beta, step = sphere(rng, 6, 3), 2.0, 1e-5

    def energy(tokens):
        return np.exp(beta * tokens @ tokens.T).sum() / (2 * beta * len(tokens) ** 2)

    found = attention(x, beta, normalised=False)
    for i, k in np.ndindex(x.shape):
        moved = np.zeros_like(x)
        moved[i, k] = step
        slope = (energy(x + moved) - energy(x - moved)) / (2 * step)
        assert abs(slope - found[i, k] / len(x)) < 1e-8


# What users may rely on


@pytest.mark.parametrize("dtype", PRECISIONS)
@pytest.mark.parametrize(("path", "dim"), [("fused", 3), ("tiles", 20), ("streaming", 20)])
@pytest.mark.parametrize("own", [True, False])
def test_threads_change_no_bit(rng, path, dim, dtype, own):
    x = sphere(rng, size(2500, 140), dim, dtype)
    sources = None if own else sphere(rng, size(700, 70), dim, dtype)
    options = {"sources": sources, "tangent": True, "value": rng.standard_normal((dim, dim))}
    before, found = compiling.threads(), set()
    try:
        for threads in (1, 2, 3, 4):
            compiling.set_threads(threads)
            found.add(attention(x, 4.0, path=path, **options).tobytes())
    finally:
        compiling.set_threads(before)
    assert len(found) == 1


@pytest.mark.parametrize("dtype", PRECISIONS)
@pytest.mark.parametrize("beta", [2.0, 1e4])
@pytest.mark.parametrize("dim", [3, 20])
@pytest.mark.parametrize("normalised", [True, False])
def test_what_is_not_a_number_shows(rng, dim, beta, dtype, normalised):
    if not normalised:
        beta = 2.0  # there, large ones overflow by right
    x, y = sphere(rng, 70, dim, dtype), sphere(rng, 40, dim, dtype)
    bad = x.copy()
    bad[5, 1] = np.nan
    assert np.isnan(attention(bad, beta, normalised=normalised)).all()
    maps = {"query": np.eye(dim), "value": np.eye(dim), "tangent": True}
    for options in ({}, maps):
        alone = np.isnan(attention(bad, beta, sources=y, normalised=normalised, **options))
        assert np.array_equal(alone.all(axis=1), np.arange(70) == 5)
        assert np.array_equal(alone.any(axis=1), np.arange(70) == 5)
    assert np.isnan(attention(y, beta, sources=bad, normalised=normalised)).all()
    mass = np.ones(70)
    mass[5] = np.nan
    assert np.isnan(attention(x, beta, mass=mass, normalised=normalised)).all()


@pytest.mark.parametrize("dim", [3, 20])
def test_unnormalised_sums_may_overflow(dim):
    x = np.zeros((3, dim))
    x[:, :] = 1 / np.sqrt(dim)
    assert not np.isfinite(attention(x, 1e4, normalised=False)).any()
    assert np.all(attention(x, -1e4, normalised=False) == 0)
    assert np.isfinite(attention(x, 700.0, normalised=False)).all()


def test_layout_and_kind_of_numbers_have_no_part(rng):
    x, y, mass = rng.standard_normal((50, 3)), rng.standard_normal((30, 3)), rng.uniform(size=30)
    found = attention(x, 1.0, sources=y, mass=mass)
    strided = np.repeat(np.repeat(x, 2, axis=0), 2, axis=1)[::2, ::2]
    other = attention(
        np.asfortranarray(strided), 1.0, sources=np.repeat(y, 2, axis=0)[::2], mass=mass.tolist()
    )
    assert other.tobytes() == found.tobytes()
    whole = [[1, 0], [0, 1], [1, 1]]
    assert np.array_equal(attention(whole, 1), attention(np.array(whole, dtype=float), 1.0))
    single = attention(x.astype(np.float32), 1.0, sources=y, query=np.eye(3), mass=mass)
    assert single.dtype == np.float32
    # The same tokens, said twice.
    assert attention(x, 1.0, sources=x).tobytes() == attention(x, 1.0).tobytes()


def test_arguments_stay_as_they_are(rng):
    x, mass = sphere(rng, 20, 12), rng.uniform(size=20)
    before = x.copy(), mass.copy()
    for path in ("tiles", "streaming"):
        attention(x, 4.0, mass=mass, path=path, tangent=True)
    assert np.array_equal(before[0], x)
    assert np.array_equal(before[1], mass)


@pytest.mark.parametrize("dim", [3, 20])
def test_nothing_to_look_at_and_nobody_to_look(dim):
    x, none = np.ones((4, dim)), np.ones((0, dim))
    for normalised in (True, False):
        assert attention(none, 1.0, normalised=normalised).shape == (0, dim)
        assert attention(none, 1.0, sources=x, normalised=normalised).shape == (0, dim)
    assert np.array_equal(attention(x, 1.0, sources=none, normalised=False), np.zeros((4, dim)))
    with pytest.raises(InvalidInput, match="at least one row for a softmax"):
        attention(x, 1.0, sources=none)
    with pytest.raises(InvalidInput, match="a number > 0 for a softmax"):
        attention(x, 1.0, mass=np.zeros(4))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"beta": np.nan}, "beta = nan: expected a finite number"),
        ({"x": np.ones(3)}, r"x.shape = \(3,\): expected \(any, any\)"),
        ({"x": np.ones((3, 0))}, r"x.shape = \(3, 0\)"),
        ({"sources": np.ones((4, 2))}, r"sources.shape\[1\] = 2: expected 3"),
        ({"query": np.ones((2, 3))}, r"query.shape = \(2, 3\): expected \(3, 3\)"),
        ({"query": np.ones((2, 3)), "key": np.ones((3, 3))}, r"key.shape = .* expected \(2, 3\)"),
        ({"value": np.ones((2, 2))}, r"value.shape = \(2, 2\): expected \(any, 3\)"),
        ({"value": np.ones((2, 3)), "tangent": True}, "tangent = True: expected a value in"),
        ({"mass": np.ones(4)}, r"mass.shape = \(4,\): expected \(5,\)"),
        ({"mass": -np.ones(5)}, "mass = .* expected numbers ≥ 0"),
        ({"path": "dense"}, "path = 'dense': expected one of fused, tiles, streaming"),
        ({"path": "streaming", "normalised": False}, "another path for unnormalised sums"),
    ],
)
def test_what_does_not_fit_is_said(options, said):
    with pytest.raises(InvalidInput, match=said):
        attention(**{"x": np.ones((5, 3)), "beta": 1.0, **options})


def test_choice():
    assert choose(3).path == choose(8, np.float32).path == "fused"
    assert choose(64).path == "tiles"
    assert choose(64, spread=599).path == "tiles"
    assert choose(64, np.float32, spread=599).path == choose(3, spread=np.nan).path == "streaming"
    assert "599 > 60" in choose(64, np.float32, spread=599).why
    assert "running maximum" in choose(64, np.float32, spread=599).why


@pytest.mark.skipif(compiling.DISABLED, reason="takes hours without compilation")
@pytest.mark.parametrize("dim", [3, 20])
def test_no_matrix_of_all_pairs(dim):
    x = sphere(np.random.default_rng(0), 20_000, dim, np.float32)
    for path in (None, "streaming"):
        attention(x[:3000], 1.0, path=path)  # compiled
        tracemalloc.start()
        attention(x, 1.0, path=path)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < max(30 * x.nbytes, 2**22)


@pytest.mark.parametrize("dtype", PRECISIONS)
def test_power_of_two(rng, dtype):
    points = np.concatenate(
        [rng.uniform(-120, 120, size(2000, 200)), rng.uniform(-1, 1, 200), np.arange(-9, 9) / 2]
    ).astype(dtype)
    with mpmath.workdps(40):
        errors = [
            float(abs(mpmath.mpf(float(elementary.exp2(x))) / mpmath.power(2, float(x)) - 1))
            for x in points
        ]
    assert max(errors) < 1.2 * np.finfo(dtype).eps
    assert elementary.exp2(dtype(0)) == 1
    assert np.isnan(elementary.exp2(dtype(np.nan)))
