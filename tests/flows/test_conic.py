"""Conic descent: signed particles, against the lifts that it comes from."""

import numpy as np
import pytest
from scipy.integrate import romb
from sklearn.linear_model import Lasso

import meanfield as mf
from meanfield.data import Spikes
from meanfield.errors import InvalidInput
from meanfield.flows import Conic
from tests.conftest import size
from tests.orders import fitted_order, step_counts

PRICE, CIRCLE = 0.4, {"w": "sphere"}


def spikes(outer="trained"):
    """Sparse deconvolution on the circle."""
    data = Spikes([0.6, 1.9, 4.2], [1.0, -0.8, 0.6], degree=3, points=7).load(0)
    network = mf.TwoLayer({"kind": "dirichlet", "degree": 3}, 2, outer=outer)
    return mf.Risk(network, data) + PRICE * mf.L1()


def particles(count=6, dim=2, seed=3):
    """Signed particles on the sphere, with masses that do not sum to 1."""
    rng = np.random.default_rng(seed)
    start = mf.SphereInit(count).draw(mf.TwoLayer("relu", dim).layout, seed)
    start.mass[:] = rng.uniform(0.1, 0.5, count)
    return start


def ending(flow, start, scheme, until, observe=()):
    return mf.simulate(flow, start, scheme=scheme, until=until, observe=observe).final


def test_the_default_speeds_are_those_of_the_cone():
    """r_i' = -2 r_i F', θ_i' = -∇F' is the gradient flow of (r, θ) ↦ F(Σ r_i² δ_{θ_i})."""
    energy, start, h = spikes(), particles(), 1e-5
    angle = np.arctan2(start.w[:, 1], start.w[:, 0])
    radius = np.sqrt(start.mass)

    def lifted(r, t):
        w = np.column_stack([np.cos(t), np.sin(t)])
        return energy.value(start.having(position=np.column_stack([start.a, w]), mass=r**2))

    def slope(function, x):
        units = np.eye(len(x)) * h
        return np.array([(function(x + u) - function(x - u)) / (2 * h) for u in units])

    speed_of_radius = -slope(lambda r: lifted(r, angle), radius)
    speed_of_angle = -slope(lambda t: lifted(radius, t), angle) / radius**2
    flow = Conic(energy, constraint=CIRCLE)
    motion = flow.motion(start, energy.evaluate(start))
    np.testing.assert_allclose(0.5 * motion.log_mass * radius, speed_of_radius, atol=1e-7)
    turning = np.column_stack([-start.w[:, 1], start.w[:, 0]])
    along = (motion.position[:, 1:] * turning).sum(axis=1)
    np.testing.assert_allclose(along, speed_of_angle, atol=1e-6)
    assert not motion.position[:, 0].any()


@pytest.mark.parametrize("name", ["euler", "heun", "strang"])
def test_balanced_relu_neurons_move_so_with_speeds_1_and_2(name):
    """p = |a||w| and w/|w| of the 2-homogeneous lift, to the order of the scheme."""
    dim, count, ridge, until = 3, size(8, 3), 0.05, 0.7
    on_cone = particles(count, dim)
    root = np.sqrt(count * on_cone.mass)
    network = mf.TwoLayer("relu", dim)
    teacher = mf.Teacher(network, network.ensemble(np.eye(dim), [1.0, -1.0, 0.5]))
    risk = mf.Risk(network, mf.Gaussian(dim).labelled_by(teacher))
    start = network.ensemble(root[:, None] * on_cone.w, a=root * on_cone.a)
    lifted = ending(mf.Wasserstein(risk + ridge * mf.L2()), start, mf.RK4(size(0.01, 0.05)), until)
    norm = np.linalg.norm(lifted.w, axis=1)
    flow = Conic(risk + ridge * mf.L1(), constraint={"w": "sphere"}, alpha=1.0, beta=2.0)
    scheme = mf.schemes.schemes[name]

    def error(steps):
        end = ending(flow, on_cone, scheme(until / steps), until)
        assert np.array_equal(end.a, on_cone.a)
        away = np.abs(end.w - lifted.w / norm[:, None]).max()
        return max(away, np.abs(count * end.mass / (np.abs(lifted.a) * norm) - 1).max())

    counts = [count // size(1, 2) for count in step_counts(scheme.order, levels=size(4, 3))]
    assert abs(fitted_order(error, counts) - scheme.order) < size(0.15, 0.3)


@pytest.mark.parametrize("outer", ["trained", "fixed"])
@pytest.mark.parametrize(("alpha", "beta"), [(1.0, 4.0), (0.3, 1.0), (0.0, 2.0), (1.0, 0.0)])
def test_energy_lost_is_the_dissipation_integrated(alpha, beta, outer):
    energy, count, until = spikes(outer), size(256, 128), 0.25
    start = particles()
    start.layout = energy.terms()[0][1].network.layout
    run = mf.simulate(
        *(Conic(energy, {"w": 0.6}, CIRCLE, alpha, beta), start),
        scheme=mf.RK4(until / count),
        until=until,
        observe=[mf.Energy(), mf.Dissipation(), mf.Mass()],
        observe_when={"steps": 1},
    )
    lost = float(run["energy"][0] - run["energy"][-1])
    assert lost == pytest.approx(romb(run["dissipation"].values, until / count), rel=1e-6)
    assert lost > 0
    moved = abs(float(run["total_mass"][-1] - run["total_mass"][0]))
    assert (moved > 0.01) == (beta > 0)
    assert np.array_equal(run.final.a, start.a)


def test_one_spike_has_the_mass_that_is_known():
    """ν = (c - λ/(2n + 1)) δ_u solves the problem of y = c D(· - u), for c > λ/(2n + 1)."""
    height, angle, degree = 0.9, 1.1, 3
    data = Spikes([angle], [height], degree=degree, points=7).load(0)
    network = mf.TwoLayer({"kind": "dirichlet", "degree": degree}, 2)
    flow = Conic(mf.Risk(network, data) + PRICE * mf.L1(), constraint=CIRCLE)
    start = mf.SphereInit(12).draw(network.layout, 1)
    end = ending(flow, start, mf.Euler(0.02), size(40.0, 20.0))
    found = np.arctan2(end.w[:, 1], end.w[:, 0])[end.mass > 1e-6]
    np.testing.assert_allclose(found, angle, atol=1e-5)
    assert float(end.mass @ end.a) == pytest.approx(height - PRICE / 7, abs=1e-6)
    assert end.mass.sum() == pytest.approx(height - PRICE / 7, abs=1e-5)


def test_the_limit_solves_the_problem_on_a_fine_grid():
    """Against a convex programme: signed masses at fixed places, by coordinate descent."""
    energy, places = spikes(), 256
    angle = 2 * np.pi / places * np.arange(places)
    data = energy.terms()[0][1].data
    features = np.cos(np.outer(np.arctan2(*data.x.T[::-1]), np.ones(places)) - angle)
    features = mf.activations.make({"kind": "dirichlet", "degree": 3})(features)
    lasso = Lasso(PRICE, fit_intercept=False, tol=1e-9, max_iter=10**6)
    away = features @ lasso.fit(features, data.y[:, 0]).coef_ - data.y[:, 0]
    best = 0.5 * np.mean(away**2) + PRICE * np.abs(lasso.coef_).sum()
    start = mf.SphereInit(30).draw(mf.TwoLayer("relu", 2).layout, 0)
    end = ending(Conic(energy, constraint=CIRCLE), start, mf.Euler(0.02), size(60.0, 15.0))
    assert energy.value(end) == pytest.approx(best, rel=size(3e-4, 3e-3))
    assert energy.value(end) < best + size(1e-7, 1e-2)


def test_what_is_refused():
    start = particles()
    with pytest.raises(InvalidInput, match=r"^mobility.a = 1.0: expected 0, as the signs of"):
        Conic(spikes(), mobility={"a": 1.0})
    start.a[2] = 0.5
    with pytest.raises(InvalidInput, match=r"^a = array\(\[0.5\]\): expected a sign, 1 or -1"):
        ending(Conic(spikes()), start, mf.Euler(0.1), 1.0)
    with pytest.raises(InvalidInput, match=r"blocks = \('x',\): expected a block a of one column"):
        ending(Conic(mf.L2()), mf.Ensemble(np.ones((3, 1))), mf.Euler(0.1), 1.0)
