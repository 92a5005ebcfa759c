"""SGD and its diffusion: laws compared without sampling error.

The noise of a step is linear in the normal numbers, so unit numbers give its covariance; and for
one particle and signs instead of normal numbers, which have the same mean and variance, first and
second moments are finite sums.
"""

from itertools import product

import numpy as np
import pytest
from scipy.linalg import expm

import meanfield as mf
from meanfield import random
from meanfield.errors import InvalidInput, Unsupported
from meanfield.flows import SGDDiffusion
from tests.functionals import naive
from tests.orders import fitted_order


def problem(weights=None, outputs=1, **options):
    rng = np.random.default_rng(0)
    y = rng.normal(size=(5, outputs))
    data = mf.FiniteData(rng.normal(size=(5, 2)), y, weights)
    network = mf.TwoLayer("tanh", 2, outputs, bias=True, **options)
    return network, data, naive.neurons(network, 3, rng)


def stirred(flow, ensemble, kicks, monkeypatch, length=0.3):
    """What the noise of a step adds for given numbers of the samples."""

    def normal(seed, stream, step, shape, dtype=np.float64):
        assert stream is random.Stream.SAMPLING
        return np.reshape(kicks, shape)

    with monkeypatch.context() as patch:
        patch.setattr(random, "normal", normal)
        after = ensemble.copy()
        flow.stir(after, 1.0, length, seed=0, step=0)
    return (after.position - ensemble.position).ravel()


@pytest.mark.parametrize("rate", [None, 0.07])
@pytest.mark.parametrize("options", [{}, {"outer": "bounded"}, {"outer": "fixed"}, {"outputs": 2}])
def test_covariance_of_a_step_is_that_of_a_minibatch(rate, options, monkeypatch):
    """(s h/B) Σ_k w_k (g_k - ḡ)(g_k - ḡ)ᵀ with g_k of each sample alone; between particles too."""
    weights = np.array([0.1, 0.3, 0.2, 0.15, 0.25])
    network, data, ensemble = problem(weights, **options)
    batch, length, factor = 4, 0.3, 2.5
    speed = {"w": 0.5}
    flow = SGDDiffusion(
        factor * mf.Risk(network, data) + 0.1 * mf.L2(), speed, rate=rate, batch=batch
    )
    response = [stirred(flow, ensemble, unit, monkeypatch, length) for unit in np.eye(5)]
    found = np.transpose(response) @ response
    rows = [mf.Risk(network, data.take([k])).gradient(ensemble) for k in range(5)]
    single = factor * flow.speeds(network.layout) * rows
    single = single.reshape(5, -1)
    centred = single - weights @ single
    exact = (rate or length) * length / batch * (centred.T * weights) @ centred
    np.testing.assert_allclose(found, exact, rtol=0, atol=1e-14)
    assert np.abs(exact).max() > 1e-4
    # Particles are not independent: one sample moves them all.
    width = ensemble.dim
    assert np.abs(exact[:width, width : 2 * width]).max() > 1e-5


def test_mean_and_covariance_of_sgd_are_those_of_its_diffusion(monkeypatch):
    """Of one step of Euler on all batches of two, drawn with replacement."""
    network, data, ensemble = problem()
    rate = 0.2
    flow = SGDDiffusion(mf.Risk(network, data), batch=2)
    moves = []
    for rows in product(range(5), repeat=2):
        gradient = mf.Risk(network, data.take(rows)).gradient(ensemble)
        moves.append(-rate * gradient.ravel())
    response = [stirred(flow, ensemble, unit, monkeypatch, rate) for unit in np.eye(5)]
    drift = -rate * flow.driving.gradient(ensemble).ravel()
    np.testing.assert_allclose(np.mean(moves, axis=0), drift, atol=1e-15)
    covariance = np.cov(np.transpose(moves), bias=True)
    np.testing.assert_allclose(np.transpose(response) @ response, covariance, atol=1e-15)


def test_all_samples_alike_make_no_noise(rng):
    network = mf.TwoLayer("tanh", 2)
    ensemble = naive.neurons(network, 3, rng)
    alike = mf.FiniteData(np.tile([[0.3, -0.7]], (4, 1)), np.full(4, 0.5))
    flow, risk = SGDDiffusion(mf.Risk(network, alike)), mf.Risk(network, alike)
    ends = [
        mf.simulate(each, ensemble, scheme=scheme(0.1), until=1.0).final.position
        for each, scheme in ((flow, mf.EulerMaruyama), (mf.Wasserstein(risk), mf.Euler))
    ]
    np.testing.assert_allclose(ends[0], ends[1], rtol=0, atol=1e-15)


# Linear regression with one parameter: f(x) = w x, one neuron of mass 1.
LINE = mf.TwoLayer("linear", 1, outer="fixed")
SLOPES, VALUES = np.array([1.0, -0.6, 0.3]), np.array([1.6, 0.8, -2.0])
DATA = mf.FiniteData(SLOPES[:, None], VALUES)
START, UNTIL = 1.5, 1.0


def line(w):
    return LINE.ensemble([[w]])


def moments_after(step):
    """The linear map of (1, E w, E w²) over one step, from a list of equally likely results."""
    points = np.array([-1.0, 0.5, 2.0])
    after = np.array([[1.0, np.mean(end), np.mean(np.square(end))] for end in map(step, points)])
    before = np.vander(points, 3, increasing=True)
    return np.linalg.solve(before, after).T


def sgd_moments(rate):
    """Of SGD with batches of one: all of them are equally likely."""

    def step(w):
        flows = [mf.Wasserstein(mf.Risk(LINE, DATA.take([k]))) for k in range(3)]
        scheme, start = mf.Euler(rate), line(w)
        return [
            scheme.advance(flow, start, flow.driving.evaluate(start), rate, 0).ensemble.w[0, 0]
            for flow in flows
        ]

    return moments_after(step)


def diffusion_moments(rate, length, monkeypatch):
    """Of Euler-Maruyama, with signs for normal numbers: all are equally likely."""
    flow, scheme = SGDDiffusion(mf.Risk(LINE, DATA), rate=rate), mf.EulerMaruyama(length)

    def step(w):
        start, ends = line(w), []
        here = flow.driving.evaluate(start)
        for signs in product((-1.0, 1.0), repeat=3):
            with monkeypatch.context() as patch:
                patch.setattr(random, "normal", lambda *_, s=signs: np.reshape(s, (3, 1)))
                ends.append(scheme.advance(flow, start, here, length, 0).ensemble.w[0, 0])
        return ends

    return moments_after(step)


def exact_moments(rate):
    """(1, E w, E w²)' for dw = -(a w - b) dt + √(s V(w)) dW, V the variance of the gradient."""
    x, y = SLOPES, VALUES
    a, b = np.mean(x**2), np.mean(x * y)
    # V(w) = p w² - 2 q w + r.
    p = np.mean(x**4) - a**2
    q = np.mean(x**3 * y) - a * b
    r = np.mean(x**2 * y**2) - b**2
    generator = np.array(
        [[0, 0, 0], [b, -a, 0], [rate * r, 2 * b - 2 * rate * q, rate * p - 2 * a]]
    )
    return expm(UNTIL * generator)


def mean_and_variance(transition):
    _, mean, second = transition @ [1.0, START, START**2]
    return np.array([mean, second - mean**2])


def test_the_scheme_has_weak_order_one(monkeypatch):
    rate = 0.4
    exact = mean_and_variance(exact_moments(rate))

    def error(count):
        one = diffusion_moments(rate, UNTIL / count, monkeypatch)
        found = mean_and_variance(np.linalg.matrix_power(one, count))
        return np.abs(found - exact).max()

    counts = [32, 64, 128, 256]
    assert abs(fitted_order(error, counts) - 1) < 0.05
    assert error(counts[-1]) < 0.02 * exact[1]


def test_sgd_and_its_diffusion_agree_to_first_order(monkeypatch):
    """The variance, of the order of s itself, is right to its first order: the error is s²."""

    def error(count):
        steps = np.linalg.matrix_power(sgd_moments(UNTIL / count), count)
        return np.abs(mean_and_variance(steps) - mean_and_variance(exact_moments(UNTIL / count)))

    counts = [32, 64, 128, 256]
    assert abs(fitted_order(lambda count: error(count)[0], counts) - 1) < 0.05
    assert abs(fitted_order(lambda count: error(count)[1], counts) - 2) < 0.05
    # Stepped with its own learning rate, the diffusion is closer than that.
    count = 64
    one = diffusion_moments(None, UNTIL / count, monkeypatch)
    found = mean_and_variance(np.linalg.matrix_power(one, count))
    sgd = mean_and_variance(np.linalg.matrix_power(sgd_moments(UNTIL / count), count))
    assert found[0] == pytest.approx(sgd[0], rel=1e-13)
    assert abs(found[1] - sgd[1]) < 0.02 * sgd[1]


def test_a_wrong_factor_in_the_noise_is_seen(monkeypatch):
    right = random.normal
    for factor in (0.5, np.sqrt(0.5), np.sqrt(2)):
        monkeypatch.setattr(SGDDiffusion, "_sampled", _times(factor, SGDDiffusion._sampled))
        with pytest.raises(AssertionError):
            test_the_scheme_has_weak_order_one(monkeypatch)
        monkeypatch.undo()
    assert random.normal is right


def _times(factor, sampled):
    return lambda *where: factor * sampled(*where)


def test_strong_order_one_half(monkeypatch):
    """With y = 0, dw = -a w dt + c w dW has w₀ e^{-(a + c²/2) t + c W}: errors in closed form."""
    x, rate = np.array([0.4, 1.4]), 0.5
    flow = SGDDiffusion(mf.Risk(LINE, mf.FiniteData(x[:, None], np.zeros(2))), rate=rate)
    a, c = np.mean(x**2), np.sqrt(rate) * np.diff(x**2)[0] / 2

    def after(length, kick):
        """One step from w = 1, where the difference of the two motions drives."""
        start, scheme = line(1.0), mf.EulerMaruyama(length)
        numbers = np.array([[-kick], [kick]]) / np.sqrt(2)
        with monkeypatch.context() as patch:
            patch.setattr(random, "normal", lambda *_: numbers)
            here = flow.driving.evaluate(start)
            return scheme.advance(flow, start, here, length, 0).ensemble.w[0, 0]

    def error(count):
        h = UNTIL / count
        decay = after(h, 0.0)
        rise = after(h, 1.0) / decay - 1
        assert after(h, -2.0) == pytest.approx(decay * (1 - 2 * rise))
        square = decay**2 * (1 + rise**2)
        exact = np.exp((c**2 - 2 * a) * h)
        both = decay * np.exp(-a * h) * (1 + rise * c * np.sqrt(h))
        return np.sqrt(square**count + exact**count - 2 * both**count)

    assert abs(fitted_order(error, [2**level for level in range(6, 11)]) - 0.5) < 0.02


def test_isotropic_noise_is_langevin_at_half_the_rate(monkeypatch):
    network, data, start = problem()
    risk, rate, ends = mf.Risk(network, data), 0.3, []
    monkeypatch.setattr(random, "add_normal", _same_numbers)
    for flow in (
        SGDDiffusion(risk, rate=rate, covariance="isotropic"),
        mf.Langevin(risk + 0.5 * rate * mf.Entropy()),
    ):
        run = mf.simulate(flow, start, scheme=mf.EulerMaruyama(0.1), until=1.0, observe=())
        ends.append(run.final.position)
    np.testing.assert_allclose(ends[0], ends[1], rtol=1e-13)


def _same_numbers(out, scale, seed, stream, step):
    out += scale * np.random.default_rng(step).standard_normal(out.shape)


@pytest.mark.parametrize("covariance", ["samples", "isotropic"])
def test_an_entropy_adds_its_own_noise(covariance):
    network, data, start = problem()
    risk = mf.Risk(network, data)
    ends = [start.copy() for _ in range(3)]
    flows = (
        SGDDiffusion(risk + 0.2 * mf.Entropy(), covariance=covariance),
        SGDDiffusion(risk, covariance=covariance),
        mf.Langevin(risk + 0.2 * mf.Entropy()),
    )
    for flow, end in zip(flows, ends, strict=True):
        flow.stir(end, 1.0, 0.1, seed=1, step=3)
    both, sampled, thermal = (end.position - start.position for end in ends)
    np.testing.assert_allclose(both, sampled + thermal, rtol=0, atol=1e-14)
    assert np.all(np.abs(sampled - thermal) > 0)


def test_on_a_sphere_and_in_single_precision():
    network, data, start = problem()
    start.w[:] /= np.linalg.norm(start.w, axis=1, keepdims=True)
    flow = SGDDiffusion(mf.Risk(network, data), constraint={"w": "sphere"}, rate=0.1)
    ends = [
        mf.simulate(flow, start.astype(dtype), scheme=mf.EulerMaruyama(0.05), until=0.5).final
        for dtype in ("float64", "float32")
    ]
    assert ends[1].position.dtype == np.float32
    np.testing.assert_allclose(ends[1].position, ends[0].position, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(ends[0].w, axis=1), 1.0, rtol=1e-14)
    assert not np.array_equal(ends[0].w, start.w)


def test_from_an_experiment_file():
    tables = {
        "network": {"activation": "tanh"},
        "data": {"kind": "arrays", "x": [[0.5], [1.0], [2.0]], "y": [1.0, 2.0, 3.0]},
        "ensemble": {"count": 5},
        "flow": {"kind": "sgd-sde", "rate": 0.1, "batch": 2},
        "scheme": {"kind": "euler-maruyama", "step": 0.05},
        "run": {"until": 0.3, "seed": 4},
    }
    run = mf.Experiment(tables).run()
    problem = mf.Experiment(tables).problem(4)
    flow = SGDDiffusion(problem.flow.energy, rate=0.1, batch=2)
    ours = mf.simulate(flow, problem.start, scheme=mf.EulerMaruyama(0.05), until=0.3, seed=4)
    assert np.array_equal(run.final.position, ours.final.position)


def test_what_is_refused():
    network, data, start = problem()
    risk = mf.Risk(network, data)
    with pytest.raises(Unsupported, match=r"'heun' is for flows without .*depends on the state"):
        mf.simulate(SGDDiffusion(risk), start, scheme=mf.Heun(0.1), until=1.0)
    for scheme in (mf.StochasticHeun, mf.LeimkuhlerMatthews, mf.Exponential):
        with pytest.raises(Unsupported, match="use 'euler-maruyama' for the flow 'sgd-sde'"):
            mf.simulate(SGDDiffusion(risk), start, scheme=scheme(0.1), until=1.0)
    streamed = mf.Risk(network, mf.Stream(data, 2))
    for energy in (mf.L2(), streamed, risk + 2.0 * risk):
        with pytest.raises(Unsupported, match=r"needs one risk, on a finite data set"):
            mf.simulate(SGDDiffusion(energy), start, scheme=mf.EulerMaruyama(0.1), until=1.0)
    with pytest.raises(Unsupported, match=r"^single samples are those of a finite data set"):
        streamed.mixed_gradient(start, np.ones(2))
    with pytest.raises(InvalidInput, match=r"^rate = 0: expected a finite number > 0$"):
        SGDDiffusion(risk, rate=0)
    with pytest.raises(InvalidInput, match=r"^batch = 0: expected a whole number"):
        SGDDiffusion(risk, batch=0)
    with pytest.raises(InvalidInput, match=r"^covariance = 'full': expected one of samples, iso"):
        SGDDiffusion(risk, covariance="full")
