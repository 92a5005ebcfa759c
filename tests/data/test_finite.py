"""Finite data sets: validation, splitting, standardising."""

import numpy as np
import pytest

import meanfield as mf
from meanfield.errors import InvalidInput


def test_shapes_and_defaults():
    data = mf.FiniteData([[1, 2], [3, 4], [5, 6]], [1, 2, 3])
    assert (data.x.dtype, data.x.shape, data.y.shape) == (np.float64, (3, 2), (3, 1))
    assert data.weights.tolist() == [1 / 3] * 3
    assert (len(data), data.dim, data.outputs, data.classes, data.test) == (3, 2, 1, (), None)
    assert mf.FiniteData([[0]] * 2, [[1, 2], [3, 4]]).outputs == 2


@pytest.mark.parametrize(("count", "outputs"), [(2, 1), (3, 3), (10, 10)])
def test_outputs_of_classes(count, outputs):
    classes = [f"class {i}" for i in range(count)]
    data = mf.FiniteData(np.zeros((count, 1)), np.arange(count), classes=classes)
    assert data.outputs == outputs
    assert data.classes == tuple(classes)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1.0, 2.0], [1.0, 2.0]), r"x = \(2,\): expected an array of shape \(n, d\)"),
        ((np.zeros((0, 2)), []), r"x = \(0, 2\): expected at least one sample"),
        (([[1.0]], [1.0, 2.0]), r"y = \(2,\): expected one target for each of the 1 samples"),
        (([[1.0]], np.zeros((1, 1, 1))), r"y = \(1, 1, 1\): expected one target"),
        (([[1.0], [np.nan]], [1.0, 2.0]), r"x = 'not finite in row \[1\]'"),
        (([[1.0], [2.0]], [np.inf, 2.0]), r"y = 'not finite in row \[0\]'"),
        (([[1.0]], [1.0], [0.5, 0.5]), r"weights = \(2,\): expected the shape \(1,\)"),
        (([[1.0], [2.0]], [1.0, 2.0], [2.0, -1.0]), "weights = .*expected weights ≥ 0"),
        (([[1.0], [2.0]], [1.0, 2.0], [np.nan, 1.0]), "weights = "),
        (([[1.0], [2.0]], [1.0, 2.0], [1.0, 1.0]), "weights = .*expected weights that sum to 1"),
    ],
)
def test_data_that_make_no_sense(arguments, message):
    with pytest.raises(InvalidInput, match=message):
        mf.FiniteData(*arguments)


def test_take_and_draw(rng):
    data = mf.FiniteData(np.arange(4.0)[:, None], [0, 1, 1, 0], [0.1, 0.2, 0.7, 0.0], ["a", "b"])
    part = data.take([2, 0])
    assert (part.x[:, 0].tolist(), part.y[:, 0].tolist()) == ([2.0, 0.0], [1.0, 0.0])
    assert part.weights.tolist() == [0.5, 0.5]
    assert part.classes == ("a", "b")
    count = 20_000
    drawn = data.draw(count, rng).x[:, 0]
    share = np.bincount(drawn.astype(int), minlength=4) / count
    assert (np.abs(share - data.weights) <= 4 * np.sqrt(data.weights / count)).all()
    uniform = mf.FiniteData(np.arange(4.0)[:, None], np.zeros(4)).draw(count, rng).x[:, 0]
    share = np.bincount(uniform.astype(int)) / count
    assert (np.abs(share - 0.25) <= 4 * np.sqrt(0.25 * 0.75 / count)).all()


def numbered(count, y, classes=()):
    return mf.FiniteData(np.arange(float(count))[:, None], y, classes=classes)


def test_a_split_is_stratified_disjoint_and_complete():
    y = np.repeat([0, 1, 2], [50, 30, 20])
    data = mf.split(numbered(100, y, "abc"), test=0.3, seed=5)
    assert (len(data), len(data.test)) == (70, 30)
    assert np.bincount(data.test.y[:, 0].astype(int)).tolist() == [15, 9, 6]
    rows = np.concatenate([data.x[:, 0], data.test.x[:, 0]])
    assert sorted(rows) == list(range(100))
    assert (np.diff(data.x[:, 0]) > 0).all()  # in the order of the file
    assert data.classes == data.test.classes == tuple("abc")
    assert (y[data.x[:, 0].astype(int)] == data.y[:, 0]).all()


def test_a_split_is_a_function_of_its_seed():
    data = numbered(60, np.arange(60.0))
    held_out = [mf.split(data, 0.25, seed).test.x[:, 0] for seed in (1, 1, 2)]
    assert len(held_out[0]) == 15
    assert (held_out[0] == held_out[1]).all()
    assert set(held_out[0]) != set(held_out[2])


def test_nothing_held_out():
    data = numbered(5, np.zeros(5))
    assert mf.split(data, 0.0, seed=1) is data


@pytest.mark.parametrize(
    ("test", "message"),
    [
        (1.0, "fraction in"),
        (-0.1, "test = -0.1"),
        (float("nan"), "test = nan"),
        (0.01, "test = 0.01: expected a fraction that leaves both parts"),
        (0.99, "test = 0.99: expected a fraction that leaves both parts"),
    ],
)
def test_fractions_that_make_no_sense(test, message):
    with pytest.raises(InvalidInput, match=message):
        mf.split(numbered(6, np.zeros(6)), test, seed=1)


def test_standardise_looks_at_the_training_part_only(rng):
    x, x_test = rng.normal(3.0, 2.0, size=(40, 3)), rng.normal(-5.0, 9.0, size=(10, 3))
    y = rng.normal(size=(40, 2))
    weights = rng.dirichlet(np.ones(40))
    test = mf.FiniteData(x_test, np.zeros(10))
    data = mf.standardise(mf.FiniteData(x, y, weights, test=test))
    np.testing.assert_allclose(weights @ data.x, 0.0, atol=1e-14)
    np.testing.assert_allclose(weights @ data.x**2, 1.0, rtol=1e-14)
    mean = weights @ x
    std = np.sqrt(weights @ (x - mean) ** 2)
    np.testing.assert_allclose(data.test.x, (x_test - mean) / std, rtol=1e-13)
    assert (data.y == y).all()
    assert (data.weights == weights).all()


def test_a_constant_column_becomes_zero():
    x = np.column_stack([np.full(5, 0.1), np.arange(5.0)])
    test = mf.FiniteData([[7.0, 2.0]], [0.0])
    data = mf.standardise(mf.FiniteData(x, np.zeros(5), test=test))
    assert (data.x[:, 0] == 0.0).all()
    assert data.test.x[0, 0] == 0.0
