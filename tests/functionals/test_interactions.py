"""Potentials and interactions: built in, or the user's own, compiled or not, right or wrong."""

import math

import numba
import numpy as np
import pytest

import meanfield as mf
from meanfield.errors import InvalidInput
from meanfield.interactions import interactions
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


BUILT_IN = {
    "rbf": {},
    "inverse-multiquadric": {"exponent": 0.7},
    "riesz": {"exponent": 0.5, "softening": 0.1},
    "coulomb": {"dim": 2, "softening": 0.1},
    "log": {"softening": 0.1},
    "morse": {},
    "powers": {},
    "quadratic": {"strength": 2.0},
}


def test_all_built_in_interactions_are_tested():
    assert set(BUILT_IN) == set(interactions)


@pytest.mark.parametrize("kind", BUILT_IN)
def test_built_in_interaction(kind, rng):
    interaction = mf.Interaction({"kind": kind, **BUILT_IN[kind]})
    ensemble = particles(rng)
    found = interaction.evaluate(ensemble)
    assert found.parts == {kind: found.value}
    assert found.value == pytest.approx(0.5 * ensemble.mass @ found.variation)
    assert mf.gradient_error(interaction, ensemble) < 1e-7
    np.testing.assert_allclose(found.variation, naive.mass_slopes(interaction, ensemble), rtol=1e-8)
    force = ensemble.mass @ found.gradient
    assert force == pytest.approx(np.zeros(2), abs=1e-14)


def test_an_interaction_by_name_by_table_and_by_object(rng):
    ensemble = particles(rng)
    value = mf.Interaction(mf.RBF(1.0)).value(ensemble)
    assert mf.Interaction("rbf").value(ensemble) == value
    assert mf.Interaction({"kind": "rbf", "length": 1.0}).value(ensemble) == value
    assert mf.Interaction("rbf", name="bump").evaluate(ensemble).parts == {"bump": value}
    with pytest.raises(InvalidInput, match=r"^interaction\.kind = 'rbff': expected one of"):
        mf.Interaction("rbff")


def test_a_function_of_the_distance_is_the_same_as_one_of_two_positions(rng):
    def round_bell(x, y):
        return math.exp(-((x[0] - y[0]) ** 2) - (x[1] - y[1]) ** 2)

    def round_bell_gradient(x, y, out):
        value = math.exp(-((x[0] - y[0]) ** 2) - (x[1] - y[1]) ** 2)
        for k in range(2):
            out[k] = -2.0 * (x[k] - y[k]) * value

    radial = mf.Radial(lambda u: math.exp(-u), lambda u: -math.exp(-u))
    ensemble = particles(rng, 40)
    one = mf.Interaction(round_bell, round_bell_gradient).evaluate(ensemble)
    other = mf.Interaction(radial).evaluate(ensemble)
    assert one.value == pytest.approx(other.value)
    np.testing.assert_allclose(one.gradient, other.gradient, atol=1e-13)
    np.testing.assert_allclose(one.variation, other.variation, rtol=1e-13)


def test_what_does_not_make_an_interaction():
    with pytest.raises(InvalidInput, match="gradient = None: expected a function"):
        mf.Interaction(bell)
    with pytest.raises(InvalidInput, match="expected none, as the interaction has its own"):
        mf.Interaction("rbf", bell_gradient)


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: mf.RBF(0.0), "length = 0.0"),
        (lambda: mf.RBF(1e-30), "length = 1e-30: expected a length between 1e-18 and 1e18"),
        (lambda: mf.Riesz(1.0), "softening = 0.0"),
        (lambda: mf.Riesz(-2.0), "exponent = -2.0"),
        (lambda: mf.Coulomb(0, 0.1), "dim = 0"),
        (lambda: mf.Coulomb(2), "softening = 0.0"),
        (lambda: mf.Morse(attraction=-1.0), "attraction = -1.0"),
        (lambda: mf.Powers(1.0, 2.0), "attraction = 1.0: expected a number > repulsion = 2.0"),
        (lambda: mf.InverseMultiquadric(exponent=math.nan), "exponent = nan"),
        (lambda: mf.Quadratic(-1.0), "strength = -1.0"),
    ],
)
def test_parameters_that_make_no_sense(make, told):
    with pytest.raises(InvalidInput, match=told):
        make()
