"""The kernels' entry points: arrays in, arrays out, and mistakes told in one sentence."""

import numpy as np
import pytest

import meanfield as mf
from meanfield import kernels
from meanfield.activations import make
from meanfield.errors import InvalidInput, UnknownName
from meanfield.kernels import definitions
from meanfield.kernels.projected import Projected


def draw(rng, count, dim, outputs=1, dtype=np.float64):
    a = rng.normal(size=(count, outputs)) if outputs > 1 else rng.normal(size=count)
    w, b = rng.normal(size=(count, dim)), rng.normal(size=count)
    return kernels.Neurons(*(array.astype(dtype) for array in (a, w, b, rng.random(count))))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("outputs", [1, 3])
def test_interaction_under_any_gaussian(outputs, dtype):
    rng = np.random.default_rng(0)
    neurons, sources = draw(rng, 6, 3, outputs, dtype), draw(rng, 4, 3, outputs, dtype)
    mean, root = rng.normal(size=3), rng.normal(size=(3, 3))
    found = kernels.interact("relu", neurons, sources, mean=mean, root=root)
    a, c = (x.reshape(len(x), -1).astype(float) for x in (neurons.a, sources.a))
    seen, others = (
        Projected(*(x.astype(float) for x in (n.w, n.b)), mean, root) for n in (neurons, sources)
    )
    c *= sources.mass[:, None]
    outer, bias, whitened = definitions.population(make("relu"), seen, a, others, c)
    tolerance = {"rtol": 0, "atol": 1e-12 if dtype is np.float64 else 1e-4}
    np.testing.assert_allclose(found.outer, outer, **tolerance)
    np.testing.assert_allclose(found.bias, bias, **tolerance)
    inner = whitened @ root.T + bias[:, None] * mean
    np.testing.assert_allclose(found.inner, inner, **tolerance)
    assert {array.dtype for array in found} == {np.dtype(dtype)}


def test_population_risk_is_made_of_it():
    rng = np.random.default_rng(1)
    network = mf.TwoLayer("relu", dim=2)
    a, w = rng.normal(size=30), rng.normal(size=(30, 2))
    teacher = network.ensemble(a=[0.0], w=[[1.0, 0.0]])
    risk = mf.Risk(network, mf.Gaussian(2).labelled_by(mf.Teacher(network, teacher)))
    found = kernels.interact("relu", kernels.Neurons(a, w))
    gradient = risk.gradient(network.ensemble(a=a, w=w))
    np.testing.assert_allclose(gradient[:, 0], found.outer[:, 0], rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(gradient[:, 1:], found.inner, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_layer(dtype):
    rng = np.random.default_rng(2)
    neurons, x = draw(rng, 7, 3, 2, dtype), rng.normal(size=(11, 3)).astype(dtype)
    y = rng.normal(size=(11, 2)).astype(dtype)
    z = x @ neurons.w.T + neurons.b
    f = np.tanh(z) @ (neurons.mass[:, None] * neurons.a)
    tolerance = {"rtol": 0, "atol": 1e-13 if dtype is np.float64 else 2e-5}
    np.testing.assert_allclose(kernels.layer_output("tanh", neurons, x), f, **tolerance)
    pull = kernels.layer_pull("tanh", neurons, x, lambda rows, f: (f - y[rows]) / dtype(11))
    g = (f - y) / 11
    slope = (1 - np.tanh(z) ** 2) * (g @ neurons.a.T)
    np.testing.assert_allclose(pull.outer, np.tanh(z).T @ g, **tolerance)
    np.testing.assert_allclose(pull.inner, slope.T @ x, **tolerance)
    np.testing.assert_allclose(pull.bias, slope.sum(axis=0), **tolerance)
    assert {array.dtype for array in pull} == {np.dtype(dtype)}


W = np.ones((3, 2))


@pytest.mark.parametrize(
    ("neurons", "options", "message"),
    [
        (kernels.Neurons(np.ones(4), W), {}, "neurons.a"),
        (kernels.Neurons(np.ones(3), np.ones(3)), {}, "neurons.w"),
        (kernels.Neurons(np.ones(3), W, b=np.ones(2)), {}, "neurons.b"),
        (kernels.Neurons(np.ones(3), W, mass=np.ones(2)), {}, "neurons.mass"),
        (kernels.Neurons(np.ones(3), W), {"mean": np.ones(3)}, "mean"),
        (kernels.Neurons(np.ones(3), W), {"root": np.ones((2, 3))}, "root"),
        (
            kernels.Neurons(np.ones(3), W),
            {"sources": kernels.Neurons(np.ones((3, 2)), W)},
            "sources",
        ),
    ],
)
def test_mistakes(neurons, options, message):
    with pytest.raises(InvalidInput, match=f"^{message} = "):
        kernels.interact("relu", neurons, **options)


def test_explanations():
    for kernel, sizes in (
        ("population", {"dim": 3}),
        ("layer", {"samples": 10, "dim": 3, "neurons": 5, "outputs": 1, "dtype": np.float64}),
        ("attention", {"dim": 3}),
    ):
        choice = kernels.explain(kernel, **sizes)
        assert choice.path
        assert choice.why
    with pytest.raises(UnknownName, match="population"):
        kernels.explain("popluation")
