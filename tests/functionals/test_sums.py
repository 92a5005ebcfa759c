"""Functionals form a vector space."""

import numpy as np
import pytest

import meanfield as mf
from meanfield.errors import InvalidInput
from tests.functionals import naive


@pytest.fixture
def problem(rng):
    network = mf.TwoLayer("tanh", 2, bias=True)
    data = mf.FiniteData(rng.normal(size=(12, 2)), rng.normal(size=12))
    return mf.Risk(network, data), naive.neurons(network, 4, rng)


def same(a, b, ensemble):
    one, other = a.evaluate(ensemble), b.evaluate(ensemble)
    naive.assert_agrees(one, other.value, other.gradient, other.variation, 1e-15)


def test_a_sum_adds_up(problem):
    risk, ensemble = problem
    total = risk + 0.3 * mf.L2() - 2 * mf.TV()
    parts = [risk.evaluate(ensemble), mf.L2().evaluate(ensemble), mf.TV().evaluate(ensemble)]
    found = total.evaluate(ensemble)
    for name in ("value", "gradient", "variation"):
        r, ridge, path = (getattr(part, name) for part in parts)
        np.testing.assert_allclose(getattr(found, name), r + 0.3 * ridge - 2 * path, rtol=1e-14)
    assert found.parts == {
        "risk": parts[0].value,
        "l2": 0.3 * parts[1].value,
        "tv": -2 * parts[2].value,
    }
    assert total.value(ensemble) == found.value
    assert (total.gradient(ensemble) == found.gradient).all()
    assert (total.first_variation(ensemble) == found.variation).all()
    assert mf.gradient_error(total, ensemble) < 1e-8
    np.testing.assert_allclose(found.variation, naive.mass_slopes(total, ensemble), rtol=1e-8)


def test_axioms(problem):
    risk, ensemble = problem
    ridge, path = mf.L2(), mf.TV()
    same(risk + ridge, ridge + risk, ensemble)
    same((risk + ridge) + path, risk + (ridge + path), ensemble)
    same(2 * (risk + ridge), 2 * risk + 2 * ridge, ensemble)
    same(2 * (3 * risk), 6 * risk, ensemble)
    same(risk * 2, 2 * risk, ensemble)
    same(np.float64(2) * risk, risk * np.int64(2), ensemble)
    same(-risk, -1 * risk, ensemble)
    same(risk - risk, 0 * ridge, ensemble)
    same(risk + 0 * path, risk, ensemble)


def test_terms_are_flat():
    a, b = mf.L2(), mf.L1()
    total = 2 * (a + 3 * b) - b
    assert total.terms() == [(2.0, a), (6.0, b), (-1.0, b)]
    assert a.terms() == [(1.0, a)]
    assert repr(total) == "2·L2 + 6·L1 + -1·L1"


def test_terms_of_one_name_share_a_part(problem):
    _, ensemble = problem
    found = (mf.L2() + 2 * mf.L2()).evaluate(ensemble)
    assert list(found.parts) == ["l2"]
    assert found.parts["l2"] == pytest.approx(found.value)


def test_an_empty_sum_is_zero(problem):
    risk, ensemble = problem
    zero = mf.Sum([])
    assert zero.value(ensemble) == 0.0
    assert not zero.gradient(ensemble).any()
    same(risk + zero, risk, ensemble)


@pytest.mark.parametrize("factor", [float("nan"), float("inf")])
def test_factors_are_finite(factor):
    with pytest.raises(InvalidInput, match="factor = "):
        factor * mf.L2()


@pytest.mark.parametrize("other", ["2", None, [1.0]])
def test_only_numbers_and_functionals(other):
    with pytest.raises(TypeError):
        mf.L2() + other
    with pytest.raises(TypeError):
        mf.L2() * other
