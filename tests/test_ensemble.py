"""Particles, their masses and the layout of their columns."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meanfield.ensemble import Ensemble, Layout
from meanfield.errors import InvalidInput, UnknownName

NEURON = Layout({"a": (), "w": (2,), "b": ()})
block_shapes = st.lists(st.lists(st.integers(1, 3), max_size=2).map(tuple), min_size=1, max_size=4)


def _neurons() -> Ensemble:
    return Ensemble(np.arange(12.0).reshape(3, 4), [0.5, 0.25, 0.25], NEURON)


@given(block_shapes)
def test_blocks_tile_the_columns(shapes):
    layout = Layout({f"block{i}": shape for i, shape in enumerate(shapes)})
    columns = [j for name in layout.blocks for j in range(layout.width)[layout.columns(name)]]
    assert columns == list(range(layout.width))
    assert len(layout.labels) == len(set(layout.labels)) == layout.width
    position = np.arange(2.0 * layout.width).reshape(2, -1)
    ensemble = Ensemble(position, layout=layout)
    for name, shape in layout.blocks.items():
        assert ensemble[name].shape == (2, *shape)
        assert np.shares_memory(ensemble[name], ensemble.position)
    flat = [ensemble[name].reshape(2, -1) for name in layout.blocks]
    assert np.array_equal(np.hstack(flat), position)


def test_labels_name_every_column():
    assert NEURON.labels == ["a", "w[0]", "w[1]", "b"]
    assert NEURON.width == 4


def test_spread_gives_each_block_its_value():
    assert NEURON.spread({"w": 3.0}, default=1.0).tolist() == [1, 3, 3, 1]
    with pytest.raises(UnknownName, match=r"^unknown block 'v'; known: a, b, w$"):
        NEURON.spread({"v": 3.0}, default=1.0)


def test_blocks_are_views_that_can_be_written():
    ensemble = _neurons()
    ensemble.w[1] = -1.0
    ensemble["b"][:] = 7.0
    assert ensemble.position.tolist() == [[0, 1, 2, 7], [4, -1, -1, 7], [8, 9, 10, 7]]
    with pytest.raises(AttributeError, match="no attribute 'v'"):
        _ = ensemble.v
    with pytest.raises(UnknownName, match="unknown block 'v'"):
        _ = ensemble["v"]


def test_what_is_left_out():
    ensemble = Ensemble([[1, 2], [3, 4]])
    assert ensemble.position.dtype == float
    assert ensemble.mass.tolist() == [0.5, 0.5]
    assert ensemble.layout.labels == ["x[0]", "x[1]"]
    assert (len(ensemble), ensemble.dim, ensemble.time, ensemble.step) == (2, 2, 0.0, 0)


def test_the_mean_is_the_integral_against_the_measure():
    ensemble = _neurons()
    assert ensemble.mean(ensemble.a) == 0.5 * 0 + 0.25 * 4 + 0.25 * 8
    squares = ensemble.position**2
    expected = 0.5 * squares[0] + 0.25 * squares[1] + 0.25 * squares[2]
    np.testing.assert_allclose(ensemble.mean(squares), expected, rtol=1e-15)
    plain_sum = Ensemble([[1.0], [2.0]], [1.0, 1.0])
    assert plain_sum.mean(plain_sum.position).tolist() == [3.0]


def test_a_copy_is_independent_and_at_shares_the_rest():
    ensemble = _neurons()
    ensemble.time, ensemble.step = 2.5, 5
    copy, moved = ensemble.copy(), ensemble.at(ensemble.position + 1.0)
    copy.position[:] = 0.0
    copy.mass[:] = 1.0
    assert np.array_equal(ensemble.position, _neurons().position)
    assert np.array_equal(ensemble.mass, _neurons().mass)
    assert (copy.time, copy.step, copy.layout) == (2.5, 5, NEURON)
    assert (moved.time, moved.step, moved.layout) == (2.5, 5, NEURON)
    assert moved.mass is ensemble.mass
    assert np.array_equal(moved.a, ensemble.a + 1.0)


def test_repr_says_what_it_is():
    assert repr(_neurons()) == "Ensemble(3 particles: a, w[2], b; time=0, step=0)"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.zeros(3),), "position = (3,): expected an array of shape (N, p)"),
        ((np.zeros((0, 2)),), "position = (0, 2): expected at least one particle"),
        ((np.zeros((3, 2)), np.ones(2)), "mass = (2,): expected the shape (3,)"),
        ((np.zeros((2, 1)), [1.0, -0.1]), "mass = array([ 1. , -0.1]): expected masses ≥ 0"),
        ((np.zeros((2, 1)), [1.0, np.inf]), "mass = array([ 1., inf]): expected finite masses"),
        ((np.array([[np.nan]]),), "position = array([[nan]]): expected finite numbers"),
        ((np.zeros((3, 2)), None, NEURON), "position = (3, 2): expected 4 columns (a, w, b)"),
    ],
)
def test_what_cannot_be_used_is_refused_in_one_sentence(arguments, message):
    with pytest.raises(InvalidInput) as caught:
        Ensemble(*arguments)
    assert str(caught.value) == message


@pytest.mark.parametrize("width", [0, -1, 1.5, True])
def test_a_plain_layout_has_a_column_at_least(width):
    with pytest.raises(InvalidInput, match=r"^width = .*: expected a whole number ≥ 1$"):
        Layout.plain(width)
