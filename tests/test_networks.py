"""The two-layer network against its formula in plain NumPy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meanfield.activations import Tanh
from meanfield.errors import InvalidInput, UnknownName
from meanfield.networks import TwoLayer
from tests.conftest import size

ACTIVATIONS = {
    "tanh": np.tanh,
    "relu": lambda t: np.maximum(t, 0.0),
    "quadratic": lambda t: t**2,
}


def _outer_in_action(network, a):
    return network.bound * np.tanh(a / network.bound) if network.outer == "bounded" else a


@given(
    st.sampled_from(sorted(ACTIVATIONS)),
    st.integers(1, 3),
    st.integers(1, 4),
    st.booleans(),
    st.sampled_from(["trained", "fixed", "bounded"]),
    # Kernels work in blocks of 64: sizes at their borders.
    st.sampled_from(size([1, 2, 63, 64, 65, 130], [1, 2, 65])),
    st.sampled_from(size([1, 63, 64, 65, 129], [1, 65])),
    st.booleans(),
    st.integers(0, 2**32 - 1),
)
def test_output_is_the_sum_over_neurons(kind, k, dim, bias, outer, count, samples, plain_sum, seed):
    rng = np.random.default_rng(seed)
    network = TwoLayer(kind, dim, k, bias, outer, bound=0.7)
    a, w = rng.standard_normal((count, k)), rng.standard_normal((count, dim))
    b = rng.standard_normal(count) if bias else np.zeros(count)
    mass = np.ones(count) if plain_sum else rng.dirichlet(np.ones(count))
    x = rng.standard_normal((samples, dim))
    ensemble = network.ensemble(w, a if k > 1 else a[:, 0], b if bias else 0.0, mass)
    expected = np.zeros((samples, k))
    for i in range(count):
        neuron = ACTIVATIONS[kind](x @ w[i] + b[i])
        expected += mass[i] * neuron[:, None] * _outer_in_action(network, a[i])
    scale = np.abs(expected).max() + 1.0
    np.testing.assert_allclose(network.output(ensemble, x), expected, rtol=0, atol=1e-12 * scale)
    assert network(ensemble, x).shape == ((samples,) if k == 1 else (samples, k))


def test_layout_has_a_block_for_each_part_and_freezes_fixed_outer_weights():
    assert TwoLayer("relu", 2).layout.labels == ["a", "w[0]", "w[1]"]
    assert TwoLayer("relu", 1, bias=True).layout.labels == ["a", "w[0]", "b"]
    assert TwoLayer("relu", 1, outputs=3).layout.labels == ["a[0]", "a[1]", "a[2]", "w[0]"]
    assert TwoLayer("relu", 2, outer="fixed").layout.frozen == ("a",)
    assert TwoLayer("relu", 2, outer="bounded").layout.frozen == ()


def test_an_activation_is_a_name_a_table_or_an_object():
    tables = ["tanh", {"kind": "tanh"}, Tanh()]
    assert len({TwoLayer(table, 2).activation for table in tables}) == 1
    assert TwoLayer({"kind": "leaky-relu", "slope_left": 0.3}, 1).activation.slope(-1.0) == 0.3


def test_one_number_stands_for_all_neurons():
    network = TwoLayer("relu", 2, bias=True)
    ensemble = network.ensemble([[1, 2], [3, 4]], a=2.0, b=-1.0)
    assert ensemble.a.tolist() == [2, 2]
    assert ensemble.b.tolist() == [-1, -1]
    assert ensemble.mass.tolist() == [0.5, 0.5]


def test_bounded_outer_weights_saturate_and_know_their_slope():
    network = TwoLayer("relu", 1, outer="bounded", bound=0.3)
    ensemble = network.ensemble([[1.0]] * 3, a=[-50.0, 0.02, 50.0])
    acting, slope = network.outer_weights(ensemble)
    np.testing.assert_allclose(acting[:, 0], [-0.3, 0.3 * np.tanh(0.02 / 0.3), 0.3], rtol=1e-15)
    step = 1e-6
    ahead, _ = network.outer_weights(ensemble.at(ensemble.position + step))
    behind, _ = network.outer_weights(ensemble.at(ensemble.position - step))
    np.testing.assert_allclose(slope, (ahead - behind) / (2 * step), atol=1e-9)
    assert network.outer_weights(ensemble)[1] is not None
    assert TwoLayer("relu", 1).outer_weights(ensemble)[1] is None


def test_the_learned_function_does_not_follow_the_ensemble():
    network = TwoLayer("tanh", 2)
    ensemble = network.ensemble([[1.0, 0.0]], a=2.0)
    f, x = network.function(ensemble), np.array([[0.3, 0.1]])
    before = f(x)
    ensemble.position[:] = 0.0
    assert np.array_equal(f(x), before)
    assert network(ensemble, x) == 0.0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"dim": 0}, "dim = 0: expected a whole number ≥ 1"),
        ({"dim": 2.0}, "dim = 2.0: expected a whole number ≥ 1"),
        ({"dim": 2, "outputs": 0}, "outputs = 0: expected a whole number ≥ 1"),
        (
            {"dim": 2, "outer": "frozen"},
            "outer = 'frozen': expected one of trained, fixed, bounded",
        ),
        ({"dim": 2, "bound": 0.0}, "bound = 0.0: expected a finite number > 0"),
        ({"dim": 2, "bound": np.inf}, "bound = inf: expected a finite number > 0"),
    ],
)
def test_a_senseless_network_is_refused_in_one_sentence(arguments, message):
    with pytest.raises(InvalidInput) as caught:
        TwoLayer("relu", **arguments)
    assert str(caught.value) == message


def test_an_unknown_activation_is_answered_with_the_nearest():
    with pytest.raises(UnknownName, match=r"^unknown activation 'rellu'; did you mean 'relu'\?$"):
        TwoLayer("rellu", 2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"w": [1.0, 2.0]}, "w = (2,): expected (N, 2)"),
        ({"w": [[1.0]]}, "w = (1, 1): expected (N, 2)"),
        ({"w": [[1.0, 2.0]], "a": [1.0, 2.0, 3.0]}, "a = (3,): expected the shape (1,)"),
        ({"w": [[1, 2]], "b": 1.0}, "b = 1.0: expected no biases, as the network has bias = false"),
        ({"w": [[1.0, np.nan]]}, "position = array([[ 1., 1., nan]]): expected finite numbers"),
    ],
)
def test_neurons_of_the_wrong_shape_are_refused_in_one_sentence(arguments, message):
    with pytest.raises(InvalidInput) as caught:
        TwoLayer("relu", 2).ensemble(**arguments)
    assert str(caught.value) == message


def test_biases_of_the_wrong_shape_are_refused_in_one_sentence():
    network = TwoLayer("relu", 2, bias=True)
    with pytest.raises(InvalidInput, match=r"^b = \(3,\): expected the shape \(2,\)$"):
        network.ensemble([[1.0, 2.0], [3.0, 4.0]], b=[1.0, 2.0, 3.0])


def test_inputs_of_another_dimension_are_refused():
    network = TwoLayer("relu", 2)
    ensemble = network.ensemble([[1.0, 2.0]])
    for x in (np.zeros((4, 3)), np.zeros(2)):
        with pytest.raises(InvalidInput, match=r"^x = \(.*\): expected \(n, 2\)$"):
            network.output(ensemble, x)
