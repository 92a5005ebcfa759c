"""What a gradient flow owes to its energy, and what it may not move."""

import numpy as np
import pytest
from scipy.integrate import romb

from meanfield.data import FiniteData, Gaussian, Teacher
from meanfield.ensemble import Ensemble, Layout
from meanfield.errors import InvalidInput, Unsupported
from meanfield.flows import Flow, Langevin, Wasserstein, flows
from meanfield.functionals import L2, Entropy, Risk
from meanfield.initial import NormalInit
from meanfield.networks import TwoLayer
from meanfield.observables import Balance, Dissipation, Energy
from meanfield.schemes import RK4, Euler, EulerMaruyama, Heun, schemes
from meanfield.simulation import simulate
from tests.conftest import size
from tests.orders import fitted_order, step_counts

EVERY_STEP = {"steps": 1}


def _tanh_risk(outer="trained"):
    rng = np.random.default_rng(5)
    data = FiniteData(rng.standard_normal((7, 2)), rng.standard_normal(7))
    return Risk(TwoLayer("tanh", 2, bias=True, outer=outer), data)


def _relu_risk():
    network = TwoLayer("relu", 3)
    teacher = network.ensemble(w=np.eye(3), a=[1.0, -1.0, 0.5], mass=np.ones(3))
    return Risk(network, Gaussian(3).labelled_by(Teacher(network, teacher)))


def _relu_start():
    rng = np.random.default_rng(1)
    network = TwoLayer("relu", 3)
    return network.ensemble(rng.standard_normal((5, 3)), a=rng.standard_normal(5))


@pytest.mark.parametrize(
    ("scheme", "coarsest", "outer"),
    [(Euler, 128, "trained"), (Heun, 32, "bounded"), (RK4, 64, "trained")],
)
def test_energy_lost_is_the_dissipation_integrated(scheme, coarsest, outer):
    flow = Wasserstein(_tanh_risk(outer) + 0.2 * L2(), mobility={"w": 0.5})
    start = NormalInit(6, scale={"a": 2.0}).draw(_tanh_risk().network.layout, 0)
    start.mass[:] = np.arange(1, 7) / 21
    runs = {}

    def run(count):
        if count not in runs:
            runs[count] = simulate(
                *(flow, start),
                scheme=scheme(1.0 / count),
                until=1.0,
                observe=[Energy(), Dissipation()],
                observe_when=EVERY_STEP,
                frames={"evenly": 2},
            )
        return runs[count]

    def error(count):
        energy, dissipation = run(count)["energy"].values, run(count)["dissipation"].values
        return abs(energy[0] - energy[-1] - romb(dissipation, 1.0 / count))

    counts = [coarsest, 2 * coarsest, 4 * coarsest]
    assert abs(fitted_order(error, counts) - scheme.order) < 0.1
    lost = -np.diff(run(counts[-1])["energy"].values)
    assert np.all(lost > 0)
    # A gradient off by a factor, or one that counted masses twice, would miss by as much.
    assert error(counts[-1]) < 0.01 * lost.sum()


@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_every_step_descends(activation):
    risk = _relu_risk() if activation == "relu" else _tanh_risk()
    start = NormalInit(size(20, 4)).draw(risk.network.layout, 3)
    run = simulate(
        Wasserstein(risk + 0.01 * L2()),
        start,
        scheme=Euler(0.05),
        until=size(10.0, 1.0),
        observe_when=EVERY_STEP,
    )
    assert np.all(np.diff(run["energy"].values) < 0)


@pytest.mark.parametrize("scheme", [Euler, RK4, EulerMaruyama])
@pytest.mark.parametrize("block", ["a", "w", "b"])
def test_mobility_zero_freezes_a_block(block, scheme):
    risk = _tanh_risk()
    temperature = 0.1 * (scheme is EulerMaruyama)
    flow = Langevin(risk + 0.1 * L2() + temperature * Entropy(), mobility={block: 0.0})
    start = NormalInit(5).draw(risk.network.layout, 0)
    end = simulate(flow, start, scheme=scheme(0.1), until=1.0).final
    for name in risk.network.layout.blocks:
        if name == block:
            assert np.array_equal(end[name], start[name])
        else:
            assert np.all(end[name] != start[name])


@pytest.mark.parametrize("scheme", [Euler, RK4, EulerMaruyama])
def test_fixed_outer_weights_do_not_move(scheme):
    risk = _tanh_risk(outer="fixed")
    temperature = 0.1 * (scheme is EulerMaruyama)
    flow = Langevin(risk + 0.1 * L2() + temperature * Entropy())
    start = NormalInit(5).draw(risk.network.layout, 0)
    end = simulate(flow, start, scheme=scheme(0.1), until=1.0).final
    assert np.array_equal(end.a, start.a)
    assert np.all(end.w != start.w)
    assert np.all(end.b != start.b)
    # Not even when asked to.
    pushed = Langevin(risk + temperature * Entropy(), mobility={"a": 5.0})
    end = simulate(pushed, start, scheme=scheme(0.1), until=1.0).final
    assert np.array_equal(end.a, start.a)


def test_mobility_is_a_speed():
    risk, start = _tanh_risk(), NormalInit(5).draw(_tanh_risk().network.layout, 0)
    twice = dict.fromkeys(risk.network.layout.blocks, 2.0)
    fast = simulate(Wasserstein(risk, twice), start, scheme=RK4(0.05), until=1.0).final
    slow = simulate(Wasserstein(risk), start, scheme=RK4(0.1), until=2.0).final
    np.testing.assert_allclose(fast.position, slow.position, rtol=1e-13, atol=1e-14)


def test_mobility_leaves_the_gibbs_law_alone():
    """dx = -M k x dt + √(2 τ M) dW has the stationary variance τ/k of its step, for every M."""
    count, k, tau, h = size(8_000, 300), 1.3, 0.4, 0.1
    flow = Langevin(k * L2() + tau * Entropy(), mobility={"fast": 4.0, "slow": 0.25})
    layout = Layout({"fast": (), "slow": ()})
    start = Ensemble(np.zeros((count, 2)), layout=layout)
    end = simulate(flow, start, scheme=EulerMaruyama(h), until=20.0).final
    error = np.sqrt(2 / count)
    for name, speed in flow.mobility.items():
        exact = tau / k / (1 - h * speed * k / 2)
        assert abs(end[name].var() / exact - 1) < 4 * error
        for wrong in (2.0, 0.5, np.sqrt(2), speed, 1 / speed):
            assert abs(end[name].var() / exact - wrong) > size(20, 3) * error


@pytest.mark.parametrize(("scheme", "order"), [(Euler, 1), (Heun, 3), (RK4, 4)])
def test_relu_neurons_conserve_their_balance(scheme, order):
    """The drift of a quadratic invariant C has the order of the scheme, or better.

    A step of Heun's method moves it by h²/4 <k₂ - k₁, C (k₂ - k₁)> = O(h⁴): order 3.
    """
    flow, start = Wasserstein(_relu_risk()), _relu_start()

    def drift(count):
        run = simulate(
            *(flow, start),
            scheme=scheme(2.0 / count),
            until=2.0,
            observe=[Balance()],
            frames={"evenly": 2},
        )
        return float(run["balance_drift"][-1])

    counts = [count // size(1, 4) for count in step_counts(scheme.order, levels=size(4, 3))]
    assert abs(fitted_order(drift, counts) - order) < size(0.1, 0.3)


@pytest.mark.parametrize("scheme", [Euler, Heun, RK4])
def test_ridge_lets_the_balance_of_relu_neurons_decay(scheme):
    ridge, start, until = 0.15, _relu_start(), 2.0
    flow = Wasserstein(_relu_risk() + ridge * L2())

    def balance(ensemble):
        return ensemble.a**2 - (ensemble.w**2).sum(axis=1)

    expected = balance(start) * np.exp(-2 * ridge * until)

    def error(count):
        run = simulate(flow, start, scheme=scheme(until / count), until=until, observe=())
        return np.abs(balance(run.final) - expected).max()

    counts = [count // size(1, 4) for count in step_counts(scheme.order, levels=size(4, 3))]
    assert abs(fitted_order(error, counts) - scheme.order) < size(0.1, 0.3)
    assert error(counts[-1]) < 0.02 * np.abs(balance(start) - expected).max()


def test_the_temperature_is_the_weight_of_the_entropy():
    flow = Langevin(_tanh_risk() + 0.2 * Entropy() + 0.1 * (L2() + 0.5 * Entropy()))
    assert flow.temperature == pytest.approx(0.25, rel=1e-15)
    layout = _tanh_risk().network.layout
    np.testing.assert_allclose(flow.noise(layout), np.sqrt(2 * 0.25), rtol=1e-15)
    assert Langevin(_tanh_risk()).noise(layout) is None
    start = NormalInit(5).draw(layout, 0)
    driving = flow.driving.evaluate(start)
    assert set(driving.parts) == {"risk", "l2"}


def test_langevin_without_temperature_is_the_wasserstein_flow():
    risk, start = _tanh_risk(), NormalInit(5).draw(_tanh_risk().network.layout, 0)
    ends = [
        simulate(flow(risk), start, scheme=scheme(0.1), until=1.0).final.position
        for flow, scheme in ((Langevin, EulerMaruyama), (Langevin, Euler), (Wasserstein, Euler))
    ]
    assert np.array_equal(ends[0], ends[1])
    assert np.array_equal(ends[1], ends[2])


def test_what_a_flow_refuses():
    risk = _tanh_risk()
    with pytest.raises(Unsupported, match=r"no noise for the temperature 0.1: use the flow"):
        Wasserstein(risk + 0.1 * Entropy())
    with pytest.raises(InvalidInput, match=r"^temperature = -0.1: expected a finite number ≥ 0$"):
        Langevin(risk - 0.1 * Entropy())
    with pytest.raises(InvalidInput, match=r"^mobility.a = -1.0: expected a finite number ≥ 0$"):
        Wasserstein(risk, mobility={"a": -1.0})
    with pytest.raises(InvalidInput, match=r"^mobility.v = 2.0: expected a block of a, w, b$"):
        Wasserstein(risk, mobility={"v": 2.0}).speeds(risk.network.layout)


def test_flows_and_schemes_have_names():
    assert issubclass(flows["wasserstein"], Flow)
    assert {"wasserstein", "langevin"} <= set(flows)
    assert {"euler", "heun", "rk4", "euler-maruyama"} <= set(schemes)
