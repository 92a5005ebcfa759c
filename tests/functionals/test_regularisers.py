"""Regularisers against their formulas, and where they have no gradient."""

import numpy as np
import pytest

import meanfield as mf
from meanfield.errors import InvalidInput
from tests.functionals import naive


def l2(position, width):
    return 0.5 * (position**2).sum(axis=1)


def tv(position, width):
    a, inner = position[:, :width], position[:, width:]
    return np.sqrt((a**2).sum(axis=1)) * np.sqrt((inner**2).sum(axis=1))


def l1(position, width):
    a = position[:, :width]
    return np.where(a.real > 0, a, -a).sum(axis=1)


@pytest.mark.parametrize("options", [{}, {"bias": True}, {"outputs": 3, "bias": True}])
@pytest.mark.parametrize(("functional", "density"), [(mf.L2(), l2), (mf.TV(), tv), (mf.L1(), l1)])
def test_against_the_formula(functional, density, options, rng):
    network = mf.TwoLayer("relu", 2, **options)
    ensemble = naive.neurons(network, 5, rng)

    def function(position, mass):
        return mass @ density(position, network.outputs)

    slopes = naive.complex_slopes(function, ensemble.position, ensemble.mass)
    found = functional.evaluate(ensemble)
    naive.assert_agrees(found, function(ensemble.position, ensemble.mass), *slopes, 1e-14)
    assert found.parts == {functional.name: found.value}
    np.testing.assert_allclose(found.gradient, naive.slopes(functional, ensemble), atol=1e-10)
    np.testing.assert_allclose(found.variation, naive.mass_slopes(functional, ensemble), rtol=1e-8)


def test_zero_vectors_have_the_smallest_subgradient():
    network = mf.TwoLayer("relu", 2, bias=True)
    ensemble = network.ensemble([[3.0, 0.0], [0.0, 0.0], [0.0, 0.0]], [0.0, -2.0, 0.0], [4.0, 0, 0])
    tv = mf.TV().evaluate(ensemble)
    assert tv.value == 0.0
    # a = 0: the slope in a is |(w, b)| times a number in [-1, 1]; w = 0: |a| times a short vector.
    assert (tv.gradient == 0.0).all()
    assert mf.L1().gradient(ensemble)[:, 0].tolist() == [0.0, -1.0, 0.0]

    wide = mf.TwoLayer("relu", 2, outputs=2)
    ensemble = wide.ensemble([[3.0, 4.0], [0.0, 0.0]], [[0.0, 0.0], [3.0, -4.0]])
    assert (mf.TV().gradient(ensemble) == 0.0).all()
    ensemble = wide.ensemble([[3.0, 4.0]], [[0.0, 2.0]])
    assert mf.TV().gradient(ensemble) == pytest.approx(np.array([[0.0, 5.0, 1.2, 1.6]]))
    assert mf.L1().gradient(ensemble).tolist() == [[0.0, 1.0, 0.0, 0.0]]


def test_ridge_leaves_frozen_blocks_out(rng):
    network = mf.TwoLayer("relu", 2, outer="fixed")
    ensemble = naive.neurons(network, 4, rng)
    found = mf.L2().evaluate(ensemble)
    assert (found.gradient[:, 0] == 0.0).all()
    assert found.variation == pytest.approx(0.5 * (ensemble.w**2).sum(axis=1))


def test_ridge_of_plain_particles(rng):
    ensemble = mf.Ensemble(rng.normal(size=(4, 3)))
    assert mf.L2().value(ensemble) == pytest.approx(0.5 * (ensemble.position**2).sum() / 4)
    assert (mf.L2().gradient(ensemble) == ensemble.position).all()


@pytest.mark.parametrize("functional", [mf.TV(), mf.L1()])
def test_norms_of_neurons_need_neurons(functional):
    with pytest.raises(InvalidInput, match=rf"{functional.name} on blocks = .*a and w"):
        functional.evaluate(mf.Ensemble(np.ones((2, 3))))
