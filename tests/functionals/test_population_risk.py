"""The population risk: against quadrature over the inputs, and complex steps through it."""

import numpy as np
import pytest

import meanfield as mf
from meanfield.errors import InvalidInput, Unsupported
from tests import references
from tests.functionals import naive

SHEARED = [[1.3, 0.4], [0.4, 0.5]]

# Weight, mean and covariance of every component.
LAWS = {
    "standard": [(1.0, [0.0, 0.0], 1.0)],
    "variances": [(1.0, [0.0, 0.0], [0.3, 1.6])],
    "general": [(1.0, [0.4, -0.7], SHEARED)],
    "singular": [(1.0, [0.2, 0.1], [[1.0, 0.5], [0.5, 0.25]])],
    "mixture": [(0.3, [0.5, 0.0], 0.4), (0.5, [-0.6, 0.2], SHEARED), (0.2, [0.0, 1.0], [1.0, 0.2])],
}


def law_of(name):
    components = LAWS[name]
    if len(components) == 1:
        return mf.Gaussian(2, *components[0][1:])
    weights, means, covariances = zip(*components, strict=True)
    return mf.GaussianMixture(2, means, covariances, weights)


def nodes_of(name):
    """Inputs, weights and components: the trapezoid rule in both whitened coordinates."""
    z = np.linspace(-9.0, 9.0, 73)
    grid = np.array([(p, q) for p in z for q in z])
    weight = references.density(grid[:, 0]) * references.density(grid[:, 1]) * (z[1] - z[0]) ** 2
    inputs, weights, numbers = [], [], []
    for number, (share, mean, covariance) in enumerate(LAWS[name]):
        full = np.asarray(covariance) * np.eye(2) if np.ndim(covariance) < 2 else covariance
        values, vectors = np.linalg.eigh(full)
        root = vectors * np.sqrt(np.maximum(values, 0.0))
        inputs.append(grid @ root.T + mean)
        weights.append(share * weight)
        numbers.append(np.full(len(grid), number))
    return np.concatenate(inputs), np.concatenate(weights), np.concatenate(numbers)


def check(network, law, ensemble, x, y, weights, tolerance=1e-12):
    function = naive.risk(network, x, y, weights)
    gradient, variation = naive.complex_slopes(function, ensemble.position, ensemble.mass)
    if network.outer == "fixed":
        gradient[:, : network.outputs] = 0.0
    found = mf.Risk(network, law).evaluate(ensemble)
    value = function(ensemble.position, ensemble.mass)
    naive.assert_agrees(found, value, gradient, variation, tolerance)


OPTIONS = [
    {},
    {"bias": True, "outer": "bounded", "bound": 0.8},
    {"outputs": 3, "bias": True},
    {"outputs": 2, "outer": "fixed"},
]


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("kind", ["erf", "sin"])
@pytest.mark.parametrize("name", list(LAWS))
def test_teacher(name, kind, options, rng):
    network = mf.TwoLayer(kind, 2, **options)
    theirs = mf.TwoLayer(kind, 2, network.outputs, bias=True)
    teacher = naive.neurons(theirs, 3, rng)
    teacher.mass *= 2.5  # a teacher is not a probability measure
    x, weights, _ = nodes_of(name)
    y = naive.output(theirs, teacher.position, teacher.mass, x)
    law = law_of(name).labelled_by(mf.Teacher(theirs, teacher))
    check(network, law, naive.neurons(network, 4, rng), x, y, weights)


@pytest.mark.parametrize("kind", ["erf", "sin"])
@pytest.mark.parametrize("table", [[0.7, -1.5, 2.0], [[1.0, 0.0], [0.0, 1.0], [-2.0, 0.5]]])
def test_labels_of_a_mixture(kind, table, rng):
    network = mf.TwoLayer(kind, 2, np.ndim(table[0]) + 1, bias=True)
    x, weights, component = nodes_of("mixture")
    y = np.reshape(table, (3, -1))[component]
    law = law_of("mixture").labelled_by(mf.Labels(table))
    check(network, law, naive.neurons(network, 4, rng), x, y, weights)


LINKS = {
    "degree 1": (mf.SingleIndex(), lambda z: z),
    "degree 0": (mf.SingleIndex(degree=0), np.ones_like),
    "degree 3": (mf.SingleIndex([1.0, -2.0], 3), lambda z: (z**3 - 3 * z) / np.sqrt(6)),
    "several": (
        mf.SingleIndex([3.0, 4.0], coefficients=[0.4, -1.0, 0.0, 0.3, 0.8]),
        lambda z: (
            0.4 - z + 0.3 * (z**3 - 3 * z) / np.sqrt(6) + 0.8 * (z**4 - 6 * z**2 + 3) / np.sqrt(24)
        ),
    ),
}


@pytest.mark.parametrize("options", [{}, {"bias": True}, {"bias": True, "outer": "bounded"}])
@pytest.mark.parametrize("kind", ["erf", "sin"])
@pytest.mark.parametrize("link", list(LINKS))
def test_single_index(link, kind, options, rng):
    target, function = LINKS[link]
    network = mf.TwoLayer(kind, 2, **options)
    x, weights, _ = nodes_of("standard")
    direction = np.array(target.direction or [1.0, 0.0])
    y = function(x @ direction / np.linalg.norm(direction))
    law = mf.Gaussian(2).labelled_by(target)
    check(network, law, naive.neurons(network, 4, rng), x, y[:, None], weights)


def test_standard_law_however_it_is_written(rng):
    network = mf.TwoLayer("erf", 2)
    ensemble = naive.neurons(network, 3, rng)
    values = [
        mf.Risk(network, mf.Gaussian(2, (), covariance).labelled_by(mf.SingleIndex())).value(ensemble)
        for covariance in (1.0, [1.0, 1.0], np.eye(2))
    ]
    np.testing.assert_allclose(values, values[0], rtol=1e-14)


# Kinks: quadrature of whole risks is no reference there; the pair functions of the definitions are.


def test_relu_with_a_teacher(rng):
    relu = next(d for d in references.DEFINITIONS if d.kind == "relu")
    network = mf.TwoLayer("relu", 3, bias=True)
    mean, root = np.array([0.2, -0.1, 0.4]), np.tril(rng.normal(size=(3, 3)))
    mine, theirs = naive.neurons(network, 3, rng), naive.neurons(network, 2, rng)
    law = mf.Gaussian(3, mean, root @ root.T).labelled_by(mf.Teacher(network, theirs))
    points = np.vstack([mine.position, theirs.position])
    signed = np.concatenate([mine.mass, -theirs.mass])
    a, w, b = points[:, 0], points[:, 1:4], points[:, 4]

    kernel, slopes = np.zeros((5, 5)), np.zeros((5, 5, 4))
    for i, j in np.ndindex(5, 5):
        # A neuron and itself: approached from the side, where the definition can be integrated.
        shift = 1e-5 * np.array([1.0, -1.0, 1.0]) if i == j else 0.0
        kernel[i, j], slopes[i, j, :3], slopes[i, j, 3] = references.interaction(
            relu, w[i], b[i], w[j] + shift, b[j], mean, root
        )
    pairs = np.outer(a, a) * kernel
    found = mf.Risk(network, law).evaluate(mine)
    assert found.value == pytest.approx(0.5 * signed @ pairs @ signed, rel=1e-4)
    np.testing.assert_allclose(found.variation, (pairs @ signed)[:3], rtol=1e-4)
    inner = np.einsum("i,ijq,j,j->iq", a, slopes, a, signed)[:3]
    np.testing.assert_allclose(found.gradient[:, 1:], inner, rtol=1e-3)
