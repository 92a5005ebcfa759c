"""The logarithm of the risk: its derivatives, far out too, and what falls along its flow."""

import mpmath
import numpy as np
import pytest

import meanfield as mf
from meanfield.errors import Unsupported
from meanfield.functionals import losses
from tests.conftest import size
from tests.functionals import naive
from tests.functionals.test_empirical_risk import SIGNED, problem
from tests.orders import fitted_order

LOGGED = ["exponential", "logistic"]


@pytest.mark.parametrize("options", SIGNED)
@pytest.mark.parametrize("loss", LOGGED)
def test_value_gradient_and_variation(loss, options, rng):
    network, data, ensemble, wanted = problem("tanh", loss, options, rng)
    plain = naive.risk(network, data.x, wanted, data.weights, loss)

    def function(position, mass):
        return np.log(plain(position, mass))

    gradient, variation = naive.complex_slopes(function, ensemble.position, ensemble.mass)
    if network.outer == "fixed":
        gradient[:, :1] = 0.0
    found = mf.Risk(network, data, loss, log=True).evaluate(ensemble)
    value = function(ensemble.position, ensemble.mass)
    naive.assert_agrees(found, value, gradient, variation, 1e-13)
    assert found.parts == {"log_risk": found.value}


@pytest.mark.parametrize("margin", [-900.0, -30.0, -1e-3, 0.0, 0.5, 30.0, 39.9, 40.1, 300.0, 900.0])
@pytest.mark.parametrize("loss", LOGGED)
def test_logarithms_of_costs_far_out(loss, margin):
    with mpmath.workdps(900):
        m = mpmath.mpf(margin)
        cost = mpmath.exp(-m) if loss == "exponential" else mpmath.log1p(mpmath.exp(-m))
        slope = -cost if loss == "exponential" else -1 / (1 + mpmath.exp(m))
        exact = float(mpmath.log(cost)), float(slope / cost)
    for y in (1.0, -1.0):
        found, derivative = losses[loss]().logarithm(np.array([[y * margin]]), np.array([[y]]))
        assert found[0] == pytest.approx(exact[0], rel=1e-14, abs=1e-15)
        assert derivative[0, 0] == pytest.approx(y * exact[1], rel=1e-14)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("loss", LOGGED)
def test_margins_of_thousands_neither_vanish_nor_overflow(loss, dtype):
    """Two samples with margins 1000 + log 3 apart by that logarithm: shares 3/4 and 1/4."""
    network = mf.TwoLayer("linear", 2, outer="fixed")
    far = 1000.0 + np.log(3.0)
    data = mf.FiniteData([[1000.0, 0.0], [0.0, -far]], [1.0, -1.0])
    ensemble = network.ensemble(np.ones((3, 2), dtype))
    found = mf.Risk(network, data, loss, log=True).evaluate(ensemble)
    accuracy = 1e-13 if dtype == "float64" else 1e-4
    value = -1000.0 + np.log((1.0 + 1.0 / 3.0) / 2.0)
    assert found.value == pytest.approx(value, rel=accuracy)
    pull = np.array([-0.75 * 1000.0, -0.25 * far])
    np.testing.assert_allclose(found.gradient[:, 1:], np.tile(pull, (3, 1)), rtol=accuracy)
    assert mf.Risk(network, data, loss).value(ensemble) == 0.0


def test_dissipation_is_the_rate_at_which_the_logarithm_falls(rng):
    network, data, ensemble, _ = problem("tanh", "exponential", {"bias": True}, rng)
    flow = mf.Wasserstein(mf.Risk(network, data, "exponential", log=True), mobility={"w": 0.5})
    rate = flow.dissipation(ensemble, flow.driving.evaluate(ensemble))

    def error(count):
        step = 0.1 / count
        end = mf.simulate(flow, ensemble, scheme=mf.RK4(step), until=step, observe=()).final
        return abs((flow.energy.value(ensemble) - flow.energy.value(end)) / step - rate)

    assert fitted_order(error, [5, 10, 20]) == pytest.approx(1.0, abs=0.1)


def test_paths_are_those_of_the_risk_in_another_time(rng):
    """dt of the risk is dt/R of its logarithm: along both, log R falls through the same states."""
    network, data, ensemble, _ = problem("tanh", "exponential", {}, rng)
    plain = mf.Risk(network, data, "exponential")
    step, until = size((0.005, 1.0), (0.02, 0.2))
    run = mf.simulate(
        mf.Wasserstein(mf.Risk(network, data, "exponential", log=True)),
        ensemble,
        scheme=mf.RK4(step),
        until=until,
        observe_when=mf.every(steps=1),
    )
    risks = np.exp(run["log_risk"].values)
    # Simpson's rule for the time of the plain flow.
    weights = np.ones(len(risks))
    weights[1:-1:2], weights[2:-1:2] = 4.0, 2.0
    time = step / 3.0 * (weights @ (1.0 / risks))
    there = mf.simulate(mf.Wasserstein(plain), ensemble, scheme=mf.RK4(time / 200), until=time)
    np.testing.assert_allclose(there.final.position, run.final.position, atol=1e-8)
    assert np.abs(run.final.position - ensemble.position).max() > 1e-2


def test_what_has_no_logarithm_is_refused(rng):
    network = mf.TwoLayer("relu", 2)
    law = mf.Gaussian(2).labelled_by(mf.SingleIndex())
    for data in (law, law.stream(batch=3)):
        with pytest.raises(
            Unsupported, match=r"^the logarithm of the risk is for a finite data set"
        ):
            mf.Risk(network, data, log=True)
    squared = mf.Risk(network, law.sample(5), log=True)
    message = r"^the logarithm of the risk is for the losses .*, not for 'squared'$"
    with pytest.raises(Unsupported, match=message):
        squared.value(network.ensemble(np.eye(2)))
    data = mf.FiniteData(np.eye(2), [1.0, -1.0])
    risk = mf.Risk(network, data, "exponential", log=True)
    assert risk.samples is None
    with pytest.raises(Unsupported, match="single samples"):
        risk.mixed_gradient(network.ensemble(np.eye(2)), np.ones(2))


def test_held_out_costs_are_plain():
    network = mf.TwoLayer("linear", 1, outer="fixed")
    data = mf.FiniteData([[1.0], [-2.0]], [1.0, 1.0])
    risk = mf.Risk(network, data, "exponential", log=True)
    expected = 0.5 * (np.exp(-1.0) + np.exp(2.0))
    assert risk.cost_on(data, network.ensemble([[1.0]])) == pytest.approx(expected)
    assert risk.cost_on(data, network.ensemble([[1e4]])) == np.inf
