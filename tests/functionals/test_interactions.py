"""The user's own potential and interaction: compiled or not, right or wrong."""

import math

import numba
import numpy as np
import pytest

import meanfield as mf
from meanfield.errors import InvalidInput
from tests.functionals import naive


def well(x):
    return (x[0] * x[0] - 1.0) ** 2 + 0.5 * x[0] * x[1]


def well_gradient(x, out):
    out[0] = 4.0 * x[0] * (x[0] * x[0] - 1.0) + 0.5 * x[1]
    out[1] = 0.5 * x[0]


def bell(x, y):
    square = (x[0] - y[0]) ** 2 + (x[1] - y[1]) ** 2
    return math.exp(-square) + x[0] * y[0]


def bell_gradient(x, y, out):
    square = (x[0] - y[0]) ** 2 + (x[1] - y[1]) ** 2
    for k in range(2):
        out[k] = -2.0 * (x[k] - y[k]) * math.exp(-square)
    out[0] += y[0]


def particles(rng, count=6):
    return mf.Ensemble(rng.normal(size=(count, 2)), rng.dirichlet(np.full(count, 3.0)))


def naive_potential(position, mass):
    x, y = position.T
    return mass @ ((x * x - 1.0) ** 2 + 0.5 * x * y)


def naive_interaction(position, mass):
    difference = position[:, None] - position
    kernel = np.exp(-(difference**2).sum(axis=2)) + np.outer(position[:, 0], position[:, 0])
    return 0.5 * mass @ kernel @ mass


@pytest.mark.parametrize("compiled", [False, True])
def test_potential(compiled, rng):
    functions = map(numba.njit, (well, well_gradient)) if compiled else (well, well_gradient)
    potential = mf.Potential(*functions, name="well")
    ensemble = particles(rng)
    found = potential.evaluate(ensemble)
    slopes = naive.complex_slopes(naive_potential, ensemble.position, ensemble.mass)
    value = naive_potential(ensemble.position, ensemble.mass)
    naive.assert_agrees(found, value, *slopes, 1e-13)
    assert found.parts == {"well": found.value}
    assert mf.gradient_error(potential, ensemble) < 1e-8


@pytest.mark.parametrize("compiled", [False, True])
def test_interaction(compiled, rng):
    functions = map(numba.njit, (bell, bell_gradient)) if compiled else (bell, bell_gradient)
    interaction = mf.Interaction(*functions, name="bell")
    ensemble = particles(rng)
    found = interaction.evaluate(ensemble)
    slopes = naive.complex_slopes(naive_interaction, ensemble.position, ensemble.mass)
    value = naive_interaction(ensemble.position, ensemble.mass)
    naive.assert_agrees(found, value, *slopes, 1e-13)
    assert found.parts == {"bell": found.value}
    assert mf.gradient_error(interaction, ensemble) < 1e-8
    np.testing.assert_allclose(found.variation, naive.mass_slopes(interaction, ensemble), rtol=1e-8)


def test_a_particle_interacts_with_itself():
    alone = mf.Ensemble([[0.7, 0.0]])
    assert mf.Interaction(bell, bell_gradient).value(alone) == pytest.approx(0.5 * (1 + 0.49))


def test_a_gradient_that_writes_some_entries_only():
    def first(x, y):
        return 0.5 * (x[0] - y[0]) ** 2

    def first_gradient(x, y, out):
        if x[0] != y[0]:
            out[0] = x[0] - y[0]

    ensemble = mf.Ensemble([[1.0, 9.0], [0.0, 9.0], [0.0, 9.0]])
    gradient = mf.Interaction(first, first_gradient).gradient(ensemble)
    assert gradient == pytest.approx(np.array([[2 / 3, 0], [-1 / 3, 0], [-1 / 3, 0]]))


def test_an_interaction_that_is_not_symmetric_is_refused(rng):
    def pursuit(x, y):
        return x[0] * y[1]

    def pursuit_gradient(x, y, out):
        out[0] = y[1]

    interaction = mf.Interaction(pursuit, pursuit_gradient)
    with pytest.raises(InvalidInput, match=r"W\(x, y\) - W\(y, x\) = .*a symmetric interaction"):
        interaction.evaluate(particles(rng))


def test_a_wrong_gradient_is_found(rng):
    def doubled(x, out):
        out[0] = 8.0 * x[0] * (x[0] * x[0] - 1.0) + x[1]
        out[1] = x[0]

    assert mf.gradient_error(mf.Potential(well, doubled), particles(rng)) > 0.5
