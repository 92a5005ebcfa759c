"""Flows with velocities: energy identities, limits, and what is kept in the file."""

import numpy as np
import pytest
from scipy.integrate import romb

import meanfield as mf
from meanfield.errors import InvalidInput, Unsupported
from meanfield.flows import HeavyBall, Kinetic, Langevin, Nesterov
from meanfield.observables import Dissipation, KineticEnergy
from tests.conftest import size


class Quartic(mf.Linear):
    """x⁴/4 + x²/2."""

    name = "quartic"

    def density(self, ensemble):
        x = ensemble.position
        return (x**4 / 4 + x**2 / 2).sum(axis=1), x**3 + x


def particles():
    rng = np.random.default_rng(1)
    return mf.Ensemble(rng.standard_normal((5, 2)), rng.dirichlet(np.ones(5)))


@pytest.mark.parametrize(
    "flow",
    [
        HeavyBall(Quartic() + mf.Interaction(mf.RBF(1.0)), friction=0.4),
        HeavyBall(Quartic(), {"x": 0.3}, friction=0.0),
        Nesterov(Quartic() + mf.Interaction(mf.RBF(1.0))),
        Kinetic(Quartic(), friction=2.0),
    ],
    ids=["heavy-ball", "no friction", "nesterov", "kinetic"],
)
def test_total_energy_lost_is_the_dissipation_integrated(flow):
    count, until = 256, 2.0
    run = mf.simulate(
        *(flow, particles()),
        scheme=mf.RK4(until / count),
        until=until,
        observe=[KineticEnergy(), Dissipation()],
        observe_when={"steps": 1},
    )
    lost = float(run["total_energy"][0] - run["total_energy"][-1])
    assert lost == pytest.approx(romb(run["dissipation"].values, until / count), abs=1e-6)
    assert np.all(np.diff(run["total_energy"]) < 1e-9)


def test_nesterov_reaches_the_quadratic_rate():
    """F - F* ≤ (r - 1)² |x₀|² / (2 t²) on a convex energy, r = 3 (Su, Boyd & Candès 2016)."""
    start = mf.Ensemble([[1.0, -0.7]])
    energy = mf.Potential(lambda x: 0.5e-3 * x[0] ** 2 + 0.5 * x[1] ** 2, _slope)
    run = mf.simulate(Nesterov(energy), start, scheme=mf.RK4(0.02), until=40.0)
    time = run["energy"]["time"].values[1:]
    bound = 2 * float(np.sum(start.position**2)) / time**2
    assert np.all(run["energy"].values[1:] <= bound)


def _slope(x, out):
    out[0] = 1e-3 * x[0]
    out[1] = x[1]


def test_much_friction_is_the_overdamped_flow_in_slow_time():
    """With γ large, positions at time γt follow the gradient flow at time t, up to 1/γ²."""
    start, until = particles(), 0.5
    slow = mf.simulate(mf.Wasserstein(Quartic()), start, scheme=mf.RK4(0.01), until=until).final
    errors = []
    for friction in (20.0, 40.0):
        flow = HeavyBall(Quartic(), friction=friction)
        end = mf.simulate(flow, start, scheme=mf.RK4(0.02), until=friction * until).final
        errors.append(np.abs(end.position - slow.position).max())
    assert errors[1] < 0.35 * errors[0] < 0.01


def test_velocities_start_from_their_law_and_are_kept(tmp_path):
    count = size(20_000, 500)
    flow = Kinetic(mf.L2() + 0.5 * mf.Entropy(), mobility={"x": 3.0})
    start = mf.Ensemble(np.zeros((count, 2)))
    out = tmp_path / "kinetic.h5"
    run = mf.simulate(
        flow, start, scheme=mf.BAOAB(0.1), until=0.2, frames={"steps": 1}, out=out, seed=3
    )
    first = run.frames[0].velocity
    assert abs(first.var() - 0.5 * 3.0) < 6 * 1.5 * np.sqrt(1 / count)
    with mf.open(out) as again:
        assert np.array_equal(again.final.velocity, run.final.velocity)
        assert np.array_equal(again.frames[1].velocity, run.frames[1].velocity)
        assert again.file["frames/velocity"].dims[0][0].name.endswith("/time")
    # Going on from the end: the velocities are taken along.
    more = mf.simulate(flow, run.final, scheme=mf.BAOAB(0.1), until=0.1, seed=3)
    whole = mf.simulate(flow, start, scheme=mf.BAOAB(0.1), until=0.3, seed=3)
    assert np.array_equal(more.final.position, whole.final.position)
    assert np.array_equal(more.final.velocity, whole.final.velocity)


def test_frozen_blocks_have_no_velocity():
    network = mf.TwoLayer("tanh", 2, outer="fixed")
    rng = np.random.default_rng(0)
    data = mf.FiniteData(rng.standard_normal((6, 2)), rng.standard_normal(6))
    flow = Kinetic(mf.Risk(network, data) + 0.1 * mf.Entropy())
    start = mf.NormalInit(8).draw(network.layout, 0)
    end = mf.simulate(flow, start, scheme=mf.OBABO(0.1), until=1.0).final
    assert np.array_equal(end.a, start.a)
    assert not np.any(end.velocity[:, 0])
    assert np.all(end.w != start.w)


@pytest.mark.parametrize(
    ("table", "time", "factor"),
    [
        ("constant", 5.0, 1.0),
        ({"kind": "exponential", "time": 2.0}, 3.0, np.exp(-1.5)),
        ({"kind": "linear", "time": 4.0}, 1.0, 0.75),
        ({"kind": "linear", "time": 4.0}, 9.0, 0.0),
        ({"kind": "power", "time": 2.0, "exponent": 0.5}, 6.0, 0.5),
        ({"kind": "logarithmic", "time": 1.0}, np.exp(2) - np.e, 0.5),
    ],
)
def test_cooling(table, time, factor):
    flow = Langevin(mf.L2() + 0.3 * mf.Entropy(), cool=table)
    layout = mf.Layout.plain(2)
    assert flow.cool(0.0) == 1.0
    np.testing.assert_allclose(flow.noise(layout, time), np.sqrt(2 * 0.3 * factor), rtol=1e-14)


def test_the_variance_of_a_cooled_flow():
    """d var/dt = -2k var + 2τ e^{-t/T}, to the order of the scheme, without a force to err on."""
    count, tau, scale = size(40_000, 1_000), 0.5, 0.7
    cool = {"kind": "exponential", "time": scale}
    flow = Langevin(0.0 * mf.L2() + tau * mf.Entropy(), cool=cool)
    start = mf.Ensemble(np.zeros((count, 1)))
    end = mf.simulate(flow, start, scheme=mf.EulerMaruyama(0.05), until=1.0).final
    exact = 2 * tau * scale * (1 - np.exp(-1 / scale))
    assert abs(end.position.var() / exact - 1) < 5 * np.sqrt(2 / count)


def test_what_is_refused():
    with pytest.raises(Unsupported, match=r"'heavy-ball' has no noise for the temperature 0\.2"):
        HeavyBall(mf.L2() + 0.2 * mf.Entropy())
    with pytest.raises(InvalidInput, match=r"^friction = -1\.0: expected"):
        Kinetic(mf.L2(), friction=-1.0)
    start = mf.Ensemble([[1.0]])
    with pytest.raises(Unsupported, match=r"'baoab' is for flows with velocities: use .*'heun'"):
        mf.simulate(mf.Wasserstein(mf.L2()), start, scheme=mf.BAOAB(0.1), until=1.0)
    with pytest.raises(Unsupported, match=r"friction stays the same: use .*'rk4'.* 'nesterov"):
        mf.simulate(Nesterov(mf.L2()), start, scheme=mf.UBU(0.1), until=1.0)
    with pytest.raises(InvalidInput, match=r"^cool\.kind = 'warm': expected one of constant, "):
        Langevin(mf.L2(), cool="warm")
    with pytest.raises(InvalidInput, match=r"^cool = .*: expected arguments of 'linear'"):
        Langevin(mf.L2(), cool={"kind": "linear", "speed": 2.0})
    with pytest.raises(InvalidInput, match=r"^cool\.time = 0\.0: expected a finite number > 0"):
        Langevin(mf.L2(), cool={"kind": "linear", "time": 0.0})
    with pytest.raises(Unsupported, match="'langevin' has no velocities"):
        mf.simulate(
            Langevin(mf.L2()), start, scheme=mf.Euler(0.1), until=1, observe=[KineticEnergy()]
        )
