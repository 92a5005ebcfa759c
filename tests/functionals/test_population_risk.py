"""The population risk: against quadrature over the inputs, and complex steps through it."""

import numpy as np
import pytest
from scipy import stats

import meanfield as mf
from meanfield.functionals.population import Component, SingleIndexAttraction
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


@pytest.fixture(params=[0.0, np.inf], ids=["apart", "beside"])
def teacher_summed(request, monkeypatch):
    """Whether a teacher is summed on its own or together with the neurons."""
    monkeypatch.setattr("meanfield.functionals.population.FEW", request.param)


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


@pytest.mark.usefixtures("teacher_summed")
@pytest.mark.parametrize(
    ("kind", "options"), [*(("erf", options) for options in OPTIONS), ("sin", {"bias": True})]
)
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


@pytest.mark.usefixtures("teacher_summed")
def test_standard_law_however_it_is_written(rng):
    network = mf.TwoLayer("erf", 2)
    ensemble = naive.neurons(network, 3, rng)
    values = [
        mf.Risk(network, mf.Gaussian(2, (), unit).labelled_by(mf.SingleIndex())).value(ensemble)
        for unit in (1.0, [1.0, 1.0], np.eye(2))
    ]
    np.testing.assert_allclose(values, values[0], rtol=1e-14)


# With kinks, the definitions integrate pairs of neurons, and not whole risks.


def own(definition, w, b, mean, root):
    """K, and its gradients in the first argument, for a neuron and itself."""
    along = root.T @ w
    s, m = np.linalg.norm(along), w @ mean + b

    def average(function):
        return references.average(function, m, s, definition.kinks)

    value, slope = definition.value, definition.slope
    d_mean = average(lambda u: value(u) * slope(u))
    radial = average(lambda u: value(u) * slope(u) * (u - m) / s)
    return average(lambda u: value(u) ** 2), d_mean * mean + root @ along / s * radial, d_mean


@pytest.mark.usefixtures("teacher_summed")
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
        pair = (w[i], b[i]) if i == j else (w[i], b[i], w[j], b[j])
        integral = own if i == j else references.interaction
        kernel[i, j], slopes[i, j, :3], slopes[i, j, 3] = integral(relu, *pair, mean, root)
    pairs = np.outer(a, a) * kernel
    gradient = np.empty((3, 5))
    gradient[:, 0] = (kernel @ (a * signed))[:3]
    gradient[:, 1:] = np.einsum("i,ijq,j,j->iq", a, slopes, a, signed)[:3]
    found = mf.Risk(network, law).evaluate(mine)
    naive.assert_agrees(found, 0.5 * signed @ pairs @ signed, gradient, (pairs @ signed)[:3])


@pytest.mark.parametrize("definition", references.DEFINITIONS, ids=lambda d: d.kind)
def test_single_index_for_every_activation(definition, rng):
    network = mf.TwoLayer(definition.activation, 3, bias=True)
    target = mf.SingleIndex([2.0, -1.0, 0.5], coefficients=[0.2, -0.6, 0.5, 0.9])
    attraction = SingleIndexAttraction(network, target, 3)
    direction = np.array(target.direction) / np.linalg.norm(target.direction)
    ensemble = naive.neurons(network, 3, rng, scale=0.8)

    def pull(position):
        w, b = network.inner_weights(ensemble.at(position))
        component = Component(1.0, np.zeros(3), np.eye(3))
        return attraction(0, component, component.sees(w, b), position[:, :1])

    potential, d_mean, inner = pull(ensemble.position)
    for i, (a, *w, b) in enumerate(ensemble.position):
        w = np.array(w)
        t = w @ direction
        r = np.linalg.norm(w - t * direction)

        def integrand(z, t=t, r=r, b=b):
            y = 0.2 - 0.6 * z + 0.5 * (z**2 - 1) / np.sqrt(2) + 0.9 * (z**3 - 3 * z) / np.sqrt(6)
            given = [
                references.average(definition.value, t * q + b, r, definition.kinks) for q in z
            ]
            return y * np.array(given)

        average = references.average(integrand, 0.0, 1.0)
        assert potential[i, 0] == pytest.approx(-average, rel=1e-12, abs=1e-13)
        for column, expected in enumerate([*inner[i], d_mean[i]], start=1):

            def along(h, i=i, column=column):
                position = ensemble.position.copy()
                position[i, column] += h
                return pull(position)[0][i, 0]

            assert a * naive.difference(along) == pytest.approx(expected, rel=1e-9, abs=1e-10)


HOMOGENEOUS = [d for d in references.DEFINITIONS if d.activation.homogeneity is not None]


@pytest.mark.parametrize("dim", [2, 9])
@pytest.mark.parametrize("definition", HOMOGENEOUS, ids=lambda d: d.kind)
def test_norm(definition, dim, rng):
    """E[s(<w, x>) |x|], integrated over the length r of x and its angle t to w."""
    network = mf.TwoLayer(definition.activation, dim)
    ensemble = naive.neurons(network, 3, rng)
    plain, risk = (
        mf.Risk(network, mf.Gaussian(dim).labelled_by(mf.Norm(scale))) for scale in (0.0, -0.7)
    )
    nodes, weights = np.polynomial.legendre.leggauss(60)
    r, t = 7.0 * (nodes + 1), np.pi / 4 * np.add.outer([-1.0, 1.0], nodes).ravel() + np.pi / 2
    density = np.outer(
        weights * stats.chi(dim).pdf(r), np.tile(weights, 2) * np.sin(t) ** (dim - 2)
    )
    density /= density.sum()
    along = np.multiply.outer(np.linalg.norm(ensemble.w, axis=1), np.outer(r, np.cos(t)))
    pulls = (definition.value(along) * r[:, None] * density).sum(axis=(1, 2))

    potential = risk.evaluate(ensemble).variation - plain.evaluate(ensemble).variation
    np.testing.assert_allclose(potential, 0.7 * ensemble.a * pulls, rtol=1e-11, atol=1e-12)
    value = 0.7 * ensemble.mass @ (ensemble.a * pulls) + 0.5 * 0.7**2 * dim
    assert risk.value(ensemble) - plain.value(ensemble) == pytest.approx(value, rel=1e-11)
    expected = naive.slopes(risk, ensemble)
    np.testing.assert_allclose(risk.gradient(ensemble), expected, rtol=1e-7, atol=1e-8)


@pytest.mark.usefixtures("teacher_summed")
@pytest.mark.parametrize("kind", ["erf", "relu"])
def test_neurons_without_weight(kind, rng):
    """At w = 0 a neuron is a constant; the gradient is a number, and right where s is smooth."""
    network = mf.TwoLayer(kind, 2, bias=True)
    targets = [mf.SingleIndex([1.0, 2.0], coefficients=[0.3, 1.0, -0.5])]
    targets.append(mf.Teacher(network, naive.neurons(network, 3, rng)))
    ensemble = naive.neurons(network, 4, rng)
    ensemble.w[0] = 0.0
    ensemble.w[1:3], ensemble.b[1:3] = 0.0, 0.0
    for target in targets:
        risk = mf.Risk(network, mf.Gaussian(2).labelled_by(target))
        gradient = risk.gradient(ensemble)
        assert np.isfinite(gradient).all()
        expected = naive.slopes(risk, ensemble)
        smooth = slice(None) if kind == "erf" else [0, 3]
        np.testing.assert_allclose(gradient[smooth], expected[smooth], rtol=1e-8, atol=1e-10)


# Spheres.


@pytest.mark.parametrize("degree", [3, 4])
def test_monomials_on_the_circle(degree, rng):
    network = mf.TwoLayer({"kind": "monomial", "degree": degree}, 2)
    theirs, ensemble = naive.neurons(network, 3, rng), naive.neurons(network, 4, rng)
    law = mf.Sphere(2, radius=1.7).labelled_by(mf.Teacher(network, theirs))
    angle = 2 * np.pi * np.arange(16) / 16
    x = 1.7 * np.column_stack([np.cos(angle), np.sin(angle)])

    def f(position, mass):
        return (x @ position[:, 1:].T) ** degree @ (mass * position[:, 0])

    def function(position, mass):
        return 0.5 * ((f(position, mass) - f(theirs.position, theirs.mass)) ** 2).mean()

    slopes = naive.complex_slopes(function, ensemble.position, ensemble.mass)
    found = mf.Risk(network, law).evaluate(ensemble)
    naive.assert_agrees(found, function(ensemble.position, ensemble.mass), *slopes)


@pytest.mark.usefixtures("teacher_summed")
def test_relu_on_the_circle(rng):
    network = mf.TwoLayer("relu", 2)
    theirs, ensemble = naive.neurons(network, 2, rng), naive.neurons(network, 3, rng)
    risk = mf.Risk(network, mf.Sphere(2).labelled_by(mf.Teacher(network, theirs)))
    angle = 2 * np.pi * (np.arange(40_000) + 0.5) / 40_000
    x = np.sqrt(2) * np.column_stack([np.cos(angle), np.sin(angle)])
    y = naive.output(network, theirs.position, theirs.mass, x)
    function = naive.risk(network, x, y, np.full(len(x), 1 / len(x)))
    expected = function(ensemble.position, ensemble.mass)
    assert risk.value(ensemble) == pytest.approx(expected, rel=1e-8)
    np.testing.assert_allclose(risk.gradient(ensemble), naive.slopes(risk, ensemble), atol=1e-9)


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [
        ({}, {}),
        ({"bias": True}, {}),
        ({}, {"bias": True}),
        ({"bias": True, "outputs": 2, "outer": "bounded"}, {"bias": True, "outputs": 2}),
    ],
)
@pytest.mark.parametrize("law", ["standard", "mixture", "sphere"])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_teacher_beside_the_neurons_is_a_teacher_apart(mine, theirs, law, dtype, monkeypatch):
    if law == "sphere" and (mine or theirs):
        pytest.skip("no closed form with a bias")
    student, teacher = mf.TwoLayer("relu", 2, **mine), mf.TwoLayer("relu", 2, **theirs)
    neurons = mf.NormalInit(12, dtype=dtype).draw(student.layout, seed=0)
    target = mf.Teacher(teacher, mf.NormalInit(3).draw(teacher.layout, seed=1))
    inputs = mf.Sphere(2, radius=0.7) if law == "sphere" else law_of(law)
    risk = mf.Risk(student, inputs.labelled_by(target))
    found = {}
    for few in (0.25, 0.0):
        monkeypatch.setattr("meanfield.functionals.population.FEW", few)
        found[few] = risk.evaluate(neurons)
    beside, apart = found.values()
    tolerance = 1e-13 if dtype == "float64" else 1e-5
    assert beside.value == pytest.approx(apart.value, rel=tolerance)
    for one, other in ((beside.gradient, apart.gradient), (beside.variation, apart.variation)):
        assert one.dtype == dtype
        np.testing.assert_allclose(one, other, rtol=0, atol=tolerance * np.abs(other).max())
    assert not np.array_equal(beside.gradient, apart.gradient)
