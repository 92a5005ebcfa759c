"""Flows of normal laws, against SciPy's equations, quadrature and each other."""

import numpy as np
import pytest
from scipy.integrate import quad, solve_ivp
from scipy.linalg import expm, solve_continuous_lyapunov

from meanfield.errors import InvalidInput
from meanfield.limits import (
    BuresWasserstein,
    CentredQuadraticNetwork,
    GaussianWassersteinFisherRao,
    LinearNetwork,
    LinearQuadratic,
    QuadraticNetwork,
    linear_neurons,
    ornstein_uhlenbeck,
)
from meanfield.limits.normal import NormalFlow, covariance

A = np.array([[1.5, 0.6], [0.6, 0.9]])
CENTRE, MEAN = np.array([1.0, -2.0]), np.array([0.5, 0.2])
SPREAD = np.array([[0.8, 0.2], [0.2, 1.1]])
TARGET = np.array([[1.0, 0.4, 0.0], [0.4, 0.6, -0.3], [0.0, -0.3, 0.8]])
TAU = 0.3


def flows():
    around = (CENTRE, MEAN, SPREAD)
    yield ornstein_uhlenbeck(A, *around, TAU, attraction=0.7)
    yield GaussianWassersteinFisherRao(A, *around, TAU, alpha=0.7, beta=1.4)
    yield GaussianWassersteinFisherRao(A, *around, TAU, alpha=0.0, beta=1.4)
    yield GaussianWassersteinFisherRao(A, *around, 0.0, alpha=0.0)
    yield BuresWasserstein(A, 0.4, *around, TAU)
    yield LinearNetwork([1.2, -0.5], A, 0.8, 0.6, mean_a=0.3, mean_w=0.1, l2=0.2)
    yield QuadraticNetwork(TARGET, 0.3, l2=0.2)
    yield CentredQuadraticNetwork(TARGET, 0.3)


@pytest.mark.parametrize("flow", list(flows()), ids=lambda flow: flow.kind)
def test_energy_is_lost_by_dissipation(flow):
    h = 1e-4
    limit = flow.at([0.3 - h, 0.3, 0.3 + h])
    free = limit.series.get("free_energy", limit["energy"])
    if flow.temperature and not flow.entropy_part:
        matrix, slope = flow.slopes(*flow.law(0.3))
        cov = flow.law(0.3)[1]
        total = matrix - flow.temperature * np.linalg.inv(cov)
        lost = slope @ slope + np.trace(total @ cov @ total)
    else:
        lost = limit["dissipation"][1]
    assert (free[2] - free[0]) / (2 * h) == pytest.approx(-lost, rel=1e-6)


def test_noisy_networks_lose_free_energy():
    for flow in (
        LinearNetwork([1.2, -0.5], A, 0.8, 0.6, l2=0.2, temperature=TAU),
        QuadraticNetwork(TARGET, 0.3, l2=0.2, temperature=TAU),
    ):
        falling = flow.at(np.linspace(0, 8, 30))["free_energy"]
        assert np.all(np.diff(falling) < 1e-11)
        assert falling[-2] - falling[-1] < 1e-3 * (falling[0] - falling[-1])


def test_ornstein_uhlenbeck_is_its_matrix_exponential():
    flow, time = ornstein_uhlenbeck(A, CENTRE, MEAN, SPREAD, TAU), 0.8
    decay, rest = expm(-A * time), TAU * np.linalg.inv(A)
    mean, cov = flow.law(time)
    np.testing.assert_allclose(mean, CENTRE + decay @ (MEAN - CENTRE), atol=1e-14)
    np.testing.assert_allclose(cov, rest + decay @ (SPREAD - rest) @ decay, atol=1e-14)
    # F is above its minimum by τ times the relative entropy.
    free = flow.at([time])["free_energy"][0] - flow.at([200.0])["free_energy"][0]
    away = mean - CENTRE
    relative = 0.5 * (np.trace(cov @ A / TAU) - 2 + away @ A @ away / TAU)
    relative += 0.5 * np.log(np.linalg.det(rest) / np.linalg.det(cov))
    assert free == pytest.approx(TAU * relative, abs=1e-13)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_finitely_many_particles_by_the_covariance_of_all(count):
    """All N particles together are an Ornstein–Uhlenbeck process in R^{Nd}."""
    kappa, time = 0.7, 0.6
    flow = ornstein_uhlenbeck(A, CENTRE, MEAN, SPREAD, TAU, kappa, count)
    one, each = np.full((count, count), 1 / count), np.eye(count)
    whole = np.kron(each, A) + kappa * np.kron(each - one, np.eye(2))
    rest = solve_continuous_lyapunov(whole, 2 * TAU * np.eye(2 * count))
    decay = expm(-whole * time)
    cov = rest + decay @ (np.kron(each, SPREAD) - rest) @ decay.T
    mean, around, of_mean = flow.pieces(time)
    np.testing.assert_allclose(cov[:2, :2], around + of_mean, atol=1e-13)
    averaging = np.kron(np.full((1, count), 1 / count), np.eye(2))
    np.testing.assert_allclose(averaging @ cov @ averaging.T, of_mean, atol=1e-13)
    limit = flow.at([time])
    away = mean - CENTRE
    energy = 0.5 * (away @ A @ away + np.trace(A @ cov[:2, :2])) + 0.5 * kappa * np.trace(around)
    assert limit["energy"][0] == pytest.approx(energy, abs=1e-13)
    force = np.kron(each, A) + kappa * np.kron(each - one, np.eye(2))
    pushed = np.trace(force @ cov @ force) / count + away @ A @ A @ away
    assert limit["dissipation"][0] == pytest.approx(pushed, abs=1e-12)


def test_many_particles_are_the_limit():
    times = [0.3, 1.0]
    exact = ornstein_uhlenbeck(A, CENTRE, MEAN, SPREAD, TAU, 0.7).at(times)["energy"]
    few, many = (
        ornstein_uhlenbeck(A, CENTRE, MEAN, SPREAD, TAU, 0.7, n).at(times)["energy"] - exact
        for n in (1_000, 2_000)
    )
    np.testing.assert_allclose(few / many, 2.0, rtol=1e-9)


def test_linear_neurons_at_rest():
    """X̄ has the mean a m/(a + ℓ) and the variance τ/(N (a + ℓ)); X_i has (1 - 1/N) τ/ℓ more."""
    a, m, ridge, count = 1.3, 1.5, 0.5, 8
    flow = linear_neurons([m], ridge, [0.0], 1.0, TAU, a, particles=count)
    mean, around, of_mean = flow.pieces(np.inf)
    assert mean[0] == pytest.approx(a * m / (a + ridge), abs=1e-15)
    assert of_mean[0, 0] == pytest.approx(TAU / (count * (a + ridge)), abs=1e-15)
    assert around[0, 0] == pytest.approx((1 - 1 / count) * TAU / ridge, abs=1e-15)
    assert flow.at([0.0])["energy"][0] == pytest.approx(
        0.5 * a * (m**2 + 1 / count) + 0.5 * ridge, abs=1e-14
    )


def test_fisher_rao_against_masses_on_a_line():
    flow = GaussianWassersteinFisherRao(1.3, [0.6], [-1.0], 0.8, 0.5, alpha=0.0, beta=1.5)
    x = np.linspace(-12, 12, 4_001)
    kept = np.exp(-1.5 * 0.5 * 0.7)
    log = kept * -0.5 * (x + 1) ** 2 / 0.8 - (1 - kept) * 0.5 * 1.3 * (x - 0.6) ** 2 / 0.5
    mass = np.exp(log - log.max())
    mass /= mass.sum()
    found = flow.at([0.7])
    assert found["mean"][0, 0] == pytest.approx(mass @ x, abs=1e-13)
    assert found["second_moment"][0, 0] == pytest.approx(mass @ x**2, abs=1e-13)
    # The same by the general equations.
    small = GaussianWassersteinFisherRao(1.3, [0.6], [-1.0], 0.8, 0.5, alpha=1e-13, beta=1.5)
    np.testing.assert_allclose(small.at([0.7])["energy"], found["energy"], atol=1e-10)


def test_without_reaction_it_is_the_ornstein_uhlenbeck_process():
    flow = GaussianWassersteinFisherRao(A, CENTRE, MEAN, SPREAD, TAU, beta=0.0)
    exact = ornstein_uhlenbeck(A, CENTRE, MEAN, SPREAD, TAU)
    limit, times = flow.at([0.4, 2.0]), [0.4, 2.0]
    np.testing.assert_allclose(limit["energy"], exact.at(times)["free_energy"], atol=1e-10)
    assert np.all(np.abs(limit["energy"] - exact.at(times)["free_energy"]) <= limit.error("energy"))


def test_averages_of_the_quartic_by_quadrature():
    flow = BuresWasserstein(1.3, 0.4, [0.5], [-0.2], 0.8, TAU)
    mean, cov = np.array([0.3]), np.array([[0.7]])

    def average(function):
        density = lambda x: np.exp(-0.5 * (x - 0.3) ** 2 / 0.7) / np.sqrt(2 * np.pi * 0.7)  # noqa: E731
        return quad(lambda x: function(x - 0.5) * density(x), -10, 10, epsabs=1e-13)[0]

    slope, shift = flow.force(mean, cov)
    assert slope[0, 0] == pytest.approx(average(lambda x: 1.3 + 1.2 * x**2), abs=1e-11)
    middle = (slope @ mean + shift)[0]
    assert middle == pytest.approx(average(lambda x: 1.3 * x + 0.4 * x**3), abs=1e-11)
    value = average(lambda x: 0.65 * x**2 + 0.1 * x**4)
    assert flow.parts(mean, cov)["potential"] == pytest.approx(value, abs=1e-11)


def test_linear_network_in_its_usual_moments():
    flow = LinearNetwork([1.2, -0.5], A, 0.8, 0.6, mean_a=0.3, mean_w=0.1, l2=0.2, temperature=TAU)

    def rate(_, flat):
        beta, square, second = flat[:2], flat[2], flat[3:].reshape(2, 2)
        g = A @ (beta - [1.2, -0.5])
        d_beta = -(square * np.eye(2) + second) @ g - 0.4 * beta
        d_square = -2 * beta @ g - 0.4 * square + 2 * TAU
        d_second = -np.outer(beta, g) - np.outer(g, beta) - 0.4 * second + 2 * TAU * np.eye(2)
        return np.concatenate([d_beta, [d_square], d_second.ravel()])

    start = np.concatenate([[0.03, 0.03], [0.73], (0.36 * np.eye(2) + 0.01).ravel()])
    end = solve_ivp(rate, (0, 1.5), start, "Radau", rtol=1e-10, atol=1e-12).y[:, -1]
    limit = flow.at([1.5])
    np.testing.assert_allclose(flow.slope(*flow.law(1.5)), end[:2], atol=1e-8)
    expected = [end[2], *end[3:].reshape(2, 2).diagonal()]
    np.testing.assert_allclose(limit["second_moment"][0], expected, atol=1e-8)


def test_quadratic_network_in_its_second_moment():
    """R of D = M - M* by the moments of x: E ⟨x, Dx⟩² = 2 tr D² + (tr D)²."""
    flow = QuadraticNetwork(TARGET, 0.3, 0.2, TAU)

    def rate(_, flat):
        m = flat.reshape(3, 3)
        d = m - TARGET
        g = 2 * d + np.trace(d) * np.eye(3)
        return (-2 * (g @ m + m @ g) - 0.4 * m + 2 * TAU * np.eye(3)).ravel()

    end = solve_ivp(rate, (0, 0.7), 0.3 * np.eye(3).ravel(), "Radau", rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(flow.law(0.7)[1].ravel(), end.y[:, -1], atol=1e-8)


def test_noisy_quadratic_network_at_rest():
    """In the basis of M*: m_i (2 (2 (m_i - m*_i) + tr D) + λ) = τ."""
    target = np.diag([1.0, 0.3, 0.6])
    m = np.diag(QuadraticNetwork(target, 0.5, 0.4, TAU).law(40.0)[1])
    off = m - np.diag(target)
    np.testing.assert_allclose(m * (2 * (2 * off + off.sum()) + 0.4), TAU, atol=1e-9)


def test_riccati_equation_by_integration():
    flow = CentredQuadraticNetwork(TARGET, 0.3)
    for time in (0.0, 0.1, 0.7):
        exact = NormalFlow.law(flow, time)[1]
        np.testing.assert_allclose(flow.law(time)[1], exact, atol=1e-10)


def test_stated_errors_are_neither_small_nor_large():
    """Of the integrator, against the closed form of the same flow."""
    flow = CentredQuadraticNetwork(TARGET, 0.3)
    integrated, exact = NormalFlow.at(flow, [0.05, 0.2]), flow.at([0.05, 0.2])
    off = np.abs(integrated["risk"] - exact["risk"])
    assert np.all(off <= integrated.error("risk") + 1e-15)
    assert np.all(integrated.error("risk") < 1e-8)
    assert not exact.errors


@pytest.mark.parametrize("flow", list(flows()), ids=lambda flow: flow.kind)
def test_measure_has_the_moments(flow):
    ensemble, count = flow.measure(0.4, 3_000), len(flow.frozen)
    mean, cov = flow.law(0.4)
    found = ensemble.position[:, count:]
    np.testing.assert_allclose(found.mean(axis=0), mean, atol=5e-3)
    np.testing.assert_allclose(np.cov(found.T), cov, atol=0.02)
    assert ensemble.time == 0.4


def test_matrices_may_be_rounded():
    """Of any size: covariances of lower rank, and products that are symmetric but for rounding."""
    direction = 1e3 * np.array([0.6, 0.8, 0.1])
    assert covariance("c", np.outer(direction, direction), 3).shape == (3, 3)
    small = np.array([[1.0, 1e-17], [2e-17, 1.0]])
    assert LinearQuadratic(small, 1.0, [0.0, 0.0], [0.0, 0.0], 1.0).at([1.0])["energy"] > 0


def test_what_is_refused():
    with pytest.raises(InvalidInput, match=r"common = nan: expected finite numbers"):
        LinearQuadratic(np.nan, 1.0, [0.0], [0.0], 1.0).at([1.0])
    with pytest.raises(InvalidInput, match=r"centre = \[\]: expected one number for each"):
        LinearQuadratic(1.0, 1.0, [], [], 1.0)
    with pytest.raises(InvalidInput, match=r"common = .*expected a symmetric matrix"):
        LinearQuadratic([[1.0, 0.2], [0.0, 1.0]], 1.0, [0.0, 0.0], [0.0, 0.0], 1.0)
    with pytest.raises(InvalidInput, match=r"initial_mean = .*expected the shape"):
        ornstein_uhlenbeck(1.0, [0.0], [0.0, 1.0], 1.0)
    with pytest.raises(InvalidInput, match=r"initial_covariance = -1"):
        ornstein_uhlenbeck(1.0, [0.0], [0.0], -1.0)
    with pytest.raises(InvalidInput, match=r"temperature = 0.1: expected 0"):
        CentredQuadraticNetwork(TARGET, 0.3, temperature=0.1)
