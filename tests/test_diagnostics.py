"""Diagnostics against closed forms and direct sums."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist

import meanfield as mf
from meanfield import diagnostics
from meanfield.errors import InvalidInput, Unsupported
from tests.conftest import size

N = size(4000, 400)


def test_kernels_that_are_none_are_refused():
    x = np.zeros((2, 1))
    for kernel in ("rfb", "coulomb", {"kind": "rbf", "width": 1.0}, {"length": 1.0}, 3):
        with pytest.raises(InvalidInput, match=r"interaction(\.kind)? = .*: expected "):
            diagnostics.mmd(x, x, kernel)


def test_moments(rng):
    x, mass = rng.standard_normal((50, 3)), rng.dirichlet(np.ones(50))
    found = diagnostics.moments((x, mass))
    np.testing.assert_allclose(found.mean, mass @ x, atol=1e-14)
    expected = np.cov(x.T, aweights=mass, ddof=0)
    np.testing.assert_allclose(found.covariance, expected, atol=1e-14)
    assert np.isnan(diagnostics.moments(np.ones((3, 1))).kurtosis[0])
    normal = rng.standard_normal((size(100_000, 20_000), 1))
    assert diagnostics.moments(normal).kurtosis[0] == pytest.approx(3.0, abs=0.15)


def test_entropy_is_minus_that_of_the_normal(rng):
    x = 2.0 * rng.standard_normal((N, 2))
    expected = -(1 + np.log(2 * np.pi) + 2 * np.log(2.0))
    assert diagnostics.entropy(x) == pytest.approx(expected, abs=size(0.06, 0.2))


def test_relative_entropy_of_normals(rng):
    x, y = rng.standard_normal((N, 2)), rng.standard_normal((N, 2)) * 1.5 + [0.5, 0.0]
    expected = 2 * np.log(1.5) + (2 + 0.25) / (2 * 1.5**2) - 1
    found = diagnostics.relative_entropy(x, y)
    assert found == pytest.approx(expected, abs=size(0.1, 0.3))
    with pytest.raises(Unsupported, match="equal masses and more than 3 particles"):
        diagnostics.relative_entropy(x[:3], y)


@pytest.mark.skipif(N < 4000, reason="the bias that is stated is that of so many")
def test_relative_entropy_of_the_wider_one_is_too_small(rng):
    narrow, wide = rng.standard_normal((N, 2)), 1.5 * rng.standard_normal((N, 2))
    exact, other = 1.25 - 2 * np.log(1.5), 2 / 4.5 - 1 + 2 * np.log(1.5)
    assert abs(exact - 0.44) < 0.005
    assert abs(diagnostics.relative_entropy(wide, narrow) - 0.32) < 4 * 0.03 - 1e-3
    assert abs(diagnostics.relative_entropy(narrow, wide) - other) < 4 * 0.03


def test_relative_entropy_is_its_sum(rng):
    """Between 5 and 4 points, with all distances written down: N - 1 others, but M in π."""
    x, y = rng.standard_normal((5, 2)), rng.standard_normal((4, 2))
    own, theirs = (np.sort(cdist(x, z), axis=1) for z in (x, y))
    expected = 2 * np.log(theirs[:, 1] / own[:, 2]).mean() + np.log(4 / (5 - 1))
    assert diagnostics.relative_entropy(x, y, neighbour=2) == pytest.approx(expected)


def test_fisher_information(rng):
    x = 2.0 * rng.standard_normal((N, 1))
    expected = 4.0 / (4.0 + 0.25) ** 2
    assert diagnostics.fisher_information(x, 0.5) == pytest.approx(expected, rel=size(0.1, 0.4))
    few, mass = rng.standard_normal((7, 2)), rng.dirichlet(np.ones(7))
    weights = mass * np.exp(-cdist(few, few, "sqeuclidean") / 2 / 0.3**2)
    weights /= weights.sum(axis=1, keepdims=True)
    score = (weights @ few - few) / 0.3**2
    expected = mass @ (score**2).sum(axis=1)
    assert diagnostics.fisher_information((few, mass), 0.3) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("unbiased", [False, True])
def test_mmd_is_its_sum(rng, unbiased):
    x, y = rng.standard_normal((9, 2)), rng.standard_normal((6, 2))

    def mean(p, q):
        k = np.exp(-cdist(p, q, "sqeuclidean") / 2)
        if unbiased and p is q:
            return (k.sum() - len(p)) / (len(p) * (len(p) - 1))
        return k.mean()

    expected = mean(x, x) + mean(y, y) - 2 * mean(x, y)
    assert diagnostics.mmd(x, y, unbiased=unbiased) == pytest.approx(expected, rel=1e-10)


def test_ksd_is_small_under_its_target_only(rng):
    x = rng.standard_normal((size(1000, 100), 2))
    near, far = diagnostics.ksd(x, "l2"), diagnostics.ksd(x + 1.0, "l2")
    assert 0 < near < 0.2 * far
    assert diagnostics.ksd(x, "l2") == pytest.approx(mf.KSD("l2").value(mf.Ensemble(x)))
