"""What labels the inputs, by hand."""

import numpy as np
import pytest

import meanfield as mf
from meanfield.errors import InvalidInput

X = np.array([[1.0, -1.0, 2.0], [0.5, 3.0, -2.0], [-1.0, -1.0, 1.0]])
NOWHERE = np.zeros(3)


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (mf.SingleIndex(), X[:, 0]),
        (mf.SingleIndex(degree=0), np.ones(3)),
        (mf.SingleIndex([0.0, 2.0, 0.0], 2), (X[:, 1] ** 2 - 1) / np.sqrt(2)),
        (
            mf.SingleIndex([0.0, 3.0, 4.0], coefficients=[0.5, 0.0, 0.0, 2.0]),
            0.5 + 2 * ((z := X @ [0.0, 0.6, 0.8]) ** 3 - 3 * z) / np.sqrt(6),
        ),
        (mf.Norm(-2.0), -2.0 * np.sqrt([6.0, 13.25, 3.0])),
        (mf.Parity(2), X[:, 0] * X[:, 1]),
        (mf.Parity(1), X[:, 0]),
        (mf.Parity(support=[2, 0]), X[:, 2] * X[:, 0]),
        (mf.Function(lambda x: x.sum(axis=1)), X.sum(axis=1)),
    ],
)
def test_values(target, expected):
    np.testing.assert_allclose(target(X, NOWHERE), expected, rtol=1e-12)
    assert target.outputs == 1


def test_links_are_orthonormal(rng):
    z, weights = np.polynomial.hermite_e.hermegauss(20)
    weights /= weights.sum()
    links = [mf.SingleIndex(degree=k)(z[:, None], NOWHERE) for k in range(6)]
    gram = np.einsum("iz,jz,z->ij", links, links, weights)
    np.testing.assert_allclose(gram, np.eye(6), atol=1e-12)


def test_labels():
    component = np.array([0.0, 1.0, 0.0])
    assert mf.Labels()(X, component)[:, 0].tolist() == [1.0, -1.0, 1.0]
    vectors = mf.Labels([[1.0, 0.0], [0.0, 1.0]])
    assert vectors.outputs == 2
    assert vectors(X, component).tolist() == [[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]]
    with pytest.raises(InvalidInput, match=r"values = .*one label per component \(3\)"):
        mf.Labels()(X, np.array([0.0, 2.0, 1.0]))


def test_teacher():
    network = mf.TwoLayer("relu", 3, outputs=2, bias=True)
    w = [[1.0, 0.0, 0.0], [0.0, 1.0, -1.0]]
    a = [[1.0, 2.0], [0.0, -1.0]]
    teacher = mf.Teacher(network, network.ensemble(w, a, [0.5, 0.0], mass=[1.0, 1.0]))
    hidden = np.maximum(X @ np.transpose(w) + [0.5, 0.0], 0.0)
    np.testing.assert_allclose(teacher(X, NOWHERE), hidden @ a)
    assert teacher.outputs == 2


def test_function_of_several_outputs():
    target = mf.Function(lambda x: x[:, :2], outputs=2)
    data = mf.Gaussian(3).labelled_by(target).sample(4)
    assert (data.y == data.x[:, :2]).all()
    assert data.outputs == 2


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: mf.SingleIndex([0.0, 0.0]), "direction = .*a vector that is not zero"),
        (lambda: mf.SingleIndex(degree=-1), "degree = -1"),
        (lambda: mf.Norm(np.inf), "scale = inf: expected a finite number"),
        (lambda: mf.Parity(0), "size = 0"),
        (lambda: mf.Gaussian(3).labelled_by(mf.SingleIndex([1.0, 0.0])), "direction = .*3 numbers"),
        (lambda: mf.Hypercube(3).labelled_by(mf.Parity(4)), "support = .*numbers in"),
        (lambda: mf.Hypercube(3).labelled_by(mf.Parity(support=[1, 1])), "support = .*distinct"),
        (lambda: mf.Hypercube(3).labelled_by(mf.Parity(support=[-1])), "support = .*numbers in"),
    ],
)
def test_targets_that_make_no_sense(make, message):
    with pytest.raises(InvalidInput, match=message):
        make()


def test_teacher_of_another_dimension():
    network = mf.TwoLayer("relu", 2)
    teacher = mf.Teacher(network, network.ensemble([[1.0, 0.0]]))
    with pytest.raises(InvalidInput, match=r"teacher\.dim = 2: expected the data's 3"):
        mf.Gaussian(3).labelled_by(teacher)
