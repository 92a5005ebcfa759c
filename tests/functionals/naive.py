"""Functionals of a measure again, slow and obvious, in NumPy that also takes complex numbers.

Complex steps then differentiate them to the last digit; `slopes` and `mass_slopes` differentiate
the value of a functional of `meanfield` itself, by differences of order four.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import special

from meanfield.ensemble import Ensemble
from meanfield.functionals import Functional

VALUES = {
    "tanh": np.tanh,
    "erf": special.erf,
    "sin": np.sin,
    "cos": np.cos,
    "exp": np.exp,
    "linear": lambda t: t,
    "quadratic": lambda t: t * t,
    "relu": lambda t: np.where(t.real > 0, t, 0.0),
}


def output(network, position, mass, x):
    """f(x), (n, k), of a `TwoLayer` with particles (N, p) of the given masses."""
    k, d = network.outputs, network.dim
    a, w = position[:, :k], position[:, k : k + d]
    if network.outer == "bounded":
        a = network.bound * np.tanh(a / network.bound)
    z = x @ w.T + (position[:, -1] if network.bias else 0.0)
    return VALUES[network.activation.kind](z) @ (mass[:, None] * a)


def squared(f, y):
    return 0.5 * ((f - y) ** 2).sum(axis=1)


def logistic(f, y):
    return np.log(1.0 + np.exp(-y * f))[:, 0]


def exponential(f, y):
    return np.exp(-y * f)[:, 0]


def softmax(f, y):
    return np.log(np.exp(f).sum(axis=1)) - (y * f).sum(axis=1)


LOSSES = {
    "squared": squared,
    "logistic": logistic,
    "exponential": exponential,
    "softmax": softmax,
}


def risk(network, x, y, weights, loss="squared"):
    """The risk as a function of (position, mass); y is (n, k), as the loss wants it."""
    return lambda position, mass: weights @ LOSSES[loss](output(network, position, mass, x), y)


def complex_slopes(function: Callable, position, mass):
    """(1/m_i) ∂F/∂θ_i (N, p) and ∂F/∂m_i (N,) of a function that takes complex numbers."""
    step = 1e-30
    gradient, variation = np.zeros_like(position), np.zeros_like(mass)
    for i, j in np.ndindex(*position.shape):
        moved = position.astype(complex)
        moved[i, j] += 1j * step
        gradient[i, j] = function(moved, mass).imag / step / mass[i]
    for i in range(len(mass)):
        heavier = mass.astype(complex)
        heavier[i] += 1j * step
        variation[i] = function(position, heavier).imag / step
    return gradient, variation


def difference(function: Callable[[float], float], step: float = 2e-3) -> float:
    """Slope at 0, to the fourth order."""
    near = function(step) - function(-step)
    far = function(2 * step) - function(-2 * step)
    return (8 * near - far) / (12 * step)


def slopes(functional: Functional, ensemble: Ensemble) -> np.ndarray:
    """(1/m_i) ∂F/∂θ_i (N, p) from values of the functional."""
    found = np.zeros_like(ensemble.position)
    for i, j in np.ndindex(*found.shape):

        def along(t, i=i, j=j):
            position = ensemble.position.copy()
            position[i, j] += t
            return functional.value(ensemble.at(position))

        found[i, j] = difference(along) / ensemble.mass[i]
    return found


def mass_slopes(functional: Functional, ensemble: Ensemble) -> np.ndarray:
    """∂F/∂m_i (N,) from values of the functional."""

    def along(i):
        def value(t):
            mass = ensemble.mass.copy()
            mass[i] += t
            return functional.value(Ensemble(ensemble.position, mass, ensemble.layout))

        # Masses stay positive: the step is small against the smallest of them.
        return difference(value, step=1e-3 * ensemble.mass.min() * len(ensemble))

    return np.array([along(i) for i in range(len(ensemble))])


def assert_agrees(found, value, gradient, variation, tolerance: float = 1e-12) -> None:
    """An evaluation has this value, gradient and first variation, relative to their sizes."""
    assert abs(found.value - value) <= tolerance * max(1.0, abs(value))
    for mine, expected in ((found.gradient, gradient), (found.variation, variation)):
        assert mine.shape == expected.shape
        assert np.abs(mine - expected).max() <= tolerance * max(1.0, np.abs(expected).max())


def neurons(network, count: int, rng: np.random.Generator, scale: float = 0.5) -> Ensemble:
    """Random neurons with masses that are far from equal."""
    layout = network.layout
    position = scale * rng.normal(size=(count, layout.width))
    return Ensemble(position, rng.dirichlet(np.full(count, 3.0)), layout)
