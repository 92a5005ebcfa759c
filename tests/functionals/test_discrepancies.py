"""Maximum mean discrepancy and kernel Stein discrepancy, against their definitions."""

import numpy as np
import pytest
from scipy.integrate import romb
from scipy.stats import energy_distance

import meanfield as mf
from meanfield.errors import InvalidInput
from meanfield.flows import Stein
from meanfield.functionals import KSD, MMD
from meanfield.functionals.stein_kernels import stein_kernels

SMOOTH = [{"kind": "rbf", "length": 0.8}, {"kind": "inverse-multiquadric", "offset": 0.7}]
RADIAL = [{"kind": "rbf", "length": 0.8}, {"kind": "imq", "offset": 0.7, "exponent": 0.6}]


class Washboard(mf.Linear):
    """|x|²/2 - Σ cos(2x)/2 + x_0 x_1/3."""

    name = "washboard"

    def density(self, ensemble):
        x = ensemble.position
        mixed = x[:, :2].prod(axis=1) / 3
        gradient = x + np.sin(2 * x)
        gradient[:, :2] += x[:, 1::-1] / 3
        return (0.5 * x**2 - 0.5 * np.cos(2 * x)).sum(axis=1) + mixed, gradient


def particles(count=6, columns=2, seed=0):
    rng = np.random.default_rng(seed)
    return mf.Ensemble(rng.standard_normal((count, columns)), rng.dirichlet(np.full(count, 2.0)))


def holds(functional, start):
    """The gradient and the first variation are derivatives of the value."""
    assert mf.gradient_error(functional, start) < 1e-7
    variation, step = functional.first_variation(start), 1e-5
    for i, unit in enumerate(np.eye(len(start))):
        more, less = (start.having(mass=start.mass + sign * step * unit) for sign in (1, -1))
        slope = (functional.value(more) - functional.value(less)) / (2 * step)
        assert slope == pytest.approx(variation[i], rel=1e-7, abs=1e-9)


@pytest.mark.parametrize("kernel", SMOOTH, ids=["rbf", "imq"])
def test_derivatives_of_the_maximum_mean_discrepancy(kernel):
    other = particles(9, 3, seed=1)
    holds(MMD(other.position, other.mass, kernel), particles(columns=3))


def test_the_energy_distance_is_that_of_scipy():
    start, other = particles(columns=1), particles(9, 1, seed=1)
    kernel = {"kind": "riesz", "exponent": -1.0}
    found = MMD(other.position, other.mass, kernel).value(start)
    exact = energy_distance(start.position[:, 0], other.position[:, 0], start.mass, other.mass)
    assert found == pytest.approx(exact**2, rel=1e-11)


def test_the_maximum_mean_discrepancy_of_gaussian_laws():
    """∬ e^{-r²/2l²} of N(m, s) and N(n, t) is √(l²/(l² + s + t)) e^{-(m - n)²/2(l² + s + t)}."""
    grid, l2 = np.linspace(-8, 8, 81), 0.8**2
    mass = np.exp(-0.5 * grid**2)
    mass /= mass.sum()

    def mean(apart, variance):
        wide = l2 + variance
        return np.sqrt(l2 / wide) * np.exp(-0.5 * apart**2 / wide)

    start = mf.Ensemble(0.3 + np.sqrt(0.5) * grid[:, None], mass)
    functional = MMD(np.sqrt(0.9) * grid[:, None] - 0.4, mass, SMOOTH[0])
    exact = mean(0, 1.0) + mean(0, 1.8) - 2 * mean(0.7, 1.4)
    assert functional.value(start) == pytest.approx(exact, rel=1e-10)


def test_samples_are_at_no_distance_from_themselves():
    start = particles()
    found = MMD(start.position, start.mass).evaluate(start)
    assert found.value == pytest.approx(0.0, abs=1e-15)
    np.testing.assert_allclose(found.gradient, 0.0, atol=1e-14)


def naive_stein(kernel, x, score):
    """u(x_i, x_j) as it is defined: s·s' k + s·∇'k + s'·∇k + tr ∇∇'k, by differences of k."""
    derivatives, n, p = stein_kernels.make("kernel", kernel).derivatives, *x.shape

    def k(a, b):
        return derivatives(np.sum((a - b) ** 2), 0)[0]

    h, unit, found = 1e-3, np.eye(p), np.empty((n, n))
    for i, j in np.ndindex(n, n):
        a, b, s, t = x[i], x[j], score[i], score[j]
        total = s @ t * k(a, b)
        for c in range(p):
            e = h * unit[c]
            total += s[c] * (k(a, b + e) - k(a, b - e)) / (2 * h)
            total += t[c] * (k(a + e, b) - k(a - e, b)) / (2 * h)
            mixed = k(a + e, b + e) - k(a + e, b - e) - k(a - e, b + e) + k(a - e, b - e)
            total += mixed / (4 * h**2)
        found[i, j] = total
    return found


@pytest.mark.parametrize("kernel", RADIAL, ids=["rbf", "imq"])
def test_the_stein_discrepancy_is_its_definition(kernel, monkeypatch):
    monkeypatch.setattr("meanfield.functionals.stein_kernels.PAIRS", 20)  # several blocks
    start, tau = particles(columns=3), 0.6
    functional = KSD(2 * Washboard() + 0.3 * mf.L2(), tau, kernel)
    x = start.position
    score = -(2 * Washboard().gradient(start) + 0.3 * x) / tau
    u = naive_stein(kernel, x, score)
    found = functional.evaluate(start)
    assert found.value == pytest.approx(start.mass @ u @ start.mass, rel=1e-4)
    np.testing.assert_allclose(found.variation, 2 * u @ start.mass, rtol=1e-4, atol=1e-4)
    holds(functional, start)


@pytest.mark.parametrize("kernel", RADIAL, ids=["rbf", "imq"])
def test_the_target_is_at_no_distance(kernel):
    """u integrates to 0 against e^{-V/τ}, exactly for a grid of a Gaussian; and to more nearby."""
    grid, tau = np.linspace(-8, 8, 161), 0.4
    mass = np.exp(-0.5 * grid**2)
    target = mf.Ensemble(np.sqrt(tau) * grid[:, None], mass / mass.sum())
    functional = KSD(mf.L2(), tau, kernel)
    found = functional.evaluate(target)
    assert abs(found.value) < 1e-10
    # Where the grid is fine against the kernel, all of ∫ u dρ vanishes: Stein's identity.
    near = np.abs(grid) < 4
    np.testing.assert_allclose(found.variation[near], 0.0, atol=1e-9)
    assert functional.value(target.at(1.1 * target.position)) > 1e-4


@pytest.mark.parametrize("kernel", RADIAL, ids=["rbf", "imq"])
def test_stein_descent_dissipates_the_stein_discrepancy(kernel):
    tau, start = 0.6, particles(columns=3)
    flow = Stein(Washboard() + tau * mf.Entropy(), kernel=kernel)
    rate = flow.dissipation(start, flow.driving.evaluate(start))
    assert rate == pytest.approx(tau**2 * KSD(Washboard(), tau, kernel).value(start), rel=1e-11)


@pytest.mark.parametrize(
    "functional",
    [MMD(particles(9, seed=1).position), KSD(Washboard(), kernel=RADIAL[1])],
    ids=["mmd", "ksd"],
)
def test_energy_lost_is_the_dissipation_integrated(functional):
    count = 64
    run = mf.simulate(
        *(mf.Wasserstein(functional), particles()),
        scheme=mf.RK4(0.1 / count),
        until=0.1,
        observe=[mf.Energy(), mf.Dissipation()],
        observe_when={"steps": 1},
    )
    lost = float(run["energy"][0] - run["energy"][-1])
    integral = romb(run["dissipation"].values, 0.1 / count)
    assert lost == pytest.approx(integral, rel=1e-6)
    assert lost > 0


def test_single_precision_stays_single():
    start = particles(20, 3)
    for functional in (MMD(particles(9, 3).position), KSD(Washboard())):
        exact, found = functional.evaluate(start), functional.evaluate(start.astype("float32"))
        assert found.variation.dtype == found.gradient.dtype == np.float32
        np.testing.assert_allclose(found.gradient, exact.gradient, atol=2e-4)


def test_what_is_refused():
    with pytest.raises(InvalidInput, match=r"^kernel = 'morse': expected rbf"):
        MMD(np.zeros((3, 1)), kernel="morse")
    with pytest.raises(InvalidInput, match=r"^samples = \(3, 1\): expected the shape \(M, 2\)"):
        MMD(np.zeros((3, 1))).value(particles())
    with pytest.raises(InvalidInput, match=r"^target = .*: expected a functional ∫ V dρ"):
        KSD(mf.Interaction("rbf"))
    with pytest.raises(InvalidInput, match=r"^kernel = 'bilinear': expected 'imq' or 'rbf'"):
        KSD(mf.L2(), kernel="bilinear")
    with pytest.raises(InvalidInput, match=r"^kernel\.length = None: expected a number"):
        KSD(mf.L2(), kernel="rbf")
