"""ReLU and erf between neurons of (nearly) the same or opposite direction, and of any size.

The formulas of every textbook lose all digits here; ours are held to 1e-12 of the exact value at
the floating-point weights given.
"""

import mpmath as mp
import numpy as np
import pytest

from meanfield.activations import make
from meanfield.kernels.population import Projected, interact
from tests.references import exact_biased_erf, exact_biased_relu, exact_erf, exact_relu

FROM_PARALLEL = [0.0, 1e-9, 1e-7, 1e-5, 1e-2, 0.0446, 0.0449, 0.05, 0.29, 0.31, 1.3]
ANGLES = FROM_PARALLEL + [np.pi - angle for angle in FROM_PARALLEL]
SIZES = [1e-8, 1.0, 1e8]
EXACT = {"relu": exact_relu, "erf": exact_erf}
EXACT_BIASED = {"relu": exact_biased_relu, "erf": exact_biased_erf}


def weights(dim, angle, size1, size2, seed):
    """Two weights at about this angle, along no axis."""
    rng = np.random.default_rng(seed)
    basis, _ = np.linalg.qr(rng.standard_normal((dim, 2)))
    direction = np.cos(angle) * basis[:, 0] + np.sin(angle) * basis[:, 1]
    return size1 * basis[:, 0], size2 * direction


def kernel(kind, w1, w2, b1=0.0, b2=0.0):
    origin, root, one = np.zeros(len(w1)), np.eye(len(w1)), np.ones((1, 1))
    target = Projected(w1[None], np.array([b1]), origin, root)
    source = Projected(w2[None], np.array([b2]), origin, root)
    outer, d_mean, inner = interact(make(kind), target, one, source, one)
    return outer[0, 0], inner[0], d_mean[0]


def errors(kind, w1, w2, *biases):
    """Relative errors of K, of the gradient as a vector, and of dK/db."""
    value, grad, d_bias = kernel(kind, w1, w2, *biases)
    exact, exact_grad, exact_bias = (EXACT_BIASED if biases else EXACT)[kind](w1, w2, *biases)
    distance = mp.norm([mp.mpf(float(x)) - y for x, y in zip(grad, exact_grad, strict=True)])
    pairs = [
        (abs(value - exact), abs(exact)),
        (distance, mp.norm(exact_grad)),
        (abs(d_bias - exact_bias), abs(exact_bias)),
    ]
    # Below this size, the exact value is 0 and what is left is its own rounding.
    nothing = mp.mpf(10) ** -80 * np.linalg.norm(w1) * np.linalg.norm(w2)
    return [float(error / size) if size > nothing else float(error) for error, size in pairs]


@pytest.mark.parametrize("kind", EXACT)
@pytest.mark.parametrize("dim", [2, 3, 10])
@pytest.mark.parametrize("angle", ANGLES, ids="{:.9f}".format)
def test_relative_accuracy(kind, dim, angle):
    for size1 in SIZES:
        for size2 in SIZES:
            w1, w2 = weights(dim, angle, size1, size2, seed=dim)
            assert max(errors(kind, w1, w2)) < 1e-12, (size1, size2)


@pytest.mark.parametrize("kind", EXACT)
@pytest.mark.parametrize("factor", [1.0, 4.0, -1.0, -0.5])
def test_exactly_parallel(kind, factor):
    for dim in (2, 3, 10):
        w = np.random.default_rng(dim).standard_normal(dim)
        assert max(errors(kind, w, factor * w)) < 1e-14


def test_opposite_relus_do_not_interact():
    w = np.array([0.3, -1.7, 0.2])
    value, grad, d_bias = kernel("relu", w, -w)
    assert value == 0.0
    assert d_bias == 0.0
    np.testing.assert_array_equal(grad, 0.0)


@pytest.mark.parametrize("kind", EXACT)
@pytest.mark.parametrize("gap", [1e-7, 1e-3])
@pytest.mark.parametrize("opposite", [False, True])
def test_relative_accuracy_with_bias(kind, gap, opposite):
    """Biases like those of neurons that meet their threshold often: h and k of order 1.

    Left out are pairs of ReLUs that are never active together (their K decays like a Gaussian
    tail; it is right to 1e-16 of s1 s2), and erf at norms of 1e8 with biases equal to 1e-8, whose
    gradient depends on digits that the weights do not have.
    """
    angle = np.pi - gap if opposite else gap
    for size1, size2, h, k in [
        (1.0, 1.0, 0.7, 1.1),
        (0.3, 1e-3, 0.02, -0.01) if kind == "erf" else (1e-8, 1e8, -0.5, 0.9),
        (1e8, 1e8, -0.5, 0.9),
        (1e-8, 1.0, 0.7, 0.7),
    ]:
        w1, w2 = weights(3, angle, size1, size2, seed=4)
        unit1, unit2 = (1.0, 1.0) if kind == "erf" else (0.0, 0.0)
        biases = h * np.hypot(size1, unit1), k * np.hypot(size2, unit2)
        assert max(errors(kind, w1, w2, *biases)) < 1e-12, (size1, size2)
