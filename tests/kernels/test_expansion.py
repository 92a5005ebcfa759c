"""The kernel in finite rank: against its definition, exact sums, its own bound and its order."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meanfield.activations import make
from meanfield.kernels import bases, expansion
from meanfield.kernels import compile as compiling
from meanfield.kernels.harmonics import legendre
from meanfield.kernels.population import interact
from meanfield.kernels.projected import Projected
from tests.conftest import size
from tests.functionals.naive import difference

HOMOGENEOUS = [
    "step",
    "relu",
    {"kind": "leaky-relu", "slope_left": 0.3},
    "abs",
    {"kind": "monomial", "degree": 3},
]
OTHERS = ["erf", "gelu", "cos", "tanh", "relu", {"kind": "hermite", "degree": 4}]
N = size(40, 6)


def neurons(rng, dim, count=N, shifted=False, width=1, scale=1.0, dtype=float):
    """Neurons, outer weights and the same times masses."""
    w, b = scale * rng.normal(size=(count, dim)), shifted * rng.normal(size=count)
    a, mass = rng.normal(size=(count, width)), rng.dirichlet(np.full(count, 3.0))
    seen = Projected(w.astype(dtype), b.astype(dtype) if shifted else None, None, None)
    return seen, a.astype(dtype), (a * mass[:, None]).astype(dtype)


def found(basis, degree, seen, a, c):
    return expansion.interact(basis, degree, seen, a, seen, c)


def assert_close(mine, expected, tolerance=1e-12):
    for x, y in zip(mine, expected, strict=True):
        assert x.shape == y.shape
        assert np.abs(x - y).max() <= tolerance * max(1.0, np.abs(y).max())


# Against definitions.


@pytest.mark.parametrize("spec", OTHERS, ids=str)
@pytest.mark.parametrize(("dim", "shifted"), [(1, True), (2, False), (2, True), (3, True)])
def test_sum_over_hermite_coefficients(spec, dim, shifted, rng):
    activation, degree = make(spec), size(9, 3)
    seen, a, c = neurons(rng, dim, shifted=shifted, width=2)
    # With a bias of 0 the basis of a homogeneous activation would be another one.
    basis = bases.Hermite(activation, dim, shifted)
    k = np.arange(degree + 1)
    coefficients = activation.hermite(seen.m, seen.s, degree)
    factorials = np.array([math.factorial(j) for j in k])
    kernel = np.einsum(
        "ik,jk,ijk->ij",
        coefficients / factorials,
        coefficients,
        (seen.n @ seen.n.T)[:, :, None] ** k,
    )
    outer, _, _ = found(basis, degree, seen, a, c)
    np.testing.assert_allclose(outer, kernel @ c, rtol=1e-11, atol=1e-12)


def test_spectrum_of_the_relu_in_the_plane():
    """The Fourier coefficients of the arc-cosine kernel, by parts: (2/π)²/(l² - 1)² for even l."""
    terms = bases.basis(make("relu"), 2, False).terms(40)
    assert terms.degree.tolist() == [0, 1, *range(2, 41, 2)]
    l = np.arange(2, 41, 2.0)
    expected = np.concatenate([[2 / np.pi**2, 0.25], 4 / np.pi**2 / (l**2 - 1) ** 2])
    np.testing.assert_allclose(terms.weight, expected, rtol=1e-9)


@pytest.mark.parametrize("spec", HOMOGENEOUS, ids=str)
@pytest.mark.parametrize("dim", [2, 3, 5])
def test_spectrum_is_that_of_the_kernel(spec, dim, rng):
    """b_l is the projection of K on P_l: the integral with (1 - t²)^((d-3)/2), t = cos."""
    activation, degree = make(spec), 4
    z, weight = np.polynomial.legendre.leggauss(size(200, 60))
    angle = 0.5 * np.pi * (1 + z)
    weight = weight * np.sin(angle) ** (dim - 2)
    pairs = [activation.pair(activation.parameters, 0.0, 1.0, 0.0, 1.0, *rho) for rho in
             zip(np.cos(angle), np.sin(angle), strict=True)]  # fmt: skip
    kernel, polynomials = np.array(pairs)[:, 0], legendre(dim, degree, np.cos(angle))
    expected = polynomials @ (weight * kernel) / (polynomials**2 @ weight)
    terms = bases.basis(activation, dim, False).terms(degree)
    mine = np.zeros(degree + 1)
    mine[terms.degree] = terms.weight
    np.testing.assert_allclose(mine, expected, atol=size(1e-6, 1e-4) * mine.max())


@pytest.mark.parametrize("dim", [1, 2, 4])
@pytest.mark.parametrize(
    ("spec", "shifted", "degree"),
    [
        ("linear", True, 1),
        ("quadratic", True, 2),
        ({"kind": "monomial", "degree": 3}, False, 3),
        ({"kind": "hermite", "degree": 4}, True, 4),
    ],
    ids=str,
)
def test_polynomials_are_exact(spec, shifted, degree, dim, rng):
    activation = make(spec)
    seen, a, c = neurons(rng, dim, shifted=shifted, width=2)
    basis = bases.basis(activation, dim, shifted)
    expected = interact(activation, seen, a, seen, c)
    mine = found(basis, degree, seen, a, c)
    assert_close(mine[::2], expected[::2], 1e-11)
    if shifted:
        assert_close(mine[1:2], expected[1:2], 1e-11)


@pytest.mark.parametrize("shifted", [False, True])
@pytest.mark.parametrize("spec", ["relu", "erf", "step"])
@pytest.mark.parametrize("dim", [1, 2, 3])
def test_gradient(dim, spec, shifted, rng):
    activation, degree, count = make(spec), size(8, 4), size(10, 3)
    basis = bases.basis(activation, dim, shifted)
    sources, _, c = neurons(rng, dim, count, shifted=shifted, width=2)
    w, b = rng.normal(size=(count, dim)), rng.normal(size=count) * shifted
    w *= rng.uniform(0.6, 1.6, size=(count, 1)) / np.linalg.norm(w, axis=1, keepdims=True)
    a = rng.normal(size=(count, 2))

    def potential(w, b):
        seen = Projected(w, b if shifted else None, None, None)
        return expansion.interact(basis, degree, seen, a, sources, c)

    _, d_mean, inner = potential(w, b)
    for q in range(dim):

        def along(h, q=q):
            return (a * potential(w + h * np.eye(dim)[q], b)[0]).sum(axis=1)

        np.testing.assert_allclose(inner[:, q], difference(along, 1e-3), rtol=1e-7, atol=1e-8)
    if shifted:
        expected = difference(lambda h: (a * potential(w, b + h)[0]).sum(axis=1), 1e-3)
        np.testing.assert_allclose(d_mean, expected, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize(
    ("spec", "shifted"),
    [("relu", False), ("linear", False), ("step", False), ("abs", False), ("quadratic", False),
     ("erf", True), ("cos", False), ("relu", True)],
)  # fmt: skip
def test_neurons_without_weight(spec, shifted, rng):
    """Where w = 0, the kernel has one or two terms, and the gradient of the exact kernel."""
    activation = make(spec)
    seen, a, c = neurons(rng, 2, size(10, 4), shifted=shifted)
    seen.s[:2], seen.n[:2], seen.a[:2] = 0.0, 0.0, 0.0
    only = c.copy()
    only[2:] = 0.0  # from those without weight to all
    basis = bases.basis(activation, 2, shifted)
    mine, exact = found(basis, 6, seen, a, only), interact(activation, seen, a, seen, only)
    assert_close(mine[:1], exact[:1])
    rows = slice(None) if shifted else slice(2, None)
    assert_close([mine[2][rows]], [exact[2][rows]])
    # From all to those without weight.
    mine, exact = found(basis, 6, seen, a, c), interact(activation, seen, a, seen, c)
    assert_close([mine[0][:2], mine[2][:2]], [exact[0][:2], exact[2][:2]])


# The bound.


@given(
    st.sampled_from([*((s, False) for s in HOMOGENEOUS), *((s, True) for s in OTHERS)]),
    st.integers(1, 4),
    st.integers(0, size(12, 4)),
    st.floats(0.1, 3.0),
    st.integers(0, 2**32),
)
def test_the_bound_bounds(case, dim, degree, scale, seed):
    spec, shifted = case
    activation, rng = make(spec), np.random.default_rng(seed)
    degree = min(degree, 12 // dim)
    seen, a, c = neurons(rng, dim, size(20, 4), shifted=shifted, width=2, scale=scale)
    c[:] = np.abs(c)  # all of one sign, the worst there is
    basis = bases.basis(activation, dim, shifted)
    error = found(basis, degree, seen, a, c)[0] - interact(activation, seen, a, seen, c)[0]
    bounds = expansion.truncation(basis, seen, c, degree)
    assert np.linalg.norm(error, axis=1).max() <= bounds[-1]
    assert np.all(np.diff(bounds) <= 1e-13 * bounds[0])


@pytest.mark.parametrize(("spec", "shifted"), [("relu", False), ("erf", True)])
def test_the_bound_is_attained(spec, shifted, rng):
    """By one neuron that meets itself alone."""
    activation = make(spec)
    seen, a, c = neurons(rng, 3, 1, shifted=shifted)
    basis = bases.basis(activation, 3, shifted)
    exact, mine = interact(activation, seen, a, seen, c)[0], found(basis, 5, seen, a, c)[0]
    bound = expansion.truncation(basis, seen, c, 5)
    assert np.abs(exact - mine)[0, 0] == pytest.approx(bound[-1], rel=1e-6)
    assert np.abs(exact)[0, 0] == pytest.approx(bound[0], rel=1e-9)


def test_order_of_convergence(rng):
    """ReLU in the plane: b_l ~ l^-4, so the potential has order L^-3 and its gradient L^-2."""
    degrees = np.array(size([8, 16, 32, 64, 128], [4, 8, 16]))
    seen, a, c = neurons(rng, 2, size(300, 4))
    a, c = np.abs(a), np.abs(c)
    activation = make("relu")
    basis = bases.basis(activation, 2, False)
    exact = interact(activation, seen, a, seen, c)
    bounds = expansion.truncation(basis, seen, c, int(degrees[-1]))[1 + degrees]
    errors = np.array([
        [np.abs(x - y).max() for x, y in zip(found(basis, int(L), seen, a, c), exact, strict=True)]
        for L in degrees
    ])  # fmt: skip

    def order(values):
        return np.polyfit(np.log(degrees), np.log(values), 1)[0]

    assert order(bounds) == pytest.approx(-3.0, abs=size(0.15, 0.5))
    assert order(errors[:, 0]) == pytest.approx(-3.0, abs=size(0.4, 1.0))
    assert order(errors[:, 2]) == pytest.approx(-2.0, abs=size(0.4, 1.0))


def test_rate_of_convergence(rng):
    """erf with |w| = s is geometric: the tail falls by 2s²/(1 + 2s²) a degree."""
    seen, _, c = neurons(rng, 3, 1)
    basis = bases.basis(make("erf"), 3, False)
    bounds = expansion.truncation(basis, seen, c, 41)[1:]
    rate = 2 * seen.s[0] ** 2 / (1 + 2 * seen.s[0] ** 2)
    # Only odd degrees count, and (2k-1)!!/(2k)!! /(2k+1) makes k^-3/2 of them.
    k = np.array([20, 40])
    ratio = bounds[k[1]] / bounds[k[0]]
    assert np.log(ratio) / 20 == pytest.approx(np.log(rate) - 1.5 * np.log(2) / 20, abs=0.02)


# Sizes.


def test_rank():
    for dim, number in ((2, lambda L: 2 * L + 1), (3, lambda L: (L + 1) ** 2)):
        basis = bases.basis(make({"kind": "leaky-relu"}), dim, False)
        even = bases.basis(make("abs"), dim, False)
        assert basis.rank(6) <= number(6)
        assert even.rank(6) == sum(number(l) - number(l - 1) if l else 1 for l in (0, 2, 4, 6))
    for dim in (1, 2, 3, 5):
        basis = bases.basis(make("gelu"), dim, True)
        assert basis.rank(4) == sum(
            math.comb(k + dim - 1, dim - 1) if dim > 1 else 1 for k in range(5)
        )
    odd = bases.basis(make("erf"), 2, False)
    assert odd.rank(5) == 2 + 4 + 6
    assert bases.basis(make("linear"), 7, False).rank(30) == 7


@given(st.sampled_from(["relu", "erf"]), st.booleans(), st.integers(2, 10), st.integers(1, 5000))
def test_largest_degree(spec, shifted, dim, most):
    basis = bases.basis(make(spec), dim, shifted)
    degree = expansion.largest_degree(basis, most)
    assert degree == -1 or basis.rank(degree) <= most
    assert degree == basis.highest or basis.rank(degree + 1) > most


# Symmetries and arithmetic.


def test_large_weights(rng):
    """Coefficients like s^k exp(-s²/2) are 0 · inf: they do not count, and spoil nothing."""
    seen, a, c = neurons(rng, 1, size(10, 4))
    w = seen.a.copy()
    w[0] = 1e4
    seen, activation = Projected(w, None, None, None), make("sin")
    basis = bases.basis(activation, 1, False)
    exact = interact(activation, seen, a, seen, c)
    mine, bound = found(basis, 100, seen, a, c), expansion.truncation(basis, seen, c, 100)
    assert np.abs(mine[0] - exact[0]).max() <= bound[-1] <= bound[0]
    assert_close([mine[0][1:], mine[2][1:]], [exact[0][1:], exact[2][1:]], 1e-10)


@pytest.mark.parametrize(("spec", "shifted"), [("relu", False), ("erf", True)])
def test_rotations_and_permutations(spec, shifted, rng):
    basis, degree = bases.basis(make(spec), 3, shifted), 4
    seen, a, c = neurons(rng, 3, shifted=shifted, width=2)
    outer, d_mean, inner = found(basis, degree, seen, a, c)
    turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    turned = Projected(seen.a @ turn, seen.m, None, None)
    assert_close(found(basis, degree, turned, a, c), (outer, d_mean, inner @ turn), 1e-13)
    order = rng.permutation(len(a))
    mixed = Projected(seen.a[order], seen.m[order], None, None)
    expected = outer[order], d_mean[order], inner[order]
    assert_close(found(basis, degree, mixed, a[order], c[order]), expected, 1e-13)


def test_threads_change_no_bit(rng):
    basis = bases.basis(make("relu"), 3, True)
    seen, a, c = neurons(rng, 3, size(3001, 70), shifted=True)
    before, results = compiling.threads(), []
    try:
        for count in (1, 2, 3, 4):
            compiling.set_threads(count)
            results.append(np.hstack([x.ravel() for x in found(basis, 5, seen, a, c)]))
    finally:
        compiling.set_threads(before)
    assert all(np.array_equal(results[0], other) for other in results[1:])


@pytest.mark.parametrize(("spec", "shifted"), [("relu", False), ("erf", True)])
def test_slabs(spec, shifted, rng, monkeypatch):
    """More neurons than columns are kept for: the same sums."""
    basis = bases.basis(make(spec), 2, shifted)
    seen, a, c = neurons(rng, 2, size(300, 130), shifted=shifted)
    whole, bound = found(basis, 4, seen, a, c), expansion.truncation(basis, seen, c, 4)
    monkeypatch.setattr(expansion, "SLAB", 64)
    assert_close(found(basis, 4, seen, a, c), whole, 1e-14)
    np.testing.assert_allclose(expansion.truncation(basis, seen, c, 4), bound, rtol=1e-13)


@pytest.mark.parametrize(("spec", "shifted"), [("relu", False), ("erf", True)])
def test_single_precision(spec, shifted):
    basis = bases.basis(make(spec), 3, shifted)
    double, single = (
        neurons(np.random.default_rng(5), 3, shifted=shifted, dtype=dtype)
        for dtype in (np.float64, np.float32)
    )
    mine = found(basis, 5, *single)
    assert all(x.dtype == np.float32 for x in mine)
    assert_close(mine, found(basis, 5, *double), 2e-6)


@pytest.mark.parametrize(("spec", "shifted"), [("relu", False), ("erf", True)])
@pytest.mark.parametrize("where", ["w", "b", "c"])
def test_what_is_not_a_number_reaches_all(spec, shifted, where, rng):
    basis = bases.basis(make(spec), 2, shifted)
    seen, a, c = neurons(rng, 2, 5, shifted=shifted)
    if where == "c":
        c[3] = np.nan
    elif where == "b" and shifted:
        seen.m[3] = np.nan
    else:
        w = seen.a.copy()
        w[3] = np.nan
        seen = Projected(w, seen.m, None, None)
    outer, _, inner = found(basis, 3, seen, a, c)
    assert np.isnan(outer).all()
    assert np.isnan(inner).all()
