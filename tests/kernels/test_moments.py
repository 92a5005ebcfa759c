"""Sums by moments, against quadrature over the inputs that is exact for polynomials."""

import numpy as np
import pytest

from meanfield.activations import activations, make
from meanfield.kernels import moments
from meanfield.kernels.projected import Projected

NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(4)
WEIGHTS = WEIGHTS / np.sqrt(2.0 * np.pi)


def quadrature(dim):
    z = np.stack(np.meshgrid(*[NODES] * dim), axis=-1).reshape(-1, dim)
    weight = np.prod(np.stack(np.meshgrid(*[WEIGHTS] * dim), axis=-1).reshape(-1, dim), axis=1)
    return z, weight


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("width", [1, 3])
@pytest.mark.parametrize("dim", [1, 2, 4])
@pytest.mark.parametrize("law", ["standard", "biased", "general"])
@pytest.mark.parametrize("kind", ["linear", "quadratic"])
def test_averages_over_the_inputs(kind, law, dim, width, dtype, rng):
    mean, root = rng.normal(size=dim), rng.normal(size=(dim, dim))
    z, weight = quadrature(dim)
    x = z @ root.T + mean if law == "general" else z

    def some(count):
        w, b = rng.normal(size=(count, dim)), rng.normal(size=count)
        everything = w, b, mean, root
        kept = {"standard": 1, "biased": 2, "general": 4}[law]
        given = [y.astype(dtype) if k < kept else None for k, y in enumerate(everything)]
        return Projected(*given), x @ w.T + (b if kept > 1 else 0.0)

    (targets, u), (sources, v) = some(7), some(9)
    a, c = rng.normal(size=(7, width)), rng.normal(size=(9, width))
    activation = make(kind)
    f = activation(v) @ c  # of the sources together, at every node
    slopes = activation.slope(u) * (f @ a.T)
    expected = activation(u).T @ (weight[:, None] * f), weight @ slopes, slopes.T @ (weight * z.T).T
    found = moments.interact(activation, targets, a.astype(dtype), sources, c.astype(dtype))
    precision = 1e-12 if dtype is np.float64 else 1e-5
    for mine, other in zip(found, expected, strict=True):
        assert mine.dtype == dtype
        np.testing.assert_allclose(mine, other, atol=precision * max(1.0, np.abs(other).max()))


def test_only_where_they_apply():
    assert {kind for kind in activations if activations[kind].moments} == {"linear", "quadratic"}
