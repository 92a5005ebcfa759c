"""The population risk on the hypercube, against all corners one by one."""

import numpy as np
import pytest

import meanfield as mf
from meanfield.functionals.hypercube import HypercubeRisk
from meanfield.functionals.pull import Pull
from tests.conftest import size
from tests.functionals import naive

KINDS = ["sin", "cos", "exp", "linear", "quadratic"]


def by_corners(network, law) -> mf.Risk:
    """The risk as an average over all 2^d corners."""
    d = law.dim
    corners = np.array(np.meshgrid(*[[-1.0, 1.0]] * d)).reshape(d, -1).T
    return mf.Risk(network, mf.FiniteData(corners, law.target(corners, np.zeros(len(corners)))))


def closed_form(network, law) -> mf.Risk:
    """The risk by products over coordinates, also where `Risk` would enumerate corners."""
    risk = mf.Risk(network, law)
    risk._expectation = HypercubeRisk(network, law)
    return risk


def assert_same(found, expected, tolerance=1e-13):
    gradient, variation = expected.gradient, expected.variation
    naive.assert_agrees(found, expected.value, gradient, variation, tolerance)


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("support", [[2], [0, 3], [1, 3, 2]])
@pytest.mark.parametrize("kind", KINDS)
def test_parity(kind, support, bias, rng):
    for d in size([4, 6, 8], [4]):
        network = mf.TwoLayer(kind, d, bias=bias)
        law = mf.Hypercube(d).labelled_by(mf.Parity(support=support))
        ensemble = naive.neurons(network, 5, rng, scale=1.0)
        expected = by_corners(network, law).evaluate(ensemble)
        assert_same(closed_form(network, law).evaluate(ensemble), expected)


@pytest.mark.parametrize("options", [{"outputs": 3, "bias": True}, {"outer": "bounded"}])
@pytest.mark.parametrize("kind", KINDS)
def test_teacher(kind, options, rng):
    for d in size([4, 7], [4]):
        network = mf.TwoLayer(kind, d, **options)
        theirs = mf.TwoLayer(kind, d, network.outputs, bias=True)
        teacher = naive.neurons(theirs, 3, rng, scale=0.8)
        teacher.mass *= 3.0
        law = mf.Hypercube(d).labelled_by(mf.Teacher(theirs, teacher))
        ensemble = naive.neurons(network, 5, rng, scale=0.8)
        expected = by_corners(network, law).evaluate(ensemble)
        assert_same(closed_form(network, law).evaluate(ensemble), expected)


def test_more_sources_than_lanes(rng):
    count, d = size((75, 5), (35, 2))
    network = mf.TwoLayer("cos", d, bias=True)
    law = mf.Hypercube(d).labelled_by(mf.Parity(2))
    ensemble = naive.neurons(network, count, rng)
    expected = by_corners(network, law).evaluate(ensemble)
    assert_same(closed_form(network, law).evaluate(ensemble), expected)


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
    expected = by_corners(network, law).evaluate(ensemble)
    assert_same(closed_form(network, law).evaluate(ensemble), expected)


def test_opposite_exponentials_do_not_cancel():
    """cosh(w + w') = 1 exactly where w' = -w, however large."""
    network = mf.TwoLayer("exp", 3)
    ensemble = network.ensemble([[20.0, -15.0, 18.0], [-20.0, 15.0, -18.0]], [1.0, 1.0], mass=[1, 0])
    theirs = mf.Teacher(network, network.ensemble(ensemble.w[1:], [1.0], mass=[1.0]))
    risk = closed_form(network, mf.Hypercube(3).labelled_by(theirs))
    pull = risk._expectation(ensemble)
    assert isinstance(pull, Pull)
    log_square = np.sum(np.log(np.cosh(2 * ensemble.w[0])))
    # ½(K₁₁ + K₂₂) - K₁₂ with K₁₂ = 1.
    assert pull.value == pytest.approx(np.exp(log_square), rel=1e-13)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("target", ["parity", "teacher"])
def test_gradient_and_variation_in_high_dimension(kind, target, rng):
    d = 30
    network = mf.TwoLayer(kind, d, bias=True)
    if target == "parity":
        law = mf.Hypercube(d).labelled_by(mf.Parity(support=[4, 29]))
    else:
        theirs = naive.neurons(network, 2, rng, scale=0.3)
        law = mf.Hypercube(d).labelled_by(mf.Teacher(network, theirs))
    ensemble = naive.neurons(network, 2, rng, scale=0.3)
    risk = mf.Risk(network, law)
    found = risk.evaluate(ensemble)
    expected = naive.slopes(risk, ensemble)
    np.testing.assert_allclose(found.gradient, expected, rtol=1e-9, atol=1e-9 * np.abs(expected).max())
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
    small = mf.Risk(low, mf.Hypercube(6).labelled_by(mf.Parity(support=[1, 4]))).evaluate(ensemble)
    large = mf.Risk(high, mf.Hypercube(40).labelled_by(target)).evaluate(wide)
    columns = [0, *(1 + p for p in place), 41]
    naive.assert_agrees(
        mf.Evaluation(large.value, large.variation, large.gradient[:, columns]),
        *(small.value, small.gradient, small.variation, 1e-13),
    )


def test_few_corners_are_counted_for_any_activation_and_loss(rng):
    law = mf.Hypercube(3).labelled_by(mf.Parity(2))
    for kind, loss in (("relu", "squared"), ("tanh", "logistic")):
        network = mf.TwoLayer(kind, 3)
        ensemble = naive.neurons(network, 3, rng)
        expected = by_corners(network, law)
        data = expected.data
        assert mf.Risk(network, law, loss).value(ensemble) == pytest.approx(
            mf.Risk(network, data, loss).value(ensemble), rel=1e-14
        )
