"""Radii and overlaps in place of neurons: against quadrature, known numbers and real neurons."""

import mpmath as mp
import numpy as np
import pytest
from scipy import stats
from scipy.integrate import quad

import meanfield as mf
from meanfield.errors import InvalidInput, Unsupported
from meanfield.limits import (
    AnisotropicGaussians,
    ReLUTeacher,
    TwoGaussians,
    TwoGaussiansInDimension,
    TwoGaussiansMinimum,
    one_radius,
    threshold,
)
from meanfield.limits.order_parameters import chi_rule
from tests.conftest import size

REDUCED = [
    TwoGaussians(0.3, l2=0.02),
    TwoGaussiansInDimension(0.8, dim=12),
    AnisotropicGaussians(0.8, 0.25, 1.0, 0.5, 0.8, start_dim=20, l2=0.02),
    ReLUTeacher(overlap=0.1, l2=0.02),
]


def names(oracle):
    return oracle.kind


@pytest.mark.parametrize("oracle", REDUCED, ids=names)
def test_features_have_the_slopes_they_say(oracle):
    rng, h = np.random.default_rng(0), 1e-6
    width = oracle.start(4)[0].shape[1]
    theta, (latents, *_) = rng.uniform(0.4, 1.5, (5, width)), oracle.latents(8)
    _, slope = oracle.features(theta, latents)
    for column in range(width):
        step = h * np.eye(width)[column]
        above, below = (oracle.features(theta + s, latents)[0] for s in (step, -step))
        np.testing.assert_allclose(slope[:, :, column], (above - below) / (2 * h), atol=1e-7)


@pytest.mark.parametrize("oracle", REDUCED, ids=names)
def test_energy_is_lost_by_dissipation(oracle):
    h = 1e-3
    limit = oracle.at([0.5 - h, 0.5, 0.5 + h])
    fall = (limit["energy"][0] - limit["energy"][2]) / (2 * h)
    assert fall == pytest.approx(limit["dissipation"][1], rel=1e-5)


@pytest.mark.parametrize("oracle", REDUCED, ids=names)
def test_measure_has_the_risk_of_the_limit(oracle):
    ensemble, limit = oracle.measure(0.5, 400), oracle.at([0.5])
    width = oracle.start(4)[0].shape[1]
    risk = oracle.risk_at(ensemble.position[:, -width:], ensemble.mass)
    assert risk == pytest.approx(limit["risk"][0], abs=2e-3)
    np.testing.assert_allclose(ensemble.mean(ensemble.position), limit["mean"][0], atol=5e-3)


@pytest.mark.parametrize("dim", [2, 3, 40, 1_000])
def test_rule_for_the_norm_of_a_normal_vector(dim):
    radius, chance = chi_rule(dim, 12)
    assert chance.sum() == pytest.approx(1.0, abs=1e-13)
    for power in range(1, 12):
        exact = np.prod(dim + 2.0 * np.arange(power))  # E |x|^(2 power)
        assert chance @ radius ** (2 * power) == pytest.approx(exact, rel=1e-10)


@pytest.mark.parametrize("t", [0.05, 0.7, 3.0])
def test_average_over_directions(t):
    knots = ((0.3, -1.0), (0.9, -2.0), (1.5, 4.0))
    places, values = np.array(knots).T

    def exact(density, end):
        cuts = [x for s in (-1, 1) for x in s * places / t if abs(x) < end]
        integrand = lambda z: density(z) * np.interp(t * z, places, values)  # noqa: E731
        return quad(integrand, -end, end, points=cuts or None, epsabs=1e-13, limit=200)[0]

    found = TwoGaussians(0.2, knots=knots).averaged(np.array([t]))[0][0]
    assert found == pytest.approx(exact(stats.norm.pdf, 12), abs=1e-11)
    dim = 5
    sphere = TwoGaussiansInDimension(0.2, knots=knots, dim=dim).averaged(np.array([t]))[0][0]
    half = 0.5 * (dim - 1)
    assert sphere == pytest.approx(exact(stats.beta(half, half, -1, 2).pdf, 1.0), abs=1e-11)


def test_published_risks_in_infinite_dimension():
    """Mei, Montanari and Nguyen 2018: twice our risk, at twice their times."""
    limit = TwoGaussians(0.2).at([0.2, 0.6, 2.0, 6.0, 20.0])
    expected = [0.5971, 0.3654, 0.34135, 0.34121, 0.34115]
    np.testing.assert_allclose(2 * limit["risk"], expected, rtol=0, atol=5e-5)
    assert np.all(limit.error("risk") < 1e-8)


def test_risks_in_dimension_forty():
    limit = TwoGaussiansInDimension(0.8).at([0.2, 2.0, 6.0])
    np.testing.assert_allclose(2 * limit["risk"], [1.3390, 1.0706, 0.9496], rtol=0, atol=5e-5)


def test_many_dimensions_are_the_limit():
    start = {"scale": 0.8, "start_dim": 40}
    exact = TwoGaussians(0.4, **start).at([0.5])["risk"][0]
    off = [
        TwoGaussiansInDimension(0.4, **start, dim=dim).at([0.5])["risk"][0] - exact
        for dim in (40, 80, 160, 4_000)
    ]
    # The law of <w, x> differs by O(1/d); here x is in units of √d.
    assert off[-1] == pytest.approx(off[0] / 100, rel=0.2)


def test_risk_in_dimension_by_sampling():
    oracle = TwoGaussiansInDimension(0.6, dim=5)
    rng = np.random.default_rng(0)
    w = rng.standard_normal((4, 5))
    radii = np.linalg.norm(w, axis=1)
    found = oracle.risk_at(radii[:, None], np.full(4, 0.25))
    # The same radii in so many directions that their average is exact.
    turned = rng.standard_normal((size(400, 50), 4, 5))
    turned *= radii[:, None] / np.linalg.norm(turned, axis=2, keepdims=True)
    risks = []
    for sign, scale in ((1.0, 1.6), (-1.0, 0.4)):
        x = scale * rng.standard_normal((2_000, 5))
        f = np.clip(-2.5 + 10 * (turned.reshape(-1, 5) @ x.T - 0.5), -2.5, 7.5).mean(axis=0)
        risks.append(0.5 * (f - sign) ** 2)
    error = 0.5 * np.sqrt(sum(r.var() for r in risks) / 2_000)
    assert abs(found - np.mean(risks)) < 4 * error + 30.0 / len(turned.reshape(-1, 5))


def test_threshold_in_infinite_dimension():
    def averaged(r):
        e = lambda t: r * mp.npdf(t / r) - t * mp.ncdf(-t / r)  # noqa: E731
        return mp.mpf(-2.5) + 10 * (e(mp.mpf(0.5)) - e(mp.mpf(1.5)))

    high = mp.findroot(lambda r: averaged(r) - 1, 2.5)
    low = mp.findroot(lambda r: averaged(r) + 1, 0.9)
    assert threshold() == pytest.approx(float((high - low) / (high + low)), abs=1e-10)
    assert threshold() == pytest.approx(0.47421895151, abs=1e-10)


def test_one_radius_is_best_up_to_the_threshold():
    for dim, nodes in ((0, 48), (40, 48)):
        limit = threshold(dim)
        for delta in (0.2, limit - 0.01, limit + 0.01):
            radius, risk, gap = one_radius(delta, dim, nodes)
            least = TwoGaussiansMinimum(delta, dim, nodes).at()
            assert least.error("risk")[0] < 1e-11
            assert risk - gap - 1e-12 <= least["risk"][0] <= risk + 1e-12
            assert (gap < 1e-10) == (delta < limit)
    with pytest.raises(Unsupported, match="dim = 3: there is no Δ"):
        threshold(3)
    radius, risk, _ = one_radius(0.2)
    assert (radius, risk) == (pytest.approx(1.4617, abs=1e-4), pytest.approx(0.170575, abs=5e-7))
    assert abs(threshold(20_000) - threshold()) < 1e-3


def test_the_flow_ends_at_the_minimum_below_the_threshold():
    end, least = TwoGaussians(0.2).at([60.0])["risk"][0], TwoGaussiansMinimum(0.2).at()["risk"][0]
    assert end == pytest.approx(least, abs=1e-9)
    atoms = TwoGaussiansMinimum(0.2).measure(np.inf, 5)
    assert atoms.mass.sum() == pytest.approx(1.0)


def test_what_is_not_monotone_fails_from_small_weights():
    knots, least = ((0.5, -2.5), (1.0, -4.0), (2.0, 7.5)), 0.01
    good, bad = (TwoGaussians(0.5, scale, knots=knots).at([20.0]) for scale in (0.8, 0.2))
    assert good["risk"][0] < least
    assert bad["risk"][0] > 3.0 > least
    assert bad.error("risk")[0] < 1e-3


def test_features_are_selected():
    times = [0.0, 2.0, 20.0]
    mean = AnisotropicGaussians(0.8, 0.2, 1.0, 1.0, 0.8).at(times)["mean"]
    assert np.all(np.diff(mean[:, 2]) > 0)
    assert np.all(np.diff(mean[:, 3]) < 0)
    assert mean[-1, 3] < 0.01 * mean[-1, 2]


def test_orthogonal_neurons_are_the_limit():
    """With N neurons at right angles all that differs is that each meets itself: O(1/N)."""
    limit, off = ReLUTeacher(scale=0.7).at([0.0, 1.0]), []
    for count in (12, 24, 48):
        network = mf.TwoLayer("relu", count + 1)
        teacher = mf.Teacher(network, network.ensemble(np.eye(1, count + 1)))
        w = np.hstack([np.zeros((count, 1)), 0.7 * np.eye(count)])
        start = network.ensemble(w, a=np.where(np.arange(count) % 2, 1.0, -1.0))
        flow = mf.Wasserstein(mf.Risk(network, mf.Gaussian(count + 1).labelled_by(teacher)))
        run = mf.simulate(flow, start, scheme=mf.RK4(0.1), until=1.0, observe_when={"evenly": 2})
        off.append(run["risk"].values - limit["risk"])
    off = np.array(off) * np.array([[12], [24], [48]])
    # At the start exactly ½ Var φ/N.
    variance = 0.49 * (0.5 - 0.5 / np.pi)
    np.testing.assert_allclose(off[:, 0], 0.5 * variance, atol=1e-12)
    np.testing.assert_allclose(off[2, 1], 2 * off[2, 1] - off[1, 1], rtol=0.05)


def test_what_is_refused():
    with pytest.raises(InvalidInput, match=r"delta = 1.0: expected a number in \[0, 1\)"):
        TwoGaussians(1.0)
    with pytest.raises(InvalidInput, match=r"knots = .*places > 0"):
        TwoGaussians(0.5, knots=((0.0, 1.0), (1.0, 2.0)))
    with pytest.raises(InvalidInput, match=r"share = 0.25: expected a whole number of the"):
        AnisotropicGaussians(0.5, 0.25, start_dim=10)
    with pytest.raises(InvalidInput, match=r"times = .*a state at rest"):
        TwoGaussiansMinimum(0.2).at([1.0])
