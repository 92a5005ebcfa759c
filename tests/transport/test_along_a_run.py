"""W₂ against assignments, sorted quantiles and linear programs."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment, linprog
from scipy.spatial.distance import cdist

from meanfield.ensemble import Ensemble
from meanfield.errors import InvalidInput, Unsupported
from meanfield.flows import Wasserstein
from meanfield.functionals import L2
from meanfield.observables import W2, View, wasserstein2
from meanfield.schemes import Euler
from meanfield.simulation import simulate

seeds = st.integers(0, 2**32 - 1)


def _cloud(rng, count, dim, weighted=False):
    mass = rng.dirichlet(np.ones(count)) if weighted else None
    return Ensemble(rng.standard_normal((count, dim)), mass)


def _on_the_line(first, second):
    """(∫ |F⁻¹ - G⁻¹|² du)^½ over the merged levels of both distribution functions."""
    sorted_ = []
    for ensemble in (first, second):
        order = np.argsort(ensemble.position[:, 0])
        sorted_.append((ensemble.position[order, 0], np.cumsum(ensemble.mass[order])))
    levels = np.unique(np.concatenate([[0.0], *(np.minimum(c, 1.0) for _, c in sorted_)]))
    middles = 0.5 * (levels[1:] + levels[:-1])
    quantiles = [x[np.minimum(np.searchsorted(c, middles), len(x) - 1)] for x, c in sorted_]
    return np.sqrt(np.sum(np.diff(levels) * (quantiles[0] - quantiles[1]) ** 2))


@given(seeds, st.integers(1, 30), st.integers(1, 4))
def test_equal_masses_are_an_assignment(seed, count, dim):
    rng = np.random.default_rng(seed)
    first, second = _cloud(rng, count, dim), _cloud(rng, count, dim)
    cost = cdist(first.position, second.position) ** 2
    rows, columns = linear_sum_assignment(cost)
    assert wasserstein2(first, second) == pytest.approx(
        np.sqrt(cost[rows, columns].mean()), abs=1e-12
    )


@given(seeds, st.integers(1, 20), st.integers(1, 20))
def test_on_the_line_quantiles_meet(seed, count, other):
    rng = np.random.default_rng(seed)
    first, second = _cloud(rng, count, 1, weighted=True), _cloud(rng, other, 1, weighted=True)
    assert wasserstein2(first, second) == pytest.approx(_on_the_line(first, second), abs=1e-10)


@given(seeds)
def test_unequal_masses_are_a_linear_program(seed):
    rng = np.random.default_rng(seed)
    first, second = _cloud(rng, 4, 2, weighted=True), _cloud(rng, 6, 2, weighted=True)
    cost = cdist(first.position, second.position) ** 2
    rows, columns = np.kron(np.eye(4), np.ones(6)), np.kron(np.ones(4), np.eye(6))
    exact = linprog(
        cost.ravel(), A_eq=np.vstack([rows, columns]), b_eq=np.append(first.mass, second.mass)
    )
    assert wasserstein2(first, second) == pytest.approx(np.sqrt(exact.fun), abs=1e-9)


@given(seeds, st.floats(0.1, 10.0))
def test_a_shift_and_a_dilation_by_hand(seed, factor):
    cloud = _cloud(np.random.default_rng(seed), 12, 3)
    shift = np.array([1.0, -2.0, 2.0])
    assert wasserstein2(cloud, cloud.at(cloud.position + shift)) == pytest.approx(3.0, rel=1e-12)
    dilated = cloud.at(factor * cloud.position)
    radius = np.sqrt(cloud.mean((cloud.position**2).sum(axis=1)))
    assert wasserstein2(cloud, dilated) == pytest.approx(abs(factor - 1) * radius, abs=1e-7)
    assert wasserstein2(cloud, cloud) == 0.0


def test_a_distance_that_needs_too_much_memory_is_refused():
    large = Ensemble(np.zeros((4001, 1)))
    with pytest.raises(Unsupported, match=r"^exact W2 between 4001 and 1 particles: at most 4000$"):
        wasserstein2(large, Ensemble([[0.0]]))
    with pytest.raises(Unsupported, match="at most 4000"):
        simulate(Wasserstein(L2()), large, scheme=Euler(0.1), until=1.0, observe=[W2(when=[0.5])])


@pytest.mark.parametrize("reference", ["start", "previous", "ensemble"])
def test_along_a_run(reference):
    """Under dx = -x dt in Euler steps, x = (1 - h)^step x₀: distances are |Δ factor| radius."""
    start = _cloud(np.random.default_rng(0), 6, 2)
    origin = Ensemble([[0.0, 0.0]])
    observable = W2(to=origin if reference == "ensemble" else reference, when={"steps": 2})
    radius = np.sqrt(start.mean((start.position**2).sum(axis=1)))
    factor = 0.9 ** np.arange(0, 11, 2)
    expected = {
        "start": 1 - factor,
        "previous": -np.diff(factor, prepend=1.0),
        "ensemble": factor,
    }[reference]
    for _ in range(2):  # a second run with the same observable starts anew
        run = simulate(Wasserstein(L2()), start, scheme=Euler(0.1), until=1.0, observe=[observable])
        np.testing.assert_allclose(run["w2"], expected * radius, atol=1e-7)


def test_the_previous_look_is_one_of_the_same_run():
    flow, observable = Wasserstein(L2()), W2(to="previous")
    first, second = (_cloud(np.random.default_rng(seed), 5, 2) for seed in (0, 1))
    assert observable(View(first, flow, first)) == {"w2": 0.0}
    moved = first.at(first.position + np.array([3.0, 4.0]))
    moved.step = 1
    assert observable(View(moved, flow, first)) == {"w2": pytest.approx(5.0)}
    assert observable(View(moved, flow, first)) == {"w2": 0.0}
    assert observable(View(second, flow, second)) == {"w2": 0.0}


@pytest.mark.parametrize("to", ["end", None, 3])
def test_a_senseless_reference_is_refused(to):
    with pytest.raises(
        InvalidInput, match=r"^to = .*: expected 'start', 'previous' or an ensemble$"
    ):
        W2(to=to)
