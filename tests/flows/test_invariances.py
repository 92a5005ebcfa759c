"""Symmetries of the flow: what a change of description does to a trajectory."""

from contextlib import contextmanager

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ortho_group
from threadpoolctl import threadpool_limits

from meanfield.data import FiniteData, Gaussian, GaussianMixture, Labels, Teacher
from meanfield.ensemble import Ensemble
from meanfield.flows import (
    FisherRao,
    HeavyBall,
    Langevin,
    Nesterov,
    Wasserstein,
    WassersteinFisherRao,
)
from meanfield.functionals import L2, TV, Entropy, Risk
from meanfield.initial import NormalInit
from meanfield.kernels import compile as compiling
from meanfield.networks import TwoLayer
from meanfield.observables import Energy, Moments
from meanfield.schemes import RK4, Euler, EulerMaruyama
from meanfield.simulation import simulate
from tests.conftest import size

DIM = 3
NETWORK = TwoLayer("relu", DIM)
rotations = st.integers(0, 2**32 - 1).map(
    lambda seed: ortho_group.rvs(DIM, random_state=np.random.default_rng(seed))
)
seeds = st.integers(0, 2**32 - 1)


def _population(rotation=None):
    """A relu teacher on N(0, I), and its own student's energy."""
    w = np.array([[1.0, 0.0, 0.5], [0.0, -1.2, 0.3]]) @ (
        np.eye(DIM) if rotation is None else rotation
    )
    teacher = NETWORK.ensemble(w, a=[1.0, -0.7], mass=np.ones(2))
    risk = Risk(NETWORK, Gaussian(DIM).labelled_by(Teacher(NETWORK, teacher)))
    return risk + 0.05 * L2()


def _mixture():
    mixture = GaussianMixture(DIM, means=[[1, 0, 0], [-1, 0.5, 0]], covariances=[1.0, [1, 2, 0.5]])
    return Risk(NETWORK, mixture.labelled_by(Labels()))


def _empirical(loss="squared", rotation=None):
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((9, DIM)), rng.choice([-1.0, 1.0], 9)
    x = x if rotation is None else x @ rotation
    return Risk(TwoLayer("tanh", DIM), FiniteData(x, y), loss) + 0.1 * TV()


ENERGIES = {
    "population": _population(),
    "mixture": _mixture(),
    "empirical": _empirical(),
    "logistic": _empirical("logistic"),
}
energies = st.sampled_from(sorted(ENERGIES)).map(ENERGIES.get)


def _start(seed, count=5):
    rng = np.random.default_rng(seed)
    position = rng.standard_normal((count, DIM + 1))
    return Ensemble(position, rng.dirichlet(np.full(count, 2.0)), NETWORK.layout)


def _end(energy, start, scheme=RK4, flow=Wasserstein):
    run = simulate(flow(energy), start, scheme=scheme(0.1), until=1.0, observe=())
    return run.final


FLOWS = (Wasserstein, HeavyBall, Nesterov, FisherRao, WassersteinFisherRao)
deterministic = st.sampled_from(FLOWS)


def _same(found, expected):
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-11 * (1 + np.abs(expected).max()))


@given(energies, seeds, st.permutations(range(5)), deterministic)
def test_permuted_particles_have_the_permuted_trajectory(energy, seed, order, flow):
    start = _start(seed)
    permuted = Ensemble(start.position[order], start.mass[order], start.layout)
    one, other = _end(energy, permuted, flow=flow), _end(energy, start, flow=flow)
    _same(one.position, other.position[order])
    _same(one.mass, other.mass[order])


@given(rotations, seeds, deterministic)
def test_rotated_teacher_and_neurons_have_the_rotated_trajectory(rotation, seed, flow):
    start = _start(seed)
    rotated = start.copy()
    rotated.w[:] = start.w @ rotation
    plain = _end(_population(), start, flow=flow)
    turned = _end(_population(rotation), rotated, flow=flow)
    _same(turned.w, plain.w @ rotation)
    _same(turned.a, plain.a)
    _same(turned.mass, plain.mass)
    # The teacher is seen at all: left where it was, it would pull elsewhere.
    assert np.abs(_end(_population(), rotated).w - plain.w @ rotation).max() > 1e-6


@given(rotations, seeds, st.sampled_from(["squared", "logistic"]))
def test_rotated_data_and_neurons_have_the_rotated_trajectory(rotation, seed, loss):
    start = _start(seed)
    rotated = start.copy()
    rotated.w[:] = start.w @ rotation
    plain, turned = _end(_empirical(loss), start), _end(_empirical(loss, rotation), rotated)
    _same(turned.w, plain.w @ rotation)
    _same(turned.a, plain.a)


@given(energies, seeds, st.integers(0, 4), st.floats(0.0, 1.0), deterministic)
def test_a_particle_cut_in_two_is_the_same_measure(energy, seed, which, share, flow):
    whole = _start(seed)
    mass = whole.mass.copy()
    mass[which] *= share
    split = Ensemble(
        np.vstack([whole.position, whole.position[which]]),
        np.append(mass, whole.mass[which] - mass[which]),
        whole.layout,
    )
    one, two = energy.evaluate(whole), energy.evaluate(split)
    rows = [*range(5), which]
    assert two.value == pytest.approx(one.value, rel=1e-12, abs=1e-13)
    _same(two.variation, one.variation[rows])
    _same(two.gradient, one.gradient[rows])
    one, two = _end(energy, whole, flow=flow), _end(energy, split, flow=flow)
    _same(two.position, one.position[rows])
    merged = two.mass[:5].copy()
    merged[which] += two.mass[5]
    _same(merged, one.mass)


@given(energies, seeds)
def test_all_masses_doubled_is_another_measure(energy, seed):
    """Or else the test above would pass with masses ignored."""
    start = _start(seed)
    doubled = Ensemble(start.position, 2 * start.mass, start.layout)
    found, plain = energy.gradient(doubled), energy.gradient(start)
    assert np.abs(found - plain).max() > 1e-6


@contextmanager
def _threads(count):
    """As on a machine with so many cores: numba's threads and those of BLAS."""
    before = compiling.threads()
    compiling.set_threads(count)
    try:
        with threadpool_limits(count):
            yield
    finally:
        compiling.set_threads(before)


def _bits(flow, start, scheme, until=0.5):
    run = simulate(flow, start, scheme=scheme, until=until, observe=[Energy(), Moments()])
    series = [run[name].values.tobytes() for name in run.names]
    return run.final.position.tobytes(), *series


def _different(make):
    """How many different results 1 … 4 threads give."""
    found = set()
    for count in (1, 2, 3, 4):
        with _threads(count):
            found.add(make())
    return len(found)


@pytest.mark.parametrize("name", sorted(ENERGIES))
def test_threads_change_no_bit(name):
    flow = Langevin(ENERGIES[name] + 0.1 * Entropy())
    start = NormalInit(size(150, 5)).draw(NETWORK.layout, 3)
    assert _different(lambda: _bits(flow, start, EulerMaruyama(0.1))) == 1


def test_threads_change_no_bit_across_blocks_of_samples():
    rng = np.random.default_rng(4)
    count, dim = size(300, 70), 5
    network = TwoLayer("tanh", dim, outputs=2, bias=True)
    data = FiniteData(rng.standard_normal((count, dim)), rng.standard_normal((count, 2)))
    start = NormalInit(size(200, 66)).draw(network.layout, 3)
    assert _different(lambda: _bits(Wasserstein(Risk(network, data)), start, Euler(0.1))) == 1


def test_threads_change_no_bit_of_long_sums():
    """A sum that BLAS cuts into one part for each of its threads."""
    start = NormalInit(size(30_000, 50)).draw(NETWORK.layout, 3)
    assert _different(lambda: _bits(Wasserstein(L2()), start, Euler(0.1))) == 1


def test_threads_change_no_bit_of_laws_with_a_covariance():
    dim = size(150, 30)
    root = np.random.default_rng(0).standard_normal((dim, dim)) / np.sqrt(dim)
    covariance = root @ root.T  # once: this product is not ours to hold to one thread
    network = TwoLayer("relu", dim)
    teacher = Teacher(network, network.ensemble(np.eye(dim)[:3]))
    start = NormalInit(size(70, 3)).draw(network.layout, 0)

    def make(data):
        law = Gaussian(dim, covariance=covariance).labelled_by(teacher)
        return _bits(Wasserstein(Risk(network, data(law))), start, Euler(0.1))

    assert _different(lambda: make(lambda law: law)) == 1
    assert _different(lambda: make(lambda law: law.sample(500))) == 1
    assert _different(lambda: make(lambda law: law.stream(500))) == 1
