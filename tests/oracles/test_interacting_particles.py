"""Interactions whose flow is known: order statistics, clusters that stick, and a porous medium.

On the line the force of W = -|x - y| on the i-th of N particles from the left is (2i - 1 - N)/N, as
long as the order stays.
"""

import numpy as np
import pytest
from scipy.optimize import isotonic_regression
from scipy.special import gamma

import meanfield as mf
from tests.conftest import size

COUNT = size(40, 12)


def sorted_start(count=COUNT):
    return np.sort(np.random.default_rng(3).uniform(-1.0, 1.0, count))


def shifts(count):
    return (2.0 * np.arange(1, count + 1) - 1 - count) / count


def end_of(flow, start, scheme, until, **settings):
    run = mf.simulate(flow, start, scheme=scheme, until=until, observe=(), **settings)
    assert run.status == "finished", run.stop_reason
    return run.final


def test_charges_on_the_line_keep_their_order_and_spread():
    """x_(i)(t) = x_(i)(0) + t (2i - 1 - N)/N; the last reach ±t about their start."""
    x, until = sorted_start(), 2.0
    order = np.random.default_rng(0).permutation(COUNT)
    flow = mf.Wasserstein(mf.Interaction({"kind": "coulomb", "dim": 1}))
    end = end_of(flow, mf.Ensemble(x[order][:, None]), mf.Euler(0.25), until)
    np.testing.assert_allclose(end.position[:, 0], (x + until * shifts(COUNT))[order], atol=1e-13)


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_charges_that_fill_a_ball_thin_out(dim):
    """1/ρ(t) = 1/ρ(0) + c t: the ball stays uniform, and its volume grows evenly.

    With W as built in, -ΔW = c δ: c = 2, 2π and 4π in dimension 1, 2 and 3.
    """
    strength = {1: 2.0, 2: 2 * np.pi, 3: 4 * np.pi}[dim]
    count, until = size(1500, 60), 0.5
    points = np.random.default_rng(dim).standard_normal((count, dim))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    shells = ((np.arange(count) + 0.5) / count) ** (1 / dim)  # radii of equal volumes
    start = mf.Ensemble(shells[:, None] * points)
    softening = 0.0 if dim == 1 else 0.02
    coulomb = mf.Interaction({"kind": "coulomb", "dim": dim, "softening": softening})
    end = end_of(mf.Wasserstein(coulomb), start, mf.Heun(0.02), until)
    ball = np.pi ** (dim / 2) / gamma(dim / 2 + 1)
    growth = (1 + strength * until / ball) ** (1 / dim)
    radii = np.linalg.norm(end.position, axis=1)
    # The second moment of the ball; few particles and the softening are the error.
    assert np.mean(radii**2) == pytest.approx(growth**2 * dim / (dim + 2), rel=size(0.02, 0.2))


def stuck(x, until):
    """Particles that attract by W = |x - y| and move on together where they meet."""
    return isotonic_regression(x - until * shifts(len(x))).x


@pytest.mark.parametrize("until", [0.3, 0.8, 1.5])
def test_attracting_particles_stick(until):
    """Isotonic regression (Brenier & Grenier 1998); steps h let a cluster swing by less than 2h."""
    x = sorted_start()
    exact = stuck(x, until)
    clusters = len(np.unique(exact.round(10)))
    assert 1 <= clusters < COUNT
    flow = mf.Wasserstein(-1.0 * mf.Interaction({"kind": "coulomb", "dim": 1}))
    for step in size((0.01, 0.005, 0.0025), (0.04, 0.02, 0.01)):
        end = end_of(flow, mf.Ensemble(x[:, None]), mf.Euler(step), until, guard="off")
        assert np.abs(np.sort(end.position[:, 0]) - exact).max() < 2 * step


def barenblatt(time, count, exponent=2.0):
    """Quantiles of the solution of ρ_t = Δρ^m on the line with mass 1, at a time."""
    m = exponent
    rate = 1 / (m + 1)
    k = rate * (m - 1) / (2 * m)
    p = 1 / (m - 1)
    c = (np.sqrt(k) * gamma(p + 1.5) / (np.sqrt(np.pi) * gamma(p + 1))) ** (1 / (p + 0.5))
    radius = np.sqrt(c / k) * time**rate
    # For m = 2 the distribution function on [-1, 1] is (2 + 3u - u³)/4.
    shares = (np.arange(count) + 0.5) / count
    roots = [np.roots([-1.0, 0.0, 3.0, 2.0 - 4 * share]) for share in shares]
    inside = [
        float(r.real[(np.abs(r.imag) < 1e-9) & (np.abs(r.real) <= 1 + 1e-9)][0]) for r in roots
    ]
    return radius * np.array(inside)


def porous_medium(width):
    """½∬ 2 K_h dρdρ, K_h the Gaussian density: ∫ρ² as h → 0, whose flow is ρ_t = Δρ²."""
    kernel = mf.Interaction({"kind": "rbf", "length": width})
    return 2.0 / (width * np.sqrt(2 * np.pi)) * kernel


def test_porous_medium_spreads_like_barenblatt():
    """W₂ to the exact profile falls with the width of the kernel, h = N^{-3/4} of their number."""
    first, last, errors = 1.0, 3.0, []
    counts = [size(50, 10), size(100, 20), size(200, 40)]
    for count in counts:
        start = mf.Ensemble(barenblatt(first, count)[:, None])
        width = 2.0 * float(start.position.max()) / count**0.75
        end = end_of(
            mf.Wasserstein(porous_medium(width)),
            start,
            mf.Heun(size(0.02, 0.1)),
            last - first,
            guard="off",
        )
        apart = np.sort(end.position[:, 0]) - barenblatt(last, count)
        errors.append(float(np.sqrt(np.mean(apart**2))))
    slope = np.polyfit(np.log(counts), np.log(errors), 1)[0]
    assert slope < -0.9
    # Not what half or twice the energy would do.
    for wrong in (0.5, 2.0):
        elsewhere = barenblatt(first + wrong * (last - first), counts[-1])
        assert (
            np.sqrt(np.mean((elsewhere - barenblatt(last, counts[-1])) ** 2))
            > size(50, 5) * errors[-1]
        )
