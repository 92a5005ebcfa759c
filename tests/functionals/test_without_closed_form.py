"""What has no closed form is refused in one sentence that names the two ways round."""

import numpy as np
import pytest

import meanfield as mf
from meanfield.errors import InvalidInput, Unsupported
from tests.functionals import naive


def teacher(spec, dim, **options):
    network = mf.TwoLayer(spec, dim, **options)
    return mf.Teacher(network, naive.neurons(network, 2, np.random.default_rng(0)))


ONE = mf.SingleIndex()
MIXTURE = mf.GaussianMixture(3, covariances=[0.5, 1.5])

REFUSED = [
    ("relu", mf.Gaussian(3), ONE, "logistic", {}, "the logistic loss"),
    ("relu", mf.Gaussian(3), ONE, "softmax", {}, "the softmax loss"),
    ("averaged-ramp", mf.Gaussian(3), ONE, "squared", {}, "the activation 'averaged-ramp'"),
    ("relu", mf.Gaussian(3), teacher("erf", 3), "squared", {}, "a 'erf' teacher of 'relu' neurons"),
    ("relu", mf.Gaussian(3), mf.Labels(), "squared", {}, "a target of kind Labels on gaussian"),
    ("relu", mf.Gaussian(3), mf.Parity(), "squared", {}, "a target of kind Parity on gaussian"),
    ("relu", MIXTURE, ONE, "squared", {}, "a target of kind SingleIndex on gaussian-mixture"),
    ("relu", MIXTURE, mf.Function(np.sum), "squared", {}, "a target of kind Function on gaussian"),
    ("relu", mf.Gaussian(3, covariance=2.0), ONE, "squared", {}, "a single index on inputs that"),
    ("relu", mf.Gaussian(3, [1.0, 0, 0]), ONE, "squared", {}, "a single index on inputs that"),
    ("erf", mf.Gaussian(3), mf.Norm(), "squared", {}, "the target Norm unless the activation is"),
    ("relu", mf.Gaussian(3), mf.Norm(), "squared", {"bias": True}, "the target Norm unless"),
    ("relu", mf.Gaussian(3, covariance=2.0), mf.Norm(), "squared", {}, "the norm as target on inp"),
    ("relu", MIXTURE, mf.Norm(), "squared", {}, "a target of kind Norm on gaussian-mixture"),
    ("tanh", mf.Sphere(3), teacher("tanh", 3), "squared", {}, "inputs on a sphere unless"),
    ("relu", mf.Sphere(3), teacher("relu", 3), "squared", {"bias": True}, "inputs on a sphere"),
    ("relu", mf.Sphere(3), teacher("relu", 3, bias=True), "squared", {}, "inputs on a sphere"),
    ("relu", mf.Sphere(3), ONE, "squared", {}, "inputs on a sphere unless"),
    ("relu", mf.Hypercube(15), mf.Parity(), "squared", {}, "'relu' on a hypercube of dimension 15"),
    ("sin", mf.Hypercube(15), ONE, "squared", {}, "SingleIndex on a hypercube of dimension 15"),
    ("sin", mf.Hypercube(15), mf.Parity(), "logistic", {}, "the logistic loss"),
    ("sin", mf.Hypercube(15), teacher("cos", 15), "squared", {}, "a 'cos' teacher of 'sin' neuron"),
]


@pytest.mark.parametrize(("spec", "law", "target", "loss", "options", "reason"), REFUSED)
def test_refused(spec, law, target, loss, options, reason):
    network = mf.TwoLayer(spec, law.dim, **options)
    labelled = law.labelled_by(target)
    with pytest.raises(Unsupported, match=reason) as error:
        mf.Risk(network, labelled, loss)
    assert "samples = …" in str(error.value)
    assert "batch = …" in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("law", [mf.Gaussian(16), mf.Hypercube(16), mf.Sphere(16)])
def test_outputs_that_do_not_fit(law):
    network = mf.TwoLayer("quadratic", 16, outputs=3)
    with pytest.raises(InvalidInput, match="outputs = 3: expected 1, as in y"):
        mf.Risk(network, law.labelled_by(teacher("quadratic", 16)))


def test_components_without_a_label():
    law = mf.GaussianMixture(2, covariances=[1.0, 2.0, 3.0]).labelled_by(mf.Labels())
    with pytest.raises(InvalidInput, match="one label per component"):
        mf.Risk(mf.TwoLayer("relu", 2), law)
