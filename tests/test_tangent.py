"""The tangent kernel against finite differences of the output, and against its limit for ReLU."""

import numpy as np
import pytest

import meanfield as mf
from tests.conftest import size


def by_differences(network, ensemble, x, y, mobility, h=1e-5):
    """Σ_i <∂f(x)/∂θ_i, M ∂f(y)/∂θ_i> / m_i, the mean over the outputs."""
    gradients = []
    for points in (x, y):
        found = np.zeros((len(points), network.outputs, *ensemble.position.shape))
        for index in np.ndindex(ensemble.position.shape):
            shift = np.zeros_like(ensemble.position)
            shift[index] = h
            up, down = (
                network.output(ensemble.at(ensemble.position + sign * shift), points)
                for sign in (1.0, -1.0)
            )
            found[:, :, *index] = (up - down) / (2.0 * h)
        gradients.append(found)
    first, second = gradients
    weights = mobility / ensemble.mass[:, None]
    return np.einsum("skip,tkip,ip->st", first, second, weights) / network.outputs


@pytest.mark.parametrize("outer", ["trained", "fixed", "bounded"])
@pytest.mark.parametrize(("k", "bias"), [(1, True), (3, False)])
def test_kernel_is_that_of_the_output_s_derivatives(rng, outer, k, bias):
    network = mf.TwoLayer("tanh", 2, k, bias, outer, bound=1.3)
    start = mf.NormalInit(4).draw(network.layout, 1)
    ensemble = start.having(mass=rng.dirichlet(np.ones(4)))
    x, y = rng.standard_normal((3, 2)), rng.standard_normal((2, 2))
    flow = mf.Wasserstein(mf.L2(), mobility={"a": 0.3, "w": 2.0, **({"b": 0.7} if bias else {})})
    speeds = flow.speeds(network.layout)
    found = mf.tangent_kernel(network, ensemble, x, y, speeds)
    np.testing.assert_allclose(found, by_differences(network, ensemble, x, y, speeds), atol=1e-8)
    assert found.shape == (3, 2)


def relu_limit(x, y):
    """k₁ + <x, y>(π - θ)/2π for a and w ~ N(0, 1), without bias."""
    products = x @ y.T
    norms = np.linalg.norm(x, axis=1)[:, None] * np.linalg.norm(y, axis=1)
    angle = np.arccos(np.clip(products / norms, -1.0, 1.0))
    arc = norms * (np.sin(angle) + (np.pi - angle) * np.cos(angle)) / (2.0 * np.pi)
    return arc + products * (np.pi - angle) / (2.0 * np.pi)


def test_many_relu_neurons_have_the_kernel_of_infinitely_many(rng):
    # It sees no more than second moments of a and |w|: those of N(0, 1), at even angles.
    count = size(2000, 500)
    angle = 2.0 * np.pi * (np.arange(count) + 0.5) / count
    w = np.sqrt(2.0) * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    network = mf.TwoLayer("relu", 2)
    x, y = rng.standard_normal((5, 2)), rng.standard_normal((4, 2))
    found = mf.tangent_kernel(network, network.ensemble(w, (-1.0) ** np.arange(count)), x, y)
    np.testing.assert_allclose(found, relu_limit(x, y), atol=20.0 / count)


def test_drawn_relu_neurons_have_that_kernel_on_average(rng):
    network = mf.TwoLayer("relu", 3)
    x = rng.standard_normal((4, 3))
    count, draws = size(2000, 200), 30
    starts = (mf.NormalInit(count).draw(network.layout, seed) for seed in range(draws))
    found = np.array([mf.tangent_kernel(network, start, x, x) for start in starts])
    error = found.std(axis=0, ddof=1) / np.sqrt(draws)
    assert np.all(np.abs(found.mean(axis=0) - relu_limit(x, x)) < 4.0 * error)
    assert np.all(error < 0.1 * np.abs(relu_limit(x, x)).max())


def test_inputs_of_another_dimension_are_refused():
    network = mf.TwoLayer("relu", 3)
    start = mf.NormalInit(2).draw(network.layout, 0)
    with pytest.raises(mf.InvalidInput, match="other"):
        mf.tangent_kernel(network, start, np.zeros((1, 3)), np.zeros((1, 2)))
