"""Sliced, entropic, Gaussian and unbalanced transport against closed forms, POT and SciPy."""

import numpy as np
import ot
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.linalg import sqrtm
from scipy.optimize import minimize
from scipy.spatial.distance import cdist

from meanfield.errors import InvalidInput, NotConverged, Unsupported
from meanfield.kernels.compile import set_threads, threads
from meanfield.transport import distance, gaussian_distance
from meanfield.transport.measures import measure
from meanfield.transport.sliced import Sliced, along
from meanfield.transport.unbalanced import solve
from tests.conftest import size
from tests.transport.clouds import cloud, seeds


@given(seeds, st.integers(1, 12), st.integers(1, 12), st.booleans(), st.sampled_from([1.0, 2.0]))
def test_sliced_is_the_mean_over_directions(seed, count, other, weighted, order):
    rng = np.random.default_rng(seed)
    first, second = (cloud(rng, n, 3, weighted) for n in (count, other))
    method = Sliced(directions=7, order=order, seed=seed)
    lines = method._drawn(3)
    powers = np.array(
        [
            ot.wasserstein_1d(first[0] @ u, second[0] @ u, first[1], second[1], p=order)
            for u in lines
        ]
    )
    found = distance(first, second, method)
    assert found.value == pytest.approx(powers.mean() ** (1 / order), rel=1e-12)
    if powers.mean() > 0:
        spread = powers.std(ddof=1) / np.sqrt(7) / powers.mean() / order
        assert found.standard_error == pytest.approx(found.value * spread, rel=1e-12)
        # E(root of the mean) - root of E is half the root's second derivative times the variance.
        curvature = (1 - order) / found.value
        assert found.bias == pytest.approx(0.5 * curvature * found.standard_error**2, rel=1e-9)


def test_the_standard_error_of_sliced_is_honest(rng):
    """Between two points it is |θ - θ'|/√d; z values over seeds have spread 1."""
    d = 6
    x, y = np.zeros((1, d)), np.full((1, d), 2.0)
    exact = 2.0  # √(4 d / d)
    z = []
    for seed in range(size(300, 60)):
        found = distance(x, y, "sliced", seed=seed)
        z.append((found.value - found.bias - exact) / found.standard_error)
    assert abs(np.mean(z)) < 4 * np.std(z) / np.sqrt(len(z))
    assert 0.85 < np.std(z) < 1.2


def test_sliced_has_the_same_bits_on_any_number_of_threads(rng):
    x, y = rng.standard_normal((2, 500, 4))
    before = threads()
    found = set()
    for count in (1, 3):
        set_threads(count)
        found.add(distance(x, y, "sliced").value)
    set_threads(before)
    assert len(found) == 1


def test_max_sliced_finds_the_direction(rng):
    """Between N(0, I) and a copy stretched along one axis, that axis is the best."""
    x = rng.standard_normal((400, 5))
    y = x * np.array([3.0, 1, 1, 1, 1])
    found = distance(x, y, "max-sliced", directions=20)
    best = along(measure(x), measure(y), np.eye(5)[:1], 2.0)[0] ** 0.5
    assert found.value == pytest.approx(best, rel=1e-4)
    assert distance(x, y, "sliced").value < found.value <= distance(x, y).value + 1e-12


@given(seeds, st.integers(1, 4))
def test_bures_is_the_formula(seed, dim):
    rng = np.random.default_rng(seed)
    m, n = rng.standard_normal((2, dim))
    a, b = (x @ x.T for x in rng.standard_normal((2, dim, dim + 2)))
    root = sqrtm(a)
    square = np.sum((m - n) ** 2) + np.trace(a + b - 2 * sqrtm(root @ b @ root)).real
    assert gaussian_distance(m, a, n, b) == pytest.approx(np.sqrt(square), rel=1e-9)
    assert gaussian_distance(m, a, m, a) < 1e-7
    # Of covariances that commute: Σ (√λ - √μ)².
    roots = rng.uniform(0, 2, (2, dim))
    roots[0, 0] = 0.0  # of lower rank
    basis = np.linalg.qr(rng.standard_normal((dim, dim)))[0]
    a, b = (basis * r**2 @ basis.T for r in roots)
    expected = np.linalg.norm(roots[0] - roots[1])
    assert gaussian_distance(m, a, m, b) == pytest.approx(expected, rel=1e-7, abs=1e-7)


@given(seeds, st.integers(1, 4), st.integers(1, 4))
def test_bures_of_any_rank(seed, rank, other):
    """Of covariances AAᵀ and BBᵀ the cross term is the nuclear norm of AᵀB."""
    rng = np.random.default_rng(seed)
    a, b = rng.standard_normal((5, rank)), rng.standard_normal((5, other))
    cross = np.linalg.svd(a.T @ b, compute_uv=False).sum()
    exact = np.sqrt((a**2).sum() + (b**2).sum() - 2.0 * cross)
    assert gaussian_distance(np.zeros(5), a @ a.T, np.zeros(5), b @ b.T) == pytest.approx(
        exact, rel=1e-12, abs=1e-12
    )
    for mean, cov in (([np.nan], [[1.0]]), ([0.0], [[np.inf]])):
        with pytest.raises(InvalidInput, match="expected finite numbers"):
            gaussian_distance(mean, cov, [0.0], [[1.0]])


@given(seeds)
def test_bures_of_points(seed):
    """An affine image under a symmetric positive map: W₂ itself; also fewer points than p."""
    rng = np.random.default_rng(seed)
    for count in (3, 30):
        x, a = cloud(rng, count, 5)
        stretch = np.diag(rng.uniform(0.5, 2.0, 5))
        y = x @ stretch + rng.standard_normal(5)
        moved = np.sqrt(a @ ((x - y) ** 2).sum(axis=1))
        assert distance((x, a), (y, a)).value == pytest.approx(moved, rel=1e-12)
        assert distance((x, a), (y, a), "bures").value == pytest.approx(moved, rel=1e-12)
        assert distance((x, a), (x, a), "bures").value < 1e-14
        other = cloud(rng, 7, 5)
        assert distance((x, a), other, "bures").value <= distance((x, a), other).value + 1e-12


def test_bures_refuses_what_is_no_covariance():
    for wrong in ([[1.0, 0.0], [1.0, 1.0]], [[-1.0, 0.0], [0.0, 1.0]]):
        with pytest.raises(InvalidInput, match="positive semidefinite"):
            gaussian_distance([0, 0], wrong, [0, 0], np.eye(2))


@given(seeds, st.sampled_from([2.0, 5.0]))
def test_sinkhorn_is_the_convention_that_it_states(seed, epsilon):
    """OT = <P, C> + ε KL(P | a ⊗ b) of POT's plans, debiased."""
    rng = np.random.default_rng(seed)
    first, second = cloud(rng, 6, 2), cloud(rng, 5, 2)

    def value(one, other):
        (x, a), (y, b) = one, other
        cost = cdist(x, y) ** 2
        plan = ot.sinkhorn(
            a, b, cost, epsilon, method="sinkhorn_log", stopThr=1e-13, numItermax=20_000
        )
        return np.sum(plan * cost) + epsilon * np.sum(plan * np.log(plan / np.outer(a, b)))

    square = value(first, second) - 0.5 * value(first, first) - 0.5 * value(second, second)
    found = distance(first, second, "sinkhorn", epsilon=epsilon, tolerance=1e-9, iterations=20_000)
    assert found.value**2 == pytest.approx(square, rel=1e-7)
    np.testing.assert_allclose(found.plan.sum(axis=0), second[1], atol=1e-12)
    np.testing.assert_allclose(found.plan.sum(axis=1), first[1], atol=1e-8)


def test_sinkhorn_tends_to_w2_and_tells_when_it_does_not_converge(rng):
    first, second = cloud(rng, 12, 2), cloud(rng, 12, 2)
    exact = distance(first, second).value
    errors = [
        abs(distance(first, second, "sinkhorn", epsilon=e, iterations=20_000).value - exact)
        for e in (2.0, 0.5, 0.1)
    ]
    assert errors[2] < errors[1] < errors[0]
    assert errors[2] < 0.03
    with pytest.raises(NotConverged, match="after 3 iterations a marginal is off by"):
        distance(first, second, "sinkhorn", epsilon=1e-3, iterations=3)
    assert distance(np.ones((3, 2)), np.ones((2, 2)), "sinkhorn").value == 0


@given(seeds, st.floats(0.1, 3.0), st.floats(0.1, 3.0), st.floats(0.0, 4.0))
def test_two_points_unbalanced(seed, a, b, apart):
    """Closed forms: ℓ² (a + b - 2 √(ab) e^{-c/2}) with the costs c."""
    x, y = np.zeros((1, 1)), np.full((1, 1), apart)
    first, second = (x, [a]), (y, [b])
    for length in (0.7, 2.0):
        left = a + b - 2 * np.sqrt(a * b) * np.exp(-0.5 * (apart / length) ** 2)
        found = distance(first, second, "unbalanced", length=length)
        assert found.value**2 == pytest.approx(length**2 * left, rel=1e-9, abs=1e-13)
        angle = min(apart / length, np.pi / 2)
        found = distance(first, second, "wfr", length=length)
        square = a + b - 2 * np.sqrt(a * b) * np.cos(angle)
        assert found.value**2 == pytest.approx(length**2 * square, rel=1e-9, abs=1e-13)


@given(seeds)
def test_unbalanced_minimum_by_another_route(seed):
    """L-BFGS-B over plans from above; the stated gap holds."""
    rng = np.random.default_rng(seed)
    a, b = rng.uniform(0.2, 2.0, 4), rng.uniform(0.2, 2.0, 3)
    cost = rng.uniform(0.0, 3.0, (4, 3))
    cost[0, 0] = np.inf
    there = np.isfinite(cost)

    def primal(entries):
        plan = np.zeros(cost.shape)
        plan[there] = entries
        value, slope = float(cost[there] @ entries), np.where(there, cost, 0.0)
        for axis, mass in ((1, a), (0, b)):
            sums = plan.sum(axis=axis)
            value += float(np.sum(sums * np.log(sums / mass) - sums + mass))
            slope = slope + np.expand_dims(np.log(sums / mass), axis)
        return value, slope[there]

    start = np.full(there.sum(), 0.1)
    bounds = [(1e-14, None)] * len(start)
    options = {"ftol": 1e-15, "gtol": 1e-10, "maxiter": 5000, "maxfun": 10**5}
    expected = minimize(primal, start, jac=True, bounds=bounds, method="L-BFGS-B", options=options)
    value, gap, plan = solve(a, b, cost)
    assert value == pytest.approx(expected.fun, rel=1e-7)
    assert gap <= 1e-9 * value
    assert primal(np.maximum(plan[there], 1e-14))[0] == pytest.approx(value, abs=2 * gap + 1e-11)


def test_limits_of_the_length(rng):
    (x, a), (y, b) = first, second = cloud(rng, 8, 2), cloud(rng, 9, 2)
    for method in ("unbalanced", "wfr"):
        long = distance(first, second, method, length=1e3)
        assert long.value == pytest.approx(distance(first, second).value, rel=1e-5)
        short = distance(first, (x, b[:8]), method, length=1e-3)
        hellinger = np.sqrt(np.sum((np.sqrt(a) - np.sqrt(b[:8])) ** 2))
        assert short.value == pytest.approx(1e-3 * hellinger, rel=1e-9)
    far = distance(first, (y + 100.0, 2 * b), "wfr", length=1.0)
    assert far.value == pytest.approx(np.sqrt(3.0), rel=1e-12)  # all is destroyed, and made


@given(seeds, st.sampled_from(["wfr", "cone", "unbalanced"]))
def test_axioms_without_balance(seed, method):
    rng = np.random.default_rng(seed)
    clouds = [(rng.standard_normal((n, 2)), rng.uniform(0.1, 1.0, n)) for n in (4, 5, 6)]
    ab, ba, bc, ac = (
        distance(clouds[i], clouds[j], method).value for i, j in ((0, 1), (1, 0), (1, 2), (0, 2))
    )
    assert ab == pytest.approx(ba, rel=1e-9)
    assert distance(clouds[0], clouds[0], method).value < 1e-6
    assert ac <= ab + bc + 1e-9


@given(seeds)
def test_the_cone_over_the_sphere(seed):
    """Single particles of mass 1 are at their distance; ensembles at most at theirs."""
    rng = np.random.default_rng(seed)
    x, y = rng.standard_normal((2, 1, 3))
    if x[0] @ y[0] > 0:  # within a right angle
        assert distance(x, y, "cone").value == pytest.approx(np.linalg.norm(x - y), rel=1e-8)
    first, second = cloud(rng, 5, 3), cloud(rng, 7, 3)
    assert distance(first, second, "cone").value <= distance(first, second).value + 1e-9


def test_a_problem_that_is_too_hard_says_between_what_the_value_lies(monkeypatch, rng):
    monkeypatch.setattr("meanfield.transport.unbalanced.STEPS", 2)
    with pytest.raises(NotConverged, match="the value lies between"):
        distance(cloud(rng, 9, 2), cloud(rng, 9, 2), "unbalanced")


def test_balanced_methods_do_not_compare_signed_measures():
    from meanfield.transport import Measure

    signed = Measure(np.eye(2), np.array([1.0, -1.0]))
    with pytest.raises(
        Unsupported, match="exact does not compare signed measures: take one of cone"
    ):
        distance(signed, signed)
    assert distance(signed, signed, "auto").method.kind == "cone"
    flipped = Measure(np.eye(2), np.array([-1.0, 1.0]))
    assert distance(signed, flipped, "cone").value == pytest.approx(2.0, rel=1e-12)
