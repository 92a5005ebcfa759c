"""Weak orders where the force is not linear, without sampling: the law of a step is an operator.

On a circle a step of length h takes a smooth function f to P_h f(x) = E f(X_h), X_0 = x. The
expectation is a Gauss–Hermite sum, functions are Fourier series, and the flow's own operator is
the exponential of its generator L f = -V' f' + τ f''.
"""

import numpy as np
import pytest
from scipy.linalg import expm

from meanfield import random
from meanfield.ensemble import Ensemble
from meanfield.flows import Langevin
from meanfield.functionals import Entropy
from meanfield.functionals.regularisers import Linear
from meanfield.schemes import schemes
from tests.conftest import size
from tests.orders import fitted_order

TAU, UNTIL, MODES = 0.4, 1.0, 24
GRID = 2 * np.pi * np.arange(2 * MODES + 1) / (2 * MODES + 1)
NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(16)
WAVES = np.arange(-MODES, MODES + 1)


class Tilted(Linear):
    """V = -cos x - sin(2x)/4."""

    name = "tilted"

    def density(self, ensemble):
        x = ensemble.position
        return (-np.cos(x) - np.sin(2 * x) / 4).sum(axis=1), np.sin(x) - np.cos(2 * x) / 2


FLOW = Langevin(Tilted() + TAU * Entropy())
# The noise of a step of Leimkuhler and Matthews is that of the next one too: no operator.
WEAK = [
    name
    for name in schemes
    if schemes[name].weak and schemes[name].suits(FLOW) and name != "leimkuhler-matthews"
]


def flowed(values):
    """e^{TL} f on the grid."""
    to_waves = np.exp(-1j * np.outer(WAVES, GRID)) / len(GRID)
    from_waves = np.exp(1j * np.outer(GRID, WAVES))
    derivative = from_waves @ np.diag(1j * WAVES) @ to_waves
    force = np.sin(GRID) - np.cos(2 * GRID) / 2
    generator = -force[:, None] * derivative + TAU * derivative @ derivative
    return (expm(UNTIL * generator) @ values).real


def stepped(scheme, values, count, monkeypatch):
    """P_h^n f on the grid: where every point goes for every node is the same in every step."""
    h = UNTIL / count
    kicks = np.tile(NODES, len(GRID))[:, None]

    def add(out, scale, seed, stream, step):
        assert step == 0
        out += scale * kicks

    monkeypatch.setattr(random, "add_normal", add)
    start = Ensemble(np.repeat(GRID, len(NODES))[:, None])
    end = scheme(h).advance(FLOW, start, FLOW.driving.evaluate(start), h, 0).ensemble
    to_waves = np.exp(-1j * np.outer(WAVES, GRID)) / len(GRID)
    there = np.exp(1j * np.outer(end.position[:, 0], WAVES)) @ to_waves
    weights = WEIGHTS / WEIGHTS.sum()
    operator = np.einsum("q,xqk->xk", weights, there.reshape(len(GRID), len(NODES), -1)).real
    return np.linalg.matrix_power(operator, count) @ values


@pytest.mark.parametrize("name", WEAK)
def test_weak_order_of_a_force_that_is_not_linear(name, monkeypatch):
    scheme, values = schemes[name], np.sin(GRID) + np.cos(2 * GRID)
    exact = flowed(values)

    def error(count):
        return np.abs(stepped(scheme, values, count, monkeypatch) - exact).max()

    counts = [2**level for level in range(4, size(9, 7))]
    assert abs(fitted_order(error, counts) - scheme.weak) < 0.2
