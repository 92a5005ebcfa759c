"""Every line of docs/conventions.md, by its number."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import numpy as np
import pytest

import meanfield as mf
from meanfield import random
from meanfield.functionals import losses
from meanfield.kernels.pairwise import pairwise
from tests.conftest import size

N, D, SAMPLES = 7, 3, 11


@pytest.fixture
def network():
    return mf.TwoLayer("relu", dim=D, bias=True)


@pytest.fixture
def problem(network):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(SAMPLES, D)), rng.normal(size=SAMPLES)
    neurons = network.ensemble(
        w=rng.normal(size=(N, D)), a=rng.normal(size=N), b=rng.normal(size=N)
    )
    return x, y, neurons


def phi(x, position):
    """a s(<w, x> + b) of every neuron: (samples, N)."""
    a, w, b = position[:, 0], position[:, 1 : 1 + D], position[:, -1]
    return a * np.maximum(x @ w.T + b, 0.0)


def phi_gradient(x, position):
    """Gradient of phi in theta: (samples, N, p)."""
    a, w, b = position[:, 0], position[:, 1 : 1 + D], position[:, -1]
    z = x @ w.T + b
    on = (z > 0).astype(float)
    return np.concatenate(
        [np.maximum(z, 0)[..., None], (a * on)[..., None] * x[:, None, :], (a * on)[..., None]], 2
    )


def euler(functional, ensemble, step):
    """One Euler step of the Wasserstein flow."""
    flow = mf.Wasserstein(functional)
    return mf.simulate(flow, ensemble, scheme=mf.Euler(step), until=step).final.position


def test_page_and_tests_agree():
    page = (Path(__file__).parents[1] / "docs" / "conventions.md").read_text(encoding="utf-8")
    numbered = {f"test_{number.lower()}_" for number in re.findall(r"^\| ([CP]\d+) \|", page, re.M)}
    here = Path(__file__).read_text(encoding="utf-8")
    tested = {f"test_{n}_" for n in re.findall(r"^def test_([cp]\d+)_", here, re.M)}
    assert numbered == tested


def test_c1_network(network, problem):
    x, _, neurons = problem
    assert neurons.mass == pytest.approx(1 / N)
    assert network(neurons, x) == pytest.approx(phi(x, neurons.position).mean(axis=1), abs=1e-14)


def test_c2_risk(network, problem):
    x, y, neurons = problem
    f = phi(x, neurons.position).mean(axis=1)
    assert mf.Risk(network, mf.FiniteData(x, y)).value(neurons) == pytest.approx(
        0.5 * np.mean((f - y) ** 2)
    )
    sign = np.sign(y)
    assert mf.Risk(network, mf.FiniteData(x, sign), "logistic").value(neurons) == pytest.approx(
        np.mean(np.log(1 + np.exp(-sign * f)))
    )
    f3, label = np.random.default_rng(1).normal(size=(SAMPLES, 3)), np.arange(SAMPLES) % 3
    softmax = losses["softmax"]()
    cost, _ = softmax.evaluate(f3, softmax.targets(mf.FiniteData(x, label), 3))
    expected = np.log(np.exp(f3).sum(axis=1)) - f3[np.arange(SAMPLES), label]
    assert cost == pytest.approx(expected)


def test_c3_first_variation(network, problem):
    x, y, neurons = problem
    features = phi(x, neurons.position)
    v = -(y[:, None] * features).mean(axis=0)
    u = features.T @ features / SAMPLES
    risk = mf.Risk(network, mf.FiniteData(x, y))
    assert risk.first_variation(neurons) == pytest.approx(v + u @ neurons.mass)
    value = 0.5 * np.mean(y**2) + neurons.mass @ v + 0.5 * neurons.mass @ u @ neurons.mass
    assert risk.value(neurons) == pytest.approx(value)
    heavier = mf.Ensemble(neurons.position, neurons.mass + 1e-6 * np.eye(N)[2], neurons.layout)
    slope = (risk.value(heavier) - risk.value(neurons)) / 1e-6
    assert slope == pytest.approx(risk.first_variation(neurons)[2], rel=1e-4)


def test_c4_gradient(network, problem):
    x, y, neurons = problem
    risk = mf.Risk(network, mf.FiniteData(x, y))
    residual = phi(x, neurons.position).mean(axis=1) - y
    euclidean = np.einsum("s,snp->np", residual / SAMPLES, phi_gradient(x, neurons.position)) / N
    assert risk.gradient(neurons) == pytest.approx(N * euclidean)


def test_c5_step(network, problem):
    x, y, neurons = problem
    risk = mf.Risk(network, mf.FiniteData(x, y))
    moved = euler(risk, neurons, 0.3)
    assert moved == pytest.approx(neurons.position - 0.3 * risk.gradient(neurons))
    run = mf.simulate(mf.Wasserstein(risk), neurons, scheme=mf.Euler(0.3), until=0.9)
    assert run.final.time == pytest.approx(0.9)
    assert run.final.step == 3


def test_c6_entropy_and_noise():
    start = mf.Ensemble(np.zeros((50, 4)))
    flow = mf.Langevin(mf.L2() + 0.7 * mf.Entropy())
    assert flow.temperature == 0.7
    moved = mf.simulate(flow, start, scheme=mf.EulerMaruyama(0.01), until=0.01, seed=3).final
    noise = random.normal(3, random.Stream.LANGEVIN, 0, (50, 4))
    assert moved.position == pytest.approx(np.sqrt(2 * 0.7 * 0.01) * noise)
    # Ent = + integral of rho log rho: -log(width) for a uniform law, here on [0, 4].
    even = mf.Ensemble(np.random.default_rng(0).uniform(0, 4, size=(4000, 1)))
    assert mf.Entropy().value(even) == pytest.approx(-np.log(4), abs=0.1)


def test_c7_gibbs_measure():
    count = size(20_000, 2_000)
    flow = mf.Langevin(2.0 * mf.L2() + 0.5 * mf.Entropy())
    start = mf.Ensemble(np.zeros((count, 1)))
    end = mf.simulate(flow, start, scheme=mf.EulerMaruyama(0.01), until=4.0, seed=1).final
    variance = 0.5 / 2.0 / (1 - 2.0 * 0.01 / 2)  # tau/lambda, and the bias of the Euler step
    error = variance * np.sqrt(2 / count)
    assert abs(end.position.var() - variance) < 4 * error
    assert abs(end.position.var() - 2 * variance) > 20 * error


def test_c8_regularisers(problem):
    _, _, neurons = problem
    theta = neurons.position
    strength = np.abs(theta[:, 0]) * np.linalg.norm(theta[:, 1:], axis=1)
    assert mf.L2().value(neurons) == pytest.approx(0.5 * np.mean((theta**2).sum(axis=1)))
    assert mf.TV().value(neurons) == pytest.approx(np.mean(strength))
    assert mf.L1().value(neurons) == pytest.approx(np.mean(np.abs(theta[:, 0])))
    assert (3 * mf.L2()).value(neurons) == pytest.approx(3 * mf.L2().value(neurons))


def _square(x, y):
    return (x[0] - y[0]) ** 2


def _square_gradient(x, y, out):
    out[0] = 2 * (x[0] - y[0])


def test_c9_interaction():
    points = np.array([0.0, 1.0, 3.0])
    pair = mf.Interaction(_square, _square_gradient)
    measure = mf.Ensemble(points[:, None])
    squares = (points[:, None] - points) ** 2
    assert pair.value(measure) == pytest.approx(0.5 * squares.mean())
    assert pair.first_variation(measure) == pytest.approx(squares.mean(axis=1))
    # The diagonal counts: with W = 1 the value is one half, whatever N is.
    one = mf.Interaction(lambda x, y: 1.0, lambda x, y, out: None)
    assert one.value(measure) == pytest.approx(0.5)


def test_c10_mobility():
    layout = mf.Layout({"a": (), "w": (2,)})
    start = mf.Ensemble(np.ones((5, 3)), layout=layout)
    flow = mf.Langevin(mf.L2() + 0.5 * mf.Entropy(), mobility={"w": 4.0})
    moved = mf.simulate(flow, start, scheme=mf.EulerMaruyama(0.1), until=0.1, seed=2).final
    noise = random.normal(2, random.Stream.LANGEVIN, 0, (5, 3))
    speed = np.array([1.0, 4.0, 4.0])
    assert moved.position == pytest.approx(1 - 0.1 * speed + np.sqrt(2 * 0.5 * speed * 0.1) * noise)


def test_c11_classes():
    x = np.zeros((3, 1))
    two = mf.FiniteData(x, [0, 1, 1], classes=["ill", "well"])
    three = mf.FiniteData(x, [0, 1, 2], classes=["a", "b", "c"])
    assert (two.outputs, three.outputs) == (1, 3)
    assert losses["logistic"]().targets(two, 1).ravel().tolist() == [-1, 1, 1]
    assert losses["softmax"]().targets(three, 3).tolist() == np.eye(3).tolist()


@pytest.mark.parametrize(("output", "weight"), [("mean", 0.5), ("sum", 1.0)])
def test_c12_teacher(output, weight):
    tables = {
        "network": {"activation": "relu"},
        "data": {
            "kind": "gaussian",
            "dim": 2,
            "target": {
                "kind": "teacher",
                "w": [[1.0, 0.0], [0.0, 1.0]],
                "a": [1.0, -3.0],
                "output": output,
            },
        },
        "ensemble": {"count": 4},
        "scheme": {"step": 0.1},
        "run": {"until": 0.1},
    }
    flow = mf.Experiment(tables).problem(seed=0).flow
    (_, risk), *_ = flow.energy.terms()
    x = np.array([[2.0, 5.0], [-1.0, 1.0]])
    expected = weight * (np.maximum(x[:, 0], 0) - 3 * np.maximum(x[:, 1], 0))
    assert risk.data.target(x, np.zeros(2)).ravel() == pytest.approx(expected)


def test_c13_dissipation(network, problem):
    x, y, neurons = problem
    risk = mf.Risk(network, mf.FiniteData(x, y))
    flow = mf.Wasserstein(risk, mobility={"w": 2.0})
    speed = np.array([1.0] + [2.0] * D + [1.0])
    rate = neurons.mass @ (risk.gradient(neurons) ** 2 @ speed)
    assert flow.dissipation(neurons, risk.evaluate(neurons)) == pytest.approx(rate)
    small = 1e-6
    run = mf.simulate(flow, neurons, scheme=mf.Euler(small), until=small)
    fall = (risk.value(neurons) - risk.value(run.final)) / small
    assert fall == pytest.approx(rate, rel=1e-4)


@pytest.mark.parametrize("temperature", [0.0, 1e-3])
@pytest.mark.parametrize("samples", [0, 50])
def test_c14_precision(samples, temperature):
    network = mf.TwoLayer("relu", 2)
    teacher = mf.Teacher(network, mf.NormalInit(3).draw(network.layout, seed=5))
    law = mf.Gaussian(2).labelled_by(teacher)
    energy = mf.Risk(network, law.sample(samples, seed=0) if samples else law) + 1e-3 * mf.L2()
    flow = mf.Langevin(energy + temperature * mf.Entropy())
    double, single = (
        mf.simulate(
            flow,
            mf.NormalInit(size(500, 8), dtype=dtype),
            scheme=mf.EulerMaruyama(0.1),
            until=size(10.0, 1.0),
            seed=1,
            observe=[mf.Energy(), mf.Moments()],
        )
        for dtype in ("float64", "float32")
    )
    assert (double.final.position.dtype, single.final.position.dtype) == ("float64", "float32")
    assert single.final.mass.dtype == single["energy"].dtype == single["mean"].dtype == "float64"
    moved = single.final.position - double.final.position
    assert 0 < np.sqrt(np.mean(moved**2)) < 1e-6
    energies, risks = double["energy"].values, double["risk"].values
    assert 0 < abs(single["energy"].values - energies).max() < 1e-6 * energies[0]
    assert np.all(abs(single["risk"].values - risks) < 1e-4 * risks)
    assert risks[-1] < size(0.01, 1.0) * risks[0]


def test_c15_built_in_interactions():
    far = np.array([[0.0, 0.0], [0.0, 3.0]])

    def between(interaction):
        """W and the force of the first particle on the second."""
        value, gradient = pairwise(interaction, far[1:], [1.0], far[:1])
        return float(value[0]), -float(gradient[0, 1])

    soft = 1e-9
    assert between(mf.Coulomb(4, soft)) == pytest.approx((3**-2, 2 * 3**-3))
    assert between(mf.Coulomb(3, soft)) == pytest.approx((1 / 3, 1 / 9))
    assert between(mf.Coulomb(2, soft)) == pytest.approx((-np.log(3), 1 / 3))
    assert between(mf.Coulomb(1)) == pytest.approx((-3, 1))
    assert between(mf.Logarithm(soft)) == pytest.approx((-0.5 * np.log(9), 1 / 3))
    assert between(mf.Riesz(1, soft)) == pytest.approx(between(mf.Coulomb(3, soft)))
    for kink in (mf.Coulomb(1), mf.Morse(), mf.Powers(2, 1)):
        assert not pairwise(kink, np.zeros((2, 2)), [1.0, 1.0])[1].any()


def test_c16_velocities():
    gamma, tau, m, count = 0.7, 0.4, 3.0, size(40_000, 300)
    flow = mf.Kinetic(mf.L2() + tau * mf.Entropy(), {"x": m}, friction=gamma)
    start = mf.Ensemble(np.zeros((count, 1)))
    (amplitude,) = flow.noise(start.layout)
    assert amplitude == pytest.approx(np.sqrt(2 * gamma * tau * m))
    end = mf.simulate(flow, start, scheme=mf.BAOAB(0.05), until=12.0, observe=()).final
    tolerance = 5 * np.sqrt(2 / count)
    assert end.position.var() == pytest.approx(tau, rel=tolerance)
    assert end.velocity.var() == pytest.approx(tau * m, rel=tolerance)
    assert flow.kinetic_energy(end) == pytest.approx(0.5 * np.mean(end.velocity**2) / m)
    here = flow.driving.evaluate(end)
    assert flow.dissipation(end, here) == pytest.approx(gamma * np.mean(end.velocity**2) / m)


def test_c17_masses(network, problem):
    x, y, neurons = problem
    alpha, beta, h = 0.6, 1.7, 1e-6
    risk = mf.Risk(network, mf.FiniteData(x, y))
    flow = mf.WassersteinFisherRao(risk, alpha=alpha, beta=beta)
    here = risk.evaluate(neurons)
    there = mf.simulate(flow, neurons, scheme=mf.Heun(h), until=h).final
    away = here.variation - neurons.mass @ here.variation
    growth = np.log(there.mass / neurons.mass) / h
    assert growth == pytest.approx(-beta * away, rel=1e-4, abs=1e-6)
    moved = (there.position - neurons.position) / h
    assert moved == pytest.approx(-alpha * here.gradient, rel=1e-4, abs=1e-6)
    fall = alpha * neurons.mass @ (here.gradient**2).sum(axis=1) + beta * neurons.mass @ away**2
    assert (here.value - risk.value(there)) / h == pytest.approx(fall, rel=1e-4)
    assert flow.dissipation(neurons, here) == pytest.approx(fall)
    warm = risk + 0.3 * mf.Entropy()
    still = mf.FisherRao(warm, beta=beta)
    found = still.driving.first_variation(neurons)
    assert found == pytest.approx(here.variation + 0.3 * (np.log(neurons.mass * N) + 1))
    jumping = mf.BirthDeath(warm, alpha=alpha, beta=beta, bandwidth=0.5)
    assert jumping.noise(neurons.layout) == pytest.approx(np.sqrt(2 * alpha * 0.3))
    theta = neurons.position
    far = ((theta[:, None] - theta) ** 2).sum(axis=2)
    smooth = np.exp(-0.5 * far / 0.25) @ neurons.mass / (2 * np.pi * 0.25) ** (D / 2 + 1)
    pressure = here.variation + 0.3 * np.log(smooth)
    rate = jumping.reaction(neurons, here)
    assert rate == pytest.approx(-beta * (pressure - neurons.mass @ pressure))


def test_p1_mei_montanari_nguyen(network, problem):
    x, y, neurons = problem
    theta, s, lam = neurons.position, 0.05, 0.3
    f = phi(x, theta).mean(axis=1)
    risk = mf.Risk(network, mf.FiniteData(x, y))
    assert np.mean((y - f) ** 2) == pytest.approx(2 * risk.value(neurons))
    pull = np.einsum("s,snp->np", (y - f) / SAMPLES, phi_gradient(x, theta))
    theirs = (1 - 2 * lam * s) * theta + 2 * s * pull
    assert euler(risk + lam * mf.L2(), neurons, 2 * s) == pytest.approx(theirs)


def test_p2_chizat_bach(network, problem):
    x, y, neurons = problem
    theta, step, lam = neurons.position, 0.05, 0.3

    def objective(flat):
        position = flat.reshape(theta.shape)
        f = phi(x, position).mean(axis=1)
        ridge = 0.5 * (position**2).sum(axis=1).mean()
        return 0.5 * np.mean((f - y) ** 2) + lam * ridge

    flat, h = theta.ravel(), 1e-6
    slope = [
        (objective(flat + h * e) - objective(flat - h * e)) / (2 * h) for e in np.eye(flat.size)
    ]
    theirs = theta - step * N * np.reshape(slope, theta.shape)
    ours = euler(mf.Risk(network, mf.FiniteData(x, y)) + lam * mf.L2(), neurons, step)
    assert ours == pytest.approx(theirs, abs=1e-8)


def test_p3_rotskoff_vanden_eijnden(network, problem):
    x, y, neurons = problem
    theta, step = neurons.position, 0.05
    gradients = phi_gradient(x, theta)
    target = np.einsum("s,snp->np", y / SAMPLES, gradients)
    repulsion = np.einsum("sj,snp->np", phi(x, theta) / SAMPLES, gradients) / N
    ours = euler(mf.Risk(network, mf.FiniteData(x, y)), neurons, step)
    assert ours == pytest.approx(theta + step * (target - repulsion))


def test_p4_sirignano_spiliopoulos(network, problem):
    x, y, neurons = problem
    theta, alpha = neurons.position, 0.4
    f = phi(x[:1], theta).mean(axis=1)
    update = np.einsum("s,snp->np", y[:1] - f, phi_gradient(x[:1], theta))
    theirs = theta + alpha / N * update
    one_sample = mf.Risk(network, mf.FiniteData(x[:1], y[:1]))
    assert euler(one_sample, neurons, alpha / N) == pytest.approx(theirs)


def test_p5_nitanda_wu_suzuki(network, problem):
    x, y, neurons = problem
    theta, eta, ridge, lam = neurons.position, 0.05, 0.3, 0.01
    f = phi(x, theta).mean(axis=1)
    drift = np.einsum("s,snp->np", (f - y) / SAMPLES, phi_gradient(x, theta)) + 2 * ridge * theta
    noise = random.normal(5, random.Stream.LANGEVIN, 0, theta.shape)
    theirs = theta - eta * drift + np.sqrt(2 * lam * eta) * noise
    energy = mf.Risk(network, mf.FiniteData(x, y)) + 2 * ridge * mf.L2() + lam * mf.Entropy()
    run = mf.simulate(mf.Langevin(energy), neurons, scheme=mf.EulerMaruyama(eta), until=eta, seed=5)
    assert run.final.position == pytest.approx(theirs)


@pytest.mark.parametrize("loss", ["squared", "logistic"])
def test_p6_chizat_oyallon_bach(network, problem, loss):
    x, y, neurons = problem
    alpha, step = 5.0, 0.1
    data = mf.FiniteData(x, np.sign(y))
    risk = mf.Risk(network, data, loss)

    def end(energy, start, mobility):
        flow = mf.Wasserstein(energy, mobility)
        return mf.simulate(flow, start, scheme=mf.RK4(step), until=10 * step).final

    # R(α f)/α² of the neurons: α f is the output with α times the masses, and the first variation
    # of ρ -> R(α ∫φ dρ)/α² is R′/α.
    heavy = mf.Ensemble(neurons.position, alpha * neurons.mass, neurons.layout)
    theirs = end((1 / alpha) * risk, heavy, {})
    larger = np.array([alpha] + [1.0] * (D + 1))
    inner = {"w": 1 / alpha**2, "b": 1 / alpha**2}
    ours = end(risk, neurons.at(larger * neurons.position), inner)
    assert ours.position == pytest.approx(larger * theirs.position, abs=1e-12)
    assert np.abs(ours.position - larger * neurons.position).max() > 1e-2
    plain = end(risk, neurons.at(larger * neurons.position), {})
    assert plain.position != pytest.approx(larger * theirs.position, abs=1e-2)


def test_p7_chizat_bach(network, problem):
    x, y, neurons = problem
    sign = np.sign(y)
    f = phi(x, neurons.position).mean(axis=1)
    risk = mf.Risk(network, mf.FiniteData(x, sign), "exponential", log=True)
    assert risk.value(neurons) == pytest.approx(np.log(np.mean(np.exp(-sign * f))))
    found = mf.Margin()(mf.View(neurons, mf.Wasserstein(risk), neurons))
    margin = (sign * f).min()
    assert found["margin"] == pytest.approx(margin)
    share = np.sqrt(np.abs(neurons.a) / np.linalg.norm(neurons.position[:, 1:], axis=1))
    balanced = neurons.position * np.column_stack([1 / share] + [share] * (D + 1))
    assert phi(x, balanced).mean(axis=1) == pytest.approx(f)
    variation = 0.5 * np.mean((balanced**2).sum(axis=1))
    assert found["f1_margin"] == pytest.approx(margin / variation)
    features = np.maximum(x @ neurons.w.T + neurons.b, 0) / np.sqrt(N)
    # More samples than features: the least norm that fits is theirs, the weights' own.
    assert np.linalg.matrix_rank(features) == N
    assert found["f2_margin"] == pytest.approx(margin / np.sqrt(np.mean(neurons.a**2)))


def test_conventions_are_in_every_file():
    run = mf.simulate(
        mf.Wasserstein(mf.L2()), mf.Ensemble(np.ones((1, 1))), scheme=mf.Euler(0.1), until=0.1
    )
    assert "rho log rho" in run.provenance["conventions"]
    assert tomllib.loads(run.experiment) == {}
