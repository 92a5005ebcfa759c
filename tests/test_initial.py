"""Where the particles start: the laws, and that they are functions of (seed, particle)."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from meanfield.ensemble import Ensemble, Layout
from meanfield.errors import FileProblem, InvalidInput, MeanfieldError, UnknownName
from meanfield.flows import Langevin
from meanfield.functionals import L2, Entropy
from meanfield.initial import (
    FromFile,
    FromRun,
    Given,
    NormalInit,
    QuantileInit,
    SphereInit,
    UniformInit,
    initials,
)
from meanfield.loop import Problem
from meanfield.networks import TwoLayer
from meanfield.schemes import EulerMaruyama
from meanfield.simulation import simulate_replicas
from tests.conftest import size

NEURON = Layout({"a": (), "w": (3,), "b": ()})
RADIAL = Layout({"a": (), "w": (1,)}, frozen=("a",))
COUNT = size(40_000, 400)
INDEPENDENT = [NormalInit, UniformInit, SphereInit]


def _moments_fit(x, mean, variance, fourth):
    """Mean and variance of the samples (N, …), within four standard errors."""
    error = np.sqrt(variance / len(x))
    assert np.all(np.abs(x.mean(axis=0) - mean) < 4 * error)
    error = np.sqrt((fourth - variance**2) / len(x))
    found = ((x - mean) ** 2).mean(axis=0)
    assert np.all(np.abs(found - variance) < 4 * error)
    for wrong in (2 * variance, 0.5 * variance):
        assert np.all(np.abs(found - wrong) > size(20, 2) * error)


def test_normal_entries():
    law = NormalInit(COUNT, scale={"w": 0.5, "b": 0.0}, mean={"w": -2.0, "b": 3.0})
    start = law.draw(NEURON, 1)
    _moments_fit(start.a, 0.0, 1.0, 3.0)
    _moments_fit(start.w, -2.0, 0.25, 3 * 0.25**2)
    assert np.all(start.b == 3.0)
    assert stats.kstest(2 * (start.w + 2.0).ravel(), "norm").pvalue > 1e-3
    correlation = np.corrcoef(start.position[:, :4].T)[np.triu_indices(4, 1)]
    assert np.all(np.abs(correlation) < 4 / np.sqrt(COUNT))


def test_uniform_entries():
    start = UniformInit(COUNT, scale={"a": 2.0, "w": 0.1}, mean={"a": 1.0}).draw(NEURON, 1)
    _moments_fit(start.a, 1.0, 4 / 3, 16 / 5)
    _moments_fit(start.w, 0.0, 0.01 / 3, 1e-4 / 5)
    assert np.abs(start.a - 1.0).max() < 2.0
    assert stats.kstest(start.b, "uniform", (-1, 2)).pvalue > 1e-3


def test_uniform_on_the_sphere():
    start = SphereInit(COUNT, scale={"w": 2.0, "a": 0.5}).draw(NEURON, 1)
    np.testing.assert_allclose(np.linalg.norm(start.w, axis=1), 2.0, rtol=1e-14)
    # A coordinate of the unit sphere of R^3 is uniform on [-1, 1] (Archimedes).
    assert stats.kstest(0.5 * start.w[:, 0], "uniform", (-1, 2)).pvalue > 1e-3
    _moments_fit(start.w, 0.0, 4 / 3, 16 / 5)
    assert set(np.unique(start.a)) == {-0.5, 0.5}
    assert abs(np.sign(start.a).sum()) < 4 * np.sqrt(COUNT)
    assert set(np.unique(start.b)) == {-1.0, 1.0}


def test_a_sphere_may_be_shifted():
    start = SphereInit(5, scale={"w": 2.0}, mean={"w": 7.0}).draw(NEURON, 1)
    np.testing.assert_allclose(np.linalg.norm(start.w - 7.0, axis=1), 2.0, rtol=1e-13)


@pytest.mark.parametrize("law", [NormalInit, UniformInit])
def test_signs_are_fair_coins(law):
    start = law(COUNT, scale={"a": 0.3}, signs=("a",)).draw(NEURON, 2)
    assert set(np.unique(start.a)) == {-0.3, 0.3}
    assert abs(np.sign(start.a).sum()) < 4 * np.sqrt(COUNT)
    unchanged = law(COUNT).draw(NEURON, 2)
    assert np.array_equal(start.w, unchanged.w)


@pytest.mark.parametrize("law", INDEPENDENT)
def test_an_antisymmetric_start_is_the_zero_function(law, rng):
    arguments = {"scale": {"a": 3.0}, "mean": {"a": 0.5, "b": 1.0}}
    start = law(10, antisymmetric=True, **arguments).draw(NEURON, 1)
    plain = law(10, **arguments).draw(NEURON, 1)
    assert np.array_equal(start.position[:5], plain.position[:5])
    assert np.array_equal(start.position[5:, 1:], start.position[:5, 1:])
    assert np.array_equal(start.a[5:], -start.a[:5])
    x = rng.standard_normal((4, 3))
    for kind in ("relu", "tanh"):
        f = TwoLayer(kind, 3, bias=True)(start, x)
        assert np.abs(f).max() < 1e-14 < np.abs(TwoLayer(kind, 3, bias=True)(plain, x)).max()
    several = Layout({"a": (2,), "w": (3,)})
    start = law(4, antisymmetric=True).draw(several, 1)
    assert np.array_equal(start.a[2:], -start.a[:2])


def test_what_cannot_be_antisymmetric_is_refused():
    with pytest.raises(InvalidInput, match=r"^count = 5: expected an even number, for an anti"):
        NormalInit(5, antisymmetric=True)
    with pytest.raises(InvalidInput, match=r"^antisymmetric = True: expected false, as there are"):
        NormalInit(4, antisymmetric=True).draw(Layout.plain(2), 0)


@given(
    st.sampled_from(INDEPENDENT),
    st.integers(1, 30),
    st.integers(0, 30),
    st.integers(0, 2**63 - 1),
)
def test_the_first_particles_do_not_depend_on_how_many_there_are(law, count, more, seed):
    few, many = law(count).draw(NEURON, seed), law(count + more).draw(NEURON, seed)
    assert np.array_equal(few.position, many.position[:count])
    assert np.all(few.mass == 1 / count)
    assert few.layout is NEURON


@pytest.mark.parametrize("law", INDEPENDENT)
def test_another_seed_is_another_start(law):
    first, again, other = (law(9).draw(NEURON, seed).position for seed in (3, 3, 4))
    assert np.array_equal(first, again)
    assert not np.any(first[:, 1:4] == other[:, 1:4])


@pytest.mark.parametrize(
    ("law", "exact"),
    [
        ({"law": "normal", "scale": 0.7, "mean": 2.0}, stats.norm(2.0, 0.7)),
        ({"law": "uniform", "scale": 0.7, "mean": 2.0}, stats.uniform(1.3, 1.4)),
        ({"law": "radial-normal", "scale": 0.8, "dim": 40}, stats.chi(40, scale=0.8 / np.sqrt(40))),
        ({"law": "radial-normal", "scale": 0.8, "dim": 1}, stats.chi(1, scale=0.8)),
        ({"law": stats.expon.ppf}, stats.expon()),
    ],
)
def test_quantiles_cut_the_law_in_equal_parts(law, exact):
    start = QuantileInit(10, **law).draw(RADIAL, 0)
    np.testing.assert_allclose(exact.cdf(start.w[:, 0]), (np.arange(10) + 0.5) / 10, rtol=1e-12)
    assert np.all(start.a == 1.0)
    other_seed = QuantileInit(10, **law).draw(RADIAL, 99)
    assert np.array_equal(start.position, other_seed.position)


def test_quantiles_are_for_one_column_that_moves():
    plain = Layout({"a": (), "w": (1,)})
    with pytest.raises(InvalidInput, match=r"expected one moving column, not 2 \(\['a', 'w'\]\)$"):
        QuantileInit(3).draw(plain, 0)
    start = QuantileInit(3, others={"a": -2.0}).draw(plain, 0)
    assert start.a.tolist() == [-2.0] * 3
    assert start.w[1, 0] == 0.0


def test_given_particles_are_copied():
    position, mass = np.ones((2, 5)), np.array([0.2, 0.8])
    start = Given(position, mass).draw(NEURON, 0)
    start.position[:] = 0.0
    assert np.all(position == 1.0)
    assert start.mass.tolist() == [0.2, 0.8]
    earlier = Ensemble(position, mass, NEURON, time=3.0, step=30)
    again = Given(earlier).draw(NEURON, 0)
    assert np.array_equal(again.position, earlier.position)
    assert not np.shares_memory(again.position, earlier.position)
    assert (again.time, again.step) == (0.0, 30)


def test_where_an_earlier_run_was(tmp_path):
    path = tmp_path / "run.h5"
    flow = Langevin(L2() + Entropy())
    problems = [lambda s=s: Problem(flow, NormalInit(3).draw(NEURON, s), s) for s in (5, 6)]
    run = simulate_replicas(
        problems, seeds=[5, 6], scheme=EulerMaruyama(0.5), until=2.0, observe=(), out=path
    )
    expected = {
        FromRun(str(path)): run.final,
        FromRun(str(path), seed=6): run.replica(6).final,
        FromRun(str(path), time=1.1): run.frames[2],
        FromRun(str(path), time=1.1, seed=6): run.replica(6).frames[2],
    }
    for law, there in expected.items():
        start = law.draw(NEURON, 0)
        assert np.array_equal(start.position, there.position)
        assert (start.time, start.step) == (0.0, there.step)
    with pytest.raises(FileProblem, match=r"no such file$"):
        FromRun(str(tmp_path / "none.h5")).draw(NEURON, 0)
    with pytest.raises(UnknownName, match=r"^unknown seed '7'"):
        FromRun(str(path), seed=7).draw(NEURON, 0)
    with pytest.raises(InvalidInput, match=r"^blocks = .*: expected the blocks "):
        FromRun(str(path)).draw(RADIAL, 0)


def test_particles_from_a_file_are_put_together_by_block(tmp_path):
    path, rng = tmp_path / "start.npz", np.random.default_rng(0)
    blocks = {"b": rng.standard_normal(4), "w": rng.standard_normal((4, 3)), "a": np.arange(4)}
    np.savez(path, **blocks, mass=[0.1, 0.2, 0.3, 0.4])
    start = FromFile(str(path)).draw(NEURON, 0)
    for name, values in blocks.items():
        assert np.array_equal(start[name], values)
    assert start.mass.tolist() == [0.1, 0.2, 0.3, 0.4]
    np.savez(path, **blocks)
    assert FromFile(str(path)).draw(NEURON, 0).mass.tolist() == [0.25] * 4


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"w": None}, "^path = .*: expected an array 'w'$"),
        ({"w": np.zeros((4, 2))}, r"^w = \(4, 2\): expected the shape \(N, 3\)$"),
        ({"v": np.zeros(4)}, "^path = .*v in .*: expected arrays a, w, b, mass$"),
        ({"mass": [1.0, -1.0, 0.0, 0.0]}, "^mass = .*: expected masses ≥ 0$"),
        ({"a": [0.0, np.nan, 0.0, 0.0]}, "^position = .*: expected finite numbers$"),
    ],
)
def test_a_file_of_particles_that_does_not_fit_is_refused(tmp_path, change, message):
    arrays = {"a": np.zeros(4), "w": np.zeros((4, 3)), "b": np.zeros(4)} | change
    path = tmp_path / "start.npz"
    np.savez(path, **{name: array for name, array in arrays.items() if array is not None})
    with pytest.raises(InvalidInput, match=message):
        FromFile(str(path)).draw(NEURON, 0)


def test_given_particles_must_have_the_blocks():
    with pytest.raises(InvalidInput, match=r"^position = .*: expected 5 columns \(a, w, b\)$"):
        Given(np.zeros((2, 4))).draw(NEURON, 0)
    with pytest.raises(InvalidInput, match=r"^blocks = .*: expected the blocks "):
        Given(Ensemble(np.zeros((2, 5)))).draw(NEURON, 0)


@pytest.mark.parametrize("law", INDEPENDENT)
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"count": 0}, "count = 0: expected a whole number ≥ 1"),
        ({"count": 2.5}, "count = 2.5: expected a whole number ≥ 1"),
        ({"count": 2, "scale": {"w": -1.0}}, "scale.w = -1.0: expected a finite number ≥ 0"),
        ({"count": 2, "scale": {"w": np.nan}}, "scale.w = nan: expected a finite number ≥ 0"),
        ({"count": 2, "mean": {"a": np.inf}}, "mean.a = inf: expected a finite number"),
        ({"count": 2, "scale": {"v": 1.0}}, "scale.v = 1.0: expected a block of a, w, b"),
        ({"count": 2, "mean": {"v": 1.0}}, "mean.v = 1.0: expected a block of a, w, b"),
        ({"count": 2, "signs": ("v",)}, "signs = 'v': expected a block of a, w, b"),
    ],
)
def test_a_senseless_law_is_refused_in_one_sentence(law, arguments, message):
    with pytest.raises(InvalidInput) as caught:
        law(**arguments).draw(NEURON, 0)
    assert str(caught.value) == message


def test_signs_on_a_sphere_are_signs_too():
    start = SphereInit(4, scale={"w": 0.3}, signs=("w",)).draw(NEURON, 0)
    assert set(np.unique(start.w)) == {-0.3, 0.3}


@pytest.mark.parametrize(
    "arguments",
    [
        {"count": 0},
        {"count": 3, "law": "gauss"},
        {"count": 3, "scale": -1.0},
        {"count": 3, "dim": 0},
        {"count": 3, "others": {"v": 1.0}},
    ],
)
def test_senseless_quantiles_are_refused(arguments):
    with pytest.raises(MeanfieldError):
        QuantileInit(**arguments).draw(RADIAL, 0)


def test_every_law_has_a_name():
    assert {"normal", "uniform", "sphere", "quantiles"} <= set(initials)
    assert initials["normal"] is NormalInit
