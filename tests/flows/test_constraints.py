"""Sets that particles stay on."""

import numpy as np
import pytest
from scipy.integrate import romb
from scipy.special import ive

import meanfield as mf
from meanfield.errors import InvalidInput, Unsupported
from meanfield.flows import Langevin, Wasserstein
from meanfield.flows.manifolds import Box, Sphere
from meanfield.observables import Dissipation, Energy
from tests.conftest import size


class Pull(mf.Linear):
    """-<g, x> with a constant g."""

    name = "pull"

    def __init__(self, *g):
        self.g = np.array(g)

    def density(self, ensemble):
        return -(ensemble.position @ self.g), np.broadcast_to(-self.g, ensemble.position.shape)


def on_sphere(count, dim, seed=0):
    x = np.random.default_rng(seed).standard_normal((count, dim))
    return mf.Ensemble(x / np.linalg.norm(x, axis=1, keepdims=True))


def test_the_flow_of_a_constant_pull_on_the_circle():
    """x' = g sin-wise: tan(φ/2) decays like e^{-|g|t}."""
    start = on_sphere(9, 2)
    flow = Wasserstein(Pull(2.0, 0.0), constraint={"x": "sphere"})
    end = mf.simulate(flow, start, scheme=mf.RK4(0.01), until=1.0).final
    angle = 2 * np.arctan(np.tan(np.arctan2(*start.position.T[::-1]) / 2) * np.exp(-2.0))
    exact = np.column_stack([np.cos(angle), np.sin(angle)])
    np.testing.assert_allclose(end.position, exact, atol=1e-8)


@pytest.mark.parametrize("constraint", [{"x": "sphere"}, {"x": {"kind": "sphere", "radius": 1.0}}])
def test_energy_lost_is_the_dissipation_integrated(constraint):
    count = 64
    energy = Pull(1.0, -0.5, 0.3) + mf.Interaction(mf.RBF(0.7))
    run = mf.simulate(
        *(Wasserstein(energy, {"x": 0.5}, constraint), on_sphere(6, 3)),
        scheme=mf.RK4(1 / count),
        until=1.0,
        observe=[Energy(), Dissipation()],
        observe_when={"steps": 1},
    )
    lost = float(run["energy"][0] - run["energy"][-1])
    assert lost == pytest.approx(romb(run["dissipation"].values, 1 / count), rel=1e-8)


def test_langevin_on_the_sphere_comes_to_the_von_mises_fisher_law():
    """E<g, x>/|g| = coth κ - 1/κ in three dimensions, κ = |g|/τ, up to the order of the scheme."""
    count, kappa = size(40_000, 150), 2.0
    flow = Langevin(Pull(0.0, 0.0, 1.0) + 1 / kappa * mf.Entropy(), constraint={"x": "sphere"})
    end = mf.simulate(
        flow, on_sphere(count, 3), scheme=mf.EulerMaruyama(0.01), until=4.0, observe=()
    ).final
    exact = 1 / np.tanh(kappa) - 1 / kappa
    assert abs(end.position[:, 2].mean() - exact) < 0.005 + 4 / np.sqrt(count)


def test_langevin_on_the_circle_comes_to_the_von_mises_law():
    count, kappa = size(40_000, 150), 1.5
    flow = Langevin(Pull(0.0, 1.0) + 1 / kappa * mf.Entropy(), constraint={"x": "sphere"})
    end = mf.simulate(
        flow, on_sphere(count, 2), scheme=mf.EulerMaruyama(size(0.01, 0.05)), until=12.0, observe=()
    ).final
    exact = ive(1, kappa) / ive(0, kappa)
    assert abs(end.position[:, 1].mean() - exact) < size(0.005, 0.02) + 4 / np.sqrt(count)


def test_rotating_everything_rotates_the_flow():
    g = np.array([1.0, -0.5, 0.3])
    rotation, _ = np.linalg.qr(np.random.default_rng(5).standard_normal((3, 3)))
    start = on_sphere(6, 3)
    turned = mf.Ensemble(start.position @ rotation.T)
    ends = [
        mf.simulate(
            *(Wasserstein(Pull(*pull), constraint={"x": "sphere"}), first),
            scheme=mf.Heun(0.1),
            until=1.0,
        ).final.position
        for pull, first in ((g, start), (rotation @ g, turned))
    ]
    np.testing.assert_allclose(ends[0] @ rotation.T, ends[1], atol=1e-13)


def test_particles_stop_at_a_wall_and_slide_along_it():
    flow = Wasserstein(Pull(1.0, 0.5), constraint={"x": {"kind": "box", "lower": -1, "upper": 1}})
    start = mf.Ensemble([[0.0, 0.0], [0.9, -0.9], [-1.0, 1.0]])
    end = mf.simulate(flow, start, scheme=mf.Euler(0.1), until=1.5).final
    np.testing.assert_allclose(end.position, [[1.0, 0.75], [1.0, -0.15], [0.5, 1.0]], atol=1e-12)


def test_noise_in_a_box_becomes_uniform():
    count, step = size(20_000, 300), size(2e-4, 4e-3)
    box = {"kind": "box", "lower": 0, "upper": 1}
    flow = Langevin(0.0 * mf.L2() + 1.0 * mf.Entropy(), constraint={"x": box})
    start = mf.Ensemble(np.full((count, 1), 0.3))
    end = mf.simulate(flow, start, scheme=mf.EulerMaruyama(step), until=0.6, observe=()).final
    # Projection leaves some particles on the walls: a bias of the order √h.
    assert abs(end.position.mean() - 0.5) < 4 * 0.29 / np.sqrt(count)
    assert abs(end.position.var() - 1 / 12) < size(0.01, 0.03) + 4 * 0.08 / np.sqrt(count)


def test_tangents_and_nearest_points():
    rng = np.random.default_rng(3)
    x, v = rng.standard_normal((4, 2, 3)), rng.standard_normal((4, 2, 3))
    sphere = Sphere(2.0)
    near = sphere.nearest(x)
    np.testing.assert_allclose(np.linalg.norm(near, axis=-1), 2.0)
    tangent = sphere.tangent(near, v)
    np.testing.assert_allclose((tangent * near).sum(axis=-1), 0.0, atol=1e-14)
    np.testing.assert_allclose(sphere.tangent(near, tangent), tangent, atol=1e-14)
    assert np.isnan(sphere.nearest(np.zeros((1, 3)))).all()
    box = Box(upper=1.0)
    assert np.array_equal(box.nearest(np.array([[-9.0, 3.0]])), [[-9.0, 1.0]])


def test_what_is_refused():
    start = mf.Ensemble([[1.0, 0.1]])

    def run(flow, scheme):
        mf.simulate(flow, start, scheme=scheme, until=1.0)

    with pytest.raises(
        InvalidInput, match=r"^constraint\.x = 'sphere': expected a set that .* start on"
    ):
        run(Wasserstein(mf.L2(), constraint={"x": "sphere"}), mf.Euler(0.1))
    with pytest.raises(InvalidInput, match=r"^constraint\.x\.kind = 'ball': expected one of box, "):
        Wasserstein(mf.L2(), constraint={"x": "ball"})
    with pytest.raises(InvalidInput, match=r"^constraint\.x\.radius = -1: expected a finite"):
        Wasserstein(mf.L2(), constraint={"x": {"kind": "sphere", "radius": -1}})
    with pytest.raises(InvalidInput, match=r"^constraint\.x\.lower = 2: expected a number < upper"):
        Wasserstein(mf.L2(), constraint={"x": {"kind": "box", "lower": 2, "upper": 1}})
    with pytest.raises(InvalidInput, match=r"^constraint\.w = .*: expected a block of x$"):
        run(Wasserstein(mf.L2(), constraint={"w": "sphere"}), mf.Euler(0.1))
    with pytest.raises(Unsupported, match="without constraints: use "):
        run(Langevin(mf.L2(), constraint={"x": "box"}), mf.Exponential(0.1))
