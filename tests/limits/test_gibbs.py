"""The fixed point of mean-field Langevin, against mpmath, other rules, and its own optimality."""

from dataclasses import replace

import mpmath as mp
import numpy as np
import pytest
from scipy.integrate import dblquad

import meanfield as mf
from meanfield.errors import InvalidInput, MeanfieldError, Unsupported
from meanfield.functionals.losses import losses
from meanfield.limits import Gibbs
from tests.conftest import size

X, Y = np.array([[-1.0], [0.5], [2.0]]), np.array([-0.3, 0.5, 0.6])
LINE = mf.FiniteData(X, Y)
UNEVEN = mf.FiniteData(X, Y, [0.2, 0.5, 0.3])
PLANE = mf.FiniteData([[1.0, 0.2], [-0.5, 1.0], [0.3, -1.2]], [1.0, -1.0, 1.0])
FIXED = mf.TwoLayer("tanh", 1, outer="fixed")


def problems():
    found = [
        Gibbs(FIXED, LINE, 0.1, 0.05),
        Gibbs(FIXED, UNEVEN, 0.1, 0.05, a=(1.0, -2.0)),
        Gibbs(mf.TwoLayer("relu", 1, bias=True), LINE, 0.1, 0.02),
        Gibbs(mf.TwoLayer("tanh", 1, outer="bounded", bound=2.0), LINE, 0.2, 0.05),
        Gibbs(mf.TwoLayer("relu", 2, outer="fixed"), PLANE, 0.3, 0.1, "logistic", (3.0, -3.0)),
        Gibbs(mf.TwoLayer("tanh", 2), PLANE, 0.2, 0.05, "exponential"),
    ]
    return found[: size(6, 3)]  # two dimensions take seconds without compiled activations


def test_published_fixed_point():
    solved = Gibbs(FIXED, LINE, 0.1, 0.05).at()
    np.testing.assert_allclose(
        solved["output"][0], [-0.37223862, 0.22747942, 0.50050424], rtol=0, atol=1e-8
    )
    assert solved["risk"][0] == pytest.approx(0.0148975, abs=1e-7)
    assert np.all(solved.error("output") < 1e-12)


def test_fixed_point_in_many_digits():
    with mp.workdps(20):
        f = [mp.mpf(v) for v in Gibbs(FIXED, LINE, 0.1, 0.05).at()["output"][0]]
        pulls = [(f[k] - mp.mpf(Y[k])) / 3 for k in range(3)]

        def density(w):
            drive = sum(p * mp.tanh(w * mp.mpf(x[0])) for p, x in zip(pulls, X, strict=True))
            return mp.exp(-(drive + mp.mpf(0.1) * w * w / 2) / mp.mpf(0.05))

        grid = [mp.mpf(j) / 64 for j in range(-64 * 8, 64 * 8 + 1)]  # geometric convergence
        weights = [density(w) for w in grid]
        total = mp.fsum(weights)
        for k in range(3):
            tanh = mp.fsum(
                p * mp.tanh(w * mp.mpf(X[k, 0])) for p, w in zip(weights, grid, strict=1)
            )
            assert abs(tanh / total - f[k]) < 1e-14


@pytest.mark.parametrize("problem", problems(), ids=lambda p: f"{p.network.outer}-{p.loss}")
def test_gap_and_stationarity(problem):
    limit, solution = problem.at(), problem.solution
    assert 0 <= solution.gap < 1e-14
    assert solution.step < 1e-12
    for name in limit.series:
        assert np.all(limit.error(name) < 1e-5), name
    # More nodes change less than what is stated, but for rounding.
    finer = replace(problem, nodes=int(1.5 * problem._count)).at()
    for name in limit.series:
        assert np.all(np.abs(finer[name] - limit[name]) <= limit.error(name) + 1e-12), name


@pytest.mark.parametrize("problem", problems(), ids=lambda p: f"{p.network.outer}-{p.loss}")
def test_outputs_are_those_of_the_measure(problem):
    """By a grid, whatever rule has solved it; and risk and ridge as the package computes them."""
    ensemble, limit = problem.measure(np.inf, 30_000), problem.at()
    assert len(ensemble) <= 30_000
    found = problem.network(ensemble, problem.data.x)
    coarse = 0.02 if problem.network.activation.kind == "relu" else 1e-3  # a grid sees no kinks
    np.testing.assert_allclose(found, limit["output"][0], rtol=0, atol=coarse)
    risk = mf.Risk(problem.network, problem.data, problem.loss).value(ensemble)
    assert risk == pytest.approx(limit["risk"][0], abs=coarse)
    assert problem.l2 * mf.L2().value(ensemble) == pytest.approx(limit["l2"][0], abs=coarse)
    np.testing.assert_allclose(ensemble.mean(ensemble.position), limit["mean"][0], atol=coarse)


def test_outer_weights_that_are_integrated_out():
    """∫ over a by quadrature: the density of (a, w) in the plane."""
    problem = Gibbs(mf.TwoLayer("tanh", 1), LINE, 0.3, 0.1)
    limit = problem.at()
    f = limit["output"][0]

    def weighted(function):
        def integrand(a, w):
            phi = a * np.tanh(w * X[:, 0])
            exponent = (f - Y) @ phi / 3 + 0.15 * (a * a + w * w)
            return function(a, w) * np.exp(-exponent / 0.1)

        return dblquad(integrand, -6, 6, -6, 6, epsabs=1e-9)[0]

    total = weighted(lambda a, w: 1.0)
    assert weighted(lambda a, w: a * np.tanh(2 * w)) / total == pytest.approx(f[2], abs=1e-8)
    square = weighted(lambda a, w: a * a) / total
    assert square == pytest.approx(limit["second_moment"][0, 0], abs=1e-7)
    # Z says what the free energy is.
    pulled = (f - Y) @ f / 3 + limit["l2"][0]
    assert limit["entropy"][0] == pytest.approx(-pulled / 0.1 - np.log(total), abs=1e-6)


def test_free_energy_is_the_least():
    """F of other measures of the same form is higher, by τ KL and the loss between them."""
    problem = Gibbs(FIXED, LINE, 0.1, 0.05)
    least = problem.at()["free_energy"][0]
    grid = np.linspace(-9, 9, 4_001)
    cell, neurons = grid[1] - grid[0], np.tanh(X @ grid[None])
    for outputs in ([0.0, 0.0, 0.0], [0.3, -0.4, 1.0], problem.at()["output"][0]):
        log = -((outputs - Y) @ neurons / 3 + 0.05 * grid**2) / 0.05
        density = np.exp(log - log.max())
        density /= density.sum() * cell
        f = neurons @ density * cell
        free = 0.5 * np.mean((f - Y) ** 2) + 0.05 * (density @ grid**2) * cell
        free += 0.05 * (density @ np.log(density)) * cell
        assert free >= least - 1e-13
    assert free == pytest.approx(least, abs=1e-12)


def test_kinks_are_resolved():
    """Polar coordinates converge geometrically; a grid would by h²."""
    network = mf.TwoLayer("relu", 2, outer="fixed")
    risks = [
        Gibbs(network, PLANE, 0.3, 0.1, "logistic", (3.0, -3.0), nodes).at()["risk"][0]
        for nodes in (40, 60, 160)
    ]
    assert abs(risks[0] - risks[2]) < 1e-5
    assert abs(risks[1] - risks[2]) < 1e-9


def test_quantiles_on_the_line():
    ensemble = Gibbs(FIXED, LINE, 0.1, 0.05).measure(np.inf, 1_000)
    assert np.all(np.diff(ensemble.w[:, 0]) > 0)
    np.testing.assert_allclose(ensemble.mass, 1e-3)
    assert ensemble.layout.frozen == ("a",)


def test_gap_bounds_how_far_outputs_are_from_the_fixed_point():
    """The Bregman divergence of the squared loss: ½ Σ w (f̂ - f)²."""
    loss = losses["squared"]()
    f, g = np.array([[0.3], [0.1]]), np.array([[0.5], [-0.2]])
    y = np.zeros((2, 1))
    (l_f, slope), (l_g, _) = loss.evaluate(f, y), loss.evaluate(g, y)
    np.testing.assert_allclose(l_g - l_f - (slope * (g - f))[:, 0], 0.5 * (g - f)[:, 0] ** 2)


def test_what_is_refused():
    with pytest.raises(Unsupported, match=r"4 columns to integrate over are more than 3"):
        Gibbs(mf.TwoLayer("tanh", 4, outer="fixed"), mf.FiniteData(np.eye(4), np.ones(4)), 1.0, 1.0)
    with pytest.raises(InvalidInput, match=r"l2 = 0: expected a finite number > 0"):
        Gibbs(FIXED, LINE, 0, 0.1)
    for a in ((), 1.0, (np.nan,)):
        with pytest.raises(InvalidInput, match=r"a = .*expected finite numbers, one or more"):
            Gibbs(FIXED, LINE, 0.1, 0.1, a=a)
    with pytest.raises(InvalidInput, match=r"nodes = 3: expected 0, or at least 16"):
        Gibbs(FIXED, LINE, 0.1, 0.1, nodes=3)
    with pytest.raises(InvalidInput, match=r"times = .*a state at rest"):
        Gibbs(FIXED, LINE, 0.1, 0.1).at([1.0])
    with pytest.raises(InvalidInput, match=r"count = 3: expected at least 4"):
        Gibbs(mf.TwoLayer("tanh", 1), LINE, 0.1, 0.1).measure(np.inf, 3)
    # exp(w) grows faster than any ridge holds it.
    exponential = mf.TwoLayer("exp", 1, outer="fixed")
    with pytest.raises(MeanfieldError):
        Gibbs(exponential, mf.FiniteData([[1.0]], [5.0]), 0.01, 0.01).at()
