"""The risk over finite data: against complex steps through a NumPy definition."""

import numpy as np
import pytest

import meanfield as mf
from meanfield.errors import InvalidInput, UnknownName
from tests.conftest import size
from tests.functionals import naive

D = 3

SQUARED = [
    {},
    {"bias": True},
    {"outputs": 3},
    {"outputs": 3, "bias": True, "outer": "bounded", "bound": 0.6},
    {"outer": "bounded", "bound": 2.0},
    {"outer": "fixed", "bias": True},
    {"outer": "fixed", "outputs": 3},
]
SIGNED = [{}, {"bias": True, "outer": "bounded"}, {"outer": "fixed"}]
SOFTMAX = [{"outputs": 3}, {"outputs": 2, "bias": True, "outer": "bounded"}]
LOSSES = (
    ("squared", SQUARED),
    ("logistic", SIGNED),
    ("exponential", SIGNED),
    ("softmax", SOFTMAX),
)
CASES = [(loss, options) for loss, several in LOSSES for options in several]


def problem(kind, loss, options, rng, samples=23, count=6):
    """A network, data with weights (one of them zero), neurons, and y as the loss wants it."""
    network = mf.TwoLayer(kind, D, **options)
    x = rng.normal(size=(samples, D))
    weights = rng.dirichlet(np.ones(samples))
    weights[2], weights[3] = 0.0, weights[2] + weights[3]
    k = network.outputs
    if loss == "squared":
        y = wanted = rng.normal(size=(samples, k))
    elif loss in ("logistic", "exponential"):
        y = wanted = rng.choice([-1.0, 1.0], size=(samples, 1))
    else:
        y = rng.integers(k, size=samples)
        wanted = np.eye(k)[y]
    return network, mf.FiniteData(x, y, weights), naive.neurons(network, count, rng), wanted


def expected(network, data, ensemble, wanted, loss):
    function = naive.risk(network, data.x, wanted, data.weights, loss)
    gradient, variation = naive.complex_slopes(function, ensemble.position, ensemble.mass)
    if network.outer == "fixed":
        gradient[:, : network.outputs] = 0.0
    return function(ensemble.position, ensemble.mass), gradient, variation


@pytest.mark.parametrize("kind", ["tanh", "relu"])
@pytest.mark.parametrize(("loss", "options"), CASES)
def test_value_gradient_and_variation(kind, loss, options, rng):
    network, data, ensemble, wanted = problem(kind, loss, options, rng)
    found = mf.Risk(network, data, loss).evaluate(ensemble)
    naive.assert_agrees(found, *expected(network, data, ensemble, wanted, loss), 1e-13)
    assert found.parts == {"risk": found.value}


def test_more_samples_and_neurons_than_a_block_holds(rng):
    # Blocks of 64: two full ones and a rest, on both sides.
    samples, count = size((150, 131), (70, 66))
    case = problem("tanh", "squared", {"outputs": 2, "bias": True}, rng, samples, count)
    network, data, ensemble, wanted = case
    found = mf.Risk(network, data).evaluate(ensemble)
    naive.assert_agrees(found, *expected(network, data, ensemble, wanted, "squared"), 1e-13)


def test_gradient_error_tells_right_from_wrong(rng):
    network, data, ensemble, _ = problem("tanh", "squared", {"bias": True}, rng)
    risk = mf.Risk(network, data)
    assert mf.gradient_error(risk, ensemble) < 1e-8

    class Wrong(mf.Risk):
        def evaluate(self, ensemble):
            found = super().evaluate(ensemble)
            # The Euclidean gradient, without N: the mistake to make.
            return mf.Evaluation(found.value, found.variation, found.gradient / len(ensemble))

    assert mf.gradient_error(Wrong(network, data), ensemble) > 0.5


def test_losses_far_out_stay_finite(rng):
    network, data, ensemble, _ = problem("relu", "logistic", {}, rng)
    far = ensemble.at(ensemble.position * 1e4)
    for loss, y in (("logistic", np.sign(data.y)), ("squared", data.y)):
        found = mf.Risk(network, mf.FiniteData(data.x, y), loss).evaluate(far)
        assert np.isfinite(found.value)
        assert np.isfinite(found.gradient).all()
    wide = mf.TwoLayer("relu", D, outputs=3)
    far = wide.ensemble(1e4 * rng.normal(size=(5, D)), 1e4 * rng.normal(size=(5, 3)))
    found = mf.Risk(wide, mf.FiniteData(data.x, np.arange(23) % 3), "softmax").evaluate(far)
    assert np.isfinite(found.value)
    assert np.isfinite(found.gradient).all()


# What the losses want of the targets.


def test_two_classes_are_signs_and_three_are_unit_vectors(rng):
    x, label = rng.normal(size=(7, D)), np.arange(7) % 2
    network = mf.TwoLayer("tanh", D)
    ensemble = naive.neurons(network, 4, rng)
    named = mf.FiniteData(x, label, classes=["no", "yes"])
    signs = mf.FiniteData(x, 2.0 * label - 1.0)
    for loss in ("squared", "logistic"):
        a, b = (mf.Risk(network, data, loss).evaluate(ensemble) for data in (named, signs))
        assert a.value == b.value
        assert (a.gradient == b.gradient).all()

    label = np.arange(7) % 3
    network = mf.TwoLayer("tanh", D, outputs=3)
    ensemble = naive.neurons(network, 4, rng)
    named = mf.FiniteData(x, label, classes=["a", "b", "c"])
    vectors = mf.FiniteData(x, np.eye(3)[label])
    for loss in ("squared", "softmax"):
        a, b = (mf.Risk(network, data, loss).value(ensemble) for data in (named, vectors))
        assert a == b
    numbers = mf.FiniteData(x, label)
    assert mf.Risk(network, numbers, "softmax").value(ensemble) == b


@pytest.mark.parametrize(
    ("loss", "outputs", "y", "classes", "message"),
    [
        ("squared", 2, [0.5, 1.5], (), "y = .*2 column"),
        ("squared", 1, [0, 2], "abc", "classes = .*two classes for one output"),
        ("squared", 2, [0, 2], "abc", "outputs = 2: expected 3"),
        ("logistic", 3, [-1, 1], (), "outputs = 3: expected 1 "),
        ("logistic", 1, [0, 1], (), "y = .*labels -1 or"),
        ("logistic", 1, [[-1, 1], [1, 1]], (), "y = .*labels -1 or"),
        ("exponential", 3, [-1, 1], (), "outputs = 3: expected 1 "),
        ("exponential", 1, [0, 1], (), "y = .*labels -1 or"),
        ("softmax", 1, [0, 1], (), "outputs = 1: expected at least 2"),
        ("softmax", 2, [0, 2], (), "y = .*class numbers 0 … 1"),
        ("softmax", 2, [0.5, 1], (), "y = .*class numbers"),
        ("softmax", 4, [0, 2], "abc", "outputs = 4: expected 3, one for each class"),
    ],
)
def test_targets_that_do_not_fit(loss, outputs, y, classes, message):
    network = mf.TwoLayer("tanh", 1, outputs=outputs)
    with pytest.raises(InvalidInput, match=message):
        mf.Risk(network, mf.FiniteData([[0.0], [1.0]], y, classes=tuple(classes)), loss)


def test_dimensions_and_names_that_do_not_fit():
    data = mf.FiniteData(np.zeros((2, 4)), [0, 1])
    with pytest.raises(InvalidInput, match=r"network\.dim = 3: expected the data's 4"):
        mf.Risk(mf.TwoLayer("tanh", 3), data)
    with pytest.raises(UnknownName, match="did you mean 'squared'"):
        mf.Risk(mf.TwoLayer("tanh", 4), data, "square")


def test_on_other_data(rng):
    network = mf.TwoLayer("tanh", D, outputs=3)
    ensemble = naive.neurons(network, 4, rng)
    x, label = rng.normal(size=(20, D)), rng.integers(3, size=20)
    test = mf.FiniteData(x, label, classes=["a", "b", "c"])
    train = mf.FiniteData(x[:5], label[:5], classes=test.classes, test=test)
    risk = mf.Risk(network, train, "softmax")
    assert risk.held_out() is test
    value, accuracy = risk.on(test, ensemble)
    f = naive.output(network, ensemble.position, ensemble.mass, x)
    assert value == pytest.approx(naive.softmax(f, np.eye(3)[label]).mean(), rel=1e-13)
    assert accuracy == pytest.approx(np.mean(f.argmax(axis=1) == label))

    network = mf.TwoLayer("tanh", D)
    ensemble = naive.neurons(network, 4, rng)
    sign = rng.choice([-1.0, 1.0], size=20)
    weights = rng.dirichlet(np.ones(20))
    data = mf.FiniteData(x, sign, weights)
    value, accuracy = mf.Risk(network, data, "logistic").on(data, ensemble)
    f = naive.output(network, ensemble.position, ensemble.mass, x)
    assert value == pytest.approx(weights @ naive.logistic(f, sign[:, None]), rel=1e-13)
    assert accuracy == pytest.approx(weights @ (np.sign(f[:, 0]) == sign))
    assert mf.Risk(network, data, "logistic").held_out() is None


def test_the_cost_on_other_data_needs_no_classes(rng):
    network = mf.TwoLayer("tanh", D)
    ensemble = naive.neurons(network, 4, rng)
    data = mf.FiniteData(rng.normal(size=(20, D)), rng.normal(size=20), rng.dirichlet(np.ones(20)))
    risk = mf.Risk(network, data)
    other = mf.FiniteData(data.x, data.y + 1.0, data.weights)
    expected = naive.squared(
        naive.output(network, ensemble.position, ensemble.mass, data.x), other.y
    )
    assert risk.cost_on(other, ensemble) == pytest.approx(data.weights @ expected, rel=1e-13)
