"""Displacement and linearisation: by hand, by differences, and on a toy that is solved exactly."""

import numpy as np
import pytest

import meanfield as mf
from meanfield.errors import Unsupported
from meanfield.observables.laziness import tangent

X = np.random.default_rng(3).normal(size=(300, 3))  # more samples than meet the neurons at once


def _view(flow, ensemble, start):
    return mf.View(ensemble, flow, start)


def _slope(alphas, values):
    return np.polyfit(np.log(alphas), np.log(values), 1)[0]


def test_displacement_weighs_with_masses_block_by_block():
    network = mf.TwoLayer("relu", 2, bias=True)
    start = network.ensemble([[1.0, 2.0], [0.0, 1.0]], a=[1.0, 2.0], mass=[0.25, 0.75])
    now = network.ensemble([[1.0, 5.0], [4.0, 1.0]], a=[2.0, 2.0], b=[0.0, 1.0], mass=[0.5, 0.5])
    found = mf.Displacement()(_view(mf.Wasserstein(mf.L2()), now, start))
    squares = {"a": 0.5 * 1, "w": 0.5 * 9 + 0.5 * 16, "b": 0.5 * 1}
    expected = {f"displacement_{name}": value**0.5 for name, value in squares.items()}
    assert found == pytest.approx({"displacement": sum(squares.values()) ** 0.5, **expected})
    fixed = mf.TwoLayer("relu", 1, outer="fixed").ensemble([[1.0]])
    found = mf.Displacement()(_view(mf.Wasserstein(mf.L2()), fixed, fixed))
    assert found == {"displacement": 0.0, "displacement_w": 0.0}


def test_flows_without_a_path_from_the_start_are_refused(rng):
    network = mf.TwoLayer("tanh", 3)
    start = network.ensemble(rng.normal(size=(4, 3)))
    risk = mf.Risk(network, mf.FiniteData(X, X[:, 0]))
    for observable in (mf.Displacement(), mf.Linearisation()):
        with pytest.raises(
            Unsupported, match=f"^the observable '{observable.kind}' .*'birth-death'"
        ):
            observable(_view(mf.BirthDeath(risk), start, start))
    reaction = _view(mf.FisherRao(risk), start, start)
    assert mf.Displacement()(reaction)["displacement"] == 0.0
    with pytest.raises(Unsupported, match=r"^the observable 'linearisation' .*'fisher-rao'"):
        mf.Linearisation()(reaction)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("tanh", {}),
        ("quadratic", {"bias": True, "outputs": 2}),
        ("tanh", {"bias": True, "outer": "bounded", "bound": 0.6}),
        ("erf", {"outer": "fixed"}),
    ],
)
def test_the_tangent_is_the_derivative_of_the_output(kind, options, rng):
    network = mf.TwoLayer(kind, 3, **options)
    shape = (5, network.layout.width)
    start = mf.Ensemble(rng.normal(size=shape), rng.dirichlet(np.ones(5)), network.layout)
    away = rng.normal(size=shape)
    h = 1e-5
    ahead, behind = (network.output(start.at(start.position + s * h * away), X) for s in (1, -1))
    found = tangent(network, start, start.position + away, X)
    np.testing.assert_allclose(found, (ahead - behind) / (2 * h), atol=1e-8)


def test_linearisation_is_taken_on_the_data(rng):
    network = mf.TwoLayer("tanh", 3, bias=True)
    start, now = (network.ensemble(rng.normal(size=(4, 3)), a=rng.normal(size=4)) for _ in "12")
    weights = rng.dirichlet(np.ones(len(X)))
    law = mf.Gaussian(3).labelled_by(mf.SingleIndex())
    drawn = law.sample(40)
    cases = [
        (mf.FiniteData(X, X[:, 0], weights), X, weights),
        (law.stream(batch=2), drawn.x, drawn.weights),
    ]
    for data, x, weight in cases:
        moved = network(now, x) - network(start, x)
        missed = moved - tangent(network, start, now.position, x)[:, 0]
        norms = [np.sqrt(weight @ f**2) for f in (missed, moved)]
        flow = mf.Wasserstein(mf.Risk(network, data))
        found = mf.Linearisation(samples=40)(_view(flow, now, start))
        assert found["linearisation_error"] == pytest.approx(norms[0], rel=1e-12)
        assert found["linearisation_relative"] == pytest.approx(norms[0] / norms[1], rel=1e-12)
        at_start = mf.Linearisation(samples=40)(_view(flow, start, start))
        assert at_start == {"linearisation_error": 0.0, "linearisation_relative": 0.0}


def test_a_toy_that_is_solved_exactly():
    """h = w² - w₀² scaled by α: z = w² solves ż = -4z(z - z*), z* = w₀² + y/α."""
    w0, y, until = 0.5, 2.0, 1.3
    alphas = np.array([0.5, 3.0, 100.0, 300.0, 1000.0])
    network = mf.TwoLayer("quadratic", 1, outer="fixed")
    moved, missed = [], []
    for alpha in alphas:
        data = mf.FiniteData([[1.0]], [y + alpha * w0**2])  # α w² - y' = α h - y
        flow = mf.Wasserstein(mf.Risk(network, data), mobility={"w": 1 / alpha**2})
        run = mf.simulate(
            flow,
            network.ensemble([[w0]], a=alpha),
            scheme=mf.RK4(0.002),
            until=until,
            observe=[mf.Displacement(), mf.Linearisation()],
            observe_when={"evenly": 3},
        )
        for time in run["displacement"].time.values:
            z_end = w0**2 + y / alpha
            z = z_end / (1 + (z_end / w0**2 - 1) * np.exp(-4 * z_end * time))
            found = {name: float(run[name].sel(time=time)) for name in run.names}
            away = np.sqrt(z) - w0
            assert found["displacement"] == pytest.approx(away, rel=1e-8, abs=1e-14)
            assert found["linearisation_error"] == pytest.approx(
                alpha * away**2, rel=1e-8, abs=1e-13
            )
            relative = away**2 / (z - w0**2) if time else 0.0
            assert found["linearisation_relative"] == pytest.approx(relative, rel=1e-6)
        moved.append(float(run["displacement"][-1]))
        missed.append(float(run["linearisation_error"][-1]))
    assert _slope(alphas[2:], moved[2:]) == pytest.approx(-1.0, abs=0.02)
    assert _slope(alphas[2:], missed[2:]) == pytest.approx(-1.0, abs=0.02)
    assert moved[0] == pytest.approx(np.sqrt(w0**2 + y / 0.5) - w0, rel=1e-6)  # all the way


@pytest.mark.parametrize(("doubled", "order"), [(False, -1.0), (True, -2.0)])
def test_a_doubled_start_misses_a_term_of_one_order_more(doubled, order, rng):
    """Of ½D²f(δ, δ) the two neurons of a pair, δa alike and δw opposite, cancel each other."""
    network = mf.TwoLayer("tanh", 3)
    x, alphas, missed = X[:30], np.array([100.0, 300.0, 1000.0]), []
    for alpha in alphas:
        law = mf.NormalInit(20, scale={"a": alpha}, antisymmetric=doubled)
        start = law.draw(network.layout, seed=1)
        target = np.sin(2 * x[:, 0]) + network(start, x)  # as if the network started at 0
        risk = mf.Risk(network, mf.FiniteData(x, target))
        flow = mf.Wasserstein(risk, mobility={"w": 1 / alpha**2})
        end = mf.simulate(flow, start, scheme=mf.RK4(0.25), until=5.0, observe=()).final
        found = mf.Linearisation()(_view(flow, end, start))
        missed.append(found["linearisation_relative"])
    assert _slope(alphas, missed) == pytest.approx(order, abs=0.05)
