"""Mean-field Langevin dynamics on three samples: the limit is a fixed point in R³."""

import numpy as np
from scipy.optimize import root

from meanfield.data import FiniteData
from meanfield.flows import Langevin
from meanfield.functionals import L2, Entropy, Risk
from meanfield.initial import NormalInit
from meanfield.networks import TwoLayer
from meanfield.schedules import at
from meanfield.schemes import EulerMaruyama
from meanfield.simulation import simulate
from tests.conftest import size
from tests.oracles.sampling import AGREES, DIFFERS

X, Y = np.array([-1.0, 0.5, 2.0]), np.array([-0.3, 0.5, 0.6])
RIDGE, TAU = 0.1, 0.05
GRID = np.linspace(-12, 12, 8001)
NEURONS = np.tanh(np.outer(X, GRID))


def _gibbs(f, tau, ridge):
    """Weights on the grid of exp(-F'/τ), F' the first variation at outputs f."""
    exponent = -((f - Y) @ NEURONS / 3 + 0.5 * ridge * GRID**2) / tau
    weights = np.exp(exponent - exponent.max())
    return weights / weights.sum()


def _fixed_point(tau=TAU, ridge=RIDGE):
    found = root(lambda f: NEURONS @ _gibbs(f, tau, ridge) - f, Y, tol=1e-13)
    assert found.success
    return found.x


def _averages(tau, ridge):
    """∫ tanh(w x_k) dρ for the three samples and ∫ w² dρ, with the variances of the integrands."""
    f = _fixed_point(tau, ridge)
    density, integrands = _gibbs(f, tau, ridge), np.vstack([NEURONS, GRID**2])
    mean = integrands @ density
    return mean, integrands**2 @ density - mean**2


def test_the_fixed_point_is_the_published_one():
    f = _fixed_point()
    np.testing.assert_allclose(f, [-0.37223862, 0.22747942, 0.50050424], rtol=0, atol=1e-8)
    assert abs(0.5 * np.mean((f - Y) ** 2) - 0.0148975) < 1e-7


def test_many_particles_settle_at_the_fixed_point():
    network = TwoLayer("tanh", 1, outer="fixed")
    data = FiniteData(X[:, None], Y)
    flow = Langevin(Risk(network, data) + RIDGE * L2() + TAU * Entropy())
    law = NormalInit(size(12_000, 300), scale={"a": 0.0}, mean={"a": 1.0})
    run = simulate(
        *(flow, law),
        scheme=EulerMaruyama(0.1),
        until=size(40.0, 20.0),
        observe_when={"evenly": 2},
        frames=at([0.0]),
    )

    def seen(ensemble):
        return np.append(network(ensemble, data.x), ensemble.mean(ensemble.w[:, 0] ** 2))

    exact, variance = _averages(TAU, RIDGE)
    # Neurons that share a residual fluctuate less than independent ones.
    error = np.sqrt(variance / len(run.final))
    assert np.all(np.abs(seen(run.final) - exact) < AGREES * error)
    for wrong in ((2 * TAU, RIDGE), (TAU / 2, RIDGE), (TAU, 2 * RIDGE), (TAU, RIDGE / 2)):
        assert np.max(np.abs(seen(run.final) - _averages(*wrong)[0]) / error) > DIFFERS
    # The start was elsewhere.
    assert np.max(np.abs(seen(run.frames[0]) - exact) / error) > DIFFERS
    residual = (exact[:3] - Y) / 3
    of_loss = np.sqrt(np.sum(residual**2 * variance[:3]) / len(run.final))
    assert abs(run["risk"][-1] - 0.0148975) < 2 * AGREES * of_loss
