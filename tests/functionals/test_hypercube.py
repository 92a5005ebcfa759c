"""The population risk on the hypercube, against all corners one by one."""

import numpy as np
import pytest

import meanfield as mf
from meanfield.functionals.hypercube import HypercubeRisk
from meanfield.kernels.hypercube import AVERAGES
from tests.conftest import size
from tests.functionals import naive

KINDS = ["sin", "cos", "exp", "linear", "quadratic"]


def corners(d: int) -> np.ndarray:
    """All 2^d of them."""
    return np.array(np.meshgrid(*[[-1.0, 1.0]] * d)).reshape(d, -1).T


def parity(x, support):
    return np.prod(x[:, support], axis=1)[:, None]


def assert_average_of_corners(network, law, ensemble, y):
    """The closed form, also where `Risk` would enumerate corners, against their average."""
    x = corners(network.dim)
    function = naive.risk(network, x, y, np.full(len(x), 1 / len(x)))
    slopes = naive.complex_slopes(function, ensemble.position, ensemble.mass)
    risk = mf.Risk(network, law)
    risk._expectation = HypercubeRisk(network, law)
    found = risk.evaluate(ensemble)
    naive.assert_agrees(found, function(ensemble.position, ensemble.mass), *slopes, 1e-13)


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("support", [[2], [0, 3], [1, 3, 2]])
@pytest.mark.parametrize("kind", KINDS)
def test_parity(kind, support, bias, rng):
    for d in size([4, 6, 8], [4]):
        network = mf.TwoLayer(kind, d, bias=bias)
        law = mf.Hypercube(d).labelled_by(mf.Parity(support=support))
        ensemble = naive.neurons(network, 5, rng, scale=1.0)
        assert_average_of_corners(network, law, ensemble, parity(corners(d), support))


@pytest.mark.parametrize("options", [{"outputs": 3, "bias": True}, {"outer": "bounded"}])
@pytest.mark.parametrize("kind", KINDS)
def test_teacher(kind, options, rng):
    for d in size([4, 7], [4]):
        network = mf.TwoLayer(kind, d, **options)
        theirs = mf.TwoLayer(kind, d, network.outputs, bias=True)
        teacher = naive.neurons(theirs, 3, rng, scale=0.8)
        teacher.mass *= 3.0
        law = mf.Hypercube(d).labelled_by(mf.Teacher(theirs, teacher))
        y = naive.output(theirs, teacher.position, teacher.mass, corners(d))
        assert_average_of_corners(network, law, naive.neurons(network, 5, rng, scale=0.8), y)


def test_more_sources_than_lanes(rng):
    count, d = size((75, 5), (35, 2))
    network = mf.TwoLayer("cos", d, bias=True)
    law = mf.Hypercube(d).labelled_by(mf.Parity(2))
    ensemble = naive.neurons(network, count, rng)
    assert_average_of_corners(network, law, ensemble, parity(corners(d), [0, 1]))


@pytest.mark.parametrize("kind", KINDS)
def test_factors_of_zero(kind, rng):
    """sin 0 = 0 and cos π/2 = 0, several times: a quotient of products would be 0/0."""
    network = mf.TwoLayer(kind, 4, bias=True)
    law = mf.Hypercube(4).labelled_by(mf.Parity(2))
    ensemble = naive.neurons(network, 4, rng)
    ensemble.w[0] = 0.0
    ensemble.w[1] = np.pi / 2
    ensemble.w[2, :2] = 0.0
    ensemble.b[:2] = 0.0
    assert_average_of_corners(network, law, ensemble, parity(corners(4), [0, 1]))


def test_opposite_exponentials_do_not_cancel():
    """The factor is cosh(w + w'), 1 where w' = -w: cosh cosh - sinh sinh would leave no digit."""
    weights, one = np.array([[20.0, -15.0, 18.0, 0.5]]), np.ones((1, 1))
    back = weights * [-1.0, -1.0, -1.0, 1.0]
    outer, inner = AVERAGES["exp"].interact(weights, one, back, one)
    np.testing.assert_allclose(outer, np.e, rtol=1e-14)
    np.testing.assert_allclose(inner, [[0.0, 0.0, 0.0, np.e]], rtol=1e-14, atol=1e-13)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("target", ["parity", "teacher"])
def test_gradient_and_variation_in_high_dimension(kind, target, rng):
    d = size(30, 16)
    network = mf.TwoLayer(kind, d, bias=True)
    if target == "parity":
        law = mf.Hypercube(d).labelled_by(mf.Parity(support=[4, d - 1]))
    else:
        theirs = naive.neurons(network, 2, rng, scale=0.3)
        law = mf.Hypercube(d).labelled_by(mf.Teacher(network, theirs))
    ensemble = naive.neurons(network, 2, rng, scale=0.3)
    risk = mf.Risk(network, law)
    found = risk.evaluate(ensemble)
    expected = naive.slopes(risk, ensemble)
    error = np.abs(found.gradient - expected).max()
    assert error < 1e-9 * np.abs(expected).max()
    np.testing.assert_allclose(found.variation, naive.mass_slopes(risk, ensemble), rtol=1e-8)


@pytest.mark.parametrize("kind", KINDS)
def test_coordinates_without_weight_do_not_matter(kind, rng):
    """The same neurons in 6 dimensions, where corners are counted, and in 40."""
    low, high = mf.TwoLayer(kind, 6, bias=True), mf.TwoLayer(kind, 40, bias=True)
    ensemble = naive.neurons(low, 4, rng)
    place = [39, 3, 0, 17, 24, 8]
    w = np.zeros((4, 40))
    w[:, place] = ensemble.w
    wide = high.ensemble(w, ensemble.a, ensemble.b, ensemble.mass)
    target = mf.Parity(support=[place[1], place[4]])
    found = mf.Risk(high, mf.Hypercube(40).labelled_by(target)).evaluate(wide)

    function = naive.risk(low, corners(6), parity(corners(6), [1, 4]), np.full(64, 1 / 64))
    slopes = naive.complex_slopes(function, ensemble.position, ensemble.mass)
    columns = [0, *(1 + p for p in place), 41]
    kept = mf.Evaluation(found.value, found.variation, found.gradient[:, columns])
    naive.assert_agrees(kept, function(ensemble.position, ensemble.mass), *slopes, 1e-13)


def test_few_corners_are_counted_for_any_activation_and_loss(rng):
    law = mf.Hypercube(3).labelled_by(mf.Parity(2))
    x = corners(3)
    y, weights = parity(x, [0, 1]), np.full(8, 1 / 8)
    for kind, loss in (("relu", "squared"), ("tanh", "logistic")):
        network = mf.TwoLayer(kind, 3)
        ensemble = naive.neurons(network, 3, rng)
        function = naive.risk(network, x, y, weights, loss)
        slopes = naive.complex_slopes(function, ensemble.position, ensemble.mass)
        found = mf.Risk(network, law, loss).evaluate(ensemble)
        naive.assert_agrees(found, function(ensemble.position, ensemble.mass), *slopes, 1e-14)
