"""Noise and linear forces: the laws are Gaussian, at every time and for every number of particles.

With a force that acts on each coordinate alone, the coordinates of N particles in R^d are d
independent copies of a system of N particles on the line: many replicas in one run.
"""

import numpy as np
import pytest
from scipy.linalg import expm

from meanfield.data import Gaussian, Teacher
from meanfield.ensemble import Ensemble, Layout
from meanfield.flows import Langevin, Wasserstein
from meanfield.functionals import L2, Entropy, Interaction, Risk
from meanfield.functionals.regularisers import Linear
from meanfield.initial import NormalInit
from meanfield.networks import TwoLayer
from meanfield.schedules import at, every
from meanfield.schemes import RK4, EulerMaruyama
from meanfield.simulation import simulate
from tests.conftest import size
from tests.oracles.sampling import (
    AGREES,
    DIFFERS,
    check_variance,
    covariance_errors,
    mean_errors,
)


class Quadratic(Linear):
    """½ <x - centre, A (x - centre)>, for A a matrix or the diagonal of one."""

    name = "quadratic"

    def __init__(self, stiffness, centre):
        self.stiffness, self.centre = np.asarray(stiffness), centre

    def density(self, ensemble):
        x = ensemble.position - self.centre
        force = x @ self.stiffness if self.stiffness.ndim == 2 else x * self.stiffness
        return 0.5 * (x * force).sum(axis=1), force


def half_square(x, y):
    total = 0.0
    for k in range(x.shape[0]):
        total += (x[k] - y[k]) ** 2
    return 0.5 * total


def difference(x, y, out):
    for k in range(x.shape[0]):
        out[k] = x[k] - y[k]


ATTRACTION = Interaction(half_square, difference)

STIFFNESS = np.array([[1.5, 0.6], [0.6, 0.9]])
CENTRE = np.array([1.0, -2.0])


def test_ornstein_uhlenbeck_at_every_time():
    tau, times = 0.3, [0.1, 0.4, 1.5]
    flow = Langevin(Quadratic(STIFFNESS, CENTRE) + tau * Entropy())
    law = NormalInit(size(20_000, 300), scale={"x": 1.4}, mean={"x": 0.5})
    run = simulate(
        *(flow, law),
        scheme=EulerMaruyama(size(0.004, 0.02)),
        until=times[-1],
        layout=Layout.plain(2),
        frames=at(times),
        observe=(),
    )

    def covariance(time, temperature):
        decay, limit = expm(-STIFFNESS * time), temperature * np.linalg.inv(STIFFNESS)
        return decay @ (1.4**2 * np.eye(2) - limit) @ decay + limit

    for time in times:
        x = run.frames.at(time).position
        mean = CENTRE + expm(-STIFFNESS * time) @ (0.5 - CENTRE)
        assert np.all(np.abs(mean_errors(x, mean, covariance(time, tau))) < AGREES)
        assert np.all(np.abs(covariance_errors(x, mean, covariance(time, tau))) < AGREES)
    for wrong in (2 * tau, 0.5 * tau, np.sqrt(tau)):
        claim = covariance(times[-1], wrong)
        errors = covariance_errors(x, mean, covariance(times[-1], tau), claim)
        assert np.abs(errors).max() > DIFFERS
    for wrong in (2 * STIFFNESS, 0.5 * STIFFNESS):
        elsewhere = CENTRE + expm(-wrong * times[1]) @ (0.5 - CENTRE)
        errors = mean_errors(run.frames.at(times[1]).position, elsewhere, covariance(times[1], tau))
        assert np.abs(errors).max() > DIFFERS


def test_euler_maruyama_has_a_stationary_law_of_its_own():
    tau, h = 0.3, 0.5
    flow = Langevin(Quadratic(STIFFNESS, CENTRE) + tau * Entropy())
    law = NormalInit(size(40_000, 300), mean={"x": -0.5})
    run = simulate(
        *(flow, law), scheme=EulerMaruyama(h), until=60 * h, layout=Layout.plain(2), observe=()
    )
    x, limit = run.final.position, tau * np.linalg.inv(STIFFNESS)
    exact = limit @ np.linalg.inv(np.eye(2) - h / 2 * STIFFNESS)
    assert np.all(np.abs(mean_errors(x, CENTRE, exact)) < AGREES)
    assert np.all(np.abs(covariance_errors(x, CENTRE, exact)) < AGREES)
    assert np.abs(covariance_errors(x, CENTRE, exact, claim=limit)).max() > DIFFERS


def test_heat_without_any_force():
    tau, count = 0.3, size(40_000, 300)
    start = Ensemble(np.zeros((count, 1)))
    run = simulate(
        *(Langevin(tau * Entropy()), start),
        scheme=EulerMaruyama(0.25),
        until=2.0,
        frames=at([1.0, 2.0]),
        observe=(),
    )
    for time in (1.0, 2.0):
        x = run.frames.at(time).position[:, 0]
        right = 2 * tau * time
        check_variance(x, 0.0, right, wrong=(2 * right, right / 2, tau * time**2 / 2))


def test_attraction_of_finitely_many_particles():
    """dx_i = -(A x_i + κ (x_i - x̄)) dt + √(2τ) dW_i: x̄ feels A and the noise τ/N, x_i - x̄ A + κ."""
    count, replicas, kappa, tau, time = 5, size(4_000, 50), 2.0, 0.4, 1.0
    stiffness = np.repeat([0.5, 1.5], replicas)
    flow = Langevin(Quadratic(stiffness, 0.0) + kappa * ATTRACTION + tau * Entropy())
    run = simulate(
        *(flow, NormalInit(count, scale={"x": 1.2}, mean={"x": 0.7})),
        scheme=EulerMaruyama(size(0.005, 0.05)),
        until=time,
        layout=Layout.plain(2 * replicas),
        observe=(),
    )

    def relaxed(rate, start, noise):
        return np.exp(-2 * rate * time) * (start - noise / rate) + noise / rate

    for half, a in enumerate((0.5, 1.5)):
        x = run.final.position[:, half * replicas : (half + 1) * replicas]
        centre = x.mean(axis=0)
        mean = 0.7 * np.exp(-a * time)
        of_centre = relaxed(a, 1.44 / count, tau / count)
        check_variance(centre, mean, of_centre, wrong=(2 * of_centre, of_centre / 2))
        check_variance(centre, mean, of_centre, wrong=(count * of_centre,))
        # N - 1 independent combinations of the x_i - x̄ in every replica.
        around = relaxed(a + kappa, 1.44, tau)
        basis = np.linalg.qr(np.column_stack([np.ones(count), np.eye(count)[:, 1:]]))[0][:, 1:]
        deviations = (basis.T @ x).ravel()
        wrong_rates = (a + 2 * kappa, a + kappa / 2, a)
        check_variance(
            *(deviations, 0.0, around), wrong=[relaxed(rate, 1.44, tau) for rate in wrong_rates]
        )
        # One particle: the law of the limit N = ∞ is off by O(1/N), the finite one is not.
        marginal = of_centre + (1 - 1 / count) * around
        check_variance(x[0], mean, marginal, wrong=() if a > 1 else (around,))


def test_attraction_without_noise_contracts_to_the_centre_of_mass():
    rng = np.random.default_rng(0)
    start = Ensemble(rng.standard_normal((6, 2)), rng.dirichlet(np.ones(6)))
    run = simulate(Wasserstein(ATTRACTION), start, scheme=RK4(0.02), until=2.0, frames=at([0.5, 2]))
    centre = start.mean(start.position)
    for frame in run.frames:
        expected = centre + np.exp(-frame.time) * (start.position - centre)
        np.testing.assert_allclose(frame.position, expected, rtol=0, atol=1e-8)
    spread = start.mean(((start.position - centre) ** 2).sum(axis=1))
    energies = run["energy"]
    exact = 0.5 * spread * np.exp(-2 * energies["time"].values)
    np.testing.assert_allclose(energies, exact, rtol=0, atol=1e-8)


def test_linear_neurons_that_share_a_residual():
    """dX_i = -[a (X̄ - m) + ℓ X_i] dt + √(2τ) dW_i, with the stationary law of its Euler steps."""
    count, dim, a, m, ell, tau, h = 8, size(500, 40), 1.0, 1.5, 0.5, 0.6, 0.6
    network = TwoLayer("linear", dim, outer="fixed")
    teacher = network.ensemble(np.full((1, dim), m))
    risk = Risk(network, Gaussian(dim, covariance=a).labelled_by(Teacher(network, teacher)))
    flow = Langevin(risk + ell * L2() + tau * Entropy())
    start = network.ensemble(np.full((count, dim), a * m / (a + ell)))
    looks = size(16, 3)
    run = simulate(
        *(flow, start),
        scheme=EulerMaruyama(h),
        until=30 * h * (looks + 1),
        frames=every(steps=30),
        observe_when=every(steps=30),
    )
    stationary = run.frames[2:]
    mean = a * m / (a + ell)
    of_mean = tau / (count * (a + ell)) / (1 - h * (a + ell) / 2)
    of_one = of_mean + (1 - 1 / count) * tau / ell / (1 - h * ell / 2)
    centres = np.concatenate([frame.w.mean(axis=0) for frame in stationary])
    assert abs(centres.mean() - mean) < AGREES * np.sqrt(of_mean / len(centres))
    without_step = tau / (count * (a + ell))
    check_variance(
        *(centres, mean, of_mean), wrong=(2 * of_mean, of_mean / 2, without_step, count * of_mean)
    )
    for i in (0, count - 1):
        one = np.concatenate([frame.w[i] for frame in stationary])
        check_variance(one, mean, of_one, wrong=(2 * of_one, of_one / 2))
    # The excess of the risk over that of the mean is (a/2) Var X̄ for each coordinate.
    excess = run["risk"][2:] / dim - a / 2 * (mean - m) ** 2
    error = a * np.sqrt(of_mean * (mean - m) ** 2 + of_mean**2 / 2) / np.sqrt(len(centres))
    assert abs(excess.mean() - a / 2 * of_mean) < AGREES * error


@pytest.mark.parametrize("dim", [1, 3])
def test_fluctuations_at_the_start_have_the_size_of_one_particle_over_n(dim):
    """N·E|f_N - f|² = ∫|φ|² dρ - |f|² for independent neurons, at the input x."""
    count, replicas = 10, size(4000, 100)
    network = TwoLayer("linear", dim)
    law = NormalInit(count * replicas, scale={"a": 0.5, "w": 2.0}, mean={"a": 1.0, "w": 0.3})
    neurons, x = law.draw(network.layout, 6), np.full((1, dim), 0.8)
    outputs = []
    for i in range(replicas):
        part = neurons.position[i * count : (i + 1) * count]
        outputs.append(network(Ensemble(part, layout=network.layout), x)[0])
    f = 0.3 * 0.8 * dim
    square = (0.25 + 1.0) * (4.0 * 0.64 * dim + f**2)
    scaled = count * (np.array(outputs) - f) ** 2
    error = scaled.std() / np.sqrt(replicas)
    assert abs(scaled.mean() - (square - f**2)) < AGREES * error
    for factor in (0.5, 2.0, count, 1 / count):
        assert abs(scaled.mean() - factor * (square - f**2)) > DIFFERS * error
