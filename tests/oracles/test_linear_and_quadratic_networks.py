"""Networks whose flow closes in a few moments: linear, quadratic, one neuron lazy or rich."""

import numpy as np
import pytest
from scipy.optimize import minimize, root

from meanfield.data import FiniteData, Gaussian, Teacher
from meanfield.flows import Langevin, Wasserstein
from meanfield.functionals import L2, Entropy, Interaction, Risk
from meanfield.initial import NormalInit
from meanfield.limits import CentredQuadraticNetwork, LinearNetwork, QuadraticNetwork
from meanfield.networks import TwoLayer
from meanfield.schedules import at
from meanfield.schemes import RK4, EulerMaruyama
from meanfield.simulation import simulate
from tests.conftest import size
from tests.oracles.sampling import AGREES, DIFFERS, covariance_errors

COVARIANCE = np.array([[1.0, 0.3, 0.0], [0.3, 0.7, -0.2], [0.0, -0.2, 1.4]])
SLOPE = np.array([1.2, -0.5, 0.4])


def _linear_problem(ridge, count, seed=0):
    network = TwoLayer("linear", 3)
    teacher = network.ensemble(SLOPE[None], a=1.0)
    law = Gaussian(3, covariance=COVARIANCE).labelled_by(Teacher(network, teacher))
    flow = Wasserstein(Risk(network, law) + ridge * L2())
    return flow, NormalInit(count, scale={"a": 0.8, "w": 0.6}).draw(network.layout, seed)


def _second_moment(ensemble):
    """∫ θθᵀ dρ over the columns that move."""
    theta = ensemble.position[:, ensemble.layout.moving]
    return (theta.T * ensemble.mass) @ theta


@pytest.mark.parametrize("ridge", [0.0, 0.3])
def test_linear_network_follows_its_moments(ridge):
    flow, start = _linear_problem(ridge, count=7)
    times = [0.2, 1.0, 3.0]
    run = simulate(flow, start, scheme=RK4(0.01), until=3.0, frames=at(times))
    oracle = LinearNetwork(SLOPE, COVARIANCE, initial=_second_moment(start), l2=ridge)
    for time in times:
        found = _second_moment(run.frames.at(time))
        np.testing.assert_allclose(found, oracle.law(time)[1], rtol=0, atol=1e-8)
    assert run["risk"][-1] == pytest.approx(oracle.at([3.0])["risk"][0], abs=1e-8)


def test_ridge_on_a_linear_network_ends_at_a_group_lasso():
    """min of ½ |β - β*|²_Σ + λ |β|: the ridge on both layers is the norm of their product."""
    ridge = 0.3
    flow, start = _linear_problem(ridge, count=4)
    run = simulate(flow, start, scheme=RK4(0.05), until=60.0)

    def objective(beta):
        error = beta - SLOPE
        return 0.5 * error @ COVARIANCE @ error + ridge * np.linalg.norm(beta)

    best = minimize(objective, SLOPE, tol=1e-14, options={"gtol": 1e-10})
    assert run["energy"][-1] == pytest.approx(best.fun, abs=1e-9)
    np.testing.assert_allclose(_second_moment(run.final)[0, 1:], best.x, atol=1e-5)
    assert np.all(np.diff(run["energy"]) < 1e-14)


TARGET = np.array([[1.0, 0.4, 0.0], [0.4, 0.6, -0.3], [0.0, -0.3, 0.8]])


def _quadratic_risk(target):
    """The network Σ m_i <w_i, x>² and the target <x, M* x>, over N(0, I)."""
    dim = len(target)
    network = TwoLayer("quadratic", dim, outer="fixed")
    values, vectors = np.linalg.eigh(target)
    teacher = network.ensemble(vectors.T, a=values, mass=np.ones(dim))
    return Risk(network, Gaussian(dim).labelled_by(Teacher(network, teacher)))


def test_quadratic_network_follows_its_second_moment():
    risk = _quadratic_risk(TARGET)
    start = NormalInit(6, scale={"a": 0.0, "w": 0.5}, mean={"a": 1.0}).draw(risk.network.layout, 0)
    times = [0.1, 0.5, 1.5]
    run = simulate(Wasserstein(risk), start, scheme=RK4(0.005), until=1.5, frames=at(times))
    oracle = QuadraticNetwork(TARGET, _second_moment(start))
    for time in times:
        found = _second_moment(run.frames.at(time))
        np.testing.assert_allclose(found, oracle.law(time)[1], rtol=0, atol=5e-8)
    assert run["risk"][-1] == pytest.approx(oracle.at([1.5])["risk"][0], abs=1e-8)


def norms_multiplied(x, y):
    """|w|²|w'|² for particles (a, w)."""
    p, q = 0.0, 0.0
    for k in range(1, x.shape[0]):
        p += x[k] * x[k]
        q += y[k] * y[k]
    return p * q


def norms_multiplied_gradient(x, y, out):
    q = 0.0
    for k in range(1, x.shape[0]):
        q += y[k] * y[k]
    for k in range(1, x.shape[0]):
        out[k] = 2.0 * q * x[k]


def test_quadratic_network_with_a_free_offset_solves_a_riccati_equation():
    """Without the mean of the error, the risk is tr D² and dM = 4 (M*M + MM*) - 8 M²."""
    risk, trace = _quadratic_risk(TARGET), np.trace(TARGET)
    # ½ (tr D)² = ½ ∬ |w|²|w'|² - tr M* ∫ |w|² + const., and ∫ |w|² is twice the ridge.
    of_the_mean = Interaction(norms_multiplied, norms_multiplied_gradient) - 2 * trace * L2()
    start = NormalInit(6, scale={"a": 0.0, "w": 0.5}, mean={"a": 1.0}).draw(risk.network.layout, 0)
    times = [0.1, 0.5, 1.5]
    run = simulate(
        Wasserstein(risk - of_the_mean), start, scheme=RK4(0.005), until=1.5, frames=at(times)
    )
    oracle = CentredQuadraticNetwork(TARGET, _second_moment(start))
    for time in times:
        found = _second_moment(run.frames.at(time))
        np.testing.assert_allclose(found, oracle.law(time)[1], rtol=0, atol=1e-8)


def test_noisy_quadratic_network_is_gaussian_with_known_variances():
    """Stationary: m_i k_i = τ, k_i = 2 (2 (m_i - s_i) + Σ (m - s)) + λ; with Euler steps h too."""
    target, ridge, tau, h = np.array([1.0, 0.3]), 0.4, 1.5, 0.03
    nodes, weights = np.polynomial.hermite_e.hermegauss(3)
    weights = weights / weights.sum()
    # Exact for polynomials of degree 5 in each variable: the population risk of this network.
    x = np.array([(u, v) for u in nodes for v in nodes])
    data = FiniteData(x, x**2 @ target, np.outer(weights, weights).ravel())
    network = TwoLayer("quadratic", 2, outer="fixed")
    flow = Langevin(Risk(network, data) + ridge * L2() + tau * Entropy())
    count = size(25_000, 400)
    run = simulate(
        *(flow, NormalInit(count, scale={"a": 0.0}, mean={"a": 1.0})),
        scheme=EulerMaruyama(h),
        until=size(6.0, 3.0),
        layout=network.layout,
        observe=(),
        frames={"evenly": 2},
    )

    def variances(tau, h, factor=2.0):
        def residual(m):
            k = factor * (2 * (m - target) + (m - target).sum()) + ridge
            return m * k * (1 - h * k / 2) - tau

        found = root(residual, target + 0.5, tol=1e-13)
        assert found.success
        return np.diag(found.x)

    w, exact = run.final.w, variances(tau, h)
    # The neurons repel each other: their fluctuations are below those of independent ones.
    assert np.all(np.abs(covariance_errors(w, np.zeros(2), exact)) < AGREES)
    for wrong in (variances(2 * tau, h), variances(tau / 2, h), variances(tau, h, factor=1.0)):
        assert np.abs(covariance_errors(w, np.zeros(2), exact, claim=wrong)).max() > DIFFERS


def test_one_neuron_between_lazy_and_rich():
    """f = α (w² - w₀²), R = ½ (f - y)²/α²: z = w² solves ż = -4 z (z - z*), z* = w₀² + y/α."""
    w0, y, time = 0.8, 1.5, 0.7
    network = TwoLayer("quadratic", 1, outer="fixed")
    moved, alphas = [], [1.0, 10.0, 100.0, 1000.0]
    for alpha in alphas:
        data = FiniteData([[1.0]], [y + alpha * w0**2])
        flow = Wasserstein(alpha**-2 * Risk(network, data))
        start = network.ensemble([[w0]], a=alpha)
        run = simulate(flow, start, scheme=RK4(0.01), until=6.0, frames=at([time]))
        limit = w0**2 + y / alpha
        exact = limit / (1 + (limit / w0**2 - 1) * np.exp(-4 * limit * time))
        assert run.frames.at(time).w[0, 0] ** 2 == pytest.approx(exact, abs=1e-7)
        moved.append(run.final.w[0, 0] - w0)
        assert moved[-1] == pytest.approx(np.sqrt(limit) - w0, abs=1e-6)
    slope = np.log(moved[-1] / moved[-2]) / np.log(alphas[-1] / alphas[-2])
    assert slope == pytest.approx(-1.0, abs=0.02)
