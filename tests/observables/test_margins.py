"""Margins over norms of the function: by hand, and against quadratic and linear programs."""

import numpy as np
import pytest
from scipy import optimize

import meanfield as mf
from meanfield.errors import Unsupported
from tests.conftest import size

N, SAMPLES = 30, 8


def _view(network, data, ensemble, start=None, loss="exponential"):
    flow = mf.Wasserstein(mf.Risk(network, data, loss))
    return mf.View(ensemble, flow, ensemble if start is None else start)


def _problem(rng, bias=True):
    network = mf.TwoLayer("relu", 3, bias=bias)
    x = rng.normal(size=(SAMPLES, 3))
    y = rng.choice([-1.0, 1.0], SAMPLES)
    mass = rng.dirichlet(np.ones(N))
    b = rng.normal(size=N) if bias else 0.0
    start = network.ensemble(rng.normal(size=(N, 3)), a=rng.normal(size=N), b=b, mass=mass)
    features = np.maximum(x @ start.w.T + (start.b if bias else 0.0), 0.0)
    return network, mf.FiniteData(x, y), start, features


def _with(network, start, a):
    b = start.b if network.bias else 0.0
    return network.ensemble(start.w, a=a, b=b, mass=start.mass)


def test_by_hand():
    network = mf.TwoLayer("relu", 2)
    ensemble = network.ensemble([[3.0, 4.0], [0.0, -1.0]], a=[2.0, -4.0])
    data = mf.FiniteData([[1.0, 0.0], [0.0, -1.0]], [1.0, -1.0])
    # f = ½(2·3) = 3 and ½(-4·1) = -2; ∫|a||w| = ½(10 + 4).
    found = mf.Margin()(_view(network, data, ensemble))
    # The features are diagonal: 3 and 1, so that c = (2, -4), |c|² = ½(4 + 16).
    assert found == pytest.approx({"margin": 2.0, "f1_margin": 2 / 7, "f2_margin": 2 / 10**0.5})
    wrong = mf.FiniteData(data.x, [1.0, 1.0])
    assert mf.Margin()(_view(network, wrong, ensemble))["margin"] == -2.0
    silent = _with(network, ensemble, np.zeros(2))
    expected = {"margin": 0.0, "f1_margin": 0.0, "f2_margin": 0.0}
    assert mf.Margin()(_view(network, data, silent, ensemble)) == expected


@pytest.mark.parametrize("bias", [False, True])
def test_the_f1_margin_is_that_of_balanced_neurons(bias, rng):
    network, data, start, _ = _problem(rng, bias)
    inner = start.position[:, 1:]
    share = np.sqrt(np.abs(start.a) / np.linalg.norm(inner, axis=1))
    balanced = start.position * np.column_stack([1 / share, *[share] * inner.shape[1]])
    balanced = start.at(balanced)
    found, same = (mf.Margin()(_view(network, data, e, start)) for e in (start, balanced))
    assert same == pytest.approx(found, rel=1e-12)
    norm = 0.5 * start.mass @ (balanced.position**2).sum(axis=1)
    assert found["f1_margin"] == pytest.approx(found["margin"] / norm, rel=1e-12)
    twice = start.at(2.0 * start.position)  # 4f: homogeneous, as the norms are
    again = mf.Margin()(_view(network, data, twice, start))
    assert again["margin"] == pytest.approx(4 * found["margin"])
    for name in ("f1_margin", "f2_margin"):
        assert again[name] == pytest.approx(found[name])


def test_the_f2_margin_is_at_most_that_of_the_kernel_machine(rng):
    network, data, start, features = _problem(rng)
    y = data.y[:, 0]
    kernel = (features * start.mass) @ features.T
    signed = y[:, None] * kernel * y
    # The dual of: least ∫|a|² dρ with y f ≥ 1; at the optimum a = Σ_s c_s y_s s(z_s).
    dual = optimize.minimize(
        lambda c: (0.5 * c @ signed @ c - c.sum(), signed @ c - 1.0),
        np.ones(SAMPLES),
        jac=True,
        method="L-BFGS-B",
        bounds=[(0, None)] * SAMPLES,
        options={"ftol": 1e-15, "gtol": 1e-12, "maxiter": 10_000},
    )
    best = (dual.x * y) @ features
    largest = 1.0 / np.sqrt(start.mass @ best**2)
    found = mf.Margin()(_view(network, data, _with(network, start, best), start))
    assert found["f2_margin"] == pytest.approx(largest, rel=1e-4)
    for _ in range(size(200, 20)):
        # Whatever the inner weights are now: they are measured by the features of the start.
        near = network.ensemble(
            start.w + 0.1 * rng.normal(size=(N, 3)),
            a=best * (1 + 0.1 * rng.normal(size=N)),
            b=start.b,
            mass=start.mass,
        )
        assert mf.Margin()(_view(network, data, near, start))["f2_margin"] <= largest * (1 + 1e-4)


def test_weights_that_data_have_made_have_the_f2_norm_of_their_own(rng):
    network, data, start, features = _problem(rng)
    made = rng.normal(size=SAMPLES) @ features
    found = mf.Margin()(_view(network, data, _with(network, start, made), start))
    own = found["margin"] / np.sqrt(start.mass @ made**2)
    assert found["f2_margin"] == pytest.approx(own, rel=1e-10)
    # Others have a larger norm than f needs, at most.
    other = _with(network, start, rng.normal(size=N))
    found = mf.Margin()(_view(network, data, other, start))
    assert abs(found["f2_margin"]) > abs(found["margin"]) / np.sqrt(start.mass @ other.a**2)


def test_training_outer_weights_tends_to_the_largest_f2_margin():
    """On two orthogonal samples; along the flow of log R what lacks falls like 1/time."""
    network = mf.TwoLayer("relu", 2)
    start = network.ensemble([[2.0, 0.0], [0.0, 1.0]], a=0.0)
    data = mf.FiniteData(np.eye(2), [1.0, -1.0])
    risk = mf.Risk(network, data, "exponential", log=True)
    run = mf.simulate(
        mf.Wasserstein(risk, mobility={"w": 0.0}),
        start,
        scheme=mf.Euler(0.2),
        until=200.0,
        observe=[mf.Margin()],
        observe_when=[100.0, 200.0],
    )
    # f = (a₁, a₂/2): the least norm² with margins 1 is ½(1 + 4), and a = (1, -2).
    _, before, after = 2.5**-0.5 - run["f2_margin"].values
    assert 0 < after < 0.003
    assert before / after == pytest.approx(2.0, rel=0.05)


def test_what_has_no_margin_is_refused(rng):
    message = r"^the observable 'margin' needs a finite data set with two classes, ±1$"
    x = rng.normal(size=(3, 2))
    network = mf.TwoLayer("tanh", 2)
    ensemble = network.ensemble(np.eye(2))
    law = mf.Gaussian(2).labelled_by(mf.SingleIndex())
    for data in (law.stream(batch=2), mf.FiniteData(x, [0.1, 0.2, 0.3])):
        with pytest.raises(Unsupported, match=message):
            mf.Margin()(_view(network, data, ensemble, loss="squared"))
    three = mf.FiniteData(x, [0, 1, 2], classes="abc")
    network = mf.TwoLayer("relu", 2, outputs=3)
    with pytest.raises(Unsupported, match=message):
        mf.Margin()(_view(network, three, network.ensemble(np.eye(2)), loss="softmax"))
    # The variation norm is that of homogeneous activations.
    network = mf.TwoLayer("tanh", 2)
    found = mf.Margin()(_view(network, mf.FiniteData(x, [1.0, -1.0, 1.0]), ensemble))
    assert set(found) == {"margin", "f2_margin"}
