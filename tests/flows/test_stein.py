"""Stein variational gradient descent: moments, identities, and what its kernels are."""

import numpy as np
import pytest
from scipy.integrate import romb, solve_ivp
from scipy.stats import ortho_group

import meanfield as mf
from meanfield.errors import InvalidInput, Unsupported
from meanfield.flows import Stein
from meanfield.functionals.stein_kernels import RBF, median_length, stein_kernels
from meanfield.schemes import RK4, Adaptive, schemes
from tests.conftest import size
from tests.orders import fitted_order, step_counts

KERNELS = [
    {"kind": "rbf", "length": 0.8},
    "rbf",
    {"kind": "imq", "offset": 0.7, "exponent": 0.6},
    "bilinear",
]
kernels = pytest.mark.parametrize(
    "kernel", KERNELS, ids=["rbf", "rbf, median length", "imq", "bilinear"]
)


class Quadratic(mf.Linear):
    """½ (x - μ)ᵀ A (x - μ)."""

    name = "quadratic"

    def __init__(self, a, mu):
        self.a, self.mu = np.asarray(a), np.asarray(mu)

    def density(self, ensemble):
        away = ensemble.position - self.mu
        gradient = away @ self.a
        return 0.5 * np.sum(away * gradient, axis=1), gradient


class Washboard(mf.Linear):
    """|x|²/2 - Σ cos(2x)/2: it knows directions."""

    name = "washboard"

    def density(self, ensemble):
        x = ensemble.position
        return (0.5 * x**2 - 0.5 * np.cos(2 * x)).sum(axis=1), x + np.sin(2 * x)


def particles(count=7, columns=2, seed=0):
    rng = np.random.default_rng(seed)
    return mf.Ensemble(rng.standard_normal((count, columns)), rng.dirichlet(np.full(count, 2.0)))


def definition(kernel, x):
    """k(x_i, x_j) and its gradient in x_j, (N, N) and (N, N, p), from the written formulas."""
    d = x[:, None] - x
    u = np.sum(d**2, axis=2)
    if kernel == "bilinear":
        return x @ x.T + 1, np.broadcast_to(x[:, None], d.shape)
    if kernel == "rbf":
        distances = np.sqrt(u[np.triu_indices(len(x), 1)])
        h = np.median(distances) ** 2 / np.log(len(x))
        k = np.exp(-u / h)
        return k, (2 / h) * k[..., None] * d
    if kernel["kind"] == "rbf":
        k = np.exp(-u / (2 * kernel["length"] ** 2))
        return k, k[..., None] * d / kernel["length"] ** 2
    c, beta = kernel["offset"], -kernel["exponent"]
    return (c**2 + u) ** beta, -2 * beta * ((c**2 + u) ** (beta - 1))[..., None] * d


def tempered(tau=0.3):
    return Washboard() + mf.Interaction(mf.RBF(1.0)) + tau * mf.Entropy()


@kernels
def test_velocity_is_its_definition(kernel, monkeypatch):
    monkeypatch.setattr("meanfield.functionals.stein_kernels.PAIRS", 20)  # several blocks
    start, tau = particles(columns=3), 0.3
    start.position += 5.0
    flow = Stein(tempered(tau), {"x": 0.4}, kernel)
    evaluation = flow.driving.evaluate(start)
    k, push = definition(kernel, start.position)
    expected = -k @ (start.mass[:, None] * evaluation.gradient)
    expected += tau * np.einsum("j,ijp->ip", start.mass, push)
    np.testing.assert_allclose(flow.velocity(start, evaluation), 0.4 * expected, rtol=1e-11)


@kernels
def test_what_falls_is_energy_and_entropy(kernel):
    """F lost, plus τ times the volume that massless neighbours of each particle gain."""
    count, until, tau, apart = 32, 0.5, 0.3, 1e-5
    real = particles(5)
    shifts = apart * np.vstack([np.eye(2), -np.eye(2)])
    tracers = (real.position[:, None] + shifts).reshape(-1, 2)
    start = mf.Ensemble(
        np.vstack([real.position, tracers]), np.append(real.mass, np.zeros(len(tracers)))
    )
    kernel = {"kind": "rbf", "length": median_length(real.position)} if kernel == "rbf" else kernel
    flow = Stein(tempered(tau), {"x": 0.6}, kernel)
    run = mf.simulate(
        *(flow, start),
        scheme=RK4(until / count),
        until=until,
        observe=[mf.Energy(), mf.Dissipation()],
        observe_when={"steps": 1},
    )
    after = run.final.position[5:].reshape(5, 2, 2, 2)
    jacobian = (after[:, 0] - after[:, 1]) / (2 * apart)
    volume = float(real.mass @ np.log(np.linalg.det(jacobian)))
    lost = float(run["energy"][0] - run["energy"][-1])
    rates = run["dissipation"].values
    assert lost + tau * volume == pytest.approx(romb(rates, until / count), rel=1e-7)
    assert np.all(rates > 0)


def test_without_temperature_the_energy_alone_falls():
    """The rate is the kernel's quadratic form of the forces."""
    start, flow = particles(), Stein(tempered(0.0), {"x": 0.6}, KERNELS[0])
    evaluation = flow.driving.evaluate(start)
    k, _ = definition(KERNELS[0], start.position)
    force = start.mass[:, None] * evaluation.gradient
    expected = 0.6 * np.sum(k * (force @ force.T))
    assert flow.dissipation(start, evaluation) == pytest.approx(expected, rel=1e-12)


TARGET = [[1.5, 0.4], [0.4, 0.8]], [0.5, -1.0]


def moments(ensemble):
    mean = ensemble.mean(ensemble.position)
    away = ensemble.position - mean
    return mean, (ensemble.mass[:, None] * away).T @ away


def test_the_bilinear_kernel_finds_mean_and_covariance_exactly():
    """Liu & Wang 2018: N > p particles with k = <x, y> + 1 match both at the fixed point."""
    tau, (a, mu) = 0.7, TARGET
    flow = Stein(Quadratic(a, mu) + tau * mf.Entropy(), kernel="bilinear")
    start = particles(4)
    end = mf.simulate(flow, start, scheme=RK4(0.1), until=60.0, observe=()).final
    mean, covariance = moments(end)
    np.testing.assert_allclose(mean, mu, atol=1e-12)
    np.testing.assert_allclose(covariance, tau * np.linalg.inv(a), atol=1e-12)
    assert np.abs(end.position - start.position).max() > 0.1


def test_moments_under_the_bilinear_kernel_have_equations_of_their_own():
    """m' = Bm - A(m - μ), S' = BS + SBᵀ with B = τ - A(S + (m - μ)mᵀ): affine velocities."""
    tau, until = 0.7, 1.5
    a, mu = map(np.asarray, TARGET)
    start = particles(6)

    def rate(_, flat):
        m, s = flat[:2], flat[2:].reshape(2, 2)
        b = tau * np.eye(2) - a @ (s + np.outer(m - mu, m))
        return np.append(b @ m - a @ (m - mu), b @ s + s @ b.T)

    flat = np.append(*moments(start))
    exact = solve_ivp(rate, (0, until), flat, method="DOP853", rtol=1e-12, atol=1e-13).y[:, -1]
    flow = Stein(Quadratic(a, mu) + tau * mf.Entropy(), kernel="bilinear")
    end = mf.simulate(flow, start, scheme=RK4(until / 400), until=until, observe=()).final
    np.testing.assert_allclose(np.append(*moments(end)), exact, rtol=1e-8)


@pytest.mark.parametrize("kernel", ["rbf", {"kind": "rbf", "length": 0.3}, "imq"])
def test_one_particle_follows_the_gradient(kernel):
    start = mf.Ensemble([[0.7, -1.2]])
    tempered_end, plain = (
        mf.simulate(flow, start, scheme=mf.Heun(0.1), until=2.0, observe=()).final.position
        for flow in (
            Stein(Washboard() + 0.5 * mf.Entropy(), kernel=kernel),
            mf.Wasserstein(Washboard()),
        )
    )
    np.testing.assert_allclose(tempered_end, plain, rtol=1e-14)


def ending(flow, start, scheme=None, until=1.0):
    return mf.simulate(flow, start, scheme=scheme or RK4(0.1), until=until, observe=()).final


@kernels
def test_permuted_particles_have_the_permuted_trajectory(kernel):
    start, order = particles(), np.random.default_rng(3).permutation(7)
    permuted = mf.Ensemble(start.position[order], start.mass[order])
    flow = Stein(tempered(), kernel=kernel)
    found, plain = ending(flow, permuted).position, ending(flow, start).position
    np.testing.assert_allclose(found, plain[order], rtol=1e-11, atol=1e-12)


@kernels
def test_rotated_particles_have_the_rotated_trajectory(kernel):
    start, rotation = particles(columns=3), ortho_group.rvs(3, random_state=2)
    energy = 1.3 * mf.L2() + mf.Interaction(mf.RBF(1.0)) + 0.3 * mf.Entropy()
    flow = Stein(energy, kernel=kernel)
    found = ending(flow, start.at(start.position @ rotation)).position
    plain = ending(flow, start).position
    np.testing.assert_allclose(found, plain @ rotation, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("kernel", [KERNELS[0], *KERNELS[2:]], ids=["rbf", "imq", "bilinear"])
@pytest.mark.parametrize("name", ["euler", "heun", "rk4"])
def test_orders(kernel, name):
    flow, start, until, scheme = Stein(tempered(), kernel=kernel), particles(6), 1.0, schemes[name]
    exact = ending(flow, start, Adaptive(until, "DOP853", 1e-12, 1e-13), until).position

    def error(count):
        return np.abs(ending(flow, start, scheme(until / count), until).position - exact).max()

    counts = [size(2, 1) * count for count in step_counts(scheme.order, levels=3)]
    assert abs(fitted_order(error, counts) - scheme.order) < size(0.2, 0.4)


@pytest.mark.parametrize("kernel", KERNELS[:3], ids=["rbf", "median", "imq"])
def test_many_particles_sample_the_target(kernel):
    """Variance τ/λ to O(1/N); a factor 2 in the repulsion would double it."""
    tau, ridge = 0.5, 2.0
    start = particles(size(60, 20), 1)
    start.mass[:] = 1 / len(start)
    flow = Stein(ridge * mf.L2() + tau * mf.Entropy(), kernel=kernel)
    end = ending(flow, start, Adaptive(20.0, "LSODA"), 20.0)
    mean, covariance = moments(end)
    assert abs(mean[0]) < 0.02
    assert covariance[0, 0] == pytest.approx(tau / ridge, rel=size(0.06, 0.2))


def test_frozen_blocks_stay_and_tell_particles_apart():
    network = mf.TwoLayer("tanh", 2, outer="fixed")
    rng = np.random.default_rng(0)
    data = mf.FiniteData(rng.standard_normal((6, 2)), rng.standard_normal(6))
    start = mf.NormalInit(8).draw(network.layout, 0)
    energy = mf.Risk(network, data) + 0.1 * mf.Entropy()
    end = ending(Stein(energy), start)
    assert np.array_equal(end.a, start.a)
    assert np.all(end.w != start.w)
    still = ending(Stein(energy, {"w": 0.0}), start)
    assert np.array_equal(still.position, start.position)


def test_single_precision_stays_single():
    start = particles(20, 3)
    flow = Stein(0.3 * mf.L2() + 0.3 * mf.Entropy())
    found = ending(flow, start.astype("float32")).position
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, ending(flow, start).position, atol=2e-5)


def test_median_length_counts_distinct_pairs_and_thins_out_many():
    x = np.array([[0.0], [1.0], [4.0]])
    assert median_length(x) == pytest.approx(3.0 / np.sqrt(2 * np.log(3)), rel=1e-15)
    many = np.random.default_rng(0).standard_normal((size(6001, 2001), 1))
    # The median distance of two standard normal numbers, |N(0, 2)|.
    expected = 0.6744897501960817 * np.sqrt(2) / np.sqrt(2 * np.log(len(many)))
    assert median_length(many) == pytest.approx(expected, rel=0.06)


@pytest.mark.parametrize("kind", ["rbf", "imq"])
def test_derivatives_of_radial_kernels(kind):
    kernel = RBF(0.7) if kind == "rbf" else stein_kernels["imq"](0.8, 0.45)
    u, h = np.linspace(0.1, 3.0, 7), 1e-5
    ahead, behind = kernel.derivatives(u + h, 3), kernel.derivatives(u - h, 3)
    for lower, higher, found in zip(ahead, behind, kernel.derivatives(u, 3)[1:], strict=False):
        np.testing.assert_allclose(found, (lower - higher) / (2 * h), rtol=1e-8)


def test_what_is_refused():
    with pytest.raises(InvalidInput, match=r"^kernel\.length = 0\.0: expected a finite number > 0"):
        Stein(mf.L2(), kernel={"kind": "rbf", "length": 0.0})
    with pytest.raises(InvalidInput, match=r"^kernel\.kind = 'rfb': expected one of bilinear, imq"):
        Stein(mf.L2(), kernel="rfb")
    together = mf.Ensemble(np.zeros((5, 2)))
    with pytest.raises(InvalidInput, match=r"^kernel\.length = .* half of all distances are 0"):
        mf.simulate(Stein(mf.L2()), together, scheme=mf.Euler(0.1), until=1.0)
    start = particles()
    with pytest.raises(Unsupported, match="'baoab' is for flows with velocities"):
        mf.simulate(Stein(tempered()), start, scheme=mf.BAOAB(0.1), until=1.0)
