"""Exact transport against linear programmes, assignments and POT; its axioms; degenerate cases."""

import numpy as np
import ot
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist
from scipy.stats import wasserstein_distance

import meanfield as mf
from meanfield.errors import InvalidInput, NotConverged, Unsupported
from meanfield.transport import base, distance, exact, methods
from tests.transport.clouds import by_linear_programme, cloud, seeds

orders = st.sampled_from([1.0, 2.0])


@given(seeds, st.integers(1, 9), st.integers(1, 9), st.integers(1, 4), orders)
def test_is_the_linear_programme(seed, count, other, dim, order):
    rng = np.random.default_rng(seed)
    first, second = cloud(rng, count, dim), cloud(rng, other, dim)
    expected = by_linear_programme(first, second, order)
    assert distance(first, second, order=order).value == pytest.approx(expected, rel=1e-12)


@given(seeds, st.integers(1, 30), st.integers(1, 30))
def test_on_the_line_is_scipys_and_pots(seed, count, other):
    rng = np.random.default_rng(seed)
    (x, a), (y, b) = first, second = cloud(rng, count, 1), cloud(rng, other, 1)
    one = distance(first, second, order=1.0)
    assert one.value == pytest.approx(wasserstein_distance(x[:, 0], y[:, 0], a, b), rel=1e-12)
    two = distance(first, second, "exact", order=2.0)
    expected = ot.wasserstein_1d(x, y, a, b, p=2)[0] ** 0.5
    assert two.value == pytest.approx(expected, rel=1e-12)
    np.testing.assert_allclose(two.plan.toarray().sum(axis=1), a, atol=1e-14)
    np.testing.assert_allclose(two.plan.toarray().sum(axis=0), b, atol=1e-14)


def test_equal_masses_are_an_assignment(rng):
    x, y = rng.standard_normal((60, 5)), rng.standard_normal((60, 5))
    cost = cdist(x, y) ** 2
    rows, columns = linear_sum_assignment(cost)
    found = distance(x, y)
    assert found.value == pytest.approx(np.sqrt(cost[rows, columns].mean()), rel=1e-13)
    plan = found.plan.tocsr()
    np.testing.assert_allclose(plan[rows, columns], 1 / 60, rtol=1e-12)


@given(seeds, orders)
def test_potentials_prove_the_optimum(seed, order):
    rng = np.random.default_rng(seed)
    first, second = cloud(rng, 12, 3), cloud(rng, 8, 3)
    found = distance(first, second, order=order)
    f, g = found.potentials
    assert (f[:, None] + g <= cdist(first[0], second[0]) ** order + 1e-12).all()
    dual = first[1] @ f + second[1] @ g
    assert dual == pytest.approx(found.value**order, rel=1e-12)


@pytest.mark.skipif(not exact._starts_warm(), reason="this POT starts from nothing")
def test_a_warm_start_has_the_same_optimum(rng):
    x, y = rng.standard_normal((2, 50, 3))
    near = distance(x, y)
    assert distance(x, y + 0.01, near=near).value == pytest.approx(
        distance(x, y + 0.01).value, rel=1e-13
    )
    assert distance(x[:20], y, near=near).value == distance(x[:20], y).value  # other sizes: cold


@given(seeds, st.floats(0.1, 10.0), st.sampled_from(["exact", "bures", "sliced", "sinkhorn"]))
def test_translation_scaling_symmetry(seed, factor, method):
    """A common shift changes nothing, scales multiply, and the order does not matter."""
    rng = np.random.default_rng(seed)
    (x, a), (y, b) = first, second = cloud(rng, 9, 2), cloud(rng, 7, 2)
    arguments = {"tolerance": 1e-4} if method == "sinkhorn" else {}
    value = distance(first, second, method, **arguments).value
    shift = rng.standard_normal(2)
    near = pytest.approx(value, rel=1e-3 if method == "sinkhorn" else 1e-9)
    assert distance((x + shift, a), (y + shift, b), method, **arguments).value == near
    assert distance((factor * x, a), (factor * y, b), method, **arguments).value / factor == near
    assert distance(second, first, method, **arguments).value == near
    assert distance(first, first, method, **arguments).value <= 1e-7


@given(seeds)
def test_a_shift_alone(seed):
    x, a = cloud(np.random.default_rng(seed), 12, 3)
    shift = np.array([1.0, -2.0, 2.0])
    for method in ("exact", "bures", "max-sliced"):
        found = distance((x, a), (x + shift, a), method).value
        assert found == pytest.approx(3.0, rel=1e-6 if method == "max-sliced" else 1e-12)


@given(seeds, st.sampled_from(["exact", "bures", "sliced"]), orders)
def test_triangle_inequality(seed, method, order):
    rng = np.random.default_rng(seed)
    clouds = [cloud(rng, count, 2) for count in (5, 6, 7)]
    arguments = {} if method == "bures" else {"order": order}
    ab, bc, ac = (
        distance(clouds[i], clouds[j], method, **arguments).value
        for i, j in ((0, 1), (1, 2), (0, 2))
    )
    assert ac <= ab + bc + 1e-12


def test_single_and_coincident_particles_and_zero_masses(rng):
    x, a = cloud(rng, 10, 3)
    point = np.array([[0.5, 0.0, -1.0]])
    expected = np.sqrt(a @ ((x - point) ** 2).sum(axis=1))
    assert distance((x, a), point).value == pytest.approx(expected, rel=1e-13)
    assert distance(point, point).value == 0
    assert distance((x, a), (np.repeat(point, 4, axis=0), a[:4])).value == pytest.approx(
        expected, rel=1e-13
    )
    more = np.vstack([x, [[1e3, 0, 0]]]), np.append(a, 0.0)
    y = cloud(rng, 6, 3)
    for method in ("exact", "sliced", "bures", "sinkhorn", "unbalanced", "wfr"):
        both = [distance(each, y, method).value for each in ((x, a), more)]
        assert both[0] == pytest.approx(both[1], rel=1e-5 if method == "sinkhorn" else 1e-9)
    twice = np.vstack([x, x]), np.append(a, a) / 2
    assert distance(twice, y).value == pytest.approx(distance((x, a), y).value, rel=1e-12)


@pytest.mark.parametrize("method", [*methods, "auto"])
def test_what_has_no_finite_squares_is_refused(method):
    x = np.array([[1e200, 0.0], [0.0, 1.0]])
    with pytest.raises(
        InvalidInput, match=r"points = 1e\+200: expected numbers whose power 2 is f"
    ):
        distance(x, x, method)


@pytest.mark.parametrize("method", [name for name in methods if methods[name].balanced])
def test_no_mass_has_no_shape(method):
    x = np.ones((2, 2))
    with pytest.raises(InvalidInput, match=r"mass = 0.0: expected a total mass > 0"):
        distance((x, [0.0, 0.0]), x, method)


def test_what_is_no_argument_is_refused():
    x = np.ones((2, 2))
    with pytest.raises(InvalidInput, match="order = 'two': expected a finite number"):
        distance(x, x, order="two")
    with pytest.raises(InvalidInput, match="near = 3: expected a distance"):
        distance(x, x, near=3)
    with pytest.raises(InvalidInput, match="expected real numbers"):
        distance(1j * x, x)
    for table in ([[0.0, -1.0], [-1.0, 0.0]], [[1.0, 1.0], [1.0, 1.0]]):
        with pytest.raises(InvalidInput, match="a symmetric matrix of numbers ≥ 0"):
            mf.embedding(np.array(table), 1)


def test_what_takes_too_much_is_refused_with_the_numbers():
    many = np.zeros((60_000, 2))
    with pytest.raises(Unsupported, match=r"60,000 and 60,000 particles takes about .* h and .*GB"):
        distance(many, many)
    with pytest.raises(
        Unsupported, match=r"allowed: raise most_seconds \(--most\), or .*sliced \("
    ):
        distance(many, many, most_gigabytes=1e4)
    with pytest.raises(Unsupported, match=r"allowed: raise most_gigabytes, or take "):
        distance(many, many, most_seconds=1e9, most_gigabytes=0.1)
    with pytest.raises(Unsupported, match="or take fewer particles"):
        distance(many, many, most_seconds=1e-9)
    assert distance(many[:50], many[:50], "auto").method == methods["exact"]()
    found = distance(many, many + 1.0, "auto")
    assert found.method.kind == "sliced"
    assert "at most the exact distance" in found.notes[0]
    assert "sliced" in repr(found)


def test_the_status_of_the_solver_is_checked(monkeypatch, rng):
    x, y = rng.standard_normal((2, 40, 3))
    monkeypatch.setattr(exact, "PIVOTS", 3)
    with pytest.raises(NotConverged, match="network simplex stopped"):
        distance(x, y)


def test_mistakes_are_named(rng):
    x = rng.standard_normal((4, 2))
    for arguments, said in (
        ((x, x, "exactly"), "^method.kind = 'exactly': expected one of bures, cone, exact"),
        ((x, x[:, :1]), "^second = 1: expected particles of 2 columns"),
        ((x, "hello"), "no such file"),
        ((x, object()), "^measure = <object.*: expected an ensemble, a run"),
        ((x, np.full((2, 2), np.nan)), "expected finite numbers"),
    ):
        with pytest.raises(mf.MeanfieldError, match=said):
            distance(*arguments)
    with pytest.raises(InvalidInput, match=r"^method\.order = 0\.5: expected a finite number"):
        distance(x, x, order=0.5)
    with pytest.raises(InvalidInput, match="arguments of 'bures'"):
        distance(x, x, "bures", order=1.0)
    with pytest.raises(Unsupported, match="'sliced' has no transport plan"):
        _ = distance(x, x, "sliced").plan


def test_totals_that_differ_are_told(rng):
    x, a = cloud(rng, 5, 2)
    found = distance((x, a), (x, 2 * a))
    assert found.value == 0
    assert found.notes == ("masses are compared as shares of the totals 1 and 2",)
    assert not distance((x, a), (x, 2 * a), "unbalanced").notes


def test_every_method_says_what_it_costs():
    for name in base.methods:
        small, large = (methods[name]().cost(n, n, 3) for n in (100, 10_000))
        assert 0 < small.seconds < large.seconds
        assert small.gigabytes <= large.gigabytes
